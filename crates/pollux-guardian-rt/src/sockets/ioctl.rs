//! `socket_ioctl` (TCP/IP Programming Manual): what is waiting, where the urgent byte is, what the interfaces are.
//!
//! A command reads a structure of known size and writes the same one back. To change interfaces, routes and tables is left to
//! the system's administrator.

use super::address;
use super::file::{Shape, SocketFile};
use super::interfaces::{self, Interface};
use super::numbers::{EADDRNOTAVAIL, EFAULT, EINVAL, ENXIO, EOPNOTSUPP, EPERM, of_io, of_linux};
use crate::memory::Buffer;
use pollux_wire::FileError;
use std::net::{IpAddr, SocketAddr};

const FIONREAD: i32 = 0x6601;
const FIONBIO: i32 = 0x6602;
const SIOCATMARK: i32 = 0x7307;
const SIOCADDRT: i32 = 0x720a;
const SIOCDELRT: i32 = 0x720b;
const SIOCSIFADDR: i32 = 0x690c;
const SIOCGIFADDR: i32 = 0x690d;
const SIOCSIFDSTADDR: i32 = 0x690e;
const SIOCGIFDSTADDR: i32 = 0x690f;
const SIOCSIFFLAGS: i32 = 0x6910;
const SIOCGIFFLAGS: i32 = 0x6911;
const SIOCGIFBRDADDR: i32 = 0x6912;
const SIOCSIFBRDADDR: i32 = 0x6913;
const SIOCGIFCONF: i32 = 0x6914;
const SIOCGIFNETMASK: i32 = 0x6915;
const SIOCSIFNETMASK: i32 = 0x6916;
const SIOCGIFNUM: i32 = 0x6919;
const SIOCSARP: i32 = 0x691e;
const SIOCDARP: i32 = 0x6920;
const SIOCGARP: i32 = 0x6926;

/// Bytes of `struct ifreq`, and of the name at its beginning.
const IFREQ_BYTES: usize = 32;
const NAME_BYTES: usize = 16;
/// Bytes of `struct ifconf`, behind which the result is, and where its address is.
const IFCONF_BYTES: usize = 16;
/// Bytes of `struct arpreq`.
const ARPREQ_BYTES: usize = 36;
/// `ATF_COM`: the entry is complete.
const ATF_COM: i32 = 2;
/// Addresses that the kernel's table has.
const ARP_FILE: &str = "/proc/net/arp";

/// Where results go.
pub(crate) type Stores = Vec<(Buffer, Vec<u8>)>;

fn room(argument: *mut u8, bytes: usize) -> Result<Buffer, FileError> {
    Buffer::new(argument.cast_const().cast(), bytes).map_err(|_| EFAULT)
}

impl SocketFile {
    /// Does a command: what is to be stored where.
    pub(crate) fn ioctl(&mut self, command: i32, argument: *mut u8) -> Result<Stores, FileError> {
        let int = |value: i32| Ok(vec![(room(argument, 4)?, value.to_ne_bytes().to_vec())]);
        match command {
            FIONREAD => {
                let mut waiting = rustix::io::ioctl_fionread(self.fd()?).map_err(of_linux)?;
                if self.shape() == Shape::Datagram && waiting > 0 {
                    waiting += address::V4_BYTES as u64;
                }
                int(i32::try_from(waiting.saturating_sub(self.held_bytes())).unwrap_or(i32::MAX))
            }
            FIONBIO => Err(EINVAL),
            SIOCATMARK => {
                int(i32::from(pollux_os::at_urgent_mark(self.fd()?).map_err(|error| of_io(&error))?))
            }
            SIOCGIFNUM => int(interfaces::all().len() as i32),
            SIOCGIFCONF => configuration(argument),
            SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFFLAGS | SIOCGIFBRDADDR | SIOCGIFNETMASK => {
                about_interface(command, argument)
            }
            SIOCSIFADDR | SIOCSIFDSTADDR | SIOCSIFBRDADDR | SIOCSIFNETMASK => Err(EOPNOTSUPP),
            SIOCSIFFLAGS => Ok(Vec::new()),
            SIOCGARP => neighbour(argument),
            SIOCSARP | SIOCDARP | SIOCADDRT | SIOCDELRT => Err(EPERM),
            _ => Err(EINVAL),
        }
    }
}

/// A structure with the name of an interface and one address of it.
fn ifreq(name: &str, address: Option<IpAddr>) -> Vec<u8> {
    let mut bytes = name.as_bytes().iter().copied().take(NAME_BYTES - 1).collect::<Vec<u8>>();
    bytes.resize(NAME_BYTES, 0);
    if let Some(address) = interfaces::without_port(address) {
        bytes.extend(address::encode(address));
    }
    bytes.resize(IFREQ_BYTES, 0);
    bytes
}

