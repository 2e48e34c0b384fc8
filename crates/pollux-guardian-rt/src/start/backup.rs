//! `__ns_start_backup` (TNSC 3-134; Guardian Programmer's Guide, 27-5): a backup that begins as its primary did, or none.

use super::begin;
use super::handover::decode_answer;
use crate::files::operations::Kind;
use crate::files::{Mode, Transfer};
use crate::memory::Buffer;
use crate::runtime::{self, Runtime};
use crate::stdio::errno;
use crate::transfer::OpenRequest;
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{Answer, Creation, NameChoice, Query, ToDaemon, ToProcess};
use pollux_wire::{CpuNumber, FileError, Phandle};
use std::time::{Duration, Instant};

/// The priority of a process that is not told one.
const PRIORITY_DEFAULT: u8 = 150;
/// `PROCESS_CREATE_`: the caller has no name.
const CALLER_UNNAMED: i16 = 22;
/// `PROCESS_CREATE_`: error of the name, with "exists already" as detail.
const NAME_ERROR: i16 = 11;
/// `PROCESS_CREATE_`: file error on the program file.
const PROGRAM_ERROR: i16 = 1;
/// `PROCESS_CREATE_`: the CPU cannot be reached, or there is none of that number.
const NO_CPU: i16 = 10;
/// How long the name's record may take to lose a backup that was stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the record.
const STOP_PAUSE: Duration = Duration::from_millis(5);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct BackupCall {
    /// CPU; `None` or -1: the node chooses.
    pub(crate) cpu: Option<i16>,
    /// Home terminal; `None`: the caller's.
    pub(crate) home_terminal: Option<String>,
    /// Another program file.
    pub(crate) program: Option<String>,
}

/// Why there is no backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was not created: error and detail of `PROCESS_CREATE_`.
    NotCreated(i16, i16),
    /// It was created, could not begin, and is gone: `errno`.
    NotBegun(i32),
}

/// Creates the backup and waits until its run-time has begun.
pub(crate) fn start(call: &BackupCall) -> Result<Phandle, Failure> {
    let hand_over = begin::hand_over().encode();
    runtime::with(|runtime| {
        let backup = create(runtime, call)?;
        match tell(runtime, hand_over) {
            Ok(()) => Ok(backup),
            Err(number) => {
                take_away(runtime, backup);
                Err(Failure::NotBegun(number))
            }
        }
    })
}

fn create(runtime: &mut Runtime, call: &BackupCall) -> Result<Phandle, Failure> {
    let Some(name) = runtime.name.clone() else { return Err(Failure::NotCreated(CALLER_UNNAMED, 0)) };
    if let Answer::Record { record: Some(record) } = runtime.ask(Query::Name { name })
        && (record.backup.is_some() || record.primary != runtime.me)
    {
        return Err(Failure::NotCreated(NAME_ERROR, FileError::EXISTS.0 as i16));
    }
    let cpu = match call.cpu {
        None | Some(-1) => None,
        Some(number) => {
            let number = u8::try_from(number).ok().and_then(CpuNumber::new);
            Some(number.ok_or(Failure::NotCreated(NO_CPU, FileError::PATH_DOWN.0 as i16))?)
        }
    };
    let creation = Creation {
        spec: call.program.as_deref().map(|program| spec(runtime, program)).transpose()?,
        variables: Vec::new(),
        name: NameChoice::Callers {},
        cpu,
        home_terminal: call.home_terminal.clone().unwrap_or_default(),
        job: None,
        priority: PRIORITY_DEFAULT,
    };
    match runtime.call_daemon(|request| ToDaemon::Create { request, creation }) {
        ToProcess::Created { process: Some(process), .. } => Ok(process),
        ToProcess::Created { error, detail, .. } => Err(Failure::NotCreated(error as i16, detail as i16)),
        _ => Err(Failure::NotCreated(NO_CPU, FileError::PATH_DOWN.0 as i16)),
    }
}

/// The caller's own way of being run, with another program.
fn spec(runtime: &Runtime, program: &str) -> Result<ProgramSpec, Failure> {
    let error = |error: FileError| Failure::NotCreated(PROGRAM_ERROR, error.0 as i16);
    let path = crate::disk::opening::path(program, "").map_err(error)?;
    let path = std::fs::canonicalize(path).map_err(|found| error(crate::disk::errors::number(&found)))?;
    let program = path.into_os_string().into_string().map_err(|_| error(FileError::BAD_NAME))?;
    Ok(ProgramSpec { program, ..runtime.program.clone() })
}

/// Tells the run-time of the backup what this process was started with. The error is one of `errno`.
fn tell(runtime: &mut Runtime, hand_over: Vec<u8>) -> Result<(), i32> {
    let number_of = |error: FileError| match error {
        // It ended before it could answer: that is no file's error.
        FileError::PATH_DOWN | FileError::NO_SUCH_PROCESS => errno::ENONSTOP,
        error => i32::from(error.0),
    };
    let name = runtime.name.as_ref().map_or_else(String::new, |name| name.as_str().to_owned());
    let mode = Mode { depth: 0, ..Mode::default() };
    let request = OpenRequest { name, mode, backup: None, internal: true };
    let (number, _) = runtime.open(request).map_err(number_of)?;
    let mut answer = [0_u8; 8];
    let write = Buffer::new(hand_over.as_ptr().cast(), hand_over.len()).map_err(number_of)?;
    let read = Buffer::new(answer.as_mut_ptr().cast_const().cast(), answer.len()).map_err(number_of)?;
    let (count, told) = runtime.transfer(number, &Transfer { kind: Kind::WriteRead, write, read, tag: 0 });
    let _ = runtime.close(number, 0);
    told.map_err(number_of)?;
    match decode_answer(&answer[..count.unwrap_or(0)]) {
        Some(0) => Ok(()),
        Some(number) => Err(number),
        None => Err(errno::ENONSTOP),
    }
}

/// Stops a half-made backup, and waits until the name's record has it no more: a program may try again at once.
fn take_away(runtime: &mut Runtime, backup: Phandle) {
    let stop = |request| ToDaemon::StopOther { request, target: backup, both: false, abend: true };
    let _ = runtime.call_daemon(stop);
    let Some(name) = runtime.name.clone() else { return };
    let deadline = Instant::now() + STOP_PATIENCE;
    while Instant::now() < deadline {
        match runtime.ask(Query::Name { name: name.clone() }) {
            Answer::Record { record: Some(record) } if record.backup == Some(backup) => {
                let pause = Some(Instant::now() + STOP_PAUSE);
                let _: Option<()> = runtime.wait(pause, |_| None);
            }
            _ => return,
        }
    }
}
