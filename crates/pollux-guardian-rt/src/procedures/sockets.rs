//! Sockets: making and ending them, servers and clients, addresses, options, process pairs (TCP/IP Programming Manual).
//!
//! A call gives 0 or a number, or -1 and `errno`. A nowait call that was not started gives -1; how one that was started ended
//! is told by AWAITIO and `FILE_GETINFO_`, and `errno` stays as it is.

use crate::args;
use crate::entry::Out;
use crate::files::FileKind;
use crate::memory::Buffer;
use crate::runtime::{self, Runtime};
use crate::sockets::address;
use crate::sockets::calls::Post;
use crate::sockets::carry::Action;
use crate::sockets::file::Wish;
use crate::sockets::ioctl::Stores;
use crate::sockets::numbers::{ECONNRESET, EFAULT, EINVAL, ENOTCONN, errno_of, of_linux};
use crate::sockets::place::Place;
use crate::sockets::queue::Lane;
use crate::stdio::glue;
use pollux_wire::FileError;
use rustix::io::Errno;
use std::net::SocketAddr;
use std::ptr::{null, null_mut};

/// Longest option that a program sets.
const OPTION_BYTES_MAX: usize = 256;

/// Runs a call of the library: its result, or -1 and `errno`.
pub(super) fn answered(body: impl FnOnce(&mut Runtime) -> Result<i32, FileError>) -> i32 {
    let result = runtime::with(|runtime| {
        let result = body(runtime);
        if let Err(error) = result {
            runtime.last_error = error;
        }
        result
    });
    result.unwrap_or_else(|error| {
        glue::set_errno(errno_of(error));
        -1
    })
}

/// The same for a call without a result of its own.
pub(super) fn done(body: impl FnOnce(&mut Runtime) -> Result<(), FileError>) -> i32 {
    answered(|runtime| body(runtime).map(|()| 0))
}

/// A number that a plain call passes as `int *`.
pub(super) fn plain(pointer: Option<*mut u8>) -> Option<Out> {
    pointer.map(|pointer| Out { pointer, size: 4 })
}

/// Starts an operation that is done already: its word comes through AWAITIO.
fn say(
    runtime: &mut Runtime,
    number: i32,
    tag: i64,
    body: impl FnOnce(&mut Runtime) -> Result<Stores, FileError>,
) -> Result<(), FileError> {
    runtime.check_nowait(number)?;
    let stores = body(runtime);
    runtime.post_nowait(number, Post::said(stores), tag).map(|_| ())
}

fn wish(family: Option<i32>, shape: Option<i32>, protocol: Option<i32>) -> Result<Wish, FileError> {
    Wish::new(family.unwrap_or(0), shape.unwrap_or(0), protocol.unwrap_or(0))
}

pub(crate) fn socket(args: args::socket) -> i32 {
    answered(|runtime| {
        let wish = wish(args.address_family, args.socket_type, args.protocol)?;
        runtime.new_socket(wish, None).map(i32::from)
    })
}

pub(crate) fn socket_nw(args: args::socket_nw) -> i32 {
    answered(|runtime| {
        let wish = wish(args.address_family, args.socket_type, args.protocol)?;
        if args.sync.unwrap_or(0) != 0 {
            return Err(EINVAL);
        }
        runtime.new_socket(wish, Some(args.flags.unwrap_or(0))).map(i32::from)
    })
}

pub(crate) fn socket_set_inet_name(args: args::socket_set_inet_name) {
    let name = glue::c_text(args.name.unwrap_or(null()).cast());
    let name = name.map(|name| name.trim().to_ascii_uppercase()).filter(|name| !name.is_empty());
    runtime::with(|runtime| runtime.sockets.provider = name);
}

// --- The end

fn check_how(how: Option<i32>) -> Result<i32, FileError> {
    how.filter(|how| (0..=2).contains(how)).ok_or(EINVAL)
}

fn check_connected(runtime: &mut Runtime, number: i32) -> Result<(), FileError> {
    let (_, socket) = runtime.socket(number)?;
    if socket.shape().is_stream() && !socket.is_connected { Err(ENOTCONN) } else { Ok(()) }
}

