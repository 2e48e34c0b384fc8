//! Calls with omitted arguments: what the library sees is what the programmer wrote.

mod common;

use common::Workshop;
use guardian_cc::table::{Kind, Parameter, Table};

/// An argument that a strict compiler accepts for the parameter.
fn argument(parameter: &Parameter) -> &'static str {
    match parameter.kind {
        Kind::I16 | Kind::U16 | Kind::I32 | Kind::I64 | Kind::Long => "1",
        Kind::Sized(2) => "&word",
        Kind::Sized(8) | Kind::Address(8) => "&quad",
        Kind::Sized(_) | Kind::Address(_) => "&number",
        Kind::Words => "words",
        Kind::Output | Kind::Name | Kind::Text | Kind::Input => "bytes",
        Kind::Stream => "stdout",
    }
}

/// A mask that is wrong by one bit makes the library use a value the program never gave, or ignore one it gave.
#[test]
fn every_mask_of_every_procedure() {
    let table = Table::built_in();
    let mut source = String::from(
        "#include <cextdecs.h>\n#include <crtlns.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <socket.h>\n\
         #include <tdmext.h>\n\
         static short word, words[64]; static int number; static long long quad; static char bytes[600];\n\
         int main(void)\n{\n",
    );
    let mut expected = Vec::new();
    let has_macro = |one: &&guardian_cc::table::Procedure| {
        one.is_extensible()
            || one.list().iter().any(|one| matches!(one.kind, Kind::Sized(_) | Kind::Address(_)))
    };
    for procedure in table.provided().filter(has_macro) {
        let list = procedure.list();
        let full = u64::MAX >> (64 - list.len());
        let mut call = |skipped: &dyn Fn(usize) -> bool, mask: u64| {
            let arguments: Vec<String> = list
                .iter()
                .enumerate()
                .map(|(at, one)| match (skipped(at), one.c_type.as_deref()) {
                    (true, _) => String::new(),
                    (false, Some(c_type)) => format!("({c_type}){}", argument(one)),
                    (false, None) => argument(one).to_owned(),
                })
                .collect();
            source.push_str(&format!("    {}({});\n", procedure.name, arguments.join(", ")));
            expected.push(format!("{} {mask:x}", procedure.name));
        };
        call(&|_| false, full);
        call(&|_| true, 0);
        for omitted in 0..list.len() {
            call(&|at| at == omitted, full & !(1 << omitted));
        }
        source.push_str(&format!("    {}();\n", procedure.name));
        expected.push(format!("{} 0", procedure.name));
    }
    source.push_str("    return 0;\n}\n");
    let workshop = Workshop::new();
    workshop.file("masks.c", &source);
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "masks.c"]);
    let seen: Vec<String> =
        said.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert!(seen.len() > 300);
    assert_eq!(seen, expected);
}

/// Programs leave arguments out in more ways than by writing nothing.
#[test]
fn ways_to_leave_out() {
    let workshop = Workshop::new();
    workshop.file(
        "ways.c",
        "#include <cextdecs(PROCESS_STOP_, REPLYX)> nolist
#include <tal.h>
#define OMIT
#define omit_too /**/
int main(void)
{
    short handle[10];
    PROCESS_STOP_(OMITREF, OMITSHORT, 1);
    PROCESS_STOP_(OMIT, 1, omit_too);
    PROCESS_STOP_(/* handle */, 1 /* both */, 1);
    PROCESS_STOP_(handle, // whose
                  , // both
                  0);
    PROCESS_STOP_(handle,);
    PROCESS_STOP_(handle, 1,
#ifdef NEVER
        1,
#else
        ,
#endif
        5);
    REPLYX(,,,, 2);
    REPLYX((char *)0, 0);
    return 0;
}
",
    );
    let said = workshop.run(&["ways.c"]);
    let masks: Vec<&str> = said.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(masks, ["4", "2", "6", "5", "1", "b", "10", "3"]);
}

/// A warning for a correct call hides the warnings that matter; a wrong call must not be let pass.
#[test]
fn right_calls_are_silent_and_wrong_ones_are_not() {
    let workshop = Workshop::new();
    workshop.file(
        "right.c",
        "#include <cextdecs.h>
#include <tal.h>
int main(void)
{
    short file; unsigned short count; char buffer[10]; const char *name = \"$X\"; int number;
    _cc_status status;
    if (FILE_OPEN_((char *)name, 2, &file, , , 1)) return 1;
    status = WRITEREADX(file, buffer, 2, sizeof buffer, &count, 7L);
    if (_status_ne(status)) return FILE_CLOSE_(file);
    return AWAITIOX(&file, , &count, &number, -1) || READUPDATEX(file, buffer, 0xffff, 0) || CANCELREQ(file);
}
",
    );
    workshop.cc(&["-Wall", "-Wextra", "-c", "right.c"]).silently();
    workshop.file(
        "wrong.c",
        "#include <cextdecs.h>
void wrong(short file, char *buffer, const char *text, double *real, int number)
{
    FILE_OPEN_(buffer, 2, real);
    FILE_GETINFO_(file, buffer);
    READX(file, text, 5);
    PROCESS_STOP_(real);
    READX(file, buffer, 5, number);
    FILE_GETINFO_(file, , , , &number);
}
",
    );
    let said = workshop.cc(&["-Wall", "-Wextra", "-c", "wrong.c"]).fails();
    for line in 4..=9 {
        assert!(said.err.contains(&format!("wrong.c:{line}:")), "line {line} is let pass:\n{}", said.err);
    }
    workshop.file(
        "more.c",
        "#include <cextdecs.h>\nvoid f(void)\n{\n    DELAY(1);\n    FILE_CLOSE_(1, 2, 3);\n}\n",
    );
    workshop.cc(&["-c", "more.c"]).fails().says("more.c:5:").says("too many arguments to FILE_CLOSE_");
}

