//! What is known of processes and pairs (Guardian Procedure Calls, `PROCESS_GETINFO_`, `PROCESS_GETINFOLIST_`,
//! `PROCESS_GETPAIRINFO_`).

use crate::args;
use crate::entry;
use crate::guardian::attributes::{self, Attribute, BadSearch, Subject, user_word};
use crate::guardian::file_name::{FileName, Object};
use crate::guardian::handle;
use crate::guardian::node::Node;
use crate::guardian::pair_info::{self, PairInfo, Question};
use crate::guardian::parameters::{self, TextPlace};
use crate::guardian::usage;
use crate::guardian::words::Words;
use crate::memory::{self, BAD_ADDRESS};
use crate::node::{Asking, asking};
use pollux_wire::control::ProcessFacts;
use pollux_wire::{CpuNumber, FileError, NodeName, Phandle, Pin, ProcessName};

/// Microseconds of a tick in `/proc`: the kernel shows 100 a second to programs whatever it counts itself.
pub(super) const TICK_US: i64 = 10_000;

/// The return values of the `GETINFO` family, with the detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i16,
    pub(super) detail: i16,
}

impl Refusal {
    /// 2.
    pub(super) fn parameter(number: i16) -> Self {
        Self { code: 2, detail: number }
    }

    /// 3.
    pub(super) fn bounds(number: i16) -> Self {
        Self { code: 3, detail: number }
    }

    /// 4.
    pub(super) const NO_SUCH_PROCESS: Self = Self { code: 4, detail: 0 };
    /// 6.
    pub(super) const NODE_UNREACHABLE: Self = Self { code: 6, detail: 0 };

    /// What a question to the node failed with: 5 if its CPU cannot be reached, else 1.
    pub(super) fn of_node(error: FileError) -> Self {
        match error {
            FileError::PATH_DOWN => Self { code: 5, detail: error.0 as i16 },
            FileError(number) => Self { code: 1, detail: number as i16 },
        }
    }

    /// What a parameter with this number failed with.
    pub(super) fn of_parameter(number: i16, error: FileError) -> Self {
        match error {
            BAD_ADDRESS => Self::bounds(number),
            parameters::BUFFER_TOO_SMALL => Self { code: 1, detail: error.0 as i16 },
            _ => Self::parameter(number),
        }
    }
}

/// Gives the return value and stores the detail.
pub(super) fn finish(result: Result<(), Refusal>, detail: Option<*mut i16>) -> i16 {
    match result {
        Ok(()) => {
            parameters::put_word(detail, 0);
            0
        }
        Err(refusal) => {
            parameters::put_word(detail, refusal.detail);
            refusal.code
        }
    }
}

pub(crate) fn PROCESS_GETINFO_(a: args::PROCESS_GETINFO_) -> i16 {
    let detail = a.error_detail;
    finish(asking(|node| get_info(node, &a)), detail)
}

fn get_info(node: &Asking<'_>, a: &args::PROCESS_GETINFO_) -> Result<(), Refusal> {
    let given = parameters::handle(a.processhandle).map_err(|error| Refusal::of_parameter(1, error))?;
    let subject = subject(node, given.unwrap_or(node.own().phandle))?;
    let facts = &subject.facts;
    let put = |number: i16, place: TextPlace, text: &str| {
        place.put(text).map_err(|error| Refusal::of_parameter(number, error))
    };
    let place = TextPlace { to: a.proc_fname, maxlen: a.proc_fname_maxlen, length: a.proc_fname_len };
    put(2, place, &subject.descriptor)?;
    parameters::put_word(a.priority, i16::from(facts.priority));
    parameters::put_handle(a.moms_processhandle, facts.mom);
    let place = TextPlace { to: a.hometerm, maxlen: a.hometerm_maxlen, length: a.hometerm_len };
    put(6, place, &facts.home_terminal)?;
    entry::put(a.process_time, subject.processor_us);
    parameters::put_word(a.creator_access_id, user_word(facts.uid));
    parameters::put_word(a.process_access_id, user_word(facts.uid));
    // No process of Pollux is the ancestor of a job.
    parameters::put_handle(a.gmoms_processhandle, None);
    parameters::put_word(a.jobid, facts.job as i16);
    let place = TextPlace { to: a.program_file, maxlen: a.program_maxlen, length: a.program_len };
    put(13, place, &facts.program)?;
    let place = TextPlace { to: a.swap_file, maxlen: a.swap_maxlen, length: a.swap_len };
    put(15, place, "")?;
    parameters::put_word(a.proc_type, 0);
    entry::put(a.oss_pid, i64::from(facts.pid));
    Ok(())
}

