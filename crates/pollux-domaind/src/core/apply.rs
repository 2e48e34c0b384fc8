//! A new configuration: its steps are carried out where they belong, then the text is put on record.
//!
//! What this decides: to whom a step goes, what a server that is away means for it, what the asker is told at the end.
//!
//! Invariant: the text is on record only when all steps are done. Whatever happens on the way, the servers go to what is
//! on record; a change that was given up is undone by that.

use super::{APPLY_MS_MAX, Asker, Core, HOLD_MS_MAX, Output, What};
use crate::words::{Applied, Apply, PeerWord, Relayed, RelayedReply, Reply};
use pollux_domain::acting::{End, Order, Refused, StepOutcome};
use pollux_domain::configuration::Configuration;
use pollux_domain::content::{Change, Refusal};
use pollux_domain::difference::{Action, difference};
use pollux_domain::files::DOMAIN_FILE_BYTES_MAX;
use pollux_domain::name::ServerName;
use pollux_domain::succession::{Answer, Tick};
use std::collections::BTreeSet;

/// The change that is being applied.
#[derive(Debug)]
pub(super) struct Underway {
    asker: Asker,
    apply: Apply,
    steps: Vec<String>,
    /// The step that is being carried out: its number and the server.
    step: Option<(u64, ServerName)>,
    /// Servers that leave what runs alone until they are told.
    held: BTreeSet<ServerName>,
    deadline: Tick,
}

impl Core {
    /// A program asks: here, or at the acting master.
    pub(super) fn asked_to_apply(&mut self, now: Tick, program: (super::ProgramId, u64), apply: Apply) {
        match self.status(now).acting {
            Some((master, _)) if master != self.start.host => {
                self.relay(now, master, program, What::Apply, Relayed::Apply(apply));
            }
            _ => self.begin_apply(now, Asker::Program(program.0, program.1), apply),
        }
    }

    pub(super) fn begin_apply(&mut self, now: Tick, asker: Asker, apply: Apply) {
        let Some(content) = self.machine.content().cloned().filter(|_| self.machine.acts(now).is_some())
        else {
            let reason =
                "no master acts at this moment; see 'pollux domain status', then try again".to_owned();
            return self.applied(now, asker, Applied::Refused { reason });
        };
        if content.has_done(apply.request) {
            let done = Applied::Done { steps: Vec::new(), stamp: content.stamp.clone() };
            return self.applied(now, asker, done);
        }
        if let Err(reason) = self.may_apply(&apply, &content) {
            return self.applied(now, asker, Applied::Refused { reason });
        }
        let runs = Configuration::parse(&content.file).unwrap_or_default();
        if apply.dry_run {
            let answer = match Configuration::parse(&apply.text) {
                Ok(new) => {
                    Applied::Plan { steps: difference(&runs, &new).iter().map(ToString::to_string).collect() }
                }
                Err(faults) => Applied::Refused { reason: Refused::Faults(faults).to_string() },
            };
            return self.applied(now, asker, answer);
        }
        match self.acting.apply(&runs, &apply.text, apply.may_lose_state) {
            Err(refused) => self.applied(now, asker, Applied::Refused { reason: refused.to_string() }),
            Ok(plan) => {
                let steps = plan.iter().map(ToString::to_string).collect();
                let deadline = Tick(now.0 + APPLY_MS_MAX);
                self.underway =
                    Some(Underway { asker, apply, steps, step: None, held: BTreeSet::new(), deadline });
            }
        }
    }

    fn may_apply(&self, apply: &Apply, content: &pollux_domain::content::Content) -> Result<(), String> {
        if self.underway.is_some() {
            return Err(Refused::Busy.to_string());
        }
        if apply.based_on != content.stamp.revision {
            let (current, based_on) = (content.stamp.revision, apply.based_on);
            return Err(Refusal::Outdated { current, based_on }.to_string());
        }
        if self.lock.as_ref().is_some_and(|lock| lock.origin != apply.request.origin) {
            return Err("a program holds the lock of the domain file; wait until it has committed".to_owned());
        }
        if apply.text.len() > DOMAIN_FILE_BYTES_MAX {
            let bytes = apply.text.len();
            return Err(format!("{bytes} bytes are more than the {DOMAIN_FILE_BYTES_MAX} of a domain file"));
        }
        Ok(())
    }

