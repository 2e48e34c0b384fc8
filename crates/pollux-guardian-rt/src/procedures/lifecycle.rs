//! End and standing still of processes (Guardian Procedure Calls, `PROCESS_STOP_`, `STOP`, `ABEND`, `PROCESS_SUSPEND_`,
//! `PROCESS_ACTIVATE_`, `PROCESS_DELAY_`, `DELAY`, `DEBUG`), and what a process changes of itself (`PROCESS_SETINFO_`,
//! `SETSTOP`).

use super::process_info::{Refusal, finish};
use crate::args;
use crate::entry;
use crate::guardian::handle::same_instance;
use crate::guardian::node::Node;
use crate::guardian::parameters::{self, BAD_VALUE};
use crate::memory;
use crate::node::{Asking, asking};
use crate::runtime::{self, Runtime};
use pollux_wire::control::{Answer, Setting, StopReport, ToDaemon, ToProcess};
use pollux_wire::{CpuNumber, FileError, Phandle, Pin, ProcessName};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes of the text that a process leaves behind.
const TERMINATION_TEXT_BYTES_MAX: usize = 80;
/// Words of a subsystem id.
const SUBSYSTEM_WORDS: usize = 6;
/// A parameter that must be given with another one is missing.
const MISSING_PARAMETER: FileError = FileError(29);
/// Environment variable that names the debugger to call; `1` for gdb.
const DEBUG_VARIABLE: &str = "POLLUX_DEBUG";

// --- End

/// Which processes `PROCESS_STOP_` ends.
const ONLY_THAT: i16 = 0;
const BOTH_HALVES: i16 = 1;
const PARTNER: i16 = 2;
/// Options `<15>`.
const ABENDS: i16 = 1;

pub(crate) fn PROCESS_STOP_(a: args::PROCESS_STOP_) -> Result<(), FileError> {
    let options = a.options.unwrap_or(0);
    let specifier = a.specifier.unwrap_or(ONLY_THAT);
    if options & !ABENDS != 0 || !(ONLY_THAT..=PARTNER).contains(&specifier) {
        return Err(BAD_VALUE);
    }
    let abend = options & ABENDS != 0;
    let target = parameters::handle(a.processhandle)?;
    asking(|node| {
        let own = node.own().phandle;
        let target = match specifier {
            PARTNER => partner(node)?,
            _ => target.unwrap_or(own),
        };
        let ends_itself = target == own || (specifier == BOTH_HALVES && same_instance(target, own));
        if !ends_itself {
            return stop_other(node, target, specifier == BOTH_HALVES, abend);
        }
        let subsystem = a.spi_ssid.map(|from| memory::words(from, SUBSYSTEM_WORDS)).transpose()?;
        let text = parameters::text(a.text, a.length)?;
        let report = stop_report(abend, a.completion_code, a.termination_info, subsystem, text)?;
        node.runtime(|runtime| end(runtime, specifier == BOTH_HALVES, report))
    })
}

fn stop_report(
    abend: bool,
    completion: Option<i16>,
    information: Option<i16>,
    subsystem: Option<Vec<i16>>,
    text: Option<String>,
) -> Result<StopReport, FileError> {
    let completion = completion.unwrap_or(if abend { 5 } else { 0 });
    let text_bytes = text.as_ref().map_or(0, String::len);
    // Negative codes are for privileged callers, and no program of Pollux is one.
    if completion < 0 || text_bytes > TERMINATION_TEXT_BYTES_MAX {
        return Err(BAD_VALUE);
    }
    if information.is_some() && (subsystem.is_none() || text.is_none()) {
        return Err(MISSING_PARAMETER);
    }
    let subsystem = subsystem.unwrap_or_default().into_iter().map(|word| word as u16).collect();
    let (information, text) = (information.unwrap_or(0), text.unwrap_or_default());
    Ok(StopReport { completion, abend, information, subsystem, text })
}

/// The caller ends, and nothing of the program runs any more.
fn end(runtime: &mut Runtime, both: bool, report: StopReport) -> ! {
    let code = i32::from(report.abend);
    runtime.stopping(both, report);
    entry::end_now(code)
}

