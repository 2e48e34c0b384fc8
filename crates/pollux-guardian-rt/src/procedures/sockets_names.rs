//! Sockets: names and addresses (TCP/IP Programming Manual, support routines).

use crate::args;
use crate::memory::Buffer;
use crate::sockets::address::{self, order32};
use crate::sockets::interfaces;
use crate::sockets::names::entries::{self, has_name, netent, protoent, servent};
use crate::sockets::names::hosts::{self, HOST_NOT_FOUND, Where};
use crate::sockets::names::image::{Image, give, keep, take_back};
use crate::sockets::names::resolve::{self, EAI_FAMILY, EAI_NONAME, EAI_OVERFLOW, Hints};
use crate::sockets::names::text as texts;
use crate::sockets::numbers::{AF_INET, AF_INET6, EAFNOSUPPORT, EFAULT, EINVAL, ENXIO};
use crate::stdio::glue;
use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::{null, null_mut};

/// Bytes of the hints of `getaddrinfo` that are looked at, and of an interface's name.
const HINT_BYTES: usize = 16;
const INTERFACE_NAME_BYTES: usize = 16;

fn text(pointer: Option<*const u8>) -> Option<String> {
    glue::c_text(pointer?.cast())
}

fn failed(number: pollux_wire::FileError) -> *mut c_void {
    glue::set_errno(i32::from(number.0));
    null_mut()
}

/// Stores a text that ends with a null byte; false if it does not fit.
fn put_text(to: Option<*mut u8>, room: i32, text: &str) -> bool {
    let Ok(room) = usize::try_from(room) else { return false };
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    match Buffer::new(to.unwrap_or(null_mut()).cast_const().cast(), room) {
        Ok(buffer) if bytes.len() <= room => buffer.put(&bytes) == bytes.len(),
        _ => false,
    }
}

fn host(name: Option<*const u8>, family: i32, place: Where) -> *mut c_void {
    let found = match (text(name), family) {
        (Some(name), AF_INET | AF_INET6) => hosts::by_name(&name, family == AF_INET6, place),
        _ => Err(HOST_NOT_FOUND),
    };
    hosts::shown(found)
}

fn host_of(
    address: Option<*const u8>,
    length: Option<i32>,
    family: Option<i32>,
    place: Where,
) -> *mut c_void {
    let bytes = usize::try_from(length.unwrap_or(0))
        .ok()
        .and_then(|length| Buffer::new(address.unwrap_or(null()).cast(), length.min(16)).ok())
        .map(Buffer::get)
        .unwrap_or_default();
    let found = hosts::address_of(&bytes, family.unwrap_or(0));
    let found = found.and_then(|address| hosts::by_address(address, place));
    hosts::shown(found.ok_or(HOST_NOT_FOUND))
}

macro_rules! host_names {
    ($($name:ident: $place:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> *mut c_void {
            host(args.name, AF_INET, Where::$place)
        }
    )*};
}

host_names! {
    gethostbyname: Everywhere;
    lwres_gethostbyname: Everywhere;
    host_file_gethostbyname: File;
}

macro_rules! host_names_of_a_family {
    ($($name:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> *mut c_void {
            host(args.name, args.address_type.unwrap_or(0), Where::Everywhere)
        }
    )*};
}

host_names_of_a_family! {
    gethostbyname2;
    lwres_gethostbyname2;
}

macro_rules! host_addresses {
    ($($name:ident: $place:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> *mut c_void {
            host_of(args.address, args.length, args.address_type, Where::$place)
        }
    )*};
}

host_addresses! {
    gethostbyaddr: Everywhere;
    lwres_gethostbyaddr: Everywhere;
    host_file_gethostbyaddr: File;
}

