//! File names in the internal form of twelve words that older procedures use (Guardian Procedure Calls,
//! `FILENAME_TO_OLDFILENAME_`).
//!
//! ```text
//! bytes 0..8            8..16        16..24
//! $volume               subvolume    file              a disk file of the own node
//! \ n volume (6 bytes)  subvolume    file              the same on node number n, the volume without its $
//! $name                 #qualifier   qualifier         a process or device
//! $volume               #number                        a temporary file
//! ```
//! Each part is filled up with blanks.

use super::file_name::{FileName, Level, Object};
use pollux_wire::{FileError, NodeName};

/// Bytes of the form.
pub(crate) const OLD_NAME_BYTES: usize = 24;
/// Letters of a volume or process name that the form of another node has room for.
const REMOTE_LETTERS_MAX: usize = 6;
/// A name on another node whose letters do not fit (FENETVIOL).
const NAME_TOO_LONG: FileError = FileError(20);

/// The form of a resolved name. `number` is that of the name's node if it is another than the caller's.
pub(crate) fn from_name(name: &FileName, number: Option<u8>) -> Result<[u8; OLD_NAME_BYTES], FileError> {
    // The form of a process without a name holds its creation time, which Pollux does not number processes by.
    if matches!(name.object, Object::Unnamed { .. }) {
        return Err(FileError::BAD_NAME);
    }
    let mut old = [b' '; OLD_NAME_BYTES];
    let destination = name.part(Level::Destination);
    let destination = destination.split(':').next().unwrap_or_default();
    match number {
        None => put(&mut old[..8], destination),
        Some(number) => {
            let letters = &destination[1..];
            if letters.len() > REMOTE_LETTERS_MAX {
                return Err(NAME_TOO_LONG);
            }
            old[0] = b'\\';
            old[1] = number;
            put(&mut old[2..8], letters);
        }
    }
    put(&mut old[8..16], &name.part(Level::First));
    put(&mut old[16..24], &name.part(Level::Second));
    Ok(old)
}

/// The name that the form stands for; `node_name` tells the name of a node number, or none for an unknown one.
pub(crate) fn to_name(
    old: &[u8; OLD_NAME_BYTES],
    own: &NodeName,
    node_name: impl Fn(u8) -> Option<NodeName>,
) -> Result<FileName, FileError> {
    let (node, destination) = match old[0] {
        b'\\' => {
            let node = node_name(old[1]).ok_or(FileError(18))?;
            (node, format!("${}", take(&old[2..8])?))
        }
        _ => (own.clone(), process_or_volume(&old[..8])?),
    };
    let parts = [destination, take(&old[8..16])?, take(&old[16..24])?];
    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
    // A subvolume alone reads as a file, but the form always says the volume.
    match name.object {
        Object::Disk { volume: None, .. } => Err(FileError::BAD_NAME),
        _ => Ok(FileName { node: Some(node), ..name }),
    }
}

/// The first four words hold a volume of up to eight characters, or a process name of up to six and then the CPU and pin
/// of the process, which the name does not need.
fn process_or_volume(bytes: &[u8]) -> Result<String, FileError> {
    take(bytes).or_else(|_| take(&bytes[..6]))
}

fn put(place: &mut [u8], text: &str) {
    place[..text.len()].copy_from_slice(text.as_bytes());
}

fn take(bytes: &[u8]) -> Result<String, FileError> {
    let end = bytes.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
    let text = &bytes[..end];
    if text.iter().all(|b| b.is_ascii_graphic()) {
        Ok(text.iter().map(|b| *b as char).collect())
    } else {
        Err(FileError::BAD_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> NodeName {
        NodeName::new("\\HERE").unwrap()
    }

    fn other(number: u8) -> Option<NodeName> {
        (number == 7).then(|| NodeName::new("\\FAR").unwrap())
    }

    // A file of one node taken for a file of another would be opened, and written, in the wrong place.
    #[test]
    fn both_forms_come_back() {
        for (text, number, old) in [
            ("\\HERE.$DATA.SUB.FILE", None, b"$DATA   SUB     FILE    "),
            ("\\FAR.$DATA.SUB.FILE", Some(7), b"\\\x07DATA  SUB     FILE    "),
            ("\\HERE.$SRV.#PORT2.CTL", None, b"$SRV    #PORT2  CTL     "),
            ("\\HERE.$SRV", None, b"$SRV                    "),
            ("\\FAR.$ABCDE", Some(7), b"\\\x07ABCDE                 "),
            ("\\HERE.$VOL.#1234", None, b"$VOL    #1234           "),
            ("\\HERE.$VOLUME1.A.B", None, b"$VOLUME1A       B       "),
        ] {
            let name = FileName::parse(text).unwrap();
            assert_eq!(&from_name(&name, number).unwrap(), old, "{text}");
            assert_eq!(to_name(old, &own(), other).unwrap(), name);
        }
    }

    #[test]
    fn what_the_form_cannot_say() {
        let long = FileName::parse("\\FAR.$VOLUME1.A.B").unwrap();
        assert_eq!(from_name(&long, Some(7)), Err(FileError(20)));
        let unnamed = FileName::parse("$:1:2:3").unwrap();
        assert_eq!(from_name(&unnamed, None), Err(FileError::BAD_NAME));
        assert_eq!(to_name(b"\\\x08DATA  SUB     FILE    ", &own(), other), Err(FileError(18)));
        for wrong in [b"SUB     FILE            ", b"                        ", b"$DA TA  SUB     FILE    "] {
            assert_eq!(to_name(wrong, &own(), other), Err(FileError::BAD_NAME));
        }
    }

    #[test]
    fn the_instance_is_dropped_and_cpu_and_pin_are_passed_over() {
        let name = FileName::parse("\\HERE.$SRV:55").unwrap();
        assert_eq!(&from_name(&name, None).unwrap(), b"$SRV                    ");
        let with_place = b"$SRV  \x01\x05                ";
        assert_eq!(to_name(with_place, &own(), other).unwrap().to_string(), "\\HERE.$SRV");
    }
}
