//! Effects: what a command changed, in a form that needs no further decision.
//!
//! Each effect is a tag byte and its fields. Lengths and counts are varints (LEB128, at most ten
//! bytes), byte strings are a length and the bytes, scores are 8 bytes of IEEE 754, little-endian:
//!
//! ```text
//! +-----+-----------+-----------+     +-----+-----------+-------+-----------+-----------+ - -
//! | tag | key       | value     |     | tag | key       | count | element   | element   |
//! +-----+-----------+-----------+     +-----+-----------+-------+-----------+-----------+ - -
//!  Set                                 PushFront
//! ```
//!
//! Effects follow one another without separators. Decoding is total (S17): any bytes give an effect or
//! an error; nothing is allocated, since everything is a slice of the input.

use std::fmt;
use std::num::NonZeroU64;

/// What a text keeps of its expiry when it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The key never expires.
    Clear,
    /// The key expires when it did before.
    Keep,
    /// The key expires at this time, in milliseconds of the Unix clock.
    At(NonZeroU64),
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Index 0.
    Front,
    /// Index -1.
    Back,
}

/// One change of the store.
///
/// A collection that becomes empty is removed with its key. An effect on a key that is absent creates
/// it if it adds something, and does nothing otherwise: so effects are harmless on a backup whose
/// snapshot has not arrived in full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect<'a> {
    /// The key holds this text.
    Set {
        /// Key to change.
        key: &'a [u8],
        /// Whole new content.
        value: &'a [u8],
        /// What becomes of the expiry.
        expiry: Expiry,
    },
    /// The text grows at its end.
    Append {
        /// Key to change.
        key: &'a [u8],
        /// Bytes to add.
        suffix: &'a [u8],
    },
    /// The key is removed: by a command, or because its time had come.
    Delete {
        /// Key to remove.
        key: &'a [u8],
    },
    /// The key gets an expiry time.
    Expire {
        /// Key to change.
        key: &'a [u8],
        /// Milliseconds of the Unix clock.
        at_ms: NonZeroU64,
    },
    /// The key loses its expiry time.
    Persist {
        /// Key to change.
        key: &'a [u8],
    },
    /// Elements are added at an end, one after the other.
    Push {
        /// Key to change.
        key: &'a [u8],
        /// Where.
        end: End,
        /// The elements in the order of their pushing.
        elements: Items<'a>,
    },
    /// Elements are taken from an end.
    Pop {
        /// Key to change.
        key: &'a [u8],
        /// Where.
        end: End,
        /// How many.
        count: u64,
    },
    /// Fields of a hash get values.
    HashPut {
        /// Key to change.
        key: &'a [u8],
        /// Field, value, field, value, ...
        pairs: Items<'a>,
    },
    /// A field leaves a hash.
    HashRemove {
        /// Key to change.
        key: &'a [u8],
        /// Field to remove.
        field: &'a [u8],
    },
    /// Members join a set.
    MembersAdd {
        /// Key to change.
        key: &'a [u8],
        /// The members.
        members: Items<'a>,
    },
    /// A member leaves a set.
    MemberRemove {
        /// Key to change.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
    },
    /// A member of a sorted set gets a score.
    ScorePut {
        /// Key to change.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
        /// The score: a number.
        score: f64,
    },
    /// A member leaves a sorted set.
    ScoreRemove {
        /// Key to change.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
    },
    /// All keys are removed.
    Flush,
}

#[repr(u8)]
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    Set = 1,
    SetKeep = 2,
    SetAt = 3,
    Append = 4,
    Delete = 5,
    Expire = 6,
    Persist = 7,
    PushFront = 8,
    PushBack = 9,
    PopFront = 10,
    PopBack = 11,
    HashPut = 12,
    HashRemove = 13,
    MembersAdd = 14,
    MemberRemove = 15,
    ScorePut = 16,
    ScoreRemove = 17,
    Flush = 18,
}

