//! A TCP server whose connections survive `kill -9`: it numbers the lines it gets, per connection and in all.
//!
//! ```text
//! cargo build --release --example tcp_server --package pollux
//! pollux up
//! pollux run --name '$LINES' --pair target/release/examples/tcp_server 127.0.0.1:7000
//! nc 127.0.0.1 7000               # type lines; kill the server between them; go on typing
//! ```

use pollux::{ConnectionId, Event, Map, Pair, ReceiveDepth, Result};
use std::process::ExitCode;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    match serve(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tcp_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str) -> Result<()> {
    let pair = Pair::join()?;
    let all = pair.cell::<u64>("lines in all")?;
    let lines: Map<u64, u64> = pair.map("lines of a connection")?;
    // After a takeover this is the same socket, with the connections that wait in it.
    pair.listen(address)?;
    let mut receive = pair.receive(ReceiveDepth::ONE)?;
    while let Some(event) = receive.event()? {
        match event {
            Event::Input(mut input) => {
                let ConnectionId(connection) = input.connection();
                // Whole lines only: what is left comes again with more behind it. Bytes that are not consumed stay in
                // the socket, so a takeover loses none.
                while let Some(end) = input.bytes().iter().position(|byte| *byte == b'\n') {
                    let line = String::from_utf8_lossy(&input.bytes()[..end]).trim().to_owned();
                    input.consume(end + 1);
                    let own = lines.update(connection, |n| n.unwrap_or(0) + 1)?;
                    let total = all.update(|n| n.unwrap_or(0) + 1)?;
                    input.output().extend_from_slice(format!("{own} of {total}: {line}\n").as_bytes());
                }
            }
            Event::Disconnected(ConnectionId(connection)) => {
                lines.remove(&connection)?;
            }
            _ => {}
        }
    }
    Ok(())
}
