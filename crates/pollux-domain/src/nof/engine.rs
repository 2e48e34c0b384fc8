//! The session of one program: its handles, their modes, its registrations, and the answer to each verb.
//!
//! What this decides: codes, in the order: software, opcode, format, synchronous or not, client, handle, kind of target,
//! mode, mastership, parameters, state; the first hit wins. What it does not: carry out a change; it hands out a
//! [`Submit`] and takes the [`Answer`] later.
//!
//! Invariant: a handle of an older epoch changes nothing; after its target is gone it is good for closing only.

use super::numbers as n;
use super::query;
use super::vcb::{Decoded, Verb};
use super::view::{DomainView, LogTypes, Software};
use crate::content::{Change, Refusal, RequestId};
use crate::list::ListError;
use crate::name::ServerName;
use crate::succession::{Answer, Notice};
use pollux_wire::Epoch;
use std::collections::BTreeMap;

/// Handles of one program; at the limit OPEN_FILE and CONNECT_NODE give AP_CONNECTION_NOT_MADE.
pub const HANDLES_MAX: usize = 1_024;
/// Registrations of one program; at the limit a registration gives AP_DYNAMIC_LOAD_ALREADY_REGD.
pub const REGISTRATIONS_MAX: usize = 1_024;

/// How a verb was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// `nof_async` with this callback; `None`: `nof`, or `nof_async` with a null callback.
    pub callback: Option<u64>,
    /// `nof_async` was called.
    pub entry_async: bool,
    /// From inside a callback.
    pub in_callback: bool,
    /// The target handle.
    pub target: u32,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Primary code, canonical.
    pub primary: u16,
    /// Secondary code, canonical.
    pub secondary: u32,
    /// What goes into the block.
    pub output: Output,
    /// What the shell must do with an AP_OK.
    pub effect: Effect,
}

/// Outputs of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Codes only.
    None,
    /// OPEN_FILE.
    Opened {
        /// The new handle.
        handle: u32,
        /// AP_MASTER, AP_BACKUP or AP_SNA_NET.
        role: u8,
        /// Who holds the file.
        system: ServerName,
        /// Its name.
        file: String,
    },
    /// CONNECT_NODE.
    Connected {
        /// The new handle.
        handle: u32,
        /// AP_NDE_*.
        status: u8,
    },
    /// QUERY_SNA_NET.
    Servers {
        /// The entries.
        names: Vec<ServerName>,
        /// The counts.
        page: Page,
        /// The name of the domain.
        domain: String,
    },
    /// QUERY_NODE_ALL.
    Nodes {
        /// The entries with AP_ROLE_*.
        nodes: Vec<(ServerName, u8)>,
        /// The counts.
        page: Page,
    },
    /// QUERY_CENTRAL_LOGGER.
    Logger(ServerName),
    /// QUERY_CENTRAL_LOGGING.
    Logging(u8),
    /// QUERY_GLOBAL_LOG_TYPE, QUERY_LOG_TYPE: override, switches.
    LogTypes(u8, LogTypes),
    /// QUERY_DOMAIN_CONFIG_FILE.
    FileHeader {
        /// Version, release, modification.
        version: (u16, u16, u16),
        /// Low 32 bits of the revision.
        revision: u32,
        /// The comment.
        comment: String,
    },
}

/// Counts of a list query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries returned.
    pub entries: u16,
    /// Entries from the start position on.
    pub entries_total: u16,
    /// Bytes used.
    pub bytes: u32,
    /// Bytes needed for all.
    pub bytes_total: u32,
}

/// What the shell must do with an AP_OK, beside the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Take the lock of the domain file for this program. It was free when the verb was judged.
    Lock,
    /// Give the lock back.
    Unlock,
    /// Switch central logging.
    CentralLogging(bool),
    /// Set the domain's log switches.
    GlobalLogTypes(LogTypes),
    /// Replace the local log switches, or take the replacement back.
    LogTypes(Option<LogTypes>),
}

/// What follows from a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is finished.
    Done(Completion),
    /// The change must be decided by the acting master first; then [`Session::finish`].
    Submit(Submit),
}

/// A change on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// Names it; a lost answer is asked for again with it.
    pub request: RequestId,
    /// The epoch of the handle.
    pub epoch: Epoch,
    /// The change.
    pub change: Change,
}

