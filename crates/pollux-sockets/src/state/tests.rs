//! Stories of sockets, told in a line each: who asks what, and what becomes of it.

use super::*;
use pollux_wire::{CpuNumber, Pin};

const LISTENER: SocketId = SocketId(1);
const ADDRESS: &str = "127.0.0.1:7639";

/// A kernel in which all connections are as they were set.
struct Fake(BTreeMap<SocketId, Condition>);

impl Kernel for Fake {
    fn condition(&self, socket: SocketId) -> Condition {
        self.0.get(&socket).copied().unwrap_or(Condition::Pristine)
    }
}

/// A provider with a pair $APP (opens 1 and 2: primary and backup), a pair $OTHER (opens 3 and 4), and processes without a
/// name (open 5 and above).
struct Story {
    state: State,
    kernel: Fake,
    syncs: u64,
}

fn asker(open: u64) -> Asker {
    let name = match open {
        1 | 2 | 11 | 12 => Some(ProcessName::new("$APP").unwrap()),
        3 | 4 => Some(ProcessName::new("$OTHER").unwrap()),
        _ => None,
    };
    let sequence = match open {
        1 | 2 | 11 | 12 => 100,
        3 | 4 => 300,
        other => other,
    };
    // 11 and 12 are further opens of the two processes behind 1 and 2.
    let pin = Pin(u16::try_from(open % 10).unwrap());
    let phandle = Phandle {
        named: name.is_some(),
        cpu: CpuNumber::new(0).unwrap(),
        pin,
        node: 1,
        incarnation: 1,
        sequence,
    };
    Asker { member: Member { open: OpenId(open), phandle, name }, uid: 1000 }
}

fn far(number: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()))
}

impl Story {
    fn new() -> Self {
        Self { state: State::default(), kernel: Fake(BTreeMap::new()), syncs: 0 }
    }

    /// A listener of open 1.
    fn with_listener() -> Self {
        let mut story = Self::new();
        story.state.keep(&asker(1), LISTENER, SocketRole::Listener, None);
        story
    }

    /// A listener of both halves of $APP, and a connection with this number that the primary has claimed.
    fn with_connection(id: u64) -> Self {
        let mut story = Self::with_listener();
        story.join(2, LISTENER, 1).unwrap();
        story.accept(1, LISTENER).unwrap();
        story.connect(id);
        story.claim(1, id).unwrap();
        story.actions();
        story
    }

    fn accept(&mut self, open: u64, listener: SocketId) -> Result<u64, FileError> {
        self.state.may_accept(OpenId(open), listener, 5, 1)?;
        self.syncs += 1;
        self.state.accept(OpenId(open), SyncId(self.syncs), listener, &self.kernel);
        Ok(self.syncs)
    }

    fn accept_and_claim(&mut self, open: u64, listener: SocketId) -> Result<u64, FileError> {
        self.state.may_accept(OpenId(open), listener, 5, CLAIMING_MAX)?;
        self.syncs += 1;
        self.state.accept_and_claim(&asker(open), SyncId(self.syncs), listener, &self.kernel);
        Ok(self.syncs)
    }

    fn connect(&mut self, id: u64) {
        self.state.accepted(LISTENER, SocketId(id), ADDRESS.parse().unwrap(), far(id));
    }

    fn claim(&mut self, open: u64, id: u64) -> Result<SocketId, FileError> {
        self.state.claim(&asker(open), far(id), None, &self.kernel).map(|(id, ..)| id)
    }

    fn join(&mut self, open: u64, id: SocketId, brother: u64) -> Result<SocketRole, FileError> {
        self.state.join(&asker(open), id, asker(brother).member.phandle)
    }

    fn dies(&mut self, open: u64) {
        self.state.opener_gone(OpenId(open), true, &self.kernel);
    }

    fn ticks(&mut self, count: u32) {
        for _ in 0..count {
            self.state.tick(&self.kernel);
        }
    }

