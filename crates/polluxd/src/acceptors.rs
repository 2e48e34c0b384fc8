//! Acceptors: small processes that accept connections for a pair, so that a crash of the pair loses none.
//!
//! The daemon starts and reaps them. They end by themselves when their pair is gone.

use crate::children::CONTROL_NUMBER;
use crate::daemon::{Daemon, acceptor_token};
use crate::limits::ACCEPTORS_MAX;
use crate::process::Request;
use crate::starter::{OWN_PROGRAM, StartJob};
use pollux_os::{Interest, Launch, LaunchError, Launched, Signal, reap, signal};
use pollux_wire::control::ToProcess;
use pollux_wire::{FileError, Phandle, ProcessName};
use std::io;
use std::os::fd::OwnedFd;

/// The hidden command of an acceptor.
const ACCEPTOR_COMMAND: &str = "__acceptor";

/// A process that accepts connections for another one. Where there is a TCP/IP provider it comes by itself as a requester.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pid: u32,
    pidfd: OwnedFd,
    owner: Phandle,
}

impl Daemon {
    /// Starts an acceptor for a process.
    pub(crate) fn start_acceptor(
        &mut self,
        asker: Request,
        provider: Option<ProcessName>,
        descriptors: Vec<OwnedFd>,
    ) {
        let started = match <[OwnedFd; 2]>::try_from(descriptors) {
            Ok(_) if self.acceptors.len() >= ACCEPTORS_MAX => {
                Err((FileError::NO_MORE_OPENS, "too many acceptors".to_owned()))
            }
            Ok(descriptors) => self
                .launch_acceptor(asker, provider, descriptors)
                .map_err(|error| (FileError::PATH_DOWN, format!("cannot start an acceptor: {error}"))),
            Err(_) => Err((FileError::BAD_COUNT, "an acceptor needs two descriptors".to_owned())),
        };
        if let Err((error, why)) = started {
            self.tell(asker.process, &ToProcess::AcceptorStarted { request: asker.request, error, why });
        }
    }

    fn launch_acceptor(
        &mut self,
        asker: Request,
        provider: Option<ProcessName>,
        [listener, path]: [OwnedFd; 2],
    ) -> io::Result<()> {
        let null = || -> io::Result<OwnedFd> {
            Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
        };
        let mut arguments = vec![ACCEPTOR_COMMAND.into(), self.arguments.cpu.to_string().into()];
        arguments.extend(provider.map(|name| name.as_str().into()));
        let launch = Launch {
            program: OWN_PROGRAM.into(),
            arguments,
            argv0: Some("pollux".into()),
            environment: self.environment(),
            directory: "/".into(),
            stdin: null()?,
            stdout: null()?,
            stderr: rustix::io::dup(io::stderr())?,
            inherit: vec![(listener, CONTROL_NUMBER), (path, CONTROL_NUMBER + 1)],
            processors: self.processors(),
            die_with_parent: true,
        };
        self.starter.ask(StartJob::Acceptor { asker, launch: Box::new(launch) });
        Ok(())
    }

    /// The starter has started an acceptor, or could not.
    pub(crate) fn handle_acceptor_launched(&mut self, asker: Request, result: Result<Launched, LaunchError>) {
        let (error, why) = match result.map_err(|error| error.to_string()).and_then(|launched| {
            self.acceptor_last += 1;
            let number = self.acceptor_last;
            let token = acceptor_token(number);
            if let Err(error) = self.poller.add(&launched.pidfd, token, Interest::READ) {
                let _ = signal(&launched.pidfd, Signal::KILL);
                return Err(error.to_string());
            }
            let pid = launched.pid.as_raw_nonzero().get().unsigned_abs();
            self.acceptors.insert(number, Acceptor { pid, pidfd: launched.pidfd, owner: asker.process });
            Ok(())
        }) {
            Ok(()) => {
                self.note_acceptors();
                (FileError::OK, String::new())
            }
            Err(why) => {
                tracing::warn!(process = %asker.process, "no acceptor: {why}");
                (FileError::PATH_DOWN, why)
            }
        };
        self.tell(asker.process, &ToProcess::AcceptorStarted { request: asker.request, error, why });
    }

    /// Takes an acceptor off the table if it has ended.
    pub(crate) fn reap_acceptor(&mut self, number: u64) {
        let Some(acceptor) = self.acceptors.get(&number) else { return };
        match reap(&acceptor.pidfd, false) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => {
                let _ = self.poller.remove(&acceptor.pidfd);
                tracing::debug!(process = %acceptor.owner, "its acceptor ended");
                self.acceptors.remove(&number);
            }
        }
    }

    /// One may have come as a requester before its start was told.
    fn note_acceptors(&mut self) {
        let came: Vec<(Phandle, Phandle)> = self
            .processes
            .iter()
            .filter(|process| process.name.is_none())
            .filter_map(|process| Some((process.phandle, self.owner_of_acceptor(process.pid)?)))
            .collect();
        for (phandle, owner) in came {
            if let Some(process) = self.processes.get_mut(phandle) {
                process.accepts_for = Some(owner);
            }
        }
    }

    /// Whose acceptor the process with this number is.
    pub(crate) fn owner_of_acceptor(&self, pid: u32) -> Option<Phandle> {
        self.acceptors.values().find(|acceptor| acceptor.pid == pid).map(|acceptor| acceptor.owner)
    }

    /// Kills all acceptors: their CPU goes down.
    pub(crate) fn kill_acceptors(&self) {
        for acceptor in self.acceptors.values() {
            let _ = signal(&acceptor.pidfd, Signal::KILL);
        }
    }
}
