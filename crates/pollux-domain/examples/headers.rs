//! Writes `nof_c.h` and `values_c.h` into a directory: `cargo run -p pollux-domain --example headers -- DIR`.

use pollux_domain::nof::header;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: headers DIR");
        return ExitCode::from(2);
    };
    let write = || -> io::Result<()> {
        fs::write(directory.join("nof_c.h"), header::nof_c_h())?;
        fs::write(directory.join("values_c.h"), header::values_c_h())
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
