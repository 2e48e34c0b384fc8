//! PostgreSQL 15 with one standby and `synchronous_commit = remote_apply`.
//!
//! What is compared: a requester changes 64 bytes and has its reply when a second process has applied the change. PostgreSQL: a
//! prepared `UPDATE` by primary key of a row with 64 bytes, committed when the standby has replayed it; Pollux: a request to a
//! pair. Two copies on each side. PostgreSQL also writes its log before it acknowledges: on tmpfs that costs nothing, which
//! is the row that is alike; the row on disk shows what its full promise costs. The table has 16,384 rows, as Pollux' has, with
//! room in its pages so that no index is touched. Primary and standby are joined over a unix socket, as the requesters are. All other settings are
//! the defaults. The client is this thread with the protocol over a socket for each requester, blocking with one, epoll
//! with more: less work than libpq does.

use crate::arguments::Plan;
use crate::many::Many;
use crate::node::Bench;
use crate::peers::home::{Home, Process, Store, dies_with_us, run};
use crate::peers::lines::{Heard, Line, PeerLines, Protocol};
use crate::peers::packages;
use crate::peers::served::Served;
use crate::report::Row;
use crate::server::{TABLE_ENTRIES, slot};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, geteuid};
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// It refuses to run as root.
const USER: &str = "postgres";
const PRIMARY_PORT: &str = "5432";
const STANDBY_PORT: &str = "5433";
const STATEMENT: &str = "s";
const UPDATE: &str = "UPDATE entries SET value = $2 WHERE number = $1";
/// Object identifiers of `int4` and `bytea`.
const TYPES: [i32; 2] = [23, 17];
const PROTOCOL_VERSION: i32 = 3 << 16;

/// As rows say it.
pub(crate) fn name(store: Store) -> &'static str {
    match store {
        Store::Memory => "PostgreSQL remote_apply, tmpfs",
        Store::Disk => "PostgreSQL remote_apply, disk",
    }
}

/// Measures one requester and many.
pub(crate) fn measure(bench: &Bench, plan: &Plan, store: Store) -> Result<Vec<Row>> {
    let postgres = Pair::start(store)?;
    let requesters = |count| {
        let line = |_| Ok(Line::over_unix(postgres.connect()?, Updates::default()));
        Ok(Many::all(PeerLines::new((0..count).map(line).collect::<Result<_>>()?)?))
    };
    let pids = [postgres.primary.pid(), postgres.standby.pid()];
    Ok(Served::pair(bench)?.compare(plan, (name(store), &pids), requesters)?.replicated())
}

/// A primary and its standby.
struct Pair {
    standby: Process,
    primary: Process,
    home: Home,
}

