//! The arguments of a CPU daemon. Strict: they are written by `pollux up` and by daemons, never by people.

use pollux_wire::limits::CPUS_PER_NODE_MAX;
use pollux_wire::record::NodeRecord;
use pollux_wire::{CpuNumber, NodeName};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The hidden command under which the `pollux` program becomes a CPU daemon.
pub const CPU_COMMAND: &str = "__cpu";

/// How a CPU is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The node's own directory, mode 0700.
    pub run_directory: PathBuf,
    /// The directory that holds it; what programs are told as run directory.
    pub run_root: PathBuf,
    /// The node.
    pub node: NodeName,
    /// Which CPU this is.
    pub cpu: CpuNumber,
    /// CPUs of the node.
    pub cpus: u8,
    /// Silence after which a peer counts as hung, milliseconds of own ticks.
    pub sick_after_ms: u32,
    /// Time after which a stopped process counts as hung, milliseconds; 0 = never.
    pub hang_after_ms: u32,
    /// Time after which a failed CPU is started again, milliseconds; 0 = never.
    pub reload_after_ms: u32,
    /// False leaves the processes on all processors.
    pub bind: bool,
    /// All processors of the node. A daemon started by a daemon is told them, since it inherits only its starter's share.
    pub processors: Option<Vec<usize>>,
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// An argument that is not known.
    #[error("unknown argument {0:?}: start CPUs with `pollux up`")]
    Unknown(OsString),
    /// An argument is there twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// An argument is not there.
    #[error("{0} is missing: start CPUs with `pollux up`")]
    Missing(&'static str),
    /// The value behind an argument is missing or wrong.
    #[error("{name} has no right value: {why}")]
    BadValue {
        /// The argument.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
}

const VALUED: [&str; 9] = [
    "--run-dir",
    "--run-root",
    "--node",
    "--cpu",
    "--cpus",
    "--sick-after-ms",
    "--hang-after-ms",
    "--reload-after-ms",
    "--processors",
];
const NO_BIND: &str = "--no-bind";

impl Arguments {
    /// Reads the arguments behind [`CPU_COMMAND`].
    pub fn parse(arguments: &[OsString]) -> Result<Self, ArgumentsError> {
        let given = Given::sort(arguments)?;
        let run_directory = PathBuf::from(given.required("--run-dir")?);
        if !run_directory.is_absolute() {
            return Err(bad("--run-dir", "it is not an absolute path"));
        }
        let run_root = match given.value("--run-root") {
            Some(root) => PathBuf::from(root),
            None => run_directory.parent().map(Path::to_path_buf).unwrap_or_default(),
        };
        let cpus: u8 = given.number("--cpus")?;
        if cpus == 0 || cpus > CPUS_PER_NODE_MAX {
            return Err(bad("--cpus", &format!("a node has 1 to {CPUS_PER_NODE_MAX} CPUs")));
        }
        let number: u8 = given.number("--cpu")?;
        let cpu = CpuNumber::new(number)
            .filter(|_| number < cpus)
            .ok_or_else(|| bad("--cpu", &format!("the CPUs of this node are 0 to {}", cpus - 1)))?;
        let sick_after_ms: u32 = given.number("--sick-after-ms")?;
        if sick_after_ms == 0 {
            return Err(bad("--sick-after-ms", "0 would kill each peer at once"));
        }
        Ok(Self {
            run_directory,
            run_root,
            node: given.parsed("--node")?,
            cpu,
            cpus,
            sick_after_ms,
            hang_after_ms: given.number("--hang-after-ms")?,
            reload_after_ms: given.number("--reload-after-ms")?,
            bind: !given.no_bind,
            processors: given.value("--processors").map(parse_processors).transpose()?,
        })
    }

    /// The arguments, [`CPU_COMMAND`] first, that start CPU `cpu` of the same node on the same `processors`.
    pub fn for_cpu(&self, cpu: CpuNumber, processors: &[usize]) -> Vec<OsString> {
        let mut arguments = vec![OsString::from(CPU_COMMAND)];
        let mut add = |name: &str, value: &OsStr| arguments.extend([OsString::from(name), value.to_owned()]);
        add("--run-dir", self.run_directory.as_os_str());
        add("--run-root", self.run_root.as_os_str());
        add("--node", self.node.as_str().as_ref());
        add("--cpu", cpu.to_string().as_ref());
        add("--cpus", self.cpus.to_string().as_ref());
        add("--sick-after-ms", self.sick_after_ms.to_string().as_ref());
        add("--hang-after-ms", self.hang_after_ms.to_string().as_ref());
        add("--reload-after-ms", self.reload_after_ms.to_string().as_ref());
        if !processors.is_empty() {
            let list: Vec<String> = processors.iter().map(usize::to_string).collect();
            add("--processors", list.join(",").as_ref());
        }
        if !self.bind {
            arguments.push(NO_BIND.into());
        }
        arguments
    }

    /// The settings as the coordinator keeps them.
    pub fn node_record(&self) -> NodeRecord {
        NodeRecord {
            node: self.node.to_string(),
            cpus: self.cpus,
            unbound: !self.bind,
            sick_after_ms: self.sick_after_ms,
            hang_after_ms: self.hang_after_ms,
            reload_after_ms: self.reload_after_ms,
        }
    }

    /// The socket on which a CPU of this node listens.
    pub fn socket_of(&self, cpu: CpuNumber) -> PathBuf {
        self.run_directory.join(format!("cpu-{cpu}.sock"))
    }
}

fn bad(name: &'static str, why: &str) -> ArgumentsError {
    ArgumentsError::BadValue { name, why: why.to_owned() }
}

fn parse_processors(list: &OsStr) -> Result<Vec<usize>, ArgumentsError> {
    let numbers = list.to_str().and_then(|text| text.split(',').map(|one| one.parse().ok()).collect());
    numbers.ok_or_else(|| bad("--processors", "it is not a list of numbers with commas"))
}

/// Arguments sorted by their names.
struct Given<'a> {
    values: Vec<(&'static str, &'a OsStr)>,
    no_bind: bool,
}

