//! Pages made present before they are needed.
//!
//! A page of a program's code is mapped when it is first run, and a page of its heap when it is first written: 3 to 9
//! microseconds each. Code that runs once in a life, while somebody waits, runs on such pages alone.

use std::fs;
use std::hint::black_box;
use std::io;

use crate::raw::present::map_in;

/// Bytes of code that are mapped in at most: whoever has more pays for the rest when it runs.
const CODE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Room in the heap for what is allocated while somebody waits.
const HEAP_BYTES: usize = 64 * 1024;
const PAGE_BYTES: usize = 4096;

/// Maps in the code and the constants of this program and its libraries, and lets the heap have some room. The code is shared
/// with all who run it; where it is not in memory it is read from its files. Before Linux 5.14 this is an error, and nothing is
/// lost but time.
pub fn make_code_present() -> io::Result<()> {
    let mut room = vec![0_u8; HEAP_BYTES];
    room.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    drop(black_box(room));
    let mut left = CODE_BYTES_MAX;
    for (start, bytes) in code(&fs::read_to_string("/proc/self/maps")?) {
        let bytes = bytes.min(left);
        map_in(start, bytes)?;
        left -= bytes;
    }
    Ok(())
}

/// Addresses and lengths of the unwritable mappings of files of which a part can be run.
fn code(maps: &str) -> Vec<(usize, usize)> {
    let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::parse).collect();
    let runs = |file: &str| mappings.iter().any(|mapping| mapping.file == file && mapping.rights == "r-xp");
    let constant = |mapping: &&Mapping<'_>| matches!(mapping.rights, "r-xp" | "r--p") && runs(mapping.file);
    mappings.iter().filter(constant).map(|mapping| (mapping.start, mapping.end - mapping.start)).collect()
}

/// A line of `/proc/self/maps` that tells of a file.
struct Mapping<'a> {
    start: usize,
    end: usize,
    rights: &'a str,
    file: &'a str,
}

impl<'a> Mapping<'a> {
    /// `start-end rights offset device inode path`
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let file = words.nth(3).filter(|file| file.starts_with('/'))?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        (start < end).then_some(Self { start, end, rights, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
00400000-00402000 r--p 00000000 fe:00 7   /bin/server
00402000-00405000 r-xp 00002000 fe:00 7   /bin/server
00405000-00406000 rw-p 00005000 fe:00 7   /bin/server
00500000-00600000 rw-p 00000000 00:00 0   [heap]
00700000-00800000 r--p 00000000 fe:00 9   /var/lib/large
00900000-00901000 r-xp 00000000 00:00 0   [vdso]
00a00000-00a01000 rw-s 00000000 00:01 8   /memfd:ring (deleted)
";

    // A program that has mapped its data would have it read whenever it becomes a backup.
    #[test]
    fn only_code_and_its_constants_are_mapped_in() {
        assert_eq!(code(MAPS), [(0x40_0000, 0x2000), (0x40_2000, 0x3000)]);
    }

    // A backup would take over with the pages that it runs on missing.
    #[test]
    fn a_program_has_its_code_present() {
        make_code_present().unwrap();
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = maps.lines().skip_while(|line| !line.contains(" r-xp ") || !line.contains('/'));
        let number = |line: &str| line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap();
        let mut size = |what: &str| number(lines.find(|line| line.starts_with(what)).unwrap());
        assert_eq!(size("Size:"), size("Rss:"));
    }
}
