//! What the tests of the driver share: a library in the place of the run-time library, and running the driver.
//!
//! The library is made from the table. Each procedure prints its name, its presence mask and its values, and stores a
//! number of the size it is told into each result; so a test sees a call exactly as the run-time library would.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use guardian_cc::table::{Kind, Procedure, ResultKind, Table};
use guardian_cc::wrapped;

/// A directory with sources, removed at the end.
pub struct Workshop {
    pub directory: tempfile::TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    /// Writes a file, and the directories above it.
    pub fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, text).expect("written");
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the driver here.
    pub fn cc(&self, arguments: &[&str]) -> Said {
        let private = self.path("private");
        fs::create_dir_all(&private).expect("made");
        let output = Command::new(env!("CARGO_BIN_EXE_pollux-cc"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env("POLLUX_LIBRARY_DIR", library())
            .env_remove("POLLUX_VOLUMES")
            .env("TMPDIR", &private)
            .env("LC_ALL", "C")
            .output()
            .expect("the driver runs");
        let left: Vec<_> = fs::read_dir(&private).expect("read").filter_map(Result::ok).collect();
        assert!(left.is_empty(), "private copies are left behind: {left:?}");
        Said::new(output)
    }

    /// Compiles, links and runs a source; gives what the program printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut words = arguments.to_vec();
        words.extend(["-o", "program"]);
        self.cc(&words).succeeds();
        // The test runner's own library path has the real run-time library, which would come before the stub.
        let output = Command::new(self.path("program"))
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// What a run of the driver said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// Success without a word.
    #[track_caller]
    pub fn silently(self) -> Self {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in:\n{}", self.err);
        self
    }

    #[track_caller]
    pub fn fails(self) -> Self {
        assert_ne!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }
}

/// The directory of the library that stands in for the run-time library.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<tempfile::TempDir> = OnceLock::new();
    LIBRARY.get_or_init(build_library).path()
}

fn build_library() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("library.c"), library_source()).expect("written");
    let output = Command::new("gcc")
        .args(["-shared", "-fPIC", "-O0", "-w", "-o", "libpollux_guardian.so", "library.c"])
        .current_dir(directory.path())
        .output()
        .unwrap_or_else(|error| panic!("these tests need gcc: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory
}

fn library_source() -> String {
    let mut text = String::from(
        "#include <stdio.h>
        #include <string.h>
        #include <stdlib.h>
        #include <unistd.h>
        int pollux_errno;
        int *test_errno(void) { return &pollux_errno; }
        static char pragmas[100];
        void pollux_pragma(const char *name) { strcat(strcat(pragmas, name), \" \"); }
        const char *test_pragmas(void) { return pragmas; }
        /* The library itself reads and writes: a program's own functions of these names must not be reached. */
        int test_pipe(void)
        {
            int ends[2];
            char byte = 0;
            if (pipe(ends) || write(ends[1], \"x\", 1) != 1 || read(ends[0], &byte, 1) != 1) return -1;
            close(ends[0]), close(ends[1]);
            return byte == 'x';
        }
        int pollux_main(int (*program)(int, char **, char **), int argc, char **argv, char **envp)
        {
            int code = program(argc, argv, envp);
            fflush(stdout);
            exit(code);
        }
        static void store(void *result, size_t size)
        {
            if (!result) return;
            long long value = -2;
            memcpy(result, &value, size > 8 ? 8 : size);
        }\n",
    );
    for name in wrapped::all() {
        let _ = writeln!(text, "__asm__(\".globl __wrap_{name}\\n__wrap_{name}: jmp {name}@PLT\");");
    }
    for procedure in Table::built_in().provided() {
        function(&mut text, procedure);
    }
    text
}

fn function(text: &mut String, procedure: &Procedure) {
    let result = match procedure.result {
        ResultKind::Void => "void",
        ResultKind::Error | ResultKind::Int16 | ResultKind::Cc => "short",
        ResultKind::Int32 => "int",
        ResultKind::Int64 | ResultKind::Long => "long long",
        ResultKind::Stream | ResultKind::Pointer => "void *",
    };
    let mut parameters = vec!["unsigned long long present".to_owned()];
    let mut body = format!("printf(\"{} %llx\", present);", procedure.name);
    for parameter in procedure.list() {
        let name = &parameter.name;
        match parameter.kind {
            Kind::I16 | Kind::U16 | Kind::I32 | Kind::I64 | Kind::Long => {
                let c_type = match parameter.kind {
                    Kind::I16 => "short",
                    Kind::U16 => "unsigned short",
                    Kind::I32 => "int",
                    _ => "long long",
                };
                parameters.push(format!("{c_type} {name}"));
                let _ = write!(body, " printf(\" {name}=%lld\", (long long){name});");
            }
            Kind::Sized(_) | Kind::Address(_) => {
                parameters.push(format!("void *{name}, size_t {name}_size"));
                let _ = write!(body, " printf(\" {name}:%zu\", {name}_size); store({name}, {name}_size);");
            }
            _ => parameters.push(format!("void *{name}")),
        }
    }
    let _ = writeln!(
        text,
        "{result} px_{0}({1}) {{ {body} printf(\"\\n\"); {2} }}",
        procedure.name,
        parameters.join(", "),
        if result == "void" { "" } else { "return 0;" }
    );
    // Through a pointer: everything is given.
    let names: Vec<String> = procedure
        .list()
        .iter()
        .map(|one| match one.kind {
            Kind::Sized(size) | Kind::Address(size) => format!("(void *){}, {size}", one.name),
            _ => one.name.clone(),
        })
        .collect();
    let plain: Vec<String> = procedure.list().iter().map(|one| plain(one.kind, &one.name)).collect();
    let all = if names.is_empty() { 0 } else { u64::MAX >> (64 - names.len()) };
    let mut values = vec![format!("{all:#x}ULL")];
    values.extend(names);
    let plain = if plain.is_empty() { "void".to_owned() } else { plain.join(", ") };
    let _ = writeln!(
        text,
        "{result} {0}({plain}) {{ return px_{1}({2}); }}",
        procedure.symbol(),
        procedure.name,
        values.join(", ")
    );
}

fn plain(kind: Kind, name: &str) -> String {
    match kind {
        Kind::I16 => format!("short {name}"),
        Kind::U16 => format!("unsigned short {name}"),
        Kind::I32 => format!("int {name}"),
        Kind::I64 | Kind::Long => format!("long long {name}"),
        _ => format!("void *{name}"),
    }
}