/// Everything about a process.
fn subject(node: &Asking<'_>, phandle: Phandle) -> Result<Subject, Refusal> {
    if phandle.node != node.own().phandle.node {
        return Err(Refusal::NODE_UNREACHABLE);
    }
    let facts = node.facts(phandle).map_err(Refusal::of_node)?.ok_or(Refusal::NO_SUCH_PROCESS)?;
    subject_of(node, facts)
}

fn subject_of(node: &Asking<'_>, facts: ProcessFacts) -> Result<Subject, Refusal> {
    let phandle = facts.phandle;
    let record = match &facts.name {
        Some(name) => node.record(name).map_err(Refusal::of_node)?,
        None => None,
    };
    let own = node.own();
    let descriptor = handle::descriptor(phandle, facts.name.as_ref(), &own.node, true).to_string();
    let moms_descriptor = match facts.mom {
        Some(mom) => node.descriptor_of(mom).map_err(Refusal::of_node)?,
        None => String::new(),
    };
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", facts.pid)).unwrap_or_default();
    let usage = usage::read_stat(&stat).unwrap_or_default();
    let processor_us = match phandle == own.phandle {
        true => super::time::process_time_us(),
        false => i64::try_from(usage.processor_ticks).unwrap_or(i64::MAX).saturating_mul(TICK_US),
    };
    let primary = record.is_some_and(|record| record.primary == phandle);
    Ok(Subject { facts, descriptor, moms_descriptor, primary, usage, processor_us })
}

pub(crate) fn PROCESS_GETINFOLIST_(a: args::PROCESS_GETINFOLIST_) -> i16 {
    let result = asking(|node| get_info_list(node, &a));
    let told = result.map(|found| Refusal { code: 0, detail: found }).unwrap_or_else(|refusal| refusal);
    parameters::put_word(a.error_detail, told.detail);
    told.code
}

/// How `PROCESS_GETINFOLIST_` looks for processes.
const EXACT: i16 = 0;
const FIRST_MATCH: i16 = 1;
const ALL_MATCHES: i16 = 2;
const BY_OSS_PID: i16 = 3;

/// Gives the error detail: how many processes a search has found, else 0.
fn get_info_list(node: &Asking<'_>, a: &args::PROCESS_GETINFOLIST_) -> Result<i16, Refusal> {
    parameters::put_word(a.ret_values_len, 0);
    let codes = word_list(a.ret_attr_list, a.ret_attr_count, 5)?;
    let attributes = codes.iter().map(|code| attribute(*code)).collect::<Result<Vec<_>, _>>()?;
    let to = parameters::place(a.ret_values_list).map_err(|error| Refusal::of_parameter(7, error))?;
    let room = a.ret_values_maxlen.and_then(|words| usize::try_from(words).ok());
    let room = room.ok_or(Refusal::parameter(8))?;
    if let Some(text) = text_of(a.nodename, a.nodename_length, 3)? {
        let name = NodeName::new(&text).map_err(|_| Refusal::parameter(3))?;
        if name != node.own().node {
            return Err(Refusal::NODE_UNREACHABLE);
        }
    }
    let mut values = Words::default();
    let put = |values: &mut Words, subject: &Subject| {
        for attribute in &attributes {
            attributes::put(values, *attribute, subject);
        }
    };
    match a.srch_option.unwrap_or(EXACT) {
        EXACT => put(&mut values, &exact(node, a)?),
        BY_OSS_PID => put(&mut values, &by_pid(node, a.oss_pid.ok_or(Refusal::parameter(16))?)?),
        FIRST_MATCH | ALL_MATCHES => return search(node, a, to, room, &put),
        _ => return Err(Refusal { code: 12, detail: 11 }),
    }
    store(to, room, &values, a.ret_values_len)?;
    Ok(0)
}

