//! Frames: a length of four bytes, big-endian, and so many bytes of JSON.
//!
//! Invariant: no length from outside makes anyone allocate more than [`FRAME_BYTES_MAX`] (S15, S17).

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// Longest frame: a domain file of 512 KiB twice over, escaped. A longer one ends the connection.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The bytes of a frame.
pub fn encode(word: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, word).expect("words have no maps with other keys than texts");
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Writes a frame.
pub fn write(to: &mut impl Write, word: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(word))?;
    to.flush()
}

/// Reads a frame; `None` at the end of the stream between two frames.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    read_up_to(from, FRAME_BYTES_MAX)
}

/// Reads a frame of at most so many bytes.
pub fn read_up_to<T: DeserializeOwned>(from: &mut impl Read, bytes_max: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut length[1..])?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        let text = format!("a frame of {length} bytes is longer than {bytes_max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut body = Vec::new();
    // Grows with what really comes: a length alone allocates nothing.
    from.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("a frame says nothing: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A server that trusts a length from outside can be made to use up the memory of its host.
    #[test]
    fn what_is_written_is_read_and_bad_frames_are_errors() {
        let mut bytes = Vec::new();
        write(&mut bytes, &("a", 1)).unwrap();
        write(&mut bytes, &("b", 2)).unwrap();
        let mut from = &bytes[..];
        assert_eq!(read::<(String, u8)>(&mut from).unwrap(), Some(("a".to_owned(), 1)));
        assert_eq!(read::<(String, u8)>(&mut from).unwrap(), Some(("b".to_owned(), 2)));
        assert_eq!(read::<(String, u8)>(&mut from).unwrap(), None);
        for bad in [&bytes[..2], &bytes[..7], &[0xff; 8], &[0, 0, 0, 1, b'x']] {
            assert!(read::<(String, u8)>(&mut &bad[..]).is_err(), "{bad:?}");
        }
    }
}
