//! The names that the node makes up (`PROCESS_CREATE_`, name-option 2 and 4): `$Xnnn`, and `$X0nnn` or `$X1nnn` if long.
//!
//! Each comes from the next value of a counter, so that a name given to one is given to nobody else until all others
//! have been.

use pollux_wire::ProcessName;

/// The characters of a made up name: no e, i, o and u, so that it spells no word.
const CHARACTERS: &[u8; 32] = b"0123456789ABCDFGHJKLMNPQRSTVWXYZ";

/// The name for this value of the counter.
pub(super) fn name(number: u64, long: bool) -> ProcessName {
    let character = |place: u32| CHARACTERS[(number >> (5 * place) & 31) as usize] as char;
    let mut text = "$X".to_owned();
    if long {
        text.push(if number >> 15 & 1 == 0 { '0' } else { '1' });
    }
    text.extend([2, 1, 0].map(character));
    ProcessName::new(&text).expect("it is made of letters and digits, a letter first, and short enough")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    // Two programs that ask at the same time must not get the same name.
    #[test]
    fn names_repeat_only_when_all_are_used() {
        for (long, all, first) in [(false, 1 << 15, "$X000"), (true, 1 << 16, "$X0000")] {
            let names: BTreeSet<ProcessName> = (0..all).map(|number| name(number, long)).collect();
            assert_eq!(names.len() as u64, all);
            assert!(names.iter().all(|name| name.as_str().len() == first.len()));
            assert!(names.iter().all(|name| !name.as_str().contains(['E', 'I', 'O', 'U'])));
            assert_eq!(name(all, long).as_str(), first);
        }
    }
}
