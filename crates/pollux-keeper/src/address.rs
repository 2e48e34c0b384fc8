//! Addresses as a program hands them to the kernel.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

const FAMILY_UNIX: u16 = 1;
const FAMILY_INTERNET: u16 = 2;
const FAMILY_INTERNET_6: u16 = 10;

/// Bytes of the longest address: a unix socket's path.
pub(crate) const ADDRESS_BYTES_MAX: usize = 110;

/// An address that a listener can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Address {
    /// IPv4 or IPv6; port 0 lets the kernel choose.
    Internet(SocketAddr),
    /// A unix socket's path, as bytes. Made absolute before it is compared.
    Path(Vec<u8>),
    /// A unix socket's name without a file.
    Abstract(Vec<u8>),
}

impl Address {
    /// Reads what `bind` was given; none for what no listener can have, or a form that is not known.
    pub(crate) fn read(bytes: &[u8]) -> Option<Address> {
        let family = u16::from_ne_bytes(*bytes.first_chunk()?);
        let port = || Some(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        match family {
            FAMILY_INTERNET => {
                let octets: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
                Some(Address::Internet(SocketAddrV4::new(Ipv4Addr::from(octets), port()?).into()))
            }
            FAMILY_INTERNET_6 => {
                let octets: [u8; 16] = *bytes.get(8..)?.first_chunk()?;
                let scope = bytes.get(24..).and_then(|rest| rest.first_chunk()).copied();
                let scope = scope.map_or(0, u32::from_ne_bytes);
                Some(Address::Internet(SocketAddrV6::new(Ipv6Addr::from(octets), port()?, 0, scope).into()))
            }
            FAMILY_UNIX => match bytes.get(2..)? {
                // The kernel makes up a name: nobody can know it before.
                [] => None,
                [0, name @ ..] => Some(Address::Abstract(name.to_vec())),
                path => {
                    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                    Some(Address::Path(path[..end].to_vec()))
                }
            },
            _ => None,
        }
    }

    /// True if the kernel chooses the port.
    pub(crate) fn has_free_port(&self) -> bool {
        matches!(self, Address::Internet(address) if address.port() == 0)
    }

    /// True if a socket that is bound to `local` may have been asked to bind to this.
    pub(crate) fn may_be(&self, local: &Address) -> bool {
        match (self, local) {
            (Address::Internet(asked), Address::Internet(local)) => {
                asked.port() == 0 || asked.port() == local.port()
            }
            // A path may be relative on one side.
            (Address::Path(_), Address::Path(_)) => true,
            (Address::Abstract(asked), Address::Abstract(local)) => asked == local,
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Internet(address) => write!(formatter, "{address}"),
            Address::Path(path) => write!(formatter, "{}", String::from_utf8_lossy(path)),
            Address::Abstract(name) => write!(formatter, "@{}", String::from_utf8_lossy(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(rest: &[u8]) -> Vec<u8> {
        [&1u16.to_ne_bytes(), rest].concat()
    }

    // An address that is read wrongly gives a program the socket of another one.
    #[test]
    fn addresses_as_the_kernel_has_them() {
        let mut four = [&2u16.to_ne_bytes()[..], &[0x1f, 0x90, 127, 0, 0, 1]].concat();
        four.resize(16, 0);
        assert_eq!(Address::read(&four), Some(Address::Internet("127.0.0.1:8080".parse().unwrap())));
        let six = [
            &10u16.to_ne_bytes()[..],
            &[0x1f, 0x90],
            &[9, 9, 9, 9],
            &Ipv6Addr::LOCALHOST.octets(),
            &3u32.to_ne_bytes(),
        ]
        .concat();
        assert_eq!(Address::read(&six), Some(Address::Internet("[::1%3]:8080".parse().unwrap())));
        assert_eq!(Address::read(&six[..24]), Some(Address::Internet("[::1]:8080".parse().unwrap())));
        assert_eq!(Address::read(&unix(b"/run/a\0rest")), Some(Address::Path(b"/run/a".to_vec())));
        assert_eq!(Address::read(&unix(b"\0a\0b")), Some(Address::Abstract(b"a\0b".to_vec())));
        for nothing in [unix(b""), vec![2], vec![], four[..7].to_vec(), six[..20].to_vec(), vec![16, 0, 0, 0]]
        {
            assert_eq!(Address::read(&nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_was_asked_for_and_what_it_became() {
        let internet = |text: &str| Address::Internet(text.parse().unwrap());
        assert!(internet("0.0.0.0:0").has_free_port() && !internet("0.0.0.0:1").has_free_port());
        assert!(internet("127.0.0.1:0").may_be(&internet("127.0.0.1:40000")));
        assert!(!internet("127.0.0.1:80").may_be(&internet("127.0.0.1:81")));
        assert!(!internet("127.0.0.1:80").may_be(&Address::Abstract(b"a".to_vec())));
        assert_eq!(Address::Abstract(b"a".to_vec()).to_string(), "@a");
    }
}
