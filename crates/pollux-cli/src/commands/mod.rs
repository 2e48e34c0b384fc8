//! One file per command: its options, their help, and what it does.

pub(crate) mod cc;
pub(crate) mod completions;
pub(crate) mod cpu;
pub(crate) mod domain;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod snaadmin;
pub(crate) mod sockets;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod switch;
pub(crate) mod up;

use pollux_wire::CpuNumber;

/// A CPU number from the command line.
pub(crate) fn parse_cpu(text: &str) -> Result<CpuNumber, String> {
    text.parse().ok().and_then(CpuNumber::new).ok_or_else(|| "a CPU number is 0 to 15".to_owned())
}
