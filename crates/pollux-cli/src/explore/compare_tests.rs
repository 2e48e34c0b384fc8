//! A verdict that is wrong in either direction is worse than none: each kind is made here by hand.

use super::*;
use crate::explore::testing::run;

fn right() -> Outcome {
    run(&[("a", Some(Ok("1"))), ("b", Some(Ok("2"))), ("c", Some(Ok("3")))])
}

fn baseline() -> Baseline {
    Baseline::of(right(), &right())
}

fn kinds(findings: &[Finding]) -> Vec<(Kind, Option<(usize, usize)>)> {
    findings.iter().map(|finding| (finding.kind, finding.request)).collect()
}

// A takeover that nobody notices is no finding.
#[test]
fn the_same_is_no_finding() {
    assert_eq!(baseline().compare(&right()), []);
    assert_eq!(baseline().unsteady, Vec::<String>::new());
}

// The kind is what a reader looks at first.
#[test]
fn replies_are_called_by_their_kind() {
    let third = |reply: Option<Result<&str, u16>>| {
        let came = run(&[("a", Some(Ok("1"))), ("b", Some(Ok("2"))), ("c", reply)]);
        kinds(&baseline().compare(&came))
    };
    let third_is = |kind| vec![(kind, Some((0, 3)))];
    assert_eq!(third(None), third_is(Kind::Lost));
    assert_eq!(third(Some(Err(201))), third_is(Kind::Lost));
    assert_eq!(third(Some(Ok("2"))), third_is(Kind::Lost), "it was given earlier");
    assert_eq!(third(Some(Ok("4"))), third_is(Kind::Doubled), "it is ahead");
    assert_eq!(third(Some(Ok("three"))), third_is(Kind::Diverged));
    let second = run(&[("a", Some(Ok("1"))), ("b", Some(Ok("3"))), ("c", Some(Ok("4")))]);
    let found = baseline().compare(&second);
    assert_eq!(kinds(&found), [(Kind::Doubled, Some((0, 2))), (Kind::Doubled, Some((0, 3)))]);
    assert_eq!((found[0].expected.as_str(), found[0].came.as_str()), ("\"2\"", "\"3\""));
    assert_eq!(found[0].of, "request 2 \"b\"");
}

// An error that the server always gives is its answer; success in its place is no better.
#[test]
fn an_error_may_be_what_is_expected() {
    let refused = || run(&[("a", Some(Err(48)))]);
    let baseline = Baseline::of(refused(), &refused());
    assert_eq!(baseline.compare(&refused()), []);
    assert_eq!(kinds(&baseline.compare(&run(&[("a", Some(Ok("1")))]))), [(Kind::Diverged, Some((0, 1)))]);
}

// A requester that hangs, or ends early, has lost something, also where it made no request.
#[test]
fn the_end_of_the_requester_counts() {
    let mut hung = run(&[("a", Some(Ok("1"))), ("b", None)]);
    hung.exit = Exit::TimedOut;
    assert_eq!(kinds(&baseline().compare(&hung)), [(Kind::Lost, Some((0, 2))), (Kind::Lost, None)]);
    let mut failed = right();
    (failed.exit, failed.stderr) = (Exit::Code(1), b"one\nno luck\n".to_vec());
    let found = baseline().compare(&failed);
    assert_eq!(kinds(&found), [(Kind::Diverged, None)]);
    assert_eq!(found[0].came, "exit code 1; it said: no luck");
    let mut other = right();
    other.stdout = b"undone\n".to_vec();
    assert_eq!(baseline().compare(&other)[0].of, "the requester's output");
}

// The last kill of a course is noticed by no request: but the state is gone with the pair.
#[test]
fn a_pair_that_is_gone_has_lost_its_state() {
    let mut gone = right();
    gone.left = Left::Gone;
    assert_eq!(kinds(&baseline().compare(&gone)), [(Kind::Lost, None)]);
    assert_eq!(Baseline::of(gone.clone(), &gone).compare(&gone), [], "a server that ends by itself");
    gone.left = Left::Alone;
    assert_eq!(baseline().compare(&gone), []);
}

