//! `pollux domain recover`

use std::process::ExitCode;

use clap::Args;
use pollux_domaind::words::Word;

use super::link;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;

/// Make the records of the domain anew from this server's files, after the coordinator lost them
///
/// For a coordinator that was lost for good and replaced, or restored from an old copy. Run it once, on the server with the newest
/// files (pollux domain status shows what each holds). Changes that are in no server's files are lost. The epoch grows by
/// 1,000, so that nothing of before is taken for new.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Yes, this server has the newest files
    #[arg(long)]
    newest: bool,
}

impl Recover {
    /// Orders it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        if !self.newest {
            return Err(Failure::new(
                format!(
                    "recover replaces the records of domain {} by the files of {}",
                    client.domain(),
                    client.host()
                ),
                "make sure that no server has newer ones, then add --newest",
            ));
        }
        client.ask(Word::Create { recover: true }).map_err(|error| link::failure(&error, node))?;
        output::line(&format!(
            "domain {}  records ordered from the files of {}",
            client.domain(),
            client.host()
        ))?;
        output::note(&format!("next: pollux domain status{}", node.option()));
        Ok(ExitCode::SUCCESS)
    }
}