/// The caller's other half. Error 11 if there is none.
fn partner(node: &Asking<'_>) -> Result<Phandle, FileError> {
    let own = node.own().phandle;
    let record = if own.named { node.pair_of(own)? } else { None };
    let record = record.ok_or(FileError::NOT_FOUND)?;
    let halves = [Some(record.primary), record.backup];
    halves.into_iter().flatten().find(|half| *half != own).ok_or(FileError::NOT_FOUND)
}

fn stop_other(node: &Asking<'_>, target: Phandle, both: bool, abend: bool) -> Result<(), FileError> {
    let answer = node.runtime(|runtime| {
        runtime.call_daemon(|request| ToDaemon::StopOther { request, target, both, abend })
    });
    match answer {
        ToProcess::Answer { answer: Answer::Done { error }, .. } if error.is_ok() => Ok(()),
        ToProcess::Answer { answer: Answer::Done { error: FileError::NO_SUCH_PROCESS }, .. } => {
            Err(FileError::NOT_FOUND)
        }
        ToProcess::Answer { answer: Answer::Done { error }, .. } => Err(error),
        _ => Err(FileError::PATH_DOWN),
    }
}

pub(crate) fn STOP(a: args::STOP) -> i16 {
    old_stop(false, a.process_id, a.stop_backup, a.error, || {
        let text = old_text(a.text, a.length);
        let subsystem = a.spi_ssid.map(|from| memory::words(from, SUBSYSTEM_WORDS)).transpose()?;
        stop_report(false, a.compl_code, a.termination_info, subsystem, text?)
    })
}

pub(crate) fn ABEND(a: args::ABEND) -> i16 {
    old_stop(true, a.process_id, a.stop_backup, a.error, || {
        let text = old_text(a.text, a.length);
        let subsystem = a.spi_ssid.map(|from| memory::words(from, SUBSYSTEM_WORDS)).transpose()?;
        stop_report(true, a.compl_code, a.termination_info, subsystem, text?)
    })
}

fn old_text(text: Option<*const u8>, length: Option<i16>) -> Result<Option<String>, FileError> {
    parameters::text(text, length)
}

fn old_stop(
    abend: bool,
    process_id: Option<*mut i16>,
    stop_backup: Option<i16>,
    error: Option<*mut i16>,
    report: impl FnOnce() -> Result<StopReport, FileError>,
) -> i16 {
    let stopped = asking(|node| {
        let own = node.own().phandle;
        if stop_backup == Some(1) {
            return stop_other(node, partner(node)?, false, abend);
        }
        match process_id {
            None => {
                let report = report()?;
                node.runtime(|runtime| end(runtime, false, report))
            }
            Some(id) => {
                let (target, both) = old_process(node, &memory::words(id, 4)?)?;
                if target == own || (both && same_instance(target, own)) {
                    let report = report()?;
                    node.runtime(|runtime| end(runtime, both, report))
                }
                stop_other(node, target, both, abend)
            }
        }
    });
    let number = stopped.err().map_or(0, |error| error.0 as i16);
    parameters::put_word(error, number);
    if number == 0 { 0 } else { -1 }
}

/// The process with an old four-word id: `$name` in three words, then -1 for the pair or the CPU (`<4:7>`) and the pin
/// (`<8:15>`) of one half. Ids with a creation time in them are not given by Pollux.
fn old_process(node: &Asking<'_>, words: &[i16]) -> Result<(Phandle, bool), FileError> {
    let bytes: Vec<u8> = words[..3].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = String::from_utf8_lossy(&bytes);
    let name = ProcessName::new(name.trim_end()).map_err(|_| FileError::NOT_FOUND)?;
    let record = node.record(&name)?.ok_or(FileError::NOT_FOUND)?;
    if words[3] == -1 {
        return Ok((record.primary, true));
    }
    let cpu = CpuNumber::new((words[3] >> 8 & 0xf) as u8).ok_or(FileError::NOT_FOUND)?;
    let pin = Pin((words[3] & 0xff) as u16);
    let mut halves = [Some(record.primary), record.backup].into_iter().flatten();
    let half = halves.find(|half| half.cpu == cpu && half.pin == pin);
    half.map(|half| (half, false)).ok_or(FileError::NOT_FOUND)
}

