//! The replicated form of a socket, for the fuzz target. Behind the feature `fuzz`; no product calls it.

use crate::stored::Stored;

/// An entry of the provider's map, as its other half takes it in: what stands for a socket is stored as the same (S17).
pub fn stored_socket(bytes: &[u8]) {
    let Ok(stored) = postcard::from_bytes::<Stored>(bytes) else { return };
    let Some(socket) = stored.socket() else { return };
    let again = Stored::from(&socket);
    assert_eq!(again.socket(), Some(socket));
    let encoded = postcard::to_stdvec(&again).expect("an entry has a form");
    assert_eq!(postcard::from_bytes(&encoded).ok(), Some(again));
}
