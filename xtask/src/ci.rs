//! The gate: what must hold before a change lands. Reads only; `cargo xtask fix` is what rewrites.

use crate::run::{Outcome, cargo, has, program, root, target};
use crate::{counts, tidy, torture};

/// Debian packages with programs that the tests drive; tests that need one say so when it is missing.
const PACKAGES: [(&str, &str); 9] = [
    ("redis-benchmark", "redis-tools"),
    ("curl", "curl"),
    ("nc", "netcat-openbsd"),
    ("g++", "g++"),
    ("valgrind", "valgrind"),
    ("etcd", "etcd-server"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("strace", "strace"),
];

/// Runs every check. `demo`: also a million simulated takeovers, a thousand real kills, the demo, and the counts of the hot paths, in their release builds.
pub(crate) fn all(demo: bool) -> Outcome {
    prerequisites()?;
    tidy::check()?;
    cargo(&["fmt", "--all", "--", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])?;
    document()?;
    cargo(&["test", "--workspace", "--all-features"])?;
    examples()?;
    if demo {
        // One build for all that runs in it: each package alone would have other features, and be built again.
        let packages = ["pollux-cli", "pollux-torture", "pollux-guardian-rt", "pollux-sim"];
        let mut build = vec!["build", "--release"];
        packages.iter().for_each(|package| build.extend(["--package", package]));
        cargo(&build)?;
        let built = |name: &str| target().join("release").join(name).display().to_string();
        program(&built("pollux-sim"), &["run", "--takeovers", "1000000"])?;
        match torture::run(&["--kills", "1000", "--pauses", "200"])? {
            0 => {}
            3 => return Err("the torture campaign itself has failed; what it said is above".to_owned()),
            code => {
                return Err(format!("the torture campaign ended with exit code {code}: a promise is broken"));
            }
        }
        let demo = ["demo", "--fault", "mix", "--kills", "60", "--every", "50", "--json"];
        program(&built("pollux"), &demo)?;
        if has("valgrind") {
            println!("--- counts");
            counts::all(&[])?;
        }
    }
    println!("--- all checks passed");
    Ok(())
}

/// The C examples compile without a warning: they are what people copy.
fn examples() -> Outcome {
    let directory = root().join("examples/c");
    let entries =
        std::fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut sources: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| path.display().to_string())
        .collect();
    sources.sort();
    let driver = ["run", "--quiet", "--package", "pollux-cli", "--", "cc", "-fsyntax-only"];
    let warnings = ["-Wall", "-Wextra", "-Werror"];
    cargo(&driver.into_iter().chain(warnings).chain(sources.iter().map(String::as_str)).collect::<Vec<_>>())
}

fn document() -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(
        "env",
        &["RUSTDOCFLAGS=-D warnings", &cargo, "doc", "--workspace", "--all-features", "--no-deps", "--quiet"],
    )
}

/// Installs what is missing when it can, and says what is missing when it cannot.
fn prerequisites() -> Outcome {
    if !has("cc") || !has("gcc") {
        return Err(
            "no C compiler: the coordinator's store is C, and pollux cc compiles with gcc\n  next: apt-get install gcc libc6-dev".to_owned()
        );
    }
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(command, _)| !has(command)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() && has("apt-get") {
        // A machine without the network still runs everything else.
        let update = program("apt-get", &["update", "-qq"]);
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&missing);
        if update.and_then(|()| program("apt-get", &arguments)).is_ok() {
            return Ok(());
        }
    }
    println!("--- missing: {}; the tests that need it are skipped and say so", missing.join(" "));
    println!("    next: apt-get install {}", missing.join(" "));
    Ok(())
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}
