//! Servers of one host: the socket's directory keeps others out, and the kernel says which user is at the other end.

use super::WRITE_MAX;
use crate::core::Input;
use crate::frame;
use crate::words::{PeerWord, WORDS_VERSION};
use pollux_domain::name::ServerName;
use std::io::{self, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::{fs, thread};

pub(super) use crate::place::peer_socket;

/// A connection to a server of this host.
pub(super) struct Link(UnixStream);

impl Link {
    pub(super) fn write(&mut self, word: &PeerWord) -> io::Result<()> {
        frame::write(&mut self.0, word)
    }
}

pub(super) fn connect(path: &Path, me: &ServerName) -> io::Result<Link> {
    let descriptor = pollux_os::connect_unix(path)?;
    let mut stream = UnixStream::from(descriptor);
    check_user(&stream)?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(WRITE_MAX))?;
    frame::write(&mut stream, &(WORDS_VERSION, me))?;
    Ok(Link(stream))
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

/// Listens for other servers of this host; also finds those that meet here.
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

pub(super) fn meeting(directory: &Path) -> Vec<ServerName> {
    let entries = fs::read_dir(directory).map(|entries| entries.flatten().collect::<Vec<_>>());
    let names = entries.unwrap_or_default().into_iter().filter_map(|entry| {
        let name = entry.file_name();
        ServerName::new(name.to_str()?.strip_suffix(".sock")?).ok()
    });
    names.collect()
}
