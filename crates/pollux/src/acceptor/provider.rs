//! The acceptor's open of the TCP/IP provider: questions out, answers in, without waiting for any of them.

use crate::daemon::node_directory;
use crate::error::{Context, Error, Result};
use crate::link::Link;
use crate::requester::{Node, OpenOptions, PATIENCE};
use pollux_core::acceptor::IN_HAND_MAX;
use pollux_os::{socket_pair, take_passed_descriptor};
use pollux_wire::limits::PAYLOAD_BYTES_MAX;
use pollux_wire::sockets::{PROVIDER_DEFAULT, PROVIDER_DEFINE, SocketReply, SocketRequest};
use pollux_wire::{CpuNumber, FileError, ProcessName, SyncId, decode, encode};
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

/// Room for accepts that wait for long, and for all that is asked about the connections in hand meanwhile: two questions for
/// a descriptor and a leave each.
const OUTSTANDING_MAX: u16 = 8 * IN_HAND_MAX as u16;

/// The provider of a process with these DEFINEs, by the same rule as for a C program.
pub(crate) fn provider_of(defines: Option<&str>) -> Result<ProcessName> {
    let named = |line: &str| {
        let (name, file) = line.get(1..)?.split_once('=')?;
        name.eq_ignore_ascii_case(&PROVIDER_DEFINE[1..]).then(|| file.to_owned())
    };
    let name = defines.and_then(|defines| defines.lines().find_map(named));
    Ok(ProcessName::new(name.as_deref().unwrap_or(PROVIDER_DEFAULT))?)
}

/// What has become of a question.
pub(super) enum News {
    /// The open is accepted.
    Opened,
    /// There is no open to be had.
    Refused(FileError),
    /// An answer, and the descriptor for which it was asked.
    Answered {
        asked: SocketRequest,
        answer: std::result::Result<SocketReply, FileError>,
        descriptor: Option<OwnedFd>,
    },
    /// The open has ended.
    Lost,
}

struct Question {
    asked: SocketRequest,
    /// Over this end the descriptor comes.
    channel: Option<OwnedFd>,
}

struct Open {
    link: Link,
    is_accepted: bool,
    questions: BTreeMap<SyncId, Question>,
    /// Since then no half of the provider can be asked.
    silent_since: Option<Instant>,
}

/// A provider that is open or can be opened.
pub(super) struct Provider {
    name: ProcessName,
    cpu: CpuNumber,
    /// This process's place in the node.
    node: Option<Node>,
    open: Option<Open>,
}

impl Provider {
    pub(super) fn new(name: ProcessName, cpu: CpuNumber) -> Self {
        Self { name, cpu, node: None, open: None }
    }

    fn options() -> OpenOptions {
        OpenOptions::outstanding(OUTSTANDING_MAX)
    }

    /// Begins to open it.
    pub(super) fn open(&mut self) -> std::result::Result<(), FileError> {
        let unreachable = |_: Error| FileError::PATH_DOWN;
        let node = match self.node.take() {
            Some(node) => node,
            None => Node::connect_near(&node_directory(), self.cpu).map_err(unreachable)?,
        };
        let node = self.node.insert(node);
        let (open, path) = node.ask_open(&self.name, Self::options(), None).map_err(unreachable)??;
        let link = Link::new(open, path, OUTSTANDING_MAX, OUTSTANDING_MAX).map_err(unreachable)?;
        let questions = BTreeMap::new();
        self.open = Some(Open { link, is_accepted: false, questions, silent_since: None });
        Ok(())
    }

    /// Lets go of the open. To the provider its opener has died.
    pub(super) fn abandon(&mut self) {
        self.open = None;
    }

    /// Ends the open: what was shown to the provider is given up.
    pub(super) fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.link.close();
        }
    }

    /// True when one more question can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.link.can_start())
    }

    /// Asks; `listener` is what a `Carry` shows.
    pub(super) fn ask(&mut self, asked: SocketRequest, listener: &OwnedFd) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (channel, descriptor) = match asked {
            SocketRequest::Carry {} => {
                (None, Some(listener.try_clone().context("duplicate the listening socket")?))
            }
            SocketRequest::Accept { .. } | SocketRequest::Fetch { .. } => {
                let (ours, theirs) = socket_pair().context("make a channel")?;
                (Some(ours), Some(theirs))
            }
            _ => (None, None),
        };
        let sync = open.link.start(encode(&asked), PAYLOAD_BYTES_MAX as u32, descriptor)?;
        open.questions.insert(sync, Question { asked, channel });
        Ok(())
    }

    /// Writes, reads, and tells what has come.
    pub(super) fn pump(&mut self, now: Instant) -> Result<Vec<News>> {
        let (Some(open), Some(node)) = (&mut self.open, &self.node) else { return Ok(Vec::new()) };
        let mut news = Vec::new();
        open.link.pump();
        match open.link.opened() {
            None => return Ok(news),
            Some(Ok(())) if open.is_accepted => {}
            Some(Ok(())) => {
                open.is_accepted = true;
                news.push(News::Opened);
            }
            Some(Err(error)) => {
                news.push(if open.is_accepted { News::Lost } else { News::Refused(error) });
                self.open = None;
                return Ok(news);
            }
        }
        if open.link.active().is_some() {
            open.silent_since = None;
        } else if now >= *open.silent_since.get_or_insert(now) + PATIENCE {
            open.silent_since = Some(now);
            open.link.impatient();
        }
        if open.link.take_wish_for_path() {
            match node.ask_open(&self.name, Self::options(), Some(open.link.open_id()))? {
                Ok((_, path)) => open.link.add_path(path),
                // Both halves are changing: the wish comes again with the next impatience.
                Err(FileError::PATH_DOWN) => open.link.retry_path(),
                Err(error) => open.link.path_refused(error),
            }
        }
        while let Some((sync, answer)) = open.link.take_any_answer() {
            let Some(Question { asked, channel }) = open.questions.remove(&sync) else { continue };
            let descriptor = match channel {
                Some(channel) => take_passed_descriptor(&channel).context("read a channel")?,
                None => None,
            };
            let answer = if answer.error.is_ok() {
                decode(&answer.payload).map_err(|_| FileError::INVALID_OPERATION)
            } else {
                Err(answer.error)
            };
            news.push(News::Answered { asked, answer, descriptor });
        }
        Ok(news)
    }

    /// Before a wait for [`Provider::as_fd`]: true if there is something to read already.
    pub(super) fn prepare_wait(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| open.link.prepare_wait())
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(|open| open.link.as_fd())
    }

    /// When it is to be pumped though nothing has come.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.as_ref()?.silent_since.map(|since| since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A pair that was told of another provider would not find it, or would find the wrong one.
    #[test]
    fn the_name_comes_from_the_define() {
        let name = |defines| provider_of(defines).map(|name| name.as_str().to_owned()).ok();
        assert_eq!(name(None).as_deref(), Some("$ZTC0"));
        assert_eq!(name(Some("=OTHER=$ZTC1\n")).as_deref(), Some("$ZTC0"));
        assert_eq!(name(Some("=A=$B\n=tcpip^process^name=$ZTC1\n=C=$D")).as_deref(), Some("$ZTC1"));
        assert_eq!(name(Some("=TCPIP^PROCESS^NAME=\\FAR.$ZTC1")), None);
    }
}
