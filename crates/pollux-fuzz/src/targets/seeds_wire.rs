//! Seeds of the wire: frames as Pollux's processes make them, so that the engine begins behind the first tags.

use pollux_wire::admin::{AdminReply, AdminRequest, Kept, ProcessInfo, ProgramSpec, Status};
use pollux_wire::checkpoint::{Opener, Record, TurnKey, begin_checkpoint};
use pollux_wire::control::{
    Answer, Change, Creation, Fate, NameChoice, OpenDetails, PairState, ProcessFacts, Query, Recorded,
    Setting, StartAs, StateKeeping, StopReport, Target, ToDaemon, ToProcess,
};
use pollux_wire::event::{Event, EventKind, Handover};
use pollux_wire::mesh::{PathTo, StartOrder, ToPeer};
use pollux_wire::path::{self, IoType, KnownOpen, OpenReply, Reply, Request};
use pollux_wire::record::{CpuRecord, CpuState, NameRecord, NodeRecord};
use pollux_wire::sockets::{SocketEntry, SocketReply, SocketRequest, SocketRole};
use pollux_wire::system::{Ending, SystemMessage};
use pollux_wire::{
    CheckpointNumber, ConnectionId, CpuNumber, Epoch, FileError, HeldId, ListenerId, NodeName, ObjectId,
    OpenId, Phandle, Pin, ProcessName, SocketId, SyncId, Wire, encode,
};

fn cpu() -> CpuNumber {
    CpuNumber::new(1).expect("a CPU")
}

fn name() -> ProcessName {
    ProcessName::new("$KV").expect("a right name")
}

fn phandle() -> Phandle {
    Phandle { named: true, cpu: cpu(), pin: Pin(20), node: 3, incarnation: 1, sequence: 900 }
}

fn opener() -> Opener {
    let details =
        OpenDetails { qualifier: "#A.B".into(), primary: Some(phandle()), ..OpenDetails::default() };
    Opener { phandle: phandle(), name: Some(name()), uid: 7, sync_depth: 2, nowait_depth: 1, details }
}

fn spec() -> ProgramSpec {
    let environment = vec![("A".to_owned(), "1".to_owned())];
    ProgramSpec {
        program: "/bin/kv".into(),
        arguments: vec!["-x".into()],
        environment,
        directory: "/".into(),
        pair: true,
    }
}

fn report() -> StopReport {
    StopReport {
        completion: 0,
        abend: false,
        information: 0,
        subsystem: vec![1, 2, 3, 4, 5, 6],
        text: "end".into(),
    }
}

fn record() -> NameRecord {
    NameRecord {
        name: name(),
        epoch: Epoch(901),
        primary: phandle(),
        backup: Some(phandle()),
        ancestor: None,
        program: "kv".into(),
        keeps: StateKeeping::Managed,
    }
}

fn facts() -> ProcessFacts {
    ProcessFacts {
        phandle: phandle(),
        name: Some(name()),
        pid: 7,
        uid: 7,
        program: "/bin/kv".into(),
        home_terminal: "$ZTN0".into(),
        mom: None,
        job: 0,
        priority: 150,
        stop_mode: 1,
        stop_waits: false,
        created_unix_us: 1 << 50,
    }
}

fn event() -> Event {
    let handover = Handover {
        requests_resent: 1,
        openers: 2,
        connections_kept: 3,
        recorded_us: 4,
        speaking_us: 5,
        silent_us: 6,
    };
    Event {
        at_unix_ms: 1 << 40,
        kind: EventKind::Takeover,
        cpu: cpu(),
        name: Some(name()),
        phandle: Some(phandle()),
        epoch_before: Epoch(1),
        epoch_after: Epoch(2),
        cause: "killed".into(),
        handover: Some(handover),
    }
}

fn node() -> NodeRecord {
    NodeRecord {
        node: "\\A".into(),
        cpus: 4,
        unbound: false,
        sick_after_ms: 1,
        hang_after_ms: 2,
        reload_after_ms: 3,
    }
}

fn system() -> [SystemMessage; 3] {
    let ended = SystemMessage::ProcessEnded {
        phandle: phandle(),
        name: Some(name()),
        ending: Ending::Abended,
        report: report(),
        processor_us: 9,
        killer: Some(phandle()),
        job: 0,
    };
    [
        ended,
        SystemMessage::Opened { open: OpenId(4), opener: opener() },
        SystemMessage::CpuDown { cpu: cpu() },
    ]
}

/// The bytes behind a first byte that chooses what they are.
fn behind(first: u8, value: &impl Wire) -> Vec<u8> {
    [vec![first], encode(value)].concat()
}

