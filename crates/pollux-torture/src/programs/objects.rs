//! Every kind of replicated object, changed by numbered operations, and a model that is changed by the same ones.

use super::{enough, number};
use crate::random::{HASH_START, Random, hash};
use pollux::{Cell, Log, Machine, Map, Node, Pair, ReceiveDepth, Result, StateMachine};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Pages of the state machine: 4 MiB, so that its state is sent in many parts.
const PAGES: u64 = 4096;
const PAGE_BYTES: usize = 1024;
const KEYS: u64 = 2000;

/// One change, as a number says.
enum Change {
    Put(u64, Vec<u8>),
    Remove(u64),
    Clear,
    Set(u64),
    Append(Vec<u8>),
    Forget(u64),
    Write(u32, u16, Vec<u8>),
    Drop(u32),
}

fn change_of(operation: u64) -> Change {
    let mut random = Random::new(operation);
    let bytes = |random: &mut Random, most: u64| vec![random.next() as u8; random.below(most) as usize];
    match random.below(1000) {
        0..300 => Change::Put(random.below(KEYS), bytes(&mut random, 1500)),
        300..400 => Change::Remove(random.below(KEYS)),
        400 => Change::Clear,
        401..500 => Change::Set(random.next()),
        500..600 => Change::Append(bytes(&mut random, 300)),
        600..610 => Change::Forget(random.below(100)),
        610..950 => {
            let at = random.below(PAGE_BYTES as u64);
            let length = random.below(PAGE_BYTES as u64 - at);
            Change::Write(random.below(PAGES) as u32, at as u16, vec![random.next() as u8; length as usize])
        }
        _ => Change::Drop(random.below(PAGES) as u32),
    }
}

/// Pages by number: a state machine that is saved in parts.
#[derive(Default)]
struct Pages(BTreeMap<u32, Vec<u8>>);

impl StateMachine for Pages {
    type Reply = usize;
    type Position = u32;

    fn apply(&mut self, command: &[u8]) -> usize {
        let page = u32::from_le_bytes(command[..4].try_into().expect("four bytes"));
        if command.len() == 4 {
            self.0.remove(&page);
        } else {
            let at = usize::from(u16::from_le_bytes(command[4..6].try_into().expect("two bytes")));
            let bytes = &command[6..];
            let content = self.0.entry(page).or_insert_with(|| vec![0; PAGE_BYTES]);
            // A change, not an overwrite: applied twice or to another state it shows.
            content[at..at + bytes.len()]
                .iter_mut()
                .zip(bytes)
                .for_each(|(old, new)| *old = old.wrapping_mul(3) ^ new);
        }
        self.0.len()
    }

    fn save_part(&self, position: &mut u32, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        for (page, content) in self.0.range(*position..) {
            if out.len() >= bytes_max {
                *position = *page;
                return true;
            }
            out.extend_from_slice(&page.to_le_bytes());
            out.extend_from_slice(content);
        }
        false
    }

    fn load_part(&mut self, part: &[u8]) {
        for entry in part.chunks_exact(4 + PAGE_BYTES) {
            let page = u32::from_le_bytes(entry[..4].try_into().expect("four bytes"));
            self.0.insert(page, entry[4..].to_vec());
        }
    }
}

fn write_command(page: u32, at: u16, bytes: &[u8]) -> Vec<u8> {
    [&page.to_le_bytes()[..], &at.to_le_bytes(), bytes].concat()
}

/// The contents, for both the server and the model.
#[derive(Default)]
struct Contents {
    map: BTreeMap<u64, Vec<u8>>,
    cell: Option<u64>,
    log: BTreeMap<u64, Vec<u8>>,
    next: u64,
    pages: Pages,
    operations: u64,
}

impl Contents {
    fn apply(&mut self, operation: u64) {
        self.operations += 1;
        match change_of(operation) {
            Change::Put(key, value) => drop(self.map.insert(key, value)),
            Change::Remove(key) => drop(self.map.remove(&key)),
            Change::Clear => self.map.clear(),
            Change::Set(value) => self.cell = Some(value),
            Change::Append(entry) => {
                self.log.insert(self.next, entry);
                self.next += 1;
            }
            Change::Forget(keep) => {
                let first = self.next.saturating_sub(keep);
                self.log.retain(|index, _| *index >= first);
            }
            Change::Write(page, at, bytes) => drop(self.pages.apply(&write_command(page, at, &bytes))),
            Change::Drop(page) => drop(self.pages.apply(&page.to_le_bytes())),
        }
    }

