//! Attributes of processes by code: `PROCESS_GETINFOLIST_` (Guardian Procedure Calls; the codes are ZSYSC's
//! `ZSYS_VAL_PINF_*`).
//!
//! A list of values is the values one after the other, each on a word. A text is a word with its length in bytes, then
//! the bytes, filled up to a whole word.

use super::calendar;
use super::handle;
use super::usage::Usage;
use super::words::Words;
use pollux_wire::Phandle;
use pollux_wire::control::ProcessFacts;

/// The attributes that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// 1 and 2: the user.
    User,
    /// 4.
    ProgramFile,
    /// 5.
    HomeTerminal,
    /// 6: the job's ancestor; Pollux keeps none.
    JobAncestor,
    /// 7.
    Job,
    /// 30.
    ProcessTime,
    /// 32.
    State,
    /// 33 and 34: library and swap file; a process of Linux has none.
    NoFile,
    /// 38.
    Pin,
    /// 39.
    Descriptor,
    /// 40.
    Mom,
    /// 42 and 43.
    Priority,
    /// 47: 1 for the primary of a pair or a single named process.
    Primary,
    /// 48.
    Handle,
    /// 53.
    CreationTime,
    /// 54: pages in memory.
    Pages,
    /// 59.
    PageFaults,
    /// 62.
    IsNamed,
    /// 63.
    StopMode,
    /// 64: a stop waits for another stop mode.
    StopWaits,
    /// 65.
    MomsName,
    /// 66: name of the job's ancestor.
    JobAncestorsName,
    /// 90.
    OssPid,
    /// 28, 31, 36, 44, 45, 49, 51, 73: words that are 0 for every process of Pollux.
    Zero,
    /// 8: the device subtype.
    Subtype,
}

impl Attribute {
    /// The attribute with this code, if its value can be returned.
    pub(crate) fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::User,
            4 => Self::ProgramFile,
            5 => Self::HomeTerminal,
            6 => Self::JobAncestor,
            7 => Self::Job,
            8 => Self::Subtype,
            28 | 31 | 36 | 44 | 45 | 49 | 51 | 73 => Self::Zero,
            30 => Self::ProcessTime,
            32 => Self::State,
            33 | 34 => Self::NoFile,
            38 => Self::Pin,
            39 => Self::Descriptor,
            40 => Self::Mom,
            42 | 43 => Self::Priority,
            47 => Self::Primary,
            48 => Self::Handle,
            53 => Self::CreationTime,
            54 => Self::Pages,
            59 => Self::PageFaults,
            62 => Self::IsNamed,
            63 => Self::StopMode,
            64 => Self::StopWaits,
            65 => Self::MomsName,
            66 => Self::JobAncestorsName,
            90 => Self::OssPid,
            _ => return None,
        })
    }
}

/// True for a code that the manual has but that nothing on Linux answers: error 14, not 11.
pub(crate) fn is_auxiliary(code: i16) -> bool {
    matches!(code, 41 | 50 | 55..=58 | 69..=72 | 75 | 102..=113 | 144)
}

/// True for a code that only a search takes: error 16.
pub(crate) fn is_for_searches(code: i16) -> bool {
    matches!(code, 3 | 9 | 12 | 13)
}

/// A process, as far as it was asked about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// What the daemon knows.
    pub(crate) facts: ProcessFacts,
    /// Its descriptor.
    pub(crate) descriptor: String,
    /// Its mom's descriptor, empty for none.
    pub(crate) moms_descriptor: String,
    /// True for the primary of a pair and for a single named process.
    pub(crate) primary: bool,
    /// What the kernel counts.
    pub(crate) usage: Usage,
    /// Processor time, microseconds.
    pub(crate) processor_us: i64,
}

/// `PROCESS_STATE`: runnable.
const STATE_RUNNABLE: i16 = 2;
/// `PROCESS_STATE`: suspended.
const STATE_SUSPENDED: i16 = 3;

