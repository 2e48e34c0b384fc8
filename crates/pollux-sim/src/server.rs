//! The server that the pair calls: a second pair in a world of its own, whose only requester is the first pair's link (S3b).
//!
//! The link is part of the half that speaks: it stands still with it, dies with it, and a new primary makes another from
//! what it has on record. Coordinator, CPUs and the passing of time are those of both worlds.

use crate::app::Answer;
use crate::bugs::Bug;
use crate::checks::check_call;
use crate::history::Told;
use crate::plan::{Asker, Plan};
use crate::sometimes::Situation;
use crate::world::{Process, SERVER, Stage, Who, World, call_payload};
use pollux_core::calls::TakenUp;
use pollux_wire::{FileError, SyncId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sync and nowait depth of the pair's open.
const CALL_DEPTH: u16 = 16;

/// The server's world, and whose link its requester is.
#[derive(Clone)]
pub struct Server {
    /// The world.
    pub world: World,
    /// The half that has the link, and in which of its roles.
    holder: (Who, u32),
    /// What each sync id was used for, and the other way round.
    purposes: BTreeMap<SyncId, Vec<u8>>,
    syncs: BTreeMap<Vec<u8>, SyncId>,
}

impl Server {
    /// The server of a plan that has one.
    pub fn new(plan: &Plan, bug: Bug) -> Option<Self> {
        if plan.calls == 0 {
            return None;
        }
        let link = Asker { sync_depth: CALL_DEPTH, nowait_depth: CALL_DEPTH, wanted: 0 };
        let plan = Plan { calls: 0, requesters: vec![link], orders: Vec::new(), ..plan.clone() };
        let world = World::new(Arc::new(plan), bug);
        Some(Self { world, holder: (0, 1), purposes: BTreeMap::new(), syncs: BTreeMap::new() })
    }

    /// What the pair's half and its link have for each other before a step.
    pub fn exchange(&mut self, pair: &mut World) -> Result<(), String> {
        let speaker = pair.processes.iter().position(Process::can_use_its_link);
        self.world.clients[0].asleep = speaker.is_none();
        let Some(who) = speaker else { return Ok(()) };
        let wish = pair.processes[who].calls.wish.take();
        if let Some(sync) = wish {
            check_call(pair, who, sync)?;
        }
        let process = &mut pair.processes[who];
        if self.holder != (who, process.calls.roles) {
            self.holder = (who, process.calls.roles);
            let taken_up = process.replica.taken_up(SERVER).expect("it has opened its server");
            for call in &taken_up.calls {
                self.note_purpose(call.sync, &call.payload)?;
            }
            if !taken_up.calls.is_empty() {
                pair.met.note(Situation::CallTakenUp);
            }
            let TakenUp { first, calls, next } = taken_up;
            let calls: Vec<SyncId> = calls.iter().map(|call| call.sync).collect();
            self.world.renew_link(first, &calls, next);
        }
        if let Some(sync) = wish {
            let payload = call_payload(process, sync).ok_or("S3b: a call is sent that is not on record")?;
            self.note_purpose(sync, &payload)?;
            self.world.call(sync)?;
        }
        for sync in process.unanswered_calls() {
            let call = self.world.clients[0].calls.get(sync.0 as usize - 1);
            let Some(end) = call.and_then(|call| call.ended) else { continue };
            let (error, answer) = match end.told {
                Told::Ok(answer) => (FileError::OK, answer),
                Told::Fail(error) | Told::Unknown(error) => (error, Answer { place: 0, value: 0 }),
            };
            if process.calls.stage() == Some(Stage::Asked(sync)) {
                process.calls.answer.get_or_insert((error, answer));
            } else if process.takes_input && process.work.is_empty() && self.world.bug != Bug::LateAnswersLost
            {
                process.note_late_answer(sync, error, answer);
            }
        }
        if std::mem::take(&mut process.calls.met_again) {
            pair.met.note(Situation::CallMetAgain);
        }
        Ok(())
    }

    /// A sync id is for one call, and a call has one sync id, whichever half makes it.
    fn note_purpose(&mut self, sync: SyncId, payload: &[u8]) -> Result<(), String> {
        let first = self.purposes.entry(sync).or_insert_with(|| payload.to_vec());
        if first != payload {
            return Err(format!("S3b: the call {sync} is made with other bytes than before"));
        }
        let first = *self.syncs.entry(payload.to_vec()).or_insert(sync);
        if first != sync {
            return Err(format!("S3b: a request makes the same call twice, as {first} and as {sync}"));
        }
        Ok(())
    }
}
