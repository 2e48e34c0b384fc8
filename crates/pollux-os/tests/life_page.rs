//! Life pages, with real processes that die in every way. Here the holder is never the first thread of its
//! process, since the test harness runs each test in a thread of its own; `life_page_main.rs` has that case.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use common::{DEADLINE, ROLE, as_role, next, null, say, start, stdin_fd};
use pollux_os::{
    Channel, Doorbell, Interest, Launched, LifePage, LifeWatch, Poller, ProcessEvent, Signal, Turn, reap,
    signal, socket_pair, wait_gone,
};

const MEMORY_MIB: &str = "MEMORY_MIB";

/// What the child processes of these tests do: hold a page, send it to the test, and die as told.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut channel = Channel::new(stdin_fd(), 4096);
    let page = LifePage::create().unwrap();
    channel.queue_with(1, vec![page.share().unwrap()], |_| {});
    let _ = channel.flush().unwrap();
    let mut memory = Vec::new();
    if let Ok(mebibytes) = std::env::var(MEMORY_MIB) {
        memory.resize(mebibytes.parse::<usize>().unwrap() << 20, 1u8);
    }
    match role.as_str() {
        "hold" => page.hold().unwrap(),
        "new" => {}
        "marked" => {
            page.hold().unwrap();
            page.install_crash_marks().unwrap();
            page.install_crash_marks().unwrap();
        }
        "thread" => {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let page = Arc::new(page);
            let held = Arc::clone(&page);
            let (held_sender, held_receiver) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                held.hold().unwrap();
                held_sender.send(()).unwrap();
                let _ = stopped.recv();
            });
            held_receiver.recv().unwrap();
            // The page stays held although its owner is dropped.
            drop(page);
            say(&mut channel, 2, &[]);
            assert_eq!(next(&mut channel).unwrap().1, b"end the thread");
            drop(stop);
            assert!(next(&mut channel).is_none());
            return;
        }
        other => panic!("no role {other}"),
    }
    page.set_turn(Turn { kind: 3, a: 5, b: u64::MAX });
    page.beat();
    page.beat();
    say(&mut channel, 2, &[]);
    while let Some((_, order, _)) = next(&mut channel) {
        match order.as_slice() {
            b"hold" => {
                page.hold().unwrap();
                assert!(page.hold().is_err(), "held twice");
                say(&mut channel, 3, &[]);
            }
            b"panic" => {
                let _ = std::panic::catch_unwind(|| panic!("told to"));
            }
            b"overflow" => {
                overflow(1);
            }
            b"abort" => std::process::abort(),
            b"segv" => rustix::process::kill_process(rustix::process::getpid(), Signal::SEGV).unwrap(),
            other => panic!("no order {other:?}"),
        }
    }
    assert_ne!(memory.first(), Some(&0));
}

/// Runs into the guard page: the one true SIGSEGV that safe code can have.
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let space = std::hint::black_box([depth; 128]);
    overflow(depth + 1) + space[usize::from(depth as u8) % 128]
}

struct Victim {
    process: Launched,
    channel: Channel,
    watch: Arc<LifeWatch>,
}

fn victim_with(name: &str, change: impl FnOnce(&mut pollux_os::Launch)) -> Victim {
    let (near, far) = socket_pair().unwrap();
    let mut order = as_role(name, far);
    change(&mut order);
    let process = start(order);
    let mut channel = Channel::new(near, 4096);
    let (_, _, mut page) = next(&mut channel).expect("a page");
    let watch = Arc::new(LifeWatch::open(page.remove(0)).unwrap());
    next(&mut channel).expect("ready");
    Victim { process, channel, watch }
}

fn victim(name: &str) -> Victim {
    victim_with(name, |_| {})
}

impl Victim {
    fn kill(&self) {
        signal(&self.process.pidfd, Signal::KILL).unwrap();
    }

    fn end(&self) -> ProcessEvent {
        assert!(wait_gone(&self.process.pidfd, DEADLINE).unwrap(), "still alive");
        reap(&self.process.pidfd, false).unwrap().unwrap()
    }

    fn bell(&self) -> Arc<Doorbell> {
        let bell = Arc::new(Doorbell::new().unwrap());
        Arc::clone(&self.watch).on_death("watch", Arc::clone(&bell)).unwrap();
        bell
    }
}

fn rings(bell: &Doorbell, timeout: Duration) -> bool {
    let mut poller = Poller::new().unwrap();
    poller.add(bell, 1, Interest::READ).unwrap();
    let rang = !poller.wait(Some(timeout)).unwrap().is_empty();
    bell.quiet();
    rang
}

/// A backup that is not told of its primary's death never takes over.
#[test]
fn a_kill_is_told_to_the_watch_thread() {
    let victim = victim("hold");
    let bell = victim.bell();
    assert!(!victim.watch.is_dead());
    assert!(!victim.watch.wait_for_death(Some(Duration::from_millis(1))));
    assert!(!bell.quiet());
    assert_eq!(victim.watch.turn(), Turn { kind: 3, a: 5, b: u64::MAX });
    assert_eq!(victim.watch.beats(), 2);
    victim.kill();
    assert!(rings(&bell, DEADLINE));
    assert!(victim.watch.is_dead());
    assert!(victim.watch.wait_for_death(None));
    assert!(!victim.watch.crashed());
    // What it was doing when it died is how a request that kills is found.
    assert_eq!(victim.watch.turn(), Turn { kind: 3, a: 5, b: u64::MAX });
    victim.end();
}

