//! Names of files and processes, patterns, numbers as digits, lists of words, and messages about losses.

use crate::disk::names::Names;
use crate::disk::search;
use crate::guardian::attributes::conditions;
use crate::guardian::digits;
use crate::guardian::file_name::{Defaults, FILE_NAME_BYTES_MAX, FileName, is_define_name};
use crate::guardian::handle::{self, Given};
use crate::guardian::losses::{Told, loss_of};
use crate::guardian::old_file_name::{OLD_NAME_BYTES, from_name, to_name};
use crate::procedures::file_names::scan;
use crate::receive::layout;
use pollux_wire::NodeName;
use std::path::Path;

fn own() -> NodeName {
    NodeName::new("\\HERE").expect("a right name")
}

fn defaults() -> Defaults {
    Defaults { node: own(), volume: "$DATA".into(), subvolume: "SUB".into() }
}

/// Names of files, processes and DEFINEs as text: what parses prints as the same name, and has an old form that is one again.
pub fn file_name(bytes: &[u8]) {
    let text = super::text(bytes);
    let _ = is_define_name(text);
    if let Some(found) = scan(text) {
        assert!(found.count <= text.len());
    }
    let Ok(name) = FileName::parse(text) else { return };
    assert!(text.len() <= FILE_NAME_BYTES_MAX);
    assert_eq!(FileName::parse(&name.to_string()), Ok(name.clone()));
    let whole = name.resolve(&defaults());
    for number in [None, Some(7)] {
        if let Ok(old) = from_name(&whole, number) {
            assert!(to_name(&old, &own(), |_| whole.node.clone()).is_ok(), "{whole}");
        }
    }
}

/// A name in the old form, and a process handle of ten words.
pub fn old_file_name(bytes: &[u8]) {
    let mut old = [b' '; OLD_NAME_BYTES];
    let length = bytes.len().min(OLD_NAME_BYTES);
    old[..length].copy_from_slice(&bytes[..length]);
    if let Ok(name) = to_name(&old, &own(), |number| (number == 7).then(own)) {
        assert!(FileName::parse(&name.to_string()).is_ok_and(|again| again.node == name.node));
        let _ = from_name(&name, None);
    }
    let words = super::words(bytes).into_iter().map(|word| word as u16).collect::<Vec<_>>();
    if let Ok(words) = <[u16; 10]>::try_from(words) {
        assert_eq!(handle::compare(words, words), 2);
        if let Given::Process(phandle) = handle::read(words) {
            assert_eq!(phandle.to_words(), words);
            let name = handle::descriptor(phandle, None, &own(), true);
            // A sequence number may have more digits than a name has room for.
            if name.to_string().len() <= FILE_NAME_BYTES_MAX && phandle.sequence < 10_000_000_000_000 {
                assert_eq!(FileName::parse(&name.to_string()), Ok(name));
            }
        }
    }
}

/// Numbers in any base: never more is taken than is there. The first byte is the base.
pub fn digits(bytes: &[u8]) {
    let Some((&base, text)) = bytes.split_first() else { return };
    for (base, bits) in [(u32::from(base), 16), (u32::from(base), 32), (10, 16)] {
        let (_, taken) = digits::read(text, base, bits);
        assert!(taken <= text.len());
    }
}

/// Codes and values of `PROCESS_GETINFOLIST_` searches: the first byte is how many codes.
pub fn search_conditions(bytes: &[u8]) {
    let Some((&count, rest)) = bytes.split_first() else { return };
    let words = super::words(rest);
    let (codes, values) = words.split_at(usize::from(count).min(words.len()));
    if let Ok(found) = conditions(codes, values) {
        assert_eq!(found.len(), codes.len());
    }
}

/// System messages that a program hands back to the library, and replies to the open message.
pub fn losses(bytes: &[u8]) {
    let child = handle::read([0x101, 1, 20, 0, 3, 2, 0, 0, 0, 99]);
    let Given::Process(child) = child else { panic!("a handle") };
    if let Told::Loss(loss) = loss_of(bytes) {
        let _ = loss.is_loss_of(child, child);
    }
    let _ = layout::label_of_reply(bytes);
    for word in 0..4 {
        assert_eq!(layout::word_at(bytes, word).is_some(), bytes.len() >= 2 * word + 2);
    }
}

