//! The state that the pair carries along: values written before the faults and read back after them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::resp::{Reply, parse, put_request};
use crate::random::Random;

/// Bytes of one value.
const VALUE_BYTES: usize = 64 * 1024;
/// Requests outstanding at once: enough to keep the server busy, little enough to fit in the sockets' buffers.
const PIPELINE_MAX: u64 = 16;
/// A server that is silent for so long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection of its own for the state; it too must survive every takeover.
#[derive(Debug)]
pub(crate) struct State {
    stream: TcpStream,
    values: u64,
    input: Vec<u8>,
}

impl State {
    /// Writes `mib` MiB.
    pub(crate) fn fill(address: SocketAddr, mib: u64) -> io::Result<State> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let values = mib * 1024 * 1024 / VALUE_BYTES as u64;
        let mut state = State { stream, values, input: Vec::new() };
        let refused = state.pass(
            |index, out| put_request(out, &[b"SET", key(index).as_bytes(), &value(index)]),
            |_, reply| *reply == Reply::Simple(b"OK"),
        )?;
        if refused > 0 {
            return Err(io::Error::other(format!(
                "{refused} of {values} values were refused: is there enough memory?"
            )));
        }
        Ok(state)
    }

    /// Reads everything back; how many values are missing or changed.
    pub(crate) fn verify(&mut self) -> io::Result<u64> {
        self.pass(
            |index, out| put_request(out, &[b"GET", key(index).as_bytes()]),
            |index, reply| matches!(reply, Reply::Bulk(Some(found)) if *found == value(index)),
        )
    }

    /// Sends one request per value and counts the replies that are not right.
    fn pass(
        &mut self,
        request: impl Fn(u64, &mut Vec<u8>),
        right: impl Fn(u64, &Reply<'_>) -> bool,
    ) -> io::Result<u64> {
        let (mut sent, mut wrong) = (0, 0);
        let mut out = Vec::new();
        for answered in 0..self.values {
            while sent < self.values && sent - answered < PIPELINE_MAX {
                request(sent, &mut out);
                self.stream.write_all(&out)?;
                out.clear();
                sent += 1;
            }
            wrong += u64::from(!self.reply(|reply| right(answered, reply))?);
        }
        Ok(wrong)
    }

    fn reply<T>(&mut self, look: impl Fn(&Reply<'_>) -> T) -> io::Result<T> {
        let mut piece = [0; 64 * 1024];
        loop {
            let parsed = parse(&self.input).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            if let Some((reply, length)) = parsed {
                let seen = look(&reply);
                self.input.drain(..length);
                return Ok(seen);
            }
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                taken => self.input.extend_from_slice(&piece[..taken]),
            }
        }
    }
}

fn key(index: u64) -> String {
    format!("state:{index}")
}

/// Different for each value, so that one in the place of another is noticed.
fn value(index: u64) -> Vec<u8> {
    let mut random = Random::new(index);
    (0..VALUE_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fake::{FakeStore, serve};
    use std::sync::{Arc, Mutex};

    // Of a large state each value must be looked at: one lost page is a lost write.
    #[test]
    fn the_state_is_read_back_whole() {
        let store = Arc::new(Mutex::new(FakeStore::default()));
        let mut state = State::fill(serve(Arc::clone(&store), usize::MAX), 2).unwrap();
        assert_eq!(state.verify().unwrap(), 0);
        store.lock().unwrap().lose("state:31");
        store.lock().unwrap().execute(&[b"SET".to_vec(), b"state:0".to_vec(), value(1)]);
        assert_eq!(state.verify().unwrap(), 2);
    }

    // A full pipeline must not lock both sides up: replies are as long as requests.
    #[test]
    fn nothing_to_fill_is_fine() {
        let store = Arc::new(Mutex::new(FakeStore::default()));
        let mut state = State::fill(serve(store, usize::MAX), 0).unwrap();
        assert_eq!(state.verify().unwrap(), 0);
    }
}
