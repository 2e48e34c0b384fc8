//! C programs on `libnof`: every verb, both layouts, against live servers.

use super::place::{PATIENCE, Place};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

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

    // Nobody of the list is up: gamma is a peer and can be read.
    place.down("alpha");
    place.wait("nobody acts", || place.acting("gamma").is_none());
    for name in ["open_file", "central_logging", "connect_node"] {
        check_with(&place, name, Some("none"), |command| place.surround(command, "gamma"));
    }
}

struct Watcher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    fn start(place: &Place, name: &str, host: &str) -> Self {
        let mut command = Command::new(compile(place, name, 128));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
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

// A program that manages the domain must hear of what others do, and of a takeover.
#[test]
fn indications_and_stale_handles() {
    let place = Place::with_servers(&["--domain-time", "stable=600"], &["alpha", "beta", "gamma"]);
    place.wait("in step", || place.domain("gamma", &["status"]).code == Some(0));
    let mut watcher = Watcher::start(&place, "indications", "gamma");
    let mut stale = Watcher::start(&place, "stale_handle", "gamma");
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
