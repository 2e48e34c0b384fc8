//! The TCP/IP providers that come with a node: what `pollux up` starts when the CPUs are up.

use std::time::Duration;

use clap::Args;
use pollux_sockets::PROVIDER_DEFAULT;
use pollux_wire::{CpuNumber, ProcessName};

use crate::commands::run::{What, launch_and_join};
use crate::error::Result;
use crate::node::Node;
use crate::program::{Program, Streams};
use crate::shutdown::{END_MAX, shut_down};
use crate::survey::Daemons;

/// A provider is whole by then, or the start of the node is undone.
const JOIN_MAX: Duration = Duration::from_secs(15);

/// Which providers are started.
#[derive(Debug, Args)]
pub(crate) struct Tcp {
    /// Name of a TCP/IP provider that is started with the node; may be given more than once
    #[arg(long = "tcp", default_value = PROVIDER_DEFAULT, value_name = "$NAME")]
    names: Vec<ProcessName>,
    /// Start no TCP/IP provider
    #[arg(long, conflicts_with = "names")]
    no_tcp: bool,
}

impl Tcp {
    /// Starts the providers, as pairs where there are two CPUs; all or none, and then the node is down again.
    pub(crate) fn start(self, node: &Node, cpus: u8) -> Result<Vec<ProcessName>> {
        let names = if self.no_tcp { Vec::new() } else { self.names };
        let mut daemons = Daemons::of(node);
        for name in &names {
            if let Err(failure) = start(&mut daemons, name, cpus > 1) {
                shut_down(node, END_MAX)?;
                return Err(failure);
            }
        }
        Ok(names)
    }
}

fn start(daemons: &mut Daemons, name: &ProcessName, pair: bool) -> Result<()> {
    let program = Program::built_in_provider(pair)?;
    let streams = Streams::to_log(daemons.node(), Some(name), &program.written)?;
    let log = streams.log.clone();
    let what = What { program: &program, name: Some(name), log: log.as_deref() };
    let cpu = CpuNumber::new(0).expect("0 is a CPU");
    launch_and_join(daemons, cpu, &what, streams, JOIN_MAX)?;
    Ok(())
}
