//! The table: every state that a half can be in, reached by events, and what each event does there.

use crate::words;
use crate::words::half;
use pollux_core::pair::{Event, Handled, Pair, SILENT_TICKS_MAX};
use pollux_wire::control::Recorded;
use pollux_wire::{CheckpointNumber, Epoch};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The whole table. Cells that do nothing come together, by their reason.
pub(crate) fn text() -> String {
    let mut text = String::from(
        "# Every cell of the pair's table. A is this half when it began as primary, B its backup; B is this half when it\n\
         # began as backup of A; X is a stranger. Generated from the machine, to be reviewed by people: see main.rs.\n",
    );
    for (name, pair) in states() {
        writeln!(text, "\n== {name}: {}", words::standing(&pair)).expect("a string takes everything");
        let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (event_name, event) in events(&pair, name) {
            match cell(&pair, event) {
                Ok(acted) => {
                    writeln!(text, "{event_name:<21} -> {acted}").expect("a string takes everything")
                }
                Err(reason) => reasons.entry(reason).or_default().push(event_name),
            }
        }
        for (reason, events) in reasons.into_iter().rev() {
            writeln!(text, "{reason} ({})", events.join(", ")).expect("a string takes everything");
        }
    }
    text
}

/// What the event does, or why nothing.
fn cell(before: &Pair, event: Event) -> Result<String, String> {
    let mut pair = before.clone();
    let handled = pair.handle(event);
    let commands: Vec<String> =
        std::iter::from_fn(|| pair.poll_command()).map(|c| words::command(&c)).collect();
    if handled != Handled::Acted {
        assert_eq!(format!("{before:?}"), format!("{pair:?}"), "what is not acted on must leave no trace");
        assert!(commands.is_empty());
        return Err(words::handled(handled));
    }
    let (before, after) = (words::standing(before), words::standing(&pair));
    let after = if after == before { "(same)" } else { &after };
    Ok([vec![after.to_owned()], commands].concat().join(" | "))
}

fn events(pair: &Pair, state: &str) -> Vec<(&'static str, Event)> {
    let own_is_backup =
        state.starts_with("loading") || state.starts_with("following") || state.starts_with("taking");
    let partner = pair.partner().unwrap_or(half(if own_is_backup { 'A' } else { 'B' }));
    let sent = sent_in(state);
    let recorded = |outcome| Event::Recorded(outcome);
    vec![
        ("backup started", Event::BackupStarted { backup: half('B') }),
        ("start failed", Event::BackupFailed { wait_for_cpu: false }),
        ("start failed, no CPU", Event::BackupFailed { wait_for_cpu: true }),
        ("CPU up", Event::CpuUp),
        ("state sent", Event::StateSent { number: sent }),
        ("sent", Event::Sent { number: sent.next() }),
        ("acknowledged", Event::Acknowledged { number: sent }),
        ("acknowledged too much", Event::Acknowledged { number: sent.next() }),
        ("tick", Event::Tick),
        ("partner dead", Event::PartnerDead { partner }),
        ("stranger dead", Event::PartnerDead { partner: half('X') }),
        ("recorded", recorded(Recorded::Done { epoch: Epoch(9) })),
        ("refused", recorded(Recorded::Refused { current: None, why: String::new() })),
        ("unavailable", recorded(Recorded::Unavailable { why: String::new() })),
        ("switch wanted", Event::SwitchWanted),
        ("drained", Event::Drained),
        ("in step", Event::InStep),
        ("on record", Event::OnRecord { epoch: Epoch(9) }),
        ("switch ordered", Event::SwitchOrdered { epoch: Epoch(9) }),
        ("end ordered", Event::EndOrdered),
        ("stop wanted", Event::StopWanted),
    ]
}

/// The last checkpoint that was sent on the way to this state.
fn sent_in(state: &str) -> CheckpointNumber {
    match state {
        "paired, silent" | "paired, killing" => CheckpointNumber(3),
        _ if ["syncing", "joining", "paired", "removing", "switching"]
            .iter()
            .any(|s| state.starts_with(s)) =>
        {
            CheckpointNumber(2)
        }
        _ => CheckpointNumber(0),
    }
}

