//! The tables of return codes in the books, and that a C program has provoked each row.

use pollux_domain::nof::numbers::{self as n, OPCODES, PRIMARY, SECONDARY};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row of the tables: verb, primary code, secondary code.
type Row = (u16, u16, u32);

/// A code that is common to all verbs.
const ANY: u16 = 0;
const NONE: u32 = 0;

/// Codes common to all verbs.
const COMMON: &[(u16, u32)] = &[
    (n::AP_OK, NONE),
    (n::AP_COMM_SUBSYSTEM_ABENDED, n::AP_LOCAL_ABENDED),
    (n::AP_COMM_SUBSYSTEM_ABENDED, n::AP_TARGET_ABENDED),
    (n::AP_COMM_SUBSYSTEM_NOT_LOADED, NONE),
    (n::AP_NODE_NOT_STARTED, NONE),
    (n::AP_NODE_STOPPING, NONE),
    (n::AP_INDICATION, NONE),
    (n::AP_INDICATION, n::AP_EXTRA_DATA_LOST),
    (n::AP_INVALID_VERB, NONE),
    (n::AP_FUNCTION_NOT_SUPPORTED, NONE),
    (n::AP_PARAMETER_CHECK, n::AP_INVALID_FORMAT),
    (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_HANDLE),
    (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET),
    (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE),
    (n::AP_PARAMETER_CHECK, n::AP_NOT_SERVER),
    (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ENABLED),
    (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ALLOWED),
    (n::AP_STATE_CHECK, n::AP_CANT_MODIFY_VISIBILITY),
    (n::AP_STATE_CHECK, n::AP_FILE_LOCK_FAILED),
    (n::AP_STATE_CHECK, n::AP_FILE_UNLOCK_FAILED),
    (n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE),
    (n::AP_STATE_CHECK, n::AP_NODE_NOT_CONFIGURED),
    (n::AP_STATE_CHECK, n::AP_NOT_MASTER),
    (n::AP_STATE_CHECK, n::AP_SYNC_PENDING),
    (n::AP_UNEXPECTED_SYSTEM_ERROR, NONE),
];

