//! The table of paths.

use crate::Result;
use crate::connections::Connections;
use crate::node::Node;
use pollux_core::output::OutputQueue;
use pollux_core::pair::{Event, Handled, Pair};
use pollux_core::receive::{Arrival, Open, SavedReply};
use pollux_core::replica::Replica;
use pollux_core::requester::{PathNumber, ReplyIs, Requester};
use pollux_os::{Among, Channel, socket_pair};
use pollux_wire::checkpoint::{Opener, Record, begin_checkpoint, open_checkpoint};
use pollux_wire::control::{OpenDetails, Recorded};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, Request};
use pollux_wire::{CheckpointNumber, CpuNumber, Epoch, FileError, OpenId, Phandle, Pin, SyncId};

/// A hot path.
pub struct Path {
    /// Its name in the file of kept counts.
    pub name: &'static str,
    /// Enough times to count with: what happens once in a while (a buffer grows, the clock calls for housekeeping) is small beside it.
    pub times: usize,
    /// Runs it so many times.
    pub run: fn(usize) -> Result<()>,
}

/// The sizes of a request that are looked at.
const SMALL: usize = 64;
const LARGE: usize = 64 * 1024;

/// All paths: whole ones, which a user pays for, then parts of them, which tell where a growth is.
pub const PATHS: [Path; 11] = [
    // A request and its reply through a server without a backup.
    Path { name: "request", times: 800, run: |times| requests(false, SMALL, 1, times) },
    Path { name: "request-64k", times: 50, run: |times| requests(false, LARGE, 1, times) },
    // One of 256 requests that are outstanding together: they share their wake-ups.
    Path { name: "request-256", times: 12800, run: |times| requests(false, SMALL, 256, times) },
    // A request whose change is checkpointed: to the primary, to the backup, the acknowledgement, the reply.
    Path { name: "replicated", times: 800, run: |times| requests(true, SMALL, 1, times) },
    Path { name: "replicated-64k", times: 50, run: |times| requests(true, LARGE, 1, times) },
    // One of 16 requests that are outstanding together: they share their wake-ups and a checkpoint.
    Path { name: "replicated-16", times: 1600, run: |times| requests(true, SMALL, 16, times) },
    // A request over a TCP connection, stored like the others, and its reply; then one of 16 that come together.
    Path { name: "connection", times: 800, run: |times| connections(1, times) },
    Path { name: "connection-16", times: 1600, run: |times| connections(16, times) },
    // A frame of a request from one end of a ring to the other.
    Path { name: "frame", times: 2000, run: frames },
    // The records of a request, from the primary's bytes to the backup's state.
    Path { name: "checkpoint", times: 2000, run: checkpoints },
    // What decides about a request: is it new, may its reply leave, is the reply the one that is waited for.
    Path { name: "decisions", times: 2000, run: decisions },
];

fn requests(pair: bool, bytes: usize, outstanding: usize, times: usize) -> Result<()> {
    let mut node = Node::start(pair, u16::try_from(outstanding)?)?;
    let payload = vec![7; bytes];
    for _ in 0..times / outstanding {
        node.request(&payload, outstanding)?;
    }
    Ok(())
}

fn connections(count: usize, times: usize) -> Result<()> {
    let mut connections = Connections::start(count)?;
    let payload = [7; SMALL];
    for _ in 0..times / count {
        connections.exchange(&payload)?;
    }
    Ok(())
}

fn frames(times: usize) -> Result<()> {
    let (one, other) = socket_pair()?;
    let mut ends = [one, other].map(|fd| Channel::new(fd, PATH_BODY_BYTES_MAX));
    let descriptors = ends[0].offer_ring(Among::Many)?;
    ends[1].take_ring(descriptors, Among::Many)?;
    for end in &mut ends {
        end.write_to_ring();
        end.read_from_ring()?;
    }
    let [requester, server] = &mut ends;
    let payload = [7; SMALL];
    for number in 1..=times as u64 {
        let request = Request {
            sync: SyncId(number),
            reply_bytes_max: 0,
            io: IoType::WriteRead,
            again: false,
            payload: &payload,
        };
        requester.queue(path::REQUEST, |out| request.put(out));
        // Whether all of it has left and has come shows as the frame.
        let _ = requester.flush()?;
        let _ = server.fill()?;
        let frame = server.next_frame()?.ok_or("a frame has not arrived")?;
        if Request::decode(frame.body)? != request {
            return Err("another request has arrived".into());
        }
    }
    Ok(())
}