    /// What was to be done, in short.
    fn actions(&mut self) -> Vec<String> {
        let short = |action| match action {
            Action::Answer { open, with: Ok(SocketReply::Pending { remote, .. }), .. } => {
                format!("{open} is told of {}", remote.port())
            }
            Action::Answer { open, with: Ok(SocketReply::Claimed { socket, .. }), .. } => {
                format!("{open} has {socket}")
            }
            Action::Answer { open, with: Err(error), .. } => format!("{open} gets {}", error.0),
            Action::Answer { .. } => "a strange answer".to_owned(),
            Action::Forget { open, .. } => format!("{open} is forgotten"),
            Action::Accept { .. } => "accept".to_owned(),
            Action::Close { socket, reset: true } => format!("reset {socket}"),
            Action::Close { socket, reset: false } => format!("close {socket}"),
        };
        std::iter::from_fn(|| self.state.poll_action()).map(short).collect()
    }
}

// The acceptor of a pair dies with its CPU: what it had in hand would be reset, and the listener be gone.
#[test]
fn a_carried_listener_waits_for_the_next_who_carries_it() {
    let mut story = Story::new();
    story.state.carry(&asker(5), LISTENER, Some(ADDRESS.parse().unwrap()));
    assert_eq!(story.state.carried(1000).collect::<Vec<_>>(), [LISTENER]);
    assert_eq!(story.state.carried(1001).count(), 0);
    assert_eq!(story.state.may_accept(OpenId(5), LISTENER, 1, 1), Ok(false), "its queue is not made shorter");
    for id in [50, 51, 52] {
        story.accept_and_claim(5, LISTENER).unwrap();
        story.connect(id);
        assert_eq!(story.actions(), ["accept".to_owned(), format!("5 has {id}")]);
    }
    story.accept(5, LISTENER).unwrap();
    story.connect(53);
    assert_eq!(story.state.leave(OpenId(5), SocketId(50), &story.kernel), Ok(()));
    story.actions();
    // 50 is with the pair, and has been left; 51 is with it, too, and in use. Of 52 and 53 it knows nothing.
    story.kernel.0.insert(SocketId(51), Condition::Used);
    story.dies(5);
    assert_eq!(story.actions(), ["close 51"], "without a reset: the pair goes on with it");
    story.ticks(ORPHAN_TICKS - 1);
    assert_eq!(story.state.carry_on(&asker(6), LISTENER), Ok(()));
    assert_eq!(story.state.carry_on(&asker(6), LISTENER), Ok(()), "once");
    assert_eq!(story.state.list()[0].members.len(), 1);
    story.ticks(2);
    for id in [52, 53] {
        story.accept_and_claim(6, LISTENER).unwrap();
        assert_eq!(story.actions(), [format!("6 has {id}")]);
    }
}

// A pair that is gone would keep its port for ever; a reset would hit connections that another one has.
#[test]
fn a_carried_listener_that_nobody_carries_on_is_closed() {
    let mut story = Story::new();
    story.state.carry(&asker(5), LISTENER, None);
    story.accept(5, LISTENER).unwrap();
    story.connect(50);
    story.claim(5, 50).unwrap();
    story.actions();
    story.dies(5);
    story.ticks(ORPHAN_TICKS - 1);
    assert_eq!(story.actions(), [""; 0]);
    story.ticks(1);
    assert_eq!(story.actions(), ["close 1", "close 50"]);
    // An end in order waits for nobody.
    story.state.carry(&asker(6), LISTENER, None);
    story.state.opener_gone(OpenId(6), false, &story.kernel);
    assert_eq!(story.actions(), ["close 1"]);
    assert_eq!(story.state.carry_on(&asker(6), LISTENER), Err(FileError::WRONG_ID));
}

