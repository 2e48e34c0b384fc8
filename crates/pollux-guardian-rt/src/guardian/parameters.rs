//! Parameters as the entry points hand them over, for procedures that speak of processes: texts, handles and places for
//! results, each given or left out.
//!
//! That groups are given whole and required parameters at all has been seen to before; null addresses have not.

use crate::memory::{self, BAD_ADDRESS, Buffer};
use pollux_wire::{FileError, Phandle};

/// A parameter whose value is none that the procedure takes (FEBADPARMVALUE).
pub(crate) const BAD_VALUE: FileError = FileError(590);
/// A result that is longer than its place (FEBUFTOOSMALL).
pub(crate) const BUFFER_TOO_SMALL: FileError = FileError(563);
/// A node that there is not (FENOSUCHSYS).
pub(crate) const NO_SUCH_NODE: FileError = FileError(18);

/// The text at `from`; none if it was left out or is empty.
pub(crate) fn text(from: Option<*const u8>, length: Option<i16>) -> Result<Option<String>, FileError> {
    match (from, length) {
        (Some(from), Some(length)) if length != 0 => memory::text(from.cast(), length).map(Some),
        _ => Ok(None),
    }
}

/// The handle at `from`; none if it was left out or is null. Error 22 for a null address, 590 for words that are none.
pub(crate) fn handle(from: Option<*mut i16>) -> Result<Option<Phandle>, FileError> {
    match from {
        Some(from) => memory::phandle(from),
        None => Ok(None),
    }
}

/// A place for words that must be there.
pub(crate) fn place(to: Option<*mut i16>) -> Result<*mut i16, FileError> {
    to.filter(|to| !to.is_null()).ok_or(BAD_ADDRESS)
}

/// Stores one word, if it is wanted.
pub(crate) fn put_word(to: Option<*mut i16>, value: i16) {
    if let Some(to) = to {
        memory::put_word(to, value);
    }
}

/// Stores a handle, if it is wanted; the null handle for none.
pub(crate) fn put_handle(to: Option<*mut i16>, handle: Option<Phandle>) {
    if let Some(to) = to {
        memory::put_phandle(to, handle);
    }
}

/// Where a text goes: the place, how long it is, and where the length of the text goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextPlace {
    /// The place.
    pub(crate) to: Option<*mut u8>,
    /// Its length.
    pub(crate) maxlen: Option<i16>,
    /// Where the length of the text goes.
    pub(crate) length: Option<*mut i16>,
}

impl TextPlace {
    /// Stores a text with its length. Error 563 for one that is too long, and the length 0; 22 for a null address.
    pub(crate) fn put(self, text: &str) -> Result<(), FileError> {
        let stored = self.try_put(text);
        put_word(self.length, if stored.is_ok() { text.len() as i16 } else { 0 });
        stored
    }

    fn try_put(self, text: &str) -> Result<(), FileError> {
        let (Some(to), Some(maxlen)) = (self.to, self.maxlen) else { return Ok(()) };
        let room = usize::try_from(maxlen).map_err(|_| BAD_VALUE)?;
        let place = Buffer::new(to.cast_const().cast(), room)?;
        if text.len() > room {
            return Err(BUFFER_TOO_SMALL);
        }
        place.put(text.as_bytes());
        Ok(())
    }

    /// True if the text or its length is wanted.
    pub(crate) fn is_wanted(self) -> bool {
        self.to.is_some() || self.length.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A text that is cut off names another process; one that runs over destroys the caller's next variable.
    #[test]
    fn texts_fit_or_are_refused() {
        let mut buffer = [b'-'; 6];
        let mut length = -1;
        let mut put = |maxlen: i16, text: &str| {
            let place = TextPlace {
                to: Some(buffer.as_mut_ptr()),
                maxlen: Some(maxlen),
                length: Some(&raw mut length),
            };
            (place.put(text), buffer, length)
        };
        assert_eq!(put(4, "$SRV"), (Ok(()), *b"$SRV--", 4));
        assert_eq!(put(3, "$ABC"), (Err(BUFFER_TOO_SMALL), *b"$SRV--", 0));
        assert_eq!(put(-1, "$ABC").0, Err(BAD_VALUE));
        let null = TextPlace { to: Some(std::ptr::null_mut()), maxlen: Some(4), length: None };
        assert_eq!(null.put("a"), Err(BAD_ADDRESS));
        assert_eq!(TextPlace { to: None, maxlen: None, length: None }.put("a"), Ok(()));
    }

    #[test]
    fn left_out_null_and_wrong_handles() {
        assert_eq!(handle(None), Ok(None));
        assert_eq!(handle(Some(std::ptr::null_mut())), Err(BAD_ADDRESS));
        assert_eq!(handle(Some([-1i16; 10].as_mut_ptr())), Ok(None));
        assert_eq!(handle(Some([0i16; 10].as_mut_ptr())), Err(BAD_VALUE));
        assert_eq!(text(None, None), Ok(None));
        assert_eq!(text(Some(b"ab".as_ptr()), Some(2)), Ok(Some("ab".to_owned())));
    }
}
