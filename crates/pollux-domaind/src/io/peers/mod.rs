//! The other servers: what they say comes in by listeners, what they are told goes out by a sender thread for each.
//!
//! What is sent may be lost; the core counts on nothing else. A connection carries one direction. Its first frame says whose
//! it is. Servers of one host meet by sockets in a directory ([`unix`]); a server with an address speaks to those of other
//! hosts over TLS ([`tcp`]).
//!
//! A word that could not be sent soon is dropped: what a machine says of itself must not arrive as news when it is old.

pub(crate) mod tcp;
mod tls;
pub(crate) mod unix;

pub(crate) use tls::Tls;

use crate::address::Address;
use crate::core::Input;
use crate::words::PeerWord;
use pollux_domain::name::ServerName;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Words that wait for one server; more are dropped.
const WAITING_MAX: usize = 256;
/// A word that waited for so long is not sent.
const WORD_AGE_MAX: Duration = Duration::from_secs(1);
/// A server that does not take a word for so long is disconnected.
pub(crate) const WRITE_MAX: Duration = Duration::from_secs(2);
/// After a connection that failed, words are dropped for so long.
const CONNECT_AGAIN: Duration = Duration::from_millis(20);
/// The same for a server of another host.
const CONNECT_AGAIN_FAR: Duration = Duration::from_millis(250);

/// Where servers with an address are.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<BTreeMap<ServerName, Address>>);

impl Book {
    /// What is known from here on.
    pub(crate) fn replace(&self, addresses: BTreeMap<ServerName, Address>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    fn get(&self, server: &ServerName) -> Option<Address> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }
}

/// Ways to the other servers.
#[derive(Clone)]
pub(crate) struct Ways {
    /// The directory where servers of this host meet.
    pub(crate) meeting: PathBuf,
    /// This server.
    pub(crate) me: ServerName,
    /// Addresses.
    pub(crate) book: Arc<Book>,
    /// What this server speaks to other hosts with, if it does.
    pub(crate) tls: Option<Arc<Tls>>,
    /// What people should know goes there.
    pub(crate) inbox: Sender<Input>,
}

/// Sends to the other servers.
pub(crate) struct Senders {
    ways: Ways,
    threads: BTreeMap<ServerName, SyncSender<(Instant, PeerWord)>>,
}

impl Senders {
    /// Nobody yet.
    pub(crate) fn new(ways: Ways) -> Self {
        Self { ways, threads: BTreeMap::new() }
    }

    /// Sends a word, or drops it: the receiver may be away or slow.
    pub(crate) fn send(&mut self, to: &ServerName, word: PeerWord) {
        if !self.threads.contains_key(to) {
            let (send, words) = sync_channel(WAITING_MAX);
            let sender =
                Deliverer { ways: self.ways.clone(), to: to.clone(), open: None, failed: None, told: None };
            let name = format!("to {to}");
            if thread::Builder::new().name(name).spawn(move || sender.work(&words)).is_err() {
                return;
            }
            self.threads.insert(to.clone(), send);
        }
        if let Some(thread) = self.threads.get(to)
            && let Err(TrySendError::Disconnected(_)) = thread.try_send((Instant::now(), word))
        {
            self.threads.remove(to);
        }
    }
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Here(PathBuf),
    There(Address),
}

/// A connection to a server.
enum Link {
    Here(unix::Link),
    There(Box<tcp::Link>),
}

/// Why there is none.
pub(crate) enum Trouble {
    /// Nobody answers: it is away, and the status says so.
    Away,
    /// A person has to do something; one line with the next step.
    Said(String),
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Away
    }
}

/// Sends to one server, on a thread of its own.
struct Deliverer {
    ways: Ways,
    to: ServerName,
    open: Option<(Way, Link)>,
    failed: Option<Instant>,
    /// The line that people were told last.
    told: Option<String>,
}

impl Deliverer {
    fn work(mut self, words: &Receiver<(Instant, PeerWord)>) {
        while let Ok((since, word)) = words.recv() {
            if since.elapsed() < WORD_AGE_MAX {
                self.deliver(&word);
            }
        }
    }

    fn deliver(&mut self, word: &PeerWord) {
        for _ in 0..2 {
            let way = self.way();
            self.open.take_if(|(open, link)| *open != way || !link.is_open());
            if self.open.is_none() {
                self.connect(way);
            }
            let Some((_, link)) = &mut self.open else { return };
            match link.write(word) {
                Ok(()) => return,
                // The server was started anew: once more on a new connection.
                Err(_) => self.open = None,
            }
        }
    }

    /// A server whose address is not known and that has no socket here is looked for by its name.
    fn way(&self) -> Way {
        let here = unix::peer_socket(&self.ways.meeting, &self.to);
        if self.ways.tls.is_none() {
            return Way::Here(here);
        }
        match self.ways.book.get(&self.to) {
            Some(address) => Way::There(address),
            None if here.exists() => Way::Here(here),
            None => Way::There(Address::usual(self.to.as_str())),
        }
    }

    fn connect(&mut self, way: Way) {
        let pause = if matches!(way, Way::Here(_)) { CONNECT_AGAIN } else { CONNECT_AGAIN_FAR };
        if self.failed.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        let link = match (&way, &self.ways.tls) {
            (Way::There(address), Some(tls)) => {
                tcp::connect(tls, &self.to, address).map(|link| Link::There(Box::new(link)))
            }
            (Way::Here(path), _) => unix::connect(path, &self.ways.me).map(Link::Here).map_err(Trouble::from),
            (Way::There(_), None) => Err(Trouble::Away),
        };
        match link {
            Ok(link) => {
                self.open = Some((way, link));
                self.failed = None;
                self.tell(None);
            }
            Err(trouble) => {
                self.failed = Some(Instant::now());
                if let Trouble::Said(line) = trouble {
                    self.tell(Some(line));
                }
            }
        }
    }

    /// People are told once, and when it is over.
    fn tell(&mut self, line: Option<String>) {
        if self.told == line {
            return;
        }
        if let Some(old) = self.told.take() {
            drop(self.ways.inbox.send(Input::ProblemOver(old)));
        }
        if let Some(line) = &line {
            drop(self.ways.inbox.send(Input::Problem(line.clone())));
        }
        self.told = line;
    }
}

impl Link {
    fn write(&mut self, word: &PeerWord) -> io::Result<()> {
        match self {
            Self::Here(link) => link.write(word),
            Self::There(link) => link.write(word),
        }
    }

    /// A socket of this host refuses what its other end will not read; a far one takes it and says so later.
    fn is_open(&self) -> bool {
        match self {
            Self::Here(_) => true,
            Self::There(link) => link.is_open(),
        }
    }
}

/// The servers that meet in the directory, by their sockets.
pub(crate) fn meeting(directory: &Path) -> Vec<ServerName> {
    unix::meeting(directory)
}
