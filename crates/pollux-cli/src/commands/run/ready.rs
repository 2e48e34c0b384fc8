//! Waiting until a named program has joined the node, and saying why when it does not.

use std::time::{Duration, Instant};

use pollux_os::Signal;
use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::control::PairState;

use super::{Running, What};
use crate::client::{Admin, NoAnswer};
use crate::error::{Failure, Result};
use crate::start::last_lines;
use crate::survey::{Daemons, Survey};
use crate::time::wait_until;

/// Lines of the program's log shown with an error.
const LOG_LINES_SHOWN: usize = 5;

/// How far a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Joined,
    Waiting(String),
}

/// Waits until the program has joined, for a pair until it is whole. One that does not is killed: a name held by a
/// program that serves nobody is worse than none.
pub(super) fn until_joined(
    daemons: &mut Daemons,
    what: &What<'_>,
    running: &Running,
    limit: Duration,
) -> Result<()> {
    let mut end = watch_end(daemons, running);
    let mut reason = "it has not joined the node".to_owned();
    let joined = wait_until(limit, || {
        if let Some(Ok(Some(AdminReply::Ended { code, signal, .. }))) = end.as_mut().map(Admin::answer) {
            // A pair may lose its first primary here and go on with its backup, which is what a pair is for.
            let survey = daemons.survey()?;
            if what.name.is_none_or(|name| survey.record(name).is_none()) {
                return Err(ended_early(what, code, signal));
            }
        }
        match progress(&daemons.survey()?, what, running) {
            Progress::Joined => Ok(Some(())),
            Progress::Waiting(why) => {
                reason = why;
                Ok(None)
            }
        }
    })?;
    if joined.is_some() {
        return Ok(());
    }
    let order = AdminRequest::Signal { phandle: running.phandle, signal: Signal::KILL.as_raw() };
    // It may have ended by itself in this moment, which is as good.
    let _ = daemons.order(running.phandle.cpu, &order);
    Err(did_not_join(what, limit, &reason))
}

fn progress(survey: &Survey, what: &What<'_>, running: &Running) -> Progress {
    let Some(name) = what.name else { return Progress::Joined };
    if what.program.spec.pair {
        return match survey.whole(name) {
            Ok(_) => Progress::Joined,
            Err(_) if state(survey, running).is_none() => {
                Progress::Waiting("it has not joined the node".to_owned())
            }
            Err(why) => Progress::Waiting(why),
        };
    }
    match state(survey, running) {
        Some(_) => Progress::Joined,
        None => Progress::Waiting("it has not joined the node".to_owned()),
    }
}

fn state(survey: &Survey, running: &Running) -> Option<PairState> {
    survey.process(running.phandle)?.state
}

/// A second connection that tells when the program ends. Without it the end is found by the limit only.
fn watch_end(daemons: &Daemons, running: &Running) -> Option<Admin> {
    let watch = || -> Result<Admin, NoAnswer> {
        let mut admin = Admin::connect(&daemons.node().socket(running.phandle.cpu))?;
        let deadline = Instant::now() + Duration::from_secs(1);
        admin.send(&AdminRequest::Wait { phandle: running.phandle }, Vec::new(), deadline)?;
        Ok(admin)
    };
    watch().ok()
}

/// The program ended before it joined.
pub(super) fn ended_early(what: &What<'_>, code: Option<i32>, signal: Option<i32>) -> Failure {
    let how = match (code, signal) {
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        (Some(code), None) => format!("ended with code {code}"),
        (None, None) => "ended".to_owned(),
    };
    let next = match what.log {
        Some(log) => format!("mend what it says; its whole log is {}", log.display()),
        None => "mend what it says".to_owned(),
    };
    Failure::new(format!("{} {how} before it joined the node{}", what.describe(), log_end(what)), next)
}

fn did_not_join(what: &What<'_>, limit: Duration, reason: &str) -> Failure {
    let described = what.describe();
    let seconds = limit.as_secs();
    if reason.contains("has not joined") {
        return Failure::new(
            format!("{described} did not join the node within {seconds} s and was killed{}", log_end(what)),
            "is it a Pollux program? One that is not runs without --name; a slow one needs a longer --ready-timeout",
        );
    }
    Failure::new(
        format!("{described} was not whole within {seconds} s and was killed: {reason}{}", log_end(what)),
        "pollux events shows why; pollux status shows the CPUs; a large state needs a longer --ready-timeout",
    )
}

fn log_end(what: &What<'_>) -> String {
    what.log.map(|log| last_lines(log, LOG_LINES_SHOWN)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Program;
    use crate::testing::{handle, name, process, record, survey};
    use pollux_wire::admin::ProgramSpec;
    use pollux_wire::control::PairState::{Alone, Following, Paired, Syncing};

    fn program(pair: bool) -> Program {
        Program { spec: ProgramSpec { pair, ..ProgramSpec::none() }, written: "server".to_owned() }
    }

    // `run --pair` that returns before the backup is in step invites a kill that loses everything.
    #[test]
    fn a_pair_has_joined_when_it_is_whole() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let kv = name("$KV");
        let running = Running { phandle: zero, pid: 1 };
        let of = |pair: bool, state, backup: bool| {
            let program = program(pair);
            let what = What { program: &program, name: Some(&kv), log: None };
            let mut processes = vec![process(zero, Some("$KV"), state)];
            processes.extend(backup.then(|| process(one, Some("$KV"), Some(Following))));
            progress(&survey(vec![record("$KV", zero, backup.then_some(one))], processes), &what, &running)
        };
        assert_eq!(of(false, Some(Alone), false), Progress::Joined);
        assert!(matches!(of(false, None, false), Progress::Waiting(_)));
        assert_eq!(of(true, None, false), Progress::Waiting("it has not joined the node".to_owned()));
        assert!(matches!(of(true, Some(Syncing), false), Progress::Waiting(why) if why.contains("syncing")));
        assert_eq!(of(true, Some(Paired), true), Progress::Joined);
    }

    // The next step differs: a program that is none of ours, one that failed, one that is slow.
    #[test]
    fn each_failure_names_its_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        std::fs::write(&log, "port 6400 is in use\n").unwrap();
        let (program, kv) = (program(true), name("$KV"));
        let what = What { program: &program, name: Some(&kv), log: Some(&log) };
        let limit = Duration::from_secs(10);

        let early = ended_early(&what, Some(1), None);
        assert_eq!(
            early.what,
            "server ($KV) ended with code 1 before it joined the node; the end of its log:\n    | port 6400 is in use"
        );
        assert!(ended_early(&what, None, Some(11)).what.contains("was ended by signal 11"));
        let foreign = did_not_join(&what, limit, "it has not joined the node");
        assert!(foreign.what.contains("within 10 s and was killed"), "{foreign}");
        assert!(foreign.next.starts_with("is it a Pollux program?"), "{foreign}");
        let slow = did_not_join(&what, limit, "its backup is loading, not in step yet");
        assert!(
            slow.what.contains("its backup is loading") && slow.next.contains("--ready-timeout"),
            "{slow}"
        );
    }
}
