//! System messages as words (Guardian Procedure Errors and Messages Manual, chapter "System messages").
//!
//! Numbers are in the order of the host, at the word offsets of the manual: programs lay structures over them that are
//! packed on two bytes. Offsets inside a message count bytes from its beginning.

use crate::guardian::handle::descriptor;
use crate::memory::handle_words;
use pollux_wire::checkpoint::Opener;
use pollux_wire::system::{Ending, SystemMessage};
use pollux_wire::{CpuNumber, NodeName, Phandle};

/// Completion code of a process whose CPU failed.
const COMPLETION_CPU_DOWN: i16 = -4;
/// `ZSYS_MSK_PDEATH_ABENDED`.
const DEATH_ABENDED: i16 = 1;
/// `ZSYS_MSK_OPEN_BACKUPOPEN`.
const OPEN_BACKUP: i16 = 1;
/// Bytes of the text of a stopped process.
const TERMINATION_TEXT_BYTES_MAX: usize = 80;

/// Builds a message word by word.
#[derive(Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
}

impl Words {
    /// A message that begins with its number.
    pub fn message(number: i16) -> Self {
        Self::default().word(number)
    }

    /// Appends a word.
    #[must_use]
    pub fn word(mut self, value: i16) -> Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    /// Appends 32 bits.
    #[must_use]
    pub fn long(mut self, value: i32) -> Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    /// Appends 64 bits.
    #[must_use]
    pub fn quad(mut self, value: i64) -> Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    /// Appends a process handle, the null one for none.
    #[must_use]
    pub fn handle(self, handle: Option<Phandle>) -> Self {
        handle_words(handle).into_iter().fold(self, Self::word)
    }

    /// Appends words that are 0.
    #[must_use]
    pub fn zeros(mut self, words: usize) -> Self {
        self.bytes.resize(self.bytes.len() + 2 * words, 0);
        self
    }

    /// Appends bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The message.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Strings behind the fixed part: each begins on a word, and the fixed part has its offset and length.
struct Tail {
    start: usize,
    bytes: Vec<u8>,
}

impl Tail {
    fn after_words(words: usize) -> Self {
        Self { start: 2 * words, bytes: Vec::new() }
    }

    /// Appends a text; its offset and length.
    fn text(&mut self, text: &str) -> (i16, i16) {
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(b' ');
        }
        let offset = self.start + self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        (clipped(offset), clipped(text.len()))
    }
}

/// -2, -3.
pub fn cpu_message(number: i16, cpu: CpuNumber) -> Vec<u8> {
    Words::message(number).word(i16::from(cpu.get())).bytes()
}

/// -13: status messages were lost.
pub fn messages_missed() -> Vec<u8> {
    Words::message(-13).bytes()
}

/// -22: a timer has run out.
pub fn time_signal(parameter1: i16, parameter2: i32) -> Vec<u8> {
    Words::message(-22).word(parameter1).long(parameter2).bytes()
}

/// -38: the request with this message tag was cancelled.
pub fn request_cancelled(tag: i16) -> Vec<u8> {
    Words::message(-38).word(tag).bytes()
}

/// -101, from what the daemon tells. `None` for another message.
pub fn process_death(node: &NodeName, message: &SystemMessage) -> Option<Vec<u8>> {
    let SystemMessage::ProcessEnded { phandle, name, ending, report, processor_us, killer, job } = message
    else {
        return None;
    };
    let completion = match ending {
        Ending::CpuFailed => COMPLETION_CPU_DOWN,
        Ending::Stopped | Ending::Abended => report.completion,
    };
    let abended = report.abend || *ending != Ending::Stopped;
    let mut tail = Tail::after_words(41);
    let text = clip(&report.text, TERMINATION_TEXT_BYTES_MAX);
    let (_, text_length) = tail.text(text);
    let (name_offset, name_length) = match name {
        Some(name) => tail.text(&descriptor(*phandle, Some(name), node, true).to_string()),
        None => (0, 0),
    };
    let subsystem = (0..6).map(|at| report.subsystem.get(at).map_or(0, |word| *word as i16));
    let fixed = Words::message(-101)
        .handle(Some(*phandle))
        .quad(i64::try_from(*processor_us).unwrap_or(i64::MAX))
        .word(*job as i16)
        .word(completion)
        .word(report.information);
    let fixed = subsystem
        .fold(fixed, Words::word)
        .handle(*killer)
        .word(text_length)
        .word(name_offset)
        .word(name_length)
        .word(if abended { DEATH_ABENDED } else { 0 })
        .long(0)
        .word(0);
    Some(fixed.raw(&tail.bytes).bytes())
}

