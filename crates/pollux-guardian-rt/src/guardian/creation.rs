//! What a call of `PROCESS_CREATE_` or `PROCESS_LAUNCH_` asks of the daemon, or with which error and detail it fails
//! before anything is asked (Guardian Procedure Calls, "Process creation errors").

use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{Creation, NameChoice};
use pollux_wire::startup::STARTUP_VARIABLE;
use pollux_wire::{CpuNumber, FileError, ProcessName};

/// The priority of a process that is not told one.
pub(crate) const PRIORITY_DEFAULT: u8 = 150;
/// Value of [`STARTUP_VARIABLE`]: the start messages come from `$RECEIVE`.
const STARTUP_MESSAGES: &str = "messages";
/// The priorities there are.
const PRIORITIES: std::ops::RangeInclusive<i16> = 1..=199;
/// The bits of create-options that mean something: `<9>` to `<15>`.
const CREATE_OPTIONS: i16 = 0x7f;
/// The bits of debug-options that mean something: `<12>` to `<15>`.
const DEBUG_OPTIONS: i16 = 0xf;
/// DEFINE propagation, `<11:12>` of create-options: 3 means nothing.
const DEFINE_PROPAGATION: i16 = 0x18;

/// An error of process creation and its detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CreationError {
    /// 0 for none.
    pub(crate) error: i16,
    /// What it means depends on the error.
    pub(crate) detail: i16,
}

impl CreationError {
    /// 1: file error on the program file.
    pub(crate) fn program(detail: FileError) -> Self {
        Self { error: 1, detail: detail.0 as i16 }
    }

    /// 2: parameter error.
    pub(crate) fn parameter(number: i16) -> Self {
        Self { error: 2, detail: number }
    }

    /// 3: bounds error.
    pub(crate) fn bounds(number: i16) -> Self {
        Self { error: 3, detail: number }
    }

    /// 11: the name.
    fn name(detail: FileError) -> Self {
        Self { error: 11, detail: detail.0 as i16 }
    }

    /// 22: a backup is asked for, but the caller has no name.
    const CALLER_UNNAMED: Self = Self { error: 22, detail: 0 };
}

/// A call, with what was left out as `None`. The same for both procedures.
#[derive(Debug, Clone, Default)]
pub(crate) struct CreateCall {
    /// 1.
    pub(crate) program: Option<String>,
    /// 5.
    pub(crate) priority: Option<i16>,
    /// 6.
    pub(crate) processor: Option<i16>,
    /// 9.
    pub(crate) name_option: Option<i16>,
    /// 10.
    pub(crate) name: Option<String>,
    /// 14.
    pub(crate) home_terminal: Option<String>,
    /// 16.
    pub(crate) job: Option<i16>,
    /// 17.
    pub(crate) create_options: Option<i16>,
    /// 19.
    pub(crate) debug_options: Option<i16>,
    /// Arguments of `main`, behind the program's name (`PROCESS_SPAWN_`).
    pub(crate) arguments: Vec<String>,
    /// The environment, in place of the caller's (`PROCESS_SPAWN_`).
    pub(crate) environment: Option<Vec<(String, String)>>,
    /// Variables that tell the new process how it begins.
    pub(crate) variables: Vec<(String, String)>,
    /// True for `PROCESS_SPAWN_`.
    pub(crate) spawned: bool,
}

/// Numbers of the parameters, for the error detail: those of the two procedures differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParameterNumbers {
    program: i16,
    priority: i16,
    processor: i16,
    name_option: i16,
    name: i16,
    job: i16,
    create_options: i16,
    debug_options: i16,
}

impl ParameterNumbers {
    /// `PROCESS_CREATE_`.
    pub(crate) const CREATE: Self = Self {
        program: 1,
        priority: 5,
        processor: 6,
        name_option: 9,
        name: 10,
        job: 16,
        create_options: 17,
        debug_options: 19,
    };

    /// `PROCESS_LAUNCH_`: all are in its first parameter.
    pub(crate) const LAUNCH: Self = Self {
        program: 1,
        priority: 1,
        processor: 1,
        name_option: 1,
        name: 1,
        job: 1,
        create_options: 1,
        debug_options: 1,
    };

    /// `PROCESS_SPAWN_`: all but the program are in its extension.
    pub(crate) const SPAWN: Self = Self {
        program: 1,
        priority: 7,
        processor: 7,
        name_option: 7,
        name: 7,
        job: 7,
        create_options: 7,
        debug_options: 7,
    };
}

/// What the caller is and how it finds programs.
pub(crate) struct Caller<'a> {
    /// True if it has a name.
    pub(crate) named: bool,
    /// Its environment; goes to the new process.
    pub(crate) environment: Vec<(String, String)>,
    /// Its working directory.
    pub(crate) directory: String,
    /// The absolute path of a program, or the file error.
    pub(crate) find: &'a dyn Fn(&str) -> Result<String, FileError>,
}

