//! `pollux kill NAME`

use std::process::ExitCode;

use clap::Args;
use pollux_os::Signal;
use pollux_wire::ProcessName;
use pollux_wire::admin::{AdminRequest, ProcessInfo};

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::order::{find_primary, find_record, wait_whole};
use crate::output;
use crate::survey::{Daemons, Survey};

/// The signals that can be sent by name.
const SIGNALS: [(&str, Signal); 15] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("ABRT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
];

/// Kill one half of a pair, as a fault would; the other half goes on
///
/// Waits up to 10 s until the pair is whole, so that the only copy is never killed by accident.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// The name
    #[arg(value_name = "NAME")]
    name: ProcessName,
    /// The primary (the default)
    #[arg(long, conflicts_with = "backup")]
    primary: bool,
    /// The backup
    #[arg(long)]
    backup: bool,
    /// The signal: KILL, STOP, SEGV, ...
    #[arg(long, short, default_value = "KILL", value_name = "SIGNAL", value_parser = parse_signal)]
    signal: Signal,
    /// Do not wait until the pair is whole
    #[arg(long)]
    force: bool,
}

impl Kill {
    /// Sends the signal.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let mut daemons = Daemons::of(node);
        // Waking a stopped half needs no whole pair: it mends one.
        let survey = if self.force || self.signal == Signal::CONT {
            daemons.survey()?
        } else {
            wait_whole(&mut daemons, &self.name, "kill")?
        };
        let target = self.target(&survey)?;
        let order = AdminRequest::Signal { phandle: target.phandle, signal: self.signal.as_raw() };
        daemons.order(target.phandle.cpu, &order)?;
        output::line(&format!(
            "{}  {}  cpu {}  pid {}  {} sent",
            self.name,
            survey.role(target).name(),
            target.phandle.cpu,
            target.pid,
            signal_name(self.signal)
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    fn target<'a>(&self, survey: &'a Survey) -> Result<&'a ProcessInfo> {
        if !self.backup {
            return find_primary(survey, &self.name);
        }
        let record = find_record(survey, &self.name)?;
        let loading = || {
            let of_name = |process: &&ProcessInfo| process.name.as_ref() == Some(&self.name);
            survey.processes.iter().filter(of_name).find(|process| process.phandle != record.primary)
        };
        record.backup.and_then(|backup| survey.process(backup)).or_else(loading).ok_or_else(|| {
            Failure::new(
                format!("{} has no backup", self.name),
                "pollux ps shows its processes; without --backup the primary is meant",
            )
        })
    }
}

fn parse_signal(text: &str) -> std::result::Result<Signal, String> {
    let capitals = text.to_ascii_uppercase();
    let name = capitals.strip_prefix("SIG").unwrap_or(&capitals);
    let number: Option<i32> = text.parse().ok();
    SIGNALS
        .iter()
        .find(|(known, signal)| *known == name || number == Some(signal.as_raw()))
        .map(|(_, signal)| *signal)
        .ok_or_else(|| {
            let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
            format!("not a signal that can be sent; choose one of {}", names.join(" "))
        })
}

/// `SIGKILL`.
fn signal_name(signal: Signal) -> String {
    let known = SIGNALS.iter().find(|(_, known)| *known == signal);
    known.map_or_else(|| signal.as_raw().to_string(), |(name, _)| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, name, process, record, survey};
    use pollux_wire::control::PairState::{Following, Paired};

    // A signal read as another one would kill what should only be stopped.
    #[test]
    fn signals_by_name_and_number() {
        for text in ["KILL", "kill", "SIGKILL", "9"] {
            assert_eq!(parse_signal(text), Ok(Signal::KILL), "{text}");
        }
        assert_eq!(parse_signal("STOP").map(signal_name), Ok("SIGSTOP".to_owned()));
        assert!(parse_signal("0").unwrap_err().contains("choose one of HUP INT"));
        assert!(parse_signal("RTMIN").is_err());
    }

    // The wrong half killed is the one thing this command must not do.
    #[test]
    fn the_half_that_was_named() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let kill =
            |backup| Kill { name: name("$KV"), primary: false, backup, signal: Signal::KILL, force: false };
        let processes =
            vec![process(zero, Some("$KV"), Some(Following)), process(one, Some("$KV"), Some(Paired))];
        let seen = survey(vec![record("$KV", one, Some(zero))], processes);
        assert_eq!(kill(false).target(&seen).unwrap().phandle, one);
        assert_eq!(kill(true).target(&seen).unwrap().phandle, zero);

        let alone = survey(vec![record("$KV", one, None)], vec![process(one, Some("$KV"), Some(Paired))]);
        assert_eq!(kill(true).target(&alone).unwrap_err().what, "$KV has no backup");
    }
}
