//! What a domain server is started with, as words of a command line.

use crate::address::Address;
use pollux_coordinator::Place;
use pollux_domain::name::{ServerName, check_domain_name};
use pollux_domain::succession::{Mode, Timing};
use pollux_wire::NodeName;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the records are when nothing is said: on this host.
pub const LOCAL: &str = "local";

/// What a domain server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The domain.
    pub domain: String,
    /// The name of this server.
    pub host: ServerName,
    /// The rules.
    pub mode: Mode,
    /// `local`, or an address as [`Place::parse`] reads it.
    pub coordinator: String,
    /// Where servers of other hosts reach this one; without it there are none.
    pub address: Option<Address>,
    /// Changes of the times: `name=milliseconds`.
    pub times: Vec<(String, u64)>,
    /// The directory with a directory of files for each server.
    pub files: PathBuf,
    /// The run root.
    pub run_root: PathBuf,
    /// The node that the server belongs to.
    pub node: NodeName,
    /// Its directory.
    pub node_directory: PathBuf,
}

/// A setting that does not fit; the text says what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

const TIMES: &str = "beat, fence, deadline, rank, stable, answer";

impl Settings {
    /// The words from which [`Settings::parse`] makes the same settings.
    pub fn words(&self) -> Vec<OsString> {
        let mode = match self.mode {
            Mode::Quorum => "quorum",
            Mode::Legacy => "legacy",
        };
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |option: &str, value: OsString| words.extend([option.into(), value]);
        add("--domain", (&self.domain).into());
        add("--host", self.host.as_str().into());
        add("--mode", mode.into());
        add("--coordinator", (&self.coordinator).into());
        add("--files", (&self.files).into());
        add("--run-root", (&self.run_root).into());
        add("--node", self.node.as_str().into());
        add("--node-dir", (&self.node_directory).into());
        if let Some(address) = &self.address {
            add("--address", address.to_string().into());
        }
        for (name, value) in &self.times {
            add("--time", format!("{name}={value}").into());
        }
        words
    }

    /// Reads the words.
    pub fn parse(words: &[OsString]) -> Result<Self, SettingError> {
        let mut rest = words.iter();
        let mut values: Vec<(String, OsString)> = Vec::new();
        while let Some(option) = rest.next() {
            let option = option.to_string_lossy().into_owned();
            let value = rest.next().ok_or_else(|| SettingError(format!("{option} lacks its value")))?;
            values.push((option, value.clone()));
        }
        let get = |option: &str| {
            let found = values.iter().find(|(name, _)| name == option).map(|(_, value)| value.clone());
            found.ok_or_else(|| SettingError(format!("{option} is missing")))
        };
        let text = |option: &str| {
            get(option)?.into_string().map_err(|_| SettingError(format!("{option} is not UTF-8")))
        };
        let address = values.iter().find(|(name, _)| name == "--address");
        let address = address.map(|(_, value)| value.to_string_lossy().parse::<Address>());
        let times = values.iter().filter(|(name, _)| name == "--time");
        let settings = Self {
            domain: text("--domain")?,
            host: ServerName::new(&text("--host")?)
                .map_err(|error| SettingError(format!("--host: {error}")))?,
            mode: mode(&text("--mode")?)?,
            coordinator: text("--coordinator")?,
            address: address.transpose().map_err(|error| SettingError(format!("--address: {error}")))?,
            times: times.map(|(_, value)| time(&value.to_string_lossy())).collect::<Result<_, _>>()?,
            files: get("--files")?.into(),
            run_root: get("--run-root")?.into(),
            node: NodeName::new(&text("--node")?)
                .map_err(|error| SettingError(format!("--node: {error}")))?,
            node_directory: get("--node-dir")?.into(),
        };
        settings.check()?;
        Ok(settings)
    }

    /// Whether the parts fit together.
    pub fn check(&self) -> Result<(), SettingError> {
        check_domain_name(&self.domain)
            .map_err(|error| SettingError(format!("domain {:?}: {error}", self.domain)))?;
        self.timing()?;
        self.place().map(|_| ())
    }

    /// The times: of one host, or of several; then what was changed.
    pub fn timing(&self) -> Result<Timing, SettingError> {
        let one_host = self.coordinator == LOCAL && self.address.is_none();
        let mut timing = if one_host { Timing::ONE_HOST } else { Timing::ACROSS_HOSTS };
        for (name, value) in &self.times {
            let place = match name.as_str() {
                "beat" => &mut timing.beat,
                "fence" => &mut timing.fence,
                "deadline" => &mut timing.deadline,
                "rank" => &mut timing.rank,
                "stable" => &mut timing.stable,
                "answer" => &mut timing.answer,
                _ => return Err(SettingError(format!("no time is called {name}; there are {TIMES}"))),
            };
            *place = *value;
        }
        timing.check().map_err(|error| SettingError(error.to_string()))?;
        Ok(timing)
    }

    /// Where the records are.
    pub fn place(&self) -> Result<Place, SettingError> {
        if self.coordinator == LOCAL {
            let meeting = crate::place::meeting_directory(&self.run_root, &self.domain);
            return Ok(Place::Local(meeting.join("coordinator")));
        }
        let place = Place::parse(&self.coordinator, &format!("pollux-domains/{}", self.domain))
            .map_err(|error| SettingError(error.to_string()))?;
        if cfg!(not(feature = "etcd")) && matches!(place, Place::Etcd(_)) {
            return Err(SettingError(format!(
                "coordinator {}: this program was built without etcd; build it with --features etcd",
                self.coordinator
            )));
        }
        Ok(place)
    }
}

/// `quorum` or `legacy`.
pub fn mode(text: &str) -> Result<Mode, SettingError> {
    match text {
        "quorum" => Ok(Mode::Quorum),
        "legacy" => Ok(Mode::Legacy),
        _ => Err(SettingError(format!("mode {text:?} is neither quorum nor legacy"))),
    }
}

/// `name=milliseconds`.
pub fn time(text: &str) -> Result<(String, u64), SettingError> {
    let wrong = || SettingError(format!("{text:?} is not NAME=MILLISECONDS; names are {TIMES}"));
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    Ok((name.to_owned(), value.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Settings {
        Settings {
            domain: "plant".to_owned(),
            host: ServerName::new("alpha").unwrap(),
            mode: Mode::Quorum,
            coordinator: LOCAL.to_owned(),
            address: "10.0.0.1".parse().ok(),
            times: vec![("stable".to_owned(), 500)],
            files: "/s".into(),
            run_root: "/r".into(),
            node: NodeName::new("\\A").unwrap(),
            node_directory: "/r/A".into(),
        }
    }

    // The command writes the words, the server reads them: a word lost between them starts another domain.
    #[test]
    fn words_are_read_back() {
        let settings = sample();
        assert_eq!(Settings::parse(&settings.words()), Ok(settings));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = sample();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(refused(|s| s.domain = "a b".to_owned()).contains("a b"));
        assert!(refused(|s| s.times = vec![("beat".to_owned(), 0)]).contains("beat (0)"));
        assert!(refused(|s| s.times = vec![("speed".to_owned(), 1)]).contains("no time is called speed"));
        assert!(refused(|s| s.coordinator = "zookeeper".to_owned()).contains("no such kind"));
        assert_eq!(time("beat=7"), Ok(("beat".to_owned(), 7)));
        assert!(time("beat").is_err() && mode("both").is_err());
    }
}
