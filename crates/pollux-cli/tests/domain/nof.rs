//! C programs on `libnof`: every verb, both layouts, against live servers.

use super::codes;
use super::place::{PATIENCE, Place, Servers};
use pollux_domain::files::DomainFile;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Where the programs write down the codes that they have met.
const SEEN_VARIABLE: &str = "POLLUX_NOF_SEEN";
const SEEN: &str = "seen";

fn compile(place: &Place, name: &str, name_bytes: u32) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = place.path(&format!("{name}-{name_bytes}"));
    let library = Place::library();
    let output = Command::new("gcc")
        .args(["-g", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(manifest.join("../pollux-nof/include"))
        .arg(format!("-DPOLLUX_NOF_NAME_BYTES={name_bytes}"))
        .arg("-o")
        .arg(&program)
        .arg(manifest.join(format!("tests/domain/c/{name}.c")))
        .arg("-L")
        .arg(&library)
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .args(["-lnof", "-lpthread"])
        .output()
        .expect("gcc is there");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    program
}

fn check(place: &Place, name: &str, argument: Option<&str>) {
    check_with(place, name, argument, |_| {});
}

fn check_with(place: &Place, name: &str, argument: Option<&str>, around: impl Fn(&mut Command)) {
    for name_bytes in [64, 128] {
        let mut command = Command::new(compile(place, name, name_bytes));
        command.args(argument).stdin(Stdio::null());
        place.surround(&mut command, "alpha");
        command.env(SEEN_VARIABLE, place.path(SEEN));
        around(&mut command);
        let said = place.said(command, &[name]);
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(0), "ok\n"),
            "{name} {argument:?} with {name_bytes}: {said:?}"
        );
    }
}

// The codes and layouts are what programs of the products were compiled against.
#[test]
fn every_verb_returns_what_the_books_say() {
    let place = Place::new(&[]);
    check(&place, "layout", None);
    check(&place, "open_file", Some("unloaded"));
    place.init();
    ["alpha", "beta", "gamma"].iter().for_each(|host| place.up(host));
    place.wait_acts("alpha", "alpha");
    place.domain("alpha", &["add-backup", "beta"]).done();
    place.wait("beta is in step", || place.domain("alpha", &["status"]).code == Some(0));
    for name in [
        "open_file",
        "close_file",
        "set_processing_mode",
        "add_backup",
        "delete_backup",
        "query_sna_net",
        "query_node_all",
        "central_logging",
        "domain_config_file",
        "async",
        "pending",
    ] {
        check(&place, name, None);
    }
    place.domain("alpha", &["add-backup", "delta"]).done();
    check(&place, "connect_node", None);
    place.domain("alpha", &["remove-backup", "delta"]).done();

    let client = place.write("sna_clnt.net", "domain = plant\nnobody\nbeta\n");
    check_with(&place, "add_backup", Some("client"), |command| {
        command.env("POLLUX_SNA_CLNT", &client);
    });

    // The only server of the list that runs cannot be deleted.
    place.down("beta");
    place.wait("beta is away", || place.status("alpha").unwrap()["servers"][1]["up"] == false);
    check(&place, "delete_backup", Some("alpha"));

    if rustix::process::geteuid().is_root() {
        check(&place, "not_authorized", None);
    } else {
        println!("AP_NOT_AUTHORIZED is not tested: only root can become another user");
    }

    // Nobody of the list is up: gamma is a peer and can be read.
    place.down("alpha");
    place.wait("nobody acts", || place.acting("gamma").is_none());
    for name in ["open_file", "central_logging", "connect_node"] {
        check_with(&place, name, Some("none"), |command| place.surround(command, "gamma"));
    }
    bad_record(&place.path(SEEN));
    lost_targets(&place.path(SEEN));
    indications_and_stale_handles(&place.path(SEEN));
    codes::check(&place.path(SEEN));
}

/// A domain file whose seal is right and whose text is none comes on record with the first start.
fn bad_record(seen: &Path) {
    let place = Place::new(&[]);
    place.init();
    let path = place.file("alpha", "sna_domn.cfg");
    let mut file = DomainFile::parse(&fs::read_to_string(&path).unwrap()).unwrap();
    file.content.file = "[nonsense]\n".into();
    fs::write(&path, file.print()).unwrap();
    place.up("alpha");
    place.wait_acts("alpha", "alpha");
    check_with(&place, "open_file", Some("bad"), |command| {
        command.env(SEEN_VARIABLE, seen);
    });
}

