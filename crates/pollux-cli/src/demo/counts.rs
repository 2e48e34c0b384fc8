//! What clients count, one by one and together.

use std::ops::AddAssign;

/// What a client saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests sent.
    pub(crate) requests: u64,
    /// Requests whose reply was not an error.
    pub(crate) acknowledged: u64,
    /// Acknowledged writes that are missing.
    pub(crate) lost: u64,
    /// Effects beyond the acknowledged ones.
    pub(crate) duplicated: u64,
    /// Error replies and replies of a kind that does not fit.
    pub(crate) client_errors: u64,
    /// Connections that broke.
    pub(crate) reconnects: u64,
}

impl Counts {
    /// Everything that must not be.
    pub(crate) fn wrong(&self) -> u64 {
        self.lost + self.duplicated + self.client_errors + self.reconnects
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.client_errors += other.client_errors;
        self.reconnects += other.reconnects;
    }
}
