//! The process of a domain server: one half of the pair `$ZDOM` of its node.
//!
//! The backup half waits inside of `Pair::join`. When the primary is gone it takes the files over (their lock was released by the
//! death), begins a new life, and takes the mastership back if it was the acting master's; the other servers
//! notice no more than a new epoch.
//!
//! ```text
//!   main thread: the pair ($RECEIVE, ticks) --Alive--> core thread: decides
//!   coordinator, files, runner, peers, programs: one thread each or more, which carry
//! ```
//!
//! Fail-fast: a core thread that hears nothing from the pair for `ALIVE_TICKS_MAX` of its own ticks ends the process. So does the
//! main thread when the core has not moved for as long. A half that has become the backup by a planned exchange of roles ends in
//! the same way, and comes back as a fresh backup.

use crate::address::Address;
use crate::core::{Core, Input, Output, Start};
use crate::identity::{self, Contact, Identity};
use crate::io::files::{self, Directory};
use crate::io::peers::Tls;
use crate::io::{coordinator, peers, programs, runner};
use crate::place::{client_socket, meeting_directory, program_socket};
use crate::settings::Settings;
use pollux::{Event as PairEvent, Pair, ReceiveDepth};
use pollux_domain::name::ServerName;
use pollux_domain::succession::{Mode, Tick};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

/// The name of the pair.
pub const PROCESS_NAME: &str = "$ZDOM";
/// The core is given the time so often.
const TICK: Duration = Duration::from_millis(10);
/// The main thread says that the pair lives so often.
const ALIVE_EVERY: Duration = Duration::from_millis(50);
/// Ticks without a word from the other thread after which the process ends.
const ALIVE_TICKS_MAX: u64 = 60;
/// So long a server that stops on purpose waits until it has left.
const LEAVE_MAX: Duration = Duration::from_millis(1_500);
/// The servers that meet on this host are looked for so often (legacy mode).
const MEET_EVERY: Duration = Duration::from_millis(500);

/// Runs a domain server with these words, in the node that started this process.
pub fn main(words: &[OsString]) -> ExitCode {
    let settings = match Settings::parse(words) {
        Ok(settings) => settings,
        Err(error) => return failed(&error.to_string()),
    };
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(what: &str) -> ExitCode {
    pollux_os::say!("domain server: {what}");
    ExitCode::FAILURE
}

fn run(settings: &Settings) -> Result<(), String> {
    let pair = Pair::join().map_err(|error| error.to_string())?;
    let mut receive = pair.receive(ReceiveDepth::ONE).map_err(|error| error.to_string())?;
    receive.tick_every(ALIVE_EVERY);
    let (inbox, alive) = (start(settings)?, Arc::new(Alive::default()));
    alive.start(inbox.core)?;
    let mut seen = (0, 0);
    loop {
        let event = receive.event().map_err(|error| error.to_string())?;
        match event {
            None => {
                drop(inbox.send.send(Input::Leave));
                // It may have left already: `pollux down` says so before it ends the node.
                let _ = alive.stopping.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);
                let deadline = Instant::now() + LEAVE_MAX;
                while Instant::now() < deadline && alive.stopping.load(Ordering::SeqCst) == 1 {
                    alive.pair.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(TICK);
                }
                return Ok(());
            }
            Some(PairEvent::Tick) => {
                alive.pair.fetch_add(1, Ordering::SeqCst);
                let core = alive.core.load(Ordering::SeqCst);
                seen = if core == seen.0 { (core, seen.1 + 1) } else { (core, 0) };
                if seen.1 >= ALIVE_TICKS_MAX {
                    return Err("the deciding thread does not move".to_owned());
                }
            }
            // Requests by the message system have another door; they are answered with error 2.
            Some(_) => {}
        }
    }
}

/// Counters by which the two threads watch each other.
#[derive(Debug, Default)]
struct Alive {
    pair: AtomicU64,
    core: AtomicU64,
    /// 0: runs; 1: stops; 2: has left.
    stopping: AtomicU64,
}

