//! Layouts that cross processes, and programs that define what libraries call.

mod common;

use common::Workshop;

/// A structure of another size makes each message between old and new programs garbage.
#[test]
fn fieldalign_gives_the_sizes_of_the_other_side() {
    let workshop = Workshop::new();
    workshop.file(
        "sizes.c",
        "#include <stdio.h>
#pragma fieldalign shared2 __one __two
#pragma fieldalign cshared2 __three, __four outer plain
typedef struct __one
{
    short a;
    int b;
} one;
typedef struct __two { char a; int b; char c; } two;
typedef struct __three { short a; long long b; char c; } three;
typedef union __four { char a; long b; } four;
struct outer { short a; struct __one b; struct { char x; int y; } c; long d; unsigned long int e; double f; };
typedef struct natural { short a; int b; } natural;
struct after { short a; long b; };
struct carrier { short a; struct plain { short b; long long c; } d; long long e; };
short count; long whole;
#pragma fieldalign shared2
#include <time.h>
struct rest { short a; int b; long c; };
#pragma fieldalign auto
struct last { short a; int b; long c; };
struct holder { char c; struct timespec t; };
int main(void)
{
    printf(\"%zu %zu %zu %zu %zu %zu %zu\", sizeof(one), sizeof(two), sizeof(three), sizeof(four), sizeof(struct outer),
           sizeof(natural), sizeof(struct after));
    printf(\" %zu %zu %zu %zu %zu %zu %zu\\n\", sizeof(struct plain), sizeof(struct carrier), sizeof whole,
           sizeof(struct rest), sizeof(struct last), sizeof(struct timespec), sizeof(struct holder));
    return 0;
}
",
    );
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "sizes.c"]);
    assert_eq!(said, "6 8 12 4 30 8 16 10 24 8 10 16 16 24\n");
    let said = workshop.run(&["-mlong=64", "sizes.c"]);
    assert_eq!(said, "6 8 12 8 38 8 16 10 24 8 14 16 16 24\n");
    let said = workshop.run(&["-mlong=32", "sizes.c"]);
    assert_eq!(said, "6 8 12 4 30 8 8 10 24 4 10 12 16 24\n");
}

/// A limit that is not the variable's own lets a loop run for ever.
#[test]
fn limits_follow_the_mode() {
    let workshop = Workshop::new();
    workshop.file(
        "limits.c",
        "#include <limits.h>\n#include <stdio.h>\nint main(void)\n{\n    long last = LONG_MAX;\n\
         \x20   printf(\"%d %d\\n\", sizeof last == 8, last == LONG_MAX && LONG_MAX == INT_MAX);\n    return 0;\n}\n",
    );
    assert_eq!(workshop.run(&["limits.c"]), "1 0\n");
    assert_eq!(workshop.run(&["-mlong=32", "limits.c"]), "0 1\n");
}