fn look_up(
    node: Option<*const u8>,
    service: Option<*const u8>,
    hints: Option<*const u8>,
    result: Option<*mut u8>,
) -> i32 {
    let hints = Buffer::new(hints.unwrap_or(null()).cast(), HINT_BYTES).map(Buffer::get).unwrap_or_default();
    let place = crate::entry::Out { pointer: result.unwrap_or(null_mut()), size: size_of::<usize>() };
    if place.pointer.is_null() {
        return EAI_NONAME;
    }
    match resolve::look_up(text(node).as_deref(), text(service).as_deref(), Hints::decode(&hints)) {
        Ok((found, canonical)) => {
            place.put(give(resolve::list(&found, canonical.as_deref())) as i64);
            0
        }
        Err(number) => {
            place.put(0);
            number
        }
    }
}

macro_rules! addrinfo {
    ($($get:ident, $free:ident, $name:ident;)*) => {$(
        pub(crate) fn $get(args: args::$get) -> i32 {
            look_up(args.node, args.service, args.hints, args.result)
        }

        pub(crate) fn $free(args: args::$free) {
            take_back(args.list.unwrap_or(null_mut()));
        }

        pub(crate) fn $name(args: args::$name) -> i32 {
            let Ok(address) = address::read(args.address.unwrap_or(null()), args.length.unwrap_or(0)) else {
                return EAI_FAMILY;
            };
            let (host, service) = match resolve::names_of(address, args.flags.unwrap_or(0)) {
                Ok(names) => names,
                Err(number) => return number,
            };
            let parts = [
                (args.host, args.host_length.unwrap_or(0), host),
                (args.service, args.service_length.unwrap_or(0), service),
            ];
            let wanted = |place: &Option<*mut u8>, room: i32| room != 0 && place.is_some_and(|to| !to.is_null());
            let fits = parts.iter().all(|(to, room, name)| !wanted(to, *room) || put_text(*to, *room, name));
            if fits { 0 } else { EAI_OVERFLOW }
        }
    )*};
}

addrinfo! {
    getaddrinfo, freeaddrinfo, getnameinfo;
    lwres_getaddrinfo, lwres_freeaddrinfo, lwres_getnameinfo;
}

pub(crate) fn gai_strerror(args: args::gai_strerror) -> *mut c_void {
    let mut image = Image::default();
    image.text(resolve::words(args.number.unwrap_or(0)));
    keep("gai_strerror", image)
}

pub(crate) fn getservbyname(args: args::getservbyname) -> *mut c_void {
    let found =
        text(args.name).and_then(|name| entries::service_by_name(&name, text(args.protocol).as_deref()));
    servent(found)
}

pub(crate) fn getservbyport(args: args::getservbyport) -> *mut c_void {
    servent(entries::service_by_port(args.port.unwrap_or(-1), text(args.protocol).as_deref()))
}

pub(crate) fn getprotobyname(args: args::getprotobyname) -> *mut c_void {
    let name = text(args.name);
    protoent(|words, _| name.as_deref().is_some_and(|name| has_name(words, name)))
}

pub(crate) fn getprotobynumber(args: args::getprotobynumber) -> *mut c_void {
    protoent(|_, number| Some(number) == args.number)
}

pub(crate) fn getnetbyname(args: args::getnetbyname) -> *mut c_void {
    let name = text(args.name);
    netent(|words, _| name.as_deref().is_some_and(|name| has_name(words, name)))
}

pub(crate) fn getnetbyaddr(args: args::getnetbyaddr) -> *mut c_void {
    netent(|_, number| args.address_type == Some(AF_INET) && args.net.map(|net| net as u32) == Some(number))
}

// --- Texts of addresses

/// An address as the program has it, in the order of the machine.
fn machine(address: Option<i32>) -> u32 {
    order32(address.unwrap_or(0) as u32)
}

pub(crate) fn inet_addr(args: args::inet_addr) -> i32 {
    let found = text(args.text).and_then(|text| texts::address(&text));
    found.map_or(texts::NONE, order32) as i32
}

pub(crate) fn inet_network(args: args::inet_network) -> i32 {
    text(args.text).and_then(|text| texts::network(&text)).unwrap_or(texts::NONE) as i32
}

pub(crate) fn inet_ntoa(args: args::inet_ntoa) -> *mut c_void {
    let mut image = Image::default();
    image.text(&Ipv4Addr::from(machine(args.address)).to_string());
    keep("inet_ntoa", image)
}

