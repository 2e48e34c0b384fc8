//! The failure table of process pairs (process-pairs specification, section 10), row by row: what each half sees, by number, and what
//! becomes of the pair. `tests/c/row.c` is the program; it does what it is told and reports what it hears.

use crate::common::{Programs, Test};
use crate::scene::{Scene, settings};
use pollux_os::Signal;
use pollux_torture::Settings;

/// The rows.
pub(crate) const ROWS: &[Test] = &[
    ("row_01_exit_0_ends_both", exit_0),
    ("row_02_other_ends_of_the_primary_are_a_takeover", other_ends),
    ("row_03_stop_of_both", stop_both),
    ("row_04_cpu_of_the_primary_fails", primary_cpu),
    ("row_05_backup_ends", backup_ends),
    ("row_06_cpu_of_the_backup_fails", backup_cpu),
    ("row_07_backup_dies_before_its_reply", before_reply),
    ("row_08_both_are_lost", both_lost),
    ("row_09_no_cpu_for_a_backup_and_row_23_it_comes_back", no_cpu),
    ("row_10_unnamed", unnamed),
    ("row_11_backup_cannot_begin", cannot_begin),
    ("row_12_file_number_is_taken", number_taken),
    ("row_13_closed_stream", closed_stream),
    ("row_14_no_state_was_sent", no_state),
    ("row_15_between_update_and_write", before_write),
    ("row_16_between_write_and_update", after_write),
    ("row_17_more_writes_than_the_depth", too_many),
    ("row_18_output_that_was_not_flushed", unflushed),
    ("row_19_and_22_requester_of_the_old_primary", old_primary),
    ("row_20_request_before_the_news", before_the_news),
    ("row_21_switch_without_a_backup", no_switch),
    ("row_24_close_is_no_takeover", close_only),
    ("row_25_stop_from_outside", stop_outside),
];

/// A backup that took over from a finished primary would run the finished program once more.
fn exit_0(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.family("");
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "!exit 0"), "first");
    scene.hears("$MOM", "2: -101 code 0 abend 0 role 4");
    scene.gone("$P");
    assert_eq!(scene.times("$P", "-101") + scene.times("$P", "takeover"), 0, "{}", scene.report("$P"));
    assert_eq!(scene.times("$MOM", "-101"), 1);
    scene.node.finish();
}

/// Each other end leaves the work to the backup, with the documented completion code, and is nobody else's business.
fn other_ends(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.family("");
    for (at, (command, code, abend)) in
        [("!exit 3", 3, 1), ("!abend", 5, 1), ("!trap", 9, 1), ("!kill", 6, 1), ("!exit -1", 5, 1)]
            .into_iter()
            .enumerate()
    {
        scene.pair_up("$P");
        assert_eq!(scene.ask("$P", command), "first");
        let survivor = 1 - at % 2;
        scene.hears("$P", &format!("{survivor}: -101 code {code} abend {abend} role 4"));
        assert_eq!(scene.ask("$P", "role"), "role 4");
    }
    assert_eq!(scene.times("$MOM", "-101"), 0);
    assert_eq!(scene.ask("$P", "!stop-both"), "first");
    scene.hears("$MOM", "2: -101 code 0 abend 0 role 4");
    assert_eq!(scene.times("$MOM", "-101"), 1);
    scene.node.finish();
}

/// `PROCESS_STOP_` with specifier 1, without and with ABEND.
fn stop_both(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    for (abend, code) in [(0, 0), (1, 5)] {
        if abend == 0 {
            scene.family("");
        } else {
            let words = format!("create {} $P 0 {}", programs.path("row").display(), scene.file("P"));
            assert_eq!(scene.ask("$MOM", &words), "create 0 0 started 70");
        }
        scene.pair_up("$P");
        assert_eq!(scene.ask("$P", &format!("!stop-both {abend}")), "first");
        scene.hears("$MOM", &format!("2: -101 code {code} abend {abend} role 4"));
        scene.gone("$P");
    }
    assert_eq!(scene.times("$P", "-101") + scene.times("$P", "takeover"), 0);
    assert_eq!(scene.times("$MOM", "-101"), 2);
    scene.node.finish();
}