/// Codes of one verb.
const OF_VERBS: &[(u16, &[(u16, u32)])] = &[
    (
        n::AP_OPEN_FILE,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_FILE_NAME),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_FILE_INFO),
            (n::AP_STATE_CHECK, n::AP_CONNECTION_NOT_MADE),
            (n::AP_STATE_CHECK, n::AP_FILE_BAD_RECORD),
            (n::AP_STATE_CHECK, n::AP_FILE_ROLE_UNAVAILABLE),
            (n::AP_STATE_CHECK, n::AP_INVALID_VERSION),
        ],
    ),
    (n::AP_CLOSE_FILE, &[(n::AP_OK, NONE), (n::AP_STATE_CHECK, n::AP_VERB_IN_PROGRESS)]),
    (n::AP_DISCONNECT_NODE, &[(n::AP_OK, NONE), (n::AP_STATE_CHECK, n::AP_VERB_IN_PROGRESS)]),
    (
        n::AP_SET_PROCESSING_MODE,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_PROC_MODE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE),
            (n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE),
            (n::AP_STATE_CHECK, n::AP_FILE_LOCK_FAILED),
            (n::AP_STATE_CHECK, n::AP_FILE_UNLOCK_FAILED),
            (n::AP_STATE_CHECK, n::AP_VERB_IN_PROGRESS),
            (n::AP_STATE_CHECK, n::AP_NOT_MASTER),
            (n::AP_STATE_CHECK, n::AP_NOT_AUTHORIZED),
        ],
    ),
    (
        n::AP_ADD_BACKUP,
        &[
            (n::AP_OK, NONE),
            (n::AP_STATE_CHECK, n::AP_DUPLICATE_RECORD),
            (n::AP_STATE_CHECK, n::AP_INVALID_TARGET),
            (n::AP_STATE_CHECK, n::AP_NOT_MASTER),
            (n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_SERVER_NAME),
        ],
    ),
    (
        n::AP_DELETE_BACKUP,
        &[
            (n::AP_OK, NONE),
            (n::AP_STATE_CHECK, n::AP_RECORD_NOT_FOUND),
            (n::AP_STATE_CHECK, n::AP_CANT_DELETE_LAST_BACKUP),
            (n::AP_STATE_CHECK, n::AP_INVALID_TARGET),
            (n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE),
        ],
    ),
    (
        n::AP_QUERY_SNA_NET,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_LIST_OPTION),
            (n::AP_STATE_CHECK, n::AP_RECORD_NOT_FOUND),
            (n::AP_STATE_CHECK, n::AP_INVALID_TARGET),
        ],
    ),
    (
        n::AP_QUERY_NODE_ALL,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_NODE_NAME),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_LIST_OPTION),
        ],
    ),
    (n::AP_QUERY_CENTRAL_LOGGER, &[(n::AP_OK, NONE), (n::AP_STATE_CHECK, n::AP_NO_CENTRAL_LOG)]),
    (
        n::AP_CONNECT_NODE,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_NODE_NAME),
            (n::AP_STATE_CHECK, n::AP_CONNECTION_NOT_MADE),
            (n::AP_STATE_CHECK, n::AP_INVALID_VERSION),
        ],
    ),
    (n::AP_SET_CENTRAL_LOGGING, &[(n::AP_OK, NONE), (n::AP_PARAMETER_CHECK, n::AP_NOT_CENTRAL_LOGGER)]),
    (
        n::AP_QUERY_CENTRAL_LOGGING,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_NOT_CENTRAL_LOGGER),
            (n::AP_STATE_CHECK, n::AP_NO_CENTRAL_LOG),
        ],
    ),
    (n::AP_SET_GLOBAL_LOG_TYPE, &[(n::AP_OK, NONE), (n::AP_PARAMETER_CHECK, n::AP_NOT_CENTRAL_LOGGER)]),
    (n::AP_QUERY_GLOBAL_LOG_TYPE, &[(n::AP_OK, NONE)]),
    (n::AP_SET_LOG_TYPE, &[(n::AP_OK, NONE)]),
    (n::AP_QUERY_LOG_TYPE, &[(n::AP_OK, NONE)]),
    (n::AP_DEFINE_DOMAIN_CONFIG_FILE, &[(n::AP_OK, NONE)]),
    (n::AP_QUERY_DOMAIN_CONFIG_FILE, &[(n::AP_OK, NONE)]),
    (
        n::AP_REGISTER_INDICATION_SINK,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_OP_CODE),
            (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ALLOWED),
            (n::AP_PARAMETER_CHECK, n::AP_DYNAMIC_LOAD_ALREADY_REGD),
            (n::AP_FUNCTION_NOT_SUPPORTED, NONE),
        ],
    ),
    (
        n::AP_UNREGISTER_INDICATION_SINK,
        &[
            (n::AP_OK, NONE),
            (n::AP_PARAMETER_CHECK, n::AP_INVALID_OP_CODE),
            (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ALLOWED),
            (n::AP_FUNCTION_NOT_SUPPORTED, NONE),
        ],
    ),
];

