//! Carries out steps on this server with the node's own command, and keeps running what is on record.
//!
//! Every step may be repeated: one that is done already is done. What a server keeps is written to `managed.cfg`, so that
//! what left the record while the server was away is stopped when it returns.

use crate::core::{Input, Output};
use pollux_domain::acting::StepOutcome;
use pollux_domain::configuration::{Configuration, Node, Pair, Restart};
use pollux_domain::difference::{Action, difference};
use pollux_domain::files::{NodeFile, atomic};
use pollux_wire::control::{CONTROL_DESCRIPTOR_VARIABLE, RUN_DIRECTORY_VARIABLE};
use pollux_wire::{NodeName, ProcessName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// After a start that failed the next one waits so long, then twice as long.
const TRY_AGAIN_MIN: Duration = Duration::from_secs(2);
const TRY_AGAIN_MAX: Duration = Duration::from_secs(60);

/// What a server's command needs.
#[derive(Debug, Clone)]
pub(crate) struct Hands {
    /// The `pollux` program.
    pub(crate) program: PathBuf,
    /// Where nodes live.
    pub(crate) run_root: PathBuf,
    /// The node of the domain server itself.
    pub(crate) own_node: NodeName,
    /// The server's files.
    pub(crate) files: PathBuf,
}

/// Starts the thread.
pub(crate) fn start(hands: Hands, inbox: Sender<Input>) -> io::Result<Sender<Output>> {
    let (send, jobs) = channel();
    thread::Builder::new().name("runner".to_owned()).spawn(move || Runner::new(hands).work(&jobs, &inbox))?;
    Ok(send)
}

/// A pair that is kept, and how often it was started again.
#[derive(Debug, Default)]
struct Kept {
    ran: bool,
    restarts: u32,
    gave_up: bool,
    not_before: Option<Instant>,
    pause: Duration,
}

struct Runner {
    hands: Hands,
    managed: Configuration,
    kept: BTreeMap<ProcessName, Kept>,
    nodes_not_before: BTreeMap<NodeName, Instant>,
}

impl Runner {
    fn new(hands: Hands) -> Self {
        let text = fs::read_to_string(hands.files.join("managed.cfg")).unwrap_or_default();
        let managed = Configuration::parse(&text).unwrap_or_default();
        Self { hands, managed, kept: BTreeMap::new(), nodes_not_before: BTreeMap::new() }
    }

    fn work(&mut self, jobs: &Receiver<Output>, inbox: &Sender<Input>) {
        while let Ok(first) = jobs.recv() {
            let mut keep = None;
            for job in std::iter::once(first).chain(jobs.try_iter()) {
                match job {
                    Output::Run(number, action) => {
                        keep = None; // What was to be kept is older than the step.
                        let outcome = match self.step(&action) {
                            Ok(()) => StepOutcome::Done,
                            Err(reason) => StepOutcome::Failed { reason: format!("{action}: {reason}") },
                        };
                        if inbox.send(Input::Ran { number, outcome }).is_err() {
                            return;
                        }
                    }
                    Output::Keep(wanted) => keep = Some(wanted),
                    _ => {}
                }
            }
            if let Some(wanted) = keep {
                for problem in self.keep(&wanted) {
                    drop(inbox.send(Input::Problem(problem)));
                }
            }
        }
    }

    // ---- steps ----

    fn step(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::StopPair(pair) => self.hands.stop_pair(pair),
            Action::StartPair(pair) => self.hands.start_pair(pair),
            Action::RestartPair { from, to } => {
                self.hands.stop_pair(from)?;
                self.hands.start_pair(to)
            }
            Action::ChangePair { to, .. } => self.hands.place_pair(to),
            Action::StartNode(node) => self.hands.start_node(node),
            Action::StopNode(node) => self.hands.stop_node(node),
            Action::ResizeNode { to, .. } => match self.hands.cpus(&to.name) {
                Some(cpus) if cpus == usize::from(to.cpus) => Ok(()),
                Some(_) => Err(format!(
                    "a node that runs keeps its CPUs; stop {} first (take it out, apply, put it in again)",
                    to.name
                )),
                None => self.hands.start_node(to),
            },
        }
    }

    // ---- what is on record runs ----

    fn keep(&mut self, wanted: &Configuration) -> Vec<String> {
        let mut problems = Vec::new();
        if *wanted != self.managed {
            // Stop what left the record; everything else is a matter of starting what is missing.
            for action in difference(&self.managed, wanted) {
                let stops = matches!(action, Action::StopPair(_) | Action::StopNode(_));
                let changes = matches!(action, Action::RestartPair { .. } | Action::ChangePair { .. });
                if (stops || changes)
                    && let Err(reason) = self.step(&action)
                {
                    problems.push(format!("{action}: {reason}"));
                }
            }
            self.managed = wanted.clone();
            self.kept.retain(|name, _| wanted.pairs.contains_key(name));
            self.kept.values_mut().for_each(|kept| *kept = Kept { ran: kept.ran, ..Kept::default() });
            problems.extend(self.write_managed());
        }
        for node in wanted.nodes.values() {
            problems.extend(self.keep_node(wanted, node));
        }
        problems
    }

    fn keep_node(&mut self, wanted: &Configuration, node: &Node) -> Vec<String> {
        let mut problems = Vec::new();
        let Some(names) = self.hands.names(&node.name) else {
            let now = Instant::now();
            if self.nodes_not_before.get(&node.name).is_some_and(|at| now < *at) {
                return problems;
            }
            self.nodes_not_before.insert(node.name.clone(), now + TRY_AGAIN_MIN * 5);
            if let Err(reason) = self.hands.start_node(node) {
                problems.push(format!("start node {}: {reason}", node.name));
            }
            return problems;
        };
        for pair in wanted.pairs.values().filter(|pair| pair.node == node.name) {
            let kept = self.kept.entry(pair.name.clone()).or_default();
            if names.contains(&pair.name) {
                kept.ran = true;
                continue;
            }
            match kept.decide(pair.restart, Instant::now()) {
                Decision::Wait => {}
                Decision::GiveUp => problems.push(format!(
                    "pair {} is gone and stays down (restart = {}); 'pollux domain config apply' with a change of it starts it again",
                    pair.name, pair.restart
                )),
                Decision::Start => {
                    if let Err(reason) = self.hands.start_pair(pair) {
                        problems.push(format!("start pair {}: {reason}", pair.name));
                    }
                }
            }
        }
        problems
    }

    fn write_managed(&self) -> Option<String> {
        let path = self.hands.files.join("sna_node.cfg");
        let revision = fs::read_to_string(&path)
            .ok()
            .and_then(|text| NodeFile::parse(&text).ok())
            .map_or(1, |file| file.revision.saturating_add(1));
        let nodes = self.managed.nodes.values().cloned().collect();
        let node_file = NodeFile { revision, nodes }.print();
        let written = atomic::replace(&path, &node_file)
            .and_then(|()| atomic::replace(&self.hands.files.join("managed.cfg"), &self.managed.print()));
        written.err().map(|error| error.to_string())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Start,
    Wait,
    GiveUp,
}

impl Kept {
    /// What follows when the pair is not there.
    fn decide(&mut self, restart: Restart, now: Instant) -> Decision {
        if self.gave_up || self.not_before.is_some_and(|at| now < at) {
            return Decision::Wait;
        }
        let again = std::mem::take(&mut self.ran);
        let allowed = match restart {
            Restart::Always => true,
            Restart::AtMost(count) => self.restarts < count,
            Restart::Never => false,
        };
        if again && !allowed {
            self.gave_up = true;
            return Decision::GiveUp;
        }
        self.restarts += u32::from(again);
        self.pause = if again { TRY_AGAIN_MIN } else { (self.pause * 2).clamp(TRY_AGAIN_MIN, TRY_AGAIN_MAX) };
        self.not_before = Some(now + self.pause);
        Decision::Start
    }
}

impl Hands {
    fn pollux(&self, node: &NodeName, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--node", node.as_str()])
            .args(words)
            .env(RUN_DIRECTORY_VARIABLE, &self.run_root)
            .env_remove(CONTROL_DESCRIPTOR_VARIABLE)
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    fn done(mut command: Command) -> Result<(), String> {
        let output = command.output().map_err(|error| format!("pollux cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(text.trim().trim_start_matches("pollux:").trim().to_owned())
    }

    fn json(&self, node: &NodeName, words: &[&str]) -> Option<serde_json::Value> {
        let output = self.pollux(node, words).stderr(Stdio::null()).output().ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// The names on record of a node that runs.
    fn names(&self, node: &NodeName) -> Option<Vec<ProcessName>> {
        let status = self.json(node, &["status", "--json"])?;
        let names = status["names"].as_array()?;
        Some(names.iter().filter_map(|name| ProcessName::new(name["name"].as_str()?).ok()).collect())
    }

    fn cpus(&self, node: &NodeName) -> Option<usize> {
        Some(self.json(node, &["status", "--json"])?["cpus"].as_array()?.len())
    }

    fn start_node(&self, node: &Node) -> Result<(), String> {
        match self.cpus(&node.name) {
            Some(cpus) if cpus == usize::from(node.cpus) => Ok(()),
            Some(cpus) => Err(format!("{} runs with {cpus} CPUs, not with {}", node.name, node.cpus)),
            None => Self::done(self.pollux(&node.name, &["up", "--cpus", &node.cpus.to_string()])),
        }
    }

    fn stop_node(&self, node: &Node) -> Result<(), String> {
        // The domain server's own node leaves the record and runs on: people end it, with its server.
        if node.name == self.own_node {
            return Ok(());
        }
        match self.cpus(&node.name) {
            None => Ok(()),
            Some(_) => Self::done(self.pollux(&node.name, &["down"])),
        }
    }

    fn is_there(&self, pair: &Pair) -> Result<bool, String> {
        let names = self.names(&pair.node).ok_or_else(|| format!("node {} is not running", pair.node))?;
        Ok(names.contains(&pair.name))
    }

    fn start_pair(&self, pair: &Pair) -> Result<(), String> {
        if self.is_there(pair)? {
            return Ok(());
        }
        let cpu = pair.primary.to_string();
        let mut command =
            self.pollux(&pair.node, &["run", "--name", pair.name.as_str(), "--cpu", &cpu, "--pair", "--"]);
        command.arg(&pair.program).args(&pair.arguments);
        for entry in &pair.environment {
            if let Some((name, value)) = entry.split_once('=') {
                command.env(name, value);
            }
        }
        Self::done(command)
    }

    fn stop_pair(&self, pair: &Pair) -> Result<(), String> {
        match self.is_there(pair) {
            // A pair ends with its node.
            Ok(false) | Err(_) => Ok(()),
            Ok(true) => Self::done(self.pollux(&pair.node, &["stop", pair.name.as_str()])),
        }
    }

    /// Placement of a pair that runs: its roles are exchanged when that is all that is missing.
    fn place_pair(&self, pair: &Pair) -> Result<(), String> {
        let processes = self.json(&pair.node, &["ps", "--json"]);
        let processes = processes.as_ref().and_then(|all| all.as_array());
        let cpu = |role: &str| {
            let found =
                processes?.iter().find(|one| one["name"] == pair.name.as_str() && one["role"] == role)?;
            found["cpu"].as_u64()
        };
        if cpu("primary") == Some(pair.backup.into()) && cpu("backup") == Some(pair.primary.into()) {
            return Self::done(self.pollux(&pair.node, &["switch", pair.name.as_str()]));
        }
        Ok(()) // Otherwise it is where it was, and goes to its place with its next start.
    }
}

/// The `pollux` program, for its commands.
pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| Path::new("pollux").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // A pair that dies at once, always, must not be started in a loop; one with a limit stays down after it.
    #[test]
    fn restarts_are_counted_and_spaced() {
        let begin = Instant::now();
        let after = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut kept = Kept::default();
        assert_eq!(kept.decide(Restart::Never, begin), Decision::Start, "the first start is no restart");
        kept.ran = true;
        assert_eq!(kept.decide(Restart::Never, after(5)), Decision::GiveUp);
        assert_eq!(kept.decide(Restart::Never, after(50)), Decision::Wait, "said once");

        let mut kept = Kept { ran: true, ..Kept::default() };
        assert_eq!(kept.decide(Restart::AtMost(1), begin), Decision::Start);
        assert_eq!(kept.decide(Restart::AtMost(1), after(1)), Decision::Wait);
        assert_eq!(
            kept.decide(Restart::AtMost(1), after(3)),
            Decision::Start,
            "it never came up: tried again"
        );
        assert_eq!(kept.decide(Restart::AtMost(1), after(6)), Decision::Wait, "later each time");
        kept.ran = true;
        assert_eq!(kept.decide(Restart::AtMost(1), after(30)), Decision::GiveUp);
        let mut kept = Kept { ran: true, ..Kept::default() };
        assert_eq!(kept.decide(Restart::Always, begin), Decision::Start);
    }
}