/// Only who monitors a CPU hears of its failure; -101 nobody hears.
fn primary_cpu(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.family("");
    scene.pair_up("$P");
    scene.kill_cpu(scene.record("$P").primary);
    scene.hears("$P", "1: -2 cpu 0 role 4");
    scene.hears("$P", "1: takeover role 4");
    assert_eq!(scene.ask("$P", "role"), "role 4");
    assert_eq!(scene.times("$P", "-101") + scene.times("$MOM", "-101"), 0);
    scene.node.finish();

    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[&scene.file("out"), "1", "unmonitored"]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens;lines a;update;write a"), "opens 0 update 0 write 0");
    let record = scene.record("$P");
    scene.kill_cpu(record.primary);
    scene.node.wait_until("the backup is on record as alone", || {
        scene.record("$P").primary == record.backup.unwrap() && scene.record("$P").backup.is_none()
    });
    // It has heard nothing; a request is the first thing that reaches it.
    assert_eq!(scene.ask("$P", "role"), "role 4");
    scene.hears("$P", "1: a request is here first");
    assert_eq!(scene.times("$P", ": -2 ") + scene.times("$P", "-101"), 0, "{}", scene.report("$P"));
    scene.node.finish();
}

/// A primary goes on alone and makes the pair whole again; what it sends again is complete.
fn backup_ends(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    let out = scene.file("out");
    scene.puppet(0, "$P", &[&out, "1"]);
    for _ in 0..2 {
        scene.pair_up("$P");
        assert_eq!(scene.ask("$P", "opens;update"), "opens 0 update 0");
        scene.kill(scene.paired("$P").backup.unwrap());
        scene.hears("$P", "0: -101 code 6 abend 1 role 4");
        assert_eq!(scene.ask("$P", "role;update"), "role 4 update 201");
    }
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens;lines a;update;write a"), "opens 0 update 0 write 0");
    scene.kill(scene.record("$P").primary);
    scene.hears("$P", "1: again a: 0");
    assert_eq!(scene.text("out"), "a\n");
    scene.node.finish();
}

/// The same for a CPU: -2, and a backup elsewhere.
fn backup_cpu(programs: &Programs) {
    let scene = Scene::with(programs, Settings { reload_after_ms: 0, ..settings(3) });
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    scene.kill_cpu(scene.paired("$P").backup.unwrap());
    scene.hears("$P", "0: -2 cpu 1 role 4");
    assert_eq!(scene.ask("$P", "role;update"), "role 4 update 201");
    scene.pair_up("$P");
    assert_eq!(scene.paired("$P").backup.unwrap().cpu.get(), 2);
    scene.node.finish();
}

/// An update that was read and not answered counts as not delivered.
fn before_reply(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "fatal"), "fatal 201");
    scene.hears("$P", "0: -101 code 6 abend 1 role 4");
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "update"), "update 0");
    scene.node.finish();
}

/// The loss of both: the name is free, openers get 201, and 60 from the next instance.
fn both_lost(programs: &Programs) {
    // Both CPUs: completion code -4.
    let scene = Scene::with(programs, Settings { reload_after_ms: 0, ..settings(3) });
    scene.family("");
    scene.pair_up("$P");
    let record = scene.paired("$P");
    // Alone and in one CPU: the end of that CPU is the end of the name.
    scene.kill(record.backup.unwrap());
    scene.hears("$P", "0: -101 code 6 abend 1 role 4");
    scene.kill_cpu(record.primary);
    scene.hears("$MOM", "2: -101 code -4 abend 1 role 4");
    scene.gone("$P");
    scene.node.finish();

    let scene = Scene::of(programs, 3);
    scene.puppet(0, "$P", &[]);
    scene.puppet(2, "$C", &[]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$C", "client-open $P 1;client-ask role"), "client-open 0 ask 0 [role 5]");
    let record = scene.paired("$P");
    // Both stand still, so that neither takes over.
    assert!(scene.node.signal(record.primary, Signal::STOP));
    assert!(scene.node.signal(record.backup.unwrap(), Signal::STOP));
    scene.kill(record.primary);
    scene.kill(record.backup.unwrap());
    scene.gone("$P");
    assert_eq!(scene.ask("$C", "client-ask role"), "ask 201 []");
    scene.puppet(0, "$P", &[]);
    assert_eq!(scene.ask("$P", "role"), "role 4");
    assert_eq!(scene.ask("$C", "client-ask role"), "ask 60 []");
    scene.node.finish();
}

/// A pair needs two CPUs; it gets its backup when one comes back (rows 9 and 23).
fn no_cpu(programs: &Programs) {
    let scene = Scene::with(programs, Settings { reload_after_ms: 0, ..settings(2) });
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    scene.kill_cpu(scene.paired("$P").backup.unwrap());
    scene.hears("$P", "0: -2 cpu 1 role 4");
    assert_eq!(scene.ask("$P", "start"), "start 10 201 0");
    assert_eq!(scene.ask("$P", "start 7"), "start 10 201 0");
    assert_eq!(scene.ask("$P", "role"), "role 4");
    scene.node.finish();

    // Both halves hear -3.
    let scene = Scene::with(programs, Settings { reload_after_ms: 300, ..settings(3) });
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    let two = pollux_wire::CpuNumber::new(2).unwrap();
    assert!(scene.node.signal_cpu(two, Signal::KILL));
    for line in ["0: -2 cpu 2 role 5", "1: -2 cpu 2 role 6", "0: -3 cpu 2 role 5", "1: -3 cpu 2 role 6"] {
        scene.hears("$P", line);
    }
    scene.kill_cpu(scene.paired("$P").backup.unwrap());
    scene.hears("$P", "0: -3 cpu 1 role 4");
    scene.pair_up("$P");
    scene.node.finish();
}

/// Without a name there is nothing that a requester could find again.
fn unnamed(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.run_with(0, None, "row", &[&scene.file("P")], &[]);
    scene.hears("$P", "0: unnamed: start 22 0 0");
    scene.node.finish();
}

/// The primary is alone again and may try once more.
fn cannot_begin(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    let out = scene.file("stdout");
    let variables = [("POLLUX_STARTUP", "run"), ("POLLUX_OUT", out.as_str())];
    scene.run_with(0, Some("$P"), "row", &[&scene.file("P")], &variables);
    scene.hears("$P", "0: begins as 4");
    assert!(std::path::Path::new(&out).exists(), "the primary opens its standard output");
    std::fs::rename(&out, scene.file("elsewhere")).unwrap();
    assert_eq!(scene.ask("$P", "start;role"), "start -1 0 11 role 4");
    std::fs::rename(scene.file("elsewhere"), &out).unwrap();
    // Not a Pollux program: it ends before it has begun. 4210 is ENONSTOP.
    assert_eq!(scene.ask("$P", "start /bin/false;role"), "start -1 0 4210 role 4");
    assert_eq!(scene.ask("$P", "start /none"), "start 1 11 0");
    scene.pair_up("$P");
    assert_eq!(scene.times("$P", "1: begins as 6"), 1, "the program of the others did not begin");
    scene.node.finish();
}

/// A backup open demands the primary's number.
fn number_taken(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[&scene.file("out"), "1", "grab"]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens"), "opens 12");
    scene.hears("$P", "1: backup open: 12");
    assert_eq!(scene.ask("$P", "role"), "role 5");
    scene.node.finish();
}

/// ENONSTOP, 4210, from all three.
fn closed_stream(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[]);
    let said = scene.ask("$P", &format!("closed {}", scene.file("file")));
    assert_eq!(said, "open-state -1 4210 get -1 4210 set -1 4210");
    scene.node.finish();
}

