//! Where a store is, as a user writes it: `local:PATH` or `etcd://HOST:PORT,HOST:PORT/PREFIX?OPTIONS`.
//!
//! What this decides: which texts name a store, and what they mean. What it does not: whether anything is
//! there; no file and no network is touched.
//!
//! Invariant: no secret is part of the text, because command lines can be read by everyone on the host; a
//! password stands in a file.
//!
//! | option | means |
//! | --- | --- |
//! | `ca=PATH` | speak TLS; the server's certificate must come from this authority |
//! | `cert=PATH&key=PATH` | show this certificate to the server |
//! | `server-name=NAME` | the name that the server's certificate must have, if not the host's |
//! | `user=NAME&password-file=PATH` | log in |
//! | `limit-ms=N` | answer within this time |

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

/// Most servers a text may name. etcd advises seven members at most.
pub const ENDPOINTS_MAX: usize = 16;
/// Longest prefix of the keys in etcd. A key of `KEY_BYTES_MAX` behind it stays far from etcd's limits.
pub const PREFIX_BYTES_MAX: usize = 128;
/// The port of etcd's clients, registered with IANA.
const ETCD_PORT: u16 = 2379;
/// How long a call may take when the text does not say. An election in etcd takes one to two seconds with
/// its default times, so that one dead leader is waited for and not reported.
const LIMIT_MS: u64 = 5_000;
/// A shorter limit would make every hiccup of the network an unknown outcome.
const LIMIT_MS_MIN: u64 = 100;
/// A longer one keeps a caller waiting past any use.
const LIMIT_MS_MAX: u64 = 60_000;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// LMDB in this directory, for the daemons of one host.
    Local(PathBuf),
    /// etcd, for the daemons of several hosts.
    Etcd(EtcdPlace),
}

/// Which etcd, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdPlace {
    /// `HOST:PORT` of each server, in the order in which they are tried.
    pub endpoints: Vec<String>,
    /// Stands before all keys: one store per prefix.
    pub prefix: String,
    /// `None` speaks in the clear.
    pub tls: Option<TlsFiles>,
    /// `None` does not log in.
    pub user: Option<User>,
    /// How long a call may take.
    pub limit: Duration,
}

/// Files for TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate authority of the servers.
    pub ca: PathBuf,
    /// The certificate and the private key to show to the servers.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name in the servers' certificate, if it is not the host's.
    pub server_name: Option<String>,
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name in etcd.
    pub name: String,
    /// Holds the password; one newline at its end does not count.
    pub password_file: PathBuf,
}

impl Place {
    /// Reads the text. `default_prefix` stands in for a prefix left out: two nodes that share an etcd must
    /// not share their keys, so the caller names its node or domain in it.
    pub fn parse(text: &str, default_prefix: &str) -> Result<Self, Error> {
        let refused = |what: &str| {
            Error::invalid(format!(
                "coordinator {text:?}: {what}; write local:PATH or etcd://HOST:PORT,HOST:PORT/PREFIX?ca=PATH"
            ))
        };
        if let Some(path) = text.strip_prefix("local:") {
            return match path {
                "" => Err(refused("the path is missing")),
                path => Ok(Self::Local(path.into())),
            };
        }
        let rest = text.strip_prefix("etcd://").ok_or_else(|| refused("no such kind of coordinator"))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() { default_prefix } else { prefix };
        check_prefix(prefix).map_err(|what| refused(&what))?;
        let options = Options::parse(options).map_err(|what| refused(&what))?;
        Ok(Self::Etcd(EtcdPlace {
            endpoints: endpoints(hosts).map_err(|what| refused(&what))?,
            prefix: prefix.to_owned(),
            limit: options.limit().map_err(|what| refused(&what))?,
            tls: options.tls().map_err(|what| refused(&what))?,
            user: options.user().map_err(|what| refused(&what))?,
        }))
    }
}

