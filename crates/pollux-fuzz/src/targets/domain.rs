//! The domain's files, records, verbs and commands; and texts that people write elsewhere.

use pollux_coordinator::{Coordinator as _, Key, Memory, Place, Transaction};
use pollux_domain::configuration::{Configuration, Logging};
use pollux_domain::content::Content;
use pollux_domain::difference::difference;
use pollux_domain::files::{ClientFile, DomainFile, NodeFile, SnaNet, checksum};
use pollux_domain::name::{ServerName, check_domain_name};
use pollux_domain::nof::engine::{Call, Session, Step};
use pollux_domain::nof::layout::Profile;
use pollux_domain::nof::numbers as n;
use pollux_domain::nof::vcb;
use pollux_domain::nof::view::{DomainView, LogTypes, Software};
use pollux_domain::snaadmin as admin;
use pollux_domain::store::Store;
use pollux_wire::Epoch;
use polluxd::Arguments;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// With the right checksum, which no fuzzer guesses.
fn sealed(kind: &str, rest: &str) -> String {
    format!("[{kind}]\nformat = 1\nchecksum = {:08x}\n{rest}", checksum(rest.as_bytes()))
}

/// `sna.net`: as it is, and as the rest of a sealed file.
pub(super) fn sna_net(bytes: &[u8]) {
    for text in [text(bytes), &sealed("pollux_sna_net", text(bytes))] {
        match SnaNet::parse(text) {
            Ok(net) => assert_eq!(SnaNet::parse(&net.print()), Ok(net)),
            Err(faults) => assert!(!faults.0.is_empty() && !faults.to_string().is_empty()),
        }
    }
}

/// `sna_domn.cfg`: as it is, as the rest of a sealed file, and as one that was edited by hand.
pub(super) fn domain_file(bytes: &[u8]) {
    let whole = sealed("define_domain_config_file", text(bytes));
    let read =
        [DomainFile::parse(text(bytes)), DomainFile::parse(&whole), DomainFile::parse_edited(text(bytes))];
    for file in read.into_iter().flatten() {
        assert_eq!(DomainFile::parse(&file.print()), Ok(file));
    }
}

/// The node file: the same two ways.
pub(super) fn node_file(bytes: &[u8]) {
    for text in [text(bytes), &sealed("define_node_config_file", text(bytes))] {
        if let Ok(file) = NodeFile::parse(text) {
            assert_eq!(NodeFile::parse(&file.print()), Ok(file));
        }
    }
}

/// `sna_clnt.net`.
pub(super) fn client_file(bytes: &[u8]) {
    if let Ok(file) = ClientFile::parse(text(bytes)) {
        assert_eq!(check_domain_name(&file.domain), Ok(()));
    }
}

/// What a domain runs: what is read prints as what is read; from nothing to it there is a way, and back.
pub(super) fn configuration(bytes: &[u8]) {
    let Ok(configuration) = Configuration::parse(text(bytes)) else { return };
    assert_eq!(Configuration::parse(&configuration.print()), Ok(configuration.clone()));
    assert_eq!(difference(&configuration, &configuration), []);
    for action in difference(&Configuration::default(), &configuration) {
        let _ = (action.to_string(), action.undo(), action.loses_state());
    }
    let changed = Logging { central: !configuration.logging.central, ..configuration.logging };
    let again =
        Configuration::parse(&changed.put_into(text(bytes))).expect("only the rules of logging are others");
    assert_eq!((again.logging, again.pairs), (changed, configuration.pairs));
}

/// The records of a domain in the coordinator: lines of a key, a blank and a value; `file` stands for the parts, sealed.
pub(super) fn store(bytes: &[u8]) {
    let mut coordinator = Memory::new();
    let whole = text(bytes);
    let (lines, rest) = whole.split_once("\n\n").unwrap_or((whole, ""));
    let mut all = Transaction::new();
    let mut given = std::collections::BTreeSet::new();
    for line in lines.lines().take(32) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if let Ok(key) = Key::new(format!("domain/plant/{key}"))
            && given.insert(key.clone())
        {
            all = all.put(key, value);
        }
    }
    let part = Key::new("domain/plant/file/000").expect("a right key");
    if given.insert(part.clone()) {
        all = all.put(part, sealed("define_domain_config_file", rest));
    }
    if coordinator.commit(&all).is_err() {
        return;
    }
    let store = Store::new("plant");
    if let Ok((records, _)) = store.read_with_addresses(&coordinator)
        && let Some(content) = records.content
    {
        assert!(content.list.entries().len() <= content.file.len() + whole.len());
    }
}

