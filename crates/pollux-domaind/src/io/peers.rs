//! The other servers: a listener for what they say, a sender thread for each.
//!
//! What is sent may be lost; the core counts on nothing else. A connection carries one direction. Its first frame says whose
//! it is. On one host the socket's directory keeps others out, and the kernel says which user is at the other end.

use crate::core::Input;
use crate::frame;
use crate::place::peer_socket;
use crate::words::{PeerWord, WORDS_VERSION};
use pollux_domain::name::ServerName;
use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Words that wait for one server; more are dropped.
const WAITING_MAX: usize = 256;
/// A server that does not take a word for so long is disconnected.
const WRITE_MAX: Duration = Duration::from_secs(2);
/// After a connection that failed, words are dropped for so long.
const CONNECT_AGAIN: Duration = Duration::from_millis(20);

/// Sends to the other servers.
pub(crate) struct Senders {
    meeting: PathBuf,
    me: ServerName,
    threads: BTreeMap<ServerName, SyncSender<PeerWord>>,
}

impl Senders {
    /// Nobody yet.
    pub(crate) fn new(meeting: &Path, me: &ServerName) -> Self {
        Self { meeting: meeting.to_owned(), me: me.clone(), threads: BTreeMap::new() }
    }

    /// Sends a word, or drops it: the receiver may be away or slow.
    pub(crate) fn send(&mut self, to: &ServerName, word: PeerWord) {
        if !self.threads.contains_key(to) {
            let (send, words) = sync_channel(WAITING_MAX);
            let (path, me) = (peer_socket(&self.meeting, to), self.me.clone());
            let name = format!("to {to}");
            if thread::Builder::new().name(name).spawn(move || deliver(&path, &me, &words)).is_err() {
                return;
            }
            self.threads.insert(to.clone(), send);
        }
        if let Some(thread) = self.threads.get(to)
            && let Err(TrySendError::Disconnected(_)) = thread.try_send(word)
        {
            self.threads.remove(to);
        }
    }
}

fn deliver(path: &Path, me: &ServerName, words: &Receiver<PeerWord>) {
    let mut stream: Option<UnixStream> = None;
    let mut failed: Option<Instant> = None;
    while let Ok(word) = words.recv() {
        for _ in 0..2 {
            if stream.is_none() && failed.is_none_or(|at| at.elapsed() >= CONNECT_AGAIN) {
                stream = connect(path, me).ok();
                failed = stream.is_none().then(Instant::now);
            }
            let Some(open) = &mut stream else { break };
            match frame::write(open, &word) {
                Ok(()) => break,
                // The server was started anew: once more on a new connection.
                Err(_) => stream = None,
            }
        }
    }
}

fn connect(path: &Path, me: &ServerName) -> io::Result<UnixStream> {
    let descriptor = pollux_os::connect_unix(path)?;
    let mut stream = UnixStream::from(descriptor);
    check_user(&stream)?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(WRITE_MAX))?;
    frame::write(&mut stream, &(WORDS_VERSION, me))?;
    Ok(stream)
}

/// Only servers of the same user are believed.
fn check_user(stream: &UnixStream) -> io::Result<()> {
    let peer = pollux_os::peer_credentials(stream)?;
    if peer.uid == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Listens for other servers; also finds those that meet here.
pub(crate) fn listen(meeting: &Path, me: &ServerName, inbox: Sender<Input>) -> io::Result<()> {
    let path = peer_socket(meeting, me);
    // The files' lock says that no other process is this server.
    drop(fs::remove_file(&path));
    let listener = UnixListener::from(pollux_os::listen_unix(&path)?);
    listener.set_nonblocking(false)?;
    thread::Builder::new().name("peers".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let inbox = inbox.clone();
            // A thread that cannot be started loses this connection; the sender tries again.
            drop(thread::Builder::new().name("from a peer".to_owned()).spawn(move || hear(stream, &inbox)));
        }
    })?;
    Ok(())
}

fn hear(stream: UnixStream, inbox: &Sender<Input>) {
    if check_user(&stream).is_err() {
        return;
    }
    let mut stream = BufReader::new(stream);
    let Ok(Some((WORDS_VERSION, from))) = frame::read::<(u32, ServerName)>(&mut stream) else { return };
    while let Ok(Some(word)) = frame::read::<PeerWord>(&mut stream) {
        if inbox.send(Input::Peer { from: from.clone(), word }).is_err() {
            return;
        }
    }
}

/// The servers that meet in the directory, by their sockets.
pub(crate) fn meeting(directory: &Path) -> Vec<ServerName> {
    let entries = fs::read_dir(directory).map(|entries| entries.flatten().collect::<Vec<_>>());
    let names = entries.unwrap_or_default().into_iter().filter_map(|entry| {
        let name = entry.file_name();
        ServerName::new(name.to_str()?.strip_suffix(".sock")?).ok()
    });
    names.collect()
}
