//! A server whose every answer can be held against it, and the requester that writes down what it is told: the pair and the
//! load of the [campaign](crate::campaign).
//!
//! A request is `OPENER SYNC ACTION`, with an action of [`pollux_sim::history`]; the reply is `PLACE VALUE`. `log FROM` gives the
//! requests that were done, in their order, from a place on.

use super::number;
use crate::random::Random;
use pollux::{Answer, Error, FileError, Map, Node, OpenOptions, Pair, ReceiveDepth, Result, Server};
use pollux_sim::app::{self, Entry, Operation};
use pollux_sim::history::{Action, End, Line, Told};
use pollux_wire::{Epoch, OpenId, SyncId};
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Entries of one piece of the log.
const PIECE: u64 = 20_000;
/// What a request that makes no sense is answered.
pub const NONSENSE: FileError = FileError(300);
/// The file in the directory of the histories that ends all requesters.
pub const ENOUGH: &str = "enough";
/// Two registers are in use at a time, each for so long: about as many requests as the search for an order can take, and a
/// takeover is always well inside the time of one.
const REGISTER_NS: u64 = 100_000_000;
/// Requests on an open that has failed: a later pair of that name must not answer them.
const AFTER_ERROR: u32 = 3;
/// Before each of them.
const AFTER_ERROR_PAUSE: Duration = Duration::from_millis(50);

/// Nanoseconds of a clock that all processes of a machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Serves.
pub fn serve() -> Result<()> {
    let pair = Pair::join()?;
    let registers: Map<u64, u64> = pair.map("registers")?;
    let log = pair.log::<(u64, u64)>("log")?;
    let mut receive = pair.receive(ReceiveDepth::new(256)?)?;
    while let Some(request) = receive.next()? {
        let text = request.text().unwrap_or_default().to_owned();
        if let Some(from) = text.strip_prefix("log ").and_then(|from| from.parse::<u64>().ok()) {
            let mut piece = String::new();
            for place in from..log.next_index().min(from + PIECE) {
                if let Some((open, sync)) = log.get(place)? {
                    let _ = writeln!(piece, "{open} {sync}");
                }
            }
            request.reply(piece)?;
            continue;
        }
        let Some(((OpenId(open), SyncId(sync)), action)) = parse(&text) else {
            request.reply_error(NONSENSE)?;
            continue;
        };
        let place = log.next_index();
        let mut value = 0;
        if let Action::Register(key, operation) = action {
            value = registers.get(&key)?.unwrap_or(0);
            if operation != Operation::Read {
                registers.insert(key, operation.apply(value))?;
            }
        }
        if action.takes_place() {
            log.append(&(open, sync))?;
        }
        request.reply(format!("{place} {value}"))?;
    }
    Ok(())
}

fn parse(text: &str) -> Option<(Entry, Action)> {
    let mut words = text.splitn(3, ' ');
    let (open, sync) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(((OpenId(open), SyncId(sync)), words.next()?.parse().ok()?))
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// As above.
    Ledger,
    /// As `examples/c/pair_protocol.h` says: a record is `OPENER-SYNC`.
    Records,
}

impl Speech {
    /// The bytes of a request.
    pub fn request(self, (open, sync): Entry, action: Action) -> String {
        match self {
            Self::Ledger => format!("{open} {sync} {action}"),
            Self::Records if action == Action::Count => "COUNT".to_owned(),
            Self::Records => format!("ADD {open}-{sync}"),
        }
    }

    /// What an answer says.
    pub fn told(self, action: Action, answer: &Answer) -> Told {
        if !answer.error.is_ok() {
            return told_error(answer.error);
        }
        let reply = String::from_utf8_lossy(&answer.payload).into_owned();
        let read = |text: &str| text.parse::<u64>().ok();
        let understood = match self {
            Self::Ledger => reply
                .split_once(' ')
                .and_then(|(place, value)| Some(app::Answer { place: read(place)?, value: read(value)? })),
            // Its records are counted from 1.
            Self::Records => reply.strip_prefix("OK ").and_then(read).and_then(|number| {
                Some(app::Answer { place: number.checked_sub(u64::from(action.takes_place()))?, value: 0 })
            }),
        };
        understood.map_or(Told::Fail(NONSENSE), Told::Ok)
    }
}

/// 201 leaves open whether the request was done.
pub(super) fn told_error(error: FileError) -> Told {
    if error == FileError::PATH_DOWN { Told::Unknown(error) } else { Told::Fail(error) }
}

