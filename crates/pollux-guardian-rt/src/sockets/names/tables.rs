//! The files of names: lines of words, `#` begins a remark. A DEFINE may name another file than the system's.

use crate::disk::opening;
use std::net::IpAddr;

/// What a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Addresses and host names.
    Hosts,
    /// Services and their ports.
    Services,
    /// Protocols and their numbers.
    Protocols,
    /// Networks and their numbers.
    Networks,
}

impl Table {
    fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::Hosts => ("=TCPIP^HOST^FILE", "/etc/hosts"),
            Self::Services => ("=TCPIP^SERVICE^FILE", "/etc/services"),
            Self::Protocols => ("=TCPIP^PROTOCOL^FILE", "/etc/protocols"),
            Self::Networks => ("=TCPIP^NETWORK^FILE", "/etc/networks"),
        }
    }

    /// What is known where the system has no such file.
    fn usual(self) -> &'static str {
        match self {
            Self::Hosts => "127.0.0.1 localhost\n::1 localhost\n",
            Self::Services => {
                "echo 7/tcp\necho 7/udp\ndiscard 9/tcp\ndiscard 9/udp\nftp 21/tcp\nssh 22/tcp\ntelnet 23/tcp\nsmtp 25/tcp mail\n\
                 domain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\npop3 110/tcp\nntp 123/udp\nsnmp 161/udp\nhttps 443/tcp\n"
            }
            Self::Protocols => {
                "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\nipv6-icmp 58 IPv6-ICMP\n"
            }
            Self::Networks => "loopback 127.0.0.0\n",
        }
    }

    /// The lines of the file, each as its words; those of the DEFINE's file if the program has one.
    pub(crate) fn lines(self) -> Vec<Vec<String>> {
        let (define, path) = self.places();
        let path = match opening::names().follow(define) {
            Ok(_) => opening::path(define, "").unwrap_or_default(),
            Err(_) => path.into(),
        };
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| self.usual().to_owned());
        lines(&text)
    }
}

pub(crate) fn lines(text: &str) -> Vec<Vec<String>> {
    let words = |line: &str| -> Vec<String> {
        line.split('#').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    text.lines().map(words).filter(|words| words.len() > 1).collect()
}

/// A host of the file: its name, its other names, its addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// The first name.
    pub(crate) name: String,
    /// The others.
    pub(crate) aliases: Vec<String>,
    /// Its addresses, of one family.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The host of that name, with its addresses of one family.
pub(crate) fn host_by_name(lines: &[Vec<String>], name: &str, v6: bool) -> Option<Host> {
    let mut host: Option<Host> = None;
    for words in lines {
        let Some(address) = words[0].parse::<IpAddr>().ok().filter(|address| address.is_ipv6() == v6) else {
            continue;
        };
        if words[1..].iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let host = host.get_or_insert_with(|| Host {
                name: words[1].clone(),
                aliases: words[2..].to_vec(),
                addresses: Vec::new(),
            });
            host.addresses.push(address);
        }
    }
    host
}

/// The host with that address.
pub(crate) fn host_by_address(lines: &[Vec<String>], address: IpAddr) -> Option<Host> {
    let words = lines.iter().find(|words| words[0].parse() == Ok(address))?;
    Some(Host { name: words[1].clone(), aliases: words[2..].to_vec(), addresses: vec![address] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_name_and_address() {
        let lines = lines("# remark\n10.0.0.1 big big.example # here\n::1 big\n\n10.0.0.2 BIG\n10.0.0.3\n");
        let host = host_by_name(&lines, "Big", false).unwrap();
        assert_eq!(host.name, "big");
        assert_eq!(host.aliases, ["big.example"]);
        assert_eq!(host.addresses.len(), 2);
        assert_eq!(host_by_name(&lines, "big", true).unwrap().addresses, ["::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(host_by_name(&lines, "small", false), None);
        assert_eq!(host_by_address(&lines, "10.0.0.2".parse().unwrap()).unwrap().name, "BIG");
    }
}
