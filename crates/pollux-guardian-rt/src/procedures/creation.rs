//! Creation of processes (Guardian Procedure Calls, `PROCESS_CREATE_`, `PROCESS_LAUNCH_`).

use crate::args;
use crate::disk::opening;
use crate::guardian::creation::{self, Caller, CreateCall, CreationError, ParameterNumbers};
use crate::guardian::handle;
use crate::guardian::parameters::{self, BAD_VALUE, TextPlace};
use crate::memory::{self, Buffer};
use crate::messages::process::{ProcessCreated, process_created, process_spawned};
use crate::runtime::{self, Asker, Runtime};
use crate::stdio::errno;
use pollux_wire::FileError;
use pollux_wire::control::{ToDaemon, ToProcess};

/// A nowait tag that asks for a waited creation.
pub(super) const WAITED: i32 = -1;
/// Environment variable that is for one process only.
const OWN_VARIABLE: &str = "POLLUX_CONTROL_FD";

pub(crate) fn PROCESS_CREATE_(a: args::PROCESS_CREATE_) -> i16 {
    let detail = a.error_detail;
    // What a failed creation leaves in the handle is the null handle.
    parameters::put_handle(a.processhandle, None);
    parameters::put_word(a.process_descr_len, 0);
    let created = create_call(&a).and_then(|call| {
        let tag = a.nowait_tag.unwrap_or(WAITED);
        create(&call, ParameterNumbers::CREATE, tag)
    });
    let (error, number) = match &created {
        Ok(created) => (created.error, created.detail),
        Err(error) => (error.error, error.detail),
    };
    parameters::put_word(detail, number);
    let Ok(created) = created else { return error };
    parameters::put_handle(a.processhandle, created.phandle);
    let place =
        TextPlace { to: a.process_descr, maxlen: a.process_descr_maxlen, length: a.process_descr_len };
    if place.put(&created.descriptor).is_err() {
        // The process runs; only its name has no room.
        parameters::put_word(detail, 11);
        return CreationError::bounds(11).error;
    }
    error
}

fn create_call(a: &args::PROCESS_CREATE_) -> Result<CreateCall, CreationError> {
    let text = |number: i16, from: Option<*const u8>, length: Option<i16>| {
        parameters::text(from, length).map_err(|error| match error {
            memory::BAD_ADDRESS => CreationError::bounds(number),
            _ => CreationError::parameter(number),
        })
    };
    Ok(CreateCall {
        program: text(1, a.program_file, a.program_length)?,
        priority: a.priority,
        processor: a.processor,
        name_option: a.name_option,
        name: text(10, a.process_name, a.process_name_length)?,
        home_terminal: text(14, a.hometerm, a.hometerm_length)?,
        job: a.jobid,
        create_options: a.create_options,
        debug_options: a.debug_options,
        ..CreateCall::default()
    })
}

pub(crate) fn PROCESS_LAUNCH_(a: args::PROCESS_LAUNCH_) -> i16 {
    parameters::put_word(a.output_list_len, 0);
    let launched = launch(&a);
    let (error, number) = match &launched {
        Ok(created) => (created.error, created.detail),
        Err(error) => (error.error, error.detail),
    };
    parameters::put_word(a.error_detail, number);
    error
}

fn launch(a: &args::PROCESS_LAUNCH_) -> Result<ProcessCreated, CreationError> {
    let from = a.param_list.unwrap_or(std::ptr::null());
    let list = LaunchList::read(from).map_err(|error| match error {
        memory::BAD_ADDRESS => CreationError::bounds(1),
        _ => CreationError::parameter(1),
    })?;
    let created = create(&list.call, ParameterNumbers::LAUNCH, list.nowait_tag)?;
    if let (Some(to), Some(maxlen)) = (a.output_list, a.maxlen) {
        let room = usize::try_from(maxlen).map_err(|_| CreationError::parameter(3))?;
        let place = Buffer::new(to.cast_const().cast(), room).map_err(|_| CreationError::bounds(3))?;
        let stored = place.put(&process_created(&created));
        parameters::put_word(a.output_list_len, stored as i16);
    }
    Ok(created)
}

/// The parameters in `process_launch_parms_def`.
#[derive(Debug)]
struct LaunchList {
    call: CreateCall,
    nowait_tag: i32,
}

/// Bytes of the structure, as the compiler of a 64-bit program lays it out.
const LAUNCH_LIST_BYTES: usize = 152;
/// The one version of the structure.
const LAUNCH_LIST_VERSION: i16 = 1;