/// What a callback is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indication {
    /// AP_SNA_NET_INDICATION: a copy of the changing verb.
    Backup {
        /// ADD_BACKUP, otherwise DELETE_BACKUP.
        add: bool,
        /// Whom.
        name: ServerName,
    },
    /// AP_CONFIG_INDICATION: a copy of DEFINE_DOMAIN_CONFIG_FILE.
    Comment {
        /// The comment.
        text: String,
    },
    /// AP_SERVER_INDICATION.
    Server {
        /// Which.
        name: ServerName,
        /// AP_ACTIVE.
        active: bool,
        /// AP_MASTER_FLAG, AP_BACKUP_FLAG.
        flags: u32,
        /// Earlier ones were dropped.
        data_lost: bool,
    },
    /// AP_NOF_STATUS_INDICATION.
    Status {
        /// AP_LOCAL_ABENDED, AP_TARGET_ABENDED, AP_MASTER_TAKEOVER.
        status: u32,
        /// The handle that is dead.
        handle: u32,
    },
}

impl Indication {
    /// The opcode of its block. For a copy of a verb that is the verb's.
    pub fn opcode(&self) -> u16 {
        match self {
            Self::Backup { add: true, .. } => n::AP_ADD_BACKUP,
            Self::Backup { add: false, .. } => n::AP_DELETE_BACKUP,
            Self::Comment { .. } => n::AP_DEFINE_DOMAIN_CONFIG_FILE,
            Self::Server { .. } => n::AP_SERVER_INDICATION,
            Self::Status { .. } => n::AP_NOF_STATUS_INDICATION,
        }
    }
}

/// An indication for one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The callback.
    pub callback: u64,
    /// The handle it was registered on.
    pub handle: u32,
    /// What it is told.
    pub indication: Indication,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Master,
    Backup,
    Net,
    Node(ServerName),
}

#[derive(Debug)]
struct Handle {
    kind: Kind,
    mode: u32,
    epoch: Epoch,
    /// AP_TARGET_ABENDED or AP_MASTER_TAKEOVER: good for closing only.
    dead: Option<u32>,
    outstanding: u32,
    /// Opcode of the indication, callback; the first comes first.
    sinks: Vec<(u16, u64)>,
    /// Commit mode: the comment that is set when the mode is left.
    comment: Option<String>,
}

#[derive(Debug)]
struct Pending {
    handle: u32,
    leaves_commit_for: Option<u32>,
}

/// One program's session.
#[derive(Debug)]
pub struct Session {
    origin: u64,
    requests: u64,
    handles: BTreeMap<u32, Handle>,
    next_handle: u32,
    pending: BTreeMap<RequestId, Pending>,
    synchronous: bool,
    server_sinks: Vec<(u16, u64)>,
}

impl Completion {
    pub(super) fn ok(output: Output) -> Self {
        Self { primary: n::AP_OK, secondary: 0, output, effect: Effect::None }
    }

    fn with(effect: Effect) -> Self {
        Self { effect, ..Self::ok(Output::None) }
    }
}

pub(super) fn code(primary: u16, secondary: u32) -> Completion {
    Completion { primary, secondary, ..Completion::ok(Output::None) }
}

fn parameter(secondary: u32) -> Completion {
    code(n::AP_PARAMETER_CHECK, secondary)
}

fn state(secondary: u32) -> Completion {
    code(n::AP_STATE_CHECK, secondary)
}

impl Session {
    /// A session; `origin` is a number that no other program of the domain has.
    pub fn new(origin: u64) -> Self {
        Self {
            origin,
            requests: 0,
            handles: BTreeMap::new(),
            next_handle: 1,
            pending: BTreeMap::new(),
            synchronous: false,
            server_sinks: Vec::new(),
        }
    }

    /// Judges a verb.
    pub fn begin(&mut self, view: &DomainView, call: Call, decoded: &Decoded) -> Step {
        match self.judge(view, call, decoded) {
            Ok(Step::Submit(submit)) => {
                self.synchronous |= call.callback.is_none();
                Step::Submit(submit)
            }
            Ok(step) => step,
            Err(refused) => Step::Done(refused),
        }
    }

