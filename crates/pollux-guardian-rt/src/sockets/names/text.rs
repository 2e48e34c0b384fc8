//! Addresses as texts (TCP/IP Programming Manual, `inet_addr` and its kin).

use std::net::{Ipv4Addr, Ipv6Addr};

/// What `inet_addr` gives for a text that is no address.
pub(crate) const NONE: u32 = u32::MAX;

/// One number of an address: decimal, octal with a 0 in front, or hexadecimal with 0x.
fn part(text: &str) -> Option<u32> {
    // The sign that Rust's numbers may have is none of an address, behind a base neither.
    if text.contains('+') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some("") => Some(0),
        Some(digits) => u32::from_str_radix(digits, 8).ok(),
        None => text.parse().ok(),
    }
}

fn parts(text: &str) -> Option<Vec<u32>> {
    let word = text.split_ascii_whitespace().next()?;
    let parts: Vec<u32> = word.split('.').map(part).collect::<Option<_>>()?;
    (1..=4).contains(&parts.len()).then_some(parts)
}

/// An address in the order of the machine: four numbers, or fewer, of which the last fills what is left.
pub(crate) fn address(text: &str) -> Option<u32> {
    let parts = parts(text)?;
    let (last, before) = parts.split_last()?;
    let left = 32 - 8 * before.len() as u32;
    if before.iter().any(|part| *part > 0xff) || u64::from(*last) >= 1 << left {
        return None;
    }
    let high = before.iter().enumerate().map(|(at, part)| part << (24 - 8 * at)).sum::<u32>();
    Some(high | last)
}

/// The number of a network: each part is a byte, the last of them the lowest.
pub(crate) fn network(text: &str) -> Option<u32> {
    let parts = parts(text)?;
    if parts.iter().any(|part| *part > 0xff) {
        return None;
    }
    Some(parts.iter().fold(0, |number, part| number << 8 | part))
}

/// Bits of the host in an address of its class.
fn host_bits(address: u32) -> u32 {
    match address >> 30 {
        0 | 1 => 24,
        2 => 16,
        _ => 8,
    }
}

/// The host's part of an address.
pub(crate) fn host_part(address: u32) -> u32 {
    address & ((1 << host_bits(address)) - 1)
}

/// The network's part of an address.
pub(crate) fn network_part(address: u32) -> u32 {
    address >> host_bits(address)
}

/// The address of a host in a network.
pub(crate) fn made_of(network: u32, host: u32) -> u32 {
    match network {
        0..=0x7f => network << 24 | host & 0x00ff_ffff,
        0x80..=0xffff => network << 16 | host & 0xffff,
        0x1_0000..=0xff_ffff => network << 8 | host & 0xff,
        _ => network | host,
    }
}

/// The bytes of an address in a text, version 4 as a number in the order of the machine.
pub(crate) fn parsed(text: &str, v6: bool) -> Option<Result<u32, [u8; 16]>> {
    if v6 {
        text.parse::<Ipv6Addr>().ok().map(|address| Err(address.octets()))
    } else {
        text.parse::<Ipv4Addr>().ok().map(|address| Ok(u32::from(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The forms of the BSD routine: configuration files have all of them.
    #[test]
    fn addresses_have_many_forms() {
        assert_eq!(address("127.0.0.1"), Some(0x7f00_0001));
        assert_eq!(address("127.1"), Some(0x7f00_0001));
        assert_eq!(address("0x7f.0.0.01"), Some(0x7f00_0001));
        assert_eq!(address("2130706433"), Some(0x7f00_0001));
        assert_eq!(address("10.1.258"), Some(0x0a01_0102));
        for bad in ["", "1.2.3.4.5", "256.0.0.1", "a.b", "1..2", "1.2.3.256", "+1.2.3.4", "0+7", "0x+7f"] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert_eq!(network("128.32"), Some(0x8020));
    }

    #[test]
    fn classes_divide_addresses() {
        for (address, network, host) in
            [(0x0a01_0203, 0x0a, 0x0001_0203), (0x8001_0203, 0x8001, 0x0203), (0xc001_0203, 0x00c0_0102, 3)]
        {
            assert_eq!((network_part(address), host_part(address)), (network, host));
            assert_eq!(made_of(network, host), address);
        }
    }
}
