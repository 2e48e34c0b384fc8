//! Process handles and the names of processes and nodes (Guardian Procedure Calls, `PROCESSHANDLE_...`,
//! `FILENAME_TO_PROCESSHANDLE_`, `PROCESSNAME_CREATE_`, `NODENUMBER_TO_NODENAME_`, `NODENAME_TO_NODENUMBER_`).

use crate::args;
use crate::entry;
use crate::guardian::file_name::{FileName, Object};
use crate::guardian::handle;
use crate::guardian::node::{Node, OWN_NODE_OMITTED};
use crate::guardian::parameters::{self, BAD_VALUE, NO_SUCH_NODE, TextPlace};
use crate::memory;
use crate::node::{Asking, asking};
use pollux_wire::control::{Answer, Query};
use pollux_wire::{FileError, NodeName, Phandle, ProcessName};

/// The logical device number of the own node.
const LOCAL_DEVICE: i64 = 32_767;
/// Options `<15>`.
const OPTION_15: i16 = 1;

pub(crate) fn PROCESSHANDLE_GETMINE_(a: args::PROCESSHANDLE_GETMINE_) -> Result<(), FileError> {
    let to = parameters::place(a.processhandle)?;
    asking(|node| memory::put_phandle(to, Some(node.own().phandle)));
    Ok(())
}

pub(crate) fn PROCESSHANDLE_NULLIT_(a: args::PROCESSHANDLE_NULLIT_) -> i16 {
    match parameters::place(a.processhandle) {
        Ok(to) => {
            memory::put_phandle(to, None);
            0
        }
        Err(error) => error.0 as i16,
    }
}

pub(crate) fn PROCESSHANDLE_COMPARE_(a: args::PROCESSHANDLE_COMPARE_) -> i16 {
    let words = |from: Option<*mut i16>| {
        let words = parameters::place(from).and_then(|from| memory::words(from, 10));
        let words = words.unwrap_or_else(|_| entry::trap("PROCESSHANDLE_COMPARE_ without a process handle"));
        std::array::from_fn(|at| words[at] as u16)
    };
    handle::compare(words(a.processhandle1), words(a.processhandle2))
}

pub(crate) fn PROCESSHANDLE_DECOMPOSE_(a: args::PROCESSHANDLE_DECOMPOSE_) -> Result<(), FileError> {
    let phandle = parameters::handle(a.processhandle)?.ok_or(BAD_VALUE)?;
    asking(|node| {
        parameters::put_word(a.cpu, i16::from(phandle.cpu.get()));
        parameters::put_word(a.pin, phandle.pin.0 as i16);
        entry::put(a.nodenumber, i64::from(phandle.node));
        entry::put(a.sequence_number, phandle.sequence as i64);
        let place = TextPlace { to: a.nodename, maxlen: a.nodename_maxlen, length: a.nodename_length };
        if place.is_wanted() {
            match node_name(node, phandle.node) {
                Some(name) => place.put(name.as_str())?,
                None => {
                    place.put(&handle::unknown_node(phandle.node))?;
                    return Err(NO_SUCH_NODE);
                }
            }
        }
        let place = TextPlace { to: a.procname, maxlen: a.procname_maxlen, length: a.procname_length };
        if place.is_wanted() {
            let name = node.name_of(phandle).inspect_err(|_| parameters::put_word(a.procname_length, 0))?;
            place.put(name.as_ref().map_or("", ProcessName::as_str))?;
        }
        Ok(())
    })
}

pub(crate) fn PROCESSHANDLE_TO_FILENAME_(a: args::PROCESSHANDLE_TO_FILENAME_) -> Result<(), FileError> {
    let place = TextPlace { to: a.filename, maxlen: a.maxlen, length: a.filename_length };
    parameters::put_word(a.filename_length, 0);
    let options = a.options.unwrap_or(0);
    if options & !OPTION_15 != 0 {
        return Err(BAD_VALUE);
    }
    let given = parameters::handle(a.processhandle)?;
    asking(|node| {
        let own = node.own();
        let phandle = given.unwrap_or(own.phandle);
        let name = node.name_of(phandle)?;
        match node_name(node, phandle.node) {
            Some(on) => {
                let with_sequence = options & OPTION_15 == 0;
                place.put(&handle::descriptor(phandle, name.as_ref(), &on, with_sequence).to_string())
            }
            None => {
                let local = handle::descriptor(phandle, name.as_ref(), &own.node, true).to_string();
                let rest = local.split_once('.').map_or("", |(_, rest)| rest);
                place.put(&format!("{}.{rest}", handle::unknown_node(phandle.node)))?;
                Err(NO_SUCH_NODE)
            }
        }
    })
}

pub(crate) fn PROCESSHANDLE_TO_STRING_(a: args::PROCESSHANDLE_TO_STRING_) -> Result<(), FileError> {
    let place = TextPlace { to: a.process_string, maxlen: a.maxlen, length: a.length };
    parameters::put_word(a.length, 0);
    let form = a.named_form.unwrap_or(0);
    let phandle = parameters::handle(a.processhandle)?.ok_or(BAD_VALUE)?;
    let viewer = match parameters::text(a.nodename, a.nodename_length)? {
        Some(text) => Some(NodeName::new(&text).map_err(|_| FileError::BAD_NAME)?),
        None => None,
    };
    asking(|node| {
        let name = match form {
            0 => node.name_of(phandle).unwrap_or(None),
            1 => Some(node.name_of(phandle)?.ok_or(FileError::NO_SUCH_PROCESS)?),
            2 => None,
            _ => return Err(BAD_VALUE),
        };
        let on = node_name(node, phandle.node).ok_or(NO_SUCH_NODE)?;
        let shown = (viewer.as_ref() != Some(&on)).then_some(&on);
        place.put(&handle::process_string(phandle, name.as_ref(), shown))
    })
}

