//! What a failed call means: which failures prove that nothing was done.
//!
//! What this decides: the class of each failure of etcd and of the way to it. What it does not: whether
//! another server is asked.
//!
//! Invariant (S14): a failure proves that nothing was done only when it stands in the table below, which
//! holds those that etcd gives *before* it proposes a transaction, or on applying it *without* its writes.
//! Everything else, known or not, may have been done. One trap: "database space exceeded" may come after
//! the writes were applied, since etcd looks at its quota again when it applies.

use std::error::Error as _;

use tonic::{Code, Status};

/// What a failure of a call that was sent means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Surely not done; another server, or this one later, may do it.
    Elsewhere(String),
    /// Surely not done: the token of the login is not known any more; log in again.
    LoginAgain(String),
    /// Surely not done, and trying again is useless.
    Refused(String),
    /// Nobody can tell.
    Unknown(String),
}

impl Failure {
    pub(super) fn of(status: &Status) -> Self {
        let reason = text(status);
        let message = status.message();
        let says = |words: &str| message.contains(words);
        match status.code() {
            Code::Unavailable if says("etcdserver: no leader") => Self::Elsewhere(reason),
            Code::Unavailable if says("rpc not supported for learner") => Self::Elsewhere(reason),
            Code::ResourceExhausted if says("etcdserver: too many requests") => Self::Elsewhere(reason),
            Code::Unauthenticated if says("invalid auth token") => Self::LoginAgain(reason),
            // Roles or users were changed since the login; refused when applied, before any write.
            Code::InvalidArgument if says("revision of auth store is old") => Self::LoginAgain(reason),
            Code::PermissionDenied if says("permission denied") => {
                Self::Refused(format!("{reason}; grant the user of the coordinator's address its prefix"))
            }
            Code::InvalidArgument if says("user name is empty") => {
                Self::Refused(format!("{reason}; etcd wants a login: add ?user=NAME&password-file=PATH"))
            }
            Code::InvalidArgument if says("authentication failed") => {
                Self::Refused(format!("{reason}; check the user and the password file"))
            }
            Code::FailedPrecondition if says("authentication is not enabled") => {
                Self::Refused(format!("{reason}; leave user and password-file out of the address"))
            }
            Code::InvalidArgument if says("too many operations") => {
                Self::Refused(format!("{reason}; start etcd with --max-txn-ops=128 or more"))
            }
            Code::InvalidArgument if says("request is too large") => {
                Self::Refused(format!("{reason}; start etcd with --max-request-bytes=1572864 or more"))
            }
            Code::InvalidArgument if says("duplicate key") => Self::Refused(reason),
            Code::Unimplemented => Self::Refused(format!("{reason}; is there an etcd 3.4 or newer?")),
            _ => Self::Unknown(reason),
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Elsewhere(reason)
            | Self::LoginAgain(reason)
            | Self::Refused(reason)
            | Self::Unknown(reason) => reason,
        }
    }
}

fn text(status: &Status) -> String {
    match status.source() {
        // "transport error" alone says nothing; what it comes from does.
        Some(source) => chain(source),
        None if status.message().is_empty() => format!("{:?}", status.code()),
        None => status.message().to_owned(),
    }
}

/// An error with everything it comes from, each said once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_left_no_trace_counts_as_not_done() {
        // A takeover that happened would be reported as not done, and be tried against its own record (S14).
        let surely_not = [
            (Code::Unavailable, "etcdserver: no leader"),
            (Code::ResourceExhausted, "etcdserver: too many requests"),
            (Code::Unauthenticated, "etcdserver: invalid auth token"),
            (Code::PermissionDenied, "etcdserver: permission denied"),
            (Code::InvalidArgument, "etcdserver: too many operations in txn request"),
        ];
        for (code, message) in surely_not {
            let failure = Failure::of(&Status::new(code, message));
            assert!(!matches!(failure, Failure::Unknown(_)), "{message}");
        }
        let perhaps = [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "etcdserver: request timed out, possibly due to previous leader failure"),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            (Code::Unavailable, "transport error"),
            (Code::Cancelled, "Timeout expired"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Unknown, "raft proposal dropped"),
            (Code::Internal, "h2 protocol error"),
            (Code::PermissionDenied, "something unheard of"),
        ];
        for (code, message) in perhaps {
            let failure = Failure::of(&Status::new(code, message));
            assert!(matches!(failure, Failure::Unknown(_)), "{message}");
        }
    }
}
