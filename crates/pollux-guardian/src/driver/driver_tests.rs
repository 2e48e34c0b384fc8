use super::find::{in_directory, volume, volume_path};
use super::known::{Known, known};

#[test]
fn names_with_volumes() {
    let parts = |name: &str| volume_path(name).map(|(volume, below)| format!("{volume}:{}", below.join("/")));
    assert_eq!(parts("$DATA.app.file").as_deref(), Some("data:app/file"));
    assert_eq!(parts("/G/data/app/file").as_deref(), Some("data:app/file"));
    assert_eq!(parts("\\node.$data.app.file").as_deref(), Some("data:app/file"));
    assert_eq!(
        [parts("file.h"), parts("$data"), parts("/G/data"), parts("\\"), parts("")],
        [const { None }; 5]
    );
    assert!(
        volume("$a=b").is_ok() && volume("=b").is_err() && volume("$a=").is_err() && volume("x").is_err()
    );
}

#[test]
fn names_of_known_headers() {
    let header = |name: &str| match known(name) {
        Some(Known::Header(header)) => header,
        Some(Known::Procedures) => "procedures".to_owned(),
        None => "none".to_owned(),
    };
    for (name, is) in [
        ("cextdecs", "procedures"),
        ("$system.system.cextdecs", "procedures"),
        ("CEXTDECS.H", "procedures"),
        ("stdioh", "stdio.h"),
        ("math", "math.h"),
        ("mathh", "math.h"),
        ("/G/system/zsysdefs/zsysc", "zsysc.h"),
        ("$system.ztcpip.inh", "in.h"),
        ("sys.socket.h", "sys/socket.h"),
        ("systype.h", "systype.h"),
        ("nonstoph", "nonstop.h"),
        ("own.h", "none"),
        ("h", "none"),
        ("", "none"),
    ] {
        assert_eq!(header(name), is, "{name}");
    }
}

#[test]
fn a_file_is_found_by_its_own_name_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    for name in ["a.h", "ah", "bh", "C.H"] {
        std::fs::write(path.join(name), "").expect("written");
    }
    let found = |name: &str| {
        in_directory(path, name).and_then(|found| found.file_name()?.to_str().map(str::to_owned))
    };
    assert_eq!(found("a.h").as_deref(), Some("a.h"));
    assert_eq!(found("ah").as_deref(), Some("ah"));
    assert_eq!(found("b.h").as_deref(), Some("bh"));
    assert_eq!(found("ch").as_deref(), Some("C.H"));
    assert_eq!(found("d.h"), None);
}
