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
use crate::load::{Requester, Run};
use crate::node::Bench;
use crate::peers::home::{Home, Process, Store, run};
use crate::peers::packages;
use crate::peers::piped::Piped;
use crate::peers::served::Served;
use crate::report::{Row, Target, Value};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) const NAME: &str = "ZeroMQ ipc";
const SHARED_NAME: &str = "ZeroMQ ipc, one DEALER for all";
const SOURCE: &str = include_str!("../../peers/zeromq.c");
const HEADER: &str = "/usr/include/zmq.h";
const REQUESTERS: usize = 64;
const OUTSTANDING: [u16; 2] = [16, 256];

const LATENCY_RATIO_TARGET: f64 = 0.35;
const RATE_RATIO_TARGET: f64 = 1.0;

/// Measures one requester, many, and one with several requests under way.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let home = Home::new(Store::Memory)?;
    let program = compile(&home)?;
    let [rep, router] = ["rep", "router"].map(|role| Service::start(&home, &program, role));
    let (rep, router) = (rep?, router?);
    let mut pollux = Served::echo(bench)?;
    let requester = |service: &Service, kind: &str, sockets: usize| {
        let program = program.display().to_string();
        let words = [&program, kind, &service.address, &sockets.to_string()];
        Piped::start("the requester of ZeroMQ", words, &[])
    };
    pollux.add((1, 1), NAME, requester(&rep, "req", 1)?)?;
    pollux.add((REQUESTERS, 1), NAME, requester(&router, "dealer", REQUESTERS)?)?;
    // What is under way on the DEALER is under way on 64 opens of one request each.
    let shared = Shared { requester: requester(&router, "dealer", 1)?, outstanding: REQUESTERS };
    pollux.add((REQUESTERS, 1), SHARED_NAME, shared)?;
    for outstanding in OUTSTANDING {
        pollux.add((1, outstanding), NAME, requester(&router, "dealer", 1)?)?;
    }
    let taken = pollux.take_rounds(plan, &[rep.pid(), router.pid()])?;
    let ahead = Some(Target::RatioAtLeast(RATE_RATIO_TARGET));
    let mut rows = vec![
        taken.row("roundtrip", 0, Value::P50, Some(Target::RatioAtMost(LATENCY_RATIO_TARGET))),
        taken.row("throughput", 1, Value::PerSecond, ahead),
        taken.row("throughput", 2, Value::PerSecond, ahead),
    ];
    rows.extend([3, 4].map(|cell| taken.row("throughput", cell, Value::PerSecond, None)));
    Ok(rows)
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

impl Requester for Shared {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        self.requester.run(bytes, outstanding * self.outstanding, time)
    }
}
