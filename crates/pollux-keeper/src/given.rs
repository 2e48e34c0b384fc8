//! Listeners that the keeper opens itself, for programs that take them over as from systemd.

use crate::calls;
use crate::listeners::{Key, Listener};
use crate::options::ListenAddress;
use rustix::fs::fstat;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

/// Opens all, or says which one cannot be.
pub(crate) fn listen_all(addresses: &[ListenAddress]) -> Result<Vec<(OwnedFd, Listener)>, String> {
    let open = |(at, address): (usize, &ListenAddress)| {
        listen(at, address).map_err(|error| {
            let next = match error.kind() {
                io::ErrorKind::AddrInUse => match address {
                    ListenAddress::Internet(_) => "end the program that has it, or choose another port",
                    ListenAddress::Path(_) => {
                        "remove the file if no program has it open, or choose another path"
                    }
                },
                io::ErrorKind::PermissionDenied => "choose a port above 1023, or a directory that is yours",
                _ => "choose an address of this host",
            };
            format!("cannot listen on {address}: {error}\n  next: {next}")
        })
    };
    addresses.iter().enumerate().map(open).collect()
}

fn listen(at: usize, address: &ListenAddress) -> io::Result<(OwnedFd, Listener)> {
    let fd: OwnedFd = match address {
        ListenAddress::Internet(address) => TcpListener::bind(address)?.into(),
        ListenAddress::Path(path) => UnixListener::bind(path)?.into(),
    };
    let refused = || io::Error::from(io::ErrorKind::Unsupported);
    let kind = calls::kind_of(&fd).ok_or_else(refused)?;
    let bound = calls::bound_to(&fd).ok_or_else(refused)?;
    let file = match address {
        ListenAddress::Internet(_) => None,
        ListenAddress::Path(path) => calls::file_at(path),
    };
    let inode = fstat(&fd)?.st_ino;
    let key = Key { kind, address: bound, nth: 0 };
    Ok((fd, Listener { key, inode, file, handed_over: Some(at as u32) }))
}
