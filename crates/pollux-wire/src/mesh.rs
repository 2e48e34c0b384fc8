//! Frames between the daemons of a node.

use crate::admin::ProgramSpec;
use crate::checkpoint::Opener;
use crate::codec::{wire_enum, wire_struct};
use crate::control::{Answer, Change, Query, StartAs};
use crate::record::NameRecord;
use crate::system::SystemMessage;
use crate::{CpuNumber, Epoch, FileError, OpenId, Phandle, Pin, ProcessName};

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
        3 => Path { request: u32, to: PathTo, open: OpenId, opener: Opener, again: bool, epoch: Epoch },
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
        /// Starts a process that another one has created. With three descriptors: standard input, output, error.
        9 => StartProcess { request: u32, order: StartOrder },
        /// Answer to `StartProcess`: it runs its program, or why not.
        10 => ProcessStarted { request: u32, process: Option<Phandle>, error: u16, detail: u16, why: String },
        /// The record of a name has changed; for a half of it in the receiver's CPU.
        11 => RecordChanged { to: Phandle, record: NameRecord },
        /// Stops a process of the receiver.
        12 => StopProcess { request: u32, target: Phandle, abend: bool, by: Option<Phandle>, quietly: bool },
        /// Answer to `StopProcess`: it is gone, or was not there.
        13 => ProcessStopped { request: u32, error: FileError },
        /// A question about a process of the receiver.
        14 => Query { request: u32, query: Query },
        /// Answer to `Query`.
        15 => Answer { request: u32, answer: Answer },
        /// The sender's process becomes the one that hears of the end of `child`.
        16 => BecomeMomOf { request: u32, child: Phandle, mom: Phandle },
    }
}

wire_enum! {
    /// Which process of a CPU a path is for.
    pub enum PathTo {
        /// This one.
        0 => Process { phandle: Phandle },
        /// The one with this pin, if it has this sequence number.
        1 => Place { pin: Pin, sequence: u64 },
    }
}

wire_struct! {
    /// A process that another daemon wants started.
    pub struct StartOrder {
        /// Its name. The receiver, which gives the pin, puts it on record with `mom` as ancestor; a backup joins the record.
        pub name: Option<ProcessName>,
        /// Sequence number of its handle.
        pub sequence: u64,
        /// Incarnation of its handle.
        pub incarnation: u16,
        /// As what it starts.
        pub start: StartAs,
        /// Its creator: who is told of its end, for a named one as the ancestor of the name.
        pub mom: Option<Phandle>,
        /// Home terminal.
        pub home_terminal: String,
        /// Job, 0 for none.
        pub job: u16,
        /// Priority.
        pub priority: u8,
        /// The program.
        pub spec: ProgramSpec,
    }
}
