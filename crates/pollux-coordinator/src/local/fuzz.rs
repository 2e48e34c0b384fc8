//! The bytes of the LMDB store and the text beside it; see [`crate::fuzz`].

use super::layout::{self, Header};
use super::run_directory;
use crate::Change;

/// The header record: what decodes encodes to the same bytes.
pub fn local_header(bytes: &[u8]) {
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), bytes);
    }
}

/// A data record and a key.
pub fn local_record(bytes: &[u8]) {
    if let Ok((revision, value)) = layout::decode_record(bytes) {
        assert_eq!(layout::encode_record(revision, value), bytes);
    }
    if let Ok(key) = layout::decode_key(bytes) {
        assert_eq!(key.as_str().as_bytes(), bytes);
    }
}

/// An entry of the change log: twelve bytes of its place, then what stands there.
pub fn local_change(bytes: &[u8]) {
    let (place, entry) = bytes.split_at(bytes.len().min(12));
    let Ok(change) = layout::decode_change(place, entry) else { return };
    let (again, revision) = match &change {
        Change::Put { key, value, revision } => (layout::encode_change(key, Some(value)), *revision),
        Change::Deleted { key, revision } => (layout::encode_change(key, None), *revision),
    };
    assert_eq!(again, entry);
    assert_eq!(layout::encode_log_key(revision, 0)[..8], place[..8]);
}

/// `coordinator.boot`: what parses formats to a text that parses to the same.
pub fn boot_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    run_directory::fuzz_boot_file(text);
}
