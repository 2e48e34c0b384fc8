//! Frames between a process and the daemon of its CPU.
//!
//! Every message is one frame of kind [`CONTROL`]; descriptors are named in the variant's doc, in their order.

use crate::admin::{Kept, ProgramSpec};
use crate::checkpoint::Opener;
use crate::codec::{wire_enum, wire_flat_enum, wire_struct};
use crate::event::Event;
use crate::record::NameRecord;
use crate::system::SystemMessage;
use crate::{CpuNumber, Epoch, FileError, ListenerId, NodeName, OpenId, Phandle, Pin, ProcessName};

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
        0 => Attach { version: u16, pid: u32, keeps: StateKeeping },
        /// The process knows its role and is ready to be seen: `run` returns.
        1 => State { state: PairState, epoch: Epoch, backup: Option<Phandle>, lag_bytes: u64 },
        /// Opens a named server.
        2 => Open { request: u32, target: Target, sync_depth: u16, nowait_depth: u16, details: OpenDetails },
        /// Asks for a new path of an open whose paths are all lost.
        3 => Repath { request: u32, target: Target, open: OpenId, sync_depth: u16, nowait_depth: u16, details: OpenDetails },
        /// Asks for a change of the name's record.
        4 => Change { request: u32, change: Change },
        /// Asks for a backup process in another CPU.
        5 => StartBackup { request: u32, cpu: Option<CpuNumber> },
        /// Asks for an acceptor. With two descriptors: the listening socket and the acceptor's end of its path. The name is that
        /// of the TCP/IP provider from which it gets the connections, if there is such a process.
        6 => StartAcceptor { request: u32, listener: ListenerId, provider: Option<ProcessName> },
        /// Reports an event.
        7 => Report { event: Event },
        /// The process is about to end by itself; answered with `StopNow`. With `both`, its name is off the record and its
        /// other half is gone before the answer, so that nobody takes over.
        8 => Stopping { request: u32, both: bool, report: StopReport },
        /// Asks for unique numbers.
        9 => Numbers { request: u32, count: u32 },
        /// Creates a process (`PROCESS_CREATE_`); answered with `Created`.
        10 => Create { request: u32, creation: Creation },
        /// Stops another process (`PROCESS_STOP_`); answered with `Answer`.
        11 => StopOther { request: u32, target: Phandle, both: bool, abend: bool },
        /// Asks about the node; answered with `Answer`.
        12 => Query { request: u32, query: Query },
        /// Adopts a process or changes what others see of this one (`PROCESS_SETINFO_`, `STEPMOM`); answered with `Answer`.
        13 => BecomeMomOf { request: u32, child: Phandle },
        /// Changes something of the process itself (`PROCESS_SETINFO_`, `SETSTOP`); answered with `Answer`.
        14 => Set { request: u32, setting: Setting },
        /// Only on a takeover line: the takeover that will be asked for, so that as little as possible is left to do then.
        15 => Prepare { change: Change },
        /// What the process supervises, for listings; the last one counts.
        20 => Keeps { kept: Kept },
    }
}

wire_enum! {
    /// What a process changes of itself.
    pub enum Setting {
        /// Its priority, 1 to 199.
        0 => Priority { value: u8 },
        /// Its stop mode. With [`STOP_MODE_NOBODY`] a stop by another process waits until the mode is another one.
        1 => StopMode { mode: u8 },
    }
}

/// The highest stop mode: no other process stops this one.
pub const STOP_MODE_NOBODY: u8 = 2;
/// The stop mode of a process that has set none.
pub const STOP_MODE_DEFAULT: u8 = 1;
/// The highest priority.
pub const PRIORITY_MAX: u8 = 199;

wire_flat_enum! {
    /// Who keeps a backup in step.
    pub enum StateKeeping {
        /// Pollux: checkpoints over the pair channel; the primary changes the name's record, the backup stays silent.
        1 => Managed = "managed",
        /// The program itself, with messages ("active backup"): both halves open files and read `$RECEIVE`; the daemons
        /// change the name's record when a half ends.
        2 => Active = "active",
    }
}

