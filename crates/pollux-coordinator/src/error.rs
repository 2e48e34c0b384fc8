//! What can go wrong, sorted by the one thing a caller must know: may it have been done?
//!
//! What this decides: the class of each failure. What it does not: whether to try again.
//!
//! Invariant (S14): every error but [`Error::Unknown`] says "surely not done", and never lies.

/// Whether a failed call may have changed the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The store is as it was before the call.
    NotDone,
    /// Nobody can tell; read the keys again before acting.
    Unknown,
}

/// A failed call to the coordinator. Conflicts are no errors, see [`crate::Outcome`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store cannot serve this call at present: disk or store full, no right to write, no reader
    /// slot. Surely not done. Running pairs go on while they are whole; no new epoch without it.
    #[error("coordinator unavailable, nothing was changed: {reason}")]
    Unavailable {
        /// What is the matter and, where one is known, the next step.
        reason: String,
    },
    /// The commit was under way when it failed. It may have been done.
    #[error("coordinator cannot tell whether the transaction was done: {reason}")]
    Unknown {
        /// What failed.
        reason: String,
    },
    /// The caller asked for something no store accepts: a bad key, a value above a limit, a directory
    /// that others can enter. Surely not done, and trying again is useless.
    #[error("coordinator refused the request: {reason}")]
    Invalid {
        /// What is wrong and the next step.
        reason: String,
    },
    /// The store's content is not what this program wrote. Surely not done.
    #[error("coordinator store is damaged: {reason}")]
    Corrupt {
        /// What was found and the next step.
        reason: String,
    },
    /// An earlier failure has left this process with a store that serves it no more; other processes are not concerned.
    /// Surely not done, and trying again is useless until this process is started again.
    #[error("coordinator is lost to this process: {reason}")]
    Lost {
        /// What is the matter.
        reason: String,
    },
    /// The store was written by another version of the format. Surely not done: a version is spoken or
    /// refused, never guessed.
    #[error(
        "coordinator store has format {found}, this program speaks {expected}: run the same version of Pollux in all CPUs of a node"
    )]
    Version {
        /// The format found, as it names itself.
        found: String,
        /// The format of this program.
        expected: u32,
    },
}

impl Error {
    /// Whether the failed call may have changed the store.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Unknown { .. } => Effect::Unknown,
            Self::Unavailable { .. }
            | Self::Invalid { .. }
            | Self::Corrupt { .. }
            | Self::Lost { .. }
            | Self::Version { .. } => Effect::NotDone,
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into() }
    }
}
