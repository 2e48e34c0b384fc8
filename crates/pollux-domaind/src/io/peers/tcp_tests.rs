//! Hosts that are what they say, and others, over loopback.

use super::*;
use crate::identity::{Bundle, Identity, initialize, invite};
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

const PATIENCE: Duration = Duration::from_secs(20);

/// A domain with its authority at alpha.
struct Domain(tempfile::TempDir);

impl Domain {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("alpha")).unwrap();
        initialize(&place.path().join("alpha"), "plant", &host("alpha")).unwrap();
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A server with a certificate for so many days.
    fn server(&self, name: &str, days: u32) -> Tls {
        let bundle = invite(self.path(), "plant", None, &host(name), days).unwrap();
        let directory = self.path().join(format!("{name}-{days}"));
        fs::create_dir(&directory).unwrap();
        let text = bundle.print();
        let bundle = Bundle::parse(&text).unwrap();
        let files = directory.join("files");
        bundle.install(&files).unwrap();
        let identity = Identity::load_unchecked(&files.join(name));
        Tls::new(&identity, "plant", &host(name), &"127.0.0.1:9".parse().unwrap()).unwrap()
    }
}

fn host(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

/// A server that listens, and what it hears.
fn listening(tls: Tls) -> (Address, Receiver<Input>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (send, inbox) = channel();
    serve(listener, &Arc::new(tls), &send).unwrap();
    (address, inbox)
}

fn said(result: Result<Link, Trouble>) -> String {
    match result {
        Ok(_) => "welcome".to_owned(),
        Err(Trouble::Away) => "away".to_owned(),
        Err(Trouble::Said(line)) => line,
    }
}

fn next(inbox: &Receiver<Input>) -> Input {
    inbox.recv_timeout(PATIENCE).unwrap()
}

fn problem(inbox: &Receiver<Input>) -> String {
    match next(inbox) {
        Input::Problem(line) => line,
        other => panic!("{other:?}"),
    }
}

fn word(text: &str) -> PeerWord {
    PeerWord::Log { line: text.to_owned() }
}

#[test]
fn a_server_of_the_domain_is_heard() {
    let domain = Domain::new();
    let (address, inbox) = listening(domain.server("alpha", 9));
    let beta = domain.server("beta", 9);
    let mut link = connect(&beta, &host("alpha"), &address).ok().unwrap();
    assert!(link.is_open());
    link.write(&word("1")).unwrap();
    assert!(
        matches!(next(&inbox), Input::Address { server, address } if server == host("beta") && address == beta.address)
    );
    assert!(
        matches!(next(&inbox), Input::Peer { from, word: heard } if from == host("beta") && heard == word("1"))
    );

    // A later connection takes the place of the first: a server that was started anew leaves no thread behind.
    let mut later = connect(&beta, &host("alpha"), &address).ok().unwrap();
    let begin = Instant::now();
    while link.is_open() {
        assert!(begin.elapsed() < PATIENCE);
        thread::yield_now();
    }
    later.write(&word("2")).unwrap();
    assert!(matches!(next(&inbox), Input::Address { .. }));
    assert!(matches!(next(&inbox), Input::Peer { word: heard, .. } if heard == word("2")));

    // A frame that is too long ends the connection, and nothing of it is kept.
    later.0.sock.until = Some(Instant::now() + PATIENCE);
    later.0.write_all(&u32::MAX.to_be_bytes()).unwrap();
    later.0.flush().unwrap();
    while later.is_open() {
        assert!(begin.elapsed() < PATIENCE);
        thread::yield_now();
    }
}

// Each wrong certificate is named at the end where a person looks, with the next step; none is heard.
#[test]
fn wrong_certificates_are_named_at_both_ends() {
    let (domain, other) = (Domain::new(), Domain::new());
    let next_step =
        "where the domain was made: pollux domain invite plant beta, and on beta: --join beta.bundle";
    for (beta, says, complaint) in [
        (
            domain.server("beta", 0),
            "it has expired",
            "127.0.0.1 is not heard, by its certificate: it has expired; ",
        ),
        (
            other.server("beta", 9),
            // The one who connects sees the other's certificate first.
            "another authority made it",
            "",
        ),
    ] {
        let (address, inbox) =
            listening(domain.server(if complaint.is_empty() { "delta" } else { "alpha" }, 9));
        let to = host(if complaint.is_empty() { "delta" } else { "alpha" });
        let line = said(connect(&beta, &to, &address));
        assert!(line.contains(says), "{line}");
        if complaint.is_empty() {
            assert!(line.starts_with("the certificate of server delta at 127.0.0.1:"), "{line}");
        } else {
            assert_eq!(
                line,
                format!(
                    "server alpha at {address} does not take the certificate of beta: it has expired; {next_step}"
                )
            );
            let complained = problem(&inbox);
            assert!(complained.starts_with(complaint), "{complained}");
        }
    }

    // The name of the one who answers, and of the one who asks.
    let (address, inbox) = listening(domain.server("gamma", 9));
    let line = said(connect(&domain.server("epsilon", 9), &host("alpha"), &address));
    assert_eq!(
        line,
        format!(
            "what answers at {address} is another server than alpha; correct the --address of alpha, or its name in DNS"
        )
    );
    let mut liar = domain.server("zeta", 9);
    liar.me = host("alpha");
    let line = said(connect(&liar, &host("gamma"), &address));
    assert!(
        line.ends_with("does not hear alpha: its certificate is not of alpha; use the bundle of alpha"),
        "{line}"
    );
    assert!(
        problem(&inbox)
            .starts_with("server alpha at 127.0.0.1 is not heard: its certificate is not of alpha")
    );
    let line = said(connect(&domain.server("eta", 9), &host("nobody"), &"127.0.0.1:1".parse().unwrap()));
    assert_eq!(line, "away");
    let line =
        said(connect(&domain.server("theta", 9), &host("nobody"), &"no-such-host.invalid".parse().unwrap()));
    assert!(
        line.starts_with("the address no-such-host.invalid:1553 of server nobody is not found"),
        "{line}"
    );
}

// Strangers cost a bounded number of connections for a bounded time, and servers are heard again afterwards.
#[test]
fn strangers_are_few_and_short() {
    let domain = Domain::new();
    let (address, inbox) = listening(domain.server("alpha", 9));
    let at = address.resolve().unwrap();
    let mut http = TcpStream::connect(&at[..]).unwrap();
    http.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    http.set_read_timeout(Some(PATIENCE)).unwrap();
    // TLS says what it thinks of that, and closes.
    let mut rest = Vec::new();
    drop(http.read_to_end(&mut rest));
    assert!(rest.len() < 64, "{rest:?}");

    let begin = Instant::now();
    let silent: Vec<TcpStream> = (0..STRANGERS_MAX).map(|_| TcpStream::connect(&at[..]).unwrap()).collect();
    let mut one_more = TcpStream::connect(&at[..]).unwrap();
    one_more.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(one_more.read(&mut [0]).unwrap_or(0), 0, "it is turned away");
    assert!(begin.elapsed() < GREETING_MAX, "at once: {:?}", begin.elapsed());
    for mut stream in silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "its time is over");
    }
    let beta = domain.server("beta", 9);
    while said(connect(&beta, &host("alpha"), &address)) != "welcome" {
        assert!(begin.elapsed() < PATIENCE);
        thread::yield_now();
    }
    assert!(matches!(next(&inbox), Input::Address { .. }));
}

// One who shows no certificate at all is told so, and so are the people here.
#[test]
fn a_client_without_a_certificate_is_not_heard() {
    let domain = Domain::new();
    let (address, inbox) = listening(domain.server("alpha", 9));
    let mut anonymous = domain.server("beta", 9);
    let identity = Identity::load_unchecked(&domain.path().join("alpha"));
    anonymous.client = Arc::new(
        rustls::ClientConfig::builder_with_provider(crate::identity::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(identity.roots())
            .with_no_client_auth(),
    );
    let line = said(connect(&anonymous, &host("alpha"), &address));
    assert!(line.contains("does not take the certificate of beta: there is none; "), "{line}");
    let complained = problem(&inbox);
    assert!(complained.starts_with("127.0.0.1 shows no certificate of domain plant"), "{complained}");
}
