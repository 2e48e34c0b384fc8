//! The keeper at work: a pair whose primary has the program as its child, and whose halves both hold its listeners.
//!
//! One thread: the machine decides, the table of listeners decides, and here descriptors and processes follow. Every
//! event is a turn of the pair, so what is held, and how many runs there were, is with the backup before it matters:
//! a `listen` of the program goes on only when the backup holds the socket.

use crate::calls::{self, Socket};
use crate::child::{self, Child, NotStarted, Place};
use crate::given;
use crate::label::Label;
use crate::listeners::{Bind, Listen, Listener, Listeners, Wish};
use crate::machine::{Command, GRACE, Machine, Remains};
use crate::options::Options;
use crate::policy::{End, Next, Runs};
use crate::threshold::Gate;
use crate::timer::Timer;
use pollux::{Cell, Event, HeldId, Pair, Receive, ReceiveDepth, Result, WatchId};
use pollux_os::{Call, CallGate, Signal, WaitingCall, socket_pair};
use pollux_wire::admin::Kept;
use pollux_wire::event::EventKind;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Between two looks at what the program has open.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Calls of the program that are decided in one turn: each may hold a descriptor, and a turn holds 16.
const CALLS_PER_TURN_MAX: usize = 8;

/// The keeper of one program.
pub(crate) struct Keeper {
    options: Options,
    pair: Pair,
    receive: Receive,
    runs: Cell<Runs>,
    machine: Machine,
    listeners: Listeners,
    /// Where the program was last seen to have its listeners open.
    places: BTreeMap<u64, Place>,
    timer: Timer,
    timer_watch: WatchId,
    run: Option<Run>,
    /// The leader of a run that has ended, or that the other half began, while something may be left of it; watched until
    /// it is gone.
    remains: Option<(OwnedFd, Option<WatchId>)>,
    /// The held pidfd of the last run.
    program: Option<HeldId>,
    /// How often this half had become the primary when it was last looked.
    promotions: Option<u64>,
    /// Descriptors that could not be held are told once.
    complained: bool,
}

/// A run of the program.
struct Run {
    child: Child,
    bell: WatchId,
    gate: Option<(CallGate, WatchId)>,
    /// Calls that go on when the backup has their socket.
    waiting: BTreeMap<WatchId, u64>,
}

impl Keeper {
    /// Runs the keeper to its end; the exit code is the program's.
    pub(crate) fn run(options: Options) -> Result<ExitCode> {
        let pair = Pair::join()?;
        let failed = |what: &'static str| move |source: io::Error| pollux::Error::System { what, source };
        // What the program starts and abandons comes to us, to be seen and ended with it.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| failed("become the reaper of orphans")(errno.into()))?;
        let mut receive = pair.receive(ReceiveDepth::ONE)?;
        receive.tick_every(LOOK_EVERY);
        let timer = Timer::new().map_err(failed("make a timer"))?;
        let watch = timer.as_fd().try_clone_to_owned().map_err(failed("watch a timer"))?;
        let timer_watch = receive.watch_local(watch)?;
        let keeper = Keeper {
            machine: Machine::new(options.restart, options.restart_limit),
            runs: pair.cell("runs")?,
            options,
            pair,
            receive,
            listeners: Listeners::default(),
            places: BTreeMap::new(),
            timer,
            timer_watch,
            run: None,
            remains: None,
            program: None,
            promotions: None,
            complained: false,
        };
        keeper.serve()
    }

    fn serve(mut self) -> Result<ExitCode> {
        while let Some(event) = self.receive.event()? {
            let (promotions, took_over) = self.pair.promotions();
            if self.promotions.replace(promotions) != Some(promotions)
                && let Err(why) = self.begin_as_primary(took_over)?
            {
                pollux_os::say!("pollux: {}: {why}", self.pair.name());
                return self.finish(1);
            }
            match event {
                Event::Local(id) => self.handle_local(id)?,
                Event::Tick => self.look()?,
                _ => {}
            }
            self.machine.handle_time(Instant::now());
            if let Some(code) = self.obey()? {
                return self.finish(code);
            }
        }
        // The pair has been stopped: nothing takes over. The program is asked first.
        let code = self.end_run();
        Ok(ExitCode::from(code))
    }

