use super::*;
use crate::testing::{active_record, cpu, handle, name, process, record, survey};

// A listing that calls the new primary "backup" after a takeover makes an operator kill the wrong process.
#[test]
fn the_record_decides_the_role() {
    let (zero, one) = (handle(0, 4), handle(1, 5));
    let names = vec![record("$KV", one, Some(zero))];
    // Both still carry marks of what they were before the takeover.
    let mut new_primary = process(one, Some("$KV"), Some(PairState::TakingOver));
    new_primary.backup = true;
    let new_backup = process(zero, Some("$KV"), Some(PairState::Following));
    let seen = survey(names, vec![new_primary.clone(), new_backup.clone()]);
    assert_eq!(seen.role(&new_primary), Role::Primary);
    assert_eq!(seen.role(&new_backup), Role::Backup);
}

#[test]
fn roles_without_a_partner() {
    let (zero, one) = (handle(0, 4), handle(1, 5));
    let alone = record("$KV", zero, None);
    let cases = [
        (process(zero, Some("$KV"), Some(PairState::Single)), Role::Single),
        (process(zero, Some("$KV"), None), Role::Single),
        (process(zero, Some("$KV"), Some(PairState::Alone)), Role::Primary),
        (process(zero, Some("$KV"), Some(PairState::Syncing)), Role::Primary),
        (process(one, Some("$KV"), Some(PairState::Loading)), Role::Backup),
        (process(one, Some("$KV"), None), Role::Backup),
    ];
    for (process, expected) in cases {
        assert_eq!(role(&process, Some(&alone)), expected, "{process:?}");
    }
    assert_eq!(role(&process(one, None, None), None), Role::Single);
}

// `status` tells 0 from 3 by this: a pair shown whole whose backup still loads would be lost with its primary.
#[test]
fn a_pair_is_whole_only_with_its_backup_in_step_and_on_record() {
    let (zero, one) = (handle(0, 4), handle(1, 5));
    let form = |primary: Option<PairState>, backup: Option<PairState>, on_record: bool| {
        let seen = survey(
            vec![record("$KV", zero, on_record.then_some(one))],
            vec![process(zero, Some("$KV"), primary), process(one, Some("$KV"), backup)],
        );
        let form = seen.form(&seen.status().names[0]);
        assert_eq!(form == Form::Pair, seen.whole(&name("$KV")).is_ok());
        form
    };
    use PairState::{Alone, Following, Loading, Paired, Single, Syncing};
    assert_eq!(form(Some(Paired), Some(Following), true), Form::Pair);
    assert_eq!(form(Some(Paired), Some(Following), false), Form::Alone);
    assert_eq!(form(Some(Paired), Some(Loading), true), Form::Alone);
    assert_eq!(form(Some(Syncing), Some(Loading), false), Form::Alone);
    assert_eq!(form(Some(Alone), None, false), Form::Alone);
    assert_eq!(form(Some(Single), None, false), Form::Single);
}

// An operator who cannot see which half of a C pair works kills the wrong one; `run --pair` waits for this.
#[test]
fn a_pair_that_keeps_its_state_itself_is_whole_when_it_is_on_record() {
    let (zero, one) = (handle(0, 4), handle(1, 5));
    use PairState::{Paired, Single};
    let halves = |state| vec![process(zero, Some("$C"), Some(state)), process(one, Some("$C"), Some(state))];
    let seen = survey(vec![active_record("$C", zero, Some(one))], halves(Paired));
    assert_eq!(seen.form(&seen.status().names[0]), Form::Pair);
    assert!(seen.whole(&name("$C")).is_ok());
    assert_eq!([Role::Primary, Role::Backup], [0, 1].map(|half| seen.role(&seen.processes[half])));
    let alone = survey(vec![active_record("$C", zero, None)], halves(Single));
    assert_eq!(alone.form(&alone.status().names[0]), Form::Single);
    assert!(alone.whole(&name("$C")).unwrap_err().contains("no backup on record"));
    assert_eq!(alone.role(&alone.processes[0]), Role::Single);
}

// The reason of a refusal is all an operator has to go on.
#[test]
fn why_a_pair_is_not_whole() {
    let (zero, one) = (handle(0, 4), handle(1, 5));
    let kv = name("$KV");
    let why = |seen: Survey| seen.whole(&kv).unwrap_err();
    assert_eq!(why(survey(vec![], vec![])), "there is no process named $KV");
    assert_eq!(
        why(survey(vec![record("$KV", zero, Some(one))], vec![])),
        "its primary 0,4:7.1 is on record but on no CPU that answers"
    );
    let primary = process(zero, Some("$KV"), Some(PairState::Syncing));
    assert_eq!(
        why(survey(vec![record("$KV", zero, None)], vec![primary.clone()])),
        "it has no backup on record; its primary is syncing"
    );
    let loading = process(one, Some("$KV"), Some(PairState::Loading));
    assert_eq!(
        why(survey(vec![record("$KV", zero, Some(one))], vec![primary, loading])),
        "its backup is loading, not in step yet"
    );
}

// A record that nobody answers for is not "alone": there is no process that looks for a backup.
#[test]
fn a_record_without_a_process_is_stale() {
    let seen = survey(vec![record("$KV", handle(0, 4), None)], vec![]);
    assert_eq!(seen.form(&seen.status().names[0]), Form::Stale);
}

// A daemon that was started again must be reached; an order must not be sent twice.
#[test]
fn questions_survive_a_restarted_daemon() {
    use crate::testing::{FakeDaemon, status};
    let directory = tempfile::tempdir().unwrap();
    let node = Node::within(directory.path().to_owned(), pollux_wire::NodeName::new("\\N").unwrap());
    node.make_directories().unwrap();
    let mut daemons = Daemons::of(&node);
    assert!(daemons.survey().unwrap_err().what.contains("is not running"));

    let mut orders = 0;
    for _ in 0..2 {
        let daemon = FakeDaemon::start(&node.socket(cpu(0)), |request| match request {
            AdminRequest::Status {} => Some(AdminReply::Status { status: status(0, vec![]) }),
            AdminRequest::Processes {} => Some(AdminReply::Processes { processes: vec![] }),
            _ => Some(AdminReply::Refused { text: "not now".to_owned() }),
        });
        assert_eq!(daemons.survey().unwrap().cpus_up(), [cpu(0)]);
        let failure = daemons.order(cpu(0), &AdminRequest::CpuUp { cpu: cpu(1) }).unwrap_err();
        assert_eq!(failure.what, "not now");
        daemon.stop();
        orders += 1;
        assert!(daemons.order(cpu(0), &AdminRequest::CpuUp { cpu: cpu(1) }).is_err(), "{orders}");
        std::fs::remove_file(node.socket(cpu(0))).unwrap();
    }
}
