//! Frames between a process and the daemon of its CPU.
//!
//! Every message is one frame of kind [`CONTROL`]; descriptors are named in the variant's doc, in their order.

use crate::admin::ProgramSpec;
use crate::checkpoint::Opener;
use crate::codec::{wire_enum, wire_flat_enum};
use crate::event::Event;
use crate::record::NameRecord;
use crate::system::SystemMessage;
use crate::{CpuNumber, Epoch, FileError, ListenerId, NodeName, OpenId, Phandle, ProcessName};

/// Kind of every frame on a control channel.
pub const CONTROL: u8 = 65;
/// Environment variable that tells a started program its inherited control descriptor.
pub const CONTROL_DESCRIPTOR_VARIABLE: &str = "POLLUX_CONTROL_FD";
/// Environment variable with the run directory of the node; a program not started by a daemon finds its node by it.
pub const RUN_DIRECTORY_VARIABLE: &str = "POLLUX_RUN_DIR";
/// Environment variable with the node's name, for a machine with several nodes.
pub const NODE_VARIABLE: &str = "POLLUX_NODE";

wire_flat_enum! {
    /// Where a pair stands, as its primary sees it.
    pub enum PairState {
        /// A single process that wants no backup.
        1 => Single = "single",
        /// A primary that looks for a backup.
        2 => Alone = "alone",
        /// A backup receives the state.
        3 => Syncing = "syncing",
        /// Whole: the backup is on record.
        4 => Paired = "paired",
        /// The backup is gone, its removal is being recorded.
        5 => Removing = "removing",
        /// The roles are being exchanged.
        6 => Switching = "switching",
        /// A backup that receives the state.
        7 => Loading = "loading",
        /// A backup in step.
        8 => Following = "following",
        /// A backup that takes over.
        9 => TakingOver = "taking-over",
    }
}

wire_enum! {
    /// From a process to its daemon.
    pub enum ToDaemon {
        /// First message. With one descriptor: the life page.
        0 => Attach { version: u16, pid: u32 },
        /// The process knows its role and is ready to be seen: `run` returns.
        1 => State { state: PairState, epoch: Epoch, backup: Option<Phandle>, lag_bytes: u64 },
        /// Opens a named server.
        2 => Open { request: u32, name: ProcessName, sync_depth: u16, nowait_depth: u16 },
        /// Asks for a new path of an open whose paths are all lost.
        3 => Repath { request: u32, name: ProcessName, open: OpenId, sync_depth: u16, nowait_depth: u16 },
        /// Asks for a change of the name's record.
        4 => Change { request: u32, change: Change },
        /// Asks for a backup process in another CPU.
        5 => StartBackup { request: u32, cpu: Option<CpuNumber> },
        /// Asks for an acceptor. With two descriptors: the listening socket and the acceptor's end of its path.
        6 => StartAcceptor { request: u32, listener: ListenerId },
        /// Reports an event.
        7 => Report { event: Event },
        /// The process is about to end by itself.
        8 => Stopping { completion: i16, both: bool, text: String },
        /// Asks for unique numbers.
        9 => Numbers { request: u32, count: u32 },
    }
}

wire_enum! {
    /// A change of a name's record; who asks is known from the channel.
    pub enum Change {
        /// The backup becomes primary; `dead` must be the primary on record.
        0 => TakeOver { epoch: Epoch, dead: Phandle },
        /// The primary goes on alone; `backup` must be the one on record (S6).
        1 => RemoveBackup { epoch: Epoch, backup: Phandle },
        /// The backup is in step and may take over from now on.
        2 => Join { epoch: Epoch, backup: Phandle },
        /// The roles are exchanged.
        3 => Switch { epoch: Epoch, to: Phandle },
    }
}

wire_enum! {
    /// What became of a change.
    pub enum Recorded {
        /// It is on record, with this epoch.
        0 => Done { epoch: Epoch },
        /// It was refused: the record says something else.
        1 => Refused { current: Option<NameRecord>, why: String },
        /// The coordinator cannot be reached or cannot write; the record is as it was. Ask again.
        2 => Unavailable { why: String },
    }
}

wire_enum! {
    /// As what a process starts.
    pub enum StartAs {
        /// Without a name: a requester.
        0 => Unnamed {},
        /// First process of a name.
        1 => Primary { epoch: Epoch },
        /// Backup. With three descriptors: the pair channel, the primary's life page, the primary's pidfd.
        2 => Backup { epoch: Epoch, primary: Phandle },
    }
}

wire_enum! {
    /// From a daemon to a process.
    pub enum ToProcess {
        /// Answer to `Attach`.
        0 => Welcome {
            /// Who the process is.
            phandle: Phandle,
            /// Its name.
            name: Option<ProcessName>,
            /// Its node.
            node: NodeName,
            /// As what it starts; may carry descriptors.
            start: StartAs,
            /// What it was started from; empty for one that came by itself.
            program: ProgramSpec,
            /// Time without acknowledgement after which a backup counts as hung, milliseconds.
            hang_after_ms: u32,
        },
        /// The process cannot be attached.
        1 => Refused { error: FileError, why: String },
        /// Answer to `Open` and `Repath`: with one descriptor, the path, if `error` is 0.
        2 => Opened { request: u32, error: FileError, open: OpenId, server: Option<Phandle> },
        /// Somebody opens this process (`again`: asks for a new path of an open). With one descriptor: the path.
        3 => NewPath { open: OpenId, opener: Opener, again: bool },
        /// Answer to `Change`.
        4 => Recorded { request: u32, outcome: Recorded },
        /// Answer to `StartBackup`: with three descriptors (pair channel, life page, pidfd) if `backup` is there.
        5 => BackupStarted { request: u32, backup: Option<Phandle>, error: u16, detail: u16, why: String },
        /// The other half is gone, as its daemon or the kernel reports: a second opinion to the life page.
        6 => PartnerGone { phandle: Phandle, cause: String },
        /// For `$RECEIVE`.
        7 => System { message: SystemMessage },
        /// An operator asks for a switchover.
        8 => SwitchOver {},
        /// An operator asks the pair to stop.
        9 => Stop {},
        /// Answer to `StartAcceptor`.
        10 => AcceptorStarted { request: u32, error: FileError, why: String },
        /// Answer to `Numbers`: the first of them.
        11 => Numbers { request: u32, first: u64 },
    }
}
