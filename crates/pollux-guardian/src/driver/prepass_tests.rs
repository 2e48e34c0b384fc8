use proptest::prelude::*;

use super::*;

/// Answers each include with its parts, and remembers the pragmas.
#[derive(Default)]
struct Echo {
    includes: Vec<Include>,
    pragmas: Vec<String>,
}

impl Surroundings for Echo {
    fn include(&mut self, include: &Include) -> String {
        self.includes.push(include.clone());
        format!(
            "<{}{}>",
            include.name,
            include.sections.iter().map(|one| format!("+{one}")).collect::<String>()
        )
    }

    fn pragma(&mut self, line: usize, text: &str) {
        self.pragmas.push(format!("{line}:{text}"));
    }

    fn is_extensible(&self, name: &str) -> bool {
        name == "marked"
    }

    fn extensible(&mut self, name: &str, _parameters: usize) -> Declared {
        if name == "READX" { Declared::Procedure } else { Declared::Own }
    }
}

fn rewritten(text: &str, wanted: &Wanted) -> String {
    String::from_utf8(rewrite(text.as_bytes(), wanted, &mut Echo::default())).expect("it is text")
}

#[track_caller]
fn becomes(from: &str, to: &str) {
    assert_eq!(rewritten(from, &Wanted::default()), to);
}

#[test]
fn include_lines() {
    becomes("#include <stdio.h> nolist\nint x;\n", "#include <stdio.h>\nint x;\n");
    becomes("  #  include <a (B, C) > nolist // x\n", "  #include <a+B+C>\n");
    becomes("#include <a(B,\\\n  C,\\\n  D)> nolist\nx\n", "#include <a+B+C+D>\n\n\nx\n");
    becomes("#include \"a(B,\\\n  C)\" nolist\nx\n", "#include <a+B+C>\n\nx\n");
    becomes("#include /* why */ <a.h> /* two\nlines */\nx", "#include <a.h>\n\nx");
    becomes("#include MACRO nolist\n", "#include MACRO nolist\n");
    becomes("#include <open\n", "#include <open\n");
    becomes("/* #include <a(B)> */ \"#include <a(B)>\"\n", "/* #include <a(B)> */ \"#include <a(B)>\"\n");
    becomes("#include <a.h>\r\nx\r\n", "#include <a.h>\nx\n");
}

/// A call that leaves something out must reach the function with the bits of what is there.
#[test]
fn extensible_functions() {
    const MASK: &str = "unsigned long long px_present __attribute__((unused)), ";
    becomes(
        "_extensible int f(short a, char *b);\n",
        &format!("_extensible int px_f({MASK}short a, char *b);\n"),
    );
    becomes(
        "static _variable short f(short a,\n  void (*b)(int, int), char c[4])\n{ return f(1); }\nint g(int a) {}\n",
        &format!(
            "static _variable short px_f({MASK}short a,\n  void (*b)(int, int), char c[4])\n{{ enum {{ px_arg_a, px_arg_b, px_arg_c }}; return f(1); }}\nint g(int a) {{}}\n"
        ),
    );
    becomes(
        "extern \"C\" {\nint marked(int a);\n}\n",
        &format!("extern \"C\" {{\nint px_marked({MASK}int a);\n}}\n"),
    );
    // A declaration of a procedure gives way to the header's.
    becomes("_tal _extensible\n short READX(short,\n char *); int x;\n", "\n\n int x;\n");
    // No parameters, a list in the old style, a variable list: as they are.
    for same in [
        "_extensible int f(void);\n",
        "_extensible int f(a) short a; { }\n",
        "_extensible int f(int a, ...);\n",
        "int f(int a) { g(1); }\n",
        "_extensible\n",
    ] {
        becomes(same, same);
    }
}

