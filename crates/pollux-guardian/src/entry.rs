//! The Rust entry points of the run-time library, as the text of a file.
//!
//! The run-time library's build script writes [`source`] into `OUT_DIR` and the library includes it, so that what a
//! compiled program calls and what the library offers come from one table. For each procedure that is provided:
//!
//! ```text
//! pub(crate) mod args {
//!     pub(crate) struct FILE_OPEN_ { pub(crate) filename: Option<*const u8>, pub(crate) length: Option<i16>, .. }
//! }
//! #[unsafe(no_mangle)]
//! pub unsafe extern "C" fn px_FILE_OPEN_(present: u64, filename: *const u8, length: i16, ..) -> i16 {
//!     crate::entry::error_number("FILE_OPEN_", missing(..), || crate::procedures::FILE_OPEN_(args::FILE_OPEN_ { .. }))
//! }
//! #[unsafe(no_mangle)]
//! pub unsafe extern "C" fn FILE_OPEN_(filename: *const u8, length: i16, ..) -> i16 { /* px_ with all present */ }
//! ```
//!
//! A procedure whose row says `own_symbol` is exported as `pollux_NAME` in place of `NAME`: the C library has that name.
//!
//! `px_NAME` is what the macros of the headers call. Bit *n* of `present` stands for the parameter at place *n* of the C
//! list, the first being 0. `NAME` is for calls through a function pointer: everything counts as given.
//!
//! A field of `args` is `None` if the caller left the parameter out. By kind of the parameter:
//!
//! | Kind | Field | In C's parameter list |
//! | --- | --- | --- |
//! | `i16` `u16` `i32` `i64` `long` | `Option<i16>` and so on, `i64` for `long` | the same |
//! | `name` `text` `input` | `Option<*const u8>` | `*const u8` |
//! | `output` | `Option<*mut u8>` | `*mut u8` |
//! | `words` | `Option<*mut i16>` | `*mut i16` |
//! | `sizedN` `addressN` | `Option<crate::entry::Out>` | `*mut u8`, then a `usize`: the size of what it points to |
//! | `stream` | `Option<*mut core::ffi::c_void>` | `*mut c_void` |
//!
//! What the including crate provides, with `closure: impl FnOnce() -> T`. The closure must run only if `missing` is 0;
//! `missing` is else the number, as TAL counts, of the first required parameter that is absent, or of the absent part of
//! a group that is given all or not at all. The panic boundary is in these functions, not in the generated text.
//!
//! | Result | Called as | `T` | What C gets |
//! | --- | --- | --- | --- |
//! | `error` | `crate::entry::error_number(name, missing, closure)` | `i16`: an error number | `i16`; 29 if missing |
//! | `cc` | `crate::entry::condition_code(name, missing, file, closure)` | as `procedures` returns it | `i16` |
//! | `void` | `crate::entry::nothing(name, missing, closure)` | `()` | nothing |
//! | `int16` | `crate::entry::int16(name, missing, missing_result, closure)` | `i16` | `i16` |
//! | `int32` | `crate::entry::int32(name, missing, missing_result, closure)` | `i32` | `i32` |
//! | `int64` `long` | `crate::entry::int64(name, missing, missing_result, closure)` | `i64` | `i64` |
//! | `stream` `pointer` | `crate::entry::stream(name, missing, closure)` | `*mut core::ffi::c_void` | the same; null if missing |
//!
//! `name: &'static str`, `missing: u16`, `missing_result` of the result's type; `file: Option<i16>` is the file number that was
//! given, if the procedure is about one: the error belongs to it. A procedure with an `error_detail` is told there which
//! parameter is missing: `crate::entry::detail(error_detail, missing)`. `Out` has the public fields
//! `pointer: *mut u8` and `size: usize`. The functions in `crate::procedures` have the procedure's name, take its
//! struct of `args` and are safe to call: what a pointer means is theirs to check.

use std::fmt::Write;

use crate::table::{Kind, Parameter, Procedure, ResultKind, Table};