/// Where the coordinator is, as `--coordinator` says.
pub(super) fn place(bytes: &[u8]) {
    let _ = Place::parse(text(bytes), "pollux/N1");
}

/// The arguments of a CPU daemon, one a line.
pub(super) fn daemon_arguments(bytes: &[u8]) {
    let words = |bytes: &[u8]| {
        bytes.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec())).collect()
    };
    let given: Vec<OsString> = words(bytes);
    if let Ok(arguments) = Arguments::parse(&given) {
        let again = arguments.for_cpu(arguments.cpu, arguments.processors.as_deref().unwrap_or_default());
        assert_eq!(Arguments::parse(&again[1..]), Ok(arguments));
    }
}

fn view() -> DomainView {
    let alpha = ServerName::new("alpha").expect("a right name");
    let content = Content::new(alpha.clone(), "[node]\nname = \\A\nserver = alpha\ncpus = 4\n");
    DomainView {
        software: Software::Running,
        client: false,
        authorized: true,
        domain: "plant".to_owned(),
        local: alpha.clone(),
        acting: Some((alpha.clone(), Epoch(3))),
        content: Some((Arc::new(content), alpha)),
        bad_record: false,
        servers: Vec::new(),
        locked_by_other: false,
        central_logging: true,
        global_log_types: LogTypes::default(),
        version: (1, 0, 0),
    }
}

/// Verb control blocks of both layouts: a block is decoded, decided on and written back within its size. Blocks come one after the
/// other, each with a byte of its length; the first byte chooses the layout.
pub(super) fn nof(bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else { return };
    let profile = if choice & 1 == 0 { Profile::N64 } else { Profile::N128 };
    let (view, mut session) = (view(), Session::new(9));
    while let Some((&length, tail)) = rest.split_first() {
        let (block, tail) = tail.split_at(usize::from(length).min(tail.len()));
        rest = tail;
        let mut block = block.to_vec();
        let Ok(decoded) = vcb::decode(profile, &block) else { continue };
        let target = block.get(6..8).map_or(0, |two| u32::from(two[0]));
        let call = Call {
            callback: (choice & 2 != 0).then_some(7),
            entry_async: choice & 2 != 0,
            in_callback: false,
            target,
        };
        if let Step::Done(completion) = session.begin(&view, call, &decoded) {
            let before = block.len();
            let mut buffer = vec![0; 4096];
            vcb::encode(profile, &mut block, &mut buffer, &completion)
                .expect("it was long enough to be decoded");
            assert_eq!(block.len(), before);
            assert_eq!(block[4..6], completion.primary.to_be_bytes());
        }
    }
}

