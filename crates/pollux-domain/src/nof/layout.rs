//! Every structure of the NOF interface as a table: field order from the books, offsets by natural alignment.
//!
//! What this decides: where a field stands in which profile. Both the codec and the C headers are made from it.

use Kind::{Byte, Code16, Code32, Count16, Count32, Name, Pointer, Reserved, Text};
use Profile::{N64, N128};

/// Which edition of the interface: how long the name of a computer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// 64-byte computer names.
    N64,
    /// 128-byte computer names; the default.
    N128,
}

impl Profile {
    /// Bytes of a computer's name.
    pub fn name_bytes(self) -> usize {
        match self {
            N64 => 64,
            N128 => 128,
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One byte.
    Byte,
    /// A number of the tables, two bytes, big-endian in memory.
    Code16,
    /// A number of the tables, four bytes, big-endian in memory.
    Code32,
    /// A count, two bytes, native.
    Count16,
    /// A count or handle, four bytes, native.
    Count32,
    /// An address.
    Pointer,
    /// A computer's name.
    Name,
    /// Characters.
    Text(usize),
    /// Bytes that are zero.
    Reserved(usize),
    /// Another structure.
    Embedded(&'static Structure),
}

/// A field of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its C name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// In one profile only.
    pub only: Option<Profile>,
}

/// A structure.
#[derive(Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its C name.
    pub name: &'static str,
    /// The opcodes that have this layout; empty: no verb.
    pub opcodes: &'static [u16],
    /// It begins with the common header.
    pub header: bool,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The field.
    pub field: Field,
    /// Where it begins.
    pub offset: usize,
    /// Its bytes.
    pub size: usize,
}

const fn both(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, only: None }
}
const fn in_64(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, only: Some(N64) }
}
const fn in_128(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, only: Some(N128) }
}
const fn verb(name: &'static str, opcodes: &'static [u16], fields: &'static [Field]) -> Structure {
    Structure { name, opcodes, header: true, fields }
}
const fn part(name: &'static str, fields: &'static [Field]) -> Structure {
    Structure { name, opcodes: &[], header: false, fields }
}

const HEADER: &[Field] = &[
    both("opcode", Code16),
    both("reserv2", Reserved(1)),
    both("format", Byte),
    both("primary_rc", Code16),
    both("secondary_rc", Code32),
];

use super::numbers as n;

/// `CONFIG_FILE`.
pub static CONFIG_FILE: Structure = part(
    "config_file",
    &[
        both("requested_role", Byte),
        both("role_supplied", Byte),
        both("system_name", Name),
        both("file_name", Text(81)),
    ],
);
/// `CONFIG_FILE_HEADER`.
pub static CONFIG_FILE_HEADER: Structure = part(
    "config_file_header",
    &[
        both("major_version", Count16),
        both("minor_version", Count16),
        both("update_release", Count16),
        both("revision_level", Count32),
        both("comment", Text(100)),
        both("updating", Byte),
    ],
);
/// An entry of QUERY_SNA_NET.
pub static BACKUP_SUMMARY: Structure = part(
    "backup_summary",
    &[
        both("overlay_size", Count16),
        both("reserv1", Reserved(2)),
        both("server_name", Name),
        both("reserv2", Reserved(4)),
    ],
);
/// An entry of QUERY_NODE_ALL.
pub static NODE_SUMMARY: Structure = part(
    "node_summary",
    &[
        both("overlay_size", Count16),
        both("node_name", Name),
        both("config_role", Byte),
        in_64("reserv1", Reserved(3)),
        in_128("reserv1", Reserved(12)),
    ],
);

