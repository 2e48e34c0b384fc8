//! Pairs that keep their state themselves, and what their processes ask of a node.

use crate::command::Node;
use crate::puppet::{Stage, creation, named};
use crate::{cpu, name};
use pollux_os::Signal;
use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::control::{
    Answer, Change, Creation, Fate, NameChoice, OpenDetails, Query, Recorded, StartAs, StateKeeping,
    StopReport, Target, ToDaemon, ToProcess,
};
use pollux_wire::record::CpuState;
use pollux_wire::{CpuNumber, FileError, Phandle};

fn done(error: FileError) -> Answer {
    Answer::Done { error }
}

/// The life of a C pair: without it `PROCESS_GETPAIRINFO_` lies to the survivor, which then never takes over.
pub(crate) fn an_active_pair_lives() {
    let node = Node::start(2, 0);
    let stage = Stage::of(&node);
    let mut primary = stage.run(&node, 0, Some("$P"));
    node.wait_for_record("$P", |record| record.keeps == StateKeeping::Active);
    assert_eq!(primary.open(named("$P"), OpenDetails::default()), Err(FileError::NO_SUCH_PROCESS));

    let mut backup = primary.create_backup(&stage, None);
    let record = node.record("$P").unwrap();
    assert_eq!((record.primary, record.backup), (primary.me, Some(backup.me)));
    assert_eq!(backup.me.cpu, cpu(1));
    let (epoch, me) = (record.epoch, primary.me);
    assert_eq!(backup.start, StartAs::ActiveBackup { epoch, primary: me });
    assert_eq!(primary.create(creation(NameChoice::Callers {})).1, Err((11, 45)));

    // The own name is the other half, for each of them; the backup takes opens, too.
    let details = OpenDetails { file_number: 7, qualifier: "#UPDATES".to_owned(), ..Default::default() };
    assert_eq!(primary.open(named("$P"), details.clone()), Ok(backup.me));
    let (opener, seen) = backup.opened_by();
    assert_eq!((opener.phandle, opener.details, seen), (primary.me, details, epoch));
    assert_eq!(backup.open(named("$P"), OpenDetails::default()), Ok(primary.me));
    assert_eq!(primary.opened_by().0.phandle, backup.me);
    let other_instance = Target::Name { name: name("$P"), sequence: Some(me.sequence + 1) };
    assert_eq!(primary.open(other_instance, OpenDetails::default()), Err(FileError::NO_SUCH_PROCESS));

    // The backup says that it is the primary.
    let change = Change::Switch { epoch, to: backup.me };
    backup.line.send(&ToDaemon::Change { request: 900, change }, Vec::new());
    let told = backup.line.messages_until(|message| matches!(message, ToProcess::Recorded { .. }));
    let switched = |message: &ToProcess| matches!(message, ToProcess::RecordChanged { record } if record.primary == backup.me);
    assert!(told.iter().any(switched), "told before the answer: {told:?}");
    assert!(matches!(told.last(), Some(ToProcess::Recorded { outcome: Recorded::Done { .. }, .. })));
    let seen = primary.wait_for_record(|record| record.primary == backup.me);
    assert_eq!(seen.backup, Some(primary.me));
    let (mut primary, mut backup) = (backup, primary);

    // Takeover: first the record, then the end of the other half.
    node.signal(primary.me, Signal::ABORT);
    let alone = backup.wait_for_record(|record| record.primary == backup_of(record, primary.me));
    assert_eq!((alone.primary, alone.backup), (backup.me, None));
    let end = backup.wait_for_end();
    assert_eq!((end.phandle, end.name, end.report.completion), (primary.me, Some(name("$P")), 5));
    assert_eq!(backup.query(Query::Name { name: name("$P") }), Answer::Record { record: Some(alone) });
    assert_eq!(backup.open(named("$P"), OpenDetails::default()), Err(FileError::PATH_DOWN));

    // Whole again, and the backup ends by itself.
    primary = backup.create_backup(&stage, None);
    let mut dying = primary;
    dying.exit(3);
    backup.wait_for_record(|record| record.backup.is_none());
    let end = backup.wait_for_end();
    assert_eq!((end.phandle, end.report.completion, end.report.abend), (dying.me, 3, false));

    node.signal(backup.me, Signal::KILL);
    node.wait_until("the name is free", || node.record("$P").is_none());
    node.stop();
    let events = node.events();
    for kind in ["started", "paired", "switchover", "takeover", "backup-removed", "ended"] {
        assert!(events.contains(&format!(r#""kind":"{kind}""#)), "{kind}: {events}");
    }
}

/// The half of a record that is not this one.
fn backup_of(record: &pollux_wire::record::NameRecord, not: Phandle) -> Phandle {
    if record.primary == not { record.backup.unwrap_or(not) } else { record.primary }
}

/// `exit(0)` of a primary: a backup that took over from it would run a finished program once more.
pub(crate) fn an_active_pair_stops_as_one() {
    let node = Node::start(2, 0);
    let stage = Stage::of(&node);
    let mut ancestor = stage.run(&node, 1, None);
    let (given, at) = (NameChoice::Given { name: name("$S") }, Some(cpu(0)));
    let (_, created) = ancestor.create(Creation { cpu: at, ..creation(given) });
    let mut primary = stage.enter();
    assert_eq!((Ok(primary.me), primary.mom), (created, Some(ancestor.me)));
    let mut backup = primary.create_backup(&stage, None);
    assert_eq!(backup.mom, Some(primary.me));
    assert_eq!(node.record("$S").unwrap().ancestor, Some(ancestor.me));

    let report = StopReport {
        completion: 1,
        abend: false,
        information: 4,
        subsystem: vec![1, 2, 3, 4, 5, 6],
        text: "all done".to_owned(),
    };
    let stopping = ToDaemon::Stopping { request: 5, both: true, report: report.clone() };
    primary.line.send(&stopping, Vec::new());
    primary.line.wait_for(|message| matches!(message, ToProcess::StopNow { request: 5 }));
    assert!(node.record("$S").is_none());
    assert!(node.processes(1).iter().all(|process| process.phandle != backup.me), "it is gone already");
    let end = ancestor.wait_for_end();
    assert_eq!((end.phandle, end.report, end.killer), (primary.me, report.clone(), None));
    primary.exit(0);
    node.wait_until("it is gone", || node.processes(0).is_empty());
    assert!(ancestor.heard_of_no_end(), "one message for the pair");
    // Its last words: all it was told is its welcome and the record.
    while let Some((message, _)) = backup.line.receive_with::<ToProcess>() {
        assert!(!matches!(message, ToProcess::System { .. }), "{message:?}");
    }

    // Only the caller: the backup goes on.
    let (given, at) = (NameChoice::Given { name: name("$S") }, Some(cpu(0)));
    assert!(ancestor.create(Creation { cpu: at, ..creation(given) }).1.is_ok());
    let mut primary = stage.enter();
    let mut backup = primary.create_backup(&stage, None);
    let stopping = ToDaemon::Stopping { request: 6, both: false, report: report.clone() };
    primary.line.send(&stopping, Vec::new());
    primary.line.wait_for(|message| matches!(message, ToProcess::StopNow { request: 6 }));
    primary.exit(1);
    backup.wait_for_record(|record| record.backup.is_none());
    let end = backup.wait_for_end();
    assert_eq!((end.phandle, end.report), (primary.me, report));
    assert!(ancestor.heard_of_no_end());
    backup.exit(0);
    assert_eq!(ancestor.wait_for_end().phandle, backup.me);
    node.stop();
}

/// The half that is left after a CPU is lost takes over when it reads -2: by then it must be on record as single.
pub(crate) fn an_active_pair_survives_a_cpu() {
    let node = Node::start(3, 0);
    let stage = Stage::of(&node);
    let mut ancestor = stage.run(&node, 1, None);
    let (given, at) = (NameChoice::Given { name: name("$LONE") }, Some(cpu(2)));
    let (_, lone) = ancestor.create(Creation { cpu: at, ..creation(given) });
    let _lone = stage.enter();
    let mut primary = stage.run(&node, 2, Some("$L"));
    let mut backup = primary.create_backup(&stage, Some(cpu(0)));

    node.signal_cpu(2, Signal::KILL);
    let alone = backup.wait_for_record(|record| record.backup.is_none());
    assert_eq!(alone.primary, backup.me);
    let is_down =
        |message: &ToProcess| matches!(message, ToProcess::System { message } if message.number() == -2);
    let heard = backup.line.messages_until(is_down);
    assert_eq!(heard.len(), 1, "no -101 for the half of a CPU that was lost: {heard:?}");
    let fate = backup.query(Query::Fate { phandle: primary.me });
    assert_eq!(fate, Answer::Fate { fate: Fate::CpuLost });

    let end = ancestor.wait_for_end();
    assert_eq!((Ok(end.phandle), end.report.completion), (lone, -4));
    assert!(node.events().contains(r#""kind":"takeover""#));
    assert_eq!(
        backup.create(Creation { cpu: Some(cpu(2)), ..creation(NameChoice::Callers {}) }).1,
        Err((10, 201))
    );
    std::fs::remove_file(node.socket(2)).unwrap();
    node.stop();
}

/// `PROCESS_CREATE_` and what a creator hears.
pub(crate) fn processes_create_processes() {
    let node = Node::start(2, 0);
    let stage = Stage::of(&node);
    let mut mom = stage.run(&node, 0, None);
    assert_eq!(mom.create(creation(NameChoice::Callers {})).1, Err((22, 0)));
    let mut missing = stage.spec();
    missing.program = "/x/y".to_owned();
    let wrong = Creation { spec: Some(missing), ..creation(NameChoice::Given { name: name("$M") }) };
    for at in [0, 1] {
        let wrong = Creation { cpu: Some(cpu(at)), ..wrong.clone() };
        assert_eq!(mom.create(wrong).1, Err((1, 11)));
        node.wait_until("the name is free", || node.record("$M").is_none());
    }
    assert!(mom.heard_of_no_end(), "it never ran");
    let far = Creation { cpu: Some(CpuNumber::new(9).unwrap()), ..creation(NameChoice::None {}) };
    assert_eq!(mom.create(far).1, Err((10, 201)));

    // A child without a name in the other CPU.
    let variables = vec![("PUPPET".to_owned(), "told".to_owned())];
    let child = Creation {
        cpu: Some(cpu(1)),
        variables,
        home_terminal: "/dev/pts/7".to_owned(),
        job: Some(3),
        priority: 9,
        ..creation(NameChoice::None {})
    };
    let (_, created) = mom.create(child);
    let mut child = stage.enter();
    assert_eq!((Ok(child.me), child.me.cpu, child.told.as_str()), (created, cpu(1), "told"));
    let Answer::Process { process: Some(facts) } = mom.query(Query::Process { phandle: child.me }) else {
        panic!("it runs")
    };
    assert_eq!((facts.mom, facts.job, facts.priority), (Some(mom.me), 3, 9));
    assert_eq!((facts.phandle, facts.home_terminal.as_str()), (child.me, "/dev/pts/7"));
    let place = |sequence| Target::Place { cpu: cpu(1), pin: facts.phandle.pin, sequence };
    assert_eq!(mom.open(place(child.me.sequence), OpenDetails::default()), Ok(child.me));
    assert_eq!(child.opened_by().1.0, 0, "no name, no epoch");
    let stale = mom.open(place(child.me.sequence + 1), OpenDetails::default());
    assert_eq!(stale, Err(FileError::NO_SUCH_PROCESS));
    child.exit(3);
    let end = mom.wait_for_end();
    assert_eq!((end.phandle, end.name, end.report.completion), (child.me, None, 3));
    let fate = mom.query(Query::Fate { phandle: child.me });
    assert_eq!(fate, Answer::Fate { fate: Fate::Ended });

    // Names that the node makes up, and one that is taken.
    for (long, length) in [(false, 5), (true, 6)] {
        assert!(mom.create(creation(NameChoice::Generated { long })).1.is_ok());
        let child = stage.enter();
        let Answer::Record { record: Some(record) } = mom.query(Query::PairOf { phandle: child.me }) else {
            panic!("it has a name")
        };
        assert_eq!(record.name.as_str().len(), length, "{}", record.name);
        assert_eq!(record.ancestor, Some(mom.me));
        let again = creation(NameChoice::Given { name: record.name.clone() });
        assert_eq!(mom.create(again).1, Err((11, 10)));
        // Stopped by its creator: told as any other end.
        assert_eq!(mom.stop_other(child.me, false), done(FileError::OK));
        let end = mom.wait_for_end();
        assert_eq!((end.phandle, end.killer, end.report.completion), (child.me, Some(mom.me), 6));
    }
    let Answer::NewName { name: first } = mom.query(Query::NewName { long: false }) else { panic!() };
    let Answer::NewName { name: second } = mom.query(Query::NewName { long: false }) else { panic!() };
    assert_ne!(first, second, "the first one is kept for who asked");
    node.stop();
}

/// `PROCESS_STOP_` and `PROCESS_GETINFO_` from outside.
pub(crate) fn others_stop_and_ask() {
    let node = Node::start(2, 0);
    let stage = Stage::of(&node);
    let mut ancestor = stage.run(&node, 0, None);
    let mut other = stage.run(&node, 1, None);
    assert!(ancestor.create(creation(NameChoice::Given { name: name("$Q") })).1.is_ok());
    let mut primary = stage.enter();
    let backup = primary.create_backup(&stage, None);
    let Answer::Process { process: Some(facts) } = other.query(Query::Process { phandle: primary.me }) else {
        panic!("it runs")
    };
    assert_eq!((facts.mom, facts.name), (Some(backup.me), Some(name("$Q"))));
    let next = Query::Place { cpu: cpu(0), pin: pollux_wire::Pin(0), next: true };
    assert!(matches!(other.query(next), Answer::Process { process: Some(_) }));
    assert_eq!(other.query(Query::Cpus {}), Answer::Cpus { up: 3, count: 2 });
    let first = other.query(Query::NextName { after: None });
    assert!(matches!(first, Answer::Record { record: Some(record) } if record.name == name("$Q")));
    let last = other.query(Query::NextName { after: Some(name("$Q")) });
    assert_eq!(last, Answer::Record { record: None });

    // Both halves at once: nobody takes over, the ancestor hears once.
    assert_eq!(other.stop_other(backup.me, true), done(FileError::OK));
    assert!(node.record("$Q").is_none());
    let end = ancestor.wait_for_end();
    assert_eq!((end.phandle, end.killer, end.report.completion), (primary.me, Some(other.me), 6));
    for half in [primary.me, backup.me] {
        assert_eq!(other.query(Query::Fate { phandle: half }), Answer::Fate { fate: Fate::Ended });
        assert_eq!(other.stop_other(half, false), done(FileError::NOT_FOUND));
    }
    assert!(ancestor.heard_of_no_end());

    // A half stops its partner and stays.
    let mut primary = stage.run(&node, 0, Some("$R"));
    let backup = primary.create_backup(&stage, None);
    assert_eq!(primary.stop_other(backup.me, true), done(FileError::OK));
    let end = primary.wait_for_end();
    assert_eq!((end.phandle, end.killer), (backup.me, Some(primary.me)));
    assert_eq!(node.record("$R").map(|record| record.primary), Some(primary.me));

    // A stranger adopts a process of another CPU.
    assert_eq!(other.become_mom(ancestor.me), done(FileError::OK));
    ancestor.exit(0);
    assert_eq!(other.wait_for_end().phandle, ancestor.me);
    assert_eq!(other.become_mom(ancestor.me), done(FileError::NOT_FOUND));
    node.stop();
}

/// What an operator does with a pair whose program understands no commands.
pub(crate) fn commands_reach_an_active_pair() {
    let node = Node::start(2, 0);
    let stage = Stage::of(&node);
    let mut primary = stage.run(&node, 0, Some("$C"));
    let switch = |phandle: Phandle| node.ask(phandle.cpu.get(), &AdminRequest::Switch { phandle });
    let refused = switch(primary.me);
    assert!(matches!(&refused, AdminReply::Refused { text } if text.contains("no backup")), "{refused:?}");

    let mut backup = primary.create_backup(&stage, None);
    assert!(matches!(switch(primary.me), AdminReply::Done {}));
    backup.wait_for_record(|record| record.backup.is_none());
    let end = backup.wait_for_end();
    assert_eq!((end.phandle, end.killer, end.report.completion), (primary.me, None, 6));
    node.wait_until("the event is there", || node.events().contains(r#""kind":"switchover""#));

    let half = backup.create_backup(&stage, None);
    let stop = AdminRequest::Stop { phandle: backup.me };
    assert!(matches!(node.ask(1, &stop), AdminReply::Done {}));
    node.wait_until("the name is free", || node.record("$C").is_none());
    node.wait_until("both are gone", || node.processes(0).is_empty() && node.processes(1).is_empty());
    drop(half);

    // A CPU that goes down on purpose takes its halves along; the others go on.
    let mut primary = stage.run(&node, 0, Some("$D"));
    let backup = primary.create_backup(&stage, None);
    assert!(matches!(node.ask(1, &AdminRequest::CpuDown { node: false }), AdminReply::Done {}));
    primary.wait_for_record(|record| record.backup.is_none());
    assert_eq!(primary.wait_for_end().phandle, backup.me);
    node.wait_until("it is down", || node.cpu_record(1).state == CpuState::Down);
    node.wait_until("its socket is gone", || !node.socket(1).exists());
    node.stop();
}
