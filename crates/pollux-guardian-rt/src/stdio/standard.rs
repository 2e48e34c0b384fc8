//! The three standard streams over IN, OUT and TERM (C/C++ Programmer's Guide, chapter 19; CRE Programmer's Guide, 2-28).
//!
//! A file that is named is opened with sync depth 1 and laid under its stream; a stream whose file is not named stays what
//! the process was given by its starter. A terminal or process that is named twice is opened once.

use super::mode::Mode;
use super::state::OpenState;
use super::streams::{self, As, StreamId};
use super::{bridge, glue};
use pollux_wire::FileError;

/// Sync depth of the standard files (TNSC 3-135).
const DEPTH: u16 = 1;

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// `stdin`.
    Input,
    /// `stdout`.
    Output,
    /// `stderr`.
    Error,
}

impl Which {
    /// All of them, in the order of their descriptors.
    pub(crate) const ALL: [Self; 3] = [Self::Input, Self::Output, Self::Error];

    /// The mode in which a program finds it open. What was in an OUT file is gone when the first process opens it.
    pub(crate) fn mode(self) -> &'static str {
        if self == Self::Input { "r" } else { "w" }
    }
}

/// A standard file that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standard {
    /// Which.
    pub(crate) which: Which,
    /// Its stream.
    pub(crate) stream: StreamId,
}

/// Opens the files of the names that are not empty, in the order in, out, error.
pub(crate) fn open(names: &[String; 3]) -> Result<Vec<Standard>, FileError> {
    let mut opened: Vec<Standard> = Vec::new();
    for which in Which::ALL {
        let name = &names[which as usize];
        if name.is_empty() {
            continue;
        }
        let same = opened.iter().find(|other| names[other.which as usize].eq_ignore_ascii_case(name));
        let shared = same.map(|other| other.stream).filter(|stream| !seeks(*stream));
        let stream = match shared {
            Some(stream) => share(stream, which)?,
            // A terminal is read through this open too, if it is named for input: the first of its names opens it for both.
            None => open_one(name, which)?,
        };
        opened.push(Standard { which, stream });
    }
    lay_under(&opened);
    Ok(opened)
}

/// Opens the same files beside the primary.
pub(crate) fn backup_open(states: &[(Which, OpenState)]) -> Result<Vec<Standard>, FileError> {
    let mut opened: Vec<Standard> = Vec::new();
    for (which, state) in states {
        let same = opened.iter().find(|other| number(other.stream) == Some(state.file_number));
        let stream = match same {
            Some(other) => share(other.stream, *which)?,
            None => {
                let mode = Mode::parse(&state.mode).ok_or(FileError::INVALID_OPERATION)?;
                streams::open(&state.name, &state.mode, mode, state.depth, As::Backup(state.file_number))?
            }
        };
        opened.push(Standard { which: *which, stream });
    }
    lay_under(&opened);
    Ok(opened)
}

/// What a backup needs to open them.
pub(crate) fn states(standard: &[Standard]) -> Vec<(Which, OpenState)> {
    let state = |one: &Standard| Some((one.which, streams::open_state(one.stream)?));
    standard.iter().filter_map(state).collect()
}

fn open_one(name: &str, which: Which) -> Result<StreamId, FileError> {
    let both_ways = !bridge::is_ours(name) || name.starts_with('$') && bridge::is_process(name);
    let text = if both_ways { "r+" } else { which.mode() };
    let mode = Mode::parse(text).ok_or(FileError::INVALID_OPERATION)?;
    streams::open(name, text, mode, DEPTH, As::First)
}

fn share(stream: StreamId, which: Which) -> Result<StreamId, FileError> {
    let (number, name, mode_text, depth) = streams::with(stream, |stream| {
        (stream.file_number, stream.name.clone(), stream.mode_text.clone(), stream.depth)
    })
    .ok_or(FileError::NOT_OPEN)?;
    let mode = Mode::parse(which.mode()).ok_or(FileError::INVALID_OPERATION)?;
    let shared = streams::enter(number, &name, &mode_text, mode, depth);
    streams::with(shared, |stream| stream.shared = true);
    Ok(shared)
}

fn lay_under(opened: &[Standard]) {
    for one in opened {
        let Some(mode) = Mode::parse(one.which.mode()) else { continue };
        let file = glue::attach(one.stream, mode, seeks(one.stream));
        if file.is_null() {
            continue;
        }
        if number(one.stream).is_some_and(bridge::has_lines) {
            glue::by_lines(file);
        }
        if one.which == Which::Error {
            glue::unbuffered(file);
        }
        glue::set_standard(one.which, file);
    }
}

fn number(stream: StreamId) -> Option<i16> {
    streams::with(stream, |stream| stream.file_number)
}

fn seeks(stream: StreamId) -> bool {
    number(stream).is_some_and(bridge::seeks)
}
