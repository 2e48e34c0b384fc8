//! Faults that are more than a signal: full disks, disk errors, limits, and the loss of both halves.
//!
//! Where two things fail at a time the pair may be lost. Then its openers must be told so, no open may ever be answered by a later
//! pair of that name, and all that was told before must still be explained.

use super::plan::{Plan, Special};
use super::round::{LOOK_EVERY, Round, judged};
use super::strike::{Victim, handle_of};
use super::subject::{Kind, Subject, no_errors, told_of_loss};
use super::{Problem, harness};
use crate::cleanup::descriptors_of;
use crate::wait::{PATIENCE, spin};
use pollux_os::{Pid, Signal};
use pollux_wire::record::NameRecord;
use rustix::process::{Resource, Rlimit, prlimit};
use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The pair that may be lost.
const NAME: &str = "$TWO";
/// In this CPU it begins.
const CPU: u8 = 2;
/// Its requesters.
const REQUESTERS: u64 = 2;
/// How long a disk fails.
const DISK_FAILS: Duration = Duration::from_millis(300);
/// Requests of a program that opens a server without descriptors.
const OPENS: usize = 3;
/// What a primary may still take of memory.
const MEMORY_LEFT: u64 = 64 * 1024;
/// A request that needs more.
const LARGE: usize = 1 << 20;

/// Kills both halves, with a delay between them, as often as the plan says.
pub fn double_failures(round: &mut Round<'_>, plan: &Plan) -> Result<(), Problem> {
    for (number, (backup_first, delay)) in plan.doubles.iter().enumerate() {
        let mut halves_killed = |subject: &mut Subject, record: &NameRecord, round: &mut Round<'_>| {
            let Some(backup) = record.backup else { return Ok(()) };
            let order = if *backup_first { [backup, record.primary] } else { [record.primary, backup] };
            let [Some(first), Some(second)] = order.map(|half| handle_of(&round.node, half)) else {
                return Ok(());
            };
            subject.begin_own(&round.node, &round.outside)?;
            let _ = pollux_os::signal(&first.0, Signal::KILL);
            spin(*delay);
            let _ = pollux_os::signal(&second.0, Signal::KILL);
            subject.note(format!("both halves killed, {} us apart: {order:?}", delay.as_micros()));
            Ok(())
        };
        *round.tally.specials.entry("double failure".to_owned()).or_default() += 1;
        with_pair_that_may_be_lost(round, number as u64, &mut halves_killed)?;
    }
    Ok(())
}

/// The special fault of the plan; none if this machine does not allow it.
pub fn special(round: &mut Round<'_>, special: Special) -> Result<(), Problem> {
    let skipped = match special {
        Special::Descriptors => descriptors(round).map(|()| None)?,
        Special::Memory => memory(round).map(|()| None)?,
        Special::DiskFull => disk_full(round)?,
        Special::DiskError => disk_errors(round)?,
    };
    match skipped {
        None => *round.tally.specials.entry(special.word().to_owned()).or_default() += 1,
        Some(why) => drop(round.tally.skipped.insert(special.word().to_owned(), why)),
    }
    Ok(())
}

type Blow<'a> = dyn FnMut(&mut Subject, &NameRecord, &mut Round<'_>) -> Result<(), Problem> + 'a;

/// A pair with requesters, a blow, and the verdict: it goes on without an error, or it is lost and that is told.
fn with_pair_that_may_be_lost(
    round: &mut Round<'_>,
    number: u64,
    blow: &mut Blow<'_>,
) -> Result<(), Problem> {
    let first = round.next_opener();
    let mut subject =
        Subject::start(&round.node, (NAME, Kind::Rust, CPU), &round.programs, round.place.path(), first)?;
    subject.begin_load(&round.node, &round.programs, round.seed.wrapping_add(number), REQUESTERS, 500);
    let verdict = lose(round, &mut subject, blow);
    if verdict.is_err() {
        round.told.push((NAME, subject.told()));
    }
    verdict
}

