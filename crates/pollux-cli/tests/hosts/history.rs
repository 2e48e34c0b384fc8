//! What was asked and answered, by writers that go on through every fault, and what must hold of it afterwards.

use super::hosts::{Hosts, NAMES};
use super::servers::Servers;
use pollux_domain::content::Stamp;
use pollux_domain::files::SnaNet;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Done(Stamp),
    NotDone,
    Unknown,
}

/// A change, in the order of its writer: each name belongs to one writer.
#[derive(Debug)]
struct Asked {
    name: String,
    adds: bool,
    end: End,
}

/// Everything that was asked.
#[derive(Debug, Default)]
pub(crate) struct History {
    asked: Mutex<Vec<Asked>>,
    /// Who said of itself that it acts, by epoch.
    acted: Mutex<BTreeMap<u64, String>>,
}

impl History {
    /// Adds a name, or takes one off; true when it was done.
    pub(crate) fn change(&self, hosts: &Hosts, at: &str, adds: bool, name: &str) -> bool {
        let said = hosts.domain(at, &[if adds { "add-backup" } else { "remove-backup" }, name]);
        let end = if said.code == Some(0) {
            End::Done(said.out.trim().rsplit(' ').next().unwrap().parse().unwrap())
        } else if said.err.contains("may be done or not") {
            End::Unknown
        } else {
            End::NotDone
        };
        let done = matches!(end, End::Done(_));
        self.asked.lock().unwrap().push(Asked { name: name.to_owned(), adds, end });
        done
    }

    /// Looks at who acts.
    pub(crate) fn look(&self, hosts: &Hosts) {
        for host in NAMES {
            if let Some((master, epoch)) = hosts.acting(host)
                && master == host
            {
                let mut acted = self.acted.lock().unwrap();
                let first = acted.entry(epoch).or_insert_with(|| host.to_owned());
                assert_eq!(first, host, "two servers act in epoch {epoch}");
            }
        }
    }

    /// Done changes so far.
    pub(crate) fn done(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|it| matches!(it.end, End::Done(_))).count()
    }

    /// What must hold when all servers are in step: every accepted change is there, and each epoch had one writer.
    pub(crate) fn check(&self, hosts: &Hosts) {
        let asked = self.asked.lock().unwrap();
        let list = hosts.list("alpha");
        for host in NAMES {
            assert_eq!(hosts.list(host), list, "{host} has another list");
        }
        // S2. A name's fate is known when its last definite answer was followed by nothing unknown.
        let mut fates: BTreeMap<&str, Option<bool>> = BTreeMap::new();
        for it in &*asked {
            match it.end {
                End::Done(_) => drop(fates.insert(&it.name, Some(it.adds))),
                End::Unknown => drop(fates.insert(&it.name, None)),
                // S14: what is surely not done does not become done.
                End::NotDone => drop(fates.entry(&it.name).or_insert(Some(false))),
            }
        }
        for (name, fate) in &fates {
            if let Some(is_there) = fate {
                assert_eq!(list.iter().any(|it| it == name), *is_there, "{name}: {list:?} {asked:?}");
            }
        }
        // S1. Each epoch is one server's, by the answers and by what servers said of themselves.
        let mut writers: BTreeMap<u64, String> = self.acted.lock().unwrap().clone();
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for it in &*asked {
            if let End::Done(stamp) = &it.end {
                let writer = writers.entry(stamp.epoch.0).or_insert_with(|| stamp.writer.to_string());
                assert_eq!(*writer, stamp.writer.to_string(), "two writers in epoch {}", stamp.epoch);
                let revision = last.entry(stamp.epoch.0).or_default();
                *revision = (*revision).max(stamp.revision);
            }
        }
        // Each accepted change is an ancestor of the content that is there.
        let text = fs::read_to_string(hosts.files("alpha").join("sna.net")).unwrap();
        let content = SnaNet::parse(&text).unwrap().content;
        for (epoch, revision) in &last {
            let mut after = content.history.iter().chain([&content.stamp]);
            let kept = after.find(|stamp| stamp.epoch.0 == *epoch);
            let kept = kept.unwrap_or_else(|| panic!("epoch {epoch} is not in the history: {content:?}"));
            assert!(kept.revision >= *revision, "{epoch}.{revision} is lost: {content:?}");
            assert_eq!(kept.writer.to_string(), writers[epoch]);
        }
        let accepted = asked.iter().filter(|it| matches!(it.end, End::Done(_))).count();
        println!("{} changes asked, {} accepted in {} epochs", asked.len(), accepted, last.len());
    }
}

/// Writers at all hosts, until they are stopped.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Of its names a writer leaves so many in the list.
const LEFT: usize = 3;
/// Changes of one writer are so far apart at least: a writer whose server is away must not take the machine.
const PACE: Duration = Duration::from_millis(100);

impl Writers {
    pub(crate) fn start(hosts: &Arc<Hosts>, history: &Arc<History>, round: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = NAMES.map(|host| {
            let (hosts, history, stop) = (Arc::clone(hosts), Arc::clone(history), Arc::clone(&stop));
            let round = round.to_owned();
            thread::spawn(move || {
                let mut there: Vec<String> = Vec::new();
                let mut number = 0;
                while !stop.load(Ordering::SeqCst) {
                    if there.len() > LEFT {
                        if history.change(&hosts, host, false, &there[0]) {
                            there.remove(0);
                        }
                    } else {
                        number += 1;
                        let name = format!("{round}-{host}-{number}");
                        // A lost answer's name may be there: it is taken off like the others in its turn.
                        if history.change(&hosts, host, true, &name) {
                            there.push(name);
                        }
                    }
                    thread::sleep(PACE);
                }
            })
        });
        Self { stop, threads: threads.into() }
    }

    pub(crate) fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Writers {
    /// A test that failed ends its writers, too: they hold the hosts.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // What went wrong is said already.
            drop(thread.join());
        }
    }
}
