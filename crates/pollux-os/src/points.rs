//! Points at which a process can be made to end, and a trace of what it passed: the ground of `pollux explore`.
//!
//! Off unless [`POINTS_VARIABLE`] is set; then it costs one load and one branch a point. Its value is `server:DIR` or
//! `requester:DIR`. In DIR:
//!
//! | File | Written by | Means |
//! | --- | --- | --- |
//! | `armed` | explore | points count from here on: the pair is whole |
//! | `kill` | explore | lines `RANK POINT`: the server with this rank ends itself at its POINT-th point |
//! | `hold` | a new primary that is to end, too | requesters send nothing more until it has a backup |
//! | `server-RANK` | the RANK-th server process | its trace; made exclusively, so the first process to attach is 1 |
//! | `requester-PID` | each requester | its trace |
//!
//! A line of a trace is `ns what point open sync error bytes hash first-bytes`: a monotonic time, the name of the mark, the
//! number of the point or 0, numbers, FNV-1a of all bytes in hex, and the first bytes in hex or `-`. Each line is one
//! `write`, made before the point is passed, so that the last line of a process that was killed says where.

use crate::clock;
use rustix::process::{Signal, getpid, kill_process};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names the directory of a run and what this process is in it.
pub const POINTS_VARIABLE: &str = "POLLUX_EXPLORE";
/// Bytes of a payload that a trace shows.
pub const SHOWN_BYTES_MAX: usize = 96;
/// A pair has a new backup by then, or never.
const HOLD_MAX: Duration = Duration::from_secs(3);
const HOLD_LOOK_EVERY: Duration = Duration::from_millis(1);
/// Server processes of a run.
const RANKS_MAX: u32 = 64;

/// What a process passes. The first are points where a server can be killed; the others are only written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A request was read from its path; the program has not seen it.
    Received,
    /// A request is handed to the program.
    Delivered,
    /// A message of the system is handed to the program.
    Told,
    /// A checkpoint is about to be sent; its number is the sync id.
    CheckpointSending,
    /// A checkpoint was sent.
    CheckpointSent,
    /// A checkpoint was acknowledged.
    Acknowledged,
    /// A reply, or output of a connection, is about to leave.
    Replying,
    /// It has left.
    Replied,
    /// A disk file is about to be written.
    Writing,
    /// A step of the journal of that write is done.
    Journaled,
    /// The bytes are in the file.
    Written,
    /// The process is about to end in good order.
    Ending,
    /// This process has become the primary by a takeover.
    TookOver,
    /// This primary has a backup that is in step.
    Whole,
    /// It has none.
    Alone,
    /// A request leaves this process.
    Request,
    /// Its answer has come.
    Answer,
    /// It was given up.
    Cancelled,
}

impl Mark {
    /// Each of them, in the order in which a request passes them.
    pub const ALL: [Mark; 18] = [
        Mark::Received,
        Mark::Delivered,
        Mark::Told,
        Mark::CheckpointSending,
        Mark::CheckpointSent,
        Mark::Acknowledged,
        Mark::Replying,
        Mark::Replied,
        Mark::Writing,
        Mark::Journaled,
        Mark::Written,
        Mark::Ending,
        Mark::TookOver,
        Mark::Whole,
        Mark::Alone,
        Mark::Request,
        Mark::Answer,
        Mark::Cancelled,
    ];

    /// The mark of that name.
    pub fn from_name(name: &str) -> Option<Mark> {
        Self::ALL.into_iter().find(|mark| mark.name() == name)
    }

    /// Its name in a trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Delivered => "delivered",
            Self::Told => "told",
            Self::CheckpointSending => "checkpoint-sending",
            Self::CheckpointSent => "checkpoint-sent",
            Self::Acknowledged => "acknowledged",
            Self::Replying => "replying",
            Self::Replied => "replied",
            Self::Writing => "writing",
            Self::Journaled => "journaled",
            Self::Written => "written",
            Self::Ending => "ending",
            Self::TookOver => "took-over",
            Self::Whole => "whole",
            Self::Alone => "alone",
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Cancelled => "cancelled",
        }
    }

    fn is_point(self) -> bool {
        !matches!(
            self,
            Self::TookOver | Self::Whole | Self::Alone | Self::Request | Self::Answer | Self::Cancelled
        )
    }
}

/// What a mark is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The open, or the connection.
    pub open: u64,
    /// Sync id, or number of the checkpoint.
    pub sync: u64,
    /// Error number.
    pub error: u16,
    /// The payload.
    pub bytes: &'a [u8],
}

