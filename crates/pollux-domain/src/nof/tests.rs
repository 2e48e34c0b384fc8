use super::engine::*;
use super::layout::{
    BACKUP_SUMMARY, CONFIG_FILE, CONFIG_FILE_HEADER, NODE_SUMMARY, Profile, Structure, VERBS, structure,
};
use super::numbers as n;
use super::vcb::{self, Decoded, Verb};
use super::view::{DomainView, LogTypes, ServerView, Software};
use crate::content::{Change, Content};
use crate::list::{ListError, ServerList};
use crate::name::ServerName;
use crate::succession::{Answer, Notice};
use pollux_wire::Epoch;
use proptest::prelude::*;
use std::sync::Arc;

fn name(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

fn view() -> DomainView {
    let list = ServerList::from_entries(vec![name("a"), name("b")]).unwrap();
    let content = Arc::new(Content { list, ..Content::new(name("a"), "#! hello\n") });
    let server = |text| ServerView {
        name: name(text),
        running: true,
        node_status: n::AP_NDE_STARTED,
        same_version: true,
        log_override: None,
    };
    DomainView {
        software: Software::Running,
        client: false,
        authorized: true,
        domain: "plant".to_owned(),
        local: name("b"),
        acting: Some((name("a"), Epoch(4))),
        content: Some((content, name("a"))),
        bad_record: false,
        servers: vec![server("a"), server("b"), server("c")],
        locked_by_other: false,
        central_logging: true,
        global_log_types: LogTypes::default(),
        version: (1, 0, 0),
    }
}

fn call(target: u32) -> Call {
    Call { callback: None, entry_async: false, in_callback: false, target }
}

fn nowait(target: u32) -> Call {
    Call { callback: Some(7), entry_async: true, ..call(target) }
}

fn run(session: &mut Session, view: &DomainView, call: Call, verb: Verb) -> Completion {
    match session.begin(view, call, &Decoded { format: 0, verb }) {
        Step::Done(completion) => completion,
        Step::Submit(submit) => panic!("{submit:?}"),
    }
}

fn codes(session: &mut Session, view: &DomainView, call: Call, verb: Verb) -> (u16, u32) {
    let completion = run(session, view, call, verb);
    (completion.primary, completion.secondary)
}

fn open(session: &mut Session, view: &DomainView, role: u8) -> u32 {
    match run(session, view, call(0), Verb::OpenFile(role)).output {
        Output::Opened { handle, .. } => handle,
        other => panic!("{other:?}"),
    }
}

fn connect(session: &mut Session, view: &DomainView, kind: u8) -> u32 {
    match run(session, view, call(0), Verb::ConnectNode(kind, None)).output {
        Output::Connected { handle, .. } => handle,
        other => panic!("{other:?}"),
    }
}

fn add(text: &str) -> Verb {
    Verb::AddBackup(ServerName::new(text))
}

const OK: (u16, u32) = (n::AP_OK, 0);
const WRITE: Verb = Verb::SetProcessingMode(n::AP_MODE_READ_WRITE);

// A program that was compiled with the books' layout would read garbage.
#[test]
fn offsets_and_sizes_are_those_of_the_books() {
    let check = |structure: &Structure, field: &str, expected: [usize; 2]| {
        let found = [Profile::N64, Profile::N128].map(|p| structure.place(p, field).unwrap().offset);
        assert_eq!(found, expected, "{}.{field}", structure.name);
    };
    let sizes = |structure: &Structure, expected: [usize; 2]| {
        assert_eq!([Profile::N64, Profile::N128].map(|p| structure.size(p)), expected, "{}", structure.name);
    };
    let verb = |code| structure(code).unwrap();
    type Row<'a> = (&'a Structure, &'a [(&'a str, [usize; 2])], [usize; 2]);
    let table: &[Row<'_>] = &[
        (
            verb(n::AP_ADD_BACKUP),
            &[("secondary_rc", [8, 8]), ("backup_name", [12, 12]), ("reserv3", [76, 140])],
            [80, 144],
        ),
        (verb(n::AP_DELETE_BACKUP), &[("backup_name", [12, 12])], [80, 144]),
        (
            &CONFIG_FILE,
            &[("role_supplied", [1, 1]), ("system_name", [2, 2]), ("file_name", [66, 130])],
            [147, 211],
        ),
        (verb(n::AP_OPEN_FILE), &[("file_info", [12, 12]), ("target_handle", [160, 224])], [164, 232]),
        (verb(n::AP_CLOSE_FILE), &[("opcode", [0, 0]), ("format", [3, 3]), ("primary_rc", [4, 4])], [12, 12]),
        (
            verb(n::AP_CONNECT_NODE),
            &[
                ("node_type", [12, 12]),
                ("node_name", [13, 13]),
                ("target_handle", [80, 144]),
                ("node_status", [84, 148]),
            ],
            [88, 164],
        ),
        (verb(n::AP_SET_PROCESSING_MODE), &[("mode", [12, 12])], [16, 16]),
        (
            verb(n::AP_QUERY_SNA_NET),
            &[
                ("buf_ptr", [16, 16]),
                ("buf_size", [24, 24]),
                ("total_buf_size", [28, 28]),
                ("num_entries", [32, 32]),
                ("total_num_entries", [34, 34]),
                ("list_options", [36, 36]),
                ("security", [38, 37]),
                ("domain_name", [39, 38]),
                ("server_name", [103, 102]),
                ("reserv4", [167, 230]),
            ],
            [176, 240],
        ),
        (
            &BACKUP_SUMMARY,
            &[("overlay_size", [0, 0]), ("server_name", [4, 4]), ("reserv2", [68, 132])],
            [72, 136],
        ),
        (verb(n::AP_QUERY_NODE_ALL), &[("list_options", [36, 36]), ("node_name", [38, 38])], [104, 168]),
        (&NODE_SUMMARY, &[("node_name", [2, 2]), ("config_role", [66, 130])], [70, 144]),
        (verb(n::AP_QUERY_CENTRAL_LOGGER), &[("node_name", [12, 16])], [76, 144]),
        (verb(n::AP_SET_CENTRAL_LOGGING), &[("enabled", [12, 12])], [16, 16]),
        (verb(n::AP_SET_GLOBAL_LOG_TYPE), &[("succinct_errors", [15, 15])], [16, 20]),
        (verb(n::AP_SET_LOG_TYPE), &[("override", [12, 12]), ("succinct_errors", [16, 16])], [20, 20]),
        (
            &CONFIG_FILE_HEADER,
            &[("revision_level", [8, 8]), ("comment", [12, 12]), ("updating", [112, 112])],
            [116, 116],
        ),
        (verb(n::AP_DEFINE_DOMAIN_CONFIG_FILE), &[("hdr", [12, 12]), ("hdr.comment", [24, 24])], [128, 128]),
        (
            verb(n::AP_REGISTER_INDICATION_SINK),
            &[("queue_id", [16, 16]), ("indication_opcode", [18, 18])],
            [20, 20],
        ),
        (
            verb(n::AP_SERVER_INDICATION),
            &[("status", [16, 16]), ("flags", [20, 20]), ("server_name", [24, 24])],
            [88, 152],
        ),
        (
            verb(n::AP_NOF_STATUS_INDICATION),
            &[("status", [12, 12]), ("dead_target_handle", [16, 16])],
            [52, 52],
        ),
    ];
    for (structure, fields, expected) in table {
        fields.iter().for_each(|(field, offsets)| check(structure, field, *offsets));
        sizes(structure, *expected);
    }
}