fn endpoints(hosts: &str) -> Result<Vec<String>, String> {
    let endpoints: Vec<String> = hosts.split(',').map(endpoint).collect::<Result<_, _>>()?;
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(format!("{} servers are more than {ENDPOINTS_MAX}", endpoints.len()));
    }
    match endpoints.iter().enumerate().find(|(index, one)| endpoints[..*index].contains(one)) {
        Some((_, twice)) => Err(format!("{twice} is named twice")),
        None => Ok(endpoints),
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn endpoint(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a host is missing".to_owned());
    }
    if text.contains('@') {
        return Err("a user does not stand in the address; use ?user=NAME&password-file=PATH".to_owned());
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) =
                rest.split_once(']').ok_or_else(|| format!("{text:?} lacks its closing bracket"))?;
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("{address:?} is no IPv6 address"));
            }
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':').ok_or_else(|| format!("{text:?} is no address"))?),
            };
            (format!("[{address}]"), port)
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(format!("{text:?} is no address; an IPv6 address stands in brackets"));
            }
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let is_host_letter = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if host.is_empty() || (!host.starts_with('[') && !host.chars().all(is_host_letter)) {
        return Err(format!("{text:?} is no address"));
    }
    let port = match port {
        None => ETCD_PORT,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|digit| digit.is_ascii_digit()) => port,
            _ => return Err(format!("{digits:?} is no port")),
        },
    };
    Ok(format!("{host}:{port}"))
}

/// One path below which nothing else lives: a store under `a/data` would be inside the records of one
/// under `a`.
fn check_prefix(prefix: &str) -> Result<(), String> {
    if prefix.is_empty() {
        return Err("the prefix is missing".to_owned());
    }
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(format!("the prefix is longer than {PREFIX_BYTES_MAX} bytes"));
    }
    if let Some(bad) = prefix.chars().find(|letter| !letter.is_ascii_graphic()) {
        return Err(format!("the prefix holds {bad:?}; only printable ASCII without spaces may stand there"));
    }
    for part in prefix.split('/') {
        match part {
            "" => return Err("the prefix has an empty part; write it without a slash at its end".to_owned()),
            "data" | "log" | "store" => return Err(format!("{part:?} may not be a part of the prefix")),
            _ => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    values: Vec<(&'static str, String)>,
}

impl Options {
    fn parse(text: &str) -> Result<Self, String> {
        const KNOWN: [&str; 7] = ["ca", "cert", "key", "server-name", "user", "password-file", "limit-ms"];
        let mut options = Self::default();
        for option in text.split('&').filter(|option| !option.is_empty()) {
            let (name, value) =
                option.split_once('=').ok_or_else(|| format!("option {option:?} has no value"))?;
            let Some(name) = KNOWN.into_iter().find(|known| *known == name) else {
                return Err(format!("no option {name:?}; there are {}", KNOWN.join(", ")));
            };
            if options.get(name).is_some() {
                return Err(format!("option {name} stands there twice"));
            }
            match unescape(value)? {
                value if value.is_empty() => return Err(format!("option {name} has no value")),
                value => options.values.push((name, value)),
            }
        }
        Ok(options)
    }

    fn tls(&self) -> Result<Option<TlsFiles>, String> {
        let path = |name| self.get(name).map(PathBuf::from);
        let client = match (path("cert"), path("key")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("cert and key belong together".to_owned()),
        };
        let server_name = self.get("server-name").map(str::to_owned);
        match path("ca") {
            Some(ca) => Ok(Some(TlsFiles { ca, client, server_name })),
            None if client.is_some() || server_name.is_some() => {
                Err("cert, key and server-name need ca=PATH, the authority of the servers".to_owned())
            }
            None => Ok(None),
        }
    }

    fn user(&self) -> Result<Option<User>, String> {
        match (self.get("user"), self.get("password-file")) {
            (Some(name), Some(file)) => Ok(Some(User { name: name.to_owned(), password_file: file.into() })),
            (None, None) => Ok(None),
            _ => Err("user and password-file belong together".to_owned()),
        }
    }

    fn limit(&self) -> Result<Duration, String> {
        let Some(text) = self.get("limit-ms") else { return Ok(Duration::from_millis(LIMIT_MS)) };
        match text.parse() {
            Ok(limit @ LIMIT_MS_MIN..=LIMIT_MS_MAX) => Ok(Duration::from_millis(limit)),
            _ => Err(format!("limit-ms is {text:?}, not a number from {LIMIT_MS_MIN} to {LIMIT_MS_MAX}")),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// `%26` and its like, so that a path may hold any character.
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.split_at_checked(2).and_then(|(digits, after)| {
            rest = after;
            let digits = std::str::from_utf8(digits).ok()?;
            digits
                .bytes()
                .all(|digit| digit.is_ascii_hexdigit())
                .then(|| u8::from_str_radix(digits, 16).ok())?
        });
        bytes.push(digits.ok_or_else(|| format!("{text:?} has a % without two digits; write %25 for it"))?);
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests;