impl<'a> Subject<'a> {
    /// A request or reply without error.
    pub fn of(open: u64, sync: u64, bytes: &'a [u8]) -> Self {
        Self { open, sync, error: 0, bytes }
    }
}

const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static TRACE: Mutex<Option<Trace>> = Mutex::new(None);

/// True in a process that is being explored.
#[inline]
pub fn is_on() -> bool {
    match STATE.load(Ordering::Relaxed) {
        OFF => false,
        ON => true,
        _ => begin(),
    }
}

/// This process is a half of a pair: it gets its rank. Only such a process has points.
pub fn enter_server() {
    if is_on() {
        with(Trace::enter);
    }
}

/// Passes a point: writes it down, and ends this process here if that is the plan.
#[inline]
pub fn pass(mark: Mark, subject: Subject<'_>) {
    if is_on() {
        with(|trace| trace.pass(mark, subject));
    }
}

/// Passes a point whose other side comes when [`pass_sent`] is called.
#[inline]
pub fn pass_before(mark: Mark, sent: Mark, subject: Subject<'_>) {
    if is_on() {
        with(|trace| {
            trace.pass(mark, subject);
            trace.unsent.push((sent, subject.open, subject.sync));
        });
    }
}

/// What was about to be sent has been sent.
#[inline]
pub fn pass_sent(sent: Mark) {
    if is_on() {
        with(|trace| trace.pass_sent(sent));
    }
}

fn with(body: impl FnOnce(&mut Trace)) {
    if let Some(trace) = TRACE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        body(trace);
    }
}

#[cold]
fn begin() -> bool {
    let mut trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        *trace = std::env::var(POINTS_VARIABLE).ok().and_then(|value| Trace::of(&value));
        STATE.store(if trace.is_some() { ON } else { OFF }, Ordering::Relaxed);
    }
    trace.is_some()
}

/// The trace of this process.
struct Trace {
    directory: PathBuf,
    /// None for a server process that has no rank: it is no half of a pair.
    file: Option<File>,
    is_server: bool,
    is_armed: bool,
    /// Told to be whole: what is killed is the primary of a whole pair.
    is_whole: bool,
    points: u64,
    kill_at: Option<u64>,
    unsent: Vec<(Mark, u64, u64)>,
}

impl Trace {
    fn of(value: &str) -> Option<Self> {
        let (role, directory) = value.split_once(':')?;
        let directory = PathBuf::from(directory);
        let is_server = role == "server";
        let path = directory.join(format!("requester-{}", std::process::id()));
        let file = (role == "requester").then(|| make(&path)).flatten();
        if !is_server && file.is_none() {
            return None;
        }
        Some(Self {
            directory,
            file,
            is_server,
            is_armed: false,
            is_whole: false,
            points: 0,
            kill_at: None,
            unsent: Vec::new(),
        })
    }

    fn enter(&mut self) {
        if !self.is_server || self.file.is_some() {
            return;
        }
        for rank in 1..=RANKS_MAX {
            self.file = make(&self.directory.join(format!("server-{rank}")));
            if self.file.is_some() {
                let plan = fs::read_to_string(self.directory.join("kill")).unwrap_or_default();
                self.kill_at = planned(&plan, rank);
                return;
            }
        }
    }

    fn pass(&mut self, mark: Mark, subject: Subject<'_>) {
        let mut number = 0;
        if self.is_server && mark.is_point() && self.is_counting() {
            self.points += 1;
            number = self.points;
        }
        self.note_form(mark);
        self.write(mark, number, subject);
        if number > 0 && self.kill_at == Some(number) {
            end_here();
        }
    }

    /// A new primary that is to end, too, must have a backup by then: requests wait for that.
    fn note_form(&mut self, mark: Mark) {
        let hold = self.directory.join("hold");
        match mark {
            Mark::TookOver if self.kill_at.is_some() => drop(fs::write(&hold, "")),
            Mark::Whole => {
                self.is_whole = true;
                let _ = fs::remove_file(&hold);
            }
            Mark::Alone => self.is_whole = false,
            Mark::Request if !self.is_server => {
                let deadline = Instant::now() + HOLD_MAX;
                while hold.exists() && Instant::now() < deadline {
                    std::thread::sleep(HOLD_LOOK_EVERY);
                }
            }
            _ => {}
        }
    }

    fn pass_sent(&mut self, sent: Mark) {
        let unsent = std::mem::take(&mut self.unsent);
        for (mark, open, sync) in unsent {
            if mark == sent {
                self.pass(mark, Subject::of(open, sync, &[]));
            } else {
                self.unsent.push((mark, open, sync));
            }
        }
    }

