//! A verb from its bytes to its bytes.

use crate::callbacks::{self, Work};
use crate::memory::{Callback, Correlator, Stretch};
use pollux_domain::nof::engine::{Call, Completion, Effect, Output};
use pollux_domain::nof::layout::{Profile, structure};
use pollux_domain::nof::numbers as n;
use pollux_domain::nof::vcb::{self, Decoded, Verb};
use pollux_domaind::place;
use pollux_domaind::program::Program;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

/// AP_COMPLETED.
pub(crate) const COMPLETED: u16 = n::AP_COMPLETED;
/// Asynchronous verbs under way; one more is carried out before its call returns.
const UNDER_WAY_MAX: usize = 256;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// How `nof_async` was called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Async {
    /// Null: as `nof`.
    pub(crate) callback: Option<Callback>,
    /// Comes back with the end.
    pub(crate) token: Correlator,
}

/// One call of an entry point. Returns AP_COMPLETED or AP_IN_PROGRESS.
pub(crate) fn call(profile: Profile, target: u32, block: *mut c_void, how: Option<Async>) -> u16 {
    // A block that is null has nowhere to say so.
    let Some(head) = Stretch::new(block, HEADER_BYTES) else { return COMPLETED };
    let code = vcb::opcode(&head.get()).unwrap_or(0);
    let block = head.with_length(vcb::size_of(code, profile));
    let callback = how.and_then(|how| how.callback);
    let call = Call {
        callback: callback.map(callbacks::number),
        entry_async: how.is_some(),
        in_callback: callbacks::inside(),
        target,
    };
    let Some((callback, token)) = callback.zip(how.map(|how| how.token)) else {
        carry_out(profile, call, block);
        return COMPLETED;
    };
    let work = move || {
        let ended = catch_unwind(AssertUnwindSafe(|| carry_out_async(profile, call, block, callback, token)));
        if ended.is_err() {
            failed_in(block);
        }
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
        callbacks::hand(Work::Ended { callback, handle: target, block, token });
    };
    let count = UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    if count < UNDER_WAY_MAX && thread::Builder::new().name("nof verb".to_owned()).spawn(work).is_ok() {
        return n::AP_IN_PROGRESS;
    }
    UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    carry_out_async(profile, call, block, callback, token);
    COMPLETED
}

const HEADER_BYTES: usize = 12;

/// A verb that met a bug of ours: after a change nobody can tell whether it happened.
pub(crate) fn failed(block: *mut c_void) -> u16 {
    if let Some(head) = Stretch::new(block, HEADER_BYTES) {
        failed_in(head);
    }
    COMPLETED
}

fn failed_in(block: Stretch) {
    let mut bytes = block.with_length(HEADER_BYTES).get();
    bytes[4..6].copy_from_slice(&n::AP_UNEXPECTED_SYSTEM_ERROR.to_be_bytes());
    bytes[8..12].fill(0);
    block.put(&bytes);
}

fn program() -> &'static Arc<Program> {
    static PROGRAM: OnceLock<Arc<Program>> = OnceLock::new();
    PROGRAM.get_or_init(|| Arc::new(Program::new(place::of_program())))
}

fn carry_out_async(profile: Profile, call: Call, block: Stretch, callback: Callback, token: Correlator) {
    let (verb, completion) = carry_out(profile, call, block);
    if completion.primary != n::AP_OK {
        return;
    }
    match verb {
        Verb::Register(opcode) => callbacks::register(profile, call.target, opcode, callback, token),
        Verb::Unregister(opcode) => callbacks::unregister(call.target, opcode, callback),
        _ => {}
    }
}

fn carry_out(profile: Profile, call: Call, block: Stretch) -> (Verb, Completion) {
    let mut bytes = block.get();
    let Ok(mut decoded) = vcb::decode(profile, &bytes) else {
        // The block was read with the length of its own opcode.
        return (Verb::Unknown(0), completion(n::AP_INVALID_VERB));
    };
    let buffer = buffer(profile, &bytes, &mut decoded);
    let completion = program().execute(call, &decoded);
    start_indications();
    let mut entries = vec![0; buffer.map_or(0, |(_, used)| used)];
    if let (Output::Servers { page, .. } | Output::Nodes { page, .. }, Some((_, used))) =
        (&completion.output, buffer)
    {
        entries.truncate((page.bytes as usize).min(used));
    }
    if vcb::encode(profile, &mut bytes, &mut entries, &completion).is_ok() {
        if let Some((buffer, _)) = buffer {
            buffer.put(&entries);
        }
        block.put(&bytes);
    }
    if completion.primary == n::AP_OK && matches!(decoded.verb, Verb::CloseFile | Verb::DisconnectNode) {
        callbacks::forget(call.target);
    }
    (decoded.verb, completion)
}

/// The program's buffer of a list query, and how many bytes of it entries may fill at most. A query without a buffer only
/// counts.
fn buffer(profile: Profile, bytes: &[u8], decoded: &mut Decoded) -> Option<(Stretch, usize)> {
    /// No list of a domain has more entries.
    const ENTRIES_MAX: usize = 4_096;
    let (Verb::QuerySnaNet(list) | Verb::QueryNodeAll(list)) = &mut decoded.verb else { return None };
    let place = vcb::opcode(bytes).and_then(structure)?.place(profile, "buf_ptr")?;
    let address = bytes.get(place.offset..place.offset + place.size)?;
    let address = usize::from_ne_bytes(address.try_into().ok()?);
    let length = list.buffer as usize;
    match Stretch::new(address as *mut c_void, length) {
        Some(buffer) => Some((buffer, length.min(ENTRIES_MAX * list.entry_size))),
        None => {
            list.buffer = 0;
            None
        }
    }
}

fn completion(primary: u16) -> Completion {
    Completion { primary, secondary: 0, output: Output::None, effect: Effect::None }
}

/// Events are taken in from the first verb on: they also end handles whose target is gone.
fn start_indications() {
    if let Some(deliveries) = program().deliveries() {
        let work = move || {
            for delivery in deliveries {
                callbacks::hand(Work::Indicated(delivery));
            }
        };
        // Without the thread a program gets no indications; its verbs still return the right codes.
        drop(thread::Builder::new().name("nof deliveries".to_owned()).spawn(work));
    }
}