/// A backup that knows nothing must not go on as if it did.
fn no_state(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.family(&format!("{} 1", scene.file("out")));
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens"), "opens 0");
    scene.kill(scene.paired("$P").primary);
    scene.hears("$P", "1: -101 code 6 abend 1 role 4");
    scene.hears("$P", "1: no state");
    scene.hears("$MOM", "2: -101 code 5 abend 1 role 4");
    scene.gone("$P");
    assert_eq!(scene.times("$MOM", "-101"), 1);
    scene.node.finish();
}

/// A pair with a file of that sync depth, its backup in step.
fn writer<'a>(programs: &'a Programs, depth: &str) -> Scene<'a> {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[&scene.file("out"), depth]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens;update;write zero"), "opens 0 update 0 write 0");
    scene
}

/// The write was not done: the backup does it.
fn before_write(programs: &Programs) {
    for depth in ["0", "1"] {
        let scene = writer(programs, depth);
        assert_eq!(scene.ask("$P", "!lines one;update;kill"), "first");
        scene.hears("$P", "1: again one: 0");
        assert_eq!(scene.text("out"), "zero\none\n");
        scene.node.finish();
    }
}

/// The write was done: with a sync depth it is not done again, without one it is.
fn after_write(programs: &Programs) {
    for (depth, wanted) in [("1", "zero\none\n"), ("0", "zero\none\none\n")] {
        let scene = writer(programs, depth);
        assert_eq!(scene.ask("$P", "!lines one;update;write one;kill"), "first");
        scene.hears("$P", "1: again one: 0");
        assert_eq!(scene.text("out"), wanted, "depth {depth}");
        // The next write is a new one.
        assert_eq!(scene.ask("$P", "write two"), "write 0");
        assert_eq!(scene.text("out"), format!("{wanted}two\n"));
        scene.node.finish();
    }
}

/// Up to the sync depth writes may lie between two updates; one more shows only when they are repeated.
fn too_many(programs: &Programs) {
    let scene = writer(programs, "2");
    assert_eq!(scene.ask("$P", "!lines a,b;update;write a;write b;kill"), "first");
    scene.hears("$P", "1: again b: 0");
    assert_eq!(scene.text("out"), "zero\na\nb\n");
    scene.node.finish();

    let scene = writer(programs, "2");
    assert_eq!(scene.ask("$P", "!lines a,b,c;update;write a;write b;write c;kill"), "first");
    scene.hears("$P", "1: again a: 39");
    assert_eq!(scene.text("out"), "zero\na\nb\nc\n");
    scene.node.finish();
}

