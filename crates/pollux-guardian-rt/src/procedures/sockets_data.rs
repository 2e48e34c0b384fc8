//! Sockets: the many forms of send and receive (TCP/IP Programming Manual).

use super::sockets::{answered, done, plain};
use crate::args;
use crate::entry::Out;
use crate::files::LONG_TRANSFER_BYTES_MAX;
use crate::memory::Buffer;
use crate::runtime::Runtime;
use crate::sockets::address;
use crate::sockets::calls::Post;
use crate::sockets::carry::{Action, Sender, Told};
use crate::sockets::numbers::{EFAULT, EINVAL, EISCONN, EOPNOTSUPP, MSG_DONTROUTE, MSG_OOB, MSG_PEEK};
use crate::sockets::place::Place;
use crate::sockets::queue::Lane;
use crate::sockets::server::for_socket;
use pollux_wire::FileError;
use std::net::SocketAddr;
use std::ptr::{null, null_mut};

/// Bytes of the `int` before the data of `send_nw`, and of the word at its beginning in `t_sendto_nw`.
const COUNT_BYTES: usize = 4;
const FIRST_BYTES: usize = 2;

/// A buffer of the program. 4022 for a length that no buffer has, 4014 for a null address.
fn buffer(pointer: *const u8, length: Option<i32>) -> Result<Buffer, FileError> {
    let length = usize::try_from(length.unwrap_or(0)).map_err(|_| EINVAL)?;
    if length > LONG_TRANSFER_BYTES_MAX {
        return Err(EINVAL);
    }
    Buffer::new(pointer.cast(), length).map_err(|_| EFAULT)
}

fn check_flags(flags: Option<i32>, known: i32) -> Result<i32, FileError> {
    let flags = flags.unwrap_or(0);
    if flags & !known == 0 { Ok(flags) } else { Err(EINVAL) }
}

fn receive(
    runtime: &mut Runtime,
    number: Option<i32>,
    (pointer, length): (Option<*mut u8>, Option<i32>),
    flags: Option<i32>,
    sender: Sender,
) -> Result<(i32, Post), FileError> {
    let number = number.unwrap_or(-1);
    runtime.socket(number)?;
    let buffer = buffer(pointer.unwrap_or(null_mut()), length)?;
    let flags = check_flags(flags, MSG_OOB | MSG_PEEK)?;
    let sender = match sender {
        Sender::Before(_) if buffer.bytes() < address::V4_BYTES => return Err(EINVAL),
        Sender::Before(_) => Sender::Before(buffer),
        other => other,
    };
    Ok((number, Post::new(Action::Receive { buffer, flags, sender }, Lane::Input, buffer)))
}

/// Where `recvfrom` and its kin tell the sender.
fn sender_at(from: Option<*mut u8>, length: Option<Out>) -> Result<Sender, FileError> {
    Ok(Sender::At(Place::new(from.unwrap_or(null_mut()), length)?))
}

macro_rules! receives {
    ($($name:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> i32 {
            answered(|runtime| {
                let data = (args.buffer, args.length);
                let (number, post) = receive(runtime, args.socket, data, args.flags, Sender::Untold)?;
                runtime.wait_for_post(number, post).map(|count| count as i32)
            })
        }
    )*};
}

receives! {
    recv;
    recv64_;
}

macro_rules! nowait_receives {
    ($($name:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> i32 {
            done(|runtime| {
                let data = (args.buffer, args.length);
                let (number, post) = receive(runtime, args.socket, data, args.flags, Sender::Untold)?;
                runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
            })
        }
    )*};
}

nowait_receives! {
    recv_nw;
    recv_nw64_;
}

pub(crate) fn recvfrom(args: args::recvfrom) -> i32 {
    answered(|runtime| {
        let sender = sender_at(args.from, plain(args.from_length))?;
        let (number, post) = receive(runtime, args.socket, (args.buffer, args.length), args.flags, sender)?;
        runtime.wait_for_post(number, post).map(|count| count as i32)
    })
}

pub(crate) fn recvfrom_nw(args: args::recvfrom_nw) -> i32 {
    done(|runtime| {
        let sender = sender_at(args.from, args.from_length)?;
        let (number, post) = receive(runtime, args.socket, (args.buffer, args.length), args.flags, sender)?;
        runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
    })
}

pub(crate) fn t_recvfrom_nw(args: args::t_recvfrom_nw) -> i32 {
    done(|runtime| {
        let flags = Some(check_flags(args.flags, MSG_PEEK)?);
        let sender = Sender::Before(Buffer::NONE);
        let (number, post) = receive(runtime, args.socket, (args.buffer, args.length), flags, sender)?;
        let (_, socket) = runtime.socket(number)?;
        if socket.is_connected {
            return Err(EISCONN);
        }
        if socket.is_v6() {
            return Err(EOPNOTSUPP);
        }
        runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
    })
}

// --- Sending

