//! Measurements, not checks: `cargo test --release -p pollux-os --test measure -- --ignored --nocapture`.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{DEADLINE, ROLE, as_role, next, plain, say, start, stdin_fd};
use pollux_os::{
    Channel, Doorbell, Fill, Interest, LifePage, LifeWatch, Poller, Signal, processors_allowed, reap, signal,
    socket_pair, wait_gone,
};

/// What the child processes do.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut channel = Channel::new(stdin_fd(), 4096);
    match role.as_str() {
        "hold" => {
            let page = LifePage::create().unwrap();
            let memory = vec![1u8; std::env::var("MEMORY_MIB").unwrap().parse::<usize>().unwrap() << 20];
            page.hold().unwrap();
            channel.queue_with(1, vec![page.share().unwrap()], |_| {});
            let _ = channel.flush().unwrap();
            assert!(next(&mut channel).is_none());
            drop(memory);
        }
        "echo" => {
            let mut poller = Poller::new().unwrap();
            poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
            channel.set_stop_at_short_read(std::env::var("SHORT").is_ok());
            let mut body = Vec::new();
            loop {
                poller.wait(None).unwrap();
                let fill = channel.fill().unwrap();
                while let Some(frame) = channel.next_frame().unwrap() {
                    body.clear();
                    body.extend_from_slice(frame.body);
                    channel.queue(2, |out| out.extend_from_slice(&body));
                }
                let _ = channel.flush().unwrap();
                if fill == Fill::Closed {
                    return;
                }
            }
        }
        "raw" => {
            let socket = channel.into_fd();
            let mut poller = Poller::new().unwrap();
            poller.add(&socket, 0, Interest::READ).unwrap();
            let mut bytes = [0; 256];
            loop {
                poller.wait(None).unwrap();
                match rustix::io::read(&socket, &mut bytes) {
                    Ok(0) => return,
                    Ok(taken) => assert_eq!(rustix::io::write(&socket, &bytes[..taken]), Ok(taken)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        other => panic!("no role {other}"),
    }
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what:<50} p50 {:>9.1?} p99 {:>9.1?} n {}", at(0.5), at(0.99), times.len());
}

/// Victim on the first processor, we on the last, as Pollux places them.
fn placed(mut order: pollux_os::Launch) -> pollux_os::Launch {
    order.processors = Some(vec![processors_allowed().unwrap()[0]]);
    order
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let all = processors_allowed().unwrap();
    death_notices();
    launches();
    for placement in ["other processor", "same processor"] {
        let ours = if placement == "other processor" { all.last() } else { all.first() };
        pollux_os::bind_to(&[*ours.unwrap()]).unwrap();
        for _ in 0..2 {
            ping_pong(placement);
        }
        pollux_os::bind_to(&all).unwrap();
    }
}

fn death_notices() {
    let all = processors_allowed().unwrap();
    for (mebibytes, count) in [(0, 200), (1024, 15)] {
        let (mut bells, mut pidfds) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (near, far) = socket_pair().unwrap();
            let mut order = placed(as_role("hold", far));
            order.environment.push(("MEMORY_MIB".into(), mebibytes.to_string().into()));
            let process = start(order);
            pollux_os::bind_to(&[*all.last().unwrap()]).unwrap();
            let mut channel = Channel::new(near, 4096);
            let page = next(&mut channel).unwrap().2.remove(0);
            let watch = Arc::new(LifeWatch::open(page).unwrap());
            let bell = Arc::new(Doorbell::new().unwrap());
            watch.on_death("watch", Arc::clone(&bell)).unwrap();
            let mut poller = Poller::new().unwrap();
            poller.add(&bell, 0, Interest::READ).unwrap();
            // Lets the watch thread get to sleep: this is a measurement.
            std::thread::sleep(Duration::from_millis(2));
            let start = Instant::now();
            signal(&process.pidfd, Signal::KILL).unwrap();
            assert_eq!(poller.wait(Some(DEADLINE)).unwrap().len(), 1);
            bells.push(start.elapsed());
            assert!(wait_gone(&process.pidfd, DEADLINE).unwrap());
            pidfds.push(start.elapsed());
            reap(&process.pidfd, false).unwrap().unwrap();
            pollux_os::bind_to(&all).unwrap();
        }
        show(&format!("SIGKILL to bell, {mebibytes} MiB"), bells);
        show(&format!("SIGKILL to pidfd, {mebibytes} MiB"), pidfds);
    }
}

fn launches() {
    let run = |what: &str| {
        let times = (0..200).map(|_| {
            let order = plain("/bin/true", &[]);
            let begin = Instant::now();
            let process = start(order);
            let time = begin.elapsed();
            assert!(wait_gone(&process.pidfd, DEADLINE).unwrap());
            reap(&process.pidfd, false).unwrap().unwrap();
            time
        });
        show(what, times.collect());
    };
    run("launch()");
    let memory = std::hint::black_box(vec![1u8; 1 << 30]);
    run("launch() from a parent of 1 GiB");
    drop(memory);
}

fn ping_pong(placement: &str) {
    const ROUNDS: usize = 30_000;
    for short in [false, true] {
        let (near, far) = socket_pair().unwrap();
        let mut order = placed(as_role("echo", far));
        if short {
            order.environment.push(("SHORT".into(), "1".into()));
        }
        let process = start(order);
        let mut channel = Channel::new(near, 4096);
        channel.set_stop_at_short_read(short);
        let mut poller = Poller::new().unwrap();
        poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            say(&mut channel, 1, &[7; 64]);
            loop {
                poller.wait(None).unwrap();
                assert_eq!(channel.fill().unwrap(), Fill::Open);
                if let Some(frame) = channel.next_frame().unwrap() {
                    assert_eq!(frame.body.len(), 64);
                    break;
                }
            }
            times.push(begin.elapsed());
        }
        let shortcut = if short { ", short reads trusted" } else { "" };
        show(&format!("channel 64 B, {placement}{shortcut}"), times);
        drop(channel);
        wait_gone(&process.pidfd, DEADLINE).unwrap();
        reap(&process.pidfd, false).unwrap().unwrap();
    }

    let (near, far) = socket_pair().unwrap();
    let process = start(placed(as_role("raw", far)));
    let mut poller = Poller::new().unwrap();
    poller.add(&near, 0, Interest::READ).unwrap();
    let mut bytes = [0; 256];
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        assert_eq!(rustix::io::write(&near, &[7; 72]), Ok(72));
        poller.wait(None).unwrap();
        assert_eq!(rustix::io::read(&near, &mut bytes), Ok(72));
        times.push(begin.elapsed());
    }
    show(&format!("raw unix stream 72 B with epoll, {placement}"), times);
    drop(near);
    wait_gone(&process.pidfd, DEADLINE).unwrap();
    reap(&process.pidfd, false).unwrap().unwrap();
}
