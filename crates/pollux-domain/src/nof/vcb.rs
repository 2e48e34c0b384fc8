//! Bytes to verbs, results to bytes. Total: no input panics, and no field that is not an output is written.

use super::engine::{Completion, Output};
use super::layout::{BACKUP_SUMMARY, Kind, NODE_SUMMARY, Place, Profile, Structure, structure};
use super::numbers as n;
use super::view::LogTypes;
use crate::name::{NameError, ServerName, fill_field, text_of_field};

/// What a program asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// ADD_BACKUP.
    AddBackup(Result<ServerName, NameError>),
    /// DELETE_BACKUP.
    DeleteBackup(Result<ServerName, NameError>),
    /// QUERY_SNA_NET.
    QuerySnaNet(ListQuery),
    /// QUERY_NODE_ALL.
    QueryNodeAll(ListQuery),
    /// OPEN_FILE with a requested role.
    OpenFile(u8),
    /// CLOSE_FILE.
    CloseFile,
    /// SET_PROCESSING_MODE.
    SetProcessingMode(u32),
    /// CONNECT_NODE: node type, name (`None`: all zero).
    ConnectNode(u8, Option<Result<ServerName, NameError>>),
    /// DISCONNECT_NODE.
    DisconnectNode,
    /// REGISTER_INDICATION_SINK.
    Register(u16),
    /// UNREGISTER_INDICATION_SINK.
    Unregister(u16),
    /// QUERY_CENTRAL_LOGGER.
    QueryCentralLogger,
    /// QUERY_CENTRAL_LOGGING.
    QueryCentralLogging,
    /// SET_CENTRAL_LOGGING.
    SetCentralLogging(u8),
    /// SET_GLOBAL_LOG_TYPE.
    SetGlobalLogType(LogTypes),
    /// QUERY_GLOBAL_LOG_TYPE.
    QueryGlobalLogType,
    /// SET_LOG_TYPE: override, values.
    SetLogType(u8, LogTypes),
    /// QUERY_LOG_TYPE.
    QueryLogType,
    /// DEFINE_DOMAIN_CONFIG_FILE with a comment.
    DefineDomainConfigFile(String),
    /// QUERY_DOMAIN_CONFIG_FILE.
    QueryDomainConfigFile,
    /// A verb of the books that lies outside the domain.
    Outside(u16),
    /// No verb.
    Unknown(u16),
}

/// What a list query is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Where to begin.
    pub options: u8,
    /// The index.
    pub name: Result<ServerName, NameError>,
    /// At most so many entries; 0: as many as fit.
    pub entries: u16,
    /// Bytes of the program's buffer.
    pub buffer: u32,
    /// Bytes of one entry in this profile.
    pub entry_size: usize,
}

/// A decoded verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// `format`; not zero is an error.
    pub format: u8,
    /// What is asked.
    pub verb: Verb,
}

/// The verb has fewer bytes than its structure: `libnof` was handed a wrong size, nothing was read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a verb control block of {found} bytes is shorter than its structure of {needed}")]
pub struct Short {
    /// Bytes given.
    pub found: usize,
    /// Bytes of the structure.
    pub needed: usize,
}

/// Bytes that a caller must have for the opcode in a header; 12, the header, when it is unknown.
pub fn size_of(opcode: u16, profile: Profile) -> usize {
    structure(opcode).map_or(12, |structure| structure.size(profile))
}