fn checkpoints(times: usize) -> Result<()> {
    let open = OpenId(1);
    let mut replica = Replica::default();
    replica.apply(&Record::Opened { open, opener: opener(), standby: false }).map_err(|misfit| misfit.0)?;
    let payload = [7; SMALL];
    let mut body = Vec::new();
    for number in 1..=times as u64 {
        body.clear();
        begin_checkpoint(CheckpointNumber(number), &mut body);
        let object = pollux_wire::ObjectId(1);
        Record::ObjectChanged { object, change: &payload }.put(&mut body);
        Record::Replied { open, sync: SyncId(number), error: FileError::OK, payload: &payload }
            .put(&mut body);
        let (_, mut reader) = open_checkpoint(&body)?;
        while !reader.is_empty() {
            replica.apply(&Record::take(&mut reader)?).map_err(|misfit| misfit.0)?;
        }
    }
    match replica.opens.get(&open).and_then(|state| state.saved_reply(SyncId(times as u64))) {
        Some(_) => Ok(()),
        None => Err("the last reply is not in the replica".into()),
    }
}

fn decisions(times: usize) -> Result<()> {
    let over = PathNumber(1);
    let mut requester = Requester::new(over, Epoch(1), 1, 1, SyncId(1));
    let mut server = Open::new(opener());
    let mut outputs = OutputQueue::default();
    let mut pair = whole_pair()?;
    for number in 1..=times as u64 {
        let sync = requester.start().map_err(|error| error.to_string())?;
        while requester.poll_command().is_some() {}
        if !matches!(server.arrive(sync), Arrival::New) {
            return Err("a new request is not known as one".into());
        }
        server.replied(SavedReply { sync, error: FileError::OK, payload: Vec::new() });
        let number = CheckpointNumber(number);
        outputs.hold(number, sync);
        tell(&mut pair, Event::Sent { number })?;
        if outputs.release(pair.gate()).is_some() {
            return Err("a reply leaves before its acknowledgement".into());
        }
        tell(&mut pair, Event::Acknowledged { number })?;
        let reply = outputs.release(pair.gate()).ok_or("a reply is held back")?;
        if requester.handle_reply(over, reply, FileError::OK, Epoch(1)) != ReplyIs::Wanted {
            return Err("a reply is not known as the one that is waited for".into());
        }
    }
    Ok(())
}

/// The machine of a primary whose backup is on record.
fn whole_pair() -> Result<Pair> {
    let mut pair = Pair::primary(Epoch(1), true);
    let number = CheckpointNumber(0);
    tell(&mut pair, Event::BackupStarted { backup: phandle(1) })?;
    tell(&mut pair, Event::StateSent { number })?;
    tell(&mut pair, Event::Recorded(Recorded::Done { epoch: Epoch(2) }))?;
    while pair.poll_command().is_some() {}
    Ok(pair)
}

fn tell(pair: &mut Pair, event: Event) -> Result<()> {
    match pair.handle(event) {
        Handled::Acted => Ok(()),
        Handled::Ignored(why) | Handled::Impossible(why) => Err(why.into()),
    }
}

fn phandle(cpu: u8) -> Phandle {
    let cpu = CpuNumber::new(cpu).expect("a CPU number");
    Phandle { named: false, cpu, pin: Pin(1), node: 0, incarnation: 1, sequence: 2 }
}

fn opener() -> Opener {
    Opener {
        phandle: phandle(2),
        name: None,
        uid: 0,
        sync_depth: 1,
        nowait_depth: 1,
        details: OpenDetails::default(),
    }
}
