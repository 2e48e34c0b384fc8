//! The stories: a small language that drives halves, the record and the channels between them.
//!
//! A file is a comment with the why, then blocks: commands, `----`, what happened. The commands:
//!
//! ```text
//! whole A B            A and B are a whole pair                  start A B    B is started as A's backup
//! primary A            A is the first process of the name
//! single A             the same, no backup is wanted             no-start A   no backup could be started
//! state A              A sends its whole state                   no-cpu A     there is no CPU for a backup
//! turn A               A makes a checkpoint                      cpu-up A     a CPU comes up
//! deliver A B          B takes in the next frame of A            tick A 25    25 own ticks of A pass
//! ask A                the coordinator rules on A's change       down, up     the coordinator is away, is back
//! settle               frames and changes, until nothing moves   lost         the coordinator's answers get lost, too
//! kill A               A is dead, nobody knows it                switch A     an operator wants the roles exchanged
//! notice A B           A learns that B is dead                   drained A    A has nothing in hand
//! stop A               an operator stops the pair                show         the record
//! ```

use crate::words::{self, half, letter};
use pollux_core::directory::{Ruling, rule};
use pollux_core::pair::{Command, Event, Handled, Pair};
use pollux_wire::control::{Change, Recorded};
use pollux_wire::record::NameRecord;
use pollux_wire::{CheckpointNumber, Epoch, ProcessName};
use std::collections::{BTreeMap, VecDeque};

/// The story with what really happens in the place of what is expected.
pub(crate) fn run(text: &str) -> String {
    let mut told = String::new();
    let mut stage = Stage::default();
    for block in text.trim_end().split("\n\n") {
        let (commands, _) = block.split_once("\n----").unwrap_or((block, ""));
        told += commands;
        told += "\n";
        let lines: Vec<&str> = commands.lines().filter(|line| !line.starts_with('#')).collect();
        if !lines.is_empty() {
            lines.into_iter().for_each(|line| stage.perform(line));
            told += "----\n";
            stage.trace.drain(..).for_each(|line| told = format!("{told}{line}\n"));
        }
        told += "\n";
    }
    assert!(!told.contains("IMPOSSIBLE"), "no story may reach a cell that cannot happen:\n{told}");
    format!("{}\n", told.trim_end())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Frame {
    Checkpoint(CheckpointNumber),
    InStep(CheckpointNumber),
    OnRecord(Epoch),
    Switch(Epoch),
    End,
    Acknowledge(CheckpointNumber),
}

struct Half {
    pair: Pair,
    alive: bool,
    sent: CheckpointNumber,
    wanted_change: Option<Change>,
}

/// What the coordinator does with a change.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Coordinator {
    #[default]
    Up,
    Down,
    /// It writes, but its answer does not arrive.
    Lost,
}

#[derive(Default)]
struct Stage {
    halves: BTreeMap<char, Half>,
    channels: BTreeMap<(char, char), VecDeque<Frame>>,
    record: Option<NameRecord>,
    coordinator: Coordinator,
    trace: Vec<String>,
}

