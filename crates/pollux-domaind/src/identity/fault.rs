//! What can be wrong with a certificate, in one line with the next step.

use pollux_domain::name::ServerName;
use rustls::{AlertDescription, CertificateError, Error};

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// There is none.
    Missing,
    /// Its time is over.
    Expired,
    /// Its time has not begun: a clock is wrong.
    NotYet,
    /// Another authority made it.
    Foreign,
    /// It is of another server.
    OtherServer,
    /// The files are torn, or do not belong together.
    Unreadable,
}

impl CertificateFault {
    /// Of a fault that was found here, or that the other end tells; `None`: it is about something else.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::NoCertificatesPresented => Self::Missing,
            Error::InvalidCertificate(fault) => match fault {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYet,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::OtherServer
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Foreign,
                _ => Self::Unreadable,
            },
            Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => Self::Missing,
                AlertDescription::CertificateExpired => Self::Expired,
                AlertDescription::UnknownCA | AlertDescription::DecryptError => Self::Foreign,
                AlertDescription::BadCertificate => Self::Unreadable,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// What is wrong, as what a certificate "is" or a server "has".
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::Missing => "there is none",
            Self::Expired => "it has expired",
            Self::NotYet => "it does not hold yet, so a clock is wrong",
            Self::Foreign => {
                "another authority made it: it is of another domain, or the domain was made anew"
            }
            Self::OtherServer => "it is of another server",
            Self::Unreadable => "it cannot be read, or it and its key do not belong together",
        }
    }

    /// What to do for the certificate of that server.
    pub(crate) fn next(self, domain: &str, host: &ServerName) -> String {
        if self == Self::NotYet {
            return "set the clocks of both hosts".to_owned();
        }
        format!(
            "where the domain was made: pollux domain invite {domain} {host}, and on {host}: --join {host}.bundle"
        )
    }
}

/// Why a server has no identity; one line with the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct IdentityError {
    /// What is wrong.
    pub fault: CertificateFault,
    text: String,
}

impl IdentityError {
    pub(crate) fn missing(domain: &str, host: &ServerName) -> Self {
        let fault = CertificateFault::Missing;
        let next = fault.next(domain, host);
        Self { fault, text: format!("server {host} has no certificate of domain {domain}; {next}") }
    }

    pub(crate) fn of(fault: CertificateFault, domain: &str, host: &ServerName) -> Self {
        let (says, next) = (fault.says(), fault.next(domain, host));
        Self { fault, text: format!("the certificate of server {host} of domain {domain}: {says}; {next}") }
    }
}
