//! Erlang 25: `gen_server:call` between two nodes, and a pair of processes on two nodes.
//!
//! `roundtrip` and `throughput`: processes of one node call a `gen_server` of another, which sends 64 bytes back; nodes are
//! joined as Erlang joins them, TCP on the loopback, one connection for all processes. `replicated`: the server's node
//! and a third one hold an `ets` table of 16,384 entries; the server stores, casts the change to the backup, and replies when
//! the backup's cast comes back, without waiting in between: the faster of the two ways to write it (a nested call
//! stops the server for each change). Two copies on each side, both in memory. The requesters are Erlang's own: a
//! process each, in one node, as a program in Erlang has them. Settings are the defaults; the registry of names
//! (`epmd`) is the bench's own.

use crate::arguments::Plan;
use crate::node::Bench;
use crate::peers::compare::{Cell, Served, interleave, name_of};
use crate::peers::home::{Home, Process, Store, free_port, run};
use crate::peers::piped::Piped;
use crate::peers::{OTHERS_RATE_RATIO_TARGET, packages};
use crate::report::{Row, Target, Value};
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const NAME: &str = "Erlang gen_server:call";
pub(crate) const PAIR_NAME: &str = "Erlang pair";
const SOURCE: &str = include_str!("../../peers/bench.erl");
const COOKIE: &str = "bench";
const REQUESTERS: [usize; 2] = [1, 64];

/// Measures calls between two nodes.
pub(crate) fn measure_messages(bench: &Bench, plan: &Plan, rounds: u32) -> Result<Vec<Row>> {
    let erlang = Erlang::prepare()?;
    let server = erlang.node("echo", &["echo"])?;
    let pollux = Served::start(bench, "$ECHO", false, "echo")?;
    let cells = erlang.cells(&pollux, "echo")?;
    let sides = interleave(bench, (plan, rounds), (NAME, &[server.pid()]), cells)?;
    let rows = sides.iter().zip(REQUESTERS).map(|(side, count)| match count {
        1 => side.row("roundtrip", Value::P50, None),
        _ => side.row("throughput", Value::PerSecond, None),
    });
    Ok(rows.collect())
}

/// Measures a server with a backup.
pub(crate) fn measure_replicated(bench: &Bench, plan: &Plan, rounds: u32) -> Result<Vec<Row>> {
    let erlang = Erlang::prepare()?;
    let backup = erlang.node("backup", &["backup"])?;
    let primary = erlang.node("primary", &["primary", "backup@127.0.0.1"])?;
    let pollux = Served::start(bench, "$REPL", true, "store")?;
    let cells = erlang.cells(&pollux, "primary")?;
    let sides = interleave(bench, (plan, rounds), (PAIR_NAME, &[primary.pid(), backup.pid()]), cells)?;
    let ahead = Some(Target::RatioAtLeast(OTHERS_RATE_RATIO_TARGET));
    let rows = sides.iter().zip(REQUESTERS).map(|(side, count)| match count {
        1 => side.row("replicated", Value::P50, None),
        _ => side.row("replicated", Value::PerSecond, ahead),
    });
    Ok(rows.collect())
}

/// What nodes need: the compiled module and a registry of names.
struct Erlang {
    program: PathBuf,
    port: String,
    _names: Process,
    home: Home,
}

impl Erlang {
    fn prepare() -> Result<Self> {
        let program = packages::program("erl", "erlang-base")?;
        let compiler = packages::program("erlc", "erlang-base")?;
        let (home, port) = (Home::new(Store::Memory)?, free_port()?);
        let source = home.write("bench.erl", SOURCE)?;
        run(Command::new(compiler).arg("-o").arg(home.path("")).arg(source).env("HOME", home.path("")))?;
        let epmd = packages::program("epmd", "erlang-base")?;
        let text = port.to_string();
        let mut names = home.start(&epmd, &["-address", "127.0.0.1", "-port", &text])?;
        names.wait_until("answers", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect to epmd")
        })?;
        Ok(Self { program, port: text, _names: names, home })
    }

    /// The arguments of a node that runs a role.
    fn arguments(&self, name: &str, role: &[&str]) -> Vec<String> {
        let directory = self.home.text("");
        let name = format!("{name}@127.0.0.1");
        let words = ["-noinput", "-pa", &directory, "-name", &name, "-setcookie", COOKIE];
        let local = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-run", "bench", "run"];
        [&words[..], &local, role].concat().into_iter().map(str::to_owned).collect()
    }

    fn node(&self, name: &str, role: &[&str]) -> Result<Process> {
        let arguments = self.arguments(name, role);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let home = self.home.text("");
        let variables = [("ERL_EPMD_PORT", self.port.as_str()), ("HOME", home.as_str())];
        let mut node = self.home.start_as(None, &self.program, &arguments, &variables)?;
        let epmd = packages::program("epmd", "erlang-base")?;
        node.wait_until("is known", || {
            let known = run(Command::new(&epmd).args(["-port", &self.port, "-names"]))?;
            ensure!(known.contains(&format!("name {name} at")), "nobody knows {name}");
            Ok(())
        })?;
        Ok(node)
    }

    fn cells(&self, pollux: &Served<'_>, server: &str) -> Result<Vec<Cell>> {
        let cell = |count: usize| -> Result<Cell> {
            let (server, text) = (format!("{server}@127.0.0.1"), count.to_string());
            let mut words = vec![self.program.display().to_string()];
            words.extend(self.arguments(&format!("requester{count}"), &["requester", &server, &text]));
            let home = self.home.text("");
            let variables = [("ERL_EPMD_PORT", self.port.as_str()), ("HOME", home.as_str())];
            let peer = Box::new(Piped::start("Erlang's requesters", words, &variables)?);
            Ok(Cell { name: name_of(count), outstanding: 1, pollux: pollux.requesters(count, 1)?, peer })
        };
        REQUESTERS.into_iter().map(cell).collect()
    }
}
