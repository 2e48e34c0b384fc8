use super::*;
use pollux_coordinator::Memory;
use pollux_wire::Pin;

fn cpu(number: u8) -> CpuNumber {
    CpuNumber::new(number).unwrap()
}

fn process(on: u8, sequence: u64, incarnation: u16) -> Phandle {
    Phandle { named: true, cpu: cpu(on), pin: Pin(1), node: 0, incarnation, sequence }
}

fn name(text: &str) -> ProcessName {
    ProcessName::new(text).unwrap()
}

fn record(text: &str, primary: Phandle, backup: Option<Phandle>) -> NameRecord {
    let epoch = Epoch(primary.sequence);
    NameRecord {
        name: name(text),
        epoch,
        primary,
        backup,
        ancestor: None,
        program: String::new(),
        keeps: pollux_wire::control::StateKeeping::Managed,
    }
}

fn settings(sick_after_ms: u32) -> NodeRecord {
    let node = "\\POLLUX".to_owned();
    NodeRecord { node, cpus: 4, unbound: false, sick_after_ms, hang_after_ms: 0, reload_after_ms: 0 }
}

fn witness(on: u8, alive: &[Phandle]) -> Witness {
    Witness { cpu: cpu(on), alive: alive.iter().copied().collect() }
}

/// A node of `cpus` CPUs that are up, each in epoch 1.
fn node(cpus: u8) -> Ledger<Memory> {
    let mut ledger = Ledger::new(Memory::new());
    for number in 0..cpus {
        ledger.come_up(&settings(100), cpu(number), 1, 0).unwrap();
    }
    ledger
}

// Two connections between two CPUs, or none, would lose what they tell each other.
#[test]
fn of_two_cpus_the_later_one_calls_the_earlier_one() {
    let mut ledger = Ledger::new(Memory::new());
    let first = ledger.come_up(&settings(100), cpu(1), 7, 0).unwrap();
    assert_eq!(first, CameUp { epoch: Epoch(1), older: vec![] });
    let second = ledger.come_up(&settings(200), cpu(0), 8, 0).unwrap();
    assert_eq!(second.older.iter().map(|record| record.pid).collect::<Vec<_>>(), [7]);
    assert_eq!(ledger.contents().unwrap().node, Some(settings(100)), "the first CPU brings the settings");

    assert!(ledger.lose_cpu(cpu(1), Epoch(1), false, 0, &witness(0, &[])).unwrap().won);
    let again = ledger.come_up(&settings(100), cpu(1), 9, 0).unwrap();
    assert_eq!((again.epoch, again.older.len()), (Epoch(2), 1));
}

// A node that is started anew with other settings would silently keep the old ones.
#[test]
fn the_first_cpu_of_a_new_start_brings_new_settings() {
    let mut ledger = node(1);
    ledger.leave(cpu(0), Epoch(1), 0).unwrap();
    ledger.come_up(&settings(300), cpu(0), 1, 0).unwrap();
    assert_eq!(ledger.contents().unwrap().node, Some(settings(300)));
}

// S10: two owners of a name would both answer.
#[test]
fn a_name_has_one_owner() {
    let mut ledger = node(2);
    let (first, second) = (record("$A", process(0, 1, 1), None), record("$A", process(1, 2, 1), None));
    assert_eq!(ledger.create_name(&first), Ok(NameCreation::Created));
    assert_eq!(ledger.create_name(&first), Ok(NameCreation::Created), "an unknown outcome, asked again");
    assert_eq!(ledger.create_name(&second), Ok(NameCreation::Taken(Box::new(first.clone()))));

    assert_eq!(ledger.process_gone(&name("$A"), first.primary, true), Ok(Gone::Ended(Box::new(first))));
    assert_eq!(ledger.create_name(&second), Ok(NameCreation::Created));
}

