//! Frames between the `pollux` command and a daemon: one request, one answer, in turn.

use crate::codec::{wire_enum, wire_struct};
use crate::control::PairState;
use crate::event::Event;
use crate::record::{CpuRecord, NameRecord, NodeRecord};
use crate::{CpuNumber, Epoch, NodeName, Phandle, ProcessName};

/// Kind of every frame of a command's connection.
pub const ADMIN: u8 = 97;

wire_struct! {
    /// A program to run: the same for the first process and for each backup of it.
    pub struct ProgramSpec {
        /// Absolute path.
        pub program: String,
        /// Arguments after the program's name.
        pub arguments: Vec<String>,
        /// Environment, `NAME` and value.
        pub environment: Vec<(String, String)>,
        /// Working directory.
        pub directory: String,
        /// True when a backup is wanted.
        pub pair: bool,
    }
}

impl ProgramSpec {
    /// The spec of a process that a daemon did not start.
    pub fn none() -> Self {
        Self {
            program: String::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: String::new(),
            pair: false,
        }
    }
}

wire_struct! {
    /// A process as its CPU's daemon sees it.
    pub struct ProcessInfo {
        /// Who.
        pub phandle: Phandle,
        /// Its name.
        pub name: Option<ProcessName>,
        /// Process id.
        pub pid: u32,
        /// Where it stands; none before it attached.
        pub state: Option<PairState>,
        /// Its epoch.
        pub epoch: Epoch,
        /// True when the name's record has it as backup or it was started as one.
        pub backup: bool,
        /// The program.
        pub program: String,
        /// When it was started, milliseconds since 1970.
        pub started_unix_ms: u64,
        /// Checkpoint bytes its backup has not acknowledged.
        pub lag_bytes: u64,
        /// What it supervises, if it is the keeper of a program.
        pub kept: Option<Kept>,
        /// The process that asked for it, if it is an acceptor.
        pub accepts_for: Option<Phandle>,
    }
}

wire_struct! {
    /// A program under a keeper.
    pub struct Kept {
        /// Its path.
        pub program: String,
        /// Its process id; none while it does not run.
        pub pid: Option<u32>,
        /// How often it was started again.
        pub restarts: u64,
    }
}

wire_enum! {
    /// What the command asks.
    pub enum AdminRequest {
        /// The node: names, CPUs, versions.
        0 => Status {},
        /// The processes of this CPU.
        1 => Processes {},
        /// Runs a program in this CPU. With three descriptors: standard input, output and error of the program.
        2 => Run { name: Option<ProcessName>, spec: ProgramSpec },
        /// Waits until a process of this CPU ends.
        3 => Wait { phandle: Phandle },
        /// Sends a signal to a process of this CPU.
        4 => Signal { phandle: Phandle, signal: i32 },
        /// Asks the process, a primary in this CPU, to exchange roles.
        5 => Switch { phandle: Phandle },
        /// Asks the process, a primary in this CPU, to stop with its backup.
        6 => Stop { phandle: Phandle },
        /// Ends this CPU; with `node` the caller ends all of them, nothing is regrouped.
        7 => CpuDown { node: bool },
        /// Starts this other CPU again.
        8 => CpuUp { cpu: CpuNumber },
        /// The record of a name.
        9 => Name { name: ProcessName },
    }
}

wire_struct! {
    /// Answer to `Status`.
    pub struct Status {
        /// The node.
        pub node: NodeName,
        /// Which CPU answers.
        pub cpu: CpuNumber,
        /// Version of the daemon.
        pub version: String,
        /// Process id of the daemon.
        pub pid: u32,
        /// Settings of the node.
        pub settings: NodeRecord,
        /// All CPUs on record.
        pub cpus: Vec<CpuRecord>,
        /// All names on record.
        pub names: Vec<NameRecord>,
        /// CPUs this daemon is connected to.
        pub connected: Vec<CpuNumber>,
        /// Processors its processes are bound to; empty = all.
        pub processors: Vec<u16>,
        /// Events that could not be written (a full disk).
        pub events_lost: u64,
        /// True when the kernel keeps a peek offset for TCP.
        pub peek_offset: bool,
    }
}

wire_enum! {
    /// What the daemon answers.
    pub enum AdminReply {
        /// It is done or under way.
        0 => Done {},
        /// It is refused; `text` says why and what to do next.
        1 => Refused { text: String },
        /// Answer to `Status`.
        2 => Status { status: Status },
        /// Answer to `Processes`.
        3 => Processes { processes: Vec<ProcessInfo> },
        /// Answer to `Run`: the process runs its program; whether it attaches shows in `Processes`.
        4 => Started { phandle: Phandle, pid: u32 },
        /// Answer to `Wait`, and to `Run` of a program that ended before it attached.
        5 => Ended { phandle: Phandle, code: Option<i32>, signal: Option<i32> },
        /// Answer to `Name`.
        6 => Name { record: Option<NameRecord> },
        /// An event, for `events --follow`.
        7 => Event { event: Event },
    }
}
