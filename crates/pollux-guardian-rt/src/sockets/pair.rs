//! Sockets of process pairs: what a primary tells its backup, backup opens, what a takeover does to connections, and where the
//! two streams of a connection stand.
//!
//! ```text
//!   open_info_message        0         2                     50        52 .. 60                          62       64
//!                            | filenum | file_name (48)      | length | flags sync access exclusion nowait | options |
//!   file_name                | name of the provider, 24 bytes | 8 blank bytes | number of the socket there, 16 digits |
//!   options                  bit 0 connected from here, 1 version 6, 2-3 type, 4 not connected yet, 8-15 protocol
//! ```

use super::file::{Shape, SocketFile, Wish};
use super::numbers::{AF_INET, AF_INET6, EFAULT, EINVAL, ENOTCONN, EOPNOTSUPP, FLAG_DEPTH, of_io};
use crate::files::FileKind;
use crate::files::table::Number;
use crate::memory::{self, Buffer};
use crate::runtime::Runtime;
use pollux_wire::startup::SOCKETS_VARIABLE;
use pollux_wire::{FileError, SocketId};
use std::net::SocketAddr;

/// Bytes of `struct open_info_message`.
pub(crate) const MESSAGE_BYTES: usize = 64;
const STRICT: &str = "strict";
/// Error 2: a socket that can have no backup open.
const INVALID_OPERATION: FileError = FileError(2);

/// Bytes of a provider's name, and where the socket's number is.
const NAME_BYTES: usize = 24;
const ID_AT: usize = 32;
const FILE_NAME_BYTES: usize = 48;

const OPTION_ACTIVE: u16 = 1;
const OPTION_V6: u16 = 2;
const SHAPE_SHIFT: u16 = 2;
const OPTION_UNCONNECTED: u16 = 16;
const PROTOCOL_SHIFT: u16 = 8;

/// What a primary tells its backup of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenInfo {
    /// The file number, in both halves.
    pub(crate) number: i16,
    /// The provider.
    pub(crate) provider: String,
    /// The socket's number there.
    pub(crate) id: SocketId,
    /// As in `socket_nw`.
    pub(crate) flags: i16,
    /// As in `socket_nw`.
    pub(crate) sync: i16,
    /// What it is.
    pub(crate) wish: Wish,
    /// The kernel counts its SYN among the bytes sent.
    pub(crate) is_active: bool,
    /// It was not connected when this was said: a connection that it has later is one that this side has made.
    pub(crate) is_unconnected: bool,
}

impl OpenInfo {
    /// As C has it.
    pub(crate) fn encode(&self) -> [u8; MESSAGE_BYTES] {
        let mut bytes = [0; MESSAGE_BYTES];
        let mut put = |at: usize, value: i16| bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
        let name = self.provider.as_bytes();
        let length = name.len().min(NAME_BYTES);
        let (is_v6, shape, protocol) = self.wish.parts();
        let mut options = (shape as u16) << SHAPE_SHIFT | (protocol as u16) << PROTOCOL_SHIFT;
        options |= if self.is_active { OPTION_ACTIVE } else { 0 } | if is_v6 { OPTION_V6 } else { 0 };
        options |= if self.is_unconnected { OPTION_UNCONNECTED } else { 0 };
        put(0, self.number);
        put(50, length as i16);
        put(52, self.flags);
        put(54, self.sync);
        put(60, self.flags & FLAG_DEPTH as i16);
        put(62, options as i16);
        let file_name = &mut bytes[2..2 + FILE_NAME_BYTES];
        file_name[..length].copy_from_slice(&name[..length]);
        file_name[ID_AT..].copy_from_slice(format!("{:016x}", self.id.0).as_bytes());
        bytes
    }

