//! The records of the back ends, for the fuzz targets: each function takes any bytes and panics when a promise is broken
//! (S17). Behind the feature `fuzz`; no product calls it.

use crate::local::fuzz as local;
use crate::{Change, Key, Revision, Write, etcd_layout};

pub use local::{boot_file, local_change, local_header, local_record};

/// A number that a counter holds.
pub fn counter(bytes: &[u8]) {
    let key = Key::new("counter/sequence").expect("a key of ours");
    if let Ok(number) = crate::coordinator::parse_number(&key, bytes) {
        let again = crate::coordinator::parse_number(&key, number.to_string().as_bytes());
        assert_eq!(again.ok(), Some(number));
    }
}

/// An entry of the change log in etcd: what decodes encodes to the same bytes.
pub fn etcd_log(bytes: &[u8]) {
    let revision = Revision(7);
    match etcd_layout::decode_log(bytes, revision) {
        Ok(None) => assert_eq!(bytes, etcd_layout::encode_log_left_out()),
        Ok(Some(changes)) => {
            let writes: Vec<Write> = changes
                .into_iter()
                .map(|change| match change {
                    Change::Put { key, value, .. } => Write::Put(key, value),
                    Change::Deleted { key, .. } => Write::Delete(key),
                })
                .collect();
            assert_eq!(etcd_layout::encode_log(&writes.iter().collect::<Vec<_>>()), bytes);
        }
        Err(_) => {}
    }
}

/// The key of an entry in etcd: of a record, or of the log.
pub fn etcd_key(bytes: &[u8]) {
    let keys = etcd_layout::Keys::new("pollux/N1");
    if let Ok(key) = keys.decode_data(bytes) {
        assert_eq!(keys.data(&key), bytes);
    }
    if let Ok(size) = etcd_layout::LogSize::decode(bytes) {
        assert_eq!(etcd_layout::LogSize::decode(&keys.log(1, 2, size)).ok(), Some(size));
    }
    let _ = etcd_layout::check_identity(bytes);
}
