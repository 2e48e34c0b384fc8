//! What several tests need: made-up processes and records, and a daemon that answers from a function.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pollux_os::{Channel, Fill, Interest, Poller};
use pollux_wire::admin::{ADMIN, AdminReply, AdminRequest, ProcessInfo, Status};
use pollux_wire::control::{PairState, StateKeeping};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::record::{CpuRecord, CpuState, NameRecord, NodeRecord};
use pollux_wire::{CpuNumber, Epoch, NodeName, Phandle, Pin, ProcessName, Wire as _};

use crate::survey::Survey;

pub(crate) fn cpu(number: u8) -> CpuNumber {
    CpuNumber::new(number).unwrap()
}

pub(crate) fn name(text: &str) -> ProcessName {
    ProcessName::new(text).unwrap()
}

pub(crate) fn handle(cpu_number: u8, pin: u16) -> Phandle {
    Phandle { named: true, cpu: cpu(cpu_number), pin: Pin(pin), node: 1, incarnation: 1, sequence: 7 }
}

pub(crate) fn process(phandle: Phandle, of: Option<&str>, state: Option<PairState>) -> ProcessInfo {
    ProcessInfo {
        phandle,
        name: of.map(name),
        pid: 1000 + u32::from(phandle.pin.0),
        state,
        epoch: Epoch(3),
        backup: false,
        program: "/bin/server".to_owned(),
        started_unix_ms: 1_700_000_000_000,
        lag_bytes: 0,
        kept: None,
        accepts_for: None,
    }
}

pub(crate) fn record(of: &str, primary: Phandle, backup: Option<Phandle>) -> NameRecord {
    NameRecord {
        name: name(of),
        epoch: Epoch(3),
        primary,
        backup,
        ancestor: None,
        program: "/bin/server".to_owned(),
        keeps: StateKeeping::Managed,
    }
}

/// The record of a pair that keeps its state itself.
pub(crate) fn active_record(of: &str, primary: Phandle, backup: Option<Phandle>) -> NameRecord {
    NameRecord { keeps: StateKeeping::Active, ..record(of, primary, backup) }
}

pub(crate) fn status(of_cpu: u8, names: Vec<NameRecord>) -> Status {
    let record = |number: u8| CpuRecord {
        cpu: cpu(number),
        state: CpuState::Up,
        epoch: Epoch(1),
        pid: 500 + u32::from(number),
        since_unix_ms: 1_700_000_000_000,
    };
    Status {
        node: NodeName::new("\\N").unwrap(),
        cpu: cpu(of_cpu),
        version: "0.1.0".to_owned(),
        pid: 500 + u32::from(of_cpu),
        settings: NodeRecord {
            node: "\\N".to_owned(),
            cpus: 2,
            unbound: false,
            sick_after_ms: 1000,
            hang_after_ms: 250,
            reload_after_ms: 500,
        },
        cpus: vec![record(0), record(1)],
        names,
        connected: vec![cpu(1 - of_cpu)],
        processors: vec![u16::from(of_cpu)],
        events_lost: 0,
        peek_offset: true,
    }
}

pub(crate) fn survey(names: Vec<NameRecord>, processes: Vec<ProcessInfo>) -> Survey {
    Survey { statuses: vec![status(0, names.clone()), status(1, names)], processes, silent: Vec::new() }
}

/// A daemon that answers from a function and closes the connection when that gives nothing.
pub(crate) struct FakeDaemon {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl FakeDaemon {
    pub(crate) fn start(
        socket: &Path,
        mut answer: impl FnMut(AdminRequest) -> Option<AdminReply> + Send + 'static,
    ) -> FakeDaemon {
        let listener = pollux_os::listen_unix(socket).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut poller = Poller::new().unwrap();
            poller.add(&listener, 0, Interest::READ).unwrap();
            let mut channels: Vec<Option<Channel>> = vec![None];
            while !stopped.load(Ordering::SeqCst) {
                let ready: Vec<usize> = poller
                    .wait(Some(Duration::from_millis(5)))
                    .unwrap()
                    .iter()
                    .map(|event| event.token as usize)
                    .collect();
                for token in ready {
                    if token == 0 {
                        let fd = rustix::net::accept(&listener).unwrap();
                        poller.add(&fd, channels.len() as u64, Interest::READ).unwrap();
                        channels.push(Some(Channel::new(fd, CONTROL_BODY_BYTES_MAX)));
                    } else if !serve(channels[token].as_mut(), &mut answer) {
                        channels[token] = None;
                    }
                }
            }
        });
        FakeDaemon { stop, thread }
    }

    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

fn serve(channel: Option<&mut Channel>, answer: &mut impl FnMut(AdminRequest) -> Option<AdminReply>) -> bool {
    let Some(channel) = channel else { return false };
    let fill = channel.fill().unwrap_or(Fill::Closed);
    let mut requests = Vec::new();
    while let Ok(Some(frame)) = channel.next_frame() {
        requests.push(pollux_wire::decode::<AdminRequest>(frame.body).unwrap());
    }
    for request in requests {
        let Some(reply) = answer(request) else { return false };
        channel.queue(ADMIN, |out| reply.put(out));
        let _ = channel.flush();
    }
    fill != Fill::Closed
}
