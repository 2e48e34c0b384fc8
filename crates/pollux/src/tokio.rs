//! An asynchronous requester, for programs that run on tokio.
//!
//! ```no_run
//! # async fn ask() -> pollux::Result<()> {
//! let node = pollux::tokio::Node::connect().await?;
//! let counter = node.open("$COUNT").await?;
//! let (a, b) = tokio::join!(counter.request(b"alice"), counter.request(b"bob"));
//! # a?; b?; Ok(()) }
//! ```

use crate::error::{Context, Error, Result};
use crate::link::{Answer, Link};
use crate::requester::{Node as BlockingNode, OpenOptions};
use pollux_wire::limits::PAYLOAD_BYTES_MAX;
use pollux_wire::{FileError, ProcessName, SyncId};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

/// Without a word from any half for so long, the daemon is asked who is primary.
const PATIENCE: Duration = Duration::from_millis(500);
/// Requests that wait for room in the open before `request` itself waits.
const WAITING_MAX: usize = 1024;

/// A question to the thread that speaks with the daemon.
enum Ask {
    Open {
        name: ProcessName,
        options: OpenOptions,
        answer: oneshot::Sender<Result<Link>>,
    },
    Path {
        name: ProcessName,
        link: (pollux_wire::OpenId, OpenOptions),
        answer: oneshot::Sender<Result<OwnedFd, FileError>>,
    },
}

/// This process's place in a node, as a requester.
#[derive(Clone)]
pub struct Node {
    asks: mpsc::UnboundedSender<Ask>,
}

impl Node {
    /// Attaches to a node: see [`crate::Node::connect`]. Opens are made on a thread of their own, requests are not.
    pub async fn connect() -> Result<Self> {
        let (asks, mut questions) = mpsc::unbounded_channel();
        let (connected, connection) = oneshot::channel();
        thread::Builder::new()
            .name("pollux-daemon".to_owned())
            .spawn(move || {
                let node = match BlockingNode::connect() {
                    Ok(node) => node,
                    Err(error) => return drop(connected.send(Err(error))),
                };
                let _ = connected.send(Ok(()));
                while let Some(ask) = questions.blocking_recv() {
                    match ask {
                        Ask::Open { name, options, answer } => {
                            drop(answer.send(node.open_link(&name, options)))
                        }
                        Ask::Path { name, link: (open, options), answer } => {
                            let path = node.ask_open(&name, options, Some(open));
                            let path = path.unwrap_or(Err(FileError::PATH_DOWN)).map(|(_, path)| path);
                            drop(answer.send(path));
                        }
                    }
                }
            })
            .context("start the thread that speaks with the daemon")?;
        connection.await.map_err(|_| Error::Unknown)??;
        Ok(Self { asks })
    }

    /// Opens a server by name with room for 64 requests at a time.
    pub async fn open(&self, name: &str) -> Result<Server> {
        self.open_with(name, OpenOptions::outstanding(64)).await
    }

    /// Opens a server by name.
    pub async fn open_with(&self, name: &str, options: OpenOptions) -> Result<Server> {
        let name = ProcessName::new(name)?;
        let options = options.check()?;
        let (answer, opened) = oneshot::channel();
        self.asks.send(Ask::Open { name: name.clone(), options, answer }).map_err(|_| Error::Unknown)?;
        let link = opened.await.map_err(|_| Error::Unknown)??;
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(drive(link, name, options, waiting, self.asks.clone()));
        Ok(Server { requests })
    }
}

/// One request on its way to the task that drives the open.
struct Outgoing {
    payload: Vec<u8>,
    answer: oneshot::Sender<Result<Answer>>,
}

/// An open server; cheap to clone, usable from many tasks at a time.
#[derive(Clone)]
pub struct Server {
    requests: mpsc::Sender<Outgoing>,
}

impl Server {
    /// Sends a request and waits for its reply. An error number from the server is an error here.
    pub async fn request(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let answer = self.request_for_answer(payload).await?;
        if answer.error.is_ok() { Ok(answer.payload) } else { Err(Error::File(answer.error)) }
    }

