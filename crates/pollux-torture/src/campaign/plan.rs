//! The faults that a seed stands for.
//!
//! A round has phases. Within one each pair has faults of its own, which it suffers as soon as it is whole again; between two
//! phases all pairs are whole, and then a CPU is killed, with a half of each of them.

use crate::random::Random;
use std::fmt;
use std::time::Duration;

/// Phases of a round.
const PHASES: usize = 4;
/// Kills of single processes in a round, over all pairs; the CPUs come to them.
const KILLS: usize = 57;
/// Pauses in a round.
const PAUSES: usize = 12;
/// Exchanges of roles in a round.
const SWITCHES: usize = 3;
/// Steps of the sweep: a fault comes so many of them after a request.
const SWEEP_STEPS: u64 = 401;
/// One step.
const SWEEP_STEP: Duration = Duration::from_micros(5);
/// Each round has the next one.
const SPECIALS: [Special; 4] = [Special::Descriptors, Special::Memory, Special::DiskFull, Special::DiskError];
/// Losses of both halves in a round.
const DOUBLES: usize = 2;

/// What is done to a half, or to both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL of the primary.
    KillPrimary,
    /// SIGKILL of the backup.
    KillBackup,
    /// SIGKILL of the daemon of the primary's CPU.
    KillPrimaryCpu,
    /// SIGKILL of the daemon of the backup's CPU.
    KillBackupCpu,
    /// SIGSTOP of the primary, SIGCONT so long after it.
    PausePrimary(Duration),
    /// SIGSTOP of the backup.
    PauseBackup(Duration),
    /// The roles are exchanged on request.
    Switch,
}

impl Blow {
    /// The word of the tally.
    pub fn word(self) -> &'static str {
        match self {
            Self::KillPrimary => "primary",
            Self::KillBackup => "backup",
            Self::KillPrimaryCpu => "CPU of the primary",
            Self::KillBackupCpu => "CPU of the backup",
            Self::PausePrimary(_) => "pause of the primary",
            Self::PauseBackup(_) => "pause of the backup",
            Self::Switch => "switch",
        }
    }

    /// True for a SIGKILL.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::KillPrimary | Self::KillBackup | Self::KillPrimaryCpu | Self::KillBackupCpu)
    }
}

/// A blow, so long after a request has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// What.
    pub blow: Blow,
    /// When.
    pub delay: Duration,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} us after a request", self.blow.word(), self.delay.as_micros())?;
        match self.blow {
            Blow::PausePrimary(time) | Blow::PauseBackup(time) => write!(f, ", for {} ms", time.as_millis()),
            _ => Ok(()),
        }
    }
}

/// What comes once in a round, behind the phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// A primary has no descriptor left, and is opened.
    Descriptors,
    /// A primary gets no more memory, and a large request.
    Memory,
    /// The disk of the node is full when a primary dies.
    DiskFull,
    /// The disk of the node has errors when a primary dies.
    DiskError,
}

impl Special {
    /// The word of the tally.
    pub fn word(self) -> &'static str {
        match self {
            Self::Descriptors => "no descriptors",
            Self::Memory => "no memory",
            Self::DiskFull => "disk full",
            Self::DiskError => "disk errors",
        }
    }
}

/// A phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phase {
    /// The strikes of each pair.
    pub of_pair: Vec<Vec<Strike>>,
    /// What is done to a CPU behind them, by way of which pair.
    pub cpu: Option<(usize, Blow)>,
}

/// A round as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it stands for.
    pub seed: u64,
    /// In their order.
    pub phases: Vec<Phase>,
    /// What comes behind them.
    pub special: Special,
    /// Failures of both halves: whether the backup is killed first, and how long before the other.
    pub doubles: Vec<(bool, Duration)>,
}