    /// The acting master answered a [`Submit`]. `synchronous`: the verb was called so, and the next one may come.
    pub fn finish(&mut self, request: RequestId, answer: &Answer, synchronous: bool) -> Completion {
        if synchronous {
            self.synchronous = false;
        }
        let completion = match answer {
            Answer::Done(_) => Completion::ok(Output::None),
            Answer::NotMaster => state(n::AP_NOT_MASTER),
            Answer::Busy | Answer::Unknown => state(n::AP_FILE_UNAVAILABLE),
            Answer::Refused(Refusal::List(error)) => match error {
                ListError::Duplicate { .. } => state(n::AP_DUPLICATE_RECORD),
                ListError::NotFound { .. } | ListError::Position { .. } => state(n::AP_RECORD_NOT_FOUND),
                ListError::LastBackup { .. } => state(n::AP_CANT_DELETE_LAST_BACKUP),
                ListError::Full => state(n::AP_CANT_MODIFY_VISIBILITY),
            },
            Answer::Refused(Refusal::Outdated { .. }) => state(n::AP_FILE_UNAVAILABLE),
        };
        let Some(pending) = self.pending.remove(&request) else { return completion };
        let Some(handle) = self.handles.get_mut(&pending.handle) else { return completion };
        handle.outstanding -= 1;
        let Some(mode) = pending.leaves_commit_for else { return completion };
        if completion.primary != n::AP_OK {
            // The documented end of a failed commit: the library closes the handle.
            self.handles.remove(&pending.handle);
            return Completion { effect: Effect::Unlock, ..state(n::AP_FILE_UNLOCK_FAILED) };
        }
        handle.mode = mode;
        Completion { effect: Effect::Unlock, ..completion }
    }

    /// What the program's callbacks are told about an event of the domain. `own` requests of this session are not indicated.
    pub fn indicate(&mut self, view: &DomainView, notice: &Notice, change: Option<&Change>) -> Vec<Delivery> {
        match notice {
            Notice::Content { by, .. } => {
                let own = by.is_some_and(|request| request.origin == self.origin);
                change.filter(|_| !own).map_or(Vec::new(), |change| self.indicate_change(change))
            }
            Notice::Server { name, running } => {
                let mut deliveries = self.indicate_server(view, name, *running);
                if !running {
                    deliveries.extend(self.kill(n::AP_TARGET_ABENDED, |handle| match &handle.kind {
                        Kind::Node(node) => node == name,
                        Kind::Backup | Kind::Master | Kind::Net => false,
                    }));
                }
                deliveries
            }
            Notice::Master { acting } => {
                let mut deliveries = Vec::new();
                if let Some((name, epoch)) = acting {
                    deliveries = self.indicate_server(view, name, true);
                    let epoch = *epoch;
                    // A handle on the master's files ends with the mastership in which it was opened.
                    deliveries.extend(self.kill(n::AP_MASTER_TAKEOVER, |handle| {
                        matches!(handle.kind, Kind::Master | Kind::Net) && handle.epoch != epoch
                    }));
                }
                deliveries
            }
            Notice::Problem(_) => Vec::new(),
        }
    }

    /// The local software is gone: everything of this program is.
    pub fn local_abended(&mut self) -> Vec<Delivery> {
        let mut deliveries = self.kill(n::AP_LOCAL_ABENDED, |_| true);
        let sink = self.server_sinks.first().map(|(_, callback)| *callback);
        self.server_sinks.clear();
        self.synchronous = false;
        self.pending.clear();
        deliveries.extend(sink.map(|callback| Delivery {
            callback,
            handle: 0,
            indication: Indication::Status { status: n::AP_LOCAL_ABENDED, handle: 0 },
        }));
        deliveries
    }

    // ---- the order of checks ----

