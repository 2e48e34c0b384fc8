//! Real daemons, real processes, real signals: proves that the wires between the parts are connected. What the parts
//! decide is tested beside them.
//!
//! This program plays all roles, by its first argument: daemon, launcher, a small process of the node, the test itself.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

#[path = "node/active.rs"]
mod active;
#[path = "node/command.rs"]
mod command;
#[path = "node/puppet.rs"]
mod puppet;
#[path = "node/toy.rs"]
mod toy;

use command::Node;
use pollux_os::Signal;
use pollux_wire::admin::{AdminReply, AdminRequest, ProcessInfo};
use pollux_wire::control::{PairState, ToDaemon, ToProcess};
use pollux_wire::record::CpuState;
use pollux_wire::{CpuNumber, FileError, ProcessName};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some(polluxd::CPU_COMMAND) => polluxd::main(&arguments[1..]),
        Some(pollux_os::LAUNCHER_COMMAND) => pollux_os::launcher_main(&arguments[1..]),
        Some("toy") => toy::main(),
        Some("puppet") => puppet::main(&arguments[1..]),
        _ => {
            let tests: [(&str, fn()); 12] = [
                ("a_pair_survives_its_primary", a_pair_survives_its_primary),
                ("a_lost_cpu_is_noticed_and_started_again", a_lost_cpu_is_noticed_and_started_again),
                ("a_stopped_cpu_is_killed", a_stopped_cpu_is_killed),
                ("programs_and_their_ends", programs_and_their_ends),
                ("garbage_ends_only_its_connection", garbage_ends_only_its_connection),
                ("a_node_that_died_as_a_whole_starts_clean", a_node_that_died_as_a_whole_starts_clean),
                ("an_active_pair_lives", active::an_active_pair_lives),
                ("an_active_pair_stops_as_one", active::an_active_pair_stops_as_one),
                ("an_active_pair_survives_a_cpu", active::an_active_pair_survives_a_cpu),
                ("processes_create_processes", active::processes_create_processes),
                ("others_stop_and_ask", active::others_stop_and_ask),
                ("commands_reach_an_active_pair", active::commands_reach_an_active_pair),
            ];
            let wanted =
                arguments.iter().filter_map(|argument| argument.to_str()).find(|one| !one.starts_with('-'));
            for (name, test) in tests {
                if wanted.is_none_or(|wanted| name.contains(wanted)) {
                    println!("test {name} ...");
                    test();
                    println!("test {name} ok");
                }
            }
            ExitCode::SUCCESS
        }
    }
}

fn cpu(number: u8) -> CpuNumber {
    CpuNumber::new(number).unwrap()
}

fn name(text: &str) -> ProcessName {
    ProcessName::new(text).unwrap()
}

