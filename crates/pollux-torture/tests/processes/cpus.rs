//! A node that loses its CPUs one by one.

use crate::node_with;
use pollux_os::Signal;
use pollux_torture::Settings;
use pollux_wire::CpuNumber;
use pollux_wire::admin::AdminRequest;
use pollux_wire::control::PairState;

/// A pair would end with the first CPU that is not started again, though others could carry it.
#[test]
fn a_pair_moves_from_cpu_to_cpu_and_is_alone_on_the_last() {
    let node = node_with(Settings { cpus: 4, reload_after_ms: 0, ..Settings::default() });
    node.run_pair("$MOVE", &["counter"]);
    let mut requester = node.requester(&["count", "$MOVE", "a", "1", "4"]);
    requester.line();
    let mut gone: Vec<CpuNumber> = Vec::new();
    // The primary's CPU, then the backup's, then the primary's.
    for of_primary in [true, false, true] {
        let record = node.wait_whole("$MOVE");
        let cpu = if of_primary { record.primary.cpu } else { record.backup.unwrap().cpu };
        assert!(!gone.contains(&cpu), "CPU {cpu} is gone");
        assert!(node.signal_cpu(cpu, Signal::KILL));
        node.wait_until("the pair has noticed", || node.record("$MOVE").unwrap().epoch > record.epoch);
        gone.push(cpu);
        requester.line();
    }
    node.wait_until("the pair is alone", || {
        node.record("$MOVE").unwrap().backup.is_none() && node.state("$MOVE") == Some(PairState::Alone)
    });
    requester.line();
    let last = node.record("$MOVE").unwrap().primary.cpu;
    assert!(!gone.contains(&last));
    // One that comes up is used at once.
    node.order(last, &AdminRequest::CpuUp { cpu: gone[1] });
    let whole = node.wait_whole("$MOVE");
    assert_eq!((whole.primary.cpu, whole.backup.unwrap().cpu), (last, gone[1]));
    assert!(node.signal_cpu(last, Signal::KILL));
    node.wait_until("the pair has moved", || node.record("$MOVE").unwrap().primary.cpu == gone[1]);
    requester.finish();
    node.finish();
}

/// A full disk would end every daemon and every pair at their next word.
#[test]
fn logs_that_cannot_be_written_hurt_nobody() {
    let node = node_with(Settings { full_logs: true, reload_after_ms: 0, ..Settings::default() });
    std::os::unix::fs::symlink("/dev/full", node.path().join("QUIET.log")).unwrap();
    let record = node.run_pair("$QUIET", &["counter"]);
    let mut requester = node.requester(&["count", "$QUIET", "a", "1", "4"]);
    requester.line();
    // The daemon has much to say of it, and the primary that there is no CPU for a backup.
    assert!(node.signal_cpu(record.backup.unwrap().cpu, Signal::KILL));
    node.wait_until("the pair is alone", || node.state("$QUIET") == Some(PairState::Alone));
    requester.line();
    requester.finish();
    assert_eq!(node.record("$QUIET").unwrap().primary, record.primary, "the primary has stayed");
    node.finish();
}
