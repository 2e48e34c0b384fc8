//! Services, protocols and networks by name and number.

use super::image::{Image, keep};
use super::tables::Table;
use super::text;
use crate::sockets::address::order16;
use crate::sockets::numbers::AF_INET;
use std::ffi::c_void;
use std::ptr::null_mut;

/// A service: name, other names, port, protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    name: String,
    aliases: Vec<String>,
    /// Its port.
    pub(crate) port: u16,
    protocol: String,
}

/// The service of a line.
pub(crate) fn service_of(words: &[String]) -> Option<Service> {
    let (port, protocol) = words[1].split_once('/')?;
    Some(Service {
        name: words[0].clone(),
        aliases: words[2..].to_vec(),
        port: port.parse().ok()?,
        protocol: protocol.to_owned(),
    })
}

fn service(fits: impl Fn(&Service) -> bool, protocol: Option<&str>) -> Option<Service> {
    let lines = Table::Services.lines();
    let mut services = lines.iter().filter_map(|words| service_of(words));
    services.find(|service| protocol.is_none_or(|wanted| service.protocol == wanted) && fits(service))
}

/// The service of that name, with that protocol if one is given.
pub(crate) fn service_by_name(name: &str, protocol: Option<&str>) -> Option<Service> {
    service(|service| service.name == name || service.aliases.iter().any(|alias| alias == name), protocol)
}

/// The name of the service of a port.
pub(crate) fn service_name(port: u16, protocol: &str) -> Option<String> {
    service(|service| service.port == port, Some(protocol)).map(|service| service.name)
}

/// The service of a port, as the program has the port.
pub(crate) fn service_by_port(port: i32, protocol: Option<&str>) -> Option<Service> {
    let port = order16(u16::try_from(port).ok()?);
    service(|service| service.port == port, protocol)
}

/// `struct servent`, or null.
pub(crate) fn servent(found: Option<Service>) -> *mut c_void {
    let Some(service) = found else { return null_mut() };
    let mut image = Image::default();
    let head = image.room(32);
    let (name, aliases) = (image.text(&service.name), image.texts(&service.aliases));
    let protocol = image.text(&service.protocol);
    image.link(head, name);
    image.link(head + 8, aliases);
    image.put_int(head + 16, i32::from(order16(service.port)));
    image.link(head + 24, protocol);
    keep("servent", image)
}

/// `struct protoent` of the line that fits, or null.
pub(crate) fn protoent(fits: impl Fn(&[String], i32) -> bool) -> *mut c_void {
    let lines = Table::Protocols.lines();
    let numbered = lines.iter().filter_map(|words| Some((words, words[1].parse::<i32>().ok()?)));
    let Some((words, number)) = numbered.into_iter().find(|(words, number)| fits(words, *number)) else {
        return null_mut();
    };
    named_number("protoent", words, |image, head| image.put_int(head + 16, number))
}

/// `struct netent` of the line that fits, or null. The number of a network is what is left without zeros at its end.
pub(crate) fn netent(fits: impl Fn(&[String], u32) -> bool) -> *mut c_void {
    let lines = Table::Networks.lines();
    let numbered = lines.iter().filter_map(|words| Some((words, network(&words[1])?)));
    let Some((words, number)) = numbered.into_iter().find(|(words, number)| fits(words, *number)) else {
        return null_mut();
    };
    named_number("netent", words, |image, head| {
        image.put_int(head + 16, AF_INET);
        image.put(head + 20, &number.to_ne_bytes());
    })
}

fn network(text: &str) -> Option<u32> {
    let mut number = text::network(text)?;
    while number != 0 && number & 0xff == 0 {
        number >>= 8;
    }
    Some(number)
}

/// True if a line has that name.
pub(crate) fn has_name(words: &[String], name: &str) -> bool {
    words[0] == name || words[2..].iter().any(|alias| alias == name)
}

fn named_number(
    routine: &'static str,
    words: &[String],
    number: impl FnOnce(&mut Image, usize),
) -> *mut c_void {
    let mut image = Image::default();
    let head = image.room(24);
    let (name, aliases) = (image.text(&words[0]), image.texts(&words[2..]));
    image.link(head, name);
    image.link(head + 8, aliases);
    number(&mut image, head);
    keep(routine, image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_services_are_read() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let service = service_of(&words("http 80/tcp www")).unwrap();
        assert_eq!((service.port, service.protocol.as_str()), (80, "tcp"));
        assert_eq!(service_of(&words("http 80")), None);
        assert!(has_name(&words("tcp 6 TCP"), "TCP"));
        assert_eq!(network("127.0.0.0"), Some(127));
    }
}
