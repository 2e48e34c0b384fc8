//! `getaddrinfo` and `getnameinfo`.

use super::entries;
use super::hosts::{self, HOST_NOT_FOUND, NO_DATA, TRY_AGAIN, Where};
use super::image::Image;
use crate::sockets::address::encode;
use crate::sockets::numbers::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) const AI_PASSIVE: i32 = 1;
pub(crate) const AI_CANONNAME: i32 = 2;
pub(crate) const AI_NUMERICHOST: i32 = 4;
pub(crate) const AI_NUMERICSERV: i32 = 8;
const FLAGS_KNOWN: i32 = 0x7f;

pub(crate) const EAI_AGAIN: i32 = 2;
pub(crate) const EAI_BADFLAGS: i32 = 3;
pub(crate) const EAI_FAIL: i32 = 4;
pub(crate) const EAI_FAMILY: i32 = 5;
pub(crate) const EAI_NONAME: i32 = 8;
pub(crate) const EAI_SERVICE: i32 = 9;
pub(crate) const EAI_SOCKTYPE: i32 = 10;
pub(crate) const EAI_OVERFLOW: i32 = 14;

pub(crate) const NI_NOFQDN: i32 = 1;
pub(crate) const NI_NUMERICHOST: i32 = 2;
pub(crate) const NI_NAMEREQD: i32 = 4;
pub(crate) const NI_NUMERICSERV: i32 = 8;
pub(crate) const NI_DGRAM: i32 = 16;

const TCP: i32 = 6;
const UDP: i32 = 17;

/// `hints`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) flags: i32,
    pub(crate) family: i32,
    pub(crate) shape: i32,
    pub(crate) protocol: i32,
}

impl Hints {
    /// From the first 16 bytes of `struct addrinfo`.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, i32::from_ne_bytes)
        };
        Self { flags: word(0), family: word(4), shape: word(8), protocol: word(12) }
    }

    /// The types and protocols that are wanted.
    fn kinds(self) -> Result<Vec<(i32, i32)>, i32> {
        let all = [(SOCK_STREAM, TCP), (SOCK_DGRAM, UDP)];
        let fits = |(shape, protocol): &(i32, i32)| {
            (self.shape == 0 || self.shape == *shape) && (self.protocol == 0 || self.protocol == *protocol)
        };
        let kinds: Vec<_> = match self.shape {
            SOCK_RAW => vec![(SOCK_RAW, self.protocol)],
            _ => all.into_iter().filter(fits).collect(),
        };
        if kinds.is_empty() { Err(EAI_SOCKTYPE) } else { Ok(kinds) }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    address: SocketAddr,
    shape: i32,
    protocol: i32,
}

/// The results and the canonical name, if it was asked for; or the number of the error.
pub(crate) fn look_up(
    node: Option<&str>,
    service: Option<&str>,
    hints: Hints,
) -> Result<(Vec<Found>, Option<String>), i32> {
    if hints.flags & !FLAGS_KNOWN != 0 || (hints.flags & AI_CANONNAME != 0 && node.is_none()) {
        return Err(EAI_BADFLAGS);
    }
    if !matches!(hints.family, 0 | AF_INET | AF_INET6) {
        return Err(EAI_FAMILY);
    }
    if node.is_none() && service.is_none() {
        return Err(EAI_NONAME);
    }
    let kinds = hints.kinds()?;
    let (hosts, canonical) = addresses(node, hints)?;
    let mut found = Vec::new();
    for ip in hosts {
        for (shape, protocol) in &kinds {
            let Some(port) = port(service, *protocol, hints.flags) else { continue };
            found.push(Found { address: SocketAddr::new(ip, port), shape: *shape, protocol: *protocol });
        }
    }
    if found.is_empty() { Err(EAI_SERVICE) } else { Ok((found, canonical)) }
}

fn port(service: Option<&str>, protocol: i32, flags: i32) -> Option<u16> {
    let Some(service) = service else { return Some(0) };
    if let Ok(port) = service.parse() {
        return Some(port);
    }
    if flags & AI_NUMERICSERV != 0 {
        return None;
    }
    let protocol = if protocol == UDP { "udp" } else { "tcp" };
    entries::service_by_name(service, Some(protocol)).map(|service| service.port)
}

