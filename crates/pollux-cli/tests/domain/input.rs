//! Bad input: the documented code, one clear line for a person, nothing changed.

use super::place::{Place, Servers, node};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

// An operator who mistypes must be told what is right, and the domain must be as it was.
#[test]
fn what_people_type_wrong() {
    let place = Place::with_servers(&[], &["alpha", "beta"]);
    let before = place.status("alpha").unwrap()["stamp"].clone();
    place
        .domain("alpha", &["add-backup", "Beta"])
        .failed(&["beta is already in the list as beta", "nothing to add"]);
    place.domain("beta", &["remove-backup", "nobody"]).failed(&["nobody is not in the list"]);
    place
        .domain("alpha", &["move-master", "beta", "--position", "5"])
        .failed(&["position 5 is outside the list of 2"]);
    for (name, words) in [("b d", "the name holds ' '"), ("bär", "the name holds 'ä'"), ("", "empty")] {
        let said = place.domain("alpha", &["add-backup", name]);
        assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    }
    let long = "x".repeat(129);
    let said = place.domain("alpha", &["add-backup", &long]);
    assert!(said.code == Some(2) && said.err.contains("129 bytes is longer than 128"), "{said:?}");
    place
        .run(&["domain", "init", "plant", "--host", "alpha"])
        .failed(&["is in use by another server of that name"]);
    place.domain("nowhere", &["status"]).failed(&["no domain server runs in node \\NOWHERE"]);
    place
        .run(&["--node", "\\ALPHA", "domain", "join", "plant", "--host", "x"])
        .failed(&["has a domain server already"]);
    for (words, text) in [
        (["--domain-time", "beat=0"], "beat (0) must be above 0"),
        (["--coordinator", "zookeeper://x"], "no such kind of coordinator"),
    ] {
        let line = ["--node", "\\OTHER", "up", "--domain", "plant", "--host", "x", words[0], words[1]];
        place.run(&line).failed(&[text]);
    }
    assert_eq!(place.status("alpha").unwrap()["stamp"], before, "nothing changed");
}

// A server that acted on a torn file would make half a configuration the domain's.
#[test]
fn torn_and_edited_files_are_named_and_not_used() {
    let place = Place::with_servers(&["--domain-time", "stable=600"], &["alpha", "beta"]);
    place.wait("beta has the file", || place.file("beta", "sna_domn.cfg").exists());
    place.wait("whole", || place.domain("alpha", &["status"]).code == Some(0));
    place.down("beta");
    let file = place.file("beta", "sna_domn.cfg");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("server = beta", "server = evil")).unwrap();
    let net = place.file("beta", "sna.net");
    fs::write(&net, &fs::read_to_string(&net).unwrap()[..60]).unwrap();
    place.up("beta");
    place.wait("beta fetched whole files", || place.domain("alpha", &["status"]).code == Some(0));
    let problems = place.status("beta").unwrap()["problems"].to_string();
    assert!(problems.contains("sna_domn.cfg: line 3: checksum"), "{problems}");
    assert!(problems.contains("sna.net: line "), "{problems}");
    assert_eq!(place.list("beta"), ["alpha", "beta"]);
    assert!(fs::read_to_string(&file).unwrap().contains("server = beta"));
    let log = fs::read_to_string(place.file("beta", "sna.err")).unwrap();
    assert!(log.contains("checksum"), "{log}");
    // Central logging: the acting master has it, too.
    place.wait("the central log", || {
        fs::read_to_string(place.file("alpha", "sna.err"))
            .is_ok_and(|log| log.contains("beta: ") && log.contains("checksum"))
    });
}

// Scripts of the products call snaadmin and look at its codes.
#[test]
fn snaadmin_as_documented() {
    let place = Place::with_servers(&[], &["alpha"]);
    let alias = place.path("snaadmin");
    symlink(env!("CARGO_BIN_EXE_pollux"), &alias).unwrap();
    let snaadmin = |words: &[&str]| {
        let mut command = Command::new(&alias);
        command.args(words);
        place.surround(&mut command, "alpha");
        place.said(command, words)
    };
    assert_eq!(snaadmin(&["add_backup,", "backup_name=beta"]).done(), "");
    let said = snaadmin(&["add_backup, backup_name = BETA"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "primary_rc = STATE_CHECK\nsecondary_rc = DUPLICATE_RECORD\n")
    );
    assert_eq!(
        snaadmin(&["query_sna_net"]).done(),
        "domain_name = plant\n\nserver_name = alpha\n\nserver_name = beta\n"
    );
    assert_eq!(
        snaadmin(&["query_sna_net, server_name=alpha, list_options=list_from_next"]).done(),
        "domain_name = plant\n\nserver_name = beta\n"
    );
    let said = snaadmin(&["query_sna_net, server_name=nobody"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "primary_rc = STATE_CHECK\nsecondary_rc = RECORD_NOT_FOUND\n")
    );
    assert_eq!(
        snaadmin(&["query_node_all, num_entries=0x1"]).done(),
        "node_name = alpha\nconfig_role = MASTER\n"
    );
    assert_eq!(snaadmin(&["query_central_logger"]).done(), "node_name = alpha\n");
    assert!(snaadmin(&["query_domain_config_file"]).done().contains("\nrevision_level = 2\ncomment = \n"));
    let said = snaadmin(&["delete_backup, backup_name=alpha"]);
    assert_eq!((said.code, said.err.contains("CANT_DELETE_LAST_BACKUP")), (Some(1), true));
    let said = snaadmin(&["delete_backup"]);
    assert_eq!((said.code, said.err.contains("INVALID_SERVER_NAME")), (Some(1), true), "{said:?}");
    for (line, text) in [
        ("fly", "fly is no command of the domain"),
        ("add_backup, name=x", "has no parameter name"),
        ("add_backup, backup_name", "write parameter=value"),
        ("query_sna_net, num_entries=many", "a number from 0"),
    ] {
        let said = snaadmin(&[line]);
        assert!(said.code == Some(2) && said.err.contains(text), "{line}: {said:?}");
    }
    let said = snaadmin(&["-n", "beta", "query_sna_net"]);
    assert!(said.code == Some(2) && said.err.contains("only on a client"), "{said:?}");
    let script = place.write("script", "# clean up\ndelete_backup, backup_name=beta\n\nquery_sna_net\n");
    assert_eq!(snaadmin(&["-i", &script]).done(), "domain_name = plant\n\nserver_name = alpha\n");
    place.down("alpha");
    let said = snaadmin(&["query_sna_net"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), "primary_rc = COMM_SUBSYSTEM_NOT_LOADED\n"));
    assert_eq!(node("alpha"), "\\ALPHA");
}