#[test]
fn layouts() {
    const PUSH: &str = "_Pragma(\"pack(push,2)\")";
    const POP: &str = "_Pragma(\"pack(pop)\")";
    becomes(
        "#pragma fieldalign shared2 __t\nint x;\ntypedef struct __t\n{ long a; } t;\nlong y;\n",
        &format!(
            "#pragma fieldalign shared2 __t\nint x;\n{PUSH} typedef struct __t\n{{ int  a; }} t; {POP}\nlong y;\n"
        ),
    );
    // A declaration of the tag is no definition, and a brace in both branches of an #if is one brace.
    becomes("#pragma fieldalign shared2 t\nstruct t x;\n", "#pragma fieldalign shared2 t\nstruct t x;\n");
    becomes(
        "#pragma fieldalign shared2 t\n#if A\nf() {\n#else\ng() {\n#endif\n}\nstruct t { char c; };\n",
        &format!(
            "#pragma fieldalign shared2 t\n#if A\nf() {{\n#else\ng() {{\n#endif\n}}\n{PUSH} struct t {{ char c; }}; {POP}\n"
        ),
    );
    becomes(
        "#pragma fieldalign shared2\nstruct a { long b; };\n#pragma fieldalign platform\nstruct c { long d; };\n",
        "#pragma pack(2)\nstruct a { int  b; };\n#pragma pack()\nstruct c { long d; };\n",
    );
    let all = Wanted { long: LongMode::Always32, ..Wanted::default() };
    assert_eq!(
        rewritten(
            "long a; long long b; long int c; unsigned long d; long double e; int long f; \"long\"\n",
            &all
        ),
        "int  a; long long b;      int c; unsigned int  d; long double e; int      f; \"long\"\n"
    );
    assert_eq!(rewritten("#define X (long)y\n", &all), "#define X (int )y\n");
}

#[test]
fn keywords_and_pasting() {
    becomes("_priv short f(short _c);\n", "      short f(short _c);\n");
    becomes("extern _c short f();\nint _c, _priv;\n", "extern    short f();\nint _c, _priv;\n");
    becomes("extern \"C\" {\n_c short f();\n}\n", "extern \"C\" {\n   short f();\n}\n");
    becomes("void f() { _c x; }\n", "void f() { _c x; }\n");
    becomes("#define A(p, m) p##->##m\n", "#define A(p, m) p  ->  m\n");
    becomes("#define A(p, m) p ## . ## m x##m\n", "#define A(p, m) p    .    m x##m\n");
    becomes("#define A(a, ...) f(a, ## __VA_ARGS__)\n", "#define A(a, ...) f(a, ## __VA_ARGS__)\n");
}

#[test]
fn sections_and_columns() {
    let text = "x\n#pragma section A\na\n#pragma SECTION b\nb\n # pragma section C\nc";
    let of = |names: &[&str]| Wanted {
        sections: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Wanted::default()
    };
    assert_eq!(rewritten(text, &of(&["B"])), "\n\n\n\nb\n\n");
    assert_eq!(rewritten(text, &of(&["A", "C"])), "\n\na\n\n\n\nc");
    becomes("#pragma columns 4\nint;5678\nab\n", "#pragma columns 4\nint;\nab\n");
}

#[test]
fn pragmas_are_told() {
    let mut echo = Echo::default();
    rewrite(b"\n#pragma nostdfiles\n/*\n*/ #pragma ssv0 \"$a.b\" /* c */\n", &Wanted::default(), &mut echo);
    assert_eq!(echo.pragmas, ["2:nostdfiles", "4:ssv0 \"$a.b\""]);
}

/// Words that lead into each part of the pre-pass, so that random texts do not stay outside of it.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "#include ",
        "<",
        ">",
        "\"",
        "(",
        ")",
        "A, B",
        "nolist",
        "\\\n",
        "\n",
        "\r\n",
        "/*",
        "*/",
        "//",
        "'",
        "\\",
        "#pragma fieldalign shared2",
        "#pragma fieldalign shared2 t",
        "#pragma section A",
        "#pragma columns 3",
        "struct t {",
        "struct {",
        "union t",
        "{",
        "}",
        ";",
        "long",
        "int",
        "#if",
        "#else",
        "#endif",
        "#define X ",
        "##",
        "->",
        ".",
        "_c",
        "_priv",
        "extern \"C\" {",
        " ",
        "x",
        "\u{e9}",
        "\0",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat().into_bytes())
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    for long in [LongMode::Auto, LongMode::Always32, LongMode::Always64] {
        for sections in [None, Some(vec!["A".to_owned()])] {
            let wanted = Wanted { sections, long, columns: None };
            let result = rewrite(text, &wanted, &mut Echo::default());
            prop_assert_eq!(newlines(&result), newlines(text));
        }
    }
    Ok(())
}

proptest! {
    /// Sources come in any encoding and any state; a crash would hide the compiler's own message.
    #[test]
    fn any_bytes_keep_their_lines(text in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&text)?;
    }

    #[test]
    fn any_fragments_keep_their_lines(text in fragments()) {
        check(&text)?;
    }
}
