//! The TCP/IP sockets library of C programs (TCP/IP Programming Manual).
//!
//! A socket number is a file number; behind it is a Linux socket of this process. Data goes through nobody else. The provider,
//! `$ZTC0` by name, accepts connections, keeps a duplicate of each socket that it is shown, and hands duplicates to the process
//! that claims a connection and to a backup: so a connection lives on when the process that uses it dies.
//!
//! | Module | What it decides or does |
//! | --- | --- |
//! | `numbers` | constants, and errors by the numbers of the manual |
//! | `address`, `place` | addresses between C and Rust, and where a program wants one |
//! | `file` | a socket as an open file |
//! | `queue` | which posted operation may be carried out |
//! | `carry` | carries it out: one system call, when the program is told of it |
//! | `calls` | posts operations, waits for those of waited calls |
//! | `provider` | the links to providers and what is asked over them |
//! | `server` | bind, listen, the accept family, the end of a socket |
//! | `pair` | open information, backup opens, takeover, positions, input that is held |
//! | `options`, `ioctl` | options and commands between our numbers and Linux's |
//! | `names` | hosts, services, protocols, networks, interfaces |

pub(crate) mod address;
pub(crate) mod calls;
pub(crate) mod carry;
pub(crate) mod file;
pub(crate) mod interfaces;
pub(crate) mod ioctl;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod options;
pub(crate) mod pair;
pub(crate) mod place;
pub(crate) mod provider;
pub(crate) mod queue;
pub(crate) mod server;