// S6: a takeover and a removal of the same backup must exclude each other.
#[test]
fn of_two_changes_one_is_done() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    ledger.create_name(&record("$A", a, None)).unwrap();
    let join = Change::Join { epoch: Epoch(5), backup: b };
    assert_eq!(ledger.change(&name("$A"), a, &join).0, Recorded::Done { epoch: Epoch(6) });
    let take_over = Change::TakeOver { epoch: Epoch(6), dead: a };
    assert_eq!(ledger.change(&name("$A"), b, &take_over).0, Recorded::Done { epoch: Epoch(7) });
    assert_eq!(ledger.change(&name("$A"), b, &take_over).0, Recorded::Done { epoch: Epoch(7) });
    let remove = Change::RemoveBackup { epoch: Epoch(6), backup: b };
    let refused = ledger.change(&name("$A"), a, &remove).0;
    assert!(matches!(refused, Recorded::Refused { current: Some(now), .. } if now.primary == b));
    assert!(matches!(ledger.change(&name("$B"), a, &remove).0, Recorded::Refused { current: None, .. }));
}

// S6: what was ruled on before the record changed would make a second primary.
#[test]
fn a_prepared_takeover_is_done_only_on_the_record_it_was_prepared_for() {
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    let take_over = || Change::TakeOver { epoch: Epoch(5), dead: a };
    let prepared = || {
        let mut ledger = node(2);
        ledger.create_name(&record("$A", a, Some(b))).unwrap();
        let prepared = ledger.prepare(&name("$A"), b, take_over()).unwrap();
        (ledger, prepared)
    };
    let (mut ledger, in_time) = prepared();
    let (outcome, written) = ledger.change_prepared(*in_time).unwrap();
    assert_eq!(outcome, Recorded::Done { epoch: Epoch(6) });
    assert_eq!(written, ledger.name(&name("$A")).unwrap());
    assert_eq!(written.map(|record| (record.primary, record.backup)), Some((b, None)));
    assert!(ledger.prepare(&name("$A"), b, take_over()).is_none(), "nothing is left to do");

    let (mut ledger, too_late) = prepared();
    let remove = Change::RemoveBackup { epoch: Epoch(5), backup: b };
    assert_eq!(ledger.change(&name("$A"), a, &remove).0, Recorded::Done { epoch: Epoch(6) });
    assert!(ledger.change_prepared(*too_late).is_none());
    assert!(matches!(ledger.change(&name("$A"), b, &take_over()).0, Recorded::Refused { .. }));
    assert!(ledger.prepare(&name("$B"), b, take_over()).is_none());
}

// A takeover that waits for a daemon which is told the wrong half, or a name that stays for ever.
#[test]
fn the_end_of_a_half_concerns_the_other() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    ledger.create_name(&record("$A", a, Some(b))).unwrap();
    assert_eq!(ledger.process_gone(&name("$A"), process(1, 5, 3), true), Ok(Gone::Unrelated));
    assert_eq!(ledger.process_gone(&name("$A"), a, true), Ok(Gone::Survivor(b)));
    assert_eq!(ledger.process_gone(&name("$A"), b, true), Ok(Gone::Survivor(a)));
    assert_eq!(ledger.bury(b, a).unwrap().map(|record| record.name), Some(name("$A")));
    assert_eq!(ledger.bury(b, a), Ok(None), "once");
}

// Both would restart the CPU, both would end its names.
#[test]
fn one_daemon_wins_a_lost_cpu() {
    let mut ledger = node(3);
    let (lone, left, dead) = (process(2, 1, 1), process(0, 2, 1), process(2, 2, 2));
    ledger.create_name(&record("$LONE", lone, None)).unwrap();
    ledger.create_name(&record("$PAIR", left, Some(dead))).unwrap();
    let winner = ledger.lose_cpu(cpu(2), Epoch(1), false, 0, &witness(0, &[left])).unwrap();
    assert!(winner.won);
    assert_eq!(winner.survey.ended.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["$LONE"]);
    assert_eq!(winner.survey.orphans, [Orphan { left, dead }]);
    assert_eq!(winner.survey.failed, [(cpu(2), 0)]);
    let other = ledger.lose_cpu(cpu(2), Epoch(1), false, 0, &witness(1, &[])).unwrap();
    assert!(!other.won && other.survey.ended.is_empty());

    // A loss that is heard of late must not take down the CPU that is up again.
    ledger.come_up(&settings(100), cpu(2), 1, 0).unwrap();
    assert!(!ledger.lose_cpu(cpu(2), Epoch(1), false, 0, &witness(0, &[left])).unwrap().won);
    assert_eq!(ledger.cpu(cpu(2)).unwrap().unwrap().state, CpuState::Up);
}

