//! The command line as a whole: its commands, what holds for all of them, and how a failure is shown.

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use pollux_wire::NodeName;
use pollux_wire::control::NODE_VARIABLE;

use crate::commands;
use crate::error::Result;
use crate::node::{NODE_DEFAULT, Node};
use crate::output::{self, BAD, HEAD, styled};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed or refused; the message names the next step
  2    wrong command line
  3    status: a wanted pair is not whole
  4    status: a CPU failed
  explore: 1 something was lost, doubled or diverged, 3 it could not be explored.
  domain status: 3 a server of the list is away or lags, 4 no master acts.
  130  interrupted by Ctrl-C
  run --wait exits with the program's own code, or 128 + the signal that ended it.

Environment:
  POLLUX_RUN_DIR  where nodes live; default $XDG_RUNTIME_DIR/pollux, or for root /run/pollux,
                  or /tmp/pollux-<uid>
  POLLUX_STATE_DIR  where domains keep their files; default /var/lib/pollux (root) or ~/.local/state/pollux
  POLLUX_NODE     the node that is meant without --node; default \\POLLUX
  NO_COLOR        no colours, as when the output is not a terminal

Names begin with $ or \\, so put them in single quotes: pollux run --name '$KV' --pair pollux-kv";

/// Process pairs for Linux: a program whose every fault is survived by its backup.
#[derive(Debug, Parser)]
#[command(
    name = "pollux",
    version,
    styles = STYLES,
    after_help = AFTER_HELP,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    /// The node that is meant; several run side by side
    #[arg(long, global = true, env = NODE_VARIABLE, hide_env = true, default_value = NODE_DEFAULT, value_name = "\\NAME")]
    node: NodeName,
    #[command(subcommand)]
    command: Command,
}

/// One variant per command; each has its file in `commands`.
#[derive(Debug, Subcommand)]
enum Command {
    Up(commands::up::Up),
    Down(commands::down::Down),
    #[command(subcommand)]
    Cpu(commands::cpu::Cpu),
    Run(Box<commands::run::Run>),
    Ps(commands::ps::Ps),
    Sockets(commands::sockets::Sockets),
    Status(commands::status::Status),
    Stop(commands::stop::Stop),
    Kill(commands::kill::Kill),
    Switch(commands::switch::Switch),
    Events(commands::events::Events),
    Logs(commands::logs::Logs),
    #[command(subcommand)]
    Domain(commands::domain::Domain),
    Snaadmin(commands::snaadmin::Snaadmin),
    Cc(commands::cc::Cc),
    Demo(crate::demo::Demo),
    Explore(Box<crate::explore::Explore>),
    Completions(commands::completions::Completions),
    #[command(hide = true)]
    Man(commands::man::Man),
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let rest: Vec<_> = words.collect();
    // Exits by itself for a wrong line (2), --help and --version (0).
    let cli = match commands::snaadmin::as_alias(&name, &rest) {
        Some(line) => Cli::parse_from(line),
        None => Cli::parse(),
    };
    match execute(cli) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.what.is_empty() {
                output::note(&format!("{} {}", styled(BAD, "pollux:"), failure.what));
            }
            if !failure.next.is_empty() {
                output::note(&format!("  {} {}", styled(HEAD, "next:"), failure.next));
            }
            ExitCode::from(failure.code)
        }
    }
}

fn execute(cli: Cli) -> Result<ExitCode> {
    let node = Node::find(cli.node);
    match cli.command {
        Command::Up(up) => up.run(&node),
        Command::Down(down) => down.run(&node),
        Command::Cpu(cpu) => cpu.run(&node),
        Command::Run(run) => run.run(&node),
        Command::Ps(ps) => ps.run(&node),
        Command::Sockets(sockets) => sockets.run(&node),
        Command::Status(status) => status.run(&node),
        Command::Stop(stop) => stop.run(&node),
        Command::Kill(kill) => kill.run(&node),
        Command::Switch(switch) => switch.run(&node),
        Command::Events(events) => events.run(&node),
        Command::Logs(logs) => logs.run(&node),
        Command::Domain(domain) => domain.run(&node),
        Command::Snaadmin(snaadmin) => snaadmin.run(&node),
        Command::Cc(cc) => cc.run(),
        Command::Demo(demo) => demo.run(),
        Command::Explore(explore) => explore.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