fn lose(round: &mut Round<'_>, subject: &mut Subject, blow: &mut Blow<'_>) -> Result<(), Problem> {
    let record = subject.wait_whole(&round.node, || {})?;
    subject.wait_begun()?;
    for _ in 0..5 {
        subject.begin_own(&round.node, &round.outside)?;
        subject.finish_own()?;
    }
    blow(subject, &record, round)?;
    let survivor = end_of_blow(round, &record)?;
    if survivor.is_some() {
        subject.wait_whole(&round.node, || {})?;
        subject.end_load()?;
    } else {
        // Each of them must be told.
        subject.wait_for_ends()?;
    }
    let history = subject.history()?;
    if survivor.is_some() {
        no_errors(&history, NAME)?;
        let log = subject.log(&round.outside)?;
        judged(&history, Some(&log), NAME, round.tally)?;
        round.node.stop_pair(NAME);
    } else {
        if (told_of_loss(&history, NAME)? as u64) < REQUESTERS {
            return Err(Problem::Broken(format!("L3: {NAME} is lost, and not all of its openers were told")));
        }
        judged(&history, None, NAME, round.tally)?;
        round.tally.losses_told += 1;
    }
    Ok(())
}

/// Waits until the name is free, or the pair is whole with another record.
fn end_of_blow(round: &Round<'_>, before: &NameRecord) -> Result<Option<NameRecord>, Problem> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match round.node.record(NAME) {
            None => return Ok(None),
            Some(record) if record.epoch > before.epoch => {
                if let Some(whole) = round.node.whole(NAME) {
                    return Ok(Some(whole));
                }
            }
            Some(_) => {}
        }
        if Instant::now() > deadline {
            let record = round.node.record(NAME);
            return Err(Problem::Broken(format!(
                "L1: {NAME} is neither whole nor gone: {before:?}, then {record:?}"
            )));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn limit(pid: Pid, resource: Resource, current: Option<u64>) -> Result<Rlimit, Problem> {
    // The other limit stays: without it the old one could not come back.
    let before = prlimit(Some(pid), resource, Rlimit { current, maximum: maximum(pid, resource)? });
    before.map_err(|error| Problem::Harness(format!("prlimit: {error}")))
}

fn maximum(pid: Pid, resource: Resource) -> Result<Option<u64>, Problem> {
    let wanted = if resource == Resource::Nofile { "Max open files" } else { "Max address space" };
    let path = format!("/proc/{}/limits", pid.as_raw_nonzero());
    let text = std::fs::read_to_string(&path).map_err(harness(path))?;
    let line = text.lines().find(|line| line.starts_with(wanted)).unwrap_or_default();
    Ok(line[wanted.len()..].split_whitespace().nth(1).and_then(|word| word.parse().ok()))
}

/// A primary without a free descriptor is opened: those who have it open notice nothing, and the new ones get in later.
fn descriptors(round: &mut Round<'_>) -> Result<(), Problem> {
    let record = round.wait_whole(0)?;
    let Some((_, pid)) = handle_of(&round.node, record.primary) else { return Ok(()) };
    let used = descriptors_of(pid.as_raw_nonzero().get().cast_unsigned()).unwrap_or(0) as u64;
    let before = limit(pid, Resource::Nofile, Some(used))?;
    let name = round.subjects[0].name;
    round.subjects[0].note(format!("the primary has its {used} descriptors and gets no more"));
    let askers: Vec<_> = (0..OPENS).map(|_| round.node.requester(&["ask", name, "0 0 count"])).collect();
    std::thread::sleep(DISK_FAILS);
    // It may have ended meanwhile.
    let _ = limit(pid, Resource::Nofile, before.current);
    round.subjects[0].struck(Victim::shaken(&record));
    for asker in askers {
        let (status, said, errors) = asker.outcome();
        // Refused is as good as served; what counts is that there is an end.
        round.subjects[0].note(format!(
            "opened without descriptors: {status}, {} {}",
            said.trim(),
            errors.trim()
        ));
    }
    round.wait_whole(0).map(drop)
}

/// A primary that gets no more memory has a large request: it ends at once, and the other half answers.
fn memory(round: &mut Round<'_>) -> Result<(), Problem> {
    let record = round.wait_whole(0)?;
    let Some((_, pid)) = handle_of(&round.node, record.primary) else { return Ok(()) };
    let path = format!("/proc/{}/statm", pid.as_raw_nonzero());
    let text = std::fs::read_to_string(&path).map_err(harness(path))?;
    let pages: u64 = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let before = limit(pid, Resource::As, Some(pages * rustix::param::page_size() as u64 + MEMORY_LEFT))?;
    round.subjects[0].note(format!("the primary gets no more memory than {MEMORY_LEFT} bytes"));
    let failed = |error: pollux::Error| Problem::Broken(format!("T1: a large request ends with {error}"));
    let mut server = round.outside.open(round.subjects[0].name).map_err(failed)?;
    let ticket = server.start(&vec![b'x'; LARGE]).map_err(failed)?;
    let answer = server.finish_within(ticket, Some(PATIENCE)).map_err(failed)?;
    if answer.is_none_or(|answer| answer.error != crate::programs::ledger::NONSENSE) {
        return Err(Problem::Broken("T1: a large request is not answered".to_owned()));
    }
    let _ = limit(pid, Resource::As, before.current);
    round.subjects[0].struck(Victim::shaken(&record));
    round.wait_whole(0).map(drop)
}

/// The primary of a pair dies while nothing can be written to the disk of the node.
fn disk_full(round: &mut Round<'_>) -> Result<Option<String>, Problem> {
    let Some(disk) = round.disk.as_ref().map(|disk| disk.path().join("ballast")) else {
        return Ok(round.no_disk.clone());
    };
    let mut blow = |subject: &mut Subject, record: &NameRecord, round: &mut Round<'_>| {
        let mut ballast = File::create(&disk).map_err(harness("the ballast"))?;
        let block = vec![1_u8; 64 * 1024];
        while ballast.write_all(&block).is_ok() {}
        // To the last byte.
        while ballast.write_all(&block[..1]).is_ok() {}
        kill_primary(subject, record, round, "the disk is full")?;
        std::thread::sleep(DISK_FAILS);
        std::fs::remove_file(&disk).map_err(harness("the ballast"))
    };
    with_pair_that_may_be_lost(round, 100, &mut blow).map(|()| None)
}

