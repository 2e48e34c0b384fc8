//! A connection of a program to the domain server of its node.
//!
//! Questions of several threads may be under way at once; a thread of its own takes what comes. A server whose primary half is
//! gone is back in a moment, so a lost connection is made again for [`RECONNECT_MAX`] before the software counts as gone.

use crate::frame;
use crate::words::{Applied, Ask, Reply, Told, WORDS_VERSION, Word};
use pollux_domain::content::Change;
use pollux_domain::name::ServerName;
use pollux_domain::nof::view::DomainView;
use pollux_domain::succession::{Answer, Notice};
use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So long a lost server may take to come back.
pub const RECONNECT_MAX: Duration = Duration::from_secs(3);
/// Pause between two tries.
const TRY_EVERY: Duration = Duration::from_millis(20);
/// A question that has no answer for so long has none.
const ANSWER_MAX: Duration = Duration::from_secs(150);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No domain server runs in the node.
    #[error("no domain server runs in this node ({0})")]
    NotRunning(String),
    /// It was there and is gone. What was asked may or may not have happened.
    #[error("the domain server went away before it answered")]
    Lost,
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// Something that happened, for a program that watches.
#[derive(Debug)]
pub enum News {
    /// In the domain.
    Event {
        /// What.
        notice: Notice,
        /// The change behind it.
        change: Option<Change>,
        /// The domain after it.
        view: Box<DomainView>,
    },
    /// The connection is lost.
    Lost,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    shared: Arc<Mutex<Shared>>,
    origin: u64,
    host: ServerName,
    domain: String,
}

#[derive(Debug)]
struct Shared {
    stream: Option<UnixStream>,
    generation: u64,
    numbers: u64,
    waiting: BTreeMap<u64, Sender<Reply>>,
    news: Option<Sender<News>>,
}

impl Client {
    /// Connects to the server of the node with this directory's socket.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let shared = Shared { stream: None, generation: 0, numbers: 0, waiting: BTreeMap::new(), news: None };
        let mut client = Self {
            socket: socket.to_owned(),
            shared: Arc::new(Mutex::new(shared)),
            origin: 0,
            host: ServerName::new("unknown").expect("letters"),
            domain: String::new(),
        };
        let not_running =
            |error: io::Error| ClientError::NotRunning(format!("{}: {error}", socket.display()));
        client.open().map_err(not_running)?;
        match client.ask_once(Word::Hello { version: WORDS_VERSION, origin: 0 })? {
            Reply::Welcome { origin, host, domain } => {
                (client.origin, client.host, client.domain) = (origin, host, domain);
                Ok(client)
            }
            Reply::Refused { reason } => Err(ClientError::Refused(reason)),
            _ => Err(ClientError::Lost),
        }
    }

    /// The number of this program in its requests.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// The server's name.
    pub fn host(&self) -> &ServerName {
        &self.host
    }

    /// The domain's name.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Asks and waits. A question that changes nothing is asked again when the connection was lost; others carry a number by
    /// which a second one has no second effect. That the second was not done says nothing of the first (S14).
    pub fn ask(&self, word: Word) -> Result<Reply, ClientError> {
        let deadline = Instant::now() + RECONNECT_MAX;
        let mut was_lost = false;
        loop {
            match self.ask_once(word.clone()) {
                Ok(Reply::Answer(Answer::NotMaster | Answer::Busy)) if was_lost => {
                    return Ok(Reply::Answer(Answer::Unknown));
                }
                Ok(Reply::Applied(Applied::Refused { .. })) if was_lost => {
                    return Ok(Reply::Applied(Applied::Unknown));
                }
                Err(ClientError::Lost) if Instant::now() < deadline => {
                    was_lost = true;
                    thread::sleep(TRY_EVERY);
                    self.again();
                }
                Ok(Reply::Refused { reason }) => return Err(ClientError::Refused(reason)),
                other => return other,
            }
        }
    }

    /// From here on the news come out of the receiver.
    pub fn watch(&self) -> Result<Receiver<News>, ClientError> {
        let (send, news) = channel();
        self.shared().news = Some(send);
        self.ask(Word::Watch)?;
        Ok(news)
    }

    /// Connects again after [`News::Lost`]; false when the server does not come back.
    pub fn connect_again(&self) -> bool {
        let deadline = Instant::now() + RECONNECT_MAX;
        while Instant::now() < deadline {
            self.again();
            if self.shared().stream.is_some()
                && (self.shared().news.is_none() || self.ask_once(Word::Watch).is_ok())
            {
                return true;
            }
            thread::sleep(TRY_EVERY);
        }
        false
    }

    fn ask_once(&self, word: Word) -> Result<Reply, ClientError> {
        let (send, answer) = channel();
        {
            let mut shared = self.shared();
            shared.numbers += 1;
            let ask = Ask { number: shared.numbers, word };
            let Some(stream) = &mut shared.stream else { return Err(ClientError::Lost) };
            if frame::write(stream, &ask).is_err() {
                shared.lose();
                return Err(ClientError::Lost);
            }
            shared.waiting.insert(ask.number, send);
        }
        match answer.recv_timeout(ANSWER_MAX) {
            Ok(reply) => Ok(reply),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(ClientError::Lost),
        }
    }

    /// One try to connect with the same number, if there is no connection.
    fn again(&self) {
        if self.shared().stream.is_some() || self.open().is_err() {
            return;
        }
        let hello = Word::Hello { version: WORDS_VERSION, origin: self.origin };
        if !matches!(self.ask_once(hello), Ok(Reply::Welcome { .. })) {
            self.shared().lose();
        }
    }

    fn open(&self) -> io::Result<()> {
        let stream = UnixStream::from(pollux_os::connect_unix(&self.socket)?);
        let peer = pollux_os::peer_credentials(&stream)?;
        if peer.uid != rustix::process::geteuid().as_raw() && peer.uid != 0 {
            let text = format!("it is answered by user {}", peer.uid);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        stream.set_nonblocking(false)?;
        let reader = stream.try_clone()?;
        let generation = {
            let mut shared = self.shared();
            shared.generation += 1;
            shared.stream = Some(stream);
            shared.generation
        };
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("domain news".to_owned())
            .spawn(move || take(reader, generation, &shared))?;
        Ok(())
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared().lose();
    }
}