// Two codes with one number could not be told apart; a code that is not big-endian is another code.
#[test]
fn numbers_are_unique_and_big_endian_in_memory() {
    for (_, table) in [n::PRIMARY, n::OPCODES, n::INDICATIONS, n::SECONDARY, n::MODES] {
        for (index, (name, value)) in table.iter().enumerate() {
            assert!(table[..index].iter().all(|(_, other)| other != value), "{name}");
        }
    }
    assert_eq!((n::AP_SYNC_PENDING, n::AP_DYNAMIC_LOAD_ALREADY_REGD), (0xE001, 0xE024));
    let mut bytes = vec![0; 144];
    bytes[..2].copy_from_slice(&[0xE0, 0x01]);
    let refused = Completion {
        primary: n::AP_PARAMETER_CHECK,
        secondary: n::AP_INVALID_FORMAT,
        output: Output::None,
        effect: Effect::None,
    };
    vcb::encode(Profile::N128, &mut bytes, &mut [], &refused).unwrap();
    assert_eq!(&bytes[4..12], &[0, 1, 0, 0, 0, 0, 0xE0, 0x07]);
}

#[test]
fn blocks_are_read_and_written() {
    for profile in [Profile::N64, Profile::N128] {
        let mut bytes = vec![0; vcb::size_of(n::AP_ADD_BACKUP, profile)];
        bytes[..2].copy_from_slice(&n::AP_ADD_BACKUP.to_be_bytes());
        bytes[12..18].copy_from_slice(b"Beta  ");
        assert_eq!(vcb::decode(profile, &bytes), Ok(Decoded { format: 0, verb: add("beta") }));
        assert!(vcb::decode(profile, &bytes[..20]).is_err());

        let mut bytes = vec![0; vcb::size_of(n::AP_QUERY_SNA_NET, profile)];
        bytes[..2].copy_from_slice(&n::AP_QUERY_SNA_NET.to_be_bytes());
        bytes[24..28].copy_from_slice(&1000_u32.to_ne_bytes());
        bytes[36] = n::AP_FIRST_IN_LIST;
        let decoded = vcb::decode(profile, &bytes).unwrap();
        let mut session = Session::new(1);
        let target = open(&mut session, &view(), n::AP_SNA_NET);
        let completion = run(&mut session, &view(), call(target), decoded.verb);
        let mut buffer = vec![0xFF; 1000];
        vcb::encode(profile, &mut bytes, &mut buffer, &completion).unwrap();
        let entry = BACKUP_SUMMARY.size(profile);
        assert_eq!(u16::from_ne_bytes([bytes[32], bytes[33]]), 2);
        assert_eq!(usize::from(u16::from_ne_bytes([buffer[0], buffer[1]])), entry);
        assert_eq!((&buffer[4..6], &buffer[entry + 4..entry + 6]), (&b"a\0"[..], &b"b\0"[..]));
    }
}