/// -103: a process opens this one.
pub fn open(node: &NodeName, opener: &Opener) -> Vec<u8> {
    let details = &opener.details;
    let mut tail = Tail::after_words(30);
    let (_, qualifier_length) = tail.text(&details.qualifier);
    let (name_offset, name_length) = match &opener.name {
        Some(name) => tail.text(&descriptor(opener.phandle, Some(name), node, true).to_string()),
        None => (0, 0),
    };
    let (terminal_offset, terminal_length) = match details.home_terminal.as_str() {
        "" => (0, 0),
        terminal => tail.text(terminal),
    };
    let access_id = access_id(opener.uid);
    let flags = if details.primary.is_some() { OPEN_BACKUP } else { 0 };
    Words::message(-103)
        .word(i16::from(details.access))
        .word(i16::from(details.exclusion))
        .word(if details.waited { 0 } else { opener.nowait_depth as i16 })
        .word(opener.sync_depth as i16)
        .word(details.options as i16)
        .word(access_id)
        .word(flags)
        .handle(details.primary)
        .word(qualifier_length)
        .word(name_offset)
        .word(name_length)
        .word(details.primary_file_number)
        .word(access_id)
        .word(terminal_offset)
        .word(terminal_length)
        .zeros(5)
        .raw(&tail.bytes)
        .bytes()
}

/// -104: an open has ended.
pub fn close(tape_disposition: i16) -> Vec<u8> {
    Words::message(-104).word(tape_disposition).bytes()
}

/// The label in the reply to -103; -1 if there is none.
pub fn label_of_reply(reply: &[u8]) -> i16 {
    match (word_at(reply, 0), word_at(reply, 1)) {
        (Some(-103), Some(label)) => label,
        _ => -1,
    }
}

/// One word of a message; `None` behind its end.
pub fn word_at(message: &[u8], word: usize) -> Option<i16> {
    let pair = message.get(2 * word..2 * word + 2)?;
    Some(i16::from_ne_bytes([pair[0], pair[1]]))
}

/// A user id as the word that Guardian programs know: group in the high byte, user in the low one. The superuser is
/// 255,255; of other ids the low 16 bits are kept.
pub fn access_id(uid: u32) -> i16 {
    if uid == 0 { -1 } else { uid as i16 }
}

