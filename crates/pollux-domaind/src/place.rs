//! Where the files and sockets of a domain server are.
//!
//! ```text
//! <run root>/domains/<domain>/coordinator/   the records, when the domain lives on one host
//! <run root>/domains/<domain>/<host>.sock    the server of that name hears the others here
//! <run root>/domains/<domain>/<host>.clients  and programs of computers that are no servers, here
//! <run root>/<node>/domain.sock              the server of that node hears programs here
//! <state>/domains/<domain>/<host>/           sna.net, sna_domn.cfg, sna_node.cfg, sna.err, conflict copies
//! ```

use pollux_domain::files::ClientFile;
use pollux_domain::name::ServerName;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the directory of durable files, in place of the default.
pub const STATE_DIRECTORY_VARIABLE: &str = "POLLUX_STATE_DIR";

/// The socket for programs, in a node's directory.
pub fn program_socket(node_directory: &Path) -> PathBuf {
    node_directory.join("domain.sock")
}

/// Where a program finds a domain server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doors {
    /// Of its node.
    Node(PathBuf),
    /// It runs on a computer without a node: the servers that `sna_clnt.net` names, in order.
    Client(Vec<PathBuf>),
}

/// Names the file in place of [`CLIENT_FILE`].
pub const CLIENT_FILE_VARIABLE: &str = "POLLUX_SNA_CLNT";
/// Says which servers a client asks.
pub const CLIENT_FILE: &str = "/etc/sna_clnt.net";

/// The doors for this program, by its environment: the node's socket, or a client's file when there is one and no node.
pub fn of_program() -> Doors {
    let directory = pollux::binding::node_directory();
    let socket = program_socket(&directory);
    let named = std::env::var_os(CLIENT_FILE_VARIABLE).map(PathBuf::from);
    let file = named.clone().unwrap_or_else(|| CLIENT_FILE.into());
    if socket.exists() && named.is_none() {
        return Doors::Node(socket);
    }
    let text = std::fs::read_to_string(&file).ok();
    match text.and_then(|text| ClientFile::parse(&text).ok()) {
        Some(client) => Doors::Client(client_doors(directory.parent().unwrap_or(&directory), &client)),
        None => Doors::Node(socket),
    }
}

fn client_doors(run_root: &Path, client: &ClientFile) -> Vec<PathBuf> {
    let meeting = meeting_directory(run_root, &client.domain);
    let mut doors = Vec::new();
    if client.any {
        let entries =
            std::fs::read_dir(&meeting).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "clients"));
        found.sort();
        doors.extend(found);
    }
    doors.extend(client.servers.iter().map(|name| client_socket(&meeting, name)));
    doors
}

/// Where the servers of a domain on this host meet.
pub fn meeting_directory(run_root: &Path, domain: &str) -> PathBuf {
    run_root.join("domains").join(domain)
}

/// The socket on which a server hears the others.
pub fn peer_socket(meeting_directory: &Path, host: &ServerName) -> PathBuf {
    meeting_directory.join(format!("{host}.sock"))
}

/// The socket on which a server hears programs of clients.
pub fn client_socket(meeting_directory: &Path, host: &ServerName) -> PathBuf {
    meeting_directory.join(format!("{host}.clients"))
}

/// The directory with a directory of files for each server of the domain on this host.
pub fn files_directory(variable: impl Fn(&str) -> Option<OsString>, root: bool, domain: &str) -> PathBuf {
    let set = |name: &str| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let state =
        set(STATE_DIRECTORY_VARIABLE).unwrap_or_else(|| match (root, set("XDG_STATE_HOME"), set("HOME")) {
            (true, ..) | (_, None, None) => PathBuf::from("/var/lib/pollux"),
            (_, Some(state), _) => state.join("pollux"),
            (_, None, Some(home)) => home.join(".local/state/pollux"),
        });
    state.join("domains").join(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Files in a directory that goes away with the next boot would lose the domain.
    #[test]
    fn durable_files_are_not_in_the_run_directory() {
        let of = |pairs: &'static [(&str, &str)], root| {
            let variable = move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
            files_directory(variable, root, "plant")
        };
        assert_eq!(of(&[("HOME", "/home/a")], false), Path::new("/home/a/.local/state/pollux/domains/plant"));
        assert_eq!(
            of(&[("HOME", "/root"), ("XDG_STATE_HOME", "/x")], true),
            Path::new("/var/lib/pollux/domains/plant")
        );
        assert_eq!(of(&[("XDG_STATE_HOME", "/x")], false), Path::new("/x/pollux/domains/plant"));
        assert_eq!(of(&[("POLLUX_STATE_DIR", "/s")], true), Path::new("/s/domains/plant"));
    }
}