#[test]
fn the_headers_have_every_name() {
    let (values, nof) = (super::header::values_c_h(), super::header::nof_c_h());
    assert!(values.contains("#define AP_PARAMETER_CHECK POLLUX_CODE16(0x0001u)"));
    for structure in VERBS {
        assert!(nof.contains(&format!("}} {};", structure.name.to_uppercase())), "{}", structure.name);
    }
    assert!(nof.contains("POLLUX_ASSERT(offsetof(QUERY_SNA_NET, server_name) == 102"));
    assert!(nof.contains("POLLUX_ASSERT(offsetof(QUERY_SNA_NET, server_name) == 103"));
}

// The headers are for C: where a compiler is at hand, it judges the asserted offsets.
#[test]
fn a_c_compiler_agrees() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("values_c.h"), super::header::values_c_h()).unwrap();
    std::fs::write(directory.path().join("nof_c.h"), super::header::nof_c_h()).unwrap();
    let program = "#include \"nof_c.h\"\nint main(void) { ADD_BACKUP v; v.opcode = AP_ADD_BACKUP;\n\
        return ((unsigned char *)&v)[0] == 0xE0 && AP_MODE_COMMIT && AP_STATE_CHECK ? 0 : 1; }\n";
    std::fs::write(directory.path().join("test.c"), program).unwrap();
    for bytes in ["64", "128"] {
        let compiler = std::process::Command::new("cc")
            .current_dir(directory.path())
            .args([
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Werror",
                &format!("-DPOLLUX_NOF_NAME_BYTES={bytes}"),
                "test.c",
                "-o",
                "test",
            ])
            .output();
        let Ok(output) = compiler else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status = std::process::Command::new(directory.path().join("test")).status().unwrap();
        assert!(status.success());
    }
}