    fn judge(&mut self, view: &DomainView, call: Call, decoded: &Decoded) -> Result<Step, Completion> {
        match view.software {
            Software::Running => {}
            Software::NotLoaded => return Err(code(n::AP_COMM_SUBSYSTEM_NOT_LOADED, 0)),
            Software::Abended => return Err(code(n::AP_COMM_SUBSYSTEM_ABENDED, n::AP_LOCAL_ABENDED)),
        }
        match decoded.verb {
            Verb::Unknown(_) => return Err(code(n::AP_INVALID_VERB, 0)),
            Verb::Outside(_) => return Err(code(n::AP_FUNCTION_NOT_SUPPORTED, 0)),
            _ => {}
        }
        if decoded.format != 0 {
            return Err(parameter(n::AP_INVALID_FORMAT));
        }
        self.check_call(call, &decoded.verb)?;
        let reads = matches!(
            decoded.verb,
            Verb::OpenFile(_)
                | Verb::CloseFile
                | Verb::ConnectNode(..)
                | Verb::DisconnectNode
                | Verb::QuerySnaNet(_)
                | Verb::QueryNodeAll(_)
                | Verb::QueryCentralLogger
                | Verb::QueryCentralLogging
                | Verb::QueryGlobalLogType
                | Verb::QueryLogType
                | Verb::QueryDomainConfigFile
        );
        if view.client && !reads {
            return Err(parameter(n::AP_NOT_SERVER));
        }
        self.dispatch(view, call, &decoded.verb)
    }

    fn check_call(&self, call: Call, verb: &Verb) -> Result<(), Completion> {
        let sink = matches!(verb, Verb::Register(_) | Verb::Unregister(_));
        if call.callback.is_some() {
            return Ok(());
        }
        if sink || (call.in_callback && call.entry_async) {
            return Err(parameter(n::AP_SYNC_NOT_ALLOWED));
        }
        if call.in_callback {
            return Err(parameter(n::AP_SYNC_NOT_ENABLED));
        }
        if self.synchronous {
            return Err(state(n::AP_SYNC_PENDING));
        }
        Ok(())
    }

    fn dispatch(&mut self, view: &DomainView, call: Call, verb: &Verb) -> Result<Step, Completion> {
        let target = call.target;
        let done = |completion| Ok(Step::Done(completion));
        match verb {
            Verb::OpenFile(role) => done(self.open_file(view, target, *role)?),
            Verb::ConnectNode(kind, name) => done(self.connect(view, target, *kind, name.as_ref())?),
            Verb::QueryNodeAll(list) => {
                need_null(target)?;
                done(query::node_all(list, view))
            }
            Verb::QueryCentralLogger => {
                need_null(target)?;
                let acting = view.acting.as_ref();
                done(acting.map_or(state(n::AP_NO_CENTRAL_LOG), |(name, _)| {
                    Completion::ok(Output::Logger(name.clone()))
                }))
            }
            Verb::CloseFile | Verb::DisconnectNode => self.close(target, *verb == Verb::CloseFile),
            Verb::SetProcessingMode(mode) => self.set_mode(view, call, *mode),
            Verb::AddBackup(name) | Verb::DeleteBackup(name) => {
                // These three verbs give AP_INVALID_TARGET under AP_STATE_CHECK, as their pages say.
                self.need(target, |kind| *kind == Kind::Net, n::AP_STATE_CHECK)?;
                let epoch = self.may_write(view, target)?;
                let name = name.clone().map_err(|_| parameter(n::AP_INVALID_SERVER_NAME))?;
                let add = matches!(verb, Verb::AddBackup(_));
                let change = if add { Change::AddBackup { name } } else { Change::DeleteBackup { name } };
                Ok(self.submit(target, epoch, change, None))
            }
            Verb::QuerySnaNet(list) => {
                self.need(target, |kind| *kind == Kind::Net, n::AP_STATE_CHECK)?;
                done(query::sna_net(list, view))
            }
            Verb::DefineDomainConfigFile(comment) => {
                self.need(target, is_file, n::AP_PARAMETER_CHECK)?;
                self.define_comment(view, target, comment)
            }
            Verb::QueryDomainConfigFile => {
                let handle = self.need(target, is_file, n::AP_PARAMETER_CHECK)?;
                let Some((content, _)) = &view.content else { return Err(state(n::AP_FILE_UNAVAILABLE)) };
                let written = || comment_of(&content.file).to_owned();
                let comment = handle.comment.clone().unwrap_or_else(written);
                let revision = content.stamp.revision as u32;
                done(Completion::ok(Output::FileHeader { version: view.version, revision, comment }))
            }
            Verb::Register(opcode) => done(self.register(target, *opcode, call.callback.unwrap_or(0))?),
            Verb::Unregister(opcode) => done(self.unregister(target, *opcode, call.callback.unwrap_or(0))?),
            _ => done(self.log_verb(view, target, verb)?),
        }
    }

