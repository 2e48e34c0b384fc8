//! The keys that a client sets again and again: which version of its value each must have.

use crate::random::mix;

/// Live keys per client; the memory of the load and of the server is bounded by it.
pub(crate) const SLOTS_MAX: usize = 2_000;
/// Longest filler of a value.
const FILLER_BYTES_MAX: u64 = 96;

/// One key. Its version is between `low` and `high`: equal, unless a write of unknown outcome is among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    low: u32,
    high: u32,
    acknowledged: u32,
}

/// The keys of one client.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    client: u32,
    slots: Vec<Slot>,
    next: usize,
}

impl Slots {
    /// No key is set yet.
    pub(crate) fn new(client: u32) -> Slots {
        Slots { client, slots: Vec::new(), next: 0 }
    }

    /// The next key to set, and the version of its value.
    pub(crate) fn write(&mut self) -> (usize, u32) {
        let slot = self.next;
        self.next = (self.next + 1) % SLOTS_MAX;
        if slot == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let entry = &mut self.slots[slot];
        entry.high += 1;
        // The server answers in order: a read sent after this write sees it.
        entry.low = entry.high;
        (slot, entry.high)
    }

    /// A write is acknowledged.
    pub(crate) fn acknowledged(&mut self, slot: usize, version: u32) {
        self.slots[slot].acknowledged = version;
    }

    /// A write was refused or its outcome is unknown.
    pub(crate) fn unknown(&mut self, slot: usize) {
        self.slots[slot].low = self.slots[slot].acknowledged;
    }

    /// The versions that a read sent at this moment may see.
    pub(crate) fn expected(&self, slot: usize) -> (u32, u32) {
        (self.slots[slot].low, self.slots[slot].high)
    }

    /// Whether a value read is one of these versions. A wrong one is told once: until the key is set again, anything
    /// is right.
    pub(crate) fn check(&mut self, slot: usize, low: u32, high: u32, value: Option<&[u8]>) -> bool {
        let right = match value {
            None => low == 0,
            Some(value) => (low.max(1)..=high).any(|version| self.value(slot, version).as_bytes() == value),
        };
        let entry = &mut self.slots[slot];
        let told = entry.low == 0 && low > 0;
        if !right && entry.high == high {
            entry.low = 0;
        }
        right || told
    }

    /// Keys in use.
    pub(crate) fn used(&self) -> usize {
        self.slots.len()
    }

    /// The value of a version: different for each client, key and version, and of many lengths.
    pub(crate) fn value(&self, slot: usize, version: u32) -> String {
        let chance = mix(u64::from(self.client) << 40 ^ (slot as u64) << 20 ^ u64::from(version));
        let filler = "x".repeat((chance % FILLER_BYTES_MAX) as usize);
        format!("{}:{slot}:{version}:{chance:016x}{filler}", self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A read that is checked against the wrong version would call an old value right.
    #[test]
    fn only_the_last_version_is_right() {
        let mut slots = Slots::new(3);
        for _ in 0..SLOTS_MAX {
            slots.write();
        }
        assert_eq!(slots.write(), (0, 2));
        assert_eq!(slots.used(), SLOTS_MAX);
        let (low, high) = slots.expected(0);
        let (old, new) = (slots.value(0, 1), slots.value(0, 2));
        assert!(slots.check(0, low, high, Some(new.as_bytes())));
        assert!(!slots.check(0, low, high, Some(old.as_bytes())));
        let (low, high) = slots.expected(0);
        assert!(slots.check(0, low, high, None), "told once");
        assert!(!slots.check(1, 1, 1, None));
    }

    // After a broken connection both outcomes of the write are right, and nothing else.
    #[test]
    fn an_unknown_write_leaves_two_versions() {
        let mut slots = Slots::new(3);
        slots.write();
        slots.unknown(0);
        assert_eq!(slots.expected(0), (0, 1));
        assert!(slots.check(0, 0, 1, None));
        let value = slots.value(0, 1);
        assert!(slots.check(0, 0, 1, Some(value.as_bytes())));
        assert!(!slots.check(0, 0, 1, Some(b"other")));
    }
}
