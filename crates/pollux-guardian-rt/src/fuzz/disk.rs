//! The control file of a data file, and sync blocks that programs carry from one half to the other.

use crate::disk::journal::{self, Completions, Media, Place, Verdict, Write};
use crate::disk::layout::{
    COMPLETION_BYTES, Completion, DATA_AT, INTENT_AT, INTENT_BYTES, Intent, SLOT_HEAD_BYTES, SLOTS_AT, Slot,
    SlotNumber, check_word,
};
use crate::disk::sync_block::{SYNC_BLOCK_BYTES, SyncBlock};
use crate::files::sync_block;
use std::io;

/// Where each kind of record has its first word; the rest of it is any bytes.
fn magic_of(kind: u8) -> ([u8; 8], usize) {
    let zero = |bytes: &[u8]| *bytes.first_chunk::<8>().expect("a record is longer");
    match kind {
        0 => (zero(&seed_slot()), SLOT_HEAD_BYTES),
        1 => (zero(&seed_completion()), COMPLETION_BYTES),
        _ => (zero(&seed_intent()), INTENT_BYTES),
    }
}

fn seed_slot() -> Vec<u8> {
    // A slot can be made by its own decoder only; these are the numbers of one, without its seal.
    let words = [0x544f_4c53_4b44_0001_u64, 77, 9, 3, 0, 0, 15];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(SLOT_HEAD_BYTES - 8, 0);
    sealed(bytes)
}

fn seed_completion() -> Vec<u8> {
    Completion { sync: 9, serial: 77, end: 1 << 40, count: u32::MAX, error: 45 }.encode().to_vec()
}

fn seed_intent() -> Vec<u8> {
    Intent { slot: SlotNumber(3), serial: 77, sync: 9, offset: 4096, length: 5, size_before: 4096 }
        .encode()
        .to_vec()
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let check = check_word(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes
}

/// Records as they are, and with the first word of each kind and the right check word around any bytes.
pub fn disk_records(bytes: &[u8]) {
    let mut forms = vec![bytes.to_vec()];
    for kind in 0..3 {
        let (magic, length) = magic_of(kind);
        let mut form = magic.to_vec();
        form.extend(bytes);
        form.resize(length - 8, 0);
        forms.push(sealed(form));
    }
    for form in &forms {
        if let Some(slot) = Slot::decode(form) {
            assert_eq!(Slot::decode(&slot.encode()), Some(slot));
        }
        if let Some(completion) = Completion::decode(form, 77) {
            assert_eq!(Completion::decode(&completion.encode(), 77), Some(completion));
        }
        if let Some(intent) = Intent::decode(form) {
            assert_eq!(Intent::decode(&intent.encode()), Some(intent));
            assert!(intent.slot.at() >= SLOTS_AT && intent.slot.at() < INTENT_AT);
        }
    }
}

/// A control file and a data file in memory; a data file does not grow beyond so many bytes.
struct Memory {
    control: Vec<u8>,
    file: Vec<u8>,
}

const FILE_BYTES_MAX: usize = 1 << 16;

impl Media for Memory {
    fn control_read(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let from = (at as usize).min(self.control.len());
        let there = (self.control.len() - from).min(bytes.len());
        bytes.fill(0);
        bytes[..there].copy_from_slice(&self.control[from..from + there]);
        Ok(())
    }

    fn control_size(&mut self) -> io::Result<u64> {
        Ok(self.control.len() as u64)
    }

    fn control_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = at as usize + bytes.len();
        self.control.resize(self.control.len().max(end), 0);
        self.control[at as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn file_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let full = || io::Error::from(io::ErrorKind::FileTooLarge);
        let end = at
            .checked_add(bytes.len() as u64)
            .filter(|end| *end <= FILE_BYTES_MAX as u64)
            .ok_or_else(full)?;
        self.file.resize(self.file.len().max(end as usize), 0);
        self.file[at as usize..end as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn file_size(&mut self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }

    fn file_cut(&mut self, size: u64) -> io::Result<()> {
        self.file.truncate(size as usize);
        Ok(())
    }

    fn error_number(&self, _: &io::Error) -> Option<u16> {
        Some(45)
    }
}

/// A control file whose write under way is any bytes, sealed: it is finished, or is none; nothing is left of it, and the next write
/// is done once. First the 40 bytes of the intent's fields, then a byte of the file's length, then the data.
pub fn journal(bytes: &[u8]) {
    let (fields, data) = bytes.split_at(bytes.len().min(48));
    let (magic, length) = magic_of(2);
    let mut intent = magic.to_vec();
    intent.extend(fields);
    intent.resize(length - 8, 0);
    let mut media = Memory { control: vec![0; DATA_AT as usize], file: vec![7; 100] };
    let slot = SLOTS_AT as usize + 3 * 1024;
    media.control[slot..slot + SLOT_HEAD_BYTES].copy_from_slice(&seed_slot());
    media.control[INTENT_AT as usize..INTENT_AT as usize + length].copy_from_slice(&sealed(intent));
    media.control.extend(data);
    let _ = journal::recover(&mut media);
    assert!(matches!(journal::pending(&mut media), Ok(None)), "nothing is under way any more");
    let write =
        Write { slot: SlotNumber(3), serial: 77, depth: 2, sync: u64::MAX, place: Place::End, data: b"next" };
    let before = media.file.len();
    let Ok(first) = journal::write(&mut media, &write) else { return };
    let Ok(second) = journal::write(&mut media, &write) else { return };
    assert_eq!(first, second, "S3: the same write has one effect");
    assert!(media.file.len() <= before + 4);
    let known: Completions = journal::completions(&mut media, SlotNumber(3), 77).expect("in memory");
    assert!(matches!(known.verdict(u64::MAX, 2), Verdict::Saved(_)));
}

/// The sync blocks of disk files and process files: a block is one only with its check word.
pub fn process_sync_block(bytes: &[u8]) {
    if let Ok(next) = sync_block::read(bytes) {
        assert_eq!(sync_block::make(next)[..], bytes[..sync_block::SYNC_BLOCK_BYTES]);
        let _ = (sync_block::after_reset(next), sync_block::visible(next));
    }
    let mut form = seed_block();
    let length = bytes.len().min(28);
    form[4..4 + length].copy_from_slice(&bytes[..length]);
    form.truncate(SYNC_BLOCK_BYTES - 8);
    for form in [bytes.to_vec(), sealed(form)] {
        if let Ok(block) = SyncBlock::decode(&form) {
            assert_eq!(SyncBlock::decode(&block.encode()), Ok(block));
        }
    }
}

fn seed_block() -> Vec<u8> {
    SyncBlock { file_number: 7, depth: 15, sync: 99, current: 1 << 33, next: u64::MAX }.encode().to_vec()
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let fields = |record: Vec<u8>| record[8..record.len() - 8].to_vec();
    vec![
        ("disk-records", seed_slot()),
        ("disk-records", seed_completion()),
        ("disk-records", seed_intent()),
        ("disk-records", fields(seed_slot())),
        ("disk-records", fields(seed_completion())),
        ("disk-records", fields(seed_intent())),
        ("journal", [fields(seed_intent()), b"hello".to_vec()].concat()),
        ("process-sync-block", seed_block()),
        ("process-sync-block", sync_block::make(pollux_wire::SyncId(0x1_0000_0007)).to_vec()),
    ]
}
