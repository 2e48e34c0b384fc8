//! Before `main`: the start messages, the standard files, the arguments and the environment.
//!
//! | Started by | Start messages come from |
//! | --- | --- |
//! | `pollux run` | the environment: `POLLUX_IN`, `POLLUX_OUT`, `POLLUX_TERM`, `POLLUX_ASSIGNS`, `POLLUX_PARAMS` |
//! | `PROCESS_CREATE_`, `PROCESS_LAUNCH_` | `$RECEIVE`: -1, and after the reply 70 the -2 and -3 of the starter, until it closes |
//! | `PROCESS_SPAWN_` | there are none: arguments and environment are the caller's |
//! | `__ns_start_backup` of the primary | the primary's run-time, over an open that programs do not see |

use super::assign::{ASSIGN_BYTES, Assign};
use super::handover::{HandOver, encode_answer};
use super::messages::{self, Startup};
use crate::disk::opening;
use crate::files::operations::Kind;
use crate::files::{Mode, Transfer};
use crate::memory::Buffer;
use crate::runtime::{self, Runtime};
use crate::stdio::errno;
use crate::stdio::standard::{self, Standard};
use crate::transfer::OpenRequest;
use pollux_wire::FileError;
use pollux_wire::control::StartAs;
use pollux_wire::startup::{
    ASSIGNS_VARIABLE, IN_VARIABLE, OUT_VARIABLE, PARAMS_VARIABLE, STARTUP_VARIABLE, TERM_VARIABLE,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a backup waits for its primary's word. The primary tells it at once, or is gone and so is the pair's half.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(30);
/// FECONTINUE: the starter sends its ASSIGNs and PARAMs.
const CONTINUE: FileError = FileError(70);
/// The reply to a message that has no place in a start.
const NOT_READY: FileError = FileError(100);
/// System messages of an open and its end.
const OPENED: i16 = -103;
const CLOSED: i16 = -104;
/// Logical names of the standard files, and the environment variables that tell the program what they are.
const STANDARD_NAMES: [&str; 3] = ["STDIN", "STDOUT", "STDERR"];
/// Longest message of a start.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What the program was started with, for itself and for its backups.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// What a backup is told, less the standard files.
    pub(crate) messages: HandOver,
    /// The standard files that the run-time has opened.
    pub(crate) standard: Vec<Standard>,
}

static STARTED: Mutex<Option<Started>> = Mutex::new(None);

/// What `main` gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Arguments, the program's name first.
    pub(crate) arguments: Vec<String>,
    /// Added to the environment.
    pub(crate) variables: Vec<(String, String)>,
}

fn started() -> MutexGuard<'static, Option<Started>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs with what the program was started with.
pub(crate) fn with_started<T>(body: impl FnOnce(&Started) -> T) -> T {
    body(started().get_or_insert_default())
}

/// The file that the program's ASSIGNs give to a name, if it is a logical name of one of them.
pub(crate) fn assigned_file(name: &str) -> Option<String> {
    with_started(|started| assigned(&started.messages.assigns, name))
}

fn assigned(assigns: &[Vec<u8>], name: &str) -> Option<String> {
    let mut assigns = assigns.iter().filter_map(|bytes| Assign::decode(bytes));
    assigns.find(|assign| assign.is_for(name)).map(|assign| assign.file)
}

/// The whole hand-over to a backup.
pub(crate) fn hand_over() -> HandOver {
    with_started(|started| HandOver {
        standard: standard::states(&started.standard),
        ..started.messages.clone()
    })
}

/// Takes the start messages and opens the standard files. The error is one of `errno`.
pub(crate) fn begin(arguments: Vec<String>) -> Result<Beginning, i32> {
    let (is_backup, is_child) = runtime::with(|runtime| {
        (matches!(runtime.start, StartAs::ActiveBackup { .. }), runtime.mom.is_some())
    });
    // File names stand for what they stood for at the start, whatever the program does to its environment.
    opening::names();
    let how = std::env::var(STARTUP_VARIABLE).ok();
    let (messages, standard) = match how.as_deref() {
        None if is_backup => as_backup()?,
        how => {
            let by_messages = how != Some("run") && (is_child || is_backup);
            let messages = if by_messages { as_child() } else { Ok(from_environment(&arguments)) };
            messages.and_then(open_standard).map_err(|error| i32::from(error.0))?
        }
    };
    let beginning = beginning(arguments, &messages);
    *started() = Some(Started { messages, standard });
    Ok(beginning)
}

