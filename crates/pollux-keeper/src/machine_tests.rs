use super::*;
use Command::{Finish, Kill, Report, Start, Terminate};

struct Scene {
    machine: Machine,
    now: Instant,
}

impl Scene {
    fn new(policy: Restart) -> Self {
        Self { machine: Machine::new(policy, 0), now: Instant::now() }
    }

    fn commands(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.machine.poll_command()).collect()
    }

    /// Lets time pass to the deadline, which must be so far away.
    fn pass(&mut self, ms: u64) -> Vec<Command> {
        let deadline = self.machine.deadline().expect("there is a deadline");
        assert_eq!(deadline - self.now, Duration::from_millis(ms));
        self.machine.handle_time(deadline - Duration::from_nanos(1));
        assert_eq!(self.commands(), [], "nothing happens before its time");
        self.now = deadline;
        self.machine.handle_time(self.now);
        self.commands()
    }

    fn promoted(&mut self, runs: Runs, remains: Remains) -> Vec<Command> {
        self.machine.handle_promoted(self.now, runs, remains);
        self.commands()
    }

    fn ended(&mut self, end: End) -> Vec<Command> {
        self.machine.handle_ended(self.now, end);
        self.commands()
    }
}

const AGAIN: Next = Next::Again(Duration::from_millis(100));

// The ordinary life: a crash costs one short pause, in which what the program left behind is cleared away.
#[test]
fn a_program_that_ends_is_started_again() {
    let mut scene = Scene::new(Restart::Always);
    assert_eq!(scene.promoted(Runs::default(), Remains::None), [Start]);
    scene.machine.handle_started(scene.now);
    assert_eq!((scene.machine.deadline(), scene.machine.runs().begun), (None, 1));
    assert_eq!(scene.ended(End::Signal(9)), [Report(End::Signal(9), AGAIN), Terminate]);
    assert_eq!(scene.pass(100), [Kill, Start]);
    assert_eq!(scene.machine.runs(), Runs { begun: 2, early: 1 });
}

// The program of a dead primary must be gone before the new one runs: two servers on one data file destroy it.
#[test]
fn after_a_takeover_the_old_run_is_over_first() {
    let mut scene = Scene::new(Restart::Never);
    assert_eq!(scene.promoted(Runs { begun: 3, early: 2 }, Remains::Killed), [Kill]);
    scene.machine.handle_cleared();
    assert_eq!(scene.commands(), [Kill, Start]);
    assert_eq!(scene.machine.runs(), Runs { begun: 4, early: 2 });
    scene.machine.handle_cleared();
    assert_eq!(scene.commands(), [], "it is started once");
}

// After an exchange of roles the old program gets the time to end that any stop gives.
#[test]
fn after_a_switchover_the_old_run_is_asked_then_killed() {
    let mut scene = Scene::new(Restart::Always);
    assert_eq!(scene.promoted(Runs { begun: 1, early: 0 }, Remains::Alive), [Terminate]);
    assert_eq!(scene.pass(5_000), [Kill]);
    assert_eq!(scene.pass(5_000), [Start]);
}

// A policy that wants no restart ends the keeper with the program's own code.
#[test]
fn the_keeper_ends_with_its_program() {
    let mut scene = Scene::new(Restart::OnFailure);
    scene.promoted(Runs::default(), Remains::None);
    scene.machine.handle_started(scene.now);
    assert_eq!(scene.ended(End::Code(0)), [Report(End::Code(0), Next::Finished), Finish(0)]);
    assert_eq!(scene.machine.deadline(), None);
}

// A later start that fails is tried again: the file may be in the middle of its replacement.
#[test]
fn a_start_that_fails_later_is_tried_again() {
    let mut scene = Scene::new(Restart::Always);
    scene.promoted(Runs { begun: 4, early: 0 }, Remains::None);
    assert_eq!(scene.ended(End::NotStarted(26)), [Report(End::NotStarted(26), AGAIN), Terminate]);
    assert_eq!(scene.pass(100), [Kill, Start]);
}

// The roles come back while a pause runs: what the other half has done counts, nothing of before.
#[test]
fn an_older_life_is_forgotten() {
    let mut scene = Scene::new(Restart::Always);
    scene.promoted(Runs::default(), Remains::None);
    scene.machine.handle_started(scene.now);
    scene.machine.handle_ended(scene.now, End::Code(1));
    assert_eq!(scene.promoted(Runs { begun: 9, early: 1 }, Remains::Alive), [Terminate]);
    scene.machine.handle_cleared();
    assert_eq!(scene.commands(), [Kill, Start]);
    assert_eq!(scene.machine.runs().begun, 10);
}
