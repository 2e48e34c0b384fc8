//! The server around the engine: a pair, its connections, the clock and chance.
//!
//! Everything here runs in the primary only; the backup lives inside `Pair::join` and applies effects.

use crate::{BackupState, Context, Flow, Parsed, Parser, Role, SnapshotPosition, Status, Store, execute};
use pollux::{Cell, Event, Input, Machine, Pair, PairState, ReceiveDepth, Result, StateMachine};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often expired keys are removed though nobody asks for them.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(100);
/// Keys removed per such round: more wait for the next one, so that requests do not.
const EXPIRED_PER_ROUND_MAX: usize = 1000;

/// Reply bytes of one turn after which the rest of a pipeline waits for the next one.
const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The store as a replicated object: its commands are runs of encoded effects.
struct Keyspace(Store);

impl StateMachine for Keyspace {
    type Reply = ();
    type Position = SnapshotPosition;

    fn apply(&mut self, effects: &[u8]) {
        // Effects of another version of the engine cannot be guessed at: stop, the primary goes on alone.
        self.0.apply_all(effects).expect("the primary's effects can be decoded");
    }

    fn save_part(&self, position: &mut SnapshotPosition, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        self.0.save_part(position, bytes_max, out)
    }

    fn load_part(&mut self, part: &[u8]) {
        self.0.load_part(part).expect("the primary's parts can be decoded");
    }
}

/// What the pair remembers about itself.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Life {
    started_ms: u64,
    takeovers: u64,
    switchovers: u64,
    connections: u64,
    commands: u64,
    last_now_ms: u64,
}

impl Life {
    /// Counts a change of roles, if one came since this process had become primary so often; how often it has now.
    fn note_promotion(&mut self, pair: &Pair, seen: u64) -> u64 {
        match pair.promotions() {
            (now, true) if now != seen => self.takeovers += 1,
            (now, false) if now != seen => self.switchovers += 1,
            _ => {}
        }
        pair.promotions().0
    }
}

/// Serves RESP2 on an address until the pair is stopped.
pub fn serve(address: &str) -> Result<()> {
    let seed = seed();
    let mut builder = Pair::builder();
    let store = builder.machine("keyspace", Keyspace(Store::new(seed)));
    let pair = builder.join()?;
    let life = pair.cell::<Life>("life")?;
    let mut remembered = life.get()?.unwrap_or_default();
    if remembered.started_ms == 0 {
        remembered.started_ms = unix_ms();
    }
    let promotions = remembered.note_promotion(&pair, 0);
    life.set(&remembered)?;
    let listener = pair.listen(address)?;
    let port = listener.local_address()?.port();
    let mut receive = pair.receive(ReceiveDepth::ONE)?;
    receive.tick_every(EXPIRY_INTERVAL);
    let mut server = Server {
        pair,
        store,
        life,
        promotions,
        saved_commands: remembered.commands,
        remembered,
        port,
        parser: Parser::new(),
        effects: Vec::new(),
        context: Context::default(),
        random: seed | 1,
    };
    server.refresh_status();
    while let Some(event) = receive.event()? {
        match event {
            Event::Input(input) => server.answer(input)?,
            Event::Connected(_) => server.remembered.connections += 1,
            Event::Tick => server.tick()?,
            Event::Request(_)
            | Event::System(_)
            | Event::Disconnected(_)
            | Event::OpenerLost(_)
            | Event::Readable(_)
            | Event::Local(_) => {}
        }
    }
    Ok(())
}

struct Server {
    pair: Pair,
    store: Machine<Keyspace>,
    life: Cell<Life>,
    promotions: u64,
    saved_commands: u64,
    remembered: Life,
    port: u16,
    parser: Parser,
    effects: Vec<u8>,
    context: Context,
    random: u64,
}