    // ---- verbs ----

    fn open_file(&mut self, view: &DomainView, target: u32, role: u8) -> Result<Completion, Completion> {
        need_null(target)?;
        let unavailable = || state(n::AP_FILE_ROLE_UNAVAILABLE);
        let (kind, file) = match role {
            n::AP_MASTER => (Kind::Master, "sna_domn.cfg"),
            n::AP_BACKUP => (Kind::Backup, "sna_domn.cfg"),
            n::AP_SNA_NET => (Kind::Net, "sna.net"),
            n::AP_TP_LOAD_INFO => return Err(code(n::AP_FUNCTION_NOT_SUPPORTED, 0)),
            _ => return Err(parameter(n::AP_INVALID_FILE_INFO)),
        };
        let (system, epoch) = match (&view.acting, &view.content) {
            (Some((master, epoch)), _) => (master.clone(), *epoch),
            (None, Some((_, holder))) if kind == Kind::Backup => (holder.clone(), Epoch(0)),
            _ => return Err(unavailable()),
        };
        if view.bad_record {
            return Err(state(n::AP_FILE_BAD_RECORD));
        }
        if view.server(&system).is_some_and(|server| !server.same_version) {
            return Err(state(n::AP_INVALID_VERSION));
        }
        let role = if kind == Kind::Backup && epoch != Epoch(0) { n::AP_MASTER } else { role };
        let handle = self.new_handle(kind, epoch)?;
        Ok(Completion::ok(Output::Opened { handle, role, system, file: file.to_owned() }))
    }

    fn connect(
        &mut self,
        view: &DomainView,
        target: u32,
        kind: u8,
        name: Option<&Result<ServerName, crate::name::NameError>>,
    ) -> Result<Completion, Completion> {
        need_null(target)?;
        let bad_name = || parameter(n::AP_INVALID_NODE_NAME);
        let name = match (kind, name) {
            (n::AP_CENTRAL_LOGGER, _) => {
                view.acting.as_ref().map(|(name, _)| name.clone()).ok_or(state(n::AP_CONNECTION_NOT_MADE))?
            }
            (n::AP_SPECIFIED_NODE, None) => view.local.clone(),
            (n::AP_SPECIFIED_NODE, Some(name)) => name.clone().map_err(|_| bad_name())?,
            _ => return Err(bad_name()),
        };
        let server = view.server(&name).ok_or_else(bad_name)?;
        if !server.running {
            return Err(state(n::AP_CONNECTION_NOT_MADE));
        }
        if !server.same_version {
            return Err(state(n::AP_INVALID_VERSION));
        }
        let status = server.node_status;
        let handle = self.new_handle(Kind::Node(name), Epoch(0))?;
        Ok(Completion::ok(Output::Connected { handle, status }))
    }

    fn close(&mut self, target: u32, file: bool) -> Result<Step, Completion> {
        let handle = self.handles.get(&target).ok_or(parameter(n::AP_INVALID_TARGET_HANDLE))?;
        if matches!(handle.kind, Kind::Node(_)) == file {
            return Err(parameter(n::AP_INVALID_TARGET));
        }
        if handle.outstanding > 0 {
            return Err(state(n::AP_VERB_IN_PROGRESS));
        }
        // A commit that was never left is given up: its changes were not visible to anybody.
        let commit = handle.mode == n::AP_MODE_COMMIT;
        self.handles.remove(&target);
        Ok(Step::Done(Completion::with(if commit { Effect::Unlock } else { Effect::None })))
    }

