//! What a program was started with: the startup, ASSIGN and PARAM messages (TNSC 3-72; CPG 19-3).

use crate::args;
use crate::entry::put;
use crate::memory::Buffer;
use crate::start::assign::{ASSIGN_BYTES, Assign};
use crate::start::{begin, messages};
use crate::stdio::glue;
use std::ptr::null_mut;

/// There is no such message, or no place for it.
const NONE: i16 = -1;

fn text(pointer: Option<*const u8>) -> Option<String> {
    glue::c_text(pointer?.cast())
}

/// Stores bytes, if there is a place.
fn store(to: Option<*mut u8>, bytes: &[u8]) -> Option<()> {
    let place = Buffer::new(to.unwrap_or(null_mut()).cast_const().cast(), bytes.len()).ok()?;
    place.put(bytes);
    Some(())
}

pub(crate) fn get_startup_msg(args: args::get_startup_msg) -> i32 {
    let message = begin::with_started(|started| started.messages.startup.clone());
    if message.is_empty() || store(args.startup, &message).is_none() {
        return i32::from(NONE);
    }
    put(args.length, message.len() as i64);
    0
}

pub(crate) fn get_assign_msg(args: args::get_assign_msg) -> i16 {
    let ordinal = usize::try_from(args.ordinal.unwrap_or(0)).unwrap_or(0);
    let message = ordinal.checked_sub(1).and_then(|at| assigns().into_iter().nth(at));
    match message.and_then(|message| store(args.message, &message[..ASSIGN_BYTES])) {
        Some(()) => 0,
        None => NONE,
    }
}

pub(crate) fn get_assign_msg_by_name(args: args::get_assign_msg_by_name) -> i16 {
    let Some(name) = text(args.name) else { return NONE };
    let is_it = |message: &Vec<u8>| {
        Assign::decode(message).is_some_and(|assign| assign.logical.eq_ignore_ascii_case(&name))
    };
    let Some((at, message)) = assigns().into_iter().enumerate().find(|(_, message)| is_it(message)) else {
        return NONE;
    };
    match store(args.message, &message[..ASSIGN_BYTES]) {
        Some(()) => at as i16 + 1,
        None => NONE,
    }
}

pub(crate) fn get_max_assign_msg_ordinal(_: args::get_max_assign_msg_ordinal) -> i16 {
    assigns().len() as i16
}

fn assigns() -> Vec<Vec<u8>> {
    begin::with_started(|started| started.messages.assigns.clone())
}

fn params() -> Vec<(String, String)> {
    begin::with_started(|started| messages::decode_params(&started.messages.params)).unwrap_or_default()
}

pub(crate) fn get_param_by_name(args: args::get_param_by_name) -> i32 {
    let Some(name) = text(args.name) else { return i32::from(NONE) };
    let found = params().into_iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    let stored = found.and_then(|(_, value)| {
        store_text(args.value, &value, args.maxlen)?;
        Some(value.len() as i32)
    });
    stored.unwrap_or(i32::from(NONE))
}

pub(crate) fn get_param_by_index(args: args::get_param_by_index) -> i32 {
    let index = usize::try_from(args.index.unwrap_or(0)).unwrap_or(0);
    let found = index.checked_sub(1).and_then(|at| params().into_iter().nth(at));
    let stored = found.and_then(|(name, value)| {
        store_text(args.name, &name, None)?;
        store_text(args.value, &value, args.maxlen)?;
        Some(value.len() as i32)
    });
    stored.unwrap_or(i32::from(NONE))
}

/// Stores a text that ends with a null byte, as far as there is room.
fn store_text(to: Option<*mut u8>, text: &str, room: Option<i32>) -> Option<()> {
    let room = room.map_or(text.len() + 1, |room| usize::try_from(room).unwrap_or(0));
    let mut bytes = text.as_bytes().to_vec();
    bytes.truncate(room.saturating_sub(1));
    bytes.push(0);
    bytes.truncate(room);
    store(to, &bytes)
}
