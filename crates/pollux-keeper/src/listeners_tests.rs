use super::*;

const STREAM: Kind = Kind { domain: 2, kind: 1, protocol: 6 };
const ONE: HeldId = HeldId(1);
const TWO: HeldId = HeldId(2);

fn internet(text: &str) -> Address {
    Address::Internet(text.parse().unwrap())
}

fn wish(inode: u64, address: Address) -> Wish {
    Wish { inode, kind: STREAM, address, shares: false, file: None }
}

fn listener(inode: u64, address: Address, nth: u32) -> Listener {
    Listener { key: Key { kind: STREAM, address, nth }, inode, file: None, handed_over: None }
}

fn unused(_: u64) -> bool {
    false
}

fn used(_: u64) -> bool {
    true
}

/// A program binds and listens for the first time.
fn first_listen(table: &mut Listeners, inode: u64, asked: &str, local: &str) -> Key {
    assert_eq!(table.bind(wish(inode, internet(asked)), unused), Bind::GoOn);
    match table.listen(inode, STREAM, Some(internet(local))) {
        Listen::Hold(key, replaced) => {
            assert!(replaced.is_empty());
            key
        }
        Listen::GoOn => panic!("it is to be held"),
    }
}

// The point of it all: a program that is started again gets the socket in whose queue the connections wait.
#[test]
fn a_program_gets_its_listener_back() {
    let mut table = Listeners::default();
    table.begin_run();
    let key = first_listen(&mut table, 100, "0.0.0.0:80", "0.0.0.0:80");
    table.hold(ONE, Listener { key, ..listener(100, internet("0.0.0.0:80"), 0) });
    assert_eq!(table.listen(100, STREAM, Some(internet("0.0.0.0:80"))), Listen::GoOn, "it is held already");

    table.begin_run();
    assert_eq!(table.bind(wish(200, internet("0.0.0.0:81")), unused), Bind::GoOn, "another port");
    assert_eq!(table.bind(wish(201, internet("0.0.0.0:80")), used), Bind::Give(ONE));
    assert_eq!(
        table.bind(wish(100, internet("0.0.0.0:80")), used),
        Bind::Has(ONE),
        "bound again after a signal"
    );
    assert_eq!(table.listen(100, STREAM, Some(internet("0.0.0.0:80"))), Listen::GoOn);
}

// The kernel's answer "address in use" is the program's own: a second instance must not steal connections.
#[test]
fn a_listener_in_use_is_shared_only_by_those_who_may() {
    let mut table = Listeners::of([(ONE, listener(100, internet("0.0.0.0:80"), 0))]);
    table.begin_run();
    assert_eq!(table.bind(wish(201, internet("0.0.0.0:80")), used), Bind::Give(ONE));
    assert_eq!(table.bind(wish(202, internet("0.0.0.0:80")), used), Bind::GoOn);
    let worker = Wish { shares: true, ..wish(203, internet("0.0.0.0:80")) };
    assert_eq!(table.bind(worker, used), Bind::Give(ONE), "SO_REUSEPORT workers share one queue");
    assert_eq!(
        table.bind(wish(204, internet("0.0.0.0:80")), unused),
        Bind::Give(ONE),
        "it had closed its own"
    );
}

// Clients know the port that the kernel chose the first time; a program with two of them must not get them crossed.
#[test]
fn free_ports_come_back_in_their_order() {
    let mut table = Listeners::default();
    table.begin_run();
    let first = first_listen(&mut table, 100, "127.0.0.1:0", "127.0.0.1:40000");
    let second = first_listen(&mut table, 101, "127.0.0.1:0", "127.0.0.1:40001");
    assert_eq!((first.nth, second.nth), (0, 1));
    table.hold(ONE, Listener { key: first, ..listener(100, internet("127.0.0.1:0"), 0) });
    table.hold(TWO, Listener { key: second, ..listener(101, internet("127.0.0.1:0"), 0) });
    assert_eq!(
        table.bind(wish(102, internet("127.0.0.1:0")), unused),
        Bind::GoOn,
        "a third one in the same run"
    );

    table.begin_run();
    let asked = [110, 111, 112].map(|inode| table.bind(wish(inode, internet("127.0.0.1:0")), unused));
    assert_eq!(asked, [Bind::Give(ONE), Bind::Give(TWO), Bind::GoOn]);
}

// A listener that the program has closed must refuse connections again, and one that is only slow to come must not.
#[test]
fn what_the_program_closed_or_forgot_is_given_up() {
    let mut table = Listeners::of([
        (ONE, listener(100, internet("0.0.0.0:80"), 0)),
        (TWO, listener(101, internet("0.0.0.0:81"), 0)),
        (HeldId(3), Listener { handed_over: Some(0), ..listener(102, internet("0.0.0.0:82"), 0) }),
    ]);
    table.begin_run();
    assert_eq!(table.bind(wish(200, internet("0.0.0.0:80")), unused), Bind::Give(ONE));
    let (early, late) = (Duration::from_secs(59), Duration::from_secs(60));
    assert_eq!(table.look(early, unused), []);
    assert_eq!(table.look(early, used), [], "seen again: it counts from the beginning");
    assert_eq!(table.look(early, unused), []);
    assert_eq!(table.look(early, unused), [ONE]);
    assert_eq!(table.release(ONE).map(|listener| listener.inode), Some(100));
    assert_eq!(table.look(late, unused), [TWO]);
    assert_eq!(table.handed_over().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [HeldId(3)]);
}

// A unix listener is reached through its file: with another file at the path, the old one is nobody's.
#[test]
fn unix_listeners_follow_their_file() {
    let path = Address::Path(b"/run/a".to_vec());
    let held = Listener { file: Some((8, 5)), ..listener(100, path.clone(), 0) };
    let mut table = Listeners::of([(ONE, held.clone())]);
    table.begin_run();
    assert!(table.have_files() && table.protects((8, 5)) && !table.protects((8, 6)));
    let with_file = |file| Wish { file, ..wish(200, path.clone()) };
    assert_eq!(table.bind(with_file(Some((8, 6))), unused), Bind::GoOn);
    assert_eq!(table.listen(200, STREAM, Some(path.clone())), Listen::Hold(held.key, vec![ONE]));
    assert_eq!(table.bind(with_file(Some((8, 5))), unused), Bind::Give(ONE));
    assert!(!table.protects((8, 5)), "the program may remove what is its own");
}

// Sockets of which it is not certain what they asked for are the kernel's business.
#[test]
fn what_cannot_be_told_is_not_held() {
    let mut table = Listeners::default();
    table.begin_run();
    assert_eq!(table.listen(1, STREAM, None), Listen::GoOn);
    assert_eq!(table.listen(1, STREAM, Some(internet("0.0.0.0:0"))), Listen::GoOn, "never bound");
    // The number of a closed socket is used again by one that is bound elsewhere.
    assert_eq!(table.bind(wish(2, internet("0.0.0.0:80")), unused), Bind::GoOn);
    let Listen::Hold(key, _) = table.listen(2, STREAM, Some(internet("0.0.0.0:90"))) else { panic!() };
    assert_eq!(key.address, internet("0.0.0.0:90"));
    table.hold(ONE, Listener { key, ..listener(2, internet("0.0.0.0:90"), 0) });
    assert_eq!(
        table.listen(3, STREAM, Some(internet("0.0.0.0:90"))),
        Listen::GoOn,
        "a second one under its key"
    );
}