pub(crate) fn FILENAME_TO_PROCESSHANDLE_(a: args::FILENAME_TO_PROCESSHANDLE_) -> Result<(), FileError> {
    let to = parameters::place(a.processhandle)?;
    let text = parameters::text(a.filename, a.length)?.ok_or(FileError::BAD_NAME)?;
    let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
    let phandle = asking(|node| process_named(node, &name))?;
    memory::put_phandle(to, Some(phandle));
    Ok(())
}

/// The process with a name: the primary of a pair.
pub(super) fn process_named(node: &Asking<'_>, name: &FileName) -> Result<Phandle, FileError> {
    let own = node.own();
    if name.node.as_ref().is_some_and(|on| *on != own.node) {
        return Err(NO_SUCH_NODE);
    }
    match &name.object {
        Object::Named { name, sequence, .. } => {
            // A device has a longer name than any process.
            let name = ProcessName::new(name).map_err(|_| FileError::NO_SUCH_PROCESS)?;
            let record = node.record(&name)?.ok_or(FileError::NO_SUCH_PROCESS)?;
            match sequence {
                Some(sequence) if *sequence != record.primary.sequence => Err(FileError::NO_SUCH_PROCESS),
                _ => Ok(record.primary),
            }
        }
        Object::Unnamed { cpu, pin, sequence, .. } => {
            let process = node.place(*cpu, *pin, false)?.ok_or(FileError::NO_SUCH_PROCESS)?;
            if process.phandle.sequence == *sequence {
                Ok(process.phandle)
            } else {
                Err(FileError::NO_SUCH_PROCESS)
            }
        }
        Object::Disk { .. } | Object::Temporary { .. } => Err(FileError::NO_SUCH_PROCESS),
    }
}

pub(crate) fn PROCESSNAME_CREATE_(a: args::PROCESSNAME_CREATE_) -> Result<(), FileError> {
    let place = TextPlace { to: a.name, maxlen: a.maxlen, length: a.namelen };
    parameters::put_word(a.namelen, 0);
    let (name_type, options) = (a.name_type.unwrap_or(0), a.options.unwrap_or(0));
    if !(0..=1).contains(&name_type) || options & !OPTION_15 != 0 {
        return Err(BAD_VALUE);
    }
    let on = parameters::text(a.nodename, a.nodename_length)?;
    asking(|node| {
        let own = node.own();
        if let Some(on) = on {
            let on = NodeName::new(&on).map_err(|_| FileError::BAD_NAME)?;
            if on != own.node {
                return Err(FileError::PATH_DOWN);
            }
        }
        let name = match node.ask(Query::NewName { long: name_type == 1 })? {
            Answer::NewName { name } => name,
            Answer::Done { error } if !error.is_ok() => return Err(error),
            _ => return Err(FileError::PATH_DOWN),
        };
        match options & OPTION_15 {
            0 => place.put(&format!("{}.{name}", own.node)),
            _ => place.put(name.as_str()),
        }
    })
}

pub(crate) fn NODENUMBER_TO_NODENAME_(a: args::NODENUMBER_TO_NODENAME_) -> Result<(), FileError> {
    let place = TextPlace { to: a.nodename, maxlen: a.maxlen, length: a.nodename_length };
    parameters::put_word(a.nodename_length, 0);
    asking(|node| {
        let number = match a.nodenumber.unwrap_or(OWN_NODE_OMITTED) {
            OWN_NODE_OMITTED => node.own().phandle.node,
            number => u32::try_from(number).map_err(|_| BAD_VALUE)?,
        };
        match node_name(node, number) {
            Some(name) => {
                entry::put(a.ldevnum, LOCAL_DEVICE);
                place.put(name.as_str())
            }
            None => {
                place.put(&handle::unknown_node(number))?;
                Err(NO_SUCH_NODE)
            }
        }
    })
}

pub(crate) fn NODENAME_TO_NODENUMBER_(a: args::NODENAME_TO_NODENUMBER_) -> Result<(), FileError> {
    let text = parameters::text(a.nodename, a.length)?;
    asking(|node| {
        let own = node.own();
        if let Some(text) = text {
            let name = NodeName::new(text.trim_end()).map_err(|_| FileError::BAD_NAME)?;
            if name != own.node {
                return Err(NO_SUCH_NODE);
            }
        }
        entry::put(a.nodenumber, i64::from(own.phandle.node));
        entry::put(a.ldevnum, LOCAL_DEVICE);
        Ok(())
    })
}

/// The name of a node by its number, if that is known here.
fn node_name(node: &Asking<'_>, number: u32) -> Option<NodeName> {
    let own = node.own();
    (own.phandle.node == number).then_some(own.node)
}