/// The variables with volumes, defaults and DEFINEs, and names that are looked up with them, one a line. A name on a volume is
/// below the directory of the volume, whatever it holds.
pub fn disk_names(bytes: &[u8]) {
    let text = super::text(bytes);
    let mut lines = text.lines();
    let (volumes, defaults) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let _ = Names::new("\\HERE", volumes, defaults, text);
    let names = Names::new("\\HERE", "$DATA=/srv/data:$SYSTEM=/srv/sys", defaults, text);
    for name in lines {
        let Ok(name) = names.follow(name) else { continue };
        let is_on_a_volume = names.is_on_a_volume(&name);
        let Ok(path) = names.path(&name, |_| false) else { continue };
        if is_on_a_volume && !name.contains('/') {
            assert!(path.starts_with("/srv"), "{}", path.display());
            assert!(path != Path::new("/srv/data") && path.components().count() <= 5, "{}", path.display());
        }
    }
}

/// Patterns of `FILENAME_FINDSTART_`: the first line is the pattern, the second a name.
pub fn patterns(bytes: &[u8]) {
    let text = super::text(bytes);
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(parts) = search::parts(pattern, &defaults()) {
        assert!(parts.iter().all(|part| !part.is_empty()));
    }
    assert!(!search::matches(pattern, name) || pattern.contains(['*', '?']) || pattern == name);
    assert!(search::matches("*", name));
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "\\HERE.$DATA.SUB.FILE",
        "$SRV:900.#PORT2.CTL",
        "$:1:20:900.#Q",
        "$VOL.#1234",
        "=MY^FILE",
        "sub.file",
        "$receive",
    ];
    let mut all: Vec<(&'static str, Vec<u8>)> =
        names.iter().map(|name| ("file-name", name.as_bytes().to_vec())).collect();
    for name in names {
        if let Ok(name) = FileName::parse(name)
            && let Ok(old) = from_name(&name.resolve(&defaults()), None)
        {
            all.push(("old-file-name", old.to_vec()));
        }
    }
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    let handle = [0x101, 1, 20, 0, 3, 2, 0, 0, 0, 99];
    all.push(("old-file-name", words(&handle)));
    all.push(("old-file-name", b"\\\x07DATA  SUB     FILE    ".to_vec()));
    all.extend(
        [&b"\x0a-32768"[..], b"\x10%HFFFF,", b"\x08177777", b"\x0a%b101"]
            .map(|text| ("digits", text.to_vec())),
    );
    let conditions =
        [&[1, 3, 4, 7, 12][..], &[1, 10, 3, u16::from_ne_bytes(*b"/b"), 0x61, 4, 0, 0, 0, 0][..]].concat();
    all.push(("search-conditions", [vec![5], words(&conditions)].concat()));
    all.push(("search-conditions", [vec![1], words(&[6]), words(&handle)].concat()));
    for message in [
        &[0xfffe_u16, 3][..],
        &[0xfff8, 0x301, 0xff00],
        &[0xff9c, 3, 0, 1],
        &[0xff92, 0, 0, 0, 3, 0],
        &[0xff99, 5],
    ] {
        all.push(("losses", words(message)));
    }
    all.push(("losses", [words(&[0xff9b]), words(&handle)].concat()));
    all.push(("disk-names", b"$DATA=/srv/data:$x=/y\n$DATA.SUB\n=CFG=$DATA.CONF.MAIN\n=CFG\n$DATA.A.B\nfile\n\\HERE.$SYSTEM.#12\n".to_vec()));
    all.extend(
        [&b"$DATA.S*.F?LE\nFILE"[..], b"\\*.*.*.*\n", b"A*B\nAXXB"].map(|text| ("patterns", text.to_vec())),
    );
    all
}