    fn digest(&self) -> String {
        let of = |entries: &BTreeMap<u64, Vec<u8>>| {
            entries.iter().fold(HASH_START, |sum, (key, value)| hash(hash(sum, &key.to_le_bytes()), value))
        };
        let pages = self
            .pages
            .0
            .iter()
            .fold(HASH_START, |sum, (page, content)| hash(hash(sum, &page.to_le_bytes()), content));
        format!(
            "operations {} map {} {:x} cell {:?} log {} {} {:x} pages {} {pages:x}",
            self.operations,
            self.map.len(),
            of(&self.map),
            self.cell,
            self.log.len(),
            self.next,
            of(&self.log),
            self.pages.0.len()
        )
    }
}

struct Server {
    map: Map<u64, Vec<u8>>,
    cell: Cell<u64>,
    log: Log<Vec<u8>>,
    pages: Machine<Pages>,
    operations: Cell<u64>,
}

impl Server {
    fn apply(&self, operation: u64) -> Result<()> {
        self.operations.update(|n| n.unwrap_or(0) + 1)?;
        match change_of(operation) {
            Change::Put(key, value) => drop(self.map.insert(key, value)?),
            Change::Remove(key) => drop(self.map.remove(&key)?),
            Change::Clear => self.map.clear()?,
            Change::Set(value) => self.cell.set(&value)?,
            Change::Append(entry) => drop(self.log.append(&entry)?),
            Change::Forget(keep) => self.log.forget_before(self.log.next_index().saturating_sub(keep))?,
            Change::Write(page, at, bytes) => drop(self.pages.apply(&write_command(page, at, &bytes))?),
            Change::Drop(page) => drop(self.pages.apply(&page.to_le_bytes())?),
        }
        Ok(())
    }

    fn contents(&self) -> Result<Contents> {
        Ok(Contents {
            map: self.map.entries()?.into_iter().collect(),
            cell: self.cell.get()?,
            log: self.log.entries()?.into_iter().collect(),
            next: self.log.next_index(),
            pages: Pages(self.pages.read().0.clone()),
            operations: self.operations.get()?.unwrap_or(0),
        })
    }
}

/// A request is the number of an operation, `fill FIRST` for many of them, or `digest`.
pub fn serve() -> Result<()> {
    let mut builder = Pair::builder();
    let pages = builder.machine("pages", Pages::default());
    let pair = builder.join()?;
    let server = Server {
        map: pair.map("map")?,
        cell: pair.cell("cell")?,
        log: pair.log("log")?,
        pages,
        operations: pair.cell("operations")?,
    };
    let mut receive = pair.receive(ReceiveDepth::ONE)?;
    while let Some(request) = receive.next()? {
        let text = request.text()?.to_owned();
        if text == "digest" {
            request.reply(server.contents()?.digest())?;
        } else if let Some(first) = text.strip_prefix("fill ") {
            for operation in 0..FILL {
                server.apply(number(first) + operation)?;
            }
            request.reply("")?;
        } else {
            server.apply(number(&text))?;
            request.reply("")?;
        }
    }
    Ok(())
}

const FILL: u64 = 10_000;

/// Changes the objects at least `times` times and until standard input ends, and compares them with the model now and then.
pub fn change(name: &str, seed: u64, times: u64) -> Result<()> {
    let node = Node::connect()?;
    let mut server = node.open(name)?;
    let mut model = Contents::default();
    let mut operation = seed << 32;
    let enough = enough();
    for _ in 0..3 {
        server.request(format!("fill {operation}").as_bytes())?;
        (0..FILL).for_each(|add| model.apply(operation + add));
        operation += FILL;
    }
    println!("filled");
    let mut done = 0;
    loop {
        let last = done >= times && enough.load(Ordering::SeqCst);
        if last || done % 1000 == 0 {
            let theirs = server.request(b"digest")?;
            assert_eq!(
                String::from_utf8_lossy(&theirs),
                model.digest(),
                "after {done} operations of seed {seed}"
            );
            println!("{done} changes");
        }
        if last {
            println!("{done} changes, {}", model.digest());
            return Ok(());
        }
        server.request(operation.to_string().as_bytes())?;
        model.apply(operation);
        (operation, done) = (operation + 1, done + 1);
    }
}