/// Appends the value of an attribute.
pub(crate) fn put(words: &mut Words, attribute: Attribute, subject: &Subject) {
    let facts = &subject.facts;
    match attribute {
        Attribute::User => words.word(user_word(facts.uid)),
        Attribute::ProgramFile => put_text(words, &facts.program),
        Attribute::HomeTerminal => put_text(words, &facts.home_terminal),
        Attribute::JobAncestor => words.handle(None),
        Attribute::Job => words.unsigned(facts.job),
        Attribute::ProcessTime => words.int64(subject.processor_us),
        Attribute::State => {
            words.word(if subject.usage.suspended { STATE_SUSPENDED } else { STATE_RUNNABLE })
        }
        Attribute::NoFile | Attribute::JobAncestorsName => put_text(words, ""),
        Attribute::Pin => words.unsigned(facts.phandle.pin.0),
        Attribute::Descriptor => put_text(words, &subject.descriptor),
        Attribute::Mom => words.handle(facts.mom),
        Attribute::Priority => words.word(i16::from(facts.priority)),
        Attribute::Primary => words.word(i16::from(subject.primary)),
        Attribute::Handle => words.handle(Some(facts.phandle)),
        Attribute::CreationTime => words.int64(calendar::from_unix_us(facts.created_unix_us as i64)),
        Attribute::Pages => words.word(i16::try_from(subject.usage.resident_pages).unwrap_or(i16::MAX)),
        Attribute::PageFaults => words.int32(i32::try_from(subject.usage.page_faults).unwrap_or(i32::MAX)),
        Attribute::IsNamed => words.word(i16::from(facts.name.is_some())),
        Attribute::StopMode => words.word(i16::from(facts.stop_mode)),
        Attribute::StopWaits => words.word(i16::from(facts.stop_waits)),
        Attribute::MomsName => put_text(words, &subject.moms_descriptor),
        Attribute::OssPid => words.int32(facts.pid as i32),
        Attribute::Zero | Attribute::Subtype => words.word(0),
    }
}

/// A user id as Guardian programs know it: group in the high byte, user in the low one; the superuser is 255,255.
pub(crate) fn user_word(uid: u32) -> i16 {
    if uid == 0 { -1 } else { uid as i16 }
}

fn put_text(words: &mut Words, text: &str) {
    words.word(text.len() as i16);
    words.bytes(text.as_bytes());
}

/// A condition of a search: an attribute and the value it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// 1 and 2.
    User(i16),
    /// 3: at most this priority.
    PriorityAtMost(i16),
    /// 4.
    ProgramFile(String),
    /// 5.
    HomeTerminal(String),
    /// 6.
    JobAncestor(Option<Phandle>),
    /// 7.
    Job(u16),
    /// 9: at least this priority.
    PriorityAtLeast(i16),
    /// 12: created at this time or later.
    CreatedFrom(i64),
    /// 13: created at this time or earlier.
    CreatedUntil(i64),
}

/// Why search attributes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadSearch {
    /// 9: this code is none for a search.
    Code(i16),
    /// 10: the value list is too short, or the value makes no sense.
    Value(i16),
}

/// Reads the conditions of a search from its codes and values.
pub(crate) fn conditions(codes: &[i16], values: &[i16]) -> Result<Vec<Condition>, BadSearch> {
    let mut values = values;
    let mut conditions = Vec::new();
    for code in codes.iter().copied() {
        let value = BadSearch::Value(code);
        let mut next = |count: usize| {
            let (taken, rest) = values.split_at_checked(count).ok_or(value)?;
            values = rest;
            Ok(taken.to_vec())
        };
        conditions.push(match code {
            1 | 2 => Condition::User(next(1)?[0]),
            3 => Condition::PriorityAtMost(next(1)?[0]),
            4 | 5 => {
                let length = usize::try_from(next(1)?[0]).map_err(|_| value)?;
                let bytes: Vec<u8> =
                    next(length.div_ceil(2))?.into_iter().flat_map(i16::to_ne_bytes).collect();
                let text = String::from_utf8(bytes[..length].to_vec()).map_err(|_| value)?;
                if code == 4 { Condition::ProgramFile(text) } else { Condition::HomeTerminal(text) }
            }
            6 => {
                let words: Vec<u16> = next(10)?.into_iter().map(|word| word as u16).collect();
                match handle::read(words.try_into().expect("ten words were taken")) {
                    handle::Given::Null => Condition::JobAncestor(None),
                    handle::Given::Process(phandle) => Condition::JobAncestor(Some(phandle)),
                    handle::Given::Garbage => return Err(value),
                }
            }
            7 => Condition::Job(next(1)?[0] as u16),
            9 => Condition::PriorityAtLeast(next(1)?[0]),
            12 | 13 => {
                let bytes: Vec<u8> = next(4)?.into_iter().flat_map(i16::to_ne_bytes).collect();
                let time = i64::from_ne_bytes(bytes.try_into().expect("four words are eight bytes"));
                if code == 12 { Condition::CreatedFrom(time) } else { Condition::CreatedUntil(time) }
            }
            _ => return Err(BadSearch::Code(code)),
        });
    }
    Ok(conditions)
}

