//! What the end of a process is called: for the log, for events, and for whoever hears of it with message -101.
//!
//! | It ended | Completion code |
//! | --- | --- |
//! | as it had said (`Stopping`) | what it said |
//! | with exit code 0 | 0 |
//! | with exit code n > 0 | n |
//! | stopped by another process, a command or its daemon; SIGHUP, SIGINT, SIGKILL, SIGTERM | 6 |
//! | SIGABRT | 5 |
//! | another signal | 9 |
//! | with its CPU | -4 |
//!
//! (Guardian Procedure Errors and Messages Manual, message -101.)

use crate::process::Process;
use pollux_os::ProcessEvent;
use pollux_wire::control::StopReport;
use pollux_wire::system::{Ending, SystemMessage};
use pollux_wire::{Phandle, ProcessName};

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndReport {
    pub(crate) ending: Ending,
    /// What message -101 says of it.
    pub(crate) report: StopReport,
    /// The same in words, for people.
    pub(crate) text: String,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// Processor time it has used, microseconds.
    pub(crate) processor_us: u64,
    /// The process that stopped it.
    pub(crate) killer: Option<Phandle>,
    /// Its job, 0 for none.
    pub(crate) job: u16,
    /// True when a command wants the other half to go on in its place.
    pub(crate) switch: bool,
}

/// Who stops a process, and how its end is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stopper {
    /// As an abnormal end.
    pub(crate) abend: bool,
    /// The process that stops it.
    pub(crate) killer: Option<Phandle>,
    /// A command wants the other half to go on in its place.
    pub(crate) switch: bool,
    /// For people.
    pub(crate) why: String,
}

/// Completion code of a process that ended abnormally by itself.
pub(crate) const COMPLETION_ABEND: i16 = 5;
/// Completion code of a process that another one stopped.
pub(crate) const COMPLETION_STOPPED_BY_OTHER: i16 = 6;
/// Completion code of a process that a signal ended.
const COMPLETION_SIGNAL: i16 = 9;
/// Completion code of a name that went with its CPU.
const COMPLETION_CPU_DOWN: i16 = -4;
/// SIGHUP, SIGINT, SIGKILL, SIGTERM: somebody wanted it so.
const STOP_SIGNALS: [i32; 4] = [1, 2, 9, 15];
/// SIGABRT.
const ABORT: i32 = 6;
/// Bytes of the text in message -101.
const TERMINATION_TEXT_BYTES_MAX: usize = 80;

/// A report with nothing but a completion code.
fn completed(completion: i16, abend: bool) -> StopReport {
    StopReport { completion, abend, information: 0, subsystem: Vec::new(), text: String::new() }
}

impl EndReport {
    fn new(report: StopReport, text: String) -> Self {
        let ending = if report.abend { Ending::Abended } else { Ending::Stopped };
        Self {
            ending,
            report,
            text,
            code: None,
            signal: None,
            processor_us: 0,
            killer: None,
            job: 0,
            switch: false,
        }
    }

    /// The end of processes that went with their CPUs.
    pub(crate) fn lost(text: impl Into<String>) -> Self {
        let report = completed(COMPLETION_CPU_DOWN, true);
        Self { ending: Ending::CpuFailed, ..Self::new(report, text.into()) }
    }

    /// The end of one that never ran.
    pub(crate) fn not_started(why: &str) -> Self {
        Self::new(completed(COMPLETION_ABEND, true), why.to_owned())
    }

    /// The end that a process has announced.
    pub(crate) fn said(said: &StopReport) -> Self {
        let mut report = said.clone();
        report.text = crate::process::cut(&report.text, TERMINATION_TEXT_BYTES_MAX).to_owned();
        let text = match (said.text.as_str(), said.abend) {
            ("", false) => format!("stopped with completion code {}", said.completion),
            ("", true) => format!("abended with completion code {}", said.completion),
            (text, _) => text.to_owned(),
        };
        Self::new(report, text)
    }

    /// The end that somebody wants.
    pub(crate) fn stopped(by: &Stopper) -> Self {
        let report = completed(COMPLETION_STOPPED_BY_OTHER, by.abend);
        Self { killer: by.killer, switch: by.switch, ..Self::new(report, by.why.clone()) }
    }

    /// Message -101.
    pub(crate) fn message(&self, phandle: Phandle, name: Option<&ProcessName>) -> SystemMessage {
        SystemMessage::ProcessEnded {
            phandle,
            name: name.cloned(),
            ending: self.ending,
            report: self.report.clone(),
            processor_us: self.processor_us,
            killer: self.killer,
            job: self.job,
        }
    }
}