impl<'a> Effect<'a> {
    /// Appends the encoded effect.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Effect::Set { key, value, expiry } => match expiry {
                Expiry::Clear => put_keyed(out, Tag::Set, key, value),
                Expiry::Keep => put_keyed(out, Tag::SetKeep, key, value),
                Expiry::At(at_ms) => {
                    put_keyed(out, Tag::SetAt, key, value);
                    put_varint(out, at_ms.get());
                }
            },
            Effect::Append { key, suffix } => put_keyed(out, Tag::Append, key, suffix),
            Effect::Delete { key } => put_key(out, Tag::Delete, key),
            Effect::Expire { key, at_ms } => {
                put_key(out, Tag::Expire, key);
                put_varint(out, at_ms.get());
            }
            Effect::Persist { key } => put_key(out, Tag::Persist, key),
            Effect::Push { key, end, elements } => {
                put_items(out, push_tag(end), key, elements.count, elements.iter());
            }
            Effect::Pop { key, end, count } => {
                let tag = match end {
                    End::Front => Tag::PopFront,
                    End::Back => Tag::PopBack,
                };
                put_key(out, tag, key);
                put_varint(out, count);
            }
            Effect::HashPut { key, pairs } => {
                put_items(out, Tag::HashPut, key, pairs.count, pairs.iter());
            }
            Effect::HashRemove { key, field } => put_keyed(out, Tag::HashRemove, key, field),
            Effect::MembersAdd { key, members } => {
                put_items(out, Tag::MembersAdd, key, members.count, members.iter());
            }
            Effect::MemberRemove { key, member } => put_keyed(out, Tag::MemberRemove, key, member),
            Effect::ScorePut { key, member, score } => {
                put_keyed(out, Tag::ScorePut, key, member);
                out.extend_from_slice(&score.to_bits().to_le_bytes());
            }
            Effect::ScoreRemove { key, member } => put_keyed(out, Tag::ScoreRemove, key, member),
            Effect::Flush => out.push(Tag::Flush as u8),
        }
    }

    /// Takes one effect from the start of `input`.
    pub fn decode(input: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let (&tag, rest) = input.split_first().ok_or(DecodeError::Short)?;
        *input = rest;
        if tag == Tag::Flush as u8 {
            return Ok(Effect::Flush);
        }
        let key = take_bytes(input)?;
        Ok(match tag {
            tag if tag == Tag::Set as u8 => {
                Effect::Set { key, value: take_bytes(input)?, expiry: Expiry::Clear }
            }
            tag if tag == Tag::SetKeep as u8 => {
                Effect::Set { key, value: take_bytes(input)?, expiry: Expiry::Keep }
            }
            tag if tag == Tag::SetAt as u8 => {
                let value = take_bytes(input)?;
                Effect::Set { key, value, expiry: Expiry::At(take_time(input)?) }
            }
            tag if tag == Tag::Append as u8 => Effect::Append { key, suffix: take_bytes(input)? },
            tag if tag == Tag::Delete as u8 => Effect::Delete { key },
            tag if tag == Tag::Expire as u8 => Effect::Expire { key, at_ms: take_time(input)? },
            tag if tag == Tag::Persist as u8 => Effect::Persist { key },
            tag if tag == Tag::PushFront as u8 => {
                Effect::Push { key, end: End::Front, elements: Items::take(input)? }
            }
            tag if tag == Tag::PushBack as u8 => {
                Effect::Push { key, end: End::Back, elements: Items::take(input)? }
            }
            tag if tag == Tag::PopFront as u8 => {
                Effect::Pop { key, end: End::Front, count: take_varint(input)? }
            }
            tag if tag == Tag::PopBack as u8 => {
                Effect::Pop { key, end: End::Back, count: take_varint(input)? }
            }
            tag if tag == Tag::HashPut as u8 => {
                let pairs = Items::take(input)?;
                if pairs.count % 2 != 0 {
                    return Err(DecodeError::OddPairs);
                }
                Effect::HashPut { key, pairs }
            }
            tag if tag == Tag::HashRemove as u8 => Effect::HashRemove { key, field: take_bytes(input)? },
            tag if tag == Tag::MembersAdd as u8 => Effect::MembersAdd { key, members: Items::take(input)? },
            tag if tag == Tag::MemberRemove as u8 => Effect::MemberRemove { key, member: take_bytes(input)? },
            tag if tag == Tag::ScorePut as u8 => {
                let member = take_bytes(input)?;
                Effect::ScorePut { key, member, score: take_score(input)? }
            }
            tag if tag == Tag::ScoreRemove as u8 => Effect::ScoreRemove { key, member: take_bytes(input)? },
            tag => return Err(DecodeError::UnknownTag(tag)),
        })
    }
}

