//! A requester: a process of its own that checks what it is answered.

use crate::wait::PATIENCE;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

/// A running requester. It goes on at least until [`Requester::finish`] closes its standard input.
pub struct Requester {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: PathBuf,
    what: String,
}

impl Requester {
    /// Starts it.
    pub(crate) fn start(mut command: Command, errors: PathBuf, what: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, lines, errors, what: what.to_owned() }
    }

    /// The next line it says.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let state = self.child.try_wait();
                panic!("{} says nothing more ({error}, {state:?}):\n{}", self.what, self.errors())
            }
        }
    }

    /// Ends its input: it does the least it was asked to do, checks, and ends.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Closes its input, waits for its end, and gives what it said; panics if it failed.
    pub fn finish(self) -> String {
        let what = self.what.clone();
        let (status, said, errors) = self.outcome();
        assert!(status.success(), "{what} failed ({status}):\n{said}\n{errors}");
        said
    }

    /// Closes its input, waits for its end, and gives its status, what it said, and its errors.
    pub fn outcome(mut self) -> (ExitStatus, String, String) {
        self.close_input();
        // Until its output ends; as long as it says something it is on its way, however slow the machine is.
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let (what, said, errors) = (&self.what, said.join("\n"), self.errors());
                    panic!("{what} says nothing more and does not end:\n{said}\n{errors}")
                }
            }
        }
        let status = self.child.wait().unwrap();
        let (said, errors) = (said.join("\n"), self.errors());
        (status, said, errors)
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its process.
    pub fn child(&self) -> &Child {
        &self.child
    }

    fn errors(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.errors).and_then(|mut file| file.read_to_string(&mut text));
        text
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