impl Stage {
    fn perform(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = words.get(1).and_then(|word| word.chars().next()).unwrap_or('A');
        let other = words.get(2).and_then(|word| word.chars().next()).unwrap_or('B');
        match words[0] {
            "primary" => self.begin(own, true),
            "single" => self.begin(own, false),
            "whole" => {
                for line in ["primary A", "start A B", "state A", "settle"] {
                    self.perform(line);
                }
                self.trace.clear();
                for own in [own, other] {
                    self.trace.push(format!("{own} is {}", words::standing(&self.halves[&own].pair)));
                }
            }
            "start" => {
                self.enter(other, Pair::backup(self.halves[&own].pair.epoch(), half(own)));
                self.tell(own, Event::BackupStarted { backup: half(other) });
            }
            "no-start" => self.tell(own, Event::BackupFailed { wait_for_cpu: false }),
            "no-cpu" => self.tell(own, Event::BackupFailed { wait_for_cpu: true }),
            "cpu-up" => self.tell(own, Event::CpuUp),
            "state" => {
                let number = self.checkpoint(own);
                self.tell(own, Event::StateSent { number });
            }
            "turn" => {
                self.checkpoint(own);
            }
            "deliver" => assert!(self.deliver(own, other), "{line}: nothing is on its way"),
            "ask" => assert!(self.ask(own), "{line}: nothing was asked"),
            "settle" => while self.settle_once() {},
            "kill" => self.kill(own),
            "notice" => {
                while self.deliver(other, own) {}
                self.channels.retain(|(from, to), _| (*from, *to) != (own, other));
                self.tell(own, Event::PartnerDead { partner: half(other) });
            }
            "tick" => {
                let count = words.get(2).map_or(1, |word| word.parse().expect("a number of ticks"));
                (0..count).for_each(|_| self.tell(own, Event::Tick));
            }
            "switch" => self.tell(own, Event::SwitchWanted),
            "drained" => self.tell(own, Event::Drained),
            "stop" => self.tell(own, Event::StopWanted),
            "down" => self.coordinator = Coordinator::Down,
            "lost" => self.coordinator = Coordinator::Lost,
            "up" => self.coordinator = Coordinator::Up,
            "show" => self.show(),
            _ => panic!("unknown command: {line}"),
        }
    }

    fn begin(&mut self, own: char, pair_wanted: bool) {
        let name = ProcessName::new("$A").expect("a good name");
        let (primary, program) = (half(own), String::new());
        self.record = Some(NameRecord {
            name,
            epoch: Epoch(1),
            primary,
            backup: None,
            ancestor: None,
            program,
            keeps: pollux_wire::control::StateKeeping::Managed,
        });
        self.enter(own, Pair::primary(Epoch(1), pair_wanted));
        self.carry_out(own);
    }

    fn enter(&mut self, own: char, pair: Pair) {
        self.trace.push(format!("{own} is {}", words::standing(&pair)));
        self.halves.insert(own, Half { pair, alive: true, sent: CheckpointNumber(0), wanted_change: None });
    }

    /// One event for a half, its commands, and what it is afterwards if that is something else.
    fn tell(&mut self, own: char, event: Event) {
        let half = self.halves.get_mut(&own).expect("a half of the story");
        assert!(half.alive, "{own} is dead and hears nothing");
        let before = words::standing(&half.pair);
        let handled = half.pair.handle(event);
        if handled != Handled::Acted {
            self.trace.push(format!("{own} {}", words::handled(handled)));
        }
        self.carry_out(own);
        let half = &self.halves[&own];
        let after = words::standing(&half.pair);
        if half.alive && before != after {
            self.trace.push(format!("{own} is {after}"));
        }
    }

    fn carry_out(&mut self, own: char) {
        while let Some(command) = self.halves.get_mut(&own).and_then(|half| half.pair.poll_command()) {
            self.trace.push(format!("{own} does: {}", words::command(&command)));
            match command {
                Command::TellInStep { number } => self.send(own, Frame::InStep(number)),
                Command::TellOnRecord { epoch } => self.send(own, Frame::OnRecord(epoch)),
                Command::OrderSwitch { epoch } => self.send(own, Frame::Switch(epoch)),
                Command::OrderEnd => self.send(own, Frame::End),
                Command::Record(change) | Command::RecordLater(change) => {
                    self.half(own).wanted_change = Some(change);
                }
                Command::KillPartner => {
                    let partner = self.half(own).pair.partner().expect("it has one to kill");
                    self.kill(letter(partner));
                }
                Command::Demote { .. } | Command::Promote { .. } | Command::SendState { .. } => {
                    self.half(own).sent = CheckpointNumber(0);
                }
                Command::End(_) => self.kill(own),
                _ => {}
            }
        }
    }

    fn checkpoint(&mut self, own: char) -> CheckpointNumber {
        let half = self.half(own);
        assert!(half.pair.checkpoints(), "{own} has nobody to send a checkpoint to");
        let number = half.sent.next();
        half.sent = number;
        self.trace.push(format!("{own} sends checkpoint {number}"));
        self.send(own, Frame::Checkpoint(number));
        self.tell(own, Event::Sent { number });
        number
    }

