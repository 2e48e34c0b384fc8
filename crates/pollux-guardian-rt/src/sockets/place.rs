//! Where the program wants an address: room for it, and a number that tells the room and is told the length.

use super::address;
use super::ioctl::Stores;
use super::numbers::{EFAULT, EINVAL};
use crate::entry::{self, Out};
use crate::memory::Buffer;
use pollux_wire::FileError;
use std::net::SocketAddr;

/// Room for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    room: Buffer,
    /// Where the length goes, and the size of the number there; 0 for none.
    length: Buffer,
}

impl Place {
    /// No address is wanted.
    pub(crate) const NONE: Self = Self { room: Buffer::NONE, length: Buffer::NONE };

    /// The place of a call. Without a length there is room for an address of version 4. Error 4022 for a length below 0.
    pub(crate) fn new(room: *mut u8, length: Option<Out>) -> Result<Self, FileError> {
        if room.is_null() {
            return Ok(Self::NONE);
        }
        let (bytes, length) = match length.filter(|length| !length.pointer.is_null()) {
            None => (address::V4_BYTES, Buffer::NONE),
            Some(out) => {
                let bytes = entry::get(out).map_err(|_| EFAULT)?;
                let place = Buffer::new(out.pointer.cast(), out.size).map_err(|_| EFAULT)?;
                // Programs let the number be what it was: room for more than any address is room for one.
                let bytes = usize::try_from(bytes).map_err(|_| EINVAL)?;
                (bytes.min(address::V6_BYTES), place)
            }
        };
        Ok(Self { room: Buffer::new(room.cast(), bytes).map_err(|_| EFAULT)?, length })
    }

    /// Stores an address, cut to the room, and its whole length.
    pub(crate) fn put(self, to: SocketAddr) {
        let bytes = address::encode(address::plain(to));
        self.room.put(&bytes);
        self.put_length(bytes.len());
    }

    /// Stores a length alone.
    pub(crate) fn put_length(self, length: usize) {
        entry::put_sized(self.length, length as i64);
    }

    /// The place of an option's value. Error 4014 without a length.
    pub(crate) fn of_value(room: *mut u8, length: Option<Out>) -> Result<Self, FileError> {
        /// Longer than any option.
        const VALUE_BYTES_MAX: usize = 256;
        let out = length.filter(|length| !length.pointer.is_null()).ok_or(EFAULT)?;
        let bytes = usize::try_from(entry::get(out).map_err(|_| EFAULT)?).map_err(|_| EINVAL)?;
        let room = Buffer::new(room.cast(), bytes.min(VALUE_BYTES_MAX)).map_err(|_| EFAULT)?;
        Ok(Self { room, length: Buffer::new(out.pointer.cast(), out.size).map_err(|_| EFAULT)? })
    }

    /// What is to be stored for an address.
    pub(crate) fn stores(self, to: SocketAddr) -> Stores {
        let bytes = address::encode(address::plain(to));
        let length = bytes.len();
        self.with_length(bytes, length)
    }

    /// What is to be stored for an option's value: cut to the room.
    pub(crate) fn stores_of(self, value: &[u8]) -> Stores {
        let length = value.len().min(self.room.bytes());
        self.with_length(value.to_vec(), length)
    }

    fn with_length(self, bytes: Vec<u8>, length: usize) -> Stores {
        let number = (length as i64).to_ne_bytes();
        let number = if cfg!(target_endian = "big") {
            number[8 - self.length.bytes().min(8)..].to_vec()
        } else {
            number[..self.length.bytes().min(8)].to_vec()
        };
        vec![(self.room, bytes), (self.length, number)]
    }
}
