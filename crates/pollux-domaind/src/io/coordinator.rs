//! The coordinator on a thread of its own: its calls may block.
//!
//! Invariant: a job that waited longer than the machine waits for an answer is not begun, and is answered as surely not done.

use crate::address::Address;
use crate::core::Input;
#[cfg(feature = "etcd")]
use pollux_coordinator::Etcd;
use pollux_coordinator::{Coordinator, Local, Place};
use pollux_domain::name::ServerName;
use pollux_domain::store::Store;
use pollux_domain::succession::{Outcome, Proposal};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Pause after a coordinator that could not be opened.
const OPEN_AGAIN: Duration = Duration::from_millis(300);
/// Pause after a read that failed, and after a proposal that could not be handed in.
const READ_AGAIN: Duration = Duration::from_millis(25);

/// What is to be done.
pub(crate) enum Job {
    /// Read all records.
    Read(u64),
    /// A proposal.
    Propose(u64, Box<Proposal>),
}

/// Starts the thread. `address`: of this server, if it has one; the others read it from the records. `answer`: so long the
/// machine waits.
pub(crate) fn start(
    place: Place,
    domain: &str,
    host: &ServerName,
    address: Option<&Address>,
    answer: Duration,
    inbox: Sender<Input>,
) -> io::Result<Sender<(Instant, Job)>> {
    let (send, jobs) = channel();
    let mut store = Store::new(domain);
    if let Some(address) = address {
        store = store.with_address(host, &address.to_string());
    }
    let place = with_limit(place, answer);
    thread::Builder::new()
        .name("coordinator".to_owned())
        .spawn(move || work(&place, &store, answer, &jobs, &inbox))?;
    Ok(send)
}

/// A call that takes longer than the machine waits helps nobody.
fn with_limit(place: Place, answer: Duration) -> Place {
    match place {
        Place::Etcd(mut etcd) => {
            etcd.limit = etcd.limit.min(answer);
            Place::Etcd(etcd)
        }
        local => local,
    }
}

fn work(
    place: &Place,
    store: &Store,
    answer: Duration,
    jobs: &Receiver<(Instant, Job)>,
    inbox: &Sender<Input>,
) {
    let mut opened: Option<Box<dyn Coordinator>> = None;
    let mut tried: Option<(Instant, String)> = None;
    let mut known = BTreeMap::new();
    while let Ok((since, job)) = jobs.recv() {
        if opened.is_none() && tried.as_ref().is_none_or(|(at, _)| at.elapsed() >= OPEN_AGAIN) {
            match open(place) {
                Ok(coordinator) => opened = Some(coordinator),
                Err(error) => tried = Some((Instant::now(), error)),
            }
        }
        let in_time = since.elapsed() < answer;
        let input = match job {
            Job::Read(number) => {
                let read = match &opened {
                    None => Err(tried.as_ref().map(|(_, error)| error.clone()).unwrap_or_default()),
                    Some(_) if !in_time => Err("it is too slow".to_owned()),
                    Some(coordinator) => {
                        store.read_with_addresses(&**coordinator).map_err(|error| error.to_string())
                    }
                };
                let (records, problem) = match read {
                    Ok((records, addresses)) => {
                        for (server, address) in news(&mut known, addresses) {
                            if inbox.send(Input::Address { server, address }).is_err() {
                                return;
                            }
                        }
                        (Some(records), None)
                    }
                    Err(problem) => {
                        // The machine asks again at once; a coordinator that refuses at once must not keep both busy.
                        thread::sleep(READ_AGAIN);
                        (None, Some(problem))
                    }
                };
                Input::Read { number, records, problem }
            }
            Job::Propose(number, proposal) => {
                let outcome = match &mut opened {
                    Some(coordinator) if in_time => store.propose(&mut **coordinator, &proposal),
                    _ => Outcome::NotDone,
                };
                if outcome == Outcome::NotDone {
                    thread::sleep(READ_AGAIN); // For the same reason.
                }
                Input::Proposed { number, outcome }
            }
        };
        if inbox.send(input).is_err() {
            return;
        }
    }
}

/// The addresses that are other ones than before. A text that is no address is passed over.
fn news(
    known: &mut BTreeMap<ServerName, String>,
    addresses: BTreeMap<ServerName, String>,
) -> Vec<(ServerName, Address)> {
    let changed = addresses.iter().filter(|(server, text)| known.get(server) != Some(text));
    let found = changed.filter_map(|(server, text)| Some((server.clone(), text.parse().ok()?))).collect();
    *known = addresses;
    found
}

fn open(place: &Place) -> Result<Box<dyn Coordinator>, String> {
    match place {
        Place::Local(directory) => {
            pollux_os::private_directory(directory).map_err(|error| error.to_string())?;
            Ok(Box::new(Local::create_or_open(directory).map_err(|error| error.to_string())?))
        }
        #[cfg(feature = "etcd")]
        Place::Etcd(etcd) => Ok(Box::new(Etcd::open(etcd).map_err(|error| error.to_string())?)),
        #[cfg(not(feature = "etcd"))]
        Place::Etcd(_) => Err("this program was built without etcd".to_owned()),
    }
}
