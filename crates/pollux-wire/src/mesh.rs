//! Frames between the daemons of a node.

use crate::admin::ProgramSpec;
use crate::checkpoint::Opener;
use crate::codec::wire_enum;
use crate::control::Change;
use crate::system::SystemMessage;
use crate::{CpuNumber, Epoch, FileError, OpenId, Phandle, ProcessName};

/// Kind of every frame between daemons.
pub const MESH: u8 = 81;

wire_enum! {
    /// From a daemon to another.
    pub enum ToPeer {
        /// First message in both directions. With two descriptors: the daemon's life page and its pidfd.
        0 => Hello { version: u16, cpu: CpuNumber, epoch: Epoch },
        /// Starts a backup. With six descriptors: standard input, output, error, pair channel, primary's life page, primary's pidfd.
        1 => StartBackup { request: u32, name: ProcessName, primary: Phandle, epoch: Epoch, incarnation: u16, spec: ProgramSpec },
        /// Answer: with two descriptors (life page, pidfd) if `backup` is there.
        2 => BackupStarted { request: u32, backup: Option<Phandle>, error: u16, detail: u16, why: String },
        /// Hands a path of an open to a process of the receiver. With one descriptor.
        3 => Path { request: u32, to: Phandle, open: OpenId, opener: Opener, again: bool },
        /// Answer: 0, or why it could not be handed over.
        4 => PathDone { request: u32, error: FileError },
        /// A half of a pair is gone; for the other half in the receiver's CPU.
        5 => PartnerGone { to: Phandle, dead: Phandle, cause: String },
        /// A system message for one process of the receiver.
        6 => System { to: Phandle, message: SystemMessage },
        /// The sender goes down on purpose: no regroup.
        7 => GoingDown {},
        /// A name's record was changed (for those who look at it from another CPU).
        8 => Changed { name: ProcessName, change: Change },
    }
}