impl Alive {
    fn start(self: &Arc<Self>, mut shell: Shell) -> Result<(), String> {
        let alive = Arc::clone(self);
        let work = move || {
            let ended = shell.work(&alive);
            if let Err(error) = ended {
                pollux_os::say!("domain server: {error}");
                process::exit(1);
            }
        };
        thread::Builder::new()
            .name("core".to_owned())
            .spawn(work)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// The core with everything that it speaks through.
struct Shell {
    core: Core,
    inbox: Receiver<Input>,
    arrivals: Receiver<programs::Arrival>,
    coordinator: Option<Sender<(Instant, coordinator::Job)>>,
    files: Sender<Output>,
    runner: Sender<Output>,
    senders: peers::Senders,
    book: Arc<peers::Book>,
    programs: programs::Programs,
    /// Legacy mode: servers that meet here are made known.
    meeting: Option<std::path::PathBuf>,
    meet_next: Instant,
    /// The coordinator of this host is new: make the records from the newest files.
    recreate: Option<std::path::PathBuf>,
    host: ServerName,
}

struct Started {
    core: Shell,
    send: Sender<Input>,
}

fn start(settings: &Settings) -> Result<Started, String> {
    let text = |error: io::Error| error.to_string();
    let meeting = meeting_directory(&settings.run_root, &settings.domain);
    if let Some(parent) = meeting.parent() {
        pollux_os::private_directory(parent).map_err(text)?;
    }
    pollux_os::private_directory(&meeting).map_err(text)?;
    let directory = Directory::enter(&settings.files, &settings.host, &settings.domain, settings.mode)
        .map_err(|error| error.to_string())?;
    let incarnation = directory.next_life().map_err(|error| error.to_string())?;
    let (copies, file_faults) = directory.read();
    let wants_create = directory.wants_create();
    let timing = settings.timing().map_err(|error| error.to_string())?;
    let addresses = addresses(settings, directory.path());
    let begin = Start {
        domain: settings.domain.clone(),
        host: settings.host.clone(),
        mode: settings.mode,
        coordinator: settings.coordinator.clone(),
        addresses: addresses.clone(),
        timing,
        incarnation,
        copies,
        file_faults,
        origin_seed: random(),
        log_override: None,
    };
    let (send, inbox) = channel();
    let (send_arrivals, arrivals) = channel();
    let mut core = Core::new(begin, now()).map_err(|error| error.to_string())?;
    if let Some(recover) = wants_create {
        core.handle(now(), unix_ms(), Input::Create { recover });
    }
    let coordinator = match settings.mode {
        Mode::Legacy => None,
        Mode::Quorum => {
            let place = settings.place().map_err(|error| error.to_string())?;
            let answer = Duration::from_millis(timing.answer);
            let address = settings.address.as_ref();
            let started =
                coordinator::start(place, &settings.domain, &settings.host, address, answer, send.clone());
            Some(started.map_err(text)?)
        }
    };
    let recreate = settings.coordinator == crate::settings::LOCAL && settings.mode == Mode::Quorum;
    let path = directory.path().to_owned();
    let tls = tls(settings, &path, &send)?;
    let files = files::start(Arc::new(directory), send.clone()).map_err(text)?;
    let hands = runner::Hands {
        program: runner::own_program(),
        run_root: settings.run_root.clone(),
        own_node: settings.node.clone(),
        files: path,
    };
    let runner = runner::start(hands, send.clone()).map_err(text)?;
    peers::unix::listen(&meeting, &settings.host, send.clone()).map_err(text)?;
    if let Some(tls) = &tls {
        peers::tcp::listen(tls, &send)?;
    }
    if settings.mode == Mode::Legacy {
        for server in addresses.keys().filter(|server| **server != settings.host) {
            core.handle(now(), unix_ms(), Input::Known(server.clone()));
        }
    }
    let book = Arc::new(peers::Book::default());
    book.replace(addresses);
    let ways = peers::Ways {
        meeting: meeting.clone(),
        me: settings.host.clone(),
        book: Arc::clone(&book),
        tls,
        inbox: send.clone(),
    };
    let (of_node, of_clients) =
        (program_socket(&settings.node_directory), client_socket(&meeting, &settings.host));
    programs::listen(&of_node, false, send.clone(), send_arrivals.clone()).map_err(text)?;
    programs::listen(&of_clients, true, send.clone(), send_arrivals).map_err(text)?;
    let core = Shell {
        core,
        inbox,
        arrivals,
        coordinator,
        files,
        runner,
        senders: peers::Senders::new(ways),
        book,
        programs: programs::Programs::default(),
        meeting: (settings.mode == Mode::Legacy).then(|| meeting.clone()),
        meet_next: Instant::now(),
        recreate: recreate.then(|| settings.files.clone()),
        host: settings.host.clone(),
    };
    Ok(Started { core, send })
}

/// Where servers were last heard of, and where this one is.
fn addresses(settings: &Settings, directory: &Path) -> BTreeMap<ServerName, Address> {
    let Some(own) = &settings.address else { return BTreeMap::new() };
    let contacts = identity::read_addresses(directory).into_iter();
    let usual = |server: &ServerName| Address::usual(server.as_str());
    let mut all: BTreeMap<ServerName, Address> = contacts
        .map(|Contact { server, address }| {
            let address = address.unwrap_or_else(|| usual(&server));
            (server, address)
        })
        .collect();
    all.insert(settings.host.clone(), own.clone());
    all
}

/// With an address a server speaks to other hosts, and must be able to prove who it is.
fn tls(settings: &Settings, directory: &Path, inbox: &Sender<Input>) -> Result<Option<Arc<Tls>>, String> {
    let Some(address) = &settings.address else { return Ok(None) };
    let (domain, host) = (&settings.domain, &settings.host);
    let identity = Identity::load(directory, domain, host).map_err(|error| error.to_string())?;
    if identity.ends_soon {
        let line = format!(
            "the certificate of this server ends within 30 days; where the domain was made: pollux domain invite {domain} {host}, \
             and here, after pollux down: --join {host}.bundle"
        );
        drop(inbox.send(Input::Problem(line)));
    }
    Tls::new(&identity, domain, host, address).map(|tls| Some(Arc::new(tls)))
}

impl Shell {
    fn work(&mut self, alive: &Alive) -> Result<(), String> {
        let mut quiet = (0, 0);
        let mut last_tick = Instant::now();
        self.carry_out(alive);
        loop {
            let input = match self.inbox.recv_timeout(TICK.saturating_sub(last_tick.elapsed())) {
                Ok(input) => input,
                Err(RecvTimeoutError::Timeout) => {
                    last_tick = Instant::now();
                    alive.core.fetch_add(1, Ordering::SeqCst);
                    let pair = alive.pair.load(Ordering::SeqCst);
                    quiet = if pair == quiet.0 { (pair, quiet.1 + 1) } else { (pair, 0) };
                    if quiet.1 >= ALIVE_TICKS_MAX {
                        return Err("the pair does not move, or this half is its backup".to_owned());
                    }
                    Input::Tick
                }
                Err(RecvTimeoutError::Disconnected) => return Err("all other threads are gone".to_owned()),
            };
            if last_tick.elapsed() >= TICK && !input.is_tick() {
                last_tick = Instant::now();
                alive.core.fetch_add(1, Ordering::SeqCst);
                self.give(Input::Tick);
            }
            self.meet();
            if let Input::Read { records: Some(records), .. } = &input
                && records.content.is_none()
                && records.acting.is_none()
            {
                self.make_records_again();
            }
            self.give(input);
            self.carry_out(alive);
        }
    }

    fn give(&mut self, input: Input) {
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.programs.arrived(arrival);
        }
        self.core.handle(now(), unix_ms(), input);
    }

    /// Legacy mode: who has a socket in the directory is, or was, a server of the domain.
    fn meet(&mut self) {
        if Instant::now() < self.meet_next {
            return;
        }
        self.meet_next = Instant::now() + MEET_EVERY;
        if let Some(meeting) = self.meeting.clone() {
            let mut names = peers::meeting(&meeting);
            names.retain(|name| *name != self.host);
            for name in names {
                self.give(Input::Known(name));
            }
        }
    }

    /// The records of one host end with its boot. All files are on this host, so the newest of them can be told.
    fn make_records_again(&mut self) {
        let Some(files) = self.recreate.take() else { return };
        if let Some((newest, order)) = files::newest_of_all(&files)
            && newest == self.host
            && order > (pollux_wire::Epoch(1), 1)
        {
            self.give(Input::Create { recover: true });
        }
    }

    fn carry_out(&mut self, alive: &Alive) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Read(number) => self.ask_coordinator(coordinator::Job::Read(number)),
                Output::Propose(number, proposal) => {
                    self.ask_coordinator(coordinator::Job::Propose(number, proposal));
                }
                Output::Save(_) | Output::Created | Output::Log { .. } => drop(self.files.send(output)),
                Output::Run(..) | Output::Keep(_) => drop(self.runner.send(output)),
                Output::Addresses(addresses) => {
                    self.book.replace(addresses.clone());
                    drop(self.files.send(Output::Addresses(addresses)));
                }
                Output::Peer(to, word) => self.senders.send(&to, word),
                Output::Tell(id, told) => self.programs.tell(id, &told.0),
                Output::Close(id) => self.programs.close(id),
                Output::Left => alive.stopping.store(2, Ordering::SeqCst),
            }
        }
    }

    fn ask_coordinator(&mut self, job: coordinator::Job) {
        if let Some(coordinator) = &self.coordinator {
            drop(coordinator.send((Instant::now(), job)));
        }
    }
}

/// Milliseconds of the boot-time clock, which counts a suspended machine too.
fn now() -> Tick {
    Tick(pollux_os::clock::boottime_ns() / 1_000_000)
}

/// For people only.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A number that nobody else has.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let read =
        fs::File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes));
    match read {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => std::collections::hash_map::RandomState::new().build_hasher().finish(),
    }
}
