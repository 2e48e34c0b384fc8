//! A fuzz target for each decoder of Pollux: what any bytes from outside may cause, and what not (S17).
//!
//! A [`Target`] is a function over bytes that panics when a promise is broken: a decoder panics, what was decoded does not
//! encode to the same, a length from outside is believed. Around it [`Target::check`] holds the input to its limits: memory at
//! any moment is at most a stated multiple of the input, nothing is left allocated, and the time is bounded.
//!
//! ```text
//!   fuzz/corpus/TARGET/*  --+--> cargo test: each input through its target       (pollux-fuzz/tests/corpus.rs)
//!   seeds of the encoders --+
//!                           +--> pollux-fuzz-engine, built by cargo xtask fuzz: libFuzzer changes inputs, looks which
//!                                branches they reach, keeps what reaches a new one
//! ```
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`targets`] | the table of targets |
//! | [`allocator`] | counts what a thread has allocated |
//! | [`corpus`] | the files of inputs, and the seeds among them |
//! | [`meter`] | tells `cargo xtask fuzz` how long the engine has run |
//!
//! A crate keeps what only it can decode behind its feature `fuzz`, in a module of that name.

#![deny(unsafe_code)]

pub mod allocator;
pub mod corpus;
pub mod meter;
pub mod targets;

use std::fmt;

/// A decoder under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and the name of its corpus.
    pub name: &'static str,
    /// The decoders that it belongs to: a campaign gives each group its time.
    pub group: &'static str,
    /// Whose bytes it decodes.
    pub of: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// What an input may cost.
    pub limits: Limits,
}

/// What an input may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest input, bytes; the engine makes none that is longer.
    pub input_bytes_max: usize,
    /// Bytes allocated at one moment for each byte of the input, at most.
    pub bytes_per_byte: usize,
    /// Bytes allocated at one moment in addition: buffers of a fixed size, texts of errors.
    pub bytes_fixed: usize,
    /// Processor time of one input, milliseconds.
    pub time_ms: u64,
}

/// What one input cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Most bytes allocated at one moment.
    pub peak_bytes: usize,
    /// Processor time, microseconds.
    pub time_us: u64,
}

/// The limit that an input went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// More memory at one moment than its length justifies.
    Memory {
        /// Allocated at one moment.
        peak_bytes: usize,
        /// The limit for an input of this length.
        max_bytes: usize,
    },
    /// Memory that is still allocated afterwards, also after a second run.
    Leak {
        /// So much.
        bytes: isize,
    },
    /// Processor time.
    Time {
        /// Used, in the faster of two runs.
        time_us: u64,
        /// The limit.
        max_us: u64,
    },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { peak_bytes, max_bytes } => {
                write!(f, "{peak_bytes} bytes of memory where {max_bytes} are justified")
            }
            Self::Leak { bytes } => write!(f, "{bytes} bytes of memory are left behind by each run"),
            Self::Time { time_us, max_us } => {
                write!(f, "{time_us} us of processor time where {max_us} are allowed")
            }
        }
    }
}

impl Target {
    /// Runs one input and holds it to the limits. Measures only where [`allocator::Counting`] is the global allocator.
    ///
    /// # Errors
    ///
    /// The limit that was passed. What is made once per process and stays (a table, a buffer) is no leak, nor is a time in which
    /// the processor was slow: both must show in a second run.
    ///
    /// # Panics
    ///
    /// When the target does: a promise is broken.
    pub fn check(&self, bytes: &[u8]) -> Result<Cost, Excess> {
        let Limits { bytes_per_byte, bytes_fixed, time_ms, .. } = self.limits;
        let (max_bytes, max_us) = (bytes_per_byte * bytes.len() + bytes_fixed, time_ms * 1000);
        let (mut cost, mut left) = self.measure(bytes);
        if left != 0 || cost.time_us > max_us {
            let (second, left_again) = self.measure(bytes);
            left = if left == 0 { 0 } else { left_again };
            cost.time_us = cost.time_us.min(second.time_us);
        }
        match cost {
            Cost { peak_bytes, .. } if peak_bytes > max_bytes => {
                Err(Excess::Memory { peak_bytes, max_bytes })
            }
            Cost { time_us, .. } if time_us > max_us => Err(Excess::Time { time_us, max_us }),
            _ if left != 0 => Err(Excess::Leak { bytes: left }),
            _ => Ok(cost),
        }
    }

    /// The cost of a run, and the bytes that are left behind.
    fn measure(&self, bytes: &[u8]) -> (Cost, isize) {
        let begin_us = processor_us();
        let mark = allocator::Mark::set();
        (self.run)(bytes);
        let (peak_bytes, left) = mark.look();
        (Cost { peak_bytes, time_us: processor_us() - begin_us }, left)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Processor time of this thread: other load on the machine does not count.
fn processor_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}