struct Sending {
    number: Option<i32>,
    data: Buffer,
    flags: Option<i32>,
    to: Option<SocketAddr>,
    told: Told,
    is_whole: bool,
    shown: Buffer,
}

fn send_post(runtime: &mut Runtime, sending: Sending) -> Result<(i32, Post), FileError> {
    let number = sending.number.unwrap_or(-1);
    let (_, socket) = runtime.socket(number)?;
    let to = sending.to.map(|to| for_socket(socket, to)).transpose()?;
    if to.is_some() && socket.is_connected {
        return Err(EISCONN);
    }
    let flags = check_flags(sending.flags, MSG_OOB | MSG_DONTROUTE)?;
    let Sending { data: buffer, told, is_whole, shown, .. } = sending;
    let is_whole = is_whole && socket.shape().is_stream();
    let action = Action::Send { buffer, flags, to, told, is_whole, done: 0 };
    Ok((number, Post::new(action, Lane::Output, shown)))
}

fn waited_send(
    number: Option<i32>,
    data: (Option<*const u8>, Option<i32>),
    flags: Option<i32>,
    to: Option<Result<SocketAddr, FileError>>,
) -> i32 {
    answered(|runtime| {
        runtime.socket(number.unwrap_or(-1))?;
        let data = buffer(data.0.unwrap_or(null()), data.1)?;
        let to = to.transpose()?;
        let sending = Sending { number, data, flags, to, told: Told::Count, is_whole: true, shown: data };
        let (number, post) = send_post(runtime, sending)?;
        runtime.wait_for_post(number, post).map(|count| count as i32)
    })
}

pub(crate) fn send(args: args::send) -> i32 {
    waited_send(args.socket, (args.buffer, args.length), args.flags, None)
}

pub(crate) fn send64_(args: args::send64_) -> i32 {
    waited_send(args.socket, (args.buffer, args.length), args.flags, None)
}

pub(crate) fn sendto(args: args::sendto) -> i32 {
    let to = address::read(args.to.unwrap_or(null()), args.to_length.unwrap_or(0));
    waited_send(args.socket, (args.buffer, args.length), args.flags, Some(to))
}

/// How the count of a nowait send is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the `int` before the data.
    Before,
    /// By `socket_get_len`.
    Kept,
}

fn nowait_send(
    form: Form,
    number: Option<i32>,
    (pointer, length): (Option<*const u8>, Option<i32>),
    flags: Option<i32>,
    tag: i64,
) -> i32 {
    done(|runtime| {
        runtime.socket(number.unwrap_or(-1))?;
        let pointer = pointer.unwrap_or(null());
        let data = buffer(pointer, length)?;
        let (told, shown) = match form {
            Form::Kept => (Told::Kept, data),
            Form::Before if pointer.is_null() => return Err(EFAULT),
            Form::Before => {
                let count = Buffer::new(pointer.wrapping_sub(COUNT_BYTES).cast(), COUNT_BYTES);
                let count = count.map_err(|_| EFAULT)?;
                (Told::Before(count), count)
            }
        };
        let sending = Sending { number, data, flags, to: None, told, is_whole: false, shown };
        let (number, post) = send_post(runtime, sending)?;
        runtime.post_nowait(number, post, tag).map(|_| ())
    })
}

macro_rules! nowait_sends {
    ($($name:ident: $form:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> i32 {
            let data = (args.buffer, args.length);
            nowait_send(Form::$form, args.socket, data, args.flags, args.tag.unwrap_or(0))
        }
    )*};
}

nowait_sends! {
    send_nw: Before;
    send_nw64_: Before;
    send_nw2: Kept;
    send_nw2_64_: Kept;
}

pub(crate) fn sendto_nw(args: args::sendto_nw) -> i32 {
    done(|runtime| {
        let number = args.socket;
        runtime.socket(number.unwrap_or(-1))?;
        let data = buffer(args.buffer.unwrap_or(null()), args.length)?;
        let to = Some(address::read(args.to.unwrap_or(null()), args.to_length.unwrap_or(0))?);
        let sending =
            Sending { number, data, flags: args.flags, to, told: Told::Kept, is_whole: false, shown: data };
        let (number, post) = send_post(runtime, sending)?;
        runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
    })
}

pub(crate) fn t_sendto_nw(args: args::t_sendto_nw) -> i32 {
    done(|runtime| {
        let number = args.socket;
        runtime.socket(number.unwrap_or(-1))?;
        let whole = buffer(args.buffer.unwrap_or(null_mut()), args.length)?;
        if whole.bytes() < address::V4_BYTES {
            return Err(EINVAL);
        }
        let to = Some(whole.view(address::decode)?);
        let first = Buffer::new(whole.address() as *const _, FIRST_BYTES).map_err(|_| EFAULT)?;
        let data = whole.behind(address::V4_BYTES);
        let told = Told::First(first);
        let sending = Sending { number, data, flags: args.flags, to, told, is_whole: false, shown: whole };
        let (number, post) = send_post(runtime, sending)?;
        runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
    })
}
