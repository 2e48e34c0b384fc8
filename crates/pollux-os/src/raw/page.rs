//! The bytes of a life page, its mapping, and the robust mutex whose death the kernel tells.
//!
//! ```text
//!    0  magic u64          32  beats u64        64  lock: a pthread_mutex_t, seen by
//!    8  version u32        40  turn a u64           watchers as 32-bit words; the one
//!   12  state u32          48  turn b u64           with the owner's thread id is
//!   16  futex word u32     56  turn kind u32        told by "futex word"
//!   20  crashed u32
//! ```
//!
//! Owner and watchers share the page between processes that do not trust each other's bytes: every field is
//! an atomic, and every number read from it is checked before use.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"PLXLIFE1");
pub(crate) const VERSION: u32 = 1;

/// Nobody holds the page yet.
pub(crate) const STATE_NEW: u32 = 0;
/// A thread is about to hold it.
pub(crate) const STATE_TAKING: u32 = 1;
/// A thread holds it as long as it lives.
pub(crate) const STATE_HELD: u32 = 2;

const LOCK_WORDS: usize = 32;

/// Room for the C library's mutex.
#[repr(C, align(64))]
pub(crate) struct Lock([AtomicU32; LOCK_WORDS]);

const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= size_of::<Lock>());
const _: () = assert!(align_of::<libc::pthread_mutex_t>() <= align_of::<Lock>());

#[repr(C)]
pub(crate) struct Page {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU32,
    pub(crate) state: AtomicU32,
    pub(crate) futex_word: AtomicU32,
    pub(crate) crashed: AtomicU32,
    reserved: AtomicU64,
    pub(crate) beats: AtomicU64,
    pub(crate) turn_a: AtomicU64,
    pub(crate) turn_b: AtomicU64,
    pub(crate) turn_kind: AtomicU32,
    lock: Lock,
}

const _: () = assert!(mem::offset_of!(Page, lock) == 64);

impl Page {
    /// The futex word of the mutex, if a thread holds it and the header points inside the lock.
    pub(crate) fn held_word(&self) -> Option<&AtomicU32> {
        if self.state.load(Ordering::Acquire) != STATE_HELD {
            return None;
        }
        self.lock.0.get(self.futex_word.load(Ordering::Relaxed) as usize)
    }

    /// Makes the calling thread the owner until it ends. The caller has moved the state to `STATE_TAKING`, so
    /// nobody else does this. `&'static`: the C library and the kernel keep pointers into the lock.
    pub(crate) fn lock_for_ever(&'static self) -> io::Result<()> {
        let mutex = (&raw const self.lock).cast_mut().cast::<libc::pthread_mutex_t>();
        // JUSTIFICATION: only the C library may edit the thread's robust list, and it offers that only through
        // pthread mutexes. No safe crate has robust process-shared ones.
        // SAFETY: the lock is large and aligned enough (asserted above), made of atomics (so writing through a
        // shared reference is allowed), lives for ever, and is initialised once, before its only use.
        unsafe {
            let mut attributes = mem::MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
            check(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST))?;
            check(libc::pthread_mutex_init(mutex, attributes.as_ptr()))?;
            check(libc::pthread_mutexattr_destroy(attributes.as_mut_ptr()))?;
            check(libc::pthread_mutex_trylock(mutex))?;
        }
        // Where the C library keeps the futex word is its secret; that it holds the owner's thread id is the
        // kernel's demand. The first such word is it: in glibc a copy of the owner follows behind.
        let thread = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
        let word = self.lock.0.iter().position(|word| word.load(Ordering::Relaxed) & TID_MASK == thread);
        let word =
            word.ok_or_else(|| io::Error::other("this C library keeps no thread id in a robust mutex"))?;
        self.futex_word.store(word as u32, Ordering::Relaxed);
        self.state.store(STATE_HELD, Ordering::Release);
        Ok(())
    }
}

/// The part of the futex word that names the owner; the rest is flags.
pub(crate) const TID_MASK: u32 = 0x3fff_ffff;

fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// A mapped life page, unmapped when dropped.
pub(crate) struct Mapping {
    start: NonNull<c_void>,
}

impl Mapping {
    /// Maps the first page of `memfd`. The caller has checked that the file is at least one memory page long
    /// and sealed against shrinking: otherwise reading it could kill us with SIGBUS.
    pub(crate) fn new(memfd: impl AsFd) -> io::Result<Mapping> {
        assert!(size_of::<Page>() <= rustix::param::page_size(), "a life page fits in a memory page");
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // JUSTIFICATION: memory shared between processes can only be had by mapping it.
        // SAFETY: the kernel chooses the address, so no memory of ours is replaced.
        let start = unsafe {
            mmap(ptr::null_mut(), rustix::param::page_size(), protection, MapFlags::SHARED, memfd, 0)?
        };
        let start =
            NonNull::new(start).ok_or_else(|| io::Error::other("life page mapped at address zero"))?;
        Ok(Mapping { start })
    }

    /// Keeps the page mapped until the process ends, which the owner's side needs: the kernel walks the robust
    /// list through it, and a crash handler writes to it, at moments nobody can foresee.
    pub(crate) fn leak(self) -> &'static Page {
        let page = self.start.cast::<Page>();
        mem::forget(self);
        // JUSTIFICATION: a reference is how safe code reaches the atomics in the mapping.
        // SAFETY: page-aligned, large enough, never unmapped from here on, and all fields are atomics, for
        // which every bit pattern is valid and which other processes may change.
        unsafe { page.as_ref() }
    }
}

impl Deref for Mapping {
    type Target = Page;

    fn deref(&self) -> &Page {
        // JUSTIFICATION: as in `leak`.
        // SAFETY: as in `leak`, and the borrow of the mapping keeps it from being unmapped.
        unsafe { self.start.cast::<Page>().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // JUSTIFICATION: what was mapped must be unmapped, or a daemon that watches many processes grows.
        // SAFETY: the mapping is ours and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr(), rustix::param::page_size()) };
    }
}

// JUSTIFICATION: a watch thread shares the mapping with the event loop.
// SAFETY: the mapping is only memory, reached through atomics.
unsafe impl Send for Mapping {}
// JUSTIFICATION: as for Send.
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}