// After a power cut of the whole node its names must become free, in whatever order its CPUs start again.
#[test]
fn names_of_a_node_that_died_as_a_whole_end() {
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    for order in [[0, 1], [1, 0]] {
        let mut ledger = node(2);
        ledger.create_name(&record("$A", a, Some(b))).unwrap();
        for number in order {
            ledger.come_up(&settings(100), cpu(number), 1, 0).unwrap();
        }
        let survey = ledger.survey(&witness(order[0], &[])).unwrap();
        let [orphan] = survey.orphans[..] else { panic!("one half of $A seems to live") };
        assert_eq!(orphan.left.cpu, cpu(order[1]));
        assert!(ledger.bury(orphan.left, orphan.dead).unwrap().is_some());
        assert!(ledger.contents().unwrap().names.is_empty());
    }
}

// A name that is being started looks like one whose process is gone.
#[test]
fn a_name_with_a_process_is_left_alone() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    ledger.create_name(&record("$A", a, Some(b))).unwrap();
    assert_eq!(ledger.survey(&witness(0, &[a])).unwrap().orphans, []);
    assert_eq!(ledger.survey(&witness(1, &[b])).unwrap().ended, []);
    assert_eq!(ledger.contents().unwrap().names.len(), 1);
}

// Two CPUs that leave together, each with one half: the later one turns out the light.
#[test]
fn names_end_with_the_last_cpu() {
    let mut ledger = node(2);
    ledger.create_name(&record("$A", process(0, 5, 1), Some(process(1, 5, 2)))).unwrap();
    assert_eq!(ledger.leave(cpu(0), Epoch(1), 0).unwrap().ended, []);
    assert_eq!(ledger.leave(cpu(1), Epoch(1), 0).unwrap().ended.len(), 1);
}

// S9: a number given twice names two processes, or two opens.
#[test]
fn numbers_never_repeat() {
    let store = Memory::new();
    let mut one = Ledger::new(store.clone());
    let mut two = Ledger::new(store.clone());
    let mut given = BTreeSet::new();
    for count in [1, 60, 10, 1_000, 1, 5] {
        for ledger in [&mut one, &mut two] {
            let first = ledger.numbers(count).unwrap();
            for number in first..first + u64::from(count) {
                assert!(given.insert(number), "{number} was given twice");
            }
        }
    }
    let mut plain = store;
    let next = plain.next_number(&Key::new(SEQUENCE_KEY).unwrap()).unwrap();
    assert!(given.insert(next) && Some(&next) == given.last(), "the counter is the coordinator's own");
}

/// A record of a pair that keeps its state itself.
fn active(text: &str, primary: Phandle, backup: Option<Phandle>) -> NameRecord {
    NameRecord { keeps: StateKeeping::Active, ..record(text, primary, backup) }
}

// The half that is left of a C pair asks for nothing: if its record is not corrected for it, it never takes over.
#[test]
fn an_active_pair_is_corrected_once() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    ledger.create_name(&record("$A", a, None)).unwrap();
    assert_eq!(ledger.mark_active(&name("$A"), b).unwrap(), None, "it is not on record");
    assert_eq!(ledger.mark_active(&name("$A"), a).unwrap(), Some(active("$A", a, None)));
    assert_eq!(ledger.mark_active(&name("$A"), a).unwrap(), Some(active("$A", a, None)), "asked again");
    let join = Change::Join { epoch: Epoch(5), backup: b };
    let (outcome, written) = ledger.change(&name("$A"), a, &join);
    assert_eq!(outcome, Recorded::Done { epoch: Epoch(6) });
    assert_eq!(written.map(|record| (record.keeps, record.backup)), Some((StateKeeping::Active, Some(b))));

    let Ok(Gone::Corrected(first)) = ledger.process_gone(&name("$A"), a, true) else { panic!("b is left") };
    assert_eq!(first.before.map(|record| record.primary), Some(a));
    assert_eq!((first.record.primary, first.record.backup, first.record.epoch), (b, None, Epoch(7)));
    // An answer that was lost: the half that is left must hear of the end all the same.
    let Ok(Gone::Corrected(again)) = ledger.process_gone(&name("$A"), a, true) else { panic!("b is left") };
    assert_eq!((again.before, again.record), (None, first.record.clone()));
    assert_eq!(ledger.process_gone(&name("$A"), process(0, 9, 1), true), Ok(Gone::Unrelated));
    assert_eq!(ledger.process_gone(&name("$A"), b, true), Ok(Gone::Ended(Box::new(first.record))));
}

