//! When an order may be carried out, and when it is done: the waiting around `kill`, `switch`, `stop` and `cpu`.

use std::time::Duration;

use pollux_wire::admin::{AdminReply, AdminRequest, ProcessInfo};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, ProcessName};

use crate::error::{Failure, Result};
use crate::survey::{Daemons, Form, Survey, refused};
use crate::time::wait_until;

/// So long an order waits for a pair to become whole before it is refused.
pub(crate) const WHOLE_MAX: Duration = Duration::from_secs(10);

/// The record of a name, or an error that says which names there are.
pub(crate) fn find_record<'a>(survey: &'a Survey, name: &ProcessName) -> Result<&'a NameRecord> {
    survey.record(name).ok_or_else(|| {
        let names: Vec<&str> = survey.status().names.iter().map(|record| record.name.as_str()).collect();
        let next = if names.is_empty() {
            format!("no named process runs; start one: pollux run --name '{name}' --pair PROGRAM")
        } else {
            format!("pollux ps lists what runs; names in use: {}", names.join(" "))
        };
        Failure::new(format!("there is no process named {name} on node {}", survey.status().node), next)
    })
}

/// The primary of a name, as its CPU knows it.
pub(crate) fn find_primary<'a>(survey: &'a Survey, name: &ProcessName) -> Result<&'a ProcessInfo> {
    let record = find_record(survey, name)?;
    survey.process(record.primary).ok_or_else(|| {
        Failure::new(
            format!("{name} has its primary {} on record, but no CPU that answers has it", record.primary),
            "pollux status; a failed CPU comes back with: pollux cpu up N",
        )
    })
}

/// Waits until the pair is whole, so that a fault on one half cannot lose the only copy. A single process has
/// nothing to wait for: whoever started it alone decided so.
pub(crate) fn wait_whole(daemons: &mut Daemons, name: &ProcessName, order: &str) -> Result<Survey> {
    let mut why = String::new();
    let found = wait_until(WHOLE_MAX, || {
        let survey = daemons.survey()?;
        let record = find_record(&survey, name)?;
        if survey.form(record) == Form::Single {
            return Ok(Some(survey));
        }
        match survey.whole(name) {
            Ok(_) => return Ok(Some(survey)),
            Err(reason) => why = reason,
        }
        Ok(None)
    })?;
    found.ok_or_else(|| {
        Failure::new(
            format!("{order} refused: {name} was not whole within {} s: {why}", WHOLE_MAX.as_secs()),
            format!("pollux status '{name}'; wait until it says pair, or add --force to risk the only copy"),
        )
    })
}

/// The wanted pairs with a half in this CPU: what its end would take away.
pub(crate) fn pairs_in(survey: &Survey, cpu: CpuNumber) -> Vec<ProcessName> {
    let here = |record: &&NameRecord| {
        record.primary.cpu == cpu || record.backup.is_some_and(|backup| backup.cpu == cpu)
    };
    let wanted = |record: &&NameRecord| matches!(survey.form(record), Form::Pair | Form::Alone);
    survey.status().names.iter().filter(here).filter(wanted).map(|record| record.name.clone()).collect()
}

/// Waits until a name is on no record any more; false when the time is over. The end of the whole node counts.
pub(crate) fn wait_name_gone(daemons: &mut Daemons, name: &ProcessName, limit: Duration) -> Result<bool> {
    let gone = wait_until(limit, || Ok(record_now(daemons, name)?.is_none().then_some(())))?;
    Ok(gone.is_some())
}

/// The record of a name, from whichever CPU answers first. Costs one question instead of a whole survey.
pub(crate) fn record_now(daemons: &mut Daemons, name: &ProcessName) -> Result<Option<NameRecord>> {
    for cpu in daemons.node().cpus_with_socket() {
        match daemons.ask(cpu, &AdminRequest::Name { name: name.clone() }) {
            Ok(AdminReply::Name { record }) => return Ok(record),
            Ok(other) => return Err(refused(other)),
            Err(_) => {}
        }
    }
    Err(crate::survey::not_running(daemons.node()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cpu, handle, name, process, record, survey};
    use pollux_wire::control::PairState::{Alone, Following, Paired, Single};

    // A typo must show what is there rather than an empty answer.
    #[test]
    fn a_wrong_name_is_told_what_there_is() {
        let seen = survey(vec![record("$A", handle(0, 1), None), record("$B", handle(0, 2), None)], vec![]);
        let failure = find_record(&seen, &name("$C")).unwrap_err();
        assert_eq!(failure.what, "there is no process named $C on node \\N");
        assert_eq!(failure.next, "pollux ps lists what runs; names in use: $A $B");
        assert!(find_record(&survey(vec![], vec![]), &name("$C")).unwrap_err().next.contains("pollux run"));
        assert!(find_primary(&seen, &name("$A")).unwrap_err().what.contains("no CPU that answers"));
    }

    // Ending a CPU that holds the only copy of one pair among many would lose that one.
    #[test]
    fn the_pairs_of_a_cpu_are_those_with_a_half_there() {
        let seen = survey(
            vec![
                record("$BOTH", handle(0, 1), Some(handle(1, 1))),
                record("$ALONE", handle(1, 2), None),
                record("$ONE", handle(1, 3), None),
                record("$AWAY", handle(0, 4), None),
            ],
            vec![
                process(handle(0, 1), Some("$BOTH"), Some(Paired)),
                process(handle(1, 1), Some("$BOTH"), Some(Following)),
                process(handle(1, 2), Some("$ALONE"), Some(Alone)),
                process(handle(1, 3), Some("$ONE"), Some(Single)),
                process(handle(0, 4), Some("$AWAY"), Some(Alone)),
            ],
        );
        assert_eq!(pairs_in(&seen, cpu(1)), [name("$BOTH"), name("$ALONE")]);
        assert_eq!(pairs_in(&seen, cpu(0)), [name("$BOTH"), name("$AWAY")]);
    }
}
