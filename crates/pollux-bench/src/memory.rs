//! What processes take of the machine's memory (proc_pid_smaps_rollup(5)).

use anyhow::{Context, Result};
use std::fs;

/// Memory of one process, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What nobody else has: it is free again when the process ends.
    pub(crate) private_kib: u64,
    /// That, and its share of what it has together with others.
    pub(crate) proportional_kib: u64,
}

/// Looks at a process.
pub(crate) fn of(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Memory {
    let mut memory = Memory::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(key), Some(kib)) =
            (words.next(), words.next().and_then(|number| number.parse::<u64>().ok()))
        else {
            continue;
        };
        match key {
            "Private_Clean:" | "Private_Dirty:" | "Private_Hugetlb:" => memory.private_kib += kib,
            "Pss:" => memory.proportional_kib = kib,
            _ => {}
        }
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    // A line more or less would make a pair look smaller or larger than it is.
    #[test]
    fn the_kernels_words_are_read() {
        let text = "\
55d0c0000000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]
Rss:                2048 kB
Pss:                1100 kB
Pss_Dirty:           512 kB
Shared_Clean:       1024 kB
Private_Clean:       100 kB
Private_Dirty:       400 kB
Private_Hugetlb:       0 kB
";
        assert_eq!(parse(text), Memory { private_kib: 500, proportional_kib: 1100 });
    }

    // Without it there is no row of memory at all.
    #[test]
    fn this_very_process_has_memory() {
        let memory = of(std::process::id()).unwrap();
        assert!(memory.private_kib > 0);
        assert!(memory.proportional_kib >= memory.private_kib);
    }
}
