//! Names of files, processes and devices: syntax only (Guardian Procedure Calls, appendix "File names and process
//! identifiers"). Nothing here asks whether the named thing exists.
//!
//! | Form | Is |
//! | --- | --- |
//! | `[\node.][$volume.][subvolume.]file` | a disk file; a missing part is taken from the defaults |
//! | `[\node.]$volume.#1234` | a temporary disk file |
//! | `[\node.]$name[:sequence][.#qualifier[.qualifier]]` | a named process, or a device if there is no sequence number |
//! | `[\node.]$:cpu:pin:sequence[.#qualifier[.qualifier]]` | a process without a name |
//! | `=name` | a DEFINE |

use pollux_wire::{CpuNumber, NodeName, Pin};
use std::fmt;

/// Bytes of a whole file name (`ZSYS_VAL_LEN_FILENAME`).
pub(crate) const FILE_NAME_BYTES_MAX: usize = 47;
/// Digits of a sequence number in a name.
const SEQUENCE_DIGITS_MAX: usize = 13;
/// Letters and digits of a volume or device name, after the `$`.
const DEVICE_LETTERS_MAX: usize = 7;
/// Letters and digits of a process name, after the `$`.
const PROCESS_LETTERS_MAX: usize = 5;
/// Letters and digits of a subvolume, a file, or a second qualifier.
const PART_LETTERS_MAX: usize = 8;
/// Letters and digits of a first qualifier, after the `#`.
const QUALIFIER_LETTERS_MAX: usize = 7;
/// Characters of a DEFINE name, after the `=`.
const DEFINE_LETTERS_MAX: usize = 23;

/// The text is no file name (error 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadName;

/// A file name, in capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    /// The node, if the name says one.
    pub(crate) node: Option<NodeName>,
    /// What is named there.
    pub(crate) object: Object,
}

/// What a name names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    /// A disk file.
    Disk {
        /// With the `$`.
        volume: Option<String>,
        /// The subvolume.
        subvolume: Option<String>,
        /// The file.
        file: String,
    },
    /// A temporary disk file: the volume and `#` with digits.
    Temporary {
        /// With the `$`.
        volume: String,
        /// With the `#`.
        number: String,
    },
    /// A process or a device.
    Named {
        /// With the `$`.
        name: String,
        /// The instance; only a process has one.
        sequence: Option<u64>,
        /// See [`Qualifiers`].
        qualifiers: Qualifiers,
    },
    /// A process without a name.
    Unnamed {
        /// Its CPU.
        cpu: CpuNumber,
        /// Its number there.
        pin: Pin,
        /// Its sequence number.
        sequence: u64,
        /// See [`Qualifiers`].
        qualifiers: Qualifiers,
    },
}

/// What follows the name of a process or device, and is for that process to understand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Qualifiers {
    /// With the `#`.
    pub(crate) first: Option<String>,
    /// Only if there is a first.
    pub(crate) second: Option<String>,
}

/// What a name lacks is taken from here (the `=_DEFAULTS` DEFINE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// The node.
    pub(crate) node: NodeName,
    /// The volume, with the `$`.
    pub(crate) volume: String,
    /// The subvolume.
    pub(crate) subvolume: String,
}

/// A part of a name, as `FILENAME_DECOMPOSE_` and `FILENAME_SCAN_` number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// -1.
    Node,
    /// 0: volume, device or process.
    Destination,
    /// 1: subvolume or first qualifier.
    First,
    /// 2: file or second qualifier.
    Second,
}

