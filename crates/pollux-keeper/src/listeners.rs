//! Which listening sockets are held for the program, and which of them a `bind` means.
//!
//! A listener is known by what the program asked for: kind of socket and address, and for port 0 the how-manieth such
//! request of the run it was. A program that is started again asks for the same, and gets the same sockets.
//!
//! Pure: it sees no descriptor. Invariant: a listener that a process of the program still uses is given away a second
//! time only to a socket that may share its port.

use crate::address::Address;
use pollux::HeldId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Listeners held at a time; further ones are not held.
pub(crate) const LISTENERS_MAX: usize = 256;
/// Bound sockets that have not listened; of further ones it is not known what they asked for.
const BOUND_MAX: usize = 4096;
/// A listener that no process of the program has had in so many looks in a row was closed by the program.
const LOOKS_WITHOUT_MAX: u8 = 2;
/// A listener that a run has not asked for by then is given up: the program's configuration has changed.
const UNCLAIMED_MAX: Duration = Duration::from_secs(60);

/// A kind of socket: domain, type and protocol, as the kernel numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Kind {
    pub(crate) domain: u16,
    pub(crate) kind: u32,
    pub(crate) protocol: u32,
}

/// What a program asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    /// How many requests of the run for the same address with port 0 came before.
    pub(crate) nth: u32,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub(crate) key: Key,
    /// The socket's number in the kernel.
    pub(crate) inode: u64,
    /// Device and number of a unix socket's file.
    pub(crate) file: Option<(u64, u64)>,
    /// Asked for by an option of the keeper: handed over at the start, and never given up.
    pub(crate) handed_over: Option<u32>,
}

/// A `bind`, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The number of the program's own socket.
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    /// The socket may share its port.
    pub(crate) shares: bool,
    /// What is at the path, for a unix socket.
    pub(crate) file: Option<(u64, u64)>,
}

/// What becomes of a `bind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bind {
    /// The kernel carries it out.
    GoOn,
    /// The program gets this listener in place of its socket.
    Give(HeldId),
    /// The program's socket is this listener already.
    Has(HeldId),
}

/// What becomes of a `listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// The kernel carries it out; nothing is to be held.
    GoOn,
    /// The socket is held under this key before the kernel carries it out; the others are not held any more: another
    /// socket has their place.
    Hold(Key, Vec<HeldId>),
}

#[derive(Debug)]
struct Entry {
    listener: Listener,
    claimed: bool,
    looks_without: u8,
}

/// All listeners of a program.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    entries: BTreeMap<HeldId, Entry>,
    /// Requests of this run for an address with port 0.
    free_ports: BTreeMap<(Kind, Address), u32>,
    /// What sockets that are bound have asked for.
    bound: BTreeMap<u64, Key>,
}