/// The primary of a pair dies while the daemon that must put the takeover on record gets errors of its disk.
fn disk_errors(round: &mut Round<'_>) -> Result<Option<String>, Problem> {
    let can = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !can.is_ok_and(|done| done.status.success()) {
        return Ok(Some("strace cannot be used here".to_owned()));
    }
    let mut blow = |subject: &mut Subject, record: &NameRecord, round: &mut Round<'_>| {
        let Some(backup) = record.backup else { return Ok(()) };
        let daemon = round.node.daemon_pid(backup.cpu.get()).to_string();
        let calls = "fsync,fdatasync,msync,pwrite64,pwritev";
        let mut strace = Command::new("strace")
            .args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:error=EIO"), "-p", &daemon])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(harness("strace"))?;
        let attached = || {
            let status = std::fs::read_to_string(format!("/proc/{daemon}/status")).unwrap_or_default();
            status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
        };
        let deadline = Instant::now() + PATIENCE;
        while !attached() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
        let struck = kill_primary(subject, record, round, "the disk of the backup's daemon has errors");
        std::thread::sleep(DISK_FAILS);
        // It lets the daemon go when it is told to end, and only then.
        if let Some(pid) = Pid::from_raw(strace.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let _ = strace.wait();
        struck
    };
    with_pair_that_may_be_lost(round, 200, &mut blow).map(|()| None)
}

fn kill_primary(
    subject: &mut Subject,
    record: &NameRecord,
    round: &mut Round<'_>,
    while_so: &str,
) -> Result<(), Problem> {
    let Some((handle, _)) = handle_of(&round.node, record.primary) else { return Ok(()) };
    subject.begin_own(&round.node, &round.outside)?;
    let _ = pollux_os::signal(&handle, Signal::KILL);
    subject.note(format!("{while_so}; the primary {} is killed", record.primary));
    Ok(())
}
