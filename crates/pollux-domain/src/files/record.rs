//! Records of `name = value` lines below `[kind]` lines, and the header with its checksum.
//!
//! What this decides: the grammar. Lines that begin with `#` and empty lines are for people. A value runs to the end of its
//! line; spaces around it do not count. All faults of a text are found at once.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

/// Faults listed for one text; the rest is only counted.
const FAULTS_SHOWN_MAX: usize = 50;

/// One fault of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, the first is 1; 0: the text as a whole.
    pub line: usize,
    /// What is wrong and how it would be right.
    pub reason: String,
}

/// All faults of a text, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, line: usize, reason: impl Into<String>) {
        self.0.push(Fault { line, reason: reason.into() });
    }

    /// `Ok` when there are none, otherwise the faults in order.
    pub fn or<T>(mut self, value: T) -> Result<T, Faults> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|fault| fault.line);
        Err(self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().take(FAULTS_SHOWN_MAX).enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}line {}: {}", fault.line, fault.reason)?;
        }
        match self.0.len().checked_sub(FAULTS_SHOWN_MAX) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Faults {}

/// A record: its kind and its fields in order, with the lines they stand on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The line of `[kind]`.
    pub line: usize,
    /// What stands between the brackets.
    pub kind: String,
    /// Line, name, value.
    pub fields: Vec<(usize, String, String)>,
}

impl Record {
    /// A record of that kind to be printed.
    pub fn new(kind: &str) -> Self {
        Self { line: 0, kind: kind.to_owned(), fields: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.fields.push((0, name.to_owned(), value.to_string()));
        self
    }

    /// The value of a field that may stand once.
    pub fn one(&self, name: &str) -> Option<(usize, &str)> {
        self.fields.iter().find(|(_, field, _)| field == name).map(|(line, _, value)| (*line, value.as_str()))
    }

    /// The values of a field that may stand several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        self.fields.iter().filter(move |(_, field, _)| field == name).map(|(line, _, v)| (*line, v.as_str()))
    }

    /// Adds a fault for each field that is not in `once` or `often`, and for each one of `once` that stands twice.
    pub fn check_fields(&self, once: &[&str], often: &[&str], faults: &mut Faults) {
        let mut seen = BTreeSet::new();
        for (line, name, _) in &self.fields {
            if !once.contains(&name.as_str()) && !often.contains(&name.as_str()) {
                let known = [once, often].concat().join(", ");
                faults.add(*line, format!("[{}] has no field {name}; its fields are {known}", self.kind));
            } else if once.contains(&name.as_str()) && !seen.insert(name) {
                faults.add(*line, format!("{name} stands twice in one [{}]; keep one of them", self.kind));
            }
        }
    }

    /// The value of a field that must be there, as a number or another type that parses.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str, what: &str, faults: &mut Faults) -> Option<T> {
        let Some((line, text)) = self.one(name) else {
            faults.add(self.line, format!("[{}] needs a line '{name} = ...' ({what})", self.kind));
            return None;
        };
        let value = text.parse().ok();
        if value.is_none() {
            faults.add(line, format!("{name} = {text}: not {what}"));
        }
        value
    }
}

/// Splits a text into records. Every line that fits nothing is a fault; the rest is read.
pub fn parse_records(text: &str, faults: &mut Faults) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(kind) = line.strip_prefix('[') {
            match kind.strip_suffix(']').map(str::trim) {
                Some(kind) if is_word(kind) => {
                    records.push(Record { line: number, kind: kind.to_owned(), fields: Vec::new() });
                }
                _ => faults.add(number, "a record begins with [kind], small letters, digits and '_'"),
            }
            continue;
        }
        let field = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        match (field, records.last_mut()) {
            (Some((name, value)), Some(record)) if is_word(name) => {
                record.fields.push((number, name.to_owned(), value.to_owned()));
            }
            (Some(_), None) => faults.add(number, "a field stands before the first [record]"),
            _ => faults.add(number, "neither [record], nor 'name = value', nor '# comment'"),
        }
    }
    records
}

