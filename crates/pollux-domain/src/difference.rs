//! From one configuration to the next: what must be done.
//!
//! What this decides: which actions, in which order. Pairs stop before their node changes and start after it.
//! What it does not: whether they succeed, see [`crate::acting`].

use crate::configuration::{Configuration, Node, Pair};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One step from a configuration to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A pair ends.
    StopPair(Pair),
    /// A node ends; its pairs ended before.
    StopNode(Node),
    /// A node begins.
    StartNode(Node),
    /// A node gets more or fewer CPUs; pairs on CPUs that go were stopped or moved before.
    ResizeNode {
        /// As it was.
        from: Node,
        /// As it will be.
        to: Node,
    },
    /// A pair begins.
    StartPair(Pair),
    /// Program, arguments, environment or node differ: the pair ends and begins anew, without its state.
    RestartPair {
        /// As it was.
        from: Pair,
        /// As it will be.
        to: Pair,
    },
    /// Only the placement or the restart policy differs: the pair goes on with its state.
    ChangePair {
        /// As it was.
        from: Pair,
        /// As it will be.
        to: Pair,
    },
}

impl Action {
    /// The action that takes this one back.
    #[must_use]
    pub fn undo(&self) -> Self {
        match self.clone() {
            Self::StopPair(pair) => Self::StartPair(pair),
            Self::StartPair(pair) => Self::StopPair(pair),
            Self::StopNode(node) => Self::StartNode(node),
            Self::StartNode(node) => Self::StopNode(node),
            Self::ResizeNode { from, to } => Self::ResizeNode { from: to, to: from },
            Self::RestartPair { from, to } => Self::RestartPair { from: to, to: from },
            Self::ChangePair { from, to } => Self::ChangePair { from: to, to: from },
        }
    }

    /// True when a pair's state is lost by it: an operator is asked before.
    pub fn loses_state(&self) -> bool {
        matches!(self, Self::StopPair(_) | Self::RestartPair { .. } | Self::StopNode(_))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopPair(pair) => write!(f, "stop pair {} on {}", pair.name, pair.node),
            Self::StartPair(pair) => write!(f, "start pair {} on {}", pair.name, pair.node),
            Self::StopNode(node) => write!(f, "stop node {} on {}", node.name, node.server),
            Self::StartNode(node) => {
                write!(f, "start node {} on {} with {} CPUs", node.name, node.server, node.cpus)
            }
            Self::ResizeNode { from, to } => {
                write!(f, "change node {} from {} to {} CPUs", to.name, from.cpus, to.cpus)
            }
            Self::RestartPair { to, .. } => write!(f, "restart pair {} on {}", to.name, to.node),
            Self::ChangePair { to, .. } => {
                let (primary, backup, restart) = (to.primary, to.backup, to.restart);
                write!(f, "change pair {}: primary {primary}, backup {backup}, restart {restart}", to.name)
            }
        }
    }
}

/// The actions that lead from `old` to `new`, in an order in which each is possible.
pub fn difference(old: &Configuration, new: &Configuration) -> Vec<Action> {
    let mut actions = Vec::new();
    let moved = |node: &Node| new.nodes.get(&node.name).is_none_or(|other| other.server != node.server);
    let node_goes = |pair: &Pair| old.nodes.get(&pair.node).is_none_or(moved);
    for pair in old.pairs.values() {
        if !new.pairs.contains_key(&pair.name) || node_goes(pair) {
            actions.push(Action::StopPair(pair.clone()));
        }
    }
    let changed = |grows: bool| {
        old.nodes.values().filter_map(move |from| {
            let to =
                new.nodes.get(&from.name).filter(|to| to.server == from.server && to.cpus != from.cpus)?;
            ((to.cpus > from.cpus) == grows)
                .then(|| Action::ResizeNode { from: from.clone(), to: to.clone() })
        })
    };
    actions.extend(old.nodes.values().filter(|node| moved(node)).cloned().map(Action::StopNode));
    let begins = |node: &&Node| old.nodes.get(&node.name).is_none_or(|other| other.server != node.server);
    actions.extend(new.nodes.values().filter(begins).cloned().map(Action::StartNode));
    actions.extend(changed(true));
    for pair in new.pairs.values() {
        match old.pairs.get(&pair.name).filter(|from| !node_goes(from)) {
            None => actions.push(Action::StartPair(pair.clone())),
            Some(from) if from == pair => {}
            Some(from) => {
                let (from, to) = (from.clone(), pair.clone());
                let same = from.node == to.node
                    && from.program == to.program
                    && from.arguments == to.arguments
                    && from.environment == to.environment;
                actions.push(if same {
                    Action::ChangePair { from, to }
                } else {
                    Action::RestartPair { from, to }
                });
            }
        }
    }
    // A node shrinks last: by then no pair is on a CPU that goes.
    actions.extend(changed(false));
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::tests::TEXT;

    fn read(text: &str) -> Configuration {
        Configuration::parse(text).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn words(old: &str, new: &str) -> Vec<String> {
        difference(&read(old), &read(new)).iter().map(ToString::to_string).collect()
    }

    // A change of the placement must not cost a pair its state.
    #[test]
    fn what_keeps_state_and_what_does_not() {
        assert_eq!(words(TEXT, TEXT), Vec::<String>::new());
        assert_eq!(words("", TEXT), ["start node \\A on alpha with 4 CPUs", "start pair $KV on \\A"]);
        assert_eq!(words(TEXT, ""), ["stop pair $KV on \\A", "stop node \\A on alpha"]);
        let placed = TEXT.replace("backup = 1", "backup = 2");
        assert_eq!(words(TEXT, &placed), ["change pair $KV: primary 0, backup 2, restart at most 3"]);
        let other = TEXT.replace("--listen", "--port");
        assert_eq!(words(TEXT, &other), ["restart pair $KV on \\A"]);
        let smaller = TEXT
            .replace("cpus = 4", "cpus = 2")
            .replace("primary = 0\nbackup = 1", "primary = 1\nbackup = 0");
        assert_eq!(words(TEXT, &smaller)[1], "change node \\A from 4 to 2 CPUs");
    }

    #[test]
    fn a_node_that_moves_takes_its_pairs_down_and_up() {
        let moved = TEXT.replace("server = alpha", "server = beta");
        let expected = [
            "stop pair $KV on \\A",
            "stop node \\A on alpha",
            "start node \\A on beta with 4 CPUs",
            "start pair $KV on \\A",
        ];
        assert_eq!(words(TEXT, &moved), expected);
        let (old, new) = (read(TEXT), read(&moved));
        let undone: Vec<Action> = difference(&old, &new).iter().rev().map(Action::undo).collect();
        assert_eq!(undone, difference(&new, &old));
    }
}
