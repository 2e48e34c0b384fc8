//! `pollux cc [OPTION]... FILE...`

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::error::{Failure, Result};

/// Compile Guardian C with gcc; its options are gcc's and more: pollux cc --help
#[derive(Debug, Args)]
// The line is the driver's from its first word on: --help and -v mean there what they mean to a compiler.
#[command(disable_help_flag = true)]
pub(crate) struct Cc {
    /// Options and files, as for gcc
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Cc {
    /// Runs the driver; its exit code is gcc's own.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let arguments: Option<Vec<String>> =
            self.arguments.into_iter().map(|word| word.into_string().ok()).collect();
        let arguments = arguments
            .ok_or_else(|| Failure::new("cc: an argument is not UTF-8", "name the file in ASCII"))?;
        Ok(ExitCode::from(pollux_guardian::driver::run(&arguments)))
    }
}
