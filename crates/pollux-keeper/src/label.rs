//! What the pair knows of each descriptor that it holds.

use crate::listeners::Listener;
use serde::{Deserialize, Serialize};

/// The label of a held descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Label {
    /// The pidfd of the program: the other half ends with it what is left of a run.
    Program { pid: u32 },
    /// A listening socket.
    Listener(Listener),
}

impl Label {
    pub(crate) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a label has no map with other keys than text")
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Label> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::listeners::{Key, Kind};

    // A label that is not understood by the other half is a listener that nobody gets back.
    #[test]
    fn what_is_written_is_read() {
        let kind = Kind { domain: 10, kind: 1, protocol: 6 };
        for address in [
            Address::Internet("[::1%2]:80".parse().unwrap()),
            Address::Path(b"/run/\xff".to_vec()),
            Address::Abstract(b"\0a".to_vec()),
        ] {
            let key = Key { kind, address, nth: 1 };
            let label =
                Label::Listener(Listener { key, inode: u64::MAX, file: Some((1, 2)), handed_over: Some(3) });
            assert_eq!(Label::read(&label.write()), Some(label));
        }
        assert_eq!(Label::read(b"{}"), None);
    }
}
