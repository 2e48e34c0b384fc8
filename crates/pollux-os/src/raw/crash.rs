//! Handlers of the fatal signals. They mark the registered life pages, so that a watcher knows of a crash
//! before the kernel has written a core dump, and then let the process die as it would have.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use super::page::Page;

const FATAL_SIGNALS: [libc::c_int; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// What was installed before us, per fatal signal. Written before the handler that reads it is installed.
static PREVIOUS: [OnceLock<libc::sigaction>; FATAL_SIGNALS.len()] = [const { OnceLock::new() }; 5];

/// Called in the handler: async-signal-safe code only.
static MARK: OnceLock<fn()> = OnceLock::new();

/// Installs the handlers, once per process; `mark` runs in them and must be async-signal-safe.
pub(crate) fn install(mark: fn()) -> io::Result<()> {
    if MARK.set(mark).is_err() {
        return Ok(());
    }
    for (&signal, previous) in FATAL_SIGNALS.iter().zip(&PREVIOUS) {
        let mut old = MaybeUninit::<libc::sigaction>::zeroed();
        // JUSTIFICATION: a crash can be seen from inside only by a signal handler, and there is no safe way
        // to install one for the fatal signals.
        // SAFETY: all pointers are valid; all-zero is a valid `sigaction`; the handler has the signature that
        // SA_SIGINFO asks for and calls nothing that is not async-signal-safe. SA_ONSTACK lets it run after a
        // stack overflow, on the stack that std gives each thread.
        unsafe {
            if libc::sigaction(signal, ptr::null(), old.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let _ = previous.set(old.assume_init());
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                on_fatal_signal;
            action.sa_sigaction = handler as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(signal, &raw const action, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

extern "C" fn on_fatal_signal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if let Some(mark) = MARK.get() {
        mark();
    }
    let slot = FATAL_SIGNALS.iter().position(|&fatal| fatal == signal);
    let previous = slot.and_then(|slot| PREVIOUS[slot].get());
    // JUSTIFICATION: the process must die of this very signal, so that parent and core dump tell the truth.
    // SAFETY: async-signal-safe calls with valid pointers; the kernel passes a valid `info` with SA_SIGINFO.
    unsafe {
        // A fault of our own code comes back when the instruction runs again: then the previous action (such
        // as the stack overflow message of std) sees it with its true context. A signal that was sent
        // does not come back, so it is sent again, to the default action.
        let is_fault = (*info).si_code > 0;
        if let (true, Some(previous)) = (is_fault, previous) {
            libc::sigaction(signal, previous, ptr::null_mut());
        } else {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}

/// Whether two references are the same page: the same page is registered once.
pub(crate) fn same_page(one: &Page, other: &Page) -> bool {
    ptr::eq(one, other)
}
