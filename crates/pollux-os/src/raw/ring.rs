//! The memory of a ring: two byte queues between two processes, one for each direction.
//!
//! ```text
//!    1792  C bytes of direction 0; the first of them are its last 1792, ---+
//!          those that follow stand at the beginning                        |
//!  C+1792  direction 0: written by its writer   tail, base u64, waits u32  |  all in one page: what carries little
//!   +128                written by its reader   head u64, sleeps u32       |  at a time touches no other one
//!   +256  direction 1: as above                                            |
//!  C+2304  C bytes of direction 1                                       ---+
//! 2C+8192  the end
//! ```
//!
//! Each line of control words is alone in 128 bytes, so that writing one does not slow the other.
//!
//! The other process may write anything anywhere at any time. So all control words are atomics, and the bytes are
//! only ever copied, never looked at in place.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of one direction of a ring that carries much; a power of two.
pub(crate) const CAPACITY: usize = 128 * 1024;

/// The same of a ring among very many, most of which carry little at a time.
pub(crate) const CAPACITY_SMALL: usize = 8 * 1024;

const PAGE_BYTES: usize = 4096;

/// Bytes of each direction in the page of the control words.
const NEAR_BYTES: usize = (PAGE_BYTES - size_of::<Control>()) / 2;

/// The length of the file, to the byte. Files of other layouts have other lengths.
pub(crate) const fn file_bytes(capacity: usize) -> usize {
    2 * PAGE_BYTES + 2 * capacity
}

/// Where in the file the control words are.
const fn control_at(capacity: usize) -> usize {
    NEAR_BYTES + capacity
}

const _: () = assert!(CAPACITY.is_power_of_two() && CAPACITY_SMALL.is_power_of_two());
const _: () = assert!(CAPACITY_SMALL.is_multiple_of(PAGE_BYTES) && CAPACITY.is_multiple_of(PAGE_BYTES));
const _: () = assert!(NEAR_BYTES.is_multiple_of(align_of::<Control>()));
const _: () = assert!(control_at(CAPACITY) + size_of::<Control>() + CAPACITY <= file_bytes(CAPACITY));

/// What the writer of a direction says.
#[repr(C, align(128))]
pub(crate) struct WriterLine {
    /// Bytes ever written.
    pub(crate) tail: AtomicU64,
    /// The byte from which on places are counted: when everything was read, what comes next stands where the first byte stood.
    pub(crate) base: AtomicU64,
    /// Not zero: it waits for room.
    pub(crate) waits: AtomicU32,
}

/// What the reader of a direction says.
#[repr(C, align(128))]
pub(crate) struct ReaderLine {
    /// Bytes ever read.
    pub(crate) head: AtomicU64,
    /// Not zero: it waits for bytes.
    pub(crate) sleeps: AtomicU32,
}

/// The control words of one direction.
#[repr(C)]
pub(crate) struct Direction {
    pub(crate) writer: WriterLine,
    pub(crate) reader: ReaderLine,
}

#[repr(C)]
struct Control {
    directions: [Direction; 2],
}

const _: () = assert!(mem::offset_of!(Control, directions) == 0);
const _: () = assert!(mem::offset_of!(Direction, reader) == 128);

/// The mapped memory of a ring, unmapped when dropped.
pub(crate) struct Mapping {
    start: NonNull<c_void>,
    /// Bytes of one direction, a power of two.
    capacity: usize,
}

impl Mapping {
    /// Maps `memfd`. The caller has checked that the file is [`file_bytes`] long and sealed against changes of its
    /// size: otherwise touching it could kill us with SIGBUS.
    pub(crate) fn new(memfd: impl AsFd, capacity: usize) -> io::Result<Mapping> {
        assert!(capacity.is_power_of_two(), "positions are taken modulo the capacity");
        let bytes = file_bytes(capacity);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // JUSTIFICATION: memory shared between processes can only be had by mapping it.
        // SAFETY: the kernel chooses the address, so no memory of ours is replaced.
        let start = unsafe { mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, memfd, 0)? };
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a ring mapped at address zero"))?;
        Ok(Mapping { start, capacity })
    }

    /// Bytes of one direction.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The control words of a direction, 0 or 1.
    pub(crate) fn direction(&self, number: usize) -> &Direction {
        // JUSTIFICATION: a reference is how safe code reaches the atomics in the mapping.
        // SAFETY: inside of the mapping and aligned (asserted above), borrowed as long as the mapping is, and all
        // fields are atomics, for which every bit pattern is valid and which another process may change.
        let control = unsafe { self.start.byte_add(control_at(self.capacity)).cast::<Control>().as_ref() };
        &control.directions[number]
    }

    /// Copies `bytes` to where the byte number `position` of a direction, from its base on, is. At most so many as it has.
    #[inline]
    pub(crate) fn copy_in(&self, direction: usize, position: u64, bytes: &[u8]) {
        let (start, offset, first) = self.place(direction, position, bytes.len());
        // JUSTIFICATION: no reference may cover memory that another process changes, so the copy is by pointer.
        // SAFETY: `place` has checked that both pieces lie inside the bytes of the direction; `bytes` is memory
        // of ours, which the mapping does not overlap; u8 has no invalid value and no alignment.
        unsafe {
            let to = start.add(offset);
            if first == bytes.len() {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            } else {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, first);
                ptr::copy_nonoverlapping(bytes.as_ptr().add(first), start, bytes.len() - first);
            }
        }
    }

    /// Copies the bytes at `position` of a direction, from its base on, to `room`. At most so many as it has.
    pub(crate) fn copy_out(&self, direction: usize, position: u64, room: &mut [u8]) {
        let (start, offset, first) = self.place(direction, position, room.len());
        // JUSTIFICATION: as in `copy_in`.
        // SAFETY: as in `copy_in`. If the other process writes at the same time the copy holds any bytes, which
        // is what the caller must expect of it anyhow.
        unsafe {
            ptr::copy_nonoverlapping(start.add(offset), room.as_mut_ptr(), first);
            ptr::copy_nonoverlapping(start, room.as_mut_ptr().add(first), room.len() - first);
        }
    }

    /// Where the bytes of a direction begin, where among them a byte stands, and how many of `length` bytes lie before the
    /// wrap.
    #[inline]
    fn place(&self, direction: usize, position: u64, length: usize) -> (*mut u8, usize, usize) {
        assert!(direction < 2 && length <= self.capacity, "outside of the ring");
        // The first bytes of both directions are beside the control words.
        let (begin, first_place) = match direction {
            0 => (control_at(self.capacity) - self.capacity, self.capacity - NEAR_BYTES),
            _ => (control_at(self.capacity) + size_of::<Control>(), 0),
        };
        // Any position, also one that makes no sense, is a place inside.
        let offset = (position as usize).wrapping_add(first_place) & (self.capacity - 1);
        // JUSTIFICATION: the bytes of a direction are found by where they begin.
        // SAFETY: both begin inside the mapping, with `capacity` bytes of it from there on.
        let start = unsafe { self.start.cast::<u8>().as_ptr().add(begin) };
        (start, offset, length.min(self.capacity - offset))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // JUSTIFICATION: what was mapped must be unmapped, or a server with many openers grows.
        // SAFETY: the mapping is ours and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr(), file_bytes(self.capacity)) };
    }
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mapping").finish_non_exhaustive()
    }
}

// JUSTIFICATION: a link, and with it its ring, may move to another thread.
// SAFETY: the mapping is only memory, reached through atomics and copies.
unsafe impl Send for Mapping {}
