//! Errors that can be put into the world on purpose: whoever finds none of them proves nothing.

/// An error in the shell around the machines, as a careless programmer makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// None.
    None,
    /// Outputs do not wait for anything.
    ReplyBeforeAcknowledgement,
    /// The backup acknowledges a checkpoint and applies it when the next one comes.
    AcknowledgeBeforeApply,
    /// The checkpoint of a request lacks its reply.
    RepliesNotCheckpointed,
    /// The effect and the reply are two checkpoints, the reply waits for the first.
    TornCheckpoint,
    /// A new backup gets the log but not the saved replies.
    StateWithoutReplies,
    /// A primary goes on alone when its backup dies, without asking.
    AloneWithoutConsent,
    /// A backup takes over without asking.
    TakeoverUnrecorded,
    /// A backup hears of the death before the last words.
    DeathBeforeLastWords,
    /// A silent primary is taken for dead and not killed.
    TakeoverOnSuspicion,
    /// A primary executes what its opener had sent to it before it spoke as the primary, and the opener sends again.
    OldRequestsCount,
    /// A primary exchanges the roles without asking.
    SwitchUnrecorded,
    /// A call of the pair itself leaves at once; the backup hears of it with the next checkpoint.
    CallRecordedLater,
    /// A call does not wait for anything while there is nobody to send checkpoints to.
    CallWhileRemoving,
    /// Answers to calls that no request waits for are not recorded.
    LateAnswersLost,
    /// A new primary does not know which calls a request has made before.
    CallsForgotten,
}

impl std::str::FromStr for Bug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
        found.ok_or_else(|| format!("\"{name}\" is none of {:?}", Self::ALL))
    }
}

impl Bug {
    /// All errors.
    pub const ALL: [Self; 15] = [
        Self::ReplyBeforeAcknowledgement,
        Self::AcknowledgeBeforeApply,
        Self::RepliesNotCheckpointed,
        Self::TornCheckpoint,
        Self::StateWithoutReplies,
        Self::AloneWithoutConsent,
        Self::TakeoverUnrecorded,
        Self::DeathBeforeLastWords,
        Self::TakeoverOnSuspicion,
        Self::OldRequestsCount,
        Self::SwitchUnrecorded,
        Self::CallRecordedLater,
        Self::CallWhileRemoving,
        Self::LateAnswersLost,
        Self::CallsForgotten,
    ];
}