/// Every verb and indication.
pub static VERBS: &[Structure] = &[
    verb("add_backup", &[n::AP_ADD_BACKUP], &[both("backup_name", Name), both("reserv3", Reserved(4))]),
    verb("delete_backup", &[n::AP_DELETE_BACKUP], &[both("backup_name", Name), both("reserv3", Reserved(4))]),
    verb(
        "open_file",
        &[n::AP_OPEN_FILE],
        &[
            both("file_info", Kind::Embedded(&CONFIG_FILE)),
            both("target_handle", Count32),
            in_128("reserv3", Reserved(4)),
        ],
    ),
    verb("close_file", &[n::AP_CLOSE_FILE], &[]),
    verb("disconnect_node", &[n::AP_DISCONNECT_NODE], &[]),
    verb(
        "connect_node",
        &[n::AP_CONNECT_NODE],
        &[
            both("node_type", Byte),
            both("node_name", Name),
            both("target_handle", Count32),
            both("node_status", Byte),
            in_128("reserv3", Reserved(12)),
        ],
    ),
    verb(
        "set_processing_mode",
        &[n::AP_SET_PROCESSING_MODE],
        &[in_64("mode", Code32), in_128("mode", Byte), in_128("reserv3", Reserved16)],
    ),
    verb(
        "query_sna_net",
        &[n::AP_QUERY_SNA_NET],
        &[
            both("buf_ptr", Pointer),
            both("buf_size", Count32),
            both("total_buf_size", Count32),
            both("num_entries", Count16),
            both("total_num_entries", Count16),
            both("list_options", Byte),
            in_64("reserv3", Reserved(1)),
            both("security", Byte),
            both("domain_name", Text(64)),
            both("server_name", Name),
            both("reserv4", Reserved(4)),
        ],
    ),
    verb(
        "query_node_all",
        &[n::AP_QUERY_NODE_ALL],
        &[
            both("buf_ptr", Pointer),
            both("buf_size", Count32),
            both("total_buf_size", Count32),
            both("num_entries", Count16),
            both("total_num_entries", Count16),
            both("list_options", Byte),
            both("reserv3", Reserved(1)),
            both("node_name", Name),
        ],
    ),
    verb(
        "query_central_logger",
        &[n::AP_QUERY_CENTRAL_LOGGER],
        &[in_128("reserv3", Reserved(4)), both("node_name", Name)],
    ),
    verb(
        "central_logging",
        &[n::AP_SET_CENTRAL_LOGGING, n::AP_QUERY_CENTRAL_LOGGING],
        &[both("enabled", Byte), both("reserv3", Reserved(3))],
    ),
    verb(
        "global_log_type",
        &[n::AP_SET_GLOBAL_LOG_TYPE, n::AP_QUERY_GLOBAL_LOG_TYPE],
        &[
            both("audit", Byte),
            both("exception", Byte),
            both("succinct_audits", Byte),
            both("succinct_errors", Byte),
            in_128("reserv3", Reserved(4)),
        ],
    ),
    verb(
        "log_type",
        &[n::AP_SET_LOG_TYPE, n::AP_QUERY_LOG_TYPE],
        &[
            both("override", Byte),
            both("audit", Byte),
            both("exception", Byte),
            both("succinct_audits", Byte),
            both("succinct_errors", Byte),
            both("reserv3", Reserved(3)),
        ],
    ),
    verb(
        "domain_config_file",
        &[n::AP_DEFINE_DOMAIN_CONFIG_FILE, n::AP_QUERY_DOMAIN_CONFIG_FILE],
        &[both("hdr", Kind::Embedded(&CONFIG_FILE_HEADER))],
    ),
    verb(
        "indication_sink",
        &[n::AP_REGISTER_INDICATION_SINK, n::AP_UNREGISTER_INDICATION_SINK],
        &[both("proc_id", Count32), both("queue_id", Count16), both("indication_opcode", Code16)],
    ),
    verb(
        "server_indication",
        &[n::AP_SERVER_INDICATION],
        &[both("data_lost", Byte), both("status", Code32), both("flags", Code32), both("server_name", Name)],
    ),
    verb(
        "nof_status_indication",
        &[n::AP_NOF_STATUS_INDICATION],
        &[both("status", Code32), both("dead_target_handle", Count32), both("reserv3", Reserved(32))],
    ),
];

/// A reserved two-byte number, aligned as one.
use Kind::Count16 as Reserved16;

/// The structure of an opcode.
pub fn structure(opcode: u16) -> Option<&'static Structure> {
    VERBS.iter().find(|structure| structure.opcodes.contains(&opcode))
}

impl Kind {
    /// Its size and alignment.
    pub fn measure(self, profile: Profile) -> (usize, usize) {
        match self {
            Byte => (1, 1),
            Code16 | Count16 => (2, 2),
            Code32 | Count32 => (4, 4),
            Pointer => (8, 8),
            Name => (profile.name_bytes(), 1),
            Text(bytes) | Reserved(bytes) => (bytes, 1),
            Self::Embedded(structure) => {
                let (_, size, align) = structure.places(profile);
                (size, align)
            }
        }
    }
}

impl Structure {
    /// Its fields at their places, its size and its alignment.
    pub fn places(&self, profile: Profile) -> (Vec<Place>, usize, usize) {
        let header = if self.header { HEADER } else { &[] };
        let (mut places, mut end, mut align_max) = (Vec::new(), 0_usize, 1);
        for field in
            header.iter().chain(self.fields).filter(|field| field.only.is_none_or(|only| only == profile))
        {
            let (size, align) = field.kind.measure(profile);
            let offset = end.next_multiple_of(align);
            places.push(Place { field: *field, offset, size });
            end = offset + size;
            align_max = align_max.max(align);
        }
        (places, end.next_multiple_of(align_max), align_max)
    }

    /// Its size.
    pub fn size(&self, profile: Profile) -> usize {
        self.places(profile).1
    }

    /// The place of a field. A dot leads into an embedded structure: `hdr.comment`.
    pub fn place(&self, profile: Profile, name: &str) -> Option<Place> {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let place = self.places(profile).0.into_iter().find(|place| place.field.name == first)?;
        match (rest, place.field.kind) {
            (None, _) => Some(place),
            (Some(rest), Kind::Embedded(inner)) => {
                let inner = inner.place(profile, rest)?;
                Some(Place { offset: place.offset + inner.offset, ..inner })
            }
            _ => None,
        }
    }
}
