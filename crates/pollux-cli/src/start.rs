//! Starting a node: one daemon per CPU, all or none.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pollux_os::StopSignals;
use pollux_wire::CpuNumber;
use rustix::fs::FlockOperation;

use crate::client::{Admin, NoAnswer};
use crate::error::{Failure, Result};
use crate::hidden;
use crate::node::{Node, all_cpus};
use crate::survey::{Daemons, Survey};

/// By then every CPU has joined, or the start is undone.
const READY_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines of a log shown with an error.
const LOG_LINES_SHOWN: usize = 5;

/// How a node is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// CPUs.
    pub(crate) cpus: u8,
    /// Processes are not bound to processors.
    pub(crate) unbound: bool,
    /// Silence after which a CPU counts as failed.
    pub(crate) sick_after_ms: u32,
    /// Time after which a process counts as hung.
    pub(crate) hang_after_ms: u32,
    /// Time after which a failed CPU is started again; 0 = never.
    pub(crate) reload_after_ms: u32,
}

impl Settings {
    /// What `pollux up` does when told nothing.
    pub(crate) const DEFAULT: Settings =
        Settings { cpus: 2, unbound: false, sick_after_ms: 3000, hang_after_ms: 250, reload_after_ms: 500 };

    /// The daemon's command line.
    fn arguments(&self, node: &Node, cpu: CpuNumber) -> Vec<std::ffi::OsString> {
        let mut arguments: Vec<std::ffi::OsString> = vec![
            hidden::CPU.into(),
            "--run-root".into(),
            node.root().into(),
            "--run-dir".into(),
            node.directory().into(),
            "--node".into(),
            node.name().as_str().into(),
        ];
        for (option, value) in [
            ("--cpu", u32::from(cpu.get())),
            ("--cpus", u32::from(self.cpus)),
            ("--sick-after-ms", self.sick_after_ms),
            ("--hang-after-ms", self.hang_after_ms),
            ("--reload-after-ms", self.reload_after_ms),
        ] {
            arguments.push(option.into());
            arguments.push(value.to_string().into());
        }
        if self.unbound {
            arguments.push("--no-bind".into());
        }
        arguments
    }
}

/// A node that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// The node as it was when it was ready.
    pub(crate) survey: Survey,
}

/// Starts all CPUs of a node and waits until each is connected to all others. On any failure, and on Ctrl-C,
/// everything that was started is ended again.
pub(crate) fn start(node: &Node, settings: &Settings) -> Result<Started> {
    node.make_directories()?;
    let _lock = lock(node)?;
    refuse_if_running(node)?;
    let stop = StopSignals::new()
        .map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "try again"))?;
    let mut started = Starting { node, daemons: Vec::new() };
    for cpu in all_cpus().take(usize::from(settings.cpus)) {
        started.spawn(cpu, settings)?;
    }
    let survey = started.wait_ready(&stop)?;
    started.daemons.clear();
    Ok(Started { survey })
}

/// Keeps a second `pollux up` or `down` of this node away. The kernel lets go of the lock when we die.
pub(crate) fn lock(node: &Node) -> Result<File> {
    let path = node.lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Failure::file("open", &path, &error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::new(
            format!("another pollux up or down of node {} is at work", node.name()),
            "wait until it is done, then try again",
        )),
        Err(errno) => Err(Failure::file("lock", &path, &errno.into())),
    }
}

/// Two sets of daemons in one directory would fight over its names. Old sockets of a crash are removed.
fn refuse_if_running(node: &Node) -> Result<()> {
    for cpu in node.cpus_with_socket() {
        match Admin::connect(&node.socket(cpu)) {
            Ok(admin) => {
                return Err(Failure::new(
                    format!(
                        "node {} is running already (CPU {cpu}, pid {})",
                        node.name(),
                        admin.daemon_pid()
                    ),
                    format!(
                        "pollux status{0} shows it, pollux down{0} stops it; for a second node: pollux up --node '\\OTHER'",
                        node.option()
                    ),
                ));
            }
            Err(NoAnswer::NotRunning) => {
                let path = node.socket(cpu);
                fs::remove_file(&path)
                    .map_err(|error| Failure::file("remove the old socket", &path, &error))?;
            }
            Err(other) => {
                return Err(Failure::new(
                    format!("node {} seems to run: CPU {cpu}: {other}", node.name()),
                    format!("pollux down{} ends it, whatever state it is in", node.option()),
                ));
            }
        }
    }
    Ok(())
}

/// Daemons on their way up; those still in the list when this is dropped are killed.
struct Starting<'a> {
    node: &'a Node,
    daemons: Vec<(CpuNumber, Child)>,
}

