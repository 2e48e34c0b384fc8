//! etcd 3.4 with three nodes: `Put`, acknowledged by two of three.
//!
//! What is compared: a requester changes 64 bytes under a key and has its reply when others have the change. etcd: the unary call
//! `KV/Put` over gRPC and TCP on the loopback, to the leader, its best case. Three copies, of which two acknowledge (two
//! nodes would not survive a loss, so three is the least); Pollux has two copies. etcd writes its log before it acknowledges
//! and cannot be told not to: on tmpfs that costs nothing, which is the row that is alike, as Pollux keeps its copies in
//! memory; the row on disk shows what its full promise costs. Heartbeat and election have their defaults. The client is
//! this thread with a gRPC of its own that does less than a library: one connection for each requester, blocking with
//! one, epoll with more. Keys go round 16,384 entries on both sides.

use crate::arguments::Plan;
use crate::many::{Lines, Many};
use crate::node::Bench;
use crate::peers::grpc::{Calls, Field, bytes_field, fields};
use crate::peers::home::{Home, Process, Store, free_ports};
use crate::peers::lines::{Line, PeerLines};
use crate::peers::packages;
use crate::peers::served::Served;
use crate::report::Row;
use crate::server::slot;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpStream};

const NODES: usize = 3;
/// Fields of `PutRequest`.
const KEY: u8 = 1;
const VALUE: u8 = 2;
/// Fields of `StatusResponse` and of the header in it.
const HEADER: u64 = 1;
const LEADER: u64 = 4;
const MEMBER_ID: u64 = 2;

/// As rows say it.
pub(crate) fn name(store: Store) -> &'static str {
    match store {
        Store::Memory => "etcd, 3 nodes, tmpfs",
        Store::Disk => "etcd, 3 nodes, disk",
    }
}

/// Measures one requester and many.
pub(crate) fn measure(bench: &Bench, plan: &Plan, store: Store) -> Result<Vec<Row>> {
    let mut cluster = Cluster::start(store)?;
    let leader = cluster.leader()?;
    let requesters = |count| {
        let line = |_| Line::over_tcp(connect(leader)?, Calls::new("/etcdserverpb.KV/Put", put));
        Ok(Many::all(PeerLines::new((0..count).map(line).collect::<Result<_>>()?)?))
    };
    let pids: Vec<u32> = cluster.nodes.iter().map(Process::pid).collect();
    Ok(Served::pair(bench)?.compare(plan, (name(store), &pids), requesters)?.replicated())
}

fn put(payload: &[u8], out: &mut Vec<u8>) {
    bytes_field(KEY, format!("key:{:05}", slot(payload)).as_bytes(), out);
    bytes_field(VALUE, payload, out);
}

fn connect(port: u16) -> Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect to etcd")
}

/// Three nodes.
struct Cluster {
    nodes: Vec<Process>,
    ports: [u16; NODES],
    _home: Home,
}

impl Cluster {
    fn start(store: Store) -> Result<Self> {
        let (program, home) = (packages::program("etcd", "etcd-server")?, Home::new(store)?);
        let [a, b, c, d, e, f] = free_ports()?;
        let (ports, peers) = ([a, b, c], [d, e, f].map(|port| format!("http://127.0.0.1:{port}")));
        let all: Vec<String> = peers.iter().enumerate().map(|(at, peer)| format!("n{at}={peer}")).collect();
        let all = all.join(",");
        let mut nodes = Vec::new();
        for (at, (port, peer)) in ports.iter().zip(&peers).enumerate() {
            let (name, directory) = (format!("n{at}"), home.text(&format!("n{at}")));
            let url = format!("http://127.0.0.1:{port}");
            let own = ["--name", &name, "--data-dir", &directory, "--logger", "zap", "--log-level", "error"];
            let urls = ["--listen-client-urls", &url, "--advertise-client-urls", &url];
            let cluster = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
            let members = ["--initial-cluster", &all, "--initial-cluster-state", "new"];
            nodes.push(home.start(&program, &[&own[..], &urls, &cluster, &members].concat())?);
        }
        Ok(Self { nodes, ports, _home: home })
    }

    /// The port of the one that leads.
    fn leader(&mut self) -> Result<u16> {
        let ports = self.ports;
        self.nodes[0].wait_until("has a leader", || {
            for port in ports {
                if leads(port)? {
                    return Ok(port);
                }
            }
            anyhow::bail!("nobody leads")
        })
    }
}

/// Asks a node for its status.
fn leads(port: u16) -> Result<bool> {
    let status = Calls::new("/etcdserverpb.Maintenance/Status", |_, _| {});
    let mut lines = PeerLines::new(vec![Line::over_tcp(connect(port)?, status)?])?;
    lines.start(0, &[])?;
    lines.next()?;
    let reply = lines.protocol(0).message().context("a status without a message")?;
    is_leader(reply).context("read the status of etcd")
}

fn is_leader(status: &[u8]) -> Option<bool> {
    let of = |fields: &[Field<'_>], wanted| fields.iter().find(|one| one.0 == wanted).map(|one| one.1);
    let status = fields(status)?;
    let header = fields(status.iter().find(|one| one.0 == HEADER)?.2)?;
    let leader = of(&status, LEADER).unwrap_or(0);
    Some(leader != 0 && Some(leader) == of(&header, MEMBER_ID))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Load on a follower makes etcd slower than it is.
    #[test]
    fn the_leader_is_known_by_its_status() {
        let status = |leader: u8| vec![0x0a, 4, 0x08, 9, 0x10, 5, 0x20, leader];
        assert_eq!(
            (is_leader(&status(5)), is_leader(&status(6)), is_leader(&status(0))),
            (Some(true), Some(false), Some(false))
        );
        assert_eq!(is_leader(&[0x20, 5]), None);
    }
}
