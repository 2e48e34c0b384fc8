//! The reference page of the procedures: docs/reference/procedures.md.

use std::fmt::Write;

use crate::headers::result_type;
use crate::table::{Kind, Language, Parameter, Procedure, Status, Table};

const HEAD: &str = "# Procedures

Made from [procedures.toml](../../crates/pollux-guardian/procedures.toml) by `cargo xtask headers`; change the table.

A parameter in brackets may be left out of a call: write nothing between the commas, or end the list early. Parameters
joined by `:` are given together or not at all, and count as one in an error detail when they have one number. The
name in C is the name here; the tags of the manuals are explained in the table.

| Status | Means |
| --- | --- |
| full | provided |
| partial | provided; what is missing is said |
| planned | a call does not compile, and the message says why |
| unsupported | the same, and nothing is planned |

";

/// The text of the page.
#[must_use]
pub fn page(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    let count = |status: Status| table.procedures().filter(|one| one.status == status).count();
    let _ = writeln!(
        text,
        "{} full, {} partial, {} planned, {} unsupported.\n",
        count(Status::Full),
        count(Status::Partial),
        count(Status::Planned),
        count(Status::Unsupported)
    );
    text.push_str("## Provided\n\n");
    for procedure in table.provided() {
        entry(&mut text, procedure);
    }
    let absent: Vec<&Procedure> = table.procedures().filter(|one| !one.is_provided()).collect();
    for (title, system) in [("## Not provided", false), ("## Left to the system", true)] {
        let _ = write!(text, "{title}\n\n| Procedure | Status | Why |\n| --- | --- | --- |\n");
        for one in absent.iter().filter(|one| (one.header == "system") == system) {
            let tal = if one.language == Language::Tal { " (TAL only)" } else { "" };
            let _ = writeln!(text, "| `{}`{tal} | {} | {} |", one.name, one.status, one.note);
        }
        text.push('\n');
    }
    let length = text.trim_end().len();
    text.truncate(length);
    text.push('\n');
    text
}

fn entry(text: &mut String, procedure: &Procedure) {
    let _ = write!(text, "### {}\n\n```c\n{}\n```\n\n", procedure.name, signature(procedure));
    let _ = write!(text, "Header `{}.h`; {}", procedure.header, procedure.status);
    if !procedure.note.is_empty() {
        let _ = write!(text, ": {}", procedure.note);
    }
    let _ = write!(text, ". Manual: {}.\n\n", procedure.manual);
}

fn signature(procedure: &Procedure) -> String {
    let mut line = format!("{} {}(", result_type(procedure), procedure.name);
    let mut width = line.len();
    let list = procedure.list();
    if list.is_empty() {
        line.push_str("void");
    }
    for (at, one) in list.iter().enumerate() {
        let next_follows = list.get(at + 1).is_some_and(|next| next.follows);
        let mut word = String::new();
        if !one.required && !one.follows {
            word.push('[');
        }
        word.push_str(&declared(one));
        if !one.required && !next_follows {
            word.push(']');
        }
        if next_follows {
            word.push_str(" :");
        } else if at + 1 < list.len() {
            word.push(',');
        }
        // A line that is too long for a page goes on below.
        if width + word.len() > 100 {
            line.push_str("\n    ");
            width = 4;
        } else if at > 0 {
            line.push(' ');
        }
        width += word.len() + 1;
        line.push_str(&word);
    }
    line.push_str(");");
    line
}

fn declared(parameter: &Parameter) -> String {
    let c_type = match parameter.kind {
        Kind::I16 => "short ",
        Kind::U16 => "unsigned short ",
        Kind::I32 => "int ",
        Kind::I64 => "long long ",
        Kind::Long => "long ",
        Kind::Name | Kind::Text => "const char *",
        Kind::Input => "const void *",
        Kind::Output => "void *",
        Kind::Words => "short *",
        Kind::Sized(2) => "short/int/long *",
        Kind::Sized(4) | Kind::Address(4) => "int/long *",
        Kind::Sized(_) | Kind::Address(_) => "long long *",
        Kind::Stream => "FILE *",
    };
    match &parameter.c_type {
        Some(c_type) => format!("{c_type}{}", parameter.name),
        None => format!("{c_type}{}", parameter.name),
    }
}
