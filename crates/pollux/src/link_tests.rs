//! A link against servers of which some mean harm, and some have slept.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

use super::*;
use pollux_os::{Among, Flush, socket_pair};

/// The server's end of a path.
struct Half {
    channel: Channel,
}

impl Half {
    fn new(fd: OwnedFd) -> Self {
        Self { channel: Channel::new(fd, PATH_BODY_BYTES_MAX) }
    }

    fn say(&mut self, kind: u8, descriptors: Vec<OwnedFd>, write: impl FnOnce(&mut Vec<u8>)) {
        self.channel.queue_with(kind, descriptors, write);
        assert_eq!(self.channel.flush().unwrap(), Flush::Done);
    }

    fn reply(&mut self, sync: u64, epoch: u64, payload: &[u8]) {
        let reply = Reply { sync: SyncId(sync), error: FileError::OK, epoch: Epoch(epoch), payload };
        self.say(path::REPLY, Vec::new(), |out| reply.put(out));
    }

    /// The next frame, which is there: its kind and its body.
    fn hear(&mut self) -> (u8, Vec<u8>) {
        self.channel.note_socket_ready();
        let _ = self.channel.fill().unwrap();
        let frame = self.channel.next_frame().unwrap().expect("the link has said something");
        (frame.kind, frame.body.to_vec())
    }

    fn is_closed(&mut self) -> bool {
        self.channel.note_socket_ready();
        matches!(self.channel.fill(), Ok(Fill::Closed) | Err(_))
    }

    /// Makes the path one with a ring.
    fn turn(&mut self, link: &mut Link) {
        let descriptors = self.channel.offer_ring(Among::Many).unwrap();
        self.say(path::RING_OFFER, descriptors, |_| {});
        link.pump();
        assert_eq!(self.hear(), (path::RING_TAKEN, vec![1]));
        self.channel.read_from_ring().unwrap();
        self.channel.queue(path::RING_BEGUN, |_| {});
        self.channel.write_to_ring();
        assert_eq!(self.channel.flush().unwrap(), Flush::Done);
        link.pump();
    }
}

/// A link that a server in epoch 1 has accepted.
fn opened() -> (Link, Half) {
    let (near, far) = socket_pair().unwrap();
    let mut link = Link::new(OpenId(1), near, 4, 4).unwrap();
    let mut half = Half::new(far);
    let reply = OpenReply { error: FileError::OK, label: -1, epoch: Epoch(1) };
    half.say(path::OPEN_REPLY, Vec::new(), |out| reply.put(out));
    link.pump();
    assert_eq!(link.opened(), Some(Ok(())));
    (link, half)
}

fn ask(link: &mut Link) -> SyncId {
    let sync = link.start(b"request".to_vec(), 100, None).unwrap();
    link.flush();
    sync
}

/// A server could kill its requesters with memory that it cuts off under them.
#[test]
fn an_offer_that_is_no_ring_is_refused_and_the_path_goes_on() {
    let (mut link, mut half) = opened();
    let (one, _other) = socket_pair().unwrap();
    let offers: [Vec<OwnedFd>; 3] =
        [Vec::new(), vec![one.try_clone().unwrap()], (0..3).map(|_| one.try_clone().unwrap()).collect()];
    for offer in offers {
        half.say(path::RING_OFFER, offer, |_| {});
        link.pump();
        assert_eq!(half.hear(), (path::RING_TAKEN, vec![0]));
        let sync = ask(&mut link);
        assert_eq!(half.hear().0, path::REQUEST);
        half.reply(sync.0, 1, b"reply");
        link.pump();
        assert_eq!(link.take_answer(sync).unwrap().payload, b"reply");
    }
    half.say(path::RING_BEGUN, Vec::new(), |_| {});
    link.pump();
    assert!(!link.has_paths() && half.is_closed(), "a ring that is not there has begun");
}

