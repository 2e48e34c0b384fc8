//! One descriptor over a unix socket, outside of any frame: with one byte that means nothing.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Sends a duplicate of `fd` over `socket`. Never blocks, never raises SIGPIPE.
pub fn pass_descriptor(socket: impl AsFd, fd: impl AsFd) -> io::Result<()> {
    let fds = [fd.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)), "there is room for one descriptor");
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, flags)?;
    Ok(())
}

/// Takes the descriptor that was sent over `socket`; it is close-on-exec here. None when there is none. Never blocks.
pub fn take_passed_descriptor(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    match recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags) {
        Ok(_) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    let passed = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket_pair;

    // A descriptor that gets lost on its way is a connection that nobody serves; one for another would be served twice.
    #[test]
    fn a_descriptor_passes_once() {
        let (near, far) = socket_pair().unwrap();
        let (read, write) = std::io::pipe().unwrap();
        assert!(take_passed_descriptor(&far).unwrap().is_none(), "nothing was sent");
        pass_descriptor(&near, &read).unwrap();
        drop((near, read));
        let passed = take_passed_descriptor(&far).unwrap().expect("it was sent");
        rustix::io::write(&write, b"x").unwrap();
        let mut byte = [0];
        assert_eq!((rustix::io::read(&passed, &mut byte).unwrap(), byte), (1, *b"x"));
        assert!(take_passed_descriptor(&far).unwrap().is_none(), "the other end was closed");
    }
}