fn states() -> Vec<(&'static str, Pair)> {
    let done = |epoch| Event::Recorded(Recorded::Done { epoch: Epoch(epoch) });
    let (b_dead, a_dead) =
        (Event::PartnerDead { partner: half('B') }, Event::PartnerDead { partner: half('A') });
    let (sent, acknowledged) = (
        |number| Event::Sent { number: CheckpointNumber(number) },
        |number| Event::Acknowledged { number: CheckpointNumber(number) },
    );
    let failed = |wait_for_cpu| Event::BackupFailed { wait_for_cpu };

    let single = Pair::primary(Epoch(1), false);
    let starting = after(&Pair::primary(Epoch(1), true), &[]);
    let syncing = after(&starting, &[Event::BackupStarted { backup: half('B') }, sent(2)]);
    let joining = after(&syncing, &[Event::StateSent { number: CheckpointNumber(2) }]);
    let asked = after(&joining, &[acknowledged(2)]);
    let paired = after(&asked, &[done(2)]);
    let silent = after(&after(&paired, &[sent(3)]), &vec![Event::Tick; SILENT_TICKS_MAX as usize - 1]);
    let removing = after(&paired, std::slice::from_ref(&b_dead));
    let switching = after(&paired, &[Event::SwitchWanted]);
    let switch_asked = after(&switching, &[Event::Drained]);
    let switch_stopping = after(&switch_asked, &[Event::StopWanted]);
    let loading = Pair::backup(Epoch(1), half('A'));
    let following = after(&loading, &[Event::InStep, Event::OnRecord { epoch: Epoch(2) }]);
    let taking_over = after(&following, &[a_dead]);
    vec![
        ("single", single.clone()),
        ("alone, starting", starting.clone()),
        ("alone, starting, CPU came", after(&starting, &[Event::CpuUp])),
        ("alone, pause", after(&starting, &[failed(false)])),
        ("alone, no CPU", after(&starting, &[failed(true)])),
        ("syncing", syncing.clone()),
        ("syncing, end ordered", after(&syncing, &[Event::StopWanted])),
        ("joining", joining.clone()),
        ("joining, end ordered", after(&joining, &[Event::StopWanted])),
        ("joining, asked", asked.clone()),
        ("joining, asked, stop wanted", after(&asked, &[Event::StopWanted])),
        ("joining, asked, dead", after(&asked, std::slice::from_ref(&b_dead))),
        ("paired", paired.clone()),
        ("paired, silent", silent.clone()),
        ("paired, killing", after(&silent, &[Event::Tick])),
        ("paired, end ordered", after(&paired, &[Event::StopWanted])),
        ("removing", removing.clone()),
        ("removing, stop wanted", after(&removing, &[Event::StopWanted])),
        ("switching", switching.clone()),
        ("switching, asked", switch_asked.clone()),
        ("switching, asked, stop wanted", switch_stopping.clone()),
        ("switching, asked, dead", after(&switch_asked, std::slice::from_ref(&b_dead))),
        ("loading", loading),
        ("following", following),
        ("following after a switch", after(&switch_asked, &[done(3)])),
        ("following after a switch, end ordered", after(&switch_stopping, &[done(3)])),
        ("taking over", taking_over.clone()),
        ("taking over, stop wanted", after(&taking_over, &[Event::StopWanted])),
        ("ended", after(&single, &[Event::StopWanted])),
    ]
}

/// The half after these events, all of which must mean something to it; its commands are carried out.
fn after(pair: &Pair, events: &[Event]) -> Pair {
    let mut pair = pair.clone();
    for event in events {
        assert_eq!(pair.handle(event.clone()), Handled::Acted, "{event:?} leads to the next state");
        while pair.poll_command().is_some() {}
    }
    while pair.poll_command().is_some() {}
    pair
}