/// Tables of procedures and wrappers around them are ordinary C.
#[test]
fn addresses_and_nesting() {
    let workshop = Workshop::new();
    workshop.file(
        "address.c",
        "#include <cextdecs.h>
static short (*closer)(short, short) = FILE_CLOSE_;
int main(void)
{
    short (*other)(short, short) = &FILE_CLOSE_;
    FILE_CLOSE_(FILE_CLOSE_(FILE_CLOSE_(1), 2));
    closer(4, 5);
    (FILE_CLOSE_)(6, 7);
    return other == closer ? (int)sizeof FILE_CLOSE_(1) - 2 : 1;
}
",
    );
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "address.c"]);
    let masks: Vec<&str> = said.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(masks, ["1", "3", "1", "3", "3"]);
}

#[test]
fn cpp_programs_use_the_same_headers() {
    if std::process::Command::new("g++").arg("--version").output().is_err() {
        println!("skipped: there is no g++\n  next: apt-get install g++");
        return;
    }
    let workshop = Workshop::new();
    workshop.file(
        "plus.cpp",
        "#include <cextdecs.h(READX, PROCESS_STOP_, FILE_CREATE_)> nolist
#include <string>
#include <cerrno>
extern \"C\" { _priv short own(short x); _c short own(short x) { return x; } }
int main()
{
    int count; long long tag = 3; char buffer[10]; std::string text(\"x\");
    PROCESS_STOP_(, 1);
    if (READX(own(3), buffer, 10, &count, tag)) return 1;
    errno = 0;
    return READX(3, buffer, 10, NULL) + READX(3, buffer, 10, 0);
}
",
    );
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "plus.cpp"]);
    assert!(
        said.contains("PROCESS_STOP_ 2") && said.contains("READX 1f") && said.contains("count_read:4"),
        "{said}"
    );
    workshop.file("many.cpp", "#include <cextdecs.h>\nint main()\n{\n    return FILE_CLOSE_(1, 2, 3);\n}\n");
    workshop.cc(&["-c", "many.cpp"]).fails().says("many.cpp:4:").says("FILE_CLOSE_");
}

/// Old code passes whatever it has for a count or a tag; a result of another size would overwrite its neighbour.
#[test]
fn results_have_the_size_of_the_variable() {
    let workshop = Workshop::new();
    workshop.file(
        "sizes.c",
        "#include <cextdecs.h>
#include <stdio.h>
int main(void)
{
    struct { short value, guard; } a = { 7, 9 };
    struct { unsigned short value, guard; } b = { 7, 9 };
    struct { int value, guard; } c = { 7, 9 };
    struct { long value, guard; } d = { 7, 9 };
    struct { int value, guard; } tag = { 7, 9 };
    long long_tag = 7;
    void *address = 0; char *text = 0;
    struct { int value, guard; } small = { 7, 9 };
    short file = 1; char buffer[4];
    READX(file, buffer, 4, &a.value);
    READX(file, buffer, 4, &b.value);
    READX(file, buffer, 4, &c.value);
    READX(file, buffer, 4, &d.value, -5L);
    AWAITIOX(&file, (long *)&address, , &tag.value);
    AWAITIOX(&file, (int *)&text, , &long_tag);
    AWAITIOX(&file, &small.value);
    printf(\"%d %d %d %ld %d %ld %d %d %d\\n\", a.value, (short)b.value, c.value, d.value, tag.value, long_tag,
           (int)(long)address, (int)(long)text, small.value);
    return !(a.guard == 9 && b.guard == 9 && c.guard == 9 && d.guard == 9 && tag.guard == 9 && small.guard == 9
             && (long)text == -2 && (long)address == -2);
}
",
    );
    for level in ["-O0", "-O2"] {
        let said = workshop.run(&[level, "-Wall", "-Wextra", "-Werror", "sizes.c"]);
        assert!(said.ends_with("-2 -2 -2 -2 -2 -2 -2 -2 -2\n"), "{said}");
        assert!(said.contains("tag=-5"), "{said}");
    }
}

/// Procedures have short names; a program's own macro of such a name is the program's business.
#[test]
fn a_macro_of_the_program_goes_first() {
    let workshop = Workshop::new();
    workshop.file(
        "own.c",
        "#define DELAY(seconds) own = seconds\n#include <cextdecs.h>\nint own;\n\
         int main(void) { DELAY(3); return DEBUG + own; }\n",
    );
    workshop.cc(&["-Wall", "-Wextra", "-DDEBUG=1", "-c", "own.c"]).silently();
}

/// A procedure that is not there is found when compiling, with the reason, and not when a user gets there.
#[test]
fn procedures_that_are_not_provided() {
    let workshop = Workshop::new();
    workshop.file(
        "absent.c",
        "#include <cextdecs.h>
int main(void)
{
    if (0) ENDTRANSACTION();
    BEGINTRANSACTION();
    return KEYPOSITIONX(1, , 0);
}
",
    );
    for level in ["-O0", "-O2"] {
        let said = workshop.cc(&[level, "-c", "absent.c"]).fails();
        let said =
            said.says("absent.c:5:").says("BEGINTRANSACTION is not provided: there are no transactions");
        let said = said.says("absent.c:6:").says("KEYPOSITIONX is not provided: files are Linux files");
        assert!(!said.err.contains("ENDTRANSACTION"), "{}", said.err);
    }
}
