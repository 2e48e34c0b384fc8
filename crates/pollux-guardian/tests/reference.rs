//! The reference page is what the table says.

use pollux_guardian::{Table, reference};

/// A page that lags behind the table sends people to procedures that do not compile.
#[test]
fn the_reference_page_is_fresh() {
    let page = include_str!("../../../docs/reference/procedures.md");
    assert!(page == reference::page(&Table::built_in()), "next: cargo xtask headers");
}
