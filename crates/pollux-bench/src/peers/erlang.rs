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
use crate::peers::home::{Home, Process, Store, free_port, run};
use crate::peers::packages;
use crate::peers::piped::Piped;
use crate::peers::served::Served;
use crate::report::Row;
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const NAME: &str = "Erlang gen_server:call";
pub(crate) const PAIR_NAME: &str = "Erlang pair";
const SOURCE: &str = include_str!("../../peers/bench.erl");
const COOKIE: &str = "bench";

/// Measures calls between two nodes.
pub(crate) fn measure_messages(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let erlang = Erlang::prepare()?;
    let server = erlang.node("echo", &["echo"])?;
    let requesters = |count| erlang.requesters(count, "echo");
    Ok(Served::echo(bench)?.compare(plan, (NAME, &[server.pid()]), requesters)?.messages())
}

/// Measures a server with a backup.
pub(crate) fn measure_replicated(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let erlang = Erlang::prepare()?;
    let backup = erlang.node("backup", &["backup"])?;
    let primary = erlang.node("primary", &["primary", "backup@127.0.0.1"])?;
    let pids = [primary.pid(), backup.pid()];
    let requesters = |count| erlang.requesters(count, "primary");
    Ok(Served::pair(bench)?.compare(plan, (PAIR_NAME, &pids), requesters)?.replicated())
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

    fn requesters(&self, count: usize, server: &str) -> Result<Piped> {
        let (server, text) = (format!("{server}@127.0.0.1"), count.to_string());
        let mut words = vec![self.program.display().to_string()];
        words.extend(self.arguments(&format!("requester{count}"), &["requester", &server, &text]));
        let home = self.home.text("");
        let variables = [("ERL_EPMD_PORT", self.port.as_str()), ("HOME", home.as_str())];
        Piped::start("Erlang's requesters", words, &variables)
    }
}
