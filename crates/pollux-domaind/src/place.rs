//! Where the files and sockets of a domain server are.
//!
//! ```text
//! <run root>/domains/<domain>/coordinator/   the records, when the domain lives on one host
//! <run root>/domains/<domain>/<host>.sock    the server of that name hears the others here
//! <run root>/<node>/domain.sock              the server of that node hears programs here
//! <state>/domains/<domain>/<host>/           sna.net, sna_domn.cfg, sna_node.cfg, sna.err, conflict copies
//! ```

use pollux_domain::name::ServerName;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the directory of durable files, in place of the default.
pub const STATE_DIRECTORY_VARIABLE: &str = "POLLUX_STATE_DIR";

/// The socket for programs, in a node's directory.
pub fn program_socket(node_directory: &Path) -> PathBuf {
    node_directory.join("domain.sock")
}

/// Where the servers of a domain on this host meet.
pub fn meeting_directory(run_root: &Path, domain: &str) -> PathBuf {
    run_root.join("domains").join(domain)
}

/// The socket on which a server hears the others.
pub fn peer_socket(meeting_directory: &Path, host: &ServerName) -> PathBuf {
    meeting_directory.join(format!("{host}.sock"))
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
