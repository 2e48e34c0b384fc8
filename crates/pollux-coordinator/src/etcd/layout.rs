//! Where a store stands among etcd's keys, and what stands in them.
//!
//! What this decides: the keys and the bytes. What it does not: when they are written.
//!
//! Invariant (S17): any bytes decode to a value or to a named error. A change here is a change of
//! [`FORMAT_VERSION`].
//!
//! ```text
//! PREFIX/store       text: "pollux-coordinator VERSION IDENTITY"; written once, compared by every commit
//! PREFIX/data/KEY    the value as it is; its revision is etcd's mod_revision
//! PREFIX/log/ID      one entry per transaction; its revision too is etcd's mod_revision
//!    ID    = WRITER-NUMBER-CHANGES-BYTES, hexadecimal: unique, and tells the sizes without reading values
//!    value = | kind 1 | changes .. |                        kind: 0 all changes, 1 left out (too large)
//!    change = | kind 1 | key length 1 | key | value length 4, big-endian | value |   kind: 1 put, 2 deleted
//! ```

use crate::{Change, Error, KEY_BYTES_MAX, Key, Revision, Write};

pub(super) const FORMAT_VERSION: u32 = 1;
const TITLE: &str = "pollux-coordinator";

const ALL: u8 = 0;
const LEFT_OUT: u8 = 1;
const PUT: u8 = 1;
const DELETED: u8 = 2;
const _: () = assert!(KEY_BYTES_MAX <= u8::MAX as usize, "a key's length is stored in one byte");

/// The keys of one store.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// Keys from `start` up to, but without, `end`.
pub(super) struct KeyRange {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

/// What the name of a log entry tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogSize {
    pub(super) changes: u64,
    pub(super) bytes: u64,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn store(&self) -> Vec<u8> {
        format!("{}/store", self.prefix).into_bytes()
    }

    pub(super) fn data(&self, key: &Key) -> Vec<u8> {
        format!("{}/data/{key}", self.prefix).into_bytes()
    }

    pub(super) fn data_range(&self, prefix: &str) -> KeyRange {
        range(format!("{}/data/{prefix}", self.prefix))
    }

    pub(super) fn decode_data(&self, name: &[u8]) -> Result<Key, Error> {
        let prefix = format!("{}/data/", self.prefix);
        name.strip_prefix(prefix.as_bytes())
            .and_then(|name| Key::new(std::str::from_utf8(name).ok()?).ok())
            .ok_or_else(|| Error::corrupt("a key below the prefix is not of this program"))
    }

    pub(super) fn log(&self, writer: u64, number: u64, size: LogSize) -> Vec<u8> {
        let LogSize { changes, bytes } = size;
        format!("{}/log/{writer:016x}-{number:016x}-{changes:x}-{bytes:x}", self.prefix).into_bytes()
    }

    pub(super) fn log_range(&self) -> KeyRange {
        range(format!("{}/log/", self.prefix))
    }
}

impl LogSize {
    /// From the key of a log entry.
    pub(super) fn decode(name: &[u8]) -> Result<Self, Error> {
        let sizes = || {
            let mut fields = std::str::from_utf8(name).ok()?.rsplit('-');
            let bytes = u64::from_str_radix(fields.next()?, 16).ok()?;
            let changes = u64::from_str_radix(fields.next()?, 16).ok()?;
            Some(Self { changes, bytes })
        };
        sizes().ok_or_else(damaged)
    }
}

fn range(start: String) -> KeyRange {
    let start = start.into_bytes();
    let mut end = start.clone();
    // All letters of keys are below 0x7f, so that the next one exists and nothing carries.
    *end.last_mut().expect("a prefix is not empty") += 1;
    KeyRange { start, end }
}

pub(super) fn encode_identity(random: u128) -> Vec<u8> {
    format!("{TITLE} {FORMAT_VERSION} {random:032x}").into_bytes()
}

/// Refuses a store of another program or version.
pub(super) fn check_identity(value: &[u8]) -> Result<(), Error> {
    let text = String::from_utf8_lossy(value);
    let mut words = text.split(' ');
    if words.next() != Some(TITLE) {
        return Err(Error::corrupt("the prefix belongs to something else; name another one"));
    }
    match words.next() {
        Some(version) if version == FORMAT_VERSION.to_string() => Ok(()),
        version => Err(Error::Version {
            found: version.unwrap_or_default().chars().take(32).collect(),
            expected: FORMAT_VERSION,
        }),
    }
}

