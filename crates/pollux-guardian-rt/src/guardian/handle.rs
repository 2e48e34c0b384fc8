//! Process handles as programs hold them: ten words of which they may only test the first, copy all, and compare two
//! with `PROCESSHANDLE_COMPARE_`. The places of the fields are known to [`Phandle`] alone.

use super::file_name::{FileName, Object, Qualifiers};
use super::words::{HANDLE_WORDS, NULL_HANDLE};
use pollux_wire::{NodeName, Phandle, ProcessName};

/// A handle that a program passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// The null handle: -1 in the first word is enough.
    Null,
    /// A process.
    Process(Phandle),
    /// Words that no procedure has given.
    Garbage,
}

/// What the words are.
pub(crate) fn read(words: [u16; HANDLE_WORDS]) -> Given {
    match Phandle::from_words(words) {
        _ if words[0] == NULL_HANDLE[0] => Given::Null,
        Some(phandle) => Given::Process(phandle),
        None => Given::Garbage,
    }
}

/// `PROCESSHANDLE_COMPARE_`: 2 the same process, 1 the two halves of a pair, 0 unrelated. Looks at the words only.
pub(crate) fn compare(first: [u16; HANDLE_WORDS], second: [u16; HANDLE_WORDS]) -> i16 {
    if first == second {
        return 2;
    }
    match (Phandle::from_words(first), Phandle::from_words(second)) {
        (Some(first), Some(second)) if same_instance(first, second) => 1,
        _ => 0,
    }
}

/// True for one instance of a name: the halves of a pair, and all that come after them in an unbroken chain.
pub(crate) fn same_instance(first: Phandle, second: Phandle) -> bool {
    first.named && second.named && first.node == second.node && first.sequence == second.sequence
}

/// The process descriptor: node, name or place, and sequence number, which `with_sequence` can leave out of a name.
pub(crate) fn descriptor(
    phandle: Phandle,
    name: Option<&ProcessName>,
    node: &NodeName,
    with_sequence: bool,
) -> FileName {
    let qualifiers = Qualifiers::default();
    let object = match name {
        Some(name) => Object::Named {
            name: name.to_string(),
            sequence: with_sequence.then_some(phandle.sequence),
            qualifiers,
        },
        None => {
            Object::Unnamed { cpu: phandle.cpu, pin: phandle.pin, sequence: phandle.sequence, qualifiers }
        }
    };
    FileName { node: Some(node.clone()), object }
}

/// `PROCESSHANDLE_TO_STRING_`: `\node.$name` or `\node.cpu,pin`; the node only if it is said.
pub(crate) fn process_string(
    phandle: Phandle,
    name: Option<&ProcessName>,
    node: Option<&NodeName>,
) -> String {
    let process = match name {
        Some(name) => name.to_string(),
        None => format!("{},{}", phandle.cpu, phandle.pin),
    };
    match node {
        Some(node) => format!("{node}.{process}"),
        None => process,
    }
}

/// How a node is shown of which only the number is known.
pub(crate) fn unknown_node(number: u32) -> String {
    format!("\\{number}")
}

#[cfg(test)]
pub(crate) fn for_test(named: bool, cpu: u8, pin: u16, sequence: u64) -> Phandle {
    let cpu = pollux_wire::CpuNumber::new(cpu).expect("a test uses CPUs that exist");
    Phandle { named, cpu, pin: pollux_wire::Pin(pin), node: 3, incarnation: 1, sequence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Two processes taken for one pair would make a server answer one from the replies saved for the other.
    #[test]
    fn pairs_identical_and_unrelated() {
        let primary = for_test(true, 1, 20, 900);
        let backup = for_test(true, 2, 31, 900);
        assert_eq!(compare(primary.to_words(), primary.to_words()), 2);
        assert_eq!(compare(primary.to_words(), backup.to_words()), 1);
        assert_eq!(compare(primary.to_words(), for_test(true, 2, 31, 901).to_words()), 0);
        assert_eq!(compare(for_test(false, 1, 2, 9).to_words(), for_test(false, 1, 3, 9).to_words()), 0);
        assert_eq!(compare(primary.to_words(), NULL_HANDLE), 0);
        assert_eq!(compare(NULL_HANDLE, NULL_HANDLE), 2);
        assert_eq!(compare(primary.to_words(), Phandle { node: 4, ..backup }.to_words()), 0);
    }

    #[test]
    fn null_garbage_and_processes() {
        let mut words = [0; HANDLE_WORDS];
        assert_eq!(read(words), Given::Garbage);
        words[0] = 0xffff;
        assert_eq!(read(words), Given::Null, "the first word is enough");
        let phandle = for_test(false, 0, 1, 2);
        assert_eq!(read(phandle.to_words()), Given::Process(phandle));
    }

    #[test]
    fn descriptors_and_strings() {
        let node = NodeName::new("\\HERE").unwrap();
        let name = ProcessName::new("$SRV").unwrap();
        let named = for_test(true, 1, 20, 900);
        assert_eq!(descriptor(named, Some(&name), &node, true).to_string(), "\\HERE.$SRV:900");
        assert_eq!(descriptor(named, Some(&name), &node, false).to_string(), "\\HERE.$SRV");
        assert_eq!(descriptor(named, None, &node, false).to_string(), "\\HERE.$:1:20:900");
        assert_eq!(process_string(named, Some(&name), Some(&node)), "\\HERE.$SRV");
        assert_eq!(process_string(named, None, None), "1,20");
        assert_eq!(unknown_node(255), "\\255");
    }

    proptest! {
        #[test]
        fn handles_come_back(named: bool, cpu in 0u8..16, pin: u16, node: u32, incarnation: u16, sequence: u64) {
            let handle = Phandle { node, incarnation, ..for_test(named, cpu, pin, sequence) };
            prop_assert_eq!(read(handle.to_words()), Given::Process(handle));
            prop_assert_eq!(compare(handle.to_words(), handle.to_words()), 2);
        }
    }
}
