//! `examples/c/pair_copy.c`, killed while it copies: the copy is what an undisturbed run makes, every time.

use crate::common::{Programs, Test};
use crate::number;
use crate::scene::Scene;
use pollux_torture::{Random, seed};
use pollux_wire::record::NameRecord;
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("copy_is_killed_at_every_step", every_step),
    ("copy_is_killed_again_and_again", every_nth_step),
    ("copy_is_killed_at_random_moments", random_moments),
    ("copy_loses_backups_and_cpus_in_both_orders", orders),
];

/// Lines of the small file, and steps of its copy: three for each line, and the read that finds the end.
const FEW_LINES: usize = 6;
const STEPS: usize = 3 * FEW_LINES + 1;
/// Lines of the large file: enough for some kills, each with the hundred lines that the program copies alone after it.
const MANY_LINES: usize = 6000;

/// What happens to a copying pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Primary,
    Backup,
    PrimaryCpu,
    BackupCpu,
}

fn lines(count: usize) -> String {
    (0..count).map(|line| format!("{line} {}\n", "x".repeat(line * 7 % 97))).collect()
}

/// Before the update, between update and write, between write and flush, behind it: for each line of a file, one run each.
fn every_step(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    for step in 1..=STEPS {
        steps(&scene, &format!("$S{step}"), ("KILL_AT", step), 1);
    }
    scene.node.finish();
}

/// The new primary is killed, too, and the one after it.
fn every_nth_step(programs: &Programs) {
    let scene = Scene::of(programs, 2);
    for nth in [4, 5, 6, 7] {
        steps(&scene, &format!("$N{nth}"), ("KILL_EVERY", nth), 2);
    }
    scene.node.finish();
}

/// A copy of the small file by a pair that kills itself, at least `kills` times.
fn steps(scene: &Scene<'_>, name: &str, (variable, value): (&str, usize), kills: usize) {
    let text = lines(FEW_LINES);
    std::fs::write(scene.file("from"), &text).unwrap();
    let (from, to, steps) = (scene.file("from"), scene.file(&format!("to{}", &name[1..])), scene.file(name));
    let variables = [("STEPS", steps.as_str()), (variable, &value.to_string())];
    scene.run_with(0, Some(name), "pair_copy_steps", &[&from, &to], &variables);
    scene.gone(name);
    let log = scene.node.log_of(name);
    assert_eq!(
        std::fs::read_to_string(&to).unwrap(),
        text,
        "{variable} {value}: {log}\n{}",
        scene.node.logs()
    );
    assert!(scene.node.events_of(name, "takeover") >= kills, "{variable} {value} has killed: {log}");
}

/// A copy of the large file under blows; returns how many there were time for.
fn copy(scene: &Scene<'_>, name: &str, random: &mut Random, blows: &[Blow]) -> usize {
    let text = lines(MANY_LINES);
    std::fs::write(scene.file("from"), &text).unwrap();
    let (from, to) = (scene.file("from"), scene.file(&format!("to{}", &name[1..])));
    scene.run(0, name, "pair_copy", &[&from, &to]);
    let mut done = 0;
    for blow in blows {
        let Some(record) = in_step(scene, name, &to) else { break };
        // Not a wait for anything: the moment is to fall anywhere.
        let moment = Instant::now() + Duration::from_micros(random.below(3000));
        while Instant::now() < moment {}
        let backup = record.backup.unwrap();
        match blow {
            Blow::Primary => drop(scene.node.signal(record.primary, pollux_os::Signal::KILL)),
            Blow::Backup => drop(scene.node.signal(backup, pollux_os::Signal::KILL)),
            Blow::PrimaryCpu => scene.kill_cpu(record.primary),
            Blow::BackupCpu => scene.kill_cpu(backup),
        }
        done += 1;
    }
    scene.gone(name);
    let copied = std::fs::read_to_string(&to).unwrap();
    let same = copied == text;
    assert!(same, "{name} after {done} of {blows:?}: {}\n{}", difference(&copied, &text), scene.node.logs());
    let said = scene.node.log_of(name);
    assert!(said.is_empty() || said.contains(&format!("{MANY_LINES} lines copied")), "{said}");
    done
}

/// Waits until the backup has been told everything: a line was written behind its being on record, which the program does
/// only then. None when the copy is done.
fn in_step(scene: &Scene<'_>, name: &str, to: &str) -> Option<NameRecord> {
    let size = || std::fs::metadata(to).map_or(0, |data| data.len());
    let mut before: Option<(NameRecord, u64)> = None;
    scene.node.wait_for(&format!("{name} has a backup in step, or is done"), || {
        let Some(record) = scene.node.record(name) else { return Some(None) };
        let has_backup = record.backup.is_some();
        match &before {
            Some((old, at)) if *old == record && has_backup => (size() > *at).then_some(Some(record)),
            _ => {
                before = has_backup.then(|| (record, size()));
                None
            }
        }
    })
}

fn difference(copied: &str, text: &str) -> String {
    let at = copied.lines().zip(text.lines()).position(|(got, wanted)| got != wanted);
    let line = |text: &str| at.and_then(|at| text.lines().nth(at)).unwrap_or_default().to_owned();
    format!(
        "{} of {} bytes; at line {at:?}: {:?} for {:?}",
        copied.len(),
        text.len(),
        line(copied),
        line(text)
    )
}

/// Moments that nobody has chosen.
fn random_moments(programs: &Programs) {
    let wanted = number("POLLUX_COPY_KILLS", 20);
    let mut random = Random::new(seed(11));
    let scene = Scene::of(programs, 2);
    let (mut kills, mut copies) = (0, 0);
    while kills < wanted {
        let blows = vec![Blow::Primary; (wanted - kills).min(8)];
        kills += copy(&scene, &format!("$R{copies}"), &mut random, &blows);
        copies += 1;
        assert!(copies <= 10 * wanted, "the copies end before they can be disturbed");
    }
    println!("{kills} kills in {copies} copies of {MANY_LINES} lines");
    scene.node.finish();
}

/// Backup, CPU, and one after the other, the pair being in step between them.
fn orders(programs: &Programs) {
    use Blow::{Backup, BackupCpu, Primary, PrimaryCpu};
    let plans: [&[Blow]; 6] = [
        &[],
        &[Backup, Primary],
        &[Primary, Backup],
        &[PrimaryCpu, BackupCpu],
        &[BackupCpu, PrimaryCpu],
        &[Backup, PrimaryCpu, Primary],
    ];
    let mut random = Random::new(seed(12));
    for (at, plan) in plans.iter().enumerate() {
        let scene = Scene::of(programs, 3);
        let done = copy(&scene, &format!("$O{at}"), &mut random, plan);
        assert_eq!(done, plan.len(), "there was time for {plan:?}");
        scene.node.finish();
    }
}