/// The entry of a transaction with these writes, all of which change something.
pub(super) fn encode_log(writes: &[&Write]) -> Vec<u8> {
    let mut entry = vec![ALL];
    for write in writes {
        let (kind, key, value) = match write {
            Write::Put(key, value) => (PUT, key, value.as_slice()),
            Write::Delete(key) => (DELETED, key, &[][..]),
        };
        let name = key.as_str().as_bytes();
        entry.extend([kind, u8::try_from(name.len()).expect("KEY_BYTES_MAX fits, see the assertion above")]);
        entry.extend(name);
        let length = u32::try_from(value.len()).expect("VALUE_BYTES_MAX was checked");
        entry.extend(length.to_be_bytes());
        entry.extend(value);
    }
    entry
}

/// The entry of a transaction whose changes do not fit into its request a second time.
pub(super) fn encode_log_left_out() -> Vec<u8> {
    vec![LEFT_OUT]
}

/// `None` for an entry that left its changes out.
pub(super) fn decode_log(entry: &[u8], revision: Revision) -> Result<Option<Vec<Change>>, Error> {
    let (kind, mut rest) = entry.split_first().ok_or_else(damaged)?;
    match *kind {
        ALL => {}
        LEFT_OUT if rest.is_empty() => return Ok(None),
        _ => return Err(damaged()),
    }
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let ([kind, length], after) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (name, after) = after.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
        let key = std::str::from_utf8(name).ok().and_then(|name| Key::new(name).ok()).ok_or_else(damaged)?;
        let (length, after) = after.split_first_chunk::<4>().ok_or_else(damaged)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged())?;
        let (value, after) = after.split_at_checked(length).ok_or_else(damaged)?;
        changes.push(match *kind {
            PUT => Change::Put { key, value: value.to_vec(), revision },
            DELETED if value.is_empty() => Change::Deleted { key, revision },
            _ => return Err(damaged()),
        });
        rest = after;
    }
    Ok(Some(changes))
}

/// etcd counts in signed numbers and never goes below zero.
pub(super) fn revision(number: i64) -> Result<Revision, Error> {
    u64::try_from(number).map(Revision).map_err(|_| Error::corrupt("etcd gave a negative revision"))
}

fn damaged() -> Error {
    Error::corrupt("an entry of the change log is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_entry_survives_its_bytes_and_no_cut_of_them_panics() {
        // A damaged entry would take every CPU daemon of a node down at once if decoding it panicked (S17).
        let (put, delete) = (Key::new("name/$KV").unwrap(), Key::new("name/$Q").unwrap());
        let writes = [Write::Put(put.clone(), b"cpu 0".to_vec()), Write::Delete(delete.clone())];
        let entry = encode_log(&writes.iter().collect::<Vec<_>>());
        let changes = vec![
            Change::Put { key: put, value: b"cpu 0".to_vec(), revision: Revision(7) },
            Change::Deleted { key: delete, revision: Revision(7) },
        ];
        assert_eq!(decode_log(&entry, Revision(7)).unwrap(), Some(changes.clone()));
        for cut in 0..entry.len() {
            if let Ok(Some(found)) = decode_log(&entry[..cut], Revision(7)) {
                assert!(changes.starts_with(&found), "a cut between two changes only");
            }
        }
        assert_eq!(decode_log(&encode_log_left_out(), Revision(7)).unwrap(), None);
        for bad in [&[][..], &[9], &[1, 1], &[0, 3, 1, b'k', 0, 0, 0, 0], &[0, 2, 1, b'k', 0, 0, 0, 1, 1]] {
            assert!(decode_log(bad, Revision(7)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_log_key_tells_its_sizes() {
        // The log would be trimmed too early or never.
        let size = LogSize { changes: 128, bytes: 70_000 };
        let keys = Keys::new("pollux/N1");
        let key = keys.log(u64::MAX, 3, size);
        assert_eq!(LogSize::decode(&key).unwrap(), size);
        let range = keys.log_range();
        assert!(range.start < key && key < range.end);
        assert!(LogSize::decode(b"pollux/N1/log/x").is_err());
    }

    #[test]
    fn another_format_is_refused() {
        // Two versions of Pollux would read each other's records wrongly.
        assert_eq!(check_identity(&encode_identity(1)), Ok(()));
        assert!(matches!(check_identity(b"pollux-coordinator 2 00"), Err(Error::Version { .. })));
        assert!(matches!(check_identity(b"pollux-coordinator"), Err(Error::Version { .. })));
        assert!(matches!(check_identity(b"registry \xff"), Err(Error::Corrupt { .. })));
    }
}
