//! One function per procedure: parameters are checked and turned into the run-time's own words, results into C's.
//!
//! | Module | Procedures |
//! | --- | --- |
//! | [`open`] | `FILE_OPEN_`, `FILE_CLOSE_`, `FILE_GETINFO_` |
//! | [`data`] | all forms of READ, READUPDATE, WRITE, WRITEREAD, REPLY |
//! | [`completion`] | all forms of AWAITIO and CANCEL, `MESSAGESTATUS` |
//! | [`information`] | what is known of the last message |
//! | [`control`] | `SETMODE`, `CONTROL`, `CONTROLBUF`, `SETPARAM`, limits |
//! | [`startup`] | startup, ASSIGN and PARAM messages |
//! | [`streams`] | the C extension functions: streams, states, `__ns_start_backup`, the end |
//! | [`sync`] | sync blocks |
//! | [`handles`] | process handles, names of processes and nodes |
//! | [`file_names`] | file names as texts |
//! | [`disk_files`] | files by their names, positions, `FILEINFO` |
//! | [`searches`] | searches for disk files |
//! | [`creation`], [`spawn`] | creation |
//! | [`lifecycle`] | end, standing still, roles |
//! | [`process_info`] | what is known of processes and pairs |
//! | [`losses`] | monitoring, openers and children that are lost |
//! | [`timers`] | timers |
//! | [`time`] | timestamps, numbers as digits |
//! | [`status`] | processors and the system |
//! | [`sockets`], [`sockets_data`], [`sockets_names`] | the TCP/IP sockets library |

mod completion;
mod control;
mod creation;
mod data;
mod disk_files;
pub(crate) mod file_names;
mod handles;
mod information;
mod lifecycle;
mod losses;
mod open;
mod process_info;
mod searches;
mod sockets;
mod sockets_data;
mod sockets_names;
mod spawn;
mod startup;
mod status;
mod streams;
mod sync;
mod time;
mod timers;

pub(crate) use completion::*;
pub(crate) use control::*;
pub(crate) use creation::*;
pub(crate) use data::*;
pub(crate) use disk_files::*;
pub(crate) use file_names::*;
pub(crate) use handles::*;
pub(crate) use information::*;
pub(crate) use lifecycle::*;
pub(crate) use losses::*;
pub(crate) use open::*;
pub(crate) use process_info::*;
pub(crate) use searches::*;
pub(crate) use sockets::*;
pub(crate) use sockets_data::*;
pub(crate) use sockets_names::*;
pub(crate) use spawn::*;
pub(crate) use startup::*;
pub(crate) use status::*;
pub(crate) use streams::*;
pub(crate) use sync::*;
pub(crate) use time::*;
pub(crate) use timers::*;

use crate::memory::Buffer;
use pollux_wire::FileError;

/// A buffer of the program with a count. Error 21 for a count above `max` or below 0.
fn buffer(pointer: Option<*const u8>, count: i64, max: usize) -> Result<Buffer, FileError> {
    let count = usize::try_from(count).map_err(|_| FileError::BAD_COUNT)?;
    if count > max {
        return Err(FileError::BAD_COUNT);
    }
    Buffer::new(pointer.unwrap_or(std::ptr::null()).cast(), count)
}
