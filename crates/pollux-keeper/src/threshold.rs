//! The last steps before the program: what only the process itself can do.
//!
//! The keeper starts `pollux __kept` under the process id that the program is to have. It puts the gate in front of its
//! own system calls, says its process id in `LISTEN_PID`, and becomes the program. What fails is told over a socket that
//! the exec closes:
//!
//! | Bytes | Mean |
//! | --- | --- |
//! | 0, with a descriptor | the gate |
//! | `g`, errno | there can be no gate |
//! | `x`, errno | the program cannot be executed |
//! | end | the program runs |

use pollux_os::{
    CallGate, gate_calls, pass_descriptor, take_inherited, take_passed_descriptor, wait_readable,
};
use std::ffi::OsString;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The hidden command under which a program calls [`threshold_main`].
pub const THRESHOLD_COMMAND: &str = "__kept";

/// Set for programs that get descriptors as systemd hands them over.
pub(crate) const LISTEN_FDS: &str = "LISTEN_FDS";
/// The process that they are meant for.
const LISTEN_PID: &str = "LISTEN_PID";
/// Names of the descriptors.
pub(crate) const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";

/// The process has become its program, or said why not, by then.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Which gate a program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    None,
    Listeners,
    /// And the removal of files.
    ListenersAndFiles,
}

impl Gate {
    const ALL: [(Gate, &str); 3] =
        [(Gate::None, "none"), (Gate::Listeners, "listeners"), (Gate::ListenersAndFiles, "files")];
}

/// The arguments of the hidden command: the number of the socket, the gate, the program.
pub(crate) fn arguments(socket: RawFd, gate: Gate, program: OsString, rest: &[OsString]) -> Vec<OsString> {
    let name = Gate::ALL.iter().find(|(of, _)| *of == gate).map_or("none", |(_, name)| name);
    let own = [THRESHOLD_COMMAND.into(), socket.to_string().into(), name.into(), program];
    own.into_iter().chain(rest.iter().cloned()).collect()
}

/// The body of the hidden command, with the arguments behind it. Returns only if the program could not be executed.
pub fn threshold_main(arguments: &[OsString]) -> ExitCode {
    let order = || {
        let [socket, gate, program, rest @ ..] = arguments else { return None };
        let socket = take_inherited(socket.to_str()?.parse().ok()?).ok()?;
        let gate = Gate::ALL.iter().find(|(_, name)| gate == name)?.0;
        Some((socket, gate, program, rest))
    };
    let Some((socket, gate, program, rest)) = order() else {
        eprintln!("{THRESHOLD_COMMAND} is for pollux itself, not for use by hand");
        return ExitCode::from(2);
    };
    let tell = |kind: u8, error: &io::Error| {
        let errno = error.raw_os_error().unwrap_or(0);
        // Nobody else could be told.
        let _ = rustix::io::write(&socket, &[&[kind], &errno.to_le_bytes()[..]].concat());
        ExitCode::from(127)
    };
    if gate != Gate::None
        && let Err(error) =
            gate_calls(gate == Gate::ListenersAndFiles).and_then(|gate| pass_descriptor(&socket, &gate))
    {
        return tell(b'g', &error);
    }
    let mut command = Command::new(program);
    command.args(rest);
    if std::env::var_os(LISTEN_FDS).is_some() {
        command.env(LISTEN_PID, std::process::id().to_string());
    }
    tell(b'x', &command.exec())
}

/// What became of it.
pub(crate) enum Crossing {
    /// The program runs, behind its gate if one was asked for.
    Runs(Option<CallGate>),
    /// There can be no gate.
    NoGate(io::Error),
    /// It cannot be executed; the error number.
    NoProgram(i32),
}

/// The keeper's side: waits until the process has become its program.
pub(crate) fn await_crossing(socket: &OwnedFd, wanted: Gate) -> io::Result<Crossing> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let mut gate = None;
    if wanted != Gate::None {
        if !wait_readable(socket, ANSWER_MAX)? {
            return Err(late());
        }
        match take_passed_descriptor(socket)? {
            Some(fd) => gate = Some(CallGate::new(fd)),
            // Its first byte was taken with the look for a descriptor.
            None => return Ok(Crossing::NoGate(read_error(socket, 0)?)),
        }
    }
    if !wait_readable(socket, ANSWER_MAX)? {
        return Err(late());
    }
    let error = read_error(socket, 1)?;
    Ok(match error.raw_os_error() {
        Some(errno) if errno > 0 => Crossing::NoProgram(errno),
        _ => Crossing::Runs(gate),
    })
}

/// The error number behind `skip` bytes; 0 at the end of the stream.
fn read_error(socket: &OwnedFd, skip: usize) -> io::Result<io::Error> {
    let mut bytes = [0; 5];
    let wanted = &mut bytes[..skip + 4];
    let taken = rustix::io::read(socket, &mut *wanted)?;
    let errno = if taken == skip + 4 { wanted[skip..].first_chunk().copied() } else { None };
    Ok(io::Error::from_raw_os_error(errno.map_or(0, i32::from_le_bytes)))
}
