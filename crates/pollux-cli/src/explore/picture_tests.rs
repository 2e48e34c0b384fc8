//! The page is opened from a disk, by people who have nothing of Pollux.

use super::*;
use crate::explore::report::tests::report;

/// Walks through the tags; each that is opened is closed, in order, and every `&` begins an entity.
fn check_markup(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("a tag is not closed: {part}"));
        for entity in tag.split('&').skip(1).chain(text.split('&').skip(1)) {
            let name = entity.split(';').next().unwrap();
            assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "&{entity}");
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
        } else if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().unwrap());
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

// A payload is a stranger's text: it must stay text.
#[test]
fn a_page_with_a_violation() {
    let page = page(&report("2"));
    check_markup(&page);
    assert!(page.contains("1 point is wrong"), "{page}");
    assert!(page.contains("<a class=\"bad\" href=\"#p2\"") && page.contains("<article id=\"p2\">"), "{page}");
    assert!(page.contains("SIGKILL at point 2: received"), "{page}");
    assert!(page.contains("<g class=\"op bad\">"), "{page}");
    assert!(
        page.contains("expected <code>&quot;3&quot;</code>, came <code class=\"wrong\">&quot;2&quot;</code>")
    );
    assert!(page.contains("&lt;add&gt;") && !page.contains("<add>"), "{page}");
    for outside in ["http:", "https:", "<script", "src=", "@import", "url("] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
    }
}

// Also a pair that is right has something to show.
#[test]
fn a_page_without_one_shows_a_takeover() {
    let page = page(&report("3"));
    check_markup(&page);
    assert!(page.contains("Nothing is lost, doubled or diverged"), "{page}");
    assert!(page.contains("One of the takeovers") && page.contains(">takes over<"), "{page}");
    assert!(!page.contains("class=\"op bad\""), "{page}");
}

#[test]
fn control_characters_are_not_written() {
    assert_eq!(escaped("a\u{1}<b>&'\""), "a\u{fffd}&lt;b&gt;&amp;&#39;&quot;");
}
