//! The C headers: some are written by hand in `include/`, the rest is made from the procedure table.
//!
//! | Header | Where it comes from |
//! | --- | --- |
//! | `cextdecs.h` | one include per procedure of that header |
//! | `pollux/proc/NAME.h` | `procedure.rs`: prototype, entry point, macro for omitted arguments |
//! | `crtlns.h` `nonstop.h` `stdlib.h` `stdio.h` `socket.h` `tdmext.h` ... | written here around the procedures they declare |
//! | `derror.h` `zfilc.h` `errno.h` | from the lists `include/errors.txt` and `include/errno.txt` |
//! | `tal.h` `zsysc.h` `dlaunch.h` ... | by hand |
//!
//! The driver writes them into its private directory for each run, so headers and driver are always of one version and
//! an installation is one file.

mod procedure;

pub(crate) use procedure::result_type;

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::table::{Language, Table};

/// The headers that are written by hand.
const BY_HAND: [(&str, &str); 19] = [
    ("pollux/macros.h", include_str!("../../include/pollux/macros.h")),
    ("pollux/types.h", include_str!("../../include/pollux/types.h")),
    ("pollux/prelude.h", include_str!("../../include/pollux/prelude.h")),
    ("pollux/streams.h", include_str!("../../include/pollux/streams.h")),
    // Made from the tables of the domain, in the crate of its library.
    ("nof_c.h", include_str!("../../../pollux-nof/include/nof_c.h")),
    ("values_c.h", include_str!("../../../pollux-nof/include/values_c.h")),
    ("tal.h", include_str!("../../include/tal.h")),
    ("tnsint.h", include_str!("../../include/tnsint.h")),
    ("zsysc.h", include_str!("../../include/zsysc.h")),
    ("zspic.h", include_str!("../../include/zspic.h")),
    ("dlaunch.h", include_str!("../../include/dlaunch.h")),
    ("in.h", include_str!("../../include/in.h")),
    ("in6.h", include_str!("../../include/in6.h")),
    ("pollux/net.h", include_str!("../../include/pollux/net.h")),
    ("route.h", include_str!("../../include/route.h")),
    ("mbuf.h", include_str!("../../include/mbuf.h")),
    ("ioctl.h", include_str!("../../include/ioctl.h")),
    ("param.h", include_str!("../../include/param.h")),
    ("systype.h", include_str!("../../include/systype.h")),
];
const TDMEXT: &str = include_str!("../../include/tdmext.h.in");
const ERRORS: &str = include_str!("../../include/errors.txt");
const ERRNO: &str = include_str!("../../include/errno.txt");

/// Headers that declare procedures of their own beside what another header has: name, what comes first, the header
/// of the table.
const AROUND: [(&str, &str, &str); 10] = [
    ("crtlns", "#include <pollux/streams.h>\n#include <stdio.h>\n", "crtlns"),
    ("nonstop", "#include <pollux/streams.h>\n#include <stdio.h>\n", "crtlns"),
    ("stdlib", "#include_next <stdlib.h>\n", "stdlib"),
    ("stdio", "#include_next <stdio.h>\n", "stdio"),
    ("socket", include_str!("../../include/pollux/socket.h.in"), "socket"),
    ("netdb", NETDB, "netdb"),
    ("inet", include_str!("../../include/pollux/inet.h.in"), "inet"),
    ("if", include_str!("../../include/pollux/if.h.in"), "if"),
    ("tdmsig", "#include <signal.h>\n", "tdmsig"),
    ("clurdec", "#include <stdlib.h>\n", "clurdec"),
];
const NETDB: &str = include_str!("../../include/pollux/netdb.h.in");

/// One header: its name as in `#include <NAME>`, and its text.
pub type Header = (String, String);

/// Every header of the set.
#[must_use]
pub fn all(table: &Table) -> Vec<Header> {
    let mut headers: Vec<Header> = BY_HAND.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    headers.push(("cextdecs.h".to_owned(), collection("cextdecs", "", table, "cextdecs")));
    for (name, first, of) in AROUND {
        let text = collection(name, first, table, of);
        // Programs of Linux style include a netdb.h, too, and mean the one that goes with the system's sockets.
        headers.push((format!("{name}.h"), if name == "netdb" { beside_the_system(&text) } else { text }));
    }
    headers.push(("tdmext.h".to_owned(), TDMEXT.replace("@PROCEDURES@\n", &includes(table, "tdmext"))));
    headers.push(("derror.h".to_owned(), numbers("derror", "File-system errors.", ERRORS, "FE")));
    headers.push(("zfilc.h".to_owned(), numbers("zfilc", "File-system errors.", ERRORS, "ZFIL_ERR_")));
    let errno_title =
        "The values of errno. The variable itself is declared before the first line of each source.";
    headers.push(("errno.h".to_owned(), numbers("errno", errno_title, ERRNO, "")));
    for one in table.procedures().filter(|one| one.language == Language::C && one.header != "system") {
        headers.push((format!("pollux/proc/{}.h", one.name), procedure::header(one)));
    }
    headers
}

/// Writes the set below `directory`, which exists.
///
/// # Errors
/// If a file cannot be written.
pub fn write_to(directory: &Path, table: &Table) -> io::Result<()> {
    fs::create_dir_all(directory.join("pollux/proc"))?;
    all(table).into_iter().try_for_each(|(name, text)| fs::write(directory.join(name), text))
}

/// A header that declares every procedure the table puts into header `of`.
fn collection(name: &str, first: &str, table: &Table, of: &str) -> String {
    let title = match of {
        "cextdecs" => "Every procedure. A section list in the include line names the ones that are wanted.",
        _ => "What the header of this name has, and the procedures that belong to it.",
    };
    guarded(name, title, &format!("{first}{}", includes(table, of)))
}

fn includes(table: &Table, of: &str) -> String {
    table.of_header(of).map(|one| format!("#include <pollux/proc/{}.h>\n", one.name)).collect()
}

/// A header that leaves its place to the system's of the same name in a source that has begun with the system's sockets.
fn beside_the_system(text: &str) -> String {
    format!(
        "#if defined(POLLUX_SYSTEM_SOCKETS) || (!defined(POLLUX_NET_H) && \\\n    \
         (defined(_SYS_SOCKET_H) || defined(_NETINET_IN_H) || defined(_ARPA_INET_H)))\n\
         #pragma GCC system_header\n#include_next <netdb.h>\n#else\n{text}#endif\n"
    )
}

/// A header of constants from a list of lines `NUMBER NAME`.
fn numbers(name: &str, title: &str, list: &str, prefix: &str) -> String {
    let mut body = String::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        if let Some((number, word)) = line.split_once(' ') {
            // The C library's own headers, if one of them is included first, have other numbers for these names.
            let _ = writeln!(body, "#undef {prefix}{word}\n#define {prefix}{word} {number}");
        }
    }
    guarded(name, title, &body)
}

fn guarded(name: &str, title: &str, body: &str) -> String {
    let guard = format!("POLLUX_{}_H", name.to_ascii_uppercase());
    format!("/* {title} */\n#ifndef {guard}\n#define {guard}\n#pragma GCC system_header\n\n{body}\n#endif\n")
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