pub(crate) fn shutdown(args: args::shutdown) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        let (_, socket) = runtime.living_socket(number)?;
        let _ = socket.fd()?;
        let how = check_how(args.how)?;
        check_connected(runtime, number)?;
        runtime.living_socket(number)?.1.shut(how)
    })
}

pub(crate) fn shutdown_nw(args: args::shutdown_nw) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        runtime.check_nowait(number)?;
        let how = check_how(args.how)?;
        check_connected(runtime, number)?;
        let tag = args.tag.unwrap_or(0);
        // Behind what is still to be sent or received.
        let (_, socket) = runtime.socket(number)?;
        let lane = if how == 0 { Lane::Input } else { Lane::Output };
        if how == 0 || !socket.queue.is_busy(lane) {
            return say(runtime, number, tag, |runtime| {
                runtime.living_socket(number)?.1.shut(how).map(|()| Vec::new())
            });
        }
        let post = Post::new(Action::Shutdown(how), lane, Buffer::NONE);
        runtime.post_nowait(number, post, tag).map(|_| ())
    })
}

pub(crate) fn sock_close_reuse_nw(args: args::sock_close_reuse_nw) -> i32 {
    done(|runtime| runtime.reuse_socket(args.socket.unwrap_or(-1), args.tag.unwrap_or(0)))
}

// --- Servers

pub(crate) fn bind(args: args::bind) -> i32 {
    done(|runtime| {
        let address = args.address.unwrap_or(null());
        runtime.bind_socket(args.socket.unwrap_or(-1), address, args.length.unwrap_or(0))
    })
}

pub(crate) fn bind_nw(args: args::bind_nw) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        let address = args.address.unwrap_or(null());
        // What is wrong with the parameters is said at once, what is wrong with the address when it is done.
        address::read(address, args.length.unwrap_or(0))?;
        say(runtime, number, args.tag.unwrap_or(0), |runtime| {
            runtime.bind_socket(number, address, args.length.unwrap_or(0)).map(|()| Vec::new())
        })
    })
}

pub(crate) fn listen(args: args::listen) -> i32 {
    done(|runtime| runtime.listen_on(args.socket.unwrap_or(-1), args.queue_length.unwrap_or(0)))
}

pub(crate) fn accept(args: args::accept) -> i32 {
    answered(|runtime| {
        let place = Place::new(args.from.unwrap_or(null_mut()), plain(args.from_length))?;
        runtime.accept_waited(args.socket.unwrap_or(-1), place).map(i32::from)
    })
}

pub(crate) fn accept_nw(args: args::accept_nw) -> i32 {
    done(|runtime| {
        let place = Place::new(args.from.unwrap_or(null_mut()), args.from_length)?;
        runtime.accept_nowait(args.socket.unwrap_or(-1), place, None, args.tag.unwrap_or(0))
    })
}

pub(crate) fn accept_nw1(args: args::accept_nw1) -> i32 {
    done(|runtime| {
        let place = Place::new(args.from.unwrap_or(null_mut()), args.from_length)?;
        let queue = Some(args.queue_length.unwrap_or(0));
        runtime.accept_nowait(args.socket.unwrap_or(-1), place, queue, args.tag.unwrap_or(0))
    })
}

fn claim(socket: Option<i32>, from: Option<*const u8>, me: Option<*const u8>, tag: Option<i64>) -> i32 {
    done(|runtime| {
        runtime.socket(socket.unwrap_or(-1))?;
        let remote = address::read_by_family(from.unwrap_or(null()))?;
        let local = me.filter(|me| !me.is_null()).map(address::read_by_family).transpose()?;
        runtime.claim_nowait(socket.unwrap_or(-1), remote, local, tag.unwrap_or(0))
    })
}

pub(crate) fn accept_nw2(args: args::accept_nw2) -> i32 {
    claim(args.new_socket, args.from, None, args.tag)
}

pub(crate) fn accept_nw3(args: args::accept_nw3) -> i32 {
    claim(args.new_socket, args.from, args.me, args.tag)
}

// --- Clients

pub(crate) fn connect(args: args::connect) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        let address = args.address.unwrap_or(null());
        match runtime.begin_connect(number, address, args.length.unwrap_or(0))? {
            Some(()) => Ok(()),
            None => {
                let post = Post::new(Action::Connect, Lane::Output, Buffer::NONE);
                runtime.wait_for_post(number, post).map(|_| ())
            }
        }
    })
}

