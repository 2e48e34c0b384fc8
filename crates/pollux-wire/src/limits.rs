//! Every bound of the wire, with its unit and what happens at it.

/// Payload bytes of one request or reply (2 MiB; Guardian Procedure Calls, `FILE_WRITEREAD64_`); above: error 21.
pub const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Body bytes of a frame on an open's path: a payload and its header.
pub const PATH_BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 1024;
/// Body bytes of a frame between primary and backup. One turn is one frame, so this bounds what one turn may change.
pub const CHECKPOINT_BODY_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Body bytes of a frame to or from a daemon.
pub const CONTROL_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Requests read and not yet replied to, per server (`$RECEIVE` receive depth; Guardian Procedure Calls, `FILE_OPEN_`).
pub const RECEIVE_DEPTH_MAX: u16 = 16_300;
/// Replies kept for an opener and requests it may have outstanding; above: error 28.
pub const SYNC_DEPTH_MAX: u16 = 4_096;
/// Opens of one server; above: error 61.
pub const OPENERS_PER_SERVER_MAX: usize = 16_384;
/// CPUs of a node (the Guardian limit).
pub const CPUS_PER_NODE_MAX: u8 = 16;
/// Version of all protocols between processes of one node; a peer with another one is refused by number.
pub const PROTOCOL_VERSION: u16 = 3;
