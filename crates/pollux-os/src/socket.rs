//! Sockets as a library of socket calls needs them: options by number, names of addresses.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use crate::raw;

/// A socket option by its Linux numbers; the bytes written.
pub fn socket_option(fd: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    raw::socket::option(fd, level, name, value)
}

/// Sets a socket option by its Linux numbers.
pub fn set_socket_option(fd: impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    raw::socket::set_option(fd, level, name, value)
}

/// True if the next byte of input is the urgent one.
pub fn at_urgent_mark(fd: impl AsFd) -> io::Result<bool> {
    raw::socket::at_mark(fd)
}

/// The host name of an address, if the system's resolver knows one. May wait for a name server.
pub fn host_name(address: SocketAddr) -> Option<String> {
    raw::socket::host_name(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn options_go_by_number() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        set_socket_option(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, &1i32.to_ne_bytes()).unwrap();
        let mut value = [0; 4];
        assert_eq!(socket_option(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, &mut value).unwrap(), 4);
        assert_eq!(i32::from_ne_bytes(value), 1);
    }
}
