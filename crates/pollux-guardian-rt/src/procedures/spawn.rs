//! `PROCESS_SPAWN_` (RSC 7-24): a process with arguments and an environment, as POSIX programs start them. It begins at once,
//! without messages at its start.

use super::creation::{WAITED, create, errno_of};
use crate::args;
use crate::guardian::creation::{CreateCall, CreationError, ParameterNumbers};
use crate::guardian::node::Node;
use crate::memory::{self, Buffer};
use crate::messages::process::ProcessCreated;
use crate::node::asking;
use crate::stdio::glue;
use pollux_wire::startup::STARTUP_VARIABLE;

/// A call fails with this.
const FAILED: i32 = -1;
/// Bytes of `process_extension_def`, and where its fields are.
const EXTENSION_BYTES: usize = 16;
const EXTENSION_OPTIONS_AT: usize = 8;
const EXTENSION_CPU_AT: usize = 10;
const EXTENSION_PRIORITY_AT: usize = 12;
/// Bytes of `process_extension_results_def`.
const RESULTS_BYTES: usize = 28;
/// Arguments or variables of a call; those behind are left out.
const TEXTS_MAX: usize = 65_536;

pub(crate) fn PROCESS_SPAWN_(a: args::PROCESS_SPAWN_) -> i32 {
    let tag = a.nowait_tag.unwrap_or(WAITED);
    let spawned = call_of(&a).and_then(|call| create(&call, ParameterNumbers::SPAWN, tag));
    let results = match &spawned {
        Ok(created) => results(created, CreationError { error: created.error, detail: created.detail }),
        Err(error) => results(&ProcessCreated::default(), *error),
    };
    if let Some(Ok(place)) = a.process_results.map(|to| Buffer::new(to.cast_const().cast(), RESULTS_BYTES)) {
        place.put(&results);
    }
    match spawned {
        Err(error) => {
            glue::set_errno(errno_of(error));
            FAILED
        }
        // Message -141 tells of one that is not waited for.
        Ok(_) if tag != WAITED => 0,
        Ok(created) => {
            let facts = created.phandle.and_then(|process| asking(|node| node.facts(process)).ok()?);
            facts.map_or(FAILED, |facts| facts.pid as i32)
        }
    }
}

fn call_of(a: &args::PROCESS_SPAWN_) -> Result<CreateCall, CreationError> {
    // Descriptors and signals are not passed on: a program that needs them must hear so.
    for (number, given) in [(2, a.fdinfo), (5, a.inheritance)] {
        if given.is_some_and(|given| !given.is_null()) {
            return Err(CreationError::parameter(number));
        }
    }
    let mut call = CreateCall { spawned: true, ..CreateCall::default() };
    if let Some(from) = a.process_extension.filter(|from| !from.is_null()) {
        let bounds = |_| CreationError::bounds(7);
        let bytes = Buffer::new(from.cast(), EXTENSION_BYTES).map_err(bounds)?.get();
        let word = |at: usize| Some(i16::from_ne_bytes([bytes[at], bytes[at + 1]]));
        let address = usize::from_ne_bytes(std::array::from_fn(|byte| bytes[byte]));
        call.name = memory::c_text(address as *const u8).map(|name| guardian_name(&name));
        call.name_option = word(EXTENSION_OPTIONS_AT);
        call.processor = word(EXTENSION_CPU_AT);
        call.priority = word(EXTENSION_PRIORITY_AT);
    }
    let program = a.oss_program_file.and_then(memory::c_text);
    call.program = program.map(|program| found_in(&guardian_name(&program), a.path.and_then(memory::c_text)));
    let texts = |from: *const u8| memory::c_texts(from, TEXTS_MAX);
    call.arguments = a.argv.map(texts).unwrap_or_default().into_iter().skip(1).collect();
    call.environment = a.envp.filter(|from| !from.is_null()).map(|from| {
        let pair =
            |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        texts(from).iter().filter_map(pair).collect()
    });
    call.variables = vec![(STARTUP_VARIABLE.to_owned(), "run".to_owned())];
    Ok(call)
}

/// `/G/name` and `/G/vol/subvol/file` as a Guardian name; any other name as it is.
fn guardian_name(name: &str) -> String {
    match name.strip_prefix("/G/") {
        Some(rest) => format!("${}", rest.replace('/', ".")),
        None => name.to_owned(),
    }
}

/// The first directory of a search path that has the program; the name as it is for one with a slash, or that none has.
fn found_in(name: &str, path: Option<String>) -> String {
    if name.contains('/') || name.starts_with('$') {
        return name.to_owned();
    }
    let directories = path.iter().flat_map(|path| path.split(':'));
    let mut candidates = directories.map(|directory| format!("{directory}/{name}"));
    candidates.find(|path| std::path::Path::new(path).is_file()).unwrap_or_else(|| name.to_owned())
}

/// `process_extension_results_def`: handle, errno, error and detail.
fn results(created: &ProcessCreated, error: CreationError) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        memory::handle_words(created.phandle).iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.extend(errno_of(error).to_ne_bytes());
    bytes.extend(error.error.to_ne_bytes());
    bytes.extend(error.detail.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program that is not found, or another one of that name.
    #[test]
    fn names_of_programs() {
        assert_eq!(guardian_name("/G/data/sub/prog"), "$data.sub.prog");
        assert_eq!(guardian_name("/G/srv"), "$srv");
        assert_eq!(guardian_name("./prog"), "./prog");
        assert_eq!(found_in("sh", Some("/nowhere:/bin".to_owned())), "/bin/sh");
        assert_eq!(found_in("sh", None), "sh");
        assert_eq!(found_in("./sh", Some("/bin".to_owned())), "./sh");
    }

    #[test]
    fn results_have_the_layout_of_the_header() {
        let bytes = results(&ProcessCreated::default(), CreationError::parameter(2));
        assert_eq!((bytes.len(), &bytes[..20]), (RESULTS_BYTES, [0xff; 20].as_slice()));
        assert_eq!(bytes[20..24], 4022_i32.to_ne_bytes());
        assert_eq!((bytes[24..26].to_vec(), bytes[26..28].to_vec()), (vec![2, 0], vec![2, 0]));
    }
}
