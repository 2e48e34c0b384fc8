//! What is played through: who asks for what, what the operator and the coordinator do meanwhile, which faults there are.

use std::ops::Range;

/// What an operator orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Switch,
    Stop,
}

/// What happens to the coordinator in the steps in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// It does nothing and says so.
    Unavailable,
    /// It writes, but the process hears that it is unavailable.
    AnswersLost,
}

/// A fault that is put between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    KillPrimary,
    KillBackup,
    /// It stands still for [`PAUSE_STEPS`]; then whoever watches it kills it.
    PausePrimary,
    /// It stands still for [`PAUSE_STEPS`]; then it goes on, if nobody has killed it.
    PauseBackup,
}

pub(crate) const FAULTS: [Fault; 4] =
    [Fault::KillPrimary, Fault::KillBackup, Fault::PausePrimary, Fault::PauseBackup];
pub(crate) const PAUSE_STEPS: u32 = 30;

/// An error put into the model on purpose: the enumeration must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// Outputs do not wait for anything.
    ReplyBeforeAcknowledgement,
    /// The backup acknowledges a checkpoint and applies it when the next one comes.
    AcknowledgeBeforeApply,
    /// The checkpoint of a request lacks its reply.
    RepliesNotCheckpointed,
    /// The effect and the reply are two checkpoints, the reply waits for the first.
    TornCheckpoint,
    /// A new backup gets the list but not the saved replies.
    StateWithoutReplies,
    /// A primary goes on alone when its backup dies, without asking.
    AloneWithoutConsent,
    /// A backup takes over without asking.
    TakeoverUnrecorded,
    /// A backup hears of the death before the last words.
    DeathBeforeLastWords,
    /// A silent primary is taken for dead and not killed.
    TakeoverOnSuspicion,
    /// A half that is not primary reads requests and answers 200, instead of leaving them until it is.
    AnswerAsBackup,
    /// A primary exchanges the roles without asking.
    SwitchUnrecorded,
}

/// A story to be cut into at every step.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Per requester: requests outstanding at most (nowait depth), requests in all.
    pub(crate) requesters: &'static [(u16, u64)],
    /// The pair is whole before the first request.
    pub(crate) whole: bool,
    pub(crate) orders: &'static [(u32, Order)],
    pub(crate) outage: Range<u32>,
    pub(crate) outage_is: Outage,
    /// There is no CPU for a backup in these steps.
    pub(crate) no_cpu: Range<u32>,
    /// Requesters get a path to each half beforehand; otherwise they must ask for one when they lose theirs.
    pub(crate) standby_paths: bool,
    /// The epoch at the end if there is no fault (0: the name has ended), so that a story is known to be told.
    pub(crate) epoch_at_end: u64,
}

const PLAIN: Scenario = Scenario {
    name: "",
    requesters: &[(1, 1)],
    whole: true,
    orders: &[],
    outage: 0..0,
    outage_is: Outage::Unavailable,
    no_cpu: 0..0,
    standby_paths: true,
    epoch_at_end: 2,
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario { name: "one request", ..PLAIN },
        Scenario { name: "two requests, one after the other", requesters: &[(1, 2)], ..PLAIN },
        Scenario { name: "three openers", requesters: &[(1, 1), (1, 1), (1, 1)], ..PLAIN },
        Scenario { name: "three requests at once", requesters: &[(3, 3)], ..PLAIN },
        Scenario { name: "two openers, two requests at once", requesters: &[(2, 2), (1, 1)], ..PLAIN },
        Scenario { name: "start", requesters: &[(1, 1)], whole: false, ..PLAIN },
        Scenario { name: "repair under load", requesters: &[(1, 3)], whole: false, ..PLAIN },
        Scenario { name: "repair, three at once", requesters: &[(3, 3)], whole: false, ..PLAIN },
        Scenario {
            name: "switchover",
            requesters: &[(1, 2)],
            orders: &[(4, Order::Switch)],
            epoch_at_end: 3,
            ..PLAIN
        },
        Scenario {
            name: "switchover, three at once",
            requesters: &[(3, 3)],
            orders: &[(5, Order::Switch)],
            epoch_at_end: 3,
            ..PLAIN
        },
        Scenario {
            name: "switchover and back",
            requesters: &[(2, 3)],
            orders: &[(3, Order::Switch), (22, Order::Switch)],
            epoch_at_end: 4,
            ..PLAIN
        },
        Scenario { name: "no standby path", requesters: &[(2, 3)], standby_paths: false, ..PLAIN },
        Scenario { name: "coordinator away", requesters: &[(1, 2)], outage: 5..40, ..PLAIN },
        Scenario { name: "coordinator away at the start", whole: false, outage: 0..40, ..PLAIN },
        Scenario {
            name: "coordinator's answers lost",
            whole: false,
            outage: 0..60,
            outage_is: Outage::AnswersLost,
            ..PLAIN
        },
        Scenario {
            name: "switchover without coordinator",
            requesters: &[(1, 2)],
            orders: &[(3, Order::Switch)],
            outage: 0..25,
            ..PLAIN
        },
        Scenario { name: "no CPU for a while", requesters: &[(1, 2)], whole: false, no_cpu: 0..25, ..PLAIN },
        Scenario {
            name: "stop",
            requesters: &[(1, 2)],
            orders: &[(6, Order::Stop)],
            epoch_at_end: 0,
            ..PLAIN
        },
        Scenario {
            name: "stop at the start",
            whole: false,
            orders: &[(6, Order::Stop)],
            epoch_at_end: 0,
            ..PLAIN
        },
        Scenario {
            name: "stop in a switchover",
            orders: &[(3, Order::Switch), (12, Order::Stop)],
            epoch_at_end: 0,
            ..PLAIN
        },
    ]
}
