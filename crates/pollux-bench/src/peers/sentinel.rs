//! Redis Sentinel: a master, its replica, and three sentinels that promote the replica.
//!
//! What is compared: SIGKILL of the master, until the replica accepts a write. Three sentinels with a quorum of two, the least
//! that Redis' documentation calls safe; `down-after-milliseconds 100`, the lowest setting with which elections succeed as
//! a rule (at 20 most fail), and `failover-timeout 2000`, so that an election that fails is repeated soon. The requester
//! holds a connection to the replica and tries every 0.1 ms, which spares Redis the time in which a real one would have to ask
//! a sentinel for the new address. Each kill meets a fresh group that had 3 s to settle; a promotion that takes more than 10 s,
//! because elections have failed, counts as 10 s. Neither side writes to disk. Sentinel may lose writes that
//! were acknowledged without `WAIT`; Pollux loses none.

use crate::numbers::Samples;
use crate::peers::home::{Home, Process, Store, free_ports};
use crate::peers::redis::{ask, program};
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "Redis Sentinel, down-after 100 ms";
const SENTINELS: usize = 3;
const TRY_PAUSE: Duration = Duration::from_micros(100);
/// A promotion that takes longer counts as this long.
const PROMOTION_WAIT: Duration = Duration::from_secs(10);
/// Sentinels that have just met do not know yet that the replica may be promoted; they greet each other every 2 s.
const CALM: Duration = Duration::from_secs(3);

/// Kills so many masters: the pauses.
pub(crate) fn kill_often(kills: u32) -> Result<Samples> {
    let mut pauses = Samples::default();
    for _ in 0..kills {
        let mut group = Group::start()?;
        thread::sleep(CALM);
        let mut replica = connect(group.replica_port)?;
        let killed = Instant::now();
        group.master.kill()?;
        while killed.elapsed() < PROMOTION_WAIT && ask(&mut replica, &["SET", "key", "value"]).is_err() {
            thread::sleep(TRY_PAUSE);
        }
        pauses.add(killed.elapsed().min(PROMOTION_WAIT));
    }
    Ok(pauses)
}

/// Fields end in this order.
struct Group {
    _sentinels: Vec<Process>,
    _replica: Process,
    master: Process,
    replica_port: u16,
    _home: Home,
}

impl Group {
    fn start() -> Result<Self> {
        let (program, home) = (program()?, Home::new(Store::Memory)?);
        let [port, replica_port, ports @ ..] = free_ports::<{ 2 + SENTINELS }>()?;
        let server = |name: &str, own_port: u16, of: Option<u16>| -> Result<Process> {
            let directory = home.make_directory(name)?.display().to_string();
            let text = own_port.to_string();
            let mut arguments = vec!["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];
            arguments.extend(["--dir", &directory, "--port", &text, "--repl-diskless-sync-delay", "0"]);
            let master = of.map(|port| port.to_string()).unwrap_or_default();
            if of.is_some() {
                arguments.extend(["--replicaof", "127.0.0.1", &master]);
            }
            home.start(&program, &arguments)
        };
        let mut master = server("master", port, None)?;
        master.wait_until("answers", || connect(port))?;
        let mut replica = server("replica", replica_port, Some(port))?;
        replica.wait_until("is in step", || {
            let text = ask(&mut connect(port)?, &["INFO", "replication"])?;
            ensure!(text.contains("state=online"), "the replica is not online");
            Ok(())
        })?;
        let mut sentinels = Vec::new();
        for (number, own_port) in ports.iter().enumerate() {
            let directory = home.make_directory(&format!("sentinel{number}"))?;
            let text = format!(
                "port {own_port}\nbind 127.0.0.1\ndir {}\nsentinel monitor bench 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds bench 100\nsentinel failover-timeout bench 2000\n",
                directory.display()
            );
            let configuration = home.write(&format!("sentinel{number}.conf"), &text)?;
            sentinels.push(home.start(&program, &[&configuration.display().to_string(), "--sentinel"])?);
        }
        let master_port = port;
        for (sentinel, port) in sentinels.iter_mut().zip(ports) {
            sentinel.wait_until("knows the group", || {
                let text = ask(&mut connect(port)?, &["INFO", "sentinel"])?;
                let whole =
                    format!("status=ok,address=127.0.0.1:{master_port},slaves=1,sentinels={SENTINELS}");
                ensure!(text.contains(&whole), "it does not know all: {}", text.lines().last().unwrap_or(""));
                Ok(())
            })?;
        }
        Ok(Self { _sentinels: sentinels, _replica: replica, master, replica_port, _home: home })
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect to Redis")?;
    stream.set_nodelay(true).context("send at once")?;
    Ok(stream)
}
