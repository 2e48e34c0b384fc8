//! The node as the procedures see it: who the caller is, and questions to its daemon.
//!
//! The procedures decide on top of [`Node`]; the runtime answers it over the control channel, a test from a table.

use super::handle::descriptor;
use pollux_wire::control::{Answer, ProcessFacts, Query};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, FileError, NodeName, Phandle, Pin, ProcessName};

/// Number that a node on its own has (programs only compare it and hand it back).
pub(crate) const OWN_NODE_OMITTED: i32 = -1;

/// Who the caller is.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    /// Its handle.
    pub(crate) phandle: Phandle,
    /// Its name.
    pub(crate) name: Option<ProcessName>,
    /// Its node.
    pub(crate) node: NodeName,
}

/// What can be asked.
pub(crate) trait Node {
    /// Who asks.
    fn own(&self) -> Own;

    /// Asks the daemon. An error if it cannot be reached.
    fn ask(&self, query: Query) -> Result<Answer, FileError>;

    /// The record of a name.
    fn record(&self, name: &ProcessName) -> Result<Option<NameRecord>, FileError> {
        self.records(Query::Name { name: name.clone() })
    }

    /// The record of a process's pair.
    fn pair_of(&self, phandle: Phandle) -> Result<Option<NameRecord>, FileError> {
        self.records(Query::PairOf { phandle })
    }

    /// The record whose name follows.
    fn next_name(&self, after: Option<ProcessName>) -> Result<Option<NameRecord>, FileError> {
        self.records(Query::NextName { after })
    }

    /// See [`Node::record`] and its likes.
    fn records(&self, query: Query) -> Result<Option<NameRecord>, FileError> {
        match self.ask(query)? {
            Answer::Record { record } => Ok(record),
            other => Err(refusal(&other)),
        }
    }

    /// What is known of a process.
    fn facts(&self, phandle: Phandle) -> Result<Option<ProcessFacts>, FileError> {
        match self.ask(Query::Process { phandle })? {
            Answer::Process { process } => Ok(process),
            other => Err(refusal(&other)),
        }
    }

    /// The process in a place, or the first one from there on.
    fn place(&self, cpu: CpuNumber, pin: Pin, next: bool) -> Result<Option<ProcessFacts>, FileError> {
        match self.ask(Query::Place { cpu, pin, next })? {
            Answer::Process { process } => Ok(process),
            other => Err(refusal(&other)),
        }
    }

    /// A bit for each CPU that is up, CPU 0 the lowest, and how many there are.
    fn cpus(&self) -> Result<(u16, u8), FileError> {
        match self.ask(Query::Cpus {})? {
            Answer::Cpus { up, count } => Ok((up, count)),
            other => Err(refusal(&other)),
        }
    }

    /// True if a CPU is up.
    fn is_up(&self, cpu: CpuNumber) -> Result<bool, FileError> {
        Ok(self.cpus()?.0 & 1 << cpu.get() != 0)
    }

    /// The name of a process: that of its pair. Error 14 for a named process whose name nobody has any more.
    fn name_of(&self, phandle: Phandle) -> Result<Option<ProcessName>, FileError> {
        if !phandle.named {
            return Ok(None);
        }
        let own = self.own();
        if phandle == own.phandle {
            return Ok(own.name);
        }
        let record = self.pair_of(phandle)?.ok_or(FileError::NO_SUCH_PROCESS)?;
        // The name may have a new owner since; the handle is not of that instance.
        if record.primary.sequence != phandle.sequence {
            return Err(FileError::NO_SUCH_PROCESS);
        }
        Ok(Some(record.name))
    }

