//! What a programmer reads first.

use super::*;
use crate::explore::testing::{killed, run};

pub(crate) fn report(third: &str) -> Report {
    let right = || run(&[("add", Some(Ok("1"))), ("<add>", Some(Ok("2"))), ("add", Some(Ok("3")))]);
    let baseline = Baseline::of(right(), &right());
    let came = killed(run(&[("add", Some(Ok("1"))), ("<add>", Some(Ok("2"))), ("add", Some(Ok(third)))]));
    let tried = Tried::of(vec![(1, 2)], came, &baseline);
    let missed = Tried::of(vec![(1, 7)], killed(right()), &baseline);
    Report {
        baseline,
        tried: vec![tried, missed],
        seconds: 1.25,
        server: "./server".to_owned(),
        name: "$SERVER".to_owned(),
        again: "pollux explore ./server --at {}".to_owned(),
        is_single: false,
        kept: Vec::new(),
    }
}

fn plain(report: &Report) -> String {
    anstream::adapter::strip_str(&report.render()).to_string()
}

// The report must say where, what and how to see it again.
#[test]
fn a_violation_is_told_with_its_trace() {
    let text = plain(&report("2"));
    assert_eq!(
        text,
        "\
POINT     TRIED  WRONG  WHERE THE PRIMARY ENDED
-         1      0      1 not reached: this run was shorter
received  1      1      request read from its path, not yet handed to the program
lost point 2 received: request 3 \"add\": expected \"3\", came \"2\"

smallest trace, point 2:
      0.100 ms  requester   request 2 \"<add>\"
      0.110 ms  primary     KILLED at point 2: has read request 2
      0.115 ms  backup      TAKES OVER
      0.120 ms  backup      has read request 2
      0.140 ms  requester   reply to 2: \"2\"
      0.200 ms  requester   request 3 \"add\"
      0.240 ms  requester   reply to 3: \"2\"
  lost request 3 \"add\": expected \"3\", came \"2\"

again: pollux explore ./server --at 2
1 point is wrong (lost 1, doubled 0, diverged 0): 1 of 2 points, 3 requests in each run, 1.2 s
"
    );
}

// A run in which nothing was tried must not look like one in which all is well.
#[test]
fn nothing_wrong_and_nothing_tried_differ() {
    let text = plain(&report("3"));
    assert!(
        text.ends_with(
            "nothing is lost, doubled or diverged: 1 of 2 points, 3 requests in each run, 1.2 s\n"
        ),
        "{text}"
    );
    let mut none = report("3");
    none.tried.remove(0);
    assert!(plain(&none).contains("nothing was tried: no point was reached"), "{}", plain(&none));
}

// Programs read this; a field that is renamed breaks them.
#[test]
fn the_json_has_its_fields() {
    let value = serde_json::to_value(report("2").json()).unwrap();
    assert_eq!(value["violations"], 1);
    assert_eq!((&value["lost"], &value["doubled"], &value["diverged"]), (&1.into(), &0.into(), &0.into()));
    assert_eq!(value["runs"][0]["findings"][0]["kind"], "lost");
    assert_eq!(value["runs"][0]["verdict"], "lost");
    assert_eq!(value["runs"][1]["verdict"], "not-reached");
    assert_eq!(value["smallest"]["again"], "pollux explore ./server --at 2");
    assert_eq!(value["smallest"]["trace"].as_array().unwrap().len(), 7);
}