/// `snaadmin` command lines.
pub(super) fn snaadmin(bytes: &[u8]) {
    for all in [false, true] {
        if let Err(error) = admin::parse(text(bytes), all) {
            assert!(!error.to_string().is_empty());
        }
    }
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let alpha = ServerName::new("alpha").expect("a right name");
    let configuration = "[node]\nname = \\A\nserver = alpha\ncpus = 4\n\n[pair]\nname = $KV\nnode = \\A\nprogram = /opt/pollux-kv\n\
        argument = --listen\nenvironment = RUST_LOG=info\nprimary = 0\nbackup = 1\nrestart = at most 3\n\n[logging]\ncentral = no\n";
    let content = Content::new(alpha, configuration);
    let domain_file = DomainFile { content: content.clone() }.print();
    let net = SnaNet {
        domain: "plant".to_owned(),
        epoch: Epoch(8),
        content: Content { file: "".into(), ..content.clone() },
    };
    let nodes = Configuration::parse(configuration).expect("a right text").nodes.into_values().collect();
    let node_file = NodeFile { revision: 4, nodes }.print();
    let rest = |text: &str| text.splitn(4, '\n').nth(3).unwrap_or_default().to_owned();
    let records = format!(
        "acting epoch 3 server alpha life 7\nstamp {}\nparts 1\nlive/alpha life 7 count 2 in_step -\naddress/alpha a:1\n\n{}",
        content.stamp,
        rest(&domain_file)
    );
    let block = |code: u16, profile| {
        let mut block = vec![0; vcb::size_of(code, profile)];
        block[..2].copy_from_slice(&code.to_be_bytes());
        if let Some(name) = block.get_mut(12..17) {
            name.copy_from_slice(b"beta ");
        }
        [vec![block.len() as u8], block].concat()
    };
    let mut all: Vec<(&'static str, Vec<u8>)> = vec![
        ("sna-net", net.print().into()),
        ("sna-net", rest(&net.print()).into()),
        ("domain-file", domain_file.clone().into()),
        ("domain-file", rest(&domain_file).into()),
        ("node-file", node_file.clone().into()),
        ("node-file", rest(&node_file).into()),
        ("configuration", configuration.into()),
        ("domain-store", records.into()),
        ("client-file", b"# client\ndomain = plant\nlan_access_timeout = 5\ninvoked_tps = YES\nserver_lost_timeout = 9\n*\nalpha\n".to_vec()),
        ("place", b"local:/run/x".to_vec()),
        ("place", b"etcd://h1:2379,[fd00::1],h3/a/b?ca=/ca%2ep&cert=c&key=k&user=u&password-file=p&limit-ms=900".to_vec()),
        ("daemon-arguments", b"--run-dir\n/r/A\n--run-root\n/r\n--node\n\\A\n--cpu\n1\n--cpus\n4\n--sick-after-ms\n9\n--hang-after-ms\n0\n--reload-after-ms\n7\n--processors\n0,1-3\n--no-bind".to_vec()),
        ("snaadmin", b"query_sna_net, num_entries=0x10, list_options=FIRST_IN_LIST, server_name=alpha".to_vec()),
        ("snaadmin", b"add_backup, backup_name=beta".to_vec()),
        ("prepass", [vec![4], b"#pragma columns 80\n#include <cextdecs(FILE_OPEN_,\\\n READX)> nolist\n#pragma section A\n_extensible int READX(int a, long b);\nstruct { int a; long b; } s; /* x */ a##->b\n".to_vec()].concat()),
        ("prepass", [vec![1], b"#pragma fieldalign shared2\n_priv int f(int);\n\"text\\\n\" 'c' // end".to_vec()].concat()),
        ("cc-arguments", b"-c\na.c\n-o\na.o\n-Wextensible\n-I/x\n-lm\n-Wcolumns=80\n-DX=1".to_vec()),
        ("bind-address", [&2_u16.to_ne_bytes()[..], &[0, 80, 127, 0, 0, 1, 0, 0]].concat()),
        ("bind-address", [&1_u16.to_ne_bytes()[..], b"/run/x\0"].concat()),
        ("bind-address", [&10_u16.to_ne_bytes()[..], &[0; 26]].concat()),
        ("keeper-label", br#"{"Program":{"pid":7}}"#.to_vec()),
        ("keeper-label", br#"{"Listener":{"key":{"kind":{"domain":10,"kind":1,"protocol":6},"address":{"Internet":"[::1]:80"},"nth":1},"inode":9,"file":[1,2],"handed_over":3}}"#.to_vec()),
        ("keeper-options", b"on-failure\n3\nkeep\n[::1]:80\n/run/a b\n--\n/bin/server\n-x".to_vec()),
        ("stored-socket", vec![1, 100, 0, 1, 0, 127, 0, 0, 1, 80, 0, 1, 0, 0, 0, 0, 0, 0]),
    ];
    for profile in [Profile::N64, Profile::N128] {
        let choice = if profile == Profile::N64 { 0 } else { 1 };
        for codes in [
            &[n::AP_OPEN_FILE, n::AP_ADD_BACKUP, n::AP_QUERY_SNA_NET, n::AP_CLOSE_FILE][..],
            &[n::AP_CONNECT_NODE, n::AP_SET_LOG_TYPE, n::AP_QUERY_LOG_TYPE, n::AP_DISCONNECT_NODE],
            &[
                n::AP_QUERY_NODE_ALL,
                n::AP_SET_PROCESSING_MODE,
                n::AP_DEFINE_DOMAIN_CONFIG_FILE,
                n::AP_QUERY_CENTRAL_LOGGER,
            ],
            &[
                n::AP_REGISTER_INDICATION_SINK,
                n::AP_SET_GLOBAL_LOG_TYPE,
                n::AP_DELETE_BACKUP,
                n::AP_SET_CENTRAL_LOGGING,
            ],
        ] {
            let blocks: Vec<Vec<u8>> = codes.iter().map(|code| block(*code, profile)).collect();
            all.push(("nof", [vec![choice], blocks.concat()].concat()));
        }
    }
    all
}
