//! What domain servers and programs send each other, and the files that an operator carries from host to host, for the fuzz
//! targets. Behind the feature `fuzz`; no product calls it.

use crate::address::Address;
use crate::frame;
use crate::identity::Bundle;
use crate::identity::bundle::{parse_contacts, print_contacts};
use crate::settings::Settings;
use crate::words::{Ask, PeerWord, Told};
use pollux_domain::name::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Longest frame here: small, so that a length beyond it is near.
const FRAME_BYTES_MAX: usize = 3000;

/// Frames one behind the other, as each kind of word: one that is read is written as a frame that is read as the same.
pub fn frames(bytes: &[u8]) {
    each::<Ask>(bytes);
    each::<Told>(bytes);
    each::<PeerWord>(bytes);
    each::<(u32, ServerName)>(bytes);
    each::<crate::io::peers::tcp::Hello>(bytes);
    each::<crate::io::peers::tcp::Greeting>(bytes);
}

fn each<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some(word)) = frame::read_up_to::<T>(&mut rest, FRAME_BYTES_MAX) {
        let written = frame::encode(&word);
        let again: T = frame::read(&mut &written[..]).expect("a frame of ours").expect("it is there");
        assert_eq!(frame::encode(&again), written);
    }
}

/// Addresses of servers, and lines of contacts.
pub fn addresses(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
    }
    let contacts = parse_contacts(text);
    assert_eq!(parse_contacts(&print_contacts(&contacts)), contacts);
}

/// The bundle of a server that is invited: what is read is printed as what is read. Its certificates may be anything.
pub fn bundle(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Ok(bundle) = Bundle::parse(text) else { return };
    let again = Bundle::parse(&bundle.print()).expect("a bundle of ours");
    assert_eq!(again.print(), bundle.print());
    let _ = bundle.check();
}

/// The words with which a server is started, one a line, and the number of its last life.
pub fn settings(bytes: &[u8]) {
    let words: Vec<OsString> =
        bytes.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec())).collect();
    if let Ok(settings) = Settings::parse(&words) {
        assert_eq!(Settings::parse(&settings.words()).ok(), Some(settings));
    }
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Some(life) = crate::io::files::life_after(text) {
        assert_ne!(life, 0);
    }
}

/// Inputs made by the encoders: the name of the target, and bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use crate::words::{Reply, WORDS_VERSION, Word};
    let server = ServerName::new("alpha").expect("a right name");
    let hello = Ask { number: 1, word: Word::Hello { version: WORDS_VERSION, origin: 9 } };
    let welcome = Reply::Welcome { origin: 9, host: server.clone(), domain: "plant".to_owned() };
    let frames = [frame::encode(&hello), frame::encode(&Ask { number: 2, word: Word::Status })].concat();
    let settings = "--domain\nplant\n--host\nalpha\n--mode\nquorum\n--coordinator\nlocal\n--files\n/f\n--run-root\n/r\n--node\n\\A\n\
        --node-dir\n/r/A\n--address\n[fd00::1]:1553";
    let bundle = "pollux bundle\ndomain = plant\nserver = beta\nmode = quorum\ncontact = alpha 10.0.0.1:1553\n\
        -----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n\
        -----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    vec![
        ("domain-frames", frames),
        ("domain-frames", frame::encode(&Told::Reply { number: 1, reply: welcome })),
        ("domain-frames", frame::encode(&PeerWord::Log { line: "x".to_owned() })),
        ("domain-frames", frame::encode(&(WORDS_VERSION, server))),
        ("domain-addresses", b"[fd00::1]:1553".to_vec()),
        ("domain-addresses", b"contact = alpha 10.0.0.1:1553\ncontact = beta\n".to_vec()),
        ("domain-bundle", bundle.into()),
        ("domain-settings", settings.into()),
        ("domain-settings", b"17\n".to_vec()),
    ]
}
