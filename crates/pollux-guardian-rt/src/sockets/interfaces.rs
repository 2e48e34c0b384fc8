//! The network interfaces of the machine.

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// An interface as programs ask after it, with its first address of version 4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name.
    pub(crate) name: String,
    /// `IFF_UP` and the like.
    pub(crate) flags: i32,
    /// Its address.
    pub(crate) address: Option<IpAddr>,
    /// The mask of its network.
    pub(crate) netmask: Option<IpAddr>,
    /// Its broadcast address.
    pub(crate) broadcast: Option<IpAddr>,
    /// The address at the other end of a line between two.
    pub(crate) destination: Option<IpAddr>,
}

fn ip(address: Option<SockaddrStorage>) -> Option<IpAddr> {
    let address = address?;
    let four = address.as_sockaddr_in().map(|four| IpAddr::V4(four.ip()));
    four.or_else(|| address.as_sockaddr_in6().map(|six| IpAddr::V6(six.ip())))
}

/// All interfaces, in the order in which the system names them.
pub(crate) fn all() -> Vec<Interface> {
    let mut order = Vec::new();
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for one in getifaddrs().into_iter().flatten() {
        let name = one.interface_name.clone();
        let entry = found.entry(name.clone()).or_insert_with(|| {
            order.push(name.clone());
            Interface { name, flags: one.flags.bits(), ..Interface::default() }
        });
        let address = ip(one.address);
        if address.is_some_and(|address| address.is_ipv4()) && entry.address.is_none() {
            entry.address = address;
            entry.netmask = ip(one.netmask);
            entry.broadcast = ip(one.broadcast);
            entry.destination = ip(one.destination);
        }
    }
    order.iter().filter_map(|name| found.remove(name)).collect()
}

/// The interface of that name.
pub(crate) fn named(name: &str) -> Option<Interface> {
    all().into_iter().find(|interface| interface.name == name)
}

/// The addresses of the interfaces as socket addresses without a port, for tables of programs.
pub(crate) fn without_port(ip: Option<IpAddr>) -> Option<SocketAddr> {
    ip.map(|ip| SocketAddr::new(ip, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there() {
        let loopback = named("lo").expect("every machine has one");
        assert_eq!(loopback.address, Some("127.0.0.1".parse().unwrap()));
        assert!(loopback.flags & 8 != 0);
        assert_eq!(named("no such"), None);
    }
}
