use super::*;
use crate::ledger::Ledger;
use pollux_coordinator::Memory;
use pollux_os::socket_pair;
use pollux_wire::control::StateKeeping;
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Epoch, Pin};

fn process(sequence: u64) -> Phandle {
    let cpu = CpuNumber::new(1).unwrap();
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: 2, sequence }
}

fn take_over() -> Change {
    Change::TakeOver { epoch: Epoch(6), dead: process(5) }
}

struct Half(Channel);

impl Half {
    fn say(&mut self, kind: u8, message: &ToDaemon) {
        self.0.queue(kind, |out| message.put(out));
        assert_eq!(self.0.flush().unwrap(), Flush::Done);
    }

    fn ask(&mut self, request: u32, change: Change) {
        self.say(CONTROL, &ToDaemon::Change { request, change });
    }

    /// What has come; `None` at the end of the line.
    fn hear(&mut self) -> Option<Option<ToProcess>> {
        let filled = self.0.fill().unwrap();
        match self.0.next_frame().unwrap() {
            Some(frame) => Some(Some(decode(frame.body).unwrap())),
            None => (filled != Fill::Closed).then_some(None),
        }
    }
}

/// What a ledger says to [`take_over`].
fn prepared() -> Option<Box<Prepared>> {
    let mut ledger = Ledger::new(Memory::new());
    let record = NameRecord {
        name: ProcessName::new("$A").unwrap(),
        epoch: Epoch(6),
        primary: process(5),
        backup: Some(process(6)),
        ancestor: None,
        program: String::new(),
        keeps: StateKeeping::Managed,
    };
    ledger.create_name(&record).unwrap();
    let prepared = ledger.prepare(&record.name, process(6), take_over());
    assert!(prepared.is_some());
    prepared
}

/// Lines with one for `process(5)`.
fn line() -> (Doorbell, Lines, Half) {
    let bell = Doorbell::new().unwrap();
    let mut lines = Lines::new(&bell).unwrap();
    let (ours, theirs) = socket_pair().unwrap();
    lines.add(process(5), ProcessName::new("$A").unwrap(), ours);
    (bell, lines, Half(Channel::new(theirs, CONTROL_BODY_BYTES_MAX)))
}

fn look(lines: &mut Lines, bell: &Doorbell) -> Option<Word> {
    lines.wait(bell, Some(Duration::ZERO)).unwrap();
    lines.next_word()
}

/// The number of a question, and whether it was prepared.
fn asked(word: Option<Word>) -> Option<(u32, bool)> {
    match word?.kind {
        Kind::Ask { request, prepared } => Some((request, prepared.is_some())),
        Kind::Prepare => None,
    }
}

// A takeover that nobody hears, or whose answer goes to another one, leaves a name without a primary.
#[test]
fn a_question_is_heard_and_answered() {
    let (bell, mut lines, mut half) = line();
    bell.ring();
    assert!(look(&mut lines, &bell).is_none());
    assert!(!bell.quiet(), "it was heard");
    for request in [7, 8] {
        half.ask(request, take_over());
        let word = look(&mut lines, &bell).unwrap();
        assert_eq!((word.process, word.name.as_str(), &word.change), (process(5), "$A", &take_over()));
        assert_eq!(half.hear(), Some(None));
        let outcome = Recorded::Done { epoch: Epoch(7) };
        lines.answer(word.line, request, &outcome);
        assert_eq!(asked(Some(word)), Some((request, false)));
        assert_eq!(half.hear(), Some(Some(ToProcess::Recorded { request, outcome })));
    }
}

// What was ruled on for another primary is of no use, and what was used once is used up.
#[test]
fn what_was_prepared_comes_with_its_question() {
    let (bell, mut lines, mut half) = line();
    let other = Change::TakeOver { epoch: Epoch(6), dead: process(4) };
    for (asked_for, is_ready) in [(take_over(), true), (take_over(), false), (other, false)] {
        if is_ready || asked_for != take_over() {
            half.say(CONTROL, &ToDaemon::Prepare { change: take_over() });
            let word = look(&mut lines, &bell).unwrap();
            assert!(matches!(word.kind, Kind::Prepare));
            lines.keep(word.line, prepared());
        }
        half.ask(4, asked_for);
        assert_eq!(asked(look(&mut lines, &bell)), Some((4, is_ready)));
    }
}

// A primary that dies in that moment is not waited for longer.
#[test]
fn a_question_overtakes_its_preparation() {
    let (bell, mut lines, mut half) = line();
    half.say(CONTROL, &ToDaemon::Prepare { change: take_over() });
    half.ask(4, take_over());
    assert_eq!(asked(look(&mut lines, &bell)), Some((4, false)));
    assert!(look(&mut lines, &bell).is_none());
}

// S15, S17: whoever floods the clerk, or talks nonsense to it, is heard by it no more.
#[test]
fn who_breaks_the_rules_loses_the_line() {
    let twice = |half: &mut Half| {
        half.ask(1, take_over());
        half.ask(2, take_over());
    };
    let another = |half: &mut Half| half.ask(1, Change::Join { epoch: Epoch(6), backup: process(6) });
    let nonsense = |half: &mut Half| half.say(CONTROL + 1, &ToDaemon::Numbers { request: 1, count: 1 });
    let too_late = |half: &mut Half| {
        half.ask(1, take_over());
        half.say(CONTROL, &ToDaemon::Prepare { change: take_over() });
    };
    let breaches: [&dyn Fn(&mut Half); 4] = [&twice, &another, &nonsense, &too_late];
    for breach in breaches {
        let (bell, mut lines, mut half) = line();
        breach(&mut half);
        assert!(look(&mut lines, &bell).is_none());
        assert_eq!(half.hear(), None);
        assert!(lines.lines.is_empty());
    }
}

// A name whose primary dies with its takeover unread would stay on record for ever.
#[test]
fn the_last_question_of_a_dead_process_is_heard() {
    let (bell, mut lines, mut half) = line();
    half.ask(3, take_over());
    drop(half);
    assert!(lines.finish(process(6)).is_none(), "another one");
    assert_eq!(asked(lines.finish(process(5))), Some((3, false)));
    assert!(lines.finish(process(5)).is_none());
    assert!(look(&mut lines, &bell).is_none());
}

// A half that waits at a line which nobody hears any more would wait for ever.
#[test]
fn the_end_of_the_lines_is_seen() {
    let (_bell, mut lines, mut half) = line();
    lines.clear();
    assert_eq!(half.hear(), None);
}