    /// This half is the primary, for the first time or again. The inner error is the user's: an address that is taken.
    fn begin_as_primary(&mut self, took_over: bool) -> Result<std::result::Result<(), String>> {
        self.forget_run();
        let mut listeners = Vec::new();
        let mut program = None;
        for (id, label) in self.pair.held() {
            match Label::read(&label) {
                Some(Label::Program { .. }) => program = Some(id),
                Some(Label::Listener(listener)) => listeners.push((id, listener)),
                None => pollux_os::say!("pollux: {}: a held descriptor has no label", self.pair.name()),
            }
        }
        self.listeners = Listeners::of(listeners);
        self.program = program;
        let runs = self.runs.get()?.unwrap_or_default();
        if runs.begun == 0 {
            match given::listen_all(&self.options.listen) {
                Ok(opened) => {
                    for (fd, listener) in opened {
                        let id = self.pair.hold(fd, &Label::Listener(listener.clone()).write())?;
                        self.listeners.hold(id, listener);
                    }
                }
                Err(why) => return Ok(Err(why)),
            }
        }
        let mut remains = Remains::None;
        if let Some(id) = program {
            let pidfd = self.pair.descriptor(id)?;
            let copy = self.pair.descriptor(id)?;
            self.remains = Some((pidfd, Some(self.receive.watch_local(copy)?)));
            remains = if took_over { Remains::Killed } else { Remains::Alive };
        }
        self.machine.handle_promoted(Instant::now(), runs, remains);
        self.tell_kept(None)?;
        Ok(Ok(()))
    }

    /// What belongs to an earlier life of this half: the other half has ended that run.
    fn forget_run(&mut self) {
        self.forget_remains();
        if let Some(run) = self.run.take() {
            self.receive.unwatch_local(run.bell);
            self.close_gate(run.gate, run.waiting);
        }
        self.places.clear();
    }

    fn forget_remains(&mut self) {
        if let Some((_, Some(watch))) = self.remains.take() {
            self.receive.unwatch_local(watch);
        }
    }

    fn close_gate(&mut self, gate: Option<(CallGate, WatchId)>, waiting: BTreeMap<WatchId, u64>) {
        let watches = gate.iter().map(|(_, watch)| *watch).chain(waiting.into_keys());
        watches.for_each(|watch| self.receive.unwatch_local(watch));
    }

    fn handle_local(&mut self, id: WatchId) -> Result<()> {
        if id == self.timer_watch {
            self.timer.quiet();
            return Ok(());
        }
        if let Some((_, watch)) = &mut self.remains
            && watch.take_if(|watch| *watch == id).is_some()
        {
            self.receive.unwatch_local(id);
            self.machine.handle_cleared();
            return Ok(());
        }
        let Some(run) = &mut self.run else { return Ok(()) };
        if let Some(call) = run.waiting.remove(&id) {
            if let Some((gate, _)) = &run.gate {
                decided(gate.go_on(call));
            }
            self.receive.unwatch_local(id);
        } else if run.bell == id {
            if let Some(end) = run.child.end() {
                self.run_ended(end)?;
            }
        } else if run.gate.as_ref().is_some_and(|(_, watch)| *watch == id) {
            self.decide_calls()?;
        }
        Ok(())
    }

    fn run_ended(&mut self, end: End) -> Result<()> {
        let Some(run) = self.run.take() else { return Ok(()) };
        self.receive.unwatch_local(run.bell);
        self.close_gate(run.gate, run.waiting);
        // What it leaves behind is reached by its pidfd.
        self.remains = run.child.pidfd.try_clone().ok().map(|pidfd| (pidfd, None));
        self.machine.handle_ended(Instant::now(), end);
        self.tell_kept(None)
    }