    pub(super) fn drain_orders(&mut self, now: Tick) {
        if self.underway.as_ref().is_some_and(|it| it.step.is_some() && now >= it.deadline) {
            self.fail_step("it was not done in time; see the log of its server");
        }
        while let Some(order) = self.acting.poll_order() {
            match order {
                Order::Step { number, epoch, action } => self.order(now, number, epoch.0, action),
                Order::Ended(end) => self.steps_ended(now, end),
            }
        }
    }

    fn order(&mut self, now: Tick, number: u64, epoch: u64, action: Action) {
        let server = self.server_of(&action);
        let Some(underway) = &mut self.underway else { return };
        underway.held.insert(server.clone());
        underway.step = Some((number, server.clone()));
        if server == self.start.host {
            self.hold_until = Some(Tick(now.0 + HOLD_MS_MAX));
            self.outputs.push_back(Output::Run(number, Box::new(action)));
        } else if self.status(now).running.contains(&server) {
            self.outputs.push_back(Output::Peer(server, PeerWord::Step { number, epoch, action }));
        } else if matches!(action, Action::StopPair(_) | Action::StopNode(_)) {
            // Nothing of it runs there; when the server returns it goes to what is on record.
            self.acting.handle_step(number, StepOutcome::Done);
        } else {
            let reason =
                format!("{action}: server {server} is not up; start it, or put the node on another server");
            self.acting.handle_step(number, StepOutcome::Failed { reason });
        }
    }

    /// The server that carries a step out: of the node in the new text, or of the one on record.
    fn server_of(&self, action: &Action) -> ServerName {
        let node = match action {
            Action::StopPair(pair) | Action::StartPair(pair) => &pair.node,
            Action::RestartPair { to, .. } | Action::ChangePair { to, .. } => &to.node,
            Action::StopNode(node) | Action::StartNode(node) => return node.server.clone(),
            Action::ResizeNode { to, .. } => return to.server.clone(),
        };
        let new = self.underway.as_ref().and_then(|it| Configuration::parse(&it.apply.text).ok());
        let old = self.machine.content().and_then(|content| Configuration::parse(&content.file).ok());
        // A pair that stops is where the record says; one that starts is where the new text says.
        let order = if matches!(action, Action::StopPair(_)) { [old, new] } else { [new, old] };
        let found = order.iter().flatten().find_map(|all| all.nodes.get(node));
        found.map_or_else(|| self.start.host.clone(), |node| node.server.clone())
    }

    /// A step of this server has ended: for the acting master, wherever it is.
    pub(super) fn ran(&mut self, _now: Tick, number: u64, outcome: StepOutcome) {
        match self.peer_steps.remove(&number) {
            Some((master, theirs)) => {
                self.outputs.push_back(Output::Peer(master, PeerWord::StepEnded { number: theirs, outcome }));
            }
            None => self.acting.handle_step(number, outcome),
        }
    }

    pub(super) fn step_ended(&mut self, _now: Tick, from: &ServerName, number: u64, outcome: StepOutcome) {
        let expected = self.underway.as_ref().and_then(|it| it.step.clone());
        if expected == Some((number, from.clone())) {
            self.acting.handle_step(number, outcome);
        }
    }

    /// The acting master orders a step here.
    pub(super) fn peer_orders(
        &mut self,
        now: Tick,
        from: ServerName,
        number: u64,
        epoch: u64,
        action: Action,
    ) {
        let known = self.status(now).acting;
        let newest = known.as_ref().map_or(0, |(_, epoch)| epoch.0);
        // Who may order is on the list: a certificate alone makes nobody a master.
        let is_listed = self.machine.content().is_some_and(|content| content.list.position(&from).is_some());
        let is_master = is_listed && known.is_none_or(|(name, known)| name == from || known.0 < epoch);
        if epoch < newest || !is_master {
            let reason = format!("the order is of epoch {epoch}, the domain is in {newest}");
            let outcome = StepOutcome::Failed { reason };
            self.outputs.push_back(Output::Peer(from, PeerWord::StepEnded { number, outcome }));
            return;
        }
        self.hold_until = Some(Tick(now.0 + HOLD_MS_MAX));
        self.numbers += 1;
        // Own numbers of steps come from `Acting` and count from 1; those for others are far above.
        let own = OTHERS_STEPS | self.numbers;
        self.peer_steps.insert(own, (from, number));
        self.outputs.push_back(Output::Run(own, Box::new(action)));
    }