    /// From C. Error 4022 for a message that `socket_get_open_info` did not make.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FileError> {
        let word = |at: usize| -> Result<i16, FileError> {
            let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).ok_or(EINVAL)?;
            Ok(i16::from_ne_bytes(two))
        };
        let file_name = bytes.get(2..2 + FILE_NAME_BYTES).ok_or(EINVAL)?;
        let text = |part: &[u8]| std::str::from_utf8(part).map(str::to_owned).map_err(|_| EINVAL);
        let length = usize::try_from(word(50)?).ok().filter(|length| (1..=NAME_BYTES).contains(length));
        let id = u64::from_str_radix(&text(&file_name[ID_AT..])?, 16).map_err(|_| EINVAL)?;
        let options = word(62)? as u16;
        let family = if options & OPTION_V6 != 0 { AF_INET6 } else { AF_INET };
        let shape = i32::from(options >> SHAPE_SHIFT & 3);
        Ok(Self {
            number: word(0)?,
            provider: text(&file_name[..length.ok_or(EINVAL)?])?,
            id: SocketId(id),
            flags: word(52)?,
            sync: word(54)?,
            wish: Wish::new(family, shape, i32::from(options >> PROTOCOL_SHIFT))?,
            is_active: options & OPTION_ACTIVE != 0,
            is_unconnected: options & OPTION_UNCONNECTED != 0,
        })
    }
}

impl SocketFile {
    /// What the other half has done with a socket that both have: it is bound, or connected, by now.
    fn learn(&mut self) {
        let Ok(fd) = self.fd() else { return };
        let is_bound = rustix::net::getsockname(fd)
            .ok()
            .and_then(|address| SocketAddr::try_from(address).ok())
            .is_some_and(|address| address.port() != 0);
        let is_connected = matches!(rustix::net::getpeername(fd), Ok(Some(_)));
        self.is_bound |= is_bound;
        // An accepted connection is a socket of its own: one that becomes connected has connected itself.
        self.is_active |= is_connected && !self.is_connected;
        self.is_connected |= is_connected;
    }

    /// Bytes of the connection that the program has been given, and that the kernel has taken from it.
    fn positions(&self) -> Result<(u64, u64), FileError> {
        let fd = self.connection()?;
        let positions = pollux_os::stream_positions(fd).map_err(|error| of_io(&error))?;
        // The kernel counts a SYN of its own that was acknowledged.
        let syn = u64::from(self.is_active).min(positions.acknowledged);
        Ok((positions.consumed() + self.held_bytes(), positions.produced() - syn))
    }

    /// Bytes that were given to the program and are still in the kernel.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.map_or(0, |held| held.bytes)
    }

    fn connection(&self) -> Result<std::os::fd::BorrowedFd<'_>, FileError> {
        if !self.shape().is_stream() {
            return Err(EOPNOTSUPP);
        }
        if self.is_connected { self.fd() } else { Err(ENOTCONN) }
    }

    /// Takes so many bytes of input out of the kernel.
    fn discard(&mut self, bytes: u64) -> Result<(), FileError> {
        const CHUNK: usize = 64 << 10;
        let fd = self.connection()?;
        let wanted = usize::try_from(bytes).map_err(|_| EINVAL)?;
        let mut scratch = vec![0; CHUNK.min(wanted)];
        let done = pollux_os::discard(fd, wanted, &mut scratch).map_err(|error| of_io(&error))?;
        if let Some(held) = &mut self.held {
            held.bytes = held.bytes.saturating_sub(done as u64);
        }
        if done == wanted { Ok(()) } else { Err(EINVAL) }
    }
}

impl Runtime {
    /// `socket_get_open_info`: fills in the message in whose first word the number is.
    pub(crate) fn open_info(&mut self, message: *mut u8) -> Result<(), FileError> {
        let place = Buffer::new(message.cast_const().cast(), MESSAGE_BYTES).map_err(|_| EFAULT)?;
        let number = i32::from(memory::word(message.cast_const().cast()).map_err(|_| EFAULT)?);
        let (_, socket) = self.living_socket(number)?;
        if socket.shape() == Shape::StreamWithoutBackup {
            return Err(INVALID_OPERATION);
        }
        let id = self.keep_socket(number)?;
        let (short, socket) = self.socket(number)?;
        let (flags, wish, is_active) = (socket.flags as i16, socket.wish, socket.is_active);
        let is_unconnected = !socket.is_connected;
        let provider = self.files.get(short)?.name.clone();
        let info = OpenInfo { number: short, provider, id, flags, sync: 0, wish, is_active, is_unconnected };
        place.put(&info.encode());
        Ok(())
    }

