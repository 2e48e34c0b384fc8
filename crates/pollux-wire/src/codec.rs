//! The codec: little-endian, fixed-width numbers, length-prefixed bytes, one tag byte for an enum.
//!
//! Hand-written because `pollux-wire` has no dependencies and because each decoder must be total.

use std::fmt;

/// Why bytes are not a value. Always an error of the sender, never a panic of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the value does.
    Short,
    /// Bytes are left over after the value.
    TrailingBytes,
    /// A tag, a flag or a number is outside its range; the text names the field's type.
    BadValue(&'static str),
    /// A text is not UTF-8.
    NotUtf8,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the message ends too early"),
            Self::TrailingBytes => f.write_str("bytes are left over after the message"),
            Self::BadValue(what) => write!(f, "a value outside the range of {what}"),
            Self::NotUtf8 => f.write_str("a text that is not UTF-8"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Takes values from the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        if count > self.rest.len() {
            return Err(DecodeError::Short);
        }
        let (head, tail) = self.rest.split_at(count);
        self.rest = tail;
        Ok(head)
    }

    /// A `u32` length and then so many bytes.
    pub fn prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = u32::take(self)? as usize;
        self.bytes(length)
    }

    /// All that is left.
    pub fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// So many bytes, as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }
}

/// A value with a form on the wire.
pub trait Wire: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the value from the front of `reader`.
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The bytes of a value.
pub fn encode<T: Wire>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.put(&mut out);
    out
}

/// The value that is exactly these bytes.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::take(&mut reader)?;
    if reader.is_empty() { Ok(value) } else { Err(DecodeError::TrailingBytes) }
}

macro_rules! wire_number {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(reader.array()?))
            }
        }
    )*};
}
wire_number!(u8, u16, u32, u64, i16, i32, i64);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::BadValue("bool")),
        }
    }
}

impl Wire for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        put_prefixed(out, self);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.prefixed()?.to_vec())
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_prefixed(out, self.as_bytes());
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.prefixed()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::NotUtf8)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(reader)? {
            0 => Ok(None),
            1 => T::take(reader).map(Some),
            _ => Err(DecodeError::BadValue("option")),
        }
    }
}

/// A list: a `u32` count and the items. The vector grows as items are found, so that a wild count cannot
/// reserve memory that the bytes do not fill.
impl<T: Wire> Wire for Vec<T>
where
    T: NotByte,
{
    fn put(&self, out: &mut Vec<u8>) {
        put_count(out, self.len());
        for item in self {
            item.put(out);
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = u32::take(reader)?;
        let mut items = Vec::new();
        for _ in 0..count {
            if reader.is_empty() {
                return Err(DecodeError::Short);
            }
            items.push(T::take(reader)?);
        }
        Ok(items)
    }
}

/// Marks what may be an item of a list; `u8` is not, its list is the byte string.
pub trait NotByte {}
impl NotByte for String {}
impl NotByte for u16 {}
impl NotByte for u32 {}
impl<A, B> NotByte for (A, B) {}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(reader)?, B::take(reader)?))
    }
}

/// Appends a `u32` length and the bytes.
pub(crate) fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("lengths are bounded by the limits module, far below 4 GiB");
    count.put(out);
}

/// Declares a struct and its codec: the fields in order.
macro_rules! wire_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type),* }
        impl $crate::Wire for $name {
            fn put(&self, _out: &mut Vec<u8>) { $( $crate::Wire::put(&self.$field, _out); )* }
            fn take(_reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $( $field: $crate::Wire::take(_reader)? ),* })
            }
        }
        impl $crate::codec::NotByte for $name {}
    };
}

/// Declares an enum of struct-like variants and its codec: a tag byte, then the fields in order.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$vmeta:meta])* $tag:literal => $variant:ident { $($(#[$fmeta:meta])* $field:ident : $type:ty),* $(,)? }),* $(,)?
    }) => {
        $(#[$meta])*
        // A variant's doc names its fields; the few that need more have a doc of their own.
        #[allow(missing_docs)]
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$vmeta])* $variant { $($(#[$fmeta])* $field: $type),* }),* }
        impl $crate::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $( Self::$variant { $($field),* } => { out.push($tag); $( $crate::Wire::put($field, out); )* } )*
                }
            }
            fn take(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                match <u8 as $crate::Wire>::take(reader)? {
                    $( $tag => Ok(Self::$variant { $( $field: $crate::Wire::take(reader)? ),* }), )*
                    _ => Err($crate::DecodeError::BadValue(stringify!($name))),
                }
            }
        }
        impl $crate::codec::NotByte for $name {}
    };
}

/// Declares an enum without fields and its codec: a tag byte. `name()` gives the text people see.
macro_rules! wire_flat_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $tag:literal => $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$vmeta])* $variant),* }
        impl $name {
            /// The word people see in messages, tables and JSON.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
            /// The value that has this word.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $text => Some(Self::$variant), )* _ => None }
            }
            /// The byte that stands for it on the wire.
            #[inline]
            pub(crate) fn tag(self) -> u8 {
                match self { $( Self::$variant => $tag, )* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.name()) }
        }
        impl $crate::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(self.tag());
            }
            #[inline]
            fn take(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                match <u8 as $crate::Wire>::take(reader)? {
                    $( $tag => Ok(Self::$variant), )*
                    _ => Err($crate::DecodeError::BadValue(stringify!($name))),
                }
            }
        }
        impl $crate::codec::NotByte for $name {}
    };
}

pub(crate) use {wire_enum, wire_flat_enum, wire_struct};
