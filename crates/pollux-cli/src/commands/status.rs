//! `pollux status`

use std::process::ExitCode;

use clap::Args;
use pollux_wire::ProcessName;

use crate::commands::up::processors;
use crate::error::{Result, code};
use crate::json_view::StatusView;
use crate::node::Node;
use crate::order::find_record;
use crate::output::{self, BAD, CARE, GOOD, HEAD, styled};
use crate::survey::Daemons;
use crate::table::{Cell, Table};
use crate::time::utc;

/// Show the node: its CPUs, and which pairs are whole
///
/// Each name has one of four forms. pair: whole, any one fault is survived. alone: the backup is missing or not in
/// step yet. single: no backup is wanted. stale: the record names a primary that no CPU has.
///
/// Exit code 0 when all is whole, 3 when a name is alone or stale, 4 when a CPU failed or does not answer.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this name
    #[arg(value_name = "NAME")]
    name: Option<ProcessName>,
    /// Print one object: node, version, run_directory, cpus, names, events_lost, peek_offset
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Shows the node.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let survey = Daemons::of(node).survey()?;
        let only = self.name.as_ref().map(|name| find_record(&survey, name)).transpose()?;
        let view = StatusView::new(&survey, node.directory().display().to_string(), only);
        if self.json {
            output::json(&view)?;
        } else {
            output::print(&render(&view))?;
        }
        Ok(ExitCode::from(exit_code(&view, survey.any_cpu_failed())))
    }
}

fn exit_code(view: &StatusView, any_cpu_failed: bool) -> u8 {
    match (any_cpu_failed, view.all_whole()) {
        (true, _) => code::CPU_FAILED,
        (false, false) => code::NOT_WHOLE,
        (false, true) => 0,
    }
}

fn render(view: &StatusView) -> String {
    let mut text = format!(
        "node {}  version {}  directory {}\n\n",
        styled(HEAD, &view.node),
        view.version,
        view.run_directory
    );
    let mut cpus = Table::headed(&["CPU", "STATE", "PID", "SINCE (UTC)", "PROCESSORS"]);
    for cpu in &view.cpus {
        let style = match cpu.state {
            "up" => GOOD,
            "down" => CARE,
            _ => BAD,
        };
        cpus.row([
            cpu.cpu.to_string().into(),
            Cell::styled(cpu.state, style),
            cpu.pid.to_string().into(),
            utc(cpu.since_unix_ms).into(),
            if cpu.state == "up" { processors(&cpu.processors).into() } else { Cell::none() },
        ]);
    }
    text.push_str(&cpus.render());
    let mut names = Table::headed(&["NAME", "FORM", "EPOCH", "PRIMARY", "BACKUP", "PROGRAM"]);
    for name in &view.names {
        let style = match name.form {
            "pair" | "single" => GOOD,
            "alone" => CARE,
            _ => BAD,
        };
        names.row([
            name.name.clone().into(),
            Cell::styled(name.form, style),
            name.epoch.to_string().into(),
            name.primary.clone().into(),
            name.backup.clone().map_or_else(Cell::none, Cell::from),
            name.program.clone().into(),
        ]);
    }
    if !names.is_empty() {
        text.push('\n');
        text.push_str(&names.render());
    }
    if view.events_lost > 0 {
        let lost = format!("{} events could not be written: is the disk full?", view.events_lost);
        text.push_str(&format!("\n{}\n", styled(BAD, &lost)));
    }
    if !view.peek_offset {
        text.push_str("\nThis kernel keeps no peek offset for TCP: kept connections are read from the start each time.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, process, record, survey};
    use pollux_wire::control::PairState::{Alone, Following, Paired, Single};

    // The whole output, with one name in each of three forms.
    #[test]
    fn the_page() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let mut seen = survey(
            vec![
                record("$A", handle(0, 8), None),
                record("$KV", zero, Some(one)),
                record("$S", handle(1, 6), None),
            ],
            vec![
                process(handle(0, 8), Some("$A"), Some(Alone)),
                process(zero, Some("$KV"), Some(Paired)),
                process(one, Some("$KV"), Some(Following)),
                process(handle(1, 6), Some("$S"), Some(Single)),
            ],
        );
        seen.statuses[1].events_lost = 2;
        let view = StatusView::new(&seen, "/r/N".to_owned(), None);
        let text = anstream::adapter::strip_str(&render(&view)).to_string();
        assert_eq!(
            text,
            "\
node \\N  version 0.1.0  directory /r/N

CPU  STATE  PID  SINCE (UTC)              PROCESSORS
0    up     500  2023-11-14 22:13:20.000  0
1    up     501  2023-11-14 22:13:20.000  1

NAME  FORM    EPOCH  PRIMARY  BACKUP   PROGRAM
$A    alone   3      0,8:7.1  -        /bin/server
$KV   pair    3      0,4:7.1  1,5:7.1  /bin/server
$S    single  3      1,6:7.1  -        /bin/server

2 events could not be written: is the disk full?
"
        );
    }

    // Scripts branch on the code: a failed CPU outranks a pair that is not whole because of it.
    #[test]
    fn the_exit_codes() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let whole = survey(
            vec![record("$KV", zero, Some(one))],
            vec![process(zero, Some("$KV"), Some(Paired)), process(one, Some("$KV"), Some(Following))],
        );
        let alone = survey(vec![record("$KV", zero, None)], vec![process(zero, Some("$KV"), Some(Alone))]);
        let code = |seen| exit_code(&StatusView::new(seen, String::new(), None), false);
        assert_eq!((code(&whole), code(&alone)), (0, 3));
        assert_eq!(exit_code(&StatusView::new(&alone, String::new(), None), true), 4);
    }
}