    fn set_mode(&mut self, view: &DomainView, call: Call, mode: u32) -> Result<Step, Completion> {
        let target = call.target;
        let handle = self.need(target, |_| true, n::AP_PARAMETER_CHECK)?;
        let (kind, old, epoch, busy) =
            (handle.kind.clone(), handle.mode, handle.epoch, handle.outstanding > 0);
        if ![n::AP_MODE_READ_ONLY, n::AP_MODE_READ_WRITE, n::AP_MODE_COMMIT].contains(&mode) {
            return Err(parameter(n::AP_INVALID_PROC_MODE));
        }
        if mode == n::AP_MODE_COMMIT && !is_file(&kind) {
            return Err(parameter(n::AP_INVALID_TARGET_MODE));
        }
        if busy {
            return Err(state(n::AP_VERB_IN_PROGRESS));
        }
        let writes = mode != n::AP_MODE_READ_ONLY;
        if writes && !view.authorized {
            return Err(state(n::AP_NOT_AUTHORIZED));
        }
        if writes && !matches!(kind, Kind::Node(_)) && !masters(view, &kind, epoch) {
            return Err(state(n::AP_NOT_MASTER));
        }
        let handle = self.handles.get_mut(&target).expect("found above");
        match (old == n::AP_MODE_COMMIT, mode == n::AP_MODE_COMMIT) {
            (false, true) if view.locked_by_other => return Err(state(n::AP_FILE_LOCK_FAILED)),
            (false, true) => {
                handle.mode = mode;
                return Ok(Step::Done(Completion::with(Effect::Lock)));
            }
            (true, false) => {
                let comment = handle.comment.take();
                let Some((comment, (content, _))) = comment.zip(view.content.as_ref()) else {
                    handle.mode = mode;
                    return Ok(Step::Done(Completion::with(Effect::Unlock)));
                };
                let text = with_comment(&content.file, &comment).into();
                let change = Change::ReplaceFile { based_on: content.stamp.revision, text };
                return Ok(self.submit(target, epoch, change, Some(mode)));
            }
            _ => handle.mode = mode,
        }
        Ok(Step::Done(Completion::ok(Output::None)))
    }

    fn define_comment(&mut self, view: &DomainView, target: u32, comment: &str) -> Result<Step, Completion> {
        let epoch = self.may_write(view, target)?;
        let handle = self.handles.get_mut(&target).expect("found by its kind");
        if handle.mode == n::AP_MODE_COMMIT {
            handle.comment = Some(comment.to_owned());
            return Ok(Step::Done(Completion::ok(Output::None)));
        }
        if view.locked_by_other {
            return Err(state(n::AP_FILE_LOCK_FAILED));
        }
        let Some((content, _)) = &view.content else { return Err(state(n::AP_FILE_UNAVAILABLE)) };
        let text = with_comment(&content.file, comment).into();
        Ok(self.submit(target, epoch, Change::ReplaceFile { based_on: content.stamp.revision, text }, None))
    }

    fn log_verb(&mut self, view: &DomainView, target: u32, verb: &Verb) -> Result<Completion, Completion> {
        let handle = self.need(target, |kind| matches!(kind, Kind::Node(_)), n::AP_PARAMETER_CHECK)?;
        let Kind::Node(node) = &handle.kind else { return Err(parameter(n::AP_INVALID_TARGET)) };
        let changes =
            matches!(verb, Verb::SetCentralLogging(_) | Verb::SetGlobalLogType(_) | Verb::SetLogType(..));
        if changes && handle.mode == n::AP_MODE_READ_ONLY {
            return Err(parameter(n::AP_INVALID_TARGET_MODE));
        }
        if !matches!(verb, Verb::SetLogType(..) | Verb::QueryLogType) {
            let logger = view.acting.as_ref().map(|(name, _)| name);
            if logger.is_none() && *verb == Verb::QueryCentralLogging {
                return Err(state(n::AP_NO_CENTRAL_LOG));
            }
            if logger != Some(node) {
                return Err(parameter(n::AP_NOT_CENTRAL_LOGGER));
            }
        }
        let local = view.server(node).and_then(|server| server.log_override);
        Ok(match verb {
            Verb::SetCentralLogging(enabled) => {
                Completion::with(Effect::CentralLogging(*enabled == n::AP_YES))
            }
            Verb::QueryCentralLogging => Completion::ok(Output::Logging(u8::from(view.central_logging))),
            Verb::SetGlobalLogType(types) => {
                Completion::with(Effect::GlobalLogTypes(types.over(view.global_log_types)))
            }
            Verb::QueryGlobalLogType => Completion::ok(Output::LogTypes(n::AP_NO, view.global_log_types)),
            Verb::SetLogType(n::AP_YES, types) => {
                let old = local.unwrap_or(view.global_log_types);
                Completion::with(Effect::LogTypes(Some(types.over(old))))
            }
            Verb::SetLogType(..) => Completion::with(Effect::LogTypes(None)),
            _ => {
                let types = local.unwrap_or(view.global_log_types);
                Completion::ok(Output::LogTypes(u8::from(local.is_some()), types))
            }
        })
    }

