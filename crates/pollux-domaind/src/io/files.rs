//! The files of one server: what they hold at the start, and how they are replaced.
//!
//! ```text
//! <files>/<host>/
//!   lock            held while the server runs: two servers must not write the same files
//!   life            counts the lives of this server
//!   settings        domain and mode, so that a start with others is refused
//!   create          the records are still to be made from these files (first start), or again ("recover")
//!   ca.crt  ca.key  server.crt  server.key  addresses    see `identity`
//!   sna.net  sna_domn.cfg  sna_node.cfg  managed.cfg  sna.err  *.conflict.*
//! ```
//!
//! Invariant: the domain file is replaced before `sna.net`, and conflict copies are safe before either (S13).

use crate::core::{Input, Output};
use crate::identity::{self, Contact};
use pollux_domain::content::Content;
use pollux_domain::files::atomic::{self, WriteError};
use pollux_domain::files::{DomainFile, SnaNet};
use pollux_domain::name::ServerName;
use pollux_domain::succession::{Copies, Incarnation, Mode, Save};
use pollux_wire::Epoch;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest file that is read; more is damaged.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The log file is put aside when it is so long.
const LOG_BYTES_MAX: u64 = 1024 * 1024;
/// So long a start waits for the lock of an earlier life that is ending.
const LOCK_MAX: Duration = Duration::from_secs(20);
const LOCK_EVERY: Duration = Duration::from_millis(5);

/// Why the files cannot be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FilesError(pub String);

/// The directory of one server.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    domain: String,
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process; makes it when there is none.
    pub(crate) fn enter(
        files: &Path,
        host: &ServerName,
        domain: &str,
        mode: Mode,
    ) -> Result<Self, FilesError> {
        let path = files.join(host.as_str());
        make_directory(&path)?;
        let failed = |what: &str, error: io::Error| {
            FilesError(format!(
                "cannot {what} {}: {error}; choose another place with --domain-dir",
                path.display()
            ))
        };
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(path.join("lock"))
            .map_err(|e| failed("open the lock in", e))?;
        let begin = Instant::now();
        while let Err(errno) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if begin.elapsed() >= LOCK_MAX || errno != rustix::io::Errno::WOULDBLOCK {
                let text = format!(
                    "{} is in use by another server of that name; give this one another --host, or stop the other",
                    path.display()
                );
                return Err(FilesError(text));
            }
            thread::sleep(LOCK_EVERY);
        }
        let directory = Self { path, domain: domain.to_owned(), _lock: lock };
        directory.check_settings(mode)?;
        for name in
            ["sna.net", "sna_domn.cfg", "sna_node.cfg", "managed.cfg", "life", "settings", "addresses"]
        {
            atomic::clean(&directory.path.join(name));
        }
        Ok(directory)
    }

    /// A server that was quorum and comes back as legacy would act beside the others.
    fn check_settings(&self, mode: Mode) -> Result<(), FilesError> {
        let word = if mode == Mode::Quorum { "quorum" } else { "legacy" };
        let wanted = format!("domain = {}\nmode = {word}\n", self.domain);
        let path = self.path.join("settings");
        match fs::read_to_string(&path) {
            Ok(found) if found == wanted => Ok(()),
            Ok(found) => Err(FilesError(format!(
                "{} says '{}', and the server is started with '{}': all servers of a domain follow one mode; start it as \
                 the file says, or change the mode of all servers while all are stopped",
                path.display(),
                found.trim_end().replace('\n', ", "),
                wanted.trim_end().replace('\n', ", ")
            ))),
            Err(_) => atomic::replace(&path, &wanted).map_err(|error| FilesError(error.to_string())),
        }
    }

    /// The next life of this server: greater than all before it.
    pub(crate) fn next_life(&self) -> Result<Incarnation, FilesError> {
        let path = self.path.join("life");
        let life = match fs::read_to_string(&path) {
            Ok(text) => life_after(&text).ok_or_else(|| {
                let text = "holds no number with one above it; write one greater than any before";
                FilesError(format!("{} {text}", path.display()))
            })?,
            Err(_) => 1,
        };
        atomic::replace(&path, &format!("{life}\n")).map_err(|error| FilesError(error.to_string()))?;
        Ok(Incarnation(life))
    }

    /// What the files hold, and what is wrong with them.
    pub(crate) fn read(&self) -> (Copies, Vec<String>) {
        let mut faults = Vec::new();
        let net = self.text("sna.net", &mut faults).and_then(|text| match SnaNet::parse(&text) {
            Ok(net) if net.domain == self.domain => Some((Arc::new(net.content), net.epoch)),
            Ok(net) => {
                let text = format!("is of domain {}, not of {}; it is not used", net.domain, self.domain);
                faults.push(format!("{}: {text}", self.path.join("sna.net").display()));
                None
            }
            Err(found) => {
                faults.extend(damaged(&self.path.join("sna.net"), &found.to_string()));
                None
            }
        });
        let file = self.text("sna_domn.cfg", &mut faults).and_then(|text| match DomainFile::parse(&text) {
            Ok(file) => Some(Arc::new(file.content)),
            Err(found) => {
                faults.extend(damaged(&self.path.join("sna_domn.cfg"), &found.to_string()));
                None
            }
        });
        (Copies { net, file }, faults)
    }

    fn text(&self, name: &str, faults: &mut Vec<String>) -> Option<String> {
        let path = self.path.join(name);
        match read_limited(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                faults.push(format!("{}: {error}; it is not used", path.display()));
                None
            }
        }
    }

    /// The order to make the records, if there is one: `Some(recover)`.
    pub(crate) fn wants_create(&self) -> Option<bool> {
        let text = fs::read_to_string(self.path.join("create")).ok()?;
        Some(text.trim() == "recover")
    }

    /// The path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn save(
        &self,
        content: &Arc<Content>,
        epoch: Epoch,
        with_file: bool,
        keep: Option<&Arc<Content>>,
    ) -> Result<(), WriteError> {
        let (net, file) = (self.path.join("sna.net"), self.path.join("sna_domn.cfg"));
        if let Some(keep) = keep {
            for path in [&file, &net] {
                atomic::keep_aside(path, &atomic::conflict_path(path, &keep.stamp))?;
            }
        }
        if with_file {
            atomic::replace(&file, &DomainFile { content: (**content).clone() }.print())?;
        }
        let content = Content { file: "".into(), ..(**content).clone() };
        let text = SnaNet { domain: self.domain.clone(), epoch, content }.print();
        atomic::replace(&net, &text)
    }
}

