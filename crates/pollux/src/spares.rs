//! Buffers of payloads that come and go by the hundred: one that is free again is used for the next, without a word to the
//! allocator.

/// A larger buffer is not kept.
const SPARE_BYTES_MAX: usize = 4096;
/// So many are kept at most.
const SPARES_MAX: usize = 1024;

/// Free buffers: at most as many as have been lent at a time.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    free: Vec<Vec<u8>>,
    lent: usize,
}

impl Spares {
    /// A buffer with a copy of these bytes.
    #[inline]
    pub(crate) fn lend(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.lent += 1;
        match self.free.pop() {
            Some(mut buffer) => {
                buffer.extend_from_slice(bytes);
                buffer
            }
            None => bytes.to_vec(),
        }
    }

    /// A buffer that was lent, or another one: then, and where enough are free, it is dropped.
    #[inline]
    pub(crate) fn take_back(&mut self, mut buffer: Vec<u8>) {
        if self.lent == 0 {
            return;
        }
        self.lent -= 1;
        if buffer.capacity() <= SPARE_BYTES_MAX && self.free.len() < SPARES_MAX {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S15: a buffer of 2 MiB that one request has needed must not stay for ever, nor more buffers than were ever in use.
    #[test]
    fn few_and_small_ones_are_kept() {
        let mut spares = Spares::default();
        let (small, large) = (spares.lend(b"small"), spares.lend(&[1; SPARE_BYTES_MAX + 1]));
        spares.take_back(large);
        assert_eq!(spares.free.len(), 0);
        spares.take_back(small);
        spares.take_back(b"of somebody else".to_vec());
        assert_eq!(spares.free.len(), 1);
        assert_eq!(spares.lend(b"next"), b"next");
        assert_eq!(spares.free.len(), 0);
    }
}