impl<'a> Given<'a> {
    fn sort(arguments: &'a [OsString]) -> Result<Self, ArgumentsError> {
        let mut given = Given { values: Vec::new(), no_bind: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == NO_BIND {
                given.no_bind = true;
                continue;
            }
            let Some(name) = VALUED.into_iter().find(|name| argument == name) else {
                return Err(ArgumentsError::Unknown(argument.clone()));
            };
            let value = rest.next().ok_or_else(|| bad(name, "nothing stands behind it"))?;
            if given.value(name).is_some() {
                return Err(ArgumentsError::Twice(name));
            }
            given.values.push((name, value));
        }
        Ok(given)
    }

    fn value(&self, name: &str) -> Option<&'a OsStr> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn required(&self, name: &'static str) -> Result<&'a OsStr, ArgumentsError> {
        self.value(name).ok_or(ArgumentsError::Missing(name))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &'static str) -> Result<T, ArgumentsError> {
        let text = self.required(name)?.to_str().ok_or_else(|| bad(name, "it is not UTF-8"))?;
        text.parse().map_err(|error: T::Err| bad(name, &error.to_string()))
    }

    fn number<T: FromStr<Err: std::fmt::Display>>(&self, name: &'static str) -> Result<T, ArgumentsError> {
        self.parsed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    const RIGHT: &str = "--run-dir /run/p/POLLUX --node \\POLLUX --cpu 1 --cpus 4 --sick-after-ms 1000 --hang-after-ms 0 --reload-after-ms 500";

    // A CPU that is started again with other settings than it had would not fit to its node.
    #[test]
    fn what_is_passed_on_is_what_was_given() {
        let arguments = Arguments::parse(&words(RIGHT)).unwrap();
        assert_eq!(arguments.run_root, Path::new("/run/p"));
        assert_eq!((arguments.cpu.get(), arguments.cpus, arguments.bind), (1, 4, true));
        let other = CpuNumber::new(3).unwrap();
        let passed = arguments.for_cpu(other, &[2, 3]);
        assert_eq!(passed[0], CPU_COMMAND);
        let expected = Arguments { cpu: other, processors: Some(vec![2, 3]), ..arguments };
        assert_eq!(Arguments::parse(&passed[1..]), Ok(expected));

        let unbound = Arguments::parse(&words(&format!("{RIGHT} --no-bind"))).unwrap();
        assert_eq!(Arguments::parse(&unbound.for_cpu(unbound.cpu, &[])[1..]), Ok(unbound));
    }

    // A daemon that starts with a half-understood command line fails later, where nobody looks.
    #[test]
    fn wrong_arguments_are_named() {
        let with = |more: &str| Arguments::parse(&words(&format!("{RIGHT} {more}"))).unwrap_err();
        assert_eq!(with("--bind"), ArgumentsError::Unknown("--bind".into()));
        assert_eq!(with("--cpu 2"), ArgumentsError::Twice("--cpu"));
        assert!(matches!(with("--processors 1,x"), ArgumentsError::BadValue { name: "--processors", .. }));
        assert!(matches!(with("--run-root"), ArgumentsError::BadValue { name: "--run-root", .. }));

        let without =
            |part: &str, other: &str| Arguments::parse(&words(&RIGHT.replace(part, other))).unwrap_err();
        assert_eq!(without("--cpus 4 ", ""), ArgumentsError::Missing("--cpus"));
        assert!(matches!(without("--cpus 4", "--cpus 17"), ArgumentsError::BadValue { name: "--cpus", .. }));
        assert!(matches!(without("--cpu 1", "--cpu 4"), ArgumentsError::BadValue { name: "--cpu", .. }));
        assert!(matches!(without("\\POLLUX", "POLLUX"), ArgumentsError::BadValue { name: "--node", .. }));
        assert!(matches!(
            without("/run/p/POLLUX", "run"),
            ArgumentsError::BadValue { name: "--run-dir", .. }
        ));
    }
}