/// What an error of the library leaves open.
pub fn told_of(error: &Error) -> Told {
    match error {
        Error::File(error) => told_error(*error),
        _ => Told::Unknown(FileError::PATH_DOWN),
    }
}

/// The next thing to ask, at that time.
pub(super) fn draw(random: &mut Random, speech: Speech, (open, sync): Entry) -> Action {
    let register = |random: &mut Random| {
        // Those with even and with odd numbers change at different times.
        let which = random.below(2);
        let key = 2 * ((now() + which * REGISTER_NS / 2) / REGISTER_NS) + which;
        let value = |sync: u64| open.0 << 32 | sync;
        let operation = match random.below(4) {
            0 => Operation::Write(value(sync.0)),
            1 => Operation::Swap { expected: value(sync.0 - 1), new: value(sync.0) },
            _ => Operation::Read,
        };
        Action::Register(key, operation)
    };
    match (random.below(10), speech) {
        (0, _) => Action::Count,
        (1..=4, Speech::Ledger) => register(random),
        _ => Action::Append,
    }
}

/// `record SERVER SPEECH OPENER SEED DEPTH THINK-US DIRECTORY`: asks until there is a file [`ENOUGH`] in the directory, with `DEPTH`
/// requests at a time and pauses of up to so many microseconds, and writes its history to the file `OPENER.history` there; the
/// file `OPENER.end` says that it has ended.
pub fn record(words: &[&str]) -> Result<()> {
    let [server, speech, opener, seed, depth, think, place] = *words else {
        return Err(Error::Misuse("record SERVER SPEECH OPENER SEED DEPTH THINK-US DIRECTORY"));
    };
    let speech = if speech == "records" { Speech::Records } else { Speech::Ledger };
    let place = Path::new(place);
    let file = File::create(place.join(format!("{opener}.history")))
        .expect("the directory of the histories is there");
    let depth = number(depth) as u16;
    let node = Node::connect()?;
    let server = node.open_with(server, OpenOptions::outstanding(depth))?;
    let mut recorder =
        Recorder { server, speech, opener: OpenId(number(opener)), sync: 0, file, failed: false };
    let (mut random, think) = (Random::new(number(seed)), number(think));
    let enough = place.join(ENOUGH);
    let mut waiting = VecDeque::new();
    while !recorder.failed && !enough.exists() {
        if waiting.len() < usize::from(depth) {
            waiting.extend(recorder.start(&mut random));
            if waiting.len() < usize::from(depth) {
                continue;
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(think + 1)));
        waiting.pop_front().into_iter().for_each(|begun| recorder.finish(begun));
    }
    waiting.into_iter().for_each(|begun| recorder.finish(begun));
    for _ in 0..if recorder.failed { AFTER_ERROR } else { 0 } {
        std::thread::sleep(AFTER_ERROR_PAUSE);
        recorder.start(&mut random).into_iter().for_each(|begun| recorder.finish(begun));
    }
    std::fs::write(place.join(format!("{opener}.end")), "end\n")
        .expect("the directory of the histories is there");
    Ok(())
}

type Begun = (pollux::Ticket, Entry, Action);

struct Recorder {
    server: Server,
    speech: Speech,
    opener: OpenId,
    sync: u64,
    file: File,
    failed: bool,
}

impl Recorder {
    fn start(&mut self, random: &mut Random) -> Option<Begun> {
        self.sync += 1;
        let entry = (self.opener, SyncId(self.sync));
        let action = draw(random, self.speech, entry);
        self.write(&Line::Invoke(now(), entry, action));
        match self.server.start(self.speech.request(entry, action).as_bytes()) {
            Ok(ticket) => Some((ticket, entry, action)),
            Err(error) => {
                self.end(entry, action, told_of(&error));
                None
            }
        }
    }

    fn finish(&mut self, (ticket, entry, action): Begun) {
        let told = match self.server.finish(ticket) {
            Ok(answer) => self.speech.told(action, &answer),
            Err(error) => told_of(&error),
        };
        self.end(entry, action, told);
    }

    fn end(&mut self, entry: Entry, action: Action, told: Told) {
        self.failed |= !matches!(told, Told::Ok(_));
        let epoch: Epoch = self.server.epoch();
        self.write(&Line::End(entry, action, End { at: now(), told, epoch }));
    }

    /// At once: what a requester that hangs was told before is what is looked for.
    fn write(&mut self, line: &Line) {
        self.file.write_all(format!("{line}\n").as_bytes()).expect("a history is written");
    }
}