    /// The process descriptor of a process; empty if its name is gone.
    fn descriptor_of(&self, phandle: Phandle) -> Result<String, FileError> {
        match self.name_of(phandle) {
            Ok(name) => Ok(descriptor(phandle, name.as_ref(), &self.own().node, true).to_string()),
            Err(FileError::NO_SUCH_PROCESS) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }
}

/// An answer to another question is taken as the daemon's refusal; path down stands for "it makes no sense".
fn refusal(answer: &Answer) -> FileError {
    match answer {
        Answer::Done { error } if !error.is_ok() => *error,
        _ => FileError::PATH_DOWN,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A node that answers from tables.

    use super::*;
    use crate::guardian::handle::for_test;
    use pollux_wire::Epoch;
    use pollux_wire::control::{Fate, StateKeeping};
    use pollux_wire::record::NameRecord;

    /// The tables.
    pub(crate) struct TableNode {
        pub(crate) own: Own,
        pub(crate) records: Vec<NameRecord>,
        pub(crate) processes: Vec<ProcessFacts>,
        pub(crate) up: u16,
    }

    /// A record of a pair or single process.
    pub(crate) fn record(name: &str, primary: Phandle, backup: Option<Phandle>) -> NameRecord {
        NameRecord {
            name: ProcessName::new(name).unwrap(),
            epoch: Epoch(1),
            primary,
            backup,
            ancestor: None,
            program: "/bin/program".to_owned(),
            keeps: StateKeeping::Active,
        }
    }

    /// A process.
    pub(crate) fn facts(phandle: Phandle, name: Option<&str>) -> ProcessFacts {
        ProcessFacts {
            phandle,
            name: name.map(|name| ProcessName::new(name).unwrap()),
            pid: 1000 + u32::from(phandle.pin.0),
            uid: 0x0102,
            program: "/bin/program".to_owned(),
            home_terminal: "$ZTN".to_owned(),
            mom: None,
            job: 0,
            stop_mode: 1,
            stop_waits: false,
            priority: 150,
            created_unix_us: 1,
        }
    }

    impl TableNode {
        /// A node on which the caller is the single process `$OWN`, CPUs 0 to 3 are up.
        pub(crate) fn new() -> Self {
            let phandle = for_test(true, 0, 5, 500);
            let name = ProcessName::new("$OWN").ok();
            let own = Own { phandle, name, node: NodeName::new("\\HERE").unwrap() };
            Self {
                own,
                records: vec![record("$OWN", phandle, None)],
                processes: vec![facts(phandle, Some("$OWN"))],
                up: 0xf,
            }
        }
    }

    impl Node for TableNode {
        fn own(&self) -> Own {
            self.own.clone()
        }

        fn ask(&self, query: Query) -> Result<Answer, FileError> {
            let record = |found: Option<&NameRecord>| Ok(Answer::Record { record: found.cloned() });
            match query {
                Query::Name { name } => record(self.records.iter().find(|record| record.name == name)),
                Query::NextName { after } => {
                    let mut later: Vec<_> =
                        self.records.iter().filter(|record| Some(&record.name) > after.as_ref()).collect();
                    later.sort_by(|a, b| a.name.cmp(&b.name));
                    record(later.first().copied())
                }
                Query::PairOf { phandle } => {
                    record(self.records.iter().find(|record| record.primary.sequence == phandle.sequence))
                }
                Query::Process { phandle } => {
                    let process = self.processes.iter().find(|facts| facts.phandle == phandle).cloned();
                    Ok(Answer::Process { process })
                }
                Query::Place { cpu, pin, next } => {
                    let fits = |facts: &&ProcessFacts| {
                        facts.phandle.cpu == cpu
                            && if next { facts.phandle.pin >= pin } else { facts.phandle.pin == pin }
                    };
                    let process =
                        self.processes.iter().filter(fits).min_by_key(|facts| facts.phandle.pin).cloned();
                    Ok(Answer::Process { process })
                }
                Query::Cpus {} => Ok(Answer::Cpus { up: self.up, count: 4 }),
                Query::Fate { phandle } => {
                    let lives = self.processes.iter().any(|facts| facts.phandle == phandle);
                    let fate = if lives { Fate::Alive } else { Fate::Ended };
                    Ok(Answer::Fate { fate })
                }
                Query::NewName { .. } => Ok(Answer::NewName { name: ProcessName::new("$X001").unwrap() }),
            }
        }
    }
}
