//! The sync block of a disk file: what `FILE_GETSYNCINFO_` gives and `FILE_SETSYNCINFO_` takes
//! (Guardian Procedure Calls, 447 and 516).
//!
//! ```text
//!   0  "PXDS"          4  file number     6  sync depth
//!   8  sync id        16  current record  24  next record   32  check word
//! ```

use super::layout::check_word;
use pollux_wire::FileError;

/// Bytes of a disk file's block; the manual's figure for a disk file, 44, holds it.
pub(crate) const SYNC_BLOCK_BYTES: usize = 40;

const MAGIC: [u8; 4] = *b"PXDS";

/// FEBADSYNC: the block was changed on its way, or is of another file.
const BAD_SYNC: FileError = FileError(41);

/// Where an open stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncBlock {
    /// Number of the file.
    pub(crate) file_number: i16,
    /// Its sync depth.
    pub(crate) depth: u16,
    /// Sync id of its last write.
    pub(crate) sync: u64,
    /// Where the last operation began.
    pub(crate) current: u64,
    /// Where the next one begins; all bits: at the end.
    pub(crate) next: u64,
}

impl SyncBlock {
    /// The bytes.
    pub(crate) fn encode(&self) -> [u8; SYNC_BLOCK_BYTES] {
        let mut bytes = [0; SYNC_BLOCK_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.file_number.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.depth.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sync.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.current.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.next.to_le_bytes());
        let check = check_word(&bytes[..32]);
        bytes[32..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The block that these bytes are; 41 if they are none. Bytes behind it do not count: programs pass whole buffers.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FileError> {
        let bytes: &[u8; SYNC_BLOCK_BYTES] = bytes.first_chunk().ok_or(BAD_SYNC)?;
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[..4] != MAGIC || word(32) != check_word(&bytes[..32]) {
            return Err(BAD_SYNC);
        }
        Ok(Self {
            file_number: i16::from_le_bytes([bytes[4], bytes[5]]),
            depth: u16::from_le_bytes([bytes[6], bytes[7]]),
            sync: word(8),
            current: word(16),
            next: word(24),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A damaged block taken for a good one makes a pair repeat or skip writes.
    #[test]
    fn any_changed_byte_is_error_41() {
        let block = SyncBlock { file_number: 7, depth: 15, sync: 99, current: 1 << 33, next: u64::MAX };
        let bytes = block.encode();
        assert_eq!(SyncBlock::decode(&bytes), Ok(block));
        for at in 0..bytes.len() {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert_eq!(SyncBlock::decode(&damaged), Err(BAD_SYNC), "byte {at}");
        }
        assert_eq!(SyncBlock::decode(&bytes[..39]), Err(BAD_SYNC));
        let mut longer = bytes.to_vec();
        longer.extend([1, 2, 3]);
        assert_eq!(SyncBlock::decode(&longer), Ok(block));
    }
}