/// The number behind the one in the text.
pub(crate) fn life_after(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok()?.checked_add(1)
}

fn damaged(path: &Path, faults: &str) -> Vec<String> {
    faults.lines().map(|fault| format!("{}: {fault}", path.display())).collect()
}

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Makes the directory of a server, if there is none.
pub(crate) fn make_directory(path: &Path) -> Result<(), FilesError> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(|error| {
        FilesError(format!("cannot make {}: {error}; choose another place with --domain-dir", path.display()))
    })
}

/// Makes the files of a new domain and its authority for certificates, for the server that becomes its master.
pub fn initialize(
    files: &Path,
    host: &ServerName,
    domain: &str,
    mode: Mode,
    text: &str,
) -> Result<PathBuf, FilesError> {
    let directory = Directory::enter(files, host, domain, mode)?;
    let net = directory.path.join("sna.net");
    if net.exists() {
        return Err(FilesError(format!(
            "{} exists: the domain is there already; start its server, or remove the directory to begin anew",
            net.display()
        )));
    }
    let content = Arc::new(Content::new(host.clone(), text));
    let failed = |error: WriteError| FilesError(error.to_string());
    directory.save(&content, content.stamp.epoch, true, None).map_err(failed)?;
    identity::initialize(&directory.path, domain, host)?;
    atomic::replace(&directory.path.join("create"), "create\n").map_err(failed)?;
    Ok(directory.path)
}

/// The newest stamp of the files of each server below `files`, for a start after the coordinator of this host was lost.
pub(crate) fn newest_of_all(files: &Path) -> Option<(ServerName, (Epoch, u64))> {
    let mut newest: Option<(ServerName, (Epoch, u64))> = None;
    for entry in fs::read_dir(files).ok()?.flatten() {
        let Ok(name) = ServerName::new(&entry.file_name().to_string_lossy()) else { continue };
        let Ok(text) = read_limited(&entry.path().join("sna_domn.cfg")) else { continue };
        let Ok(file) = DomainFile::parse(&text) else { continue };
        let order = file.content.stamp.order();
        if newest.as_ref().is_none_or(|(other, best)| (order, &name) > (*best, other)) {
            newest = Some((name, order));
        }
    }
    newest
}

