//! TLS and logins: who is let in, and what the others are told.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pollux_coordinator::{Coordinator, Error, Etcd, Key, Transaction};

use crate::cluster::{Cluster, QUICK, is_installed, place, wait_for};

#[test]
fn only_the_right_certificates_are_let_in_and_trusted() {
    // Anyone on the network could move primaries, or play the coordinator (S16).
    if !is_installed("openssl", "openssl") {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let at = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    make_authority(files.path(), "ca");
    make_authority(files.path(), "other");
    make_certificate(files.path(), "ca", "server", "DNS:etcd.test");
    make_certificate(files.path(), "ca", "client", "DNS:cpu.test");
    make_certificate(files.path(), "other", "stranger", "DNS:cpu.test");
    let arguments = [
        ["--cert-file", &at("server.crt")],
        ["--key-file", &at("server.key")],
        ["--trusted-ca-file", &at("ca.crt")],
    ];
    let Some(cluster) = Cluster::start_with(1, QUICK, |_, _| {
        let mut all = arguments.concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        all.push("--client-cert-auth".to_owned());
        all
    }) else {
        return;
    };
    let open = |limit: u32, options: &str| {
        let address = &cluster.members[0].address;
        Etcd::open(&place(&format!("etcd://{address}/p?limit-ms={limit}&{options}")))
    };
    let right = format!(
        "ca={}&cert={}&key={}&server-name=etcd.test",
        at("ca.crt"),
        at("client.crt"),
        at("client.key")
    );
    let mut store = open(30_000, &right).unwrap();
    store.commit(&Transaction::new().put(Key::new("a").unwrap(), "x")).unwrap();

    let unavailable = |options: &str, why: &str| match open(600, options) {
        Err(Error::Unavailable { reason }) => assert!(reason.contains(why), "{options}: {reason}"),
        other => panic!("{options}: {other:?}"),
    };
    unavailable(&right.replace("ca.crt", "other.crt"), "UnknownIssuer");
    unavailable(&right.replace("etcd.test", "etcd.example"), "not valid for name");
    unavailable(&right.replace("client.", "stranger."), "");
    unavailable(&format!("ca={}&server-name=etcd.test", at("ca.crt")), "");
    unavailable("", ""); // in the clear
    match open(600, &right.replace("client.key", "none.key")) {
        Err(Error::Invalid { reason }) => assert!(reason.contains("none.key"), "{reason}"),
        other => panic!("{other:?}"),
    }
    fs::write(files.path().join("ca.crt"), "no certificate").unwrap();
    let refused = open(600, &right).unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. } | Error::Unavailable { .. }), "{refused}");
}

#[test]
fn a_login_is_asked_for_kept_and_renewed() {
    // A node would lose its coordinator with the first restart of etcd, or let strangers in (S16).
    let Some(mut cluster) = Cluster::start(1, QUICK) else { return };
    let mut before = cluster.open("p");
    before.commit(&Transaction::new().put(Key::new("a").unwrap(), "x")).unwrap();
    let member = &cluster.members[0];
    for (call, body) in [
        ("user/add", r#"{"name":"root","password":"secret word"}"#),
        ("role/add", r#"{"name":"root"}"#),
        ("user/grant", r#"{"user":"root","role":"root"}"#),
        ("user/add", r#"{"name":"guest","password":"g"}"#),
        ("auth/enable", "{}"),
    ] {
        let path = if call == "auth/enable" { "enable" } else { call };
        let answer = member.http(&format!("POST /v3/auth/{path}"), body).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{call}: {answer}");
    }
    let files = tempfile::tempdir().unwrap();
    for (name, content) in [("right", "secret word\n"), ("wrong", "secret"), ("guest", "g")] {
        fs::write(files.path().join(name), content).unwrap();
    }
    let open = |user: &str, file: &str| {
        let file = files.path().join(file);
        let options = format!("limit-ms=10000&user={user}&password-file={}", file.display());
        Etcd::open(&cluster.place("p", &options))
    };
    let refused = |result: Result<Etcd, Error>, why: &str| match result {
        Err(Error::Invalid { reason }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    };
    refused(Etcd::open(&cluster.place("p", "")), "password-file");
    refused(open("root", "wrong"), "check the user");
    refused(open("guest", "guest"), "grant");
    refused(open("root", "none"), "none");
    let commit = |store: &mut Etcd| store.commit(&Transaction::new().put(Key::new("b").unwrap(), "y"));
    // One that was let in without a login is told, and has changed nothing.
    assert!(matches!(commit(&mut before), Err(Error::Invalid { .. })));
    let mut store = open("root", "right").unwrap();
    commit(&mut store).unwrap();
    assert!(store.get(&Key::new("a").unwrap()).unwrap().is_some());

    // Tokens live in the server's memory.
    cluster.members[0].kill();
    cluster.members[0].start();
    wait_for(&mut store);
    commit(&mut store).unwrap();
}

fn make_authority(directory: &Path, name: &str) {
    openssl(
        directory,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} \
                  -keyout {name}.key -out {name}.crt -addext basicConstraints=critical,CA:TRUE"
        ),
    );
}

fn make_certificate(directory: &Path, authority: &str, name: &str, alternative: &str) {
    fs::write(
        directory.join("extensions"),
        format!("subjectAltName={alternative}\nextendedKeyUsage=serverAuth,clientAuth\n"),
    )
    .unwrap();
    openssl(
        directory,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} \
                  -keyout {name}.key -out {name}.csr"
        ),
    );
    openssl(
        directory,
        &format!(
            "x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial -days 2 \
                  -extfile extensions -out {name}.crt"
        ),
    );
}

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
