//! What programs, other halves, files and environments hand to this library as bytes or text, for the fuzz targets: each
//! function takes any bytes and panics when a promise is broken (S17). Behind the feature `fuzz`; no product calls it.
//!
//! Records that carry a check word are looked at twice: as they are, and with the right word put in. A check word keeps off
//! torn records, not hostile ones, and no fuzzer guesses it.

mod disk;
mod names;
mod sockets;
mod start;

pub use disk::{disk_records, journal, process_sync_block};
pub use names::{digits, disk_names, file_name, losses, old_file_name, patterns, search_conditions};
pub use sockets::{address_text, line_file, name_tables, open_info, socket_address};
pub use start::{assign_message, environment_lines, hand_over, param_message, startup_message, stream_state};

/// Inputs made by the encoders: the name of the target, and bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    [disk::seeds(), names::seeds(), sockets::seeds(), start::seeds()].concat()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Words of a list, as a program has them.
fn words(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_ne_bytes([pair[0], pair[1]])).collect()
}
