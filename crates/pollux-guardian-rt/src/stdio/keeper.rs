//! Bytes of a stream that could not be written, kept until they can.
//!
//! When the write function of a stream fails, the C library throws the buffered bytes away, and the next `fflush`
//! succeeds with nothing written. Programs repeat `fflush` after an error such as 45 and count on all being there. So the
//! bytes of a *buffered* stream are kept here, are written before any later ones, and the stream's write succeeds for the
//! C library while `fflush`, `fclose` and the error flag tell the truth. An *unbuffered* stream keeps nothing: its caller
//! is told at once, and repeats the call.
//!
//! Error 39 says that a repeated write is older than what is remembered. It is final: a second try would have the sync id of
//! another write, and be answered with what became of that one.

use pollux_wire::FileError;

/// Bytes kept of one stream; beyond that its writes fail for the C library too.
pub(crate) const KEPT_BYTES_MAX: usize = 1 << 20;

/// The bytes.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    kept: Vec<u8>,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Bytes that the C library may forget.
    pub(crate) count: usize,
    /// Why some of them are kept here, or lost.
    pub(crate) error: Option<FileError>,
}

impl Keeper {
    /// Forgets what is kept: the stream's state is set to another one.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
    }

    /// Writes what is kept, and then `data`. `write` writes some bytes and says how many.
    pub(crate) fn write(
        &mut self,
        data: &[u8],
        buffered: bool,
        mut write: impl FnMut(&[u8]) -> Result<usize, FileError>,
    ) -> Taken {
        if let Err(error) = self.drain(&mut write) {
            return self.keep(data, 0, buffered, error);
        }
        let mut written = 0;
        while written < data.len() {
            match write(&data[written..]) {
                Ok(0) => return self.keep(data, written, buffered, FileError(45)),
                Ok(count) => written += count.min(data.len() - written),
                Err(error) => return self.keep(data, written, buffered, error),
            }
        }
        Taken { count: written, error: None }
    }

    /// Writes what is kept.
    pub(crate) fn drain(
        &mut self,
        mut write: impl FnMut(&[u8]) -> Result<usize, FileError>,
    ) -> Result<(), FileError> {
        while !self.kept.is_empty() {
            let count = match write(&self.kept) {
                Err(FileError::OLD_SYNC) => {
                    self.kept.clear();
                    return Err(FileError::OLD_SYNC);
                }
                outcome => outcome?,
            };
            if count == 0 {
                return Err(FileError(45));
            }
            self.kept.drain(..count.min(self.kept.len()));
        }
        Ok(())
    }

    fn keep(&mut self, data: &[u8], written: usize, buffered: bool, error: FileError) -> Taken {
        let rest = &data[written..];
        if !buffered || error == FileError::OLD_SYNC || self.kept.len() + rest.len() > KEPT_BYTES_MAX {
            return Taken { count: written, error: Some(error) };
        }
        self.kept.extend_from_slice(rest);
        Taken { count: data.len(), error: Some(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // The trap: a program whose disk was full for a while must find every byte in its file, once and in order.
        #[test]
        fn nothing_is_lost_or_doubled(
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..20),
            outcomes in prop::collection::vec(0usize..6, 0..80),
        ) {
            let mut file = Vec::new();
            let mut outcomes = outcomes.into_iter();
            // 0 is an error, another number the most that is written at once.
            let mut disk = |bytes: &[u8]| match outcomes.next() {
                Some(0) => Err(FileError(45)),
                most => {
                    let count = bytes.len().min(most.unwrap_or(usize::MAX));
                    file.extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
            };
            let mut keeper = Keeper::default();
            for data in &writes {
                prop_assert_eq!(keeper.write(data, true, &mut disk).count, data.len());
            }
            let mut tries = 0;
            while keeper.drain(&mut disk).is_err() {
                tries += 1;
                prop_assert!(tries < 100);
            }
            prop_assert_eq!(file, writes.concat());
        }
    }

    // An unbuffered stream's caller repeats the call: what was kept would be there twice.
    #[test]
    fn an_unbuffered_stream_keeps_nothing() {
        let mut keeper = Keeper::default();
        let taken = keeper.write(b"abc", false, |_| Err(FileError(45)));
        assert_eq!(taken, Taken { count: 0, error: Some(FileError(45)) });
        assert!(keeper.kept.is_empty());
    }

    // A second try would be taken for the write behind this one, and that one be done twice.
    #[test]
    fn a_write_that_is_too_old_is_not_tried_again() {
        let mut keeper = Keeper::default();
        let taken = keeper.write(b"abc", true, |_| Err(FileError::OLD_SYNC));
        assert_eq!(taken, Taken { count: 0, error: Some(FileError::OLD_SYNC) });
        assert_eq!(keeper.write(b"abc", true, |_| Err(FileError(45))).count, 3);
        assert_eq!(keeper.drain(|_| Err(FileError::OLD_SYNC)), Err(FileError::OLD_SYNC));
        assert!(keeper.kept.is_empty());
    }

    // A disk that stays full must not eat all memory.
    #[test]
    fn there_is_a_limit() {
        let mut keeper = Keeper::default();
        let block = vec![0; KEPT_BYTES_MAX];
        assert_eq!(keeper.write(&block, true, |_| Err(FileError(43))).count, block.len());
        assert_eq!(keeper.write(b"x", true, |_| Err(FileError(43))).count, 0);
        assert_eq!(keeper.kept.len(), KEPT_BYTES_MAX);
    }
}
