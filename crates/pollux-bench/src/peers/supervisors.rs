//! Restart under a supervisor: a shell loop, runit, supervisord. What was in memory is lost, so this is less than a takeover.
//!
//! What is compared: SIGKILL of the process that serves, until a requester that tries again every 0.1 ms has a reply of
//! the next one. The supervised server is as small as can be: it listens on a unix socket, has no state to load and needs no
//! time to come up. Pollux' pair goes on with all of its state. Settings: the shell loop starts it again at once; runit's
//! `runsv` as it comes, with more than a second between kills (below that it waits on purpose); supervisord with
//! `startsecs=0`, its lowest. systemd is not compared: it cannot be run inside of another system for a benchmark.

use crate::numbers::Samples;
use crate::peers::home::{Home, Process, Store};
use crate::peers::packages;
use crate::placement::to_pid;
use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, kill_process, set_parent_process_death_signal};
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const TRY_PAUSE: Duration = Duration::from_micros(100);
const RESTART_WAIT: Duration = Duration::from_secs(20);
/// runit restarts at once only what has run for a second.
const CALM: Duration = Duration::from_millis(1200);

/// Who restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supervisor {
    Shell,
    Runit,
    Supervisord,
}

impl Supervisor {
    pub(crate) const ALL: [Self; 3] = [Self::Shell, Self::Runit, Self::Supervisord];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shell => "restart by a shell loop, state lost",
            Self::Runit => "restart by runit, state lost",
            Self::Supervisord => "restart by supervisord, state lost",
        }
    }

    fn start(self, home: &Home) -> Result<Process> {
        let program = env::current_exe().context("find this program")?.display().to_string();
        let command = format!("'{program}' peer listen '{}'", home.text("socket"));
        match self {
            Self::Shell => home.start(Path::new("/bin/sh"), &["-c", &format!("while :; do {command}; done")]),
            Self::Runit => {
                let runsv = packages::program("runsv", "runit")?;
                let service = home.make_directory("service")?;
                let script = home.write("service/run", &format!("#!/bin/sh\nexec {command}\n"))?;
                fs::set_permissions(script, fs::Permissions::from_mode(0o755)).context("set its mode")?;
                home.start(&runsv, &[&service.display().to_string()])
            }
            Self::Supervisord => {
                let supervisord = packages::program("supervisord", "supervisor")?;
                let text = format!(
                    "[supervisord]\nnodaemon=true\nuser=root\nlogfile={0}/log\npidfile={0}/pid\nchildlogdir={0}\n\
                     [program:server]\ncommand={command}\nautorestart=true\nstartsecs=0\n",
                    home.text("")
                );
                let configuration = home.write("supervisord.conf", &text)?;
                home.start(&supervisord, &["-n", "-c", &configuration.display().to_string()])
            }
        }
    }
}

/// Kills so often: the pauses.
pub(crate) fn kill_often(supervisor: Supervisor, kills: u32) -> Result<Samples> {
    let home = Home::new(Store::Memory)?;
    let mut process = supervisor.start(&home)?;
    let socket = home.path("socket");
    process.wait_until("answers", || ask(&socket))?;
    let mut pauses = Samples::default();
    for _ in 0..kills {
        thread::sleep(CALM);
        let pid = ask(&socket)?;
        let killed = Instant::now();
        kill_process(to_pid(pid)?, Signal::KILL).context("kill the server")?;
        while !ask(&socket).is_ok_and(|now| now != pid) {
            ensure!(killed.elapsed() < RESTART_WAIT, "nobody has started it again");
            thread::sleep(TRY_PAUSE);
        }
        pauses.add(killed.elapsed());
    }
    Ok(pauses)
}

/// One request on a new connection: who has replied.
fn ask(socket: &Path) -> Result<u32> {
    let mut stream = UnixStream::connect(socket).context("connect to the server")?;
    stream.write_all(&[1]).context("ask the server")?;
    let mut reply = [0; size_of::<u32>()];
    stream.read_exact(&mut reply).context("hear the server")?;
    Ok(u32::from_ne_bytes(reply))
}

/// The server: replies with its process id to one request on each connection. It ends with its supervisor.
pub(crate) fn listen(path: &str) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("end with the supervisor")?;
    // The one before has left it behind.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).with_context(|| format!("listen on {path}"))?;
    let reply = std::process::id().to_ne_bytes();
    for stream in listener.incoming() {
        let mut stream = stream.context("take a connection")?;
        // A requester that is gone needs no reply.
        let _ = stream.read_exact(&mut [0]).and_then(|()| stream.write_all(&reply));
    }
    Ok(())
}
