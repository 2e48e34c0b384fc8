//! The way to the servers: which one is asked, for how long, and what happens when it does not answer.
//!
//! What this decides: when a call goes to the next server, when it gives up, and in which class. What it
//! does not: what is asked.
//!
//! Invariants:
//! * S14: a request that may change the store is sent once. Only a failure that proves that nothing was
//!   done (see `failure`) lets it be sent again.
//! * Each call ends within the limit of the coordinator's address.
//!
//! A write goes only to a server that has just answered a read, so that a server that died or was stopped
//! a while ago costs a read elsewhere and not an unknown outcome:
//!
//! ```text
//!  read ---> server 1 (dead) ---> server 2: answered          reads go round until one answers
//!  write ------------------------> server 2: no answer        Unknown; the next call starts at server 3
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::failure::{Failure, chain};
use super::messages::{
    AUTHENTICATE_PATH, AuthenticateRequest, AuthenticateResponse, TXN_PATH, TxnRequest, TxnResponse,
};
use crate::place::{EtcdPlace, TlsFiles, User};
use crate::{DATA_BYTES_MAX, Error};

/// How long an answer shows that a server is there. A shorter time costs more reads before writes, a
/// longer one more unknown outcomes after a failure.
const ANSWER_COUNTS_FOR: Duration = Duration::from_secs(1);

/// Between two rounds over all servers, when none answers.
const ROUND_PAUSE: Duration = Duration::from_millis(20);

/// Largest answer that is read: all records or the whole log, whose limits are soft here, with overhead.
const ANSWER_BYTES_MAX: usize = 8 * DATA_BYTES_MAX as usize;

/// Largest file of a certificate, key or password.
const SECRET_BYTES_MAX: u64 = 256 * 1024;

/// How a write ended that has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Surely not done.
    NotDone(Error),
    /// Nobody can tell.
    Unknown(String),
}

/// The servers of one store, one of them connected.
pub(super) struct Link {
    servers: Vec<Server>,
    login: Option<AuthenticateRequest>,
    limit: Duration,
    /// Which server is asked first.
    current: usize,
    session: Option<Session>,
}

struct Server {
    name: String,
    endpoint: Endpoint,
}

/// A connection, logged in.
struct Session {
    grpc: Grpc<Channel>,
    token: Option<MetadataValue<Ascii>>,
    answered: Option<Instant>,
}

