//! What the two halves of a pair tell each other of who has the pair open.
//!
//! The program of the primary tells its backup which openers it has; the system knows of them in the primary alone. When that dies
//! with a CLOSE that it has not read, or a -104 that the program has not read, the new primary would wait for ever for an
//! opener that is gone, with an entry of its table. So the run-time of the primary tells that of the backup the same, over
//! the open of the backup that the program has made, ahead of what the program sends there.
//!
//! ```text
//!   primary                                            backup
//!   its open of the backup is there  -- OPENS_BEGIN, OPEN_KNOWN ... -->  the table is this
//!   -103 of X                        -- OPEN_KNOWN X ----------------->  ahead of what the program tells of X
//!   -104 of X is replied to          -- OPEN_OVER X ------------------>  behind what the program tells of X
//!   dies                                                                 takes over: X, if it has no path, is asked after
//! ```
//!
//! Invariant: each opener that the program of the backup has heard of, and of whose end it has not, is in the table, or open here. A pair whose
//! program does not open its backup tells its backup nothing, and needs none of this.

use crate::files::FileKind;
use crate::guardian::handle::same_instance;
use crate::runtime::Runtime;
use pollux_wire::checkpoint::Opener;
use pollux_wire::limits::OPENERS_PER_SERVER_MAX;
use pollux_wire::path::{self, KnownOpen};
use pollux_wire::{OpenId, Wire, decode};
use std::collections::BTreeMap;

/// The opens of the other half, as that has told them.
#[derive(Debug, Default)]
pub(crate) struct OpensOfPrimary(BTreeMap<OpenId, Opener>);

/// Something said of them.
#[derive(Debug)]
pub(crate) enum Said {
    /// What was said before is void.
    Begin,
    /// An open.
    Known(Box<KnownOpen>),
    /// One has ended.
    Over(OpenId),
}

impl Said {
    /// What a frame says; `None` for one that is malformed.
    pub(crate) fn of(kind: u8, body: &[u8]) -> Option<Self> {
        Some(match kind {
            path::OPENS_BEGIN => Self::Begin,
            path::OPEN_KNOWN => Self::Known(Box::new(decode(body).ok()?)),
            _ => Self::Over(decode(body).ok()?),
        })
    }
}

impl OpensOfPrimary {
    fn note(&mut self, said: Said) {
        match said {
            Said::Begin => self.0.clear(),
            Said::Known(known) if self.0.len() < OPENERS_PER_SERVER_MAX => {
                self.0.insert(known.open, known.opener);
            }
            // As many as a server can have: the primary has no more.
            Said::Known(_) => {}
            Said::Over(open) => {
                self.0.remove(&open);
            }
        }
    }
}

impl Runtime {
    /// The requester of an open tells of opens: listened to is only the other half.
    pub(crate) fn handle_said_of_opens(&mut self, by: OpenId, said: Said) {
        if self.server.opener(by).is_some_and(|opener| same_instance(opener, self.me)) {
            self.server.of_primary.note(said);
        }
    }

    /// This half has become the primary.
    pub(crate) fn take_over_opens(&mut self) {
        for (id, opener) in std::mem::take(&mut self.server.of_primary).0 {
            self.server.take_over(id, opener);
        }
    }

    /// Tells the backup of all opens.
    pub(crate) fn tell_opens(&mut self) {
        let known: Vec<KnownOpen> = self.server.known_opens().collect();
        for known in known {
            self.tell_half(&known);
        }
    }

    /// Tells the backup of an open.
    pub(crate) fn tell_open(&mut self, id: OpenId) {
        if let Some(known) = self.server.known_open(id) {
            self.tell_half(&known);
        }
    }

    fn tell_half(&mut self, known: &KnownOpen) {
        // The halves know each other.
        if !same_instance(known.opener.phandle, self.me) {
            self.tell_partner(path::OPEN_KNOWN, |out| known.put(out));
        }
    }

    /// Tells the backup that an open has ended.
    pub(crate) fn tell_open_is_over(&mut self, id: OpenId) {
        self.tell_partner(path::OPEN_OVER, |out| id.put(out));
    }

    fn tell_partner(&mut self, kind: u8, write: impl Fn(&mut Vec<u8>)) {
        if self.name.is_none() {
            return;
        }
        for (_, file) in self.files.iter_mut() {
            if let FileKind::Process(process) = &mut file.kind {
                process.tell_half(kind, &write);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::control::OpenDetails;
    use pollux_wire::{CpuNumber, Phandle, Pin};

    fn known(open: u64, file_number: i16) -> KnownOpen {
        let phandle = Phandle {
            named: true,
            cpu: CpuNumber::new(1).unwrap(),
            pin: Pin(1),
            node: 1,
            incarnation: 1,
            sequence: 5,
        };
        let details = OpenDetails { file_number, ..OpenDetails::default() };
        let opener = Opener { phandle, name: None, uid: 0, sync_depth: 1, nowait_depth: 1, details };
        KnownOpen { open: OpenId(open), opener }
    }

    fn heard(table: &mut OpensOfPrimary, kind: u8, body: &[u8]) {
        table.note(Said::of(kind, body).unwrap());
    }

    // An opener that the table keeps too long is asked after in vain; one that it loses stays in the program's table for ever.
    #[test]
    fn the_table_follows_what_is_said() {
        let mut table = OpensOfPrimary::default();
        let words = |known: &KnownOpen| {
            let mut body = Vec::new();
            known.put(&mut body);
            body
        };
        heard(&mut table, path::OPEN_KNOWN, &words(&known(1, 3)));
        heard(&mut table, path::OPENS_BEGIN, &[]);
        heard(&mut table, path::OPEN_KNOWN, &words(&known(2, 3)));
        heard(&mut table, path::OPEN_KNOWN, &words(&known(3, 4)));
        heard(&mut table, path::OPEN_KNOWN, &words(&known(3, 5)));
        let mut over = Vec::new();
        OpenId(2).put(&mut over);
        heard(&mut table, path::OPEN_OVER, &over);
        let left: Vec<_> = table.0.iter().map(|(id, opener)| (id.0, opener.details.file_number)).collect();
        assert_eq!(left, [(3, 5)]);
        assert!(Said::of(path::OPEN_KNOWN, &[1, 2]).is_none());
    }
}
