//! ZeroMQ 4.3 over ipc: a message and its reply, without a second copy on either side.
//!
//! What is compared: 64 bytes to a server that sends them back. `roundtrip`: a REQ and a REP socket, ZeroMQ's own pattern
//! for it, one request at a time, against one open of a Pollux server. `throughput`: 64 requesters in one thread, in the two
//! ways in which a user of ZeroMQ would write them: a DEALER socket for each, waited for with `zmq_poll`, and one DEALER
//! for all with 64 requests under way, which lets ZeroMQ put many of them into one write (its best case, and the row that
//! has the target), both against a ROUTER; Pollux has an open for each of its 64 requesters. With 16 and 256 requests of one
//! requester under way both sides have one socket or open. The programs are C, as ZeroMQ's are, compiled here with
//! `-O2`; contexts have their defaults (one I/O thread). The scheduler places all of it; Pollux binds its own server.

use crate::arguments::Plan;
use crate::node::Bench;
use crate::peers::compare::{Cell, Served, interleave};
use crate::peers::home::{Home, Process, Store, run};
use crate::peers::packages;
use crate::peers::piped::Piped;
use crate::report::{Row, Target, Value};
use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const NAME: &str = "ZeroMQ ipc";
const SERVER: &str = "$ECHO";
const SOURCE: &str = include_str!("../../peers/zeromq.c");
const HEADER: &str = "/usr/include/zmq.h";
const REQUESTERS: usize = 64;

const LATENCY_RATIO_TARGET: f64 = 0.35;
const RATE_RATIO_TARGET: f64 = 1.0;

/// Measures one requester, many, and one with several requests under way.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let home = Home::new(Store::Memory)?;
    let program = compile(&home)?;
    let [rep, router] = ["rep", "router"].map(|role| Service::start(&home, &program, role));
    let (rep, router) = (rep?, router?);
    let pollux = Served::start(bench, SERVER, false, "echo")?;
    let cell = |name: &str, (count, outstanding): (usize, usize), peer: Piped| -> Result<Cell> {
        let pollux = pollux.requesters(count, if count == 1 { outstanding } else { 1 })?;
        Ok(Cell { name: name.to_owned(), outstanding, pollux, peer: Box::new(peer) })
    };
    let requester = |service: &Service, kind: &str, sockets: usize| {
        let program = program.display().to_string();
        Piped::start("the requester of ZeroMQ", [&program, kind, &service.address, &sockets.to_string()], &[])
    };
    let mut cells = vec![
        cell("1 requester", (1, 1), requester(&rep, "req", 1)?)?,
        cell("64 requesters", (REQUESTERS, 1), requester(&router, "dealer", REQUESTERS)?)?,
    ];
    for outstanding in [16, 256] {
        let name = format!("{outstanding} outstanding");
        cells.push(cell(&name, (1, outstanding), requester(&router, "dealer", 1)?)?);
    }
    // What is under way on the DEALER is under way on 64 opens of one request each.
    let shared = Shared { requester: requester(&router, "dealer", 1)?, outstanding: REQUESTERS };
    cells.push(Cell {
        name: "64 requesters on one DEALER".to_owned(),
        outstanding: 1,
        pollux: pollux.requesters(REQUESTERS, 1)?,
        peer: Box::new(shared),
    });
    let sides = interleave(bench, (plan, plan.rounds), (NAME, &[rep.pid(), router.pid()]), cells)?;
    let [one, each, narrow, wide, shared] = &sides[..] else { bail!("a load is missing") };
    let ahead = Some(Target::RatioAtLeast(RATE_RATIO_TARGET));
    Ok(vec![
        one.row("roundtrip", Value::P50, Some(Target::RatioAtMost(LATENCY_RATIO_TARGET))),
        each.row("throughput", Value::PerSecond, ahead),
        shared.row("throughput", Value::PerSecond, ahead),
        narrow.row("throughput", Value::PerSecond, None),
        wide.row("throughput", Value::PerSecond, None),
    ])
}

fn compile(home: &Home) -> Result<PathBuf> {
    packages::file(&[PathBuf::from(HEADER)], "libzmq3-dev")?;
    let compiler = packages::program("gcc", "gcc")?;
    let (source, program) = (home.write("zeromq.c", SOURCE)?, home.path("zeromq"));
    run(Command::new(compiler).arg("-O2").arg("-o").arg(&program).arg(source).arg("-lzmq"))?;
    Ok(program)
}

/// A server of ZeroMQ and its address.
struct Service {
    process: Process,
    address: String,
}

impl Service {
    fn start(home: &Home, program: &Path, role: &str) -> Result<Self> {
        let socket = home.path(&format!("{role}.socket"));
        let address = format!("ipc://{}", socket.display());
        let mut process = home.start(program, &[role, &address])?;
        process.wait_until("listens", || {
            ensure!(socket.exists(), "there is no socket");
            Ok(())
        })?;
        Ok(Self { process, address })
    }

    fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Many requesters that share what is one connection for the peer.
struct Shared {
    requester: Piped,
    outstanding: usize,
}

impl crate::load::Requester for Shared {
    fn run(
        &mut self,
        bytes: usize,
        outstanding: usize,
        time: std::time::Duration,
    ) -> Result<crate::load::Run> {
        self.requester.run(bytes, outstanding * self.outstanding, time)
    }
}
