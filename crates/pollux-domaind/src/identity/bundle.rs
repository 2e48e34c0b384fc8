//! What a server takes to its host to become a server of the domain: one file, made where the domain was made.
//!
//! ```text
//! domain = plant
//! server = beta
//! mode = quorum
//! contact = alpha 10.0.0.1:1553
//! -----BEGIN CERTIFICATE-----     of the server
//! -----BEGIN PRIVATE KEY-----     of the server
//! -----BEGIN CERTIFICATE-----     of the authority
//! ```

use super::{AUTHORITY, AUTHORITY_KEY, CERTIFICATE, Identity, IdentityError, KEY, issue, write};
use crate::address::Address;
use crate::io::files::FilesError;
use pollux_domain::files::SnaNet;
use pollux_domain::name::ServerName;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest bundle that is read, in bytes.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;
/// Where the servers were last heard of, beside the other files.
const ADDRESSES: &str = "addresses";
const FIRST_LINE: &str = "# Makes a host a server of the domain. It holds the server's key: carry it by a safe way, then remove it.";

/// A server with where it is, if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The server.
    pub server: ServerName,
    /// Its address; none: its name and the usual port.
    pub address: Option<Address>,
}

/// The contents of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The domain.
    pub domain: String,
    /// The server that it is for.
    pub server: ServerName,
    /// `quorum` or `legacy`, for people.
    pub mode: String,
    /// Servers of the domain.
    pub contacts: Vec<Contact>,
    certificate: String,
    key: String,
    authority: String,
}

/// Makes the bundle for a server: in the directory of the server where the domain was made.
///
/// `files`: the directory with a directory for each server of the domain on this host. `by`: whose authority, when several on
/// this host have one.
pub fn invite(
    files: &Path,
    domain: &str,
    by: Option<&ServerName>,
    server: &ServerName,
    days: u32,
) -> Result<Bundle, FilesError> {
    let directory = authority_directory(files, domain, by)?;
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path)
            .map_err(|error| FilesError(format!("cannot read {}: {error}; restore it", path.display())))
    };
    let issued = issue(&read(AUTHORITY_KEY)?, domain, server, days)?;
    let settings = read("settings").unwrap_or_default();
    let mode = settings.lines().find_map(|line| line.strip_prefix("mode = ")).unwrap_or("quorum").to_owned();
    let mut contacts = read_addresses(&directory);
    let list = read("sna.net").ok().and_then(|text| SnaNet::parse(&text).ok());
    for name in list.iter().flat_map(|net| net.content.list.entries()) {
        if !contacts.iter().any(|contact| contact.server == *name) {
            contacts.push(Contact { server: name.clone(), address: None });
        }
    }
    contacts.retain(|contact| contact.server != *server);
    Ok(Bundle {
        domain: domain.to_owned(),
        server: server.clone(),
        mode,
        contacts,
        certificate: issued.certificate,
        key: issued.key,
        authority: read(AUTHORITY)?,
    })
}

fn authority_directory(files: &Path, domain: &str, by: Option<&ServerName>) -> Result<PathBuf, FilesError> {
    let entries = fs::read_dir(files).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    found.retain(|path| path.join(AUTHORITY_KEY).exists());
    found.retain(|path| by.is_none_or(|by| path.file_name().is_some_and(|name| name == by.as_str())));
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(FilesError(format!(
            "the authority of domain {domain} is not on this host ({} has no ca.key); run this where pollux domain init made the domain",
            files.display()
        ))),
        _ => Err(FilesError(format!(
            "domain {domain} was made more than once on this host; say whose authority with --by HOST"
        ))),
    }
}

impl Bundle {
    /// The text of the file.
    pub fn print(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\ndomain = {}\nserver = {}\nmode = {}\n",
            self.domain, self.server, self.mode
        );
        text += &print_contacts(&self.contacts);
        text + &self.certificate + &self.key + &self.authority
    }

    /// Reads the text of a file. An error names what is missing.
    pub fn parse(text: &str) -> Result<Self, FilesError> {
        let no =
            |what: &str| FilesError(format!("this is no bundle: {what}; make one with pollux domain invite"));
        if text.len() > BUNDLE_BYTES_MAX {
            return Err(no("it is too long"));
        }
        // What stands inside of a certificate is no word of ours.
        let head = text.split("-----BEGIN ").next().unwrap_or_default();
        let value = |key: &str| {
            let begin = format!("{key} = ");
            head.lines().find_map(|line| line.strip_prefix(&begin)).map(str::to_owned)
        };
        let domain = value("domain").ok_or_else(|| no("no domain is in it"))?;
        pollux_domain::name::check_domain_name(&domain).map_err(|error| no(&error.to_string()))?;
        let server = value("server").ok_or_else(|| no("no server is in it"))?;
        let server = ServerName::new(&server).map_err(|error| no(&error.to_string()))?;
        let mode = value("mode").ok_or_else(|| no("no mode is in it"))?;
        let contacts = parse_contacts(head);
        let parts: Vec<String> = text
            .split("-----BEGIN ")
            .skip(1)
            .map(|part| format!("-----BEGIN {}\n", part.trim_end()))
            .collect();
        let [certificate, key, authority] = &parts[..] else {
            return Err(no("certificate, key and authority are not all in it"));
        };
        let (certificate, key, authority) = (certificate.clone(), key.clone(), authority.clone());
        Ok(Self { domain, server, mode, contacts, certificate, key, authority })
    }

    /// Whether its certificate is what it says, and holds.
    pub fn check(&self) -> Result<(), IdentityError> {
        let (authority, certificate, key) =
            (self.authority.as_bytes(), self.certificate.as_bytes(), self.key.as_bytes());
        Identity::of_pem(authority, certificate, key, &self.domain, &self.server).map(|_| ())
    }

    /// Puts it into the directory of its server, in place of what was there before.
    pub fn install(&self, files: &Path) -> Result<PathBuf, FilesError> {
        let directory = files.join(self.server.as_str());
        crate::io::files::make_directory(&directory)?;
        let installed = fs::read_to_string(directory.join(AUTHORITY)).unwrap_or_default();
        let is_new = installed.trim() != self.authority.trim();
        if directory.join(AUTHORITY_KEY).exists() && is_new {
            return Err(FilesError(format!(
                "{} is where domain {} was made, and this bundle is of another authority; take one that was made here",
                directory.display(),
                self.domain
            )));
        }
        write(&directory, AUTHORITY, &self.authority, false)?;
        write(&directory, KEY, &self.key, true)?;
        write(&directory, CERTIFICATE, &self.certificate, false)?;
        let mut contacts = self.contacts.clone();
        for old in read_addresses(&directory) {
            if !contacts.iter().any(|contact| contact.server == old.server) {
                contacts.push(old);
            }
        }
        write_addresses(&directory, &contacts)?;
        Ok(directory)
    }
}

