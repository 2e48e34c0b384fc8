//! Programs of this node: a listener, and for each connection a thread that reads and one that writes.

use crate::core::{Input, ProgramId};
use crate::frame;
use crate::words::Told;
use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::time::Duration;
use std::{fs, thread};

/// Words that wait for one program; a program that does not read so many is disconnected (S15).
const WAITING_MAX: usize = 1_024;
/// A program that does not take a word for so long is disconnected.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// A program that has connected.
#[derive(Debug)]
pub(crate) struct Arrival {
    id: ProgramId,
    stream: UnixStream,
    words: SyncSender<Vec<u8>>,
}

/// The programs that are connected.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    open: BTreeMap<ProgramId, Arrival>,
}

impl Programs {
    /// Tells one; one that does not listen is disconnected.
    pub(crate) fn tell(&mut self, id: ProgramId, told: &Told) {
        if let Some(program) = self.open.get(&id)
            && program.words.try_send(frame::encode(told)).is_err()
        {
            self.close(id);
        }
    }

    /// Ends a connection, after what was said last.
    pub(crate) fn close(&mut self, id: ProgramId) {
        if let Some(program) = self.open.remove(&id) {
            drop(program.stream.shutdown(Shutdown::Read));
        }
    }

    /// A program has connected.
    pub(crate) fn arrived(&mut self, arrival: Arrival) {
        self.open.insert(arrival.id, arrival);
    }
}

/// Listens; every connection is an [`Arrival`] before its first word.
///
/// `client`: the programs that come here run on a computer that is no server.
pub(crate) fn listen(
    path: &Path,
    client: bool,
    inbox: Sender<Input>,
    arrivals: Sender<Arrival>,
) -> io::Result<()> {
    // The files' lock says that no other process is this server.
    drop(fs::remove_file(path));
    let listener = UnixListener::from(pollux_os::listen_unix(path)?);
    listener.set_nonblocking(false)?;
    thread::Builder::new().name("programs".to_owned()).spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            // The two doors count apart.
            let id = ProgramId((number as u64) << 1 | u64::from(client));
            // A connection for which there is no thread is closed; the program tries again or says so.
            if welcome(id, client, stream, &inbox, &arrivals).is_err() {
                drop(inbox.send(Input::ProgramGone(id)));
            }
        }
    })?;
    Ok(())
}

fn welcome(
    id: ProgramId,
    client: bool,
    stream: UnixStream,
    inbox: &Sender<Input>,
    arrivals: &Sender<Arrival>,
) -> io::Result<()> {
    let peer = pollux_os::peer_credentials(&stream)?;
    let own = rustix::process::geteuid().as_raw();
    let authorized = peer.uid == own || peer.uid == 0;
    stream.set_write_timeout(Some(WRITE_MAX))?;
    let (mut writer, reader) = (stream.try_clone()?, stream.try_clone()?);
    let (words, waiting) = sync_channel::<Vec<u8>>(WAITING_MAX);
    thread::Builder::new().name("to a program".to_owned()).spawn(move || {
        use std::io::Write as _;
        while let Ok(bytes) = waiting.recv() {
            if writer.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(writer.shutdown(Shutdown::Both));
    })?;
    drop(arrivals.send(Arrival { id, stream, words }));
    drop(inbox.send(Input::Program { id, authorized, client }));
    let inbox = inbox.clone();
    thread::Builder::new().name("from a program".to_owned()).spawn(move || {
        let mut reader = BufReader::new(reader);
        while let Ok(Some(ask)) = frame::read(&mut reader) {
            if inbox.send(Input::Asked { id, ask }).is_err() {
                return;
            }
        }
        drop(inbox.send(Input::ProgramGone(id)));
    })?;
    Ok(())
}
