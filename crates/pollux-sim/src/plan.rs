//! What is played: who asks for what, what operators and the coordinator do meanwhile, which faults come when.
//!
//! A plan is data. It has a text form, so that a failure that was found and made small is a file beside the others:
//!
//! ```text
//! # two requests, and the primary dies when the first is on its way to the backup
//! cpus 2
//! requesters 1x2                 nowait depth x requests, one word per requester; 0:1x2 for sync depth 0
//! calls 2                        in each request the pair asks another pair, its server, so many times
//! whole                          the pair is whole before the first request
//! no-standby-paths               requesters must ask for a path when they lose theirs
//! switch at 4                    orders of the operator
//! stop at 60
//! outage 5..40                   the coordinator does nothing in these steps, and says so
//! outage 5..40 answers-lost      it writes, and the process hears that it is unavailable
//! no-cpu 0..25                   there is no CPU for a backup
//! fault 3 when unacknowledged kill primary
//! fault 10 lose-cpu primary      so many steps after the fault before it
//! fault 5 kill server-backup     a half of the server
//! schedule 17                    who is next is drawn from this seed; without this line the order is fixed
//! epoch 3                        the epoch at the end without a fault (0: the name has ended)
//! ```

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What an operator orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The halves exchange their roles.
    Switch,
    /// The pair ends.
    Stop,
}

/// What happens to the coordinator in the steps in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageIs {
    /// It does nothing and says so.
    Unavailable,
    /// It writes, but the process hears that it is unavailable.
    AnswersLost,
}

/// What happens to a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// It is dead.
    Kill,
    /// It stands still for [`PAUSE_STEPS`]; then whoever watches it kills it. A backup that nobody has killed goes on.
    Pause,
    /// It stands still for good. Whoever watches it kills it after [`PAUSE_STEPS`].
    Hang,
    /// It stands still for [`STALL_STEPS`] and goes on.
    Stall,
    /// Its CPU is lost with all that runs there, and comes back after [`CPU_AWAY_STEPS`].
    LoseCpu,
}

/// Who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The half that the record names as primary.
    Primary,
    /// The other live half.
    Backup,
    /// The primary of the pair that the pair calls.
    ServerPrimary,
    /// That one's other live half.
    ServerBackup,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What happens.
    pub harm: Harm,
    /// To whom.
    pub victim: Victim,
}

/// A moment that a fault can wait for: the places where an error in the order of two steps would show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The record names two live halves that know their roles.
    Whole,
    /// A checkpoint is sent and not acknowledged.
    Unacknowledged,
    /// A reply waits for its checkpoint.
    ReplyHeld,
    /// A reply is on its way to a requester.
    ReplyOnItsWay,
    /// The state is on its way to a new backup.
    Syncing,
    /// The new backup has asked, or is about to ask, to be put on record.
    Joining,
    /// The removal of a dead backup is not yet on record.
    Removing,
    /// The roles are being exchanged.
    Switching,
    /// A takeover is not yet on record.
    TakingOver,
}

/// When the next fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// So many steps after the fault before it.
    pub after: u32,
    /// And not before this moment.
    pub mark: Option<Mark>,
}

/// A requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Its sync depth: 0 means that nothing is sent again for it.
    pub sync_depth: u16,
    /// Requests outstanding at most.
    pub nowait_depth: u16,
    /// Requests in all.
    pub wanted: u64,
}

/// Who is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Round and round through the steps that are possible.
    Fixed,
    /// Drawn from this seed, with weights that are drawn from it, too.
    Drawn(u64),
}

/// A story to be cut into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it is about.
    pub name: String,
    /// CPUs of the node.
    pub cpus: u8,
    /// Who asks.
    pub requesters: Vec<Asker>,
    /// How often the pair asks its server in each request. 0: there is no server.
    pub calls: u8,
    /// The pair is whole before the first request.
    pub whole: bool,
    /// What the operator orders, and at which step.
    pub orders: Vec<(u32, Order)>,
    /// When the coordinator is away.
    pub outages: Vec<(Range<u32>, OutageIs)>,
    /// There is no CPU for a backup in these steps.
    pub no_cpu: Range<u32>,
    /// Requesters get a path to each half beforehand; otherwise they must ask for one when they lose theirs.
    pub standby_paths: bool,
    /// The faults, one after the other.
    pub faults: Vec<(When, Fault)>,
    /// Who is next.
    pub schedule: Schedule,
    /// The epoch at the end if there is no fault (0: the name has ended), so that a story is known to be told.
    pub epoch_at_end: Option<u64>,
}