fn store(to: *mut i16, room: usize, values: &Words, length: Option<*mut i16>) -> Result<(), Refusal> {
    if values.len() > room {
        return Err(Refusal::of_parameter(7, parameters::BUFFER_TOO_SMALL));
    }
    let words: Vec<i16> = values.as_slice().iter().map(|word| *word as i16).collect();
    memory::put_words(to, &words);
    parameters::put_word(length, words.len() as i16);
    Ok(())
}

fn attribute(code: i16) -> Result<Attribute, Refusal> {
    Attribute::from_code(code).ok_or(Refusal {
        code: match code {
            _ if attributes::is_for_searches(code) => 16,
            _ if attributes::is_auxiliary(code) => 14,
            _ => 11,
        },
        detail: code,
    })
}

/// The process with the handle, in the place, or the caller.
fn exact(node: &Asking<'_>, a: &args::PROCESS_GETINFOLIST_) -> Result<Subject, Refusal> {
    let given = parameters::handle(a.processhandle).map_err(|error| Refusal::of_parameter(4, error))?;
    if let Some(phandle) = given {
        return subject(node, phandle);
    }
    if let Some(pid) = a.oss_pid.filter(|pid| *pid > 0) {
        return by_pid(node, pid);
    }
    match (a.cpu, a.pin) {
        (None, None) => subject(node, node.own().phandle),
        (cpu, pin) => {
            let (cpu, pin) = place(node, cpu, pin)?;
            let facts = node.place(cpu, pin, false).map_err(Refusal::of_node)?;
            subject_of(node, facts.ok_or(Refusal::NO_SUCH_PROCESS)?)
        }
    }
}

/// A CPU and a pin; the caller's CPU if none is given.
fn place(node: &Asking<'_>, cpu: Option<i16>, pin: Option<*mut i16>) -> Result<(CpuNumber, Pin), Refusal> {
    let cpu = match cpu.unwrap_or(-1) {
        -1 => node.own().phandle.cpu,
        number => u8::try_from(number).ok().and_then(CpuNumber::new).ok_or(Refusal::parameter(1))?,
    };
    let pin = parameters::place(pin).and_then(|pin| memory::word(pin));
    let pin = pin.map_err(|error| Refusal::of_parameter(2, error))?;
    Ok((cpu, Pin(pin as u16)))
}

fn by_pid(node: &Asking<'_>, pid: i32) -> Result<Subject, Refusal> {
    let (up, _) = node.cpus().map_err(Refusal::of_node)?;
    for cpu in (0..16).filter(|cpu| up & 1 << cpu != 0).filter_map(CpuNumber::new) {
        let mut from = Some(Pin(0));
        while let Some(pin) = from {
            let Some(facts) = node.place(cpu, pin, true).map_err(Refusal::of_node)? else { break };
            if i64::from(facts.pid) == i64::from(pid) {
                return subject_of(node, facts);
            }
            from = facts.phandle.pin.0.checked_add(1).map(Pin);
        }
    }
    Err(Refusal::NO_SUCH_PROCESS)
}

