//! Two servers and their records in one thread: who answers what, and when.

use super::*;
use crate::words::{Applied, Apply, WORDS_VERSION, Word};
use pollux_domain::content::Refusal;
use pollux_domain::list::ListError;
use pollux_domain::nof::view::DomainView;

const NODE: &str = "[node]\nname = \\A\nserver = beta\ncpus = 2\n";

fn name(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

/// Servers, the records, and what programs were told.
struct World {
    cores: BTreeMap<ServerName, Core>,
    records: Records,
    now: u64,
    told: Vec<(ProgramId, Told)>,
    ran: Vec<(ServerName, String)>,
    /// How steps end.
    outcome: StepOutcome,
    /// The records cannot be read or written.
    store_down: bool,
    late: Vec<(ServerName, Input)>,
    /// Words to this server are lost.
    cut: Option<ServerName>,
}

impl World {
    /// `alpha` acts, `beta` is its backup.
    fn new() -> Self {
        let first = Content::new(name("alpha"), "");
        let copies = Copies { net: Some((Arc::new(first.clone()), Epoch(1))), file: Some(Arc::new(first)) };
        let core = |host: &str, copies: Copies| {
            let start = Start {
                domain: "plant".to_owned(),
                host: name(host),
                mode: Mode::Quorum,
                coordinator: "local".to_owned(),
                addresses: BTreeMap::new(),
                timing: Timing { stable: 1_000, ..Timing::ONE_HOST },
                incarnation: Incarnation(1),
                copies,
                file_faults: Vec::new(),
                origin_seed: u64::from(host.as_bytes()[0]) << 32,
                log_override: None,
            };
            (name(host), Core::new(start, Tick(1)).unwrap())
        };
        let mut world = Self {
            cores: BTreeMap::from([core("alpha", copies), core("beta", Copies::default())]),
            records: Records::default(),
            now: 1,
            told: Vec::new(),
            ran: Vec::new(),
            outcome: StepOutcome::Done,
            store_down: false,
            late: Vec::new(),
            cut: None,
        };
        world.give("alpha", Input::Create { recover: false });
        world.wait(1_000);
        for (host, id) in [("alpha", ProgramId(1)), ("beta", ProgramId(2))] {
            world.give(host, Input::Program { id, authorized: true, client: false });
            world.ask(host, id, 1, Word::Hello { version: WORDS_VERSION, origin: 0 });
        }
        let change = Change::AddBackup { name: name("beta") };
        assert!(matches!(world.submit("alpha", ProgramId(1), 1, change), Answer::Done(_)));
        world.wait(500);
        world
    }

    fn give(&mut self, host: &str, input: Input) {
        let mut queue = VecDeque::from([(name(host), input)]);
        while let Some((host, input)) = queue.pop_front() {
            let Some(core) = self.cores.get_mut(&host) else { continue };
            core.handle(Tick(self.now), self.now, input);
            while let Some(output) = core.poll_output() {
                match output {
                    Output::Read(number) => {
                        if self.store_down {
                            // Answered in the next moment: the machine asks again at once.
                            let problem = Some("no answer".to_owned());
                            self.late.push((host.clone(), Input::Read { number, records: None, problem }));
                            continue;
                        }
                        let records = Some(self.records.clone());
                        queue.push_back((host.clone(), Input::Read { number, records, problem: None }));
                    }
                    Output::Propose(number, proposal) => {
                        if self.store_down {
                            self.late
                                .push((host.clone(), Input::Proposed { number, outcome: Outcome::NotDone }));
                            continue;
                        }
                        let done = self.records.commit(&proposal);
                        let outcome = if done { Outcome::Committed } else { Outcome::Conflict };
                        queue.push_back((host.clone(), Input::Proposed { number, outcome }));
                    }
                    Output::Save(Save { number, .. }) => {
                        queue.push_back((host.clone(), Input::Saved { number, problem: None }));
                    }
                    Output::Peer(to, word) if self.cut.as_ref() != Some(&to) => {
                        queue.push_back((to, Input::Peer { from: host.clone(), word }));
                    }
                    Output::Tell(id, told) => self.told.push((id, told.0)),
                    Output::Run(number, action) => {
                        self.ran.push((host.clone(), action.to_string()));
                        queue.push_back((host.clone(), Input::Ran { number, outcome: self.outcome.clone() }));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Time passes for all.
    fn wait(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += 10;
            for (host, input) in std::mem::take(&mut self.late) {
                self.give(host.as_str(), input);
            }
            let hosts: Vec<ServerName> = self.cores.keys().cloned().collect();
            hosts.iter().for_each(|host| self.give(host.as_str(), Input::Tick));
        }
    }

    fn ask(&mut self, host: &str, id: ProgramId, number: u64, word: Word) {
        self.give(host, Input::Asked { id, ask: Ask { number, word } });
    }

    fn reply(&mut self, id: ProgramId, number: u64) -> Option<Reply> {
        let is = |(to, told): &(ProgramId, Told)| {
            *to == id && matches!(told, Told::Reply { number: of, .. } if *of == number)
        };
        let at = self.told.iter().position(is)?;
        match self.told.remove(at).1 {
            Told::Reply { reply, .. } => Some(reply),
            Told::Event { .. } => None,
        }
    }

    fn origin(&self, host: &str, id: ProgramId) -> u64 {
        self.cores[&name(host)].programs[&id].origin
    }

    fn epoch(&self) -> u64 {
        self.records.acting.as_ref().unwrap().epoch.0
    }

    fn submit(&mut self, host: &str, id: ProgramId, number: u64, change: Change) -> Answer {
        let request = RequestId { origin: self.origin(host, id), number };
        let epoch = self.epoch();
        self.ask(host, id, 1_000 + number, Word::Submit { request, epoch, change });
        self.wait(300);
        match self.reply(id, 1_000 + number) {
            Some(Reply::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn view(&mut self, host: &str, id: ProgramId, lock: LockWish) -> DomainView {
        self.ask(host, id, 5_000, Word::View { lock });
        match self.reply(id, 5_000) {
            Some(Reply::View(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, host: &str, id: ProgramId, text: &str) -> Applied {
        let based_on = self.records.content.as_ref().unwrap().stamp.revision;
        let request = RequestId { origin: self.origin(host, id), number: 9_000 + self.now };
        let apply = Apply { request, based_on, text: text.to_owned(), may_lose_state: false, dry_run: false };
        self.ask(host, id, 7_000, Word::Apply(apply));
        self.wait(300);
        match self.reply(id, 7_000) {
            Some(Reply::Applied(applied)) => applied,
            other => panic!("{other:?}"),
        }
    }
}

// A program at a backup that is told "done" and then asks the backup must see what it did.
#[test]
fn a_change_asked_elsewhere_is_relayed_and_read_back() {
    let mut world = World::new();
    let program = ProgramId(2);
    let answer = world.submit("beta", program, 1, Change::AddBackup { name: name("gamma") });
    assert!(matches!(&answer, Answer::Done(stamp) if stamp.writer == name("alpha")), "{answer:?}");
    let view = world.view("beta", program, LockWish::Nothing);
    assert!(view.content.unwrap().0.list.contains(&name("gamma")));
    let again = world.submit("beta", program, 2, Change::AddBackup { name: name("gamma") });
    assert!(matches!(again, Answer::Refused(Refusal::List(ListError::Duplicate { .. }))), "{again:?}");
}

// "Not done" for a change that was done would make a program do it twice (S14).
#[test]
fn a_lost_master_means_unknown() {
    let mut world = World::new();
    world.cut = Some(name("alpha"));
    let request = RequestId { origin: world.origin("beta", ProgramId(2)), number: 1 };
    let change = Change::AddBackup { name: name("gamma") };
    let epoch = world.epoch();
    world.ask("beta", ProgramId(2), 3, Word::Submit { request, epoch, change });
    world.wait(RELAY_MS_MAX - 500);
    assert!(world.reply(ProgramId(2), 3).is_none(), "alpha is alive: it may still answer");
    world.wait(1_000);
    assert!(matches!(world.reply(ProgramId(2), 3), Some(Reply::Answer(Answer::Unknown))));

    let change = Change::AddBackup { name: name("delta") };
    world.ask("beta", ProgramId(2), 4, Word::Submit { request, epoch, change });
    world.cores.remove(&name("alpha"));
    world.wait(1_000);
    assert!(
        matches!(world.reply(ProgramId(2), 4), Some(Reply::Answer(Answer::Unknown))),
        "its end is seen first"
    );
    assert_eq!(world.records.acting.as_ref().unwrap().server, name("beta"));
}

// A server that is cut off would show a master that was deposed long ago, and hand out handles of it.
#[test]
fn without_the_records_nobody_is_known_to_act() {
    let mut world = World::new();
    world.store_down = true;
    world.wait(Timing::ONE_HOST.deadline + 20);
    for (host, id) in [("alpha", ProgramId(1)), ("beta", ProgramId(2))] {
        let view = world.view(host, id, LockWish::Nothing);
        assert_eq!(view.acting, None, "{host}");
        assert!(view.content.is_some(), "{host}: what it has can be read");
        world.ask(host, id, 2, Word::Status);
        let Some(Reply::Status(report)) = world.reply(id, 2) else { panic!("{host} gives no status") };
        assert_eq!(report.no_acting_because.unwrap(), "the coordinator cannot be read: no answer");
    }
    world.store_down = false;
    world.wait(1_000);
    assert_eq!(world.view("beta", ProgramId(2), LockWish::Nothing).acting.unwrap().0, name("alpha"));
}

// A request under another program's number would take that program's answer away.
#[test]
fn a_program_speaks_for_itself_only() {
    let mut world = World::new();
    let (request, epoch) = (RequestId { origin: 4711, number: 1 }, world.epoch());
    let change = Change::AddBackup { name: name("gamma") };
    world.ask("alpha", ProgramId(1), 2, Word::Submit { request, epoch, change });
    assert!(matches!(world.reply(ProgramId(1), 2), Some(Reply::Refused { .. })));
    for (id, authorized, client) in [(ProgramId(3), false, false), (ProgramId(4), true, true)] {
        world.give("alpha", Input::Program { id, authorized, client });
        world.ask("alpha", id, 1, Word::Hello { version: WORDS_VERSION, origin: 0 });
        world.ask("alpha", id, 2, Word::Create { recover: true });
        assert!(matches!(world.reply(id, 2), Some(Reply::Refused { .. })));
        let view = world.view("alpha", id, LockWish::Take);
        assert_eq!((view.authorized, view.client), (false, client));
    }
    let mut number = 10;
    while number < 10 + PROGRAMS_MAX as u64 {
        world.give("alpha", Input::Program { id: ProgramId(number), authorized: true, client: false });
        number += 1;
    }
    assert_eq!(world.cores[&name("alpha")].programs.len(), PROGRAMS_MAX, "one more is turned away");
}

// Two programs in commit mode would overwrite each other; a lock of a dead one would stay for ever.
#[test]
fn the_lock_is_one_programs_and_ends_with_it() {
    let mut world = World::new();
    assert!(!world.view("beta", ProgramId(2), LockWish::Take).locked_by_other);
    assert!(world.view("alpha", ProgramId(1), LockWish::Look).locked_by_other);
    assert!(world.view("alpha", ProgramId(1), LockWish::Take).locked_by_other);
    let text: Arc<str> = "#! x\n".into();
    let based_on = world.records.content.as_ref().unwrap().stamp.revision;
    let answer = world.submit("alpha", ProgramId(1), 5, Change::ReplaceFile { based_on, text });
    assert_eq!(answer, Answer::Busy);
    assert!(matches!(world.apply("alpha", ProgramId(1), NODE), Applied::Refused { .. }));
    world.give("beta", Input::ProgramGone(ProgramId(2)));
    assert!(!world.view("alpha", ProgramId(1), LockWish::Take).locked_by_other);
    world.ask("alpha", ProgramId(1), 6, Word::Unlock);
    assert!(matches!(world.apply("alpha", ProgramId(1), NODE), Applied::Done { .. }));
}

// A configuration is on record when all its steps are done, wherever they belong, and only then.
#[test]
fn a_configuration_is_applied_where_it_belongs() {
    let mut world = World::new();
    world.outcome = StepOutcome::Failed { reason: "no room".to_owned() };
    let failed = world.apply("beta", ProgramId(2), NODE);
    assert_eq!(failed, Applied::RolledBack { reason: "no room".to_owned() });
    assert_eq!(&*world.records.content.as_ref().unwrap().file, "");
    world.outcome = StepOutcome::Done;
    let done = world.apply("beta", ProgramId(2), NODE);
    assert!(matches!(&done, Applied::Done { steps, .. } if steps.len() == 1), "{done:?}");
    assert_eq!(&*world.records.content.as_ref().unwrap().file, NODE);
    assert_eq!(world.ran.last().unwrap(), &(name("beta"), "start node \\A on beta with 2 CPUs".to_owned()));

    // A server that is away cannot begin anything; what it would have to stop does not run.
    world.cores.remove(&name("beta"));
    world.wait(1_000);
    let more = format!("{NODE}\n[node]\nname = \\B\nserver = beta\ncpus = 2\n");
    let refused = world.apply("alpha", ProgramId(1), &more);
    assert!(
        matches!(&refused, Applied::RolledBack { reason } if reason.contains("beta is not up")),
        "{refused:?}"
    );
    let stale = Apply {
        request: RequestId { origin: world.origin("alpha", ProgramId(1)), number: 77 },
        based_on: 1,
        text: String::new(),
        may_lose_state: true,
        dry_run: false,
    };
    world.ask("alpha", ProgramId(1), 8, Word::Apply(stale.clone()));
    assert!(matches!(world.reply(ProgramId(1), 8), Some(Reply::Applied(Applied::Refused { .. }))));
    let based_on = world.records.content.as_ref().unwrap().stamp.revision;
    world.ask("alpha", ProgramId(1), 9, Word::Apply(Apply { based_on, ..stale }));
    world.wait(300);
    assert!(matches!(world.reply(ProgramId(1), 9), Some(Reply::Applied(Applied::Done { .. }))));
}

// An order of a master that was replaced must not start anything.
#[test]
fn a_step_of_an_older_epoch_is_refused() {
    let mut world = World::new();
    let node = pollux_domain::configuration::Configuration::parse(NODE).unwrap().nodes.into_values().next();
    let action = Action::StartNode(node.unwrap());
    // The last one has a certificate of the domain and is not on its list.
    for (from, epoch) in
        [("alpha", world.epoch() - 1), ("gamma", world.epoch()), ("stolen", world.epoch() + 1)]
    {
        let word = PeerWord::Step { number: 1, epoch, action: action.clone() };
        world.give("beta", Input::Peer { from: name(from), word });
    }
    assert!(world.ran.is_empty(), "{:?}", world.ran);
    let word = PeerWord::Step { number: 1, epoch: world.epoch(), action };
    world.give("beta", Input::Peer { from: name("alpha"), word });
    assert_eq!(world.ran.len(), 1, "the acting master's is carried out");
}

// Where a server is reached is told to whoever sends and shown to people; of itself a server believes nobody.
#[test]
fn addresses_are_kept_and_shown() {
    let mut world = World::new();
    let core = world.cores.get_mut(&name("alpha")).unwrap();
    let address: Address = "10.0.0.2".parse().unwrap();
    for server in ["beta", "beta", "alpha"] {
        let input = Input::Address { server: name(server), address: address.clone() };
        core.handle(Tick(world.now), 0, input);
    }
    let mut told = Vec::new();
    while let Some(output) = core.poll_output() {
        if let Output::Addresses(addresses) = output {
            told.push(addresses);
        }
    }
    assert_eq!(told, [BTreeMap::from([(name("beta"), address.clone())])]);
    let report = core.report(Tick(world.now));
    let shown: Vec<_> = report.servers.iter().map(|it| (it.name.as_str(), it.address.clone())).collect();
    assert!(shown.contains(&("beta", Some(address))) && shown.contains(&("alpha", None)), "{shown:?}");
}

// What other programs did is told as the verbs they would have used.
#[test]
fn changes_between_two_contents() {
    let old = Content::new(name("a"), "x");
    let mut new = Content::new(name("b"), "y");
    new.stamp.revision = 5;
    let told = changes_between(&old, &new);
    assert_eq!(
        told,
        [
            Change::DeleteBackup { name: name("a") },
            Change::AddBackup { name: name("b") },
            Change::ReplaceFile { based_on: 1, text: "y".into() }
        ]
    );
    assert!(changes_between(&old, &old).is_empty());
}