    /// `socket_backup`: the backup's open of a socket of the primary, under the same number.
    pub(crate) fn backup_open(&mut self, message: *const u8, brother: *const i16) -> Result<(), FileError> {
        let bytes = Buffer::new(message.cast(), MESSAGE_BYTES).map_err(|_| EFAULT)?.get();
        let info = OpenInfo::decode(&bytes)?;
        let brother = memory::phandle(brother).map_err(|_| EINVAL)?.ok_or(EINVAL)?;
        self.files.number(Number::Given(info.number))?;
        let descriptor = self.join(&info.provider, info.id, brother)?;
        // The answer was waited for: the number may be taken by now.
        let free = self.files.number(Number::Given(info.number));
        let number = free.inspect_err(|_| self.leave(&info.provider, info.id))?;
        let mut socket = SocketFile::new(info.wish, i32::from(info.flags), descriptor);
        socket.id = Some(info.id);
        (socket.is_backup_open, socket.is_active) = (true, info.is_active);
        socket.is_connected = !info.is_unconnected;
        socket.learn();
        let depth = info.flags & FLAG_DEPTH as i16;
        // A backup open is waited for, whatever the primary's was.
        socket.flags &= FLAG_DEPTH;
        self.enter_socket(number, socket, info.provider, depth as u16);
        Ok(())
    }

    /// This process has become the primary. With `takeover` the other half is gone: in mode `strict` its connections are reset.
    pub(crate) fn sockets_are_ours(&mut self, takeover: bool) {
        let is_strict = takeover && self.is_strict();
        for (_, file) in self.files.iter_mut() {
            let FileKind::Socket(socket) = &mut file.kind else { continue };
            if !std::mem::take(&mut socket.is_backup_open) {
                continue;
            }
            socket.learn();
            if !socket.is_connected || !socket.shape().is_stream() {
                continue;
            }
            if is_strict {
                socket.is_lost = true;
                if let Ok(fd) = socket.fd() {
                    // Ends the connection for all who have a duplicate, with a reset.
                    let _ = rustix::net::connect_unspec(fd);
                }
            }
        }
    }

    fn is_strict(&self) -> bool {
        let by_variable =
            || std::env::var(SOCKETS_VARIABLE).is_ok_and(|mode| mode.eq_ignore_ascii_case(STRICT));
        self.sockets.is_strict.unwrap_or_else(by_variable)
    }

    /// `socket_get_positions`.
    pub(crate) fn positions(&mut self, number: i32) -> Result<(u64, u64), FileError> {
        self.living_socket(number)?.1.positions()
    }

    /// `socket_hold_input`: what is read stays in the kernel; what is held is released when holding ends.
    pub(crate) fn hold_input(&mut self, number: i32, on: bool) -> Result<(), FileError> {
        let (_, socket) = self.living_socket(number)?;
        socket.connection()?;
        match (on, socket.held) {
            (true, None) => socket.begin_to_hold()?,
            (false, Some(held)) => {
                socket.discard(held.bytes)?;
                socket.held = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// `socket_release_input`: the input up to this offset has done its work. 4022 for an offset before what is left in the
    /// kernel, or behind what has come.
    pub(crate) fn release_input(&mut self, number: i32, offset: i64) -> Result<(), FileError> {
        let (_, socket) = self.living_socket(number)?;
        let fd = socket.connection()?;
        let positions = pollux_os::stream_positions(fd).map_err(|error| of_io(&error))?;
        let offset = u64::try_from(offset).map_err(|_| EINVAL)?;
        if !(positions.consumed()..=positions.received).contains(&offset) {
            return Err(EINVAL);
        }
        socket.discard(offset - positions.consumed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> OpenInfo {
        OpenInfo {
            number: 7,
            provider: "$ZTC0".to_owned(),
            id: SocketId(0x1234_5678_9abc),
            flags: 2,
            sync: 0,
            wish: Wish::new(AF_INET6, 2, 17).unwrap(),
            is_active: true,
            is_unconnected: true,
        }
    }

    // The message goes through the program's checkpoint: a field that is lost there is a wrong socket in the backup.
    #[test]
    fn the_message_keeps_all() {
        let bytes = info().encode();
        assert_eq!(bytes[..2], 7i16.to_ne_bytes());
        assert_eq!(&bytes[2..7], b"$ZTC0");
        assert_eq!(OpenInfo::decode(&bytes), Ok(info()));
    }

    #[test]
    fn a_message_of_nobody_is_refused() {
        assert_eq!(OpenInfo::decode(&[0; MESSAGE_BYTES]), Err(EINVAL));
        assert_eq!(OpenInfo::decode(&[]), Err(EINVAL));
        let mut bytes = info().encode();
        bytes[2 + ID_AT] = b'x';
        assert_eq!(OpenInfo::decode(&bytes), Err(EINVAL));
    }
}