wire_enum! {
    /// What is opened.
    pub enum Target {
        /// The primary of a name; for a half of that very pair the other half. With a sequence number: only that instance.
        0 => Name { name: ProcessName, sequence: Option<u64> },
        /// A process without a name.
        1 => Place { cpu: CpuNumber, pin: Pin, sequence: u64 },
    }
}

wire_struct! {
    /// What a server hears of an open beyond who its opener is (Guardian Procedure Errors and Messages, message -103).
    pub struct OpenDetails {
        /// Number of the file in the opener; -1 for a requester that has none.
        pub file_number: i16,
        /// `FILE_OPEN_`, access: 0 both, 1 read, 2 write.
        pub access: u8,
        /// `FILE_OPEN_`, exclusion: 0 shared, 1 exclusive, 3 protected.
        pub exclusion: u8,
        /// `FILE_OPEN_`, options.
        pub options: u16,
        /// The name's qualifier, like `#PORT2.CTL`.
        pub qualifier: String,
        /// Home terminal of the opener.
        pub home_terminal: String,
        /// Backup open: the opener's primary, and the number of the file there.
        pub primary: Option<Phandle>,
        /// See `primary`.
        pub primary_file_number: i16,
        /// The label that the server gave to the open, for a half that has not seen it; -1 for none.
        pub label: i16,
        /// Between two run-time libraries: programs do not see it.
        pub internal: bool,
        /// `FILE_OPEN_` with nowait depth 0: each operation is waited for.
        pub waited: bool,
    }
}

impl Default for OpenDetails {
    fn default() -> Self {
        Self {
            file_number: -1,
            access: 0,
            exclusion: 0,
            options: 0,
            qualifier: String::new(),
            home_terminal: String::new(),
            primary: None,
            primary_file_number: 0,
            label: -1,
            internal: false,
            waited: false,
        }
    }
}

wire_struct! {
    /// How a process ends by itself (`PROCESS_STOP_`).
    pub struct StopReport {
        /// Completion code.
        pub completion: i16,
        /// True for ABEND.
        pub abend: bool,
        /// Termination information.
        pub information: i16,
        /// Subsystem id, six words, or nothing.
        pub subsystem: Vec<u16>,
        /// Text, at most 80 bytes.
        pub text: String,
    }
}

wire_enum! {
    /// The name of a process to be created (`PROCESS_CREATE_`, name-option).
    pub enum NameChoice {
        /// 0: none.
        0 => None {},
        /// 1: this one.
        1 => Given { name: ProcessName },
        /// 2 and 4: one that the node makes up, of four characters, or five if `long`.
        2 => Generated { long: bool },
        /// 3: the caller's; the process becomes the caller's backup and is on record as such when it runs.
        3 => Callers {},
    }
}

wire_struct! {
    /// A process to be created.
    pub struct Creation {
        /// The program; none: the caller's, with the caller's arguments, environment and directory.
        pub spec: Option<ProgramSpec>,
        /// Added to the environment, in place of variables of the same names.
        pub variables: Vec<(String, String)>,
        /// Its name.
        pub name: NameChoice,
        /// Its CPU; none: the caller's, for a backup any other one.
        pub cpu: Option<CpuNumber>,
        /// Its home terminal; empty: the caller's.
        pub home_terminal: String,
        /// Its job; none: the caller's, 0: none.
        pub job: Option<u16>,
        /// Priority, 1 to 199; 0: the caller's.
        pub priority: u8,
    }
}

wire_enum! {
    /// A question about the node.
    pub enum Query {
        /// The record of a name.
        0 => Name { name: ProcessName },
        /// The record whose name follows this one in order; the first for none.
        1 => NextName { after: Option<ProcessName> },
        /// The record that has this process as primary or backup, or had its instance.
        2 => PairOf { phandle: Phandle },
        /// A process.
        3 => Process { phandle: Phandle },
        /// The process with this pin of a CPU, or with `next` the one with the lowest pin from there on.
        4 => Place { cpu: CpuNumber, pin: Pin, next: bool },
        /// Which CPUs are up.
        5 => Cpus {},
        /// Whether a process lives, has ended, or was lost with its CPU. Not answered before that is known.
        6 => Fate { phandle: Phandle },
        /// A name that nobody has and nobody else is given.
        7 => NewName { long: bool },
    }
}