    pub(super) fn apply_lost_peer(&mut self, _now: Tick, name: &ServerName) {
        if self.underway.as_ref().is_some_and(|it| it.step.as_ref().is_some_and(|(_, at)| at == name)) {
            self.fail_step("its server is gone");
        }
    }

    fn fail_step(&mut self, reason: &str) {
        let step = self.underway.as_mut().and_then(|it| it.step.take());
        if let Some((number, server)) = step {
            // Perhaps it was done there. The server goes to what is on record, which undoes it.
            let reason = format!("{server}: {reason}");
            self.acting.handle_step(number, StepOutcome::Failed { reason });
        }
    }

    fn steps_ended(&mut self, now: Tick, end: End) {
        let Some(underway) = &self.underway else { return };
        match end {
            End::Applied => {
                let (request, based_on) = (underway.apply.request, underway.apply.based_on);
                let change = Change::ReplaceFile { based_on, text: underway.apply.text.as_str().into() };
                match self.machine.acts(now) {
                    Some(epoch) => self.submit(now, Asker::Configuration, request, epoch, change),
                    None => self.end_apply(now, Applied::Unknown),
                }
            }
            End::RolledBack { reason } => self.end_apply(now, Applied::RolledBack { reason }),
            End::Stuck { reason, left } => {
                let left = left.into_iter().map(|(_, why)| why).collect();
                self.end_apply(now, Applied::Stuck { reason, left });
            }
            End::Abandoned => self.end_apply(now, Applied::Unknown),
        }
    }

    pub(super) fn configuration_recorded(&mut self, now: Tick, answer: &Answer) {
        let steps = self.underway.as_ref().map(|it| it.steps.clone()).unwrap_or_default();
        let applied = match answer {
            Answer::Done(stamp) => Applied::Done { steps, stamp: stamp.clone() },
            Answer::Refused(refusal) => Applied::Refused { reason: refusal.to_string() },
            Answer::NotMaster | Answer::Busy => Applied::Refused {
                reason: "the acting master changed meanwhile; what was done is taken back; try again"
                    .to_owned(),
            },
            Answer::Unknown => Applied::Unknown,
        };
        self.end_apply(now, applied);
    }

    fn end_apply(&mut self, now: Tick, applied: Applied) {
        let Some(underway) = self.underway.take() else { return };
        self.hold_until = None;
        self.keep_next = now;
        for server in underway.held.into_iter().filter(|name| *name != self.start.host) {
            self.outputs.push_back(Output::Peer(server, PeerWord::Settled));
        }
        self.applied(now, underway.asker, applied);
    }

    fn applied(&mut self, now: Tick, asker: Asker, applied: Applied) {
        match asker {
            Asker::Program(program, number) => self.reply_applied(now, program, number, applied),
            Asker::Peer(name, number) => self.answer_peer(name, number, RelayedReply::Applied(applied)),
            Asker::Configuration => {}
        }
    }

    pub(super) fn reply_applied(
        &mut self,
        now: Tick,
        program: super::ProgramId,
        number: u64,
        applied: Applied,
    ) {
        match &applied {
            Applied::Done { stamp, .. } => {
                let stamp = stamp.clone();
                self.reply_when_seen(now, program, number, stamp, Reply::Applied(applied));
            }
            _ => self.reply(program, number, Reply::Applied(applied)),
        }
    }
}

/// Marks the numbers of steps that were ordered by another server.
const OTHERS_STEPS: u64 = 1 << 63;
