//! What a keeper reads from a program's memory and from its other half, for the fuzz targets: each function takes any bytes
//! and panics when a promise is broken (S17). Behind the feature `fuzz`; no product calls it.

use crate::address::Address;
use crate::label::Label;
use crate::{ListenAddress, Options, Restart};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// An address that a program gave to `bind`: any 16 bits of family, then what is its own.
pub fn bind_address(bytes: &[u8]) {
    let Some(address) = Address::read(bytes) else { return };
    assert!(address.may_be(&address), "an address may be itself");
    let kept = match &address {
        Address::Internet(_) => 0,
        Address::Path(path) => path.len(),
        Address::Abstract(name) => name.len(),
    };
    assert!(kept <= bytes.len(), "nothing is made up");
    let _ = (address.to_string(), address.has_free_port());
}

/// The label of a held descriptor: what is read is written so that it is read again.
pub fn label(bytes: &[u8]) {
    if let Some(label) = Label::read(bytes) {
        assert_eq!(Label::read(&label.write()), Some(label));
    }
}

/// The arguments of a half, one a line; then `--listen` and `--restart` as people write them.
pub fn options(bytes: &[u8]) {
    let arguments: Vec<OsString> =
        bytes.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec())).collect();
    let _ = Options::parse(&arguments);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ListenAddress::parse(text);
        let _ = text.parse::<Restart>();
    }
}
