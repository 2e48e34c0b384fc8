//! How far it is, on standard error: a bar on a terminal, nothing elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use crate::output::{BAD, DIM, GOOD, styled};

/// Cells of the bar.
const BAR_CELLS: usize = 32;

/// A bar that is drawn in place.
pub(crate) struct Progress {
    draws: bool,
    says: bool,
    start: Instant,
}

impl Progress {
    /// Nothing is drawn yet. `quiet`: nothing ever is.
    pub(crate) fn new(quiet: bool) -> Progress {
        Progress { draws: !quiet && std::io::stderr().is_terminal(), says: !quiet, start: Instant::now() }
    }

    /// Says one thing.
    pub(crate) fn say(&self, text: &str) {
        if self.says {
            self.clear();
            crate::output::note(text);
        }
    }

    /// So many runs are done.
    pub(crate) fn show(&self, done: usize, of: usize, wrong: usize) {
        if self.draws {
            let text = bar(done, of, wrong, self.start.elapsed().as_secs_f64());
            let _ = write!(anstream::stderr().lock(), "\r\x1b[K{text}");
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if self.draws {
            let _ = write!(anstream::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, of: usize, wrong: usize, seconds: f64) -> String {
    let full = (BAR_CELLS * done).checked_div(of).unwrap_or(BAR_CELLS).min(BAR_CELLS);
    let cells = format!(
        "{}{}",
        styled(if wrong == 0 { GOOD } else { BAD }, &"━".repeat(full)),
        styled(DIM, &"━".repeat(BAR_CELLS - full))
    );
    let wrong = match wrong {
        0 => String::new(),
        some => format!("  {}", styled(BAD, &format!("{some} wrong"))),
    };
    let left = if done > 0 { seconds / done as f64 * of.saturating_sub(done) as f64 } else { 0.0 };
    format!("{cells}  {done} of {of} points{wrong}  {}", styled(DIM, &format!("{left:.0} s left")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A bar that runs over its end, or divides by no points, spoils the terminal of who waits.
    #[test]
    fn the_bar_fits() {
        let plain = |done, of, wrong| anstream::adapter::strip_str(&bar(done, of, wrong, 10.0)).to_string();
        assert_eq!(plain(5, 10, 0), format!("{}  5 of 10 points  10 s left", "━".repeat(32)));
        assert_eq!(plain(0, 0, 1), format!("{}  0 of 0 points  1 wrong  0 s left", "━".repeat(32)));
    }
}