/// Without this the product does nothing at all.
fn a_pair_survives_its_primary() {
    let node = Node::start(2, 100);
    let first = node.run_toy(0, Some("$A"));
    let record = node.wait_for_record("$A", |record| record.backup.is_some());
    let backup = record.backup.unwrap();
    assert_eq!((record.primary, backup.cpu), (first, cpu(1)));
    assert_eq!((backup.sequence, backup.named), (first.sequence, true));

    // A requester of the other CPU reaches the primary, whose word tells who it is.
    let mut requester = node.visit(1);
    assert_eq!(requester.open("$A"), Ok(first.to_string()));
    assert_eq!(requester.open("$NONE"), Err(FileError::NO_SUCH_PROCESS));

    let refused = node.ask(1, &AdminRequest::Run { name: Some(name("$A")), spec: node.toy_spec() });
    assert!(
        matches!(&refused, AdminReply::Refused { text } if text.contains("pollux stop '$A'")),
        "{refused:?}"
    );

    node.signal(first, Signal::KILL);
    let taken = node.wait_for_record("$A", |record| record.primary == backup);
    assert!(taken.epoch > record.epoch);
    assert_eq!(requester.open("$A"), Ok(backup.to_string()));
    // The new primary gets a backup in turn.
    let whole = node.wait_for_record("$A", |record| record.backup.is_some());
    assert_eq!(whole.backup.unwrap().cpu, cpu(0));

    // The last one out takes the name along.
    node.signal(whole.backup.unwrap(), Signal::KILL);
    node.wait_for_record("$A", |record| record.backup.is_none_or(|now| Some(now) != whole.backup));
    assert!(matches!(node.ask(1, &AdminRequest::Stop { phandle: backup }), AdminReply::Done {}));
    node.stop();
    let events = node.events();
    assert!(events.contains(r#""kind":"started""#) && events.contains(r#""kind":"cpu-down""#), "{events}");
}

/// A CPU that dies must not take its names into limbo, nor stay away.
fn a_lost_cpu_is_noticed_and_started_again() {
    let node = Node::start(3, 100);
    let lone = node.run_sleeper(2);
    let pair = node.run_toy(2, Some("$B"));
    let record = node.wait_for_record("$B", |record| record.backup.is_some());
    assert_ne!(record.backup.unwrap().cpu, cpu(2));
    let mut witness = node.visit(0);

    let before = node.cpu_record(2);
    node.signal_cpu(2, Signal::KILL);
    node.wait_for_record("$B", |now| Some(now.primary) == record.backup);
    witness.wait_for(|message| matches!(message, ToProcess::System { message } if message.number() == -2));
    witness.wait_for(|message| matches!(message, ToProcess::System { message } if message.number() == -3));
    let after = node.cpu_record(2);
    assert_eq!((after.state, after.epoch), (CpuState::Up, before.epoch.next()));
    for gone in [lone, pair] {
        assert!(node.processes(2).iter().all(|process| process.phandle != gone));
    }
    node.wait_until("all are connected", || node.is_connected());
    assert!(node.events().contains(r#""kind":"cpu-down","cpu":"#));
    node.stop();
}

/// A CPU that is hung holds its names as a dead one does, but nobody is told.
fn a_stopped_cpu_is_killed() {
    let node = Node::start(2, 100);
    let before = node.cpu_record(1);
    node.signal_cpu(1, Signal::STOP);
    node.wait_until("it is started again", || node.cpu_record(1).epoch > before.epoch);
    node.wait_until("all are connected", || node.is_connected());

    // A stopped process is killed, too.
    let toy = node.run_toy(0, Some("$C"));
    node.wait_for_record("$C", |record| record.backup.is_some());
    node.signal(toy, Signal::STOP);
    node.wait_for_record("$C", |record| record.primary != toy);
    node.wait_until("the event is there", || node.events().contains(r#""kind":"hung-killed""#));

    // On purpose: it is not started again, and the pair does not notice.
    assert!(matches!(node.ask(1, &AdminRequest::CpuDown { node: false }), AdminReply::Done {}));
    node.wait_until("it is down", || node.cpu_record(1).state == CpuState::Down);
    node.wait_until("its socket is gone", || !node.socket(1).exists());
    // The socket goes before the process does, and only its end tells the other CPU.
    let order = AdminRequest::CpuUp { cpu: cpu(1) };
    node.wait_until("it may be started", || matches!(node.ask(0, &order), AdminReply::Done {}));
    node.wait_until("it is up", || node.cpu_record(1).state == CpuState::Up);
    node.wait_until("all are connected", || node.is_connected());
    node.stop();
}

/// What `pollux run` of an ordinary program shows.
fn programs_and_their_ends() {
    let node = Node::start(1, 0);
    let mut missing = node.toy_spec();
    missing.program = "/x/y".to_owned();
    let refused = node.run(0, Some("$D"), missing);
    assert!(
        matches!(&refused, AdminReply::Refused { text } if text == "cannot run /x/y: No such file or directory"),
        "{refused:?}"
    );
    node.wait_until("the name is free again", || node.record("$D").is_none());

    let sleeper = node.run_sleeper(0);
    let info: Vec<ProcessInfo> = node.processes(0);
    assert_eq!((info.len(), info[0].phandle, info[0].state), (1, sleeper, None));
    let signal = AdminRequest::Signal { phandle: sleeper, signal: Signal::TERM.as_raw() };
    assert!(matches!(node.ask(0, &signal), AdminReply::Done {}));
    let wait = AdminRequest::Wait { phandle: sleeper };
    for _ in 0..2 {
        let ended = node.ask(0, &wait);
        assert!(matches!(ended, AdminReply::Ended { code: None, signal: Some(15), .. }), "{ended:?}");
    }

    let toy = node.run_toy(0, Some("$D"));
    node.wait_until("it is alone", || {
        node.processes(0).first().is_some_and(|process| process.state == Some(PairState::Alone))
    });
    assert!(matches!(node.ask(0, &AdminRequest::Stop { phandle: toy }), AdminReply::Done {}));
    assert!(matches!(
        node.ask(0, &AdminRequest::Wait { phandle: toy }),
        AdminReply::Ended { code: Some(0), .. }
    ));
    node.wait_until("the name is free", || node.record("$D").is_none());

    // A second daemon of the same CPU must not come up beside the first.
    let (status, log) = node.try_second_daemon(0);
    assert!(!status.success() && log.contains("runs already"), "{log}");
    node.stop();
}

/// S17: a broken program must not take a CPU down.
fn garbage_ends_only_its_connection() {
    let node = Node::start(1, 0);
    for garbage in [&[0xff_u8; 64][..], &[9, 0, 0, 0, 65, 0, 0, 0, 250, 1, 2, 3, 4, 5, 6, 7, 8][..]] {
        let mut stream = UnixStream::connect(node.socket(0)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(garbage).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "it is closed");
    }
    // A process that speaks before its time.
    let mut rude = node.connect(0);
    rude.send(&ToDaemon::Numbers { request: 1, count: 1 }, Vec::new());
    assert!(rude.is_closed());
    let mut polite = node.visit(0);
    let first = polite.numbers(3);
    assert!(polite.numbers(1) > first + 2);
    node.stop();
}

/// After a power cut names of dead pairs would be taken for ever.
fn a_node_that_died_as_a_whole_starts_clean() {
    let mut node = Node::start(2, 0);
    node.run_toy(0, Some("$E"));
    let record = node.wait_for_record("$E", |record| record.backup.is_some());
    for number in [0, 1] {
        node.signal_cpu(number, Signal::STOP);
    }
    for number in [0, 1] {
        node.signal_cpu(number, Signal::KILL);
    }
    node.start_again();
    node.wait_until("the name is free", || node.record("$E").is_none());
    let next = node.run_toy(1, Some("$E"));
    let now = node.wait_for_record("$E", |now| now.primary == next);
    assert!(now.epoch > record.epoch, "S11");
    node.stop();
}