fn about_interface(command: i32, argument: *mut u8) -> Result<Stores, FileError> {
    let place = room(argument, IFREQ_BYTES)?;
    let bytes = place.get();
    let name = bytes[..NAME_BYTES].split(|byte| *byte == 0).next().unwrap_or_default();
    let found = std::str::from_utf8(name).ok().and_then(interfaces::named).ok_or(ENXIO)?;
    let Interface { name, flags, address, netmask, broadcast, destination } = found;
    let wanted = match command {
        SIOCGIFFLAGS => {
            let mut bytes = ifreq(&name, None);
            // The low half has the flags that programs know.
            bytes[NAME_BYTES..NAME_BYTES + 2].copy_from_slice(&(flags as i16).to_ne_bytes());
            return Ok(vec![(place, bytes)]);
        }
        SIOCGIFADDR => address,
        SIOCGIFDSTADDR => destination,
        SIOCGIFBRDADDR => broadcast,
        _ => netmask,
    };
    let wanted = wanted.ok_or(EADDRNOTAVAIL)?;
    Ok(vec![(place, ifreq(&name, Some(wanted)))])
}

/// All interfaces with an address, as far as there is room.
fn configuration(argument: *mut u8) -> Result<Stores, FileError> {
    let head = room(argument, IFCONF_BYTES)?;
    let length = head.get().first_chunk::<4>().map_or(0, |length| i32::from_ne_bytes(*length));
    let length = usize::try_from(length).map_err(|_| EINVAL)?;
    let result = room(argument.wrapping_add(IFCONF_BYTES), length)?;
    let with_address = interfaces::all().into_iter().filter(|interface| interface.address.is_some());
    let list: Vec<u8> = with_address
        .take(length / IFREQ_BYTES)
        .flat_map(|interface| ifreq(&interface.name, interface.address))
        .collect();
    let count = room(argument, 4)?;
    Ok(vec![(count, (list.len() as i32).to_ne_bytes().to_vec()), (result, list)])
}

/// The hardware address of a neighbour.
fn neighbour(argument: *mut u8) -> Result<Stores, FileError> {
    let place = room(argument, ARPREQ_BYTES)?;
    let mut bytes = place.get();
    let wanted: SocketAddr = address::decode(&bytes)?;
    let table = std::fs::read_to_string(ARP_FILE).map_err(|error| of_io(&error))?;
    let line = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = line.into_iter().find(|line| line.first().is_some_and(|ip| *ip == wanted.ip().to_string()));
    let hardware = line.and_then(|line| line.get(3).map(|text| (*text).to_owned())).ok_or(ENXIO)?;
    let octets = hardware.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok());
    for (to, from) in bytes[18..24].iter_mut().zip(octets) {
        *to = from;
    }
    bytes[32..36].copy_from_slice(&ATF_COM.to_ne_bytes());
    Ok(vec![(place, bytes)])
}

#[cfg(test)]
mod tests {
    use super::super::file::Wish;
    use super::super::numbers::AF_INET;
    use super::*;

    fn socket() -> SocketFile {
        let wish = Wish::new(AF_INET, 2, 0).unwrap();
        SocketFile::new(wish, 0, wish.descriptor().unwrap())
    }

    #[test]
    fn commands_by_number() {
        let mut socket = socket();
        let mut place = [0u8; IFREQ_BYTES];
        let argument = place.as_mut_ptr();
        assert_eq!(socket.ioctl(FIONBIO, argument), Err(EINVAL));
        assert_eq!(socket.ioctl(SIOCSIFADDR, argument), Err(EOPNOTSUPP));
        assert_eq!(socket.ioctl(SIOCSIFFLAGS, argument), Ok(Vec::new()));
        assert_eq!(socket.ioctl(SIOCGIFADDR, argument), Err(ENXIO), "no name");
        assert_eq!(socket.ioctl(SIOCADDRT, argument), Err(EPERM));
        assert_eq!(socket.ioctl(1, argument), Err(EINVAL));
        assert_eq!(socket.ioctl(FIONREAD, std::ptr::null_mut()), Err(EFAULT));
    }

    #[test]
    fn an_interface_tells_its_address() {
        let mut place = [0u8; IFREQ_BYTES];
        place[..2].copy_from_slice(b"lo");
        let stores = socket().ioctl(SIOCGIFADDR, place.as_mut_ptr()).unwrap();
        let address = address::decode(&stores[0].1[NAME_BYTES..]).unwrap();
        assert_eq!(address.ip(), "127.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn the_configuration_is_cut_to_its_room() {
        let mut place = [0u8; IFCONF_BYTES + 2 * IFREQ_BYTES];
        place[..4].copy_from_slice(&(IFREQ_BYTES as i32).to_ne_bytes());
        let stores = configuration(place.as_mut_ptr()).unwrap();
        assert_eq!(stores[0].1, (IFREQ_BYTES as i32).to_ne_bytes());
        assert_eq!(stores[1].1.len(), IFREQ_BYTES);
        assert_eq!(&stores[1].1[..3], b"lo\0");
    }
}
