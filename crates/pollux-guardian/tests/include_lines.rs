//! Include lines: every form that Guardian sources use, and messages that stay on the programmer's lines.

mod common;

use common::Workshop;

/// The line number in the last message is the proof that no line before it got lost.
#[test]
fn every_form_of_an_include_line() {
    let workshop = Workshop::new();
    workshop.file("inc/ownhdrh", "#define OWN_HEADER 1\n");
    workshop.file("longnamh", "#define CUT_NAME 2\n");
    workshop.file("vol/app/consts", "#define ON_VOLUME 3\n");
    workshop.file("UPPER.H", "#define UPPER_CASE 4\n");
    let source = "#include <cextdecs (FILE_OPEN_)> nolist
#include <cextdecs.h(FILE_CLOSE_,  PROCESS_STOP_)>
#include \"cextdecs(WRITEREADX, \\
                   READX,      \\
                   READUPDATEX, REPLYX,   \\
                   FILE_GETINFO_, FILE_GETRECEIVEINFO_, PROCESSHANDLE_DECOMPOSE_, PROCESSHANDLE_COMPARE_,  \\
                   PROCESS_GETPAIRINFO_, PROCESS_SETINFO_, MONITORCPUS, MONITORNET, PROCESSHANDLE_NULLIT_, AWAITIOX)\" nolist