/// The master is lost while a program of another server is in commit mode, then that server.
fn lost_targets(seen: &Path) {
    for name_bytes in [64, 128] {
        let place = Place::new(&[]);
        place.init();
        ["alpha", "gamma"].iter().for_each(|host| place.up(host));
        place.wait_acts("gamma", "alpha");
        let mut program = Watcher::start(&place, "lost_target", "gamma", name_bytes, seen);
        program.until("opened");
        place.lose("alpha");
        program.go_on();
        program.until("alone");
        place.lose("gamma");
        program.end(b"x");
    }
}

struct Watcher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    fn start(place: &Place, name: &str, host: &str, name_bytes: u32, seen: &Path) -> Self {
        let mut command = Command::new(compile(place, name, name_bytes));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env(SEEN_VARIABLE, seen);
        place.surround(&mut command, host);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads until that line; what comes between may come.
    fn until(&mut self, wanted: &str) {
        let mut seen = String::new();
        let begin = std::time::Instant::now();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "{wanted:?} did not come: {seen}");
            if line.trim_end() == wanted {
                return;
            }
            seen += &line;
            assert!(begin.elapsed() < PATIENCE, "{wanted:?} did not come: {seen}");
        }
    }

    /// Lets it go on behind a line.
    fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    }

    fn end(mut self, input: &[u8]) {
        self.child.stdin.take().unwrap().write_all(input).unwrap();
        let mut rest = String::new();
        while self.lines.read_line(&mut rest).unwrap() > 0 {}
        assert!(self.child.wait().unwrap().success(), "{rest}");
        assert!(rest.ends_with("ok\n"), "{rest}");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that manages the domain must hear of what others do, and of a takeover.
fn indications_and_stale_handles(seen: &Path) {
    let place = Place::with_servers(&["--domain-time", "stable=600"], &["alpha", "beta", "gamma"]);
    place.wait("in step", || place.domain("gamma", &["status"]).code == Some(0));
    let mut watcher = Watcher::start(&place, "indications", "gamma", 128, seen);
    let mut stale = Watcher::start(&place, "stale_handle", "gamma", 128, seen);
    watcher.until("registered");
    stale.until("opened");
    place.domain("alpha", &["add-backup", "delta"]).done();
    watcher.until("added delta");
    place.domain("gamma", &["remove-backup", "delta"]).done();
    watcher.until("deleted delta");
    let file = place.write("note.cfg", "#! shift change\n");
    place.domain("alpha", &["config", "apply", &file]).done();
    watcher.until("comment shift change");
    place.lose("alpha");
    watcher.until("server alpha active 0 master 0");
    watcher.until("status takeover 1 local 0 handle 1");
    place.wait_acts("gamma", "beta");
    stale.end(b"x");
    place.up("alpha");
    watcher.until("server alpha active 1 master 0");
    watcher.end(b"");
}

// The headers in the tree are what programs are compiled with; they must be what the codec reads.
#[test]
fn headers_are_made_from_the_tables() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pollux-nof/include");
    use pollux_domain::nof::header;
    for (name, text) in [("nof_c.h", header::nof_c_h()), ("values_c.h", header::values_c_h())] {
        let found = fs::read_to_string(directory.join(name)).unwrap();
        assert!(
            found == text,
            "{name} is old: cargo run -p pollux-domain --example headers -- crates/pollux-nof/include"
        );
    }
}

// A Guardian program may manage its domain: the driver finds header and library.
#[test]
fn pollux_cc_finds_header_and_library() {
    let place = Place::new(&[]);
    let source = place.write("uses.c", "#include <nof_c.h>\nint main(void)\n{\n  ADD_BACKUP a = {0};\n  nof(0, &a);\n  return a.primary_rc != AP_INVALID_VERB;\n}\n");
    let program = place.path("uses");
    place.run(&["cc", "-o", program.to_str().unwrap(), &source, "-lnof"]).done();
}
