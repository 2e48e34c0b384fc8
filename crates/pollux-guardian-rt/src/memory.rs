//! The memory of the C program: the one place where it is read and written.
//!
//! Nothing here can know whether an address is good. What can be checked is checked: null, and counts that no buffer can
//! have. A bad address ends the program, as it does in C.

#![allow(unsafe_code)]

use pollux_wire::{FileError, Phandle};
use std::ffi::c_void;

/// Guardian error 22: a null address where bytes are needed.
pub(crate) const BAD_ADDRESS: FileError = FileError(22);
/// No object of a C program is longer than this.
const BYTES_MAX: usize = isize::MAX as usize;

/// A buffer of the C program, kept while an operation runs. The program keeps it in place until the operation is finished:
/// that is the contract of every nowait procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffer {
    address: usize,
    bytes: usize,
}

impl Buffer {
    /// No buffer.
    pub const NONE: Self = Self { address: 0, bytes: 0 };

    /// A buffer of so many bytes. Error 22 if it is null and not empty.
    pub fn new(address: *const c_void, bytes: usize) -> Result<Self, FileError> {
        if (address.is_null() && bytes > 0) || bytes > BYTES_MAX {
            return Err(BAD_ADDRESS);
        }
        Ok(Self { address: address as usize, bytes })
    }

    /// Where it is.
    pub fn address(self) -> usize {
        self.address
    }

    /// How long it is.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// A copy of what is in it.
    pub fn get(self) -> Vec<u8> {
        if self.bytes == 0 {
            return Vec::new();
        }
        // SAFETY: not null; the C program has passed it as readable for so many bytes.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.bytes) }.to_vec()
    }

    /// What is behind so many bytes of it; nothing if it is not longer.
    pub fn behind(self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        Self { address: self.address.wrapping_add(bytes), bytes: self.bytes - bytes }
    }

    /// Lets `body` read it in place.
    pub fn view<T>(self, body: impl FnOnce(&[u8]) -> T) -> T {
        if self.bytes == 0 {
            return body(&[]);
        }
        // SAFETY: not null; the C program has passed it as readable for so many bytes, and waits while `body` runs.
        body(unsafe { std::slice::from_raw_parts(self.address as *const u8, self.bytes) })
    }

    /// Lets `body` write it in place.
    pub fn fill<T>(self, body: impl FnOnce(&mut [u8]) -> T) -> T {
        if self.bytes == 0 {
            return body(&mut []);
        }
        // SAFETY: not null; the C program has passed it as writable for so many bytes, and waits while `body` runs. Bytes of a
        // C object always have a value.
        body(unsafe { std::slice::from_raw_parts_mut(self.address as *mut u8, self.bytes) })
    }

    /// Writes bytes at its beginning; those that have no room are dropped. Returns how many were written.
    pub fn put(self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.bytes);
        if count > 0 {
            // SAFETY: not null, `count` is within what the C program has passed as writable; `bytes` is memory of ours.
            unsafe { std::ptr::copy(bytes.as_ptr(), self.address as *mut u8, count) };
        }
        count
    }
}

/// Where a scalar result goes: an address and the size of what the program has there, 1, 2, 4 or 8 bytes. Null for a
/// result that is not wanted.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    address: *mut c_void,
    size: usize,
}

impl Out {
    /// A place as the generated entry points pass it.
    pub fn new(address: *mut c_void, size: usize) -> Self {
        Self { address, size }
    }

    /// True when the program wants the result.
    pub fn is_wanted(self) -> bool {
        !self.address.is_null()
    }

    /// Stores a value, sign-extended or cut to the size of the place.
    pub fn put(self, value: i64) {
        if self.address.is_null() {
            return;
        }
        // Little-endian order would be wrong on a big-endian host; the four sizes are written as what they are.
        // SAFETY: not null; the compiler has told the size of what is there. Unaligned: structures are packed on two bytes.
        unsafe {
            match self.size {
                1 => self.address.cast::<i8>().write_unaligned(value as i8),
                2 => self.address.cast::<i16>().write_unaligned(value as i16),
                4 => self.address.cast::<i32>().write_unaligned(value as i32),
                8 => self.address.cast::<i64>().write_unaligned(value),
                _ => {}
            }
        }
    }
}

/// A copy of the name or text at `text`: `length` bytes that are UTF-8. Error 13 if they are not.
pub fn text(text: *const c_void, length: i16) -> Result<String, FileError> {
    let bytes = usize::try_from(length).map_err(|_| FileError::BAD_NAME)?;
    String::from_utf8(Buffer::new(text, bytes)?.get()).map_err(|_| FileError::BAD_NAME)
}

