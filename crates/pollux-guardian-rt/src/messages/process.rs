//! System messages that the run-time makes itself, word by word (Guardian Procedure Errors and Messages, "System
//! messages"): -26, -102, -141, and those about other nodes, -100, -110, -111, -113. What a daemon tells is laid out in
//! `receive::layout`.

use crate::guardian::words::Words;
use pollux_wire::{CpuNumber, NodeName, Phandle};

/// -26: a timer on processor time has expired.
pub(crate) fn process_time_signal(first: i16, second: i32) -> Vec<u8> {
    let mut words = Words::message(-26);
    words.word(first);
    words.int32(second);
    words.into_bytes()
}

/// -100: a CPU of another node is down; with `up`, -113: it is up.
#[allow(dead_code, reason = "a node on its own hears of no other")]
pub(crate) fn remote_cpu(up: bool, number: u32, cpu: CpuNumber, node: &NodeName) -> Vec<u8> {
    let mut words = Words::message(if up { -113 } else { -100 });
    words.int32(number as i32);
    words.word(i16::from(cpu.get()));
    words.word(node.as_str().len() as i16);
    words.reserved(3);
    words.bytes(node.as_str().as_bytes());
    words.into_bytes()
}

/// -110: a node cannot be reached; with `up`, -111: it can be again.
#[allow(dead_code, reason = "a node on its own hears of no other")]
pub(crate) fn remote_node(up: bool, number: u32, node: &NodeName) -> Vec<u8> {
    let mut words = Words::message(if up { -111 } else { -110 });
    words.reserved(3);
    words.int32(number as i32);
    words.word(node.as_str().len() as i16);
    words.bytes(node.as_str().as_bytes());
    words.into_bytes()
}

/// What message -102 and the output list of `PROCESS_LAUNCH_` say.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessCreated {
    /// The tag of the call.
    pub(crate) tag: i32,
    /// The process, if it was created.
    pub(crate) phandle: Option<Phandle>,
    /// `PROCESS_CREATE_`, error.
    pub(crate) error: i16,
    /// `PROCESS_CREATE_`, error detail.
    pub(crate) detail: i16,
    /// Its process descriptor, empty if it was not created.
    pub(crate) descriptor: String,
}

/// -102: a process creation that was not waited for has ended.
pub(crate) fn process_created(created: &ProcessCreated) -> Vec<u8> {
    let mut words = Words::message(-102);
    words.int32(created.tag);
    words.handle(created.phandle);
    words.word(created.error);
    words.word(created.detail);
    words.word(created.descriptor.len() as i16);
    // Where a 64-bit tag would stand.
    words.int64(i64::from(created.tag));
    words.bytes(created.descriptor.as_bytes());
    words.into_bytes()
}

/// -141: a `PROCESS_SPAWN_` that was not waited for has ended. The process id is that of nobody: the handle names it.
pub(crate) fn process_spawned(created: &ProcessCreated, errno: i32) -> Vec<u8> {
    /// Words behind the length: handle, process id, errno, error and detail.
    const RESULTS_BYTES: i32 = 32;
    let mut words = Words::message(-141);
    words.reserved(13);
    words.int32(created.tag);
    words.int32(RESULTS_BYTES);
    words.handle(created.phandle);
    words.int32(0);
    words.int32(errno);
    words.word(created.error);
    words.word(created.detail);
    words.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardian::handle::for_test;
    use crate::guardian::words::{handle_at, int32_at, word_at};

    fn node() -> NodeName {
        NodeName::new("\\HERE").unwrap()
    }

    // Programs read these messages through structures that were compiled long ago: a word out of place is a wrong CPU.
    #[test]
    fn a_timer_on_processor_time() {
        let signal = process_time_signal(-5, 70_000);
        assert_eq!((word_at(&signal, 0), word_at(&signal, 1)), (Some(-26), Some(-5)));
        assert_eq!((int32_at(&signal, 2), signal.len()), (Some(70_000), 8));
    }

    #[test]
    fn messages_of_other_nodes() {
        let cpu = remote_cpu(false, 9, CpuNumber::new(2).unwrap(), &node());
        assert_eq!(
            (word_at(&cpu, 0), int32_at(&cpu, 1), word_at(&cpu, 3), word_at(&cpu, 4)),
            (Some(-100), Some(9), Some(2), Some(5))
        );
        assert_eq!(&cpu[16..21], b"\\HERE");
        assert_eq!(word_at(&remote_cpu(true, 9, CpuNumber::new(2).unwrap(), &node()), 0), Some(-113));
        let lost = remote_node(false, 9, &node());
        assert_eq!(
            (word_at(&lost, 0), int32_at(&lost, 4), word_at(&lost, 6)),
            (Some(-110), Some(9), Some(5))
        );
        assert_eq!(&lost[14..19], b"\\HERE");
        assert_eq!(word_at(&remote_node(true, 9, &node()), 0), Some(-111));
    }

    #[test]
    fn a_process_was_created() {
        let phandle = for_test(true, 1, 2, 33);
        let created = ProcessCreated {
            tag: -3,
            phandle: Some(phandle),
            descriptor: "\\HERE.$SRV:33".to_owned(),
            ..Default::default()
        };
        let message = process_created(&created);
        assert_eq!((int32_at(&message, 1), handle_at(&message, 3)), (Some(-3), Some(Some(phandle))));
        assert_eq!([13, 14, 15].map(|at| word_at(&message, at).unwrap()), [0, 0, 13]);
        assert_eq!(&message[40..53], b"\\HERE.$SRV:33");
        let failed = process_created(&ProcessCreated { error: 10, detail: 201, ..Default::default() });
        assert_eq!([13, 14, 15].map(|at| word_at(&failed, at).unwrap()), [10, 201, 0]);
        assert_eq!(handle_at(&failed, 3), Some(None));
    }

    #[test]
    fn a_spawned_process() {
        let created = ProcessCreated { tag: 7, error: 1, detail: 11, ..ProcessCreated::default() };
        let bytes = process_spawned(&created, 4002);
        assert_eq!(bytes.len(), 68);
        assert_eq!([0, 18, 32, 33].map(|at| word_at(&bytes, at)), [-141, -1, 1, 11].map(Some));
        assert_eq!([14, 16, 28, 30].map(|at| int32_at(&bytes, at)), [7, 32, 0, 4002].map(Some));
    }
}
