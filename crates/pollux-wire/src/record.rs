//! What the coordinator keeps: one record per name, one per CPU.

use crate::codec::{wire_flat_enum, wire_struct};
use crate::control::StateKeeping;
use crate::{CpuNumber, Epoch, Phandle, ProcessName};

/// Prefix of the keys of [`NameRecord`]s; the name follows.
pub const NAME_KEY_PREFIX: &str = "name/";
/// Prefix of the keys of [`CpuRecord`]s; the number follows.
pub const CPU_KEY_PREFIX: &str = "cpu/";
/// Key of the counter that gives sequence numbers and open ids (S9: never repeated).
pub const SEQUENCE_KEY: &str = "counter/sequence";
/// Key of the [`NodeRecord`].
pub const NODE_KEY: &str = "node";

wire_struct! {
    /// The entry of a name: who is primary, who is backup, since which epoch. The one place where that is decided (S6, S10).
    pub struct NameRecord {
        /// The name.
        pub name: ProcessName,
        /// Grows with each change of `primary` or `backup`.
        pub epoch: Epoch,
        /// The primary, or the single process.
        pub primary: Phandle,
        /// The backup that may take over.
        pub backup: Option<Phandle>,
        /// Who created the name; is told when both halves are gone.
        pub ancestor: Option<Phandle>,
        /// The program, for people.
        pub program: String,
        /// Who keeps the backup in step. Managed until the first process has attached.
        pub keeps: StateKeeping,
    }
}

impl NameRecord {
    /// True if the name has, or ever had, a backup: epochs begin with the instance and grow with each change of its members.
    pub fn had_backup(&self) -> bool {
        self.epoch.0 > self.primary.sequence
    }
}

wire_flat_enum! {
    /// What a CPU is.
    pub enum CpuState {
        /// Its daemon runs.
        1 => Up = "up",
        /// An operator stopped it.
        2 => Down = "down",
        /// It died.
        3 => Failed = "failed",
    }
}

wire_struct! {
    /// The entry of a CPU.
    pub struct CpuRecord {
        /// Its number.
        pub cpu: CpuNumber,
        /// What it is.
        pub state: CpuState,
        /// Grows with each start of the CPU.
        pub epoch: Epoch,
        /// Process id of its daemon, for people.
        pub pid: u32,
        /// When it entered `state`, milliseconds since 1970, for people.
        pub since_unix_ms: u64,
    }
}

wire_struct! {
    /// The entry of the node itself.
    pub struct NodeRecord {
        /// Its name with the backslash.
        pub node: String,
        /// CPUs it was started with.
        pub cpus: u8,
        /// True when processes are not bound to processors.
        pub unbound: bool,
        /// Own ticks after which a silent daemon counts as hung.
        pub sick_after_ms: u32,
        /// Time after which a stopped process counts as hung.
        pub hang_after_ms: u32,
        /// Time after which a failed CPU is started again; 0 = never.
        pub reload_after_ms: u32,
    }
}
