//! A program's NOF session over a connection: what `libnof` and `snaadmin` share.
//!
//! The session itself (handles, modes, registrations) lives in the program: it ends with it, and a takeover of the domain server does
//! not touch it. What the server must know is asked at each verb.

use crate::client::{Client, ClientError, News};
use crate::place::Doors;
use crate::words::{LockWish, Reply, Word};
use pollux_domain::configuration::Logging;
use pollux_domain::content::{Change, RequestId};
use pollux_domain::name::ServerName;
use pollux_domain::nof::engine::{Call, Completion, Delivery, Effect, Output, Session, Step, Submit};
use pollux_domain::nof::numbers as n;
use pollux_domain::nof::vcb::{Decoded, Verb};
use pollux_domain::nof::view::{DomainView, LogTypes, Software};
use pollux_domain::succession::Answer;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A program.
#[derive(Debug)]
pub struct Program {
    doors: Doors,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    session: Session,
    client: Option<Arc<Client>>,
    /// A server was there once.
    connected: bool,
    watching: bool,
    effects: u64,
    /// The handle that holds the lock of the domain file, by the verbs that were done.
    locked: bool,
}

impl Program {
    /// A program that will speak to a server behind these doors.
    pub fn new(doors: Doors) -> Self {
        let state = State {
            session: Session::new(0),
            client: None,
            connected: false,
            watching: false,
            effects: 0,
            locked: false,
        };
        Self { doors, state: Mutex::new(state) }
    }

    /// Judges a verb and carries it out; blocks until it is finished.
    pub fn execute(&self, call: Call, decoded: &Decoded) -> Completion {
        let (step, client, view) = {
            let mut state = self.state();
            let view = state.view(&self.doors, lock_wish(&decoded.verb));
            let step = state.session.begin(&view, call, decoded);
            if matches!(step, Step::Submit(_)) {
                // The lock goes with the end of the commit, whatever becomes of it.
                state.locked &= !matches!(decoded.verb, Verb::SetProcessingMode(_));
            }
            (step, state.client.clone(), view)
        };
        match step {
            Step::Done(completion) => self.effect(client.as_deref(), &view, &decoded.verb, completion),
            Step::Submit(submit) => {
                let answer = client.as_deref().map_or(Answer::Unknown, |client| decide(client, &submit));
                let completion =
                    self.state().session.finish(submit.request, &answer, call.callback.is_none());
                self.effect(client.as_deref(), &view, &decoded.verb, completion)
            }
        }
    }

    /// Indications for callbacks, from the first call on. `None`: no server is there.
    pub fn deliveries(self: &Arc<Self>) -> Option<Receiver<Delivery>> {
        let client = {
            let mut state = self.state();
            if state.watching {
                return None;
            }
            let client = state.client.clone()?;
            state.watching = true;
            client
        };
        let Ok(news) = client.watch() else {
            self.state().watching = false;
            return None;
        };
        let (send, deliveries) = channel();
        let program = Arc::clone(self);
        let work = move || {
            while let Ok(what) = news.recv() {
                let (told, ended) = match what {
                    News::Event { notice, change, view } => {
                        (program.state().session.indicate(&view, &notice, change.as_ref()), false)
                    }
                    News::Lost if client.connect_again() => (Vec::new(), false),
                    News::Lost => (program.abended(), true),
                };
                for delivery in told {
                    if send.send(delivery).is_err() {
                        return;
                    }
                }
                if ended {
                    return;
                }
            }
        };
        thread::Builder::new().name("nof indications".to_owned()).spawn(work).ok()?;
        Some(deliveries)
    }

    fn abended(&self) -> Vec<Delivery> {
        let mut state = self.state();
        state.client = None;
        state.watching = false;
        state.session.local_abended()
    }

    /// What follows from an AP_OK.
    fn effect(
        &self,
        client: Option<&Client>,
        view: &DomainView,
        verb: &Verb,
        completion: Completion,
    ) -> Completion {
        let Some(client) = client else { return completion };
        let logging = Logging { central: view.central_logging, types: view.global_log_types };
        match completion.effect {
            Effect::Lock => self.state().locked = true,
            Effect::Unlock => self.unlock(client),
            Effect::None
                if matches!(verb, Verb::SetProcessingMode(n::AP_MODE_COMMIT)) && !self.state().locked =>
            {
                // The lock was taken before the verb was judged, and it was not needed.
                self.unlock(client);
            }
            Effect::None => {}
            Effect::CentralLogging(central) => {
                return self.record(client, view, Logging { central, ..logging });
            }
            Effect::GlobalLogTypes(types) => return self.record(client, view, Logging { types, ..logging }),
            Effect::LogTypes(types) => return set_log_types(client, types, completion),
        }
        completion
    }