pub(crate) fn connect_nw(args: args::connect_nw) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        runtime.check_nowait(number)?;
        let (address, length) = (args.address.unwrap_or(null()), args.length.unwrap_or(0));
        address::read(address, length)?;
        let post = match runtime.begin_connect(number, address, length) {
            Ok(None) => Post::new(Action::Connect, Lane::Output, Buffer::NONE),
            // One is under way: not a second operation.
            Err(error @ crate::sockets::numbers::EALREADY) => return Err(error),
            Ok(Some(())) => Post::said(Ok(Vec::new())),
            Err(error) => Post::said(Err(error)),
        };
        runtime.post_nowait(number, post, args.tag.unwrap_or(0)).map(|_| ())
    })
}

// --- Addresses

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Near,
    Far,
}

fn address_of(runtime: &mut Runtime, number: i32, end: End) -> Result<SocketAddr, FileError> {
    let (_, socket) = runtime.living_socket(number)?;
    let fd = socket.fd()?;
    let found = match end {
        End::Near => rustix::net::getsockname(fd).map(Some),
        End::Far => rustix::net::getpeername(fd),
    };
    match found {
        Ok(Some(found)) => SocketAddr::try_from(found).map_err(of_linux),
        Ok(None) => Err(ENOTCONN),
        // The kernel has forgotten the peer of a connection that was reset.
        Err(Errno::NOTCONN) if socket.is_connected => Err(ECONNRESET),
        Err(error) => Err(of_linux(error)),
    }
}

macro_rules! names_of_ends {
    ($($waited:ident, $nowait:ident: $end:ident;)*) => {$(
        pub(crate) fn $waited(args: args::$waited) -> i32 {
            done(|runtime| {
                let number = args.socket.unwrap_or(-1);
                runtime.socket(number)?;
                let place = Place::new(args.name.unwrap_or(null_mut()), plain(args.length))?;
                address_of(runtime, number, End::$end).map(|found| place.put(found))
            })
        }

        pub(crate) fn $nowait(args: args::$nowait) -> i32 {
            done(|runtime| {
                let number = args.socket.unwrap_or(-1);
                runtime.check_nowait(number)?;
                let place = Place::new(args.name.unwrap_or(null_mut()), args.length)?;
                say(runtime, number, args.tag.unwrap_or(0), |runtime| {
                    address_of(runtime, number, End::$end).map(|found| place.stores(found))
                })
            })
        }
    )*};
}

names_of_ends! {
    getsockname, getsockname_nw: Near;
    getpeername, getpeername_nw: Far;
}

// --- Options and commands

/// The value of an option as stores: cut to the room, its length behind it.
fn option_stores(
    runtime: &mut Runtime,
    (number, level, name): (i32, i32, i32),
    place: Place,
) -> Result<Stores, FileError> {
    let value = runtime.living_socket(number)?.1.option(level, name)?;
    Ok(place.stores_of(&value))
}

pub(crate) fn getsockopt(args: args::getsockopt) -> i32 {
    done(|runtime| {
        let which = (args.socket.unwrap_or(-1), args.level.unwrap_or(-1), args.optname.unwrap_or(-1));
        runtime.socket(which.0)?;
        let place = Place::of_value(args.optval.unwrap_or(null_mut()), plain(args.optlen))?;
        for (buffer, bytes) in option_stores(runtime, which, place)? {
            buffer.put(&bytes);
        }
        Ok(())
    })
}

pub(crate) fn getsockopt_nw(args: args::getsockopt_nw) -> i32 {
    done(|runtime| {
        let which = (args.socket.unwrap_or(-1), args.level.unwrap_or(-1), args.optname.unwrap_or(-1));
        runtime.check_nowait(which.0)?;
        let place = Place::of_value(args.optval.unwrap_or(null_mut()), args.optlen)?;
        say(runtime, which.0, args.tag.unwrap_or(0), |runtime| option_stores(runtime, which, place))?;
        // Not known before it is done.
        place.put_length(0);
        Ok(())
    })
}