#define nolist_too
#include <stdio.h> nolist_too
#include <stdioh> nolist
#include <talh>
#include <STDLIB.H>   /* a comment */ nolist
#include \"$system.zsysdefs.zsysc\" nolist
#include \"/G/system/zsysdefs/zsysc\"
#include <$system.ztcpip.inh>
#include \"\\\\NODE.$system.ztcpip.socketh\"
#include <systypes.h>
#include <sys.stat.h>
#include \"ownhdr.h\"
#include \"longname.h\"
#include \"$data.app.consts\"
#include \"upper.h\"
#define SYSTEM <string.h>
#include SYSTEM
#ifdef NEVER
#include <no_such_header.h (A, B)> nolist
#endif
#include <memory.h> // nolist
#include <errnoh>
short f(void)
{
    short file; struct stat status; struct sockaddr_in address; zsys_ddl_smsg_open_def message;
    FILE_OPEN_(\"$X\", 2, &file);
    memset(&status, 0, sizeof status), memset(&address, 0, sizeof address), memset(&message, 0, sizeof message);
    printf(\"%d\", OWN_HEADER + CUT_NAME + ON_VOLUME + UPPER_CASE + ENONSTOP);
    return FILE_CLOSE_(file);
}
int here = undeclared;
";
    workshop.file("source", source);
    let line = source.lines().count();
    let said = workshop.cc(&["-Wall", "-Iinc", "--volume", "$data=vol", "-c", "source"]).fails();
    let messages: Vec<&str> =
        said.err.lines().filter(|one| one.contains("error") || one.contains("warning")).collect();
    assert_eq!(
        messages,
        [format!("source:{line}:12: error: 'undeclared' undeclared here (not in a function)")]
    );
    workshop.file("source", &source.replace("undeclared", "ENOENT"));
    workshop.cc(&["-Wall", "-Iinc", "--volume=$data=vol", "-c", "source", "-o", "x.o"]).silently();
}

/// Programs share a definition by including a section of another program's source.
#[test]
fn sections_of_sources_and_nested_headers() {
    let workshop = Workshop::new();
    workshop.file("serverc", "this is no C\n#pragma section FIRST\nint first;\n#include \"insideh\"\n#pragma section SECOND\nint second;\n#pragma section rest\nnor is this\n");
    workshop.file("insideh", "#include <cextdecs(DELAY)> nolist\nstatic void inside(void) { DELAY(1L); }\n");
    workshop.file(
        "one.c",
        "#include \"serverc(FIRST)\"\n#include \"serverc(SECOND)\"\n#include \"serverc (second, first)\"\n\
         int main(void) { inside(); return first + second; }\n",
    );
    workshop.file("insideh", "#ifndef INSIDE\n#define INSIDE\n#include <cextdecs(DELAY)> nolist\nstatic void inside(void) { DELAY(1L); }\n#endif\n");
    assert_eq!(workshop.run(&["-Wall", "one.c"]), "DELAY 1 centiseconds=1\n");
    workshop.file("two.c", "#include \"serverc(SECOND)\"\nint main(void) { return first; }\n");
    workshop.cc(&["-c", "two.c"]).fails().says("two.c:2:").says("'first' undeclared");
    // A fault inside of a section is on the line it has in the file.
    workshop
        .file("three.c", "#include \"faulty(B)\"\n")
        .file("faulty", "#pragma section A\n@\n#pragma section B\nint x = y;\n");
    workshop
        .cc(&["-c", "three.c"])
        .fails()
        .says("faulty:4:9: error")
        .says("In file included from three.c:1:");
}

/// gcc's own message about a header that is not there is the best one, if it is about the right line.
#[test]
fn a_header_that_does_not_exist() {
    let workshop = Workshop::new();
    workshop.file("a.c", "\n\n#include \"absent.h (PART)\" nolist\n").file("b.c", "#include <absenth>\n");
    workshop.cc(&["-c", "a.c"]).fails().says("a.c:3:10: fatal error: absent.h: No such file or directory");
    workshop.cc(&["-c", "b.c"]).fails().says("b.c:1:10: fatal error: absenth: No such file or directory");
    workshop.cc(&["-c", "missing.c"]).fails().says("pollux cc: missing.c: No such file or directory");
    workshop.file("self.c", "#include \"self.c\"\n");
    workshop.cc(&["-c", "self.c"]).fails().says("#include nested depth");
}

#[test]
fn pragmas_that_name_files() {
    let workshop = Workshop::new();
    workshop
        .file("v/dir/deep.h", "#define DEEP 1\n")
        .file("real.h", "#define REAL 2\n")
        .file("v/far/away.h", "#define AWAY 3\n");
    workshop.file(
        "a.c",
        "#pragma ssv0 \"$v.dir\"\n#pragma mapinclude \"alias.h\" = \"real.h\"\n#pragma symbols, inspect\n\
         #include \"deep.h\"\n#include \"alias.h\" nolist\n#include \"away.h\"\nint x = DEEP + REAL + AWAY + GIVEN;\n",
    );
    let words = [
        "-Wall",
        "-Wextra",
        "--volume",
        "$v=v",
        "--pragma",
        "define GIVEN 5, runnable, ssv1 \"$v.far\"",
        "-c",
        "a.c",
    ];
    workshop.cc(&words).silently();
}

/// make must see the programmer's files, not copies that are gone.
#[test]
fn dependency_files_name_the_originals() {
    let workshop = Workshop::new();
    workshop.file("a.c", "#include \"b.h\"\n#include <cextdecs>\nint x = B;\n").file("b.h", "#define B 1\n");
    workshop.cc(&["-MMD", "-MP", "-MF", "a.dep", "-c", "a.c"]).silently();
    let text = std::fs::read_to_string(workshop.path("a.dep")).expect("it is there");
    assert_eq!(text, "a.o: \\\n a.c \\\n b.h\nb.h:\n");
    workshop.cc(&["-MD", "-c", "a.c", "-o", "other.o"]).silently();
    let text = std::fs::read_to_string(workshop.path("other.d")).expect("it is there");
    assert!(text.starts_with("other.o: \\\n a.c \\\n ") && text.contains("/stdc-predef.h"), "{text}");
    let said = workshop.cc(&["-MM", "a.c"]).silently();
    assert_eq!(said.out, "a.o: \\\n a.c \\\n b.h\n");
}

/// `-E` and `-S` are what people look at when something is odd.
#[test]
fn text_and_assembly_name_the_original() {
    let workshop = Workshop::new();
    workshop.file("a.c", "#include <tal.h> nolist\nint a = __LINE__; const char *f = __FILE__;\n");
    let said = workshop.cc(&["-E", "a.c"]).silently();
    assert!(said.out.contains("int a = 2; const char *f = \"a.c\";"), "{}", said.out);
    workshop.cc(&["-g", "-S", "a.c"]).silently();
    let text = std::fs::read_to_string(workshop.path("a.s")).expect("it is there");
    assert!(!text.contains("pollux-cc-"), "{text}");
}
