//! `examples/c/pair_server.c` under requesters of every kind while its halves and its CPUs are killed: each record that was
//! acknowledged is in the file once, and no requester sees an error. And the two mixes: C and Rust on either side.

use crate::common::{Programs, Test};
use crate::number;
use crate::scene::Scene;
use pollux_os::Signal;
use pollux_torture::{Counts, Faults, Random, seed};
use pollux_wire::record::NameRecord;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("server_without_faults", without_faults),
    ("openers_that_are_gone_leave_the_table_of_a_server", gone_openers),
    ("server_under_requesters_of_every_kind_and_kills", under_kills),
    ("rust_requester_of_the_c_pair", rust_requester),
    ("c_requester_of_a_rust_pair", rust_pair),
    ("nowait_server_answers_in_any_order", nowait),
];

/// Plays a Rust requester: `__adds SERVER NAME PLACE` adds records until there is a file `enough` in the directory `PLACE`, and then
/// writes their number to the file `NAME` there.
pub(crate) const ADDS_COMMAND: &str = "__adds";

/// Requests of one run of a C requester, and of the pair that is a requester.
const REQUESTS: usize = 300;
const REQUESTS_OF_PAIR: usize = 600;
/// CPUs of the server: neighbours back each other, so it stays among these four while one of them is away at most.
const SERVER_CPUS: u8 = 4;
/// The CPU of the requesters that are no pairs: it is never killed, they would be gone with it.
const QUIET_CPU: u8 = SERVER_CPUS + 1;
/// The CPU of the pair that is a requester; its backup is in the next one.
const PAIR_CPU: u8 = SERVER_CPUS;
const CPUS: u8 = SERVER_CPUS + 2;

/// The Rust requester.
pub(crate) fn adds(words: &[&str]) -> ExitCode {
    let [server, name, place] = *words else { return ExitCode::from(2) };
    let place = Path::new(place);
    let mut added = 0;
    let outcome = (|| -> pollux::Result<()> {
        let mut server = pollux::Node::connect()?.open(server)?;
        while added == 0 || !place.join("enough").exists() {
            let reply = server.request(format!("ADD {name}-{}", added + 1).as_bytes())?;
            assert!(reply.starts_with(b"OK "), "{}", String::from_utf8_lossy(&reply));
            added += 1;
        }
        Ok(())
    })();
    let said = match outcome {
        Ok(()) => added.to_string(),
        Err(error) => format!("request {}: {error}", added + 1),
    };
    // In one step: who waits for it must not read a half of it.
    let draft = place.join(format!("{name}.draft"));
    std::fs::write(&draft, said).and_then(|()| std::fs::rename(draft, place.join(name))).unwrap();
    ExitCode::SUCCESS
}

/// Starts a Rust requester in a CPU. Outside of all CPUs it would belong to the one it talks to, and be lost with it as far as
/// a server can tell.
fn start_rust(scene: &Scene<'_>, cpu: u8, name: &str) {
    let program = std::env::current_exe().unwrap();
    let place = scene.place.path().to_str().unwrap();
    scene.run_path(cpu, None, &program, &[ADDS_COMMAND, "$SRV", name, place], &[]);
}

/// The number of records of each of them, when there is a file `enough`.
fn rust_records(scene: &Scene<'_>, names: &[String]) -> BTreeMap<String, usize> {
    std::fs::write(scene.file("enough"), "").unwrap();
    let said = |name: &String| {
        let text =
            scene.node.wait_for(&format!("{name} ends"), || std::fs::read_to_string(scene.file(name)).ok());
        let count = text.parse().unwrap_or_else(|_| panic!("{name}: {text}\n{}", scene.node.logs()));
        (name.clone(), count)
    };
    names.iter().map(said).collect()
}

/// The server on `$SRV` in CPU 0, with its backup.
fn server(scene: &Scene<'_>) {
    scene.run(0, "$SRV", "pair_server", &[&scene.file("records")]);
    in_step(scene);
}