    /// Does what the machine says; the exit code when the keeper is to end.
    fn obey(&mut self) -> Result<Option<u8>> {
        while let Some(command) = self.machine.poll_command() {
            match command {
                Command::Start => {
                    if let Some(code) = self.start()? {
                        return Ok(Some(code));
                    }
                }
                Command::Terminate => child::signal_all(self.leader(), Signal::TERM),
                Command::Kill => child::signal_all(self.leader(), Signal::KILL),
                Command::Report(end, next) => self.report_end(end, next)?,
                Command::Finish(code) => return Ok(Some(code)),
            }
        }
        if self.runs.get()? != Some(self.machine.runs()) {
            self.runs.set(&self.machine.runs())?;
        }
        self.timer.set(self.machine.deadline());
        Ok(None)
    }

    fn leader(&self) -> Option<&OwnedFd> {
        let running = self.run.as_ref().map(|run| &*run.child.pidfd);
        running.or(self.remains.as_ref().map(|(pidfd, _)| pidfd))
    }

    /// Starts the program. The exit code, if the keeper cannot do what it is for.
    fn start(&mut self) -> Result<Option<u8>> {
        self.forget_remains();
        child::reap_orphans(None);
        let gate = match (self.options.keep_sockets, self.listeners.have_files()) {
            (false, _) => Gate::None,
            (true, false) => Gate::Listeners,
            (true, true) => Gate::ListenersAndFiles,
        };
        self.listeners.begin_run();
        self.places.clear();
        let handed_over = self.listeners.handed_over().into_iter().map(|(id, _)| self.pair.descriptor(id));
        let handed_over = handed_over.collect::<Result<Vec<OwnedFd>>>()?;
        match child::start(&self.options, gate, handed_over) {
            Ok((child, gate)) => self.started(child, gate)?,
            Err(NotStarted::Program(end, why)) => {
                pollux_os::say!("pollux: {}: {}: {why}", self.pair.name(), self.options.program.display());
                self.machine.handle_ended(Instant::now(), end);
            }
            Err(NotStarted::Gate(error)) => {
                pollux_os::say!(
                    "pollux: {}: the system calls of {} cannot be looked at: {error}\n  next: leave --keep-sockets out, and \
                     give the addresses that it listens on with --listen",
                    self.pair.name(),
                    self.options.program.display()
                );
                return Ok(Some(1));
            }
        }
        Ok(None)
    }

    fn started(&mut self, child: Child, gate: Option<CallGate>) -> Result<()> {
        let failed = |source| pollux::Error::System { what: "watch the program", source };
        let pid = child.pid.as_raw_pid().unsigned_abs();
        let held = child.pidfd.try_clone().map_err(failed)?;
        let held = self.pair.hold(held, &Label::Program { pid }.write())?;
        if let Some(old) = self.program.replace(held) {
            self.pair.release(old)?;
        }
        let bell = self.receive.watch_local(child.bell.as_fd().try_clone_to_owned().map_err(failed)?)?;
        let gate = match gate {
            None => None,
            Some(gate) => {
                let copy = gate.as_fd().try_clone_to_owned().map_err(failed)?;
                Some((gate, self.receive.watch_local(copy)?))
            }
        };
        self.run = Some(Run { child, bell, gate, waiting: BTreeMap::new() });
        self.machine.handle_started(Instant::now());
        let which = match self.machine.runs().begun {
            0 | 1 => String::new(),
            begun => format!("; restart {}", begun - 1),
        };
        let text = format!("{} runs as pid {pid}{which}", self.options.program.display());
        self.pair.report(EventKind::ProgramStarted, text)?;
        self.tell_kept(Some(pid))
    }

    fn report_end(&mut self, end: End, next: Next) -> Result<()> {
        let then = match next {
            Next::Again(pause) => format!("it is started again in {} ms", pause.as_millis()),
            Next::Finished => format!("the policy {} wants no restart", self.options.restart.name()),
            Next::GivenUp => format!("given up after {} restarts in a row", self.options.restart_limit),
        };
        let text = format!("{} {end}; {then}", self.options.program.display());
        pollux_os::say!("pollux: {}: {text}", self.pair.name());
        self.pair.report(EventKind::ProgramEnded, text)
    }

