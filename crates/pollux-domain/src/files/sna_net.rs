//! `sna.net`: the domain's name, its ordered list, and what dates them.

use super::record::{Faults, Record, parse_records, seal, unseal};
use crate::content::{Content, RequestId, Stamp};
use crate::list::ServerList;
use crate::name::{ServerName, check_domain_name};
use pollux_wire::Epoch;
use std::fmt::Write as _;

/// The kind of the header record.
const KIND: &str = "pollux_sna_net";
const ONCE: &[&str] = &["domain", "epoch", "stamp"];
const OFTEN: &[&str] = &["server", "history", "done"];

/// The content of `sna.net`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnaNet {
    /// The domain's name.
    pub domain: String,
    /// The highest epoch that this server has seen (S11).
    pub epoch: Epoch,
    /// The list and its history; the text of the domain file is empty here.
    pub content: Content,
}

impl SnaNet {
    /// The text of the file.
    pub fn print(&self) -> String {
        let mut rest = String::new();
        let _ = writeln!(rest, "domain = {}\nepoch = {}", self.domain, self.epoch);
        print_content(&mut rest, &self.content);
        seal(KIND, &rest)
    }

    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let rest = unseal(KIND, text, false)?;
        let mut faults = Faults::default();
        let record = header(KIND, rest, &mut faults);
        record.check_fields(ONCE, OFTEN, &mut faults);
        let domain = record.one("domain").map_or("", |(_, name)| name).to_owned();
        if let Err(error) = check_domain_name(&domain) {
            faults.add(record.one("domain").map_or(1, |(line, _)| line), format!("domain: {error}"));
        }
        let epoch = record.parsed("epoch", "a number", &mut faults).map(Epoch);
        let content = parse_content(&record, "", &mut faults);
        match (epoch, content) {
            (Some(epoch), Some(content)) => faults.or(Self { domain, epoch, content }),
            _ => Err(faults),
        }
    }
}

/// The header record of a file whose first lines are checked already.
pub(super) fn header(kind: &str, rest: &str, faults: &mut Faults) -> Record {
    let text = format!("[{kind}]\n\n\n{rest}"); // Two lines stand for format and checksum, so that the numbers are right.
    let mut records = parse_records(&text, faults);
    if records.len() > 1 {
        faults.add(records[1].line, format!("[{}] is not known here", records[1].kind));
    }
    if records.is_empty() { Record::new(kind) } else { records.remove(0) }
}

pub(super) fn print_content(out: &mut String, content: &Content) {
    let _ = writeln!(out, "stamp = {}", content.stamp);
    for name in content.list.entries() {
        let _ = writeln!(out, "server = {name}");
    }
    for stamp in &content.history {
        let _ = writeln!(out, "history = {stamp}");
    }
    for request in &content.done {
        let _ = writeln!(out, "done = {request}");
    }
}

pub(super) fn parse_content(record: &Record, file: &str, faults: &mut Faults) -> Option<Content> {
    let stamp: Option<Stamp> = record.parsed("stamp", "epoch.revision@server", faults);
    let mut servers = Vec::new();
    for (line, text) in record.all("server") {
        match ServerName::new(text) {
            Ok(name) => servers.push(name),
            Err(error) => faults.add(line, format!("server = {text}: {error}")),
        }
    }
    let list = ServerList::from_entries(servers);
    if let Err(error) = &list {
        faults.add(record.line, error.to_string());
    }
    let mut history = Vec::new();
    for (line, text) in record.all("history") {
        match text.parse() {
            Ok(stamp) => history.push(stamp),
            Err(()) => faults.add(line, format!("history = {text}: not epoch.revision@server")),
        }
    }
    let mut done = Vec::new();
    for (line, text) in record.all("done") {
        match text.parse() {
            Ok(request) => done.push(request),
            Err(()) => faults.add(line, format!("done = {text}: not origin.number")),
        }
    }
    Some(Content { stamp: stamp?, list: list.ok()?, file: file.into(), history, done })
}

impl std::str::FromStr for Stamp {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (order, writer) = text.split_once('@').ok_or(())?;
        let (epoch, revision) = order.split_once('.').ok_or(())?;
        Ok(Self {
            epoch: Epoch(epoch.parse().map_err(|_| ())?),
            revision: revision.parse().map_err(|_| ())?,
            writer: ServerName::new(writer).map_err(|_| ())?,
        })
    }
}

impl std::str::FromStr for RequestId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (origin, number) = text.split_once('.').ok_or(())?;
        let origin = u64::from_str_radix(origin, 16).map_err(|_| ())?;
        Ok(Self { origin, number: number.parse().map_err(|_| ())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> SnaNet {
        let name = |text: &str| ServerName::new(text).unwrap();
        let stamp =
            |epoch, revision, writer: &str| Stamp { epoch: Epoch(epoch), revision, writer: name(writer) };
        let content = Content {
            stamp: stamp(7, 12, "beta.example"),
            list: ServerList::from_entries(vec![name("alpha"), name("beta.example")]).unwrap(),
            file: "".into(),
            history: vec![stamp(1, 1, "alpha"), stamp(5, 9, "alpha")],
            done: vec![RequestId { origin: 0xabc, number: 4 }],
        };
        SnaNet { domain: "plant".to_owned(), epoch: Epoch(8), content }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let net = sample();
        let text = net.print();
        assert!(
            text.contains("\ndomain = plant\nepoch = 8\nstamp = 7.12@beta.example\nserver = alpha\n"),
            "{text}"
        );
        assert_eq!(SnaNet::parse(&text), Ok(net));
    }

    #[test]
    fn faults_name_their_line() {
        let rest = "domain = a b\nepoch = x\nstamp = 1@a\nserver = ?\nserver = a\nserver = a\nmore = 1\n";
        let faults = SnaNet::parse(&seal(KIND, rest)).unwrap_err();
        let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
        for line in [4, 5, 6, 7, 10] {
            assert!(lines.contains(&line), "{line} in {faults}");
        }
    }
}
