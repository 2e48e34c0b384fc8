//! System messages on `$RECEIVE` (Guardian Procedure Errors and Messages Manual, chapter "System messages").
//!
//! Pollux carries them as values; the C front end turns them into the documented words.

use crate::checkpoint::Opener;
use crate::codec::{wire_enum, wire_flat_enum};
use crate::control::StopReport;
use crate::{CpuNumber, OpenId, Phandle, ProcessName, SyncId};

wire_flat_enum! {
    /// How a process ended.
    pub enum Ending {
        /// It stopped by itself, or another process stopped it (STOP).
        1 => Stopped = "stopped",
        /// It ended abnormally (ABEND), or a signal ended it.
        2 => Abended = "abended",
        /// Its CPU failed.
        3 => CpuFailed = "cpu failed",
    }
}

wire_enum! {
    /// A system message.
    pub enum SystemMessage {
        /// -2: a CPU of the node failed.
        2 => CpuDown { cpu: CpuNumber },
        /// -3: a CPU of the node is up.
        3 => CpuUp { cpu: CpuNumber },
        /// -38: an unanswered request was cancelled by its sender.
        38 => Cancelled { open: OpenId, sync: SyncId },
        /// -101: a process ended.
        101 => ProcessEnded {
            /// Which.
            phandle: Phandle,
            /// Its name, if it had one.
            name: Option<ProcessName>,
            /// How.
            ending: Ending,
            /// Completion code, termination information, subsystem and text.
            report: StopReport,
            /// Processor time it has used, microseconds.
            processor_us: u64,
            /// Who stopped it, if that was another process.
            killer: Option<Phandle>,
            /// Its job, 0 for none.
            job: u16,
        },
        /// -103: a process opens this one.
        103 => Opened { open: OpenId, opener: Opener },
        /// -104: an open ended.
        104 => Closed { open: OpenId },
    }
}

impl SystemMessage {
    /// The number by which the manuals know it.
    pub fn number(&self) -> i16 {
        match self {
            Self::CpuDown { .. } => -2,
            Self::CpuUp { .. } => -3,
            Self::Cancelled { .. } => -38,
            Self::ProcessEnded { .. } => -101,
            Self::Opened { .. } => -103,
            Self::Closed { .. } => -104,
        }
    }
}
