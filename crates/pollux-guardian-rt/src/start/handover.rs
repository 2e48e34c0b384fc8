//! What the run-time of a primary tells the run-time of its new backup, and what that answers.
//!
//! ```text
//!   primary                             backup
//!      |-- open (internal) ---------------->|   attached, before main
//!      |-- start messages, open states ---->|   the same argv, environment; backup opens of the standard files
//!      |<-- error, errno -------------------|   0: main begins
//!      |-- close -------------------------->|
//! ```
//!
//! The open is internal: neither `$RECEIVE` nor the program sees anything of it.

use crate::stdio::standard::Which;
use crate::stdio::state::{OPEN_STATE_BYTES, OpenState};

/// Everything that a backup begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HandOver {
    /// The startup message; empty for a program that was started without one.
    pub(crate) startup: Vec<u8>,
    /// The ASSIGN messages.
    pub(crate) assigns: Vec<Vec<u8>>,
    /// The PARAM message; empty for none.
    pub(crate) params: Vec<u8>,
    /// Names of IN, OUT and TERM in full; empty for none.
    pub(crate) standard_names: [String; 3],
    /// The standard files.
    pub(crate) standard: Vec<(Which, OpenState)>,
}

const MAGIC: [u8; 8] = *b"PXBEGIN1";

impl HandOver {
    /// The bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put(&mut out, &self.startup);
        put(&mut out, &self.params);
        for name in &self.standard_names {
            put(&mut out, name.as_bytes());
        }
        out.extend((self.assigns.len() as u32).to_le_bytes());
        for assign in &self.assigns {
            put(&mut out, assign);
        }
        for (which, state) in &self.standard {
            if let Some(bytes) = state.encode() {
                out.push(*which as u8);
                out.extend(bytes);
            }
        }
        out
    }

    /// The hand-over that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let startup = take(&mut rest)?;
        let params = take(&mut rest)?;
        let mut standard_names = [const { String::new() }; 3];
        for name in &mut standard_names {
            *name = String::from_utf8(take(&mut rest)?).ok()?;
        }
        let (count, tail) = rest.split_first_chunk::<4>()?;
        rest = tail;
        let mut assigns = Vec::new();
        for _ in 0..u32::from_le_bytes(*count) {
            assigns.push(take(&mut rest)?);
        }
        let records = rest.chunks_exact(OPEN_STATE_BYTES + 1);
        if !records.remainder().is_empty() {
            return None;
        }
        let mut standard = Vec::new();
        for record in records {
            let which = *Which::ALL.get(usize::from(record[0]))?;
            standard.push((which, OpenState::decode(&record[1..])?));
        }
        Some(Self { startup, assigns, params, standard_names, standard })
    }
}

/// The answer: 0, or an error number of either space.
pub(crate) fn encode_answer(errno: i32) -> [u8; 4] {
    errno.to_le_bytes()
}

/// The answer that these bytes are; nothing for others.
pub(crate) fn decode_answer(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.try_into().ok()?))
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn take(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let (bytes, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = tail;
    Some(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    // A backup that begins with other arguments or files than its primary is no backup of it.
    #[test]
    fn a_hand_over_comes_back_whole_or_not_at_all() {
        let state = OpenState { file_number: 1, depth: 1, mode: "w".into(), name: "/tmp/out".into() };
        let all = HandOver {
            startup: vec![1, 2, 3],
            assigns: vec![vec![4], Vec::new()],
            params: vec![5],
            standard_names: [String::new(), "/tmp/out".into(), "/tmp/out".into()],
            standard: vec![(Which::Output, state.clone()), (Which::Error, state)],
        };
        let bytes = all.encode();
        assert_eq!(HandOver::decode(&bytes), Some(all));
        for length in 0..bytes.len() {
            let cut = HandOver::decode(&bytes[..length]);
            assert!(cut.is_none_or(|cut| cut.standard.len() < 2), "cut at {length}");
        }
        assert_eq!(decode_answer(&encode_answer(4210)), Some(4210));
    }
}
