//! Sockets as a library of socket calls needs them: options by number, descriptors over a channel, names of addresses.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, IoSliceMut};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

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

/// The descriptor that came with one byte over a socket pair; `None` if nothing is there. Never blocks.
pub fn receive_descriptor(fd: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut byte = [0; 1];
    let received = loop {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        match recvmsg(&fd, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(_) => {
                break ancillary.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                    _ => None,
                });
            }
        }
    };
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::IoSlice;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    // The duplicate of a connection that comes over a channel must be taken once, and its absence must not block.
    #[test]
    fn a_descriptor_comes_over_a_pair() {
        let (near, far) = crate::socket_pair().unwrap();
        assert!(receive_descriptor(&near).unwrap().is_none());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&[listener.as_fd()])));
        sendmsg(&far, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).unwrap();
        let copy = std::net::TcpListener::from(receive_descriptor(&near).unwrap().unwrap());
        assert_eq!(copy.local_addr().unwrap(), listener.local_addr().unwrap());
        drop(far);
        assert!(receive_descriptor(&near).unwrap().is_none());
    }

    #[test]
    fn options_go_by_number() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        set_socket_option(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, &1i32.to_ne_bytes()).unwrap();
        let mut value = [0; 4];
        assert_eq!(socket_option(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, &mut value).unwrap(), 4);
        assert_eq!(i32::from_ne_bytes(value), 1);
    }
}