impl LaunchList {
    fn read(from: *const u8) -> Result<Self, FileError> {
        let head = Buffer::new(from.cast(), 4)?.get();
        let word = |bytes: &[u8], at: usize| i16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        if word(&head, 0) != LAUNCH_LIST_VERSION || usize::try_from(word(&head, 2)) != Ok(LAUNCH_LIST_BYTES) {
            return Err(BAD_VALUE);
        }
        let list = Buffer::new(from.cast(), LAUNCH_LIST_BYTES)?.get();
        let int = |at: usize| i32::from_ne_bytes(std::array::from_fn(|byte| list[at + byte]));
        // Seven texts, each an address and a length, from the eighth byte on.
        let text = |number: usize| {
            let at = 8 + 16 * number;
            let address = usize::from_ne_bytes(std::array::from_fn(|byte| list[at + byte]));
            let length = i16::try_from(int(at + 8)).map_err(|_| BAD_VALUE)?;
            match address {
                0 => Ok(None),
                address => parameters::text(Some(address as *const u8), Some(length)),
            }
        };
        let create_options = i16::try_from(int(136)).map_err(|_| BAD_VALUE)?;
        let call = CreateCall {
            program: text(0)?,
            name: text(4)?,
            home_terminal: text(5)?,
            create_options: Some(create_options),
            name_option: Some(word(&list, 140)),
            debug_options: Some(word(&list, 142)),
            priority: Some(word(&list, 144)),
            processor: Some(word(&list, 146)),
            job: Some(word(&list, 150)),
            ..CreateCall::default()
        };
        Ok(Self { call, nowait_tag: int(116) })
    }
}

/// Creates a process, or begins to. What begins ends with message -102.
pub(super) fn create(
    call: &CreateCall,
    numbers: ParameterNumbers,
    tag: i32,
) -> Result<ProcessCreated, CreationError> {
    let environment = std::env::vars().filter(|(name, _)| name != OWN_VARIABLE).collect();
    let directory = std::env::current_dir().map(|path| path.to_string_lossy().into_owned());
    let directory = directory.unwrap_or_else(|_| "/".to_owned());
    let find = |name: &str| find_program(name, &directory);
    runtime::with(|runtime| {
        let named = runtime.name.is_some();
        let caller = Caller { named, environment, directory: directory.clone(), find: &find };
        let creation = creation::creation(call, &caller, numbers)?;
        if tag != WAITED {
            let asker = if call.spawned { Asker::Spawn(tag) } else { Asker::Creation(tag) };
            runtime.ask_for(asker, |request| ToDaemon::Create { request, creation });
            return Ok(ProcessCreated { tag, ..ProcessCreated::default() });
        }
        let answer = runtime.call_daemon(|request| ToDaemon::Create { request, creation });
        let created = created(runtime, tag, answer);
        // 14: it runs, with a warning.
        match created.error {
            0 | 14 => Ok(created),
            error => Err(CreationError { error, detail: created.detail }),
        }
    })
}

/// What the daemon says about a creation.
fn created(runtime: &Runtime, tag: i32, answer: ToProcess) -> ProcessCreated {
    match answer {
        ToProcess::Created { process, name, error, detail, .. } => {
            let descriptor =
                process.map(|process| handle::descriptor(process, name.as_ref(), &runtime.node, true));
            ProcessCreated {
                tag,
                phandle: process,
                error: error as i16,
                detail: detail as i16,
                descriptor: descriptor.map(|name| name.to_string()).unwrap_or_default(),
            }
        }
        _ => ProcessCreated {
            tag,
            error: 10,
            detail: FileError::PATH_DOWN.0 as i16,
            ..ProcessCreated::default()
        },
    }
}

impl Runtime {
    /// A creation that was not waited for has ended.
    pub(crate) fn handle_created(&mut self, tag: i32, answer: ToProcess) {
        let created = created(self, tag, answer);
        self.push_system(process_created(&created));
    }

    /// The same of `PROCESS_SPAWN_`.
    pub(crate) fn handle_spawned(&mut self, tag: i32, answer: ToProcess) {
        let created = created(self, tag, answer);
        let errno = errno_of(CreationError { error: created.error, detail: created.detail });
        self.push_system(process_spawned(&created, errno));
    }
}

/// The `errno` of a creation error (0 for none).
pub(super) fn errno_of(error: CreationError) -> i32 {
    match (error.error, error.detail) {
        (0 | 14, _) => 0,
        (1, 11) => errno::ENOENT,
        (1, 48) => errno::EACCES,
        (2 | 3, _) => errno::EINVAL,
        (10, _) => errno::ENOCPU,
        (15, _) => errno::EAGAIN,
        _ => errno::EUNKNOWN,
    }
}

/// The absolute path of a program. Names of Guardian are mapped as those of other files; case does not matter.
fn find_program(name: &str, directory: &str) -> Result<String, FileError> {
    let path = opening::path(name, "")?;
    let as_written = std::path::Path::new(directory).join(path);
    let in_small_letters = std::path::Path::new(directory).join(name.to_ascii_lowercase());
    let found = [as_written, in_small_letters].into_iter().find(|path| path.is_file());
    found.map(|path| path.to_string_lossy().into_owned()).ok_or(FileError::NOT_FOUND)
}
