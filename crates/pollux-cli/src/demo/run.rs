//! The course of a demo: node, pair, state, load, faults, verdict.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollux_os::StopSignals;
use pollux_wire::event::EventKind;
use pollux_wire::{CpuNumber, ProcessName};

use super::Demo;
use super::faults::{Pauses, Prepared, Schedule, WINDOW};
use super::fill::State;
use super::live::{Live, Snapshot};
use super::load::{Load, Seen};
use super::progress::{Progress, Stage};
use super::report::{Course, Report};
use crate::commands::run::{What, launch_and_join};
use crate::error::{Failure, Result};
use crate::events::{EventLine, Follower};
use crate::place::{Place, Purpose};
use crate::program::{Program, Streams};
use crate::start::Settings;
use crate::survey::{Daemons, Survey};

/// The pair's name.
const NAME: &str = "$KV";
/// The pair is whole at the start by then.
const JOIN_MAX: Duration = Duration::from_secs(15);
/// The pair is whole again after a fault by then.
const REPAIR_MAX: Duration = Duration::from_secs(15);
/// What is due is answered, and everything is read back, by then.
const STAGE_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks at signals, events and the pair: looking costs time that the pair needs to recover.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Load before the first fault and after the last one.
const WARM_UP: Duration = Duration::from_millis(500);
/// A port may be taken by somebody else between choosing it and using it.
const PORT_TRIES: u32 = 5;

/// Runs the demo. An error means that it could not be run; what the pair did wrong is in the report.
pub(super) fn run(demo: &Demo, live: &mut Live) -> Result<Report> {
    let stop = StopSignals::new()
        .map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "try again"))?;
    live.say(&format!("starting a node with {} CPUs and {NAME}, a pair of pollux-kv", demo.cpus));
    let settings = Settings { cpus: demo.cpus, ..Settings::DEFAULT };
    let place = Place::start(Purpose::Demo, &settings, demo.keep)?;
    let mut daemons = Daemons::of(place.node());
    let address = start_pair(&mut daemons)?;
    live.say(&format!("{NAME} is whole and listens on {address}: try redis-cli -p {}", address.port()));
    let state = fill(demo, live, address)?;
    let progress = Arc::new(Progress::new(Instant::now()));
    let load = Load::start(address, demo.clients, demo.seed, Arc::clone(&progress))?;
    let mut runner = Runner {
        demo,
        live,
        stop,
        daemons,
        events: Follower::new(&place.node().events()),
        name: pair_name(),
        progress,
        load: Some(load),
        pauses: Pauses::default(),
        snapshot: Snapshot { phase: "load", faults_wanted: demo.kills, ..Snapshot::default() },
        course: Course {
            clients: demo.clients,
            state_mib: demo.state_mib,
            seed: demo.seed,
            ..Course::default()
        },
    };
    let report = runner.run(state);
    runner.live.clear();
    if demo.keep {
        runner.live.say(&format!("logs and events stay in {}", place.node().directory().display()));
    }
    report
}

fn pair_name() -> ProcessName {
    ProcessName::new(NAME).expect("the name is right")
}

/// Starts the server as a pair on a free port of the loopback address.
fn start_pair(daemons: &mut Daemons) -> Result<SocketAddr> {
    let name = pair_name();
    let cpu = CpuNumber::new(0).expect("0 is a CPU");
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let address = free_port()?;
        let arguments = ["--bind", "127.0.0.1", "--port", &address.port().to_string()].map(str::to_owned);
        let program = Program::built_in_kv(&arguments, true)?;
        let streams = Streams::to_log(daemons.node(), Some(&name), &program.written)?;
        let log = streams.log.clone();
        let what = What { program: &program, name: Some(&name), log: log.as_deref() };
        match launch_and_join(daemons, cpu, &what, streams, JOIN_MAX) {
            Ok(_) => return Ok(address),
            Err(failure) if failure.what.contains("in use") => last = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::new("no port was free", "try again")))
}

fn free_port() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).map_err(|error| {
        Failure::new(format!("no port of 127.0.0.1 is free: {error}"), "is the loopback up?")
    })
}

fn fill(demo: &Demo, live: &mut Live, address: SocketAddr) -> Result<Option<State>> {
    if demo.state_mib == 0 {
        return Ok(None);
    }
    live.say(&format!("writing {} MiB of state", demo.state_mib));
    let state = State::fill(address, demo.state_mib).map_err(|error| {
        Failure::new(format!("cannot write the state: {error}"), "try less: --state-mib N")
    })?;
    Ok(Some(state))
}

/// Everything the loop of the demo needs.
struct Runner<'a> {
    demo: &'a Demo,
    live: &'a mut Live,
    stop: StopSignals,
    daemons: Daemons,
    events: Follower,
    name: ProcessName,
    progress: Arc<Progress>,
    load: Option<Load>,
    pauses: Pauses,
    snapshot: Snapshot,
    course: Course,
}

