//! Gives out file numbers (Guardian Procedure Calls, `FILE_OPEN_`): 0 is `$RECEIVE`, the others begin with 1, the lowest free
//! one is given. A backup open asks for the number that the primary has.

use pollux_wire::FileError;
use std::collections::BTreeMap;

/// Open files of a process; one more is error 34.
pub const FILES_MAX: usize = 4_096;
/// Error 34: no control block.
pub(crate) const NO_CONTROL_BLOCK: FileError = FileError(34);

/// Open files by their numbers.
#[derive(Debug)]
pub struct Table<F> {
    files: BTreeMap<i16, F>,
}

impl<F> Default for Table<F> {
    fn default() -> Self {
        Self { files: BTreeMap::new() }
    }
}

/// Which number a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// 0: `$RECEIVE`.
    Receive,
    /// The lowest that is free.
    Lowest,
    /// This one (a backup open).
    Given(i16),
    /// This one, or the lowest that is free (a backup open with options.<3>).
    Preferred(i16),
}

impl<F> Table<F> {
    /// The number that a file would get. Error 12 for one that is taken, 590 for one that no file can have.
    pub fn number(&self, wanted: Number) -> Result<i16, FileError> {
        let free = |number: i16| !self.files.contains_key(&number);
        match wanted {
            Number::Receive if free(0) => Ok(0),
            Number::Receive => Err(FileError::IN_USE),
            Number::Given(number) if number < 1 => Err(FileError(590)),
            Number::Given(number) if free(number) => Ok(number),
            Number::Given(_) => Err(FileError::IN_USE),
            Number::Preferred(number) if number > 0 && free(number) => Ok(number),
            Number::Lowest | Number::Preferred(_) => {
                if self.files.len() >= FILES_MAX {
                    return Err(NO_CONTROL_BLOCK);
                }
                (1..=i16::MAX).find(|number| free(*number)).ok_or(NO_CONTROL_BLOCK)
            }
        }
    }

    /// Enters a file.
    pub fn insert(&mut self, number: i16, file: F) {
        self.files.insert(number, file);
    }

    /// The file with this number. Error 16 if there is none.
    pub fn get_mut(&mut self, number: i16) -> Result<&mut F, FileError> {
        self.files.get_mut(&number).ok_or(FileError::NOT_OPEN)
    }

    /// The file with this number. Error 16 if there is none.
    pub fn get(&self, number: i16) -> Result<&F, FileError> {
        self.files.get(&number).ok_or(FileError::NOT_OPEN)
    }

    /// Takes a file out; its number is free at once. Error 16 if there is none.
    pub fn remove(&mut self, number: i16) -> Result<F, FileError> {
        self.files.remove(&number).ok_or(FileError::NOT_OPEN)
    }

    /// All files with their numbers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i16, &mut F)> {
        self.files.iter_mut().map(|(number, file)| (*number, file))
    }

    /// All files with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (i16, &F)> {
        self.files.iter().map(|(number, file)| (*number, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A backup that gets another number than its primary addresses another file after the takeover.
    #[test]
    fn numbers_are_given_as_the_manual_says() {
        let mut table = Table::default();
        for expected in 1..=3 {
            let number = table.number(Number::Lowest).unwrap();
            assert_eq!(number, expected);
            table.insert(number, ());
        }
        table.remove(2).unwrap();
        assert_eq!(table.number(Number::Lowest), Ok(2), "free at once");
        assert_eq!(table.number(Number::Receive), Ok(0));
        assert_eq!(table.number(Number::Given(3)), Err(FileError::IN_USE));
        assert_eq!(table.number(Number::Given(9)), Ok(9));
        assert_eq!(table.number(Number::Preferred(3)), Ok(2));
        assert_eq!(table.number(Number::Preferred(9)), Ok(9));
        assert_eq!(table.number(Number::Given(0)), Err(FileError(590)));
        table.insert(0, ());
        assert_eq!(table.number(Number::Receive), Err(FileError::IN_USE));
        assert_eq!(table.get(2), Err(FileError::NOT_OPEN));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut table = Table::default();
        for _ in 0..FILES_MAX {
            let number = table.number(Number::Lowest).unwrap();
            table.insert(number, ());
        }
        assert_eq!(table.number(Number::Lowest), Err(NO_CONTROL_BLOCK));
    }
}