    fn unlock(&self, client: &Client) {
        self.state().locked = false;
        // A server that is gone has no lock either.
        drop(client.ask(Word::Unlock));
    }

    /// The rules for logging are part of the domain file.
    fn record(&self, client: &Client, view: &DomainView, logging: Logging) -> Completion {
        let done = Completion { primary: n::AP_OK, secondary: 0, output: Output::None, effect: Effect::None };
        let refused = |secondary| Completion { primary: n::AP_STATE_CHECK, secondary, ..done.clone() };
        let (Some((_, epoch)), Some((content, _))) = (&view.acting, &view.content) else {
            return refused(n::AP_NO_CENTRAL_LOG);
        };
        let text = logging.put_into(&content.file);
        if *text == *content.file {
            return done;
        }
        let number = {
            let mut state = self.state();
            state.effects += 1;
            // Above all numbers that the session gives out.
            EFFECT_NUMBERS | state.effects
        };
        let request = RequestId { origin: client.origin(), number };
        let change = Change::ReplaceFile { based_on: content.stamp.revision, text: text.into() };
        match decide(client, &Submit { request, epoch: *epoch, change }) {
            Answer::Done(_) => done,
            Answer::NotMaster => refused(n::AP_NOT_MASTER),
            Answer::Busy | Answer::Unknown | Answer::Refused(_) => refused(n::AP_FILE_UNAVAILABLE),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers of requests that follow from verbs.
const EFFECT_NUMBERS: u64 = 1 << 62;

impl State {
    /// The domain at this moment; connects when there is no connection.
    fn view(&mut self, doors: &Doors, lock: LockWish) -> DomainView {
        if self.client.is_none() {
            match connect(doors) {
                Ok(client) => {
                    if !self.connected {
                        self.session = Session::new(client.origin());
                    }
                    self.client = Some(Arc::new(client));
                }
                Err(_) => {
                    return without(if self.connected { Software::Abended } else { Software::NotLoaded });
                }
            }
        }
        self.connected = true;
        let client = self.client.as_ref().expect("connected above");
        match client.ask(Word::View { lock }) {
            Ok(Reply::View(view)) => *view,
            Err(ClientError::Lost) | Ok(_) | Err(_) => {
                self.client = None;
                self.session.local_abended();
                without(Software::Abended)
            }
        }
    }
}

/// The first server that answers.
fn connect(doors: &Doors) -> Result<Client, ClientError> {
    match doors {
        Doors::Node(socket) => Client::connect(socket),
        Doors::Client(sockets) => {
            let none = Err(ClientError::NotRunning("no server of the client's file answers".to_owned()));
            sockets.iter().map(|socket| Client::connect(socket)).find(Result::is_ok).unwrap_or(none)
        }
    }
}

/// What must be known of the lock to judge a verb.
fn lock_wish(verb: &Verb) -> LockWish {
    match verb {
        Verb::SetProcessingMode(n::AP_MODE_COMMIT) => LockWish::Take,
        Verb::DefineDomainConfigFile(_) => LockWish::Look,
        _ => LockWish::Nothing,
    }
}

/// The view of a computer on which the software does not run.
fn without(software: Software) -> DomainView {
    DomainView {
        software,
        client: false,
        authorized: false,
        domain: String::new(),
        local: ServerName::new("localhost").expect("letters"),
        acting: None,
        content: None,
        bad_record: false,
        servers: Vec::new(),
        locked_by_other: false,
        central_logging: false,
        global_log_types: LogTypes::default(),
        version: (0, 0, 0),
    }
}

/// Has a change decided. Asked again with its number when the answer was lost; "unknown" when that does not help.
fn decide(client: &Client, submit: &Submit) -> Answer {
    let Submit { request, epoch, change } = submit.clone();
    match client.ask(Word::Submit { request, epoch: epoch.0, change }) {
        Ok(Reply::Answer(answer)) => answer,
        _ => Answer::Unknown,
    }
}

fn set_log_types(client: &Client, types: Option<LogTypes>, completion: Completion) -> Completion {
    match client.ask(Word::SetLogTypes { types }) {
        Ok(_) => completion,
        Err(_) => Completion {
            primary: n::AP_COMM_SUBSYSTEM_ABENDED,
            secondary: n::AP_LOCAL_ABENDED,
            output: Output::None,
            effect: Effect::None,
        },
    }
}
