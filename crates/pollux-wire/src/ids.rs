//! Newtypes for everything that is counted or named by a number.

use crate::codec::{DecodeError, NotByte, Reader, Wire};
use crate::limits::CPUS_PER_NODE_MAX;
use std::fmt;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);
        impl $name {
            /// The one after this one. S11: never wraps within the life of a node.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("a 64-bit counter does not run out, narrower ones are bounded by their table"))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) { self.0.put(out) }
            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> { <$inner>::take(reader).map(Self) }
        }
        impl NotByte for $name {}
    };
}

number!(
    /// Grows with each change of a pair's primary or member set. Only the newest one is listened to (S1, S11).
    Epoch(u64)
);
number!(
    /// Number of a request within its open; the key for exactly-once (S3). C programs see the low 32 bits.
    SyncId(u64)
);
number!(
    /// One open of a server by a requester; unique in a node's life.
    OpenId(u64)
);
number!(
    /// Position of a checkpoint in the stream from a primary to its backup; the first is 1, without gaps (S4).
    CheckpointNumber(u64)
);
number!(
    /// An accepted TCP connection of a pair; unique in the pair's life.
    ConnectionId(u64)
);
number!(
    /// A listening socket of a pair.
    ListenerId(u32)
);
number!(
    /// A replicated object (map, cell, log, state machine) of a pair.
    ObjectId(u32)
);
number!(
    /// A socket in its TCP/IP provider; not used again while the provider lives.
    SocketId(u64)
);
number!(
    /// A descriptor that both halves of a pair hold; unique in the pair's life.
    HeldId(u64)
);
number!(
    /// Process number within a CPU. Not reused while a name lives on it.
    Pin(u16)
);

/// Number of a CPU: 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuNumber(u8);

impl CpuNumber {
    /// A CPU number, if it is below [`CPUS_PER_NODE_MAX`].
    pub fn new(number: u8) -> Option<Self> {
        (number < CPUS_PER_NODE_MAX).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for CpuNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Wire for CpuNumber {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(u8::take(reader)?).ok_or(DecodeError::BadValue("CPU number"))
    }
}
impl NotByte for CpuNumber {}

/// Process handle: names one process incarnation and is never reused (S9).
///
/// Ten 16-bit words, as the Guardian procedures show it. The order of the fields is private to Pollux;
/// programs use `PROCESSHANDLE_DECOMPOSE_`. Both halves of a pair carry the same `sequence`
/// (Guardian Procedure Calls, `PROCESS_GETPAIRINFO_`), and differ in `cpu`, `pin` or `incarnation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phandle {
    /// True for a process that was started with a name.
    pub named: bool,
    /// Its CPU.
    pub cpu: CpuNumber,
    /// Its number in the CPU.
    pub pin: Pin,
    /// Its node.
    pub node: u32,
    /// Counts the processes that were started in this place of this instance.
    pub incarnation: u16,
    /// The instance: an unbroken chain of primaries and backups. Unique in the node's life.
    pub sequence: u64,
}

impl Phandle {
    /// The ten words.
    pub fn to_words(self) -> [u16; 10] {
        let sequence = self.sequence;
        [
            0x0100 | u16::from(self.named),
            u16::from(self.cpu.get()),
            self.pin.0,
            (self.node >> 16) as u16,
            self.node as u16,
            self.incarnation,
            (sequence >> 48) as u16,
            (sequence >> 32) as u16,
            (sequence >> 16) as u16,
            sequence as u16,
        ]
    }

    /// The handle with these words, unless they are null or not a handle.
    pub fn from_words(words: [u16; 10]) -> Option<Self> {
        let named = match words[0] {
            0x0100 => false,
            0x0101 => true,
            _ => return None,
        };
        Some(Self {
            named,
            cpu: CpuNumber::new(u8::try_from(words[1]).ok()?)?,
            pin: Pin(words[2]),
            node: u32::from(words[3]) << 16 | u32::from(words[4]),
            incarnation: words[5],
            sequence: words[6..].iter().fold(0, |sum, word| sum << 16 | u64::from(*word)),
        })
    }
}

impl fmt::Display for Phandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{},{}:{}.{}", self.cpu, self.pin, self.sequence, self.incarnation))
    }
}

impl Wire for Phandle {
    fn put(&self, out: &mut Vec<u8>) {
        for word in self.to_words() {
            word.put(out);
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut words = [0; 10];
        for word in &mut words {
            *word = u16::take(reader)?;
        }
        Self::from_words(words).ok_or(DecodeError::BadValue("process handle"))
    }
}
impl NotByte for Phandle {}

#[cfg(test)]
mod tests {
    use super::*;

    // A handle that does not come back whole would address another process.
    #[test]
    fn words_and_bytes_come_back() {
        let handle = Phandle {
            named: true,
            cpu: CpuNumber::new(15).expect("15 is a CPU"),
            pin: Pin(65_535),
            node: 0x1234_5678,
            incarnation: 7,
            sequence: 0x0102_0304_0506_0708,
        };
        assert_eq!(Phandle::from_words(handle.to_words()), Some(handle));
        assert_eq!(crate::decode(&crate::encode(&handle)), Ok(handle));
        assert_eq!(crate::encode(&handle).len(), 20);
    }

    // A null handle taken for a process would make "no backup" a target.
    #[test]
    fn null_and_garbage_are_not_handles() {
        assert_eq!(Phandle::from_words([0xffff; 10]), None);
        assert_eq!(Phandle::from_words([0; 10]), None);
        assert_eq!(CpuNumber::new(16), None);
    }
}