impl Starting<'_> {
    fn spawn(&mut self, cpu: CpuNumber, settings: &Settings) -> Result<()> {
        let log_path = self.node.daemon_log(cpu);
        let failed = |error| Failure::file("write", &log_path, &error);
        let log = OpenOptions::new().create(true).append(true).open(&log_path).map_err(failed)?;
        let program = own_program()?;
        let daemon = Command::new(&program)
            .args(settings.arguments(self.node, cpu))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(|error| Failure::file("start", &program, &error))?;
        self.daemons.push((cpu, daemon));
        Ok(())
    }

    fn wait_ready(&mut self, stop: &StopSignals) -> Result<Survey> {
        let deadline = Instant::now() + READY_MAX;
        let mut daemons = Daemons::of(self.node);
        loop {
            if stop.take().is_some() {
                return Err(Failure::interrupted());
            }
            self.fail_if_one_ended()?;
            let survey = daemons.survey().ok();
            if let Some(survey) = survey.filter(|survey| all_connected(survey, self.daemons.len())) {
                return Ok(survey);
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(&mut daemons));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn fail_if_one_ended(&mut self) -> Result<()> {
        for (cpu, daemon) in &mut self.daemons {
            if let Ok(Some(status)) = daemon.try_wait() {
                let log = self.node.daemon_log(*cpu);
                return Err(Failure::new(
                    format!(
                        "the daemon of CPU {cpu} ended at once ({status}){}",
                        last_lines(&log, LOG_LINES_SHOWN)
                    ),
                    format!("mend what its log says, {}, then try again", log.display()),
                ));
            }
        }
        Ok(())
    }

    fn not_ready(&self, daemons: &mut Daemons) -> Failure {
        let up = daemons.survey().map(|survey| survey.cpus_up()).unwrap_or_default();
        let late: Vec<CpuNumber> =
            self.daemons.iter().map(|(cpu, _)| *cpu).filter(|cpu| !up.contains(cpu)).collect();
        let who = match late.first() {
            Some(cpu) => format!("CPU {cpu} does not answer"),
            None => "its CPUs are not connected to each other".to_owned(),
        };
        let log = self.node.daemon_log(late.first().or(up.first()).copied().unwrap_or(self.daemons[0].0));
        Failure::new(
            format!(
                "node {} was not ready within {} s: {who}{}",
                self.node.name(),
                READY_MAX.as_secs(),
                last_lines(&log, LOG_LINES_SHOWN)
            ),
            format!("look at {}, then try again", log.display()),
        )
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        for (cpu, daemon) in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
            let _ = fs::remove_file(self.node.socket(*cpu));
        }
    }
}

fn all_connected(survey: &Survey, cpus: usize) -> bool {
    let up = survey.cpus_up();
    up.len() == cpus
        && survey
            .statuses
            .iter()
            .all(|status| up.iter().all(|other| *other == status.cpu || status.connected.contains(other)))
}

/// The path of this very program, for daemons and for the built-in server.
pub(crate) fn own_program() -> Result<std::path::PathBuf> {
    std::env::current_exe().map_err(|error| {
        Failure::new(format!("cannot find the pollux program itself: {error}"), "is /proc mounted?")
    })
}

/// The last lines of a log, indented, each on a line of its own; empty if there are none.
pub(crate) fn last_lines(path: &Path, count: usize) -> String {
    /// A log can be huge, its last lines are near its end.
    const TAIL_BYTES: u64 = 16 * 1024;
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    if last.is_empty() {
        return String::new();
    }
    let shown: String = last.iter().map(|line| format!("\n    | {line}")).collect();
    format!("; the end of its log:{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeDaemon, cpu, status};
    use pollux_wire::NodeName;
    use pollux_wire::admin::{AdminReply, AdminRequest};

    fn node_in(directory: &Path) -> Node {
        let node = Node::within(directory.join("root"), NodeName::new("\\N").unwrap());
        node.make_directories().unwrap();
        node
    }

    // The daemon reads exactly these words; a change here without one there starts nothing.
    #[test]
    fn the_daemons_command_line() {
        let node = Node::within("/r".into(), NodeName::new("\\N").unwrap());
        let settings = Settings { unbound: true, ..Settings::DEFAULT };
        let words: Vec<String> =
            settings.arguments(&node, cpu(1)).into_iter().map(|word| word.into_string().unwrap()).collect();
        assert_eq!(
            words.join(" "),
            "__cpu --run-root /r --run-dir /r/N --node \\N --cpu 1 --cpus 2 --sick-after-ms 3000 \
             --hang-after-ms 250 --reload-after-ms 500 --no-bind"
        );
    }

    // A second `up` would start daemons that fight the first ones over names.
    #[test]
    fn a_running_node_is_refused_and_old_sockets_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let node = node_in(directory.path());
        drop(pollux_os::listen_unix(&node.socket(cpu(1))).unwrap());
        assert!(node.socket(cpu(1)).exists());
        refuse_if_running(&node).unwrap();
        assert!(!node.socket(cpu(1)).exists());

        let daemon = FakeDaemon::start(&node.socket(cpu(0)), |_| Some(AdminReply::Done {}));
        let failure = refuse_if_running(&node).unwrap_err();
        assert!(failure.what.starts_with("node \\N is running already (CPU 0, pid "), "{failure}");
        assert!(failure.next.contains("pollux down --node '\\N' stops it"), "{failure}");
        daemon.stop();
    }

    // Two at once would each find nothing running, and both start.
    #[test]
    fn two_starts_at_once_exclude_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let node = node_in(directory.path());
        let held = lock(&node).unwrap();
        assert!(lock(&node).unwrap_err().what.contains("is at work"));
        drop(held);
        lock(&node).unwrap();
    }

    // "Ready" before all CPUs know each other lets the first takeover find no partner.
    #[test]
    fn ready_means_all_connected_to_all() {
        let connected = |statuses| Survey { statuses, processes: vec![], silent: vec![] };
        assert!(all_connected(&connected(vec![status(0, vec![]), status(1, vec![])]), 2));
        assert!(!all_connected(&connected(vec![status(0, vec![])]), 2));
        let mut apart = status(1, vec![]);
        apart.connected.clear();
        assert!(!all_connected(&connected(vec![status(0, vec![]), apart]), 2));
        let _ = AdminRequest::Status {};
    }

    // The end of a log is what explains a failure; a log of gigabytes must not be read whole.
    #[test]
    fn the_end_of_a_log_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(last_lines(&path, 2), "");
        fs::write(&path, format!("{}\nfirst\n\nsecond\nthird\n", "x".repeat(100_000))).unwrap();
        assert_eq!(last_lines(&path, 2), "; the end of its log:\n    | second\n    | third");
    }
}
