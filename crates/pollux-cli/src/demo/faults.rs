//! The faults of the demo: which, in what order, and how each is done to the pair.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use pollux_os::{Pid, Signal};
use pollux_wire::admin::{AdminRequest, ProcessInfo};
use pollux_wire::{Epoch, Phandle, ProcessName};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::client::daemon_handle;
use crate::error::{Failure, Result};
use crate::random::Random;
use crate::survey::{Daemons, Survey, cpu_failure};

/// What `--fault` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultChoice {
    /// kill -9 of the primary
    Primary,
    /// kill -9 of the backup
    Backup,
    /// kill -9 of the daemon of the CPU with the primary
    Cpu,
    /// The primary stops to move (SIGSTOP)
    Hang,
    /// A planned exchange of the roles
    Switch,
    /// All of them, in a random order that --seed repeats
    Mix,
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Primary,
    Backup,
    Cpu,
    Hang,
    Switch,
}

impl Fault {
    const ALL: [Fault; 5] = [Fault::Primary, Fault::Backup, Fault::Cpu, Fault::Hang, Fault::Switch];
}

/// The faults of a run, one after the other.
#[derive(Debug)]
pub(crate) struct Schedule {
    choice: FaultChoice,
    random: Random,
    /// A mix goes in rounds, so that each kind comes as often as the others.
    round: Vec<Fault>,
}

impl Schedule {
    /// The schedule of this seed.
    pub(crate) fn new(choice: FaultChoice, seed: u64) -> Schedule {
        Schedule { choice, random: Random::new(seed), round: Vec::new() }
    }

    /// The next fault.
    pub(crate) fn next(&mut self) -> Fault {
        match self.choice {
            FaultChoice::Primary => Fault::Primary,
            FaultChoice::Backup => Fault::Backup,
            FaultChoice::Cpu => Fault::Cpu,
            FaultChoice::Hang => Fault::Hang,
            FaultChoice::Switch => Fault::Switch,
            FaultChoice::Mix => {
                if self.round.is_empty() {
                    self.round = Fault::ALL.to_vec();
                    self.random.shuffle(&mut self.round);
                }
                self.round.pop().expect("a round was just filled")
            }
        }
    }
}

/// A pair as it was before a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    epoch: Epoch,
    hit: Hit,
}

/// What must not be where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    /// Dead: may not be in the pair any more.
    Dead(Phandle),
    /// No longer primary.
    NotPrimary(Phandle),
}

impl Before {
    /// True when the fault is over: the pair is whole, and not still as it was.
    pub(crate) fn repaired(self, survey: &Survey, name: &ProcessName) -> bool {
        let (Some(record), Ok((primary, backup))) = (survey.record(name), survey.whole(name)) else {
            return false;
        };
        let changed = match self.hit {
            Hit::Dead(dead) => primary.phandle != dead && backup.phandle != dead,
            Hit::NotPrimary(was) => primary.phandle != was,
        };
        changed && record.epoch > self.epoch
    }
}

/// A fault that is ready to be done: everything slow is behind it.
#[derive(Debug)]
pub(crate) struct Prepared {
    act: Act,
    before: Before,
    /// For the live table.
    pub(crate) text: String,
}

#[derive(Debug)]
enum Act {
    Signal(OwnedFd, Signal),
    Switch(ProcessInfo),
}

impl Prepared {
    /// Looks up whom it hits. The pair must be whole.
    pub(crate) fn new(
        daemons: &mut Daemons,
        survey: &Survey,
        name: &ProcessName,
        fault: Fault,
    ) -> Result<Prepared> {
        let not_whole = |why: String| Failure::new(format!("{name} is not whole: {why}"), "try again");
        let (primary, backup) = survey.whole(name).map_err(not_whole)?;
        let epoch = survey.record(name).map(|record| record.epoch).unwrap_or_default();
        let (phandle, pid, cpu) = (primary.phandle, primary.pid, primary.phandle.cpu);
        let (act, hit, text) = match fault {
            Fault::Primary => (
                Act::Signal(handle_of(primary)?, Signal::KILL),
                Hit::Dead(phandle),
                format!("primary {pid} killed"),
            ),
            Fault::Hang => (
                Act::Signal(handle_of(primary)?, Signal::STOP),
                Hit::Dead(phandle),
                format!("primary {pid} stopped"),
            ),
            Fault::Backup => {
                let text = format!("backup {} killed", backup.pid);
                (Act::Signal(handle_of(backup)?, Signal::KILL), Hit::Dead(backup.phandle), text)
            }
            Fault::Cpu => {
                let socket = daemons.node().socket(cpu);
                let (_, handle) =
                    daemon_handle(&socket).map_err(|why| cpu_failure(daemons.node(), cpu, &why))?;
                (Act::Signal(handle, Signal::KILL), Hit::Dead(phandle), format!("CPU {cpu} killed"))
            }
            Fault::Switch => {
                (Act::Switch(primary.clone()), Hit::NotPrimary(phandle), "roles switched".to_owned())
            }
        };
        Ok(Prepared { act, before: Before { epoch, hit }, text })
    }

