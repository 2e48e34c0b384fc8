//! Life pages held by the first thread of a process, which the test harness cannot give us.
//!
//! What breaks for a user if this fails: a single-threaded server holds its page from its main function; if
//! its death or its exec were not told, its backup would never take over.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use common::{DEADLINE, ROLE, as_role, next, say, start, stdin_fd};
use pollux_os::{Channel, LifePage, LifeWatch, Signal, reap, signal, socket_pair, wait_gone};

fn main() {
    if std::env::var(ROLE).is_ok() {
        return hold();
    }
    for order in ["", "exec"] {
        let (near, far) = socket_pair().unwrap();
        let victim = start(as_role("hold", far));
        let mut channel = Channel::new(near, 4096);
        let page = next(&mut channel).unwrap().2.remove(0);
        let watch = LifeWatch::open(page).unwrap();
        assert!(!watch.is_dead());
        match order {
            "exec" => say(&mut channel, 1, b"exec"),
            _ => signal(&victim.pidfd, Signal::KILL).unwrap(),
        }
        assert!(watch.wait_for_death(Some(DEADLINE)), "death by {order:?} is not told");
        if order == "exec" {
            assert!(!wait_gone(&victim.pidfd, Duration::ZERO).unwrap(), "the new program runs");
            signal(&victim.pidfd, Signal::KILL).unwrap();
        }
        assert!(wait_gone(&victim.pidfd, DEADLINE).unwrap());
        reap(&victim.pidfd, false).unwrap().unwrap();
    }
    println!("a page held by the first thread: ok");
}

fn hold() {
    assert_eq!(rustix::thread::gettid(), rustix::process::getpid());
    let mut channel = Channel::new(stdin_fd(), 4096);
    let page = LifePage::create().unwrap();
    page.hold().unwrap();
    channel.queue_with(1, vec![page.share().unwrap()], |_| {});
    let _ = channel.flush().unwrap();
    if next(&mut channel).is_some() {
        panic!("{}", Command::new("sleep").arg("1000").exec());
    }
}