    // ---- indications ----

    fn register(&mut self, target: u32, opcode: u16, callback: u64) -> Result<Completion, Completion> {
        let known = n::INDICATIONS.1.iter().any(|(_, number)| *number == u64::from(opcode));
        let bad = || parameter(n::AP_INVALID_OP_CODE);
        let count = self.server_sinks.len() + self.handles.values().map(|h| h.sinks.len()).sum::<usize>();
        if !known || opcode == n::AP_NOF_STATUS_INDICATION {
            if target != 0 {
                self.need(target, |_| true, n::AP_PARAMETER_CHECK)?;
            }
            return Err(bad());
        }
        if count >= REGISTRATIONS_MAX {
            return Err(parameter(n::AP_DYNAMIC_LOAD_ALREADY_REGD));
        }
        if target == 0 {
            if opcode != n::AP_SERVER_INDICATION {
                return Err(bad());
            }
            self.server_sinks.push((opcode, callback));
            return Ok(Completion::ok(Output::None));
        }
        let handle = self.need(target, |_| true, n::AP_PARAMETER_CHECK)?;
        let fits = match &handle.kind {
            Kind::Master | Kind::Backup => opcode == n::AP_CONFIG_INDICATION,
            Kind::Net => opcode == n::AP_SNA_NET_INDICATION,
            Kind::Node(_) => opcode != n::AP_SNA_NET_INDICATION,
        };
        if !fits {
            return Err(bad());
        }
        self.handles.get_mut(&target).expect("found above").sinks.push((opcode, callback));
        Ok(Completion::ok(Output::None))
    }

    fn unregister(&mut self, target: u32, opcode: u16, callback: u64) -> Result<Completion, Completion> {
        let sinks = if target == 0 {
            &mut self.server_sinks
        } else {
            self.need(target, |_| true, n::AP_PARAMETER_CHECK)?;
            &mut self.handles.get_mut(&target).expect("found above").sinks
        };
        let found = sinks.iter().position(|sink| *sink == (opcode, callback));
        let found = found.ok_or(parameter(n::AP_INVALID_OP_CODE))?;
        sinks.remove(found);
        Ok(Completion::ok(Output::None))
    }

    fn indicate_change(&self, change: &Change) -> Vec<Delivery> {
        let (opcode, indication) = match change {
            Change::AddBackup { name } => {
                (n::AP_SNA_NET_INDICATION, Indication::Backup { add: true, name: name.clone() })
            }
            Change::DeleteBackup { name } => {
                (n::AP_SNA_NET_INDICATION, Indication::Backup { add: false, name: name.clone() })
            }
            Change::ReplaceFile { text, .. } => {
                (n::AP_CONFIG_INDICATION, Indication::Comment { text: comment_of(text).to_owned() })
            }
            // The documented verbs have no move; programs see it by a query.
            Change::MoveBackup { .. } => return Vec::new(),
        };
        self.deliver(opcode, &indication)
    }

    fn indicate_server(&self, view: &DomainView, name: &ServerName, active: bool) -> Vec<Delivery> {
        let flags = match view.role(name) {
            n::AP_ROLE_MASTER => n::AP_MASTER_FLAG,
            n::AP_ROLE_BACKUP => n::AP_BACKUP_FLAG,
            _ => 0,
        };
        let indication = Indication::Server { name: name.clone(), active, flags, data_lost: false };
        self.deliver(n::AP_SERVER_INDICATION, &indication)
    }

    fn deliver(&self, opcode: u16, indication: &Indication) -> Vec<Delivery> {
        let of_handles =
            self.handles.iter().flat_map(|(handle, it)| it.sinks.iter().map(|sink| (*handle, *sink)));
        of_handles
            .chain(self.server_sinks.iter().map(|sink| (0, *sink)))
            .filter(|(_, (wanted, _))| *wanted == opcode)
            .map(|(handle, (_, callback))| Delivery { callback, handle, indication: indication.clone() })
            .collect()
    }