/// Waits until the pair has a backup that was told everything: the program does that before it serves again, so a request
/// that begins behind the record is answered behind it.
fn in_step(scene: &Scene<'_>) -> NameRecord {
    scene.node.wait_for("$SRV has a backup in step", || {
        let record = scene.node.record("$SRV").filter(|record| record.backup.is_some())?;
        let reply = scene.ask("$SRV", "COUNT");
        assert!(reply.starts_with("OK "), "{reply}");
        (scene.node.record("$SRV").as_ref() == Some(&record)).then_some(record)
    })
}

/// Each record of `names` with its numbers 1 to its count is in the file once, and nothing else is.
fn check(scene: &Scene<'_>, names: &BTreeMap<String, usize>) {
    let text = scene.text("records");
    let mut found: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    for line in text.lines() {
        let (name, number) = line.rsplit_once('-').unwrap_or_else(|| panic!("a torn record: {line:?}"));
        *found.entry((name, number.parse().unwrap())).or_default() += 1;
    }
    let wanted: usize = names.values().sum();
    for (name, count) in names {
        for number in 1..=*count {
            let times = found.get(&(name.as_str(), number)).copied().unwrap_or(0);
            assert_eq!(times, 1, "{name}-{number} of {count}\n{}", scene.node.logs());
        }
    }
    assert_eq!(found.len(), wanted, "records that nobody has asked for");
    println!("{wanted} records of {} requesters, each once", names.len());
}