impl Process {
    /// What its end is called.
    pub(crate) fn end_report(&self, event: ProcessEvent) -> EndReport {
        let (code, signal, core) = match event {
            ProcessEvent::Killed { signal, core } => (None, Some(signal), core),
            ProcessEvent::Exited(code) => (Some(code), None, false),
            // Stops are no ends; the caller does not come here with them.
            ProcessEvent::Stopped(_) | ProcessEvent::Continued => (None, None, false),
        };
        let end = match (&self.stopping, &self.stopped_by, &self.killed_because) {
            // What it said counts if it ended by itself.
            (Some(said), _, None) if code.is_some() => EndReport::said(said),
            (_, Some(by), _) => EndReport::stopped(by),
            (_, None, Some(why)) => {
                EndReport::new(completed(COMPLETION_STOPPED_BY_OTHER, true), format!("killed: {why}"))
            }
            (_, None, None) => end_by_event(code, signal, core),
        };
        EndReport { code, signal, processor_us: self.processor_us, job: self.family.job, ..end }
    }
}

fn end_by_event(code: Option<i32>, signal: Option<i32>, core: bool) -> EndReport {
    match (code, signal) {
        (Some(0), _) => EndReport::new(completed(0, false), "ended".to_owned()),
        (Some(code), _) => {
            let completion = i16::try_from(code).unwrap_or(COMPLETION_ABEND);
            let abend = completion < 0 || completion == COMPLETION_ABEND;
            EndReport::new(completed(completion, abend), format!("ended with exit code {code}"))
        }
        (None, Some(signal)) => {
            let completion = match signal {
                ABORT => COMPLETION_ABEND,
                signal if STOP_SIGNALS.contains(&signal) => COMPLETION_STOPPED_BY_OTHER,
                _ => COMPLETION_SIGNAL,
            };
            let core = if core { ", core dumped" } else { "" };
            EndReport::new(completed(completion, true), format!("killed by signal {signal}{core}"))
        }
        (None, None) => EndReport::new(completed(0, false), "left".to_owned()),
    }
}

/// Processor time that a process has used, its ended children not counted, microseconds. 0 when the kernel does not
/// tell; asked before it is reaped.
pub(crate) fn processor_time_us(pid: u32) -> u64 {
    /// The kernel counts in these for everybody to see.
    const TICK_US: u64 = 10_000;
    let Ok(line) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    ticks_used(&line).saturating_mul(TICK_US)
}

/// User and system time of a line of `/proc/PID/stat`, in ticks.
fn ticks_used(line: &str) -> u64 {
    // The program's name stands in brackets and may hold anything; the last bracket ends it.
    let Some((_, rest)) = line.rsplit_once(')') else { return 0 };
    let fields = rest.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::process;
    use pollux_wire::Pin;

    // A creator decides by the completion code whether to start the program again.
    #[test]
    fn ends_are_told_apart() {
        use Ending::{Abended, Stopped};
        let ending = |change: fn(&mut Process), event| {
            let mut one = process(Pin(1));
            change(&mut one);
            let end = one.end_report(event);
            (end.ending, end.report.completion)
        };
        let killed = |signal| ProcessEvent::Killed { signal, core: false };
        assert_eq!(ending(|_| {}, ProcessEvent::Exited(0)), (Stopped, 0));
        assert_eq!(ending(|_| {}, ProcessEvent::Exited(3)), (Stopped, 3));
        assert_eq!(ending(|_| {}, killed(11)), (Abended, 9));
        assert_eq!(ending(|_| {}, killed(6)), (Abended, 5));
        assert_eq!(ending(|_| {}, killed(9)), (Abended, 6));
        let said = |process: &mut Process| process.stopping = Some(completed(2, false));
        assert_eq!(ending(said, ProcessEvent::Exited(0)), (Stopped, 2));
        assert_eq!(ending(said, killed(9)), (Abended, 6), "it was killed before it ended by itself");
        let hung = |process: &mut Process| process.killed_because = Some("hung".into());
        assert_eq!(ending(hung, ProcessEvent::Exited(0)), (Abended, 6));
        let stop = |process: &mut Process| {
            process.stopped_by =
                Some(Stopper { abend: false, killer: None, switch: false, why: String::new() });
            process.killed_because = Some(String::new());
        };
        assert_eq!(ending(stop, killed(9)), (Stopped, 6));
    }

    // A program called ") 1 2" would otherwise choose what the others read.
    #[test]
    fn processor_time_is_read_behind_the_name() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 12 30 5 5 20 0 1 0 99";
        assert_eq!(ticks_used(line), 42);
        assert_eq!(ticks_used(""), 0);
    }
}