/// How long [`Harm::Pause`] lasts.
pub const PAUSE_STEPS: u32 = 30;
/// How long [`Harm::Stall`] lasts.
pub const STALL_STEPS: u32 = 12;
/// How long a lost CPU is away.
pub const CPU_AWAY_STEPS: u32 = 60;

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: String::new(),
            cpus: 2,
            requesters: vec![Asker { sync_depth: 1, nowait_depth: 1, wanted: 1 }],
            calls: 0,
            whole: false,
            orders: Vec::new(),
            outages: Vec::new(),
            no_cpu: 0..0,
            standby_paths: true,
            faults: Vec::new(),
            schedule: Schedule::Fixed,
            epoch_at_end: None,
        }
    }
}

impl Plan {
    /// The coordinator's state at this step, if it is away.
    pub fn outage(&self, now: u32) -> Option<OutageIs> {
        self.outages.iter().find(|(steps, _)| steps.contains(&now)).map(|(_, is)| *is)
    }
}

/// The words of the text form, one table per kind.
const ORDERS: [(Order, &str); 2] = [(Order::Switch, "switch"), (Order::Stop, "stop")];
const HARMS: [(Harm, &str); 5] = [
    (Harm::Kill, "kill"),
    (Harm::Pause, "pause"),
    (Harm::Hang, "hang"),
    (Harm::Stall, "stall"),
    (Harm::LoseCpu, "lose-cpu"),
];
const VICTIMS: [(Victim, &str); 4] = [
    (Victim::Primary, "primary"),
    (Victim::Backup, "backup"),
    (Victim::ServerPrimary, "server-primary"),
    (Victim::ServerBackup, "server-backup"),
];
const MARKS: [(Mark, &str); 9] = [
    (Mark::Whole, "whole"),
    (Mark::Unacknowledged, "unacknowledged"),
    (Mark::ReplyHeld, "reply-held"),
    (Mark::ReplyOnItsWay, "reply-on-its-way"),
    (Mark::Syncing, "syncing"),
    (Mark::Joining, "joining"),
    (Mark::Removing, "removing"),
    (Mark::Switching, "switching"),
    (Mark::TakingOver, "taking-over"),
];

impl Harm {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        HARMS.iter().map(|(harm, _)| *harm)
    }
}

impl Victim {
    /// True if it is a half of the pair that the pair calls.
    pub fn is_of_server(self) -> bool {
        matches!(self, Self::ServerPrimary | Self::ServerBackup)
    }

    /// The half in the same role of the server.
    pub fn of_server(self) -> Self {
        match self {
            Self::Primary | Self::ServerPrimary => Self::ServerPrimary,
            Self::Backup | Self::ServerBackup => Self::ServerBackup,
        }
    }
}

impl Mark {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        MARKS.iter().map(|(mark, _)| *mark)
    }
}

fn word_of<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(known, _)| *known == value).map_or("?", |(_, word)| word)
}

fn meaning_of<T: Copy>(table: &[(T, &str)], word: &str) -> Result<T, String> {
    let found = table.iter().find(|(_, known)| *known == word).map(|(value, _)| *value);
    found.ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(_, word)| *word).collect();
        format!("\"{word}\" is none of {}", known.join(", "))
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", word_of(&HARMS, self.harm), word_of(&VICTIMS, self.victim))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.name)?;
        if self.cpus != 2 {
            writeln!(f, "cpus {}", self.cpus)?;
        }
        write!(f, "requesters")?;
        for Asker { sync_depth, nowait_depth, wanted } in &self.requesters {
            let depth = if *sync_depth == 1 { String::new() } else { format!("{sync_depth}:") };
            write!(f, " {depth}{nowait_depth}x{wanted}")?;
        }
        writeln!(f)?;
        if self.calls > 0 {
            writeln!(f, "calls {}", self.calls)?;
        }
        if self.whole {
            writeln!(f, "whole")?;
        }
        if !self.standby_paths {
            writeln!(f, "no-standby-paths")?;
        }
        for (at, order) in &self.orders {
            writeln!(f, "{} at {at}", word_of(&ORDERS, *order))?;
        }
        for (steps, is) in &self.outages {
            let lost = if *is == OutageIs::AnswersLost { " answers-lost" } else { "" };
            writeln!(f, "outage {}..{}{lost}", steps.start, steps.end)?;
        }
        if !self.no_cpu.is_empty() {
            writeln!(f, "no-cpu {}..{}", self.no_cpu.start, self.no_cpu.end)?;
        }
        for (When { after, mark }, fault) in &self.faults {
            let when = mark.map_or(String::new(), |mark| format!(" when {}", word_of(&MARKS, mark)));
            writeln!(f, "fault {after}{when} {fault}")?;
        }
        if let Schedule::Drawn(seed) = self.schedule {
            writeln!(f, "schedule {seed}")?;
        }
        if let Some(epoch) = self.epoch_at_end {
            writeln!(f, "epoch {epoch}")?;
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = String;

    /// Reads the text form. The error names the line.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for (number, line) in text.lines().enumerate() {
            if let Some(comment) = line.strip_prefix('#') {
                let space = if plan.name.is_empty() { "" } else { " " };
                plan.name = format!("{}{space}{}", plan.name, comment.trim());
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            plan.take_line(&words).map_err(|why| format!("line {}: {why}: {line}", number + 1))?;
        }
        Ok(plan)
    }
}

