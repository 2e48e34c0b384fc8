//! The role of one half of a pair, cell by cell and story by story.
//!
//! `table.txt` has every (state, event) cell; the other `*.txt` files each tell one story of two or more halves.
//! Both are whole expected texts, meant to be read. After a change of `pair.rs`: `UPDATE_EXPECT=1 cargo test -p
//! pollux-core --test pair`, then review the difference.

mod story;
mod table;
mod words;

use std::path::PathBuf;

fn text_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pair").join(name)
}

/// Compares with the text that is checked in, or replaces it if the caller asks for that by `UPDATE_EXPECT`.
fn expect(name: &str, actual: &str) {
    let path = text_file(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, actual).expect("tests/pair can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((at, (want, got))) = expected
        .lines()
        .chain(["(end)"])
        .zip(actual.lines().chain(["(end)"]))
        .enumerate()
        .find(|(_, (a, b))| a != b)
    {
        panic!("{}:{}:\n  expected: {want}\n  actual:   {got}", path.display(), at + 1);
    }
}

// A cell that nobody thought about is where a pair ends up with two primaries or with none.
#[test]
fn every_cell_of_the_table() {
    expect("table.txt", &table::text());
}

// If a story changes, an operator sees another thing happen than the documents say.
#[test]
fn stories() {
    let directory = std::fs::read_dir(text_file("")).expect("tests/pair is there");
    let mut names: Vec<String> = directory
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name.ends_with(".txt") && name != "table.txt");
    names.sort();
    assert!(names.len() >= 12, "stories are missing: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(text_file(&name)).expect("it was just listed");
        expect(&name, &story::run(&text));
    }
}
