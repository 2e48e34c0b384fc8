//! List queries: which entries, and what a buffer that is too short gets.

use super::engine::{Completion, Output, Page, code};
use super::numbers as n;
use super::vcb::ListQuery;
use super::view::DomainView;
use crate::name::ServerName;

/// QUERY_SNA_NET: entries in the order of succession. The index must be in the list, since order is not by name.
pub(super) fn sna_net(query: &ListQuery, view: &DomainView) -> Completion {
    let Some((content, _)) = &view.content else { return code(n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE) };
    let names = content.list.entries();
    let start = match begin(query, names) {
        Ok(start) => start,
        Err(()) => return code(n::AP_PARAMETER_CHECK, n::AP_INVALID_LIST_OPTION),
    };
    let Some(start) = start else { return code(n::AP_STATE_CHECK, n::AP_RECORD_NOT_FOUND) };
    let page = page(query, names.len() - start);
    let names = names[start..start + usize::from(page.entries)].to_vec();
    Completion::ok(Output::Servers { names, page, domain: view.domain.clone() })
}

/// QUERY_NODE_ALL: one entry per server.
pub(super) fn node_all(query: &ListQuery, view: &DomainView) -> Completion {
    let names: Vec<ServerName> = view.servers.iter().map(|server| server.name.clone()).collect();
    let start = match begin(query, &names) {
        Ok(start) => start,
        Err(()) => return code(n::AP_PARAMETER_CHECK, n::AP_INVALID_LIST_OPTION),
    };
    let Some(start) = start else { return code(n::AP_PARAMETER_CHECK, n::AP_INVALID_NODE_NAME) };
    let page = page(query, names.len() - start);
    let nodes = &names[start..start + usize::from(page.entries)];
    let nodes = nodes.iter().map(|name| (name.clone(), view.role(name))).collect();
    Completion::ok(Output::Nodes { nodes, page })
}

/// Where to begin; `Ok(None)`: the index is not there; `Err`: a bad option.
fn begin(query: &ListQuery, names: &[ServerName]) -> Result<Option<usize>, ()> {
    let index = || names.iter().position(|name| Ok(name) == query.name.as_ref());
    match query.options {
        n::AP_FIRST_IN_LIST => Ok(Some(0)),
        n::AP_LIST_INCLUSIVE => Ok(index()),
        n::AP_LIST_FROM_NEXT => Ok(index().map(|index| index + 1)),
        _ => Err(()),
    }
}

fn page(query: &ListQuery, remain: usize) -> Page {
    let size = query.entry_size.max(1);
    let fit = query.buffer as usize / size;
    let wanted = if query.entries == 0 { remain } else { usize::from(query.entries) };
    let entries = remain.min(wanted).min(fit).min(usize::from(u16::MAX));
    let clamp = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Page {
        entries: entries as u16,
        entries_total: u16::try_from(remain).unwrap_or(u16::MAX),
        bytes: clamp(entries * size),
        bytes_total: clamp(remain * size),
    }
}
