//! One test for each program that checks the rules of the manual by itself.

use super::common::{Programs, SOURCES, Test, says, source};
use super::{node, start_provider, start_provider_with};

pub(crate) const TESTS: &[Test] = &[
    ("nowait_rules", |programs| alone(programs, "sockets_rules", &["nowait"])),
    ("cancelled_accepts_give_their_connections_back", |programs| {
        alone(programs, "sockets_rules", &["cancel"])
    }),
    ("queue_lengths", |programs| alone(programs, "sockets_rules", &["queue"])),
    ("datagrams", |programs| alone(programs, "sockets_rules", &["datagrams"])),
    ("a_number_is_used_again", |programs| alone(programs, "sockets_rules", &["reuse"])),
    ("urgent_data", |programs| alone(programs, "sockets_rules", &["urgent"])),
    ("held_input", |programs| alone(programs, "sockets_rules", &["held"])),
    ("waited_calls", |programs| alone(programs, "sockets_waited", &["calls"])),
    ("names_and_addresses", |programs| alone(programs, "sockets_waited", &["names"])),
    ("options_and_commands", |programs| alone(programs, "sockets_waited", &["options"])),
    ("errors_by_number_and_nothing_leaks", |programs| alone(programs, "sockets_errors", &[])),
    ("every_routine_has_bad_input", all_routines_have_bad_input),
    ("no_descriptor_is_left", |programs| alone(programs, "sockets_limits", &["own"])),
    ("the_table_of_open_files_is_full", |programs| alone(programs, "sockets_limits", &["table"])),
    ("the_provider_is_full", full_provider),
    ("no_provider", no_provider),
    ("another_provider", another_provider),
    ("a_connection_is_claimed_by_another_process", claimed_elsewhere),
    ("byte_orders_reach_the_same_port", byte_orders),
];

/// Routines for which there is no bad input.
const NO_BAD_INPUT: [(&str, &str); 7] = [
    ("gethostname", "the routine of the system"),
    ("gethostid", "the routine of the system, which takes nothing"),
    ("if_nameindex", "takes nothing"),
    ("inet_ntoa", "every address has a text"),
    ("inet_lnaof", "every address has a part of the host"),
    ("inet_netof", "every address has a network"),
    ("inet_makeaddr", "every two numbers make an address"),
];

/// A routine that is new in the table is tried with what it must refuse.
fn all_routines_have_bad_input(_: &Programs) {
    let table = std::fs::read_to_string(source("../pollux-guardian", "sockets.toml")).unwrap();
    let text = std::fs::read_to_string(source(SOURCES, "sockets_errors.c")).unwrap();
    let names: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(names.len() >= 85, "the table has {} routines", names.len());
    for name in names {
        let forms = [format!("FAILS({name}("), format!("GIVES({name}, "), format!("ENDS({name}, ")];
        let is_tried = forms.iter().any(|form| text.contains(form));
        let is_exempt = NO_BAD_INPUT.iter().any(|(exempt, _)| *exempt == name);
        assert!(
            is_tried != is_exempt,
            "{name}: bad input in sockets_errors.c, or a reason why there is none"
        );
    }
}

fn alone(programs: &Programs, program: &str, arguments: &[&str]) {
    let node = node();
    programs.passes(&node, 1, "$TEST", program, arguments);
    node.finish();
}

/// A program hears why it gets no socket: the file-system error.
fn no_provider(programs: &Programs) {
    let node = super::common::node();
    programs.passes(&node, 0, "$TEST", "sockets_waited", &["no_provider"]);
    node.finish();
}

/// A provider that may have few descriptors keeps half of them.
fn full_provider(programs: &Programs) {
    let node = super::common::node();
    start_provider_with(&node, "$ZTC0", "ulimit -n 80; exec \"$0\" \"$@\"");
    programs.passes(&node, 0, "$TEST", "sockets_limits", &["provider"]);
    node.finish();
}

fn another_provider(programs: &Programs) {
    let node = super::common::node();
    start_provider(&node, "$ZTC7");
    programs.passes(&node, 0, "$TEST", "sockets_waited", &["named", "$ZTC7"]);
    node.finish();
}

/// The LISTNER's way: one process waits for the connection, another one serves it.
fn claimed_elsewhere(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$CLAIM", "sockets_accept", &["claim"]);
    programs.passes(&node, 1, "$ACC", "sockets_accept", &["accept", "$CLAIM"]);
    says(&node, "$CLAIM", "PASSED");
    node.finish();
}

/// A program with htons, one without, and one that was compiled for real network order reach port 7639.
fn byte_orders(programs: &Programs) {
    let node = node();
    programs.passes(&node, 0, "$A", "sockets_waited", &["order"]);
    programs.passes(&node, 0, "$B", "network_order", &["order"]);
    node.finish();
}