// With the whole node nobody goes on alone: a takeover between two halves that are killed one after the other would be
// an event that never was.
#[test]
fn a_pair_that_goes_down_with_its_node_is_not_corrected() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    ledger.create_name(&active("$A", a, Some(b))).unwrap();
    assert_eq!(ledger.process_gone(&name("$A"), a, false), Ok(Gone::Survivor(b)));
}

// -2 may be read only when the record is right; and each CPU must tell its own half, whoever corrected it.
#[test]
fn a_lost_cpu_corrects_active_pairs() {
    let mut ledger = node(3);
    let (left, dead) = (process(0, 2, 1), process(2, 2, 2));
    ledger.create_name(&active("$PAIR", dead, Some(left))).unwrap();
    let first = ledger.lose_cpu(cpu(2), Epoch(1), false, 0, &witness(1, &[])).unwrap().survey;
    assert_eq!(first.corrected.len(), 1);
    assert_eq!((first.orphans.len(), first.active_here.len()), (0, 0));
    let second = ledger.lose_cpu(cpu(2), Epoch(1), false, 0, &witness(0, &[left])).unwrap().survey;
    assert_eq!(second.corrected, []);
    assert_eq!(second.active_here, [first.corrected[0].record.clone()]);
    assert_eq!((second.active_here[0].primary, second.active_here[0].backup), (left, None));
    // Both are dead: the name ends, nobody goes on.
    let (a, b) = (process(2, 3, 1), process(2, 3, 2));
    ledger.create_name(&active("$BOTH", a, Some(b))).unwrap();
    let survey = ledger.survey(&witness(0, &[left])).unwrap();
    assert_eq!(survey.ended.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["$BOTH"]);
}

// A half that takes over from one that was stopped with it runs a finished program again.
#[test]
fn a_name_that_is_taken_off_has_no_halves() {
    let mut ledger = node(2);
    let (a, b) = (process(0, 5, 1), process(1, 5, 2));
    let whole = active("$A", a, Some(b));
    ledger.create_name(&whole).unwrap();
    assert_eq!(ledger.take_off(process(0, 5, 9)).unwrap(), None, "an older half of the instance");
    assert_eq!(ledger.pair_of(process(0, 5, 9)).unwrap(), Some(whole.clone()));
    assert_eq!(ledger.take_off(b).unwrap(), Some(whole));
    assert_eq!(ledger.take_off(a).unwrap(), None);
    assert_eq!(ledger.process_gone(&name("$A"), b, true), Ok(Gone::Unrelated));
}

// A program that walks over all names must see each once.
#[test]
fn names_are_walked_in_order_and_made_up_names_are_free() {
    let mut ledger = node(1);
    for (number, text) in ["$B", "$AB", "$A"].into_iter().enumerate() {
        ledger.create_name(&record(text, process(0, number as u64 + 1, 1), None)).unwrap();
    }
    let mut walked: Vec<ProcessName> = Vec::new();
    while let Some(next) = ledger.next_name(walked.last()).unwrap() {
        walked.push(next.name);
    }
    assert_eq!(walked, [name("$A"), name("$AB"), name("$B")]);

    let first = ledger.new_name(false).unwrap().unwrap();
    let mut probe = node(1);
    assert_eq!(probe.new_name(false).unwrap().as_ref(), Some(&first), "the counter decides");
    let second = probe.new_name(false).unwrap().unwrap();
    let mut other = node(1);
    other.create_name(&record(first.as_str(), process(0, 1, 1), None)).unwrap();
    assert_eq!(other.new_name(false).unwrap(), Some(second), "one that somebody has is passed over");
}