// The first hit of the documented order wins; a program that tests for one code must get that one.
#[test]
fn the_order_of_checks() {
    let mut session = Session::new(1);
    let good = view();
    let mut view = view();
    let format = |session: &mut Session, view: &DomainView, verb| match session.begin(
        view,
        call(99),
        &Decoded { format: 1, verb },
    ) {
        Step::Done(completion) => (completion.primary, completion.secondary),
        other => panic!("{other:?}"),
    };
    view.software = Software::NotLoaded;
    assert_eq!(format(&mut session, &view, Verb::Unknown(1)), (n::AP_COMM_SUBSYSTEM_NOT_LOADED, 0));
    view.software = Software::Abended;
    assert_eq!(format(&mut session, &view, add("c")), (n::AP_COMM_SUBSYSTEM_ABENDED, n::AP_LOCAL_ABENDED));
    view.software = Software::Running;
    view.client = true;
    assert_eq!(format(&mut session, &view, Verb::Unknown(1)), (n::AP_INVALID_VERB, 0));
    assert_eq!(format(&mut session, &view, Verb::Outside(0xE0F0)), (n::AP_FUNCTION_NOT_SUPPORTED, 0));
    assert_eq!(format(&mut session, &view, add("c")), (n::AP_PARAMETER_CHECK, n::AP_INVALID_FORMAT));
    let inside = Call { in_callback: true, ..call(99) };
    assert_eq!(codes(&mut session, &view, inside, add("c")), (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ENABLED));
    let inside = Call { entry_async: true, ..inside };
    assert_eq!(codes(&mut session, &view, inside, add("c")), (n::AP_PARAMETER_CHECK, n::AP_SYNC_NOT_ALLOWED));
    assert_eq!(
        codes(&mut session, &view, call(0), Verb::Register(n::AP_SERVER_INDICATION)).1,
        n::AP_SYNC_NOT_ALLOWED
    );
    assert_eq!(codes(&mut session, &view, call(99), add("c")), (n::AP_PARAMETER_CHECK, n::AP_NOT_SERVER));
    view.client = false;
    assert_eq!(
        codes(&mut session, &view, call(99), add("c")),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_HANDLE)
    );
    let (domain, net) = (open(&mut session, &good, n::AP_MASTER), open(&mut session, &good, n::AP_SNA_NET));
    assert_eq!(codes(&mut session, &view, call(domain), add("c")), (n::AP_STATE_CHECK, n::AP_INVALID_TARGET));
    let header = Verb::QueryDomainConfigFile;
    assert_eq!(codes(&mut session, &view, call(net), header), (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET));
    assert_eq!(
        codes(&mut session, &view, call(net), add("c")),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE)
    );
    assert_eq!(codes(&mut session, &view, call(net), WRITE), OK);
    view.acting = Some((name("b"), Epoch(5)));
    assert_eq!(codes(&mut session, &view, call(net), add("")), (n::AP_STATE_CHECK, n::AP_NOT_MASTER));
    assert_eq!(
        codes(&mut session, &good, call(net), add("")),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_SERVER_NAME)
    );
}

#[test]
fn a_change_goes_to_the_master_and_back() {
    let (mut session, view) = (Session::new(1), view());
    let net = open(&mut session, &view, n::AP_SNA_NET);
    run(&mut session, &view, call(net), WRITE);
    let verdicts = [
        (Answer::Done(view.content.as_ref().unwrap().0.stamp.clone()), OK),
        (Answer::NotMaster, (n::AP_STATE_CHECK, n::AP_NOT_MASTER)),
        (Answer::Unknown, (n::AP_STATE_CHECK, n::AP_FILE_UNAVAILABLE)),
        (
            Answer::Refused(ListError::Duplicate { name: name("c"), listed: name("c") }.into()),
            (n::AP_STATE_CHECK, n::AP_DUPLICATE_RECORD),
        ),
        (
            Answer::Refused(ListError::NotFound { name: name("c") }.into()),
            (n::AP_STATE_CHECK, n::AP_RECORD_NOT_FOUND),
        ),
        (
            Answer::Refused(ListError::LastBackup { name: name("c") }.into()),
            (n::AP_STATE_CHECK, n::AP_CANT_DELETE_LAST_BACKUP),
        ),
    ];
    for (answer, expected) in verdicts {
        let step = session.begin(&view, call(net), &Decoded { format: 0, verb: add("c") });
        let Step::Submit(submit) = step else { panic!("{step:?}") };
        assert_eq!((submit.epoch, &submit.change), (Epoch(4), &Change::AddBackup { name: name("c") }));
        assert_eq!(
            codes(&mut session, &view, call(0), Verb::QueryCentralLogger),
            (n::AP_STATE_CHECK, n::AP_SYNC_PENDING)
        );
        assert_eq!(
            codes(&mut session, &view, nowait(net), Verb::CloseFile),
            (n::AP_STATE_CHECK, n::AP_VERB_IN_PROGRESS)
        );
        let completion = session.finish(submit.request, &answer, true);
        assert_eq!((completion.primary, completion.secondary), expected);
    }
    assert_eq!(codes(&mut session, &view, call(net), Verb::CloseFile), OK);
    assert_eq!(
        codes(&mut session, &view, call(net), Verb::CloseFile),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_HANDLE)
    );
}

