//! Socket options: our numbers and forms, and what they are on Linux (TCP/IP Programming Manual, `setsockopt`).
//!
//! | Form | In the program |
//! | --- | --- |
//! | `Flag`, `Number`, `Size` | an `int`; a `short` is taken, too |
//! | `Char` | one `char`, or an `int` |
//! | `Address`, `Membership` | one or two `struct in_addr` |
//! | `Membership6` | `struct ipv6_mreq` |
//! | `Kept` | an `int` that is remembered: Linux has no such thing, or it would do harm |

use super::address::order32;
use super::file::SocketFile;
use super::numbers::{EINVAL, ENOPROTOOPT, EOPNOTSUPP, of_io};
use pollux_wire::FileError;
use std::ops::RangeInclusive;

const SOL_SOCKET: i32 = 0xffff;
const IPPROTO_IP: i32 = 0;
const IPPROTO_TCP: i32 = 6;
const IPPROTO_IPV6: i32 = 41;

const SO_ERROR: i32 = 0x1007;
const SO_TYPE: i32 = 0x1008;
const TCP_TOTRXMTVAL: i32 = 19;
/// The unit of the times of TCP.
const TCP_UNIT_MS: i32 = 500;
/// More than a peer can use; a program that asks for more gets this.
const BUFFER_BYTES_MAX: i32 = 262_144;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Flag,
    Number(RangeInclusive<i32>),
    /// Linux says twice what was set.
    Size,
    Char,
    Address,
    Membership,
    Membership6,
    Bytes,
    /// Remembered only, with its first value.
    Kept(RangeInclusive<i32>, i32),
    /// The time until a connection without acknowledgement is given up.
    TotalTime,
    Error,
    Type,
}

/// An option and what it is on Linux: level, name.
fn option(level: i32, name: i32) -> Option<(Form, i32, i32)> {
    const ANY: RangeInclusive<i32> = i32::MIN..=i32::MAX;
    let socket = |form, linux| Some((form, libc::SOL_SOCKET, linux));
    let kept = |range, first| Some((Form::Kept(range, first), 0, 0));
    match (level, name) {
        (SOL_SOCKET, 0x0001) => kept(0..=1, 0),
        (SOL_SOCKET, 0x0002) => socket(Form::Flag, libc::SO_ACCEPTCONN),
        (SOL_SOCKET, 0x0004) => socket(Form::Flag, libc::SO_REUSEADDR),
        (SOL_SOCKET, 0x0008) => socket(Form::Flag, libc::SO_KEEPALIVE),
        (SOL_SOCKET, 0x0010) => socket(Form::Flag, libc::SO_DONTROUTE),
        (SOL_SOCKET, 0x0020) => socket(Form::Flag, libc::SO_BROADCAST),
        // Two shorts in one int. Every close is graceful whatever it says.
        (SOL_SOCKET, 0x0080) => kept(ANY, 0),
        (SOL_SOCKET, 0x0100) => socket(Form::Flag, libc::SO_OOBINLINE),
        (SOL_SOCKET, 0x0200) => socket(Form::Flag, libc::SO_REUSEPORT),
        (SOL_SOCKET, 0x1001) => socket(Form::Size, libc::SO_SNDBUF),
        (SOL_SOCKET, 0x1002) => socket(Form::Size, libc::SO_RCVBUF),
        (SOL_SOCKET, SO_ERROR) => socket(Form::Error, libc::SO_ERROR),
        (SOL_SOCKET, SO_TYPE) => socket(Form::Type, libc::SO_TYPE),
        (IPPROTO_TCP, 1) => Some((Form::Flag, libc::IPPROTO_TCP, libc::TCP_NODELAY)),
        (IPPROTO_TCP, 8) => kept(0..=1, 1),
        (IPPROTO_TCP, 16) => kept(1..=2400, 1),
        (IPPROTO_TCP, 17) => kept(1..=2400, 60),
        (IPPROTO_TCP, 18) => kept(1..=12, 12),
        (IPPROTO_TCP, TCP_TOTRXMTVAL) => Some((Form::TotalTime, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT)),
        (IPPROTO_IP, 1) => Some((Form::Bytes, libc::IPPROTO_IP, libc::IP_OPTIONS)),
        (IPPROTO_IP, 2) => Some((Form::Address, libc::IPPROTO_IP, libc::IP_MULTICAST_IF)),
        (IPPROTO_IP, 3) => Some((Form::Char, libc::IPPROTO_IP, libc::IP_MULTICAST_TTL)),
        (IPPROTO_IP, 4) => Some((Form::Char, libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP)),
        (IPPROTO_IP, 5) => Some((Form::Membership, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP)),
        (IPPROTO_IP, 6) => Some((Form::Membership, libc::IPPROTO_IP, libc::IP_DROP_MEMBERSHIP)),
        (IPPROTO_IPV6, 4) => Some((Form::Number(-1..=255), libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS)),
        (IPPROTO_IPV6, 9) => Some((Form::Number(0..=i32::MAX), libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF)),
        (IPPROTO_IPV6, 10) => Some((Form::Number(-1..=255), libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS)),
        (IPPROTO_IPV6, 11) => Some((Form::Flag, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP)),
        (IPPROTO_IPV6, 12) => Some((Form::Membership6, libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP)),
        (IPPROTO_IPV6, 13) => Some((Form::Membership6, libc::IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP)),
        (IPPROTO_IPV6, 27) => Some((Form::Flag, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)),
        _ => None,
    }
}