/// What was not flushed is in no file state: the application sends it again, or it is lost.
fn unflushed(programs: &Programs) {
    let scene = writer(programs, "1");
    assert_eq!(scene.ask("$P", "!lines ;put one;update;kill"), "first");
    scene.hears("$P", "1: takeover role 4");
    assert_eq!(scene.ask("$P", "write two"), "write 0");
    assert_eq!(scene.text("out"), "zero\ntwo\n");
    scene.node.finish();
}

/// A request that reaches a half that is not the primary is refused with 200; with a sync depth the requester does not
/// see it, without one it sees it once (rows 19 and 22).
fn old_primary(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.puppet(0, "$P", &[]);
    scene.puppet(2, "$C", &[]);
    for (depth, first) in [("0", "ask 200 []"), ("1", "ask 0 [role 5]")] {
        scene.pair_up("$P");
        let open = format!("client-open $P {depth};client-ask role");
        assert_eq!(scene.ask("$C", &open), "client-open 0 ask 0 [role 5]");
        let refused = scene.times("$P", "refused with 200");
        let before = scene.paired("$P");
        assert_eq!(scene.ask("$P", "switch"), "switch 0");
        let after = scene.paired("$P");
        assert_eq!((Some(after.primary), after.backup), (before.backup, Some(before.primary)));
        assert_eq!(scene.ask("$C", "client-ask role"), first, "depth {depth}");
        assert_eq!(scene.ask("$C", "client-ask role"), "ask 0 [role 5]", "depth {depth}");
        assert_eq!(scene.times("$P", "refused with 200"), refused + 1, "depth {depth}");
        assert_eq!(scene.ask("$P", "stop-other"), "stop 0");
        // The stop is answered before the record says so.
        scene.node.wait_until("$P is single", || scene.record("$P").backup.is_none());
        assert_eq!(scene.ask("$P", "role"), "role 4");
    }
    scene.node.finish();
}

/// A requester can know of the end sooner than the backup does. Its request must not be lost, nor executed twice.
fn before_the_news(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.puppet(0, "$P", &[&scene.file("out"), "1"]);
    scene.puppet(2, "$C", &[]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$P", "opens;lines a;update;write a"), "opens 0 update 0 write 0");
    assert_eq!(scene.ask("$C", "client-open $P 1;client-ask role"), "client-open 0 ask 0 [role 5]");
    let record = scene.paired("$P");
    let backup = record.backup.unwrap();
    assert!(scene.node.signal(backup, Signal::STOP));
    scene.kill(record.primary);
    scene.node.wait_until("the backup is on record as alone", || scene.record("$P").primary == backup);
    let asker = std::thread::scope(|threads| {
        let asker = threads.spawn(|| scene.ask("$C", "client-ask write b"));
        assert!(scene.node.signal(backup, Signal::CONT));
        asker.join().unwrap()
    });
    assert_eq!(asker, "ask 0 [write 0]");
    assert_eq!(scene.text("out"), "a\nb\n");
    assert_eq!(scene.times("$P", "takeover"), 1, "{}", scene.report("$P"));
    scene.node.finish();
}

/// No switch is better than a switch to nobody.
fn no_switch(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    scene.kill(scene.paired("$P").backup.unwrap());
    assert_eq!(scene.ask("$P", "switch;role"), "switch 201 role 4");
    assert_eq!(scene.record("$P").primary.cpu.get(), 0);
    scene.node.finish();
}

/// The primary may close and open its backup as it likes.
fn close_only(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    scene.puppet(0, "$P", &[]);
    scene.pair_up("$P");
    scene.hears("$P", "1: opened by the other half");
    assert_eq!(scene.ask("$P", "close"), "");
    scene.hears("$P", "1: closed by the other half, role 6");
    assert_eq!(scene.ask("$P", "role;open;update"), "role 5 open 0 update 0");
    assert_eq!(scene.times("$P", "takeover"), 0);
    scene.node.finish();
}

/// Any process of the node may stop another one that has set no stop mode; nothing is queued.
fn stop_outside(programs: &Programs) {
    let scene = Scene::of(programs, 3);
    scene.puppet(0, "$P", &[]);
    scene.puppet(2, "$C", &[]);
    scene.pair_up("$P");
    assert_eq!(scene.ask("$C", "stop $P"), "stop 0");
    scene.hears("$P", "1: -101 code 6 abend 0 role 4");
    assert_eq!(scene.ask("$P", "role"), "role 4");
    assert_eq!(scene.ask("$C", "stop $P"), "stop 0");
    scene.gone("$P");
    assert_eq!(scene.ask("$C", "stop $P"), "stop 14");
    scene.node.finish();
}