impl Level {
    /// The level with this number.
    pub(crate) fn from_number(number: i16) -> Option<Self> {
        match number {
            -1 => Some(Self::Node),
            0 => Some(Self::Destination),
            1 => Some(Self::First),
            2 => Some(Self::Second),
            _ => None,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> i16 {
        match self {
            Self::Node => -1,
            Self::Destination => 0,
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

impl FileName {
    /// Reads a name; the whole text must be one.
    pub(crate) fn parse(text: &str) -> Result<Self, BadName> {
        if text.len() > FILE_NAME_BYTES_MAX || !text.is_ascii() {
            return Err(BadName);
        }
        let text = text.to_ascii_uppercase();
        let (node, rest) = match text.starts_with('\\') {
            true => {
                let (node, rest) = text.split_once('.').ok_or(BadName)?;
                (Some(NodeName::new(node).map_err(|_| BadName)?), rest)
            }
            false => (None, text.as_str()),
        };
        let parts: Vec<&str> = rest.split('.').collect();
        let object = match parts[0].strip_prefix('$') {
            Some(_) => Object::with_destination(&parts)?,
            // A node without a volume would leave it open whose default volume is meant.
            None if node.is_some() => return Err(BadName),
            None => Object::without_destination(&parts)?,
        };
        Ok(Self { node, object })
    }

    /// The same name with what it lacks. Only a disk file can lack more than the node.
    pub(crate) fn resolve(&self, defaults: &Defaults) -> Self {
        let object = match &self.object {
            Object::Disk { volume, subvolume, file } => Object::Disk {
                volume: Some(volume.clone().unwrap_or_else(|| defaults.volume.clone())),
                subvolume: Some(subvolume.clone().unwrap_or_else(|| defaults.subvolume.clone())),
                file: file.clone(),
            },
            other => other.clone(),
        };
        // A volume that the name gives without a node is on the caller's own node, which the defaults name too.
        Self { node: Some(self.node.clone().unwrap_or_else(|| defaults.node.clone())), object }
    }

    /// One part; empty if the name lacks it.
    pub(crate) fn part(&self, level: Level) -> String {
        match level {
            Level::Node => self.node.as_ref().map(ToString::to_string).unwrap_or_default(),
            _ => self.object.part(level),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "{node}.")?;
        }
        let parts = [Level::Destination, Level::First, Level::Second].map(|level| self.object.part(level));
        let mut separator = "";
        for part in parts.iter().filter(|part| !part.is_empty()) {
            write!(f, "{separator}{part}")?;
            separator = ".";
        }
        Ok(())
    }
}

impl Object {
    /// True for `$RECEIVE`, the caller's own input.
    pub(crate) fn is_receive(&self) -> bool {
        matches!(self, Self::Named { name, sequence: None, .. } if name == "$RECEIVE")
    }

    fn with_destination(parts: &[&str]) -> Result<Self, BadName> {
        let destination = parts[0];
        if let Some(place) = destination.strip_prefix("$:") {
            let numbers: Vec<&str> = place.split(':').collect();
            let [cpu, pin, sequence] = numbers[..] else { return Err(BadName) };
            let cpu = u8::try_from(number(cpu, 2)?).ok().and_then(CpuNumber::new).ok_or(BadName)?;
            let pin = Pin(u16::try_from(number(pin, 5)?).map_err(|_| BadName)?);
            let sequence = number(sequence, SEQUENCE_DIGITS_MAX)?;
            return Ok(Self::Unnamed { cpu, pin, sequence, qualifiers: Qualifiers::parse(&parts[1..])? });
        }
        let (name, sequence) = match destination.split_once(':') {
            Some((name, sequence)) => (name, Some(number(sequence, SEQUENCE_DIGITS_MAX)?)),
            None => (destination, None),
        };
        // Only a process has an instance, and its name is shorter than that of a volume.
        let letters_max = if sequence.is_some() { PROCESS_LETTERS_MAX } else { DEVICE_LETTERS_MAX };
        identifier(&name[1..], letters_max)?;
        match &parts[1..] {
            [number] if sequence.is_none() && is_temporary(number) => {
                Ok(Self::Temporary { volume: name.to_owned(), number: (*number).to_owned() })
            }
            [subvolume, file] if sequence.is_none() && !subvolume.starts_with('#') => {
                identifier(subvolume, PART_LETTERS_MAX)?;
                identifier(file, PART_LETTERS_MAX)?;
                Ok(Self::Disk {
                    volume: Some(name.to_owned()),
                    subvolume: Some((*subvolume).to_owned()),
                    file: (*file).to_owned(),
                })
            }
            qualifiers => Ok(Self::Named {
                name: name.to_owned(),
                sequence,
                qualifiers: Qualifiers::parse(qualifiers)?,
            }),
        }
    }

    fn without_destination(parts: &[&str]) -> Result<Self, BadName> {
        let (subvolume, file) = match parts {
            [file] => (None, *file),
            [subvolume, file] => (Some(*subvolume), *file),
            _ => return Err(BadName),
        };
        identifier(file, PART_LETTERS_MAX)?;
        if let Some(subvolume) = subvolume {
            identifier(subvolume, PART_LETTERS_MAX)?;
        }
        Ok(Self::Disk { volume: None, subvolume: subvolume.map(str::to_owned), file: file.to_owned() })
    }

    fn part(&self, level: Level) -> String {
        let qualifier = |qualifiers: &Qualifiers, level| match level {
            Level::First => qualifiers.first.clone().unwrap_or_default(),
            _ => qualifiers.second.clone().unwrap_or_default(),
        };
        match (self, level) {
            (_, Level::Node) => String::new(),
            (Self::Disk { volume, .. }, Level::Destination) => volume.clone().unwrap_or_default(),
            (Self::Disk { subvolume, .. }, Level::First) => subvolume.clone().unwrap_or_default(),
            (Self::Disk { file, .. }, Level::Second) => file.clone(),
            (Self::Temporary { volume, .. }, Level::Destination) => volume.clone(),
            (Self::Temporary { number, .. }, Level::First) => number.clone(),
            (Self::Temporary { .. }, Level::Second) => String::new(),
            (Self::Named { name, sequence: Some(sequence), .. }, Level::Destination) => {
                format!("{name}:{sequence}")
            }
            (Self::Named { name, sequence: None, .. }, Level::Destination) => name.clone(),
            (Self::Unnamed { cpu, pin, sequence, .. }, Level::Destination) => {
                format!("$:{cpu}:{pin}:{sequence}")
            }
            (Self::Named { qualifiers, .. } | Self::Unnamed { qualifiers, .. }, level) => {
                qualifier(qualifiers, level)
            }
        }
    }
}

impl Qualifiers {
    fn parse(parts: &[&str]) -> Result<Self, BadName> {
        let (first, second) = match parts {
            [] => return Ok(Self::default()),
            [first] => (*first, None),
            [first, second] => (*first, Some(*second)),
            _ => return Err(BadName),
        };
        identifier(first.strip_prefix('#').ok_or(BadName)?, QUALIFIER_LETTERS_MAX)?;
        if let Some(second) = second {
            identifier(second, PART_LETTERS_MAX)?;
        }
        Ok(Self { first: Some(first.to_owned()), second: second.map(str::to_owned) })
    }
}

impl fmt::Display for Qualifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.first.as_deref().unwrap_or_default())?;
        match &self.second {
            Some(second) => write!(f, ".{second}"),
            None => Ok(()),
        }
    }
}

/// True for `=` and a name of letters, digits, hyphens, underscores and circumflexes, of which the first is a letter or
/// an underscore (the system's own begin with one).
pub(crate) fn is_define_name(text: &str) -> bool {
    let Some(body) = text.strip_prefix('=') else { return false };
    body.len() <= DEFINE_LETTERS_MAX
        && body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_^".contains(&b))
}

fn is_temporary(part: &str) -> bool {
    part.strip_prefix('#').is_some_and(|digits| {
        !digits.is_empty()
            && digits.len() <= QUALIFIER_LETTERS_MAX
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn identifier(text: &str, letters_max: usize) -> Result<(), BadName> {
    let right = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= letters_max
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if right { Ok(()) } else { Err(BadName) }
}

/// A number without leading zeros.
fn number(digits: &str, digits_max: usize) -> Result<u64, BadName> {
    let right = !digits.is_empty()
        && digits.len() <= digits_max
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if right { digits.parse().map_err(|_| BadName) } else { Err(BadName) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn defaults() -> Defaults {
        let node = NodeName::new("\\HERE").unwrap();
        Defaults { node, volume: "$DATA".to_owned(), subvolume: "WORK".to_owned() }
    }

    // A name that reads differently here and in the opener of a file would reach the wrong process.
    #[test]
    fn forms_of_names() {
        for (text, shown, resolved) in [
            ("$srv", "$SRV", "\\HERE.$SRV"),
            ("\\far.$srv", "\\FAR.$SRV", "\\FAR.$SRV"),
            ("$srv:17", "$SRV:17", "\\HERE.$SRV:17"),
            ("$srv.#port2.ctl", "$SRV.#PORT2.CTL", "\\HERE.$SRV.#PORT2.CTL"),
            ("$srv:17.#q", "$SRV:17.#Q", "\\HERE.$SRV:17.#Q"),
            ("$:3:45:6789", "$:3:45:6789", "\\HERE.$:3:45:6789"),
            ("\\far.$:0:0:1.#a.b", "\\FAR.$:0:0:1.#A.B", "\\FAR.$:0:0:1.#A.B"),
            ("file", "FILE", "\\HERE.$DATA.WORK.FILE"),
            ("sub.file", "SUB.FILE", "\\HERE.$DATA.SUB.FILE"),
            ("$vol1234.sub.file", "$VOL1234.SUB.FILE", "\\HERE.$VOL1234.SUB.FILE"),
            ("$vol.#0123", "$VOL.#0123", "\\HERE.$VOL.#0123"),
            ("$receive", "$RECEIVE", "\\HERE.$RECEIVE"),
        ] {
            let name = FileName::parse(text).unwrap_or_else(|_| panic!("{text} is a name"));
            assert_eq!(name.to_string(), shown);
            assert_eq!(name.resolve(&defaults()).to_string(), resolved);
        }
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            "$",
            "$1",
            "$.a.b",
            "$toolongx",
            "$abcdef:1",
            "$srv:",
            "$srv:01",
            "$srv:x",
            "$srv.qual",
            "$srv.#",
            "$srv.#1a",
            "$srv.#q.r.s",
            "$:16:1:1",
            "$:01:1:1",
            "$:1:1",
            "$:1:65536:1",
            "$:1:1:12345678901234",
            "\\far",
            "\\far.file",
            "\\1.$a",
            "1file",
            "ninechars",
            "a.b.c",
            "a..b",
            "$v.a.ninechars",
            "a b",
            "$sr v",
            "$\u{e4}",
            "\\abcdefgh.$a",
            "$srv:1.sub.file",
        ] {
            assert_eq!(FileName::parse(text), Err(BadName), "{text}");
        }
    }

    #[test]
    fn defines() {
        assert!(is_define_name("=_DEFAULTS") && is_define_name("=a-b^c_9"));
        for wrong in ["", "=", "a", "=1", "=a b", "=abcdefghijklmnopqrstuvwxy"] {
            assert!(!is_define_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn parts_by_level() {
        let name = FileName::parse("\\far.$srv:5.#q.r").unwrap();
        assert_eq!(
            [-1, 0, 1, 2].map(|n| name.part(Level::from_number(n).unwrap())),
            ["\\FAR", "$SRV:5", "#Q", "R"]
        );
        assert_eq!(FileName::parse("$v.#12").unwrap().part(Level::Second), "");
        assert_eq!(Level::from_number(3), None);
    }

    proptest! {
        // What is shown must be a name again, and the same one.
        #[test]
        fn what_is_shown_reads_the_same(
            text in r"(\\[a-z][a-z0-9]{0,6}\.)?\$([a-z][a-z0-9]{0,4}(:[1-9][0-9]{0,11})?|:1[0-5]:[1-9][0-9]{0,3}:[1-9][0-9]{0,8})(\.#[a-z][a-z0-9]{0,5}(\.[a-z][a-z0-9]{0,6})?)?"
        ) {
            prop_assume!(text.len() <= FILE_NAME_BYTES_MAX);
            let name = FileName::parse(&text).unwrap();
            prop_assert_eq!(name.to_string(), text.to_ascii_uppercase());
            prop_assert_eq!(FileName::parse(&name.to_string()), Ok(name));
        }

        #[test]
        fn any_text_is_a_name_or_is_not(text in ".{0,60}") {
            if let Ok(name) = FileName::parse(&text) {
                prop_assert_eq!(FileName::parse(&name.to_string()), Ok(name));
            }
        }
    }
}
