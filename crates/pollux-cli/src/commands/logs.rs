//! `pollux logs NAME`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::error::{Failure, Result};
use crate::events::Follower;
use crate::node::Node;
use crate::output;
use crate::program::log_stem;

/// Pause between two looks with `--follow`.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Show the output of a program: of the newest run under that name
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The process name, or the program's name for one without
    #[arg(value_name = "NAME")]
    name: String,
    /// Go on with new output until interrupted
    #[arg(long, short)]
    follow: bool,
}

impl Logs {
    /// Shows the log.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let path = newest(node, &self.name)?;
        let failed = |error| Failure::file("read", &path, &error);
        if !self.follow {
            // A last line without its end is output too.
            let bytes = std::fs::read(&path).map_err(failed)?;
            output::print(&String::from_utf8_lossy(&bytes))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut follower = Follower::new(&path);
        loop {
            for line in follower.lines().map_err(failed)? {
                output::line(&line)?;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// The newest log of that name.
fn newest(node: &Node, name: &str) -> Result<PathBuf> {
    let directory = node.log_directory();
    let mut known: Vec<(String, u64)> = std::fs::read_dir(&directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| parse_log_name(entry.ok()?.file_name().to_str()?))
        .collect();
    known.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    let capitals = name.to_ascii_uppercase();
    let wanted = log_stem(if name.starts_with('$') { &capitals } else { name });
    let found = known.iter().rfind(|(stem, _)| *stem == wanted);
    found.map(|(stem, at)| directory.join(format!("{stem}-{at}.log"))).ok_or_else(|| {
        let mut names: Vec<&str> = known.iter().map(|(stem, _)| stem.as_str()).collect();
        names.dedup();
        let next = if names.is_empty() {
            "programs write a log when they are started without --wait".to_owned()
        } else {
            format!("there are logs of: {}", names.join(" "))
        };
        Failure::new(format!("there is no log of {name} in {}", directory.display()), next)
    })
}

/// `KV-1700.log` is the run of KV that began at 1700.
fn parse_log_name(file: &str) -> Option<(String, u64)> {
    let (stem, at) = file.strip_suffix(".log")?.rsplit_once('-')?;
    Some((stem.to_owned(), at.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::NodeName;

    // An old log shown for a new run sends people after a fault that is mended.
    #[test]
    fn the_newest_run_of_exactly_that_name() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::within(directory.path().join("r"), NodeName::new("\\N").unwrap());
        assert!(newest(&node, "$KV").unwrap_err().next.contains("--wait"));
        node.make_directories().unwrap();
        for file in ["KV-999.log", "KV-1000.log", "KV2-2000.log", "a-b-5.log", "junk"] {
            std::fs::write(node.log_directory().join(file), file).unwrap();
        }
        let found = |name| newest(&node, name).map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(found("$kv").unwrap(), "KV-1000.log");
        assert_eq!(found("a-b").unwrap(), "a-b-5.log");
        assert_eq!(found("$X").unwrap_err().next, "there are logs of: KV KV2 a-b");
    }
}