    fn send(&mut self, own: char, frame: Frame) {
        let other = letter(self.half(own).pair.partner().expect("it has somebody to send to"));
        if self.halves[&other].alive {
            self.channels.entry((own, other)).or_default().push_back(frame);
        }
    }

    /// The receiver takes in the next frame of the sender; false if there is none.
    fn deliver(&mut self, from: char, to: char) -> bool {
        if !self.halves.get(&to).is_some_and(|half| half.alive) {
            return false;
        }
        let Some(frame) = self.channels.get_mut(&(from, to)).and_then(VecDeque::pop_front) else {
            return false;
        };
        self.trace.push(format!("{from} -> {to}: {}", frame_text(&frame)));
        match frame {
            Frame::Checkpoint(number) => self.send(to, Frame::Acknowledge(number)),
            Frame::InStep(_) => self.tell(to, Event::InStep),
            Frame::OnRecord(epoch) => self.tell(to, Event::OnRecord { epoch }),
            Frame::Switch(epoch) => self.tell(to, Event::SwitchOrdered { epoch }),
            Frame::End => self.tell(to, Event::EndOrdered),
            Frame::Acknowledge(number) => self.tell(to, Event::Acknowledged { number }),
        }
        true
    }

    /// The coordinator rules on what a half asked for; false if it asked for nothing.
    fn ask(&mut self, own: char) -> bool {
        let half_alive = self.halves[&own].alive;
        let Some(change) = self.half(own).wanted_change.take() else { return false };
        let record = self.record.clone().expect("the story has begun");
        let asked = words::change(&change);
        let (verdict, outcome) = if self.coordinator == Coordinator::Down {
            ("unavailable", Recorded::Unavailable { why: String::new() })
        } else {
            match rule(&record, half(own), &change) {
                Ruling::Write(new) => {
                    let epoch = new.epoch;
                    self.record = Some(new);
                    ("done", Recorded::Done { epoch })
                }
                Ruling::Already(epoch) => ("done already", Recorded::Done { epoch }),
                Ruling::Refuse(why) => {
                    ("refused", Recorded::Refused { current: Some(record), why: why.into() })
                }
            }
        };
        self.trace.push(format!("record: {asked}, asked by {own}: {verdict}"));
        self.show();
        if half_alive && self.coordinator == Coordinator::Lost {
            self.tell(own, Event::Recorded(Recorded::Unavailable { why: String::new() }));
        } else if half_alive {
            self.tell(own, Event::Recorded(outcome));
        }
        true
    }

    fn settle_once(&mut self) -> bool {
        let pairs: Vec<(char, char)> = self.channels.keys().copied().collect();
        if pairs.into_iter().any(|(from, to)| self.deliver(from, to)) {
            return true;
        }
        let asking = self.halves.iter().find(|(_, half)| half.alive && half.wanted_change.is_some());
        let asking = asking.map(|(own, _)| *own);
        self.coordinator == Coordinator::Up && asking.is_some_and(|own| self.ask(own))
    }

    fn kill(&mut self, own: char) {
        self.half(own).alive = false;
        self.channels.retain(|(_, to), _| *to != own);
        self.trace.push(format!("{own} is dead"));
    }

    fn show(&mut self) {
        let record = self.record.as_ref().expect("the story has begun");
        let backup = record.backup.map_or('-', letter);
        let (primary, epoch) = (letter(record.primary), record.epoch);
        self.trace.push(format!("record: primary {primary}, backup {backup}, epoch {epoch}"));
    }

    fn half(&mut self, own: char) -> &mut Half {
        self.halves.get_mut(&own).expect("a half of the story")
    }
}

fn frame_text(frame: &Frame) -> String {
    match frame {
        Frame::Checkpoint(number) => format!("checkpoint {number}"),
        Frame::InStep(number) => format!("in step at {number}"),
        Frame::OnRecord(epoch) => format!("on record in epoch {epoch}"),
        Frame::Switch(epoch) => format!("you are primary in epoch {epoch}"),
        Frame::End => "end".into(),
        Frame::Acknowledge(number) => format!("acknowledged {number}"),
    }
}
