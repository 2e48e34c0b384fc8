//! Decides on which processors a CPU and its processes run.
//!
//! A NonStop CPU is a processor, and there is a reason to keep that: a dying process frees its memory inside the
//! kernel on its own processor, and whoever was woken there waits behind it.

/// The share of CPU `cpu` of `cpus` in the processors `allowed`: adjoining slices of about the same size, or a
/// processor in turn when there are fewer of them than CPUs. Empty only if nothing is allowed.
pub(crate) fn share(allowed: &[usize], cpu: u8, cpus: u8) -> Vec<usize> {
    let (cpu, cpus) = (usize::from(cpu), usize::from(cpus).max(1));
    if allowed.is_empty() {
        return Vec::new();
    }
    if allowed.len() < cpus {
        return vec![allowed[cpu % allowed.len()]];
    }
    let from = allowed.len() * cpu / cpus;
    let to = allowed.len() * (cpu + 1) / cpus;
    allowed.get(from..to).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Two halves of a pair on one processor make a takeover wait for the dead one's memory.
    #[test]
    fn shares_are_apart_and_complete() {
        for processors in [4_usize, 5, 16, 17] {
            let allowed: Vec<usize> = (0..processors).map(|n| n * 2).collect();
            let shares: Vec<Vec<usize>> = (0..4).map(|cpu| share(&allowed, cpu, 4)).collect();
            assert_eq!(shares.concat(), allowed);
            assert!(shares.iter().all(|one| one.len() >= processors / 4));
        }
    }

    #[test]
    fn few_processors_are_shared_in_turn() {
        assert_eq!((0..4).map(|cpu| share(&[3, 7], cpu, 4)).collect::<Vec<_>>(), [[3], [7], [3], [7]]);
        assert_eq!(share(&[], 0, 4), [0; 0]);
    }
}