// --- Standing still

pub(crate) fn PROCESS_SUSPEND_(a: args::PROCESS_SUSPEND_) -> Result<(), FileError> {
    signal(a.processhandle, a.specifier, Signal::STOP)
}

pub(crate) fn PROCESS_ACTIVATE_(a: args::PROCESS_ACTIVATE_) -> Result<(), FileError> {
    signal(a.processhandle, a.specifier, Signal::CONT)
}

fn signal(processhandle: Option<*mut i16>, specifier: Option<i16>, signal: Signal) -> Result<(), FileError> {
    let specifier = specifier.unwrap_or(ONLY_THAT);
    if !(ONLY_THAT..=BOTH_HALVES).contains(&specifier) {
        return Err(BAD_VALUE);
    }
    let given = parameters::handle(processhandle)?;
    asking(|node| {
        let target = given.unwrap_or(node.own().phandle);
        let mut targets = vec![target];
        if specifier == BOTH_HALVES && target.named {
            let record = node.pair_of(target)?.ok_or(FileError::NOT_FOUND)?;
            targets = [Some(record.primary), record.backup].into_iter().flatten().collect();
            // The caller last: nothing of it runs behind that.
            targets.sort_by_key(|half| *half == node.own().phandle);
        }
        targets.into_iter().try_for_each(|target| signal_one(node, target, signal))
    })
}

/// Stops or continues a process. Error 2 if it stands still already, or runs.
fn signal_one(node: &Asking<'_>, target: Phandle, signal: Signal) -> Result<(), FileError> {
    let facts = node.facts(target)?.ok_or(FileError::NOT_FOUND)?;
    let pid = i32::try_from(facts.pid).ok().and_then(Pid::from_raw).ok_or(FileError::NOT_FOUND)?;
    let gone = |_| FileError::NOT_FOUND;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(gone)?;
    // The process id belongs to the process as long as the daemon still knows it; so the descriptor is its own.
    node.facts(target)?.ok_or(FileError::NOT_FOUND)?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", facts.pid)).unwrap_or_default();
    let suspended = crate::guardian::usage::read_stat(&stat).is_some_and(|usage| usage.suspended);
    if suspended == (signal == Signal::STOP) {
        return Err(FileError::INVALID_OPERATION);
    }
    pidfd_send_signal(pidfd, signal).map_err(|error| match error {
        rustix::io::Errno::PERM => FileError::SECURITY_VIOLATION,
        _ => FileError::NOT_FOUND,
    })
}

pub(crate) fn PROCESS_DELAY_(a: args::PROCESS_DELAY_) {
    delay(u64::try_from(a.microseconds.unwrap_or(0)).unwrap_or(0));
}

pub(crate) fn DELAY(a: args::DELAY) {
    delay(u64::try_from(a.centiseconds.unwrap_or(0)).unwrap_or(0).saturating_mul(10_000));
}

/// The process stands still for its program only: what others send is taken in meanwhile.
fn delay(microseconds: u64) {
    if microseconds == 0 {
        return std::thread::yield_now();
    }
    // A delay past all time is one without end.
    let until = Instant::now().checked_add(Duration::from_micros(microseconds));
    runtime::with(|runtime| runtime.wait(until, |_| None::<()>));
}

pub(crate) fn HEADROOM_ENSURE_(_: args::HEADROOM_ENSURE_) -> i16 {
    0
}

pub(crate) fn DEBUG(_: args::DEBUG) {
    let pid = std::process::id();
    let Some(debugger) = std::env::var_os(DEBUG_VARIABLE).filter(|name| !name.is_empty()) else {
        pollux_os::say!("pollux: DEBUG was called in process {pid}; to look at it: gdb -p {pid}");
        return;
    };
    let debugger = if debugger == "1" { "gdb".into() } else { debugger };
    // A child is no one whom the kernel lets trace its parent without being told.
    let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    let started = std::process::Command::new(&debugger).arg("-p").arg(pid.to_string()).spawn();
    match started {
        Ok(_) => wait_for_tracer(),
        Err(error) => {
            pollux_os::say!(
                "pollux: DEBUG in process {pid}: cannot run {}: {error}",
                debugger.to_string_lossy()
            );
        }
    }
}