/// The opcode at the begin of a block.
pub fn opcode(bytes: &[u8]) -> Option<u16> {
    bytes.get(..2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}

/// Reads a block.
pub fn decode(profile: Profile, bytes: &[u8]) -> Result<Decoded, Short> {
    let code = opcode(bytes).unwrap_or(0);
    let needed = size_of(code, profile);
    if bytes.len() < needed {
        return Err(Short { found: bytes.len(), needed });
    }
    let format = bytes[3];
    let Some(structure) = structure(code) else {
        let outside = (n::AP_ADD_BACKUP..=n::OPCODE_VERB_LAST).contains(&code);
        return Ok(Decoded { format, verb: if outside { Verb::Outside(code) } else { Verb::Unknown(code) } });
    };
    let block = Block { profile, structure, bytes };
    let name = |field| ServerName::from_field(block.field(field));
    let byte = |field| block.number(field) as u8;
    let list = |field, entry: &Structure| ListQuery {
        options: byte("list_options"),
        name: name(field),
        entries: block.number("num_entries") as u16,
        buffer: block.number("buf_size") as u32,
        entry_size: entry.size(profile),
    };
    let types = || LogTypes {
        audit: byte("audit"),
        exception: byte("exception"),
        succinct_audits: byte("succinct_audits"),
        succinct_errors: byte("succinct_errors"),
    };
    let verb = match code {
        n::AP_ADD_BACKUP => Verb::AddBackup(name("backup_name")),
        n::AP_DELETE_BACKUP => Verb::DeleteBackup(name("backup_name")),
        n::AP_QUERY_SNA_NET => Verb::QuerySnaNet(list("server_name", &BACKUP_SUMMARY)),
        n::AP_QUERY_NODE_ALL => Verb::QueryNodeAll(list("node_name", &NODE_SUMMARY)),
        n::AP_OPEN_FILE => Verb::OpenFile(byte("file_info.requested_role")),
        n::AP_CLOSE_FILE => Verb::CloseFile,
        n::AP_SET_PROCESSING_MODE => Verb::SetProcessingMode(block.number("mode") as u32),
        n::AP_CONNECT_NODE => {
            let zero = block.field("node_name").iter().all(|byte| *byte == 0);
            Verb::ConnectNode(byte("node_type"), (!zero).then(|| name("node_name")))
        }
        n::AP_DISCONNECT_NODE => Verb::DisconnectNode,
        n::AP_REGISTER_INDICATION_SINK => Verb::Register(block.number("indication_opcode") as u16),
        n::AP_UNREGISTER_INDICATION_SINK => Verb::Unregister(block.number("indication_opcode") as u16),
        n::AP_QUERY_CENTRAL_LOGGER => Verb::QueryCentralLogger,
        n::AP_QUERY_CENTRAL_LOGGING => Verb::QueryCentralLogging,
        n::AP_SET_CENTRAL_LOGGING => Verb::SetCentralLogging(byte("enabled")),
        n::AP_SET_GLOBAL_LOG_TYPE => Verb::SetGlobalLogType(types()),
        n::AP_QUERY_GLOBAL_LOG_TYPE => Verb::QueryGlobalLogType,
        n::AP_SET_LOG_TYPE => Verb::SetLogType(byte("override"), types()),
        n::AP_QUERY_LOG_TYPE => Verb::QueryLogType,
        n::AP_DEFINE_DOMAIN_CONFIG_FILE => {
            Verb::DefineDomainConfigFile(text_of_field(block.field("hdr.comment")).unwrap_or_default())
        }
        n::AP_QUERY_DOMAIN_CONFIG_FILE => Verb::QueryDomainConfigFile,
        _ => Verb::Unknown(code), // An indication: programs receive it and never send it.
    };
    Ok(Decoded { format, verb })
}

/// Writes codes and outputs into the block, entries into the program's buffer. A buffer that is too short gets fewer
/// entries; the engine has counted them to fit.
pub fn encode(
    profile: Profile,
    bytes: &mut [u8],
    buffer: &mut [u8],
    completion: &Completion,
) -> Result<(), Short> {
    let code = opcode(bytes).unwrap_or(0);
    let needed = size_of(code, profile);
    if bytes.len() < needed {
        return Err(Short { found: bytes.len(), needed });
    }
    bytes[4..6].copy_from_slice(&completion.primary.to_be_bytes());
    bytes[8..12].copy_from_slice(&if completion.primary == n::AP_UNEXPECTED_SYSTEM_ERROR {
        completion.secondary.to_ne_bytes() // An error number of the system, not of these tables.
    } else {
        completion.secondary.to_be_bytes()
    });
    let Some(structure) = structure(code) else { return Ok(()) };
    let mut out = Writer { profile, structure, bytes };
    match &completion.output {
        Output::None => {}
        Output::Opened { handle, role, system, file } => {
            out.number("target_handle", u64::from(*handle));
            out.number("file_info.role_supplied", u64::from(*role));
            out.text("file_info.system_name", system.as_str());
            out.text("file_info.file_name", file);
        }
        Output::Connected { handle, status } => {
            out.number("target_handle", u64::from(*handle));
            out.number("node_status", u64::from(*status));
        }
        Output::Servers { names, page, domain } => {
            out.page(page);
            out.number("security", 0);
            out.text("domain_name", domain);
            for (entry, name) in entries(buffer, &BACKUP_SUMMARY, profile).zip(names) {
                let mut entry = Writer { profile, structure: &BACKUP_SUMMARY, bytes: entry };
                entry.number("overlay_size", BACKUP_SUMMARY.size(profile) as u64);
                entry.text("server_name", name.as_str());
            }
        }
        Output::Nodes { nodes, page } => {
            out.page(page);
            for (entry, (name, role)) in entries(buffer, &NODE_SUMMARY, profile).zip(nodes) {
                let mut entry = Writer { profile, structure: &NODE_SUMMARY, bytes: entry };
                entry.number("overlay_size", NODE_SUMMARY.size(profile) as u64);
                entry.text("node_name", name.as_str());
                entry.number("config_role", u64::from(*role));
            }
        }
        Output::Logger(name) => out.text("node_name", name.as_str()),
        Output::Logging(enabled) => out.number("enabled", u64::from(*enabled)),
        Output::LogTypes(overridden, types) => {
            out.number("override", u64::from(*overridden));
            out.number("audit", u64::from(types.audit));
            out.number("exception", u64::from(types.exception));
            out.number("succinct_audits", u64::from(types.succinct_audits));
            out.number("succinct_errors", u64::from(types.succinct_errors));
        }
        Output::FileHeader { version, revision, comment } => {
            out.number("hdr.major_version", u64::from(version.0));
            out.number("hdr.minor_version", u64::from(version.1));
            out.number("hdr.update_release", u64::from(version.2));
            out.number("hdr.revision_level", u64::from(*revision));
            out.text("hdr.comment", comment);
        }
    }
    Ok(())
}

/// The block of an indication that a callback gets.
pub fn indication(profile: Profile, what: &super::engine::Indication) -> Vec<u8> {
    use super::engine::Indication;
    let code = what.opcode();
    let mut bytes = vec![0; size_of(code, profile)];
    bytes[..2].copy_from_slice(&code.to_be_bytes());
    bytes[4..6].copy_from_slice(&n::AP_INDICATION.to_be_bytes());
    let Some(structure) = structure(code) else { return bytes };
    let mut out = Writer { profile, structure, bytes: &mut bytes };
    match what {
        Indication::Backup { name, .. } => out.text("backup_name", name.as_str()),
        Indication::Comment { text } => out.text("hdr.comment", text),
        Indication::Server { name, active, flags, data_lost } => {
            out.number("status", u64::from(if *active { n::AP_ACTIVE } else { n::AP_NOT_ACTIVE }));
            out.number("flags", u64::from(*flags));
            out.number("data_lost", u64::from(*data_lost));
            out.text("server_name", name.as_str());
        }
        Indication::Status { status, handle } => {
            out.number("status", u64::from(*status));
            out.number("dead_target_handle", u64::from(*handle));
        }
    }
    bytes
}

fn entries<'a>(
    buffer: &'a mut [u8],
    entry: &Structure,
    profile: Profile,
) -> std::slice::ChunksExactMut<'a, u8> {
    buffer.chunks_exact_mut(entry.size(profile))
}

