//! Programs of this server: what they ask, and what they are answered.

use super::{Asker, Tick};
use super::{
    Core, Input, Output, PROGRAMS_MAX, Program, ProgramId, QUESTIONS_MAX, SEE_MS_MAX, Waiting, What,
};
use crate::words::{Ask, LockWish, Relayed, Reply, WORDS_VERSION, Word};
use pollux_domain::content::{Change, RequestId, Stamp};
use pollux_domain::succession::{Answer, Event};
use pollux_wire::Epoch;

impl Core {
    pub(super) fn program(&mut self, id: ProgramId, authorized: bool, client: bool) {
        if self.programs.len() >= PROGRAMS_MAX {
            return self.outputs.push_back(Output::Close(id));
        }
        self.programs.insert(id, Program { authorized, client, origin: 0, watches: false });
    }

    pub(super) fn program_gone(&mut self, id: ProgramId) {
        let Some(program) = self.programs.remove(&id) else { return };
        self.relays.retain(|_, relay| relay.asker.0 != id);
        self.waiting.retain(|waiting| waiting.program != id);
        // A program that is gone cannot commit any more. One that only reconnects takes the lock again.
        self.unlock_everywhere(program.origin);
    }

    pub(super) fn authorized(&self, id: ProgramId) -> bool {
        self.programs.get(&id).is_some_and(|program| program.authorized)
    }

    pub(super) fn asked(&mut self, now: Tick, id: ProgramId, ask: Ask) {
        let Ask { number, word } = ask;
        let Some(program) = self.programs.get_mut(&id) else { return };
        if program.origin == 0 && !matches!(word, Word::Hello { .. }) {
            return self.outputs.push_back(Output::Close(id));
        }
        let changes = matches!(
            word,
            Word::Submit { .. }
                | Word::SetLogTypes { .. }
                | Word::Apply(_)
                | Word::Create { .. }
                | Word::Leave
        );
        if changes && !program.authorized {
            let reason =
                "this user may only read the domain; run the command as the user of the node".to_owned();
            return self.reply(id, number, Reply::Refused { reason });
        }
        match word {
            Word::Hello { version, origin } => self.hello(id, number, version, origin),
            Word::View { lock } => self.asked_for_view(now, id, number, lock),
            Word::Submit { request, epoch, change } => {
                self.asked_to_change(now, id, number, request, epoch, change)
            }
            Word::Unlock => {
                let origin = program.origin;
                self.unlock_everywhere(origin);
                self.reply(id, number, Reply::Done);
            }
            Word::SetLogTypes { types } => {
                self.start.log_override = types;
                self.reply(id, number, Reply::Done);
            }
            Word::Watch => {
                program.watches = true;
                self.reply(id, number, Reply::Done);
            }
            Word::Status => {
                let report = Box::new(self.report(now));
                self.reply(id, number, Reply::Status(report));
            }
            Word::Apply(apply) => {
                if self.relays.len() >= QUESTIONS_MAX {
                    let reason = "too much is under way; try again".to_owned();
                    return self.reply(id, number, Reply::Refused { reason });
                }
                self.asked_to_apply(now, (id, number), apply);
            }
            Word::Create { recover } => {
                self.creating = true;
                self.tell(now, Event::Create { recover });
                self.reply(id, number, Reply::Done);
            }
            Word::Leave => {
                self.leave(now);
                self.reply(id, number, Reply::Done);
            }
        }
    }

    fn hello(&mut self, id: ProgramId, number: u64, version: u32, origin: u64) {
        if version != WORDS_VERSION {
            let reason = format!(
                "this server speaks version {WORDS_VERSION}, the program {version}: use one version of Pollux"
            );
            self.reply(id, number, Reply::Refused { reason });
            return self.outputs.push_back(Output::Close(id));
        }
        // Unique in the domain: this life of this server, and a count. A program that reconnects keeps its own.
        self.numbers += 1;
        let fresh = (self.start.origin_seed ^ self.numbers).max(1);
        let origin = if origin == 0 { fresh } else { origin };
        if let Some(program) = self.programs.get_mut(&id) {
            program.origin = origin;
        }
        let (host, domain) = (self.start.host.clone(), self.start.domain.clone());
        self.reply(id, number, Reply::Welcome { origin, host, domain });
    }

    fn asked_for_view(&mut self, now: Tick, id: ProgramId, number: u64, lock: LockWish) {
        let take = lock == LockWish::Take && self.authorized(id);
        let origin = self.programs.get(&id).map_or(0, |program| program.origin);
        let master = self.status(now).acting.map(|(name, _)| name);
        if lock.asks()
            && let Some(master) = master.filter(|name| *name != self.start.host)
            && self.relays.len() < QUESTIONS_MAX
        {
            return self.relay(now, master, (id, number), What::View, Relayed::Lock { origin, take });
        }
        let of_other = lock.asks() && self.lock(now, origin, None, take);
        let view = self.view(now, Some(id), of_other);
        self.reply(id, number, Reply::View(Box::new(view)));
    }

    fn asked_to_change(
        &mut self,
        now: Tick,
        id: ProgramId,
        number: u64,
        request: RequestId,
        epoch: u64,
        change: Change,
    ) {
        let own = self.programs.get(&id).is_some_and(|program| program.origin == request.origin);
        if !own {
            let reason = "a request must carry the number of its own program".to_owned();
            return self.reply(id, number, Reply::Refused { reason });
        }
        match self.status(now).acting.map(|(name, _)| name) {
            Some(master) if master != self.start.host => {
                if self.relays.len() >= QUESTIONS_MAX {
                    return self.reply(id, number, Reply::Answer(Answer::Busy));
                }
                let word = Relayed::Submit { request, epoch, change };
                self.relay(now, master, (id, number), What::Submit, word);
            }
            _ => self.submit(now, Asker::Program(id, number), request, Epoch(epoch), change),
        }
    }

    fn unlock_everywhere(&mut self, origin: u64) {
        self.unlock(origin);
        let master = self.master.as_ref().map(|(name, _)| name.clone());
        if let Some(master) = master.filter(|name| *name != self.start.host && origin != 0) {
            self.numbers += 1;
            let word = crate::words::PeerWord::Ask { number: self.numbers, word: Relayed::Unlock { origin } };
            self.outputs.push_back(Output::Peer(master, word));
        }
    }

    pub(super) fn reply_answer(&mut self, now: Tick, program: ProgramId, number: u64, answer: Answer) {
        match &answer {
            Answer::Done(stamp) => {
                let stamp = stamp.clone();
                self.reply_when_seen(now, program, number, stamp, Reply::Answer(answer));
            }
            _ => self.reply(program, number, Reply::Answer(answer)),
        }
    }

    /// A program that is told "done" and asks again must see it.
    pub(super) fn reply_when_seen(
        &mut self,
        now: Tick,
        program: ProgramId,
        number: u64,
        stamp: Stamp,
        reply: Reply,
    ) {
        let deadline = Tick(now.0 + SEE_MS_MAX);
        self.waiting.push(Waiting { program, number, stamp, reply, deadline });
        self.tell(now, Event::Tick);
    }
}

impl Input {
    /// Whether it is only the time.
    pub fn is_tick(&self) -> bool {
        matches!(self, Input::Tick)
    }
}