/// Where servers were last heard of.
pub(crate) fn read_addresses(directory: &Path) -> Vec<Contact> {
    parse_contacts(&fs::read_to_string(directory.join(ADDRESSES)).unwrap_or_default())
}

pub(crate) fn write_addresses(directory: &Path, contacts: &[Contact]) -> Result<(), FilesError> {
    write(directory, ADDRESSES, &print_contacts(contacts), false)
}

pub(crate) fn print_contacts(contacts: &[Contact]) -> String {
    let mut text = String::new();
    for Contact { server, address } in contacts {
        let address = address.as_ref().map_or(String::new(), |address| format!(" {address}"));
        writeln!(text, "contact = {server}{address}").expect("a text takes all");
    }
    text
}

/// Lines that say nothing are passed over: a contact is a hint where to look first.
pub(crate) fn parse_contacts(text: &str) -> Vec<Contact> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("contact = "));
    let contacts = lines.filter_map(|line| {
        let (server, address) =
            line.split_once(' ').map_or((line, None), |(server, rest)| (server, Some(rest)));
        let server = ServerName::new(server).ok()?;
        Some(Contact { server, address: address.and_then(|text| text.parse().ok()) })
    });
    contacts.take(pollux_domain::succession::SERVERS_KNOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{CertificateFault, DAYS, initialize};
    use super::*;

    // An operator carries this file by hand: what is cut or of another host is named before anything is replaced.
    #[test]
    fn a_bundle_makes_a_server_and_a_bad_one_nothing() {
        let place = tempfile::tempdir().unwrap();
        let host = |text: &str| ServerName::new(text).unwrap();
        let alpha = place.path().join("alpha");
        fs::create_dir(&alpha).unwrap();
        let none = invite(place.path(), "plant", None, &host("beta"), DAYS).unwrap_err();
        assert!(none.0.contains("not on this host") && none.0.contains("; run this where"), "{none}");
        initialize(&alpha, "plant", &host("alpha")).unwrap();
        let contacts = vec![
            Contact { server: host("alpha"), address: "10.0.0.1".parse().ok() },
            Contact { server: host("gamma"), address: None },
        ];
        write_addresses(&alpha, &contacts).unwrap();
        let bundle = invite(place.path(), "plant", None, &host("beta"), DAYS).unwrap();
        assert_eq!(bundle.contacts, contacts);
        assert!(bundle.print().contains("\ncontact = alpha 10.0.0.1:1553\ncontact = gamma\n-----BEGIN CERT"));
        let read = Bundle::parse(&bundle.print()).unwrap();
        assert_eq!(read, bundle);
        read.check().unwrap();
        let directory = read.install(place.path()).unwrap();
        Identity::load(&directory, "plant", &host("beta")).unwrap();
        assert_eq!(read_addresses(&directory), contacts);

        let text = bundle.print();
        for cut in [0, 80, text.len() / 2] {
            let error = Bundle::parse(&text[..cut]).unwrap_err();
            assert!(error.0.starts_with("this is no bundle: "), "{error}");
        }
        let renamed = Bundle::parse(&text.replace("server = beta", "server = gamma")).unwrap();
        assert_eq!(renamed.check().unwrap_err().fault, CertificateFault::OtherServer);
        let again = invite(place.path(), "plant", None, &host("beta"), 0).unwrap();
        assert_eq!(again.check().unwrap_err().fault, CertificateFault::Expired);
    }

    // A bundle of another domain of the same name must not take the authority away from where it is.
    #[test]
    fn the_authority_is_not_replaced_by_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let alpha = ServerName::new("alpha").unwrap();
        for place in [&one, &two] {
            let directory = place.path().join("alpha");
            fs::create_dir(&directory).unwrap();
            initialize(&directory, "plant", &alpha).unwrap();
        }
        let foreign = invite(one.path(), "plant", None, &alpha, DAYS).unwrap();
        assert!(foreign.install(two.path()).unwrap_err().0.contains("another authority"));
        foreign.install(one.path()).unwrap();
        Identity::load(&one.path().join("alpha"), "plant", &alpha).unwrap();
    }
}
