//! The server that is measured: both halves of a pair, or a single process.
//!
//! ```text
//! server echo 0         replies with what it got
//! server store 0        stores it in a replicated table of 1 MiB first
//! server store 2048     the same with 2048 MiB of other memory in each half
//! ```
//!
//! The memory is an argument, so a new backup has it before it joins the pair. Replicated state comes with requests to grow, and a
//! new backup gets it from the primary.

use anyhow::{Context, Result, bail};
use pollux::{Pair, PairState, ReceiveDepth};
use std::hint::black_box;

/// Asks the server who it is: see [`Identity`].
pub(crate) const WHO: &[u8] = b"who";
/// Makes the replicated state larger by so many MiB, a number of 32 bits behind this word; 1 GiB and more takes several.
pub(crate) const GROW: &[u8] = b"grow";
/// Values of that state.
const VALUE_BYTES: usize = 4096;
/// Entries of the table; with requests of 64 bytes it is 1 MiB, as in the raw chain.
pub(crate) const TABLE_ENTRIES: u32 = 16 * 1024;

const PAGE_BYTES: usize = 4096;
/// The memory is taken in pieces as a program with many objects would have it.
const PIECE_BYTES: usize = 1024 * 1024;

/// Answer to [`WHO`].
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    /// Process id of the primary.
    pub(crate) pid: u32,
    /// Its CPU.
    pub(crate) cpu: u8,
    /// True when its backup is in step.
    pub(crate) whole: bool,
    /// The pair's epoch: it grows with each loss and each repair.
    pub(crate) epoch: u64,
}

/// Serves until the pair is stopped.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let [kind @ ("echo" | "store"), mib] = *words else { bail!("usage: pollux-bench server echo|store MIB") };
    let ballast = ballast(mib.parse().context("MIB is a number")?);
    let pair = Pair::join()?;
    let table = pair.map::<u32, Vec<u8>>("table")?;
    let state = pair.map::<u32, Vec<u8>>("state")?;
    let mut receive = pair.receive(ReceiveDepth::new(1024)?)?;
    while let Some(request) = receive.next()? {
        if request.bytes() == WHO {
            let whole = pair.state() == PairState::Paired;
            let epoch = pair.epoch().0;
            let identity = Identity { pid: std::process::id(), cpu: pair.cpu().get(), whole, epoch };
            request.reply(serde_json::to_vec(&identity)?)?;
            continue;
        }
        if let Some(mib) = request.bytes().strip_prefix(GROW).and_then(|mib| mib.try_into().ok()) {
            let values = u32::from_le_bytes(mib) as usize * (PIECE_BYTES / VALUE_BYTES);
            for key in state.len()..state.len() + values {
                let key = u32::try_from(key).context("a state is far below 16 TiB")?;
                state.insert(key, vec![1; VALUE_BYTES])?;
            }
            request.reply([])?;
            continue;
        }
        let payload = request.bytes().to_vec();
        if kind == "store" {
            table.insert(slot(&payload), payload.clone())?;
        }
        request.reply(payload)?;
    }
    black_box(ballast);
    Ok(())
}

/// Where in the table a request is stored.
pub(crate) fn slot(request: &[u8]) -> u32 {
    let number = request.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    number % TABLE_ENTRIES
}

/// Memory that is really there, in small pages: what the kernel must free when this process dies.
fn ballast(mib: usize) -> Vec<Vec<u8>> {
    // Refused on old kernels: then the machine's own setting holds.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let mut pieces = vec![Vec::new(); mib];
    for piece in &mut pieces {
        piece.resize(PIECE_BYTES, 0);
        piece.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    }
    pieces
}
