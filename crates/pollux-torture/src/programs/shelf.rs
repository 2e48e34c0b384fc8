//! A server that holds descriptors for others, and one that uses it: what is put in must come out of every later primary.

use super::{enough, number};
use pollux::{Event, HeldId, Node, OpenOptions, Pair, ReceiveDepth, Request, Result, Server};
use pollux_os::{socket_pair, take_passed_descriptor};
use std::collections::BTreeMap;
use std::io::{PipeReader, Read as _, Write as _, pipe};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

/// Serves: `put` and a descriptor, `get ID` and a channel, `drop ID`, `labels`, `wait ID` until it is readable.
pub fn serve() -> Result<()> {
    let pair = Pair::join()?;
    let mut receive = pair.receive(ReceiveDepth::new(16)?)?;
    receive.want_descriptors();
    let mut waiting: BTreeMap<HeldId, Request> = BTreeMap::new();
    while let Some(event) = receive.event()? {
        match event {
            Event::Readable(id) => {
                if let Some(request) = waiting.remove(&id) {
                    request.reply("readable")?;
                }
            }
            Event::Request(mut request) => {
                let text = request.text()?.to_owned();
                let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
                let descriptor = request.take_descriptor();
                match (word, descriptor) {
                    ("put", Some(fd)) => {
                        let id = pair.hold(fd, rest.as_bytes())?;
                        request.reply(id.to_string())?;
                    }
                    ("get", Some(channel)) => {
                        pair.hand_over(channel, HeldId(number(rest)))?;
                        request.reply("here")?;
                    }
                    ("drop", None) => {
                        pair.release(HeldId(number(rest)))?;
                        request.reply("dropped")?;
                    }
                    ("wait", None) => {
                        let id = HeldId(number(rest));
                        receive.watch(id)?;
                        request.defer();
                        waiting.insert(id, request);
                    }
                    ("labels", None) => {
                        let labels: Vec<String> = pair
                            .held()
                            .into_iter()
                            .map(|(_, label)| String::from_utf8_lossy(&label).into_owned())
                            .collect();
                        request.reply(labels.join(" "))?;
                    }
                    _ => request.reply_error(pollux::FileError::INVALID_OPERATION)?,
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts pipes in, takes them out and reads what was written, until its input ends, at least so many times. One pipe stays
/// in from the beginning, with a request that waits for it to become readable.
pub fn shelve(name: &str, times: u64) -> Result<()> {
    let enough = enough();
    let node = Node::connect()?;
    let mut server = node.open(name)?;
    let (keeper, mut kept) = pipe().expect("a pipe");
    let first = put(&mut server, "first", keeper)?;
    let mut waiter = node.open_with(name, OpenOptions::outstanding(1))?;
    let ticket = waiter.start(format!("wait {first}").as_bytes())?;
    let mut rounds = 0;
    while rounds < times || !enough.load(Ordering::SeqCst) {
        rounds += 1;
        let (reader, mut writer) = pipe().expect("a pipe");
        let id = put(&mut server, "round", reader)?;
        let word = format!("round {rounds}");
        writer.write_all(word.as_bytes()).expect("a pipe takes a word");
        drop(writer);
        // The pair has the only reading end, so this is the pipe that was put in.
        let mut out = String::new();
        PipeReader::from(get(&mut server, &id)?).read_to_string(&mut out).expect("a pipe");
        assert_eq!(out, word, "the descriptor that came out is another one");
        assert_eq!(server.request(b"labels")?, b"first round");
        assert_eq!(server.request(format!("drop {id}").as_bytes())?, b"dropped");
        if rounds == 1 {
            println!("begun");
        }
    }
    kept.write_all(b"x").expect("the pair holds the other end");
    assert_eq!(waiter.finish(ticket)?.payload, b"readable");
    assert_eq!(server.request(format!("drop {first}").as_bytes())?, b"dropped");
    println!("{rounds} rounds, {} requests sent again", server.resent());
    Ok(())
}

fn put(server: &mut Server, label: &str, reader: PipeReader) -> Result<String> {
    let answer = server.request_with(format!("put {label}").as_bytes(), reader.into())?;
    assert!(answer.error.is_ok(), "{}", answer.error);
    Ok(String::from_utf8_lossy(&answer.payload).into_owned())
}

/// Again and again: a reply that is repeated after a takeover comes without the descriptor. The channel need not have
/// ended then: an old primary may hold the request that carried its other end, unread.
fn get(server: &mut Server, id: &str) -> Result<OwnedFd> {
    loop {
        let (ours, theirs) = socket_pair().expect("a socket pair");
        let answer = server.request_with(format!("get {id}").as_bytes(), theirs)?;
        assert_eq!(answer.payload, b"here");
        if let Some(fd) = take_passed_descriptor(&ours).expect("a socket pair") {
            return Ok(fd);
        }
    }
}

/// Sends descriptors with requests that take none.
pub fn waste(name: &str, times: u64) -> Result<()> {
    let mut server = Node::connect()?.open(name)?;
    for _ in 0..times {
        let (reader, _) = pipe().expect("a pipe");
        let answer = server.request_with(b"labels", reader.into())?;
        assert_eq!(answer.error, pollux::FileError::INVALID_OPERATION);
    }
    Ok(())
}
