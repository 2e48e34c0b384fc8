//! Every crash point between any two steps of checkpoint, takeover, repair and switchover, singly and in pairs.
//!
//! A whole pair with its requesters, coordinator and daemon is played by the production machines, one step at a time.
//! `scenario` says what is played, `world`, `process`, `client` and `surroundings` play it, `checks` has the promises, `enumerate` puts
//! the faults. What this does not show: real processes, time, sockets (`pollux-torture` does).

mod checks;
mod client;
mod enumerate;
mod process;
mod random;
mod scenario;
mod surroundings;
mod world;

use enumerate::{Count, Violation, enumerate};
use scenario::{Bug, scenarios};

// If one of these fails, some crash at some moment loses or doubles a customer's request, or stops the service for good.
#[test]
fn every_crash_point() {
    // Pairs of faults; a night's run may take three.
    let faults_max =
        std::env::var("CRASH_POINT_FAULTS").map_or(2, |text| text.parse().expect("a number of faults"));
    let mut total = Count::default();
    for scenario in scenarios() {
        let count = enumerate(&scenario, Bug::None, faults_max).unwrap_or_else(|violation| {
            panic!("{}: {} after {:?}", scenario.name, violation.what, violation.faults)
        });
        println!(
            "{:<34} {:>4} steps {:>8} runs {:>8} faults",
            scenario.name, count.steps_without_fault, count.runs, count.faults
        );
        total.runs += count.runs;
        total.faults += count.faults;
    }
    println!("{} scenarios, {} runs, {} faults", scenarios().len(), total.runs, total.faults);
}

/// Enumerates with the bug until some scenario shows a violation, as a broken promise or as an assertion that fails.
fn must_be_found(bug: Bug) {
    for (faults_max, scenario) in
        [1, 2].into_iter().flat_map(|max| scenarios().into_iter().map(move |s| (max, s)))
    {
        match std::panic::catch_unwind(|| enumerate(&scenario, bug, faults_max)) {
            Ok(Ok(_)) => {}
            Ok(Err(Violation { what, faults })) => {
                return println!("{bug:?}: {}: {what} after {faults:?}", scenario.name);
            }
            Err(_) => return println!("{bug:?}: {}: an assertion fails", scenario.name),
        }
    }
    panic!("{bug:?} stays unseen by every crash point");
}

/// One test per bug: an enumeration that finds nothing proves nothing unless it finds these.
macro_rules! bugs {
    ($($test:ident: $bug:ident),* $(,)?) => { $(
        #[test]
        fn $test() {
            must_be_found(Bug::$bug);
        }
    )* };
}

bugs! {
    a_reply_before_its_acknowledgement_is_found: ReplyBeforeAcknowledgement,
    an_acknowledgement_before_the_effect_is_found: AcknowledgeBeforeApply,
    replies_outside_of_the_checkpoint_are_found: RepliesNotCheckpointed,
    a_torn_checkpoint_is_found: TornCheckpoint,
    a_state_without_saved_replies_is_found: StateWithoutReplies,
    going_alone_without_consent_is_found: AloneWithoutConsent,
    an_unrecorded_takeover_is_found: TakeoverUnrecorded,
    a_death_before_the_last_words_is_found: DeathBeforeLastWords,
    a_takeover_on_suspicion_is_found: TakeoverOnSuspicion,
    an_answer_as_backup_is_found: AnswerAsBackup,
    an_unrecorded_switch_is_found: SwitchUnrecorded,
}