wire_flat_enum! {
    /// What became of a process.
    pub enum Fate {
        /// It runs.
        1 => Alive = "alive",
        /// It has ended; its CPU lives.
        2 => Ended = "ended",
        /// Its CPU is lost.
        3 => CpuLost = "cpu lost",
    }
}

wire_enum! {
    /// An answer about the node.
    pub enum Answer {
        /// Done; or not, with the error number.
        0 => Done { error: FileError },
        /// To `Name`, `NextName`, `PairOf`.
        1 => Record { record: Option<NameRecord> },
        /// To `Process` and `Place`.
        2 => Process { process: Option<ProcessFacts> },
        /// To `Cpus`: a bit for each CPU that is up, CPU 0 the lowest bit; and how many the node has.
        3 => Cpus { up: u16, count: u8 },
        /// To `Fate`.
        4 => Fate { fate: Fate },
        /// To `NewName`.
        5 => NewName { name: ProcessName },
    }
}

wire_struct! {
    /// What others may know of a process (`PROCESS_GETINFO_`).
    pub struct ProcessFacts {
        /// Who.
        pub phandle: Phandle,
        /// Its name.
        pub name: Option<ProcessName>,
        /// Process id.
        pub pid: u32,
        /// User.
        pub uid: u32,
        /// Absolute path of the program.
        pub program: String,
        /// Home terminal.
        pub home_terminal: String,
        /// Who is told of its end (an unnamed process's creator, a half's other half).
        pub mom: Option<Phandle>,
        /// Job, 0 for none.
        pub job: u16,
        /// Priority.
        pub priority: u8,
        /// Its stop mode.
        pub stop_mode: u8,
        /// True when a stop waits for the end of [`STOP_MODE_NOBODY`].
        pub stop_waits: bool,
        /// When it was created, microseconds since 1970.
        pub created_unix_us: u64,
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
        /// Backup of a pair that keeps its state itself.
        3 => ActiveBackup { epoch: Epoch, primary: Phandle },
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
            /// Its creator, if that is a process.
            mom: Option<Phandle>,
            /// Home terminal; empty for none.
            home_terminal: String,
            /// Time without acknowledgement after which a backup counts as hung, milliseconds.
            hang_after_ms: u32,
        },
        /// The process cannot be attached.
        1 => Refused { error: FileError, why: String },
        /// Answer to `Open` and `Repath`: with one descriptor, the path, if `error` is 0.
        2 => Opened { request: u32, error: FileError, open: OpenId, server: Option<Phandle> },
        /// Somebody opens this process (`again`: asks for a new path of an open). With one descriptor: the path. `epoch` is
        /// that of the name's record, 0 for a process without a name.
        3 => NewPath { open: OpenId, opener: Opener, again: bool, epoch: Epoch },
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
        /// Answer to `Create`: the process runs its program, or why not (`PROCESS_CREATE_`, error and detail).
        12 => Created { request: u32, process: Option<Phandle>, name: Option<ProcessName>, error: u16, detail: u16, why: String },
        /// Answer to `Stopping`: end now.
        13 => StopNow { request: u32 },
        /// Answer to `StopOther`, `Query`, `BecomeMomOf` and `Set`.
        14 => Answer { request: u32, answer: Answer },
        /// The name's record has changed: for both halves of a pair that keeps its state itself.
        15 => RecordChanged { record: NameRecord },
        /// For a half of a pair that Pollux keeps. With one descriptor: a socket on which it asks for takeovers, with frames
        /// as here: `Prepare`, and `Change`, which is answered with `Recorded`; one of each at a time. When it ends they are
        /// asked for here.
        16 => TakeoverLine {},
    }
}