/// `FIRST_MATCH` and `ALL_MATCHES`: from the pin on, in one CPU. The pin is set to where the next search begins, or -1.
fn search(
    node: &Asking<'_>,
    a: &args::PROCESS_GETINFOLIST_,
    to: *mut i16,
    room: usize,
    put: &dyn Fn(&mut Words, &Subject),
) -> Result<i16, Refusal> {
    let conditions = search_conditions(a)?;
    let (cpu, asked) = place(node, a.cpu, a.pin)?;
    let all = a.srch_option == Some(ALL_MATCHES);
    let mut values = Words::default();
    let mut from = (asked.0 != u16::MAX).then_some(asked);
    let mut found = 0;
    let mut first = None;
    while let Some(pin) = from {
        let Some(facts) = node.place(cpu, pin, true).map_err(Refusal::of_node)? else {
            from = None;
            break;
        };
        let next = facts.phandle.pin.0.checked_add(1).map(Pin);
        if conditions.iter().all(|condition| condition.holds(&facts)) {
            let at = facts.phandle.pin;
            let mut more = values.clone();
            put(&mut more, &subject_of(node, facts)?);
            if found > 0 && more.len() > room {
                break;
            }
            values = more;
            found += 1;
            first.get_or_insert(at);
        }
        from = next;
        if found > 0 && !all {
            break;
        }
    }
    // The end is told with the last process, not by a search that finds nothing.
    if let Some(pin) = from
        && node.place(cpu, pin, true).map_err(Refusal::of_node)?.is_none()
    {
        from = None;
    }
    parameters::put_word(a.pin, from.map_or(-1, |pin| pin.0 as i16));
    let Some(first) = first else { return Err(Refusal { code: 7, detail: 0 }) };
    store(to, room, &values, a.ret_values_len)?;
    if first != asked && !all {
        return Err(Refusal { code: 4, detail: found });
    }
    Ok(found)
}

fn search_conditions(a: &args::PROCESS_GETINFOLIST_) -> Result<Vec<attributes::Condition>, Refusal> {
    let Some(list) = a.srch_attr_list else { return Ok(Vec::new()) };
    let codes = word_list(Some(list), a.srch_attr_count, 12)?;
    let values = match a.srch_values_list {
        Some(values) => word_list(Some(values), a.srch_values_len, 14)?,
        None => Vec::new(),
    };
    attributes::conditions(&codes, &values).map_err(|bad| match bad {
        BadSearch::Code(code) => Refusal { code: 9, detail: code },
        BadSearch::Value(code) => Refusal { code: 10, detail: code },
    })
}

/// A list of words and, in the parameter after it, how many there are.
fn word_list(from: Option<*mut i16>, count: Option<i16>, number: i16) -> Result<Vec<i16>, Refusal> {
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or(Refusal::parameter(number + 1))?;
    let from = parameters::place(from).map_err(|error| Refusal::of_parameter(number, error))?;
    memory::words(from, count).map_err(|error| Refusal::of_parameter(number, error))
}

fn text_of(from: Option<*const u8>, length: Option<i16>, number: i16) -> Result<Option<String>, Refusal> {
    parameters::text(from, length).map_err(|error| Refusal::of_parameter(number, error))
}

pub(crate) fn PROCESS_GETPAIRINFO_(a: args::PROCESS_GETPAIRINFO_) -> i16 {
    let result = asking(|node| get_pair_info(node, &a));
    let refusal = result.err().unwrap_or(Refusal { code: 0, detail: 0 });
    parameters::put_word(a.error_detail, refusal.detail);
    result.unwrap_or(refusal.code)
}

