//! Values of the program as bytes: what replicated objects keep and send.
//!
//! The form is postcard's. A `Vec<u8>` has the same bytes as from postcard, and is copied in one piece: `serde` describes it
//! as a list of numbers, and to pass on 64 KiB one by one costs ten times the copy.

use crate::error::{Error, Result};
use postcard::ser_flavors::Flavor;
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;

/// The value in a buffer of its own.
pub(crate) fn to_bytes<T: Serialize + 'static>(object: &str, value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size_of_val(value));
    put_value(object, value, &mut bytes)?;
    Ok(bytes)
}

/// Appends the value. After an error `out` holds a part of it.
pub(crate) fn put_value<T: Serialize + 'static>(object: &str, value: &T, out: &mut Vec<u8>) -> Result<()> {
    match (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        Some(bytes) => {
            out.reserve(bytes.len() + size_of::<u64>());
            let length = postcard::serialize_with_flavor(&bytes.len(), AtEnd(out));
            out.extend_from_slice(bytes);
            length
        }
        None => postcard::serialize_with_flavor(value, AtEnd(out)),
    }
    .map_err(|error| value_error(object, &error))
}

/// The value that [`put_value`] has made these bytes of.
pub(crate) fn from_bytes<T: DeserializeOwned + 'static>(object: &str, bytes: &[u8]) -> Result<T> {
    let mut value: Option<T> = None;
    let outcome = match (&mut value as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
        Some(slot) => byte_list(bytes).map(|list| *slot = Some(list.to_vec())),
        None => postcard::from_bytes(bytes).map(|decoded| value = Some(decoded)),
    };
    outcome.map_err(|error| value_error(object, &error))?;
    Ok(value.expect("it was decoded"))
}

/// A list of bytes: its length, then the bytes.
fn byte_list(bytes: &[u8]) -> postcard::Result<&[u8]> {
    let (length, rest) = postcard::take_from_bytes::<usize>(bytes)?;
    rest.get(..length).ok_or(postcard::Error::DeserializeUnexpectedEnd)
}

fn value_error(object: &str, error: &postcard::Error) -> Error {
    Error::Value { object: object.to_owned(), reason: error.to_string() }
}

/// Writes behind what is there.
struct AtEnd<'a>(&'a mut Vec<u8>);

impl Flavor for AtEnd<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Option<T> {
        from_bytes("object", bytes).ok()
    }

    proptest! {
        // A half of another release, or a program that has changed a field's type to one of serde's byte types, reads the same bytes.
        #[test]
        fn lists_of_bytes_are_as_postcard_makes_them(value in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = to_bytes("object", &value).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&value).unwrap());
            prop_assert_eq!(back(&bytes), Some(value));
        }

        // What another type has left under the name of an object is an error or a value, as with postcard, never a panic (S17).
        #[test]
        fn any_bytes_are_what_postcard_says(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(back::<Vec<u8>>(&bytes), postcard::from_bytes(&bytes).ok());
        }
    }

    #[test]
    fn other_values_come_back() {
        let value = (7_u32, "alice".to_owned(), vec![Some(1_u64), None], vec![0_u8, 255]);
        let bytes = to_bytes("object", &value).unwrap();
        assert_eq!((back(&bytes), bytes), (Some(value.clone()), postcard::to_stdvec(&value).unwrap()));
    }
}
