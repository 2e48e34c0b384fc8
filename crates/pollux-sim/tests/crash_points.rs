//! Every crash point between any two steps of checkpoint, takeover, repair and switchover, singly and in pairs.

use pollux_sim::bugs::Bug;
use pollux_sim::enumerate::{Violation, enumerate};
use pollux_sim::plan::Plan;
use std::path::Path;

/// The stories of `scenarios/`, in the order of their names.
fn scenarios() -> Vec<Plan> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("the stories").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).expect("a story");
        text.parse().unwrap_or_else(|why| panic!("{}: {why}", file.display()))
    };
    files.iter().map(read).collect()
}

// If this fails, some crash at some moment loses or doubles a customer's request, or stops the service for good.
#[test]
fn every_crash_point() {
    // Pairs of faults; a night's run may take three.
    let faults_max =
        std::env::var("CRASH_POINT_FAULTS").map_or(2, |text| text.parse().expect("a number of faults"));
    let (mut runs, scenarios) = (0, scenarios());
    for scenario in &scenarios {
        let count = enumerate(scenario, Bug::None, faults_max)
            .unwrap_or_else(|violation| panic!("{}\n{}", violation.what, violation.plan));
        println!("{:>4} steps {:>8} runs  {}", count.steps, count.runs, scenario.name);
        runs += count.runs;
    }
    println!("{} scenarios, {runs} runs", scenarios.len());
    assert!(scenarios.len() >= 30, "so many stories were promised");
}

// What was promised of a story must be told in it: one without an expected end could end anywhere.
#[test]
fn every_story_says_how_it_ends() {
    for scenario in scenarios() {
        assert!(scenario.epoch_at_end.is_some() && !scenario.name.is_empty(), "{scenario}");
        assert_eq!(scenario.to_string().parse(), Ok(scenario));
    }
}

/// Enumerates with the bug until some scenario shows a violation, as a broken promise or as an assertion that fails.
fn must_be_found(bug: Bug) {
    let all = [1, 2].into_iter().flat_map(|max| scenarios().into_iter().map(move |s| (max, s)));
    for (faults_max, scenario) in all {
        match std::panic::catch_unwind(|| enumerate(&scenario, bug, faults_max)) {
            Ok(Ok(_)) => {}
            Ok(Err(violation)) => {
                let Violation { what, plan } = *violation;
                return println!("{bug:?}: {what}\n{plan}");
            }
            Err(_) => return println!("{bug:?}: {}: an assertion fails", scenario.name),
        }
    }
    panic!("{bug:?} stays unseen by every crash point");
}

/// One test per bug: an enumeration that finds nothing proves nothing unless it finds these. `OldRequestsCount` needs several
/// switchovers and sync depth 0: seeds find it.
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
    an_unrecorded_switch_is_found: SwitchUnrecorded,
    a_call_recorded_later_is_found: CallRecordedLater,
    a_call_while_the_removal_is_not_on_record_is_found: CallWhileRemoving,
    forgotten_calls_are_found: CallsForgotten,
}
