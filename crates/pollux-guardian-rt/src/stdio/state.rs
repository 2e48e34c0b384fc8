//! What `__ns_fget_file_open_state` and `__ns_fget_file_state` give, and their twins take.
//!
//! Plain bytes of a fixed size: programs copy them, send them between the halves, and put several into one message. Both
//! halves have the same run-time, so the layout may change between releases, except that the first eight bytes of a file
//! state are the position as a signed number: programs look at it.

use crate::disk::layout::check_word;
use crate::disk::sync_block::SYNC_BLOCK_BYTES;

/// Bytes of `__ns_std_io_file_open_state`, as the header has it.
pub(crate) const OPEN_STATE_BYTES: usize = 512;
/// Bytes of `__ns_std_io_file_state`, as the header has it.
pub(crate) const FILE_STATE_BYTES: usize = 256;
/// Longest file name that an open state holds.
pub(crate) const STATE_NAME_BYTES_MAX: usize = 464;

const OPEN_MAGIC: [u8; 8] = *b"PXFOPEN1";
const FILE_MAGIC: [u8; 8] = *b"PXFSTAT1";

/// The open of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenState {
    /// Number of the file.
    pub(crate) file_number: i16,
    /// Sync depth.
    pub(crate) depth: u16,
    /// Mode of `fopen`, at most 7 characters.
    pub(crate) mode: String,
    /// Name as the program gave it: a DEFINE is followed again by the backup.
    pub(crate) name: String,
}

/// Where a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Position of the stream.
    pub(crate) position: i64,
    /// Number of the file.
    pub(crate) file_number: i16,
    /// The sync block, empty for a file that has none.
    pub(crate) sync_block: Vec<u8>,
}

/// Longest sync block that a file state holds.
pub(crate) const STATE_SYNC_BYTES_MAX: usize = 200;
const _: () = assert!(SYNC_BLOCK_BYTES <= STATE_SYNC_BYTES_MAX);

impl OpenState {
    /// The bytes; nothing for a name that is too long.
    pub(crate) fn encode(&self) -> Option<[u8; OPEN_STATE_BYTES]> {
        let (name, mode) = (self.name.as_bytes(), self.mode.as_bytes());
        if name.len() > STATE_NAME_BYTES_MAX || mode.len() > 7 {
            return None;
        }
        let mut bytes = [0; OPEN_STATE_BYTES];
        bytes[..8].copy_from_slice(&OPEN_MAGIC);
        bytes[8..10].copy_from_slice(&self.file_number.to_ne_bytes());
        bytes[10..12].copy_from_slice(&self.depth.to_ne_bytes());
        bytes[12..14].copy_from_slice(&(name.len() as u16).to_ne_bytes());
        bytes[16..16 + mode.len()].copy_from_slice(mode);
        bytes[24..24 + name.len()].copy_from_slice(name);
        Some(sealed(bytes))
    }

    /// The open state that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = checked::<OPEN_STATE_BYTES>(bytes)?;
        if bytes[..8] != OPEN_MAGIC {
            return None;
        }
        let length = usize::from(u16::from_ne_bytes([bytes[12], bytes[13]]));
        let mode = bytes[16..24].split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self {
            file_number: i16::from_ne_bytes([bytes[8], bytes[9]]),
            depth: u16::from_ne_bytes([bytes[10], bytes[11]]),
            mode: String::from_utf8(mode.to_vec()).ok()?,
            name: String::from_utf8(bytes.get(24..24 + length)?.to_vec()).ok()?,
        })
    }
}

impl FileState {
    /// The bytes; nothing for a sync block that is too long.
    pub(crate) fn encode(&self) -> Option<[u8; FILE_STATE_BYTES]> {
        let block = &self.sync_block;
        if block.len() > STATE_SYNC_BYTES_MAX {
            return None;
        }
        let mut bytes = [0; FILE_STATE_BYTES];
        bytes[..8].copy_from_slice(&self.position.to_ne_bytes());
        bytes[8..16].copy_from_slice(&FILE_MAGIC);
        bytes[16..18].copy_from_slice(&self.file_number.to_ne_bytes());
        bytes[18..20].copy_from_slice(&(block.len() as u16).to_ne_bytes());
        bytes[24..24 + block.len()].copy_from_slice(block);
        Some(sealed(bytes))
    }

    /// The file state that these bytes are, if they are one. The position does not count in the check: a program that has
    /// set it means it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = checked::<FILE_STATE_BYTES>(bytes)?;
        if bytes[8..16] != FILE_MAGIC {
            return None;
        }
        let length = usize::from(u16::from_ne_bytes([bytes[18], bytes[19]]));
        Some(Self {
            position: i64::from_ne_bytes(bytes[..8].try_into().ok()?),
            file_number: i16::from_ne_bytes([bytes[16], bytes[17]]),
            sync_block: bytes.get(24..24 + length)?.to_vec(),
        })
    }
}

fn sealed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    let check = check_word(&bytes[8..N - 8]);
    bytes[N - 8..].copy_from_slice(&check.to_ne_bytes());
    bytes
}

fn checked<const N: usize>(bytes: &[u8]) -> Option<&[u8; N]> {
    let bytes: &[u8; N] = bytes.try_into().ok()?;
    let check = check_word(&bytes[8..N - 8]);
    (bytes[N - 8..] == check.to_ne_bytes()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The backup opens another file, or goes on at another place, if a state does not come back as it was.
    #[test]
    fn states_come_back() {
        let open = OpenState { file_number: 3, depth: 15, mode: "ab+".into(), name: "$DATA.SUB.FILE".into() };
        assert_eq!(OpenState::decode(&open.encode().unwrap()), Some(open.clone()));
        assert_eq!(OpenState { name: "x".repeat(465), ..open.clone() }.encode(), None);
        let state = FileState { position: 1 << 40, file_number: 3, sync_block: vec![7; 40] };
        let bytes = state.encode().unwrap();
        assert_eq!(bytes[..8], (1i64 << 40).to_ne_bytes());
        assert_eq!(FileState::decode(&bytes), Some(state));
        assert_eq!(FileState::decode(&open.encode().unwrap()), None);
        assert_eq!(OpenState::decode(&[0; OPEN_STATE_BYTES]), None);
    }

    // A variable that was never filled, or was damaged on its way, must be refused and not be used.
    #[test]
    fn damaged_states_are_refused() {
        let bytes = FileState { position: 5, file_number: 3, sync_block: Vec::new() }.encode().unwrap();
        for at in 8..FILE_STATE_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(FileState::decode(&damaged), None, "byte {at}");
        }
    }
}
