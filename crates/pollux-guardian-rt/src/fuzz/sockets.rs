//! Addresses, open information, files of names, and lines from terminals and pipes.

use crate::disk::line_file::Lines;
use crate::sockets::address;
use crate::sockets::names::{entries, resolve::Hints, tables, text};
use crate::sockets::pair::OpenInfo;

/// An address structure of a C program: what is understood comes back. And the hints of `getaddrinfo`.
pub fn socket_address(bytes: &[u8]) {
    if let Ok(found) = address::decode(bytes) {
        assert_eq!(address::decode(&address::encode(found)), Ok(found));
        let plain = address::plain(found);
        assert_eq!(plain.port(), found.port());
    }
    let _ = Hints::decode(bytes);
}

/// What `socket_get_open_info` made in the primary, as the backup reads it.
pub fn open_info(bytes: &[u8]) {
    if let Ok(info) = OpenInfo::decode(bytes) {
        assert_eq!(OpenInfo::decode(&info.encode()), Ok(info));
    }
}

/// Addresses and networks in the forms of `inet_addr`: digits, dots and a base, nothing else.
pub fn address_text(bytes: &[u8]) {
    let given = super::text(bytes);
    let word = given.split_ascii_whitespace().next().unwrap_or_default();
    if text::address(given).is_some() || text::network(given).is_some() {
        let known = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b'x' | b'X');
        assert!(word.bytes().all(known), "{word:?} is an address");
    }
    if let Some(number) = text::address(given) {
        let parts = (text::network_part(number), text::host_part(number));
        assert_eq!(text::made_of(parts.0, parts.1), number);
    }
    let _ = (text::parsed(given, false), text::parsed(given, true));
}

/// `/etc/hosts`, `/etc/services` and their like.
pub fn name_tables(bytes: &[u8]) {
    let lines = tables::lines(super::text(bytes));
    for words in &lines {
        assert!(words.len() > 1, "a line says something of its first word");
        let _ = entries::service_of(words);
        let _ = tables::host_by_name(&lines, &words[1], false);
        if let Some(host) = tables::host_by_name(&lines, &words[1], true) {
            let first = *host.addresses.first().expect("a host has an address");
            assert!(tables::host_by_address(&lines, first).is_some());
        }
    }
}

/// Input in pieces, read in pieces: the first byte is the length of the pieces, the second the room of the reads.
pub fn line_file(bytes: &[u8]) {
    let [piece, room, input @ ..] = bytes else { return };
    let room = usize::from(*room);
    let mut lines = Lines::default();
    let mut taken = 0;
    let pieces = input.chunks(usize::from(*piece) + 1).chain([&[][..]]);
    for piece in pieces {
        lines.feed(piece);
        // A read without room takes nothing and would go on for ever.
        for _ in 0..if room == 0 { 1 } else { input.len() + 1 } {
            match lines.take(room) {
                Some(Ok(line)) => {
                    assert!(line.len() <= room, "a line fits");
                    taken += line.len();
                }
                Some(Err(_)) | None => break,
            }
        }
    }
    assert!(taken <= input.len(), "nothing is read twice");
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let four = address::encode("127.0.0.1:7639".parse().expect("an address"));
    let six = address::encode("[fe80::1%3]:80".parse().expect("an address"));
    let mut info = vec![0; 80];
    info[2..7].copy_from_slice(b"$ZTC0");
    for byte in info[2..50].iter_mut().filter(|byte| **byte == 0) {
        *byte = b'0';
    }
    info[50] = 5;
    let names = b"# remark\n10.0.0.1 big big.example # here\n::1 big\n\nhttp 80/tcp www\nip 0 IP\nloopback 127.0.0.0\n";
    vec![
        ("socket-address", four),
        ("socket-address", six),
        ("open-info", info),
        ("address-text", b"127.0.0.1".to_vec()),
        ("address-text", b"0x7f.0.0.01".to_vec()),
        ("address-text", b"10.1.258".to_vec()),
        ("address-text", b"fe80::1".to_vec()),
        ("name-tables", names.to_vec()),
        ("line-file", b"\x04\x03one\r\ntwo\n\nlast".to_vec()),
    ]
}