#[test]
fn opening() {
    let mut session = Session::new(1);
    let mut view = view();
    let Output::Opened { role, system, .. } =
        run(&mut session, &view, call(0), Verb::OpenFile(n::AP_BACKUP)).output
    else {
        panic!()
    };
    assert_eq!((role, system), (n::AP_MASTER, name("a")));
    assert_eq!(
        codes(&mut session, &view, call(0), Verb::OpenFile(9)),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_FILE_INFO)
    );
    assert_eq!(
        codes(&mut session, &view, call(0), Verb::OpenFile(n::AP_TP_LOAD_INFO)),
        (n::AP_FUNCTION_NOT_SUPPORTED, 0)
    );
    view.acting = None;
    for role in [n::AP_MASTER, n::AP_SNA_NET] {
        assert_eq!(
            codes(&mut session, &view, call(0), Verb::OpenFile(role)),
            (n::AP_STATE_CHECK, n::AP_FILE_ROLE_UNAVAILABLE)
        );
    }
    let Output::Opened { role, .. } = run(&mut session, &view, call(0), Verb::OpenFile(n::AP_BACKUP)).output
    else {
        panic!()
    };
    assert_eq!(role, n::AP_BACKUP, "the side without a master still reads");
    assert_eq!(
        codes(&mut session, &view, call(0), Verb::QueryCentralLogger),
        (n::AP_STATE_CHECK, n::AP_NO_CENTRAL_LOG)
    );
    view.bad_record = true;
    assert_eq!(
        codes(&mut session, &view, call(0), Verb::OpenFile(n::AP_BACKUP)),
        (n::AP_STATE_CHECK, n::AP_FILE_BAD_RECORD)
    );
}

#[test]
fn processing_modes_and_the_lock() {
    let mut session = Session::new(1);
    let mut view = view();
    let (domain, net) = (open(&mut session, &view, n::AP_MASTER), open(&mut session, &view, n::AP_SNA_NET));
    let commit = || Verb::SetProcessingMode(n::AP_MODE_COMMIT);
    let bad = Verb::SetProcessingMode(9);
    assert_eq!(codes(&mut session, &view, call(net), bad), (n::AP_PARAMETER_CHECK, n::AP_INVALID_PROC_MODE));
    assert_eq!(
        codes(&mut session, &view, call(net), commit()),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE)
    );
    view.authorized = false;
    assert_eq!(codes(&mut session, &view, call(net), WRITE), (n::AP_STATE_CHECK, n::AP_NOT_AUTHORIZED));
    view.authorized = true;
    view.locked_by_other = true;
    assert_eq!(
        codes(&mut session, &view, call(domain), commit()),
        (n::AP_STATE_CHECK, n::AP_FILE_LOCK_FAILED)
    );
    view.locked_by_other = false;
    assert_eq!(run(&mut session, &view, call(domain), commit()).effect, Effect::Lock);
    let comment = || Verb::DefineDomainConfigFile("new".to_owned());
    assert_eq!(codes(&mut session, &view, call(domain), comment()), OK);
    let Output::FileHeader { comment, .. } =
        run(&mut session, &view, call(domain), Verb::QueryDomainConfigFile).output
    else {
        panic!()
    };
    assert_eq!(comment, "new");
    let step = session.begin(
        &view,
        call(domain),
        &Decoded { format: 0, verb: Verb::SetProcessingMode(n::AP_MODE_READ_ONLY) },
    );
    let Step::Submit(submit) = step else { panic!("{step:?}") };
    assert!(matches!(&submit.change, Change::ReplaceFile { text, .. } if &**text == "#! new\n"));
    let failed = session.finish(submit.request, &Answer::Unknown, true);
    assert_eq!((failed.secondary, failed.effect), (n::AP_FILE_UNLOCK_FAILED, Effect::Unlock));
    assert_eq!(
        codes(&mut session, &view, call(domain), Verb::CloseFile).1,
        n::AP_INVALID_TARGET_HANDLE,
        "closed by the library"
    );
    let backup = open(&mut session, &view, n::AP_BACKUP);
    assert_eq!(codes(&mut session, &view, call(backup), WRITE), (n::AP_STATE_CHECK, n::AP_NOT_MASTER));
}