/// At most so many bytes, cut between characters.
fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn clipped(value: usize) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::control::{OpenDetails, StopReport};
    use pollux_wire::{Pin, ProcessName};

    fn handle(pin: u16) -> Phandle {
        Phandle {
            named: true,
            cpu: CpuNumber::new(1).unwrap(),
            pin: Pin(pin),
            node: 3,
            incarnation: 2,
            sequence: 99,
        }
    }

    fn node() -> NodeName {
        NodeName::new("\\N").unwrap()
    }

    fn words(message: &[u8], from: usize, count: usize) -> Vec<i16> {
        (from..from + count).map(|at| word_at(message, at).unwrap()).collect()
    }

    fn bytes_of(message: &[u8], offset_word: usize) -> String {
        let offset = word_at(message, offset_word).unwrap() as usize;
        let length = word_at(message, offset_word + 1).unwrap() as usize;
        String::from_utf8(message[offset..offset + length].to_vec()).unwrap()
    }

    // A program reads these words by their offsets; one word too many and every field behind it is another one.
    #[test]
    fn a_process_death_has_its_words_where_the_manual_has_them() {
        let report = StopReport {
            completion: 5,
            abend: true,
            information: 17,
            subsystem: vec![1, 2, 3, 4, 5, 6],
            text: "bye".into(),
        };
        let message = SystemMessage::ProcessEnded {
            phandle: handle(7),
            name: Some(ProcessName::new("$S").unwrap()),
            ending: Ending::Abended,
            report,
            processor_us: 1 << 40,
            killer: Some(handle(8)),
            job: 4,
        };
        let bytes = process_death(&node(), &message).unwrap();
        assert_eq!(word_at(&bytes, 0), Some(-101));
        assert_eq!(words(&bytes, 1, 10), handle_words(Some(handle(7))));
        assert_eq!(i64::from_ne_bytes(bytes[22..30].try_into().unwrap()), 1 << 40);
        assert_eq!(words(&bytes, 15, 3), [4, 5, 17]);
        assert_eq!(words(&bytes, 18, 6), [1, 2, 3, 4, 5, 6]);
        assert_eq!(words(&bytes, 24, 10), handle_words(Some(handle(8))));
        assert_eq!(word_at(&bytes, 34), Some(3));
        assert_eq!(bytes_of(&bytes, 35), "\\N.$S:99");
        assert_eq!(words(&bytes, 37, 4), [1, 0, 0, 0]);
        assert_eq!(&bytes[82..85], b"bye");
    }

    #[test]
    fn a_process_lost_with_its_cpu_has_its_own_completion_code() {
        let report =
            StopReport { completion: 0, abend: false, information: 0, subsystem: vec![], text: "".into() };
        let (phandle, ending) = (handle(7), Ending::CpuFailed);
        let message = SystemMessage::ProcessEnded {
            phandle,
            name: None,
            ending,
            report,
            processor_us: 0,
            killer: None,
            job: 0,
        };
        let bytes = process_death(&node(), &message).unwrap();
        assert_eq!(word_at(&bytes, 16), Some(-4));
        assert_eq!(words(&bytes, 24, 10), [-1; 10]);
        assert_eq!(words(&bytes, 35, 2), [0, 0]);
        assert_eq!(bytes.len(), 82);
    }

    #[test]
    fn an_open_has_its_words_where_the_manual_has_them() {
        let details = OpenDetails {
            access: 1,
            exclusion: 3,
            options: 64,
            qualifier: "#Q.R".into(),
            home_terminal: "$ZTN".into(),
            primary: Some(handle(5)),
            primary_file_number: 6,
            ..OpenDetails::default()
        };
        let opener = Opener {
            phandle: handle(9),
            name: Some(ProcessName::new("$REQ").unwrap()),
            uid: 0x0102,
            sync_depth: 2,
            nowait_depth: 4,
            details,
        };
        let bytes = open(&node(), &opener);
        assert_eq!(words(&bytes, 0, 8), [-103, 1, 3, 4, 2, 64, 0x0102, 1]);
        assert_eq!(words(&bytes, 8, 10), handle_words(Some(handle(5))));
        assert_eq!(word_at(&bytes, 18), Some(4));
        assert_eq!(bytes_of(&bytes, 19), "\\N.$REQ:99");
        assert_eq!(words(&bytes, 21, 2), [6, 0x0102]);
        assert_eq!(bytes_of(&bytes, 23), "$ZTN");
        assert_eq!(words(&bytes, 25, 5), [0; 5]);
        assert_eq!(&bytes[60..64], b"#Q.R");
    }

    #[test]
    fn a_plain_open_has_no_primary() {
        let details = OpenDetails { waited: true, ..OpenDetails::default() };
        let opener =
            Opener { phandle: handle(9), name: None, uid: 0, sync_depth: 0, nowait_depth: 1, details };
        let bytes = open(&node(), &opener);
        assert_eq!(words(&bytes, 0, 8), [-103, 0, 0, 0, 0, 0, -1, 0]);
        assert_eq!(words(&bytes, 8, 10), [-1; 10]);
        assert_eq!(words(&bytes, 18, 7), [0, 0, 0, 0, -1, 0, 0]);
        assert_eq!(bytes.len(), 60);
    }

    #[test]
    fn small_messages_and_the_label() {
        assert_eq!(words(&cpu_message(-2, CpuNumber::new(3).unwrap()), 0, 2), [-2, 3]);
        let timer = time_signal(5, -6);
        assert_eq!((timer.len(), word_at(&timer, 1)), (8, Some(5)));
        assert_eq!(i32::from_ne_bytes(timer[4..8].try_into().unwrap()), -6);
        assert_eq!(label_of_reply(&Words::message(-103).word(7).bytes()), 7);
        assert_eq!(label_of_reply(&Words::message(-103).bytes()), -1);
        assert_eq!(label_of_reply(b""), -1);
    }
}
