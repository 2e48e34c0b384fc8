//! Who a server is, for servers of other hosts: certificates of the domain.
//!
//! What this decides: what stands in a certificate, which one is believed, how a fault is said. What it does not: speak
//! over a network (`io::tls`).
//!
//! ```text
//! <files>/<host>/
//!   ca.crt      the authority of the domain: who has a certificate of it is a server of the domain
//!   ca.key      its key; only where the domain was made (0600)
//!   server.crt  this server's certificate, by that authority; holds its name
//!   server.key  its key (0600)
//!   addresses   where the other servers were last heard of
//! ```
//!
//! A certificate names its server in a DNS name of our own, `beta.pollux`: a server's name alone may look like a number or an address,
//! which a certificate cannot hold as a name. The domain is bound by its authority: each domain has its own.

pub(crate) mod bundle;
mod fault;

pub use bundle::{Bundle, Contact, invite};
pub(crate) use bundle::{read_addresses, write_addresses};
pub use fault::{CertificateFault, IdentityError};

use crate::io::files::FilesError;
use pollux_domain::files::atomic;
use pollux_domain::name::ServerName;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName as TlsName, UnixTime};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// So long a server's certificate holds when nothing else is said, in days.
pub const DAYS: u32 = 825;
/// So long the authority holds.
const AUTHORITY_DAYS: u32 = 36_500;
/// A certificate begins so much earlier: clocks of hosts differ.
const EARLIER: Duration = Duration::from_secs(24 * 60 * 60);
/// A server says so when its certificate ends within this time.
const ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

/// Certificate, key and authority of one server, checked.
#[derive(Debug)]
pub struct Identity {
    /// The authority of the domain.
    pub(crate) authority: CertificateDer<'static>,
    /// This server's certificate.
    pub(crate) certificate: CertificateDer<'static>,
    /// Its key.
    pub(crate) key: PrivateKeyDer<'static>,
    /// It ends within 30 days.
    pub ends_soon: bool,
}

impl Identity {
    /// Reads the files of a server and checks them: key and certificate belong together, the domain's authority made it, for this
    /// server, and it holds at this moment.
    pub fn load(directory: &Path, domain: &str, host: &ServerName) -> Result<Self, IdentityError> {
        let read = |name: &str| fs::read(directory.join(name));
        let missing = || IdentityError::missing(domain, host);
        let (authority, certificate, key) = match (read(AUTHORITY), read(CERTIFICATE), read(KEY)) {
            (Ok(authority), Ok(certificate), Ok(key)) => (authority, certificate, key),
            _ => return Err(missing()),
        };
        Self::of_pem(&authority, &certificate, &key, domain, host)
    }

    /// As the files are, for tests of those who judge.
    #[cfg(test)]
    pub(crate) fn load_unchecked(directory: &Path) -> Self {
        let read = |name: &str| fs::read(directory.join(name)).unwrap();
        Self {
            authority: CertificateDer::from_pem_slice(&read(AUTHORITY)).unwrap(),
            certificate: CertificateDer::from_pem_slice(&read(CERTIFICATE)).unwrap(),
            key: PrivateKeyDer::from_pem_slice(&read(KEY)).unwrap(),
            ends_soon: false,
        }
    }

    fn of_pem(
        authority: &[u8],
        certificate: &[u8],
        key: &[u8],
        domain: &str,
        host: &ServerName,
    ) -> Result<Self, IdentityError> {
        let unreadable = || IdentityError::of(CertificateFault::Unreadable, domain, host);
        let authority = CertificateDer::from_pem_slice(authority).map_err(|_| unreadable())?;
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(|_| unreadable())?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unreadable())?;
        let now = UnixTime::now();
        check(&authority, &certificate, host, now).map_err(|fault| IdentityError::of(fault, domain, host))?;
        rustls::sign::CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), &provider())
            .map_err(|_| unreadable())?;
        let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + ENDS_SOON);
        let ends_soon = check(&authority, &certificate, host, later).is_err();
        Ok(Self { authority, certificate, key, ends_soon })
    }

    /// The authority as the only one that is believed.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::new(roots(&self.authority))
    }
}

/// The name by which a certificate names a server.
pub(crate) fn tls_name(host: &ServerName) -> Option<TlsName<'static>> {
    TlsName::try_from(format!("{host}.pollux")).ok()
}

/// The one library for cryptography of this program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(authority: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that cannot be added leaves the store empty, and nobody is believed.
    roots.add_parsable_certificates([authority.clone()]);
    roots
}

/// Whether the authority made this certificate for this server, and it holds at that moment.
fn check(
    authority: &CertificateDer<'static>,
    certificate: &CertificateDer<'static>,
    host: &ServerName,
    at: UnixTime,
) -> Result<(), CertificateFault> {
    let roots = Arc::new(roots(authority));
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|_| CertificateFault::Unreadable)?;
    let name = tls_name(host).ok_or(CertificateFault::OtherServer)?;
    match verifier.verify_server_cert(certificate, &[], &name, &[], at) {
        Ok(_) => Ok(()),
        Err(error) => Err(CertificateFault::of(&error).unwrap_or(CertificateFault::Unreadable)),
    }
}

/// Makes the authority of a new domain, and the certificate of its first server.
pub(crate) fn initialize(directory: &Path, domain: &str, host: &ServerName) -> Result<(), FilesError> {
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let mut params = authority_params(domain);
    holds(&mut params, AUTHORITY_DAYS);
    let authority = params.self_signed(&key).map_err(|error| failed(&error))?;
    write(directory, AUTHORITY_KEY, &key.serialize_pem(), true)?;
    write(directory, AUTHORITY, &authority.pem(), false)?;
    let issued = issue(&key.serialize_pem(), domain, host, DAYS)?;
    write(directory, KEY, &issued.key, true)?;
    write(directory, CERTIFICATE, &issued.certificate, false)
}