/// What no warning is wanted for: names are the procedures' own, and their shape is not ours to choose.
const ALLOW: &str =
    "#[allow(missing_docs, non_snake_case, unreachable_pub, clippy::all, clippy::pedantic)]\n";

/// The parameter that takes the number of another one that is wrong.
const DETAIL: &str = "error_detail";
/// The parameter that says which file a procedure is about.
const FILE: &str = "filenum";

/// The text of the file, for every procedure of the table that is provided.
#[must_use]
pub fn source(table: &Table) -> String {
    let mut text = String::from(
        "// Made from procedures.toml; the generator says what the including crate provides.\n\n",
    );
    text.push_str("/// The parameters of each procedure; `None` is what the caller left out.\n");
    text.push_str("#[allow(non_camel_case_types, dead_code)]\npub(crate) mod args {\n");
    for procedure in table.provided() {
        arguments_struct(&mut text, procedure);
    }
    text.push_str("}\n\n");
    text.push_str(MISSING);
    for procedure in table.provided() {
        masked(&mut text, procedure);
        plain(&mut text, procedure);
    }
    text
}

/// In the generated file: which parameter is missing. A mask with all its bits or, if optional, none is good.
const MISSING: &str = "\
/// The number of the parameter that is missing, or 0. `parts`: the mask of what belongs together, whether all of it is
/// required, and the number of each parameter in it, lowest bit first.
#[allow(dead_code)]
fn missing(present: u64, parts: &[(u64, bool, &[u16])]) -> u16 {
    for &(mask, required, numbers) in parts {
        let given = present & mask;
        if given == mask || (given == 0 && !required) {
            continue;
        }
        let first = (0..64).filter(|bit| mask >> bit & 1 == 1).position(|bit| present >> bit & 1 == 0);
        return first.and_then(|at| numbers.get(at)).copied().unwrap_or(0);
    }
    0
}
";

fn arguments_struct(text: &mut String, procedure: &Procedure) {
    let _ = writeln!(text, "    pub(crate) struct {} {{", procedure.name);
    for parameter in procedure.list() {
        let _ =
            writeln!(text, "        pub(crate) {}: Option<{}>,", parameter.name, field_type(parameter.kind));
    }
    text.push_str("    }\n");
}

fn masked(text: &mut String, procedure: &Procedure) {
    let name = &procedure.name;
    let mut list = vec!["present: u64".to_owned()];
    for parameter in procedure.list() {
        list.extend(c_parameters(parameter));
    }
    let _ = write!(
        text,
        "\n{ALLOW}#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn px_{name}({}){} {{\n",
        list.join(", "),
        arrow(procedure.result)
    );
    let _ = writeln!(text, "    let missing = missing(present, &[{}]);", parts(procedure).join(", "));
    if let Some(at) = procedure.list().iter().position(|one| one.name == DETAIL && one.kind == Kind::Words) {
        let _ = writeln!(text, "    if missing != 0 && present >> {at} & 1 == 1 {{");
        let _ = writeln!(text, "        crate::entry::detail({DETAIL}, missing);\n    }}");
    }
    let file = match procedure.list().first() {
        Some(first) if first.name == FILE && first.kind == Kind::I16 => {
            format!("if present & 1 == 1 {{ Some({FILE}) }} else {{ None }}, ")
        }
        _ => "None, ".to_owned(),
    };
    let (function, more) = match procedure.result {
        ResultKind::Error => ("error_number", None),
        ResultKind::Cc => ("condition_code", Some(file)),
        ResultKind::Void => ("nothing", None),
        ResultKind::Int16 => ("int16", Some(format!("{}, ", procedure.missing_result()))),
        ResultKind::Int32 => ("int32", Some(format!("{}, ", procedure.missing_result()))),
        ResultKind::Int64 | ResultKind::Long => {
            ("int64", Some(format!("{}, ", procedure.missing.unwrap_or(-1))))
        }
        ResultKind::Stream | ResultKind::Pointer => ("stream", None),
    };
    let more = more.unwrap_or_default();
    let _ = writeln!(text, "    crate::entry::{function}(\"{name}\", missing, {more}|| {{");
    let _ = writeln!(text, "        crate::procedures::{name}(args::{name} {{");
    for (at, parameter) in procedure.list().iter().enumerate() {
        let value = match parameter.kind {
            Kind::Sized(_) | Kind::Address(_) => {
                format!("crate::entry::Out {{ pointer: {0}, size: {0}_size }}", parameter.name)
            }
            _ => parameter.name.clone(),
        };
        let _ = writeln!(
            text,
            "            {}: if present >> {at} & 1 == 1 {{ Some({value}) }} else {{ None }},",
            parameter.name
        );
    }
    text.push_str("        })\n    })\n}\n");
}

