//! Who may open a disk file beside whom (Guardian Procedure Calls, `FILE_OPEN_`, access and exclusion).
//!
//! The two halves of a pair are one opener: this module is only asked about different ones.

/// What an opener may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// 0: read and write.
    ReadWrite,
    /// 1: read.
    Read,
    /// 2: write.
    Write,
}

impl Access {
    /// The access with this number. 3 is for tapes: a disk file that is extended is written.
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::ReadWrite),
            1 => Some(Self::Read),
            2 | 3 => Some(Self::Write),
            _ => None,
        }
    }

    /// The number.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::ReadWrite => 0,
            Self::Read => 1,
            Self::Write => 2,
        }
    }

    /// True when the opener may read.
    pub(crate) fn reads(self) -> bool {
        self != Self::Write
    }

    /// True when the opener may write.
    pub(crate) fn writes(self) -> bool {
        self != Self::Read
    }
}

/// What an opener forbids to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exclusion {
    /// 0: nothing.
    Shared,
    /// 1, and 2 (exclusive for the process): any open.
    Exclusive,
    /// 3: opens that write.
    Protected,
}

impl Exclusion {
    /// The exclusion with this number.
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Shared),
            1 | 2 => Some(Self::Exclusive),
            3 => Some(Self::Protected),
            _ => None,
        }
    }

    /// The number.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Shared => 0,
            Self::Exclusive => 1,
            Self::Protected => 3,
        }
    }

    fn admits(self, other: Access) -> bool {
        match self {
            Self::Shared => true,
            Self::Exclusive => false,
            Self::Protected => !other.writes(),
        }
    }
}

/// True when both may have the file open at the same time; otherwise the later one gets error 12.
pub(crate) fn may_coexist(one: (Access, Exclusion), other: (Access, Exclusion)) -> bool {
    one.1.admits(other.0) && other.1.admits(one.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Access::{Read, ReadWrite, Write};
    use Exclusion::{Exclusive, Protected, Shared};

    // A program that relies on an exclusive open would share its file with others.
    #[test]
    fn the_table_of_exclusions() {
        for other in [Read, Write, ReadWrite] {
            for exclusion in [Shared, Exclusive, Protected] {
                assert!(!may_coexist((Read, Exclusive), (other, exclusion)));
                assert!(!may_coexist((other, exclusion), (Read, Exclusive)));
            }
            assert!(may_coexist((ReadWrite, Shared), (other, Shared)));
        }
        assert!(may_coexist((Write, Protected), (Read, Shared)));
        assert!(!may_coexist((Write, Protected), (Write, Shared)));
        assert!(!may_coexist((Write, Shared), (Read, Protected)));
        assert!(may_coexist((Read, Protected), (Read, Protected)));
        assert!(!may_coexist((Write, Protected), (Read, Protected)));
    }
}
