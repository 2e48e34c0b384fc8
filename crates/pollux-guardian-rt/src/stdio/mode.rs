//! The mode of `fopen`, and what it means for a file.

use crate::disk::exclusion::{Access, Exclusion};

/// What a stream may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    /// First letter.
    pub(crate) kind: Kind,
    /// With `+`: both directions.
    pub(crate) update: bool,
    /// With `b`.
    pub(crate) binary: bool,
}

/// First letter of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `r`: the file must exist.
    Read,
    /// `w`: made or emptied.
    Write,
    /// `a`: made if missing; every write goes to the end.
    Append,
}

impl Mode {
    /// Reads a mode. Other letters than those of C are accepted behind the first, as the C library does.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let kind = match letters.next()? {
            'r' => Kind::Read,
            'w' => Kind::Write,
            'a' => Kind::Append,
            _ => return None,
        };
        let rest = letters.as_str();
        Some(Self { kind, update: rest.contains('+'), binary: rest.contains('b') })
    }

    /// Rights of the open.
    pub(crate) fn access(self) -> Access {
        match (self.kind, self.update) {
            (_, true) => Access::ReadWrite,
            (Kind::Read, false) => Access::Read,
            (_, false) => Access::Write,
        }
    }

    /// What others may not. Readers read beside a writer, as on Linux; two writers of a stream would mix their buffers,
    /// which the original forbids with protected opens and Linux programs do not expect: shared.
    pub(crate) fn exclusion(self) -> Exclusion {
        Exclusion::Shared
    }

    /// True if a missing file is made.
    pub(crate) fn makes(self) -> bool {
        self.kind != Kind::Read
    }

    /// True if the file is emptied. Never by a backup open: the primary's open did it.
    pub(crate) fn empties(self, backup: bool) -> bool {
        self.kind == Kind::Write && !backup
    }

    /// For `fopencookie`: a stream that is neither made nor emptied, for the C library does nothing to our files.
    pub(crate) fn for_the_c_library(self) -> &'static str {
        match (self.kind, self.update) {
            (Kind::Read, false) => "r",
            (Kind::Append, false) => "a",
            (Kind::Append, true) => "a+",
            (Kind::Write, false) => "w",
            (_, true) => "r+",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A mode that is misread empties a file that should have been read.
    #[test]
    fn modes_are_read() {
        let mode = Mode::parse("ab+").unwrap();
        assert_eq!((mode.kind, mode.update, mode.binary), (Kind::Append, true, true));
        assert_eq!(Mode::parse("a+b"), Mode::parse("ab+"));
        assert_eq!(Mode::parse("r").unwrap().access(), Access::Read);
        assert_eq!(Mode::parse("w").unwrap().access(), Access::Write);
        assert!(Mode::parse("w+").unwrap().empties(false));
        assert!(!Mode::parse("w+").unwrap().empties(true));
        assert!(!Mode::parse("rb+").unwrap().makes());
        assert_eq!(Mode::parse(""), None);
        assert_eq!(Mode::parse("+r"), None);
    }
}
