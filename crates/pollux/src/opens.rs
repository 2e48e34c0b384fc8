//! Many opens waited for together, by a program with one thread and no runtime.

use crate::error::{Context, Error, Result};
use crate::link::{Answer, TOKEN_BITS};
use crate::requester::{PATIENCE, Server};
use pollux_os::Poller;
use pollux_wire::SyncId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests of one open that leave together though more may be started: the server wakes up, and works, beside who starts the others.
const REQUESTS_TOGETHER: usize = 8;

/// Many opens, of one server or of several, with requests under way on all of them.
///
/// ```no_run
/// # fn main() -> pollux::Result<()> {
/// let node = pollux::Node::connect()?;
/// let mut opens = pollux::Opens::new()?;
/// for name in ["$COUNT", "$KV"] {
///     let open = opens.add(node.open(name)?)?;
///     opens.start(open, b"alice")?;
/// }
/// while let Some((open, _, answer)) = opens.next(None)? {
///     println!("{open:?}: {}", String::from_utf8_lossy(&answer.payload));
/// }
/// # Ok(()) }
/// ```
pub struct Opens {
    poller: Poller,
    /// By number.
    members: Vec<Option<Member>>,
    /// Numbers of opens that were closed.
    free: Vec<usize>,
    /// Those that have something to send or have been read since the last wait: only these are asked before the next.
    awake: Vec<usize>,
    /// Those that have something to read; empty between the turns.
    ready: Vec<usize>,
    answers: VecDeque<(OpenNumber, SyncId, Answer)>,
    /// Requests whose answers were not handed out yet.
    outstanding: usize,
    /// When those that have not been heard since the last look are taken for silent.
    look_again: Instant,
}

/// An open in its [`Opens`]; free for another when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenNumber(usize);

impl OpenNumber {
    /// From 0, in the order of [`Opens::add`] while none was closed: for a table of the caller's.
    pub fn index(self) -> usize {
        self.0
    }
}

struct Member {
    server: Server,
    outstanding: usize,
    /// Requests that were started since the last flush.
    unsent: usize,
    /// It is in the list of those that are awake.
    is_awake: bool,
    /// It has answered, or begun to ask, since the last look.
    is_heard: bool,
}

impl Opens {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Self {
            poller: Poller::new().context("make a poller for opens")?,
            members: Vec::new(),
            free: Vec::new(),
            awake: Vec::new(),
            ready: Vec::new(),
            answers: VecDeque::new(),
            outstanding: 0,
            look_again: Instant::now() + PATIENCE,
        })
    }

    /// Takes a server in. Requests that were started on it before are not answered here.
    pub fn add(&mut self, mut server: Server) -> Result<OpenNumber> {
        let at = self.free.last().copied().unwrap_or(self.members.len());
        server.link_mut().move_to(self.poller.registry(), (at as u64) << TOKEN_BITS)?;
        let member = Some(Member { server, outstanding: 0, unsent: 0, is_awake: true, is_heard: true });
        match self.free.pop() {
            Some(at) => self.members[at] = member,
            None => self.members.push(member),
        }
        self.awake.push(at);
        Ok(OpenNumber(at))
    }

    /// Starts a request. It leaves with the next call of [`Opens::next`] at the latest, together with others of the same open.
    pub fn start(&mut self, open: OpenNumber, payload: &[u8]) -> Result<SyncId> {
        let member = self.members.get_mut(open.0).and_then(Option::as_mut);
        let member = member.ok_or(Error::Misuse("this open was closed"))?;
        let sync = member.server.link_mut().start_copy(payload, None)?;
        if member.outstanding == 0 {
            member.is_heard = true;
        }
        member.outstanding += 1;
        self.outstanding += 1;
        member.unsent += 1;
        if member.unsent == REQUESTS_TOGETHER {
            member.unsent = 0;
            member.server.link_mut().flush();
        }
        wake(&mut self.awake, member, open.0);
        Ok(sync)
    }

    /// Waits for the next answer on any of the opens, at most so long; `None` when the time is over, and when nothing is
    /// outstanding. The answer may carry an error number.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<Option<(OpenNumber, SyncId, Answer)>> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if let Some((open, sync, answer)) = self.answers.pop_front() {
                self.outstanding -= 1;
                if let Some(member) = self.members[open.0].as_mut() {
                    member.outstanding -= 1;
                }
                return Ok(Some((open, sync, answer)));
            }
            let now = Instant::now();
            if self.outstanding == 0 || deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(None);
            }
            self.look_for_silent(now);
            let until = deadline.map_or(self.look_again, |deadline| deadline.min(self.look_again));
            self.turn(until.saturating_duration_since(now))?;
        }
    }

    /// How many requests have no answer yet, or one that was not fetched.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The server of an open, for what it tells of itself.
    pub fn server(&self, open: OpenNumber) -> Option<&Server> {
        Some(&self.members.get(open.0)?.as_ref()?.server)
    }

    /// Ends an open; what is outstanding on it is given up.
    pub fn close(&mut self, open: OpenNumber) {
        if let Some(member) = self.members.get_mut(open.0).and_then(Option::take) {
            self.outstanding -= member.outstanding;
            self.answers.retain(|(of, ..)| *of != open);
            self.awake.retain(|at| *at != open.0);
            self.free.push(open.0);
        }
    }

    /// Writes what is queued, waits, and takes in what has come.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        while let Some(at) = self.awake.pop() {
            let Some(member) = self.members[at].as_mut() else { continue };
            (member.is_awake, member.unsent) = (false, 0);
            if let Err(error) = member.server.fetch_path() {
                wake(&mut self.awake, member, at);
                return Err(error);
            }
            let link = member.server.link_mut();
            // Answers are here already where a request has found its path lost: see `start`.
            if link.prepare_wait() || link.has_answers() {
                self.ready.push(at);
            }
        }
        // Those that have something already do not keep the others waiting for their turn.
        let wait = if self.ready.is_empty() { wait } else { Duration::ZERO };
        for event in self.poller.wait(Some(wait)).context("wait for opens")? {
            let at = (event.token >> TOKEN_BITS) as usize;
            if let Some(member) = self.members.get_mut(at).and_then(Option::as_mut) {
                member.server.link_mut().note_event(event.token);
                self.ready.push(at);
            }
        }
        while let Some(at) = self.ready.pop() {
            self.take_in(at);
        }
        Ok(())
    }

    /// Reads what one open has to tell. If it needs a path, it gets it before the next wait, as all that are awake.
    fn take_in(&mut self, at: usize) {
        let Some(member) = self.members[at].as_mut() else { return };
        member.is_heard = true;
        wake(&mut self.awake, member, at);
        member.server.link_mut().pump_ready();
        while let Some((sync, answer)) = member.server.link_mut().take_any_answer() {
            self.answers.push_back((OpenNumber(at), sync, answer));
        }
    }

    /// Opens that wait and have heard nothing for a while: whoever is primary is asked for.
    fn look_for_silent(&mut self, now: Instant) {
        if now < self.look_again {
            return;
        }
        self.look_again = now + PATIENCE;
        for at in 0..self.members.len() {
            let Some(member) = self.members[at].as_mut() else { continue };
            let was_heard = std::mem::take(&mut member.is_heard);
            if member.outstanding > 0 && !was_heard {
                member.server.link_mut().impatient();
                self.take_in(at);
            }
        }
    }
}

fn wake(awake: &mut Vec<usize>, member: &mut Member, at: usize) {
    if !member.is_awake {
        member.is_awake = true;
        awake.push(at);
    }
}
