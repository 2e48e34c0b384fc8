//! Writes what is made from the procedure table: the C headers into a directory, to be read; or the reference page into
//! a file, as `cargo xtask headers` does.
#![forbid(unsafe_code)]

use pollux_guardian::{Table, headers, reference};

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--reference", file] => std::fs::write(file, reference::page(&Table::built_in())),
        [directory] => headers::write_to(directory.as_ref(), &Table::built_in()),
        _ => {
            eprintln!("usage: headers DIRECTORY\n       headers --reference FILE");
            std::process::exit(2);
        }
    }
}
