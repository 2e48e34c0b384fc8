//! A pair under faults: who asks it, when it is in step again, and what it must hold in the end.

use super::strike::Victim;
use super::{Problem, harness};
use crate::node::{Node, spec_of};
use crate::programs::ledger::{ENOUGH, Speech, now, told_of};
use crate::requester::Requester;
use crate::wait::PATIENCE;
use pollux::{FileError, Server};
use pollux_sim::app::Entry;
use pollux_sim::history::{Action, End, History, Line, Told};
use pollux_wire::admin::AdminReply;
use pollux_wire::record::NameRecord;
use pollux_wire::{OpenId, SyncId};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The CPU that is never killed: of requesters that are lost with theirs.
pub const QUIET_CPU: u8 = 4;
/// CPUs of a node.
pub const CPUS: u8 = 5;

/// The numbers from here on are opens of the one who strikes, who may have many.
const OWN_OPENS: u64 = 100;

/// What kind of pair it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `programs/ledger.rs`: the library keeps its state in step.
    Rust,
    /// `examples/c/pair_server.c`: it does that itself.
    C,
}

/// Programs that a pair and its requesters are made of.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The C server.
    pub server: PathBuf,
    /// The C requester.
    pub recorder: PathBuf,
}

/// What a look at a pair has shown.
#[derive(Debug, Default)]
pub struct Look {
    /// It is whole and may be hit again.
    pub record: Option<NameRecord>,
    /// A takeover was seen for the first time.
    pub takeover: bool,
}

/// A pair under faults.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    place: PathBuf,
    first: u64,
    openers: Vec<u64>,
    requesters: Vec<Requester>,
    own: Own,
    /// What was done to it and not seen to be over.
    struck: Option<Victim>,
    seen: Option<NameRecord>,
    /// Since when it is not whole.
    waits_since: Instant,
    notes: Vec<Line>,
}

/// The opens of the one who strikes: a fault comes so long after a request of it.
struct Own {
    open: u64,
    sync: u64,
    server: Option<Server>,
    begun: Option<(pollux::Ticket, Entry, Action)>,
    lines: Vec<Line>,
}