/// Time that a debugger has to attach.
const DEBUGGER_WAIT: Duration = Duration::from_secs(10);

/// Waits until a debugger has attached: the program goes on when it lets it.
fn wait_for_tracer() {
    let until = Instant::now() + DEBUGGER_WAIT;
    while Instant::now() < until {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).map(str::trim);
        if tracer.is_some_and(|tracer| tracer != "0") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

// --- What others see of a process

/// `PROCESS_SETINFO_`: the mom.
const ATTRIBUTE_MOM: i16 = 40;
/// `PROCESS_SETINFO_`: the priority.
const ATTRIBUTE_PRIORITY: i16 = 42;
/// `PROCESS_SETINFO_`: whether the process answers questions about its subordinate names.
const ATTRIBUTE_QUALIFIERS: i16 = 49;
/// `PROCESS_SETINFO_`: being primary.
const ATTRIBUTE_PRIMARY: i16 = 47;

pub(crate) fn PROCESS_SETINFO_(a: args::PROCESS_SETINFO_) -> i16 {
    finish(asking(|node| set_info(node, &a)), None)
}

fn set_info(node: &Asking<'_>, a: &args::PROCESS_SETINFO_) -> Result<(), Refusal> {
    parameters::put_word(a.old_value_len, 0);
    if !(ONLY_THAT..=BOTH_HALVES).contains(&a.specifier.unwrap_or(ONLY_THAT)) {
        return Err(Refusal::parameter(2));
    }
    let given = parameters::handle(a.processhandle).map_err(|error| Refusal::of_parameter(1, error))?;
    let own = node.own().phandle;
    let target = given.unwrap_or(own);
    if target.node != own.node {
        return Err(Refusal::NODE_UNREACHABLE);
    }
    let value = match (a.set_value, a.set_value_len) {
        (Some(from), Some(count)) => {
            let count = usize::try_from(count).map_err(|_| Refusal::parameter(5))?;
            let words = memory::words(from, count);
            Some(words.map_err(|error| Refusal::of_parameter(4, error))?)
        }
        (None, None) => None,
        (Some(_), None) => return Err(Refusal::parameter(5)),
        (None, Some(_)) => return Err(Refusal::parameter(4)),
    };
    let old = |words: &[i16]| match (a.old_value, a.old_value_maxlen) {
        (Some(to), Some(room)) if usize::try_from(room).is_ok_and(|room| room >= words.len()) => {
            memory::put_words(to, words);
            parameters::put_word(a.old_value_len, words.len() as i16);
            Ok(())
        }
        (Some(_), _) => Err(Refusal::of_parameter(6, parameters::BUFFER_TOO_SMALL)),
        (None, _) => Ok(()),
    };
    match a.set_attr_code.unwrap_or(0) {
        ATTRIBUTE_MOM => {
            // The one value there is: the caller, which may be left out.
            let handle = value.map(|words| words == memory::handle_words(Some(own)));
            if handle == Some(false) || target == own {
                return Err(Refusal::parameter(4));
            }
            let facts = node.facts(target).map_err(Refusal::of_node)?.ok_or(Refusal::NO_SUCH_PROCESS)?;
            old(&memory::handle_words(facts.mom))?;
            adopt(node, target)
        }
        ATTRIBUTE_PRIMARY => {
            if target != own {
                return Err(Refusal::parameter(1));
            }
            if value.as_deref() != Some(&[1]) {
                return Err(Refusal::parameter(4));
            }
            become_primary(node, &old)
        }
        // Of another process, or of both halves, nothing but the mom can be changed.
        ATTRIBUTE_PRIORITY | ATTRIBUTE_QUALIFIERS if target != own => Err(Refusal::parameter(1)),
        ATTRIBUTE_PRIORITY | ATTRIBUTE_QUALIFIERS if a.specifier == Some(BOTH_HALVES) => {
            Err(Refusal::parameter(2))
        }
        ATTRIBUTE_PRIORITY => {
            let value = value.as_deref().and_then(|words| <[i16; 1]>::try_from(words).ok());
            let value = value.and_then(|[value]| u8::try_from(value).ok()).ok_or(Refusal::parameter(4))?;
            let facts = node.facts(own).map_err(Refusal::of_node)?.ok_or(Refusal::NO_SUCH_PROCESS)?;
            old(&[i16::from(facts.priority)])?;
            match set(node, Setting::Priority { value }) {
                Err(BAD_VALUE) => Err(Refusal::parameter(4)),
                result => result.map_err(Refusal::of_node),
            }
        }
        ATTRIBUTE_QUALIFIERS => {
            let value = match value.as_deref() {
                Some([0]) => false,
                Some([1]) => true,
                _ => return Err(Refusal::parameter(4)),
            };
            old(&[i16::from(QUALIFIERS.swap(value, Ordering::Relaxed))])
        }
        _ => Err(Refusal::parameter(3)),
    }
}

/// What the program has set attribute 49 to. Nothing in the node asks for subordinate names.
static QUALIFIERS: AtomicBool = AtomicBool::new(false);

/// Changes something of the caller.
fn set(node: &Asking<'_>, setting: Setting) -> Result<(), FileError> {
    let answer = node.runtime(|runtime| runtime.call_daemon(|request| ToDaemon::Set { request, setting }));
    match answer {
        ToProcess::Answer { answer: Answer::Done { error }, .. } if error.is_ok() => Ok(()),
        ToProcess::Answer { answer: Answer::Done { error }, .. } => Err(error),
        _ => Err(FileError::PATH_DOWN),
    }
}

/// What `SETSTOP` gives for a mode that there is not.
const NO_SUCH_MODE: i16 = -1;

pub(crate) fn SETSTOP(a: args::SETSTOP) -> i16 {
    let Ok(mode) = u8::try_from(a.mode.unwrap_or(NO_SUCH_MODE)) else { return NO_SUCH_MODE };
    asking(|node| {
        let last = node.facts(node.own().phandle).ok().flatten().map(|facts| i16::from(facts.stop_mode));
        match set(node, Setting::StopMode { mode }) {
            Ok(()) => last.unwrap_or(NO_SUCH_MODE),
            Err(_) => NO_SUCH_MODE,
        }
    })
}

fn adopt(node: &Asking<'_>, child: Phandle) -> Result<(), Refusal> {
    let answer =
        node.runtime(|runtime| runtime.call_daemon(|request| ToDaemon::BecomeMomOf { request, child }));
    match answer {
        ToProcess::Answer { answer: Answer::Done { error }, .. } if error.is_ok() => Ok(()),
        ToProcess::Answer { answer: Answer::Done { error: FileError::NOT_FOUND }, .. } => {
            Err(Refusal::NO_SUCH_PROCESS)
        }
        ToProcess::Answer { answer: Answer::Done { error }, .. } => Err(Refusal::of_node(error)),
        _ => Err(Refusal::of_node(FileError::PATH_DOWN)),
    }
}

/// The record may change between the question and the request for the change; then the question is asked again.
const SWITCH_TRIES_MAX: usize = 4;

fn become_primary(node: &Asking<'_>, old: &dyn Fn(&[i16]) -> Result<(), Refusal>) -> Result<(), Refusal> {
    use pollux_wire::control::{Change, Recorded};
    let own = node.own().phandle;
    if !own.named {
        return Err(Refusal::parameter(1));
    }
    for _ in 0..SWITCH_TRIES_MAX {
        let record = node.pair_of(own).map_err(Refusal::of_node)?.ok_or(Refusal::NO_SUCH_PROCESS)?;
        let was_primary = record.primary == own;
        old(&[i16::from(was_primary)])?;
        if was_primary {
            return Ok(());
        }
        let change = Change::Switch { epoch: record.epoch, to: own };
        let answer =
            node.runtime(|runtime| runtime.call_daemon(|request| ToDaemon::Change { request, change }));
        match answer {
            ToProcess::Recorded { outcome: Recorded::Done { .. }, .. } => return Ok(()),
            ToProcess::Recorded { outcome: Recorded::Refused { .. }, .. } => {}
            _ => return Err(Refusal::of_node(FileError::PATH_DOWN)),
        }
    }
    Err(Refusal::of_node(FileError::PATH_DOWN))
}
