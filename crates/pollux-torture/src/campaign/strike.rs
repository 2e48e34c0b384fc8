//! Does a fault to a pair, at a moment that a request of one's own gives.

use super::Problem;
use super::plan::{Blow, Strike};
use super::subject::{QUIET_CPU, Subject};
use super::tally::Tally;
use crate::node::Node;
use crate::wait::spin;
use pollux_os::{Pid, Signal};
use pollux_wire::Phandle;
use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::record::NameRecord;
use rustix::process::{PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Behind the end of a pause it may turn out that the half was found hung just before.
const AFTERMATH: Duration = Duration::from_millis(150);

/// Who was hit, and what shows that it is over.
#[derive(Debug, Clone)]
pub struct Victim {
    before: NameRecord,
    /// Not in the record any more when it is over.
    gone: Option<Phandle>,
    /// The record must have changed.
    must_change: bool,
    /// A pause that has not ended yet.
    paused: Option<Arc<AtomicBool>>,
    /// Roles were exchanged on request.
    asked: bool,
}

impl Victim {
    /// True if the record shows that it is over.
    pub fn is_over(&self, record: &NameRecord) -> bool {
        let has = |half: Phandle| record.primary == half || record.backup == Some(half);
        let past = record.epoch > self.before.epoch && !self.gone.is_some_and(has);
        let goes_on = || self.paused.as_ref().is_none_or(|over| over.load(Ordering::SeqCst));
        past || (!self.must_change && goes_on())
    }

    /// True if the backup of then is the primary of now, without having been asked.
    pub fn is_takeover(&self, record: &NameRecord) -> bool {
        !self.asked && self.before.backup == Some(record.primary)
    }

    /// A half, or both, were killed: the pair is past it when it is whole with others.
    pub fn killed(before: &NameRecord, gone: Phandle) -> Self {
        Self { before: before.clone(), gone: Some(gone), must_change: true, paused: None, asked: false }
    }

    /// It may go on as it was, or not.
    pub fn shaken(before: &NameRecord) -> Self {
        Self { before: before.clone(), gone: None, must_change: false, paused: None, asked: false }
    }
}

/// A handle of a process of a node. Its daemon has not reaped it, so its id cannot mean another one.
pub fn handle_of(node: &Node, half: Phandle) -> Option<(OwnedFd, Pid)> {
    let pid = Pid::from_raw(i32::try_from(node.process(half)?.pid).ok()?)?;
    Some((pidfd_open(pid, PidfdFlags::empty()).ok()?, pid))
}

/// Strikes a pair that is whole.
pub fn strike(
    node: &Node,
    outside: &pollux::Node,
    subject: &mut Subject,
    record: &NameRecord,
    strike: Strike,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let Some(backup) = record.backup else { return Ok(()) };
    let blow = strike.blow;
    let half = match blow {
        Blow::KillBackup | Blow::PauseBackup(_) | Blow::KillBackupCpu => backup,
        _ => record.primary,
    };
    if blow == Blow::Switch {
        // The C pair exchanges its roles by itself.
        let done = node.ask(half.cpu.get(), &AdminRequest::Switch { phandle: half }, Vec::new());
        if matches!(done, Some(AdminReply::Done {})) {
            subject.note("switch".to_owned());
            let asked = Victim { asked: true, must_change: true, ..Victim::shaken(record) };
            subject.struck(asked);
            tally.switches += 1;
        }
        return Ok(());
    }
    // Gone already: it has ended by itself, which the next look shows.
    let Some((handle, pid)) = handle_of(node, half) else { return Ok(()) };
    subject.begin_own(node, outside)?;
    spin(strike.delay);
    match blow {
        Blow::PausePrimary(time) | Blow::PauseBackup(time) => {
            let over = Arc::new(AtomicBool::new(false));
            if pollux_os::signal(&handle, Signal::STOP).is_ok() {
                let told = Arc::clone(&over);
                std::thread::spawn(move || {
                    std::thread::sleep(time);
                    // The old half must be dead by then, or else say nothing more (S7).
                    let _ = pollux_os::signal(&handle, Signal::CONT);
                    std::thread::sleep(AFTERMATH);
                    told.store(true, Ordering::SeqCst);
                });
                // Hung after a time that its daemon counts in ticks of its own: how long that is depends on the machine.
                subject.struck(Victim { gone: Some(half), paused: Some(over), ..Victim::shaken(record) });
                tally.pauses += 1;
            }
        }
        _ => {
            if pollux_os::signal(&handle, Signal::KILL).is_ok() {
                subject.struck(Victim::killed(record, half));
                *tally.kills.entry(blow.word().to_owned()).or_default() += 1;
                tally.takeovers_due += u64::from(half == record.primary);
            }
        }
    }
    subject.note(format!("{strike}: {half} pid {}", pid.as_raw_nonzero()));
    Ok(())
}

/// Kills the daemon of a CPU in which the pair has a half; all subjects are whole. Returns what it is for each of them.
pub fn strike_cpu(
    node: &Node,
    records: &[NameRecord],
    (pair, blow): (usize, Blow),
    tally: &mut Tally,
) -> Vec<Option<Victim>> {
    let Some(record) = records.get(pair) else { return Vec::new() };
    let half = match (blow, record.backup) {
        (Blow::KillBackupCpu, Some(backup)) => backup,
        _ => record.primary,
    };
    // The requesters of the C pair are there.
    if half.cpu.get() == QUIET_CPU || !node.signal_cpu(half.cpu, Signal::KILL) {
        return Vec::new();
    }
    *tally.kills.entry(blow.word().to_owned()).or_default() += 1;
    let of = |record: &NameRecord| {
        let hit =
            [Some(record.primary), record.backup].into_iter().flatten().find(|one| one.cpu == half.cpu)?;
        Some(Victim::killed(record, hit))
    };
    let victims: Vec<Option<Victim>> = records.iter().map(of).collect();
    let of_primary = records.iter().filter(|record| record.primary.cpu == half.cpu).count();
    tally.takeovers_due += of_primary as u64;
    victims
}
