//! The mastership goes back to the first of the list also when the domain is changed all the time.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

use pollux_domain::content::{Change, Content, RequestId};
use pollux_domain::list::ServerList;
use pollux_domain::name::ServerName;
use pollux_domain::succession::{
    Command, Copies, Event, Incarnation, Mode, Outcome, Records, Succession, Tick, Timing,
};
use pollux_wire::Epoch;
use std::collections::VecDeque;
use std::sync::Arc;

const TIMING: Timing = Timing { beat: 100, fence: 300, deadline: 400, rank: 50, stable: 600, answer: 100 };
/// Reading, proposing and saving take so long.
const DELAY: u64 = 3;

/// A machine, and the answers that it will get, with their times.
struct Server(Succession, VecDeque<(u64, Event)>);

/// Two servers at one coordinator, without failures.
struct Domain {
    servers: Vec<Server>,
    records: Records,
    now: u64,
}

impl Domain {
    fn start(&mut self, name: &str, copies: Copies) -> &mut Succession {
        let name = ServerName::new(name).unwrap();
        let made = Succession::new(Mode::Quorum, name, Incarnation(1), TIMING, copies, Tick(self.now));
        self.servers.push(Server(made.unwrap(), VecDeque::new()));
        &mut self.servers.last_mut().unwrap().0
    }

    fn step(&mut self) {
        self.now += 1;
        for Server(machine, later) in &mut self.servers {
            machine.handle(Tick(self.now), Event::Tick);
            while later.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, event) = later.pop_front().unwrap();
                machine.handle(Tick(self.now), event);
            }
            while let Some(command) = machine.poll_command() {
                let event = match command {
                    Command::Read { number } => Event::Read { number, records: Some(self.records.clone()) },
                    Command::Propose { number, proposal } => {
                        let done = self.records.commit(&proposal);
                        let outcome = if done { Outcome::Committed } else { Outcome::Conflict };
                        Event::Proposed { number, outcome }
                    }
                    Command::Save(save) => Event::Saved { number: save.number, done: true },
                    _ => continue,
                };
                later.push_back((self.now + DELAY, event));
            }
        }
    }

    fn acts(&self, at: usize) -> Option<Epoch> {
        self.servers[at].0.acts(Tick(self.now))
    }
}

// A server that is back would wait for the mastership for ever, as each of its signs of life names a content of a moment ago.
#[test]
fn a_busy_master_hands_over() {
    let beta = ServerName::new("beta").unwrap();
    let mut content = Content::new(ServerName::new("alpha").unwrap(), "");
    let names = ["alpha", "beta"].map(|name| ServerName::new(name).unwrap());
    content.list = ServerList::from_entries(names.into()).unwrap();
    let content = Arc::new(content);
    let copies = Copies { net: Some((content.clone(), Epoch(1))), file: Some(content) };
    let mut domain = Domain { servers: Vec::new(), records: Records::default(), now: 0 };
    domain.start("beta", copies.clone()).handle(Tick(0), Event::Create { recover: false });
    while domain.acts(0).is_none() {
        domain.step();
        assert!(domain.now < 5_000, "beta is alone and does not act");
    }
    domain.start("alpha", copies);
    let (begin, mut number) = (domain.now, 0);
    while domain.acts(1).is_none() {
        domain.step();
        if let Some(epoch) = domain.acts(0) {
            number += 1;
            let name = ServerName::new("x").unwrap();
            let change =
                if number % 2 == 1 { Change::AddBackup { name } } else { Change::DeleteBackup { name } };
            let request = RequestId { origin: 7, number };
            domain.servers[0].0.handle(Tick(domain.now), Event::Request { request, epoch, change });
        }
        let took = domain.now - begin;
        let most = TIMING.stable + 4 * TIMING.deadline;
        assert!(
            took <= most,
            "alpha waits for {took} ticks, {} changes were made",
            domain.records.content.as_ref().unwrap().stamp
        );
    }
    let stamp = &domain.records.content.as_ref().unwrap().stamp;
    assert!(stamp.revision > 20, "the domain was changed meanwhile: {stamp}");
    assert_eq!(stamp.writer, beta);
}
