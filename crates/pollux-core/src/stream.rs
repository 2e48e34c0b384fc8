//! Decides positions in an accepted TCP stream, so that no byte is lost, doubled or reordered over a takeover.
//!
//! Both halves hold the socket. Input is peeked, handled, checkpointed and only then discarded; output is checkpointed
//! and only then written. At a takeover the kernel tells where the dead primary really stopped, the replicated
//! [`Stream`] tells what was handled, and [`Stream::resume`] says what to discard and from where to write on.
//!
//! ```text
//!   input    0 ------- discarded ------- consumed ------ taken ------- seen ------> (peeked, not handled)
//!                      kernel knows      replicated      + kept        primary only
//!   output   0 ------- written --------- released ------ made ------>
//!                      kernel knows      gate opened     replicated
//! ```
//!
//! It reads and writes no socket. S2, S3 for byte streams.

use std::collections::VecDeque;

/// Where the kernel says a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelPositions {
    /// Input bytes taken out of the socket since the connection began.
    pub consumed: u64,
    /// Output bytes put into the socket since the connection began.
    pub produced: u64,
}

/// What brings the socket to the replicated positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Input bytes to discard from the socket: they or their effect are in the state.
    pub discard: u64,
}

/// The kernel and the replicated state cannot both be right: the connection must be closed, with this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// Input is gone whose effect is not in the state.
    InputLost,
    /// Output has left that the state does not know.
    OutputUnknown,
    /// Output is missing that the state has forgotten.
    OutputLost,
}

/// One accepted connection: the part that both halves know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    consumed: u64,
    kept: Vec<u8>,
    written: u64,
    output: VecDeque<u8>,
}

impl Stream {
    /// A stream at these positions with no output pending.
    pub fn at(consumed: u64, written: u64) -> Self {
        Self { consumed, kept: Vec::new(), written, output: VecDeque::new() }
    }

    /// Input up to `consumed` is handled and `output` was made.
    pub fn progress(&mut self, consumed: u64, output: &[u8]) {
        assert!(consumed >= self.consumed, "S4: a stream's positions do not go back");
        let from_kept = ((consumed - self.consumed) as usize).min(self.kept.len());
        self.kept.drain(..from_kept);
        self.consumed = consumed;
        self.output.extend(output);
    }

    /// Input that follows [`Stream::taken`] and that no turn could use yet becomes part of the state.
    pub fn keep(&mut self, input: &[u8]) {
        self.kept.extend_from_slice(input);
    }

    /// Output up to this offset is in the kernel's hands.
    pub fn wrote(&mut self, written: u64) {
        assert!((self.written..=self.made()).contains(&written), "only output that was made can be written");
        self.output.drain(..(written - self.written) as usize);
        self.written = written;
    }

    /// Brings this half's stream in line with the kernel, at a takeover or an exchange of roles.
    pub fn resume(&mut self, kernel: KernelPositions) -> Result<Resume, Mismatch> {
        if kernel.consumed > self.taken() {
            return Err(Mismatch::InputLost);
        }
        if kernel.produced > self.made() {
            return Err(Mismatch::OutputUnknown);
        }
        if kernel.produced < self.written {
            return Err(Mismatch::OutputLost);
        }
        self.wrote(kernel.produced);
        Ok(Resume { discard: self.taken() - kernel.consumed })
    }

    /// Input bytes whose effect is in the state.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Input that is in the state though no turn could use it yet.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Input bytes that need no longer be in the socket: consumed or kept.
    pub fn taken(&self) -> u64 {
        self.consumed + self.kept.len() as u64
    }

    /// Output bytes in the kernel's hands.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Output bytes made.
    pub fn made(&self) -> u64 {
        self.written + self.output.len() as u64
    }

    /// The output that is not yet written, up to offset `released`, as two slices.
    pub fn pending(&self, released: u64) -> (&[u8], &[u8]) {
        let count = released.min(self.made()).saturating_sub(self.written) as usize;
        let (front, back) = self.output.as_slices();
        let first = count.min(front.len());
        (&front[..first], &back[..count - first])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The client of a server that is killed in the middle of a write sees each byte once.
    #[test]
    fn writing_goes_on_where_the_dead_primary_stopped() {
        let mut backup = Stream::at(0, 0);
        backup.progress(10, b"first reply");
        backup.progress(20, b"second");
        backup.wrote(5);
        assert_eq!(backup.resume(KernelPositions { consumed: 12, produced: 8 }), Ok(Resume { discard: 8 }));
        assert_eq!(backup.pending(u64::MAX), (&b"plysecond"[..], &b""[..]));
    }

    // A message larger than the socket's buffer must get through, and survive a takeover in the middle.
    #[test]
    fn kept_input_is_used_first() {
        let mut stream = Stream::at(10, 0);
        stream.keep(b"half a mess");
        assert_eq!((stream.taken(), stream.kept()), (21, &b"half a mess"[..]));
        assert_eq!(stream.resume(KernelPositions { consumed: 15, produced: 0 }), Ok(Resume { discard: 6 }));
        stream.progress(24, b"done");
        assert_eq!((stream.taken(), stream.kept()), (24, &b""[..]));
    }

    // Going on with a stream that does not fit would send a client bytes of another reply.
    #[test]
    fn positions_that_do_not_fit_are_refused() {
        let mut stream = Stream::at(100, 50);
        stream.progress(110, b"abc");
        assert_eq!(stream.resume(KernelPositions { consumed: 111, produced: 50 }), Err(Mismatch::InputLost));
        assert_eq!(
            stream.resume(KernelPositions { consumed: 100, produced: 54 }),
            Err(Mismatch::OutputUnknown)
        );
        assert_eq!(stream.resume(KernelPositions { consumed: 100, produced: 49 }), Err(Mismatch::OutputLost));
    }

    proptest! {
        // Whatever the primary did before it died, handled and checkpointed or not, the client's stream is exact.
        #[test]
        fn any_crash_point_gives_an_exact_stream(
            replies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..20),
            checkpointed in 0usize..20, discarded in 0u64..40, written in 0usize..400,
        ) {
            let checkpointed = checkpointed.min(replies.len());
            let mut backup = Stream::default();
            for (at, reply) in replies[..checkpointed].iter().enumerate() {
                backup.progress(at as u64 + 1, reply);
            }
            let made: Vec<u8> = replies[..checkpointed].concat();
            let kernel = KernelPositions {
                consumed: discarded.min(checkpointed as u64),
                produced: written.min(made.len()) as u64,
            };
            let resume = backup.resume(kernel).expect("a primary that keeps the rules leaves positions that fit");
            prop_assert_eq!(kernel.consumed + resume.discard, checkpointed as u64);
            let (front, back) = backup.pending(u64::MAX);
            let client: Vec<u8> = [&made[..kernel.produced as usize], front, back].concat();
            prop_assert_eq!(client, made);
        }
    }
}
