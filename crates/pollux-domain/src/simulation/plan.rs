//! The plan of a run: what goes wrong when, as data, so that it can be printed, shortened and enumerated.

use super::random::Random;
use crate::succession::Mode;

/// Something that the world does to the domain. Servers and links are given by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The server's software is killed. A save that is under way stops at any point.
    Crash(usize),
    /// It starts again, with its files as they are.
    Restart(usize),
    /// It starts again with files from an old backup tape.
    RestartOld(usize),
    /// It stops for so many ticks and then goes on as if nothing had been.
    Pause(usize, u64),
    /// It is told to stop, and stops when it has left.
    Leave(usize),
    /// Its saves fail, or work again.
    DiskFails(usize, bool),
    /// Its words to the coordinator are lost, or arrive again.
    CutToStore(usize, bool),
    /// The coordinator's answers to it are lost, or arrive again.
    CutFromStore(usize, bool),
    /// Legacy: words from the first to the second are lost, or arrive again.
    CutLink(usize, usize, bool),
    /// The coordinator answers nobody ("not done"), or works again.
    StoreDown(bool),
    /// The coordinator takes up to so many ticks more.
    StoreSlow(u64),
    /// A program on that server wants something.
    Request(usize, Wish),
}

/// What a program wants. Numbers choose among the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// ADD_BACKUP of a server.
    Add(usize),
    /// DELETE_BACKUP of a server.
    Delete(usize),
    /// A server to a position.
    Move(usize, usize),
    /// A line more in the domain file.
    Edit,
    /// A line more, on a handle of an old epoch.
    EditStale,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rules.
    pub mode: Mode,
    /// Chooses delays and clocks.
    pub seed: u64,
    /// How many servers, 2 to 5.
    pub servers: usize,
    /// So many of them are in the list at the start, the first ones.
    pub listed: usize,
    /// What happens, in order of time.
    pub actions: Vec<(u64, Action)>,
    /// At this time everything heals.
    pub heal_at: u64,
    /// A server that stays dead when everything else heals.
    pub stays_dead: Option<usize>,
    /// Delays and clocks differ; otherwise each message takes one tick and all clocks agree.
    pub jitter: bool,
}

impl Plan {
    /// The plan that a seed stands for: which faults are possible differs from seed to seed ("swarm").
    pub fn random(mode: Mode, seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let servers = 2 + random.below(4) as usize;
        let listed = if random.chance(700) { servers } else { 1 + random.below(servers as u64) as usize };
        let heal_at = 250 + random.below(250);
        let kinds = random.next();
        let mut actions = Vec::new();
        let faults = if random.chance(50) { 0 } else { 1 + random.below(9) };
        for _ in 0..faults {
            let at = 60 + random.below(heal_at - 60);
            fault(&mut random, kinds, mode, servers, at, &mut actions);
        }
        for _ in 0..2 + random.below(8) {
            let at = 60 + random.below(heal_at - 60);
            let wish = wish(&mut random, servers);
            // Everybody is asked, as programs do after AP_NOT_MASTER.
            let asked = random.below(servers as u64) as usize;
            let all = random.chance(700);
            actions.extend(
                (0..servers).filter(|server| all || *server == asked).map(|s| (at, Action::Request(s, wish))),
            );
        }
        actions.sort_by_key(|(at, _)| *at);
        let stays_dead = random.chance(250).then(|| random.below(servers as u64) as usize);
        Self { mode, seed, servers, listed, actions, heal_at, stays_dead, jitter: true }
    }
}

fn wish(random: &mut Random, servers: usize) -> Wish {
    let mut server = || random.below(servers as u64) as usize;
    let (one, two) = (server(), server());
    match random.below(10) {
        0 | 1 => Wish::Add(one),
        2 | 3 => Wish::Delete(one),
        4 => Wish::Move(one, two),
        5 => Wish::EditStale,
        _ => Wish::Edit,
    }
}

fn fault(random: &mut Random, kinds: u64, mode: Mode, servers: usize, at: u64, out: &mut Vec<(u64, Action)>) {
    let server = random.below(servers as u64) as usize;
    let other = (server + 1 + random.below(servers as u64 - 1) as usize) % servers;
    let longest = if random.chance(500) { 20 } else { 150 };
    let until = at + 1 + random.below(longest);
    let legacy = mode == Mode::Legacy;
    for _ in 0..8 {
        let kind = random.below(10);
        if kinds >> kind & 1 == 0 {
            continue; // This kind is not possible in this run.
        }
        let pair = match kind {
            0 | 1 => {
                let old = random.chance(300) && !legacy;
                let back = if old { Action::RestartOld(server) } else { Action::Restart(server) };
                (Action::Crash(server), Some(back))
            }
            2 => (Action::Pause(server, until - at), None),
            3 => (Action::Leave(server), Some(Action::Restart(server))),
            4 => (Action::DiskFails(server, true), Some(Action::DiskFails(server, false))),
            5 if legacy => {
                (Action::CutLink(server, other, true), Some(Action::CutLink(server, other, false)))
            }
            5 => (Action::CutToStore(server, true), Some(Action::CutToStore(server, false))),
            6 if legacy => {
                // A split: the servers below a number from the others.
                let border = 1 + random.below(servers as u64 - 1) as usize;
                for (one, two) in (0..border).flat_map(|a| (border..servers).map(move |b| (a, b))) {
                    for (from, to) in [(one, two), (two, one)] {
                        out.push((at, Action::CutLink(from, to, true)));
                        out.push((until + 40, Action::CutLink(from, to, false)));
                    }
                }
                return;
            }
            6 => (Action::CutFromStore(server, true), Some(Action::CutFromStore(server, false))),
            7 if legacy => continue,
            7 => (Action::StoreDown(true), Some(Action::StoreDown(false))),
            8 => (Action::StoreSlow(1 + random.below(150)), Some(Action::StoreSlow(0))),
            _ if legacy => continue,
            _ => {
                out.push((at, Action::CutFromStore(server, true)));
                out.push((until, Action::CutFromStore(server, false)));
                (Action::CutToStore(server, true), Some(Action::CutToStore(server, false)))
            }
        };
        out.push((at, pair.0));
        out.extend(pair.1.map(|back| (until, back)));
        return;
    }
}
