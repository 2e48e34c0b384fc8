//! The smallest process of a node: it asks for a backup, takes over from its primary, and says its name on every path.

use pollux_os::{Channel, Fill, LifePage, LifeWatch, take_inherited};
use pollux_wire::control::{CONTROL, Change, PairState, Recorded, StartAs, ToDaemon, ToProcess};
use pollux_wire::limits::{CONTROL_BODY_BYTES_MAX, PROTOCOL_VERSION};
use pollux_wire::{Epoch, Phandle, decode, encode};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

struct Toy {
    channel: Channel,
    me: Phandle,
    epoch: Epoch,
    primary: Option<(Phandle, LifeWatch)>,
    backup: Option<Phandle>,
    kept: Vec<OwnedFd>,
}

pub(crate) fn main() -> ExitCode {
    let life = LifePage::create().unwrap();
    life.hold().unwrap();
    let mut channel = Channel::new(take_inherited(3).unwrap(), CONTROL_BODY_BYTES_MAX);
    let attach = ToDaemon::Attach {
        version: PROTOCOL_VERSION,
        pid: std::process::id(),
        keeps: pollux_wire::control::StateKeeping::Managed,
    };
    channel.queue_with(CONTROL, vec![life.share().unwrap()], |out| out.extend(encode(&attach)));
    let (message, mut descriptors) = next(&mut channel).expect("a welcome");
    let ToProcess::Welcome { phandle: me, start, .. } = message else { panic!("{message:?}") };
    let mut toy = Toy { channel, me, epoch: Epoch(0), primary: None, backup: None, kept: Vec::new() };
    match start {
        StartAs::Primary { epoch } => toy.be_alone(epoch),
        StartAs::Backup { epoch, primary } => {
            let page = descriptors.remove(1);
            toy.kept = descriptors;
            toy.primary = Some((primary, LifeWatch::open(page).unwrap()));
            toy.state(PairState::Following, epoch);
        }
        StartAs::Unnamed {} => {}
        StartAs::ActiveBackup { .. } => panic!("the toy is a managed pair"),
    }
    toy.run()
}

impl Toy {
    fn run(&mut self) -> ExitCode {
        loop {
            if let Some((primary, watch)) = &self.primary
                && watch.wait_for_death(Some(Duration::from_millis(2)))
            {
                let change = Change::TakeOver { epoch: self.epoch, dead: *primary };
                self.send(&ToDaemon::Change { request: 2, change });
                self.primary = None;
            }
            let wait = if self.primary.is_some() { Duration::ZERO } else { Duration::from_millis(20) };
            match next_within(&mut self.channel, wait) {
                Some(Some((message, descriptors))) => {
                    if self.handle(message, descriptors) {
                        return ExitCode::SUCCESS;
                    }
                }
                Some(None) => {}
                None => return ExitCode::FAILURE,
            }
        }
    }

    fn handle(&mut self, message: ToProcess, descriptors: Vec<OwnedFd>) -> bool {
        match message {
            ToProcess::Stop {} => return true,
            ToProcess::NewPath { .. } => {
                let path = descriptors.first().expect("a path");
                rustix::io::write(path, self.me.to_string().as_bytes()).unwrap();
            }
            ToProcess::BackupStarted { backup: Some(backup), .. } => {
                self.kept = descriptors;
                self.backup = Some(backup);
                let change = Change::Join { epoch: self.epoch, backup };
                self.send(&ToDaemon::Change { request: 1, change });
            }
            ToProcess::Recorded { request: 1, outcome: Recorded::Done { epoch } } => {
                self.state(PairState::Paired, epoch);
            }
            ToProcess::Recorded { request: 2, outcome: Recorded::Done { epoch } } => self.be_alone(epoch),
            ToProcess::Recorded { outcome, .. } => panic!("{outcome:?}"),
            ToProcess::PartnerGone { phandle, .. } if Some(phandle) == self.backup => {
                self.backup = None;
                let change = Change::RemoveBackup { epoch: self.epoch, backup: phandle };
                self.send(&ToDaemon::Change { request: 2, change });
            }
            _ => {}
        }
        false
    }

    fn be_alone(&mut self, epoch: Epoch) {
        self.state(PairState::Alone, epoch);
        self.send(&ToDaemon::StartBackup { request: 1, cpu: None });
    }

    fn state(&mut self, state: PairState, epoch: Epoch) {
        self.epoch = epoch;
        self.send(&ToDaemon::State { state, epoch, backup: None, lag_bytes: 0 });
    }

    fn send(&mut self, message: &ToDaemon) {
        self.channel.queue(CONTROL, |out| out.extend(encode(message)));
        let _ = self.channel.flush();
    }
}

/// The next message; none when the daemon is gone.
fn next(channel: &mut Channel) -> Option<(ToProcess, Vec<OwnedFd>)> {
    loop {
        if let Some(message) = next_within(channel, Duration::from_secs(1))? {
            return Some(message);
        }
    }
}

/// The next message if there is one by then; none when the daemon is gone.
#[allow(clippy::option_option)]
fn next_within(channel: &mut Channel, wait: Duration) -> Option<Option<(ToProcess, Vec<OwnedFd>)>> {
    let _ = channel.flush().ok()?;
    let filled = channel.fill().ok()?;
    if let Some(frame) = channel.next_frame().unwrap() {
        return Some(Some((decode(frame.body).unwrap(), frame.descriptors)));
    }
    if filled == Fill::Closed {
        return None;
    }
    crate::command::wait_readable(channel.as_fd(), wait);
    Some(None)
}
