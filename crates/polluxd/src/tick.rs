//! What is done once per tick. Whoever is accused of being late is judged by these ticks, of which there are none while
//! this daemon itself cannot run.

use crate::daemon::{Daemon, label};
use crate::limits::{ATTACH_WAIT_MS, HALF_OPEN_TICKS_MAX, SURVEY_TICKS, TICK_MS, UNLINKED_TICKS_MAX};
use crate::links::{LinkId, Role};
use crate::process::{Process, Stage};
use pollux_wire::Phandle;
use pollux_wire::event::EventKind;

impl Daemon {
    /// One tick.
    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        self.life_page.beat();
        self.watch_peers();
        self.make_calls();
        self.close_half_open();
        self.judge_processes();
        self.go_on_leaving();
        if !self.listens {
            self.listen_again();
        }
        if self.ticks.is_multiple_of(SURVEY_TICKS) && self.leaving.is_none() {
            self.survey();
        }
    }

    fn close_half_open(&mut self) {
        let ticks = self.ticks;
        let silent = |role: &Role| matches!(role, Role::Unknown);
        let late: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| silent(&link.role) && ticks - link.since_tick > HALF_OPEN_TICKS_MAX)
            .map(|(id, _)| id)
            .collect();
        for id in late {
            self.close_link(id, "it did not say what it is");
        }
    }

    fn judge_processes(&mut self) {
        let (ticks, hang_after_ms) = (self.ticks, self.arguments.hang_after_ms);
        let judged: Vec<(Phandle, Verdict)> = self
            .processes
            .iter()
            .filter(|process| process.pidfd.is_some() && process.killed_because.is_none())
            .filter_map(|process| Some((process.phandle, judge(process, ticks, hang_after_ms)?)))
            .collect();
        for (phandle, verdict) in judged {
            let why = match verdict {
                Verdict::Hung => format!("stopped for {hang_after_ms} ms"),
                Verdict::NotJoined => {
                    let seconds = ATTACH_WAIT_MS / 1_000;
                    format!("the program did not join the node within {seconds} s: is it a Pollux program?")
                }
                Verdict::Unlinked => "it closed its control channel and did not end".to_owned(),
            };
            if verdict == Verdict::Hung
                && let Some(process) = self.processes.get(phandle)
            {
                tracing::warn!(process = label(process), epoch = process.epoch.0, "hung: {why}");
                let (subject, epoch) = ((process.name.as_ref(), Some(phandle)), process.epoch);
                self.report(EventKind::HungKilled, subject, (epoch, epoch), why.clone());
            }
            self.kill_process(phandle, &why);
        }
    }
}

/// Why a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is stopped, by a signal or a debugger.
    Hung,
    /// It has a name, or is a backup, and does not attach.
    NotJoined,
    /// It has a name and closed its control channel.
    Unlinked,
}

/// A process without a name may be any program: it is killed only if it is stopped.
fn judge(process: &Process, ticks: u64, hang_after_ms: u32) -> Option<Verdict> {
    let hang_ticks = (u64::from(hang_after_ms) / TICK_MS).max(1);
    let longer_than = |since: Option<u64>, most: u64| since.is_some_and(|since| ticks - since > most);
    let unattached = matches!(process.stage, Stage::Running).then_some(process.running_tick);
    let named = process.name.is_some();
    if hang_after_ms > 0 && longer_than(process.stopped_tick, hang_ticks) {
        Some(Verdict::Hung)
    } else if named && longer_than(unattached, ATTACH_WAIT_MS / TICK_MS) {
        Some(Verdict::NotJoined)
    } else if named && longer_than(process.unlinked_tick, UNLINKED_TICKS_MAX) {
        Some(Verdict::Unlinked)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::process;
    use pollux_wire::{Pin, ProcessName};

    // A program that somebody looks at with a debugger, or `pollux run sleep 1000`, must not be killed by mistake.
    #[test]
    fn who_is_killed_and_who_is_not() {
        let mut one = process(Pin(1));
        let late = ATTACH_WAIT_MS / TICK_MS + 1;
        assert_eq!(judge(&one, late, 1_000), None, "any program may run without a name");
        one.name = Some(ProcessName::new("$A").unwrap());
        assert_eq!(judge(&one, late, 1_000), Some(Verdict::NotJoined));
        assert_eq!(judge(&one, late - 1, 1_000), None);
        one.stage = Stage::Attached;
        assert_eq!(judge(&one, late, 1_000), None);

        one.stopped_tick = Some(100);
        assert_eq!(judge(&one, 150, 1_000), None);
        assert_eq!(judge(&one, 151, 1_000), Some(Verdict::Hung));
        assert_eq!(judge(&one, 10_000, 0), None, "0 = never");
        one.stopped_tick = None;

        one.unlinked_tick = Some(100);
        assert_eq!(judge(&one, 100 + UNLINKED_TICKS_MAX, 1_000), None);
        assert_eq!(judge(&one, 101 + UNLINKED_TICKS_MAX, 1_000), Some(Verdict::Unlinked));
    }
}
