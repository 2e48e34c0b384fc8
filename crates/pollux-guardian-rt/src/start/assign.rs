//! ASSIGN messages (Guardian Procedure Errors and Messages, 237 and 238): which file stands for a logical name.
//!
//! The message has room for 24 bytes of a file name. A program that reads the message finds what fits; what the run-time
//! opens, and hands to a backup, is the whole name: it travels behind the message.

use super::messages::{self, external_name, first_word, internal_name, padded};

/// Every ASSIGN message.
pub(crate) const ASSIGN_BYTES: usize = 108;
/// Characters of a program unit or logical name.
const NAME_CHARACTERS_MAX: usize = 31;
/// Where the words of the message are, in bytes.
const UNIT_AT: usize = 2;
const LOGICAL_AT: usize = 34;
const MASK_AT: usize = 66;
const FILE_AT: usize = 70;
const ATTRIBUTES_AT: usize = 94;
/// Bit `<0>` of the mask: a file is given. Bit `<n>` for the attribute n.
const FILE_GIVEN: u16 = 0x8000;
/// Bits of the attributes, in the order of their words: two extents, code, exclusion, access, record and block size.
const ATTRIBUTES: usize = 7;
const EXCLUSION: usize = 3;
const ACCESS: usize = 4;

/// An ASSIGN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assign {
    /// Program unit; empty or `*` for any.
    pub(crate) unit: String,
    /// Logical name.
    pub(crate) logical: String,
    /// The file; empty for none.
    pub(crate) file: String,
    /// Extents, code, exclusion, access, record and block size, as far as they are given. They are for the program.
    attributes: [Option<i16>; ATTRIBUTES],
}

impl Assign {
    /// The message, and behind it the whole name of the file if that has no room in it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; ASSIGN_BYTES];
        bytes[..2].copy_from_slice(&messages::ASSIGN.to_ne_bytes());
        for (at, text) in [(UNIT_AT, &self.unit), (LOGICAL_AT, &self.logical)] {
            let text: String = text.chars().take(NAME_CHARACTERS_MAX).collect();
            bytes[at] = text.len() as u8;
            bytes[at + 1..at + 32].copy_from_slice(&padded(&text, NAME_CHARACTERS_MAX));
        }
        let mut mask = if self.file.is_empty() { 0 } else { FILE_GIVEN };
        for (number, value) in self.attributes.iter().enumerate() {
            let Some(value) = value else { continue };
            mask |= FILE_GIVEN >> (number + 1);
            let at = ATTRIBUTES_AT + 2 * number;
            bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
        }
        bytes[MASK_AT..MASK_AT + 2].copy_from_slice(&mask.to_ne_bytes());
        let name = internal_name(&self.file);
        bytes[FILE_AT..ATTRIBUTES_AT].copy_from_slice(&name[..ATTRIBUTES_AT - FILE_AT]);
        if external_name(&name) != self.file || name.len() > ATTRIBUTES_AT - FILE_AT {
            bytes.extend(self.file.as_bytes());
        }
        bytes
    }

    /// The ASSIGN that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < ASSIGN_BYTES || first_word(bytes) != Some(messages::ASSIGN) {
            return None;
        }
        let text = |at: usize| {
            let length = usize::from(bytes[at]).min(NAME_CHARACTERS_MAX);
            String::from_utf8_lossy(&bytes[at + 1..at + 1 + length]).into_owned()
        };
        let word = |at: usize| i16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let mask = word(MASK_AT) as u16;
        let attribute = |number: usize| {
            (mask & FILE_GIVEN >> (number + 1) != 0).then(|| word(ATTRIBUTES_AT + 2 * number))
        };
        let file = match &bytes[ASSIGN_BYTES..] {
            _ if mask & FILE_GIVEN == 0 => String::new(),
            [] => external_name(&bytes[FILE_AT..ATTRIBUTES_AT]),
            whole => String::from_utf8_lossy(whole).into_owned(),
        };
        Some(Self {
            unit: text(UNIT_AT),
            logical: text(LOGICAL_AT),
            file,
            attributes: std::array::from_fn(attribute),
        })
    }

    /// The ASSIGN that a line `[UNIT.]LOGICAL=FILE[,ATTRIBUTE]...` says. What is behind a comma belongs to the file name if
    /// it is no attribute.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (name, file) = line.split_once('=')?;
        let (unit, logical) = name.trim().rsplit_once('.').unwrap_or(("", name.trim()));
        if logical.is_empty() {
            return None;
        }
        let (mut file, mut attributes) = (file.trim(), [None; ATTRIBUTES]);
        while let Some((before, last)) = file.rsplit_once(',') {
            let Some((number, value)) = attribute(last) else { break };
            attributes[number] = Some(value);
            file = before.trim_end();
        }
        let upper = |text: &str| text.to_ascii_uppercase();
        Some(Self { unit: upper(unit), logical: upper(logical), file: file.to_owned(), attributes })
    }

    /// True if it is for a name that the program gives to a file.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        let any_unit = matches!(self.unit.as_str(), "" | "*");
        any_unit && !self.file.is_empty() && self.logical.eq_ignore_ascii_case(name.trim_end_matches(' '))
    }
}