/// Writes one word; nothing for null.
pub fn put_word(to: *mut i16, value: i16) {
    Out::new(to.cast(), 2).put(i64::from(value));
}

/// One word. Error 22 for null.
pub fn word(from: *const i16) -> Result<i16, FileError> {
    let bytes = Buffer::new(from.cast(), 2)?.get();
    Ok(i16::from_ne_bytes([bytes[0], bytes[1]]))
}

/// So many words. Error 22 for null.
pub fn words(from: *const i16, count: usize) -> Result<Vec<i16>, FileError> {
    let bytes = Buffer::new(from.cast(), count * 2)?.get();
    Ok(bytes.chunks_exact(2).map(|pair| i16::from_ne_bytes([pair[0], pair[1]])).collect())
}

/// Writes words; nothing for null.
pub fn put_words(to: *mut i16, words: &[i16]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    if let Ok(buffer) = Buffer::new(to.cast(), bytes.len()) {
        buffer.put(&bytes);
    }
}

/// The address so many words behind another one. It is only an address: what is there is checked when it is used.
pub fn words_behind(from: *mut i16, count: usize) -> *mut i16 {
    from.wrapping_add(count)
}

/// The bytes at `from` up to the first that does not belong, which is not among them, and at most `max`; none for null.
/// Nothing behind that byte is read.
pub fn prefix(from: *const u8, max: usize, belongs: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < max {
        let next = Buffer::new(from.wrapping_add(bytes.len()).cast(), 1).map(Buffer::get).unwrap_or_default();
        match next.first() {
            Some(byte) if !from.is_null() && belongs(*byte) => bytes.push(*byte),
            _ => break,
        }
    }
    bytes
}

/// A copy of a text that ends with a null byte, if it is UTF-8; none for null.
pub fn c_text(from: *const u8) -> Option<String> {
    if from.is_null() {
        return None;
    }
    String::from_utf8(prefix(from, usize::MAX, |byte| byte != 0)).ok()
}

/// Copies of the texts whose addresses are at `from`, up to a null address and at most `max`; none for null.
pub fn c_texts(from: *const u8, max: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while !from.is_null() && texts.len() < max {
        let at = from.wrapping_add(texts.len() * size_of::<usize>());
        let Ok(bytes) = Buffer::new(at.cast(), size_of::<usize>()).map(Buffer::get) else { break };
        let address = usize::from_ne_bytes(bytes.try_into().expect("as many bytes as were asked for"));
        let Some(text) = c_text(address as *const u8) else { break };
        texts.push(text);
    }
    texts
}

/// The process handle at `from`; `None` for the null handle, of which the first word alone is enough. Error 22 for a null
/// address, 590 for words that are no handle.
pub fn phandle(from: *const i16) -> Result<Option<Phandle>, FileError> {
    if word(from)? == -1 {
        return Ok(None);
    }
    let mut handle = [0; 10];
    for (to, from) in handle.iter_mut().zip(words(from, 10)?) {
        *to = from as u16;
    }
    Phandle::from_words(handle).map(Some).ok_or(FileError(590))
}

/// Writes a process handle, the null handle for `None`; nothing for a null address.
pub fn put_phandle(to: *mut i16, handle: Option<Phandle>) {
    put_words(to, &handle_words(handle));
}

/// The ten words of a handle; all -1 for none.
pub fn handle_words(handle: Option<Phandle>) -> [i16; 10] {
    handle.map_or([-1; 10], |handle| handle.to_words().map(|word| word as i16))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A count stored with the wrong width overwrites the caller's next variable.
    #[test]
    fn results_have_the_size_of_their_place() {
        let mut place = [0x55u8; 16];
        for size in [1, 2, 4, 8] {
            place.fill(0x55);
            Out::new(place.as_mut_ptr().cast(), size).put(-2);
            assert_eq!(place[0], 0xfe);
            assert!(place[1..size].iter().all(|byte| *byte == 0xff));
            assert!(place[size..].iter().all(|byte| *byte == 0x55), "size {size}");
        }
    }

    // A null buffer with a length must be error 22, not the end of the program.
    #[test]
    fn null_is_refused_where_bytes_are_needed() {
        assert_eq!(Buffer::new(std::ptr::null(), 1), Err(BAD_ADDRESS));
        assert_eq!(Buffer::new(std::ptr::null(), 0), Ok(Buffer::NONE));
        assert_eq!(word(std::ptr::null()), Err(BAD_ADDRESS));
        Out::new(std::ptr::null_mut(), 2).put(1);
        put_word(std::ptr::null_mut(), 1);
    }
}
