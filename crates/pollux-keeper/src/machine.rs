//! The life of a program under a keeper: what is done when it ends, when this half becomes the primary, when it is late.
//!
//! ```text
//!                  becomes primary,          nothing is left
//!                  an earlier run is left    of it
//!        Idle ----------------------> Clearing -------------+
//!          |  nothing is left                               |
//!          +------------------------------------------> Running <-----+
//!                                                         |  ended    | the pause is over
//!                                                         +-----> Pausing
//!                                                         |
//!                                                         +-----> Finished
//! ```
//!
//! Pure: it is handed the time, and hands out commands. Invariant: a run begins only when the one before has ended, also
//! when that was the run of the other half; a program never runs twice.

use crate::policy::{End, Next, Restart, Runs, after};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A program that was asked to end is killed after so long.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// What a killed program leaves behind is waited for at most so long: then something holds it in the kernel.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// What is left of a run of the other half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Nothing: this is the first run.
    None,
    /// The other half is gone: its program was killed with it, and is perhaps still ending.
    Killed,
    /// The roles were exchanged: the program runs on, without its keeper.
    Alive,
}

/// What is to be done. In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start the program; answered with `handle_started` or `handle_ended`.
    Start,
    /// Ask all processes of the run to end.
    Terminate,
    /// Kill all processes of the run.
    Kill,
    /// Tell people how the run ended, and what follows.
    Report(End, Next),
    /// The keeper ends with this exit code.
    Finish(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// An earlier run is being ended: asked until the deadline if not `killed`, then killed.
    Clearing {
        deadline: Instant,
        killed: bool,
    },
    Running {
        since: Instant,
    },
    /// The program is started again then.
    Pausing {
        until: Instant,
    },
    Finished,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    policy: Restart,
    limit: u32,
    runs: Runs,
    state: State,
    commands: VecDeque<Command>,
}

impl Machine {
    /// For a half that has not been the primary.
    pub(crate) fn new(policy: Restart, limit: u32) -> Self {
        Self { policy, limit, runs: Runs::default(), state: State::Idle, commands: VecDeque::new() }
    }

    /// This half is the primary, from here on; `runs` is what the pair knows.
    pub(crate) fn handle_promoted(&mut self, now: Instant, runs: Runs, remains: Remains) {
        self.runs = runs;
        self.commands.clear();
        match remains {
            Remains::None => self.start(),
            Remains::Killed => {
                self.commands.push_back(Command::Kill);
                self.state = State::Clearing { deadline: now + KILL_WAIT, killed: true };
            }
            Remains::Alive => {
                self.commands.push_back(Command::Terminate);
                self.state = State::Clearing { deadline: now + GRACE, killed: false };
            }
        }
    }

    /// The program runs.
    pub(crate) fn handle_started(&mut self, now: Instant) {
        self.state = State::Running { since: now };
    }

    /// The program has ended, or could not be started.
    pub(crate) fn handle_ended(&mut self, now: Instant, end: End) {
        let ran = match self.state {
            State::Running { since } => now.saturating_duration_since(since),
            _ => Duration::ZERO,
        };
        let next = after(self.policy, self.limit, &mut self.runs, end, ran);
        self.commands.push_back(Command::Report(end, next));
        match next {
            Next::Again(pause) => {
                // What it has started has the pause to end in good order.
                self.commands.push_back(Command::Terminate);
                self.state = State::Pausing { until: now + pause };
            }
            Next::Finished | Next::GivenUp => {
                self.commands.push_back(Command::Finish(end.exit_code()));
                self.state = State::Finished;
            }
        }
    }

    /// The program of an earlier run is gone.
    pub(crate) fn handle_cleared(&mut self) {
        if matches!(self.state, State::Clearing { .. }) {
            // Whatever it had started must not live beside the new run.
            self.commands.push_back(Command::Kill);
            self.start();
        }
    }

    /// Time has passed.
    pub(crate) fn handle_time(&mut self, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            State::Clearing { killed: false, .. } => {
                self.commands.push_back(Command::Kill);
                self.state = State::Clearing { deadline: now + KILL_WAIT, killed: true };
            }
            State::Clearing { killed: true, .. } => self.start(),
            State::Pausing { .. } => {
                self.commands.push_back(Command::Kill);
                self.start();
            }
            State::Idle | State::Running { .. } | State::Finished => {}
        }
    }

    /// When [`Machine::handle_time`] is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Clearing { deadline, .. } => Some(deadline),
            State::Pausing { until } => Some(until),
            State::Idle | State::Running { .. } | State::Finished => None,
        }
    }

    /// What is to be done next.
    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What the pair is to know.
    pub(crate) fn runs(&self) -> Runs {
        self.runs
    }

    /// Since when the program runs.
    pub(crate) fn running_since(&self) -> Option<Instant> {
        match self.state {
            State::Running { since } => Some(since),
            _ => None,
        }
    }

    fn start(&mut self) {
        self.runs.begun += 1;
        self.state = State::Idle;
        self.commands.push_back(Command::Start);
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
