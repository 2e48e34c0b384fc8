//! Names of processes and nodes, in the Guardian form (Guardian Procedure Calls, appendix "File names and process identifiers").

use crate::codec::{DecodeError, NotByte, Reader, Wire};
use std::fmt;

/// What is wrong with a name. The text says how a right one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// Not `$` and one to five letters and digits, a letter first.
    Process,
    /// Not `\` and one to seven letters and digits, a letter first.
    Node,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "a process name is $ and 1 to 5 letters and digits, a letter first, for example '$KV' (in single quotes for the shell)",
            Self::Node => "a node name is \\ and 1 to 7 letters and digits, a letter first, for example '\\POLLUX' (in single quotes for the shell)",
        })
    }
}

impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $sign:literal, $length_max:literal, $error:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks a name and turns its letters to capitals.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let body = text.strip_prefix($sign).ok_or($error)?;
                let first_is_letter = body.starts_with(|c: char| c.is_ascii_alphabetic());
                let all_right = body.bytes().all(|b| b.is_ascii_alphanumeric());
                if first_is_letter && all_right && body.len() <= $length_max {
                    Ok(Self(text.to_ascii_uppercase()))
                } else {
                    Err($error)
                }
            }

            /// The name with its sign.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> { Self::new(text) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
        }

        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) { self.0.put(out) }
            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::new(&String::take(reader)?).map_err(|_| DecodeError::BadValue(stringify!($name)))
            }
        }
        impl NotByte for $name {}
    };
}

name!(
    /// Name of a process or pair: `$` and one to five letters and digits, a letter first; kept in capitals.
    ProcessName, '$', 5, NameError::Process
);
name!(
    /// Name of a node: `\` and one to seven letters and digits, a letter first; kept in capitals.
    NodeName, '\\', 7, NameError::Node
);

#[cfg(test)]
mod tests {
    use super::*;

    // A name accepted here and refused elsewhere would start a pair that nobody can open.
    #[test]
    fn right_and_wrong_names() {
        assert_eq!(ProcessName::new("$kv").map(|n| n.to_string()), Ok("$KV".to_owned()));
        for wrong in ["", "$", "KV", "$1A", "$ABCDEF", "$A-B", "$Ä", "$A B"] {
            assert_eq!(ProcessName::new(wrong), Err(NameError::Process), "{wrong}");
        }
        assert!(NodeName::new("\\POLLUX1").is_ok());
        assert_eq!(NodeName::new("\\POLLUX12"), Err(NameError::Node));
    }
}
