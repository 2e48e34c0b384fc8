//! Two kinds of sockets: a source has those whose headers it includes.

#![allow(clippy::unwrap_used)]

use guardian_cc::driver;

fn compiles(name: &str, text: &str, options: &[&str]) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join(name);
    std::fs::write(&source, text).unwrap();
    let mut words: Vec<String> = options.iter().map(|&word| word.to_owned()).collect();
    words.extend(["-Werror", "-Wall", "-fsyntax-only"].map(str::to_owned));
    words.push(source.to_str().unwrap().to_owned());
    driver::run(&words) == 0
}

const BODY: &str = "int f(void) { struct sockaddr_in a; a.sin_port = htons(1); a.sin_family = AF_INET;\n\
    return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *) &a, sizeof a) + SOL_SOCKET; }\n";

/// A program that was written for Linux keeps its own sockets.
#[test]
fn linux_headers_stay_linux_headers() {
    let headers =
        "#include <sys/socket.h>\n#include <netinet/in.h>\n#include <netdb.h>\n#include <arpa/inet.h>\n";
    let text = format!("{headers}{BODY}_Static_assert(SOL_SOCKET == 1, \"Linux\");\n");
    assert!(compiles("linux.c", &text, &[]));
    let first = "#include <netdb.h>\n#include <sys/socket.h>\n#include <netinet/in.h>\n";
    let text = format!("{first}{BODY}_Static_assert(SOL_SOCKET == 1, \"Linux\");\n");
    assert!(compiles("swapped.c", &text, &["-DPOLLUX_SYSTEM_SOCKETS"]));
}

/// In any order, by any name, beside the headers of C and POSIX that programs include, too.
#[test]
fn guardian_headers_stand_beside_those_of_c() {
    let headers =
        "#include \"$system.ztcpip.netdbh\"\n#include <unistd.h>\n#include <stdlib.h>\n#include <sockh>\n";
    let headers = headers.replace("<sockh>", "<socketh>");
    let more = "#include \"$system.ztcpip.inh\"\n#include <sys/types.h>\n#include <sys/time.h>\n#include <errno.h>\n\
        #include <ifh>\n#include <routeh>\n#include <mbufh>\n#include <ioctlh>\n#include <paramh>\n#include <ineth>\n#include <in6h>\n";
    let own = "_Static_assert(SOL_SOCKET == 0xffff && ECONNRESET == 4120 && sizeof(struct open_info_message) == 64, \"ours\");\n\
        int g(void) { return (int) htons(7639) - 7639 + (getservbyname(\"a\", 0) != 0) + accept_nw2(1, 0, 7L); }\n";
    assert!(compiles("guardian.c", &format!("{headers}{more}{BODY}{own}"), &[]));
}

/// Both in one source would be two meanings of one number.
#[test]
fn both_kinds_in_one_source_are_refused() {
    for text in
        ["#include <socketh>\n#include <sys/socket.h>\n", "#include <sys/socket.h>\n#include <socketh>\n"]
    {
        assert!(!compiles("both.c", text, &[]), "{text}");
    }
}
