//! `pollux man DIR`, for packagers.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{Failure, Result};
use crate::output;

/// Write the manual pages, one per command, into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to; made if missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    /// Writes the pages.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let failed = |error| Failure::file("write manual pages into", &self.directory, &error);
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.directory).map_err(failed)?;
        output::line(&format!("manual pages are in {}", self.directory.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A command without a page is missing from the manual for ever.
    #[test]
    fn every_visible_command_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        Man { directory: directory.path().join("new") }.run().unwrap();
        let mut pages: Vec<String> = std::fs::read_dir(directory.path().join("new"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        pages.sort();
        for page in ["pollux.1", "pollux-up.1", "pollux-cpu-kill.1", "pollux-demo.1", "pollux-completions.1"]
        {
            assert!(pages.iter().any(|found| found == page), "{page} is missing from {pages:?}");
        }
    }
}
