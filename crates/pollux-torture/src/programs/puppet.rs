//! A process that does what a test tells it, a step at a time: both halves of an active pair, or a process alone.
//!
//! It listens on a unix socket named after its process id, takes a line and says a line. `error N` is the number of a refusal.

use pollux::binding::Daemon;
use pollux::{Error, Phandle, Result, Ticket};
use pollux_os::LifePage;
use pollux_sockets::Client;
use pollux_wire::SocketId;
use pollux_wire::control::{Creation, NameChoice, StartAs, StateKeeping, ToDaemon, ToProcess};
use pollux_wire::sockets::SocketRole;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

/// The provider that is asked.
pub const PROVIDER: &str = "$ZTC0";

/// What it has.
struct Puppet {
    client: Client,
    accept: Option<Ticket>,
    sockets: BTreeMap<SocketId, OwnedFd>,
}

/// Attaches, as the first half of a pair with a backup, and obeys.
pub fn serve(directory: &str) -> Result<()> {
    let life = LifePage::create().expect("a life page");
    life.hold().expect("a life page that nobody holds");
    let (mut daemon, (welcome, _)) = Daemon::attach(&life, StateKeeping::Active)?;
    let ToProcess::Welcome { name, start, program, .. } = welcome else { panic!("not welcome: {welcome:?}") };
    if program.pair && matches!(start, StartAs::Primary { .. }) {
        let request = daemon.next_request();
        let creation = Creation {
            spec: None,
            variables: Vec::new(),
            name: NameChoice::Callers {},
            cpu: None,
            home_terminal: String::new(),
            job: None,
            priority: 0,
        };
        daemon.send(&ToDaemon::Create { request, creation }, Vec::new())?;
        let (created, _) = daemon.wait_for(|message| matches!(message, ToProcess::Created { .. }))?;
        assert!(matches!(created, ToProcess::Created { error: 0, .. }), "{name:?}: {created:?}");
    }
    let node = daemon.into_node(life);
    let client = Client::open(&node, PROVIDER, 64)?;
    let mut puppet = Puppet { client, accept: None, sockets: BTreeMap::new() };
    let path = Path::new(directory).join(format!("puppet-{}.sock", std::process::id()));
    let listener = UnixListener::bind(path).expect("the path is free");
    let (mut master, _) = listener.accept().expect("a master");
    for line in BufReader::new(master.try_clone().expect("a duplicate")).lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let said = match puppet.obey(&words) {
            Ok(said) => said,
            Err(Error::File(error)) => format!("error {}", error.0),
            Err(error) => format!("failed: {error}"),
        };
        writeln!(master, "{said}").expect("the master listens");
    }
    Ok(())
}

impl Puppet {
    fn obey(&mut self, words: &[&str]) -> Result<String> {
        let number = |text: &str| super::number(text);
        let id = |text: &str| SocketId(number(text));
        Ok(match *words {
            ["keep"] => {
                let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
                let port = listener.local_addr().expect("it is bound").port();
                let socket = self.client.keep(&listener, SocketRole::Listener)?;
                self.sockets.insert(socket, listener.into());
                format!("{socket} {port}")
            }
            ["accept", socket, queue] => {
                self.accept = Some(self.client.start_accept(id(socket), number(queue) as u16)?);
                "started".to_owned()
            }
            ["await", ms] => {
                let ticket = self.accept.take().expect("an accept was started");
                match self.client.finish_accept(ticket, Some(Duration::from_millis(number(ms))))? {
                    Some((local, remote)) => format!("{remote} {local}"),
                    None => "none".to_owned(),
                }
            }
            ["claim", remote] => {
                let claimed = self.client.claim(remote.parse().expect("an address"), None)?;
                self.sockets.insert(claimed.socket, claimed.connection);
                claimed.socket.to_string()
            }
            ["join", socket, brother] => {
                let mut handle = [0; 10];
                for (word, text) in handle.iter_mut().zip(brother.split(',')) {
                    *word = number(text) as u16;
                }
                let brother = Phandle::from_words(handle).expect("a process handle");
                let (role, duplicate) = self.client.join(id(socket), brother)?;
                self.sockets.insert(id(socket), duplicate);
                role.to_string()
            }
            ["fetch", socket] => {
                let duplicate = self.client.fetch(id(socket))?;
                self.sockets.insert(id(socket), duplicate);
                "fetched".to_owned()
            }
            ["leave", socket] => {
                self.sockets.remove(&id(socket));
                self.client.leave(id(socket))?;
                "left".to_owned()
            }
            ["read", socket, count] => {
                let mut bytes = vec![0; number(count) as usize];
                self.stream(id(socket)).read_exact(&mut bytes).expect("the client has sent as much");
                String::from_utf8(bytes).expect("text")
            }
            ["write", socket, text] => {
                self.stream(id(socket)).write_all(text.as_bytes()).expect("the client is there");
                "written".to_owned()
            }
            // A request of each kind without its descriptor, one that is none, and descriptors that are none.
            ["misuse"] => self.misuse()?,
            _ => panic!("a strange order: {words:?}"),
        })
    }

    fn stream(&self, socket: SocketId) -> TcpStream {
        let stream = TcpStream::from(self.sockets[&socket].try_clone().expect("a duplicate"));
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(crate::PATIENCE)).expect("a socket");
        stream
    }

    fn misuse(&mut self) -> Result<String> {
        use pollux_wire::encode;
        use pollux_wire::sockets::SocketRequest;
        let nowhere = "127.0.0.1:1".parse().expect("an address");
        let socket = SocketId(1);
        let brother = Phandle::from_words([0x0101, 0, 1, 0, 1, 1, 0, 0, 0, 1]).expect("a process handle");
        let server = self.client.server();
        let mut said = Vec::new();
        for request in [
            SocketRequest::Keep { role: SocketRole::Stream },
            SocketRequest::Claim { remote: nowhere, local: None },
            SocketRequest::Fetch { socket },
            SocketRequest::Join { socket, brother },
        ] {
            said.push(server.request_for_answer(&encode(&request))?.error.0);
        }
        for garbage in [&b""[..], b"\xff", b"\x02\x04"] {
            let (reader, _) = std::io::pipe().expect("a pipe");
            said.push(server.request_with(garbage, reader.into())?.error.0);
        }
        let (reader, _) = std::io::pipe().expect("a pipe");
        let keep = encode(&SocketRequest::Keep { role: SocketRole::Stream });
        said.push(server.request_with(&keep, reader.into())?.error.0);
        let (one, _) = pollux_os::socket_pair().expect("a socket pair");
        said.push(server.request_with(&keep, one)?.error.0);
        // Descriptors that nobody asked for, and a channel that is none.
        let (reader, _) = std::io::pipe().expect("a pipe");
        said.push(server.request_with(&encode(&SocketRequest::Leave { socket }), reader.into())?.error.0);
        let (reader, _) = std::io::pipe().expect("a pipe");
        said.push(server.request_with(&encode(&SocketRequest::Fetch { socket }), reader.into())?.error.0);
        let words: Vec<String> = said.iter().map(ToString::to_string).collect();
        Ok(words.join(" "))
    }
}
