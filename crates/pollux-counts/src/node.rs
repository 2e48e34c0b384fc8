//! A pair and a requester in one thread, and the daemon that is played for them until the pair is whole and the open is there.

use crate::Result;
use pollux::binding::{Answer, Link};
use pollux::counts::Half;
use pollux::{Event, Input, Map, Opener, PairState, Request};
use pollux_os::{Channel, Poller, socket_pair};
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{CONTROL, OpenDetails, Recorded, StartAs, ToDaemon, ToProcess};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::path::IoType;
use pollux_wire::{CpuNumber, Epoch, NodeName, OpenId, Phandle, Pin, ProcessName, Wire as _};
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// So many turns of all loops are enough for whatever is played here.
const TURNS_MAX: usize = 10_000;
/// Entries of the table that a server keeps.
const TABLE_ENTRIES: u32 = 1024;
/// More than any time-out of a path: the clock of this process is slow under a profiler, and no half is to be taken for hung.
const NEVER_HUNG_MS: u32 = 0;

/// The control channel of a half, from the daemon's side.
struct Control {
    channel: Channel,
    /// Of the half, as it said when it attached.
    life_page: Option<OwnedFd>,
    /// An acceptor's end of its path, as the half wants one started.
    acceptor: Option<OwnedFd>,
}

impl Control {
    fn send(&mut self, message: &ToProcess, descriptors: Vec<OwnedFd>) -> Result<()> {
        self.channel.queue_with(CONTROL, descriptors, |out| message.put(out));
        // A control channel has room for the few messages of a start.
        let _ = self.channel.flush()?;
        Ok(())
    }

    fn take(&mut self) -> Result<Option<ToDaemon>> {
        // The half does not end while this one lives.
        let _ = self.channel.fill()?;
        let Some(frame) = self.channel.next_frame()? else { return Ok(None) };
        let message = pollux_wire::decode(frame.body)?;
        let mut descriptors = frame.descriptors.into_iter();
        match message {
            ToDaemon::Attach { .. } => self.life_page = descriptors.next(),
            ToDaemon::StartAcceptor { .. } => self.acceptor = descriptors.nth(1),
            _ => {}
        }
        Ok(Some(message))
    }
}

/// A half with the other end of its control channel.
struct Process {
    half: Half,
    control: Control,
}

impl Process {
    fn start(cpu: u8, pair: bool, start: StartAs, descriptors: Vec<OwnedFd>) -> Result<Self> {
        let (ours, theirs) = socket_pair()?;
        let channel = Channel::new(ours, CONTROL_BODY_BYTES_MAX);
        let mut control = Control { channel, life_page: None, acceptor: None };
        let welcome = ToProcess::Welcome {
            phandle: phandle(cpu),
            name: Some(ProcessName::new("$COUNT")?),
            node: NodeName::new("\\COUNT")?,
            start,
            program: ProgramSpec { pair, ..ProgramSpec::none() },
            mom: None,
            home_terminal: String::new(),
            hang_after_ms: NEVER_HUNG_MS,
        };
        control.send(&welcome, descriptors)?;
        let half = Half::attach(theirs)?;
        while control.take()?.is_some() && control.life_page.is_none() {}
        Ok(Self { half, control })
    }

    fn share_life_page(&self) -> Result<OwnedFd> {
        Ok(self
            .control
            .life_page
            .as_ref()
            .ok_or("a half has not said where its life page is")?
            .try_clone()?)
    }
}

/// A server, with a backup or without, and its requester.
pub struct Node {
    primary: Process,
    backup: Option<Process>,
    epoch: Epoch,
    table: Map<u32, Vec<u8>>,
    link: Link,
    poller: Poller,
}

impl Node {
    /// The pair is whole if it is one, the open is there, and all paths go through rings.
    pub fn start(pair: bool, outstanding: u16) -> Result<Self> {
        let epoch = Epoch(1);
        let mut primary = Process::start(0, pair, StartAs::Primary { epoch }, Vec::new())?;
        let table = primary.half.pair().map("table")?;
        let open = OpenId(1);
        let (server_end, requester_end) = socket_pair()?;
        let opener = Opener {
            phandle: phandle(2),
            name: None,
            uid: 0,
            sync_depth: outstanding,
            nowait_depth: outstanding,
            details: OpenDetails::default(),
        };
        primary.control.send(&ToProcess::NewPath { open, opener, again: false, epoch }, vec![server_end])?;
        let poller = Poller::new()?;
        let link = Link::new(poller.registry(), 0, open, requester_end, (outstanding, outstanding));
        let mut node = Self { primary, backup: None, epoch, table, link, poller };
        node.settle(pair)?;
        // Paths turn to rings when they have shown that they are used.
        for _ in 0..4 * 16 {
            node.request(&[0; 64], 1)?;
        }
        Ok(node)
    }

