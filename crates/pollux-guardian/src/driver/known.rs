//! Names of headers that are not the program's own: what Guardian calls them, and what they are here.

use crate::table::{Language, Procedure, Table};

use super::find::volume_path;

/// Headers of the C library that go by their name.
const STANDARD: [&str; 33] = [
    "assert", "complex", "ctype", "dirent", "dlfcn", "errno", "fcntl", "float", "grp", "inttypes", "limits",
    "locale", "malloc", "math", "memory", "netdb", "pwd", "regex", "setjmp", "signal", "stdarg", "stdbool",
    "stddef", "stdint", "stdio", "stdlib", "string", "strings", "time", "unistd", "utime", "wchar", "wctype",
];

/// Headers of our set.
const OURS: [&str; 25] = [
    "cextdecs", "clurdec", "crtlns", "derror", "dlaunch", "errno", "if", "in", "in6", "inet", "ioctl",
    "mbuf", "nonstop", "param", "route", "socket", "stdio", "stdlib", "systype", "tal", "tdmext", "tdmsig",
    "tnsint", "zfilc", "zspic",
];

/// A header that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// The procedure declarations: a section list chooses among them.
    Procedures,
    /// Any other, by the name to write between `<` and `>`.
    Header(String),
}

/// What a name means, if it is known: volume path, case, and `.h` or a final `h` do not matter.
pub(crate) fn known(name: &str) -> Option<Known> {
    let lower = name.to_ascii_lowercase();
    let last = match volume_path(&lower) {
        Some((_, below)) => below.last()?.clone(),
        None => lower.clone(),
    };
    let stem = last.strip_suffix(".h").unwrap_or(&last);
    let stems = [stem, stem.strip_suffix('h').unwrap_or(stem)];
    for stem in stems {
        match stem {
            "cextdecs" => return Some(Known::Procedures),
            "zsysc" => return Some(Known::Header("zsysc.h".to_owned())),
            "types" | "systypes" => return Some(Known::Header("sys/types.h".to_owned())),
            _ if OURS.contains(&stem) || STANDARD.contains(&stem) => {
                return Some(Known::Header(format!("{stem}.h")));
            }
            _ => {}
        }
    }
    // sysNAME.h and sys.NAME.h are sys/NAME.h.
    let below = stem.strip_prefix("sys.").or_else(|| stem.strip_prefix("sys"))?;
    SYSTEM.contains(&below).then(|| Known::Header(format!("sys/{below}.h")))
}

/// Headers below `sys/`.
const SYSTEM: [&str; 14] = [
    "types", "socket", "stat", "time", "times", "wait", "ioctl", "param", "select", "un", "uio", "ipc",
    "shm", "utsname",
];

/// True for headers of C that a quoted or volume name is surely not meant to replace.
pub(crate) fn is_standard(name: &str) -> bool {
    name.strip_suffix(".h").is_some_and(|stem| STANDARD.contains(&stem)) || name.contains('/')
}

/// The procedure that a section names.
pub(crate) fn section<'a>(table: &'a Table, name: &str) -> Option<&'a Procedure> {
    table
        .procedures()
        .filter(|one| one.language == Language::C && one.header != "system")
        .find(|one| one.name.eq_ignore_ascii_case(name))
}
