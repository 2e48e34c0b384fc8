//! `sna_clnt.net`: which domain a client belongs to, and which servers it asks.
//!
//! Not one of the domain's own files: a person writes it, in the form of the products.

use super::record::Faults;
use crate::name::{ServerName, check_domain_name};

/// Least value of `lan_access_timeout`; a smaller one is raised to it.
const LAN_ACCESS_S_MIN: u32 = 60;

/// The content of `sna_clnt.net`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFile {
    /// The domain.
    pub domain: String,
    /// Programs may be started from elsewhere.
    pub invoked_tps: bool,
    /// An unused connection is given up after so many seconds.
    pub lan_access_timeout_s: Option<u32>,
    /// How often any server is called for before the named ones are.
    pub broadcast_attempts: u32,
    /// Seconds from the loss of a server to the next search.
    pub server_lost_timeout_s: u32,
    /// Any server will do, before the named ones.
    pub any: bool,
    /// Servers in the order of preference.
    pub servers: Vec<ServerName>,
}

impl ClientFile {
    /// Reads the text; all faults at once.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut file = Self {
            domain: String::new(),
            invoked_tps: false,
            lan_access_timeout_s: None,
            broadcast_attempts: 5,
            server_lost_timeout_s: 200,
            any: false,
            servers: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some((name, value)) => file.set(number, name, value, &mut faults),
                None if line == "*" && file.servers.is_empty() => file.any = true,
                None if line == "*" => faults.add(number, "'*' must stand before all names"),
                None => match ServerName::new(line) {
                    Ok(name) => file.servers.push(name),
                    Err(error) => faults.add(number, format!("{line}: {error}")),
                },
            }
        }
        if file.domain.is_empty() {
            faults.add(0, "a line 'domain = NAME' is missing");
        }
        faults.or(file)
    }

    fn set(&mut self, line: usize, name: &str, value: &str, faults: &mut Faults) {
        let number = |min: u32, max: u32| value.parse().ok().filter(|n| (min..=max).contains(n));
        let bad = |what: &str| format!("{name} = {value}: not {what}");
        match name {
            "domain" => match check_domain_name(value) {
                Ok(()) => self.domain = value.to_owned(),
                Err(error) => faults.add(line, format!("domain: {error}")),
            },
            "invoked_tps" if ["YES", "NO"].contains(&value.to_ascii_uppercase().as_str()) => {
                self.invoked_tps = value.eq_ignore_ascii_case("YES");
            }
            "invoked_tps" => faults.add(line, bad("YES or NO")),
            "lan_access_timeout" => match number(0, u32::MAX) {
                Some(seconds) => self.lan_access_timeout_s = Some(seconds.max(LAN_ACCESS_S_MIN)),
                None => faults.add(line, bad("a number of seconds")),
            },
            "broadcast_attempt_count" => match number(1, u32::MAX) {
                Some(count) => self.broadcast_attempts = count,
                None => faults.add(line, bad("a number from 1 on")),
            },
            "server_lost_timeout" => match number(5, 65_535) {
                Some(seconds) => self.server_lost_timeout_s = seconds,
                None => faults.add(line, bad("a number from 5 to 65535")),
            },
            _ => faults.add(line, format!("{name} is not known here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_lines_and_their_defaults() {
        let file =
            ClientFile::parse("# client\ndomain = plant\nlan_access_timeout = 5\n*\nalpha\nBeta\n").unwrap();
        assert_eq!((file.domain.as_str(), file.any, file.broadcast_attempts), ("plant", true, 5));
        assert_eq!((file.lan_access_timeout_s, file.server_lost_timeout_s), (Some(60), 200));
        assert_eq!(file.servers, [ServerName::new("alpha").unwrap(), ServerName::new("beta").unwrap()]);
    }

    #[test]
    fn faults_name_their_line() {
        let text = "invoked_tps = maybe\nserver_lost_timeout = 4\nalpha\n*\ncolour = red\nno good\n";
        let faults = ClientFile::parse(text).unwrap_err();
        let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [0, 1, 2, 4, 5, 6]);
    }
}