impl Plan {
    fn take_line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => {}
            ["cpus", count] => self.cpus = number(count)?,
            ["requesters", askers @ ..] => {
                self.requesters = askers.iter().map(|word| asker(word)).collect::<Result<_, _>>()?;
            }
            ["calls", times] => self.calls = number(times)?,
            ["whole"] => self.whole = true,
            ["no-standby-paths"] => self.standby_paths = false,
            [order, "at", step] => self.orders.push((number(step)?, meaning_of(&ORDERS, order)?)),
            ["outage", steps] => self.outages.push((range(steps)?, OutageIs::Unavailable)),
            ["outage", steps, "answers-lost"] => self.outages.push((range(steps)?, OutageIs::AnswersLost)),
            ["no-cpu", steps] => self.no_cpu = range(steps)?,
            ["fault", after, "when", mark, harm, victim] => {
                let mark = Some(meaning_of(&MARKS, mark)?);
                self.take_fault(after, mark, harm, victim)?;
            }
            ["fault", after, harm, victim] => self.take_fault(after, None, harm, victim)?,
            ["schedule", seed] => self.schedule = Schedule::Drawn(number(seed)?),
            ["epoch", epoch] => self.epoch_at_end = Some(number(epoch)?),
            _ => return Err("not a line of a plan".to_owned()),
        }
        Ok(())
    }

    fn take_fault(
        &mut self,
        after: &str,
        mark: Option<Mark>,
        harm: &str,
        victim: &str,
    ) -> Result<(), String> {
        let fault = Fault { harm: meaning_of(&HARMS, harm)?, victim: meaning_of(&VICTIMS, victim)? };
        self.faults.push((When { after: number(after)?, mark }, fault));
        Ok(())
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("\"{word}\" is no number that fits here"))
}

fn range(word: &str) -> Result<Range<u32>, String> {
    let (from, to) = word.split_once("..").ok_or_else(|| format!("\"{word}\" is no range like 5..40"))?;
    Ok(number(from)?..number(to)?)
}

fn asker(word: &str) -> Result<Asker, String> {
    let (sync_depth, rest) = word.split_once(':').unwrap_or(("1", word));
    let (nowait_depth, wanted) =
        rest.split_once('x').ok_or_else(|| format!("\"{word}\" is no requester like 1x2"))?;
    Ok(Asker {
        sync_depth: number(sync_depth)?,
        nowait_depth: number(nowait_depth)?,
        wanted: number(wanted)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // A failure that cannot be written down and read back cannot be kept.
    #[test]
    fn a_plan_is_what_its_text_says() {
        let text = "# a story\ncpus 3\nrequesters 1x2 0:3x4\ncalls 2\nwhole\nno-standby-paths\nswitch at 4\nstop at 60\n\
                    outage 5..40\noutage 50..60 answers-lost\nno-cpu 0..25\n\
                    fault 3 when unacknowledged kill primary\nfault 10 lose-cpu backup\nfault 5 kill server-backup\nschedule 17\nepoch 3\n";
        let plan: Plan = text.parse().expect("a good plan");
        assert_eq!(plan.to_string(), text);
        assert_eq!(plan.requesters[1], Asker { sync_depth: 0, nowait_depth: 3, wanted: 4 });
        assert_eq!(plan.outage(45), None);
        assert_eq!(plan.outage(55), Some(OutageIs::AnswersLost));
    }

    // Whoever writes a plan by hand must be told which line is wrong.
    #[test]
    fn a_bad_line_is_named() {
        let error = |text: &str| text.parse::<Plan>().expect_err("a bad plan");
        assert!(
            error("# x\nwhole\nfault 3 kil primary\n").starts_with("line 3: \"kil\" is none of kill, pause")
        );
        assert!(error("requesters 1\n").contains("no requester like 1x2"));
        assert!(error("cpus 900\n").contains("no number that fits"));
        assert!(error("outage 5-40\n").contains("no range like"));
        assert!(error("hello\n").contains("not a line of a plan"));
    }
}
