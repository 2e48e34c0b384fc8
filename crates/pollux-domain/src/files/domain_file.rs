//! `sna_domn.cfg`: the domain file with its header, whole in itself: who has only this file has the whole content.

use super::record::{Faults, seal, unseal};
use super::sna_net::{header, parse_content, print_content};
use crate::content::Content;
use std::fmt::Write as _;

/// Largest text of a domain file. The coordinator takes 1 MiB in one transaction; a larger file is refused by
/// the check before a change is proposed.
pub const DOMAIN_FILE_BYTES_MAX: usize = 512 * 1024;

/// The kind of the header record.
const KIND: &str = "define_domain_config_file";
/// The line between header and text.
const BORDER: &str = "# ---- contents ----\n";

/// The content of `sna_domn.cfg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainFile {
    /// List, history and text.
    pub content: Content,
}

impl DomainFile {
    /// The text of the file.
    pub fn print(&self) -> String {
        let mut rest = String::new();
        print_content(&mut rest, &self.content);
        let _ = write!(rest, "{BORDER}{}", self.content.file);
        seal(KIND, &rest)
    }

    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        Self::read(text, false)
    }

    /// The same for a text that a person edited between header and end: the checksum is left aside.
    pub fn parse_edited(text: &str) -> Result<Self, Faults> {
        Self::read(text, true)
    }

    fn read(text: &str, allow_edited: bool) -> Result<Self, Faults> {
        let rest = unseal(KIND, text, allow_edited)?;
        let mut faults = Faults::default();
        let Some((head, file)) = rest.split_once(BORDER) else {
            faults.add(0, format!("no line '{}': the file is torn", BORDER.trim_end()));
            return Err(faults);
        };
        if file.len() > DOMAIN_FILE_BYTES_MAX {
            faults.add(0, format!("{} bytes are more than {DOMAIN_FILE_BYTES_MAX}", file.len()));
        }
        let record = header(KIND, head, &mut faults);
        record.check_fields(&["stamp"], &["server", "history", "done"], &mut faults);
        match parse_content(&record, file, &mut faults) {
            Some(content) => faults.or(Self { content }),
            None => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ServerName;

    // A server that starts with a torn file must know it, or it would act on half a configuration.
    #[test]
    fn every_cut_and_every_changed_byte_is_seen() {
        let mut content = Content::new(ServerName::new("alpha").unwrap(), "[node]\nname = \\A\n");
        content.stamp.revision = 3;
        let file = DomainFile { content };
        let text = file.print();
        assert_eq!(DomainFile::parse(&text), Ok(file));
        for end in 0..text.len() {
            assert!(DomainFile::parse(&text[..end]).is_err(), "torn at {end}");
        }
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(DomainFile::parse(&changed).is_err(), "changed at {place}");
        }
        let edited = text.replace("\\A", "\\B");
        assert_eq!(&*DomainFile::parse_edited(&edited).unwrap().content.file, "[node]\nname = \\B\n");
    }
}
