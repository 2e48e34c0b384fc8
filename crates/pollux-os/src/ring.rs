//! A ring: bytes between two processes through shared memory, with a bell for each side.
//!
//! ```text
//!   one side                       memfd                       other side
//!   write, publish --------> [ direction 0: tail ] --------> read          its bell rings if it sleeps
//!   read           <-------- [ direction 1: tail ] <-------- write, publish
//! ```
//!
//! Each direction has one writer, who alone moves its tail, and one reader, who alone moves its head. A bell is an
//! eventfd that is never read and holds one: each write to it is one edge in the epoll of the side that waits.
//!
//! No wake-up is lost. The reader says that it sleeps, then looks once more; the writer moves the tail, then looks
//! whether the reader sleeps; a full fence lies between the two steps of each. **Only the reader sets and clears its
//! flag**: a writer that cleared it could clear the one of the next sleep. A writer that waits for room does the same
//! the other way round.
//!
//! The other process is not trusted: its positions are checked at each use (S17), what it wrote is copied before it
//! is looked at, and the file is sealed, so that it cannot be cut off under the mapping. What a side does wrong
//! makes it miss its own wake-ups, or breaks the ring for both.
//!
//! A process may be killed between any two instructions: bytes behind the tail do not exist, and a bell that was not
//! rung any more is made up for by the end of the socket that belongs to each ring.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::raw::ring::{CAPACITY, CAPACITY_SMALL, Direction, Mapping, file_bytes};

/// Rings that one process has at most. Each costs it two descriptors; the paths beyond go on over their sockets.
pub const RINGS_PER_PROCESS_MAX: usize = 16_384;

/// Rings of a process that have room for much, and take up to 260 KiB of memory once they have been filled. Those that it
/// makes beyond take up to 20 KiB.
const LARGE_RINGS_MAX: usize = 256;

/// Rings of a process beyond which it takes only small ones of others, who may have made few yet (S15).
const LARGE_RINGS_TAKEN_MAX: usize = 512;

/// At most one ring for so many descriptors that this process may have: what carries bytes faster must not use up
/// what carries them at all.
const DESCRIPTORS_PER_RING: u64 = 8;

/// Descriptors that make up a ring: the memory, the bell of the one who opens it, the bell of the one who made it.
pub const RING_DESCRIPTORS: usize = 3;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

static RINGS: AtomicUsize = AtomicUsize::new(0);

/// Whether a process has many channels like this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Its ring is always one with room for much.
    Few,
    /// The first rings of the process have room for much, the others for little.
    Many,
}

impl Among {
    /// Bytes of one direction of a new ring.
    fn capacity(self, place: &Place) -> usize {
        if self == Among::Few || place.0 < LARGE_RINGS_MAX { CAPACITY } else { CAPACITY_SMALL }
    }

    /// Whether a ring of so many bytes, made by somebody else, is opened.
    fn takes(self, capacity: usize, place: &Place) -> bool {
        self == Among::Few || capacity == CAPACITY_SMALL || place.0 < LARGE_RINGS_TAKEN_MAX
    }
}

/// A place among the rings of this process: how many there were before it.
#[derive(Debug)]
struct Place(usize);

impl Place {
    fn take() -> io::Result<Place> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = RINGS_PER_PROCESS_MAX.min((descriptors / DESCRIPTORS_PER_RING) as usize);
        let taken = RINGS
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rings| (rings < limit).then_some(rings + 1));
        let text =
            || io::Error::new(io::ErrorKind::QuotaExceeded, format!("there are {limit} rings already"));
        taken.map(Place).map_err(|_| text())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        RINGS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One side of a ring.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: Mapping,
    bell: OwnedFd,
    peers_bell: OwnedFd,
    /// The direction that this side writes; it reads the other one.
    writes: usize,
    /// Bytes ever written, published or not.
    written: u64,
    /// The base of the direction that this side writes.
    base: u64,
    published: u64,
    /// Bytes the peer had read when last looked at.
    peer_has_read: u64,
    /// Where the peer's reading stood when its bell was rung for bytes.
    rang_at: Option<u64>,
    /// Bytes ever read.
    read: u64,
    asleep: bool,
    waits_for_room: bool,
    _place: Place,
}

