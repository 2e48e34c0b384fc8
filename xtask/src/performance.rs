//! `cargo xtask performance`: the results of `cargo xtask bench --json` as the tables and plots of docs/performance.md.
//!
//! A verb of its own and no flag of the benchmarks: they run for half an hour, and the page is made again, or made from an
//! older run, in a moment. What stands around the markers is written by hand and stays.

mod charts;
mod page;
mod rows;

use crate::run::{Outcome, root, target};
use rows::{Row, groups};
use std::fs;
use std::path::{Path, PathBuf};

const USAGE: &str = "\
usage: cargo xtask performance [FILE]

  Writes the results into docs/performance.md, between its markers, and the plots under docs/performance/.
  FILE is what `cargo xtask bench --json` has printed; target/bench.json without it.
";

/// Writes the page and its plots.
pub(crate) fn write(arguments: &[&str]) -> Outcome {
    let file = match *arguments {
        [] => target().join("bench.json"),
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            return Ok(());
        }
        [file] if !file.starts_with('-') => PathBuf::from(file),
        _ => return Err(format!("one file is wanted\n\n{USAGE}")),
    };
    let text = fs::read_to_string(&file).map_err(|error| {
        let name = file.display();
        format!("{name}: {error}\n  next: cargo xtask bench --json > {name}")
    })?;
    let rows = rows::read(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let written = write_in(&root().join("docs"), &rows, &page::machine())?;
    println!("docs/performance.md has {} rows, docs/performance/ {written} plots.", rows.len());
    Ok(())
}

/// Writes into this directory; how many plots there are.
fn write_in(docs: &Path, rows: &[Row], machine: &str) -> Result<usize, String> {
    let page_path = docs.join("performance.md");
    let plots = docs.join("performance");
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let before = fs::read_to_string(&page_path).map_err(|error| failed(&page_path, error))?;
    let mut drawn = Vec::new();
    for (group, rows) in groups(rows) {
        drawn.extend(charts::draw(&group, &rows)?);
    }
    let after = page::filled(&before, rows, &drawn, machine)?;
    fs::create_dir_all(&plots).map_err(|error| failed(&plots, error))?;
    // A benchmark that is gone takes its plots with it.
    for entry in fs::read_dir(&plots).map_err(|error| failed(&plots, error))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
    }
    for chart in &drawn {
        let path = plots.join(&chart.file);
        fs::write(&path, &chart.svg).map_err(|error| failed(&path, error))?;
    }
    fs::write(&page_path, after).map_err(|error| failed(&page_path, error))?;
    Ok(drawn.len())
}

#[cfg(test)]
mod tests;
