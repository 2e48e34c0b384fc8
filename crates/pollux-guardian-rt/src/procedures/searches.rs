//! Searches for disk files (Guardian Procedure Calls, `FILENAME_FINDSTART_`, `FILENAME_FINDNEXT_`, `FILENAME_FINDFINISH_`).

use super::file_names::own_defaults;
use crate::args;
use crate::disk::entries::DISK_TYPE_WORDS;
use crate::disk::opening;
use crate::disk::search::Search;
use crate::guardian::file_name::{FileName, Level};
use crate::guardian::node::Node;
use crate::guardian::parameters::{self, BAD_VALUE, TextPlace};
use crate::memory;
use crate::node::asking;
use pollux_wire::FileError;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Searches of one process at a time; at the limit another one is error 31.
const SEARCHES_MAX: i16 = 256;
/// All files of the default subvolume.
const PATTERN_DEFAULT: &str = "*";
/// A device type or subtype that stands for all.
const ANY: i16 = -1;

static SEARCHES: Mutex<BTreeMap<i16, Search>> = Mutex::new(BTreeMap::new());

fn searches() -> MutexGuard<'static, BTreeMap<i16, Search>> {
    SEARCHES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn FILENAME_FINDSTART_(a: args::FILENAME_FINDSTART_) -> Result<(), FileError> {
    let to = parameters::place(a.searchid)?;
    memory::put_word(to, -1);
    if a.options.unwrap_or(0) != 0 {
        return Err(BAD_VALUE);
    }
    let of_disks = |wanted: Option<i16>, own: i16| matches!(wanted.unwrap_or(ANY), number if number == ANY || number == own);
    if !of_disks(a.devicetype, DISK_TYPE_WORDS[0]) || !of_disks(a.devicesubtype, DISK_TYPE_WORDS[1]) {
        return Err(BAD_VALUE);
    }
    let level = Level::from_number(a.resolvelevel.unwrap_or(Level::Node.number())).ok_or(BAD_VALUE)?;
    let pattern = parameters::text(a.searchpattern, a.length)?;
    let defaults = own_defaults(&asking(|node| node.own().node));
    let first = match parameters::text(a.startname, a.startname_length)? {
        Some(text) => Some(FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?.resolve(&defaults)),
        None => None,
    };
    let pattern = pattern.as_deref().unwrap_or(PATTERN_DEFAULT);
    let search = Search::begin(opening::names(), pattern, &defaults, first, level)?;
    let mut searches = searches();
    let free = (0..SEARCHES_MAX).find(|id| !searches.contains_key(id));
    let id = free.ok_or(FileError::NO_BUFFER_SPACE)?;
    searches.insert(id, search);
    memory::put_word(to, id);
    Ok(())
}

pub(crate) fn FILENAME_FINDNEXT_(a: args::FILENAME_FINDNEXT_) -> Result<(), FileError> {
    let place = TextPlace { to: a.name, maxlen: a.maxlen, length: a.namelength };
    parameters::put_word(a.namelength, 0);
    let mut searches = searches();
    let search = a.searchid.and_then(|id| searches.get_mut(&id)).ok_or(BAD_VALUE)?;
    let name = search.next().ok_or(FileError::END_OF_FILE)?;
    if let Some(to) = a.entityinfo {
        memory::put_words(to, &DISK_TYPE_WORDS);
    }
    place.put(&name)
}

pub(crate) fn FILENAME_FINDFINISH_(a: args::FILENAME_FINDFINISH_) -> Result<(), FileError> {
    let found = a.searchid.and_then(|id| searches().remove(&id));
    found.map(drop).ok_or(BAD_VALUE)
}
