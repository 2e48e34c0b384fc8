//! The header of one procedure.
//!
//! For `short DEMO_(short id, [char *name])`:
//!
//! ```c
//! short DEMO_(short id, char *name);                               /* for function pointers, &DEMO_, sizeof */
//! short px_DEMO_(unsigned long long present, short id, char *name);
//! #define DEMO_(...) PX_DEMO_(__VA_ARGS__,,)                       /* as many commas as parameters */
//! #define PX_DEMO_(p0, p1, ...) \
//!     px_DEMO_((0ULL PX_B(0, p0) PX_B(1, p1) + PX_NO_MORE(..)), PX_V(p0), PX_V(p1))
//! ```
//!
//! The macro fires only before a parenthesis, so the name alone is the function. A procedure that is not provided has no
//! prototype: a call of it becomes a call of a function with gcc's attribute `error`, which gcc reports with the reason
//! when it emits the call, without optimisation too. A call in a branch that can never run is let pass: programs
//! guard what a system lacks that way.

use crate::table::{Kind, Parameter, Procedure, ResultKind, Status};

/// `-DDEBUG` is common, and a declaration of `DEBUG` would then be a riddle.
const MACRO_OF_THE_PROGRAM: &str = "/* A program that has a macro of this name means that macro. */\n";

/// The text of `pollux/proc/NAME.h`.
pub(super) fn header(procedure: &Procedure) -> String {
    let name = &procedure.name;
    let body = if procedure.is_provided() { provided(procedure) } else { refused(procedure) };
    let mut includes = String::from("#include <pollux/macros.h>\n");
    if matches!(procedure.header.as_str(), "socket" | "netdb" | "inet" | "if") {
        includes.push_str("#include <pollux/net.h>\n");
    }
    let list = procedure.list();
    if procedure.result == ResultKind::Stream || list.iter().any(|one| one.kind == Kind::Stream) {
        includes.push_str("#include <stdio.h>\n");
    }
    if list.iter().any(|one| one.c_type.as_ref().is_some_and(|text| text.contains("__ns_std_io"))) {
        includes.push_str("#include <pollux/streams.h>\n");
    }
    let title = match procedure.status {
        Status::Full => "provided".to_owned(),
        status => format!("{status}: {}", procedure.note),
    };
    format!(
        "/* {name}: {title} */\n#ifndef POLLUX_PROC_{name}\n#define POLLUX_PROC_{name}\n#pragma GCC system_header\n\n\
         {includes}\n{MACRO_OF_THE_PROGRAM}#ifndef {name}\n{body}#endif\n\n#endif\n"
    )
}

fn provided(procedure: &Procedure) -> String {
    let name = &procedure.name;
    let list = procedure.list();
    let result = result_type(procedure);
    let plain: Vec<String> =
        list.iter().map(|one| format!("{}{}", spaced(&prototype_type(one)), one.name)).collect();
    let mut masked = vec!["unsigned long long present".to_owned()];
    for one in list {
        match one.kind {
            Kind::Sized(_) | Kind::Address(_) => {
                masked.push(format!("void *{0}, __SIZE_TYPE__ {0}_size", one.name));
            }
            _ => masked.push(format!("{}{}", spaced(&prototype_type(one)), one.name)),
        }
    }
    let plain = if plain.is_empty() { "void".to_owned() } else { plain.join(", ") };
    let mut text = format!(
        "PX_BEGIN\n{result}{name}({plain}){symbol};\n{result}px_{name}({});\nPX_END\n",
        masked.join(", "),
        result = spaced(result),
        symbol = match procedure.has_own_symbol {
            true => format!(" __asm__(\"{}\")", procedure.symbol()),
            false => String::new(),
        },
    );
    let has_sized = list.iter().any(|one| matches!(one.kind, Kind::Sized(_) | Kind::Address(_)));
    if procedure.is_extensible() || has_sized {
        text.push_str(&macros(procedure));
    }
    text
}

fn macros(procedure: &Procedure) -> String {
    let name = &procedure.name;
    let list = procedure.list();
    let names: Vec<String> = (0..list.len()).map(|at| format!("p{at}")).collect();
    let bits: String = (0..list.len()).map(|at| format!(" PX_B({at}, p{at})")).collect();
    let values: Vec<String> = list
        .iter()
        .enumerate()
        .map(|(at, one)| match one.kind {
            Kind::Sized(size) => format!("PX_S({size}, p{at})"),
            Kind::Address(size) => format!("PX_A({size}, p{at})"),
            _ => format!("PX_V(p{at})"),
        })
        .collect();
    format!(
        "#define {name}(...) PX_{name}(__VA_ARGS__{commas})\n\
         #define PX_{name}({names}, ...) \\\n    \
         px_{name}((0ULL{bits}) + PX_NO_MORE(\"too many arguments to {name}\", __VA_ARGS__), \\\n             \
         {values})\n",
        commas = ",".repeat(list.len()),
        names = names.join(", "),
        values = values.join(", ")
    )
}

fn refused(procedure: &Procedure) -> String {
    let name = &procedure.name;
    let lack = match procedure.status {
        Status::Planned => "is not provided yet",
        _ => "is not provided",
    };
    let reason = procedure.note.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "PX_BEGIN\n{result}px_{name}(void) __attribute__((error(\"{name} {lack}: {reason}\")));\nPX_END\n\
         #define {name}(...) px_{name}()\n",
        result = spaced(result_type(procedure)),
    )
}

/// The C type of a parameter in a prototype.
fn prototype_type(parameter: &Parameter) -> String {
    if let Some(c_type) = &parameter.c_type {
        return c_type.clone();
    }
    match parameter.kind {
        Kind::I16 => "short",
        Kind::U16 => "unsigned short",
        Kind::I32 => "int",
        Kind::I64 => "long long",
        Kind::Long => "long",
        Kind::Name | Kind::Text => "const char *",
        Kind::Input => "const void *",
        Kind::Output => "void *",
        Kind::Words | Kind::Sized(2) => "short *",
        Kind::Sized(8) | Kind::Address(8) => "long long *",
        Kind::Sized(_) | Kind::Address(_) => "int *",
        Kind::Stream => "FILE *",
    }
    .to_owned()
}

/// The C type of what a call gives.
pub(crate) fn result_type(procedure: &Procedure) -> &str {
    if let Some(c_result) = &procedure.c_result {
        return c_result;
    }
    match procedure.result {
        ResultKind::Error | ResultKind::Int16 => "short",
        ResultKind::Cc => "_cc_status",
        ResultKind::Void => "void",
        ResultKind::Int32 => "int",
        ResultKind::Int64 => "long long",
        ResultKind::Long => "long",
        ResultKind::Stream => "FILE *",
        ResultKind::Pointer => "void *",
    }
}

/// A type with the blank it needs before a name.
fn spaced(c_type: &str) -> String {
    if c_type.ends_with('*') { c_type.to_owned() } else { format!("{c_type} ") }
}