impl Pair {
    fn start(store: Store) -> Result<Self> {
        let program = packages::file(&[PathBuf::from(PROGRAMS).join("postgres")], "postgresql-15")?;
        let home = Home::new(store)?;
        let user = geteuid().is_root().then_some(USER);
        let tool = |name: &str, arguments: &[&str]| {
            let mut command = dies_with_us(user);
            command.arg(PathBuf::from(PROGRAMS).join(name)).args(arguments);
            run(command.env("PGOPTIONS", "-c synchronous_commit=local").current_dir("/"))
        };
        let files = home.make_directory("files")?;
        if user.is_some() {
            chown(&files, Some(id("-u")?), Some(id("-g")?)).context("give PostgreSQL its directory")?;
        }
        let sockets = files.display().to_string();
        let [primary, standby] = ["primary", "standby"].map(|name| files.join(name).display().to_string());
        tool("initdb", &["--pgdata", &primary, "--auth", "trust", "--username", USER, "--no-sync"])?;
        let settings = [
            format!("unix_socket_directories={sockets}"),
            "listen_addresses=".to_owned(),
            "synchronous_commit=remote_apply".to_owned(),
            "synchronous_standby_names=*".to_owned(),
            "max_connections=200".to_owned(),
        ];
        let start = |directory: &str, port: &str| -> Result<Process> {
            let mut arguments = vec!["-D", directory, "-p", port];
            settings.iter().for_each(|setting| arguments.extend(["-c", setting]));
            Ok(home.start_as(user, &program, &arguments, &[])?.ending_with(Signal::QUIT))
        };
        let query = |text: &str| {
            tool("psql", &["-h", &sockets, "-p", PRIMARY_PORT, "-U", USER, "-X", "-A", "-t", "-c", text])
        };
        let mut process = start(&primary, PRIMARY_PORT)?;
        process.wait_until("answers", || query("SELECT 1"))?;
        query(&format!(
            "CREATE TABLE entries (number int4 PRIMARY KEY, value bytea) WITH (fillfactor = 50); \
             INSERT INTO entries SELECT number, '' FROM generate_series(0, {}) AS number",
            TABLE_ENTRIES - 1
        ))?;
        let from = ["-h", &sockets, "-p", PRIMARY_PORT, "-U", USER];
        let copy = ["-D", &standby, "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        tool("pg_basebackup", &[&from[..], &copy].concat())?;
        let mut copy = start(&standby, STANDBY_PORT)?;
        copy.wait_until("is in step", || {
            let state = query("SELECT sync_state FROM pg_stat_replication")?;
            ensure!(state.trim() == "sync", "the standby's state is {state:?}");
            Ok(())
        })?;
        Ok(Self { standby: copy, primary: process, home })
    }

    /// A connection with the statement prepared.
    fn connect(&self) -> Result<UnixStream> {
        let path = self.home.path("files").join(format!(".s.PGSQL.{PRIMARY_PORT}"));
        let mut socket = UnixStream::connect(path).context("connect to PostgreSQL")?;
        let mut startup = PROTOCOL_VERSION.to_be_bytes().to_vec();
        startup.extend_from_slice(format!("user\0{USER}\0database\0postgres\0\0").as_bytes());
        let length = i32::try_from(startup.len() + 4)?;
        socket.write_all(&[&length.to_be_bytes()[..], &startup].concat())?;
        until_ready(&mut socket)?;
        let mut parse = format!("{STATEMENT}\0{UPDATE}\0").into_bytes();
        parse.extend_from_slice(&(TYPES.len() as i16).to_be_bytes());
        TYPES.iter().for_each(|kind| parse.extend_from_slice(&kind.to_be_bytes()));
        let mut out = Vec::new();
        message(b'P', &mut out, |out| out.extend_from_slice(&parse));
        message(b'S', &mut out, |_| {});
        socket.write_all(&out)?;
        until_ready(&mut socket)?;
        Ok(socket)
    }
}

/// The number of the user or of its group.
fn id(which: &str) -> Result<u32> {
    let text = run(Command::new("id").args([which, USER]))?;
    text.trim().parse().with_context(|| format!("the user {USER} has the id {text}"))
}

fn until_ready(socket: &mut UnixStream) -> Result<()> {
    loop {
        let mut head = [0; 5];
        socket.read_exact(&mut head).context("hear PostgreSQL")?;
        let mut body = vec![0; (length_of(&head).context("a message without a length")?).saturating_sub(5)];
        socket.read_exact(&mut body).context("hear PostgreSQL")?;
        match head[0] {
            b'E' => bail!("PostgreSQL says {}", body.escape_ascii()),
            b'Z' => return Ok(()),
            _ => {}
        }
    }
}

/// Bytes of the message at the beginning, its kind included.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(1..5)?.try_into().ok()?;
    Some(u32::from_be_bytes(length) as usize + 1)
}

fn message(kind: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The prepared statement, bound, executed and committed with one write.
#[derive(Default)]
struct Updates {
    done: bool,
}

impl Protocol for Updates {
    fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.done = false;
        message(b'B', out, |out| {
            out.extend_from_slice(format!("\0{STATEMENT}\0").as_bytes());
            // One format for all parameters: binary. Two parameters.
            out.extend_from_slice(&[0, 1, 0, 1, 0, 2]);
            out.extend_from_slice(&4_u32.to_be_bytes());
            out.extend_from_slice(&slot(payload).to_be_bytes());
            out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
            out.extend_from_slice(payload);
            out.extend_from_slice(&[0, 0]);
        });
        // The portal without a name, all rows.
        message(b'E', out, |out| out.extend_from_slice(&[0; 5]));
        message(b'S', out, |_| {});
    }

    fn hear(&mut self, arrived: &[u8], _answer: &mut Vec<u8>) -> Result<Heard> {
        let Some(bytes) = length_of(arrived).filter(|bytes| *bytes <= arrived.len()) else {
            return Ok(Heard::Incomplete);
        };
        match arrived[0] {
            b'E' => bail!("PostgreSQL says {}", arrived[..bytes].escape_ascii()),
            b'C' => self.done = &arrived[5..bytes] == b"UPDATE 1\0",
            b'Z' => {
                ensure!(self.done, "PostgreSQL has changed no row");
                return Ok(Heard::Reply(bytes));
            }
            _ => {}
        }
        Ok(Heard::Other(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // An UPDATE that finds no row is fast and means nothing.
    #[test]
    fn a_reply_is_a_changed_row() {
        let (mut updates, mut out) = (Updates::default(), Vec::new());
        updates.ask(&[9, 0, 0, 0, 7, 0, 0, 0, 1], &mut out);
        assert_eq!(&out[..5], [b'B', 0, 0, 0, 36]);
        let mut hear = |bytes: &[u8]| updates.hear(bytes, &mut Vec::new());
        assert_eq!(hear(b"2\0\0\0").unwrap(), Heard::Incomplete);
        assert_eq!(hear(b"2\0\0\0\x04C").unwrap(), Heard::Other(5));
        assert!(hear(b"Z\0\0\0\x05I").is_err());
        assert_eq!(hear(b"C\0\0\0\x0dUPDATE 1\0").unwrap(), Heard::Other(14));
        assert_eq!(hear(b"Z\0\0\0\x05I").unwrap(), Heard::Reply(6));
        assert!(hear(b"E\0\0\0\x05x").is_err());
    }
}