pub(crate) fn inet_lnaof(args: args::inet_lnaof) -> i32 {
    texts::host_part(machine(args.address)) as i32
}

pub(crate) fn inet_netof(args: args::inet_netof) -> i32 {
    texts::network_part(machine(args.address)) as i32
}

pub(crate) fn inet_makeaddr(args: args::inet_makeaddr) -> i32 {
    order32(texts::made_of(args.net.unwrap_or(0) as u32, args.host.unwrap_or(0) as u32)) as i32
}

pub(crate) fn inet_ntop(args: args::inet_ntop) -> *mut c_void {
    let bytes = match args.family {
        Some(AF_INET) => 4,
        Some(AF_INET6) => 16,
        _ => return failed(EAFNOSUPPORT),
    };
    let Ok(buffer) = Buffer::new(args.address.unwrap_or(null()).cast(), bytes) else { return failed(EFAULT) };
    let address = match (buffer.get().as_slice(), args.family) {
        (bytes @ [a, b, c, d], _) if bytes.len() == 4 => {
            IpAddr::V4(Ipv4Addr::from(order32(u32::from_ne_bytes([*a, *b, *c, *d]))))
        }
        (bytes, _) => IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>().expect("sixteen bytes"))),
    };
    if put_text(args.text, args.length.unwrap_or(0), &address.to_string()) {
        args.text.unwrap_or(null_mut()).cast()
    } else {
        failed(pollux_wire::FileError(4028))
    }
}

pub(crate) fn inet_pton(args: args::inet_pton) -> i32 {
    let v6 = match args.family {
        Some(AF_INET) => false,
        Some(AF_INET6) => true,
        _ => {
            glue::set_errno(i32::from(EAFNOSUPPORT.0));
            return -1;
        }
    };
    let bytes = match text(args.text).and_then(|text| texts::parsed(&text, v6)) {
        Some(Ok(number)) => order32(number).to_ne_bytes().to_vec(),
        Some(Err(octets)) => octets.to_vec(),
        None => return 0,
    };
    match Buffer::new(args.address.unwrap_or(null_mut()).cast_const().cast(), bytes.len()) {
        Ok(buffer) => {
            buffer.put(&bytes);
            1
        }
        Err(_) => 0,
    }
}

// --- Interfaces

/// A descriptor to ask the kernel with.
fn question() -> Option<std::net::UdpSocket> {
    std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()
}

pub(crate) fn if_nametoindex(args: args::if_nametoindex) -> i32 {
    let index = text(args.name)
        .zip(question())
        .and_then(|(name, socket)| rustix::net::netdevice::name_to_index(&socket, &name).ok());
    if index.is_none() {
        glue::set_errno(i32::from(ENXIO.0));
    }
    index.unwrap_or(0) as i32
}

pub(crate) fn if_indextoname(args: args::if_indextoname) -> *mut c_void {
    let index = args.index.unwrap_or(0) as u32;
    let name = question().and_then(|socket| rustix::net::netdevice::index_to_name(&socket, index).ok());
    match name {
        Some(name) if put_text(args.name, INTERFACE_NAME_BYTES as i32, &name) => {
            args.name.unwrap_or(null_mut()).cast()
        }
        Some(_) => failed(EINVAL),
        None => failed(ENXIO),
    }
}

pub(crate) fn if_nameindex(_: args::if_nameindex) -> *mut c_void {
    /// index, pad, name.
    const BYTES: usize = 16;
    let Some(socket) = question() else { return failed(ENXIO) };
    let interfaces = interfaces::all();
    let mut image = Image::default();
    let head = image.room(BYTES * (interfaces.len() + 1));
    for (at, interface) in interfaces.iter().enumerate() {
        let index = rustix::net::netdevice::name_to_index(&socket, &interface.name).unwrap_or(0);
        image.put(head + at * BYTES, &index.to_ne_bytes());
        let name = image.text(&interface.name);
        image.link(head + at * BYTES + 8, name);
    }
    give(image)
}

pub(crate) fn if_freenameindex(args: args::if_freenameindex) {
    take_back(args.list.unwrap_or(null_mut()));
}
