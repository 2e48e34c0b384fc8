//! INFO: what the server tells about itself.

use std::fmt::{self, Display, Write};

use super::{Call, Outcome, REDIS_VERSION};
use crate::reply;

/// What INFO tells that the engine cannot know.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Name of the process pair.
    pub pair: String,
    /// Role of this half.
    pub role: Role,
    /// What is known of the other half.
    pub backup: BackupState,
    /// Grows with each change of primary or backup.
    pub epoch: u64,
    /// Times that a backup became primary because the primary was gone.
    pub takeovers: u64,
    /// Times that the halves changed roles on request.
    pub switchovers: u64,
    /// Seconds since the pair was started.
    pub uptime_s: u64,
    /// Operating system's number of this process.
    pub process_id: u32,
    /// Port that is listened to.
    pub tcp_port: u16,
    /// Connections at this moment.
    pub connected_clients: u64,
    /// Connections since the pair was started.
    pub connections_received: u64,
    /// Commands since the pair was started.
    pub commands_processed: u64,
    /// Memory that this process takes; 0 when it was not measured.
    pub resident_bytes: u64,
}

/// Role of a half of the pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It works.
    #[default]
    Primary,
    /// It holds the state.
    Backup,
}

/// What the primary knows of its backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupState {
    /// There is none: the primary's death would lose the state.
    #[default]
    None,
    /// It is being brought in step.
    CatchingUp,
    /// It holds everything that was acknowledged.
    InStep,
}

impl Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Primary => "primary",
            Role::Backup => "backup",
        })
    }
}

impl Display for BackupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            BackupState::None => "none",
            BackupState::CatchingUp => "catching_up",
            BackupState::InStep => "in_step",
        })
    }
}

type Section = fn(&Call<'_>, &mut String) -> fmt::Result;

const SECTIONS: &[(&str, Section)] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Stats", stats),
    ("Replication", replication),
    ("Keyspace", keyspace),
    ("Pollux", pollux),
];

pub(super) fn info(call: &mut Call<'_>) -> Outcome {
    let is_asked = |name: &str| {
        call.args.len() == 1
            || (1..call.args.len()).any(|index| {
                [name, "default", "all", "everything"].iter().any(|word| call.is_word(index, word))
            })
    };
    let mut text = String::new();
    for (name, section) in SECTIONS.iter().filter(|(name, _)| is_asked(name)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        line(&mut text, format_args!("# {name}")).expect("writing to memory cannot fail");
        section(call, &mut text).expect("writing to memory cannot fail");
    }
    reply::bulk(call.reply, text.as_bytes());
    Ok(())
}

fn line(out: &mut String, line: fmt::Arguments<'_>) -> fmt::Result {
    write!(out, "{line}\r\n")
}

fn field(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    line(out, format_args!("{name}:{value}"))
}

fn server(call: &Call<'_>, out: &mut String) -> fmt::Result {
    let status = &call.context.status;
    field(out, "redis_version", REDIS_VERSION)?;
    field(out, "redis_mode", "standalone")?;
    field(out, "pollux_kv_version", env!("CARGO_PKG_VERSION"))?;
    field(out, "process_id", status.process_id)?;
    field(out, "tcp_port", status.tcp_port)?;
    field(out, "uptime_in_seconds", status.uptime_s)?;
    field(out, "uptime_in_days", status.uptime_s / 86_400)
}

fn clients(call: &Call<'_>, out: &mut String) -> fmt::Result {
    field(out, "connected_clients", call.context.status.connected_clients)
}

fn memory(call: &Call<'_>, out: &mut String) -> fmt::Result {
    field(out, "used_memory", call.keys.store().approximate_bytes())?;
    field(out, "used_memory_rss", call.context.status.resident_bytes)?;
    field(out, "maxmemory", 0)?;
    field(out, "maxmemory_policy", "noeviction")
}

fn stats(call: &Call<'_>, out: &mut String) -> fmt::Result {
    field(out, "total_connections_received", call.context.status.connections_received)?;
    field(out, "total_commands_processed", call.context.status.commands_processed)
}

fn replication(call: &Call<'_>, out: &mut String) -> fmt::Result {
    // Redis's words, for the tools that read them. Who answers is the primary.
    field(out, "role", "master")?;
    field(out, "connected_slaves", call.context.backups_in_step)
}

fn keyspace(call: &Call<'_>, out: &mut String) -> fmt::Result {
    let store = call.keys.store();
    if store.is_empty() {
        return Ok(());
    }
    let average_ttl_ms = {
        /// Keys looked at, the soonest to expire: enough for a figure that is only ever looked at.
        const SAMPLE: usize = 16;
        let times = store.deadlines.iter().take(SAMPLE);
        let rests = times.map(|(at_ms, _)| at_ms.get().saturating_sub(call.keys.now_ms()));
        rests.fold(0u64, u64::saturating_add) / store.deadlines.len().clamp(1, SAMPLE) as u64
    };
    let (keys, expires) = (store.len(), store.len_expiring());
    line(out, format_args!("db0:keys={keys},expires={expires},avg_ttl={average_ttl_ms}"))
}

fn pollux(call: &Call<'_>, out: &mut String) -> fmt::Result {
    // With a prefix: libraries put all sections into one table, and `role` is taken.
    let status = &call.context.status;
    field(out, "pair_name", &status.pair)?;
    field(out, "pair_role", status.role)?;
    field(out, "pair_backup", status.backup)?;
    field(out, "pair_epoch", status.epoch)?;
    field(out, "pair_takeovers", status.takeovers)?;
    field(out, "pair_switchovers", status.switchovers)
}
