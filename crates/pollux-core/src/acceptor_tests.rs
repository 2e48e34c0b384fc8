//! Stories of an acceptor, told in a line each.

use super::*;

const LISTENER: SocketId = SocketId(1);

fn far(number: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()))
}

/// An acceptor with its own clock.
struct Story {
    acceptor: Acceptor,
    now: Instant,
}

impl Story {
    fn begin(has_provider: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the beginning of a clock that only the test moves")]
        let now = Instant::now();
        Self { acceptor: Acceptor::new(now, has_provider), now }
    }

    /// The provider has the listener, and was asked for a connection.
    fn with_provider() -> Self {
        let mut story = Self::begin(true);
        assert_eq!(story.does(), ["open"]);
        story.acceptor.handle_opened();
        assert_eq!(story.does(), ["carry"]);
        story.answer(SocketRequest::Carry {}, Ok(SocketReply::Kept { socket: LISTENER }), false);
        assert_eq!(story.does(), ["accept"; ACCEPTS_MAX]);
        story
    }

    fn answer(&mut self, asked: SocketRequest, answer: Result<SocketReply, FileError>, came: bool) {
        self.acceptor.handle_answer(self.now, &asked, answer, came);
    }

    fn accepted(&mut self, number: u64, came: bool) {
        let (local, remote) = ("127.0.0.1:80".parse().unwrap(), far(number));
        let asked = SocketRequest::Accept { socket: LISTENER, queue: 1 };
        self.answer(asked, Ok(SocketReply::Claimed { socket: SocketId(number), local, remote }), came);
    }

    fn fetched(&mut self, number: u64, came: bool) {
        let asked = SocketRequest::Fetch { socket: SocketId(number) };
        self.answer(asked, Ok(SocketReply::Fetched {}), came);
    }

    fn refused(&mut self, error: FileError) {
        self.acceptor.handle_refused(self.now, error);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.acceptor.handle_time(self.now);
    }

    /// What the shell has to do, in short.
    fn does(&mut self) -> Vec<String> {
        let short = |command| match command {
            Command::Open => "open".to_owned(),
            Command::Drop => "drop".to_owned(),
            Command::HandOver { socket, remote } => format!("hand over {socket} from {}", remote.port()),
            Command::Ask(SocketRequest::Carry {}) => "carry".to_owned(),
            Command::Ask(SocketRequest::Accept { socket: LISTENER, .. }) => "accept".to_owned(),
            Command::Ask(SocketRequest::Fetch { socket }) => format!("fetch {socket}"),
            Command::Ask(SocketRequest::Leave { socket }) => format!("leave {socket}"),
            Command::Ask(other) => format!("{other:?}"),
        };
        std::iter::from_fn(|| self.acceptor.poll_command_if(true)).map(short).collect()
    }
}

// Left too early, a connection is lost with the pair's primary; left never, it stays open after the pair has closed it.
#[test]
fn a_connection_is_left_when_the_pair_has_it() {
    let mut story = Story::with_provider();
    assert!(!story.acceptor.accepts_itself());
    story.accepted(50, true);
    assert_eq!(story.does(), ["hand over 50 from 50", "accept"]);
    story.acceptor.handle_taken(SocketId(50));
    assert_eq!(story.does(), ["leave 50"]);
    story.answer(SocketRequest::Leave { socket: SocketId(50) }, Ok(SocketReply::Left {}), false);
    assert_eq!(story.does(), [""; 0]);
}

// A repeated reply comes without the descriptor.
#[test]
fn a_descriptor_that_did_not_come_is_fetched() {
    let mut story = Story::with_provider();
    story.accepted(50, false);
    assert_eq!(story.does(), ["fetch 50", "accept"]);
    story.fetched(50, false);
    assert_eq!(story.does(), ["fetch 50"]);
    story.fetched(50, true);
    assert_eq!(story.does(), ["hand over 50 from 50"]);
    // Somebody else has it, or it is gone: no place is held for it.
    story.accepted(51, false);
    story.does();
    story.answer(SocketRequest::Fetch { socket: SocketId(51) }, Err(FileError::WRONG_ID), false);
    assert_eq!(story.acceptor.fetches.len(), 0);
}

// Asked for without an end, it would fill the window of the open, and nothing could be asked any more.
#[test]
fn a_descriptor_that_never_comes_begins_all_anew() {
    let mut story = Story::with_provider();
    story.accepted(50, false);
    story.fetched(50, false);
    story.does();
    story.fetched(50, false);
    assert_eq!(story.does(), ["drop"]);
    assert!(!story.acceptor.accepts_itself());
    story.pass(RETRY_PAUSE);
    assert_eq!(story.does(), ["open"]);
}

