//! All unsafe code of this crate, in small pieces with safe faces.
//!
//! * `page`: mapping a life page, and the robust mutex in it.
//! * `ring`: mapping the memory of a ring, and copying to and from it.
//! * `present`: pages that are made present.
//! * `crash`: handlers of fatal signals that leave a mark in the life pages.
//! * `socket`: socket options by number, names of addresses.
//! * `tcp`: socket options and requests that rustix does not know.
//! * `calls`: system calls that wait for a decision, memory of another process, signals to a process group.
//! * `descriptors`: descriptors that a process was born with.
//! * `guard`: a process that shares the descriptors of another one.

#![allow(unsafe_code)]

pub(crate) mod calls;
pub(crate) mod crash;
pub(crate) mod descriptors;
pub(crate) mod guard;
pub(crate) mod page;
pub(crate) mod present;
pub(crate) mod ring;
pub(crate) mod socket;
pub(crate) mod tcp;
