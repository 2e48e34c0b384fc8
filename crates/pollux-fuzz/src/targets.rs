//! The table of targets, and the seeds of their corpora.

mod domain;
mod kv;
mod seeds_wire;
mod wire;

use crate::{Limits, Target};

/// Most decoders: no more than a few times the input, and a thousand bytes.
const USUAL: Limits =
    Limits { input_bytes_max: 4096, bytes_per_byte: 64, bytes_fixed: 16 << 10, time_ms: 100 };
/// Lists of words, one a line: the words are made before the decoder sees them. An empty word is a byte of input and 24 bytes of
/// each list that it is kept in, and lists grow by doubling.
const LINES: Limits = Limits { bytes_per_byte: 256, ..USUAL };
/// Texts whose faults are listed, each with words for a person.
const TEXT: Limits = Limits { bytes_per_byte: 1024, ..USUAL };
/// Buffers of a channel, rings: their size does not depend on the input.
const BUFFERS: Limits = Limits { bytes_fixed: 1 << 20, ..USUAL };

/// All targets, group by group, in the order in which they run.
pub fn all() -> Vec<Target> {
    [frames(), control(), records(), resp(), startup(), configuration(), cc(), nof(), guardian()].concat()
}

/// A target; its group is still to be said.
fn target(name: &'static str, of: &'static str, run: fn(&[u8]), limits: Limits) -> Target {
    Target { name, group: "", of, run, limits }
}

fn group(group: &'static str, targets: impl IntoIterator<Item = Target>) -> Vec<Target> {
    targets.into_iter().map(|target| Target { group, ..target }).collect()
}

/// Frames of paths, of the pair channel and of the daemons, and what carries them.
fn frames() -> Vec<Target> {
    group(
        "frames",
        [
            target("path-frames", "requester and server, over an open's path", wire::path_frames, USUAL),
            target("checkpoint", "a primary, to its backup", pollux::fuzz::checkpoint, USUAL),
            target("checkpoint-records", "a primary, to its backup", wire::checkpoint_records, USUAL),
            target("objects", "a primary: replicated objects", pollux::fuzz::object, USUAL),
            target("mesh", "the daemons of a node", wire::mesh, USUAL),
            target("frame-header", "any peer", pollux_os::fuzz::frame_header, USUAL),
            target("channel", "any peer, over a socket", pollux_os::fuzz::channel, BUFFERS),
            target("ring", "any peer, in shared memory", pollux_os::fuzz::ring, BUFFERS),
            target("socket-provider", "programs and the TCP/IP provider", wire::socket_provider, USUAL),
        ],
    )
}

/// The control protocol, the administration protocol, and orders to the processes of a node.
fn control() -> Vec<Target> {
    group(
        "control",
        [
            target("control", "a process and its daemon", wire::control, USUAL),
            target("admin", "the command and a daemon", wire::admin, USUAL),
            target("names", "people: names of processes and nodes, words of states", wire::names, USUAL),
            target("launch-order", "a daemon, to the launcher", pollux_os::fuzz::launch_order, LINES),
            target("daemon-arguments", "a daemon, to the one it starts", domain::daemon_arguments, LINES),
            target("keeper-label", "the other half of a keeper", pollux_keeper::fuzz::label, USUAL),
            target("keeper-options", "the command, and people", pollux_keeper::fuzz::options, LINES),
            target("bind-address", "a kept program, at bind", pollux_keeper::fuzz::bind_address, USUAL),
        ],
    )
}

/// Records of the coordinator: LMDB, etcd.
fn records() -> Vec<Target> {
    group(
        "records",
        [
            target("records", "the coordinator: names, CPUs, the node", wire::records, USUAL),
            target("local-header", "the store of one host", pollux_coordinator::fuzz::local_header, USUAL),
            target("local-record", "the store of one host", pollux_coordinator::fuzz::local_record, USUAL),
            target("local-change", "the store of one host", pollux_coordinator::fuzz::local_change, USUAL),
            target("boot-file", "the store of one host", pollux_coordinator::fuzz::boot_file, USUAL),
            target("counter", "the coordinator", pollux_coordinator::fuzz::counter, USUAL),
            target("etcd-log", "etcd", pollux_coordinator::fuzz::etcd_log, USUAL),
            target("etcd-key", "etcd", pollux_coordinator::fuzz::etcd_key, USUAL),
            target("place", "people: where the coordinator is", domain::place, USUAL),
            target("domain-store", "the coordinator: a domain's records", domain::store, TEXT),
        ],
    )
}

/// RESP, and what a pair of pollux-kv keeps of it.
fn resp() -> Vec<Target> {
    group(
        "resp",
        [
            target("resp", "clients of pollux-kv", kv::requests, BUFFERS),
            target("kv-commands", "clients of pollux-kv", kv::commands, BUFFERS),
            target("kv-effects", "a primary of pollux-kv", kv::effects, USUAL),
            target("kv-snapshot", "a primary of pollux-kv", kv::snapshot, USUAL),
            target("resp-replies", "a server under the demo's load", kv::replies, USUAL),
        ],
    )
}