    fn tell_kept(&mut self, pid: Option<u32>) -> Result<()> {
        let program = self.options.program.display().to_string();
        let restarts = self.machine.runs().begun.saturating_sub(1);
        self.pair.report_kept(Kept { program, pid, restarts })
    }

    /// Decides calls that wait at the gate.
    fn decide_calls(&mut self) -> Result<()> {
        for _ in 0..CALLS_PER_TURN_MAX {
            let Some((gate, _)) = self.run.as_ref().and_then(|run| run.gate.as_ref()) else { return Ok(()) };
            let call = match gate.take() {
                Ok(Some(call)) => call,
                Ok(None) => return Ok(()),
                Err(source) => {
                    return Err(pollux::Error::System { what: "take a system call of the program", source });
                }
            };
            if !self.decide(&call)? {
                let Some((gate, _)) = self.run.as_ref().and_then(|run| run.gate.as_ref()) else {
                    return Ok(());
                };
                decided(gate.go_on(call.id));
            }
        }
        Ok(())
    }

    /// False: the kernel carries the call out, at once.
    fn decide(&mut self, call: &WaitingCall) -> Result<bool> {
        let Some((gate, _)) = self.run.as_ref().and_then(|run| run.gate.as_ref()) else { return Ok(true) };
        match call.call {
            Call::Bind { descriptor, address, length } => {
                let socket = Socket::of(call.thread, descriptor);
                let address = calls::address_at(call.thread, address, length);
                let (Some(socket), Some(address)) = (socket, address) else { return Ok(false) };
                let file = calls::file_of(call.thread, &address);
                // From here on it is certain that all this was the program's own.
                if !gate.waits(call.id) {
                    return Ok(true);
                }
                let wish =
                    Wish { inode: socket.inode, kind: socket.kind, address, shares: socket.shares(), file };
                let places = &self.places;
                match self.listeners.bind(wish, |inode| in_use(places, inode)) {
                    Bind::GoOn => Ok(false),
                    Bind::Has(_) => {
                        decided(gate.answer_done(call.id));
                        Ok(true)
                    }
                    Bind::Give(id) => {
                        let held = self.pair.descriptor(id)?;
                        let given = socket
                            .lend_flags(&held)
                            .and_then(|()| gate.replace(call.id, descriptor, &held, socket.close_on_exec));
                        if given.is_ok() {
                            decided(gate.answer_done(call.id));
                        }
                        Ok(given.is_ok())
                    }
                }
            }
            Call::Listen { descriptor } => {
                let Some(socket) = Socket::of(call.thread, descriptor) else { return Ok(false) };
                let local = calls::bound_to(&socket.fd).and_then(|local| calls::absolute(call.thread, local));
                let file = local.as_ref().and_then(|local| calls::file_of(call.thread, local));
                if !gate.waits(call.id) {
                    return Ok(true);
                }
                let shown = local.clone();
                let Listen::Hold(key, replaced) = self.listeners.listen(socket.inode, socket.kind, local)
                else {
                    return Ok(false);
                };
                for id in replaced {
                    self.release(id, "another socket has its path")?;
                }
                let listener = Listener { key, inode: socket.inode, file, handed_over: None };
                let shown = shown.map_or_else(String::new, |shown| shown.to_string());
                self.hold(socket.fd, listener, call.id, &shown)
            }
            Call::Unlink { directory, path } => {
                let Some(file) = calls::file_to_unlink(call.thread, directory, path) else {
                    return Ok(false);
                };
                let protects = self.listeners.protects(file);
                if protects {
                    // The file leads to the listener that the program is about to bind again.
                    decided(gate.answer_done(call.id));
                }
                Ok(protects)
            }
            Call::Other => Ok(false),
        }
    }

