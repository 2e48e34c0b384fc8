//! Reads what callgrind and `--trace-syscalls` have written (Callgrind Format Specification, with names in full).

/// The entry points of the C library from which memory is had.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// All instructions of the run.
pub(super) fn instructions(profile: &str) -> Option<u64> {
    let line = profile.lines().rev().find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok()
}

/// Calls of the allocator: `cfn=NAME`, then `calls=COUNT POSITION`.
pub(super) fn allocations(profile: &str) -> u64 {
    let (mut sum, mut allocates) = (0, false);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            allocates = ALLOCATORS.contains(&name);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count = calls.split_whitespace().next().and_then(|count| count.parse::<u64>().ok());
            sum += count.filter(|_| allocates).unwrap_or(0);
            allocates = false;
        }
    }
    sum
}

/// Calls of the kernel. One that may block has a second line, with its outcome. The clock is no call outside valgrind.
pub(super) fn system_calls(log: &str) -> u64 {
    let begins = |line: &&str| line.contains("SYSCALL[") && !line.contains(") ... [async] -->");
    log.lines().filter(begins).filter(|line| !line.contains(" sys_clock_gettime")).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    // A profile that is read wrongly counts nothing, and nothing never grows.
    #[test]
    fn a_profile_is_read() {
        let profile = "\
fn=main
3 40
cfn=malloc
calls=7 0
3 700
cfn=free
calls=5 0
3 100
cfn=realloc
calls=2 0
3 60
fn=malloc
0 10
totals: 1234
";
        assert_eq!((instructions(profile), allocations(profile)), (Some(1234), 9));
        assert_eq!((instructions("fn=main\n"), allocations("")), (None, 0));
    }

    #[test]
    fn a_trace_is_read() {
        let log = "\
==7== Callgrind
SYSCALL[7,1](1) sys_write ( 1, 0x1, 2 ) --> [async] ...
SYSCALL[7,1](1) ... [async] --> Success(0x2)
SYSCALL[7,1](228) sys_clock_gettime( 1, 0x1 )[sync] --> Success(0x0)
SYSCALL[7,1](319) sys_memfd_create ( 0x1, 11 )[sync] --> Success(0x6)
";
        assert_eq!(system_calls(log), 2);
    }
}