/// Starts the thread that writes: it alone waits for the disk.
pub(crate) fn start(directory: Arc<Directory>, inbox: Sender<Input>) -> io::Result<Sender<Output>> {
    let (send, jobs): (Sender<Output>, Receiver<Output>) = channel();
    thread::Builder::new().name("files".to_owned()).spawn(move || {
        while let Ok(job) = jobs.recv() {
            match job {
                Output::Save(Save { number, content, epoch, with_file, keep_conflict }) => {
                    let saved = directory.save(&content, epoch, with_file, keep_conflict.as_ref());
                    let problem = saved.err().map(|error| error.to_string());
                    if inbox.send(Input::Saved { number, problem }).is_err() {
                        return;
                    }
                }
                Output::Created => drop(fs::remove_file(directory.path.join("create"))),
                Output::Addresses(addresses) => {
                    let contact = |(server, address)| Contact { server, address: Some(address) };
                    let contacts: Vec<Contact> = addresses.into_iter().map(contact).collect();
                    // Found again from the others when it could not be kept.
                    drop(identity::write_addresses(&directory.path, &contacts));
                }
                Output::Log { line, central } => log(&directory.path, &line, central),
                _ => {}
            }
        }
    })?;
    Ok(send)
}

/// One line to the server's own log, which its node keeps, and to `sna.err`: problems, and what other servers sent here.
fn log(directory: &Path, line: &str, central: bool) {
    pollux_os::say!("{line}");
    if !central && !line.starts_with("problem:") {
        return;
    }
    let path = directory.join("sna.err");
    if fs::metadata(&path).is_ok_and(|data| data.len() > LOG_BYTES_MAX) {
        drop(fs::rename(&path, directory.join("sna.err.old")));
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(&path);
    // A log that cannot be written must not stop the domain.
    drop(file.and_then(|mut file| writeln!(file, "{line}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    // After the last of all numbers the first would come again: two lives of a server could not be told apart.
    #[test]
    fn the_number_behind_the_last_one_is_none() {
        assert_eq!(life_after(" 41\n"), Some(42));
        assert_eq!(life_after(&u64::MAX.to_string()), None);
        assert_eq!(life_after("x"), None);
    }

    fn enter(files: &Path, mode: Mode) -> Result<Directory, FilesError> {
        Directory::enter(files, &ServerName::new("alpha").unwrap(), "plant", mode)
    }

    // A server that reads half a file, or one that a person changed, would act on something nobody decided.
    #[test]
    fn torn_and_edited_files_are_named_with_their_line() {
        let place = tempfile::tempdir().unwrap();
        let host = ServerName::new("alpha").unwrap();
        let path =
            initialize(place.path(), &host, "plant", Mode::Quorum, "[logging]\ncentral = no\n").unwrap();
        let directory = enter(place.path(), Mode::Quorum).unwrap();
        let (copies, faults) = directory.read();
        assert!(copies.net.is_some() && copies.file.is_some() && faults.is_empty(), "{faults:?}");
        assert_eq!(directory.wants_create(), Some(false));

        let file = path.join("sna_domn.cfg");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("central = no", "central = yes")).unwrap();
        let (copies, faults) = directory.read();
        assert!(copies.file.is_none() && copies.net.is_some());
        assert!(faults[0].contains("sna_domn.cfg: line 3: checksum"), "{faults:?}");
        fs::write(&file, &text[..text.len() / 2]).unwrap();
        assert!(directory.read().1[0].contains("sna_domn.cfg: line "), "{:?}", directory.read().1);
        fs::write(path.join("sna.net"), b"\xff\xfe").unwrap();
        assert!(directory.read().1[0].contains("sna.net"), "{:?}", directory.read().1);
    }

    // Two lives with one number could both be taken for the acting master.
    #[test]
    fn lives_count_up_and_one_server_has_the_directory() {
        let place = tempfile::tempdir().unwrap();
        let first = enter(place.path(), Mode::Quorum).unwrap();
        assert_eq!(
            (first.next_life().unwrap(), first.next_life().unwrap()),
            (Incarnation(1), Incarnation(2))
        );
        drop(first);
        let other = enter(place.path(), Mode::Legacy).unwrap_err().to_string();
        assert!(other.contains("mode = quorum") && other.contains("mode = legacy"), "{other}");
        assert_eq!(enter(place.path(), Mode::Quorum).unwrap().next_life().unwrap(), Incarnation(3));
    }

    #[test]
    fn a_domain_is_made_once_and_the_newest_files_are_found() {
        let place = tempfile::tempdir().unwrap();
        let (alpha, beta) = (ServerName::new("alpha").unwrap(), ServerName::new("beta").unwrap());
        initialize(place.path(), &alpha, "plant", Mode::Quorum, "").unwrap();
        let again = initialize(place.path(), &alpha, "plant", Mode::Quorum, "").unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
        let directory = Directory::enter(place.path(), &beta, "plant", Mode::Quorum).unwrap();
        let mut content = Content::new(alpha.clone(), "");
        content.stamp.revision = 9;
        directory.save(&Arc::new(content), Epoch(4), true, None).unwrap();
        assert_eq!(newest_of_all(place.path()), Some((beta, (Epoch(1), 9))));
        assert_eq!(directory.read().0.net.unwrap().1, Epoch(4));
    }
}