/// Runs a C requester to its end.
fn run_requester(scene: &Scene<'_>, cpu: u8, name: &str, program: &str, count: usize, records: &str) {
    scene.run(cpu, name, program, &["$SRV", &count.to_string(), records]);
    let said = format!("{count} acknowledged");
    let log = || scene.node.log_of(name);
    let begin = Instant::now();
    let mut size = 0;
    let mut moved = begin;
    // As long as records come the requester is on its way, however many faults are in between.
    while scene.node.record(name).is_some() {
        let now = std::fs::metadata(scene.file("records")).map_or(0, |data| data.len());
        if now != size {
            (size, moved) = (now, Instant::now());
        }
        assert!(
            moved.elapsed() < pollux_torture::PATIENCE,
            "{name} stands still: {}\n{}\n{}",
            log(),
            pollux_torture::stacks(scene.node.root()),
            scene.node.logs()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(log().ends_with(&format!("{said}\n")), "{name}: {}\n{}", log(), scene.node.logs());
}

fn without_faults(programs: &Programs) {
    let scene = Scene::of(programs, CPUS);
    server(&scene);
    run_requester(&scene, QUIET_CPU, "$C", "pair_requester", REQUESTS, "c");
    run_requester(&scene, PAIR_CPU, "$P", "pair_requester_pair", REQUESTS, "p");
    assert_eq!(scene.ask("$SRV", "SWITCH"), "OK");
    run_requester(&scene, QUIET_CPU, "$C", "pair_requester", REQUESTS, "d");
    let names = ["c", "p", "d"].map(|name| (name.to_owned(), REQUESTS));
    check(&scene, &names.into());
    assert_eq!(scene.ask("$SRV", "COUNT"), format!("OK {}", 3 * REQUESTS));
    scene.node.finish();
}

/// A server whose table keeps openers that are gone refuses the next ones some day. The new primary must hear of an end that the
/// old one has taken along, and its program must not bring back whom it had forgotten.
fn gone_openers(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    server(&scene);
    let only_the_asker_is_left = |when: &str| {
        in_step(&scene);
        scene.node.wait_until(&format!("{when}, there are no other openers"), || {
            scene.ask("$SRV", "OPENERS") == "OK 1"
        });
    };

    // It closes behind its last request: the newest update is of an opener that is gone.
    run_requester(&scene, 2, "$C", "pair_requester", 5, "c");
    only_the_asker_is_left("behind a close");
    scene.kill(scene.record("$SRV").primary);
    only_the_asker_is_left("behind a close and a takeover");

    // It ends while the primary does not look, and the primary never does again.
    scene.run(2, "$D", "pair_requester", &["$SRV", "1000000", "d"]);
    scene.node.wait_until("it is at work", || scene.text("records").lines().count() > 10);
    let primary = scene.record("$SRV").primary;
    assert!(scene.node.signal(primary, Signal::STOP));
    scene.kill(scene.record("$D").primary);
    scene.gone("$D");
    scene.kill(primary);
    only_the_asker_is_left("behind an end that only the old primary was told of");
    scene.node.finish();
}

/// Four C requesters, three Rust ones, and a pair.
fn under_kills(programs: &Programs) {
    let wanted = number("POLLUX_SERVER_KILLS", 30);
    let seed = seed(21);
    let scene = Scene::of(programs, CPUS);
    server(&scene);
    let done = AtomicBool::new(false);
    let runs = AtomicUsize::new(0);
    let rust: Vec<String> = (0..3).map(|at| format!("rust{at}")).collect();
    for name in &rust {
        start_rust(&scene, QUIET_CPU, name);
    }
    let mut names = std::thread::scope(|threads| {
        let again = |cpu: u8, name: String, program: &'static str, count: usize| {
            let (scene, done, runs) = (&scene, &done, &runs);
            threads.spawn(move || {
                let mut names = BTreeMap::new();
                while names.is_empty() || !done.load(Ordering::SeqCst) {
                    let records = format!("{}.{}", &name[1..], names.len());
                    run_requester(scene, cpu, &name, program, count, &records);
                    names.insert(records, count);
                    runs.fetch_add(1, Ordering::SeqCst);
                }
                names
            })
        };
        let mut running: Vec<_> =
            (0..4).map(|at| again(QUIET_CPU, format!("$C{at}"), "pair_requester", REQUESTS)).collect();
        running.push(again(PAIR_CPU, "$P".to_owned(), "pair_requester_pair", REQUESTS_OF_PAIR));
        let mut random = Random::new(seed);
        let counts = blows(&scene, &mut random, wanted);
        println!("{wanted} kills: {counts:?}");
        done.store(true, Ordering::SeqCst);
        let names: BTreeMap<String, usize> =
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        names
    });
    names.extend(rust_records(&scene, &rust));
    check(&scene, &names);
    scene.node.finish();
}

/// Kills halves of the server, CPUs, and halves of the pair that is a requester; how many of each.
fn blows(scene: &Scene<'_>, random: &mut Random, wanted: usize) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..wanted {
        let kind = random.below(6);
        if kind == 3 || kind == 4 {
            scene.node.wait_until("all CPUs are up", || scene.node.is_connected(CPUS));
        }
        let record = in_step(scene);
        let backup = record.backup.unwrap();
        let moment = Instant::now() + Duration::from_micros(random.below(20_000));
        while Instant::now() < moment {}
        let free = |handle: pollux_wire::Phandle| handle.cpu.get() < SERVER_CPUS;
        let what = match kind {
            2 => ("backup", backup),
            3 if free(record.primary) => ("CPU of the primary", record.primary),
            4 if free(backup) => ("CPU of the backup", backup),
            5 => match requester_in_step(scene) {
                Some(handle) => ("half of the requester", handle),
                None => ("primary", in_step(scene).primary),
            },
            _ => ("primary", record.primary),
        };
        let killed = match what.0 {
            "CPU of the primary" | "CPU of the backup" => scene.node.signal_cpu(what.1.cpu, Signal::KILL),
            _ => scene.node.signal(what.1, Signal::KILL),
        };
        // The requester may have come to its end by itself.
        assert!(killed || what.0 == "half of the requester", "{what:?}\n{}", scene.node.logs());
        *counts.entry(what.0).or_default() += 1;
    }
    counts
}