/// Statically linked or exported, these functions would capture the calls of the library, and the process dies at once.
#[test]
fn a_program_may_define_what_libraries_call() {
    let workshop = Workshop::new();
    workshop.file(
        "names.c",
        "#include <stdio.h>
#include <tal.h>
extern int errno;
struct record { int errno; };
int test_pipe(void);
int read(int a) { return a + 1; }
int write(int a) { return a + 2; }
int open(int a) { return a + 3; }
int close(int a) { return a + 4; }
int log(int a) { return a + 5; }
int send(int a) { return a + 6; }
int call_remove(void);
main(short argc, char **argv)
{
    struct record one = { 5 };
    FILE *missing = fopen(\"/no/such/file\", \"r\");
    errno = one.errno;
    printf(\"%d %d %d %d %d %d %d %d %d\\n\", read(0), write(0), open(0), close(0), log(0), send(0), call_remove(),
           test_pipe(), errno + (missing != 0));
    return 0;
}
",
    );
    workshop.file("other.c", "int remove(int a) { return a + 7; }\n");
    workshop.file("third.c", "int remove(int a);\nint call_remove(void) { return remove(0); }\n");
    assert_eq!(workshop.run(&["-w", "-O2", "names.c", "other.c", "third.c"]), "1 2 3 4 5 6 7 1 5\n");
}

/// What the sources ask of the standard files reaches the run-time library, also from another object.
#[test]
fn pragmas_reach_the_library() {
    let workshop = Workshop::new();
    workshop.file(
        "main.c",
        "#include <stdio.h>\nconst char *test_pragmas(void);\nint main(void)\n{\n    puts(test_pragmas());\n    return 0;\n}\n",
    );
    workshop.file("other.c", "#pragma nostdfiles\nint other;\n");
    workshop.cc(&["-c", "other.c"]).silently();
    assert_eq!(workshop.run(&["main.c"]), "\n");
    assert_eq!(workshop.run(&["main.c", "other.o", "--pragma", "ansistreams"]), "nostdfiles ansistreams \n");
}

#[test]
fn the_command_line_is_checked() {
    let workshop = Workshop::new();
    workshop.file("a.c", "int a;\n").file("b.c", "int b;\n");
    for (words, said) in [
        (&[][..], "no input files"),
        (&["-c", "-o", "x.o", "a.c", "b.c"], "-o names one file"),
        (&["--volume", "x", "a.c"], "not of the form"),
        (&["-o"], "-o needs a value"),
        (&["-mlong=16", "a.c"], "the modes are"),
        (&["-static", "a.c"], "the run-time library is shared"),
        (&["--columns", "none", "a.c"], "not a column"),
    ] {
        let line = workshop.cc(words).fails().says(said);
        assert!(line.err.starts_with("pollux cc: "), "{}", line.err);
    }
    let help = workshop.cc(&["--help"]).silently();
    assert!(help.out.contains("Usage: pollux cc"));
    workshop.cc(&["-c", "a.c", "b.c"]).silently();
    assert!(workshop.path("a.o").is_file() && workshop.path("b.o").is_file());
    workshop.cc(&["-shared", "-fPIC", "-o", "lib.so", "a.c", "b.o"]).silently();
}

/// A missing library must name the next step, not end in a linker's message.
#[test]
fn a_missing_library() {
    let workshop = Workshop::new();
    workshop.file("a.c", "int main(void) { return 0; }\n");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pollux-cc"))
        .arg("a.c")
        .current_dir(workshop.directory.path())
        .env("POLLUX_LIBRARY_DIR", workshop.directory.path())
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("POLLUX_LIBRARY_DIR says") && said.contains("is not there"), "{said}");
}

/// A library that takes over less, as an older one does, still links; what it leaves is the C library's.
#[test]
fn a_library_that_takes_over_less() {
    let workshop = Workshop::new();
    workshop.file(
        "library.c",
        "#include <stdlib.h>\nextern int pollux_errno;\nint seen(void) { return pollux_errno; }\n\
         int pollux_main(int (*m)(int, char **, char **), int c, char **v, char **e) { exit(m(c, v, e)); }\n",
    );
    workshop.file(
        "a.c",
        "#include <stdio.h>\n#include <stdlib.h>\nint seen(void);\n\
         int main(void) { free(malloc(1)); errno = 7; fflush(stdout); return seen() - 7; }\n",
    );
    let run = |program: &str, words: &[&str]| {
        let status = std::process::Command::new(program)
            .args(words)
            .current_dir(workshop.directory.path())
            .env("POLLUX_LIBRARY_DIR", workshop.directory.path())
            .env_remove("LD_LIBRARY_PATH")
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {words:?}");
    };
    run("gcc", &["-shared", "-fPIC", "-w", "-o", "libpollux_guardian.so", "library.c"]);
    run(env!("CARGO_BIN_EXE_pollux-cc"), &["-o", "program", "a.c"]);
    run(workshop.path("program").to_str().expect("text"), &[]);
}

/// One errno for the program and the library: each sees what the other stores, also through the library's own variable.
#[test]
fn errno_is_one_variable() {
    let workshop = Workshop::new();
    workshop.file(
        "errno.c",
        "#include <errno.h>\n#include <string.h>\nint *test_errno(void);\n\
         int main(void)\n{\n    *test_errno() = ENONSTOP;\n    if (errno != 4210) return 1;\n\
         \x20   errno = 12;\n    return *test_errno() != 12 || test_errno() != &errno;\n}\n",
    );
    for level in ["-O0", "-O2"] {
        workshop.run(&[level, "errno.c"]);
    }
}
