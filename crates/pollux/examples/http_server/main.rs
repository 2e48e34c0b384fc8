//! An HTTP server whose keep-alive connections survive `kill -9`: a counter and notes, kept by a process pair.
//!
//! ```text
//! cargo build --release --example http_server --package pollux
//! pollux up
//! pollux run --name '$WEB' --pair target/release/examples/http_server 127.0.0.1:8080
//! curl -d '' http://127.0.0.1:8080/counter
//! ```

mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    match service::serve(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_server: {error}");
            ExitCode::FAILURE
        }
    }
}
