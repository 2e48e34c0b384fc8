//! Functions of the program whose arguments may be left out: `_extensible`, `_variable`, `#pragma function`.

mod common;

use common::Workshop;

/// The function sees what was given, across units, through a header, in nested calls and through an empty macro.
#[test]
fn own_functions_see_what_was_given() {
    let workshop = Workshop::new();
    workshop.file(
        "own.h",
        "_extensible int shown(short number,\n    const char *text, long *to);\n#pragma function marked (extensible)\nint marked(int a, int b);\n",
    );
    workshop.file(
        "own.c",
        "#include <stdio.h> nolist
#include \"own.h\" nolist
static _variable short local(short a, short b);
_extensible int shown(short number,
    const char *text, long *to)
{
    printf(\"%d %d %d:\", _arg_present(number), _arg_present(text), _arg_present(to));
    printf(\" %d %s at %d\\n\", number, text ? text : \"-\", __LINE__);
    if (_arg_present(to)) *to = 7;
    return number;
}
static _variable short local(short a, short b)
{
    return (short)((_arg_present(a) ? a : 100) + (_arg_present(b) ? b : 1000));
}
int main(void)
{
    long result = 0;
#define OMIT
    shown(1, \"all\", &result);
    shown(, \"text\");
    shown(, , &result);
    shown();
    shown(OMIT, \"omit\", OMIT);
    shown(shown(5), \"nested\");
    printf(\"%d %d %d %ld\\n\", local(1), local(, 2), local(), result);
    printf(\"%d %d at %d\\n\", marked(3), marked(, 4), __LINE__);
    return 0;
}
",
    );
    workshop.file(
        "marked.c",
        "#include \"own.h\"\nint marked(int a, int b)\n{\n    return _arg_present(a) ? a : -b;\n}\n",
    );
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "own.c", "marked.c"]);
    let wanted = "1 1 1: 1 all at 8\n0 1 0: 0 text at 8\n0 0 1: 0 - at 8\n0 0 0: 0 - at 8\n0 1 0: 0 omit at 8\n\
                  1 0 0: 5 - at 8\n1 1 0: 5 nested at 8\n1001 102 1100 7\n3 -4 at 27\n";
    assert_eq!(said, wanted);
}

/// A slip in a call is told at its line.
#[test]
fn too_many_arguments_and_wrong_types_are_told() {
    let workshop = Workshop::new();
    workshop.file(
        "many.c",
        "_extensible int f(short a, char *b);\nint main(void)\n{\n    return f(1, 0, 2);\n}\n",
    );
    let said = workshop.cc(&["-c", "many.c"]).fails();
    assert!(said.err.contains("many.c:4") && said.err.contains("too many arguments to f"), "{}", said.err);
    workshop.file(
        "wrong.c",
        "_extensible int f(short a, char *b);\nint main(void)\n{\n    int x;\n    return f(, &x);\n}\n",
    );
    let said = workshop.cc(&["-c", "wrong.c"]).succeeds();
    assert!(said.err.contains("wrong.c:5:16: warning: passing argument"), "{}", said.err);
}

/// A program that declares a procedure itself gets the one that the library has.
#[test]
fn a_procedure_that_is_declared_again() {
    let workshop = Workshop::new();
    workshop.file(
        "again.c",
        "_tal _extensible short FILE_CLOSE_(short filenum,\n    short disposition);\nint main(void)\n{\n    FILE_CLOSE_(3);\n    FILE_CLOSE_(, 1);\n    return 0;\n}\n",
    );
    let said = workshop.run(&["-Wall", "-Wextra", "-Werror", "again.c"]);
    let masks: Vec<&str> = said.lines().map(|line| line.split(' ').nth(1).unwrap_or_default()).collect();
    assert_eq!(masks, ["1", "2"], "{said}");
}