struct Issued {
    certificate: String,
    key: String,
}

/// A new key, and a certificate for it.
fn issue(authority_key: &str, domain: &str, host: &ServerName, days: u32) -> Result<Issued, FilesError> {
    let authority_key = KeyPair::from_pem(authority_key).map_err(|error| failed(&error))?;
    let issuer = Issuer::new(authority_params(domain), authority_key);
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    if tls_name(host).is_none() {
        let text = format!(
            "{host} is no host name that a certificate can hold; choose one with letters, digits and inner '-'"
        );
        return Err(FilesError(text));
    }
    let mut params =
        CertificateParams::new(vec![format!("{host}.pollux")]).map_err(|error| failed(&error))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // The common name of a certificate has 64 characters at most; the whole name is in the DNS name.
    params.distinguished_name.push(DnType::CommonName, host.as_str().chars().take(64).collect::<String>());
    params.distinguished_name.push(DnType::OrganizationName, domain);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    holds(&mut params, days);
    let certificate = params.signed_by(&key, &issuer).map_err(|error| failed(&error))?;
    Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// What the authority is made with; its name must be the same each time it signs.
fn authority_params(domain: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Pollux domain");
    params.distinguished_name.push(DnType::OrganizationName, domain);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From a day ago on, for so many days; with none it has just ended.
fn holds(params: &mut CertificateParams, days: u32) {
    let now = Duration::from_secs(UnixTime::now().as_secs());
    let begin = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = begin + now.saturating_sub(EARLIER);
    params.not_after = begin + (now + DAY * days).saturating_sub(Duration::from_secs(1));
}

fn write(directory: &Path, name: &str, text: &str, private: bool) -> Result<(), FilesError> {
    let path = directory.join(name);
    let written = if private { atomic::replace_private(&path, text) } else { atomic::replace(&path, text) };
    written.map_err(|error| FilesError(error.to_string()))
}

fn failed(error: &rcgen::Error) -> FilesError {
    FilesError(format!("the certificate cannot be made: {error}; make the domain anew, or restore ca.key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn host(text: &str) -> ServerName {
        ServerName::new(text).unwrap()
    }

    fn domain() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        initialize(directory.path(), "plant", &host("alpha")).unwrap();
        directory
    }

    fn fault(directory: &Path, name: &str) -> CertificateFault {
        Identity::load(directory, "plant", &host(name)).unwrap_err().fault
    }

    // Who can read a key is that server.
    #[test]
    fn keys_are_for_their_owner_only() {
        let place = domain();
        for (name, mode) in [(AUTHORITY, 0o640), (AUTHORITY_KEY, 0o600), (CERTIFICATE, 0o640), (KEY, 0o600)] {
            let found = fs::metadata(place.path().join(name)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode & found, "{name} {found:o}");
            assert_eq!(found & 0o077 & !mode, 0, "{name} {found:o}");
        }
        let identity = Identity::load(place.path(), "plant", &host("alpha")).unwrap();
        assert!(!identity.ends_soon);
    }

    // A server with a wrong certificate must not come up and be refused by everybody: it says which and what to do.
    #[test]
    fn a_certificate_that_is_not_ours_is_named() {
        let (place, other) = (domain(), domain());
        assert_eq!(fault(place.path(), "beta"), CertificateFault::OtherServer);
        let key = fs::read_to_string(place.path().join(AUTHORITY_KEY)).unwrap();
        for (days, expected) in [(0, Some(CertificateFault::Expired)), (20, None)] {
            let issued = issue(&key, "plant", &host("alpha"), days).unwrap();
            write(place.path(), KEY, &issued.key, true).unwrap();
            write(place.path(), CERTIFICATE, &issued.certificate, false).unwrap();
            let loaded = Identity::load(place.path(), "plant", &host("alpha"));
            match expected {
                Some(expected) => assert_eq!(loaded.unwrap_err().fault, expected),
                None => assert!(loaded.unwrap().ends_soon),
            }
        }
        fs::copy(other.path().join(KEY), place.path().join(KEY)).unwrap();
        assert_eq!(fault(place.path(), "alpha"), CertificateFault::Unreadable, "the key of another one");
        fs::copy(other.path().join(CERTIFICATE), place.path().join(CERTIFICATE)).unwrap();
        assert_eq!(fault(place.path(), "alpha"), CertificateFault::Foreign);
        fs::write(place.path().join(CERTIFICATE), "-----BEGIN").unwrap();
        assert_eq!(fault(place.path(), "alpha"), CertificateFault::Unreadable);
        fs::remove_file(place.path().join(CERTIFICATE)).unwrap();
        assert_eq!(fault(place.path(), "alpha"), CertificateFault::Missing);
        let text = Identity::load(place.path(), "plant", &host("alpha")).unwrap_err().to_string();
        assert_eq!(
            text,
            "server alpha has no certificate of domain plant; where the domain was made: pollux domain invite plant alpha, \
             and on alpha: --join alpha.bundle"
        );
    }

    #[test]
    fn names_that_look_like_numbers_have_certificates_too() {
        let place = domain();
        let key = fs::read_to_string(place.path().join(AUTHORITY_KEY)).unwrap();
        for name in ["1", "10.0.0.1", "a_b", "x.example.org"] {
            let issued = issue(&key, "plant", &host(name), DAYS).unwrap();
            write(place.path(), KEY, &issued.key, true).unwrap();
            write(place.path(), CERTIFICATE, &issued.certificate, false).unwrap();
            Identity::load(place.path(), "plant", &host(name)).unwrap();
        }
        assert!(issue(&key, "plant", &host("-a"), DAYS).is_err());
    }
}
