//! How records, changes and the header are laid out as bytes in the three databases.
//!
//! What this decides: the bytes. What it does not: when they are written.
//!
//! Invariant (S17): any bytes decode to a value or to `Error::Corrupt`. All numbers are big-endian, so
//! that LMDB's byte order of keys is the order of revisions. A change here is a change of
//! `run_directory::FORMAT_VERSION`.
//!
//! ```text
//! data  KEY                      -> | revision 8 | value ..                     |
//! log   | revision 8 | index 4 | -> | kind 1 | key length 1 | key | value ..    |  kind: 1 put, 2 deleted
//! meta  "header"                 -> | revision 8 | compacted 8 | data bytes 8 | log count 8 | log bytes 8 |
//! ```

use crate::limits::record_bytes;
use crate::{Change, Error, KEY_BYTES_MAX, Key, Revision};

pub(super) const HEADER_KEY: &[u8] = b"header";

const PUT: u8 = 1;
const DELETED: u8 = 2;
const _: () = assert!(KEY_BYTES_MAX <= u8::MAX as usize, "a key's length is stored in one byte");

/// The one record that each commit updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) revision: Revision,
    /// Changes up to this revision may be missing from the log.
    pub(super) compacted: Revision,
    pub(super) data_bytes: u64,
    pub(super) log_count: u64,
    pub(super) log_bytes: u64,
}

impl Header {
    pub(super) fn new(revision: Revision) -> Self {
        Self { revision, compacted: revision, data_bytes: 0, log_count: 0, log_bytes: 0 }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (fields, []) = bytes.as_chunks::<8>() else {
            return Err(Error::corrupt("the header has a broken length"));
        };
        let [revision, compacted, data_bytes, log_count, log_bytes] = fields else {
            return Err(Error::corrupt("the header has a wrong length"));
        };
        Ok(Self {
            revision: Revision(u64::from_be_bytes(*revision)),
            compacted: Revision(u64::from_be_bytes(*compacted)),
            data_bytes: u64::from_be_bytes(*data_bytes),
            log_count: u64::from_be_bytes(*log_count),
            log_bytes: u64::from_be_bytes(*log_bytes),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let fields = [self.revision.0, self.compacted.0, self.data_bytes, self.log_count, self.log_bytes];
        fields.iter().flat_map(|field| field.to_be_bytes()).collect()
    }
}

pub(super) fn encode_record(revision: Revision, value: &[u8]) -> Vec<u8> {
    [&revision.0.to_be_bytes(), value].concat()
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<(Revision, &[u8]), Error> {
    let (revision, value) =
        bytes.split_first_chunk::<8>().ok_or_else(|| Error::corrupt("a record is too short"))?;
    Ok((Revision(u64::from_be_bytes(*revision)), value))
}

pub(super) fn decode_key(bytes: &[u8]) -> Result<Key, Error> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Key::new(text).ok())
        .ok_or_else(|| Error::corrupt("a stored key is no valid key"))
}

pub(super) fn encode_log_key(revision: Revision, index: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&revision.0.to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// `None` as value means deleted.
pub(super) fn encode_change(key: &Key, value: Option<&[u8]>) -> Vec<u8> {
    let name = key.as_str().as_bytes();
    let kind = if value.is_some() { PUT } else { DELETED };
    let length = u8::try_from(name.len()).expect("KEY_BYTES_MAX fits, see the assertion above");
    [&[kind, length], name, value.unwrap_or_default()].concat()
}

pub(super) fn decode_change(position: &[u8], entry: &[u8]) -> Result<Change, Error> {
    let damaged = || Error::corrupt("an entry of the change log is damaged");
    let revision = Revision(u64::from_be_bytes(*position.first_chunk().ok_or_else(damaged)?));
    let ([kind, length], rest) = entry.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (name, value) = rest.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
    let key = decode_key(name)?;
    match *kind {
        PUT => Ok(Change::Put { key, value: value.to_vec(), revision }),
        DELETED if value.is_empty() => Ok(Change::Deleted { key, revision }),
        _ => Err(damaged()),
    }
}

/// What a change counts in [`Header::log_bytes`].
pub(super) fn change_bytes(change: &Change) -> u64 {
    match change {
        Change::Put { key, value, .. } => record_bytes(key, value),
        Change::Deleted { key, .. } => record_bytes(key, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_its_bytes_and_no_cut_of_them_panics() {
        // A damaged log would take every CPU daemon of a node down at once if decoding it panicked (S17).
        let key = Key::new("pair/$KV").unwrap();
        let position = encode_log_key(Revision(7), 3);
        let entry = encode_change(&key, Some(b"alone"));
        let change = decode_change(&position, &entry).unwrap();
        assert_eq!(change, Change::Put { key: key.clone(), value: b"alone".to_vec(), revision: Revision(7) });
        for cut in 0..entry.len() {
            if let Ok(Change::Put { key: found, .. }) = decode_change(&position, &entry[..cut]) {
                assert_eq!(found, key, "a cut within the value only");
            }
        }
        for length in [0, 7, 8, 39, 41, 48] {
            assert!(Header::decode(&vec![0; length]).is_err());
        }
        assert!(decode_record(&[0; 7]).is_err());
        assert!(decode_change(&position, &[9, 1, b'k']).is_err());
        assert!(decode_key(b"no spaces").is_err());
    }
}