// One connection at a time would make each wait for the checkpoint of the one before.
#[test]
fn eight_accepts_that_claim_may_wait() {
    let mut story = Story::with_listener();
    for _ in 0..CLAIMING_MAX {
        story.accept_and_claim(1, LISTENER).unwrap();
    }
    assert_eq!(story.accept_and_claim(1, LISTENER), Err(errors::ALREADY));
    story.actions();
    story.connect(50);
    story.connect(51);
    assert_eq!(story.actions(), ["1 has 50", "1 has 51"]);
    assert_eq!(story.claim(2, 50), Err(errors::NOT_PENDING));
    story.state.cancelled(OpenId(1), SyncId(3), &story.kernel);
    assert_eq!(story.actions(), ["1 is forgotten"]);
    // What has come is of a dead process; what waits is forgotten, and claims nothing.
    story.state.join(&asker(2), LISTENER, asker(1).member.phandle).unwrap();
    story.dies(1);
    assert_eq!(story.actions(), ["1 is forgotten"; 5]);
    assert!(story.state.claiming.is_empty());
    for id in [50, 51] {
        story.accept(2, LISTENER).unwrap();
        assert_eq!(story.actions(), [format!("2 is told of {id}")]);
    }
}

// A server that gets nothing, or the wrong connection, serves nobody.
#[test]
fn a_connection_is_told_claimed_and_closed() {
    let mut story = Story::with_listener();
    assert_eq!(story.accept(1, LISTENER), Ok(1));
    assert_eq!(story.actions(), ["accept"]);
    assert_eq!(story.accept(1, LISTENER), Err(errors::ALREADY));
    story.connect(50);
    assert_eq!(story.actions(), ["1 is told of 50"]);
    assert!(!story.state.wants_connection(LISTENER));
    assert_eq!(story.claim(1, 51), Err(errors::NOT_PENDING));
    assert_eq!(story.claim(1, 50), Ok(SocketId(50)));
    assert_eq!(story.claim(1, 50), Err(errors::NOT_PENDING));
    assert_eq!(story.state.leave(OpenId(1), SocketId(50), &story.kernel), Ok(()));
    assert_eq!(story.actions(), ["close 50"]);
}

