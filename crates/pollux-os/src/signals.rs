//! Signals as readable descriptors, so that one poller hears everything and no code runs in a handler.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// Readable when a child stopped, went on or ended (SIGCHLD). Which one is asked with [`reap`](crate::reap);
/// several children may share one ring.
#[derive(Debug)]
pub struct ChildSignals {
    pipe: SignalPipe,
}

impl ChildSignals {
    /// Starts to listen.
    pub fn new() -> io::Result<ChildSignals> {
        let mut pipe = SignalPipe::new()?;
        pipe.ring_on(SIGCHLD)?;
        Ok(ChildSignals { pipe })
    }

    /// Takes all rings; true if there were any. Call it before [`reap`](crate::reap), or a change in between
    /// is not heard.
    pub fn drain(&self) -> bool {
        self.pipe.drain()
    }
}

impl AsFd for ChildSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.reader.as_fd()
    }
}

/// Readable when somebody asked this process to end: SIGTERM, SIGINT or SIGHUP.
#[derive(Debug)]
pub struct StopSignals {
    pipe: SignalPipe,
    arrived: [(i32, Arc<AtomicBool>); 3],
}

impl StopSignals {
    /// Starts to listen; the signals no longer end the process by themselves.
    pub fn new() -> io::Result<StopSignals> {
        let mut pipe = SignalPipe::new()?;
        let arrived = [SIGTERM, SIGINT, SIGHUP].map(|signal| (signal, Arc::new(AtomicBool::new(false))));
        for (signal, flag) in &arrived {
            // The flag first: actions run in the order of registration, and the ring must not overtake it.
            pipe.registered.push(signal_hook::flag::register(*signal, Arc::clone(flag))?);
            pipe.ring_on(*signal)?;
        }
        Ok(StopSignals { pipe, arrived })
    }

    /// The number of a signal that arrived and was not yet taken; SIGTERM before SIGINT before SIGHUP.
    pub fn take(&self) -> Option<i32> {
        self.pipe.drain();
        let taken = self.arrived.iter().find(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        let signal = taken.map(|(signal, _)| *signal);
        if self.arrived.iter().any(|(_, flag)| flag.load(Ordering::SeqCst)) {
            self.pipe.ring();
        }
        signal
    }
}

impl AsFd for StopSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.reader.as_fd()
    }
}

/// The self-pipe of a set of signals; dropping it ends the registration.
#[derive(Debug)]
struct SignalPipe {
    reader: UnixStream,
    writer: UnixStream,
    registered: Vec<SigId>,
}

impl SignalPipe {
    fn new() -> io::Result<SignalPipe> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(SignalPipe { reader, writer, registered: Vec::new() })
    }

    fn ring_on(&mut self, signal: i32) -> io::Result<()> {
        let writer = self.writer.try_clone()?;
        self.registered.push(signal_hook::low_level::pipe::register(signal, writer)?);
        Ok(())
    }

    fn drain(&self) -> bool {
        let mut bytes = [0; 64];
        let mut any = false;
        while matches!(rustix::io::read(&self.reader, &mut bytes), Ok(taken) if taken > 0) {
            any = true;
        }
        any
    }

    fn ring(&self) {
        // A full pipe is readable already.
        let _ = rustix::io::write(&self.writer, &[0]);
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