fn beginning(arguments: Vec<String>, messages: &HandOver) -> Beginning {
    let startup = Startup::decode(&messages.startup).unwrap_or_default();
    let mut variables = messages::decode_params(&messages.params).unwrap_or_default();
    let names = messages.standard_names.clone();
    for (name, value) in STANDARD_NAMES.into_iter().zip(names) {
        if !value.is_empty() {
            variables.push((name.to_owned(), value));
        }
    }
    if !startup.defaults.is_empty() {
        variables.push(("DEFAULTS".to_owned(), startup.defaults));
    }
    let program = arguments.into_iter().next().unwrap_or_default();
    let parameters = messages::split_parameters(&startup.parameters);
    Beginning { arguments: std::iter::once(program).chain(parameters).collect(), variables }
}

fn open_standard(mut messages: HandOver) -> Result<(HandOver, Vec<Standard>), FileError> {
    // An ASSIGN of a standard file's own name comes before IN, OUT and the home terminal (CRE 2-28).
    for (name, logical) in messages.standard_names.iter_mut().zip(STANDARD_NAMES) {
        if let Some(file) = assigned(&messages.assigns, logical) {
            *name = file;
        }
    }
    let standard = standard::open(&messages.standard_names)?;
    Ok((messages, standard))
}

fn from_environment(arguments: &[String]) -> HandOver {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (input, output) = (variable(IN_VARIABLE), variable(OUT_VARIABLE));
    let startup = Startup {
        defaults: opening::names().defaults().unwrap_or_default(),
        input: input.clone(),
        output: output.clone(),
        parameters: messages::join_parameters(arguments.get(1..).unwrap_or_default()),
    };
    let assigns = variable(ASSIGNS_VARIABLE);
    let assigns = assigns.lines().filter_map(Assign::from_line).take(messages::ASSIGNS_MAX);
    let params = messages::params_from_lines(&variable(PARAMS_VARIABLE));
    HandOver {
        startup: startup.encode(),
        assigns: assigns.map(|assign| assign.encode()).collect(),
        params: messages::encode_params(&params).unwrap_or_default(),
        standard_names: [input, output, variable(TERM_VARIABLE)],
        standard: Vec::new(),
    }
}

/// Reads the start messages from `$RECEIVE`, and closes it.
fn as_child() -> Result<HandOver, FileError> {
    runtime::with(|runtime| {
        let mode = Mode { depth: 1, ..Mode::default() };
        let name = "$RECEIVE".to_owned();
        let (number, _) = runtime.open(OpenRequest { name, mode, backup: None, internal: false })?;
        let messages = read_start(runtime, number);
        runtime.close(number, 0)?;
        messages
    })
}

fn read_start(runtime: &mut Runtime, number: i16) -> Result<HandOver, FileError> {
    let mut bytes = vec![0_u8; MESSAGE_BYTES_MAX];
    let mut messages = HandOver::default();
    loop {
        let read = Buffer::new(bytes.as_mut_ptr().cast_const().cast(), bytes.len())?;
        let transfer = Transfer { kind: Kind::ReadUpdate, write: Buffer::NONE, read, tag: 0 };
        let (count, result) = runtime.transfer(number, &transfer);
        let is_system = match result {
            Ok(()) => false,
            Err(FileError::SYSTEM_MESSAGE) => true,
            Err(error) => return Err(error),
        };
        let message = &bytes[..count.unwrap_or(0)];
        let answer = take(&mut messages, is_system, message);
        if let Some(origin) = runtime.server.queue.reply(None)? {
            runtime.respond(origin, answer.unwrap_or(FileError::OK), &[]);
        }
        if answer.is_none() {
            return Ok(messages);
        }
    }
}