impl Condition {
    /// True if a process fulfils it.
    pub(crate) fn holds(&self, facts: &ProcessFacts) -> bool {
        let created = || calendar::from_unix_us(facts.created_unix_us as i64);
        match self {
            Self::User(user) => user_word(facts.uid) == *user,
            Self::PriorityAtMost(priority) => i16::from(facts.priority) <= *priority,
            Self::ProgramFile(program) => facts.program == *program,
            Self::HomeTerminal(terminal) => facts.home_terminal.eq_ignore_ascii_case(terminal),
            Self::JobAncestor(ancestor) => ancestor.is_none(),
            Self::Job(job) => facts.job == *job,
            Self::PriorityAtLeast(priority) => i16::from(facts.priority) >= *priority,
            Self::CreatedFrom(time) => created() >= *time,
            Self::CreatedUntil(time) => created() <= *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::handle::for_test;
    use super::super::node::testing;
    use super::*;

    fn subject() -> Subject {
        let mut facts = testing::facts(for_test(true, 1, 20, 9), Some("$SRV"));
        facts.mom = Some(for_test(true, 2, 30, 9));
        Subject {
            facts,
            descriptor: "\\HERE.$SRV:9".to_owned(),
            moms_descriptor: "\\HERE.$SRV:9".to_owned(),
            primary: true,
            usage: Usage::default(),
            processor_us: 77,
        }
    }

    fn value(code: i16) -> Vec<u16> {
        let mut words = Words::default();
        put(&mut words, Attribute::from_code(code).unwrap(), &subject());
        words.as_slice().to_vec()
    }

    // Programs step through a list by the sizes of the manual: a value of another size spoils all behind it.
    #[test]
    fn sizes_of_values_in_words() {
        for (code, size) in [
            (1, 1),
            (2, 1),
            (4, 7),
            (5, 3),
            (6, 10),
            (7, 1),
            (8, 1),
            (28, 1),
            (30, 4),
            (31, 1),
            (32, 1),
            (33, 1),
            (34, 1),
            (36, 1),
            (38, 1),
            (39, 7),
            (40, 10),
            (42, 1),
            (43, 1),
            (44, 1),
            (45, 1),
            (47, 1),
            (48, 10),
            (49, 1),
            (51, 1),
            (53, 4),
            (54, 1),
            (59, 2),
            (62, 1),
            (63, 1),
            (64, 1),
            (65, 7),
            (66, 1),
            (73, 1),
            (90, 2),
        ] {
            assert_eq!(value(code).len(), size, "attribute {code}");
        }
    }

    #[test]
    fn values() {
        assert_eq!(value(2), [0x0102]);
        assert_eq!(value(47), [1]);
        assert_eq!(value(48), for_test(true, 1, 20, 9).to_words());
        assert_eq!(value(40), for_test(true, 2, 30, 9).to_words());
        assert_eq!(value(39)[0], 12);
        assert_eq!(user_word(0), -1);
    }

    #[test]
    fn codes_of_each_kind_are_apart() {
        for code in -1..200 {
            let kinds = [Attribute::from_code(code).is_some(), is_auxiliary(code), is_for_searches(code)];
            assert!(kinds.iter().filter(|kind| **kind).count() <= 1, "attribute {code}");
        }
        assert!(Attribute::from_code(10).is_none() && !is_auxiliary(10));
    }

    #[test]
    fn searches() {
        let facts = subject().facts;
        let text = i16::from_ne_bytes([b'$', b'Z']);
        let terminal = [4, text, i16::from_ne_bytes([b'T', b'N'])];
        let found = conditions(&[7, 5, 9], &[&[0], &terminal[..], &[100]].concat()).unwrap();
        assert!(found.iter().all(|condition| condition.holds(&facts)));
        assert!(!conditions(&[3], &[149]).unwrap()[0].holds(&facts));
        assert_eq!(conditions(&[30], &[]), Err(BadSearch::Code(30)));
        assert_eq!(conditions(&[2, 7], &[1]), Err(BadSearch::Value(7)));
        assert_eq!(conditions(&[4], &[9, 1]), Err(BadSearch::Value(4)));
        assert_eq!(conditions(&[6], &[0; 10]), Err(BadSearch::Value(6)));
        assert!(conditions(&[12], &[0, 0, 0, 0]).unwrap()[0].holds(&facts));
    }
}
