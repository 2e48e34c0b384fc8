//! A structure of C with pointers into itself: laid out with offsets, turned into addresses when it has its place.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

/// Bytes of a pointer, which is also what every part begins at a multiple of.
const POINTER_BYTES: usize = size_of::<usize>();

/// A structure that is being laid out.
#[derive(Debug, Default)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    links: Vec<(usize, usize)>,
}

impl Image {
    /// Room for so many bytes, all 0: its offset.
    pub(crate) fn room(&mut self, bytes: usize) -> usize {
        let at = self.bytes.len().next_multiple_of(POINTER_BYTES);
        self.bytes.resize(at + bytes, 0);
        at
    }

    /// Writes bytes at an offset.
    pub(crate) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes an `int`.
    pub(crate) fn put_int(&mut self, at: usize, value: i32) {
        self.put(at, &value.to_ne_bytes());
    }

    /// The pointer at an offset points to another one.
    pub(crate) fn link(&mut self, at: usize, to: usize) {
        self.links.push((at, to));
    }

    /// Adds bytes: their offset.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> usize {
        let at = self.room(bytes.len());
        self.put(at, bytes);
        at
    }

    /// Adds a text that ends with a null byte.
    pub(crate) fn text(&mut self, text: &str) -> usize {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.add(&bytes)
    }

    /// Adds an array of pointers to these offsets that ends with a null pointer.
    pub(crate) fn list(&mut self, targets: &[usize]) -> usize {
        let at = self.room((targets.len() + 1) * POINTER_BYTES);
        for (index, target) in targets.iter().enumerate() {
            self.link(at + index * POINTER_BYTES, *target);
        }
        at
    }

    /// Adds an array of texts.
    pub(crate) fn texts(&mut self, texts: &[String]) -> usize {
        let targets: Vec<usize> = texts.iter().map(|text| self.text(text)).collect();
        self.list(&targets)
    }

    /// Gives it its place. The pointers are good while the words stay where they are.
    fn place(self) -> Vec<usize> {
        let mut words = vec![0; self.bytes.len().div_ceil(POINTER_BYTES)];
        for (word, bytes) in words.iter_mut().zip(self.bytes.chunks(POINTER_BYTES)) {
            let mut whole = [0; POINTER_BYTES];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = usize::from_ne_bytes(whole);
        }
        let base = words.as_mut_ptr() as usize;
        for (at, to) in self.links {
            words[at / POINTER_BYTES] = base + to;
        }
        words
    }
}

/// Results that stay until the same routine is called again, by routine.
static KEPT: Mutex<BTreeMap<&'static str, Vec<usize>>> = Mutex::new(BTreeMap::new());
/// Results that the program gives back, by address.
static GIVEN: Mutex<BTreeMap<usize, Vec<usize>>> = Mutex::new(BTreeMap::new());

/// Keeps a result for the program until `routine` has the next one.
pub(crate) fn keep(routine: &'static str, image: Image) -> *mut c_void {
    let mut words = image.place();
    let address = words.as_mut_ptr();
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(routine, words);
    address.cast()
}

/// Gives a result to the program, which gives it back with [`take_back`].
pub(crate) fn give(image: Image) -> *mut c_void {
    let mut words = image.place();
    if words.is_empty() {
        return null_mut();
    }
    let address = words.as_mut_ptr();
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(address as usize, words);
    address.cast()
}

/// The program does not need a result any more. An address that is not one of ours is left alone.
pub(crate) fn take_back(address: *mut u8) {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&(address as usize));
}

#[cfg(test)]
mod tests {
    use super::*;

    // A pointer that is off by one word is a crash of the program.
    #[test]
    fn pointers_point_into_the_image() {
        let mut image = Image::default();
        let head = image.room(2 * POINTER_BYTES);
        let text = image.text("name");
        let list = image.texts(&["a".to_owned(), "b".to_owned()]);
        image.link(head, text);
        image.link(head + POINTER_BYTES, list);
        let words = image.place();
        let base = words.as_ptr() as usize;
        assert_eq!(words[0] - base, text);
        assert_eq!(words[1] - base, list);
        assert_eq!(words[text / POINTER_BYTES].to_ne_bytes()[..5], *b"name\0");
        let first = (words[list / POINTER_BYTES] - base) / POINTER_BYTES;
        assert_eq!(words[first].to_ne_bytes()[..2], *b"a\0");
        assert_eq!(words[list / POINTER_BYTES + 2], 0);
    }
}
