//! Bytes that take the place of others.

/// Puts `bytes` where others were: in their room, unless most of it would be left over.
#[inline]
pub fn refill(room: &mut Vec<u8>, bytes: &[u8]) {
    if room.capacity() / 2 <= bytes.len() {
        room.clear();
        room.extend_from_slice(bytes);
    } else {
        *room = bytes.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A small value that keeps the room of a large one for ever makes a map grow without a limit.
    #[test]
    fn room_is_kept_only_where_it_is_used() {
        let mut room = Vec::with_capacity(100);
        for (length, capacity_max) in [(60, 100), (50, 100), (10, 10)] {
            let bytes = vec![length; usize::from(length)];
            refill(&mut room, &bytes);
            assert_eq!(room, bytes);
            assert!(room.capacity() <= capacity_max, "{length}");
        }
    }
}