// A slow pair would have a crowd of connections on its way, and each takes a descriptor in four processes.
#[test]
fn the_number_in_hand_is_bounded() {
    let mut story = Story::with_provider();
    let count = |done: Vec<String>| done.iter().filter(|done| *done == "accept").count();
    for number in 100..100 + u64::try_from(IN_HAND_MAX).unwrap() {
        story.accepted(number, true);
    }
    assert_eq!(count(story.does()), IN_HAND_MAX - ACCEPTS_MAX);
    story.acceptor.handle_taken(SocketId(101));
    assert_eq!(story.does(), ["leave 101", "accept"]);
    story.accepted(200, false);
    assert_eq!(story.does(), ["fetch 200"]);
    story.answer(SocketRequest::Fetch { socket: SocketId(200) }, Err(FileError::WRONG_ID), false);
    assert_eq!(story.does(), ["accept"]);
}

// Answers of an open that is gone would bring connections whose descriptors nobody has.
#[test]
fn a_lost_provider_is_opened_again() {
    let mut story = Story::with_provider();
    story.accepted(50, true);
    story.does();
    story.acceptor.handle_lost(story.now);
    assert_eq!(story.does(), ["drop"]);
    story.accepted(51, true);
    story.acceptor.handle_taken(SocketId(50));
    story.acceptor.handle_lost(story.now);
    assert_eq!(story.does(), [""; 0]);
    story.pass(RETRY_PAUSE);
    assert_eq!(story.does(), ["open"]);
    story.acceptor.handle_opened();
    story.answer(SocketRequest::Carry {}, Ok(SocketReply::Kept { socket: LISTENER }), false);
    assert_eq!(story.does()[..2], ["carry", "accept"]);
    // It is offered again; the pair knows that it has it.
    story.accepted(50, true);
    assert_eq!(story.does(), ["hand over 50 from 50", "accept"]);
    // The listener was taken away.
    story.answer(SocketRequest::Accept { socket: LISTENER, queue: 1 }, Err(FileError::WRONG_ID), false);
    assert_eq!(story.does(), ["drop"]);
}

// A node without a provider serves, too, and one that gets a provider later uses it.
#[test]
fn without_a_provider_the_acceptor_accepts() {
    let story = Story::begin(false);
    assert!(story.acceptor.accepts_itself());
    assert_eq!(story.acceptor.next_deadline(), None);
    let mut story = Story::begin(true);
    assert!(!story.acceptor.accepts_itself());
    story.does();
    story.refused(FileError::NO_SUCH_PROCESS);
    assert!(story.acceptor.accepts_itself());
    story.pass(OWN_PAUSE - Duration::from_millis(1));
    assert_eq!(story.does(), [""; 0]);
    story.pass(Duration::from_millis(1));
    assert_eq!(story.does(), ["open"]);
    story.acceptor.handle_opened();
    story.does();
    // It has no room: as if it were not there.
    story.answer(SocketRequest::Carry {}, Err(FileError(4121)), false);
    assert_eq!(story.does(), ["drop"]);
    assert!(story.acceptor.accepts_itself());
}

// A provider that takes over has connections: the listener must not be emptied beside it. One that never comes back must
// not keep clients waiting.
#[test]
fn a_provider_that_changes_hands_is_waited_for_ten_seconds() {
    let mut story = Story::begin(true);
    let (mut tries, begin) = (0, story.now);
    while story.now < begin + CHANGE_MAX {
        assert_eq!(story.does(), ["open"]);
        story.refused(FileError::PATH_DOWN);
        assert!(!story.acceptor.accepts_itself());
        assert_eq!(story.acceptor.next_deadline(), Some(story.now + RETRY_PAUSE));
        story.pass(RETRY_PAUSE);
        tries += 1;
    }
    assert_eq!(tries, 500);
    story.does();
    story.refused(FileError::PATH_DOWN);
    assert!(story.acceptor.accepts_itself());
    // Nor one that never answers the open.
    let mut story = Story::begin(true);
    story.does();
    story.pass(CHANGE_MAX);
    assert_eq!(story.does(), ["drop"]);
    assert!(story.acceptor.accepts_itself());
}

// Taken twice, a client would be answered twice, or its request be read from the middle.
#[test]
fn a_connection_is_taken_once() {
    let at = |consumed, produced| Some(KernelPositions { consumed, produced });
    assert!(is_new(false, at(0, 0)));
    assert!(is_new(false, None), "what cannot be asked is taken");
    assert!(!is_new(true, at(0, 0)), "held, and nothing was said yet");
    assert!(!is_new(true, at(5, 7)));
    assert!(!is_new(true, None));
    assert!(!is_new(false, at(5, 0)), "had, and closed since");
    assert!(!is_new(false, at(0, 7)));
}