#[test]
fn lists_in_file_order() {
    let (mut session, view) = (Session::new(1), view());
    let net = open(&mut session, &view, n::AP_SNA_NET);
    let query = |options, text: &str, entries, buffer| vcb::ListQuery {
        options,
        name: ServerName::new(text),
        entries,
        buffer,
        entry_size: 136,
    };
    let mut ask = |query| run(&mut session, &view, call(net), Verb::QuerySnaNet(query));
    let Output::Servers { names, page, domain } = ask(query(n::AP_FIRST_IN_LIST, "", 0, 200)).output else {
        panic!()
    };
    assert_eq!((names, domain.as_str()), (vec![name("a")], "plant"));
    assert_eq!((page.entries, page.entries_total, page.bytes, page.bytes_total), (1, 2, 136, 272));
    let Output::Servers { names, .. } = ask(query(n::AP_LIST_FROM_NEXT, "a", 0, 999)).output else {
        panic!()
    };
    assert_eq!(names, [name("b")]);
    let absent = ask(query(n::AP_LIST_FROM_NEXT, "x", 0, 999));
    assert_eq!((absent.primary, absent.secondary), (n::AP_STATE_CHECK, n::AP_RECORD_NOT_FOUND));
    assert_eq!(ask(query(9, "a", 0, 999)).secondary, n::AP_INVALID_LIST_OPTION);
    let nodes =
        run(&mut session, &view, call(0), Verb::QueryNodeAll(query(n::AP_FIRST_IN_LIST, "", 0, 999))).output;
    let Output::Nodes { nodes, .. } = nodes else { panic!() };
    assert_eq!(
        nodes,
        [(name("a"), n::AP_ROLE_MASTER), (name("b"), n::AP_ROLE_BACKUP), (name("c"), n::AP_ROLE_NONE)]
    );
    let absent =
        run(&mut session, &view, call(0), Verb::QueryNodeAll(query(n::AP_LIST_INCLUSIVE, "x", 0, 999)));
    assert_eq!((absent.primary, absent.secondary), (n::AP_PARAMETER_CHECK, n::AP_INVALID_NODE_NAME));
}

#[test]
fn logging_goes_to_the_central_logger() {
    let (mut session, mut view) = (Session::new(1), view());
    let (logger, local) = (
        connect(&mut session, &view, n::AP_CENTRAL_LOGGER),
        connect(&mut session, &view, n::AP_SPECIFIED_NODE),
    );
    let set = || Verb::SetCentralLogging(n::AP_NO);
    assert_eq!(
        codes(&mut session, &view, call(logger), set()),
        (n::AP_PARAMETER_CHECK, n::AP_INVALID_TARGET_MODE)
    );
    for handle in [logger, local] {
        assert_eq!(codes(&mut session, &view, call(handle), WRITE), OK);
    }
    assert_eq!(run(&mut session, &view, call(logger), set()).effect, Effect::CentralLogging(false));
    assert_eq!(
        codes(&mut session, &view, call(local), set()),
        (n::AP_PARAMETER_CHECK, n::AP_NOT_CENTRAL_LOGGER)
    );
    let types = LogTypes {
        audit: n::AP_YES,
        exception: n::AP_LEAVE_UNCHANGED,
        succinct_audits: n::AP_NO,
        succinct_errors: n::AP_LEAVE_UNCHANGED,
    };
    let Effect::LogTypes(Some(set)) =
        run(&mut session, &view, call(local), Verb::SetLogType(n::AP_YES, types)).effect
    else {
        panic!()
    };
    assert_eq!((set.audit, set.exception, set.succinct_audits), (n::AP_YES, n::AP_YES, n::AP_NO));
    assert_eq!(
        run(&mut session, &view, call(local), Verb::SetLogType(n::AP_NO, types)).effect,
        Effect::LogTypes(None)
    );
    view.acting = None;
    assert_eq!(
        codes(&mut session, &view, call(logger), Verb::QueryCentralLogging),
        (n::AP_STATE_CHECK, n::AP_NO_CENTRAL_LOG)
    );
}

