//! Writes the C headers into the directory that is named, to be read or used with another compiler driver.
#![forbid(unsafe_code)]

fn main() -> std::io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: headers DIRECTORY");
        std::process::exit(2);
    };
    pollux_guardian::headers::write_to(directory.as_ref(), &pollux_guardian::Table::built_in())
}