    /// Does it. Gives what tells when it is repaired.
    pub(crate) fn inject(self, daemons: &mut Daemons) -> Result<Before> {
        match self.act {
            Act::Signal(handle, signal) => pollux_os::signal(&handle, signal).map_err(|error| {
                Failure::new(format!("the fault could not be done: {error}"), "try again")
            })?,
            Act::Switch(primary) => {
                daemons.order(primary.phandle.cpu, &AdminRequest::Switch { phandle: primary.phandle })?;
            }
        }
        Ok(self.before)
    }
}

/// A handle of a process of the pair. Its daemon has it as a child that it has not reaped, so that its id cannot mean
/// another process.
fn handle_of(process: &ProcessInfo) -> Result<OwnedFd> {
    let failed = |why: String| Failure::new(format!("process {}: {why}", process.pid), "try again");
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed("not a process id".to_owned()))?;
    pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.to_string()))
}

/// The pauses of a run: for each fault the longest silence until the next fault, or for a second.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    open_since: Option<Instant>,
    longest: Vec<Duration>,
}

/// So long after a fault silence is put down to it.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

impl Pauses {
    /// A fault is done at `now`.
    pub(crate) fn open(&mut self, now: Instant) {
        self.open_since = Some(now);
    }

    /// True when a window is open and its time is over, or `at_once`.
    pub(crate) fn is_due(&self, now: Instant, at_once: bool) -> bool {
        self.open_since.is_some_and(|since| at_once || now.saturating_duration_since(since) >= WINDOW)
    }

    /// The window is over.
    pub(crate) fn close(&mut self, longest: Duration) {
        self.open_since = None;
        self.longest.push(longest);
    }

    /// Milliseconds, one per fault, in order of size.
    pub(crate) fn sorted_ms(&self) -> Vec<f64> {
        let mut sorted = self.longest.clone();
        sorted.sort_unstable();
        sorted.iter().map(|pause| pause.as_secs_f64() * 1e3).collect()
    }

    /// The longest of all.
    pub(crate) fn max(&self) -> Duration {
        self.longest.iter().max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, name, process, record, survey};
    use pollux_wire::control::PairState::{Following, Loading, Paired};

    // A mix that leaves one kind out would never test it.
    #[test]
    fn a_mix_has_every_kind_equally_often_and_is_repeated_by_its_seed() {
        let take = |seed| {
            let mut schedule = Schedule::new(FaultChoice::Mix, seed);
            (0..20).map(|_| schedule.next()).collect::<Vec<_>>()
        };
        let faults = take(42);
        for fault in Fault::ALL {
            assert_eq!(faults.iter().filter(|one| **one == fault).count(), 4, "{fault:?}");
        }
        assert_eq!(faults, take(42));
        assert_ne!(faults, take(43));
        assert_eq!(Schedule::new(FaultChoice::Hang, 1).next(), Fault::Hang);
    }

    // Counted as repaired too early, the next fault would hit the only copy.
    #[test]
    fn repaired_means_whole_and_changed() {
        let (zero, one, two) = (handle(0, 4), handle(1, 5), handle(0, 6));
        let kv = name("$KV");
        let seen = |primary, backup, state, epoch| {
            let mut of_name = record("$KV", primary, Some(backup));
            of_name.epoch = Epoch(epoch);
            let processes =
                vec![process(primary, Some("$KV"), Some(Paired)), process(backup, Some("$KV"), Some(state))];
            survey(vec![of_name], processes)
        };
        let killed = Before { epoch: Epoch(3), hit: Hit::Dead(zero) };
        assert!(!killed.repaired(&seen(zero, one, Following, 3), &kv), "nothing has happened yet");
        assert!(!killed.repaired(&seen(one, two, Loading, 5), &kv), "the new backup is not in step");
        assert!(killed.repaired(&seen(one, two, Following, 5), &kv));
        let switched = Before { epoch: Epoch(3), hit: Hit::NotPrimary(zero) };
        assert!(!switched.repaired(&seen(zero, one, Following, 4), &kv));
        assert!(switched.repaired(&seen(one, zero, Following, 4), &kv));
    }

    // A window that never closes would add the pause of the next fault to this one.
    #[test]
    fn windows_close_after_a_second_or_with_the_next_fault() {
        let start = Instant::now();
        let mut pauses = Pauses::default();
        assert!(!pauses.is_due(start, true));
        pauses.open(start);
        assert!(!pauses.is_due(start + WINDOW / 2, false));
        assert!(pauses.is_due(start + WINDOW / 2, true));
        assert!(pauses.is_due(start + WINDOW, false));
        pauses.close(Duration::from_millis(3));
        pauses.close(Duration::from_millis(1));
        assert_eq!(pauses.sorted_ms(), [1.0, 3.0]);
        assert_eq!(pauses.max(), Duration::from_millis(3));
    }
}