fn plain(text: &mut String, procedure: &Procedure) {
    let name = &procedure.name;
    let mut list = Vec::new();
    let mut forwarded = Vec::new();
    for parameter in procedure.list() {
        list.push(format!("{}: {}", parameter.name, c_type(parameter.kind)));
        forwarded.push(parameter.name.clone());
        if let Kind::Sized(size) | Kind::Address(size) = parameter.kind {
            forwarded.push(size.to_string());
        }
    }
    let all = match procedure.list().len() {
        0 => 0,
        count => u64::MAX >> (64 - count),
    };
    let mut values = vec![format!("{all:#x}")];
    values.extend(forwarded);
    let _ = write!(
        text,
        "\n{ALLOW}#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn {symbol}({}){} {{\n    \
         // SAFETY: the caller keeps the same promises to both.\n    unsafe {{ px_{name}({}) }}\n}}\n",
        list.join(", "),
        arrow(procedure.result),
        values.join(", "),
        symbol = procedure.symbol(),
    );
}

/// What `missing` is told: each required parameter, and each group.
fn parts(procedure: &Procedure) -> Vec<String> {
    let list = procedure.list();
    let mut parts = Vec::new();
    let mut start = 0;
    while start < list.len() {
        let end = (start + 1..list.len()).find(|&at| !list[at].follows).unwrap_or(list.len());
        if list[start].required || end - start > 1 {
            let mask: u64 = (start..end).map(|bit| 1 << bit).sum();
            let numbers: Vec<String> = list[start..end].iter().map(|one| one.number.to_string()).collect();
            parts.push(format!("({mask:#x}, {}, &[{}])", list[start].required, numbers.join(", ")));
        }
        start = end;
    }
    parts
}

fn c_parameters(parameter: &Parameter) -> Vec<String> {
    let mut list = vec![format!("{}: {}", parameter.name, c_type(parameter.kind))];
    if matches!(parameter.kind, Kind::Sized(_) | Kind::Address(_)) {
        list.push(format!("{}_size: usize", parameter.name));
    }
    list
}

fn field_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Sized(_) | Kind::Address(_) => "crate::entry::Out",
        other => c_type(other),
    }
}

fn c_type(kind: Kind) -> &'static str {
    match kind {
        Kind::I16 => "i16",
        Kind::U16 => "u16",
        Kind::I32 => "i32",
        Kind::I64 | Kind::Long => "i64",
        Kind::Name | Kind::Text | Kind::Input => "*const u8",
        Kind::Output | Kind::Sized(_) | Kind::Address(_) => "*mut u8",
        Kind::Words => "*mut i16",
        Kind::Stream => "*mut core::ffi::c_void",
    }
}

fn arrow(result: ResultKind) -> &'static str {
    match result {
        ResultKind::Error | ResultKind::Int16 | ResultKind::Cc => " -> i16",
        ResultKind::Void => "",
        ResultKind::Int32 => " -> i32",
        ResultKind::Int64 | ResultKind::Long => " -> i64",
        ResultKind::Stream | ResultKind::Pointer => " -> *mut core::ffi::c_void",
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
