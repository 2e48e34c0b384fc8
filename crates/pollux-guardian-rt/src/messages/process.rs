//! System messages about CPUs, processes and timers, word by word (Guardian Procedure Errors and Messages, "System
//! messages"): -2, -3, -22, -26, -100 to -102, -110, -111, -113.

use crate::guardian::handle::descriptor;
use crate::guardian::timers::TimerParameters;
use crate::guardian::words::Words;
use pollux_wire::control::StopReport;
use pollux_wire::system::Ending;
use pollux_wire::{CpuNumber, NodeName, Phandle, ProcessName};

/// Bytes of the text of message -101.
pub(crate) const TERMINATION_TEXT_BYTES_MAX: usize = 80;
/// `ZSYS_VAL_PROCDEATH_CPUDOWN`: the name has gone with its CPU.
const COMPLETION_CPU_DOWN: i16 = -4;
/// `ZSYS_MSK_PDEATH_ABENDED`.
const ABENDED: i16 = 1;
/// Words of a subsystem id.
const SUBSYSTEM_WORDS: usize = 6;

/// -2: a CPU of the node is down.
pub(crate) fn cpu_down(cpu: CpuNumber) -> Vec<u8> {
    cpu_message(-2, cpu)
}

/// -3: a CPU of the node is up.
pub(crate) fn cpu_up(cpu: CpuNumber) -> Vec<u8> {
    cpu_message(-3, cpu)
}

fn cpu_message(number: i16, cpu: CpuNumber) -> Vec<u8> {
    let mut words = Words::message(number);
    words.word(i16::from(cpu.get()));
    words.into_bytes()
}

/// -22: a timer on elapsed time has expired.
pub(crate) fn time_signal(parameters: TimerParameters) -> Vec<u8> {
    timer_message(-22, parameters)
}

/// -26: a timer on processor time has expired.
pub(crate) fn process_time_signal(parameters: TimerParameters) -> Vec<u8> {
    timer_message(-26, parameters)
}

fn timer_message(number: i16, parameters: TimerParameters) -> Vec<u8> {
    let mut words = Words::message(number);
    words.word(parameters.first);
    words.int32(parameters.second);
    words.into_bytes()
}

/// -100: a CPU of another node is down; with `up`, -113: it is up.
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
pub(crate) fn remote_node(up: bool, number: u32, node: &NodeName) -> Vec<u8> {
    let mut words = Words::message(if up { -111 } else { -110 });
    words.reserved(3);
    words.int32(number as i32);
    words.word(node.as_str().len() as i16);
    words.bytes(node.as_str().as_bytes());
    words.into_bytes()
}

/// What message -101 says.
#[derive(Debug, Clone)]
pub(crate) struct ProcessDeath<'a> {
    /// Which process.
    pub(crate) phandle: Phandle,
    /// Its name.
    pub(crate) name: Option<&'a ProcessName>,
    /// How it ended.
    pub(crate) ending: Ending,
    /// What it says itself.
    pub(crate) report: &'a StopReport,
    /// Processor time, microseconds.
    pub(crate) processor_us: u64,
    /// Who stopped it.
    pub(crate) killer: Option<Phandle>,
    /// Its job.
    pub(crate) job: u16,
}

/// -101: a process has ended.
pub(crate) fn process_death(death: &ProcessDeath<'_>, node: &NodeName) -> Vec<u8> {
    let report = death.report;
    let mut words = Words::message(-101);
    words.handle(Some(death.phandle));
    words.int64(death.processor_us as i64);
    words.unsigned(death.job);
    words.word(match death.ending {
        Ending::CpuFailed => COMPLETION_CPU_DOWN,
        Ending::Stopped | Ending::Abended => report.completion,
    });
    words.word(report.information);
    for place in 0..SUBSYSTEM_WORDS {
        words.unsigned(report.subsystem.get(place).copied().unwrap_or(0));
    }
    words.handle(death.killer);
    let text = &report.text.as_bytes()[..report.text.len().min(TERMINATION_TEXT_BYTES_MAX)];
    words.word(text.len() as i16);
    let descriptor = death.name.map(|name| descriptor(death.phandle, Some(name), node, true).to_string());
    let descriptor = descriptor.unwrap_or_default();
    let name_at = words.len();
    words.word(0);
    words.word(descriptor.len() as i16);
    words.word(if death.ending == Ending::Abended { ABENDED } else { 0 });
    // The process id of an OSS process, which no process of Pollux is.
    words.int32(0);
    words.reserved(1);
    words.bytes(text);
    if !descriptor.is_empty() {
        words.set(name_at, (words.len() * 2) as i16);
        words.bytes(descriptor.as_bytes());
    }
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
    fn cpu_and_timer_messages() {
        let cpu = CpuNumber::new(7).unwrap();
        assert_eq!((word_at(&cpu_down(cpu), 0), word_at(&cpu_down(cpu), 1)), (Some(-2), Some(7)));
        assert_eq!((word_at(&cpu_up(cpu), 0), cpu_up(cpu).len()), (Some(-3), 4));
        let signal = time_signal(TimerParameters { first: -5, second: 70_000 });
        assert_eq!(
            (word_at(&signal, 0), word_at(&signal, 1), int32_at(&signal, 2)),
            (Some(-22), Some(-5), Some(70_000))
        );
        assert_eq!(word_at(&process_time_signal(TimerParameters { first: 0, second: 0 }), 0), Some(-26));
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
    fn a_process_has_ended() {
        let name = ProcessName::new("$SRV").unwrap();
        let phandle = for_test(true, 1, 2, 33);
        let killer = for_test(false, 0, 4, 5);
        let report = StopReport {
            completion: 5,
            abend: true,
            information: 12,
            subsystem: vec![1, 2, 3, 4, 5, 6],
            text: "odd".to_owned(),
        };
        let death = ProcessDeath {
            phandle,
            name: Some(&name),
            ending: Ending::Abended,
            report: &report,
            processor_us: 1234,
            killer: Some(killer),
            job: 8,
        };
        let message = process_death(&death, &node());
        assert_eq!(handle_at(&message, 1), Some(Some(phandle)));
        assert_eq!(int32_at(&message, 11), Some(1234));
        let words = [15, 16, 17, 18, 23].map(|at| word_at(&message, at).unwrap());
        assert_eq!(words, [8, 5, 12, 1, 6]);
        assert_eq!(handle_at(&message, 24), Some(Some(killer)));
        assert_eq!(word_at(&message, 34), Some(3));
        assert_eq!(&message[82..85], b"odd");
        let (at, length) = (word_at(&message, 35).unwrap() as usize, word_at(&message, 36).unwrap() as usize);
        assert_eq!(&message[at..at + length], b"\\HERE.$SRV:33");
        assert_eq!(word_at(&message, 37), Some(1));
        let lost = ProcessDeath { ending: Ending::CpuFailed, name: None, killer: None, ..death };
        let message = process_death(&lost, &node());
        assert_eq!(
            (word_at(&message, 16), word_at(&message, 36), word_at(&message, 37)),
            (Some(-4), Some(0), Some(0))
        );
        assert_eq!(handle_at(&message, 24), Some(None));
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
}