    /// Handles whose target is gone: closing only, registrations lost, the first registered callback is told.
    fn kill(&mut self, status: u32, gone: impl Fn(&Handle) -> bool) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (number, handle) in self.handles.iter_mut().filter(|(_, handle)| handle.dead.is_none()) {
            if gone(handle) {
                handle.dead = Some(status);
                let first = std::mem::take(&mut handle.sinks).first().map(|(_, callback)| *callback);
                deliveries.extend(first.map(|callback| Delivery {
                    callback,
                    handle: *number,
                    indication: Indication::Status { status, handle: *number },
                }));
            }
        }
        deliveries
    }

    // ---- small steps ----

    fn need(
        &self,
        target: u32,
        fits: impl Fn(&Kind) -> bool,
        wrong_kind: u16,
    ) -> Result<&Handle, Completion> {
        let handle = self.handles.get(&target).ok_or(parameter(n::AP_INVALID_TARGET_HANDLE))?;
        match handle.dead {
            Some(n::AP_MASTER_TAKEOVER) if !fits(&handle.kind) => Err(code(wrong_kind, n::AP_INVALID_TARGET)),
            Some(n::AP_MASTER_TAKEOVER) => Err(state(n::AP_NOT_MASTER)),
            Some(status) => Err(code(n::AP_COMM_SUBSYSTEM_ABENDED, status)),
            None if fits(&handle.kind) => Ok(handle),
            None => Err(code(wrong_kind, n::AP_INVALID_TARGET)),
        }
    }

    fn may_write(&self, view: &DomainView, target: u32) -> Result<Epoch, Completion> {
        let handle = self.handles.get(&target).ok_or(parameter(n::AP_INVALID_TARGET_HANDLE))?;
        if handle.mode == n::AP_MODE_READ_ONLY {
            return Err(parameter(n::AP_INVALID_TARGET_MODE));
        }
        if view.acting.is_none() {
            return Err(state(n::AP_FILE_UNAVAILABLE));
        }
        if !masters(view, &handle.kind, handle.epoch) {
            return Err(state(n::AP_NOT_MASTER));
        }
        Ok(handle.epoch)
    }

    fn submit(&mut self, target: u32, epoch: Epoch, change: Change, leaves_commit_for: Option<u32>) -> Step {
        self.requests += 1;
        let request = RequestId { origin: self.origin, number: self.requests };
        if let Some(handle) = self.handles.get_mut(&target) {
            handle.outstanding += 1;
        }
        self.pending.insert(request, Pending { handle: target, leaves_commit_for });
        Step::Submit(Submit { request, epoch, change })
    }

    fn new_handle(&mut self, kind: Kind, epoch: Epoch) -> Result<u32, Completion> {
        if self.handles.len() >= HANDLES_MAX {
            return Err(state(n::AP_CONNECTION_NOT_MADE));
        }
        let number = self.next_handle;
        self.next_handle = self.next_handle.checked_add(1).ok_or(state(n::AP_CONNECTION_NOT_MADE))?;
        let (mode, sinks) = (n::AP_MODE_READ_ONLY, Vec::new());
        self.handles
            .insert(number, Handle { kind, mode, epoch, dead: None, outstanding: 0, sinks, comment: None });
        Ok(number)
    }
}

fn need_null(target: u32) -> Result<(), Completion> {
    if target == 0 { Ok(()) } else { Err(parameter(n::AP_INVALID_TARGET)) }
}

fn is_file(kind: &Kind) -> bool {
    matches!(kind, Kind::Master | Kind::Backup)
}

fn masters(view: &DomainView, kind: &Kind, epoch: Epoch) -> bool {
    *kind != Kind::Backup && view.acting.as_ref().is_some_and(|(_, now)| *now == epoch)
}

/// Before the comment in the first line of a domain file.
const COMMENT: &str = "#! ";

/// The comment of a domain file.
pub fn comment_of(file: &str) -> &str {
    file.lines().next().and_then(|line| line.strip_prefix(COMMENT)).unwrap_or("")
}

/// The same file with another comment.
pub fn with_comment(file: &str, comment: &str) -> String {
    let rest = match file.split_once('\n') {
        Some((first, rest)) if first.starts_with(COMMENT) => rest,
        None if file.starts_with(COMMENT) => "",
        _ => file,
    };
    if comment.is_empty() {
        rest.to_owned()
    } else {
        format!("{COMMENT}{}\n{rest}", comment.replace('\n', " "))
    }
}