// The process that listens and the one that serves are two in every installation with a LISTNER.
#[test]
fn another_process_claims_by_address() {
    let mut story = Story::with_listener();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    let (remote, local) = ("[::ffff:10.0.0.1]:50".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
    let mut claim = |local| story.state.claim(&asker(5), remote, local, &story.kernel).map(|(id, ..)| id);
    assert_eq!(claim(Some(local)), Err(errors::NOT_PENDING));
    assert_eq!(claim(Some(ADDRESS.parse().unwrap())), Ok(SocketId(50)));
    story.dies(5);
    assert_eq!(story.actions(), ["accept", "1 is told of 50"], "pristine: offered again, and nobody waits");
    assert_eq!(story.accept(1, LISTENER), Ok(2));
    assert_eq!(story.actions(), ["1 is told of 50"]);
}

#[test]
fn a_foreign_user_gets_nothing() {
    let mut story = Story::with_listener();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    let stranger = Asker { uid: 1001, ..asker(5) };
    let refused = story.state.claim(&stranger, far(50), None, &story.kernel);
    assert_eq!(refused, Err(FileError::SECURITY_VIOLATION));
}

// A cancelled accept that kept its connection would lose a client (A5: as CIP, not as conventional TCP/IP).
#[test]
fn a_cancelled_accept_gives_its_connection_back() {
    let mut story = Story::with_listener();
    let sync = story.accept(1, LISTENER).unwrap();
    story.state.cancelled(OpenId(1), SyncId(sync), &story.kernel);
    assert_eq!(story.actions(), ["accept", "1 is forgotten"]);
    let sync = story.accept(1, LISTENER).unwrap();
    story.connect(50);
    // The cancellation has crossed with the reply.
    story.state.cancelled(OpenId(1), SyncId(sync), &story.kernel);
    assert_eq!(story.actions(), ["accept", "1 is told of 50"]);
    story.accept(1, LISTENER).unwrap();
    assert_eq!(story.actions(), ["1 is told of 50"]);
    assert_eq!(story.claim(1, 50), Ok(SocketId(50)));
    // A connection that is claimed has nothing to do with the accept any more.
    story.state.cancelled(OpenId(1), SyncId(sync + 1), &story.kernel);
    assert_eq!(story.actions(), [""; 0]);
}

// The connection that the dead primary was told of would be lost to everybody.
#[test]
fn what_a_dead_process_was_told_of_goes_to_who_waits() {
    let mut story = Story::with_listener();
    story.join(2, LISTENER, 1).unwrap();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    story.accept(2, LISTENER).unwrap();
    story.actions();
    story.dies(1);
    assert_eq!(story.actions(), ["2 is told of 50"]);
    assert_eq!(story.claim(2, 50), Ok(SocketId(50)));
}

#[test]
fn a_pristine_connection_is_offered_again_and_may_still_be_joined() {
    for told in [false, true] {
        let mut story = Story::with_connection(50);
        if told {
            story.accept(2, LISTENER).unwrap();
            assert_eq!(story.actions(), ["accept"]);
        }
        story.dies(1);
        let expected: &[&str] = if told { &["2 is told of 50"] } else { &[] };
        assert_eq!(story.actions(), expected);
        // The backup reads the message about the connection only now.
        assert_eq!(story.join(2, SocketId(50), 1), Ok(SocketRole::Stream));
        assert_eq!(story.claim(2, 50), Err(errors::NOT_PENDING));
        story.ticks(PENDING_TICKS);
        assert_eq!(story.actions(), [""; 0]);
    }
}

#[test]
fn a_used_connection_waits_for_the_other_half_and_is_reset() {
    for late in [false, true] {
        let mut story = Story::with_connection(50);
        story.kernel.0.insert(SocketId(50), Condition::Used);
        story.dies(1);
        story.ticks(ORPHAN_TICKS - 1);
        assert_eq!(story.actions(), [""; 0]);
        if late {
            story.ticks(1);
            assert_eq!(story.actions(), ["reset 50"]);
            assert_eq!(story.join(2, SocketId(50), 1), Err(FileError::WRONG_ID));
        } else {
            assert_eq!(story.join(2, SocketId(50), 1), Ok(SocketRole::Stream));
            story.ticks(PENDING_TICKS);
            assert_eq!(story.actions(), [""; 0]);
        }
    }
}

// The clients of a pair that was stopped are to see its end at once, and no reset: what was sent to them is still under way.
#[test]
fn a_pair_that_ends_leaves_nothing_behind() {
    // The primary has closed its part, or not yet; or has died before, and the new one ends.
    for before in ["open", "left", "dead"] {
        let mut story = Story::with_connection(50);
        story.state.keep(&asker(3), SocketId(9), SocketRole::Stream, None);
        story.kernel.0.insert(SocketId(50), Condition::Used);
        if before != "dead" {
            story.join(2, SocketId(50), 1).unwrap();
        }
        match before {
            "left" => story.state.leave(OpenId(1), SocketId(50), &story.kernel).unwrap(),
            "dead" => story.dies(1),
            _ => {}
        }
        let last = if before == "dead" { 2 } else { 1 };
        story.state.farewell(&asker(last).member, &story.kernel);
        let mut actions = story.actions();
        actions.sort();
        assert_eq!(actions, [format!("close {LISTENER}"), "close 50".to_owned()], "{before}");
        assert_eq!(story.state.len(), 1, "of another pair");
    }
}

// A peer that has gone needs no reset, and no ten seconds.
#[test]
fn a_connection_that_has_ended_is_no_orphan() {
    let mut story = Story::with_connection(50);
    story.kernel.0.insert(SocketId(50), Condition::Gone);
    story.dies(1);
    assert_eq!(story.actions(), ["close 50"]);
}

#[test]
fn a_connection_that_has_ended_while_it_waited_is_not_given_out() {
    let mut story = Story::with_listener();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    story.kernel.0.insert(SocketId(50), Condition::Gone);
    story.actions();
    assert_eq!(story.claim(1, 50), Err(errors::RESET));
    assert_eq!(story.actions(), ["close 50"]);
    let sync = story.accept(1, LISTENER).unwrap();
    story.connect(51);
    story.kernel.0.insert(SocketId(51), Condition::Gone);
    story.state.cancelled(OpenId(1), SyncId(sync), &story.kernel);
    story.accept(1, LISTENER).unwrap();
    assert_eq!(story.actions(), ["accept", "1 is told of 51", "close 51", "accept"]);
}

// A process without a name has no other half: its clients are to see its end at once.
#[test]
fn sockets_of_a_process_without_a_name_go_with_it() {
    let mut story = Story::new();
    story.state.keep(&asker(5), LISTENER, SocketRole::Listener, None);
    story.state.keep(&asker(5), SocketId(2), SocketRole::Stream, None);
    story.accept(5, LISTENER).unwrap();
    story.connect(50);
    story.claim(5, 50).unwrap();
    story.actions();
    story.accept(5, LISTENER).unwrap();
    story.dies(5);
    assert_eq!(story.actions(), ["accept", "5 is forgotten", "close 1", "close 2", "close 50"]);
    assert!(story.state.is_empty());
}

// The listener of a pair whose backup has not joined yet would refuse every client after the takeover.
#[test]
fn a_listener_waits_for_the_other_half() {
    let mut story = Story::with_listener();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    story.dies(1);
    story.ticks(ORPHAN_TICKS - 1);
    assert_eq!(story.join(2, LISTENER, 1), Ok(SocketRole::Listener));
    story.actions();
    story.accept(2, LISTENER).unwrap();
    assert_eq!(story.actions(), ["2 is told of 50"]);
    story.dies(2);
    story.ticks(ORPHAN_TICKS);
    assert_eq!(story.actions(), ["close 1", "reset 50"]);
    assert!(story.state.is_empty());
}

#[test]
fn only_the_other_half_of_the_pair_joins() {
    let mut story = Story::with_listener();
    let no = Err(FileError::NO_PRIMARY_OPEN);
    assert_eq!(story.join(3, LISTENER, 1), no, "another pair");
    assert_eq!(story.join(5, LISTENER, 1), no, "no pair at all");
    assert_eq!(story.join(11, LISTENER, 1), no, "the member itself, over another open");
    assert_eq!(story.join(2, LISTENER, 4), no, "no member");
    assert_eq!(story.join(2, SocketId(9), 1), Err(FileError::WRONG_ID));
    assert_eq!(story.join(2, LISTENER, 1), Ok(SocketRole::Listener));
    assert_eq!(story.join(2, LISTENER, 1), Ok(SocketRole::Listener), "again");
    // A process may have joined, died, and be named as the brother by the next half.
    story.dies(1);
    assert_eq!(story.join(12, LISTENER, 1), Ok(SocketRole::Listener));
    assert_eq!(story.actions(), [""; 0]);
}

#[test]
fn strangers_and_wrong_values_are_refused() {
    let mut story = Story::with_listener();
    story.state.keep(&asker(1), SocketId(2), SocketRole::Datagram, None);
    assert_eq!(story.accept(5, LISTENER), Err(FileError::SECURITY_VIOLATION));
    assert_eq!(story.accept(1, SocketId(2)), Err(errors::INVALID));
    assert_eq!(story.accept(1, SocketId(9)), Err(FileError::WRONG_ID));
    for queue in [0, QUEUE_MAX + 1] {
        assert_eq!(story.state.may_accept(OpenId(1), LISTENER, queue, 1), Err(errors::INVALID));
    }
    assert_eq!(story.state.may_accept(OpenId(1), LISTENER, QUEUE_MAX, 1), Ok(true));
    story.state.listens(LISTENER, None);
    assert_eq!(story.state.may_accept(OpenId(1), LISTENER, 1, 1), Ok(false));
    assert_eq!(story.state.fetch(OpenId(5), LISTENER), Err(FileError::SECURITY_VIOLATION));
    assert_eq!(story.state.leave(OpenId(5), LISTENER, &story.kernel), Err(FileError::SECURITY_VIOLATION));
    assert_eq!(story.state.leave(OpenId(1), SocketId(9), &story.kernel), Err(FileError::WRONG_ID));
}

// One program that takes no connection must not fill the provider (S15).
#[test]
fn pending_connections_are_limited_and_go_back_in_time() {
    let mut story = Story::with_listener();
    let mut told = 0;
    for id in 0..PENDING_PER_LISTENER_MAX as u64 + 1 {
        story.accept(1, LISTENER).unwrap();
        if story.state.wants_connection(LISTENER) {
            story.connect(50 + id);
            told += 1;
        }
    }
    assert_eq!(told, PENDING_PER_LISTENER_MAX);
    story.actions();
    // One is claimed, so that there is room for one more.
    story.claim(1, 60).unwrap();
    assert_eq!(story.actions(), ["accept"]);
    story.connect(400);
    assert_eq!(story.actions(), ["1 is told of 400"]);
    // The first is taken for lost after a time, and told again.
    story.ticks(PENDING_TICKS);
    assert_eq!(story.accept(1, LISTENER), Ok(130));
    assert_eq!(story.actions(), ["1 is told of 50"]);
}

// The pending connection of a process that has closed its listener may be on its way to another process.
#[test]
fn what_was_told_outlives_its_listener_for_a_while() {
    let mut story = Story::with_listener();
    for id in [50, 51] {
        story.accept(1, LISTENER).unwrap();
        story.connect(id);
    }
    story.actions();
    story.state.leave(OpenId(1), LISTENER, &story.kernel).unwrap();
    assert_eq!(story.actions(), ["close 1"]);
    assert_eq!(story.claim(5, 50), Ok(SocketId(50)));
    // Its opener's end is heard again and again: that does not put the end off.
    for _ in 0..ORPHAN_TICKS {
        story.dies(1);
        story.ticks(1);
    }
    assert_eq!(story.actions(), ["reset 51"]);
}

#[test]
fn who_leaves_while_it_waits_is_answered() {
    let mut story = Story::with_listener();
    story.join(2, LISTENER, 1).unwrap();
    story.accept(1, LISTENER).unwrap();
    story.accept(2, LISTENER).unwrap();
    story.actions();
    story.state.leave(OpenId(1), LISTENER, &story.kernel).unwrap();
    assert_eq!(story.actions(), ["1 gets 593"]);
    story.connect(50);
    assert_eq!(story.actions(), ["2 is told of 50"]);
}

// An old connection with the same addresses would be handed to the server instead of the new one.
#[test]
fn an_address_pair_that_comes_again_is_the_new_connection() {
    let mut story = Story::with_listener();
    story.accept(1, LISTENER).unwrap();
    story.connect(50);
    story.accept(1, LISTENER).unwrap();
    story.actions();
    story.state.accepted(LISTENER, SocketId(70), ADDRESS.parse().unwrap(), far(50));
    assert_eq!(story.actions(), ["close 50", "1 is told of 50"]);
    assert_eq!(story.claim(1, 50), Ok(SocketId(70)));
}

// What the new primary of the provider does not know, nobody does.
#[test]
fn a_new_primary_goes_on_where_the_old_one_was() {
    let mut story = Story::with_connection(50);
    story.accept(1, LISTENER).unwrap();
    story.connect(51);
    story.state.keep(&asker(3), SocketId(60), SocketRole::Listener, None);
    story.dies(3);
    let before = story.state.list();
    let map: BTreeMap<u64, crate::stored::Stored> = story
        .state
        .take_changed()
        .into_iter()
        .filter_map(|(id, socket)| Some((id.0, (&socket?).into())))
        .collect();
    let sockets = map.iter().map(|(id, stored)| (SocketId(*id), stored.socket().expect("we made it")));
    let mut story = Story { state: State::restore(sockets), ..Story::new() };
    assert_eq!(story.state.list(), before);
    assert_eq!(story.state.take_changed(), []);
    assert_eq!(story.state.opens(), BTreeSet::from([OpenId(1), OpenId(2)]));
    assert_eq!(story.claim(5, 51), Ok(SocketId(51)));
    story.dies(1);
    story.ticks(ORPHAN_TICKS);
    assert_eq!(story.actions(), ["close 60"]);
    story.accept(2, LISTENER).unwrap();
    assert_eq!(story.actions(), ["2 is told of 50"]);
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Shows a listener that listens, and its number.
fn listen(state: &mut State, id: u64, local: &str) {
    state.keep(&asker(1), SocketId(id), SocketRole::Listener, None);
    state.listens(SocketId(id), Some(address(local)));
}

// A connection that was accepted by a primary that died would be reset, or go to another server.
#[test]
fn a_saved_connection_goes_to_its_listener() {
    let mut state = State::default();
    listen(&mut state, 1, "0.0.0.0:80");
    listen(&mut state, 2, "10.0.0.9:80");
    listen(&mut state, 3, "10.0.0.9:81");
    listen(&mut state, 4, "[::]:80");
    listen(&mut state, 5, "[fe80::1]:82");
    state.keep(&asker(1), SocketId(6), SocketRole::Listener, Some(address("10.0.0.9:83")));
    state.keep(&asker(1), SocketId(7), SocketRole::Datagram, Some(address("10.0.0.9:84")));
    let of = |local| state.listener_of_saved(address(local), far(1), Condition::Pristine, |_| false);
    assert_eq!(of("10.0.0.9:80"), Some(SocketId(2)), "before the one with all addresses");
    assert_eq!(of("10.0.0.8:80"), Some(SocketId(1)));
    assert_eq!(of("10.0.0.9:81"), Some(SocketId(3)));
    assert_eq!(of("[::ffff:10.0.0.9]:80"), Some(SocketId(4)), "a listener for both kinds");
    assert_eq!(of("[fe80::1]:82"), Some(SocketId(5)));
    assert_eq!(of("10.0.0.8:81"), None);
    assert_eq!(of("10.0.0.9:83"), None, "it does not listen");
    assert_eq!(of("10.0.0.9:84"), None, "it is no listener");
}

// With SO_REUSEPORT a connection could wait at a listener at which nobody asks.
#[test]
fn of_listeners_with_one_address_one_where_somebody_waits_gets_what_was_saved() {
    let mut story = Story::new();
    listen(&mut story.state, 1, ADDRESS);
    listen(&mut story.state, 2, ADDRESS);
    let of =
        |state: &State| state.listener_of_saved(address(ADDRESS), far(1), Condition::Pristine, |_| false);
    story.accept(1, SocketId(1)).unwrap();
    assert_eq!(of(&story.state), Some(SocketId(1)));
}

// A connection would be handed out twice.
#[test]
fn a_saved_connection_that_is_known_is_not_taken_in() {
    let mut story = Story::with_connection(50);
    story.state.listens(LISTENER, Some(address(ADDRESS)));
    let of = |state: &State, is_same: bool| {
        state.listener_of_saved(address(ADDRESS), far(50), Condition::Pristine, |id| {
            assert_eq!(id, SocketId(50), "the only one with these addresses");
            is_same
        })
    };
    assert_eq!(of(&story.state, true), None);
    assert_eq!(of(&story.state, false), Some(LISTENER), "another one with the same addresses");
    // Claimed, used and left between the takeover and its arrival.
    story.state.leave(OpenId(1), SocketId(50), &story.kernel).unwrap();
    for condition in [Condition::Used, Condition::Gone] {
        assert_eq!(
            story.state.listener_of_saved(address(ADDRESS), far(50), condition, |_| false),
            None,
            "{condition:?}"
        );
    }
}

// A connection that arrives before the accept comes again must wait for it.
#[test]
fn a_saved_connection_waits_for_the_next_accept() {
    let mut story = Story::with_listener();
    story.connect(50);
    assert_eq!(story.actions(), Vec::<String>::new());
    story.accept(1, LISTENER).unwrap();
    assert_eq!(story.actions(), ["1 is told of 50"]);
    assert_eq!(story.claim(1, 50), Ok(SocketId(50)));
}