fn addresses(node: Option<&str>, hints: Hints) -> Result<(Vec<IpAddr>, Option<String>), i32> {
    let families: Vec<bool> = match hints.family {
        AF_INET => vec![false],
        AF_INET6 => vec![true],
        _ => vec![false, true],
    };
    let Some(node) = node else {
        let own = |v6: bool| match (hints.flags & AI_PASSIVE != 0, v6) {
            (true, false) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            (true, true) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            (false, false) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            (false, true) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        return Ok((families.into_iter().map(own).collect(), None));
    };
    if hints.flags & AI_NUMERICHOST != 0 && node.parse::<IpAddr>().is_err() {
        return Err(EAI_NONAME);
    }
    let mut all = Vec::new();
    let (mut name, mut error) = (None, EAI_NONAME);
    for v6 in families {
        match hosts::by_name(node, v6, Where::Everywhere) {
            Ok(host) => {
                all.extend(host.addresses);
                name.get_or_insert(host.name);
            }
            Err(number) => error = of_h_errno(number),
        }
    }
    let canonical = name.filter(|_| hints.flags & AI_CANONNAME != 0);
    if all.is_empty() { Err(error) } else { Ok((all, canonical)) }
}

fn of_h_errno(number: i32) -> i32 {
    match number {
        TRY_AGAIN => EAI_AGAIN,
        HOST_NOT_FOUND | NO_DATA => EAI_NONAME,
        _ => EAI_FAIL,
    }
}

/// A list of `struct addrinfo`; the first of them is at the beginning.
pub(crate) fn list(found: &[Found], canonical: Option<&str>) -> Image {
    /// flags, family, type, protocol, length of the address, canonical name, address, next.
    const BYTES: usize = 48;
    let mut image = Image::default();
    let heads: Vec<usize> = found.iter().map(|_| image.room(BYTES)).collect();
    for (at, one) in found.iter().enumerate() {
        let head = heads[at];
        let bytes = encode(one.address);
        image.put_int(head + 4, if one.address.is_ipv6() { AF_INET6 } else { AF_INET });
        image.put_int(head + 8, one.shape);
        image.put_int(head + 12, one.protocol);
        image.put(head + 16, &bytes.len().to_ne_bytes());
        let address = image.add(&bytes);
        image.link(head + 32, address);
        if let (0, Some(name)) = (at, canonical) {
            let name = image.text(name);
            image.link(head + 24, name);
        }
        if let Some(next) = heads.get(at + 1) {
            image.link(head + 40, *next);
        }
    }
    image
}

/// The names of a host and a service.
pub(crate) fn names_of(address: SocketAddr, flags: i32) -> Result<(String, String), i32> {
    let known = match flags & NI_NUMERICHOST {
        0 => hosts::by_address(address.ip(), Where::Everywhere).map(|host| host.name),
        _ => None,
    };
    let host = match known {
        Some(name) if flags & NI_NOFQDN != 0 => name.split('.').next().unwrap_or_default().to_owned(),
        Some(name) => name,
        None if flags & NI_NAMEREQD != 0 => return Err(EAI_NONAME),
        None => address.ip().to_string(),
    };
    let protocol = if flags & NI_DGRAM != 0 { "udp" } else { "tcp" };
    let service = match flags & NI_NUMERICSERV {
        0 => entries::service_name(address.port(), protocol),
        _ => None,
    };
    Ok((host, service.unwrap_or_else(|| address.port().to_string())))
}

/// What `gai_strerror` says.
pub(crate) fn words(number: i32) -> &'static str {
    match number {
        0 => "no error",
        EAI_AGAIN => "no answer from the name server; try again",
        EAI_BADFLAGS => "bad flags",
        EAI_FAIL => "the name server cannot answer",
        EAI_FAMILY => "no such address family",
        6 => "not enough memory",
        EAI_NONAME => "no host or service of that name",
        EAI_SERVICE => "no such service for this type of socket",
        EAI_SOCKTYPE => "no such type of socket",
        11 => "an error of the system: see errno",
        EAI_OVERFLOW => "the buffer is too small",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_choose() {
        let hints = Hints { family: AF_INET, ..Hints::default() };
        let (found, name) = look_up(Some("127.0.0.1"), Some("7639"), hints).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].address, "127.0.0.1:7639".parse().unwrap());
        assert_eq!(name, None);
        let streams = Hints { shape: SOCK_STREAM, flags: AI_PASSIVE, ..hints };
        let (found, _) = look_up(None, Some("80"), streams).unwrap();
        assert_eq!(
            found,
            [Found { address: "0.0.0.0:80".parse().unwrap(), shape: SOCK_STREAM, protocol: TCP }]
        );
        let (_, name) = look_up(Some("127.0.0.1"), None, Hints { flags: AI_CANONNAME, ..hints }).unwrap();
        assert_eq!(name.as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn wrong_hints_are_refused() {
        let hints = Hints::default();
        assert_eq!(look_up(None, None, hints), Err(EAI_NONAME));
        assert_eq!(look_up(Some("x"), None, Hints { family: 7, ..hints }), Err(EAI_FAMILY));
        assert_eq!(look_up(Some("x"), None, Hints { shape: 9, ..hints }), Err(EAI_SOCKTYPE));
        assert_eq!(look_up(None, Some("1"), Hints { flags: 0x100, ..hints }), Err(EAI_BADFLAGS));
        let numeric = Hints { flags: AI_NUMERICHOST, ..hints };
        assert_eq!(look_up(Some("localhost"), None, numeric), Err(EAI_NONAME));
        let service = Hints { flags: AI_NUMERICSERV, ..hints };
        assert_eq!(look_up(Some("127.0.0.1"), Some("http"), service), Err(EAI_SERVICE));
    }

    #[test]
    fn numeric_names_need_no_resolver() {
        let address = "10.9.8.7:4321".parse().unwrap();
        let names = names_of(address, NI_NUMERICHOST | NI_NUMERICSERV);
        assert_eq!(names, Ok(("10.9.8.7".to_owned(), "4321".to_owned())));
    }
}