// A program that is not told of a takeover goes on with a handle on files that nobody obeys.
#[test]
fn handles_survive_or_die() {
    let (mut session, mut view) = (Session::new(1), view());
    let master = open(&mut session, &view, n::AP_MASTER);
    let backup = open(&mut session, &view, n::AP_BACKUP);
    let net = open(&mut session, &view, n::AP_SNA_NET);
    let node = connect(&mut session, &view, n::AP_SPECIFIED_NODE);
    for (handle, opcode) in
        [(net, n::AP_SNA_NET_INDICATION), (master, n::AP_CONFIG_INDICATION), (0, n::AP_SERVER_INDICATION)]
    {
        assert_eq!(codes(&mut session, &view, nowait(handle), Verb::Register(opcode)), OK);
    }
    assert_eq!(
        codes(&mut session, &view, nowait(net), Verb::Register(n::AP_CONFIG_INDICATION)).1,
        n::AP_INVALID_OP_CODE
    );
    assert_eq!(
        codes(&mut session, &view, nowait(net), Verb::Unregister(n::AP_CONFIG_INDICATION)).1,
        n::AP_INVALID_OP_CODE
    );

    let stamp = view.content.as_ref().unwrap().0.stamp.clone();
    let by = |origin| Some(crate::content::RequestId { origin, number: 1 });
    let change = Change::AddBackup { name: name("c") };
    let told = session.indicate(&view, &Notice::Content { stamp: stamp.clone(), by: by(2) }, Some(&change));
    assert_eq!(told.len(), 1);
    let block = vcb::indication(Profile::N128, &told[0].indication);
    assert_eq!(
        (&block[..2], &block[4..6], &block[12..14]),
        (&[0xE0, 0x01][..], &[0x10, 0x02][..], &b"c\0"[..])
    );
    assert!(
        session.indicate(&view, &Notice::Content { stamp, by: by(1) }, Some(&change)).is_empty(),
        "not its own"
    );

    view.acting = Some((name("b"), Epoch(5)));
    let told = session.indicate(&view, &Notice::Master { acting: view.acting.clone() }, None);
    let dead: Vec<u32> = told
        .iter()
        .filter(|d| matches!(d.indication, Indication::Status { status: n::AP_MASTER_TAKEOVER, .. }))
        .map(|d| d.handle)
        .collect();
    assert_eq!(dead, [master, net]);
    assert!(
        told.iter().any(|d| matches!(&d.indication, Indication::Server { flags: n::AP_MASTER_FLAG, .. }))
    );
    assert_eq!(codes(&mut session, &view, call(net), WRITE), (n::AP_STATE_CHECK, n::AP_NOT_MASTER));
    assert_eq!(codes(&mut session, &view, call(net), Verb::CloseFile), OK);
    assert_eq!(codes(&mut session, &view, call(backup), Verb::QueryDomainConfigFile), OK, "a reader goes on");
    let gone = Notice::Server { name: name("b"), running: false };
    session.indicate(&view, &gone, None);
    assert_eq!(
        codes(&mut session, &view, call(node), WRITE),
        (n::AP_COMM_SUBSYSTEM_ABENDED, n::AP_TARGET_ABENDED)
    );
    assert_eq!(codes(&mut session, &view, call(node), Verb::DisconnectNode), OK);
    assert!(!session.local_abended().is_empty());
}

proptest! {
    // A program with wild bytes must get a code, not kill its library (S17).
    #[test]
    fn any_bytes_end_as_a_code(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), op in 0xE000_u16..0xE120, known: bool, wide: bool, target in 0_u32..4) {
        let profile = if wide { Profile::N128 } else { Profile::N64 };
        if known && bytes.len() > 1 {
            bytes[..2].copy_from_slice(&op.to_be_bytes());
        }
        let (mut session, view) = (Session::new(1), view());
        open(&mut session, &view, n::AP_SNA_NET);
        open(&mut session, &view, n::AP_MASTER);
        if let Ok(decoded) = vcb::decode(profile, &bytes) {
            let mut buffer = vec![0; 300];
            let before = bytes.clone();
            match session.begin(&view, call(target), &decoded) {
                Step::Done(completion) => {
                    let _ = vcb::encode(profile, &mut bytes, &mut buffer, &completion);
                }
                Step::Submit(submit) => drop(session.finish(submit.request, &Answer::Unknown, true)),
            }
            prop_assert_eq!(bytes.len(), before.len());
        }
    }
}
