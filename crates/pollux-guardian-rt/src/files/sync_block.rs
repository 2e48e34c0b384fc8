//! The sync block of a process file: what a primary sends to its backup before a group of requests (Guardian Procedure Calls,
//! `FILE_GETSYNCINFO_`). Ten bytes, as on the original: programs reserve no more.
//!
//! ```text
//!   0         2                                    10
//!   +---------+------------------------------------+
//!   | check   | sync id of the next request        |
//!   +---------+------------------------------------+
//! ```

use pollux_wire::{FileError, SyncId};

/// Bytes of the block.
pub const SYNC_BLOCK_BYTES: usize = 10;
/// Error 41: the block was altered.
const BAD_SYNC: FileError = FileError(41);
/// So that a block of zeros is not one.
const SALT: u16 = 0x5343;
/// After RESETSYNC programs count from 0 again. The count that servers see goes on: its high half grows.
const LOW_HALF: u64 = 0xffff_ffff;

/// The block for a file whose next request gets this sync id.
pub fn make(next: SyncId) -> [u8; SYNC_BLOCK_BYTES] {
    let mut block = [0; SYNC_BLOCK_BYTES];
    block[2..].copy_from_slice(&next.0.to_ne_bytes());
    block[..2].copy_from_slice(&check(next).to_ne_bytes());
    block
}

/// The sync id in a block. Error 41 for one that is damaged or too short.
pub fn read(block: &[u8]) -> Result<SyncId, FileError> {
    let (check_bytes, rest) = block.split_first_chunk::<2>().ok_or(BAD_SYNC)?;
    let next = SyncId(u64::from_ne_bytes(*rest.first_chunk::<8>().ok_or(BAD_SYNC)?));
    if u16::from_ne_bytes(*check_bytes) == check(next) { Ok(next) } else { Err(BAD_SYNC) }
}

/// Where the count goes on after RESETSYNC: what programs see is 0, what servers see is higher than all before.
pub fn after_reset(next: SyncId) -> SyncId {
    SyncId((next.0 & !LOW_HALF).wrapping_add(LOW_HALF + 1))
}

/// The half that programs see.
pub fn visible(sync: SyncId) -> u32 {
    (sync.0 & LOW_HALF) as u32
}

fn check(next: SyncId) -> u16 {
    let words = (0..4).map(|at| (next.0 >> (16 * at)) as u16);
    words.fold(SALT, |sum, word| sum.rotate_left(3) ^ word)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A backup that continues with another sync id executes a request twice, or gets the reply of another one.
    #[test]
    fn a_block_comes_back_and_a_damaged_one_is_refused() {
        let next = SyncId(0x1_0000_0007);
        let block = make(next);
        assert_eq!(read(&block), Ok(next));
        for at in 0..SYNC_BLOCK_BYTES {
            let mut damaged = block;
            damaged[at] ^= 4;
            assert_eq!(read(&damaged), Err(BAD_SYNC), "byte {at}");
        }
        assert_eq!(read(&[0; SYNC_BLOCK_BYTES]), Err(BAD_SYNC));
        assert_eq!(read(&block[..9]), Err(BAD_SYNC));
    }

    // A server that keeps replies itself must not take the first request after RESETSYNC for an old one.
    #[test]
    fn after_a_reset_programs_count_from_zero_and_servers_go_on() {
        let reset = after_reset(SyncId(41));
        assert_eq!((visible(reset), visible(reset.next())), (0, 1));
        assert!(reset > SyncId(41));
        assert!(after_reset(reset.next()) > reset);
    }
}
