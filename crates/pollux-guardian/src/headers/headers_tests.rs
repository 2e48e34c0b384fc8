use std::process::Command;

use super::*;

/// A header that does not compile alone breaks the first program that includes it first.
#[test]
fn each_header_compiles_alone_in_c_and_in_cpp() {
    let directory = tempfile::tempdir().expect("a directory");
    let table = Table::built_in();
    write_to(directory.path(), &table).expect("written");
    let headers = all(&table);
    for (compiler, language, standard) in [("gcc", "c", "-std=gnu17"), ("g++", "c++", "-std=gnu++17")] {
        if compiler == "g++" && Command::new(compiler).arg("--version").output().is_err() {
            println!("skipped for C++: there is no g++\n  next: apt-get install g++");
            continue;
        }
        let mut text = String::new();
        // One unit for all proc headers, one for each of the others.
        let (procedures, others): (Vec<_>, Vec<_>) =
            headers.iter().partition(|(name, _)| name.starts_with("pollux/proc"));
        for (name, _) in procedures {
            let _ = writeln!(text, "#include <{name}>");
        }
        compile(compiler, language, standard, directory.path(), &text);
        for (name, _) in others {
            compile(compiler, language, standard, directory.path(), &format!("#include <{name}>\n"));
        }
    }
}

fn compile(compiler: &str, language: &str, standard: &str, directory: &Path, text: &str) {
    fs::write(directory.join("unit"), text).expect("written");
    let output = Command::new(compiler)
        .args(["-x", language, standard, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-isystem"])
        .arg(directory)
        .args(["-include", "pollux/prelude.h"])
        .arg(directory.join("unit"))
        .output()
        .unwrap_or_else(|error| panic!("this test needs {compiler}: {error}"));
    assert!(output.status.success(), "{compiler}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
}