impl Link {
    /// Reads the files that the address names; connects to nobody.
    pub(super) fn new(place: &EtcdPlace) -> Result<Self, Error> {
        let tls = place.tls.as_ref().map(tls_config).transpose()?;
        let servers = place.endpoints.iter().map(|name| server(name, tls.as_ref()));
        let login = place.user.as_ref().map(login).transpose()?;
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            login,
            limit: place.limit,
            current: 0,
            session: None,
        })
    }

    /// Asks until a server answers or the limit is over. The request changes nothing, so that it may be sent
    /// any number of times.
    pub(super) async fn read(&mut self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        self.read_until(request, Instant::now() + self.limit).await
    }

    /// Sends the request once to a server that is there; `probe` is what it is asked first if it has not
    /// answered of late. `check` looks at the answer to the probe.
    pub(super) async fn write(
        &mut self,
        request: &TxnRequest,
        probe: &TxnRequest,
        check: impl Fn(&TxnResponse) -> Result<(), Error>,
    ) -> Result<TxnResponse, Unanswered> {
        let deadline = Instant::now() + self.limit;
        loop {
            if !self.session.as_ref().is_some_and(Session::answered_of_late) {
                let answer = self.read_until(probe, deadline).await.map_err(Unanswered::NotDone)?;
                check(&answer).map_err(Unanswered::NotDone)?;
            }
            let session = self.session.as_mut().expect("a read has just succeeded over it");
            let failure = match within(deadline, session.txn(request)).await {
                Some(Ok(response)) => return Ok(response),
                Some(Err(status)) => Failure::of(&status),
                None => Failure::Unknown(format!("no answer within {:?}", self.limit)),
            };
            let text = format!("{}: {}", self.servers[self.current].name, failure.reason());
            self.give_up(&failure);
            match failure {
                Failure::Unknown(_) => return Err(Unanswered::Unknown(text)),
                Failure::Refused(_) => return Err(Unanswered::NotDone(Error::invalid(text))),
                Failure::Elsewhere(_) | Failure::LoginAgain(_) if Instant::now() >= deadline => {
                    return Err(Unanswered::NotDone(Error::unavailable(text)));
                }
                Failure::Elsewhere(_) | Failure::LoginAgain(_) => tokio::time::sleep(ROUND_PAUSE).await,
            }
        }
    }

    async fn read_until(&mut self, request: &TxnRequest, deadline: Instant) -> Result<TxnResponse, Error> {
        // A server that is stopped takes the connection and never answers: the others need their turn.
        let turns = u32::try_from(self.servers.len() + 1).unwrap_or(u32::MAX);
        let turn = self.limit / turns;
        let mut reasons: Vec<Option<String>> = vec![None; self.servers.len()];
        loop {
            for _ in 0..self.servers.len() {
                let end = deadline.min(Instant::now() + turn);
                let asked = within(end, self.ask(request)).await;
                let is_cut_short = asked.is_none() && end == deadline;
                let failure = match asked {
                    Some(Ok(response)) => return Ok(response),
                    Some(Err(failure)) => failure,
                    None => Failure::Unknown(format!("no answer within {turn:?}")),
                };
                if let Failure::Refused(reason) = failure {
                    return Err(Error::invalid(format!("{}: {reason}", self.servers[self.current].name)));
                }
                let reason = &mut reasons[self.current];
                // What it said in a whole turn is worth more than that it had no time for another one.
                if reason.is_none() || !is_cut_short {
                    *reason = Some(failure.reason().to_owned());
                }
                self.give_up(&failure);
                if Instant::now() >= deadline {
                    return Err(self.nobody_answers(&reasons));
                }
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    async fn ask(&mut self, request: &TxnRequest) -> Result<TxnResponse, Failure> {
        if self.session.is_none() {
            self.session = Some(self.connect().await?);
        }
        let session = self.session.as_mut().expect("set above");
        session.txn(request).await.map_err(|status| Failure::of(&status))
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let server = &self.servers[self.current];
        let once = ConnectOnce { address: server.name.clone(), has_connected: false };
        let channel = server
            .endpoint
            .connect_with_connector(once)
            .await
            .map_err(|error| Failure::Elsewhere(chain(&error)))?;
        let mut session = Session {
            grpc: Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX),
            token: None,
            answered: None,
        };
        if let Some(login) = &self.login {
            let answer: Result<AuthenticateResponse, Status> =
                session.call(AUTHENTICATE_PATH, login.clone()).await;
            let token = answer.map_err(|status| Failure::of(&status))?.token;
            let token = token.parse().map_err(|_| Failure::Refused("a token that is no text".to_owned()))?;
            session.token = Some(token);
        }
        Ok(session)
    }

    /// The connection is of no use; the next call makes another, to the next server where that may help.
    fn give_up(&mut self, failure: &Failure) {
        self.session = None;
        if !matches!(failure, Failure::LoginAgain(_)) {
            self.current = (self.current + 1) % self.servers.len();
        }
    }

    fn nobody_answers(&self, reasons: &[Option<String>]) -> Error {
        let each = self.servers.iter().zip(reasons).map(|(server, reason)| {
            format!("{}: {}", server.name, reason.as_deref().unwrap_or("not reached in time"))
        });
        Error::unavailable(format!(
            "no etcd server answered within {:?} ({}); look at `etcdctl endpoint status` for them",
            self.limit,
            each.collect::<Vec<_>>().join("; ")
        ))
    }
}

impl Session {
    fn answered_of_late(&self) -> bool {
        self.answered.is_some_and(|at| at.elapsed() < ANSWER_COUNTS_FOR)
    }

    async fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, Status> {
        let response = self.call(TXN_PATH, request.clone()).await?;
        self.answered = Some(Instant::now());
        Ok(response)
    }

    async fn call<Asked, Answer>(&mut self, path: &'static str, asked: Asked) -> Result<Answer, Status>
    where
        Asked: Message + 'static,
        Answer: Message + Default + 'static,
    {
        // The connection has room for a request, or is being made again, or has failed for good.
        self.grpc.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
        let mut request = Request::new(asked);
        // A member without a leader refuses at once, which proves that nothing was done; without this
        // header it would take the request and let it time out.
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        let codec = ProstCodec::<Asked, Answer>::default();
        let answer = self.grpc.unary(request, PathAndQuery::from_static(path), codec).await?;
        Ok(answer.into_inner())
    }
}

/// Makes one connection and refuses to make another. tonic would replace a broken one by itself, as fast as
/// it can and without a word; which server is asked next, and when, is decided here.
struct ConnectOnce {
    address: String,
    has_connected: bool,
}

impl tower_service::Service<Uri> for ConnectOnce {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        if std::mem::replace(&mut self.has_connected, true) {
            return Box::pin(async { Err(io::Error::other("the connection was cut")) });
        }
        let address = self.address.clone();
        Box::pin(async move {
            let stream = TcpStream::connect(&address).await?;
            // A commit is one small packet that somebody waits for.
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}

async fn within<T>(deadline: Instant, call: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(deadline.into(), call).await.ok()
}

fn server(name: &str, tls: Option<&ClientTlsConfig>) -> Result<Server, Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let refused =
        |error: &tonic::transport::Error| Error::invalid(format!("etcd at {name}: {}", chain(error)));
    let mut endpoint =
        Endpoint::from_shared(format!("{scheme}://{name}")).map_err(|error| refused(&error))?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls.clone()).map_err(|error| refused(&error))?;
    }
    Ok(Server { name: name.to_owned(), endpoint })
}

fn tls_config(files: &TlsFiles) -> Result<ClientTlsConfig, Error> {
    let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca", &files.ca)?));
    if let Some((cert, key)) = &files.client {
        config = config.identity(Identity::from_pem(read("cert", cert)?, read("key", key)?));
    }
    Ok(match &files.server_name {
        Some(name) => config.domain_name(name),
        None => config,
    })
}

fn login(user: &User) -> Result<AuthenticateRequest, Error> {
    let bytes = read("password-file", &user.password_file)?;
    let password = String::from_utf8(bytes).map_err(|_| {
        Error::invalid(format!("the password in {} is not UTF-8", user.password_file.display()))
    })?;
    let password = password.strip_suffix('\n').unwrap_or(&password).to_owned();
    Ok(AuthenticateRequest { name: user.name.clone(), password })
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Error> {
    let refused = |what: &str| {
        Error::invalid(format!("{option}={}: {what}; correct the coordinator's address", path.display()))
    };
    match fs::metadata(path) {
        Ok(data) if data.len() > SECRET_BYTES_MAX => Err(refused("the file is too large")),
        Ok(_) => fs::read(path).map_err(|error| refused(&error.to_string())),
        Err(error) => Err(refused(&error.to_string())),
    }
}
