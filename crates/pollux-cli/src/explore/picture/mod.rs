//! The page: one file that needs nothing else, no script and no network, for light and dark screens.
//!
//! Verdict and facts, a cell for each point, a table by kind of point, then a [`timeline`] for each violation. Where nothing is wrong
//! one takeover is shown all the same.

mod timeline;

use pollux_os::points::Mark;

use super::report::{Report, Tried, Verdict, wrong_points};
use super::story::{Story, Window};
use super::trace::explain;
use std::fmt::Write as _;

/// Violations with a picture; the others are in the table of points.
const PICTURES_MAX: usize = 60;

/// Under each picture.
const LEGEND: &str = "<p class=\"legend\"><span><b class=\"ask\">bar</b> from request to reply</span>\
    <span><b class=\"ask\">\u{2193}</b> request read</span><span><b class=\"ask\">\u{21e1}</b> reply sent</span>\
    <span><b class=\"check\">\u{2198}</b> checkpoint</span><span><b>\u{2022}</b> point</span>\
    <span><b class=\"file\">\u{25a0}</b> file</span><span><b class=\"kill\">\u{2715}</b> SIGKILL</span>\
    <span><b class=\"took\">\u{25cf}</b> takeover</span></p>\n";

/// The page of a report.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::new();
    let title = format!("pollux explore {}", report.server);
    page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
    let style = include_str!("style.css");
    let _ = write!(
        page,
        "<title>{}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n",
        escaped(&title)
    );
    page += &head(report);
    page += &points(report);
    page += &kinds(report);
    page += &violations(report);
    page + "<footer>Made by <b>pollux explore</b>: each point is a run of the real programs in which the primary has ended itself \
            there with SIGKILL. Distances between events are drawn by their logarithm.</footer>\n</main>\n</body>\n</html>\n"
}

fn head(report: &Report) -> String {
    let reached = report.tried.iter().filter(|tried| tried.verdict != Verdict::NotReached).count();
    let (class, verdict) = match report.violations() {
        0 if reached == 0 => ("care", "No point was reached".to_owned()),
        0 => ("good", "Nothing is lost, doubled or diverged".to_owned()),
        wrong => ("bad", wrong_points(wrong)),
    };
    let mut text = format!(
        "<h1 title=\"{}\">{}</h1>\n<p class=\"soft\">as the pair {}, killed at each point of its course</p>\n<div class=\"verdict {class}\">{verdict}</div>\n<div class=\"facts\">\n",
        escaped(&report.server),
        escaped(report.server.rsplit('/').next().unwrap_or_default()),
        escaped(&report.name)
    );
    use super::compare::Kind;
    let facts = [
        (reached.to_string(), "points reached"),
        (report.baseline.operations.len().to_string(), "requests in a run"),
        (report.count(Kind::Lost).to_string(), "lost"),
        (report.count(Kind::Doubled).to_string(), "doubled"),
        (report.count(Kind::Diverged).to_string(), "diverged"),
        (format!("{:.1} s", report.seconds), "in all"),
    ];
    for (value, name) in facts {
        let _ = writeln!(text, "<div class=\"fact\"><b>{value}</b><span>{name}</span></div>");
    }
    text += "</div>\n";
    for note in &report.baseline.unsteady {
        let _ = writeln!(text, "<p class=\"note\">{}</p>", escaped(note));
    }
    text
}

fn points(report: &Report) -> String {
    let mut text = "<h2>Points</h2>\n<div class=\"points\">\n".to_owned();
    for tried in &report.tried {
        let number = tried.number();
        let name = escaped(&format!("point {number}: {}", tried.mark().map_or("", Mark::name)));
        let _ = match &tried.verdict {
            Verdict::Passed => writeln!(text, "<span title=\"{name}, passed\">{number}</span>"),
            Verdict::NotReached => {
                writeln!(text, "<span class=\"missed\" title=\"{name}not reached\">{number}</span>")
            }
            Verdict::Violation(_) => {
                writeln!(text, "<a class=\"bad\" href=\"#p{number}\" title=\"{name}, wrong\">{number}</a>")
            }
        };
    }
    text + "</div>\n"
}

fn kinds(report: &Report) -> String {
    let mut text =
        "<table>\n<tr><th>point</th><th>where the primary ended</th><th>tried</th><th>wrong</th></tr>\n"
            .to_owned();
    for (mark, [tried, wrong, _]) in report.by_kind() {
        let (name, place) = mark.map_or(("-", "not reached"), |mark| (mark.name(), explain(mark)));
        let class = if wrong > 0 { " wrong" } else { "" };
        let _ = writeln!(
            text,
            "<tr><td class=\"mono\">{name}</td><td>{place}</td><td class=\"number\">{tried}</td><td class=\"number{class}\">{wrong}</td></tr>"
        );
    }
    text + "</table>\n"
}

fn violations(report: &Report) -> String {
    let mut text = String::new();
    if let Some(smallest) = report.smallest() {
        text += "<h2>The smallest trace</h2>\n";
        text += &article(report, smallest, Window::Violation);
        let others: Vec<&Tried> = report
            .tried
            .iter()
            .filter(|tried| !tried.findings().is_empty() && tried.kills != smallest.kills)
            .collect();
        if !others.is_empty() {
            text += "<h2>All others</h2>\n";
        }
        for tried in others.iter().take(PICTURES_MAX) {
            text += &article(report, tried, Window::Violation);
        }
        if others.len() > PICTURES_MAX {
            let _ = writeln!(text, "<p class=\"soft\">{} more: see --json.</p>", others.len() - PICTURES_MAX);
        }
        return text;
    }
    let reached: Vec<&Tried> = report.tried.iter().filter(|tried| tried.verdict == Verdict::Passed).collect();
    // A reply that has not left yet is the case with the most to see.
    let on_reply: Vec<&Tried> =
        reached.iter().copied().filter(|tried| tried.mark() == Some(Mark::Replying)).collect();
    let chosen = on_reply.get(on_reply.len() / 2).or(reached.get(reached.len() / 2));
    if let Some(tried) = chosen {
        text += "<h2>One of the takeovers</h2>\n";
        text += &article(report, tried, Window::Whole);
    }
    text
}

fn article(report: &Report, tried: &Tried, window: Window) -> String {
    let number = tried.number();
    let mut text = format!("<article id=\"p{number}\">\n<h3>");
    match tried.findings().first() {
        Some(finding) => {
            let _ = write!(text, "<span class=\"tag\">{}</span>", finding.kind.name());
        }
        None => text += "<span class=\"tag good\">passed</span>",
    }
    let _ = writeln!(text, "Point {number}: {}</h3>", tried.mark().map_or("", explain));
    for finding in tried.findings() {
        let _ = writeln!(
            text,
            "<p>{}: expected <code>{}</code>, came <code class=\"wrong\">{}</code></p>",
            escaped(&finding.of),
            escaped(&finding.expected),
            escaped(&finding.came)
        );
    }
    let _ = writeln!(text, "<div class=\"scroll\">\n{}</div>", timeline::drawn(tried, window));
    text += LEGEND;
    text += "<details><summary>trace</summary>\n<pre>";
    for line in Story::of(tried, window).lines() {
        text += &escaped(&line);
        text += "\n";
    }
    text += "</pre></details>\n";
    let _ = writeln!(
        text,
        "<p class=\"soft\">again: <code>{}</code></p>\n</article>",
        escaped(&report.again(tried))
    );
    text
}

/// Text as it may stand between tags and in attributes; what XML cannot hold is left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "../picture_tests.rs"]
mod tests;