/// Rows that no program can meet, and why. Reviewed: an entry that a program does meet fails the test, too.
const IMPOSSIBLE: &[(Row, &str)] = &[
    ((ANY, n::AP_NODE_NOT_STARTED, NONE), "verbs on node resources lie outside the domain"),
    ((ANY, n::AP_NODE_STOPPING, NONE), "verbs on node resources lie outside the domain"),
    ((ANY, n::AP_INDICATION, NONE), "no result of a verb; checked in the callback of indications.c"),
    ((ANY, n::AP_INDICATION, n::AP_EXTRA_DATA_LOST), "an indication of the domain is never cut"),
    ((ANY, n::AP_STATE_CHECK, n::AP_NODE_NOT_CONFIGURED), "a node of Pollux needs no definition"),
    ((ANY, n::AP_UNEXPECTED_SYSTEM_ERROR, NONE), "only the way out of a bug of libnof: entry.rs"),
    ((n::AP_OPEN_FILE, n::AP_PARAMETER_CHECK, n::AP_INVALID_FILE_NAME), "the verb is not given a name"),
    (
        (n::AP_OPEN_FILE, n::AP_STATE_CHECK, n::AP_CONNECTION_NOT_MADE),
        "the way to a file is that to the local server: AP_COMM_SUBSYSTEM_NOT_LOADED",
    ),
    (
        (n::AP_OPEN_FILE, n::AP_STATE_CHECK, n::AP_INVALID_VERSION),
        "servers of other versions do not understand each other's records at all: not seen",
    ),
    (
        (n::AP_CONNECT_NODE, n::AP_STATE_CHECK, n::AP_INVALID_VERSION),
        "servers of other versions do not understand each other's records at all: not seen",
    ),
    (
        (n::AP_DISCONNECT_NODE, n::AP_STATE_CHECK, n::AP_VERB_IN_PROGRESS),
        "verbs on a node are finished under the program's lock: none is ever outstanding",
    ),
    (
        (n::AP_SET_PROCESSING_MODE, n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE),
        "the other name of AP_FILE_LOCK_FAILED, which is what is returned",
    ),
    ((n::AP_REGISTER_INDICATION_SINK, n::AP_FUNCTION_NOT_SUPPORTED, NONE), "every node has the function"),
    ((n::AP_UNREGISTER_INDICATION_SINK, n::AP_FUNCTION_NOT_SUPPORTED, NONE), "every node has the function"),
];

/// Checks that what programs have met, as `check.h` wrote it down, is all that can be met.
pub(crate) fn check(seen: &Path) {
    let text = fs::read_to_string(seen).unwrap();
    let met: BTreeSet<Row> = text.lines().map(row).collect();
    let common = COMMON.iter().map(|&(primary, secondary)| (ANY, primary, secondary));
    let of_verbs = OF_VERBS
        .iter()
        .flat_map(|&(verb, codes)| codes.iter().map(move |&(primary, secondary)| (verb, primary, secondary)));
    let mut faults = Vec::new();
    for wanted @ (verb, primary, secondary) in common.chain(of_verbs) {
        let is_met =
            met.iter().any(|met| (met.1, met.2) == (primary, secondary) && [ANY, met.0].contains(&verb));
        let reason = IMPOSSIBLE.iter().find(|(row, _)| *row == wanted).map(|(_, reason)| reason);
        match (is_met, reason) {
            (false, None) => faults.push(format!("no C program has met {}", name(wanted))),
            (true, Some(reason)) => faults.push(format!("{} is not impossible: {reason}", name(wanted))),
            _ => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every verb of the interface has its codes here, and every code of the interface is in a row.
#[test]
fn the_tables_are_whole() {
    let all = |codes: &[(&'static str, u64)]| codes.to_vec();
    for (verb, number) in all(OPCODES.1) {
        assert!(OF_VERBS.iter().any(|(of, _)| u64::from(*of) == number), "{verb}");
    }
    let rows = || COMMON.iter().chain(OF_VERBS.iter().flat_map(|(_, codes)| codes.iter()));
    for (code, number) in all(PRIMARY.1) {
        let reserved = number == u64::from(n::AP_CANCELLED);
        assert!(reserved || rows().any(|(primary, _)| u64::from(*primary) == number), "{code}");
    }
    for (code, number) in all(SECONDARY.1) {
        let of_indication = number == u64::from(n::AP_MASTER_TAKEOVER);
        assert!(of_indication || rows().any(|(_, secondary)| u64::from(*secondary) == number), "{code}");
    }
}

fn row(line: &str) -> Row {
    let mut numbers = line.split(' ').map(|word| u32::from_str_radix(word, 16).unwrap());
    let mut next = || numbers.next().unwrap();
    (next() as u16, next() as u16, next())
}

fn name((verb, primary, secondary): Row) -> String {
    let of = |names: &[(&str, u64)], number: u64| {
        let found = names.iter().find(|(_, value)| *value == number);
        found.map_or_else(|| format!("{number:#x}"), |(name, _)| (*name).to_owned())
    };
    let (verb, primary) = (of(OPCODES.1, verb.into()), of(PRIMARY.1, primary.into()));
    format!("{verb} {primary} {}", of(SECONDARY.1, secondary.into()))
}