impl Subject {
    /// Starts the pair in a CPU. Openers have the numbers from `first` on.
    pub fn start(
        node: &Node,
        (name, kind, cpu): (&'static str, Kind, u8),
        programs: &Programs,
        place: &Path,
        first: u64,
    ) -> Result<Self, Problem> {
        let place = place.join(name.trim_start_matches('$')).join(first.to_string());
        std::fs::create_dir_all(&place).map_err(harness("a directory for histories"))?;
        let spec = match kind {
            Kind::Rust => node.spec(&["ledger"], true),
            Kind::C => spec_of(&programs.server, &[&place.join("records").display().to_string()]),
        };
        let reply = node.run(cpu, Some(name), spec);
        if !matches!(reply, AdminReply::Started { .. }) {
            return Err(Problem::Harness(format!("{name} is not started: {reply:?}")));
        }
        Ok(Self {
            name,
            kind,
            place,
            openers: Vec::new(),
            requesters: Vec::new(),
            first,
            own: Own { open: first + OWN_OPENS, sync: 0, server: None, begun: None, lines: Vec::new() },
            struck: None,
            seen: None,
            waits_since: Instant::now(),
            notes: Vec::new(),
        })
    }

    fn speech(&self) -> Speech {
        if self.kind == Kind::Rust { Speech::Ledger } else { Speech::Records }
    }

    /// Starts so many requesters, of every kind that the pair can have, which pause up to so many microseconds.
    pub fn begin_load(&mut self, node: &Node, programs: &Programs, seed: u64, count: u64, think: u64) {
        let think = think.to_string();
        let place = self.place.display().to_string();
        for at in 0..count {
            self.openers.push(self.first + at);
            let opener = (self.first + at).to_string();
            let seed = seed.wrapping_add(at).to_string();
            // The C pair keeps one reply for each opener.
            let (speech, depth) = match self.kind {
                Kind::Rust if at % 2 == 1 => ("ledger", "4"),
                Kind::Rust => ("ledger", "1"),
                Kind::C => ("records", "1"),
            };
            let words = ["record", self.name, speech, &opener, &seed, depth, &think, &place];
            match (self.kind, at) {
                // A requester in C of a pair in Rust.
                (Kind::Rust, 2) => {
                    let words = [self.name, &opener, &seed, &think, &place];
                    drop(node.run(QUIET_CPU, None, spec_of(&programs.recorder, &words)));
                }
                // A requester that asks for each reply twice, over the daemon that is never killed.
                (Kind::Rust, 3) => {
                    let socket = node.socket(QUIET_CPU).display().to_string();
                    let words = ["repeat", self.name, &opener, &seed, &think, &socket, &place];
                    self.requesters.push(node.requester(&words));
                }
                // Outside of all CPUs it goes to another one when its own is lost.
                (Kind::Rust, _) => self.requesters.push(node.requester(&words)),
                // To a C server it would then be gone: openers of a lost CPU are.
                (Kind::C, _) => drop(node.run(QUIET_CPU, None, node.spec(&words, false))),
            }
        }
    }

    /// Waits until each requester has asked something: one that has not opened the pair yet knows nothing to lose.
    pub fn wait_begun(&self) -> Result<(), Problem> {
        self.wait_for_files("history", "has not begun")
    }

    /// The directory of its histories.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Notes what is done to it.
    pub fn note(&mut self, text: String) {
        self.notes.push(Line::Fault(now(), format!("{}: {text}", self.name)));
    }

    /// It was struck: until that is over it may not be struck again.
    pub fn struck(&mut self, victim: Victim) {
        self.waits_since = Instant::now();
        self.struck = Some(victim);
    }

    /// Looks whether it is whole, in step, and past what was last done to it.
    pub fn look(&mut self, node: &Node) -> Result<Look, Problem> {
        let mut look = Look::default();
        let whole = match self.kind {
            Kind::Rust => node.whole(self.name),
            Kind::C => node.record(self.name).filter(|record| record.backup.is_some()),
        };
        let over = |record: &NameRecord| self.struck.as_ref().is_none_or(|victim| victim.is_over(record));
        let Some(record) = whole.filter(over) else { return self.not_yet(node) };
        // An answer from before shows that the primary lives and that its backup follows.
        self.finish_own()?;
        if self.kind == Kind::C {
            self.ask_now(node, Action::Count)?;
            if node.record(self.name).as_ref() != Some(&record) {
                return self.not_yet(node);
            }
        }
        if self.seen.as_ref() != Some(&record) {
            let backup = record.backup.map(|backup| backup.to_string()).unwrap_or_default();
            let text =
                format!("{} primary {} backup {backup} epoch {}", self.name, record.primary, record.epoch);
            self.notes.push(Line::Role(now(), text));
        }
        look.takeover = self.struck.take().is_some_and(|victim| victim.is_takeover(&record));
        self.seen = Some(record.clone());
        look.record = Some(record);
        self.waits_since = Instant::now();
        Ok(look)
    }

    fn not_yet(&mut self, node: &Node) -> Result<Look, Problem> {
        if self.waits_since.elapsed() > PATIENCE {
            let record = node.record(self.name);
            return Err(Problem::Broken(format!(
                "L2: {} is not whole within {PATIENCE:?} after {:?}: {record:?}",
                self.name, self.struck
            )));
        }
        Ok(Look::default())
    }

    /// Waits until it may be struck.
    pub fn wait_whole(&mut self, node: &Node, mut took_over: impl FnMut()) -> Result<NameRecord, Problem> {
        loop {
            let look = self.look(node)?;
            if look.takeover {
                took_over();
            }
            if let Some(record) = look.record {
                return Ok(record);
            }
            std::thread::sleep(super::round::LOOK_EVERY);
        }
    }

    /// Sends a request and does not wait for its reply. A C server is opened for each: with the loss of the CPU by way of which it
    /// was opened an open ends there.
    pub fn begin_own(&mut self, node: &Node, outside: &pollux::Node) -> Result<(), Problem> {
        self.finish_own()?;
        if self.own.server.is_none() {
            self.open_own(node, outside)?;
        }
        self.start_own(Action::Append)
    }

    fn open_own(&mut self, node: &Node, outside: &pollux::Node) -> Result<(), Problem> {
        match outside.open(self.name) {
            Ok(server) => self.own.server = Some(server),
            Err(error) => {
                return Err(Problem::Broken(format!(
                    "T1: {} cannot be opened: {error}; on record: {:?}",
                    self.name,
                    node.record(self.name)
                )));
            }
        }
        Ok(())
    }

    fn start_own(&mut self, action: Action) -> Result<(), Problem> {
        let speech = self.speech();
        let own = &mut self.own;
        let Some(server) = own.server.as_mut() else { return Ok(()) };
        own.sync += 1;
        let entry = (OpenId(own.open), SyncId(own.sync));
        own.lines.push(Line::Invoke(now(), entry, action));
        match server.start(speech.request(entry, action).as_bytes()) {
            Ok(ticket) => own.begun = Some((ticket, entry, action)),
            Err(error) => {
                own.lines.push(Line::End(
                    entry,
                    action,
                    End { at: now(), told: told_of(&error), epoch: server.epoch() },
                ));
            }
        }
        Ok(())
    }

    /// Waits for the reply of the last request of the one who strikes.
    pub fn finish_own(&mut self) -> Result<(), Problem> {
        let speech = self.speech();
        let own = &mut self.own;
        let (Some((ticket, entry, action)), Some(server)) = (own.begun.take(), own.server.as_mut()) else {
            return Ok(());
        };
        let told = match server.finish_within(ticket, Some(PATIENCE)) {
            Ok(Some(answer)) => speech.told(action, &answer),
            Ok(None) => {
                let (open, sync) = entry;
                return Err(Problem::Broken(format!(
                    "L3: {}: request {open}.{sync} has no answer within {PATIENCE:?}",
                    self.name
                )));
            }
            Err(error) => told_of(&error),
        };
        own.lines.push(Line::End(entry, action, End { at: now(), told, epoch: server.epoch() }));
        if self.kind == Kind::C || !matches!(told, Told::Ok(_)) {
            // A C server is opened anew each time, by an opener with another number.
            own.server = None;
            own.open += 1;
            own.sync = 0;
        }
        Ok(())
    }

    fn ask_now(&mut self, node: &Node, action: Action) -> Result<(), Problem> {
        let outside = pollux::Node::connect_in(&node.path())
            .map_err(|error| Problem::Harness(format!("cannot attach to the node: {error}")))?;
        self.open_own(node, &outside)?;
        self.start_own(action)?;
        self.finish_own()
    }

    /// Ends the requesters and waits until each has all its answers.
    pub fn end_load(&mut self) -> Result<(), Problem> {
        std::fs::write(self.place.join(ENOUGH), "").map_err(harness("end the requesters"))?;
        self.wait_for_ends()
    }

    /// Waits until each requester has ended: by itself when it has seen an error.
    pub fn wait_for_ends(&mut self) -> Result<(), Problem> {
        self.wait_for_files("end", "waits for an answer")?;
        self.finish_own()
    }

    /// Waits until each requester has written to its file of that kind.
    fn wait_for_files(&self, kind: &str, otherwise: &str) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        for opener in &self.openers {
            let path = self.place.join(format!("{opener}.{kind}"));
            while !std::fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
                if Instant::now() > deadline {
                    return Err(Problem::Broken(format!(
                        "L3: {}: requester {opener} {otherwise} since {PATIENCE:?}",
                        self.name
                    )));
                }
                std::thread::sleep(super::round::LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// The requests that were done, in their order, as the primary has them.
    pub fn log(&self, outside: &pollux::Node) -> Result<Vec<Entry>, Problem> {
        let entry = |line: &str, between: char| {
            let (open, sync) = line.split_once(between)?;
            Some((OpenId(open.parse().ok()?), SyncId(sync.parse().ok()?)))
        };
        let nonsense = |line: &str| Problem::Broken(format!("S4: {}: the log has {line:?}", self.name));
        if self.kind == Kind::C {
            let text =
                std::fs::read_to_string(self.place.join("records")).map_err(harness("read the records"))?;
            return text.lines().map(|line| entry(line, '-').ok_or_else(|| nonsense(line))).collect();
        }
        let mut log = Vec::new();
        let failed = |error| Problem::Broken(format!("T1: {}: the log cannot be read: {error}", self.name));
        let mut server = outside.open(self.name).map_err(failed)?;
        loop {
            let piece = server.request(format!("log {}", log.len()).as_bytes()).map_err(failed)?;
            if piece.is_empty() {
                return Ok(log);
            }
            for line in String::from_utf8_lossy(&piece).lines() {
                log.push(entry(line, ' ').ok_or_else(|| nonsense(line))?);
            }
        }
    }

    /// All that requesters were told, and what was done meanwhile.
    pub fn history(&self) -> Result<History, Problem> {
        History::of(self.lines()?).map_err(|why| Problem::Harness(format!("{}: {why}", self.name)))
    }

    fn lines(&self) -> Result<Vec<Line>, Problem> {
        let mut lines = self.own.lines.clone();
        lines.extend(self.notes.iter().cloned());
        for opener in &self.openers {
            let path = self.place.join(format!("{opener}.history"));
            let text = std::fs::read_to_string(&path).map_err(harness(path.display()))?;
            for line in text.lines() {
                lines.push(line.parse().map_err(Problem::Harness)?);
            }
        }
        Ok(lines)
    }

    /// The history as text, for who looks into a failure.
    pub fn told(&self) -> String {
        let mut lines = self.lines().unwrap_or_default();
        lines.sort_by_key(Line::at);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// An opener of a pair that is lost gets an error, and all it may be told from then on is errors. Returns how many openers got one.
pub fn told_of_loss(history: &History, name: &str) -> Result<usize, Problem> {
    let mut lost = std::collections::BTreeMap::new();
    let mut ends: Vec<_> = history.calls().iter().filter_map(|call| Some((call, call.ended?))).collect();
    ends.sort_by_key(|(call, end)| (end.at, call.entry.1));
    for (call, end) in ends {
        let (open, sync) = call.entry;
        match end.told {
            Told::Ok(_) => {
                if let Some(error) = lost.get(&open) {
                    return Err(Problem::Broken(format!(
                        "S9: {name}: request {open}.{sync} is answered, though the open had ended with {error}"
                    )));
                }
            }
            Told::Fail(error) | Told::Unknown(error) => drop(lost.insert(open, error)),
        }
    }
    Ok(lost.len())
}

/// The first error that a requester saw.
pub fn no_errors(history: &History, name: &str) -> Result<(), Problem> {
    for call in history.calls() {
        let (open, sync) = call.entry;
        let why = match call.ended.map(|end| end.told) {
            Some(Told::Ok(_)) => continue,
            Some(Told::Fail(error) | Told::Unknown(error)) => {
                format!("ends with error {}", error_words(error))
            }
            None => "has no answer".to_owned(),
        };
        return Err(Problem::Broken(format!("T1: {name}: request {open}.{sync} {why}")));
    }
    Ok(())
}

fn error_words(error: FileError) -> String {
    format!("{} ({error})", error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(text: &str) -> History {
        History::of(text.lines().map(|line| line.parse().unwrap())).unwrap()
    }

    // A later pair of the same name that answers for the lost one would pretend to have its state.
    #[test]
    fn an_answer_after_the_loss_is_seen() {
        let told = "1 invoke 1.1 append\n2 ok 1.1 append place 0 value 0 epoch 1\n\
                    3 invoke 1.2 append\n4 unknown 1.2 append error 201 epoch 1\n";
        assert_eq!(told_of_loss(&history(told), "$A"), Ok(1));
        let later = format!("{told}5 invoke 1.3 append\n6 ok 1.3 append place 0 value 0 epoch 1\n");
        assert!(
            matches!(told_of_loss(&history(&later), "$A"), Err(Problem::Broken(why)) if why.starts_with("S9"))
        );
        assert_eq!(told_of_loss(&history("1 invoke 1.1 append\n"), "$A"), Ok(0));
    }

    // An error that nobody counts is a fault that was not invisible.
    #[test]
    fn errors_and_missing_answers_are_seen() {
        let good = "1 invoke 1.1 append\n2 ok 1.1 append place 0 value 0 epoch 1\n";
        assert_eq!(no_errors(&history(good), "$A"), Ok(()));
        for bad in ["3 invoke 1.2 append\n4 fail 1.2 append error 14 epoch 1\n", "3 invoke 1.2 append\n"] {
            let why = no_errors(&history(&format!("{good}{bad}")), "$A").unwrap_err();
            assert!(matches!(why, Problem::Broken(why) if why.starts_with("T1: $A: request 1.2")));
        }
    }
}
