//! Every input of every corpus, through its target and its limits.

use pollux_fuzz::{Excess, Limits, Target, allocator, corpus, targets};
use std::collections::BTreeSet;
use std::panic::catch_unwind;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Bytes of one corpus in the tree, at most: they are read at each test run.
const CORPUS_BYTES_MAX: usize = 32 << 10;

// An input that once stopped a daemon, or made it take memory without end, must not do so again (S17).
#[test]
fn every_input_keeps_the_promises() {
    let mut faults = Vec::new();
    for target in targets::all() {
        let inputs = corpus::inputs(&target).unwrap();
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        let total: usize = inputs.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(total <= CORPUS_BYTES_MAX, "{}: {total} bytes of corpus are too many", target.name);
        for (path, bytes) in inputs {
            assert!(bytes.len() <= target.limits.input_bytes_max, "{} is too long", path.display());
            match catch_unwind(|| target.check(&bytes)) {
                Ok(Ok(_)) => {}
                Ok(Err(excess)) => faults.push(format!("{}: {excess}", path.display())),
                Err(_) => faults.push(format!("{}: a promise is broken, see above", path.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

// A decoder that is slow or greedy on what has no form at all would show nowhere else: the corpora are small.
#[test]
fn monotonous_inputs_keep_the_limits() {
    for target in targets::all() {
        for length in [0, 1, 2, 3, 7, 64, target.limits.input_bytes_max] {
            for byte in [0, 1, b'\n', b' ', b'=', b'*', b'[', b'a', 0x7f, 0x80, 0xff] {
                let cost = target.check(&vec![byte; length]);
                assert!(cost.is_ok(), "{}: {length} times {byte:#04x}: {}", target.name, cost.unwrap_err());
            }
        }
    }
}

// A seed that the encoders no longer make tells the engine nothing, and a corpus without a target is never read.
#[test]
fn the_seeds_in_the_tree_are_those_of_the_encoders() {
    let names: BTreeSet<&str> = targets::all().iter().map(|target| target.name).collect();
    assert_eq!(names.len(), targets::all().len(), "names are unique");
    for (name, _) in targets::seeds() {
        assert!(names.contains(name), "{name} is no target");
    }
    for entry in std::fs::read_dir(corpus::root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(name.as_str()), "{name} is no target");
    }
    for target in targets::all() {
        let made: Vec<Vec<u8>> = targets::seeds()
            .into_iter()
            .filter(|(name, _)| *name == target.name)
            .map(|(_, bytes)| bytes)
            .collect();
        let is_seed =
            |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().starts_with("seed-");
        let kept: Vec<Vec<u8>> = corpus::inputs(&target)
            .unwrap()
            .into_iter()
            .filter(|(path, _)| is_seed(path))
            .map(|(_, bytes)| bytes)
            .collect();
        assert!(made == kept, "{}: run cargo run -p pollux-fuzz -- seeds", target.name);
    }
}

// A harness that measures nothing would find nothing.
#[test]
fn the_limits_are_held() {
    let limits = Limits { input_bytes_max: 10, bytes_per_byte: 10, bytes_fixed: 1000, time_ms: 50 };
    let target = |run| Target { name: "made-up", group: "none", of: "a test", run, limits };
    let calm = target(|bytes| drop(bytes.to_vec()));
    assert!(calm.check(&[7; 10]).unwrap().peak_bytes >= 10);
    let greedy = target(|_| drop(vec![0_u8; 5000]));
    assert_eq!(greedy.check(&[7; 10]), Err(Excess::Memory { peak_bytes: 5000, max_bytes: 1100 }));
    let leaky = target(|_| std::mem::forget(vec![0_u8; 100]));
    assert_eq!(leaky.check(&[7; 10]), Err(Excess::Leak { bytes: 100 }));
    let slow = target(|_| {
        let begin = std::time::Instant::now();
        while begin.elapsed().as_millis() < 2000 {}
    });
    assert!(matches!(slow.check(&[7; 10]), Err(Excess::Time { .. })));
}
