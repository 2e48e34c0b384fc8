//! What a keeper is told on its command line; the `pollux` command writes it, the keeper reads it.

use crate::policy::Restart;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Addresses that can be listened on for the program: the pair takes so many new descriptors at a time.
pub const LISTEN_MAX: usize = 12;

/// An address of `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// IPv4 or IPv6 with a port.
    Internet(SocketAddr),
    /// An absolute path of a unix socket.
    Path(PathBuf),
}

impl ListenAddress {
    /// Reads `127.0.0.1:80`, `[::1]:80`, `80` (all addresses) or `/run/socket`; the error says what is taken.
    pub fn parse(text: &str) -> Result<ListenAddress, String> {
        if text.starts_with('/') {
            // sockaddr_un has room for 107 bytes and the end.
            return if text.len() > 107 {
                Err("the path of a unix socket has at most 107 bytes".to_owned())
            } else {
                Ok(ListenAddress::Path(text.into()))
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(ListenAddress::Internet(address));
        }
        match text.parse::<u16>() {
            Ok(port) => Ok(ListenAddress::Internet(SocketAddr::from(([0, 0, 0, 0], port)))),
            Err(_) => {
                Err("an address is IP:PORT, [IPV6]:PORT, PORT or the absolute path of a unix socket"
                    .to_owned())
            }
        }
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenAddress::Internet(address) => address.fmt(formatter),
            ListenAddress::Path(path) => path.display().fmt(formatter),
        }
    }
}

/// A program and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// After which ends it is started again.
    pub restart: Restart,
    /// Restarts in a row, each after a run of less than 10 s, after which it is given up; 0 = never.
    pub restart_limit: u32,
    /// Its listening sockets are held: its `bind` and `listen` calls are looked at.
    pub keep_sockets: bool,
    /// Addresses that are listened on for it, handed over as systemd does.
    pub listen: Vec<ListenAddress>,
    /// Absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Options {
    /// As the arguments of the keeper.
    pub fn to_arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            self.restart.name().into(),
            self.restart_limit.to_string().into(),
            if self.keep_sockets { "keep" } else { "-" }.into(),
        ];
        words.extend(self.listen.iter().map(|address| address.to_string().into()));
        words.push("--".into());
        words.push(self.program.clone().into());
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// Reads what [`Options::to_arguments`] wrote.
    pub fn parse(arguments: &[OsString]) -> Option<Options> {
        let end = arguments.iter().position(|word| word == "--")?;
        let (own, program) = (&arguments[..end], &arguments[end + 1..]);
        let [restart, limit, keep, listen @ ..] = own else { return None };
        let (program, arguments) = program.split_first()?;
        let listen = listen.iter().map(|text| ListenAddress::parse(text.to_str()?).ok());
        Some(Options {
            restart: restart.to_str()?.parse().ok()?,
            restart_limit: limit.to_str()?.parse().ok()?,
            keep_sockets: keep == "keep",
            listen: listen.collect::<Option<_>>()?,
            program: program.into(),
            arguments: arguments.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let options = Options {
            restart: Restart::OnFailure,
            restart_limit: 3,
            keep_sockets: true,
            listen: vec![
                ListenAddress::parse("[::1]:80").unwrap(),
                ListenAddress::parse("/run/a b").unwrap(),
            ],
            program: "/bin/server".into(),
            arguments: vec!["--".into(), "-x".into()],
        };
        assert_eq!(Options::parse(&options.to_arguments()), Some(options));
        assert_eq!(Options::parse(&[]), None);
        assert_eq!(Options::parse(&["always".into(), "0".into(), "-".into(), "--".into()]), None);
    }

    // An address that is read as another one opens a port that nobody wanted.
    #[test]
    fn addresses_of_listeners() {
        let text = |text: &str| ListenAddress::parse(text).map(|address| address.to_string());
        assert_eq!(text("127.0.0.1:80"), Ok("127.0.0.1:80".to_owned()));
        assert_eq!(text("8080"), Ok("0.0.0.0:8080".to_owned()));
        assert_eq!(text("/run/a"), Ok("/run/a".to_owned()));
        for wrong in ["", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "run/a", "-1", "1.2.3.4:x"] {
            assert!(text(wrong).unwrap_err().contains("IP:PORT"), "{wrong}");
        }
        assert!(text(&format!("/{}", "a".repeat(107))).unwrap_err().contains("107 bytes"));
    }
}