/// The number in an option's value. Error 4022 for one that is too short.
fn number(value: &[u8]) -> Result<i32, FileError> {
    match *value {
        [a, b, c, d, ..] => Ok(i32::from_ne_bytes([a, b, c, d])),
        [a, b, ..] => Ok(i32::from(i16::from_ne_bytes([a, b]))),
        _ => Err(EINVAL),
    }
}

fn addresses(value: &[u8], count: usize) -> Result<Vec<u8>, FileError> {
    let words = value.get(..4 * count).ok_or(EINVAL)?.chunks_exact(4);
    let swap = |word: &[u8]| order32(u32::from_ne_bytes([word[0], word[1], word[2], word[3]])).to_be_bytes();
    Ok(words.flat_map(swap).collect())
}

impl SocketFile {
    /// setsockopt.
    pub(crate) fn set_option(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), FileError> {
        let (form, linux_level, linux_name) = option(level, name).ok_or(ENOPROTOOPT)?;
        let within = |range: &RangeInclusive<i32>| {
            number(value).and_then(|number| if range.contains(&number) { Ok(number) } else { Err(EINVAL) })
        };
        let bytes = match form {
            Form::Flag => i32::from(number(value)? != 0).to_ne_bytes().to_vec(),
            Form::Number(range) => within(&range)?.to_ne_bytes().to_vec(),
            Form::Size => {
                within(&(1..=i32::MAX))?;
                number(value)?.min(BUFFER_BYTES_MAX).to_ne_bytes().to_vec()
            }
            Form::Char => {
                let number = if value.len() == 1 { i32::from(value[0]) } else { number(value)? };
                u8::try_from(number).map_err(|_| EINVAL)?;
                number.to_ne_bytes().to_vec()
            }
            Form::Address => addresses(value, 1)?,
            Form::Membership => addresses(value, 2)?,
            Form::Membership6 => value.get(..20).ok_or(EINVAL)?.to_vec(),
            Form::Bytes => value.to_vec(),
            Form::Kept(range, _) => {
                let number = within(&range)?;
                self.kept_options.insert((level, name), number);
                return Ok(());
            }
            Form::TotalTime => {
                let units = within(&(1..=i32::MAX / TCP_UNIT_MS))?;
                (units * TCP_UNIT_MS).to_ne_bytes().to_vec()
            }
            Form::Error | Form::Type => return Err(EINVAL),
        };
        pollux_os::set_socket_option(self.fd()?, linux_level, linux_name, &bytes)
            .map_err(|error| of_io(&error))
    }

