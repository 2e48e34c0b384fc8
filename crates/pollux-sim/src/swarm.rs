//! The plan that a seed stands for. Each seed draws which faults are possible at all, and then how many and when: a run in
//! which everything happens at once never gets far enough to show what one kind of fault does alone.

use crate::plan::{Asker, Fault, Harm, Mark, Order, OutageIs, Plan, Schedule, Victim, When};
use pollux_domain::simulation::Random;

/// The concerns of a seed, each with its own generator, so that a new one does not shift the others.
const TOPOLOGY: u64 = 11;
const LOAD: u64 = 12;
const FAULTS: u64 = 13;
const COORDINATOR: u64 = 14;
const ORDERS: u64 = 15;
const SERVER: u64 = 16;

/// The plan of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut topology = Random::new(seed, TOPOLOGY);
    let mut plan = Plan {
        name: format!("seed {seed}"),
        cpus: 2 + topology.below(3) as u8,
        whole: topology.chance(700),
        standby_paths: topology.chance(800),
        schedule: Schedule::Drawn(seed),
        ..Plan::default()
    };
    draw_faults(&mut plan, seed);
    let span = plan.faults.iter().map(|(when, _)| when.after + 40).sum::<u32>().max(80);
    draw_load(&mut plan, seed);
    draw_coordinator(&mut plan, seed, span);
    draw_orders(&mut plan, seed, span);
    draw_server(&mut plan, seed);
    plan
}

fn draw_faults(plan: &mut Plan, seed: u64) {
    let mut random = Random::new(seed, FAULTS);
    // Some runs have no fault at all.
    let count = if random.chance(30) { 0 } else { 1 + random.below(24) };
    let harms: Vec<Harm> = Harm::all().filter(|harm| *harm == Harm::Kill || random.chance(350)).collect();
    let marks: Vec<Mark> = Mark::all().filter(|_| random.chance(400)).collect();
    // How often a fault waits until the pair is whole: without that most runs would end early with both halves lost.
    let careful = if random.chance(850) { 1000 } else { random.below(1000) };
    let primary = 300 + random.below(700);
    let gap = 1 + random.below(60);
    for _ in 0..count {
        let victim = if random.chance(primary) { Victim::Primary } else { Victim::Backup };
        let harm = harms[random.below(harms.len() as u64) as usize];
        let after = random.below(gap * 2) as u32;
        let mark = marks.get(random.below(marks.len() as u64 * 2) as usize).copied();
        let mark = if random.chance(careful) {
            Some(mark.filter(|mark| is_survived(*mark, victim)).unwrap_or(Mark::Whole))
        } else {
            mark
        };
        plan.faults.push((When { after, mark }, Fault { harm, victim }));
    }
}

/// True when one more fault at this moment leaves a half that knows everything.
fn is_survived(mark: Mark, victim: Victim) -> bool {
    match mark {
        Mark::Whole | Mark::Unacknowledged | Mark::ReplyHeld | Mark::ReplyOnItsWay | Mark::Switching => true,
        Mark::Syncing | Mark::Joining => victim == Victim::Backup,
        Mark::Removing | Mark::TakingOver => false,
    }
}

fn draw_load(plan: &mut Plan, seed: u64) {
    let mut random = Random::new(seed, LOAD);
    let count = 1 + random.below(4);
    let wanted = 2 + plan.faults.len() as u64 * (1 + random.below(4));
    let depth_zero = random.chance(100);
    plan.requesters = (0..count)
        .map(|_| Asker {
            sync_depth: if depth_zero && random.chance(500) { 0 } else { 1 + random.below(3) as u16 },
            nowait_depth: 1 + random.below(5) as u16,
            wanted: 1 + random.below(wanted),
        })
        .collect();
}

fn draw_coordinator(plan: &mut Plan, seed: u64, span: u32) {
    let mut random = Random::new(seed, COORDINATOR);
    if random.chance(300) {
        for _ in 0..1 + random.below(4) {
            let from = random.below(u64::from(span)) as u32;
            let is = if random.chance(500) { OutageIs::Unavailable } else { OutageIs::AnswersLost };
            plan.outages.push((from..from + 1 + random.below(80) as u32, is));
        }
    }
    if random.chance(150) {
        let from = random.below(u64::from(span)) as u32;
        plan.no_cpu = from..from + 1 + random.below(100) as u32;
    }
}

fn draw_orders(plan: &mut Plan, seed: u64, span: u32) {
    let mut random = Random::new(seed, ORDERS);
    if random.chance(400) {
        let mut at = 0;
        for _ in 0..1 + random.below(8) {
            at += random.below(u64::from(span) / 2) as u32;
            plan.orders.push((at, Order::Switch));
        }
    }
    if random.chance(60) {
        let last = plan.orders.last().map_or(0, |(at, _)| *at);
        plan.orders.push((last + random.below(u64::from(span)) as u32, Order::Stop));
    }
}

/// Some pairs ask another pair, and some of the faults are that one's.
fn draw_server(plan: &mut Plan, seed: u64) {
    let mut random = Random::new(seed, SERVER);
    if random.chance(250) {
        plan.calls = 1 + random.below(2) as u8;
        let share = random.below(700);
        for (_, fault) in &mut plan.faults {
            if random.chance(share) {
                fault.victim = fault.victim.of_server();
            }
        }
    }
}
