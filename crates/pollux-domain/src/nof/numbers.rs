//! Every number of the NOF interface, canonical (read as big-endian), in one place.
//!
//! The primary codes are public. The others are private to Pollux, because no public source gives them: programs use the
//! names. In memory a number of this table stands big-endian on every machine.

/// How wide a constant is in a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One byte; has no byte order.
    Byte,
    /// Two bytes, big-endian in memory.
    Two,
    /// Four bytes, big-endian in memory.
    Four,
    /// A result of a function, not in a structure: native.
    Plain,
}

macro_rules! constants {
    ($type:ty, $width:expr, $all:ident, $doc:literal: $($name:ident = $value:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")] pub const $name: $type = $value;)*
        #[doc = $doc]
        pub const $all: (Width, &[(&str, u64)]) = ($width, &[$((stringify!($name), $value as u64)),*]);
    };
}

constants! { u16, Width::Two, PRIMARY, "Primary return codes.":
    AP_OK = 0x0000;
    AP_PARAMETER_CHECK = 0x0001;
    AP_STATE_CHECK = 0x0002;
    AP_NODE_STOPPING = 0x001A;
    AP_NODE_NOT_STARTED = 0x001B;
    AP_CANCELLED = 0x0021;
    AP_INDICATION = 0x1002;
    AP_FUNCTION_NOT_SUPPORTED = 0x1006;
    AP_COMM_SUBSYSTEM_ABENDED = 0xF003;
    AP_COMM_SUBSYSTEM_NOT_LOADED = 0xF004;
    AP_UNEXPECTED_SYSTEM_ERROR = 0xF011;
    AP_INVALID_VERB = 0xFFFF;
}

constants! { u16, Width::Two, OPCODES, "Opcodes of verbs.":
    AP_ADD_BACKUP = 0xE001;
    AP_DELETE_BACKUP = 0xE002;
    AP_QUERY_SNA_NET = 0xE003;
    AP_OPEN_FILE = 0xE004;
    AP_CLOSE_FILE = 0xE005;
    AP_SET_PROCESSING_MODE = 0xE006;
    AP_CONNECT_NODE = 0xE007;
    AP_DISCONNECT_NODE = 0xE008;
    AP_REGISTER_INDICATION_SINK = 0xE009;
    AP_UNREGISTER_INDICATION_SINK = 0xE00A;
    AP_QUERY_NODE_ALL = 0xE00B;
    AP_QUERY_CENTRAL_LOGGER = 0xE00C;
    AP_QUERY_CENTRAL_LOGGING = 0xE00D;
    AP_SET_CENTRAL_LOGGING = 0xE00E;
    AP_SET_GLOBAL_LOG_TYPE = 0xE00F;
    AP_QUERY_GLOBAL_LOG_TYPE = 0xE010;
    AP_SET_LOG_TYPE = 0xE011;
    AP_QUERY_LOG_TYPE = 0xE012;
    AP_DEFINE_DOMAIN_CONFIG_FILE = 0xE013;
    AP_QUERY_DOMAIN_CONFIG_FILE = 0xE014;
}

/// Opcodes up to this one, above those of this table, are verbs of the books that lie outside the domain: they get
/// AP_FUNCTION_NOT_SUPPORTED. Any other unknown opcode gets AP_INVALID_VERB.
pub const OPCODE_VERB_LAST: u16 = 0xE0FF;

constants! { u16, Width::Two, INDICATIONS, "Opcodes of indications.":
    AP_CONFIG_INDICATION = 0xE101;
    AP_SNA_NET_INDICATION = 0xE102;
    AP_SERVER_INDICATION = 0xE103;
    AP_NOF_STATUS_INDICATION = 0xE104;
}

constants! { u32, Width::Four, SECONDARY, "Secondary return codes; the two about an end are also values of `status` of a NOF status indication.":
    AP_SYNC_PENDING = 0xE001;
    AP_SYNC_NOT_ENABLED = 0xE002;
    AP_SYNC_NOT_ALLOWED = 0xE003;
    AP_INVALID_TARGET_HANDLE = 0xE004;
    AP_INVALID_TARGET_MODE = 0xE005;
    AP_NOT_SERVER = 0xE006;
    AP_INVALID_FORMAT = 0xE007;
    AP_LOCAL_ABENDED = 0xE008;
    AP_TARGET_ABENDED = 0xE009;
    AP_EXTRA_DATA_LOST = 0xE00A;
    AP_INVALID_TARGET = 0xE00B;
    AP_CANT_MODIFY_VISIBILITY = 0xE00C;
    AP_FILE_LOCK_FAILED = 0xE00D;
    AP_FILE_UNLOCK_FAILED = 0xE00E;
    AP_FILE_UNAVAILABLE = 0xE00F;
    AP_NODE_NOT_CONFIGURED = 0xE010;
    AP_NOT_MASTER = 0xE011;
    AP_INVALID_FILE_NAME = 0xE012;
    AP_INVALID_FILE_INFO = 0xE013;
    AP_CONNECTION_NOT_MADE = 0xE014;
    AP_FILE_BAD_RECORD = 0xE015;
    AP_FILE_ROLE_UNAVAILABLE = 0xE016;
    AP_INVALID_VERSION = 0xE017;
    AP_VERB_IN_PROGRESS = 0xE018;
    AP_INVALID_PROC_MODE = 0xE019;
    AP_NOT_AUTHORIZED = 0xE01A;
    AP_DUPLICATE_RECORD = 0xE01B;
    AP_INVALID_SERVER_NAME = 0xE01C;
    AP_RECORD_NOT_FOUND = 0xE01D;
    AP_CANT_DELETE_LAST_BACKUP = 0xE01E;
    AP_INVALID_LIST_OPTION = 0xE01F;
    AP_INVALID_NODE_NAME = 0xE020;
    AP_NO_CENTRAL_LOG = 0xE021;
    AP_NOT_CENTRAL_LOGGER = 0xE022;
    AP_INVALID_OP_CODE = 0xE023;
    AP_DYNAMIC_LOAD_ALREADY_REGD = 0xE024;
    AP_MASTER_TAKEOVER = 0xE025;
}

constants! { u8, Width::Byte, BYTES, "Values of one byte.":
    AP_NO = 0;
    AP_YES = 1;
    AP_LEAVE_UNCHANGED = 2;
    AP_MASTER = 1;
    AP_BACKUP = 2;
    AP_SNA_NET = 3;
    AP_TP_LOAD_INFO = 4;
    AP_FIRST_IN_LIST = 1;
    AP_LIST_INCLUSIVE = 2;
    AP_LIST_FROM_NEXT = 3;
    AP_ROLE_NONE = 0;
    AP_ROLE_BACKUP = 1;
    AP_ROLE_MASTER = 2;
    AP_SPECIFIED_NODE = 0;
    AP_CENTRAL_LOGGER = 1;
    AP_NDE_STOPPED = 0;
    AP_NDE_STARTING = 1;
    AP_NDE_STARTED = 2;
    AP_NDE_STOPPING = 3;
}

constants! { u32, Width::Four, WORDS, "Values of four bytes.":
    AP_NOT_ACTIVE = 0;
    AP_ACTIVE = 1;
    AP_MASTER_FLAG = 1;
    AP_BACKUP_FLAG = 2;
}

constants! { u32, Width::Four, MODES, "Processing modes: four bytes in the profile N64, one byte in N128.":
    AP_MODE_READ_ONLY = 0;
    AP_MODE_READ_WRITE = 1;
    AP_MODE_COMMIT = 2;
}

constants! { u16, Width::Plain, RESULTS, "Results of `nof_async`.":
    AP_COMPLETED = 0;
    AP_IN_PROGRESS = 1;
}
