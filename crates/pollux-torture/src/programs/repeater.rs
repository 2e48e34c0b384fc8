//! A requester made of raw frames that asks for each reply twice (S3): the library never asks for what it has, so nobody else sees
//! whether a new primary gives the reply that the old one gave.
//!
//! ```text
//!  REQUEST 7 ------>  REPLY 7          the first `ok` of the history
//!  REQUEST 7 again ->  REPLY 7          the second one: from the same primary, or from its successor
//! ```

use super::ledger::{ENOUGH, Speech, draw, now, told_error};
use super::number;
use crate::random::Random;
use crate::visitor::Visitor;
use crate::wild::request_as;
use pollux::{Answer, Error, FileError, Result};
use pollux_os::{Channel, Fill, Interest, Poller};
use pollux_sim::app::Entry;
use pollux_sim::history::{Action, End, Line, Told};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, OpenReply, Reply};
use pollux_wire::{Epoch, OpenId, SyncId, Wire as _, decode};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// It has one request at a time.
const DEPTH: u16 = 1;
/// Without a word from any half for so long it asks for another path, as the library does.
const PATIENCE: Duration = Duration::from_millis(500);
/// After which it gives up.
const GIVES_UP: Duration = Duration::from_secs(25);

/// `repeat SERVER OPENER SEED THINK-US SOCKET DIRECTORY`, as `record` of [`ledger`](super::ledger), by way of the daemon of a socket.
pub fn repeat(words: &[&str]) -> Result<()> {
    let [server, opener, seed, think, socket, place] = *words else {
        return Err(Error::Misuse("repeat SERVER OPENER SEED THINK-US SOCKET DIRECTORY"));
    };
    let place = Path::new(place);
    let mut file = File::create(place.join(format!("{opener}.history")))
        .expect("the directory of the histories is there");
    let (mut random, think) = (Random::new(number(seed)), number(think));
    let opener = OpenId(number(opener));
    let mut open = Open::by_daemon(Path::new(socket), server)?;
    let enough = place.join(ENOUGH);
    let mut failed = false;
    while !failed && !enough.exists() {
        open.sync += 1;
        let entry: Entry = (opener, SyncId(open.sync));
        let action = draw(&mut random, Speech::Ledger, entry);
        let mut write =
            |line: &Line| file.write_all(format!("{line}\n").as_bytes()).expect("a history is written");
        write(&Line::Invoke(now(), entry, action));
        for again in [false, true] {
            let (told, epoch) = open.ask(again, entry, action);
            write(&Line::End(entry, action, End { at: now(), told, epoch }));
            failed |= !matches!(told, Told::Ok(_));
            if failed {
                break;
            }
            std::thread::sleep(Duration::from_micros(random.below(think + 1)));
        }
    }
    std::fs::write(place.join(format!("{opener}.end")), "end\n")
        .expect("the directory of the histories is there");
    Ok(())
}

/// An open, with its paths.
struct Open {
    visitor: Visitor,
    name: String,
    open: OpenId,
    sync: u64,
    epoch: Epoch,
    /// The half that speaks.
    active: Option<Channel>,
    /// Paths to halves that may speak some day.
    others: Vec<Channel>,
}

/// What came over a path.
#[derive(Default)]
struct Heard {
    reply: Option<(Answer, Epoch)>,
    takeover: Option<Epoch>,
    opened: Option<FileError>,
    standby: Vec<Channel>,
    demoted: bool,
    closed: bool,
}

