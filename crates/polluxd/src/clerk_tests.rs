use super::*;
use crate::endings::EndReport;
use crate::ledger::Gone;
use pollux_coordinator::Memory;
use pollux_os::{Channel, Fill};
use pollux_wire::control::{CONTROL, StateKeeping, ToDaemon, ToProcess};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::{Wire as _, decode};

fn process(on: u8, incarnation: u16) -> Phandle {
    let cpu = CpuNumber::new(on).unwrap();
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation, sequence: 5 }
}

fn name() -> ProcessName {
    ProcessName::new("$A").unwrap()
}

/// Where the name is on record with both halves, epoch 5.
fn ledger() -> Ledger<Memory> {
    let mut ledger = Ledger::new(Memory::new());
    let record = NameRecord {
        name: name(),
        epoch: Epoch(5),
        primary: process(0, 1),
        backup: Some(process(1, 2)),
        ancestor: None,
        program: String::new(),
        keeps: StateKeeping::Managed,
    };
    ledger.create_name(&record).unwrap();
    ledger
}

fn ask(channel: &mut Channel) {
    let change = Change::TakeOver { epoch: Epoch(5), dead: process(0, 1) };
    channel.queue(CONTROL, |out| ToDaemon::Change { request: 9, change }.put(out));
    let _ = channel.flush().unwrap();
}

fn wait(fd: impl std::os::fd::AsFd) {
    let mut poller = pollux_os::Poller::new().unwrap();
    poller.add(fd, 0, pollux_os::Interest::READ).unwrap();
    assert_eq!(poller.wait(Some(Duration::from_secs(10))).unwrap().len(), 1, "in time");
}

// A requester waits for it: neither the answer nor what the loop hears of it may be lost.
#[test]
fn a_takeover_is_answered_over_its_line_and_told_afterwards() {
    let mut clerk = Clerk::start(ledger()).unwrap();
    let mut channel = Channel::new(clerk.line(process(1, 2), name()).unwrap(), CONTROL_BODY_BYTES_MAX);
    let change = Change::TakeOver { epoch: Epoch(5), dead: process(0, 1) };
    channel.queue(CONTROL, |out| ToDaemon::Prepare { change }.put(out));
    let _ = channel.flush().unwrap();
    ask(&mut channel);
    wait(&channel);
    assert_eq!(channel.fill().unwrap(), Fill::Open);
    let answer: ToProcess = decode(channel.next_frame().unwrap().unwrap().body).unwrap();
    let outcome = Recorded::Done { epoch: Epoch(6) };
    assert_eq!(answer, ToProcess::Recorded { request: 9, outcome: outcome.clone() });

    wait(clerk.bell());
    let told = clerk.poll().unwrap();
    let Done::Changed { asker, outcome: told, told: true, .. } = told else { panic!("{told:?}") };
    assert_eq!((asker.process, asker.request, told), (process(1, 2), 9, outcome));
    assert_eq!(clerk.under_way, 0, "it was no job");
}

// Its end would find it as the backup, and the takeover after it would leave a name that nobody serves or ends.
#[test]
fn what_a_process_asked_before_its_end_is_on_record_before_it() {
    let (_orders, orders) = channel();
    let (done_jobs, done) = channel();
    let (bell, orders_bell) = (Arc::new(Doorbell::new().unwrap()), Arc::new(Doorbell::new().unwrap()));
    let lines = Lines::new(&orders_bell).unwrap();
    let mut desk =
        Desk { ledger: ledger(), lines, orders, orders_bell, done: done_jobs, bell, ring_at: None };
    let (ours, theirs) = socket_pair().unwrap();
    desk.lines.add(process(1, 2), name(), ours);
    ask(&mut Channel::new(theirs, CONTROL_BODY_BYTES_MAX));

    let end = EndReport::lost("killed");
    let dead = process(1, 2);
    let gone = GoneProcess { name: name(), dead, end, started_by: None, ran: true, correct: true };
    assert!(desk.carry_out(Order::Do(Job::ProcessGone { gone })).is_ok());
    let first = done.try_recv().unwrap();
    assert!(
        matches!(first, Done::Changed { told: true, outcome: Recorded::Done { epoch: Epoch(6) }, .. }),
        "{first:?}"
    );
    let second = done.try_recv().unwrap();
    let Done::ProcessGone { result: Ok(Gone::Ended(record)), .. } = second else { panic!("{second:?}") };
    assert_eq!((record.primary, record.backup), (process(1, 2), None));
}