    /// Sends a request and waits for its reply, with whatever error number it carries.
    pub async fn request_for_answer(&self, payload: &[u8]) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing { payload: payload.to_vec(), answer };
        self.requests.send(outgoing).await.map_err(|_| Error::File(FileError::PATH_DOWN))?;
        answered.await.map_err(|_| Error::File(FileError::PATH_DOWN))?
    }
}

/// Drives one open until all handles are gone and all requests answered.
async fn drive(
    mut link: Link,
    name: ProcessName,
    options: OpenOptions,
    mut requests: mpsc::Receiver<Outgoing>,
    asks: mpsc::UnboundedSender<Ask>,
) {
    let mut waiting: VecDeque<Outgoing> = VecDeque::new();
    let mut answers: BTreeMap<SyncId, oneshot::Sender<Result<Answer>>> = BTreeMap::new();
    let mut no_more = false;
    let poller = watch(&link);
    loop {
        link.pump_ready();
        while let Some((sync, answer)) = link.take_any_answer() {
            if let Some(caller) = answers.remove(&sync) {
                let _ = caller.send(Ok(answer));
            }
        }
        while link.can_start()
            && let Some(Outgoing { payload, answer }) = waiting.pop_front()
        {
            match link.start(payload, PAYLOAD_BYTES_MAX as u32, None) {
                Ok(sync) => drop(answers.insert(sync, answer)),
                Err(error) => drop(answer.send(Err(error))),
            }
        }
        if link.take_wish_for_path() {
            fetch_path(&mut link, &name, options, &asks).await;
            continue;
        }
        if no_more && answers.is_empty() && waiting.is_empty() {
            return link.close();
        }
        tokio::select! {
            request = requests.recv(), if !no_more && waiting.is_empty() => match request {
                Some(request) => waiting.push_back(request),
                None => no_more = true,
            },
            heard = readable(&mut link, poller.as_ref()) => if !heard { link.impatient() },
        }
    }
}

async fn fetch_path(
    link: &mut Link,
    name: &ProcessName,
    options: OpenOptions,
    asks: &mpsc::UnboundedSender<Ask>,
) {
    let (answer, path) = oneshot::channel();
    let ask = Ask::Path { name: name.clone(), link: (link.open_id(), options), answer };
    let path = match asks.send(ask) {
        Ok(()) => path.await.unwrap_or(Err(FileError::PATH_DOWN)),
        Err(_) => Err(FileError::PATH_DOWN),
    };
    match path {
        Ok(path) => link.add_path(path),
        Err(FileError::PATH_DOWN) => {
            link.retry_path();
            tokio::time::sleep(Duration::from_millis(10)).await;
            link.impatient();
        }
        Err(error) => link.path_refused(error),
    }
}

/// The link's poller, as tokio waits for it: a duplicate, so that the link stays the owner of its own.
#[allow(deprecated, reason = "the constructors in its place are unsafe; an OwnedFd keeps what they ask for")]
fn watch(link: &Link) -> Option<AsyncFd<OwnedFd>> {
    let fd = link.as_fd().try_clone_to_owned().ok()?;
    AsyncFd::with_interest(fd, Interest::READABLE).ok()
}

/// Waits until a path has something, or patience ends: then false.
async fn readable(link: &mut Link, poller: Option<&AsyncFd<OwnedFd>>) -> bool {
    let Some(poller) = poller.filter(|_| link.has_paths()) else {
        tokio::time::sleep(PATIENCE).await;
        return false;
    };
    loop {
        // What the poller has told already is told no second time: it is asked itself before each sleep.
        match link.wait(Some(Duration::ZERO)) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => return false,
        }
        match tokio::time::timeout(PATIENCE, poller.readable()).await {
            Ok(Ok(mut guard)) => guard.clear_ready(),
            Ok(Err(_)) | Err(_) => return false,
        }
    }
}
