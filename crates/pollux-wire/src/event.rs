//! Events: what an operator wants to know afterwards. One per change of a pair or a CPU.

use crate::codec::{wire_flat_enum, wire_struct};
use crate::{CpuNumber, Epoch, Phandle, ProcessName};

wire_flat_enum! {
    /// What happened.
    pub enum EventKind {
        /// A process was started under a name.
        1 => Started = "started",
        /// A backup is in step and on record: the pair is whole.
        2 => Paired = "paired",
        /// The backup became primary because the primary is gone.
        3 => Takeover = "takeover",
        /// The halves exchanged their roles on request.
        4 => Switchover = "switchover",
        /// The backup was removed on record; the primary goes on alone.
        5 => BackupRemoved = "backup-removed",
        /// A backup could not be started.
        6 => BackupFailed = "backup-failed",
        /// A name ended with its last process.
        7 => Ended = "ended",
        /// A CPU came up.
        8 => CpuUp = "cpu-up",
        /// A CPU failed or was stopped.
        9 => CpuDown = "cpu-down",
        /// A process was found hung and killed.
        10 => HungKilled = "hung-killed",
        /// A request killed its server twice and was set aside (L5).
        11 => Quarantined = "quarantined",
        /// A keeper started its program.
        20 => ProgramStarted = "program-start",
        /// The program of a keeper ended, or could not be started.
        21 => ProgramEnded = "program-end",
        /// A keeper holds a listening socket of its program, or holds it no more.
        22 => Listener = "listener",
    }
}

wire_struct! {
    /// The figures of one takeover or switchover.
    pub struct Handover {
        /// Requests that openers sent again.
        pub requests_resent: u32,
        /// Opens that went on.
        pub openers: u32,
        /// TCP connections that went on.
        pub connections_kept: u32,
        /// From the proof of death to the record, microseconds.
        pub recorded_us: u64,
        /// From the proof of death until the new primary spoke on every path, microseconds.
        pub speaking_us: u64,
        /// How long no one answered: from the old primary's last sign of work to the new one speaking, microseconds.
        pub silent_us: u64,
    }
}

wire_struct! {
    /// One event.
    pub struct Event {
        /// Milliseconds since 1970.
        pub at_unix_ms: u64,
        /// What.
        pub kind: EventKind,
        /// The CPU that reports it.
        pub cpu: CpuNumber,
        /// The pair, if one.
        pub name: Option<ProcessName>,
        /// The process, if one.
        pub phandle: Option<Phandle>,
        /// Epoch before.
        pub epoch_before: Epoch,
        /// Epoch after.
        pub epoch_after: Epoch,
        /// Why, in words.
        pub cause: String,
        /// The figures, for takeover and switchover.
        pub handover: Option<Handover>,
    }
}