impl Open {
    fn by_daemon(socket: &Path, name: &str) -> Result<Self> {
        let mut visitor = Visitor::attach_to(socket);
        let begin = Instant::now();
        loop {
            let (open, path) = match visitor.open_numbered(name, DEPTH) {
                Ok(opened) => opened,
                Err(FileError::PATH_DOWN) if begin.elapsed() < GIVES_UP => {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
                Err(error) => return Err(Error::File(error)),
            };
            let mut channel = Channel::new(path, PATH_BODY_BYTES_MAX);
            let mut others = Vec::new();
            loop {
                let heard = hear(&mut channel, 0);
                others.extend(heard.standby);
                match heard.opened {
                    Some(error) if error.is_ok() => {
                        let (active, name) = (Some(channel), name.to_owned());
                        return Ok(Self { visitor, name, open, sync: 0, epoch: Epoch(0), active, others });
                    }
                    Some(error) => return Err(Error::File(error)),
                    None if heard.closed || begin.elapsed() > GIVES_UP => break,
                    None => wait([&channel].into_iter()),
                }
            }
        }
    }

    /// Sends the request, and again to whoever becomes the primary before it is answered.
    fn ask(&mut self, again: bool, (open, sync): Entry, action: Action) -> (Told, Epoch) {
        let payload = Speech::Ledger.request((open, sync), action).into_bytes();
        self.send(again, &payload);
        let begin = Instant::now();
        let mut silent = Instant::now();
        while begin.elapsed() < GIVES_UP {
            if let Some((answer, epoch)) = self.hear_all(&payload) {
                self.epoch = self.epoch.max(epoch);
                return (Speech::Ledger.told(action, &answer), epoch);
            }
            let unheard = silent.elapsed() > PATIENCE;
            if self.active.is_none() && (self.others.is_empty() || unheard) {
                silent = Instant::now();
                match self.visitor.repath(&self.name, self.open, DEPTH) {
                    Ok(path) => self.others.push(Channel::new(path, PATH_BODY_BYTES_MAX)),
                    Err(FileError::PATH_DOWN) => std::thread::sleep(Duration::from_millis(10)),
                    Err(error) => return (told_error(error), self.epoch),
                }
            }
            wait(self.active.iter().chain(&self.others));
        }
        (Told::Unknown(FileError::PATH_DOWN), self.epoch)
    }

    fn send(&mut self, again: bool, payload: &[u8]) {
        let sync = self.sync;
        if let Some(channel) = &mut self.active {
            channel.queue(path::REQUEST, |out| out.extend(request_as(sync, again, payload)));
            // One that is dead shows when it is read.
            let _ = channel.flush();
        }
    }

    /// What a dead primary had still said is true and comes before the word of its successor.
    fn hear_all(&mut self, payload: &[u8]) -> Option<(Answer, Epoch)> {
        if let Some(channel) = &mut self.active {
            let heard = hear(channel, self.sync);
            self.others.extend(heard.standby);
            if heard.demoted && !heard.closed {
                // It may speak again some day.
                self.others.extend(self.active.take());
            } else if heard.closed {
                self.active = None;
            }
            if heard.reply.is_some() {
                return heard.reply;
            }
        }
        let mut speaker = None;
        let mut at = 0;
        while at < self.others.len() {
            let heard = hear(&mut self.others[at], self.sync);
            self.others.extend(heard.standby);
            match heard.takeover {
                Some(epoch) if epoch >= self.epoch && !heard.closed => speaker = Some((at, epoch)),
                _ if heard.closed => {
                    self.others.remove(at);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        let (at, epoch) = speaker?;
        let mut channel = self.others.remove(at);
        channel.queue(path::RESUMED, |out| epoch.put(out));
        self.epoch = epoch;
        // The end of a path to a half that lives would end the open there.
        self.others.extend(self.active.replace(channel));
        self.send(true, payload);
        None
    }
}

/// Everything that is there.
fn hear(channel: &mut Channel, sync: u64) -> Heard {
    let mut heard = Heard::default();
    loop {
        let filled = channel.fill();
        while let Ok(Some(frame)) = channel.next_frame() {
            match frame.kind {
                path::REPLY => {
                    if let Ok(reply) = Reply::decode(frame.body)
                        && reply.sync == SyncId(sync)
                    {
                        let answer = Answer { error: reply.error, payload: reply.payload.to_vec() };
                        heard.reply.get_or_insert((answer, reply.epoch));
                    }
                }
                path::TAKEOVER => heard.takeover = decode(frame.body).ok(),
                path::DEMOTED => heard.demoted = true,
                path::OPEN_REPLY => {
                    heard.opened = decode::<OpenReply>(frame.body).ok().map(|reply| reply.error)
                }
                path::STANDBY => {
                    let paths = frame.descriptors.into_iter();
                    heard.standby.extend(paths.map(|path| Channel::new(path, PATH_BODY_BYTES_MAX)));
                }
                // A ring that is not taken changes nothing.
                _ => {}
            }
        }
        match filled {
            Ok(Fill::Full) => {}
            Ok(Fill::Open) => return heard,
            Ok(Fill::Closed) | Err(_) => {
                heard.closed = true;
                return heard;
            }
        }
    }
}

/// Until a path has something, or it is time to look whether any is left.
fn wait<'a>(channels: impl Iterator<Item = &'a Channel>) {
    let Ok(mut poller) = Poller::new() else { return };
    for (token, channel) in channels.enumerate() {
        let _ = poller.add(channel.as_fd(), token as u64, Interest::READ);
    }
    let _ = poller.wait(Some(Duration::from_millis(20)));
}
