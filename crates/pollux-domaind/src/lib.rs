//! The domain server of a node, and how programs speak to it.
//!
//! `pollux-domain` decides who acts, what a change makes of the content and what a verb returns. Here those decisions meet
//! the world: the coordinator, the files, the other servers, programs, and the node's own command.
//!
//! ```text
//!   program (libnof, pollux domain, snaadmin)
//!      | domain.sock of the node: words as JSON in frames
//!   domain server of alpha  ---- ---- sockets, TLS -----  domain server of beta
//!      |  one thread decides (core), the others only carry      |
//!      +--- files: sna.net, sna_domn.cfg, sna_node.cfg          +--- files
//!      +--------------- coordinator (quorum mode) --------------+
//! ```
//!
//! | Question | Module |
//! | --- | --- |
//! | What does one server do with everything that comes? | [`core`], without I/O |
//! | Who carries it out? | `io`: threads for coordinator, files, peers, programs, the node's command |
//! | How is a server started? | [`settings`], [`server`] |
//! | Where are files and sockets? | [`place`] |
//! | Who is a server, for servers of other hosts? | [`identity`], [`address`] |
//! | What is said between programs and servers? | [`words`], [`frame`] |
//! | How does a program ask? | [`client`]; with the rules of NOF: [`program`] |
#![forbid(unsafe_code)]

pub mod address;
pub mod client;
pub mod core;
pub mod frame;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod identity;
mod io;
pub use io::files::{FilesError, initialize};
pub mod place;
pub mod program;
pub mod server;
pub mod settings;
pub mod words;
