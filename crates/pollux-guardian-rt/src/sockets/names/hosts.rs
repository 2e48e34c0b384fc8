//! `gethostbyname` and its kin.

use super::image::{Image, keep};
use super::tables::{Host, Table, host_by_address, host_by_name};
use crate::sockets::address::order32;
use crate::sockets::numbers::{AF_INET, AF_INET6};
use crate::stdio::glue;
use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::ptr::null_mut;

/// Values of `h_errno`.
pub(crate) const HOST_NOT_FOUND: i32 = 1;
pub(crate) const TRY_AGAIN: i32 = 2;
pub(crate) const NO_RECOVERY: i32 = 3;
pub(crate) const NO_DATA: i32 = 4;

/// Where is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// In the file of hosts only.
    File,
    /// In the file, then by the system's resolver.
    Everywhere,
}

/// The host of that name, or the value of `h_errno`.
pub(crate) fn by_name(name: &str, v6: bool, place: Where) -> Result<Host, i32> {
    if let Ok(address) = name.parse::<IpAddr>() {
        let host = Host { name: name.to_owned(), aliases: Vec::new(), addresses: vec![address] };
        return if address.is_ipv6() == v6 { Ok(host) } else { Err(HOST_NOT_FOUND) };
    }
    let lines = Table::Hosts.lines();
    if let Some(host) = host_by_name(&lines, name, v6) {
        return Ok(host);
    }
    if place == Where::File {
        return Err(HOST_NOT_FOUND);
    }
    let found = (name, 0).to_socket_addrs().map_err(|error| reason(&error))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip()).filter(|address| address.is_ipv6() == v6) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(NO_DATA);
    }
    Ok(Host { name: name.to_owned(), aliases: Vec::new(), addresses })
}

/// The standard library gives the resolver's words only.
fn reason(error: &std::io::Error) -> i32 {
    let words = error.to_string();
    let has = |part: &str| words.contains(part);
    if has("Temporary") {
        TRY_AGAIN
    } else if has("Non-recoverable") {
        NO_RECOVERY
    } else if has("No address") {
        NO_DATA
    } else {
        HOST_NOT_FOUND
    }
}

/// The host with that address.
pub(crate) fn by_address(address: IpAddr, place: Where) -> Option<Host> {
    if let Some(host) = host_by_address(&Table::Hosts.lines(), address) {
        return Some(host);
    }
    let name = match place {
        Where::File => None,
        Where::Everywhere => pollux_os::host_name(SocketAddr::new(address, 0)),
    }?;
    Some(Host { name, aliases: Vec::new(), addresses: vec![address] })
}

/// The bytes of an address as C has them.
pub(crate) fn bytes_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => order32(u32::from(address)).to_ne_bytes().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The address in bytes of C.
pub(crate) fn address_of(bytes: &[u8], family: i32) -> Option<IpAddr> {
    match family {
        AF_INET => {
            let word = u32::from_ne_bytes(*bytes.first_chunk()?);
            Some(IpAddr::V4(Ipv4Addr::from(order32(word))))
        }
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?))),
        _ => None,
    }
}

/// `struct hostent`.
pub(crate) fn hostent(host: &Host) -> Image {
    let mut image = Image::default();
    let head = image.room(32);
    let name = image.text(&host.name);
    let aliases = image.texts(&host.aliases);
    let addresses: Vec<usize> = host.addresses.iter().map(|one| image.add(&bytes_of(*one))).collect();
    let addresses = image.list(&addresses);
    let is_v6 = host.addresses.first().is_some_and(IpAddr::is_ipv6);
    image.link(head, name);
    image.link(head + 8, aliases);
    image.put_int(head + 16, if is_v6 { AF_INET6 } else { AF_INET });
    image.put_int(head + 20, if is_v6 { 16 } else { 4 });
    image.link(head + 24, addresses);
    image
}

/// A result for the program, or null and `h_errno`.
pub(crate) fn shown(found: Result<Host, i32>) -> *mut c_void {
    match found {
        Ok(host) => keep("hostent", hostent(&host)),
        Err(number) => {
            glue::set_h_errno(number);
            null_mut()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_names_of_their_own() {
        let host = by_name("10.1.2.3", false, Where::File).unwrap();
        assert_eq!(host.addresses, [IpAddr::from([10, 1, 2, 3])]);
        assert_eq!(by_name("10.1.2.3", true, Where::File), Err(HOST_NOT_FOUND));
        assert_eq!(by_name("surely.not.in.the.file", false, Where::File), Err(HOST_NOT_FOUND));
        let bytes = bytes_of(host.addresses[0]);
        assert_eq!(address_of(&bytes, AF_INET), Some(host.addresses[0]));
        assert_eq!(address_of(&bytes, 77), None);
    }
}
