//! Names of hosts, services, protocols and networks (TCP/IP Programming Manual, support routines). All of them wait.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | `image` | structures of C with pointers into themselves |
//! | `tables` | the files of hosts, services, protocols and networks |
//! | `hosts` | `gethostbyname` and its kin |
//! | `entries` | services, protocols, networks |
//! | `resolve` | `getaddrinfo`, `getnameinfo` |
//! | `text` | addresses as texts |

pub(crate) mod entries;
pub(crate) mod hosts;
pub(crate) mod image;
pub(crate) mod resolve;
pub(crate) mod tables;
pub(crate) mod text;
