//! A domain's records as keys and bytes in the coordinator.
//!
//! What this decides: how records are laid out, and how a proposal becomes one transaction. What it does not: when.
//!
//! ```text
//!   domain/<name>/acting       epoch 5 server beta life 77        (life -: handed over, not taken yet)
//!   domain/<name>/stamp        5.12@beta
//!   domain/<name>/parts        1
//!   domain/<name>/file/000     text of sna_domn.cfg, in parts
//!   domain/<name>/live/<server>   life 77 count 1234 in_step 5.12@beta
//!   domain/<name>/address/<server>   10.0.0.2:1553      where other hosts reach it; nothing rests on it
//! ```
//!
//! Invariant: a compare of a record is a compare of its bytes, and equal records have equal bytes.

use crate::content::{Content, Stamp};
use crate::files::DomainFile;
use crate::name::ServerName;
use crate::succession::{Acting, Beat, Expect, Incarnation, Outcome, Proposal, Records};
use pollux_coordinator::{Coordinator, Effect, Error, Key, Outcome as Ended, Transaction, VALUE_BYTES_MAX};
use pollux_wire::Epoch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why the records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The coordinator says no.
    #[error(transparent)]
    Coordinator(#[from] Error),
    /// A record is not what this program writes.
    #[error(
        "the record {key} of the domain cannot be read: {reason}; restore the coordinator, or recover the domain"
    )]
    Record {
        /// Which.
        key: String,
        /// Why.
        reason: String,
    },
}

/// The keys of one domain.
#[derive(Debug, Clone)]
pub struct Store {
    prefix: String,
    address: Option<(ServerName, String)>,
}

impl Store {
    /// The keys of the domain of that name.
    pub fn new(domain: &str) -> Self {
        Self { prefix: format!("domain/{domain}/"), address: None }
    }

    /// Each sign of life of that server tells its address, too.
    pub fn with_address(mut self, server: &ServerName, address: &str) -> Self {
        self.address = Some((server.clone(), address.to_owned()));
        self
    }

    /// All records at one moment.
    pub fn read(&self, coordinator: &dyn Coordinator) -> Result<Records, StoreError> {
        self.read_with_addresses(coordinator).map(|(records, _)| records)
    }

    /// All records at one moment, and where servers are reached, as each has said itself.
    pub fn read_with_addresses(
        &self,
        coordinator: &dyn Coordinator,
    ) -> Result<(Records, BTreeMap<ServerName, String>), StoreError> {
        let mut texts = BTreeMap::new();
        for (key, found) in coordinator.list(&self.prefix)? {
            let name = key.as_str().strip_prefix(&self.prefix).unwrap_or_default().to_owned();
            let text = String::from_utf8(found.value).map_err(|_| broken(&name, "not text"))?;
            texts.insert(name, text);
        }
        let acting =
            texts.get("acting").map(|text| parse_acting(text).ok_or_else(|| broken("acting", "its words")));
        let mut beats = BTreeMap::new();
        for (name, text) in texts.range("live/".to_owned().."live0".to_owned()) {
            let server =
                ServerName::new(&name["live/".len()..]).map_err(|error| broken(name, &error.to_string()))?;
            beats.insert(server, parse_beat(text).ok_or_else(|| broken(name, "its words"))?);
        }
        let addresses = texts.range("address/".to_owned().."address0".to_owned());
        let addresses = addresses
            .filter_map(|(name, text)| Some((ServerName::new(&name["address/".len()..]).ok()?, text.clone())))
            .collect();
        let content = match texts.get("stamp") {
            None => None,
            Some(stamp) => Some(Arc::new(read_content(stamp, &texts)?)),
        };
        Ok((Records { acting: acting.transpose()?, content, beats: Arc::new(beats) }, addresses))
    }

    /// Hands a proposal to the coordinator.
    pub fn propose(&self, coordinator: &mut dyn Coordinator, proposal: &Proposal) -> Outcome {
        let Ok(transaction) = self.transaction(proposal) else { return Outcome::NotDone };
        match coordinator.commit(&transaction) {
            Ok(Ended::Committed(_)) => Outcome::Committed,
            Ok(Ended::Conflict { .. }) => Outcome::Conflict,
            Err(error) if error.effect() == Effect::NotDone => Outcome::NotDone,
            Err(_) => Outcome::Unknown,
        }
    }

    /// The one transaction that a proposal is.
    pub fn transaction(&self, proposal: &Proposal) -> Result<Transaction, Error> {
        let mut all = Transaction::new();
        all = self.compare(all, "acting", &proposal.acting_is, print_acting)?;
        all = self.compare(all, "stamp", &proposal.stamp_is, ToString::to_string)?;
        for (server, beat) in &proposal.beats_are {
            let key = self.key(&format!("live/{server}"))?;
            all = match beat {
                Some(beat) => all.value_is(key, print_beat(beat)),
                None => all.absent(key),
            };
        }
        if let Some(acting) = &proposal.acting {
            all = all.put(self.key("acting")?, print_acting(acting));
        }
        if let Some(content) = &proposal.content {
            all = all.put(self.key("stamp")?, content.stamp.to_string());
            // Parts that an older, longer text leaves behind are overrun by the checksum's end and never read.
            let text = DomainFile { content: (**content).clone() }.print();
            let parts: Vec<&[u8]> = text.as_bytes().chunks(VALUE_BYTES_MAX).collect();
            all = all.put(self.key("parts")?, parts.len().to_string());
            for (number, part) in parts.iter().enumerate() {
                all = all.put(self.key(&format!("file/{number:03}"))?, *part);
            }
        }
        if let (Some((server, Some(_))), Some((own, address))) = (&proposal.beat, &self.address)
            && server == own
        {
            all = all.put(self.key(&format!("address/{server}"))?, address.as_str());
        }
        if let Some((server, beat)) = &proposal.beat {
            let key = self.key(&format!("live/{server}"))?;
            all = match beat {
                Some(beat) => all.put(key, print_beat(beat)),
                None => all.delete(key),
            };
        }
        Ok(all)
    }