    fn is_counting(&mut self) -> bool {
        self.is_armed |= self.directory.join("armed").exists();
        self.is_armed && self.is_whole
    }

    fn write(&mut self, mark: Mark, number: u64, subject: Subject<'_>) {
        let Some(file) = &mut self.file else { return };
        let Subject { open, sync, error, bytes } = subject;
        let (ns, name, count) = (clock::monotonic_ns(), mark.name(), bytes.len());
        let hash = hash(bytes);
        let shown = shown(bytes);
        let line = format!("{ns} {name} {number} {open} {sync} {error} {count} {hash:016x} {shown}\n");
        // Without its trace a run is no evidence: explore sees that a line is missing.
        let _ = file.write_all(line.as_bytes());
    }
}

fn make(path: &Path) -> Option<File> {
    OpenOptions::new().append(true).create_new(true).open(path).ok()
}

/// The point at which the server of this rank ends, by the lines of a plan.
fn planned(plan: &str, rank: u32) -> Option<u64> {
    plan.lines().find_map(|line| {
        let (of, point) = line.split_once(' ')?;
        (of.parse() == Ok(rank)).then(|| point.trim().parse().ok()).flatten()
    })
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().take(SHOWN_BYTES_MAX).map(|byte| format!("{byte:02x}")).collect()
}

/// `kill -9` of this process by itself: nothing of it runs any more behind this line.
fn end_here() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // The signal is there when the call returns; a kernel that refuses it must not let the process go on.
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    // A name that is not read back is a line that is left out of all reports.
    #[test]
    fn each_mark_comes_back_by_its_name() {
        assert!(Mark::ALL.is_sorted());
        assert_eq!(Mark::ALL.map(|mark| Mark::from_name(mark.name())), Mark::ALL.map(Some));
        assert_eq!(Mark::from_name("arrived"), None);
    }

    fn trace(role: &str, directory: &Path) -> Trace {
        Trace::of(&format!("{role}:{}", directory.display())).unwrap()
    }

    // Points before the pair is whole would kill what is no pair yet; they must not even be counted.
    #[test]
    fn points_count_from_the_arming_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = trace("server", directory.path());
        first.enter();
        first.pass(Mark::Received, Subject::of(7, 1, b"early"));
        fs::write(directory.path().join("armed"), "").unwrap();
        first.pass(Mark::Whole, Subject::default());
        first.pass(Mark::Received, Subject::of(7, 2, b"add"));
        first.pass(Mark::Request, Subject::of(8, 1, b""));
        first.pass(Mark::Delivered, Subject { open: 7, sync: 2, error: 3, bytes: b"add" });
        let text = fs::read_to_string(directory.path().join("server-1")).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(lines[0], format!("received 0 7 1 0 5 {:016x} 6561726c79", hash(b"early")));
        assert!(lines[1].starts_with("whole 0 "), "{}", lines[1]);
        assert_eq!(lines[2], format!("received 1 7 2 0 3 {:016x} 616464", hash(b"add")));
        assert_eq!(lines[3], "request 0 8 1 0 0 cbf29ce484222325 -");
        assert!(lines[4].starts_with("delivered 2 7 2 3 3 "), "{}", lines[4]);
    }

    // The backup runs the same program with the same environment: a plan for the primary must not reach it.
    #[test]
    fn each_half_has_a_rank_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("kill"), "1 17\n2 3\n").unwrap();
        let kills: Vec<Option<u64>> = (0..3)
            .map(|_| {
                let mut half = trace("server", directory.path());
                half.enter();
                half.enter();
                half.kill_at
            })
            .collect();
        assert_eq!(kills, [Some(17), Some(3), None]);
        assert!(directory.path().join("server-3").exists());
        assert!(!directory.path().join("server-4").exists());
    }

    // A reply counts as sent only where it was sent, and once.
    #[test]
    fn what_is_sent_is_passed_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("armed"), "").unwrap();
        let mut half = trace("server", directory.path());
        half.enter();
        half.pass(Mark::Whole, Subject::default());
        half.unsent.push((Mark::Replied, 7, 1));
        half.unsent.push((Mark::CheckpointSent, 0, 4));
        half.pass_sent(Mark::Replied);
        half.pass_sent(Mark::Replied);
        assert_eq!(half.points, 1);
        half.pass_sent(Mark::CheckpointSent);
        assert_eq!(half.points, 2);
    }
}