/// What to ask the daemon.
pub(crate) fn creation(
    call: &CreateCall,
    caller: &Caller<'_>,
    numbers: ParameterNumbers,
) -> Result<Creation, CreationError> {
    let name_option = call.name_option.unwrap_or(0);
    let backup = name_option == 3;
    let name = match name_option {
        0 => NameChoice::None {},
        1 => {
            let name = call.name.as_deref().ok_or(CreationError::parameter(numbers.name))?;
            let name = ProcessName::new(name).map_err(|_| CreationError::name(FileError::BAD_NAME))?;
            NameChoice::Given { name }
        }
        2 => NameChoice::Generated { long: false },
        3 if !caller.named => return Err(CreationError::CALLER_UNNAMED),
        3 => NameChoice::Callers {},
        4 => NameChoice::Generated { long: true },
        _ => return Err(CreationError::parameter(numbers.name_option)),
    };
    let cpu = match call.processor.unwrap_or(-1) {
        -1 => None,
        number => {
            let cpu = u8::try_from(number).ok().and_then(CpuNumber::new);
            Some(cpu.ok_or(CreationError::parameter(numbers.processor))?)
        }
    };
    let priority = match call.priority.unwrap_or(-1) {
        -1 | 0 => PRIORITY_DEFAULT,
        number if PRIORITIES.contains(&number) => number as u8,
        _ => return Err(CreationError::parameter(numbers.priority)),
    };
    let job = match call.job.unwrap_or(-1) {
        -1 => None,
        number => Some(u16::try_from(number).map_err(|_| CreationError::parameter(numbers.job))?),
    };
    let options = call.create_options.unwrap_or(0);
    if options & !CREATE_OPTIONS != 0 || options & DEFINE_PROPAGATION == DEFINE_PROPAGATION {
        return Err(CreationError::parameter(numbers.create_options));
    }
    if call.debug_options.unwrap_or(0) & !DEBUG_OPTIONS != 0 {
        return Err(CreationError::parameter(numbers.debug_options));
    }
    let spec = match &call.program {
        Some(program) => Some(ProgramSpec {
            program: (caller.find)(program).map_err(CreationError::program)?,
            arguments: call.arguments.clone(),
            environment: call.environment.clone().unwrap_or_else(|| caller.environment.clone()),
            directory: caller.directory.clone(),
            ..ProgramSpec::none()
        }),
        // A backup runs its primary's program, which the daemon knows.
        None if backup => None,
        None => return Err(CreationError::parameter(numbers.program)),
    };
    let home_terminal = call.home_terminal.clone().unwrap_or_default();
    let mut variables = call.variables.clone();
    if backup && variables.is_empty() {
        // Its creator sends it what it begins with, as any other child; the run-time tells only the backups that it starts
        // itself.
        variables.push((STARTUP_VARIABLE.to_owned(), STARTUP_MESSAGES.to_owned()));
    }
    Ok(Creation { spec, variables, name, cpu, home_terminal, job, priority })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_with(named: bool, change: impl Fn(&mut CreateCall)) -> Result<Creation, (i16, i16)> {
        let mut call = CreateCall { program: Some("server".to_owned()), ..CreateCall::default() };
        change(&mut call);
        let find = |name: &str| match name {
            "server" => Ok("/bin/server".to_owned()),
            _ => Err(FileError::NOT_FOUND),
        };
        let caller = Caller { named, environment: Vec::new(), directory: "/".to_owned(), find: &find };
        creation(&call, &caller, ParameterNumbers::CREATE).map_err(|error| (error.error, error.detail))
    }

    // A wrong parameter that passes starts a process in the wrong CPU or under the wrong name.
    #[test]
    fn errors_and_their_details() {
        type Change = fn(&mut CreateCall);
        let cases: [(Change, (i16, i16)); 13] = [
            (|call| call.program = None, (2, 1)),
            (|call| call.program = Some("none".to_owned()), (1, 11)),
            (|call| call.priority = Some(200), (2, 5)),
            (|call| call.priority = Some(-2), (2, 5)),
            (|call| call.processor = Some(16), (2, 6)),
            (|call| call.processor = Some(-2), (2, 6)),
            (|call| call.name_option = Some(5), (2, 9)),
            (|call| call.name_option = Some(1), (2, 10)),
            (|call| (call.name_option, call.name) = (Some(1), Some("$1".to_owned())), (11, 13)),
            (|call| call.name_option = Some(3), (22, 0)),
            (|call| call.job = Some(-2), (2, 16)),
            (|call| call.create_options = Some(24), (2, 17)),
            (|call| call.debug_options = Some(16), (2, 19)),
        ];
        for (change, expected) in cases {
            assert_eq!(try_with(false, change).unwrap_err(), expected);
        }
        assert_eq!(try_with(false, |call| call.create_options = Some(0x80)).unwrap_err(), (2, 17));
    }

    #[test]
    fn the_defaults() {
        let creation = try_with(false, |_| ()).unwrap();
        assert_eq!(creation.spec.map(|spec| spec.program), Some("/bin/server".to_owned()));
        assert_eq!((creation.name, creation.cpu, creation.job), (NameChoice::None {}, None, None));
        assert_eq!(creation.priority, PRIORITY_DEFAULT);
    }

    #[test]
    fn a_backup_needs_no_program_and_takes_one_all_the_same() {
        let backup = |call: &mut CreateCall| (call.name_option, call.program) = (Some(3), None);
        let creation = try_with(true, backup).unwrap();
        assert_eq!((creation.name, creation.spec), (NameChoice::Callers {}, None));
        assert_eq!(creation.variables, [("POLLUX_STARTUP".to_owned(), "messages".to_owned())]);
        let other = try_with(true, |call| call.name_option = Some(3)).unwrap();
        assert!(other.spec.is_some());
    }

    #[test]
    fn names_given_and_made_up() {
        let given =
            |call: &mut CreateCall| (call.name_option, call.name) = (Some(1), Some("$srv".to_owned()));
        let name = ProcessName::new("$SRV").unwrap();
        assert_eq!(try_with(false, given).unwrap().name, NameChoice::Given { name });
        let long = |call: &mut CreateCall| call.name_option = Some(4);
        assert_eq!(try_with(false, long).unwrap().name, NameChoice::Generated { long: true });
    }
}