pub(crate) fn push_tag(end: End) -> Tag {
    match end {
        End::Front => Tag::PushFront,
        End::Back => Tag::PushBack,
    }
}

/// Byte strings inside an encoded effect, checked when it was decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Items<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Items<'a> {
    /// The byte strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        (0..self.count).map(move |_| take_bytes(&mut rest).expect("checked when the items were taken"))
    }

    /// How many there are: at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn take(input: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let count = take_length(input)?;
        if count == 0 {
            return Err(DecodeError::NoItems);
        }
        let start = *input;
        for _ in 0..count {
            take_bytes(input)?;
        }
        Ok(Self { count, bytes: &start[..start.len() - input.len()] })
    }
}

/// Why bytes are no effect, or no part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end too early.
    Short,
    /// No effect or value type has this tag.
    UnknownTag(u8),
    /// A varint of more than 64 bits.
    LongVarint,
    /// A field of a hash without a value.
    OddPairs,
    /// A collection of nothing.
    NoItems,
    /// A score that is no number.
    NotANumber,
    /// An expiry time of zero.
    NoTime,
    /// A snapshot in another format version.
    UnknownVersion(u8),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Short => write!(formatter, "the bytes end too early"),
            DecodeError::UnknownTag(tag) => write!(formatter, "unknown tag {tag}"),
            DecodeError::LongVarint => write!(formatter, "a number of more than 64 bits"),
            DecodeError::OddPairs => write!(formatter, "a hash field without a value"),
            DecodeError::NoItems => write!(formatter, "an empty collection"),
            DecodeError::NotANumber => write!(formatter, "a score that is not a number"),
            DecodeError::NoTime => write!(formatter, "an expiry time of zero"),
            DecodeError::UnknownVersion(version) => write!(formatter, "unknown snapshot version {version}"),
        }
    }
}

impl std::error::Error for DecodeError {}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_key(out: &mut Vec<u8>, tag: Tag, key: &[u8]) {
    out.push(tag as u8);
    put_bytes(out, key);
}

fn put_keyed(out: &mut Vec<u8>, tag: Tag, key: &[u8], field: &[u8]) {
    put_key(out, tag, key);
    put_bytes(out, field);
}

/// Appends an effect with items that are not encoded yet.
pub(crate) fn put_items<'i>(
    out: &mut Vec<u8>,
    tag: Tag,
    key: &[u8],
    count: usize,
    items: impl Iterator<Item = &'i [u8]>,
) {
    put_key(out, tag, key);
    put_varint(out, count as u64);
    items.for_each(|item| put_bytes(out, item));
}

pub(crate) fn take_varint(input: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first().ok_or(DecodeError::Short)?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(DecodeError::LongVarint);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DecodeError::LongVarint)
}

/// A length or count, which can be no more than the bytes that follow.
pub(crate) fn take_length(input: &mut &[u8]) -> Result<usize, DecodeError> {
    let length = take_varint(input)?;
    if length > input.len() as u64 { Err(DecodeError::Short) } else { Ok(length as usize) }
}

pub(crate) fn take_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = take_length(input)?;
    let (bytes, rest) = input.split_at(length);
    *input = rest;
    Ok(bytes)
}

pub(crate) fn take_score(input: &mut &[u8]) -> Result<f64, DecodeError> {
    let (bytes, rest) = input.split_first_chunk().ok_or(DecodeError::Short)?;
    *input = rest;
    let score = f64::from_bits(u64::from_le_bytes(*bytes));
    if score.is_nan() { Err(DecodeError::NotANumber) } else { Ok(score) }
}

fn take_time(input: &mut &[u8]) -> Result<NonZeroU64, DecodeError> {
    NonZeroU64::new(take_varint(input)?).ok_or(DecodeError::NoTime)
}