    /// getsockopt: the value as the program is given it.
    pub(crate) fn option(&mut self, level: i32, name: i32) -> Result<Vec<u8>, FileError> {
        let (form, linux_level, linux_name) = option(level, name).ok_or(ENOPROTOOPT)?;
        let fd = self.fd()?;
        let native = || {
            // The longest are IP options.
            let mut value = [0; 40];
            let length = pollux_os::socket_option(fd, linux_level, linux_name, &mut value);
            length.map(|length| value[..length].to_vec()).map_err(|error| of_io(&error))
        };
        let int = || native().and_then(|value| number(&value));
        Ok(match form {
            Form::Flag | Form::Number(_) => int()?.to_ne_bytes().to_vec(),
            Form::Size => (int()? / 2).to_ne_bytes().to_vec(),
            Form::Char => vec![native()?.first().copied().unwrap_or(0)],
            Form::Address => {
                let word = native()?.first_chunk::<4>().copied().ok_or(EINVAL)?;
                order32(u32::from_be_bytes(word)).to_ne_bytes().to_vec()
            }
            Form::Bytes => native()?,
            Form::Kept(_, first) => {
                self.kept_options.get(&(level, name)).copied().unwrap_or(first).to_ne_bytes().to_vec()
            }
            Form::TotalTime => (int()? / TCP_UNIT_MS).to_ne_bytes().to_vec(),
            Form::Error => {
                let error = crate::stdio::errno::from_linux(int()?);
                error.to_ne_bytes().to_vec()
            }
            Form::Type => self.shape().number().to_ne_bytes().to_vec(),
            Form::Membership | Form::Membership6 => return Err(EOPNOTSUPP),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Wish;
    use super::super::numbers::{AF_INET, SOCK_STREAM};
    use super::*;

    fn socket() -> SocketFile {
        let wish = Wish::new(AF_INET, SOCK_STREAM, 0).unwrap();
        SocketFile::new(wish, 0, wish.descriptor().unwrap())
    }

    // An option by the number of Linux would set another one there.
    #[test]
    fn options_are_translated_and_come_back() {
        let mut socket = socket();
        for (level, name, value) in [
            (SOL_SOCKET, 0x0004, 1),
            (SOL_SOCKET, 0x0008, 1),
            (SOL_SOCKET, 0x1002, 20_000),
            (SOL_SOCKET, 0x0080, 0x0005_0001),
            (IPPROTO_TCP, 1, 1),
            (IPPROTO_TCP, 18, 7),
            (IPPROTO_TCP, TCP_TOTRXMTVAL, 40),
        ] {
            socket.set_option(level, name, &i32::to_ne_bytes(value)).unwrap();
            assert_eq!(socket.option(level, name), Ok(i32::to_ne_bytes(value).to_vec()), "{level} {name}");
        }
        assert_eq!(socket.option(SOL_SOCKET, SO_TYPE), Ok(SOCK_STREAM.to_ne_bytes().to_vec()));
        assert_eq!(socket.option(SOL_SOCKET, SO_ERROR), Ok(vec![0; 4]));
    }

    #[test]
    fn bad_options_are_refused_by_number() {
        let mut socket = socket();
        assert_eq!(socket.option(SOL_SOCKET, 0x4000), Err(ENOPROTOOPT));
        assert_eq!(socket.set_option(99, 1, &[0; 4]), Err(ENOPROTOOPT));
        assert_eq!(socket.set_option(SOL_SOCKET, 4, &[1]), Err(EINVAL), "too short");
        assert_eq!(socket.set_option(SOL_SOCKET, SO_TYPE, &[0; 4]), Err(EINVAL));
        assert_eq!(socket.set_option(SOL_SOCKET, 0x1001, &0i32.to_ne_bytes()), Err(EINVAL));
        assert_eq!(socket.set_option(IPPROTO_TCP, 18, &13i32.to_ne_bytes()), Err(EINVAL));
    }
}
