//! Names of servers and of the domain: which are valid, when two name one computer, how they stand in fixed fields.
//!
//! What this decides: spelling. What it does not: ask DNS. What the shell learnt from DNS comes in as [`Aliases`].
//!
//! Invariant: a [`ServerName`] that exists is valid and in small letters, so equality is equality of host names.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most bytes of a server name: the field of the wider layout. A longer one is refused.
pub const SERVER_NAME_BYTES_MAX: usize = 128;
/// Most bytes of a domain name (`domain_name` of QUERY_SNA_NET). A longer one is refused.
pub const DOMAIN_NAME_BYTES_MAX: usize = 64;

/// What is wrong with a name; the text says how a right one looks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but padding.
    #[error("a name is empty; give the host name of a server, for example alpha or alpha.example.org")]
    Empty,
    /// Longer than its field.
    #[error("a name of {bytes} bytes is longer than {limit}; shorten it")]
    Long {
        /// How long.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A character that no host name has.
    #[error(
        "the name holds {found:?}; only letters, digits, '-', '_' and single '.' between labels may stand there"
    )]
    Character {
        /// The first wrong one.
        found: char,
    },
}

/// The host name of a server, short or fully qualified.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// Checks a name and turns its letters small: host names compare without case.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > SERVER_NAME_BYTES_MAX {
            return Err(NameError::Long { bytes: text.len(), limit: SERVER_NAME_BYTES_MAX });
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(found) = text.chars().find(|c| !letter(*c)) {
            return Err(NameError::Character { found });
        }
        if text.split('.').any(str::is_empty) {
            return Err(NameError::Character { found: '.' });
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// Reads a fixed field: the name ends at the first NUL or at trailing spaces, or fills the field.
    pub fn from_field(field: &[u8]) -> Result<Self, NameError> {
        Self::new(&text_of_field(field)?)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for a name with a period: it is taken as it is and not looked up.
    pub fn is_qualified(&self) -> bool {
        self.0.contains('.')
    }

    /// Its first label.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl TryFrom<String> for ServerName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of a fixed field without its padding (NUL ends it; spaces at the end do not count).
pub fn text_of_field(field: &[u8]) -> Result<String, NameError> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let text = field[..end].trim_ascii_end();
    match text.iter().find(|byte| !byte.is_ascii() || byte.is_ascii_control()) {
        Some(byte) => Err(NameError::Character { found: char::from(*byte) }),
        None => Ok(text.iter().copied().map(char::from).collect()),
    }
}

/// Writes a text into a fixed field, padded with NUL. A text that does not fit is cut: who fills a
/// field has checked it, and a cut name is better than a write outside the field.
pub fn fill_field(field: &mut [u8], text: &str) {
    field.fill(0);
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

/// Checks the name of a domain: 1 to 63 printable characters without spaces, kept as it is.
pub fn check_domain_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() >= DOMAIN_NAME_BYTES_MAX {
        return Err(NameError::Long { bytes: text.len(), limit: DOMAIN_NAME_BYTES_MAX - 1 });
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        Some(found) => Err(NameError::Character { found }),
        None => Ok(()),
    }
}

/// What DNS said about short names, as far as the shell asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Aliases {
    qualified: BTreeMap<ServerName, ServerName>,
}

impl Aliases {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that DNS gives `qualified` for `short`.
    pub fn learn(&mut self, short: ServerName, qualified: ServerName) {
        if !short.is_qualified() {
            self.qualified.insert(short, qualified);
        }
    }

    /// The name under which a computer stands in the list: the qualified one where it is known.
    pub fn canonical(&self, name: &ServerName) -> ServerName {
        self.qualified.get(name).unwrap_or(name).clone()
    }

    /// Whether both names may mean one computer.
    ///
    /// A short name that DNS did not resolve matches every qualified name that begins with it: two entries
    /// for one computer would make it its own backup, so doubt counts as sameness.
    pub fn same(&self, left: &ServerName, right: &ServerName) -> bool {
        let (left, right) = (self.canonical(left), self.canonical(right));
        left == right || (left.is_qualified() != right.is_qualified() && left.short() == right.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName {
        ServerName::new(text).unwrap()
    }

    // A name that is padded by one program and not by another would stand in the list twice.
    #[test]
    fn padding_and_case_do_not_make_another_name() {
        for field in [&b"Alpha\0\0\0"[..], b"ALPHA   ", b"alpha", b"alpha \0xyz"] {
            assert_eq!(ServerName::from_field(field).unwrap(), name("alpha"));
        }
        let full = [b'a'; SERVER_NAME_BYTES_MAX];
        assert_eq!(ServerName::from_field(&full).unwrap().as_str().len(), SERVER_NAME_BYTES_MAX);
        let mut back = [7; 8];
        fill_field(&mut back, name("Alpha").as_str());
        assert_eq!(&back, b"alpha\0\0\0");
        fill_field(&mut back, "longer than its field");
        assert_eq!(&back, b"longer t");
    }

    #[test]
    fn wrong_names_are_refused() {
        assert_eq!(ServerName::from_field(b"    "), Err(NameError::Empty));
        for wrong in ["a b", "a/b", "ä", ".", "a..b", "a.", "a\u{1}"] {
            assert!(ServerName::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(ServerName::from_field(b"a\xffb").is_err());
        assert!(ServerName::new(&"a".repeat(SERVER_NAME_BYTES_MAX + 1)).is_err());
        assert!(check_domain_name("plant.example").is_ok());
        assert!(check_domain_name(&"d".repeat(64)).is_err());
        assert!(check_domain_name("a b").is_err());
    }

    // One computer under two names would be its own backup.
    #[test]
    fn short_and_long_name_of_one_computer() {
        let mut aliases = Aliases::new();
        assert!(aliases.same(&name("alpha"), &name("alpha.one.example")), "doubt counts as sameness");
        assert!(!aliases.same(&name("alpha.one.example"), &name("alpha.two.example")));
        aliases.learn(name("alpha"), name("alpha.two.example"));
        assert!(!aliases.same(&name("alpha"), &name("alpha.one.example")), "DNS knows better");
        assert!(aliases.same(&name("ALPHA"), &name("alpha.two.example")));
    }
}