fn paths() -> Vec<Vec<u8>> {
    let mut request = vec![path::REQUEST];
    Request {
        sync: SyncId(9),
        reply_bytes_max: 100,
        io: IoType::WriteRead,
        again: false,
        payload: b"question",
    }
    .put(&mut request);
    let mut reply = vec![path::REPLY];
    Reply { sync: SyncId(9), error: FileError::OK, epoch: Epoch(3), payload: b"answer" }.put(&mut reply);
    vec![
        request,
        reply,
        behind(path::OPEN_REPLY, &OpenReply { error: FileError::OK, label: -1, epoch: Epoch(3) }),
        behind(path::OPEN_KNOWN, &KnownOpen { open: OpenId(4), opener: opener() }),
        behind(path::TAKEOVER, &Epoch(4)),
        behind(path::RING_TAKEN, &true),
    ]
}

fn checkpoints() -> Vec<Vec<u8>> {
    let (open, sync, connection) = (OpenId(4), SyncId(9), ConnectionId(3));
    let turn = TurnKey::Request { open, sync };
    let groups: [&[Record<'_>]; 5] = [
        &[
            Record::ObjectCreated { object: ObjectId(1), kind: 1, name: "accounts" },
            Record::ObjectChanged { object: ObjectId(1), change: b"\x01\x01\0\0\0a\x01\0\0\0b" },
            Record::ObjectPart { object: ObjectId(1), part: b"\x01\0\0\0a\x01\0\0\0b" },
            Record::ObjectCreated { object: ObjectId(2), kind: 3, name: "log" },
            Record::ObjectChanged { object: ObjectId(2), change: b"\x01\0\0\0\0\0\0\0\0entry" },
        ],
        &[
            Record::Opened { open, opener: opener(), standby: true },
            Record::Labelled { open, label: 7 },
            Record::Replied { open, sync, error: FileError::OK, payload: b"done" },
            Record::Closed { open },
        ],
        &[
            Record::Listening { listener: ListenerId(1), name: "main" },
            Record::Connected {
                connection,
                listener: ListenerId(1),
                peer: "127.0.0.1:1",
                consumed: 5,
                written: 6,
            },
            Record::Kept { connection, input: b"half" },
            Record::Progress { connection, consumed: 12, output: b"+OK\r\n" },
            Record::Written { connection, written: 8 },
            Record::Closing { connection },
            Record::Disconnected { connection },
        ],
        &[
            Record::CallOpened { open, server: name(), next_sync: SyncId(1) },
            Record::CallStarted {
                turn: turn.clone(),
                open,
                sync: SyncId(1),
                reply_bytes_max: 9,
                payload: b"q",
            },
            Record::CallAnswered { open, sync: SyncId(1), error: FileError::OK, payload: b"a" },
            Record::TurnEnded { turn: turn.clone() },
        ],
        &[
            Record::Suspected { turn: TurnKey::Input { connection, offset: 7 }, crashes: 1 },
            Record::Held { held: HeldId(1), label: b"x" },
            Record::Released { held: HeldId(1) },
        ],
    ];
    let body = |(number, records): (usize, &&[Record<'_>])| {
        let mut body = Vec::new();
        begin_checkpoint(CheckpointNumber(number as u64 + 1), &mut body);
        records.iter().for_each(|record| record.put(&mut body));
        body
    };
    groups.iter().enumerate().map(body).collect()
}

fn to_daemon() -> Vec<Vec<u8>> {
    let (request, details) = (1, OpenDetails::default());
    let place = Target::Place { cpu: cpu(), pin: Pin(20), sequence: 900 };
    let named = Target::Name { name: name(), sequence: Some(900) };
    let creation = Creation {
        spec: Some(spec()),
        variables: vec![("B".into(), "2".into())],
        name: NameChoice::Given { name: name() },
        cpu: Some(cpu()),
        home_terminal: String::new(),
        job: Some(1),
        priority: 150,
    };
    let kept = Kept { program: "server".into(), pid: Some(7), restarts: 1 };
    let all = [
        ToDaemon::Attach { version: 2, pid: 7, keeps: StateKeeping::Active },
        ToDaemon::State { state: PairState::Paired, epoch: Epoch(3), backup: Some(phandle()), lag_bytes: 0 },
        ToDaemon::Open { request, target: named, sync_depth: 1, nowait_depth: 1, details: details.clone() },
        ToDaemon::Repath { request, target: place, open: OpenId(4), sync_depth: 1, nowait_depth: 1, details },
        ToDaemon::Change { request, change: Change::TakeOver { epoch: Epoch(3), dead: phandle() } },
        ToDaemon::Prepare { change: Change::TakeOver { epoch: Epoch(3), dead: phandle() } },
        ToDaemon::StartBackup { request, cpu: Some(cpu()) },
        ToDaemon::StartAcceptor { request, listener: ListenerId(1), provider: Some(name()) },
        ToDaemon::Report { event: event() },
        ToDaemon::Stopping { request, both: true, report: report() },
        ToDaemon::Create { request, creation },
        ToDaemon::Query { request, query: Query::Place { cpu: cpu(), pin: Pin(20), next: true } },
        ToDaemon::Set { request, setting: Setting::Priority { value: 150 } },
        ToDaemon::Keeps { kept },
    ];
    all.iter().map(|message| behind(0, message)).collect()
}

fn to_process() -> Vec<Vec<u8>> {
    let request = 1;
    let node = NodeName::new("\\A").expect("a right name");
    let welcome = ToProcess::Welcome {
        phandle: phandle(),
        name: Some(name()),
        node,
        start: StartAs::Backup { epoch: Epoch(3), primary: phandle() },
        program: spec(),
        mom: Some(phandle()),
        home_terminal: "$ZTN0".into(),
        hang_after_ms: 1000,
    };
    let refused = Recorded::Refused { current: Some(record()), why: "other".into() };
    let mut all = vec![
        welcome,
        ToProcess::Opened { request, error: FileError::OK, open: OpenId(4), server: Some(phandle()) },
        ToProcess::NewPath { open: OpenId(4), opener: opener(), again: false, epoch: Epoch(3) },
        ToProcess::Recorded { request, outcome: refused },
        ToProcess::BackupStarted { request, backup: None, error: 1, detail: 2, why: "no".into() },
        ToProcess::PartnerGone { phandle: phandle(), cause: "killed".into() },
        ToProcess::Created {
            request,
            process: Some(phandle()),
            name: None,
            error: 0,
            detail: 0,
            why: String::new(),
        },
        ToProcess::Answer { request, answer: Answer::Process { process: Some(facts()) } },
        ToProcess::Answer { request, answer: Answer::Fate { fate: Fate::Ended } },
        ToProcess::RecordChanged { record: record() },
        ToProcess::TakeoverLine {},
    ];
    all.extend(system().map(|message| ToProcess::System { message }));
    all.iter().map(|message| behind(1, message)).collect()
}

fn to_peer() -> Vec<Vec<u8>> {
    let request = 1;
    let order = StartOrder {
        name: Some(name()),
        sequence: 900,
        incarnation: 1,
        start: StartAs::Unnamed {},
        mom: None,
        home_terminal: String::new(),
        job: 0,
        priority: 150,
        spec: spec(),
    };
    let to = PathTo::Place { pin: Pin(20), sequence: 900 };
    let all = [
        ToPeer::Hello { version: 2, cpu: cpu(), epoch: Epoch(3) },
        ToPeer::StartBackup {
            request,
            name: name(),
            primary: phandle(),
            epoch: Epoch(3),
            incarnation: 1,
            spec: spec(),
        },
        ToPeer::Path { request, to, open: OpenId(4), opener: opener(), again: false, epoch: Epoch(3) },
        ToPeer::Changed { name: name(), change: Change::Switch { epoch: Epoch(3), to: phandle() } },
        ToPeer::StartProcess { request, order },
        ToPeer::RecordChanged { to: phandle(), record: record() },
        ToPeer::StopProcess { request, target: phandle(), abend: true, by: Some(phandle()), quietly: false },
        ToPeer::Query { request, query: Query::PairOf { phandle: phandle() } },
        ToPeer::Answer { request, answer: Answer::Record { record: Some(record()) } },
        ToPeer::System { to: phandle(), message: system()[0].clone() },
    ];
    all.iter().map(encode).collect()
}

fn admin() -> Vec<Vec<u8>> {
    let cpu_record = CpuRecord { cpu: cpu(), state: CpuState::Up, epoch: Epoch(2), pid: 7, since_unix_ms: 9 };
    let status = Status {
        node: NodeName::new("\\A").expect("a right name"),
        cpu: cpu(),
        version: "0.1.0".into(),
        pid: 7,
        settings: node(),
        cpus: vec![cpu_record],
        names: vec![record()],
        connected: vec![cpu()],
        processors: vec![0, 1],
        events_lost: 0,
        peek_offset: true,
    };
    let process = ProcessInfo {
        phandle: phandle(),
        name: Some(name()),
        pid: 7,
        state: Some(PairState::Paired),
        epoch: Epoch(3),
        backup: false,
        program: "kv".into(),
        started_unix_ms: 9,
        lag_bytes: 0,
        kept: Some(Kept { program: "server".into(), pid: None, restarts: 2 }),
        accepts_for: None,
    };
    vec![
        behind(0, &AdminRequest::Run { name: Some(name()), spec: spec() }),
        behind(0, &AdminRequest::Signal { phandle: phandle(), signal: 9 }),
        behind(0, &AdminRequest::Name { name: name() }),
        behind(1, &AdminReply::Status { status }),
        behind(1, &AdminReply::Processes { processes: vec![process.clone(), process] }),
        behind(1, &AdminReply::Ended { phandle: phandle(), code: Some(1), signal: None }),
        behind(1, &AdminReply::Event { event: event() }),
    ]
}

fn provider() -> Vec<Vec<u8>> {
    let (four, six) =
        ("10.0.0.1:5".parse().expect("an address"), "[fe80::1%3]:80".parse().expect("an address"));
    let entry = SocketEntry {
        socket: SocketId(1),
        role: SocketRole::Listener,
        local: Some(four),
        remote: Some(six),
        members: vec![(OpenId(4), phandle())],
    };
    vec![
        behind(0, &SocketRequest::Keep { role: SocketRole::Stream }),
        behind(0, &SocketRequest::Claim { remote: four, local: Some(six) }),
        behind(0, &SocketRequest::Join { socket: SocketId(1), brother: phandle() }),
        behind(1, &SocketReply::Pending { local: four, remote: six }),
        behind(1, &SocketReply::Sockets { sockets: vec![entry] }),
    ]
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let cpu_record = CpuRecord { cpu: cpu(), state: CpuState::Up, epoch: Epoch(2), pid: 7, since_unix_ms: 9 };
    let records =
        vec![behind(0, &record()), behind(1, &cpu_record), behind(2, &node()), behind(3, &phandle())];
    let names = ["$KV", "\\A", "taking-over", "managed", "hung-killed", "writeread", "cpu lost"];
    let control = [to_daemon(), to_process()].concat();
    // An object of each kind: a change and a part, each behind its length.
    let put = b"\x01\x0b\0\x01\x01\0\0\0a\x01\0\0\0b\x0a\x80\x01\0\0\0c\x01\0\0\0d".to_vec();
    let log = b"\x03\x0b\0\x01\0\0\0\0\0\0\0\0en\x0d\x80\x01\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let stream = |piece: u8| {
        let frame =
            |kind: u8, body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], &[kind, 0, 0, 0], body].concat();
        [vec![piece], frame(1, b"hello"), frame(65, b""), frame(33, &[7; 300])].concat()
    };
    let step = |kind: u8, number: &[u8]| [&[kind], number].concat();
    let ring = [
        step(5 + 6, &[100, 0]),
        step(2, &[50, 0]),
        step(3, &[0, 4]),
        step(5, &[0, 1]),
        step(1, &[1]),
        step(4, &[]),
        step(0, &[0xff; 8]),
        step(2, &[1, 0]),
    ];
    let log_entry = b"\0\x01\x08name/$KV\0\0\0\x05cpu 0\x02\x07name/$Q\0\0\0\0".to_vec();
    let with = |target: &'static str, all: Vec<Vec<u8>>| {
        all.into_iter().map(|bytes| (target, bytes)).collect::<Vec<_>>()
    };
    [
        with("path-frames", paths()),
        with("checkpoint", checkpoints()),
        with("checkpoint-records", checkpoints()),
        with("control", control),
        with("mesh", to_peer()),
        with("admin", admin()),
        with("records", records),
        with("socket-provider", provider()),
        with("names", names.iter().map(|name| name.as_bytes().to_vec()).collect()),
        with("objects", vec![put, log, b"\x02\x03\0abc".to_vec()]),
        with("frame-header", vec![stream(0)[1..].to_vec()]),
        with("channel", vec![stream(0), stream(255)]),
        with("ring", vec![ring.concat()]),
        with("launch-order", vec![b"7\n1\n0,2\n=kv\n/\n3,5\n--\n/bin/kv\n-x".to_vec()]),
        with(
            "local-header",
            vec![[1_u64, 1, 7, 2, 9].iter().flat_map(|field| field.to_be_bytes()).collect()],
        ),
        with("local-record", vec![b"\0\0\0\0\0\0\0\x07value".to_vec(), b"name/$KV".to_vec()]),
        with(
            "local-change",
            vec![
                b"\0\0\0\0\0\0\0\x07\0\0\0\0\x01\x08name/$KVvalue".to_vec(),
                b"\0\0\0\0\0\0\0\x07\0\0\0\x01\x02\x08name/$KV".to_vec(),
            ],
        ),
        with("boot-file", vec![b"pollux-coordinator 1\nboot 1-2-3\ngeneration 3\nstate ready\n".to_vec()]),
        with("counter", vec![b"901".to_vec()]),
        with("etcd-log", vec![log_entry, vec![1]]),
        with(
            "etcd-key",
            vec![
                b"pollux/N1/data/name/$KV".to_vec(),
                b"pollux/N1/log/0000000000000001-0000000000000002-80-1170".to_vec(),
                b"pollux-coordinator 1 00".to_vec(),
            ],
        ),
    ]
    .concat()
}
