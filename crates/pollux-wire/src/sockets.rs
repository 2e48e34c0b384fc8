//! What a program and the TCP/IP provider say to each other: payloads of requests and replies over an ordinary open.
//!
//! The provider owns every listener, every accepted connection and every socket that was shown to it. It never carries
//! data: programs hold duplicates. A duplicate travels to a program over a *channel*, one end of a socket pair that comes
//! as the descriptor of the request: the provider sends one message of one byte with the descriptor and closes its end.
//! It is sent ahead of the reply, so it is there when the reply is. A reply that is repeated after a takeover of the
//! provider may come without it; then there is nothing in the channel, and perhaps not its end either, since an old
//! primary may still have the request: do not wait for it, [`SocketRequest::Fetch`] asks again.
//!
//! ```text
//!  program                                   provider
//!    |-- Keep + the listener ------------------>|            Kept { socket }
//!    |-- Accept { socket } ------------------->|            answered when a connection is there: Pending { local, remote }
//!    |-- Claim { remote } + channel ----------->|            Claimed { socket }, and the connection over the channel
//!    |-- Leave { socket } --------------------->|            Left; the last member's leaving closes it
//!  its backup
//!    |-- Join { socket, brother } + channel --->|            Joined, and a duplicate over the channel
//! ```
//!
//! Errors are the reply's error number: of the file system, or of sockets (4000 and above). Beyond those named below: 60 no
//! such socket, 48 the asker is no member of it, 4009 the descriptor did not come, 4022 wrong role or value.
//!
//! An accept may wait for long, and an open takes no requests that are more than its nowait depth ahead of it: a program
//! opens the provider once for each socket.

use crate::codec::{DecodeError, Reader, Wire, wire_enum, wire_flat_enum, wire_struct};
use crate::{OpenId, Phandle, SocketId};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Name of the provider that programs ask when they are told no other (TCP/IP Programming Manual, `socket`).
pub const PROVIDER_DEFAULT: &str = "$ZTC0";
/// The DEFINE that names another one (TCP/IP Programming Manual, `socket_set_inet_name`).
pub const PROVIDER_DEFINE: &str = "=TCPIP^PROCESS^NAME";

wire_flat_enum! {
    /// What a socket is to its provider.
    pub enum SocketRole {
        /// It listens, or will.
        1 => Listener = "listener",
        /// A stream that the program connects itself.
        2 => Stream = "stream",
        /// It has no connections: UDP and raw sockets.
        3 => Datagram = "datagram",
    }
}

wire_enum! {
    /// What a program asks.
    pub enum SocketRequest {
        /// The descriptor is a socket that the provider is to keep; the asker is its first member. A listener becomes
        /// nonblocking, for all who have it.
        0 => Keep { role: SocketRole },
        /// Listens, if that has not been done, with this length of the queue (1 to 128), and waits for a connection. One at a
        /// time for each listener and member: 4103 for another. To cancel the request gives a connection back.
        ///
        /// With a channel as the descriptor the connection is claimed at once, and the answer is that to `Claim`. Of these eight
        /// at a time; to cancel one may leave its connection with the asker until the open ends.
        1 => Accept { socket: SocketId, queue: u16 },
        /// Takes a pending connection, found by the far address and, if given, the near one. Any process of the same user
        /// may ask. The descriptor is a channel. 4003 if no such connection is pending, 4120 if the peer has gone.
        2 => Claim { remote: SocketAddr, local: Option<SocketAddr> },
        /// A member wants a duplicate. The descriptor is a channel.
        3 => Fetch { socket: SocketId },
        /// The asker becomes a member beside `brother`, the other half of its pair (`socket_backup`). The descriptor is a
        /// channel. 17 if the brother is not or was not a member, or not of the asker's pair.
        4 => Join { socket: SocketId, brother: Phandle },
        /// The asker is no member any more (`FILE_CLOSE_`).
        5 => Leave { socket: SocketId },
        /// What the provider has.
        6 => List {},
        /// The descriptor is a socket that listens already and that others have, too: the asker accepts for them, and `Leave`s
        /// each connection when they have it. Whoever shows the same socket becomes a member of the one that is there. Answered
        /// with `Kept`. The socket outlives its last member by ten seconds, so that another one can come. 4022 if it does not
        /// listen.
        7 => Carry {},
        /// The asker's pair ends with both halves: neither is a member of anything any more. For a process without a name, it
        /// alone.
        8 => Farewell {},
    }
}

wire_enum! {
    /// What the provider answers.
    pub enum SocketReply {
        /// To `Keep` and `Carry`.
        0 => Kept { socket: SocketId },
        /// To `Accept`: a connection waits to be claimed.
        1 => Pending { local: SocketAddr, remote: SocketAddr },
        /// To `Claim`, and to `Accept` with a channel.
        2 => Claimed { socket: SocketId, local: SocketAddr, remote: SocketAddr },
        /// To `Fetch`.
        3 => Fetched {},
        /// To `Join`.
        4 => Joined { role: SocketRole },
        /// To `Leave`.
        5 => Left {},
        /// To `List`.
        6 => Sockets { sockets: Vec<SocketEntry> },
        /// To `Farewell`.
        7 => Parted {},
    }
}

wire_struct! {
    /// A socket, as the provider lists it.
    pub struct SocketEntry {
        /// Which.
        pub socket: SocketId,
        /// What it is.
        pub role: SocketRole,
        /// Its near address.
        pub local: Option<SocketAddr>,
        /// Its far address.
        pub remote: Option<SocketAddr>,
        /// The opens whose processes are members; none while a connection is pending.
        pub members: Vec<(OpenId, Phandle)>,
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => {
                out.push(4);
                out.extend_from_slice(&address.ip().octets());
                address.port().put(out);
            }
            Self::V6(address) => {
                out.push(6);
                out.extend_from_slice(&address.ip().octets());
                address.port().put(out);
                address.flowinfo().put(out);
                address.scope_id().put(out);
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(reader)? {
            4 => {
                let ip = Ipv4Addr::from(reader.array::<4>()?);
                Ok(Self::V4(SocketAddrV4::new(ip, u16::take(reader)?)))
            }
            6 => {
                let ip = Ipv6Addr::from(reader.array::<16>()?);
                let (port, flow, scope) = (u16::take(reader)?, u32::take(reader)?, u32::take(reader)?);
                Ok(Self::V6(SocketAddrV6::new(ip, port, flow, scope)))
            }
            _ => Err(DecodeError::BadValue("socket address")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, encode};

    #[test]
    fn addresses_keep_all_their_parts() {
        for text in ["127.0.0.1:7639", "[::1]:80", "[fe80::1%3]:65535"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(decode::<SocketAddr>(&encode(&address)), Ok(address));
        }
        assert_eq!(decode::<SocketAddr>(&[5, 0, 0]), Err(DecodeError::BadValue("socket address")));
        assert_eq!(decode::<SocketAddr>(&[4, 127, 0]), Err(DecodeError::Short));
    }

    #[test]
    fn a_claim_keeps_its_choice() {
        let remote: SocketAddr = "10.0.0.1:5".parse().expect("an address");
        for local in [None, Some(remote)] {
            let request = SocketRequest::Claim { remote, local };
            assert_eq!(decode(&encode(&request)), Ok(request));
        }
    }
}