struct Block<'a> {
    profile: Profile,
    structure: &'static Structure,
    bytes: &'a [u8],
}

impl Block<'_> {
    fn field(&self, name: &str) -> &[u8] {
        let place = self.structure.place(self.profile, name);
        place.and_then(|place| self.bytes.get(place.offset..place.offset + place.size)).unwrap_or(&[])
    }

    fn number(&self, name: &str) -> u64 {
        let Some(place) = self.structure.place(self.profile, name) else { return 0 };
        let bytes = self.field(name);
        let codes = matches!(place.field.kind, Kind::Code16 | Kind::Code32);
        let big_endian = codes || cfg!(target_endian = "big");
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

struct Writer<'a> {
    profile: Profile,
    structure: &'static Structure,
    bytes: &'a mut [u8],
}

impl Writer<'_> {
    fn place(&mut self, name: &str) -> Option<(Place, &mut [u8])> {
        let place = self.structure.place(self.profile, name)?;
        Some((place, self.bytes.get_mut(place.offset..place.offset + place.size)?))
    }

    /// Writes a number; no effect when this structure has no such field.
    fn number(&mut self, name: &str, value: u64) {
        let Some((place, bytes)) = self.place(name) else { return };
        let codes = matches!(place.field.kind, Kind::Code16 | Kind::Code32);
        let size = place.size.min(8);
        if codes || cfg!(target_endian = "big") {
            bytes[..size].copy_from_slice(&value.to_be_bytes()[8 - size..]);
        } else {
            bytes[..size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        if let Some((_, bytes)) = self.place(name) {
            fill_field(bytes, text);
        }
    }

    fn page(&mut self, page: &super::engine::Page) {
        self.number("buf_size", u64::from(page.bytes));
        self.number("total_buf_size", u64::from(page.bytes_total));
        self.number("num_entries", u64::from(page.entries));
        self.number("total_num_entries", u64::from(page.entries_total));
    }
}
