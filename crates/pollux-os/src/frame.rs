//! The frame: what travels over a [`Channel`](crate::Channel).
//!
//! ```text
//!  0        4      5             6      8
//!  +--------+------+-------------+------+--------------------+
//!  | length | kind | descriptors | zero | body: length bytes |
//!  | u32 LE | u8   | u8          | u16  |                    |
//!  +--------+------+-------------+------+--------------------+
//! ```
//!
//! The descriptors of a frame ride on its first byte, so that they are there when its last byte is.

use std::os::fd::OwnedFd;

/// Bytes before the body of each frame.
pub const FRAME_HEADER_BYTES: usize = 8;

/// Where in the header their number stands.
const DESCRIPTORS_AT: usize = 5;

/// Descriptors one frame may carry. The kernel's own limit is 253 per message.
pub const DESCRIPTORS_PER_FRAME_MAX: usize = 32;

/// One received frame; the body is borrowed from the channel's buffer.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What the frame is; a number that only the two ends understand.
    pub kind: u8,
    /// Its bytes.
    pub body: &'a [u8],
    /// Its descriptors, in the order they were queued, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// The peer does not speak our framing. The stream cannot be read further: close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A body longer than this channel allows.
    #[error("frame of {length} bytes where at most {max} are allowed")]
    TooLong {
        /// The announced length.
        length: usize,
        /// The limit of this channel.
        max: usize,
    },
    /// Reserved bytes are set, or more descriptors announced than a frame may carry.
    #[error("frame header is not one of ours")]
    BadHeader,
    /// The frame announces more descriptors than came with it.
    #[error("frame announces {announced} descriptors but {arrived} arrived")]
    MissingDescriptors {
        /// Descriptors the header tells of.
        announced: usize,
        /// Descriptors that were received.
        arrived: usize,
    },
}

/// The decoded header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) body_bytes: usize,
    pub(crate) kind: u8,
    pub(crate) descriptors: usize,
}

impl FrameHeader {
    /// Reads the header at the front of `bytes`; `None` while it is incomplete. Checked before the body
    /// arrives, so that a hostile length is refused before anything is reserved for it.
    #[inline]
    pub(crate) fn decode(bytes: &[u8], body_bytes_max: usize) -> Result<Option<FrameHeader>, FrameError> {
        let Some(&[a, b, c, d, kind, descriptors, zero_low, zero_high]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let body_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        let descriptors = usize::from(descriptors);
        if (zero_low, zero_high) != (0, 0) || descriptors > DESCRIPTORS_PER_FRAME_MAX {
            return Err(FrameError::BadHeader);
        }
        if body_bytes > body_bytes_max {
            return Err(FrameError::TooLong { length: body_bytes, max: body_bytes_max });
        }
        Ok(Some(FrameHeader { body_bytes, kind, descriptors }))
    }

    /// Whether the frame at the front of `bytes` says that it carries descriptors; false while that is not here.
    #[inline]
    pub(crate) fn announces_descriptors(bytes: &[u8]) -> bool {
        bytes.get(DESCRIPTORS_AT).is_some_and(|count| *count > 0)
    }

    #[inline]
    pub(crate) fn encode(self) -> [u8; FRAME_HEADER_BYTES] {
        let length =
            u32::try_from(self.body_bytes).expect("the channel checked the length against its limit");
        let descriptors = u8::try_from(self.descriptors).expect("the channel checked the descriptor count");
        let [a, b, c, d] = length.to_le_bytes();
        [a, b, c, d, self.kind, descriptors, 0, 0]
    }
}
