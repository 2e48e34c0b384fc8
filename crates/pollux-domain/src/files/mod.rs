//! The files of a domain as text that a person can read and compare: `sna.net`, `sna_domn.cfg`, the node file.
//!
//! What this decides: what stands in them, and whether a text is whole. What it does not: touch a disk; that is
//! [`atomic`], the one module here that does I/O.
//!
//! Every file has the same shape. The first record is the header; it carries format, stamp and checksum of all that
//! follows. A torn file and one edited by hand fail the checksum; each fault is named with line and reason.
//!
//! ```text
//! [pollux_sna_net]
//! format = 1
//! checksum = 8c1f2d3a
//! domain = plant
//! ...
//! ```

pub mod atomic;
mod client_file;
mod domain_file;
mod node_file;
mod record;
mod sna_net;

pub use client_file::ClientFile;
pub use domain_file::{DOMAIN_FILE_BYTES_MAX, DomainFile};
pub use node_file::NodeFile;
pub use record::{Fault, Faults, Record, checksum, parse_records, print_record};
pub use sna_net::SnaNet;

/// Format of all files; another one is refused by number.
pub const FORMAT: u32 = 1;
