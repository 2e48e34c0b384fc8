//! Builds what a C program reads as an array of 16-bit words: messages and lists of values.
//!
//! Numbers of 32 and 64 bits stand in the host's byte order, as a structure packed on two bytes has them
//! (a program overlays the words with such a structure), and begin at any word.

use pollux_wire::Phandle;

/// Words of a process handle.
pub(crate) const HANDLE_WORDS: usize = 10;
/// The handle of no process: all ones.
pub(crate) const NULL_HANDLE: [u16; HANDLE_WORDS] = [0xffff; HANDLE_WORDS];

/// Words in the making.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<u16>);

impl Words {
    /// Begins with a message number.
    pub(crate) fn message(number: i16) -> Self {
        let mut words = Self::default();
        words.word(number);
        words
    }

    /// One word.
    pub(crate) fn word(&mut self, value: i16) {
        self.0.push(value as u16);
    }

    /// One word of flags or of an unsigned number.
    pub(crate) fn unsigned(&mut self, value: u16) {
        self.0.push(value);
    }

    /// Two words.
    pub(crate) fn int32(&mut self, value: i32) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Four words.
    pub(crate) fn int64(&mut self, value: i64) {
        self.bytes(&value.to_ne_bytes());
    }

    /// Ten words; null for none.
    pub(crate) fn handle(&mut self, value: Option<Phandle>) {
        self.0.extend(value.map_or(NULL_HANDLE, Phandle::to_words));
    }

    /// `count` words of zero.
    pub(crate) fn reserved(&mut self, count: usize) {
        self.0.extend(std::iter::repeat_n(0, count));
    }

    /// Bytes from the next word on, with a zero byte behind an odd number of them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(2) {
            self.0.push(u16::from_ne_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The words.
    pub(crate) fn as_slice(&self) -> &[u16] {
        &self.0
    }

    /// The words as the bytes that a program's buffer gets.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_iter().flat_map(u16::to_ne_bytes).collect()
    }
}

/// The word at a place of a message, if it is that long.
pub(crate) fn word_at(message: &[u8], at: usize) -> Option<i16> {
    let bytes = message.get(at * 2..at * 2 + 2)?;
    Some(i16::from_ne_bytes([bytes[0], bytes[1]]))
}

/// The 32-bit number that begins at a word of a message.
pub(crate) fn int32_at(message: &[u8], at: usize) -> Option<i32> {
    let bytes = message.get(at * 2..at * 2 + 4)?;
    Some(i32::from_ne_bytes(bytes.try_into().expect("the range has four bytes")))
}

/// The handle that begins at a word of a message; a null one is `Some(None)`.
pub(crate) fn handle_at(message: &[u8], at: usize) -> Option<Option<Phandle>> {
    let mut words = [0; HANDLE_WORDS];
    for (offset, word) in words.iter_mut().enumerate() {
        *word = word_at(message, at + offset)? as u16;
    }
    Some(Phandle::from_words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program reads these fields through a packed structure: each must stand at its documented word, in host order.
    #[test]
    fn fields_stand_where_a_packed_structure_has_them() {
        let mut words = Words::message(-102);
        words.int32(0x0102_0304);
        words.int64(-5);
        words.bytes(b"abc");
        let bytes = words.into_bytes();
        assert_eq!(word_at(&bytes, 0), Some(-102));
        assert_eq!(int32_at(&bytes, 1), Some(0x0102_0304));
        assert_eq!(bytes[6..14], (-5i64).to_ne_bytes());
        assert_eq!(&bytes[14..], b"abc\0");
        assert_eq!(int32_at(&bytes, 8), None, "a field that the message is too short for");
    }

    #[test]
    fn a_null_handle_is_no_process() {
        let mut words = Words::default();
        words.handle(None);
        assert_eq!(handle_at(&words.clone().into_bytes(), 0), Some(None));
        assert_eq!(words.len(), HANDLE_WORDS);
        assert_eq!(handle_at(&words.into_bytes(), 1), None);
    }
}