impl Shared {
    fn lose(&mut self) {
        if let Some(stream) = self.stream.take() {
            drop(stream.shutdown(Shutdown::Both));
        }
        self.waiting.clear(); // Whoever waits is told by the end of his channel.
    }
}

fn take(stream: UnixStream, generation: u64, shared: &Mutex<Shared>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(told)) = frame::read::<Told>(&mut reader) {
        match told {
            Told::Reply { number, reply } => {
                if let Some(waits) = lock().waiting.remove(&number) {
                    drop(waits.send(reply)); // He may have given up.
                }
            }
            Told::Event { notice, change, view } => {
                if let Some(news) = &lock().news {
                    drop(news.send(News::Event { notice, change, view }));
                }
            }
        }
    }
    let mut shared = lock();
    if shared.generation == generation {
        shared.lose();
        if let Some(news) = &shared.news {
            drop(news.send(News::Lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_domain::content::{Change, RequestId};
    use std::os::unix::net::UnixListener;

    /// A server that welcomes a program, reads one more word, and answers it or is gone.
    fn serve(listener: &UnixListener, reply: Option<Reply>) {
        let (stream, _) = listener.accept().unwrap();
        let (mut reader, mut writer) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let hello: Ask = frame::read(&mut reader).unwrap().unwrap();
        let host = ServerName::new("beta").unwrap();
        let welcome = Reply::Welcome { origin: 7, host, domain: "plant".to_owned() };
        frame::write(&mut writer, &Told::Reply { number: hello.number, reply: welcome }).unwrap();
        let ask: Ask = frame::read(&mut reader).unwrap().unwrap();
        if let Some(reply) = reply {
            frame::write(&mut writer, &Told::Reply { number: ask.number, reply }).unwrap();
            // Until the program has read it.
            drop(frame::read::<Ask>(&mut reader));
        }
    }

    // A server that was lost may have passed the change on; the one that comes back knows nothing of it, and its "not done" is
    // about the second try only (S14).
    #[test]
    fn not_done_after_a_lost_answer_is_unknown() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("domain.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        for (first, second, expected) in [
            (None, Answer::NotMaster, Answer::Unknown),
            (None, Answer::Busy, Answer::Unknown),
            (Some(Answer::NotMaster), Answer::Unknown, Answer::NotMaster),
        ] {
            let found = thread::scope(|scope| {
                scope.spawn(|| {
                    let is_lost = first.is_none();
                    serve(&listener, first.map(Reply::Answer));
                    if is_lost {
                        serve(&listener, Some(Reply::Answer(second)));
                    }
                });
                let client = Client::connect(&socket).unwrap();
                let change = Change::AddBackup { name: ServerName::new("x").unwrap() };
                let request = RequestId { origin: 7, number: 1 };
                client.ask(Word::Submit { request, epoch: 1, change }).unwrap()
            });
            assert!(matches!(&found, Reply::Answer(answer) if *answer == expected), "{found:?}");
        }
    }
}
