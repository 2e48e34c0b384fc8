//! Processors and the system (Guardian Procedure Calls, `PROCESSORSTATUS`, `PROCESSOR_GETINFOLIST_`, `CPUTIMES`,
//! `TOSVERSION`).

use super::process_info::{Refusal, TICK_US, finish};
use crate::args;
use crate::entry;
use crate::guardian::calendar;
use crate::guardian::node::Node;
use crate::guardian::parameters;
use crate::guardian::usage::{self, ProcessorTicks};
use crate::guardian::words::Words;
use crate::memory;
use crate::node::{Asking, asking};
use pollux_wire::{CpuNumber, FileError, NodeName};
use rustix::time::{ClockId, clock_gettime};

/// What the version of the system is called: programs compare it with the releases they know, and what they do for the
/// newest of those fits.
const VERSION: i16 = i16::from_be_bytes([b'L', 6]);
/// Bytes of a page, which is what memory is counted in.
const PAGE_BYTES: i32 = 4096;
/// A value that nothing on Linux answers.
const UNKNOWN: i16 = -1;

pub(crate) fn PROCESSORSTATUS(_: args::PROCESSORSTATUS) -> i32 {
    // A daemon that does not answer is this process's own: the process ends before it gets here.
    let (up, count) = asking(|node| node.cpus()).unwrap_or((0, 0));
    // Bit <n> of the low word is CPU n, <0> the highest.
    i32::from(count) << 16 | i32::from(up.reverse_bits())
}

pub(crate) fn TOSVERSION(_: args::TOSVERSION) -> i16 {
    VERSION
}

pub(crate) fn PROCESSOR_GETINFOLIST_(a: args::PROCESSOR_GETINFOLIST_) -> i16 {
    let detail = a.error_detail;
    finish(asking(|node| get_info_list(node, &a)), detail)
}

fn get_info_list(node: &Asking<'_>, a: &args::PROCESSOR_GETINFOLIST_) -> Result<(), Refusal> {
    parameters::put_word(a.ret_values_len, 0);
    let text = parameters::text(a.nodename, a.nodename_length);
    if let Some(text) = text.map_err(|error| Refusal::of_parameter(1, error))? {
        let name = NodeName::new(&text).map_err(|_| Refusal::parameter(1))?;
        if name != node.own().node {
            return Err(Refusal::NODE_UNREACHABLE);
        }
    }
    let cpu = cpu_given(node, a.cpu).ok_or(Refusal::parameter(2))?;
    if !node.is_up(cpu).map_err(Refusal::of_node)? {
        return Err(Refusal::of_node(FileError::PATH_DOWN));
    }
    let count =
        a.ret_attr_count.and_then(|count| usize::try_from(count).ok()).ok_or(Refusal::parameter(4))?;
    let codes = parameters::place(a.ret_attr_list).and_then(|from| memory::words(from, count));
    let codes = codes.map_err(|error| Refusal::of_parameter(3, error))?;
    let to = parameters::place(a.ret_values_list).map_err(|error| Refusal::of_parameter(5, error))?;
    let room =
        a.ret_values_maxlen.and_then(|room| usize::try_from(room).ok()).ok_or(Refusal::parameter(6))?;
    let mut values = Words::default();
    for code in codes {
        put(&mut values, code, cpu).ok_or(Refusal { code: 7, detail: code })?;
    }
    if values.len() > room {
        return Err(Refusal::of_parameter(5, parameters::BUFFER_TOO_SMALL));
    }
    let words: Vec<i16> = values.as_slice().iter().map(|word| *word as i16).collect();
    memory::put_words(to, &words);
    parameters::put_word(a.ret_values_len, words.len() as i16);
    Ok(())
}

/// Appends the value of an attribute; none for a code that there is not.
fn put(values: &mut Words, code: i16, cpu: CpuNumber) -> Option<()> {
    let pages = |name: &str| memory_pages(name).unwrap_or(i32::from(UNKNOWN));
    match code {
        2 => values.word(UNKNOWN),
        3 => values.word(VERSION),
        4 => values.int32(PAGE_BYTES),
        5 => values.int32(pages("MemTotal:")),
        7 => values.int32(pages("MemTotal:")),
        8 => values.int32(pages("MemFree:")),
        6 | 9..=12 => values.int32(i32::from(UNKNOWN)),
        15 | 22 => values.word(UNKNOWN),
        17 => {
            let now = clock_us(ClockId::Realtime);
            values.int64(calendar::from_unix_us(now - clock_us(ClockId::Boottime)));
        }
        18 => values.int64(clock_us(ClockId::Boottime)),
        19 => values.int64(ticks_us(ticks(cpu).busy)),
        20 => values.int64(ticks_us(ticks(cpu).idle)),
        21 => values.int64(ticks_us(ticks(cpu).interrupt)),
        23 => values.int32(i32::from(UNKNOWN)),
        _ => return None,
    }
    Some(())
}

/// A line of `/proc/meminfo` in pages.
fn memory_pages(name: &str) -> Option<i32> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: i64 = line.trim().split(' ').next()?.parse().ok()?;
    i32::try_from(kilobytes * 1024 / i64::from(PAGE_BYTES)).ok()
}

/// What the processor has done: the one that a CPU of the node is bound to, or all of them where there are fewer.
fn ticks(cpu: CpuNumber) -> ProcessorTicks {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let one = usage::read_processor(&text, Some(cpu.get()));
    one.or_else(|| usage::read_processor(&text, None)).unwrap_or_default()
}

fn ticks_us(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX).saturating_mul(TICK_US)
}

fn clock_us(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// The CPU with the number, the caller's for none or -1.
fn cpu_given(node: &Asking<'_>, number: Option<i16>) -> Option<CpuNumber> {
    match number.unwrap_or(-1) {
        -1 => Some(node.own().phandle.cpu),
        number => u8::try_from(number).ok().and_then(CpuNumber::new),
    }
}

/// `CPUTIMES`: the CPU is up and its times are stored.
const DONE: i16 = 0;
/// `CPUTIMES`: the CPU is down, or not one of this node.
const NOT_UP: i16 = 1;

pub(crate) fn CPUTIMES(a: args::CPUTIMES) -> i16 {
    let cpu = asking(|node| {
        let own_node = a
            .sysid
            .is_none_or(|number| number == -1 || i64::from(number) == i64::from(node.own().phandle.node));
        let cpu = cpu_given(node, a.cpu).filter(|_| own_node)?;
        node.is_up(cpu).unwrap_or(false).then_some(cpu)
    });
    let Some(cpu) = cpu else { return NOT_UP };
    let ticks = ticks(cpu);
    entry::put(a.total_time, ticks_us(ticks.busy + ticks.idle + ticks.interrupt));
    entry::put(a.cpu_process_busy, ticks_us(ticks.busy));
    entry::put(a.cpu_interrupt, ticks_us(ticks.interrupt));
    entry::put(a.cpu_idle, ticks_us(ticks.idle));
    DONE
}
