//! Life pages: how one process knows of the death of another before the kernel has freed its memory.
//!
//! The owner's speaking thread locks a robust mutex in a sealed memfd and never unlocks it. When the thread
//! dies, for whatever reason, the kernel marks the mutex and wakes a waiter *before* it tears down the address
//! space, so the notice takes a tenth of a millisecond whatever the process size.
//!
//! ```text
//!  owner                    kernel                    watchers (one thread each)
//!  hold() ------------------ word = thread id          word |= WAITERS; futex_wait
//!  killed ----------------> word = WAITERS|OWNER_DIED
//!                           wakes ONE waiter --------> sees the mark, wakes all the others, rings its bell
//! ```
//!
//! Invariant: a watcher says "dead" only when the thread that held the page can execute nothing more, or
//! gave the lock away, which no honest owner does. Before the owner holds the page, and when the page holds
//! nonsense, it says "not dead": then the pidfd is the proof.
//!
//! Exec counts as death, with one gap: when the holding thread itself calls exec and is not the first thread
//! of its process, the kernel gives it the first thread's id before it walks the robust list, does not
//! recognise the lock and tells nobody. Its close-on-exec sockets close all the same.
//!
//! What it does not do: it does not fence. Other threads of a killed process may be inside a system call for
//! a few microseconds more.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::thread::futex;

use crate::doorbell::Doorbell;
use crate::poller::timespec;
use crate::raw::crash;
use crate::raw::page::{self, Mapping, Page, TID_MASK};

/// Life pages of one process that a crash can mark.
pub const CRASH_PAGES_MAX: usize = 64;

/// A waiter looks again at this interval even if nobody woke it: the belt to the kernel's braces.
const RECHECK_MS: u64 = 500;

/// A watch thread only waits and rings.
const WATCH_STACK_BYTES: usize = 64 * 1024;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// What a process is handling at this instant, for the finding of requests that kill. The meaning of the
/// numbers is the owner's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// What kind of thing; zero is nothing.
    pub kind: u32,
    /// First number, such as the opener.
    pub a: u64,
    /// Second number, such as the sync id.
    pub b: u64,
}

/// The owner's side: "as long as I hold this, I can speak".
///
/// The page stays mapped until the process ends, also when this is dropped: a thread that holds it must not
/// lose the memory under its robust list.
pub struct LifePage {
    memfd: OwnedFd,
    page: &'static Page,
}

impl LifePage {
    /// A new page, held by nobody.
    pub fn create() -> io::Result<LifePage> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Without NOEXEC_SEAL newer kernels complain in their log; older ones do not know it.
        let memfd = match memfd_create("pollux-life", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create("pollux-life", flags)?,
            other => other?,
        };
        ftruncate(&memfd, rustix::param::page_size() as u64)?;
        fcntl_add_seals(&memfd, SEALS)?;
        let page = Mapping::new(&memfd)?.leak();
        page.version.store(page::VERSION, Ordering::Relaxed);
        page.magic.store(page::MAGIC, Ordering::Release);
        Ok(LifePage { memfd, page })
    }

    /// A descriptor of the page to pass on to a watcher.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.memfd.try_clone()
    }

    /// Makes the calling thread the owner until it ends; the thread that speaks for the process calls this.
    /// A page can be held once.
    pub fn hold(&self) -> io::Result<()> {
        let (new, taking) = (page::STATE_NEW, page::STATE_TAKING);
        if self.page.state.compare_exchange(new, taking, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "this life page is held by a thread already",
            ));
        }
        self.page.lock_for_ever()?;
        // Watchers that came early sleep on the state.
        wake_all(&self.page.state);
        Ok(())
    }

    /// Writes down what is being handled: three plain stores. A watcher that reads while the owner lives may
    /// see a mixture of two turns; after the death it sees the last one.
    pub fn set_turn(&self, turn: Turn) {
        self.page.turn_kind.store(turn.kind, Ordering::Relaxed);
        self.page.turn_a.store(turn.a, Ordering::Relaxed);
        self.page.turn_b.store(turn.b, Ordering::Relaxed);
    }

    /// Says that this process is about to die, and wakes the watchers. Async-signal-safe.
    pub fn mark_crash(&self) {
        mark(self.page);
    }

    /// Says that the speaking thread still gets to work.
    pub fn beat(&self) {
        self.page.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Marks this page when the process panics (before the message is printed; the panic hook in place is
    /// called after that) or gets SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT, and lets the process die as it
    /// would have. Any panic counts, also one that somebody catches: a process whose invariants broke is not
    /// to be trusted.
    pub fn install_crash_marks(&self) -> io::Result<()> {
        let registered =
            CRASH_PAGES.iter().any(|slot| crash::same_page(slot.get_or_init(|| self.page), self.page));
        if !registered {
            let text = format!("this process has {CRASH_PAGES_MAX} life pages with crash marks already");
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        crash::install(mark_all)?;
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                mark_all();
                previous(panic);
            }));
        });
        Ok(())
    }
}

