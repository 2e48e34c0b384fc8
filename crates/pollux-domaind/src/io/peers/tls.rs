//! TLS between servers: who is believed, and what is said when somebody is not.
//!
//! Both ends show a certificate of the domain's authority. Only TLS 1.3 is spoken, and nothing is resumed: each connection is judged anew.

use crate::address::Address;
use crate::identity::{CertificateFault, Identity, provider, tls_name};
use pollux_domain::name::ServerName;
use rustls::client::Resumption;
use rustls::client::verify_server_name;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// What a server speaks to other hosts with.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(super) domain: String,
    pub(super) me: ServerName,
    pub(super) address: Address,
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Tls {
    /// With a checked identity.
    pub(crate) fn new(
        identity: &Identity,
        domain: &str,
        me: &ServerName,
        address: &Address,
    ) -> Result<Self, String> {
        let text =
            |error: rustls::Error| format!("TLS cannot be prepared: {error}; make the certificate again");
        let (roots, chain) = (identity.roots(), vec![identity.certificate.clone()]);
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(text)?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), identity.key.clone_key())
            .map_err(text)?;
        client.resumption = Resumption::disabled();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|error| format!("TLS cannot be prepared: {error}; take ca.crt from another server"))?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(text)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, identity.key.clone_key())
            .map_err(text)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        // A sender reads nothing after the welcome: anything that comes then is the end of the connection.
        server.send_tls13_tickets = 0;
        Ok(Self {
            domain: domain.to_owned(),
            me: me.clone(),
            address: address.clone(),
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }

    /// What a sender says of a connection that failed; `None`: nothing that a person can mend.
    pub(super) fn sender_says(&self, error: &io::Error, to: &ServerName, at: &Address) -> Option<String> {
        let error = rustls_error(error)?;
        let fault = CertificateFault::of(error)?;
        let (domain, me) = (&self.domain, &self.me);
        if matches!(error, rustls::Error::AlertReceived(_)) {
            let (says, next) = (fault.says(), fault.next(domain, me));
            return Some(format!(
                "server {to} at {at} does not take the certificate of {me}: {says}; {next}"
            ));
        }
        if fault == CertificateFault::OtherServer {
            return Some(format!(
                "what answers at {at} is another server than {to}; correct the --address of {to}, or its name in DNS"
            ));
        }
        let (says, next) = (fault.says(), fault.next(domain, to));
        Some(format!("the certificate of server {to} at {at}: {says}; {next}"))
    }

    /// The same of a listener, which knows no name yet.
    pub(super) fn listener_says(&self, error: &io::Error, from: IpAddr) -> Option<String> {
        let error = rustls_error(error)?;
        // What the other end does not like it says itself.
        if matches!(error, rustls::Error::AlertReceived(_)) {
            return None;
        }
        let fault = CertificateFault::of(error)?;
        let domain = &self.domain;
        if fault == CertificateFault::Missing {
            return Some(format!(
                "{from} shows no certificate of domain {domain} and is not heard; keep strangers from port {}, or start its server with --join",
                self.address.port()
            ));
        }
        Some(format!(
            "{from} is not heard, by its certificate: {}; where domain {domain} was made: pollux domain invite {domain} HOST, and on HOST: --join HOST.bundle",
            fault.says()
        ))
    }
}

/// Whether the certificate is of that server.
pub(super) fn is_of(certificate: &CertificateDer<'_>, server: &ServerName) -> bool {
    let (Ok(parsed), Some(name)) = (ParsedCertificate::try_from(certificate), tls_name(server)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