/// A requester would wait for a reply that its server wrote before it died.
#[test]
fn what_a_dead_server_left_in_its_ring_is_an_answer() {
    let (mut link, mut half) = opened();
    half.turn(&mut link);
    let sync = ask(&mut link);
    assert_eq!(half.hear().0, path::REQUEST);
    half.reply(sync.0, 1, &[7; 50_000]);
    drop(half);
    // First what is in memory, then what the poller has to tell.
    link.pump();
    link.pump();
    assert_eq!(link.take_answer(sync).unwrap().payload.len(), 50_000);
    assert!(!link.has_paths());
}

/// S1: an old primary that was stopped, and wakes up, would be believed.
#[test]
fn an_old_primary_that_wakes_up_is_not_heard_over_its_ring() {
    let (mut link, mut old) = opened();
    old.turn(&mut link);
    let (standby, far) = socket_pair().unwrap();
    old.say(path::STANDBY, vec![standby], |out| Epoch(1).put(out));
    link.pump();
    let sync = ask(&mut link);
    let mut new = Half::new(far);
    new.say(path::TAKEOVER, Vec::new(), |out| Epoch(2).put(out));
    link.pump();
    assert_eq!(new.hear(), (path::RESUMED, 2u64.to_le_bytes().to_vec()));
    assert_eq!(old.hear().0, path::REQUEST);
    old.reply(sync.0, 1, b"old");
    link.pump();
    assert!(link.take_answer(sync).is_none());
    new.reply(sync.0, 2, b"new");
    link.pump();
    assert_eq!(link.take_answer(sync).unwrap().payload, b"new");
}

/// L3: a requester that could not take its standby path, for want of a descriptor for example, would wait for ever on a half
/// that is the primary no longer.
#[test]
fn a_demoted_half_is_left_by_who_has_no_other_path() {
    let (mut link, mut old) = opened();
    let sync = ask(&mut link);
    assert_eq!(old.hear().0, path::REQUEST);
    old.say(path::DEMOTED, Vec::new(), |_| {});
    link.pump();
    assert!(link.take_wish_for_path());
    let (path_to_new, far) = socket_pair().unwrap();
    link.add_path(path_to_new);
    let mut new = Half::new(far);
    new.say(path::TAKEOVER, Vec::new(), |out| Epoch(2).put(out));
    link.pump();
    assert_eq!(new.hear().0, path::RESUMED);
    assert_eq!(new.hear().0, path::REQUEST);
    new.reply(sync.0, 2, b"new");
    link.pump();
    assert_eq!(link.take_answer(sync).unwrap().payload, b"new");
}

/// S5: what the old primary wrote into its ring before it died comes before the word of its successor.
#[test]
fn the_last_words_in_a_ring_come_before_a_takeover() {
    let (mut link, mut old) = opened();
    let (standby, far) = socket_pair().unwrap();
    old.say(path::STANDBY, vec![standby], |out| Epoch(1).put(out));
    link.pump();
    old.turn(&mut link);
    let syncs = [ask(&mut link), ask(&mut link)];
    Half::new(far).say(path::TAKEOVER, Vec::new(), |out| Epoch(2).put(out));
    old.reply(syncs[0].0, 1, b"old");
    link.pump();
    link.pump();
    assert_eq!(link.take_answer(syncs[0]).unwrap().payload, b"old");
    assert!(link.take_answer(syncs[1]).is_none());
    assert_eq!(link.resent(), 1);
}

/// A requester whose server has answered one request and died before it took the next would sleep beside the answer.
#[test]
fn an_answer_that_is_found_while_writing_is_not_waited_for() {
    let (mut link, mut half) = opened();
    let first = ask(&mut link);
    assert_eq!(half.hear().0, path::REQUEST);
    half.reply(first.0, 1, b"reply");
    drop(half);
    link.start(b"request".to_vec(), 100, None).unwrap();
    assert!(link.prepare_wait());
    assert_eq!(link.take_answer(first).unwrap().payload, b"reply");
    assert!(link.take_wish_for_path());
    assert!(!link.prepare_wait(), "nothing has changed since");
}