/// The answer to a message; none for the last.
fn take(messages: &mut HandOver, is_system: bool, message: &[u8]) -> Option<FileError> {
    match (is_system, messages::first_word(message)) {
        (true, Some(CLOSED)) if !messages.startup.is_empty() => None,
        (true, Some(OPENED)) => Some(FileError::OK),
        (true, _) => Some(FileError::OK),
        (false, Some(messages::STARTUP)) => match Startup::decode(message) {
            Some(startup) => {
                messages.startup = message.to_vec();
                messages.standard_names = [startup.input, startup.output, String::new()];
                Some(CONTINUE)
            }
            None => Some(NOT_READY),
        },
        (false, Some(messages::ASSIGN)) if messages.assigns.len() < messages::ASSIGNS_MAX => {
            match message.get(..ASSIGN_BYTES) {
                Some(assign) => {
                    messages.assigns.push(assign.to_vec());
                    Some(FileError::OK)
                }
                None => Some(NOT_READY),
            }
        }
        (false, Some(messages::PARAM)) => {
            messages.params = message.to_vec();
            Some(FileError::OK)
        }
        _ => Some(NOT_READY),
    }
}

/// Hears from the primary what it was started with, opens its standard files beside it, and says how that went.
fn as_backup() -> Result<(HandOver, Vec<Standard>), i32> {
    let deadline = Some(Instant::now() + HANDOVER_PATIENCE);
    let heard = runtime::with(|runtime| {
        runtime.wait(deadline, |runtime| match runtime.server.internal.pop_front() {
            Some(message) => Some(Some(message)),
            // The primary is gone, and nobody else knows how to begin: this process would hold the name and serve nobody.
            None if !runtime.is_backup() => Some(None),
            None => None,
        })
    });
    let message = heard.flatten().ok_or(errno::ENONSTOP)?;
    let begun = match HandOver::decode(&message.body) {
        None => Err(errno::ENONSTOP),
        Some(messages) => match standard::backup_open(&messages.standard) {
            Ok(standard) => Ok((messages, standard)),
            Err(error) => Err(i32::from(error.0)),
        },
    };
    let answer = encode_answer(begun.as_ref().err().copied().unwrap_or(0));
    runtime::with(|runtime| {
        runtime.respond(message.origin, FileError::OK, &answer);
        runtime.look();
    });
    begun
}

#[cfg(test)]
mod tests {
    use super::*;

    // A child that answers its starter wrongly gets no ASSIGNs, or its starter waits for ever.
    #[test]
    fn the_start_dialogue() {
        let mut messages = HandOver::default();
        let startup = Startup { input: "$IN".into(), parameters: "a b".into(), ..Startup::default() };
        let system = |number: i16| number.to_ne_bytes().to_vec();
        assert_eq!(take(&mut messages, true, &system(OPENED)), Some(FileError::OK));
        assert_eq!(take(&mut messages, false, b"hello"), Some(NOT_READY));
        assert_eq!(take(&mut messages, true, &system(CLOSED)), Some(FileError::OK), "of somebody else");
        assert_eq!(take(&mut messages, false, &startup.encode()), Some(CONTINUE));
        let assign = Assign::from_line("data=/x").unwrap();
        assert_eq!(take(&mut messages, false, &assign.encode()), Some(FileError::OK));
        let params = messages::encode_params(&[("P".to_owned(), "1".to_owned())]).unwrap();
        assert_eq!(take(&mut messages, false, &params), Some(FileError::OK));
        assert_eq!(take(&mut messages, true, &system(-2)), Some(FileError::OK), "a CPU, not an ASSIGN");
        assert_eq!(messages.assigns.len(), 1);
        assert_eq!(assigned(&messages.assigns, "Data"), Some("/x".to_owned()));
        assert_eq!(take(&mut messages, true, &system(CLOSED)), None);
        let begun = beginning(vec!["prog".into(), "ignored".into()], &messages);
        assert_eq!(begun.arguments, ["prog", "a", "b"]);
        assert!(begun.variables.contains(&("P".to_owned(), "1".to_owned())));
        assert!(begun.variables.contains(&("STDIN".to_owned(), "$IN".to_owned())));
    }
}
