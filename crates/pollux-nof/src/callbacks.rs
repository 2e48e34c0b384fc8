//! Callbacks: one thread calls them, one after the other, so that a program's callbacks never run at the same time.

use crate::memory::{Callback, Correlator, Stretch, call_with};
use pollux_domain::nof::engine::{Delivery, Indication};
use pollux_domain::nof::layout::Profile;
use pollux_domain::nof::{numbers as n, vcb};
use std::cell::Cell;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is inside of a callback.
pub(crate) fn inside() -> bool {
    INSIDE.get()
}

/// A callback that was registered.
#[derive(Debug, Clone, Copy)]
struct Registered {
    handle: u32,
    opcode: u16,
    callback: Callback,
    token: Correlator,
    profile: Profile,
}

static REGISTERED: Mutex<Vec<Registered>> = Mutex::new(Vec::new());

/// The number by which the session knows a callback.
pub(crate) fn number(callback: Callback) -> u64 {
    callback as usize as u64
}

/// A registration has succeeded.
pub(crate) fn register(profile: Profile, handle: u32, opcode: u16, callback: Callback, token: Correlator) {
    let mut all = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(Registered { handle, opcode, callback, token, profile });
}

/// A registration has ended.
pub(crate) fn unregister(handle: u32, opcode: u16, callback: Callback) {
    let mut all = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let same =
        |it: &Registered| (it.handle, it.opcode, number(it.callback)) == (handle, opcode, number(callback));
    if let Some(found) = all.iter().position(same) {
        all.remove(found);
    }
}

/// A handle is closed.
pub(crate) fn forget(handle: u32) {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| it.handle != handle);
}

/// Work for the thread.
pub(crate) enum Work {
    /// An asynchronous verb has ended; its block is written.
    Ended { callback: Callback, handle: u32, block: Stretch, token: Correlator },
    /// An indication.
    Indicated(Delivery),
}

/// Hands work to the thread; the first starts it.
pub(crate) fn hand(work: Work) {
    static THREAD: OnceLock<Option<Mutex<Sender<Work>>>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (send, works) = channel();
        let call = move || {
            INSIDE.set(true);
            works.iter().for_each(carry_out);
        };
        thread::Builder::new().name("nof callbacks".to_owned()).spawn(call).ok()?;
        Some(Mutex::new(send))
    });
    if let Some(thread) = thread {
        // The thread ends with the process.
        drop(thread.lock().unwrap_or_else(PoisonError::into_inner).send(work));
    }
}

fn carry_out(work: Work) {
    match work {
        Work::Ended { callback, handle, block, token } => block.call(callback, handle, token),
        Work::Indicated(delivery) => {
            if let Some(found) = find(&delivery) {
                let mut block = vcb::indication(found.profile, &delivery.indication);
                call_with(found.callback, delivery.handle, &mut block, found.token);
            }
            if let Indication::Status { .. } = delivery.indication {
                forget(delivery.handle); // Its registrations are lost.
            }
        }
    }
}

fn find(delivery: &Delivery) -> Option<Registered> {
    let opcode = match delivery.indication {
        Indication::Backup { .. } => Some(n::AP_SNA_NET_INDICATION),
        Indication::Comment { .. } => Some(n::AP_CONFIG_INDICATION),
        Indication::Server { .. } => Some(n::AP_SERVER_INDICATION),
        // Never registered for: it goes to the first callback of the handle.
        Indication::Status { .. } => None,
    };
    let all = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |it: &&Registered| {
        it.handle == delivery.handle
            && number(it.callback) == delivery.callback
            && opcode.is_none_or(|opcode| opcode == it.opcode)
    };
    all.iter().find(fits).copied()
}
