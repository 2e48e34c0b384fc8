//! Socket addresses between C's structures and Rust.
//!
//! ```text
//!           0        2        4              8                                   16           20          28
//!  version 4| family | port   | address      | eight bytes that do not matter    |
//!  version 6| family | port   | flow         | sixteen bytes of the address ...      24 ->   | scope     |
//! ```
//!
//! Numbers are in the order of this machine, as on the original, where that is also the order of the network: a program that
//! calls no `htons` reaches the port that it means. A program that was compiled with `POLLUX_NETWORK_ORDER` has them in real
//! network order. The sixteen bytes of version 6 are bytes in either case.

use super::numbers::{AF_INET, AF_INET6, EAFNOSUPPORT, EFAULT, EINVAL};
use crate::memory::Buffer;
use pollux_wire::FileError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of `struct sockaddr_in`.
pub(crate) const V4_BYTES: usize = 16;
/// Bytes of `struct sockaddr_in6`.
pub(crate) const V6_BYTES: usize = 28;

static NETWORK_ORDER: AtomicBool = AtomicBool::new(false);

/// The program has its numbers in network order.
pub(crate) fn use_network_order() {
    NETWORK_ORDER.store(true, Ordering::Relaxed);
}

fn is_network_order() -> bool {
    NETWORK_ORDER.load(Ordering::Relaxed)
}

/// A 16-bit number of the program, and back.
pub(crate) fn order16(number: u16) -> u16 {
    if is_network_order() { number.to_be() } else { number }
}

/// A 32-bit number of the program, and back.
pub(crate) fn order32(number: u32) -> u32 {
    if is_network_order() { number.to_be() } else { number }
}

/// The address in a structure of C.
pub(crate) fn decode(bytes: &[u8]) -> Result<SocketAddr, FileError> {
    let half = |at: usize| bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_ne_bytes);
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_ne_bytes);
    let family = half(0).ok_or(EINVAL)?;
    match i32::from(family) {
        AF_INET => {
            let (Some(port), Some(ip)) = (half(2), word(4)) else { return Err(EINVAL) };
            Ok(SocketAddrV4::new(Ipv4Addr::from(order32(ip)), order16(port)).into())
        }
        AF_INET6 => {
            let octets = bytes.get(8..24).and_then(|all| <[u8; 16]>::try_from(all).ok());
            let (Some(port), Some(flow), Some(octets)) = (half(2), word(4), octets) else {
                return Err(EINVAL);
            };
            // Older callers pass the structure without its last word.
            let scope = word(24).unwrap_or(0);
            Ok(SocketAddrV6::new(Ipv6Addr::from(octets), order16(port), order32(flow), scope).into())
        }
        _ => Err(EAFNOSUPPORT),
    }
}

/// The address of the program's structure, whose length it tells. 4022 for one that is too short.
pub(crate) fn read(from: *const u8, length: i32) -> Result<SocketAddr, FileError> {
    let length = usize::try_from(length).map_err(|_| EINVAL)?;
    let bytes = Buffer::new(from.cast(), length.min(V6_BYTES)).map_err(|_| EFAULT)?.get();
    decode(&bytes)
}

/// The address of the program's structure, whose length its family tells.
pub(crate) fn read_by_family(from: *const u8) -> Result<SocketAddr, FileError> {
    let family = Buffer::new(from.cast(), 2).map_err(|_| EFAULT)?.get();
    let is_v6 = family[..] == (AF_INET6 as u16).to_ne_bytes();
    read(from, if is_v6 { V6_BYTES } else { V4_BYTES } as i32)
}

/// An address as C has it.
pub(crate) fn encode(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(V6_BYTES);
    match address {
        SocketAddr::V4(address) => {
            bytes.extend_from_slice(&(AF_INET as u16).to_ne_bytes());
            bytes.extend_from_slice(&order16(address.port()).to_ne_bytes());
            bytes.extend_from_slice(&order32(u32::from(*address.ip())).to_ne_bytes());
            bytes.resize(V4_BYTES, 0);
        }
        SocketAddr::V6(address) => {
            bytes.extend_from_slice(&(AF_INET6 as u16).to_ne_bytes());
            bytes.extend_from_slice(&order16(address.port()).to_ne_bytes());
            bytes.extend_from_slice(&order32(address.flowinfo()).to_ne_bytes());
            bytes.extend_from_slice(&address.ip().octets());
            bytes.extend_from_slice(&address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// An address of version 4 in place of one of version 6 that only carries it: programs look for the family that they know.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(six) => match six.ip().to_ipv4_mapped() {
            Some(four) => SocketAddr::new(IpAddr::V4(four), six.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program that skips htons must reach the port that it wrote.
    #[test]
    fn numbers_are_in_the_order_of_the_machine() {
        let address: SocketAddr = "127.0.0.1:7639".parse().unwrap();
        let bytes = encode(address);
        assert_eq!(bytes.len(), V4_BYTES);
        assert_eq!(bytes[2..4], 7639u16.to_ne_bytes());
        assert_eq!(bytes[4..8], 0x7f00_0001u32.to_ne_bytes());
        assert_eq!(decode(&bytes), Ok(address));
        let six: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
        assert_eq!(decode(&encode(six)), Ok(six));
    }

    #[test]
    fn bad_addresses_are_refused() {
        assert_eq!(decode(&[]), Err(EINVAL));
        assert_eq!(decode(&(AF_INET as u16).to_ne_bytes()), Err(EINVAL));
        assert_eq!(decode(&[99, 0, 0, 0]), Err(EAFNOSUPPORT));
        assert_eq!(read(std::ptr::null(), 16), Err(EFAULT));
        assert_eq!(read(std::ptr::null(), -1), Err(EINVAL));
    }
}
