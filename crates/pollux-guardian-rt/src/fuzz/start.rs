//! Startup, ASSIGN and PARAM messages, what a primary hands to a new backup, and the environment of a program.

use crate::start::assign::Assign;
use crate::start::handover::{HandOver, decode_answer, encode_answer};
use crate::start::messages::{
    PARAM_BYTES_MAX, STARTUP_BYTES_MAX, Startup, decode_params, encode_params, join_parameters,
    params_from_lines, split_parameters,
};
use crate::stdio::mode::Mode;
use crate::stdio::standard::Which;
use crate::stdio::state::{FILE_STATE_BYTES, FileState, OPEN_STATE_BYTES, OpenState};

/// A startup message: what was understood makes a message that is understood.
pub fn startup_message(bytes: &[u8]) {
    let Some(startup) = Startup::decode(bytes) else { return };
    let again = startup.encode();
    assert!(again.len() <= STARTUP_BYTES_MAX && again.len().is_multiple_of(2), "{} bytes", again.len());
    assert!(Startup::decode(&again).is_some());
}

/// An ASSIGN message.
pub fn assign_message(bytes: &[u8]) {
    let Some(assign) = Assign::decode(bytes) else { return };
    let again = Assign::decode(&assign.encode()).expect("a message of ours");
    assert_eq!(again.file, assign.file);
    let _ = assign.is_for("INFILE");
}

/// A PARAM message: where all is text, the same bytes come back.
pub fn param_message(bytes: &[u8]) {
    let Some(params) = decode_params(bytes) else { return };
    let is_text =
        params.iter().all(|(name, value)| !name.contains('\u{fffd}') && !value.contains('\u{fffd}'));
    if is_text && bytes.len() <= PARAM_BYTES_MAX && !params.is_empty() {
        let again = encode_params(&params).expect("there are some");
        assert_eq!(again[..], bytes[..again.len()]);
    }
}

/// What a primary hands to its new backup, and the answer.
pub fn hand_over(bytes: &[u8]) {
    if let Some(all) = HandOver::decode(bytes) {
        assert_eq!(HandOver::decode(&all.encode()), Some(all));
    }
    if let Some(errno) = decode_answer(bytes) {
        assert_eq!(encode_answer(errno)[..], *bytes);
    }
}

/// The states of streams that a program sends to its backup: as they are, and with the right check word.
pub fn stream_state(bytes: &[u8]) {
    let mut open = [0; OPEN_STATE_BYTES];
    let mut file = [0; FILE_STATE_BYTES];
    for (place, room) in [(0, &mut open[..]), (1, &mut file[..])] {
        let length = bytes.len().min(room.len());
        room[..length].copy_from_slice(&bytes[..length]);
        let magic =
            [seed_open().encode().expect("short").to_vec(), seed_file().encode().expect("short").to_vec()];
        let at = if place == 0 { 0..8 } else { 8..16 };
        room[at.clone()].copy_from_slice(&magic[place][at]);
        let end = room.len() - 8;
        let check = crate::disk::layout::check_word(&room[8..end]);
        room[end..].copy_from_slice(&check.to_ne_bytes());
    }
    for bytes in [bytes, &open[..]] {
        if let Some(state) = OpenState::decode(bytes)
            && let Some(again) = state.encode()
        {
            assert_eq!(OpenState::decode(&again), Some(state));
        }
    }
    for bytes in [bytes, &file[..]] {
        if let Some(state) = FileState::decode(bytes)
            && let Some(again) = state.encode()
        {
            assert_eq!(FileState::decode(&again), Some(state));
        }
    }
}

/// The variables of a program's environment that stand for its messages, and modes of streams.
pub fn environment_lines(bytes: &[u8]) {
    let text = super::text(bytes);
    for (name, _) in params_from_lines(text) {
        assert!(!name.is_empty() && name == name.to_ascii_uppercase());
    }
    for assign in text.lines().filter_map(Assign::from_line) {
        assert!(!assign.logical.is_empty());
        let _ = assign.encode();
    }
    let words = split_parameters(text);
    if !text.contains('"') {
        assert_eq!(split_parameters(&join_parameters(&words)), words);
    }
    let _ = Mode::parse(text);
}

fn seed_open() -> OpenState {
    OpenState { file_number: 1, depth: 1, mode: "r+".into(), name: "/tmp/out".into() }
}

fn seed_file() -> FileState {
    FileState { position: 1 << 33, file_number: 7, sync_block: vec![1; 40] }
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let startup = Startup {
        defaults: "$DATA.SUB".into(),
        input: "$DATA.SUB.INFILE".into(),
        output: "$ZHOME".into(),
        parameters: "-x \"1 2\"".into(),
    };
    let assign = "IN=$D.S.F, EXT 4, code 180,EXCLUSIVE,input,REC 80";
    let assign = Assign::from_line(assign).expect("a right line").encode();
    let long =
        Assign::from_line("*.x=/srv/a/name/that/has/no/room/in/the/message").expect("a right line").encode();
    let params = [("A".to_owned(), "1".to_owned()), ("LONG".to_owned(), "v w".to_owned())];
    let params = encode_params(&params).expect("there are some");
    let all = HandOver {
        startup: startup.encode(),
        assigns: vec![assign.clone(), Vec::new()],
        params: params.clone(),
        standard_names: [String::new(), "/tmp/out".into(), "/tmp/out".into()],
        standard: vec![(Which::Output, seed_open()), (Which::Error, seed_open())],
    };
    vec![
        ("startup-message", startup.encode()),
        ("assign-message", assign),
        ("assign-message", long),
        ("param-message", params),
        ("hand-over", all.encode()),
        ("hand-over", encode_answer(4210).to_vec()),
        ("stream-state", seed_open().encode().expect("short").to_vec()),
        ("stream-state", seed_file().encode().expect("short").to_vec()),
        (
            "environment-lines",
            b"A=1=2\nIN=$D.S.F, EXT 4,EXCLUSIVE,input\n*.x=/srv/a,shared\n-f two words\n".to_vec(),
        ),
    ]
}
