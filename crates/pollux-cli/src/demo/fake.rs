//! A tiny key-value server for tests, with faults that a real one must not have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use super::resp::{Reply, parse};

/// What is stored.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    texts: BTreeMap<String, Vec<u8>>,
    lists: BTreeMap<String, Vec<Vec<u8>>>,
    sets: BTreeMap<String, BTreeSet<Vec<u8>>>,
}

impl FakeStore {
    /// Carries out a request.
    pub(crate) fn execute(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let command = String::from_utf8_lossy(&words[0]).into_owned();
        let key = String::from_utf8_lossy(words.get(1).map_or(b"", Vec::as_slice)).into_owned();
        let bulk = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let many = |items: Vec<&Vec<u8>>| {
            let mut out = format!("*{}\r\n", items.len()).into_bytes();
            items.iter().for_each(|item| out.extend_from_slice(&bulk(item)));
            out
        };
        match command.as_str() {
            "INCR" => {
                let old =
                    self.texts.get(&key).map_or(0, |text| String::from_utf8_lossy(text).parse().unwrap_or(0));
                let new: i64 = old + 1;
                self.texts.insert(key, new.to_string().into_bytes());
                format!(":{new}\r\n").into_bytes()
            }
            "SET" => {
                self.texts.insert(key, words[2].clone());
                b"+OK\r\n".to_vec()
            }
            "GET" => self.texts.get(&key).map_or(b"$-1\r\n".to_vec(), |text| bulk(text)),
            "RPUSH" => {
                let list = self.lists.entry(key).or_default();
                list.push(words[2].clone());
                format!(":{}\r\n", list.len()).into_bytes()
            }
            "LRANGE" => many(self.lists.get(&key).into_iter().flatten().collect()),
            "SADD" => {
                let added = self.sets.entry(key).or_default().insert(words[2].clone());
                format!(":{}\r\n", u8::from(added)).into_bytes()
            }
            "SMEMBERS" => many(self.sets.get(&key).into_iter().flatten().collect()),
            "DEL" => {
                let gone = self.lists.remove(&key).is_some() | self.sets.remove(&key).is_some();
                format!(":{}\r\n", u8::from(gone)).into_bytes()
            }
            other => format!("-ERR unknown command '{other}'\r\n").into_bytes(),
        }
    }

    /// Forgets one key of each kind, or the last item of it.
    pub(crate) fn lose(&mut self, key: &str) {
        self.texts.remove(key);
        self.lists.get_mut(key).map(Vec::pop);
        self.sets.get_mut(key).map(BTreeSet::pop_last);
    }

    /// Writes the last item of a list twice, or raises a counter once more.
    pub(crate) fn double(&mut self, key: &str) {
        if let Some(list) = self.lists.get_mut(key) {
            list.extend(list.last().cloned());
        } else {
            self.execute(&[b"INCR".to_vec(), key.as_bytes().to_vec()]);
        }
    }

    /// The first key with this beginning.
    pub(crate) fn key(&self, beginning: &str) -> Option<String> {
        let keys = self.texts.keys().chain(self.lists.keys()).chain(self.sets.keys());
        keys.filter(|key| key.starts_with(beginning)).cloned().next_back()
    }
}

/// The words of the request at the front of `input`, and its length.
pub(crate) fn parse_request(input: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let (Reply::Array(items), length) = parse(input).ok()?? else { return None };
    let words = items.into_iter().map(|item| match item {
        Reply::Bulk(Some(word)) => word.to_vec(),
        _ => Vec::new(),
    });
    Some((words.collect(), length))
}

/// Serves a store over TCP, each connection on its own thread. A connection ends after `requests_max` requests.
pub(crate) fn serve(store: Arc<Mutex<FakeStore>>, requests_max: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, store) = (stream.unwrap(), Arc::clone(&store));
            std::thread::spawn(move || {
                let (mut input, mut served) = (Vec::new(), 0);
                let mut piece = [0; 16 * 1024];
                while let Ok(taken @ 1..) = stream.read(&mut piece) {
                    input.extend_from_slice(&piece[..taken]);
                    let mut out = Vec::new();
                    while let Some((words, length)) = parse_request(&input) {
                        input.drain(..length);
                        served += 1;
                        if served > requests_max {
                            return;
                        }
                        out.extend_from_slice(&store.lock().unwrap().execute(&words));
                    }
                    if stream.write_all(&out).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
