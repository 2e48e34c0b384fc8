//! `pollux ps`

use std::process::ExitCode;

use clap::Args;

use crate::error::Result;
use crate::json_view::{KeptView, ProcessView};
use crate::node::Node;
use crate::output::{self, CARE, DIM, GOOD};
use crate::survey::Daemons;
use crate::table::{Cell, Table};

/// List the processes of the node with their roles
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Print an array of objects: name, role, cpu, pid, phandle, epoch, program, state, lag_bytes, started_unix_ms,
    /// and for the keeper of a program kept: program, pid, restarts
    #[arg(long)]
    json: bool,
}

impl Ps {
    /// Lists the processes.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let survey = Daemons::of(node).survey()?;
        let views = ProcessView::all(&survey);
        if self.json {
            output::json(&views)?;
            return Ok(ExitCode::SUCCESS);
        }
        for (cpu, why) in &survey.silent {
            output::note(&format!("pollux: the processes of CPU {cpu} are not shown: {why}"));
        }
        output::print(&render(&views))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The listing with its headings.
fn render(views: &[ProcessView]) -> String {
    let headings = ["NAME", "ROLE", "CPU", "PID", "PHANDLE", "EPOCH", "STATE", "LAG", "PROGRAM"];
    let mut table = Table::headed(&headings);
    for view in views {
        table.row([
            view.name.clone().map_or_else(Cell::none, Cell::from),
            view.role.into(),
            view.cpu.to_string().into(),
            view.pid.to_string().into(),
            view.phandle.clone().into(),
            view.epoch.to_string().into(),
            if view.name.is_none() && view.state.is_none() { Cell::none() } else { state(view.state) },
            view.lag_bytes.to_string().into(),
            program(view).into(),
        ]);
    }
    table.render()
}

/// The program; for a keeper the one that it keeps.
fn program(view: &ProcessView) -> String {
    match &view.kept {
        None => view.program.clone(),
        Some(KeptView { program, pid: None, restarts }) => format!("{program} ({})", times(*restarts)),
        Some(KeptView { program, pid: Some(pid), restarts }) => {
            format!("{program} (pid {pid}, {})", times(*restarts))
        }
    }
}

fn times(restarts: u64) -> String {
    if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts") }
}

/// The state in the colour of how much it needs a look.
pub(crate) fn state(state: Option<&'static str>) -> Cell {
    match state {
        None => Cell::styled("starting", DIM),
        Some(text @ ("paired" | "following" | "single")) => Cell::styled(text, GOOD),
        Some(text) => Cell::styled(text, CARE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, process, record, survey};
    use pollux_wire::admin::Kept;
    use pollux_wire::control::PairState::{Following, Paired};

    // The whole output: an operator compares these columns under stress.
    #[test]
    fn the_listing() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let mut unnamed = process(handle(0, 9), None, None);
        unnamed.phandle.named = false;
        unnamed.program = "/bin/sleep".to_owned();
        let (web, spare) = (handle(0, 6), handle(1, 7));
        let mut keeper = process(web, Some("$WEB"), Some(Paired));
        keeper.kept = Some(Kept { program: "/bin/web".to_owned(), pid: Some(77), restarts: 1 });
        let seen = survey(
            vec![record("$KV", zero, Some(one)), record("$WEB", web, Some(spare))],
            vec![
                keeper,
                process(spare, Some("$WEB"), Some(Following)),
                process(one, Some("$KV"), Some(Following)),
                unnamed,
                process(zero, Some("$KV"), Some(Paired)),
            ],
        );
        let text = anstream::adapter::strip_str(&render(&ProcessView::all(&seen))).to_string();
        assert_eq!(
            text,
            "\
NAME  ROLE     CPU  PID   PHANDLE  EPOCH  STATE      LAG  PROGRAM
$KV   primary  0    1004  0,4:7.1  3      paired     0    /bin/server
$KV   backup   1    1005  1,5:7.1  3      following  0    /bin/server
$WEB  primary  0    1006  0,6:7.1  3      paired     0    /bin/web (pid 77, 1 restart)
$WEB  backup   1    1007  1,7:7.1  3      following  0    /bin/web (1 restart)
-     single   0    1009  0,9:7.1  3      -          0    /bin/sleep
"
        );
    }
}