impl Runner<'_> {
    fn run(&mut self, state: Option<State>) -> Result<Report> {
        let start = Instant::now();
        let faults = self.do_faults();
        self.close_window(true);
        self.course.seconds = start.elapsed().as_secs_f64();
        self.course.acknowledged_under_load = self.progress.counts().acknowledged;
        self.note_problem(faults)?;
        // After a problem everything is read back all the same: it tells what the problem cost.
        let checked = self.check_all(state);
        self.note_problem(checked)?;
        self.read_events();
        let seen = match self.load.take() {
            Some(load) => load.end()?,
            None => Seen::default(),
        };
        let mut course = std::mem::take(&mut self.course);
        course.takeovers = self.snapshot.takeovers;
        course.switchovers = self.snapshot.switchovers;
        course.pauses_ms = self.pauses.sorted_ms();
        Ok(Report::new(course, seen))
    }

    /// A problem goes into the report; Ctrl-C ends the demo.
    fn note_problem(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(failure) if failure == Failure::interrupted() => Err(failure),
            Err(failure) => {
                self.course.problem.get_or_insert(failure.what);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn do_faults(&mut self) -> Result<()> {
        let every = Duration::from_millis(self.demo.every);
        let mut schedule = Schedule::new(self.demo.fault, self.demo.seed);
        let mut earliest = Instant::now() + WARM_UP;
        for _ in 0..self.demo.kills {
            self.tick_until(earliest)?;
            // A busy machine may have made a backup look hung meanwhile: it is replaced, as after a fault.
            let survey = self.wait_whole()?;
            let prepared = Prepared::new(&mut self.daemons, &survey, &self.name, schedule.next())?;
            self.snapshot.last_fault.clone_from(&prepared.text);
            self.close_window(true);
            self.progress.open_window();
            let now = Instant::now();
            self.pauses.open(now);
            let before = prepared.inject(&mut self.daemons)?;
            self.course.faults += 1;
            self.snapshot.faults += 1;
            earliest = now + every;
            let name = self.name.clone();
            self.wait_for("the pair was not whole again", |daemons| {
                Ok(before.repaired(&daemons.survey()?, &name).then_some(()))
            })?;
            self.course.repaired += 1;
        }
        self.tick_until(Instant::now() + WARM_UP.max(WINDOW))
    }

    fn wait_whole(&mut self) -> Result<Survey> {
        let name = self.name.clone();
        self.wait_for("the pair was not whole", |daemons| {
            Ok(Some(daemons.survey()?).filter(|survey| survey.whole(&name).is_ok()))
        })
    }

    fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Daemons) -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + REPAIR_MAX;
        loop {
            if let Some(found) = look(&mut self.daemons)? {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let last = &self.snapshot.last_fault;
                let text = format!("{what} within {} s (last fault: {last})", REPAIR_MAX.as_secs());
                return Err(Failure::new(text, "pollux demo --seed brings it back"));
            }
            self.tick()?;
        }
    }

    /// Waits for what is due, then reads everything back.
    fn check_all(&mut self, state: Option<State>) -> Result<()> {
        for (stage, phase) in [(Stage::Drain, "drain"), (Stage::Verify, "verify")] {
            self.snapshot.phase = phase;
            self.progress.order(stage);
            let deadline = Instant::now() + STAGE_MAX;
            while !self.progress.finished(stage) {
                if Instant::now() >= deadline {
                    let text =
                        format!("{phase}: requests were not answered within {} s", STAGE_MAX.as_secs());
                    return Err(Failure::new(text, "try again"));
                }
                self.tick()?;
            }
        }
        let Some(mut state) = state else { return Ok(()) };
        self.course.state_lost = state.verify().map_err(|error| {
            Failure::new(format!("the state could not be read back: {error}"), "try again")
        })?;
        Ok(())
    }

    fn tick_until(&mut self, until: Instant) -> Result<()> {
        while Instant::now() < until {
            self.tick()?;
        }
        Ok(())
    }

    /// One look at everything that happens by itself.
    fn tick(&mut self) -> Result<()> {
        if self.stop.take().is_some() {
            return Err(Failure::interrupted());
        }
        if self.load.as_ref().is_some_and(|load| !load.is_running()) {
            let load = self.load.take();
            load.map(Load::end).transpose()?;
            return Err(Failure::new("the load ended before its time", "try again"));
        }
        self.close_window(false);
        self.read_events();
        let counts = self.progress.counts();
        self.snapshot.acknowledged = counts.acknowledged;
        self.snapshot.wrong = counts.wrong();
        self.snapshot.pause = self.pauses.max();
        self.live.show(Instant::now(), &self.snapshot);
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }

    fn close_window(&mut self, at_once: bool) {
        let now = Instant::now();
        if self.pauses.is_due(now, at_once) {
            let longest = self.progress.close_window(now);
            self.pauses.close(longest);
        }
    }

    /// Takeovers are counted by what the node itself wrote down: an event per takeover is part of the promise.
    fn read_events(&mut self) {
        // A file that cannot be read for a moment is read later; at the end it is what was counted.
        for line in self.events.lines().unwrap_or_default() {
            let Some(event) = EventLine::parse(&line) else { continue };
            if event.name.as_deref() != Some(NAME) {
                continue;
            }
            match event.kind() {
                Some(EventKind::Takeover) => self.snapshot.takeovers += 1,
                Some(EventKind::Switchover) => self.snapshot.switchovers += 1,
                _ => {}
            }
        }
    }
}
