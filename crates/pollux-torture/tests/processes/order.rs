//! Requests of one opener run in the order of their sync ids (S8), whatever is still under way on an old path.

use crate::node_with;
use pollux_os::{Channel, Interest, Poller, Signal};
use pollux_torture::{Fault, PATIENCE, Settings, Visitor, faults};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, Reply, Request};
use pollux_wire::{Epoch, SyncId, Wire as _, decode};
use std::os::fd::OwnedFd;

/// A requester's end of a path, frame by frame.
struct Path {
    channel: Channel,
    replies: Vec<(u64, String)>,
    standby: Option<OwnedFd>,
    opened: bool,
    takeover: Option<Epoch>,
}

impl Path {
    fn new(fd: OwnedFd) -> Self {
        let channel = Channel::new(fd, PATH_BODY_BYTES_MAX);
        Self { channel, replies: Vec::new(), standby: None, opened: false, takeover: None }
    }

    fn send(&mut self, syncs: std::ops::RangeInclusive<u64>, again: bool) {
        for sync in syncs {
            let request = Request {
                sync: SyncId(sync),
                reply_bytes_max: 100,
                io: IoType::WriteRead,
                again,
                payload: b"key",
            };
            self.channel.queue(path::REQUEST, |out| request.put(out));
        }
        let _ = self.channel.flush().unwrap();
    }

    fn wait(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let mut poller = Poller::new().unwrap();
        poller.add(self.channel.as_fd(), 0, Interest::READ).unwrap();
        loop {
            let _ = self.channel.fill().unwrap();
            while let Some(frame) = self.channel.next_frame().unwrap() {
                match frame.kind {
                    path::REPLY => {
                        let reply = Reply::decode(frame.body).unwrap();
                        self.replies
                            .push((reply.sync.0, String::from_utf8_lossy(reply.payload).into_owned()));
                    }
                    path::OPEN_REPLY => self.opened = true,
                    path::STANDBY => self.standby = frame.descriptors.into_iter().next(),
                    path::TAKEOVER => self.takeover = Some(decode(frame.body).unwrap()),
                    _ => {}
                }
            }
            if reached(self) {
                return;
            }
            assert!(!poller.wait(Some(PATIENCE)).unwrap().is_empty(), "nothing more comes: {what}");
        }
    }
}

/// Of several requests under way the later ones would be executed first, when the roles are exchanged and the new primary
/// dies before it has handled them: what it had not answered stands in the old primary's path, too.
#[test]
fn what_an_old_path_still_holds_does_not_overtake() {
    // The stopped half must not be found hung before it is killed.
    let node = node_with(Settings { hang_after_ms: 5000, ..Settings::default() });
    node.run_pair("$ORDER", &["counter"]);
    let mut visitor = Visitor::attach(&node, 1);
    let mut first = Path::new(visitor.open("$ORDER", 16).unwrap());
    first.wait("the open", |path| path.opened && path.standby.is_some());
    let mut second = Path::new(first.standby.take().unwrap());
    let before = node.wait_whole("$ORDER");
    faults::inflict(&node, "$ORDER", Fault::Switch);
    // Sent by a requester that has not heard of the exchange: the old primary does not read any more.
    first.send(2..=4, false);
    second.wait("the new primary's word", |path| path.takeover.is_some());
    let whole = node.wait_whole("$ORDER");
    assert_eq!(Some(whole.primary), before.backup);
    assert!(node.signal(whole.primary, Signal::STOP));
    second.send(1..=4, true);
    assert!(node.signal(whole.primary, Signal::KILL));
    first.wait("the first primary's word", |path| path.takeover.is_some());
    let epoch = first.takeover.unwrap();
    first.channel.queue(path::RESUMED, |out| epoch.put(out));
    first.send(1..=4, true);
    first.wait("all replies", |path| {
        path.replies.iter().any(|(sync, _)| *sync == 1) && path.replies.len() >= 4
    });
    for (sync, reply) in &first.replies {
        assert_eq!(
            reply.split(' ').next().unwrap(),
            sync.to_string(),
            "the order of execution: {:?}",
            first.replies
        );
    }
    node.finish();
}