impl Ring {
    /// A new ring: this side, and what the other side opens it with.
    pub(crate) fn create(among: Among) -> io::Result<(Ring, Vec<OwnedFd>)> {
        let place = Place::take()?;
        Self::create_with(among.capacity(&place), place)
    }

    fn create_with(capacity: usize, place: Place) -> io::Result<(Ring, Vec<OwnedFd>)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Without NOEXEC_SEAL newer kernels complain in their log; older ones do not know it.
        let memfd = match memfd_create("pollux-ring", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create("pollux-ring", flags)?,
            other => other?,
        };
        ftruncate(&memfd, file_bytes(capacity) as u64)?;
        fcntl_add_seals(&memfd, SEALS)?;
        let memory = Mapping::new(&memfd, capacity)?;
        for number in 0..2 {
            // Until a reader has looked for the first time it counts as asleep.
            memory.direction(number).reader.sleeps.store(1, Ordering::Relaxed);
        }
        let new_bell = || eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let (bell, peers_bell) = (new_bell()?, new_bell()?);
        let descriptors = vec![memfd, peers_bell.try_clone()?, bell.try_clone()?];
        Ok((Ring::new(memory, bell, peers_bell, 0, place), descriptors))
    }

    /// Opens a ring that somebody has passed to us. Refused unless nobody can change the size of its file.
    pub(crate) fn open(descriptors: Vec<OwnedFd>, among: Among) -> io::Result<Ring> {
        let refuse = |text: &str| io::Error::new(io::ErrorKind::InvalidData, format!("not a ring: {text}"));
        let descriptors: [OwnedFd; RING_DESCRIPTORS] =
            descriptors.try_into().map_err(|_| refuse("it has another number of descriptors"))?;
        let [memfd, bell, peers_bell] = descriptors;
        match fcntl_get_seals(&memfd) {
            Ok(seals) if seals.contains(SEALS) => {}
            _ => return Err(refuse("it is not sealed against changes of its size")),
        }
        let bytes = fstat(&memfd)?.st_size;
        let capacity = [CAPACITY, CAPACITY_SMALL]
            .into_iter()
            .find(|capacity| file_bytes(*capacity) as i64 == bytes)
            .ok_or_else(|| refuse("it is of the wrong size"))?;
        let place = Place::take()?;
        if !among.takes(capacity, &place) {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "there are many rings already"));
        }
        Ok(Ring::new(Mapping::new(&memfd, capacity)?, bell, peers_bell, 1, place))
    }

    fn new(memory: Mapping, bell: OwnedFd, peers_bell: OwnedFd, writes: usize, place: Place) -> Ring {
        Ring {
            memory,
            bell,
            peers_bell,
            writes,
            written: 0,
            base: 0,
            published: 0,
            peer_has_read: 0,
            rang_at: None,
            read: 0,
            asleep: true,
            waits_for_room: false,
            _place: place,
        }
    }

    /// What this side waits for, edge-triggered.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The control words, as a hostile peer reaches them.
    #[cfg(feature = "fuzz")]
    pub(crate) fn direction_for_fuzz(&self, number: usize) -> &Direction {
        self.memory.direction(number)
    }

    fn output(&self) -> &Direction {
        self.memory.direction(self.writes)
    }

    fn input(&self) -> &Direction {
        self.memory.direction(1 - self.writes)
    }

    /// Copies in what fits; the peer sees it with [`publish`](Ring::publish).
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written != self.base || self.room()? < bytes.len() {
            self.look_for_room();
        }
        self.begin_anew_if_empty();
        let count = self.room()?.min(bytes.len());
        self.memory.copy_in(self.writes, self.written.wrapping_sub(self.base), &bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    /// Copies in both of these pieces, or nothing: then there is no room for them together, or the peer is broken, which the next
    /// [`write`](Ring::write) tells. The peer sees them with [`publish`](Ring::publish).
    #[inline]
    pub(crate) fn write_whole(&mut self, pieces: [&[u8]; 2]) -> bool {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        let fits = |ring: &Ring| ring.room().is_ok_and(|room| room >= bytes);
        if self.written != self.base || !fits(self) {
            self.look_for_room();
            if !fits(self) {
                return false;
            }
        }
        self.begin_anew_if_empty();
        for piece in pieces {
            self.memory.copy_in(self.writes, self.written.wrapping_sub(self.base), piece);
            self.written += piece.len() as u64;
        }
        true
    }

    /// Bytes that the peer does not see yet.
    pub(crate) fn unpublished(&self) -> usize {
        (self.written - self.published) as usize
    }

    /// When the peer has read everything, what comes next stands where the first byte stood: who carries little at a time always
    /// uses the same few lines of memory. The peer looks at the base when it has seen a tail beyond what it has read, and from
    /// then on the base stays until it has read up to there.
    fn begin_anew_if_empty(&mut self) {
        if self.peer_has_read == self.written && self.base != self.written {
            self.base = self.written;
            self.output().writer.base.store(self.base, Ordering::Relaxed);
        }
    }

    fn look_for_room(&mut self) {
        self.peer_has_read = self.output().reader.head.load(Ordering::Acquire);
    }

    /// Bytes that fit. S17: a peer that says it has read what was never written is broken. One that takes back what it
    /// has read leaves less room to itself.
    fn room(&self) -> io::Result<usize> {
        match usize::try_from(self.written.wrapping_sub(self.peer_has_read)) {
            Ok(used) if used <= self.memory.capacity() => Ok(self.memory.capacity() - used),
            _ => Err(broken()),
        }
    }

    /// Shows the peer what was written, and wakes it if it sleeps.
    pub(crate) fn publish(&mut self) {
        if self.published == self.written {
            return;
        }
        self.published = self.written;
        self.output().writer.tail.store(self.written, Ordering::Release);
        fence(Ordering::SeqCst);
        let reader = &self.output().reader;
        let (sleeps, head) = (reader.sleeps.load(Ordering::Relaxed), reader.head.load(Ordering::Relaxed));
        // A peer that has read all needs no bell. One that has not read yet what it was woken for is on its way, and
        // looks at the tail before it sleeps again.
        if sleeps != 0 && head != self.written && self.rang_at != Some(head) {
            self.rang_at = Some(head);
            self.ring_peer();
        }
    }

    /// True if there is room after all. False: the peer rings when it has made some; all is to be published before.
    pub(crate) fn wait_for_room(&mut self) -> io::Result<bool> {
        assert_eq!(self.published, self.written, "a peer makes no room by reading what it does not see");
        self.waits_for_room = true;
        self.output().writer.waits.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.look_for_room();
        if self.room()? == 0 {
            return Ok(false);
        }
        self.stop_waiting_for_room();
        Ok(true)
    }

    /// All has found its room.
    pub(crate) fn stop_waiting_for_room(&mut self) {
        if std::mem::take(&mut self.waits_for_room) {
            self.output().writer.waits.store(0, Ordering::Relaxed);
        }
    }

    /// Copies out what is there, as much as fits.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.asleep) {
            self.input().reader.sleeps.store(0, Ordering::Relaxed);
        }
        let tail = self.input().writer.tail.load(Ordering::Acquire);
        let there = match usize::try_from(tail.wrapping_sub(self.read)) {
            Ok(there) if there <= self.memory.capacity() => there,
            _ => return Err(broken()),
        };
        let count = there.min(room.len());
        if count == 0 {
            return Ok(0);
        }
        // Any number is a place inside of the ring; a wrong one gives other bytes, which the peer could have written anyhow.
        let base = self.input().writer.base.load(Ordering::Relaxed);
        self.memory.copy_out(1 - self.writes, self.read.wrapping_sub(base), &mut room[..count]);
        self.read += count as u64;
        self.input().reader.head.store(self.read, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.input().writer.waits.load(Ordering::Relaxed) != 0 {
            self.ring_peer();
        }
        Ok(count)
    }

    /// Says that this side is about to sleep; the peer rings from here on. False: there is something to read already.
    pub(crate) fn fall_asleep(&mut self) -> bool {
        if !std::mem::replace(&mut self.asleep, true) {
            self.input().reader.sleeps.store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }
        self.input().writer.tail.load(Ordering::Acquire) == self.read
    }

    fn ring_peer(&self) {
        // Zero: it makes an edge like any other number, and the counter, which nobody reads, never fills up. So the
        // write does not block even if the peer has made the open file, which both share, a blocking one.
        let _ = rustix::io::write(&self.peers_bell, &0u64.to_ne_bytes());
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the positions of a ring make no sense")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Thousands of requesters must not fill the memory (S15), nor slow down the one channel that all their requests depend on.
    #[test]
    fn many_rings_are_small_and_the_pairs_own_is_not() {
        // Counted once more, since a place is given back when it is dropped.
        RINGS.fetch_add(3, Ordering::Relaxed);
        let [few, many, most] = [LARGE_RINGS_MAX - 1, LARGE_RINGS_MAX, LARGE_RINGS_TAKEN_MAX].map(Place);
        assert_eq!([&few, &many].map(|place| Among::Many.capacity(place)), [CAPACITY, CAPACITY_SMALL]);
        assert_eq!(Among::Few.capacity(&most), CAPACITY);
        assert!(Among::Many.takes(CAPACITY, &many) && !Among::Many.takes(CAPACITY, &most));
        assert!(Among::Many.takes(CAPACITY_SMALL, &most) && Among::Few.takes(CAPACITY, &most));
    }

    // With a place that moves on, thousands of rings have no line of memory in the cache, and each takes all of its pages.
    #[test]
    fn what_is_read_makes_room_for_the_next_at_the_same_place() {
        let (mut near, descriptors) = Ring::create(Among::Many).unwrap();
        let mut far = Ring::open(descriptors, Among::Many).unwrap();
        for number in 0..1000u32 {
            let message = number.to_le_bytes();
            assert_eq!(near.write(&message).unwrap(), 4);
            near.publish();
            let (mut first, mut room) = ([0; 4], [0; 8]);
            near.memory.copy_out(0, 0, &mut first);
            assert_eq!((first, far.read(&mut room).unwrap()), (message, 4));
            assert_eq!(room[..4], message);
        }
    }

    // A base that changes while something is unread gives the reader bytes of another time.
    #[test]
    fn bytes_stay_in_order_whoever_is_faster() {
        let (mut near, descriptors) = Ring::create_with(CAPACITY_SMALL, Place::take().unwrap()).unwrap();
        let mut far = Ring::open(descriptors, Among::Many).unwrap();
        let (mut chance, mut sent, mut read) = (1u64, 0u64, 0u64);
        let mut random = |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            (chance % below) as usize
        };
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random(1000) as u64).map(|at| ((sent + at) % 251) as u8).collect();
            sent += near.write(&bytes).unwrap() as u64;
            if random(3) > 0 {
                near.publish();
            }
            let mut room = vec![0; random(1500)];
            let there = far.read(&mut room).unwrap();
            let right = room[..there].iter().zip(read..).all(|(byte, at)| u64::from(*byte) == at % 251);
            assert!(right, "behind {read} bytes");
            read += there as u64;
        }
        assert!(sent > 100 * CAPACITY_SMALL as u64 && near.base > 0 && near.base < sent);
    }

    // The open after very many others must carry the same requests as the first one.
    #[test]
    fn a_small_ring_carries_any_bytes_in_order() {
        let (mut near, descriptors) = Ring::create_with(CAPACITY_SMALL, Place::take().unwrap()).unwrap();
        let mut far = Ring::open(descriptors, Among::Many).unwrap();
        assert_eq!((near.memory.capacity(), far.memory.capacity()), (CAPACITY_SMALL, CAPACITY_SMALL));
        for (writer, reader) in [(0, 1), (1, 0)] {
            let ends = [&mut near, &mut far];
            let sent: Vec<u8> = (0..5 * CAPACITY_SMALL + 100).map(|at| (at % 251) as u8).collect();
            let (mut written, mut read) = (0, Vec::new());
            while read.len() < sent.len() {
                let taken = ends[writer].write(&sent[written..]).unwrap();
                assert!(taken <= CAPACITY_SMALL);
                written += taken;
                ends[writer].publish();
                let mut room = [0; 3000];
                let there = ends[reader].read(&mut room).unwrap();
                read.extend_from_slice(&room[..there]);
            }
            assert_eq!(read, sent);
            // S17: more between head and tail than fits is a broken ring, also where it would fit a large one.
            let tail = sent.len() as u64 + CAPACITY_SMALL as u64 + 1;
            ends[reader].input().writer.tail.store(tail, Ordering::Release);
            assert!(ends[reader].read(&mut [0; 8]).is_err());
        }
    }
}