/// A half of the pair that is a requester, if its backup has been told everything: a record of it came behind its being on
/// record.
fn requester_in_step(scene: &Scene<'_>) -> Option<pollux_wire::Phandle> {
    let of_pair = || scene.text("records").lines().filter(|line| line.starts_with("P.")).count();
    let record = scene.node.record("$P").filter(|record| record.backup.is_some())?;
    let before = of_pair();
    let deadline = Instant::now() + Duration::from_secs(1);
    while of_pair() <= before + 1 {
        if Instant::now() > deadline || scene.node.record("$P").as_ref() != Some(&record) {
            return None;
        }
    }
    (scene.node.record("$P").as_ref() == Some(&record)).then_some(record.primary)
}

/// A requester written with the Rust crate sees of a C pair's faults what it sees of a Rust pair's: nothing.
fn rust_requester(programs: &Programs) {
    let mut random = Random::new(seed(22));
    let scene = Scene::of(programs, 3);
    server(&scene);
    start_rust(&scene, 2, "rust");
    for _ in 0..6 {
        let record = in_step(&scene);
        let victim = if random.below(3) == 0 { record.backup.unwrap() } else { record.primary };
        scene.kill(victim);
    }
    in_step(&scene);
    check(&scene, &rust_records(&scene, &["rust".to_owned()]));
    scene.node.finish();
}

/// The other way round: a C requester with sync depth 1, and a pair that keeps its state with the Rust crate.
fn rust_pair(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.node.run_pair("$CNT", &["counter"]);
    let enough = scene.file("enough");
    for name in ["$A", "$B"] {
        scene.run(2, name, "counting", &["$CNT", &name[1..], "300", &enough]);
    }
    let counts = Counts { primary: 5, backup: 2, switch: 2, ..Counts::default() };
    Faults::plan(seed(23), &["$CNT"], counts).inflict(&scene.node, &[]);
    std::fs::write(&enough, "").unwrap();
    let mut all = 0;
    for name in ["$A", "$B"] {
        let log = || scene.node.log_of(name);
        scene.node.wait_until("it ends", || log().contains("COUNTED") || log().contains("FAILED"));
        let counted = log();
        let counted = counted.trim().strip_prefix("COUNTED ").unwrap_or_else(|| panic!("{name}: {counted}"));
        all += counted.parse::<usize>().unwrap();
    }
    println!("{all} requests of C programs to a Rust pair, each once");
    assert_eq!(scene.ask("$CNT", "last"), format!("1 {}", all + 1));
    scene.node.finish();
}

/// A server that never waits: requests are answered when they are done, not in the order in which they came.
fn nowait(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.run(0, "$ECHO", "nowait_server", &[]);
    scene.run(0, "$TWO", "nowait_server", &[]);
    assert_eq!(scene.ask("$ECHO", "SAY hello"), "hello");
    assert_eq!(scene.ask("$ECHO", "ASK $TWO SAY through two"), "through two");
    assert_eq!(scene.ask("$ECHO", "ASK $NONE hello"), "error 14");
    assert_eq!(scene.ask("$ECHO", "nonsense"), "error 2");
    std::thread::scope(|threads| {
        let late = threads.spawn(|| scene.ask("$ECHO", "LATER 60 late"));
        scene.node.wait_until("it is in hand", || scene.ask("$ECHO", "IDLE") == "2");
        let through = threads.spawn(|| scene.ask("$ECHO", "ASK $TWO LATER 20 sooner"));
        assert_eq!(scene.ask("$ECHO", "SAY now"), "now");
        assert_eq!(through.join().unwrap(), "sooner");
        assert_eq!(late.join().unwrap(), "late");
    });
    assert_eq!(scene.ask("$ECHO", "IDLE"), "1");
    scene.node.finish();
}