// Lines of a file are effects: one that is missing is lost, one that is there again is doubled.
#[test]
fn files_are_compared_by_lines() {
    let with = |text: &str| {
        let mut outcome = run(&[("ADD x-1", Some(Ok("1"))), ("ADD x-2", Some(Ok("2")))]);
        outcome.files.insert("records".to_owned(), text.as_bytes().to_vec());
        outcome
    };
    let baseline = Baseline::of(with("x-1\nx-2\n"), &with("x-1\nx-2\n"));
    let found = |text: &str| {
        let all = baseline.compare(&with(text));
        all.iter().map(|one| (one.kind, one.request, one.came.clone())).collect::<Vec<_>>()
    };
    assert_eq!(found("x-1\nx-2\n"), []);
    assert_eq!(found("x-1\nx-2\nx-2\n"), [(Kind::Doubled, Some((0, 2)), "twice".to_owned())]);
    assert_eq!(found("x-2\n"), [(Kind::Lost, Some((0, 1)), "not there".to_owned())]);
    assert_eq!(found("x-2\nx-1\n"), [(Kind::Diverged, None, "the same lines in another order".to_owned())]);
    assert_eq!(found("x-1\nx-2\ny\n"), [(Kind::Diverged, None, "a line \"y\"".to_owned())]);
    let mut gone = with("");
    gone.files.clear();
    assert_eq!(kinds(&baseline.compare(&gone)), [(Kind::Lost, None)]);
}

// A clock in a reply would make every takeover a violation.
#[test]
fn what_differs_by_itself_is_not_compared() {
    let at = |time: &str| run(&[("a", Some(Ok(time))), ("b", Some(Ok("2")))]);
    let mut other = at("12:01");
    other.stdout = b"at 12:01\n".to_vec();
    other.files.insert("log".to_owned(), b"12:01\n".to_vec());
    let mut first = at("12:00");
    first.files.insert("log".to_owned(), b"12:00\n".to_vec());
    let baseline = Baseline::of(first, &other);
    assert_eq!(baseline.steady_replies(), 1);
    assert_eq!(baseline.unsteady.len(), 3, "{:?}", baseline.unsteady);
    assert!(!baseline.says_little());
    assert_eq!(baseline.compare(&at("12:02")), []);
    let lost = run(&[("a", Some(Err(201))), ("b", Some(Ok("2")))]);
    assert_eq!(kinds(&baseline.compare(&lost)), [(Kind::Lost, Some((0, 1)))]);
}

// What a requester asks may follow from what it was told: that is one finding, not many.
#[test]
fn what_follows_from_a_finding_is_none() {
    let came = run(&[("a", Some(Ok("9"))), ("b9", Some(Ok("5"))), ("c", Some(Ok("3")))]);
    assert_eq!(kinds(&baseline().compare(&came)), [(Kind::Doubled, Some((0, 1)))]);
}

// Two requesters that write at once do it in any order; a line that is missing is missing all the same.
#[test]
fn several_requesters_come_in_any_order() {
    let with = |lines: &str, replies: [&str; 2]| {
        let mut outcome = run(&[("a-1", Some(Ok(replies[0])))]);
        outcome.traces.requesters.extend(run(&[("b-1", Some(Ok(replies[1])))]).traces.requesters);
        outcome.files.insert("records".to_owned(), lines.as_bytes().to_vec());
        outcome
    };
    let first = || with("a-1\nb-1\n", ["1", "2"]);
    let baseline = Baseline::of(first(), &first());
    assert!(baseline.unsteady[0].starts_with("there are several requesters"), "{:?}", baseline.unsteady);
    assert_eq!(baseline.compare(&with("b-1\na-1\n", ["2", "1"])), []);
    assert_eq!(kinds(&baseline.compare(&with("b-1\n", ["2", "1"]))), [(Kind::Lost, Some((0, 1)))]);
    assert_eq!(
        kinds(&baseline.compare(&with("b-1\nb-1\na-1\n", ["2", "1"]))),
        [(Kind::Doubled, Some((1, 1)))]
    );
}

// What was asked not to be compared is not.
#[test]
fn what_is_ignored_is_not_compared() {
    let mut first = right();
    first.files.insert("log".to_owned(), b"a\n".to_vec());
    let mut came = first.clone();
    came.files.insert("log".to_owned(), b"b\n".to_vec());
    came.stdout = b"1 sent again\n".to_vec();
    let mut baseline = Baseline::of(first.clone(), &first);
    assert_eq!(baseline.compare(&came).len(), 1);
    baseline.ignore(&["log".to_owned(), "output".to_owned()]);
    assert_eq!(baseline.compare(&came), []);
}

// The number that counts is the last one, wherever it stands.
#[test]
fn numbers_in_texts() {
    let number = |text: &str| last_number(text.as_bytes());
    assert_eq!(
        [number("OK 17"), number("3 of 12"), number("-4"), number("x-3"), number("none")],
        [Some(17), Some(12), Some(-4), Some(3), None]
    );
}