/// Prints a record, with an empty line behind it. Values are one line each; a line end in one becomes a space.
pub fn print_record(out: &mut String, record: &Record) {
    let _ = writeln!(out, "[{}]", record.kind);
    for (_, name, value) in &record.fields {
        let value = value.replace(['\n', '\r'], " ");
        let _ = writeln!(out, "{}", format!("{name} = {value}").trim_end());
    }
    out.push('\n');
}

/// CRC-32 (the polynomial of Ethernet and zip) of a text, so that other tools can check a file.
pub fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum: u32, byte| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)])
}

/// Puts the first two lines of the header before the rest of a file.
pub(super) fn seal(kind: &str, rest: &str) -> String {
    format!("[{kind}]\nformat = {}\nchecksum = {:08x}\n{rest}", super::FORMAT, checksum(rest.as_bytes()))
}

/// Checks the first lines of a file and its checksum. `allow_edited` leaves the checksum aside: a person edited the
/// file on purpose and says so.
pub(super) fn unseal<'a>(kind: &str, text: &'a str, allow_edited: bool) -> Result<&'a str, Faults> {
    let mut faults = Faults::default();
    let mut rest = text;
    let mut line = |number: usize, faults: &mut Faults, prefix: &str| {
        let Some((first, tail)) = rest.split_once('\n') else {
            faults.add(number, "the file ends inside its header: it is torn");
            return None;
        };
        rest = tail;
        let value = first.strip_prefix(prefix).map(str::trim);
        if value.is_none() {
            faults.add(
                number,
                format!("expected '{prefix}...', found '{}'", first.chars().take(60).collect::<String>()),
            );
        }
        value
    };
    line(1, &mut faults, &format!("[{kind}]"));
    let format = line(2, &mut faults, "format =");
    if let Some(found) = format.filter(|found| *found != super::FORMAT.to_string()) {
        let known = super::FORMAT;
        faults.add(
            2,
            format!("format {found}, this program reads {known}: run one version of Pollux on all servers"),
        );
    }
    if let Some(found) = line(3, &mut faults, "checksum =") {
        let right = format!("{:08x}", checksum(rest.as_bytes()));
        if found != right && !allow_edited {
            let reason = format!(
                "checksum {found} does not fit the text ({right}): the file is torn or was edited by hand; \
                 take a copy of another server, or say that the edit is meant"
            );
            faults.add(3, reason);
        }
    }
    faults.or(rest)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }

    // A person who mends a file wants all faults at once, each with its line.
    #[test]
    fn all_faults_are_named() {
        let mut faults = Faults::default();
        let records = parse_records("a = 1\n# note\n[x]\nb = 2 = 3\nnonsense\n[Y]\nB = 1\n", &mut faults);
        let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 5, 6, 7]);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].one("b"), Some((4, "2 = 3")));
        assert!(faults.to_string().starts_with("line 1: a field stands before"));
    }

    // How long that may take is asked by the fuzz targets.
    #[test]
    fn each_double_field_is_named_once() {
        let text = format!("[x]\n{}{}", "a=\n".repeat(60_000), "b=\n".repeat(60_000));
        let mut faults = Faults::default();
        let record = parse_records(&text, &mut faults).remove(0);
        record.check_fields(&["b"], &["a"], &mut faults);
        assert_eq!(faults.0.len(), 59_999, "each b but the first");
    }

    #[test]
    fn a_torn_or_edited_text_is_seen() {
        let whole = seal("k", "a = 1\n[r]\n");
        assert_eq!(unseal("k", &whole, false).unwrap(), "a = 1\n[r]\n");
        for end in 0..whole.len() {
            assert!(unseal("k", &whole[..end], false).is_err(), "torn at {end}");
        }
        let edited = whole.replace("a = 1", "a = 2");
        assert_eq!(unseal("k", &edited, false).unwrap_err().0[0].line, 3);
        assert!(unseal("k", &edited, true).is_ok());
        let newer = whole.replace("format = 1", "format = 2");
        assert!(unseal("k", &newer, true).unwrap_err().to_string().contains("format 2"));
        assert!(unseal("other", &whole, false).is_err());
    }
}
