//! `PROCESS_GETPAIRINFO_`: what a name's record says to a caller (Guardian Procedure Calls).
//!
//! The answers are about the moment of the call, and a record is changed before anybody is told of a death: a survivor
//! that reads -101 finds itself single here.

use super::node::Node;
use pollux_wire::record::NameRecord;
use pollux_wire::{FileError, Phandle, ProcessName};

/// Which pair is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The caller's.
    Own,
    /// That of a process.
    Of(Phandle),
    /// That of a name, perhaps of one instance of it.
    Named(ProcessName, Option<u64>),
    /// The one whose name follows.
    After(Option<ProcessName>),
}

/// The return value, and the record where there is one to tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairInfo {
    /// 0, 4 to 10.
    pub(crate) code: i16,
    /// There for 0, 4, 5 and 6.
    pub(crate) record: Option<NameRecord>,
}

impl PairInfo {
    fn nothing(code: i16) -> Self {
        Self { code, record: None }
    }
}

/// The process is unnamed.
pub(crate) const UNNAMED: i16 = 7;
/// The search has ended.
pub(crate) const NO_MORE: i16 = 8;
/// There is no such process.
pub(crate) const NO_SUCH_PROCESS: i16 = 9;
/// The node cannot be reached.
pub(crate) const NODE_UNREACHABLE: i16 = 10;

/// Answers a question.
pub(crate) fn pair_info(node: &impl Node, question: &Question) -> Result<PairInfo, FileError> {
    let own = node.own();
    let phandle = match question {
        Question::Own => own.phandle,
        Question::Of(phandle) => *phandle,
        Question::Named(name, sequence) => {
            let record = node.record(name)?;
            let right =
                |record: &NameRecord| sequence.is_none_or(|sequence| record.primary.sequence == sequence);
            return Ok(answer(own.phandle, record.filter(right), NO_SUCH_PROCESS));
        }
        Question::After(name) => return Ok(answer(own.phandle, node.next_name(name.clone())?, NO_MORE)),
    };
    if phandle.node != own.phandle.node {
        return Ok(PairInfo::nothing(NODE_UNREACHABLE));
    }
    if !phandle.named {
        let lives = phandle == own.phandle || node.facts(phandle)?.is_some();
        return Ok(PairInfo::nothing(if lives { UNNAMED } else { NO_SUCH_PROCESS }));
    }
    // An earlier instance of the name is nobody's pair.
    let record = node.pair_of(phandle)?.filter(|record| record.primary.sequence == phandle.sequence);
    Ok(answer(own.phandle, record, NO_SUCH_PROCESS))
}

fn answer(own: Phandle, record: Option<NameRecord>, otherwise: i16) -> PairInfo {
    match record {
        Some(record) => PairInfo { code: code(own, &record), record: Some(record) },
        None => PairInfo::nothing(otherwise),
    }
}

fn code(own: Phandle, record: &NameRecord) -> i16 {
    match record.backup {
        None => 4,
        Some(_) if record.primary == own => 5,
        Some(backup) if backup == own => 6,
        Some(_) => 0,
    }
}

/// Letters of the alphabet of search indexes: nothing, ten digits, twenty-six letters.
const SYMBOLS: i32 = 37;
/// Letters and digits of a process name.
const NAME_LETTERS_MAX: usize = 5;

/// The search index that stands for a name that was found: the search goes on behind it. It is the name itself, read as a
/// number whose order is that of the names, so that a search needs no memory here and never runs out.
pub(crate) fn search_index(name: &ProcessName) -> i32 {
    let letters = name.as_str().as_bytes();
    (1..=NAME_LETTERS_MAX).fold(0, |sum, at| {
        let symbol = match letters.get(at) {
            None => 0,
            Some(digit @ b'0'..=b'9') => 1 + digit - b'0',
            Some(letter) => 11 + letter - b'A',
        };
        sum * SYMBOLS + i32::from(symbol)
    })
}

