//! Monitoring and losses (Guardian Procedure Calls, `MONITORCPUS`, `MONITORNET`, `MONITORNEW`, `OPENER_LOST_`,
//! `CHILD_LOST_`).

use super::process_info::Refusal;
use crate::args;
use crate::guardian::losses::{self, Loss, Told};
use crate::guardian::node::Node;
use crate::guardian::parameters;
use crate::memory::{self, Buffer};
use crate::node::asking;
use crate::runtime;
use pollux_wire::Phandle;

/// `OPENER_LOST_`: the table has been looked through.
const NO_MORE: i16 = 0;
/// `OPENER_LOST_`: the message does not speak of a loss of openers.
const IRRELEVANT_TO_OPENERS: i16 = 7;
/// `CHILD_LOST_`: the process is not lost.
const CHILD_LIVES: i16 = 0;
/// `CHILD_LOST_`: the process is lost.
const CHILD_LOST: i16 = 4;
/// `CHILD_LOST_`: the message does not speak of a loss of processes.
const IRRELEVANT_TO_CHILDREN: i16 = 5;
/// Words of an entry's two handles.
const ENTRY_WORDS_MIN: i16 = 20;

pub(crate) fn MONITORCPUS(a: args::MONITORCPUS) {
    monitor_cpus(a.cpu_mask);
}

pub(crate) fn PROCESS_MONITOR_CPUS_(a: args::PROCESS_MONITOR_CPUS_) {
    monitor_cpus(a.cpu_mask);
}

/// Each call replaces the mask.
fn monitor_cpus(mask: Option<i16>) {
    runtime::with(|runtime| runtime.monitored_cpus = mask.unwrap_or(0) as u16);
}

/// A node on its own has no others to hear of; messages about them are not made.
pub(crate) fn MONITORNET(_: args::MONITORNET) {}

pub(crate) fn PROCESS_MONITOR_NET_(_: args::PROCESS_MONITOR_NET_) {}

/// No process of the node sets its clock, so there is nothing to tell.
pub(crate) fn MONITORNEW(_: args::MONITORNEW) {}

pub(crate) fn OPENER_LOST_(a: args::OPENER_LOST_) -> i16 {
    opener_lost(&a).unwrap_or_else(|refusal| refusal.code)
}

fn opener_lost(a: &args::OPENER_LOST_) -> Result<i16, Refusal> {
    let loss = match read(a.message, a.length)? {
        Told::Loss(Loss::Process { .. }) | Told::Nothing => return Ok(IRRELEVANT_TO_OPENERS),
        Told::TooShort => return Err(Refusal::parameter(1)),
        Told::Loss(loss) => loss,
    };
    let table = parameters::place(a.table).map_err(|_| Refusal::bounds(2))?;
    let index = parameters::place(a.index).map_err(|_| Refusal::bounds(3))?;
    let entries = a.number_of_entries.filter(|count| *count >= 0).ok_or(Refusal::parameter(4))?;
    let size = a.entry_size.filter(|size| *size >= ENTRY_WORDS_MIN).ok_or(Refusal::parameter(5))?;
    let last = memory::word(index).map_err(|_| Refusal::bounds(3))?;
    if last < -1 {
        return Err(Refusal::parameter(3));
    }
    let own = asking(|node| node.own().phandle.node);
    for at in last + 1..entries {
        let entry = memory::words_behind(table, usize::from(at as u16) * usize::from(size as u16));
        let handle = |offset| read_handle(memory::words_behind(entry, offset));
        let (mut primary, mut backup) = (handle(0)?, handle(10)?);
        let Some(lost) = losses::lose_opener(loss, own, &mut primary, &mut backup) else { continue };
        memory::put_phandle(entry, primary);
        memory::put_phandle(memory::words_behind(entry, 10), backup);
        memory::put_word(index, at);
        return Ok(lost.code());
    }
    Ok(NO_MORE)
}

pub(crate) fn CHILD_LOST_(a: args::CHILD_LOST_) -> i16 {
    child_lost(&a).unwrap_or_else(|refusal| refusal.code)
}

fn child_lost(a: &args::CHILD_LOST_) -> Result<i16, Refusal> {
    let loss = match read(a.message, a.length)? {
        Told::Nothing => return Ok(IRRELEVANT_TO_CHILDREN),
        Told::TooShort => return Err(Refusal::parameter(1)),
        Told::Loss(loss) => loss,
    };
    let child = parameters::handle(a.processhandle).map_err(|error| Refusal::of_parameter(2, error))?;
    let child = child.ok_or(Refusal::parameter(2))?;
    let own = asking(|node| node.own().phandle);
    Ok(if loss.is_loss_of(child, own) { CHILD_LOST } else { CHILD_LIVES })
}

fn read(message: Option<*const u8>, length: Option<i16>) -> Result<Told, Refusal> {
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or(Refusal::parameter(1))?;
    let from = message.unwrap_or(std::ptr::null());
    let message = Buffer::new(from.cast(), length).map_err(|_| Refusal::bounds(1))?;
    Ok(losses::loss_of(&message.get()))
}

/// A handle of the table; what is no handle of Pollux belongs to nobody who can be lost.
fn read_handle(from: *mut i16) -> Result<Option<Phandle>, Refusal> {
    match memory::phandle(from) {
        Ok(phandle) => Ok(phandle),
        Err(memory::BAD_ADDRESS) => Err(Refusal::bounds(2)),
        Err(_) => Ok(None),
    }
}