/// Startup messages, and what the halves of a C program give each other.
fn startup() -> Vec<Target> {
    group(
        "startup",
        [
            target(
                "startup-message",
                "the starter of a program",
                pollux_guardian::fuzz::startup_message,
                USUAL,
            ),
            target(
                "assign-message",
                "the starter of a program",
                pollux_guardian::fuzz::assign_message,
                USUAL,
            ),
            target("param-message", "the starter of a program", pollux_guardian::fuzz::param_message, USUAL),
            target(
                "environment-lines",
                "the starter of a program",
                pollux_guardian::fuzz::environment_lines,
                USUAL,
            ),
            target("hand-over", "a primary's run-time library", pollux_guardian::fuzz::hand_over, USUAL),
            target(
                "stream-state",
                "a primary's run-time library",
                pollux_guardian::fuzz::stream_state,
                USUAL,
            ),
            target(
                "process-sync-block",
                "a primary's program",
                pollux_guardian::fuzz::process_sync_block,
                USUAL,
            ),
            target("open-info", "a primary's program: a socket", pollux_guardian::fuzz::open_info, USUAL),
            target(
                "stored-socket",
                "the other half of the provider",
                pollux_sockets::fuzz::stored_socket,
                USUAL,
            ),
        ],
    )
}

/// Files of a domain, and what its servers and people say.
fn configuration() -> Vec<Target> {
    group(
        "configuration",
        [
            target("sna-net", "files of a domain", domain::sna_net, TEXT),
            target("domain-file", "files of a domain", domain::domain_file, TEXT),
            target("node-file", "files of a domain", domain::node_file, TEXT),
            target("client-file", "people: sna_clnt.net", domain::client_file, TEXT),
            target("configuration", "people: what the domain runs", domain::configuration, TEXT),
            target("domain-frames", "servers and programs of a domain", pollux_domaind::fuzz::frames, TEXT),
            target(
                "domain-addresses",
                "people, and servers of a domain",
                pollux_domaind::fuzz::addresses,
                USUAL,
            ),
            target(
                "domain-bundle",
                "people: the bundle of an invited server",
                pollux_domaind::fuzz::bundle,
                TEXT,
            ),
            target(
                "domain-settings",
                "the command, to a domain server",
                pollux_domaind::fuzz::settings,
                TEXT,
            ),
        ],
    )
}

/// `pollux cc`: its pre-pass, its arguments.
fn cc() -> Vec<Target> {
    group(
        "cc",
        [
            target("prepass", "programmers: C sources", guardian_cc::driver::fuzz::prepass, TEXT),
            target(
                "cc-arguments",
                "programmers: the command line of pollux cc",
                guardian_cc::driver::fuzz::arguments,
                LINES,
            ),
        ],
    )
}

/// NOF structures, and the administration command.
fn nof() -> Vec<Target> {
    group(
        "nof",
        [
            target("nof", "C programs: verb control blocks", domain::nof, USUAL),
            target("snaadmin", "people: the administration command", domain::snaadmin, USUAL),
        ],
    )
}

/// What C programs give to procedures: names, patterns, numbers, addresses, files.
fn guardian() -> Vec<Target> {
    group(
        "guardian",
        [
            target("disk-records", "control files of data files", pollux_guardian::fuzz::disk_records, USUAL),
            target("journal", "control files of data files", pollux_guardian::fuzz::journal, BUFFERS),
            target("socket-address", "C programs", pollux_guardian::fuzz::socket_address, USUAL),
            target("address-text", "C programs", pollux_guardian::fuzz::address_text, USUAL),
            target(
                "name-tables",
                "/etc/hosts, /etc/services and their like",
                pollux_guardian::fuzz::name_tables,
                TEXT,
            ),
            target("line-file", "terminals, pipes, devices", pollux_guardian::fuzz::line_file, USUAL),
            target("file-name", "C programs: names", pollux_guardian::fuzz::file_name, USUAL),
            target(
                "old-file-name",
                "C programs: names of twelve words, handles",
                pollux_guardian::fuzz::old_file_name,
                USUAL,
            ),
            target(
                "disk-names",
                "C programs, and their environment",
                pollux_guardian::fuzz::disk_names,
                USUAL,
            ),
            target("patterns", "C programs: patterns of names", pollux_guardian::fuzz::patterns, USUAL),
            target("digits", "C programs: numbers", pollux_guardian::fuzz::digits, USUAL),
            target(
                "search-conditions",
                "C programs: lists of words",
                pollux_guardian::fuzz::search_conditions,
                USUAL,
            ),
            target("losses", "C programs: system messages", pollux_guardian::fuzz::losses, USUAL),
        ],
    )
}

/// The target of that name.
pub fn named(name: &str) -> Option<Target> {
    all().into_iter().find(|target| target.name == name)
}

/// Inputs made by encoders, or by hand where bytes are written by people: the name of the target, and bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    [
        seeds_wire::seeds(),
        kv::seeds(),
        domain::seeds(),
        pollux_guardian::fuzz::seeds(),
        pollux_domaind::fuzz::seeds(),
    ]
    .concat()
}