/// A pair with a large heap would otherwise take over as slowly as the kernel frees memory.
#[test]
fn death_is_told_before_the_memory_is_freed() {
    // A machine that stalls the watcher for the length of the freeing can fool one try, hardly three.
    let told_first = (0..3).any(|_| {
        let victim = victim_with("hold", |order| order.environment.push((MEMORY_MIB.into(), "1024".into())));
        let bell = victim.bell();
        victim.kill();
        assert!(rings(&bell, DEADLINE));
        let gone = wait_gone(&victim.process.pidfd, Duration::ZERO).unwrap();
        victim.end();
        !gone
    });
    assert!(told_first);
}

/// A speaking thread that ended can never answer again, even if its process lives on.
#[test]
fn the_end_of_the_holding_thread_is_death() {
    let mut victim = victim("thread");
    assert!(!victim.watch.is_dead());
    say(&mut victim.channel, 1, b"end the thread");
    assert!(victim.watch.wait_for_death(Some(DEADLINE)));
    assert!(!wait_gone(&victim.process.pidfd, Duration::ZERO).unwrap());
    victim.kill();
    victim.end();
}

/// A stopped process may go on later; taking it for dead gives two primaries.
#[test]
fn a_stop_is_not_death() {
    let victim = victim("hold");
    let bell = victim.bell();
    signal(&victim.process.pidfd, Signal::STOP).unwrap();
    common::until("stopped", || {
        reap(&victim.process.pidfd, true).unwrap() == Some(ProcessEvent::Stopped(19))
    });
    assert!(!victim.watch.wait_for_death(Some(Duration::from_millis(20))));
    assert!(!bell.quiet());
    victim.kill();
    assert!(rings(&bell, DEADLINE));
    victim.end();
}

/// Watchers are the partner and the daemon; the kernel wakes one, and the others must hear of it as fast.
#[test]
fn all_watchers_are_told() {
    let victim = victim("hold");
    let watchers: Vec<_> = (0..8)
        .map(|_| {
            let watch = Arc::clone(&victim.watch);
            std::thread::spawn(move || watch.wait_for_death(Some(DEADLINE)))
        })
        .collect();
    let bells: Vec<_> = (0..8).map(|_| victim.bell()).collect();
    victim.kill();
    assert!(bells.iter().all(|bell| rings(bell, DEADLINE)));
    assert!(watchers.into_iter().all(|watcher| watcher.join().unwrap()));
    victim.end();
}

/// A process that has not yet taken its page is not dead: it would be fenced while it starts.
#[test]
fn a_page_that_nobody_holds_is_not_death() {
    let mut victim = victim("new");
    let bell = victim.bell();
    assert!(!victim.watch.is_dead());
    assert!(!victim.watch.wait_for_death(Some(Duration::from_millis(1))));
    say(&mut victim.channel, 1, b"hold");
    next(&mut victim.channel).expect("held");
    // The watch thread that slept on the new page hears of the death all the same.
    victim.kill();
    assert!(rings(&bell, DEADLINE));
    victim.end();

    // Killed before it held: the page cannot tell; the pidfd does. Retiring ends the watch thread.
    let victim = self::victim("new");
    let bell = victim.bell();
    victim.kill();
    victim.end();
    assert!(!victim.watch.is_dead());
    victim.watch.retire();
    common::until("the watch thread ended", || Arc::strong_count(&bell) == 1);
    assert!(!victim.watch.wait_for_death(None), "retired");
}

/// A crash that dumps core delays the kernel's notice; the mark is what shortens the outage.
#[test]
fn a_crash_is_marked() {
    for (order, end) in [("overflow", 6), ("abort", 6), ("segv", 11)] {
        let mut victim = victim("marked");
        let bell = victim.bell();
        assert!(!victim.watch.crashed());
        say(&mut victim.channel, 1, order.as_bytes());
        assert!(rings(&bell, DEADLINE));
        assert!(victim.watch.crashed(), "{order}");
        assert!(victim.watch.wait_for_death(Some(DEADLINE)));
        let ProcessEvent::Killed { signal, .. } = victim.end() else { panic!("{order}: not killed") };
        assert_eq!(signal, end, "{order}: the process dies of its own signal");
    }

    // A panic that is caught marks, rings and leaves the process alive.
    let mut victim = victim("marked");
    let bell = victim.bell();
    say(&mut victim.channel, 1, b"panic");
    assert!(rings(&bell, DEADLINE));
    assert!(victim.watch.crashed());
    assert!(!victim.watch.is_dead());
    victim.kill();
    assert!(victim.watch.wait_for_death(Some(DEADLINE)));
    victim.end();
}

/// A hostile peer could shrink an unsealed file under our eyes and kill the daemon with SIGBUS.
#[test]
fn only_sealed_life_pages_are_opened() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let page_bytes = rustix::param::page_size() as u64;
    let file = |bytes: u64, seals: SealFlags| -> OwnedFd {
        let fd = memfd_create("fake", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, bytes).unwrap();
        fcntl_add_seals(&fd, seals).unwrap();
        fd
    };
    let refused = |fd: OwnedFd| LifeWatch::open(fd).unwrap_err().to_string();
    assert!(refused(file(page_bytes, SealFlags::empty())).contains("sealed"));
    assert!(refused(file(page_bytes, SealFlags::GROW | SealFlags::SEAL)).contains("sealed"));
    assert!(refused(file(page_bytes * 2, all)).contains("one memory page"));
    assert!(refused(file(0, all)).contains("one memory page"));
    assert!(refused(file(page_bytes, all)).contains("no life page"));
    assert!(refused(null()).contains("sealed"));

    let page = LifePage::create().unwrap();
    assert!(!LifeWatch::open(page.share().unwrap()).unwrap().is_dead());
    assert!(ftruncate(page.share().unwrap(), 0).is_err());
}
