//! `run --wait`: the command stays in front of the program until it ends.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use pollux_os::StopSignals;
use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::{Phandle, ProcessName};

use super::{Running, What};
use crate::client::{Admin, NoAnswer};
use crate::error::{Failure, Result, code};
use crate::order::record_now;
use crate::survey::{Daemons, cpu_failure, refused};
use crate::time::wait_until;

/// Pause between two looks at our own signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After the end of a half, its name is taken over or gone by then.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);
/// A request to wait is sent by then.
const SEND_MAX: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    code: Option<i32>,
    signal: Option<i32>,
}

/// Waits for the end of the program; for a name that lives on under its backup, for the end of the name.
pub(super) fn until_end(daemons: &mut Daemons, what: &What<'_>, running: &Running) -> Result<ExitCode> {
    let stop = StopSignals::new()
        .map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "try again"))?;
    let mut phandle = running.phandle;
    loop {
        let end = process_end(daemons, what, phandle, &stop)?;
        match successor(daemons, what.name, phandle)? {
            Some(next) => phandle = next,
            None => return end.map(exit_code).ok_or_else(|| lost(what, phandle)),
        }
    }
}

/// Waits for the end of one process; none if its CPU ended with it, so that nobody knows how.
fn process_end(
    daemons: &mut Daemons,
    what: &What<'_>,
    phandle: Phandle,
    stop: &StopSignals,
) -> Result<Option<End>> {
    let node = daemons.node().clone();
    let gone = |why: NoAnswer| match why {
        NoAnswer::Gone | NoAnswer::NotRunning => Ok(None),
        other => Err(cpu_failure(&node, phandle.cpu, &other)),
    };
    let mut admin = match Admin::connect(&node.socket(phandle.cpu)) {
        Ok(admin) => admin,
        Err(why) => return gone(why),
    };
    let request = AdminRequest::Wait { phandle };
    if let Err(why) = admin.send(&request, Vec::new(), Instant::now() + SEND_MAX) {
        return gone(why);
    }
    let mut asked_to_stop = false;
    loop {
        match admin.answer() {
            Ok(Some(AdminReply::Ended { code, signal, .. })) => return Ok(Some(End { code, signal })),
            Ok(Some(AdminReply::Refused { .. })) => return Ok(None),
            Ok(Some(other)) => return Err(refused(other)),
            Ok(None) => {}
            Err(why) => return gone(why),
        }
        if let Some(signal) = stop.take() {
            if asked_to_stop {
                return Err(Failure::interrupted());
            }
            asked_to_stop = true;
            pass_on(daemons, what.name.is_some(), phandle, signal)?;
        }
        if let Err(why) = admin.wait_readable(Instant::now() + LOOK_EVERY) {
            return gone(why);
        }
    }
}

/// The first Ctrl-C goes to the program, as in a shell; a second one leaves it alone and ends this command.
fn pass_on(daemons: &mut Daemons, named: bool, phandle: Phandle, signal: i32) -> Result<()> {
    let order = if named { AdminRequest::Stop { phandle } } else { AdminRequest::Signal { phandle, signal } };
    match daemons.order(phandle.cpu, &order) {
        Ok(()) => Ok(()),
        // Not joined yet, so it cannot be asked: it gets the signal itself.
        Err(_) => daemons.order(phandle.cpu, &AdminRequest::Signal { phandle, signal }),
    }
}

/// Who serves the name after `ended`; none if the name is gone, or there was none.
fn successor(daemons: &mut Daemons, name: Option<&ProcessName>, ended: Phandle) -> Result<Option<Phandle>> {
    let Some(name) = name else { return Ok(None) };
    let next = wait_until(TAKEOVER_MAX, || {
        Ok(match record_now(daemons, name) {
            Ok(Some(record)) if record.primary == ended => None,
            Ok(Some(record)) => Some(Some(record.primary)),
            // The name, or the whole node, is gone.
            Ok(None) | Err(_) => Some(None),
        })
    })?;
    Ok(next.flatten())
}

fn exit_code(end: End) -> ExitCode {
    let number = match end {
        End { signal: Some(signal), .. } => 128 + signal,
        End { code: Some(code), .. } => code,
        End { .. } => i32::from(code::FAILED),
    };
    ExitCode::from(u8::try_from(number & 0xff).unwrap_or(code::FAILED))
}

fn lost(what: &What<'_>, phandle: Phandle) -> Failure {
    Failure::new(
        format!("{} ended with CPU {}; its exit code is not known", what.describe(), phandle.cpu),
        "pollux events shows what happened",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Scripts use the code as if the program had been started by a shell.
    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let of = |code, signal| format!("{:?}", exit_code(End { code, signal }));
        assert_eq!(of(Some(0), None), format!("{:?}", ExitCode::from(0)));
        assert_eq!(of(Some(7), None), format!("{:?}", ExitCode::from(7)));
        assert_eq!(of(None, Some(9)), format!("{:?}", ExitCode::from(137)));
        assert_eq!(of(None, None), format!("{:?}", ExitCode::from(1)));
    }
}
