//! Where a server is reached by servers of other hosts: `HOST[:PORT]`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

/// The port of a server when none is said: the number that the products use.
pub const PORT: u16 = 1553;
/// Longest address, in bytes: a host name and a port.
const ADDRESS_BYTES_MAX: usize = 262;

/// A host, by its name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// That host with the usual port.
    pub fn usual(host: &str) -> Self {
        Self { host: host.to_owned(), port: PORT }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What DNS and `/etc/hosts` say; at least one when there is no error.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
    }

    /// Where the server itself listens: at the number, or, for a name, on all its networks. A name may be for others only: on many hosts
    /// the own name leads to the host itself and nowhere else.
    pub fn to_listen(&self) -> Vec<SocketAddr> {
        match self.host.parse::<IpAddr>() {
            Ok(number) => vec![(number, self.port).into()],
            Err(_) => {
                vec![(Ipv6Addr::UNSPECIFIED, self.port).into(), (Ipv4Addr::UNSPECIFIED, self.port).into()]
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How an address looks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not HOST or HOST:PORT; for example alpha.example.org, 10.0.0.1:1553 or [fd00::1]:1553")]
pub struct AddressError {
    text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.chars().take(ADDRESS_BYTES_MAX).collect() };
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(wrong());
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) })
        } else if text.parse::<Ipv6Addr>().is_ok() {
            (text, None)
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if host.is_empty() || (!host.contains(':') && !host.chars().all(letter)) {
            return Err(wrong());
        }
        let port = match port {
            None => PORT,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // An address that is read otherwise than it was written leads to another server.
    #[test]
    fn addresses_are_read_back() {
        for (text, shown) in [
            ("alpha", "alpha:1553"),
            ("alpha.example.org:7", "alpha.example.org:7"),
            ("10.0.0.1", "10.0.0.1:1553"),
            ("fd00::1", "[fd00::1]:1553"),
            ("[fd00::1]:7", "[fd00::1]:7"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
        for bad in [
            "",
            ":1",
            "alpha:",
            "alpha:0",
            "alpha:65536",
            "a b",
            "[alpha]:1",
            "[fd00::1",
            "[fd00::1]1",
            "a:b:c",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!("a".repeat(300).parse::<Address>().is_err());
    }

    #[test]
    fn a_number_is_bound_and_a_name_is_for_others() {
        let listen = |text: &str| text.parse::<Address>().unwrap().to_listen();
        assert_eq!(listen("10.0.0.1:7"), ["10.0.0.1:7".parse().unwrap()]);
        assert_eq!(listen("alpha:7"), ["[::]:7".parse().unwrap(), "0.0.0.0:7".parse().unwrap()]);
    }
}