/// The number of an attribute and its value, as the words of the ASSIGN command say it.
fn attribute(text: &str) -> Option<(usize, i16)> {
    let upper = text.trim().to_ascii_uppercase();
    let mut words = upper.split_whitespace();
    let (word, value) = (words.next()?, words.next());
    if words.next().is_some() {
        return None;
    }
    let number = |at: usize| Some((at, value?.parse().ok()?));
    match (word, value) {
        ("EXT", _) => number(0),
        ("SECEXT", _) => number(1),
        ("CODE", _) => number(2),
        ("REC", _) => number(5),
        ("BLOCK", _) => number(6),
        ("SHARED", None) => Some((EXCLUSION, 0)),
        ("EXCLUSIVE", None) => Some((EXCLUSION, 0o20)),
        ("PROTECTED", None) => Some((EXCLUSION, 0o60)),
        ("I-O", None) => Some((ACCESS, 0)),
        ("INPUT", None) => Some((ACCESS, 0o2000)),
        ("OUTPUT", None) => Some((ACCESS, 0o4000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program, or a backup, that is told another file than the one that was assigned.
    #[test]
    fn messages_come_back() {
        for line in
            ["DATA-FILE=$DATA.SUB.FILE", "*.x=/srv/a/name/that/has/no/room/in/the/message", "U.L=$V.A.B"]
        {
            let assign = Assign::from_line(line).unwrap();
            assert_eq!(Assign::decode(&assign.encode()), Some(assign), "{line}");
        }
        assert_eq!(Assign::from_line("A=$DATA.SUB.FILE").unwrap().encode().len(), ASSIGN_BYTES);
        assert_eq!(Assign::decode(&[0; ASSIGN_BYTES]), None);
        let bytes = Assign::from_line("A=$D.S.F").unwrap().encode();
        assert_eq!(Assign::decode(&bytes[..ASSIGN_BYTES - 1]), None);
    }

    // Programs look at the words by their places.
    #[test]
    fn attributes_are_where_the_manual_has_them() {
        let line = "IN=$D.S.F, EXT 4, code 180,EXCLUSIVE,input,REC 80";
        let assign = Assign::from_line(line).unwrap();
        assert_eq!((assign.file.as_str(), assign.unit.as_str()), ("$D.S.F", ""));
        let bytes = assign.encode();
        let word = |at: usize| i16::from_ne_bytes([bytes[2 * at], bytes[2 * at + 1]]);
        // File, primary extent, code, exclusion, access, record size.
        assert_eq!(word(33) as u16, 0x8000 | 0x4000 | 0x1000 | 0x0800 | 0x0400 | 0x0200);
        assert_eq!([47, 48, 49, 50, 51, 52, 53].map(word), [4, 0, 180, 0o20, 0o2000, 80, 0]);
        assert_eq!((bytes[34], &bytes[35..38]), (2, b"IN ".as_slice()));
        assert_eq!(&bytes[70..94], b"$D      S       F       ");
        assert_eq!(Assign::decode(&bytes), Some(assign));
    }

    #[test]
    fn lines_and_names() {
        let assign = Assign::from_line("*.infile=/tmp/a,b.txt").unwrap();
        assert_eq!((assign.unit.as_str(), assign.file.as_str()), ("*", "/tmp/a,b.txt"));
        assert!(assign.is_for("InFile") && !assign.is_for("INFILE2"));
        assert!(!Assign::from_line("UNIT.INFILE=/x").unwrap().is_for("INFILE"));
        assert_eq!(Assign::from_line("nothing"), None);
        assert_eq!(Assign::from_line("=x"), None);
    }
}
