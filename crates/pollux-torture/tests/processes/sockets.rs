//! The TCP/IP provider under its programs: what they are told, what they get, and what is left when somebody dies.

use crate::node;
use pollux_os::Signal;
use pollux_torture::cleanup::descriptors_of;
use pollux_torture::programs::puppet::PROVIDER;
use pollux_torture::programs::sockets::talk;
use pollux_torture::wait::spin;
use pollux_torture::{Fault, Node, PATIENCE, Random, faults, seed};
use pollux_wire::Phandle;
use pollux_wire::admin::AdminReply;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Awaited for so long, an accept is cancelled: nobody is to come.
const SHORT_MS: &str = "50";
/// An accept that is to be answered.
const LONG_MS: &str = "30000";

/// A process that does what it is told.
struct Puppet<'a> {
    node: &'a Node,
    phandle: Phandle,
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl<'a> Puppet<'a> {
    fn of(node: &'a Node, phandle: Phandle, pid: u32) -> Self {
        let path = node.path().join(format!("puppet-{pid}.sock"));
        let stream = node.wait_for("the puppet listens", || UnixStream::connect(&path).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Self { node, phandle, stream, lines }
    }

    /// Both halves of a pair.
    fn pair(node: &'a Node, name: &str) -> (Self, Self) {
        let directory = node.path().to_str().unwrap().to_owned();
        let started = node.run(0, Some(name), node.spec(&["puppet", &directory], true));
        assert!(matches!(started, AdminReply::Started { .. }), "{started:?}");
        let record = node
            .wait_for("the pair has a backup", || node.record(name).filter(|record| record.backup.is_some()));
        let half = |phandle| {
            let process = node.wait_for("it runs", || node.process(phandle));
            Self::of(node, phandle, process.pid)
        };
        (half(record.primary), half(record.backup.unwrap()))
    }

    /// A process without a name.
    fn alone(node: &'a Node) -> Self {
        let directory = node.path().to_str().unwrap().to_owned();
        match node.run(1, None, node.spec(&["puppet", &directory], false)) {
            AdminReply::Started { phandle, pid } => Self::of(node, phandle, pid),
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self, order: &str) -> String {
        writeln!(self.stream, "{order}").unwrap();
        let mut said = String::new();
        self.lines.read_line(&mut said).unwrap();
        assert!(!said.is_empty(), "the puppet has ended at {order:?}\n{}", self.node.logs());
        said.trim().to_owned()
    }

    /// A listener of its own: number and port.
    fn listen(&mut self) -> (String, u16) {
        let said = self.tell("keep");
        let (socket, port) = said.split_once(' ').unwrap();
        (socket.to_owned(), port.parse().unwrap())
    }

    /// Starts an accept and waits for its end: the far address, or what else it is told.
    fn accept(&mut self, listener: &str, ms: &str) -> String {
        assert_eq!(self.tell(&format!("accept {listener} 16")), "started");
        self.end_of_accept(ms)
    }

    fn end_of_accept(&mut self, ms: &str) -> String {
        let said = self.tell(&format!("await {ms}"));
        if said.starts_with("error") { said } else { said.split(' ').next().unwrap().to_owned() }
    }

    fn join(&mut self, socket: &str, brother: Phandle) -> String {
        let words: Vec<String> = brother.to_words().iter().map(ToString::to_string).collect();
        self.tell(&format!("join {socket} {}", words.join(",")))
    }

    fn kill(self) {
        assert!(self.node.signal(self.phandle, Signal::KILL));
        self.node.wait_until("it is gone", || self.node.process(self.phandle).is_none());
    }
}

fn provide(node: &Node) {
    node.run_pair(PROVIDER, &["__provider"]);
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn name_of(stream: &TcpStream) -> String {
    stream.local_addr().unwrap().to_string()
}

/// The connection is served: a word there and a word back.
fn expect_served(stream: &mut TcpStream, puppet: &mut Puppet<'_>, socket: &str) {
    stream.write_all(b"question").unwrap();
    assert_eq!(puppet.tell(&format!("read {socket} 8")), "question");
    assert_eq!(puppet.tell(&format!("write {socket} answer")), "written");
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"answer");
}

/// How the connection has ended, as its client sees it.
fn end_of(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    stream.read(&mut [0; 8]).map_err(|error| error.kind())
}

/// A program pair would lose clients in each of the moments in which its primary can die.
#[test]
fn nothing_is_lost_wherever_the_primary_of_a_program_dies() {
    let node = node();
    provide(&node);
    for (at, moment) in ["told", "claimed", "late", "joined"].into_iter().enumerate() {
        let (mut primary, mut backup) = Puppet::pair(&node, &format!("$APP{at}"));
        let (listener, port) = primary.listen();
        assert_eq!(backup.join(&listener, primary.phandle), "listener");
        let mut client = connect(port);
        let name = name_of(&client);
        assert_eq!(primary.accept(&listener, LONG_MS), name);
        let brother = primary.phandle;
        let socket = match moment {
            "told" => None,
            _ => Some(primary.tell(&format!("claim {name}"))),
        };
        if moment == "joined" {
            let socket = socket.as_ref().unwrap();
            assert_eq!(backup.join(socket, brother), "stream");
            expect_served(&mut client, &mut primary, socket);
        }
        primary.kill();
        let socket = match moment {
            // The backup knows nothing of the connection, and is told of it.
            "told" | "claimed" => {
                assert_eq!(backup.accept(&listener, LONG_MS), name);
                backup.tell(&format!("claim {name}"))
            }
            // It reads of the connection only after the takeover, and perhaps after it was told of it.
            "late" => {
                assert_eq!(backup.accept(&listener, LONG_MS), name);
                let socket = socket.unwrap();
                assert_eq!(backup.join(&socket, brother), "stream");
                assert_eq!(backup.tell(&format!("claim {name}")), "error 4003");
                socket
            }
            _ => socket.unwrap(),
        };
        expect_served(&mut client, &mut backup, &socket);
        // The listener goes on, too.
        let mut next = connect(port);
        assert_eq!(backup.accept(&listener, LONG_MS), name_of(&next));
        let second = backup.tell(&format!("claim {}", name_of(&next)));
        expect_served(&mut next, &mut backup, &second);
        assert_eq!(backup.tell(&format!("leave {socket}")), "left");
        assert_eq!(end_of(&mut client), Ok(0), "the last member's leaving closes it");
        backup.kill();
    }
    node.finish();
}

/// A request that was half read cannot be begun anew by somebody else: the client must hear of it.
#[test]
fn a_used_connection_that_nobody_joins_is_reset() {
    let node = node();
    provide(&node);
    let (mut primary, mut backup) = Puppet::pair(&node, "$APP");
    let (listener, port) = primary.listen();
    assert_eq!(backup.join(&listener, primary.phandle), "listener");
    let mut clients: Vec<TcpStream> = (0..2).map(|_| connect(port)).collect();
    let sockets: Vec<String> = (0..2)
        .map(|_| {
            let remote = primary.accept(&listener, LONG_MS);
            primary.tell(&format!("claim {remote}"))
        })
        .collect();
    for (client, socket) in clients.iter_mut().zip(&sockets) {
        client.write_all(b"question").unwrap();
        assert_eq!(primary.tell(&format!("read {socket} 4")), "ques");
    }
    let brother = primary.phandle;
    primary.kill();
    assert_eq!(backup.accept(&listener, SHORT_MS), "none", "it is not offered again");
    assert_eq!(backup.join(&sockets[0], brother), "stream");
    assert_eq!(backup.tell(&format!("read {} 4", sockets[0])), "tion");
    assert_eq!(end_of(&mut clients[1]), Err(ErrorKind::ConnectionReset));
    assert_eq!(backup.join(&sockets[1], brother), "error 60");
    node.finish();
}

/// A client that is told of and not taken would wait for ever.
#[test]
fn a_cancelled_accept_gives_its_connection_back_and_any_process_may_claim() {
    let node = node();
    provide(&node);
    let mut listening = Puppet::alone(&node);
    let mut serving = Puppet::alone(&node);
    let (listener, port) = listening.listen();
    assert_eq!(listening.accept(&listener, SHORT_MS), "none", "cancelled");
    assert_eq!(listening.tell(&format!("accept {listener} 1")), "started");
    assert_eq!(listening.tell(&format!("accept {listener} 1")), "started");
    assert_eq!(listening.end_of_accept(LONG_MS), "error 4103", "one at a time");
    // The first accept is still there, and nobody waits for its answer: as if the process had forgotten it.
    let mut client = connect(port);
    let name = name_of(&client);
    let socket = node.wait_for("the connection is pending", || {
        Some(serving.tell(&format!("claim {name}"))).filter(|said| said != "error 4003")
    });
    expect_served(&mut client, &mut serving, &socket);
    // The serving process has nothing to do with the listener.
    assert_eq!(serving.accept(&listener, LONG_MS), "error 48");
    assert_eq!(serving.tell(&format!("leave {listener}")), "error 48");
    assert_eq!(serving.join(&listener, listening.phandle), "error 17");
    // A connection that its server never touched goes to the next; one that it has used ends with it.
    let mut other = connect(port);
    assert_eq!(listening.accept(&listener, LONG_MS), name_of(&other));
    serving.tell(&format!("claim {}", name_of(&other)));
    serving.kill();
    assert_eq!(end_of(&mut client), Ok(0));
    assert_eq!(listening.accept(&listener, LONG_MS), name_of(&other));
    let socket = listening.tell(&format!("claim {}", name_of(&other)));
    expect_served(&mut other, &mut listening, &socket);
    // A peer that has gone.
    let gone = connect(port);
    let name = name_of(&gone);
    assert_eq!(listening.accept(&listener, LONG_MS), name);
    rustix::net::sockopt::set_socket_linger(&gone, Some(Duration::ZERO)).unwrap();
    drop(gone);
    assert_eq!(listening.tell(&format!("claim {name}")), "error 4120");
    assert_eq!(listening.tell(&format!("claim {name}")), "error 4003");
    // The listener of a process without a name goes with it.
    let mut waiting = connect(port);
    listening.kill();
    assert_eq!(end_of(&mut waiting), Err(ErrorKind::ConnectionReset));
    node.finish();
}

fn provider_descriptors(node: &Node) -> [usize; 2] {
    let record = node.wait_whole(PROVIDER);
    [record.primary, record.backup.unwrap()].map(|half| {
        let process = node.process(half).expect("it runs");
        descriptors_of(process.pid).expect("it runs")
    })
}

/// Programs that ask for nonsense, or die in the middle, would use the provider up.
#[test]
fn misuse_is_refused_by_number_and_leaves_nothing() {
    let node = node();
    provide(&node);
    let before = provider_descriptors(&node);
    let mut puppet = Puppet::alone(&node);
    assert_eq!(puppet.tell("misuse"), "4009 4009 4009 4009 2 2 2 4104 4113 60 60");
    assert_eq!(puppet.tell("accept 1 0"), "started");
    assert_eq!(puppet.end_of_accept(LONG_MS), "error 60");
    let (listener, port) = puppet.listen();
    for queue in [0, 129] {
        assert_eq!(puppet.tell(&format!("accept {listener} {queue}")), "started");
        assert_eq!(puppet.end_of_accept(LONG_MS), "error 4022");
    }
    assert_eq!(puppet.tell(&format!("fetch {listener}")), "fetched");
    for _ in 0..40 {
        let client = connect(port);
        assert_eq!(puppet.accept(&listener, LONG_MS), name_of(&client));
        let socket = puppet.tell(&format!("claim {}", name_of(&client)));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(puppet.tell(&format!("leave {socket}")), "left");
    }
    // Some that it still has when it dies, some that it was told of, some that wait.
    let clients: Vec<TcpStream> = (0..9).map(|_| connect(port)).collect();
    for at in 0..6 {
        let remote = puppet.accept(&listener, LONG_MS);
        if at < 3 {
            puppet.tell(&format!("claim {remote}"));
        }
    }
    puppet.kill();
    for (at, mut client) in clients.into_iter().enumerate() {
        // Those that were told of are kept for a while, in case that another process was told of them.
        let end = end_of(&mut client);
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "client {at}: {end:?}");
    }
    node.wait_until("the descriptors are as before", || provider_descriptors(&node) == before);
    node.finish();
}

/// A provider that dies would take listeners and connections of all programs along, and those that it has just accepted.
#[test]
fn the_provider_is_killed_a_hundred_times_under_load() {
    let mut random = Random::new(seed(21));
    let node = node();
    provide(&node);
    let mut server = node.requester(&["echo", PROVIDER]);
    let port: u16 = server.line().trim().parse().unwrap();
    let enough = AtomicBool::new(false);
    let (served, lost) = (AtomicU64::new(0), AtomicU64::new(0));
    let words = thread::scope(|scope| {
        let lasting: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| talk(&mut connect(port), |_| enough.load(Ordering::SeqCst)).unwrap()))
            .collect();
        for _ in 0..3 {
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst) {
                    let mut stream = connect(port);
                    match talk(&mut stream, |words| words == 3) {
                        Ok(_) => served.fetch_add(1, Ordering::Relaxed),
                        Err(_) => lost.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for kill in 0..110 {
                node.wait_whole(PROVIDER);
                let goal = served.load(Ordering::Relaxed) + random.below(4);
                node.wait_until("clients are served", || served.load(Ordering::Relaxed) >= goal);
                spin(Duration::from_micros(kill * 20));
                let fault = if kill % 11 == 10 { Fault::Switch } else { Fault::KillPrimary };
                faults::inflict(&node, PROVIDER, fault);
            }
        }));
        enough.store(true, Ordering::SeqCst);
        let words = lasting.into_iter().map(|talk| talk.join().unwrap()).sum::<u64>();
        outcome.unwrap();
        words
    });
    let (served, lost) = (served.into_inner(), lost.into_inner());
    println!("{served} connections served, {lost} lost, {words} words over lasting ones");
    println!("{}", server.finish());
    assert!(served > 100, "there was no load");
    assert_eq!(lost, 0, "connections are lost");
    node.stop_pair(PROVIDER);
    node.finish();
}
