//! One wait of the run-time: what is looked at before it, and who takes in what it tells.

use crate::files::FileKind;
use crate::runtime::Runtime;
use crate::waits::{Ready, Source};
use pollux::binding::Link;
use pollux_os::{Event, Interest, Registry};
use pollux_wire::OpenId;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Links that are closed and still have words to send; at the limit the oldest is dropped, which means the same to its
/// server once this process ends.
const CLOSING_LINKS_MAX: usize = 256;

/// Turns in a row in which answers that are there already are taken in without a system call for what else there may be.
const UNASKED_MAX: u32 = 16;

/// What a socket waits for; urgent input is input.
fn wanted(input: bool, output: bool) -> Interest {
    match (input, output) {
        (true, true) => Interest::READ_WRITE | Interest::URGENT,
        (true, false) => Interest::READ | Interest::URGENT,
        _ => Interest::WRITE,
    }
}

impl Runtime {
    /// Where descriptors are registered.
    pub(crate) fn registry(&self) -> Registry {
        self.waits.registry()
    }

    /// Waits for the world, at most so long, and takes in what it says. A server in the same processor may have answered a
    /// request before it has even been waited for: with `may_skip` the poller is then not asked, a few times in a row. False
    /// if it was not.
    pub(crate) fn poll(&mut self, timeout: Option<Duration>, may_skip: bool) -> bool {
        let room = usize::try_from(self.message_limits[0]).unwrap_or(0);
        self.server.listen(room);
        let (mut links, mut always) = (std::mem::take(&mut self.links_with_news), Vec::new());
        let registry = self.registry();
        for (_, file) in self.files.iter_mut() {
            match &mut file.kind {
                FileKind::Process(process) => {
                    if process.prepare_wait() {
                        links.push(file.serial);
                    }
                }
                FileKind::Other(other) => {
                    if let Some((fd, interest)) = other.waits_for() {
                        let source = Source::File(file.serial);
                        if file.watched.set(&registry, source, fd, interest).is_err() {
                            always.push(source);
                        }
                    }
                }
                FileKind::Socket(socket) => {
                    let source = Source::File(file.serial);
                    let (input, output) = socket.queue.interest();
                    let mut wanted = (input || output).then(|| wanted(input, output));
                    if socket.held.is_some() {
                        // What is held stays ready: only changes are news, and what is posted is tried once without any.
                        wanted = wanted.map(|wanted| wanted | Interest::EDGE);
                        if (input || output) && std::mem::take(&mut socket.is_untried) {
                            always.push(source);
                        }
                    }
                    if let Some(fd) = &socket.descriptor
                        && file.watched.set(&registry, source, fd.as_fd(), wanted).is_err()
                    {
                        always.push(source);
                    }
                }
                FileKind::Receive => {}
            }
        }
        links.extend(self.sockets.prepare_wait());
        for (_, link) in &mut self.closing {
            link.prepare_wait();
        }
        let interest = if self.daemon.is_blocked() { Interest::READ_WRITE } else { Interest::READ };
        let watched = self.daemon_watched.set(&registry, Source::Daemon, self.daemon.as_fd(), Some(interest));
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        let opens = self.server.look_at_rings();
        // What openers send is read together with what the poller tells: a CLOSE comes before what was sent after it.
        let only_links = !links.is_empty() && opens.is_empty() && always.is_empty();
        if may_skip && only_links && self.unasked < UNASKED_MAX {
            self.unasked += 1;
            self.ready = ready;
            self.take_in(links, opens);
            return false;
        }
        self.unasked = 0;
        let has_news = !opens.is_empty() || !links.is_empty() || !always.is_empty();
        let timeout = if has_news { Some(Duration::ZERO) } else { timeout };
        if watched.is_err() || self.waits.wait(timeout, &mut ready).is_err() {
            self.node_lost();
        }
        for source in always {
            let event = Event { token: source.token(), readable: true, writable: true, closed: false };
            ready.push(Ready { source, event });
        }
        self.now = Instant::now();
        self.ready = ready;
        self.take_in(links, opens);
        true
    }

    fn take_in(&mut self, mut links: Vec<u64>, mut opens: Vec<OpenId>) {
        let mut daemon = false;
        let ready = std::mem::take(&mut self.ready);
        for Ready { source, event } in &ready {
            match source {
                Source::Daemon => daemon = true,
                Source::Link(serial) => {
                    self.note_link(*serial, event.token);
                    links.push(*serial);
                }
                Source::Path(open) => {
                    if self.server.note_path(*open, event) {
                        opens.push(*open);
                    }
                }
                Source::Ring(open) => {
                    if self.server.note_ring(*open) {
                        opens.push(*open);
                    }
                }
                Source::Lingering => self.server.flush_lingering(),
                Source::File(serial) => {
                    let at = self.tick();
                    match self.kind_of(*serial) {
                        Some(FileKind::Other(other)) => other.note_ready(*event),
                        Some(FileKind::Socket(socket)) => {
                            socket.queue.handle_ready(event.readable, event.writable, at);
                        }
                        _ => {}
                    }
                }
            }
        }
        self.ready = ready;
        links.sort_unstable();
        links.dedup();
        for serial in links.drain(..) {
            self.pump_link(serial);
        }
        self.links_with_news = links;
        self.read_paths(opens);
        // Last: what a dead process had sent comes before the word of its death.
        if daemon {
            self.read_daemon();
        }
    }

    /// What the open file with this serial number is.
    pub(crate) fn kind_of(&mut self, serial: u64) -> Option<&mut FileKind> {
        let number = *self.numbers.get(&serial)?;
        self.files.get_mut(number).ok().map(|file| &mut file.kind)
    }

    fn closing_link(&mut self, serial: u64) -> Option<&mut Link> {
        self.closing.iter_mut().find(|(of, _)| *of == serial).map(|(_, link)| link)
    }

    fn note_link(&mut self, serial: u64, token: u64) {
        if let Some(process) = self.process_of(serial) {
            process.note_event(token);
        } else if let Some(link) = self.closing_link(serial) {
            link.note_event(token);
        }
    }

    fn pump_link(&mut self, serial: u64) {
        let now = self.now;
        if let Some(process) = self.process_of(serial) {
            process.pump(now);
        } else if let Some(link) = self.closing_link(serial) {
            link.pump();
        }
    }

    /// A closed link sends what it still has to say while the program does other things.
    pub(crate) fn let_close(&mut self, serial: u64, link: Link) {
        if link.has_unsent() {
            if self.closing.len() >= CLOSING_LINKS_MAX {
                self.closing.remove(0);
            }
            self.closing.push((serial, link));
        }
    }
}