    /// Holds a socket; the call goes on when the backup holds it, too. False: it is not held.
    fn hold(&mut self, fd: OwnedFd, listener: Listener, call: u64, shown: &str) -> Result<bool> {
        let (near, far) = match socket_pair() {
            Ok(ends) => ends,
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    pollux_os::say!("pollux: {}: {shown} is not held: {error}", self.pair.name());
                }
                return Ok(false);
            }
        };
        let id = self.pair.hold(fd, &Label::Listener(listener.clone()).write())?;
        self.listeners.hold(id, listener);
        self.pair.hand_over(far, id)?;
        let watch = self.receive.watch_local(near)?;
        if let Some(run) = &mut self.run {
            run.waiting.insert(watch, call);
        }
        self.pair.report(EventKind::Listener, format!("{shown} is held"))?;
        Ok(true)
    }

    fn release(&mut self, id: HeldId, why: &str) -> Result<()> {
        if let Some(listener) = self.listeners.release(id) {
            self.places.remove(&listener.inode);
            self.pair
                .report(EventKind::Listener, format!("{} is held no more: {why}", listener.key.address))?;
        }
        self.pair.release(id)
    }

    /// Looks at what the program has left, and at which listeners it has closed.
    fn look(&mut self) -> Result<()> {
        let program = self.run.as_ref().map(|run| run.child.pid);
        child::reap_orphans(program);
        let Some(since) = self.machine.running_since() else { return Ok(()) };
        if !self.options.keep_sockets {
            return Ok(());
        }
        let lost: BTreeSet<u64> = self
            .listeners
            .claimed()
            .filter(|inode| !self.places.get(inode).is_some_and(|place| child::is_at(*place, *inode)))
            .collect();
        let mut unknown = false;
        if !lost.is_empty() {
            match child::find_sockets(&lost) {
                None => unknown = true,
                Some(found) => {
                    self.places.retain(|inode, _| !lost.contains(inode));
                    self.places.extend(found);
                }
            }
        }
        let places = &self.places;
        let given_up = self.listeners.look(since.elapsed(), |inode| unknown || places.contains_key(&inode));
        for id in given_up {
            self.release(id, "the program has not got it open")?;
        }
        Ok(())
    }

    /// Asks the program to end, kills what is left, and says how it ended.
    fn end_run(&mut self) -> u8 {
        let Some(run) = self.run.take() else {
            child::signal_all(self.leader(), Signal::KILL);
            return 0;
        };
        let gate = run.gate.as_ref().map(|(gate, _)| gate);
        let serve = || {
            while let Some(Ok(Some(call))) = gate.map(CallGate::take) {
                decided(gate.map_or(Ok(()), |gate| gate.go_on(call.id)));
            }
        };
        child::signal_all(Some(&run.child.pidfd), Signal::TERM);
        if !child::wait_all_gone(&run.child, GRACE, serve) {
            child::signal_all(Some(&run.child.pidfd), Signal::KILL);
            child::wait_all_gone(&run.child, GRACE, serve);
        }
        let end = run.child.end();
        let how = end.map_or_else(|| "does not end".to_owned(), |end| end.to_string());
        let text = format!("{} {how}; it was asked to", self.options.program.display());
        // The keeper ends anyhow.
        let _ = self.pair.report(EventKind::ProgramEnded, text);
        end.map_or(1, End::exit_code)
    }

    /// Ends the pair, the backup first, so that nothing is started again.
    fn finish(mut self, code: u8) -> Result<ExitCode> {
        self.end_run();
        self.pair.stop()?;
        Ok(ExitCode::from(code))
    }
}

/// A decision that does not arrive was for a process that is gone.
fn decided(result: io::Result<()>) {
    if let Err(error) = result {
        pollux_os::say!("pollux: a decision about a system call is lost: {error}");
    }
}

fn in_use(places: &BTreeMap<u64, Place>, inode: u64) -> bool {
    if places.get(&inode).is_some_and(|place| child::is_at(*place, inode)) {
        return true;
    }
    child::find_sockets(&BTreeSet::from([inode])).is_none_or(|found| !found.is_empty())
}
