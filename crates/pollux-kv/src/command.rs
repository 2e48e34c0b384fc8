//! Commands: finding them by name, checking their arity, running them.
//!
//! A command decides on the primary only. It looks at the store, at the clock and the chance it was
//! handed, and appends a reply and effects. Errors use the words of Redis 7, which clients look for.

mod configuration;
mod connection;
mod hashes;
mod keys;
mod lists;
mod sets;
mod status;
mod strings;
mod table;
mod zadd;
mod zsets;

use std::fmt::Write;

pub use status::{BackupState, Role, Status};

use crate::keyspace::Keyspace;
use crate::number;
use crate::reply;
use crate::resp::Args;
use crate::store::Store;

/// The version of Redis whose commands and words are followed, for clients that ask.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

/// Bytes that an error repeats of what a client sent.
const REPEATED_BYTES_MAX: usize = 128;

/// What a command may look at besides the store.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Milliseconds of the Unix clock. It should not go back, not even at a takeover.
    pub now_ms: u64,
    /// Number of the connection, for CLIENT ID and HELLO.
    pub client_id: u64,
    /// Backups that hold everything that was acknowledged: the answer to WAIT.
    pub backups_in_step: u32,
    /// What INFO tells about the server around the engine.
    pub status: Status,
}

/// What becomes of the connection after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next request, please.
    Continue,
    /// Close the connection when the reply is written.
    Quit,
}

/// Runs one request: appends exactly one reply to `reply` (none for an empty request) and what changed
/// to `effects`, and has made the change in `store` when it returns.
///
/// S5 is the caller's part: the reply must not leave before the effects are acknowledged. Effects may
/// be empty or not whatever the reply says: an error reply may come with the removal of an expired key.
pub fn execute(
    store: &mut Store,
    args: Args<'_>,
    context: &Context,
    random: &mut dyn FnMut() -> u64,
    reply: &mut Vec<u8>,
    effects: &mut Vec<u8>,
) -> Flow {
    if args.is_empty() {
        return Flow::Continue;
    }
    let reply_start = reply.len();
    let keys = Keyspace::new(store, effects, context.now_ms);
    let mut call = Call { args, keys, context, random, reply, flow: Flow::Continue };
    let outcome = match table::find(args.at(0)) {
        Some(command) if command.accepts(args.len()) => (command.run)(&mut call),
        Some(command) => Err(Failure::Arity(command.name)),
        None => Err(unknown_command(args)),
    };
    let flow = call.flow;
    if let Err(failure) = outcome {
        reply.truncate(reply_start);
        failure.write(reply);
    }
    flow
}

/// One request being run.
pub(crate) struct Call<'a> {
    pub(crate) args: Args<'a>,
    pub(crate) keys: Keyspace<'a>,
    pub(crate) context: &'a Context,
    pub(crate) random: &'a mut dyn FnMut() -> u64,
    pub(crate) reply: &'a mut Vec<u8>,
    pub(crate) flow: Flow,
}

pub(crate) type Outcome = Result<(), Failure>;

impl<'a> Call<'a> {
    pub(crate) fn key(&self) -> &'a [u8] {
        self.args.at(1)
    }

    pub(crate) fn integer(&self, index: usize) -> Result<i64, Failure> {
        number::parse_integer(self.args.at(index)).ok_or(Failure::NotAnInteger)
    }

    /// A count that may be zero. What is no integer is "out of range" too, as Redis says it.
    pub(crate) fn count(&self, index: usize) -> Result<usize, Failure> {
        let number = number::parse_integer(self.args.at(index));
        number.and_then(|number| usize::try_from(number).ok()).ok_or(Failure::NotPositive)
    }

    /// Whether the argument is this word, in any case.
    pub(crate) fn is_word(&self, index: usize, word: &str) -> bool {
        self.args.at(index).eq_ignore_ascii_case(word.as_bytes())
    }
}

/// A number below `bound`, each as likely as the other within 2^-32 for tables of 2^32 members.
pub(crate) fn below(random: &mut dyn FnMut() -> u64, bound: usize) -> usize {
    ((u128::from(random()) * bound as u128) >> 64) as usize
}

/// Why a command did not run. Each has the words of Redis.
#[derive(Debug)]
pub(crate) enum Failure {
    WrongType,
    NotAnInteger,
    NotAFloat,
    NotPositive,
    Overflow,
    Syntax,
    /// Wrong number of arguments for this command.
    Arity(&'static str),
    /// Wrong number of arguments for this subcommand of that command.
    SubcommandArity(&'static str, &'static str),
    /// A time that is not above zero or does not fit, in this command.
    ExpireTime(&'static str),
    /// Any other words.
    Fixed(&'static str),
    /// Words that repeat what the client sent.
    Composed(Vec<u8>),
}

impl Failure {
    fn write(&self, out: &mut Vec<u8>) {
        let mut composed = String::new();
        let text = match self {
            Failure::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Failure::NotAnInteger => "ERR value is not an integer or out of range",
            Failure::NotAFloat => "ERR value is not a valid float",
            Failure::NotPositive => "ERR value is out of range, must be positive",
            Failure::Overflow => "ERR increment or decrement would overflow",
            Failure::Syntax => "ERR syntax error",
            Failure::Fixed(text) => text,
            Failure::Composed(text) => return reply::error(out, text),
            Failure::Arity(name) => {
                write!(composed, "ERR wrong number of arguments for '{name}' command").expect("to memory");
                &composed
            }
            Failure::SubcommandArity(name, subcommand) => {
                write!(composed, "ERR wrong number of arguments for '{name}|{subcommand}' command")
                    .expect("to memory");
                &composed
            }
            Failure::ExpireTime(name) => {
                write!(composed, "ERR invalid expire time in '{name}' command").expect("to memory");
                &composed
            }
        };
        reply::error(out, text.as_bytes());
    }
}

fn unknown_command(args: Args<'_>) -> Failure {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(repeatable(args.at(0), REPEATED_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut repeated = 0;
    for argument in args.from(1) {
        if repeated >= REPEATED_BYTES_MAX {
            break;
        }
        let shown = repeatable(argument, REPEATED_BYTES_MAX - repeated);
        text.push(b'\'');
        text.extend_from_slice(shown);
        text.extend_from_slice(b"' ");
        repeated += shown.len() + 3;
    }
    Failure::Composed(text)
}

pub(crate) fn unknown_subcommand(call: &Call<'_>, name: &str) -> Failure {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(repeatable(call.args.at(1), REPEATED_BYTES_MAX));
    text.extend_from_slice(format!("'. Try {} HELP.", name.to_uppercase()).as_bytes());
    Failure::Composed(text)
}

/// What an error repeats of an argument: like Redis, as much of it as a C string would show.
fn repeatable(argument: &[u8], bytes_max: usize) -> &[u8] {
    let shown = &argument[..argument.len().min(bytes_max)];
    shown.split(|byte| *byte == 0).next().unwrap_or_default()
}
