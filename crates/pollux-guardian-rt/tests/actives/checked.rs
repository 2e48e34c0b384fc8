//! The programs again under memcheck and the sanitizers: what the run-time library reads and writes of a program's memory is what
//! the program has given it.
//!
//! The library itself is not instrumented: the sanitizers see what it writes into the program only through the C library, memcheck sees
//! all of it. Nothing is excepted but leaks, which are not looked for: the arguments of `main` are never given back.

use crate::common::{Programs, Test};
use crate::scene::{self, Scene};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const TESTS: &[Test] =
    &[("programs_under_memcheck", memcheck), ("programs_under_sanitizers", sanitizers)];

/// Lines of the copied file: memcheck is some fifty times slower.
const LINES: usize = 40;
/// A program under memcheck needs a quarter of a minute to begin.
const MEMCHECK_PATIENCE: Duration = Duration::from_secs(90);

fn memcheck(programs: &Programs) {
    let works = |command: &mut Command| {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    if !works(Command::new("valgrind").args(["-q", "true"])) {
        println!("SKIPPED: no valgrind that works here; next: apt-get install valgrind");
        return;
    }
    let mut scene = Scene::of(programs, 2);
    scene.node.be_patient(MEMCHECK_PATIENCE);
    let log = scene.file("found.%p");
    // No door for a debugger: its files stay behind where a program is killed.
    let before = vec!["-q".to_owned(), "--vgdb=no".to_owned(), format!("--log-file={log}")];
    work(&scene, &Checked { tool: Some(("valgrind", before)), suffix: "", variables: Vec::new() });
    scene.node.finish();
}

fn sanitizers(programs: &Programs) {
    let options = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"];
    if !scene::compile_checked(programs, "_san", &options) {
        println!("SKIPPED: gcc has no sanitizers here; next: apt-get install libasan8 libubsan1");
        return;
    }
    let scene = Scene::of(programs, 2);
    let to_file = format!("log_path={}:detect_leaks=0", scene.file("found"));
    let variables = vec![("ASAN_OPTIONS", to_file.clone()), ("UBSAN_OPTIONS", to_file)];
    work(&scene, &Checked { tool: None, suffix: "_san", variables });
    scene.node.finish();
}

/// How a program is run under a check.
struct Checked {
    tool: Option<(&'static str, Vec<String>)>,
    suffix: &'static str,
    variables: Vec<(&'static str, String)>,
}

impl Checked {
    fn run(&self, scene: &Scene<'_>, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        let program = scene.programs.path(&format!("{program}{}", self.suffix));
        let mut words: Vec<String> = Vec::new();
        let mut path = program.clone();
        if let Some((tool, before)) = &self.tool {
            path = find(tool);
            words.extend(before.iter().cloned());
            words.push(program.to_str().unwrap().to_owned());
        }
        words.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let variables: Vec<(&str, &str)> =
            self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        scene.run_path(cpu, Some(name), &path, &words, &variables);
    }
}

fn find(tool: &str) -> std::path::PathBuf {
    let paths = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&paths).map(|place| place.join(tool)).find(|path| path.is_file()).unwrap()
}

/// Each program does what it is for, undisturbed and with one takeover; then nothing must have been found.
fn work(scene: &Scene<'_>, checked: &Checked) {
    let text: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
    fs::write(scene.file("from"), &text).unwrap();
    checked.run(scene, 0, "$COPY", "pair_copy", &[&scene.file("from"), &scene.file("to")]);
    scene.node.wait_until("it has begun", || {
        scene.node.state("$COPY").is_some() || scene.node.record("$COPY").is_none()
    });
    scene.gone("$COPY");
    assert_eq!(scene.text("to"), text, "{}\n{}", found(scene), scene.node.logs());

    checked.run(scene, 0, "$SRV", "pair_server", &[&scene.file("records")]);
    scene.node.wait_until("the server has a backup", || {
        scene.node.record("$SRV").is_some_and(|record| record.backup.is_some())
    });
    checked.run(scene, 1, "$C", "pair_requester", &["$SRV", "20", "c"]);
    scene.gone("$C");
    assert_eq!(scene.text("records").lines().count(), 20, "{}\n{}", found(scene), scene.node.logs());
    assert_eq!(scene.ask("$SRV", "SWITCH"), "OK");
    assert_eq!(scene.ask("$SRV", "COUNT"), "OK 20");
    scene.kill(scene.paired("$SRV").primary);
    assert_eq!(scene.ask("$SRV", "COUNT"), "OK 20");

    checked.run(scene, 0, "$ECHO", "nowait_server", &[]);
    for (asked, said) in [("SAY hello", "hello"), ("LATER 1 late", "late"), ("ASK $SRV COUNT", "OK 20")] {
        assert_eq!(scene.ask("$ECHO", asked), said);
    }

    checked.run(scene, 0, "$P", "row", &[&scene.file("P"), &scene.file("out"), "1"]);
    assert_eq!(scene.ask("$P", "start;open;opens;lines a;update"), "start 0 0 0 open 0 opens 0 update 0");
    scene.kill(scene.paired("$P").primary);
    scene.hears("$P", "1: again a: 0");
    for name in ["$SRV", "$ECHO", "$P"] {
        scene.node.stop_pair(name);
    }
    assert_eq!(found(scene), "", "nothing may be found");
}

/// All that the tools have written.
fn found(scene: &Scene<'_>) -> String {
    let mut paths: Vec<_> =
        fs::read_dir(scene.place.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_report = |path: &&std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("found"))
    };
    let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    paths.iter().filter(is_report).map(|path| read(path)).collect()
}
