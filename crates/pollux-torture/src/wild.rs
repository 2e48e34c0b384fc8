//! Bytes that no library sends: what a broken or hostile program could.

use crate::random::Random;
use crate::wait::PATIENCE;
use pollux_os::{Channel, Fill, Interest, Poller};
use pollux_wire::SyncId;
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, Request};
use std::os::fd::OwnedFd;

/// Up to 2000 bytes for a daemon; some begin like a frame.
pub fn garbage(random: &mut Random, round: u64) -> Vec<u8> {
    let length = random.below(2000) as usize;
    let mut garbage: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
    match random.below(4) {
        // A frame that announces 4 GiB.
        0 => garbage.splice(..garbage.len().min(4), [0xff; 4]).for_each(drop),
        // A frame of a right kind with a wrong body.
        1 => {
            let kind = if round.is_multiple_of(3) {
                pollux_wire::admin::ADMIN
            } else {
                pollux_wire::control::CONTROL
            };
            let mut framed = (garbage.len() as u32).to_le_bytes().to_vec();
            framed.extend([kind, 0, 0, 0]);
            framed.append(&mut garbage);
            garbage = framed;
        }
        _ => {}
    }
    garbage
}

/// Frames for a path that cannot be understood: kind and body.
pub fn wild_frames() -> [(u8, Vec<u8>); 6] {
    [
        (250, vec![1, 2, 3]),
        (path::REQUEST, vec![1]),
        (path::REPLY, vec![0; 40]),
        (path::TAKEOVER, vec![0; 8]),
        (path::CANCEL, vec![]),
        (0, vec![]),
    ]
}

/// The body of a request that can be understood.
pub fn request(sync: u64, payload: &[u8]) -> Vec<u8> {
    request_as(sync, false, payload)
}

/// The same, sent again or not.
pub fn request_as(sync: u64, again: bool, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let io = IoType::WriteRead;
    Request { sync: SyncId(sync), reply_bytes_max: 1 << 21, io, again, payload }.put(&mut body);
    body
}

/// Takes what comes over a path, until it ends; false if it has not ended in time.
pub fn is_closed(fd: OwnedFd) -> bool {
    let mut channel = Channel::new(fd, PATH_BODY_BYTES_MAX);
    let mut poller = Poller::new().unwrap();
    poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
    loop {
        match channel.fill() {
            Ok(Fill::Closed) | Err(_) => return true,
            Ok(_) => {}
        }
        while let Ok(Some(frame)) = channel.next_frame() {
            drop(frame.descriptors);
        }
        if poller.wait(Some(PATIENCE)).unwrap().is_empty() {
            return false;
        }
    }
}