fn set_option(
    runtime: &mut Runtime,
    (number, level, name): (i32, i32, i32),
    value: Option<*const u8>,
    length: Option<i32>,
) -> Result<(), FileError> {
    let length = usize::try_from(length.unwrap_or(0)).map_err(|_| EINVAL)?;
    let value =
        Buffer::new(value.unwrap_or(null()).cast(), length.min(OPTION_BYTES_MAX)).map_err(|_| EFAULT)?;
    runtime.living_socket(number)?.1.set_option(level, name, &value.get())
}

pub(crate) fn setsockopt(args: args::setsockopt) -> i32 {
    done(|runtime| {
        let which = (args.socket.unwrap_or(-1), args.level.unwrap_or(-1), args.optname.unwrap_or(-1));
        runtime.socket(which.0)?;
        set_option(runtime, which, args.optval, args.optlen)
    })
}

pub(crate) fn setsockopt_nw(args: args::setsockopt_nw) -> i32 {
    done(|runtime| {
        let which = (args.socket.unwrap_or(-1), args.level.unwrap_or(-1), args.optname.unwrap_or(-1));
        say(runtime, which.0, args.tag.unwrap_or(0), |runtime| {
            set_option(runtime, which, args.optval, args.optlen).map(|()| Vec::new())
        })
    })
}

pub(crate) fn socket_ioctl(args: args::socket_ioctl) -> i32 {
    done(|runtime| {
        let (_, socket) = runtime.living_socket(args.socket.unwrap_or(-1))?;
        let stores = socket.ioctl(args.command.unwrap_or(0), args.argument.unwrap_or(null_mut()))?;
        for (buffer, bytes) in stores {
            buffer.put(&bytes);
        }
        Ok(())
    })
}

pub(crate) fn socket_ioctl_nw(args: args::socket_ioctl_nw) -> i32 {
    done(|runtime| {
        let number = args.socket.unwrap_or(-1);
        say(runtime, number, args.tag.unwrap_or(0), |runtime| {
            let (_, socket) = runtime.living_socket(number)?;
            socket.ioctl(args.command.unwrap_or(0), args.argument.unwrap_or(null_mut()))
        })
    })
}

// --- What the last operations have left

pub(crate) fn socket_get_info(args: args::socket_get_info) -> i32 {
    done(|runtime| {
        let (_, socket) = runtime.socket(args.socket.unwrap_or(-1))?;
        let from = socket.last_from;
        let place = Place::new(args.address.unwrap_or(null_mut()), args.length)?;
        from.map(|from| place.put(from)).ok_or(ENOTCONN)
    })
}

pub(crate) fn socket_get_len(args: args::socket_get_len) -> i32 {
    answered(|runtime| {
        let (_, file) = runtime.socket_file(args.socket.unwrap_or(-1))?;
        match &file.kind {
            FileKind::Socket(socket) => Ok(socket.last_length),
            _ => Err(EINVAL),
        }
    })
}

// --- Pairs

pub(crate) fn socket_get_open_info(args: args::socket_get_open_info) -> i32 {
    done(|runtime| runtime.open_info(args.message.unwrap_or(null_mut())))
}

pub(crate) fn socket_backup(args: args::socket_backup) -> i32 {
    done(|runtime| {
        let brother = args.brother_phandle.unwrap_or(null());
        runtime.backup_open(args.message.unwrap_or(null()), brother.cast())
    })
}

pub(crate) fn socket_set_takeover(args: args::socket_set_takeover) -> i32 {
    done(|runtime| {
        let is_strict = match args.mode {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(EINVAL),
        };
        runtime.sockets.is_strict = Some(is_strict);
        Ok(())
    })
}

pub(crate) fn socket_get_positions(args: args::socket_get_positions) -> i32 {
    done(|runtime| {
        let (received, sent) = runtime.positions(args.socket.unwrap_or(-1))?;
        let place = |pointer: Option<*mut u8>| Out { pointer: pointer.unwrap_or(null_mut()), size: 8 };
        place(args.received).put(received as i64);
        place(args.sent).put(sent as i64);
        Ok(())
    })
}

pub(crate) fn socket_hold_input(args: args::socket_hold_input) -> i32 {
    done(|runtime| runtime.hold_input(args.socket.unwrap_or(-1), args.on.unwrap_or(0) != 0))
}

pub(crate) fn socket_release_input(args: args::socket_release_input) -> i32 {
    done(|runtime| runtime.release_input(args.socket.unwrap_or(-1), args.received_offset.unwrap_or(-1)))
}