impl std::fmt::Debug for LifePage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LifePage").field("memfd", &self.memfd).finish_non_exhaustive()
    }
}

/// Pages to mark in a crash. Slots are filled once and read with one atomic load, as a signal handler must.
static CRASH_PAGES: [OnceLock<&'static Page>; CRASH_PAGES_MAX] = [const { OnceLock::new() }; CRASH_PAGES_MAX];

fn mark_all() {
    for page in CRASH_PAGES.iter().map_while(OnceLock::get) {
        mark(page);
    }
}

fn mark(page: &Page) {
    page.crashed.store(1, Ordering::Release);
    if let Some(word) = page.held_word() {
        wake_all(word);
    }
}

fn wake_all(word: &std::sync::atomic::AtomicU32) {
    // Shared, not private: the waiters are in other processes. There is nothing to do if nobody waits.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX.cast_unsigned());
}

/// The watcher's side. Any number of watchers, in any process that was given the page.
pub struct LifeWatch {
    page: Mapping,
    dead: AtomicBool,
    retired: AtomicBool,
}

/// How long a watch thread rests when it has told of a death, before it ends.
const AFTER_RING: Duration = Duration::from_millis(10);

impl LifeWatch {
    /// Maps a page that somebody passed to us. Refused if it is not a sealed life page, since a peer that can
    /// shrink the file could kill the watcher.
    pub fn open(fd: OwnedFd) -> io::Result<LifeWatch> {
        let refuse =
            |text: &str| Err(io::Error::new(io::ErrorKind::InvalidData, format!("not a life page: {text}")));
        match fcntl_get_seals(&fd) {
            Ok(seals) if seals.contains(SEALS) => {}
            _ => return refuse("it is not sealed against changes of its size"),
        }
        if fstat(&fd)?.st_size != rustix::param::page_size() as i64 {
            return refuse("it is not one memory page long");
        }
        let page = Mapping::new(&fd)?;
        if page.magic.load(Ordering::Acquire) != page::MAGIC {
            return refuse("it has no life page in it");
        }
        if page.version.load(Ordering::Relaxed) != page::VERSION {
            return refuse("it is of another version");
        }
        Ok(LifeWatch { page, dead: AtomicBool::new(false), retired: AtomicBool::new(false) })
    }

    /// Whether the thread that held the page is proven dead. Once true it stays true.
    pub fn is_dead(&self) -> bool {
        if self.dead.load(Ordering::Relaxed) {
            return true;
        }
        let dead = self.page.held_word().is_some_and(|word| tells_death(word.load(Ordering::Acquire)));
        if dead {
            self.dead.store(true, Ordering::Relaxed);
        }
        dead
    }

    /// Waits for the death; true when proven. Returns false when the time is over, or after
    /// [`retire`](LifeWatch::retire).
    pub fn wait_for_death(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if self.noticed_death() {
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.retired.load(Ordering::Acquire) {
                return false;
            }
            self.sleep(left);
        }
    }

    /// What the owner was handling when last looked at.
    pub fn turn(&self) -> Turn {
        Turn {
            kind: self.page.turn_kind.load(Ordering::Relaxed),
            a: self.page.turn_a.load(Ordering::Relaxed),
            b: self.page.turn_b.load(Ordering::Relaxed),
        }
    }

    /// Whether the owner said that it is crashing. It may still be alive, writing its core dump.
    pub fn crashed(&self) -> bool {
        self.page.crashed.load(Ordering::Acquire) != 0
    }

    /// How often the owner has called [`LifePage::beat`].
    pub fn beats(&self) -> u64 {
        self.page.beats.load(Ordering::Relaxed)
    }

    /// Starts a thread that rings the bell when the owner is dead, and once before that if it marks a crash.
    /// The thread ends after the death, after [`retire`](LifeWatch::retire), or when nobody else has the bell.
    pub fn on_death(self: Arc<Self>, name: &str, bell: Arc<Doorbell>) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(WATCH_STACK_BYTES);
        thread.spawn(move || self.watch(&bell))?;
        Ok(())
    }

    /// Ends the waiting of all threads of this watch, for an owner that was never held or is of no interest.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        // Waiters of other processes on the same page look once and go back to sleep.
        wake_all(self.page.held_word().unwrap_or(&self.page.state));
    }

    fn watch(&self, bell: &Arc<Doorbell>) {
        let mut told_crash = false;
        while !self.is_dead() {
            if self.retired.load(Ordering::Acquire) || Arc::strong_count(bell) == 1 {
                return;
            }
            if self.crashed() && !told_crash {
                told_crash = true;
                bell.ring();
            }
            self.sleep(None);
        }
        bell.ring();
        self.wake_the_others();
        // The end of a thread costs the processor some 75 microseconds: not now, the takeover is under way on it.
        std::thread::sleep(AFTER_RING);
    }

    fn noticed_death(&self) -> bool {
        let dead = self.is_dead();
        if dead {
            self.wake_the_others();
        }
        dead
    }

    /// The kernel wakes one waiter only; whoever sees the death wakes the others before it goes on.
    fn wake_the_others(&self) {
        if let Some(word) = self.page.held_word() {
            wake_all(word);
        }
    }

    /// Sleeps until the page changes, someone wakes us, or it is time to look again.
    fn sleep(&self, left: Option<Duration>) {
        let recheck = Duration::from_millis(RECHECK_MS);
        let timeout = timespec(left.map_or(recheck, |left| left.min(recheck)));
        let result = match self.page.held_word() {
            None => {
                let state = self.page.state.load(Ordering::Acquire);
                if state == page::STATE_HELD && self.page.held_word().is_some() {
                    return;
                }
                futex::wait(&self.page.state, futex::Flags::empty(), state, Some(&timeout))
            }
            Some(word) => {
                let seen = word.load(Ordering::Acquire);
                if tells_death(seen) {
                    return;
                }
                // Without this flag the kernel would not wake anybody when the owner dies.
                let waiting = seen | futex::WAITERS;
                if seen != waiting
                    && word.compare_exchange(seen, waiting, Ordering::AcqRel, Ordering::Relaxed).is_err()
                {
                    return;
                }
                futex::wait(word, futex::Flags::empty(), waiting, Some(&timeout))
            }
        };
        if let Err(errno) = result
            && !matches!(errno, Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT)
        {
            // Not known to happen; without the pause it would be a busy loop.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl std::fmt::Debug for LifeWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LifeWatch").field("is_dead", &self.is_dead()).finish_non_exhaustive()
    }
}

/// The kernel sets the flag when the owner dies. A word without owner was unlocked, which is a broken promise:
/// that process counts as dead, too.
fn tells_death(word: u32) -> bool {
    word & futex::OWNER_DIED != 0 || word & TID_MASK == 0
}