fn get_pair_info(node: &Asking<'_>, a: &args::PROCESS_GETPAIRINFO_) -> Result<i16, Refusal> {
    /// `<13>` to `<15>`: names that are reserved (there are none), the caller's node for a partial name (there is only
    /// that one), I/O processes (there are none).
    const OPTIONS: i16 = 7;
    if a.options.unwrap_or(0) & !OPTIONS != 0 {
        return Err(Refusal::parameter(9));
    }
    let own = node.own();
    if let Some(text) = text_of(a.search_nodename, a.search_nodename_length, 8)? {
        let name = NodeName::new(&text).map_err(|_| Refusal::parameter(8))?;
        if name != own.node {
            return Ok(pair_info::NODE_UNREACHABLE);
        }
    }
    let question = match pair_question(a, &own.node)? {
        Some(question) => question,
        None => return Ok(pair_info::NODE_UNREACHABLE),
    };
    // A record that cannot be asked for is one that cannot be reached.
    let Ok(PairInfo { code, record }) = pair_info::pair_info(node, &question) else {
        return Ok(pair_info::NODE_UNREACHABLE);
    };
    let Some(record) = record else { return Ok(code) };
    // 1 is no return value here: a place that is too small is a parameter error.
    let put = |number: i16, place: TextPlace, text: &str| match place.put(text) {
        Err(BAD_ADDRESS) => Err(Refusal::bounds(number)),
        stored => stored.map_err(|_| Refusal::parameter(number)),
    };
    let name = handle::descriptor(record.primary, Some(&record.name), &own.node, true).to_string();
    put(2, TextPlace { to: a.pair, maxlen: a.pair_maxlen, length: a.pair_length }, &name)?;
    parameters::put_handle(a.primary_processhandle, Some(record.primary));
    parameters::put_handle(a.backup_processhandle, record.backup);
    if let Question::After(_) = question {
        entry::put(a.search_index, i64::from(pair_info::search_index(&record.name)));
    }
    parameters::put_handle(a.ancst_processhandle, record.ancestor);
    let place = TextPlace { to: a.ancst, maxlen: a.ancst_maxlen, length: a.ancst_length };
    if place.is_wanted() {
        let ancestor = match record.ancestor.map(|ancestor| node.descriptor_of(ancestor)) {
            Some(Ok(ancestor)) => ancestor,
            Some(Err(_)) => return Ok(pair_info::NODE_UNREACHABLE),
            None => String::new(),
        };
        put(10, place, &ancestor)?;
    }
    Ok(code)
}

/// Which pair the call is about; none for one on another node.
///
/// A name in `pair` counts as given if `pair_length` says how long it is and it begins as a name does: callers that want
/// to be told about themselves pass the same parameters with whatever is in them.
fn pair_question(a: &args::PROCESS_GETPAIRINFO_, own: &NodeName) -> Result<Option<Question>, Refusal> {
    if let Some(index) = a.search_index {
        let index = entry::get(index).map_err(|error| Refusal::of_parameter(6, error))?;
        let index = i32::try_from(index).map_err(|_| Refusal::parameter(6))?;
        let after = pair_info::name_of_index(index).map_err(|_| Refusal::parameter(6))?;
        return Ok(Some(Question::After(after)));
    }
    let given = parameters::handle(a.processhandle).map_err(|error| Refusal::of_parameter(1, error))?;
    if let Some(phandle) = given {
        return Ok(Some(Question::Of(phandle)));
    }
    let (Some(pair), Some(maxlen), Some(length)) = (a.pair, a.pair_maxlen, a.pair_length) else {
        return Ok(Some(Question::Own));
    };
    let length = memory::word(length).map_err(|error| Refusal::of_parameter(3, error))?;
    if !(1..=maxlen).contains(&length) {
        return Ok(Some(Question::Own));
    }
    let text = match memory::text(pair.cast_const().cast(), length) {
        Ok(text) if text.starts_with(['$', '\\']) => text,
        Err(BAD_ADDRESS) => return Err(Refusal::bounds(2)),
        _ => return Ok(Some(Question::Own)),
    };
    let name = FileName::parse(&text).map_err(|_| Refusal::parameter(2))?;
    if name.node.as_ref().is_some_and(|node| node != own) {
        return Ok(None);
    }
    match name.object {
        Object::Named { name, sequence, .. } => {
            let name = ProcessName::new(&name).map_err(|_| Refusal::parameter(2))?;
            Ok(Some(Question::Named(name, sequence)))
        }
        _ => Err(Refusal::parameter(2)),
    }
}