    fn compare<T>(
        &self,
        all: Transaction,
        name: &str,
        expect: &Expect<T>,
        print: impl Fn(&T) -> String,
    ) -> Result<Transaction, Error> {
        Ok(match expect {
            Expect::Any => all,
            Expect::Is(None) => all.absent(self.key(name)?),
            Expect::Is(Some(value)) => all.value_is(self.key(name)?, print(value)),
        })
    }

    fn key(&self, name: &str) -> Result<Key, Error> {
        Key::new(format!("{}{name}", self.prefix))
    }
}

fn read_content(stamp: &str, texts: &BTreeMap<String, String>) -> Result<Content, StoreError> {
    let parts: usize =
        texts.get("parts").and_then(|text| text.parse().ok()).ok_or_else(|| broken("parts", "no number"))?;
    let mut text = String::new();
    for number in 0..parts {
        let name = format!("file/{number:03}");
        text.push_str(texts.get(&name).ok_or_else(|| broken(&name, "missing"))?);
    }
    let content = DomainFile::parse(&text).map_err(|faults| broken("file", &faults.to_string()))?.content;
    if content.stamp.to_string() == stamp {
        Ok(content)
    } else {
        Err(broken("stamp", "it is of another file"))
    }
}

fn broken(key: &str, reason: &str) -> StoreError {
    StoreError::Record { key: key.to_owned(), reason: reason.to_owned() }
}

fn print_acting(acting: &Acting) -> String {
    let life = acting.incarnation.map_or("-".to_owned(), |life| life.0.to_string());
    format!("epoch {} server {} life {life}", acting.epoch, acting.server)
}

fn parse_acting(text: &str) -> Option<Acting> {
    let words: Vec<&str> = text.split(' ').collect();
    let ["epoch", epoch, "server", server, "life", life] = words[..] else { return None };
    let incarnation = if life == "-" { None } else { Some(Incarnation(life.parse().ok()?)) };
    Some(Acting { server: ServerName::new(server).ok()?, incarnation, epoch: Epoch(epoch.parse().ok()?) })
}

fn print_beat(beat: &Beat) -> String {
    let in_step = beat.in_step.as_ref().map_or("-".to_owned(), Stamp::to_string);
    format!("life {} count {} in_step {in_step}", beat.incarnation.0, beat.count)
}

fn parse_beat(text: &str) -> Option<Beat> {
    let words: Vec<&str> = text.split(' ').collect();
    let ["life", life, "count", count, "in_step", stamp] = words[..] else { return None };
    let in_step = if stamp == "-" { None } else { Some(stamp.parse().ok()?) };
    Some(Beat { incarnation: Incarnation(life.parse().ok()?), count: count.parse().ok()?, in_step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_coordinator::Memory;
    use proptest::prelude::*;

    fn name(number: u8) -> ServerName {
        ServerName::new(&format!("s{number}")).unwrap()
    }

    fn content(revision: u64) -> Arc<Content> {
        let mut content = Content::new(name(0), "x".repeat(revision as usize * 9_000));
        content.stamp.revision = revision;
        Arc::new(content)
    }

    fn proposal() -> impl Strategy<Value = Proposal> {
        let acting = || {
            (0..2_u8, 0..3_u64, 0..2_u64).prop_map(|(server, epoch, life)| Acting {
                server: name(server),
                incarnation: (life > 0).then_some(Incarnation(life)),
                epoch: Epoch(epoch),
            })
        };
        let beat = || {
            (0..2_u64, 0..3_u64, any::<bool>()).prop_map(|(life, count, able)| Beat {
                incarnation: Incarnation(life),
                count,
                in_step: able.then(|| content(1).stamp.clone()),
            })
        };
        (
            proptest::option::of(proptest::option::of(acting())),
            proptest::option::of(proptest::option::of(0..3_u64)),
            proptest::collection::vec((0..2_u8, proptest::option::of(beat())), 0..2),
            proptest::option::of(acting()),
            proptest::option::of(0..4_u64),
            proptest::option::of((0..2_u8, proptest::option::of(beat()))),
        )
            .prop_map(|(acting_is, stamp_is, beats_are, acting, new, beat)| Proposal {
                acting_is: acting_is.map_or(Expect::Any, Expect::Is),
                stamp_is: stamp_is.map_or(Expect::Any, |is| Expect::Is(is.map(|n| content(n).stamp.clone()))),
                beats_are: beats_are.into_iter().map(|(server, beat)| (name(server), beat)).collect(),
                acting,
                content: new.map(content),
                beat: beat.map(|(server, beat)| (name(server), beat)),
            })
    }

    proptest! {
        // What the simulator proved of `Records` must hold for the coordinator too.
        #[test]
        fn the_coordinator_and_the_records_agree(proposals in proptest::collection::vec(proposal(), 1..20)) {
            let (store, mut memory, mut records) = (Store::new("plant"), Memory::new(), Records::default());
            for proposal in proposals {
                let expected = if records.commit(&proposal) { Outcome::Committed } else { Outcome::Conflict };
                prop_assert_eq!(store.propose(&mut memory, &proposal), expected);
                prop_assert_eq!(store.read(&memory).unwrap(), records.clone());
            }
        }
    }
}
