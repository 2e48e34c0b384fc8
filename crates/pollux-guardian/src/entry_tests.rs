use std::process::Command;

use super::*;

/// The build of the run-time library is far away: that the text compiles and finds what is missing is seen here.
#[test]
fn the_text_compiles_and_knows_what_is_missing() {
    let table = Table::built_in();
    let directory = tempfile::tempdir().expect("a directory");
    let mut source = String::from(
        "#![deny(warnings)]
        pub mod entries { include!(\"entries.rs\"); }
        pub(crate) mod entry {
            #[allow(dead_code)]
            pub(crate) struct Out { pub(crate) pointer: *mut u8, pub(crate) size: usize }
            pub(crate) fn error_number(_: &'static str, missing: u16, f: impl FnOnce() -> i16) -> i16 {
                if missing != 0 { -(missing as i16) } else { f() }
            }
            pub(crate) fn condition_code(_: &'static str, _: u16, _: Option<i16>, f: impl FnOnce() -> i16) -> i16 { f() }
            pub(crate) fn nothing(_: &'static str, _: u16, f: impl FnOnce()) { f() }
            pub(crate) fn int16(_: &'static str, missing: u16, or: i16, f: impl FnOnce() -> i16) -> i16 {
                if missing != 0 { or } else { f() }
            }
            // SAFETY: the only caller is below.
            pub(crate) fn detail(to: *mut i16, missing: u16) { unsafe { *to = missing as i16 } }
            pub(crate) fn int32(_: &'static str, _: u16, _: i32, f: impl FnOnce() -> i32) -> i32 { f() }
            pub(crate) fn int64(_: &'static str, _: u16, _: i64, f: impl FnOnce() -> i64) -> i64 { f() }
            type Stream = *mut core::ffi::c_void;
            pub(crate) fn stream(_: &'static str, _: u16, f: impl FnOnce() -> Stream) -> Stream { f() }
        }
        #[allow(non_snake_case)]
        pub(crate) mod procedures {
            use crate::entries::args;\n",
    );
    for procedure in table.provided() {
        let value = match procedure.result {
            ResultKind::Void => "",
            ResultKind::Stream | ResultKind::Pointer => "core::ptr::null_mut()",
            _ => "0",
        };
        let name = &procedure.name;
        let arrow = arrow(procedure.result);
        let _ = writeln!(source, "pub(crate) fn {name}(_: args::{name}){arrow} {{ {value} }}");
    }
    source.push_str(
        "}
        fn main() {
            let none = core::ptr::null_mut();
            // SAFETY: no procedure here looks at what it is given.
            unsafe {
                let open = |present| entries::px_FILE_OPEN_(
                    present, none, 0, none.cast(), 0, 0, 0, 0, 0, 0, 0, none.cast(), 0);
                assert_eq!([open(0), open(1), open(3), open(7), open(0x17)], [-1, -1, -2, 0, 0]);
                let compare = |present| entries::px_PROCESSHANDLE_COMPARE_(present, none.cast(), none.cast());
                assert_eq!([compare(1), compare(3)], [0, 0]);
                let whole = |present| entries::px_PROCESS_STOP_(
                    present, none.cast(), 0, 0, 0, 0, none.cast(), none, 0);
                assert_eq!([whole(0), whole(6), whole(0x40), whole(0x80), whole(0xc0)], [0, 0, -7, -7, 0]);
                let mut detail = 0;
                let part = |present, detail| entries::px_PROCESSOR_GETINFOLIST_(
                    present, none, 0, 0, none.cast(), 0, none.cast(), 0, none.cast(), detail);
                assert_eq!((part(0x1f8, &raw mut detail), detail), (0, 0));
                assert_eq!((part(0x1e8, &raw mut detail), detail), (2, 4));
                let mut word = 0i64;
                let out = (&raw mut word).cast();
                assert_eq!(entries::REPLYX(none, 0, out, 0, 0), 0);
            }
        }\n",
    );
    std::fs::write(directory.path().join("main.rs"), source).expect("written");
    std::fs::write(directory.path().join("entries.rs"), super::source(&table)).expect("written");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let built = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "bin", "-o", "main", "main.rs"])
        .current_dir(directory.path())
        .output()
        .expect("rustc runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(directory.path().join("main")).output().expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
