//! What the commands of a domain share: a connection to the node's domain server, and its refusals in words.

use std::path::PathBuf;

use pollux_domain::content::{Change, Content, RequestId, Stamp};
use pollux_domain::name::ServerName;
use pollux_domain::nof::view::DomainView;
use pollux_domain::succession::Answer;
use pollux_domaind::client::{Client, ClientError};
use pollux_domaind::place;
use pollux_domaind::words::{LockWish, Reply, Word};
use std::sync::Arc;

use crate::error::{Failure, Result};
use crate::node::Node;

/// Where the node's domain server is spoken to.
pub(crate) fn socket(node: &Node) -> PathBuf {
    place::program_socket(&node.directory())
}

/// Connects to the domain server of the node.
pub(crate) fn connect(node: &Node) -> Result<Client> {
    Client::connect(&socket(node)).map_err(|error| match error {
        ClientError::NotRunning(_) => Failure::new(
            format!("no domain server runs in node {}", node.name()),
            format!(
                "pollux up{0} --domain NAME starts a node with one, pollux domain join NAME{0} adds one to a running node",
                node.option()
            ),
        ),
        other => failure(&other, node),
    })
}

/// A failed question in words.
pub(crate) fn failure(error: &ClientError, node: &Node) -> Failure {
    let next = match error {
        ClientError::Refused(_) => format!("pollux domain status{}", node.option()),
        ClientError::NotRunning(_) | ClientError::Lost => {
            format!("pollux logs '$ZDOM'{0}, then pollux domain status{0}", node.option())
        }
    };
    Failure::new(error.to_string(), next)
}

/// The domain as the server sees it.
pub(crate) fn view(client: &Client, node: &Node) -> Result<DomainView> {
    match client.ask(Word::View { lock: LockWish::Nothing }) {
        Ok(Reply::View(view)) => Ok(*view),
        Ok(_) => Err(failure(&ClientError::Lost, node)),
        Err(error) => Err(failure(&error, node)),
    }
}

/// The content that the server has, or why there is none.
pub(crate) fn content(view: &DomainView, node: &Node) -> Result<Arc<Content>> {
    view.content.as_ref().map(|(content, _)| content.clone()).ok_or_else(|| {
        Failure::new(
            "this server has no content of the domain yet",
            format!(
                "pollux domain status{} says why; on the first server: pollux domain init NAME",
                node.option()
            ),
        )
    })
}

/// Has a change decided by the acting master.
pub(crate) fn change(client: &Client, node: &Node, change: Change) -> Result<Stamp> {
    let view = view(client, node)?;
    let status = format!("pollux domain status{}", node.option());
    let Some((_, epoch)) = view.acting else {
        return Err(Failure::new(
            "no master acts at this moment, so nothing can be changed",
            format!("{status} says why; a takeover takes a second at most on one host"),
        ));
    };
    let request = RequestId { origin: client.origin(), number: 1 };
    match client.ask(Word::Submit { request, epoch: epoch.0, change }) {
        Ok(Reply::Answer(Answer::Done(stamp))) => Ok(stamp),
        Ok(Reply::Answer(Answer::Refused(refusal))) => Err(two_lines(&refusal.to_string(), &status)),
        Ok(Reply::Answer(Answer::NotMaster)) => {
            Err(Failure::new("the acting master changed in this moment; nothing was done", "try again"))
        }
        Ok(Reply::Answer(Answer::Busy)) => Err(Failure::new(
            "the acting master is busy, or a program holds the lock of the file",
            "try again",
        )),
        Ok(_) | Err(ClientError::Lost | ClientError::NotRunning(_)) => Err(Failure::new(
            "the answer was lost: the change may be done or not",
            format!("{status} shows what is on record; then repeat the command if it is not done"),
        )),
        Err(error) => Err(failure(&error, node)),
    }
}

/// A text of the form "what; next".
pub(crate) fn two_lines(text: &str, otherwise: &str) -> Failure {
    match text.split_once("; ") {
        Some((what, next)) => Failure::new(what, next),
        None => Failure::new(text, otherwise),
    }
}

/// A server's name from the command line.
pub(crate) fn parse_server(text: &str) -> std::result::Result<ServerName, String> {
    ServerName::new(text).map_err(|error| error.to_string())
}

/// A domain's name from the command line.
pub(crate) fn parse_domain(text: &str) -> std::result::Result<String, String> {
    pollux_domain::name::check_domain_name(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}
