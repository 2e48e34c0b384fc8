//! The bytes of a control file.
//!
//! ```text
//!      0  header, 64 bytes         magic, version, boot id
//!   4096  slots, 1024 bytes each   an open of the file: who, rights, and its last 16 completions
//! 266240  intent, 64 bytes         the one write that is under way, if any
//! 270336  data of that write
//! ```
//!
//! Each record ends with a check word over its other bytes, so that one that was written in part is no record. What a
//! torn record means is harmless at each place: a torn intent is a write that has not begun or is complete (the next writer
//! clears it first), a torn completion is written again from the intent, a torn slot belongs to nobody.

use super::exclusion::{Access, Exclusion};

/// Opens of one file at a time.
pub(crate) const SLOTS_MAX: usize = 256;
/// Completions that an open remembers; the largest sync depth is one less (Guardian Procedure Calls: 15).
pub(crate) const COMPLETIONS_KEPT: usize = 16;
/// Bytes of the header, of a slot's head, of a completion, of the intent.
pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const SLOT_HEAD_BYTES: usize = 64;
pub(crate) const COMPLETION_BYTES: usize = 40;
pub(crate) const INTENT_BYTES: usize = 64;
/// Distance of two slots.
pub(crate) const SLOT_BYTES: u64 = 1024;
/// Where the slots begin.
pub(crate) const SLOTS_AT: u64 = 4096;
/// Where the intent is.
pub(crate) const INTENT_AT: u64 = SLOTS_AT + SLOTS_MAX as u64 * SLOT_BYTES;
/// Where its data is.
pub(crate) const DATA_AT: u64 = INTENT_AT + 4096;

const HEADER_MAGIC: u64 = 0x3143_584c_4f50_4b44;
const SLOT_MAGIC: u64 = 0x544f_4c53_4b44_0001;
const INTENT_MAGIC: u64 = 0x544e_4554_4e49_0001;
const COMPLETION_MAGIC: u64 = 0x454e_4f44_4b44_0001;

/// Number of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotNumber(pub(crate) u16);

impl SlotNumber {
    /// Where the slot's head is.
    pub(crate) fn at(self) -> u64 {
        SLOTS_AT + u64::from(self.0) * SLOT_BYTES
    }

    /// Where the completion of this sync id is.
    pub(crate) fn completion_at(self, sync: u64) -> u64 {
        let index = sync % COMPLETIONS_KEPT as u64;
        self.at() + SLOT_HEAD_BYTES as u64 + index * COMPLETION_BYTES as u64
    }
}

/// Who has a file open: one entry for a process or for both halves of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenKey {
    /// Sequence number of the process instance: the same in both halves of a pair, never used again.
    pub(crate) instance: u64,
    /// Number of the file in the process.
    pub(crate) file_number: i16,
}

/// A slot's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Tells apart opens that used the same slot one after the other.
    pub(crate) serial: u64,
    /// Who.
    pub(crate) key: OpenKey,
    /// Rights.
    pub(crate) access: Access,
    /// What others may not.
    pub(crate) exclusion: Exclusion,
    /// Writes whose completions are given again.
    pub(crate) depth: u16,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Its sync id.
    pub(crate) sync: u64,
    /// Serial of the slot at that time: completions of an earlier open in the same slot do not count.
    pub(crate) serial: u64,
    /// Where the file's position is behind it.
    pub(crate) end: u64,
    /// Bytes written.
    pub(crate) count: u32,
    /// Guardian error number.
    pub(crate) error: u16,
}

/// A write that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Whose.
    pub(crate) slot: SlotNumber,
    /// See [`Completion::serial`].
    pub(crate) serial: u64,
    /// Its sync id.
    pub(crate) sync: u64,
    /// Where in the data file.
    pub(crate) offset: u64,
    /// How many bytes.
    pub(crate) length: u32,
    /// Size of the data file before.
    pub(crate) size_before: u64,
}

/// The header of a control file that was made since the machine started with this boot id.
pub(crate) fn header(boot: [u8; 16]) -> [u8; HEADER_BYTES] {
    let mut words = Words::new();
    words.put(HEADER_MAGIC);
    let (low, high) = boot.split_at(8);
    words.put(u64::from_le_bytes(low.try_into().expect("half of sixteen bytes")));
    words.put(u64::from_le_bytes(high.try_into().expect("half of sixteen bytes")));
    words.sealed()
}

impl Slot {
    /// The record.
    pub(crate) fn encode(self) -> [u8; SLOT_HEAD_BYTES] {
        let mut words = Words::new();
        words.put(SLOT_MAGIC);
        words.put(self.serial);
        words.put(self.key.instance);
        words.put(u64::from(self.key.file_number as u16));
        words.put(u64::from(self.access.number()));
        words.put(u64::from(self.exclusion.number()));
        words.put(u64::from(self.depth));
        words.sealed()
    }

