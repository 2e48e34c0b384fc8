//! The event log `events.jsonl`: one line of JSON per event, for operators and for `pollux events`.
//!
//! All daemons of the node append to the same file, each line with one write, so that lines never mix. Writing happens
//! on a thread of its own, since a disk may stall; an event that cannot be written is counted and stops nothing.

use crate::limits::{EVENTS_FILE_BYTES_MAX, EVENTS_WAITING_MAX};
use pollux_wire::event::Event;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The file in the node's directory.
const FILE: &str = "events.jsonl";
/// What it becomes when it is full.
const FILE_OLD: &str = "events.1.jsonl";
/// Held while it is renamed.
const FILE_LOCK: &str = "events.lock";

/// Where events go.
#[derive(Debug)]
pub(crate) struct EventLog {
    waiting: Option<SyncSender<Event>>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl EventLog {
    /// Starts the thread that writes into `directory`.
    pub(crate) fn start(directory: &Path) -> io::Result<Self> {
        let (waiting, events) = sync_channel(EVENTS_WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let mut file = EventFile { directory: directory.to_path_buf(), bytes_max: EVENTS_FILE_BYTES_MAX };
        let count = Arc::clone(&lost);
        let thread = std::thread::Builder::new().name("events".to_owned());
        let thread = thread.spawn(move || file.write_all(&events, &count))?;
        Ok(Self { waiting: Some(waiting), lost, thread: Some(thread) })
    }

    /// Hands over an event.
    pub(crate) fn write(&self, event: Event) {
        let taken = self.waiting.as_ref().is_some_and(|waiting| waiting.try_send(event).is_ok());
        if !taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for EventLog {
    /// Waits for what is in hand: the last events of a CPU tell why it went down.
    fn drop(&mut self) {
        self.waiting = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct EventFile {
    directory: PathBuf,
    bytes_max: u64,
}

impl EventFile {
    fn write_all(&mut self, events: &Receiver<Event>, lost: &AtomicU64) {
        for event in events {
            if let Err(error) = self.append(&event) {
                let lost = lost.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::warn!(lost, "an event could not be written to {FILE}: {error}");
            }
        }
    }

    /// Opens the file anew each time: another daemon may have renamed it.
    fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = to_line(event)?;
        line.push(b'\n');
        let path = self.directory.join(FILE);
        let mut file = open_for_appending(&path)?;
        if file.metadata()?.len() + line.len() as u64 > self.bytes_max {
            self.rotate(&path)?;
            file = open_for_appending(&path)?;
        }
        // A short write leaves a broken line that readers skip; writing the rest could end in another's line.
        match file.write(&line)? {
            written if written == line.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Renames the file once, however many daemons find it full.
    fn rotate(&self, path: &Path) -> io::Result<()> {
        let lock = open_for_appending(&self.directory.join(FILE_LOCK))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        if fs::metadata(path)?.len() * 2 > self.bytes_max {
            fs::rename(path, self.directory.join(FILE_OLD))?;
        }
        Ok(())
    }
}

fn open_for_appending(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The line's fields, in this order.
#[derive(Serialize)]
struct Line<'a> {
    at_unix_ms: u64,
    kind: &'a str,
    cpu: u8,
    name: Option<&'a str>,
    phandle: Option<String>,
    epoch_before: u64,
    epoch_after: u64,
    cause: &'a str,
    handover: Option<HandoverFields>,
}

#[derive(Serialize)]
struct HandoverFields {
    requests_resent: u32,
    openers: u32,
    connections_kept: u32,
    recorded_us: u64,
    speaking_us: u64,
    silent_us: u64,
}

fn to_line(event: &Event) -> io::Result<Vec<u8>> {
    let line = Line {
        at_unix_ms: event.at_unix_ms,
        kind: event.kind.name(),
        cpu: event.cpu.get(),
        name: event.name.as_ref().map(|name| name.as_str()),
        phandle: event.phandle.map(|phandle| phandle.to_string()),
        epoch_before: event.epoch_before.0,
        epoch_after: event.epoch_after.0,
        cause: &event.cause,
        handover: event.handover.as_ref().map(|figures| HandoverFields {
            requests_resent: figures.requests_resent,
            openers: figures.openers,
            connections_kept: figures.connections_kept,
            recorded_us: figures.recorded_us,
            speaking_us: figures.speaking_us,
            silent_us: figures.silent_us,
        }),
    };
    Ok(serde_json::to_vec(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::event::{EventKind, Handover};
    use pollux_wire::{CpuNumber, Epoch, Phandle, Pin, ProcessName};

    fn event(cause: &str) -> Event {
        let cpu = CpuNumber::new(1).unwrap();
        Event {
            at_unix_ms: 1_700_000_000_000,
            kind: EventKind::Takeover,
            cpu,
            name: Some(ProcessName::new("$KV").unwrap()),
            phandle: Some(Phandle { named: true, cpu, pin: Pin(7), node: 0, incarnation: 2, sequence: 9 }),
            epoch_before: Epoch(9),
            epoch_after: Epoch(10),
            cause: cause.to_owned(),
            handover: None,
        }
    }

    // Dashboards and scripts read these fields by name.
    #[test]
    fn a_line_has_the_fields_of_the_event() {
        let handover = Handover {
            requests_resent: 1,
            openers: 2,
            connections_kept: 3,
            recorded_us: 4,
            speaking_us: 5,
            silent_us: 6,
        };
        let line = to_line(&Event { handover: Some(handover), ..event("say \"no\"\n") }).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                r#"{"at_unix_ms":1700000000000,"kind":"takeover","cpu":1,"name":"$KV","phandle":"1,7:9.2","#,
                r#""epoch_before":9,"epoch_after":10,"cause":"say \"no\"\n","handover":{"requests_resent":1,"#,
                r#""openers":2,"connections_kept":3,"recorded_us":4,"speaking_us":5,"silent_us":6}}"#
            )
        );
    }

    // A log without end fills the disk of a node that runs for years.
    #[test]
    fn a_full_file_is_put_aside_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = EventFile { directory: directory.path().to_path_buf(), bytes_max: 1_000 };
        for number in 0..20 {
            file.append(&event(&format!("number {number}"))).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(read(FILE).len() <= 1_000 && read(FILE_OLD).len() <= 1_000);
        assert!(read(FILE).ends_with('\n') && read(FILE).contains("number 19"));
    }

    // A full disk must not stop a CPU.
    #[test]
    fn what_cannot_be_written_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let log = EventLog::start(&directory.path().join("none")).unwrap();
        log.write(event("lost"));
        let lost = Arc::clone(&log.lost);
        drop(log);
        assert_eq!(lost.load(Ordering::Relaxed), 1);
    }
}
