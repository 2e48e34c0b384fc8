//! File names of processes (Guardian Procedure Calls, appendix "File names and process identifiers").
//!
//! ```text
//!  [\node.]$name[:seq][.#qual1[.qual2]]     named process
//!  [\node.]$:cpu:pin:seq                    unnamed process
//!  $RECEIVE                                 the caller's own input
//!  anything else                            a file of another kind
//! ```

use pollux_wire::control::Target;
use pollux_wire::{CpuNumber, FileError, NodeName, Phandle, Pin, ProcessName};

/// Longest file name that a procedure takes.
pub const FILE_NAME_BYTES_MAX: usize = 4_096;

/// What a file name names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileName {
    /// `$RECEIVE`.
    Receive,
    /// A process.
    Process {
        /// The node, if the name says one.
        node: Option<NodeName>,
        /// Which process.
        target: Target,
        /// The qualifier in external form, like `#PORT2.CTL`; empty for none.
        qualifier: String,
    },
    /// A file of another kind.
    Other(String),
}

impl FileName {
    /// Reads a name. Error 13 for one that is malformed.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let text = text.trim_end_matches(' ');
        if text.is_empty() || text.len() > FILE_NAME_BYTES_MAX {
            return Err(FileError::BAD_NAME);
        }
        let (node, rest) = split_node(text)?;
        if rest.eq_ignore_ascii_case("$RECEIVE") {
            return Ok(Self::Receive);
        }
        let Some(body) = rest.strip_prefix('$') else { return Ok(Self::Other(text.to_owned())) };
        let (process, qualifier) = match body.split_once('.') {
            None => (body, ""),
            Some((process, qualifier)) if qualifier.starts_with('#') => (process, qualifier),
            // $VOLUME.SUBVOLUME.FILE
            Some(_) => return Ok(Self::Other(text.to_owned())),
        };
        if !qualifier.is_empty() {
            check_qualifier(qualifier)?;
        }
        let target = match process.strip_prefix(':') {
            Some(place) => parse_place(place)?,
            None => parse_named(process)?,
        };
        Ok(Self::Process { node, target, qualifier: qualifier.to_ascii_uppercase() })
    }
}

/// The name with its node: as `FILE_GETINFO_` gives it.
pub fn qualified(node: &NodeName, target: &Target, qualifier: &str) -> String {
    let mut name = match target {
        Target::Name { name, sequence: None } => format!("{node}.{name}"),
        Target::Name { name, sequence: Some(sequence) } => format!("{node}.{name}:{sequence}"),
        Target::Place { cpu, pin, sequence } => format!("{node}.$:{cpu}:{pin}:{sequence}"),
    };
    if !qualifier.is_empty() {
        name.push('.');
        name.push_str(qualifier);
    }
    name
}

/// The process descriptor: node, name or place, and always the sequence number.
pub fn descriptor(node: &NodeName, name: Option<&ProcessName>, phandle: Phandle) -> String {
    let Phandle { cpu, pin, sequence, .. } = phandle;
    let target = match name {
        Some(name) => Target::Name { name: name.clone(), sequence: Some(sequence) },
        None => Target::Place { cpu, pin, sequence },
    };
    qualified(node, &target, "")
}

fn split_node(text: &str) -> Result<(Option<NodeName>, &str), FileError> {
    if !text.starts_with('\\') {
        return Ok((None, text));
    }
    let (node, rest) = text.split_once('.').ok_or(FileError::BAD_NAME)?;
    Ok((Some(NodeName::new(node).map_err(|_| FileError::BAD_NAME)?), rest))
}

fn parse_named(process: &str) -> Result<Target, FileError> {
    let (name, sequence) = match process.split_once(':') {
        None => (process, None),
        Some((name, sequence)) => (name, Some(number(sequence)?)),
    };
    let name = ProcessName::new(&format!("${name}")).map_err(|_| FileError::BAD_NAME)?;
    Ok(Target::Name { name, sequence })
}

fn parse_place(place: &str) -> Result<Target, FileError> {
    let mut parts = place.split(':');
    let (Some(cpu), Some(pin), Some(sequence), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(FileError::BAD_NAME);
    };
    let cpu = u8::try_from(number(cpu)?).ok().and_then(CpuNumber::new).ok_or(FileError::BAD_NAME)?;
    let pin = u16::try_from(number(pin)?).map_err(|_| FileError::BAD_NAME)?;
    Ok(Target::Place { cpu, pin: Pin(pin), sequence: number(sequence)? })
}

/// Digits without a zero in front.
fn number(digits: &str) -> Result<u64, FileError> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(FileError::BAD_NAME);
    }
    digits.parse().map_err(|_| FileError::BAD_NAME)
}

fn check_qualifier(qualifier: &str) -> Result<(), FileError> {
    let mut parts = qualifier.split('.');
    let first = parts.next().and_then(|first| first.strip_prefix('#')).ok_or(FileError::BAD_NAME)?;
    let part_is_right = |part: &str, length_max| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && part.len() <= length_max
    };
    let second_is_right = parts.next().is_none_or(|second| part_is_right(second, 8));
    if part_is_right(first, 7) && second_is_right && parts.next().is_none() {
        Ok(())
    } else {
        Err(FileError::BAD_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(text: &str) -> (Option<String>, Target, String) {
        match FileName::parse(text) {
            Ok(FileName::Process { node, target, qualifier }) => {
                (node.map(|node| node.to_string()), target, qualifier)
            }
            other => panic!("{text} gives {other:?}"),
        }
    }

    fn named(name: &str, sequence: Option<u64>) -> Target {
        Target::Name { name: ProcessName::new(name).unwrap(), sequence }
    }

    // A name read wrongly opens the wrong process.
    #[test]
    fn process_names_are_read_part_by_part() {
        assert_eq!(process("$srv"), (None, named("$SRV", None), String::new()));
        assert_eq!(process("\\n1.$srv:42"), (Some("\\N1".into()), named("$SRV", Some(42)), String::new()));
        assert_eq!(process("$S.#port2.ctl").2, "#PORT2.CTL");
        let place = Target::Place { cpu: CpuNumber::new(1).unwrap(), pin: Pin(300), sequence: 77 };
        assert_eq!(process("$:1:300:77"), (None, place.clone(), String::new()));
        let node = NodeName::new("\\N1").unwrap();
        assert_eq!(qualified(&node, &place, ""), "\\N1.$:1:300:77");
        assert_eq!(qualified(&node, &named("$S", Some(4)), "#A"), "\\N1.$S:4.#A");
    }

    // A malformed name is 13, a file of another kind is not.
    #[test]
    fn others_are_told_apart() {
        assert_eq!(FileName::parse("$Receive  "), Ok(FileName::Receive));
        assert_eq!(FileName::parse("$data.sub.file"), Ok(FileName::Other("$data.sub.file".into())));
        assert_eq!(FileName::parse("/tmp/x"), Ok(FileName::Other("/tmp/x".into())));
        for wrong in
            ["", "$", "$TOOLONG", "$A:", "$A:01", "$A:x", "$:1:2", "$:16:2:3", "$A.#", "$A.#B.C.D", "\\N"]
        {
            assert_eq!(FileName::parse(wrong), Err(FileError::BAD_NAME), "{wrong}");
        }
    }
}