/// The name that a search index stands for, none for 0: the beginning. An error for a number that no search has given.
pub(crate) fn name_of_index(index: i32) -> Result<Option<ProcessName>, FileError> {
    if index == 0 {
        return Ok(None);
    }
    let wrong = FileError(590);
    let mut rest = u32::try_from(index).map_err(|_| wrong)?;
    let mut letters = [0u8; NAME_LETTERS_MAX];
    for place in letters.iter_mut().rev() {
        let symbol = (rest % SYMBOLS as u32) as u8;
        rest /= SYMBOLS as u32;
        *place = match symbol {
            0 => b' ',
            1..=10 => b'0' + symbol - 1,
            _ => b'A' + symbol - 11,
        };
    }
    let text: String = letters.iter().map(|b| *b as char).collect();
    let name = ProcessName::new(&format!("${}", text.trim_end())).map_err(|_| wrong)?;
    if rest == 0 { Ok(Some(name)) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::super::handle::for_test;
    use super::super::node::testing::{TableNode, facts, record};
    use super::*;
    use proptest::prelude::*;

    fn ask(node: &TableNode, question: Question) -> (i16, bool) {
        let info = pair_info(node, &question).unwrap();
        (info.code, info.record.is_some())
    }

    // A backup that takes itself for the primary, or the other way round, makes both halves act, or none.
    #[test]
    fn the_callers_role_at_each_stage() {
        let mut node = TableNode::new();
        let own = node.own.phandle;
        let other = for_test(true, 1, 9, own.sequence);
        assert_eq!(ask(&node, Question::Own), (4, true));
        node.records[0] = record("$OWN", own, Some(other));
        assert_eq!(ask(&node, Question::Own), (5, true));
        assert_eq!(ask(&node, Question::Of(other)), (5, true), "asked by the other half's handle");
        node.records[0] = record("$OWN", other, Some(own));
        assert_eq!(ask(&node, Question::Own), (6, true));
        assert_eq!(ask(&node, Question::Named(ProcessName::new("$OWN").unwrap(), None)), (6, true));
    }

    #[test]
    fn other_processes() {
        let mut node = TableNode::new();
        let primary = for_test(true, 1, 7, 70);
        let unnamed = for_test(false, 2, 8, 80);
        node.records.push(record("$SRV", primary, Some(for_test(true, 2, 7, 70))));
        node.processes.push(facts(unnamed, None));
        let named = |sequence| Question::Named(ProcessName::new("$SRV").unwrap(), sequence);
        assert_eq!(ask(&node, Question::Of(primary)), (0, true));
        assert_eq!(ask(&node, named(Some(70))), (0, true));
        assert_eq!(ask(&node, named(Some(71))), (9, false));
        assert_eq!(ask(&node, Question::Of(unnamed)), (7, false));
        assert_eq!(ask(&node, Question::Of(for_test(false, 2, 9, 81))), (9, false));
        assert_eq!(ask(&node, Question::Of(for_test(true, 2, 9, 82))), (9, false));
        assert_eq!(ask(&node, Question::Of(Phandle { node: 77, ..primary })), (10, false));
    }

    #[test]
    fn a_search_finds_each_name_once() {
        let mut node = TableNode::new();
        for (name, sequence) in [("$Z", 1), ("$A9", 2), ("$AB", 3)] {
            node.records.push(record(name, for_test(true, 1, 1, sequence), None));
        }
        let mut found = Vec::new();
        let mut index = 0;
        loop {
            let info = pair_info(&node, &Question::After(name_of_index(index).unwrap())).unwrap();
            let Some(record) = info.record else {
                assert_eq!(info.code, NO_MORE);
                break;
            };
            index = search_index(&record.name);
            found.push(record.name.to_string());
        }
        assert_eq!(found, ["$A9", "$AB", "$OWN", "$Z"]);
    }

    #[test]
    fn numbers_that_are_no_index() {
        for wrong in [-1, 1, 37 * 37 * 37 * 37, i32::MAX] {
            assert!(name_of_index(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn indexes_come_back_in_the_order_of_names(first in r"\$[A-Z][A-Z0-9]{0,4}", second in r"\$[A-Z][A-Z0-9]{0,4}") {
            let [first, second] = [first, second].map(|name| ProcessName::new(&name).unwrap());
            prop_assert_eq!(name_of_index(search_index(&first)), Ok(Some(first.clone())));
            prop_assert_eq!(search_index(&first).cmp(&search_index(&second)), first.cmp(&second));
        }

        #[test]
        fn any_number_is_an_index_or_is_not(index: i32) {
            if let Ok(Some(name)) = name_of_index(index) {
                prop_assert_eq!(search_index(&name), index);
            }
        }
    }
}