    fn settle(&mut self, pair: bool) -> Result<()> {
        let wanted = if pair { PairState::Paired } else { PairState::Single };
        for _ in 0..TURNS_MAX {
            let state = self.primary.half.pair().state();
            if state == wanted && matches!(self.link.opened(), Some(Ok(()))) {
                return Ok(());
            }
            while let Some(message) = self.primary.control.take()? {
                self.play_daemon(message)?;
            }
            self.turn_primary(false)?;
            self.turn_backup()?;
            self.link.prepare_wait();
            self.wake_requester()?;
        }
        Err(format!("the pair is {}, not {wanted}", self.primary.half.pair().state()).into())
    }

    /// What the daemon does for the primary.
    fn play_daemon(&mut self, message: ToDaemon) -> Result<()> {
        match message {
            ToDaemon::StartBackup { request, .. } => {
                let (primarys_end, backups_end) = socket_pair()?;
                let start = StartAs::Backup { epoch: self.epoch, primary: phandle(0) };
                let with = vec![backups_end, self.primary.share_life_page()?, no_pidfd()?];
                let backup = Process::start(1, true, start, with)?;
                let with = vec![primarys_end, backup.share_life_page()?, no_pidfd()?];
                let started = ToProcess::BackupStarted {
                    request,
                    backup: Some(phandle(1)),
                    error: 0,
                    detail: 0,
                    why: String::new(),
                };
                self.backup = Some(backup);
                self.primary.control.send(&started, with)
            }
            ToDaemon::Change { request, .. } => {
                self.epoch = self.epoch.next();
                let outcome = Recorded::Done { epoch: self.epoch };
                self.primary.control.send(&ToProcess::Recorded { request, outcome }, Vec::new())
            }
            _ => Ok(()),
        }
    }

    /// So many requests at once, each answered with its own bytes. With a backup the server stores them first.
    pub fn request(&mut self, payload: &[u8], count: usize) -> Result<()> {
        for _ in 0..count {
            self.link.start(IoType::WriteRead, payload.to_vec(), payload.len() as u32)?;
        }
        let mut answered = 0;
        for _ in 0..TURNS_MAX {
            self.link.prepare_wait();
            self.turn_primary(self.backup.is_some())?;
            if self.backup.is_some() {
                self.turn_backup()?;
                self.turn_primary(true)?;
            }
            self.wake_requester()?;
            while let Some((_, Answer { error, payload: reply })) = self.link.take_any_answer() {
                if !error.is_ok() || reply != payload {
                    return Err(format!("a request was answered with error {error}").into());
                }
                answered += 1;
            }
            if answered == count {
                return Ok(());
            }
        }
        Err("a request is not answered".into())
    }

    /// Makes the pair listen; the acceptor's end of its path, and the listener's address.
    pub(crate) fn listen(&mut self) -> Result<(OwnedFd, SocketAddr)> {
        let address = self.primary.half.pair().listen("127.0.0.1:0")?.local_address()?;
        while self.primary.control.take()?.is_some() {}
        Ok((self.primary.control.acceptor.take().ok_or("no acceptor is asked for")?, address))
    }

    /// Runs the primary until it would wait; how often the program was handed input of connections.
    pub fn turn_primary(&mut self, stores: bool) -> Result<usize> {
        self.primary.half.wake()?;
        let mut inputs = 0;
        while let Some(event) = self.primary.half.step()? {
            match event {
                Event::Request(request) => self.serve(request, stores)?,
                Event::Input(input) => {
                    inputs += 1;
                    self.serve_input(input)?;
                }
                _ => {}
            }
        }
        Ok(inputs)
    }

    /// The same for a connection: all that came is stored, and is the reply.
    fn serve_input(&self, mut input: Input) -> Result<()> {
        let bytes = input.bytes().to_vec();
        self.table.insert(input.connection().0 as u32 % TABLE_ENTRIES, bytes.clone())?;
        input.output().extend_from_slice(&bytes);
        input.consume(bytes.len());
        Ok(())
    }

    /// The program.
    fn serve(&self, request: Request, stores: bool) -> Result<()> {
        let payload = request.bytes().to_vec();
        if stores {
            self.table.insert(request.sync().0 as u32 % TABLE_ENTRIES, payload.clone())?;
        }
        request.reply(payload)?;
        Ok(())
    }

    /// Runs the backup, if there is one, until it would wait.
    pub fn turn_backup(&mut self) -> Result<()> {
        if let Some(backup) = &self.backup {
            backup.half.wake()?;
            while backup.half.step()?.is_some() {}
        }
        Ok(())
    }

    fn wake_requester(&mut self) -> Result<()> {
        for event in self.poller.wait(Some(Duration::ZERO))? {
            self.link.note_event(event.token);
        }
        self.link.pump();
        Ok(())
    }
}

fn phandle(cpu: u8) -> Phandle {
    let cpu = CpuNumber::new(cpu).expect("a small number");
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: 1, sequence: 1 }
}

/// In place of a pidfd, which valgrind does not have: it is looked at only when somebody says that a half has ended.
fn no_pidfd() -> Result<OwnedFd> {
    Ok(File::open("/dev/null")?.into())
}