impl Plan {
    /// The plan of a seed for so many pairs.
    pub fn of(seed: u64, pairs: usize) -> Self {
        let mut random = Random::new(seed.wrapping_add(1));
        let mut blows = vec![Blow::Switch; SWITCHES];
        for at in 0..KILLS {
            blows.push(if at % 4 == 3 { Blow::KillBackup } else { Blow::KillPrimary });
        }
        for at in 0..PAUSES {
            let time = pause(&mut random);
            blows.push(if at % 3 == 2 { Blow::PauseBackup(time) } else { Blow::PausePrimary(time) });
        }
        random.shuffle(&mut blows);
        // Rounds go through the sweep in steps that meet every one of its places.
        let mut step = seed.wrapping_mul(blows.len() as u64);
        let mut phases = vec![Phase { of_pair: vec![Vec::new(); pairs], cpu: None }; PHASES];
        for (at, blow) in blows.into_iter().enumerate() {
            step += 1;
            let strike = Strike { blow, delay: SWEEP_STEP * (step % SWEEP_STEPS) as u32 };
            phases[at % PHASES].of_pair[at / PHASES % pairs].push(strike);
        }
        for (at, phase) in phases.iter_mut().enumerate().take(PHASES - 1) {
            let blow = if at % 2 == 0 { Blow::KillPrimaryCpu } else { Blow::KillBackupCpu };
            phase.cpu = Some((random.below(pairs as u64) as usize, blow));
        }
        let swept = |random: &mut Random| SWEEP_STEP * random.below(SWEEP_STEPS) as u32;
        let doubles = (0..DOUBLES).map(|_| (random.below(2) == 0, swept(&mut random))).collect();
        let special = SPECIALS[(seed % SPECIALS.len() as u64) as usize];
        Self { seed, phases, special, doubles }
    }
}

/// Below the time after which a process counts as hung, or well above it.
fn pause(random: &mut Random) -> Duration {
    Duration::from_millis(match random.below(10) {
        0..6 => 10 + random.below(110),
        6..9 => 600 + random.below(400),
        _ => 1000 + random.below(2000),
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (number, phase) in self.phases.iter().enumerate() {
            for (pair, strikes) in phase.of_pair.iter().enumerate() {
                for strike in strikes {
                    writeln!(f, "phase {number} pair {pair}: {strike}")?;
                }
            }
            if let Some((pair, blow)) = phase.cpu {
                writeln!(f, "phase {number} ends: {} of pair {pair}", blow.word())?;
            }
        }
        for (backup_first, delay) in &self.doubles {
            let first = if *backup_first { "backup" } else { "primary" };
            writeln!(f, "both: the {first}, the other half {} us behind it", delay.as_micros())?;
        }
        writeln!(f, "special: {}", self.special.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn strikes(plan: &Plan) -> impl Iterator<Item = &Strike> {
        plan.phases.iter().flat_map(|phase| phase.of_pair.iter().flatten())
    }

    // A failure that its seed does not bring back is lost.
    #[test]
    fn a_seed_is_a_plan() {
        assert_eq!(Plan::of(7, 3), Plan::of(7, 3));
        assert_ne!(Plan::of(7, 3).to_string(), Plan::of(8, 3).to_string());
        let plan = Plan::of(7, 3);
        let count = |wanted: fn(Blow) -> bool| strikes(&plan).filter(|strike| wanted(strike.blow)).count();
        assert_eq!(count(Blow::is_kill), KILLS);
        assert_eq!(count(|blow| matches!(blow, Blow::PausePrimary(_) | Blow::PauseBackup(_))), PAUSES);
    }

    // A moment that no fault ever falls on is one that was not tested.
    #[test]
    fn the_sweep_meets_all_its_places() {
        let plans: Vec<Plan> = (0..20).map(|seed| Plan::of(seed, 3)).collect();
        let met: BTreeSet<Duration> = plans.iter().flat_map(strikes).map(|strike| strike.delay).collect();
        assert_eq!(met.len() as u64, SWEEP_STEPS);
        assert_eq!(met.last(), Some(&Duration::from_millis(2)));
    }

    // Pauses of one kind would test one half of what a pause can do.
    #[test]
    fn pauses_are_short_or_long() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            let time = pause(&mut random).as_millis();
            assert!((10..120).contains(&time) || (600..3000).contains(&time), "{time}");
        }
    }
}