    /// The slot that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let words = opened::<SLOT_HEAD_BYTES>(bytes, SLOT_MAGIC)?;
        Some(Self {
            serial: words(1),
            key: OpenKey { instance: words(2), file_number: words(3) as u16 as i16 },
            access: Access::from_number(words(4) as u16)?,
            exclusion: Exclusion::from_number(words(5) as u16)?,
            depth: words(6) as u16,
        })
    }
}

impl Completion {
    /// The record.
    pub(crate) fn encode(self) -> [u8; COMPLETION_BYTES] {
        let mut words = Words::new();
        words.put(COMPLETION_MAGIC ^ self.serial.rotate_left(20));
        words.put(self.sync);
        words.put(self.end);
        words.put(u64::from(self.count) << 16 | u64::from(self.error));
        words.sealed()
    }

    /// The completion that these bytes are, if they are one of that open.
    pub(crate) fn decode(bytes: &[u8], serial: u64) -> Option<Self> {
        let words = opened::<COMPLETION_BYTES>(bytes, COMPLETION_MAGIC ^ serial.rotate_left(20))?;
        let packed = words(3);
        Some(Self {
            sync: words(1),
            serial,
            end: words(2),
            count: (packed >> 16) as u32,
            error: packed as u16,
        })
    }
}

impl Intent {
    /// The record.
    pub(crate) fn encode(self) -> [u8; INTENT_BYTES] {
        let mut words = Words::new();
        words.put(INTENT_MAGIC);
        words.put(u64::from(self.slot.0));
        words.put(self.serial);
        words.put(self.sync);
        words.put(self.offset);
        words.put(u64::from(self.length));
        words.put(self.size_before);
        words.sealed()
    }

    /// The intent that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let words = opened::<INTENT_BYTES>(bytes, INTENT_MAGIC)?;
        let slot = u16::try_from(words(1)).ok().filter(|slot| usize::from(*slot) < SLOTS_MAX)?;
        Some(Self {
            slot: SlotNumber(slot),
            serial: words(2),
            sync: words(3),
            offset: words(4),
            length: u32::try_from(words(5)).ok()?,
            size_before: words(6),
        })
    }
}

struct Words {
    bytes: Vec<u8>,
}

impl Words {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(SLOT_HEAD_BYTES) }
    }

    fn put(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    fn sealed<const N: usize>(mut self) -> [u8; N] {
        self.bytes.resize(N - 8, 0);
        let check = check_word(&self.bytes);
        self.put(check);
        self.bytes.try_into().expect("resized to N - 8 and one word added")
    }
}

fn opened<const N: usize>(bytes: &[u8], magic: u64) -> Option<impl Fn(usize) -> u64> {
    let bytes: [u8; N] = bytes.try_into().ok()?;
    let words = move |index: usize| {
        u64::from_le_bytes(bytes[index * 8..index * 8 + 8].try_into().expect("eight bytes"))
    };
    (words(0) == magic && words(N / 8 - 1) == check_word(&bytes[..N - 8])).then_some(words)
}

/// FNV-1a: told apart must be a whole record and a part of one, not a friend and a foe.
pub(crate) fn check_word(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(SLOT_HEAD_BYTES + COMPLETIONS_KEPT * COMPLETION_BYTES <= SLOT_BYTES as usize);

    fn slot() -> Slot {
        Slot {
            serial: 77,
            key: OpenKey { instance: u64::MAX, file_number: -3 },
            access: Access::Write,
            exclusion: Exclusion::Protected,
            depth: 15,
        }
    }

    // A record that does not come back as it was would lose or repeat a write.
    #[test]
    fn records_come_back() {
        assert_eq!(Slot::decode(&slot().encode()), Some(slot()));
        let completion = Completion { sync: 9, serial: 77, end: 1 << 40, count: u32::MAX, error: 45 };
        assert_eq!(Completion::decode(&completion.encode(), 77), Some(completion));
        assert_eq!(Completion::decode(&completion.encode(), 78), None);
        let intent =
            Intent { slot: SlotNumber(255), serial: 77, sync: 9, offset: 5, length: 6, size_before: 7 };
        assert_eq!(Intent::decode(&intent.encode()), Some(intent));
    }

    // A half-written record taken for a whole one would put bytes at a wrong place.
    #[test]
    fn a_torn_record_is_none() {
        let old = Intent { slot: SlotNumber(1), serial: 1, sync: 1, offset: 1, length: 1, size_before: 1 };
        let new = Intent { slot: SlotNumber(2), serial: 2, sync: 2, offset: 2, length: 2, size_before: 2 };
        for cut in 1..INTENT_BYTES {
            let mut torn = old.encode();
            torn[..cut].copy_from_slice(&new.encode()[..cut]);
            if torn != old.encode() && torn != new.encode() {
                assert_eq!(Intent::decode(&torn), None, "cut at {cut}");
            }
        }
        assert_eq!(Intent::decode(&[0; INTENT_BYTES]), None);
    }
}