impl Listeners {
    /// The listeners that the pair holds.
    pub(crate) fn of(held: impl IntoIterator<Item = (HeldId, Listener)>) -> Self {
        let entry = |(id, listener)| (id, Entry { listener, claimed: false, looks_without: 0 });
        Self { entries: held.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// The program is started (again).
    pub(crate) fn begin_run(&mut self) {
        self.free_ports.clear();
        self.bound.clear();
        for entry in self.entries.values_mut() {
            (entry.claimed, entry.looks_without) = (false, 0);
        }
    }

    /// The program binds a socket. `in_use` says whether a process of the program has the socket of that number.
    pub(crate) fn bind(&mut self, wish: Wish, in_use: impl FnOnce(u64) -> bool) -> Bind {
        if let Some((id, entry)) =
            self.entries.iter_mut().find(|(_, entry)| entry.listener.inode == wish.inode)
        {
            entry.claimed = true;
            return Bind::Has(*id);
        }
        let mut key = Key { kind: wish.kind, address: wish.address, nth: 0 };
        if key.address.has_free_port() {
            let count = self.free_ports.entry((key.kind, key.address.clone())).or_default();
            key.nth = *count;
            *count += 1;
        }
        let found = self.entries.iter_mut().find(|(_, entry)| entry.listener.key == key);
        if let Some((id, entry)) = found
            && entry.listener.file == wish.file
            && (!entry.claimed || wish.shares || !in_use(entry.listener.inode))
        {
            (entry.claimed, entry.looks_without) = (true, 0);
            return Bind::Give(*id);
        }
        if self.bound.len() < BOUND_MAX {
            self.bound.insert(wish.inode, key);
        }
        Bind::GoOn
    }

    /// The program listens on a socket that is bound to `local`.
    pub(crate) fn listen(&mut self, inode: u64, kind: Kind, local: Option<Address>) -> Listen {
        let asked = self.bound.remove(&inode);
        let known = self.entries.values().any(|entry| entry.listener.inode == inode);
        let Some(local) = local.filter(|local| !known && !local.has_free_port()) else { return Listen::GoOn };
        let key = asked.filter(|key| key.kind == kind && key.address.may_be(&local)).unwrap_or(Key {
            kind,
            address: local,
            nth: 0,
        });
        let replaced: Vec<HeldId> = match key.address {
            // Another file has the path, so nobody comes to the old listener.
            Address::Path(_) => self.with_key(&key).collect(),
            _ => Vec::new(),
        };
        // A second socket under one key could not be told from the first after a restart.
        let twice = replaced.is_empty() && self.with_key(&key).next().is_some();
        if twice || self.entries.len() >= LISTENERS_MAX {
            return Listen::GoOn;
        }
        Listen::Hold(key, replaced)
    }

    /// It is held.
    pub(crate) fn hold(&mut self, id: HeldId, listener: Listener) {
        self.entries.insert(id, Entry { listener, claimed: true, looks_without: 0 });
    }

    /// It is held no more.
    pub(crate) fn release(&mut self, id: HeldId) -> Option<Listener> {
        self.entries.remove(&id).map(|entry| entry.listener)
    }

    /// A look at all listeners while the program runs, for `ran` so far: those that it has closed, or has not asked for.
    pub(crate) fn look(&mut self, ran: Duration, mut in_use: impl FnMut(u64) -> bool) -> Vec<HeldId> {
        let mut given_up = Vec::new();
        for (id, entry) in &mut self.entries {
            if entry.listener.handed_over.is_some() {
                continue;
            }
            if !entry.claimed {
                if ran >= UNCLAIMED_MAX {
                    given_up.push(*id);
                }
            } else if in_use(entry.listener.inode) {
                entry.looks_without = 0;
            } else {
                entry.looks_without += 1;
                if entry.looks_without >= LOOKS_WITHOUT_MAX {
                    given_up.push(*id);
                }
            }
        }
        given_up
    }

    /// True if the removal of this file is to be passed over: the listener behind it waits for its program.
    pub(crate) fn protects(&self, file: (u64, u64)) -> bool {
        self.entries.values().any(|entry| !entry.claimed && entry.listener.file == Some(file))
    }

    /// True if some listener has a file.
    pub(crate) fn have_files(&self) -> bool {
        self.entries.values().any(|entry| entry.listener.file.is_some())
    }

    /// The numbers of those that the run has asked for.
    pub(crate) fn claimed(&self) -> impl Iterator<Item = u64> {
        self.entries.values().filter(|entry| entry.claimed).map(|entry| entry.listener.inode)
    }

    /// The listeners that are handed over at the start, in their order.
    pub(crate) fn handed_over(&self) -> Vec<(HeldId, &Listener)> {
        let of = |(id, entry): (&HeldId, &'_ Entry)| (entry.listener.handed_over, *id);
        let mut order: Vec<(u32, HeldId)> =
            self.entries.iter().map(of).filter_map(|(at, id)| Some((at?, id))).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, id)| (id, &self.entries[&id].listener)).collect()
    }

    fn with_key(&self, key: &Key) -> impl Iterator<Item = HeldId> {
        self.entries.iter().filter(move |(_, entry)| entry.listener.key == *key).map(|(id, _)| *id)
    }
}

#[cfg(test)]
#[path = "listeners_tests.rs"]
mod tests;