impl Server {
    /// Answers all complete requests in a connection's input.
    fn answer(&mut self, mut input: Input) -> Result<()> {
        let Self { store, parser, effects, context, random, remembered, .. } = self;
        context.now_ms = now_ms(remembered);
        context.client_id = input.connection().0;
        effects.clear();
        parser.reset();
        let (bytes, output) = input.split();
        let mut used = 0;
        let mut close = false;
        store.decide(effects, |keyspace, effects| {
            // What is left comes again: one turn must not gather replies without a bound.
            while output.len() < REPLY_BYTES_MAX {
                match parser.parse(&bytes[used..]) {
                    Parsed::Incomplete => break,
                    Parsed::Request { args, consumed } => {
                        used += consumed;
                        if args.is_empty() {
                            continue;
                        }
                        remembered.commands += 1;
                        let mut chance = || xorshift(random);
                        if execute(&mut keyspace.0, args, context, &mut chance, output, effects) == Flow::Quit
                        {
                            close = true;
                            break;
                        }
                    }
                    Parsed::Failed(error) => {
                        error.write(output);
                        used = bytes.len();
                        close = true;
                        break;
                    }
                }
            }
        })?;
        input.consume(used);
        if close {
            input.close();
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<()> {
        self.catch_up()?;
        self.effects.clear();
        let now = now_ms(&mut self.remembered);
        let Self { store, effects, .. } = self;
        store.decide(effects, |keyspace, effects| {
            keyspace.0.expire_some(now, EXPIRED_PER_ROUND_MAX, effects)
        })?;
        self.refresh_status();
        if self.remembered.commands != self.saved_commands {
            self.saved_commands = self.remembered.commands;
            self.life.set(&self.remembered)?;
        }
        Ok(())
    }

    /// What this process remembers is old when it has been the backup in between.
    fn catch_up(&mut self) -> Result<()> {
        let (promotions, _) = self.pair.promotions();
        if promotions != self.promotions {
            let last_now_ms = self.remembered.last_now_ms;
            self.remembered = self.life.get()?.unwrap_or_default();
            self.remembered.last_now_ms = self.remembered.last_now_ms.max(last_now_ms);
            self.promotions = self.remembered.note_promotion(&self.pair, self.promotions);
            self.life.set(&self.remembered)?;
        }
        Ok(())
    }

    fn refresh_status(&mut self) {
        let backup = match self.pair.state() {
            PairState::Paired => BackupState::InStep,
            PairState::Syncing => BackupState::CatchingUp,
            _ => BackupState::None,
        };
        self.context.backups_in_step = u32::from(backup == BackupState::InStep);
        let (_, connections) = self.pair.counts();
        self.context.status = Status {
            pair: self.pair.name().to_string(),
            role: Role::Primary,
            backup,
            epoch: self.pair.epoch().0,
            takeovers: self.remembered.takeovers,
            switchovers: self.remembered.switchovers,
            uptime_s: unix_ms().saturating_sub(self.remembered.started_ms) / 1000,
            process_id: std::process::id(),
            tcp_port: self.port,
            connected_clients: connections as u64,
            connections_received: self.remembered.connections,
            commands_processed: self.remembered.commands,
            resident_bytes: resident_bytes(),
        };
    }
}

/// The wall clock, which never goes back as far as the store can see.
fn now_ms(remembered: &mut Life) -> u64 {
    remembered.last_now_ms = remembered.last_now_ms.max(unix_ms());
    remembered.last_now_ms
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Chance for SPOP and for the order of hash tables; nothing secret depends on it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// The command line of the server.
#[derive(Debug, clap::Parser)]
#[command(
    name = "pollux-kv",
    version,
    about = "A key-value server that speaks the Redis protocol and survives kill -9",
    after_help = "Run it as a pair:\n  pollux run --name '$KV' --pair pollux-kv --port 6379\n\nThen talk to it with any Redis client:\n  redis-cli -p 6379 set a 1\n\nExit codes: 0 stopped on request, 1 failed, 2 wrong usage."
)]
pub struct Options {
    /// Port to listen on; 0 lets the system choose
    #[arg(long, default_value_t = 6379)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
}

/// Runs the server with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    use clap::Parser as _;
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            // A help text that cannot be written has no reader.
            let _ = error.print();
            return std::process::ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let address = std::net::SocketAddr::new(options.bind, options.port).to_string();
    match serve(&address) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pollux-kv: on {address}: {error}");
            if matches!(&error, pollux::Error::System { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse)
            {
                eprintln!("  next: end what listens there, or choose another port with --port");
            }
            std::process::ExitCode::FAILURE
        }
    }
}
