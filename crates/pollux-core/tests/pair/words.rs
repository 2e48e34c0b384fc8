//! How halves, changes and commands are written in the texts.

use pollux_core::output::Gate;
use pollux_core::pair::{Command, End, Handled, Pair};
use pollux_wire::control::Change;
use pollux_wire::{CpuNumber, Phandle, Pin};

/// The half with this letter: `A` is the first process of the name.
pub(crate) fn half(letter: char) -> Phandle {
    let incarnation = letter as u16 - 'A' as u16;
    let cpu = CpuNumber::new(incarnation as u8 % 2).expect("0 and 1 are CPUs");
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation, sequence: 1 }
}

/// The letter of a half.
pub(crate) fn letter(phandle: Phandle) -> char {
    (b'A' + phandle.incarnation as u8) as char
}

pub(crate) fn change(change: &Change) -> String {
    match change {
        Change::TakeOver { dead, .. } => format!("take over from {}", letter(*dead)),
        Change::RemoveBackup { backup, .. } => format!("remove {}", letter(*backup)),
        Change::Join { backup, .. } => format!("join {}", letter(*backup)),
        Change::Switch { to, .. } => format!("switch to {}", letter(*to)),
    }
}

pub(crate) fn command(command: &Command) -> String {
    match command {
        Command::StartBackup => "start a backup".into(),
        Command::SendState { backup } => format!("send the state to {}", letter(*backup)),
        Command::TellInStep { number } => format!("tell in step at {number}"),
        Command::Record(asked) => format!("ask to {}", change(asked)),
        Command::RecordLater(asked) => format!("ask later to {}", change(asked)),
        Command::TellOnRecord { epoch } => format!("tell on record in epoch {epoch}"),
        Command::KillPartner => "kill the other half".into(),
        Command::DropPartner => "drop the other half".into(),
        Command::Quiesce => "take no input".into(),
        Command::Resume => "take input again".into(),
        Command::Promote { epoch, took_over: true } => {
            format!("speak as primary of epoch {epoch}, took over")
        }
        Command::Promote { epoch, took_over: false } => {
            format!("speak as primary of epoch {epoch}, switched")
        }
        Command::Probe => "checkpoint nothing".into(),
        Command::Demote { epoch } => format!("be the backup of epoch {epoch}"),
        Command::OrderSwitch { epoch } => format!("order to be primary in epoch {epoch}"),
        Command::OrderEnd => "order to end".into(),
        Command::ReportPaired { epoch, backup } => {
            format!("report: paired with {} in epoch {epoch}", letter(*backup))
        }
        Command::ReportAlone { epoch, backup } => {
            format!("report: alone without {} in epoch {epoch}", letter(*backup))
        }
        Command::ReportNotSwitched { why } => format!("report: not switched, {why}"),
        Command::End(End::Stopped) => "end: stopped".into(),
        Command::End(End::Superseded) => "end: superseded".into(),
        Command::End(End::Incomplete) => "end: incomplete".into(),
    }
}

pub(crate) fn handled(handled: Handled) -> String {
    match handled {
        Handled::Acted => "acted".into(),
        Handled::Ignored(why) => format!("ignored: {why}"),
        Handled::Impossible(why) => format!("IMPOSSIBLE: {why}"),
    }
}

/// What a half is, as far as others can see.
pub(crate) fn standing(pair: &Pair) -> String {
    let gate = match pair.gate() {
        Gate::Closed => "closed".into(),
        Gate::UpTo(number) => format!("up to {number}"),
        Gate::Open => "open".into(),
    };
    let with = pair.partner().map_or(String::new(), |partner| format!(" with {}", letter(partner)));
    format!("{}{with}, epoch {}, gate {gate}", pair.state(), pair.epoch())
}
