//! File names as texts (Guardian Procedure Calls, `FILENAME_...`, `OLDFILENAME_TO_FILENAME_`, `STRING_UPSHIFT_`).

use crate::args;
use crate::guardian::file_name::{self, Defaults, FileName, Level, Object};
use crate::guardian::node::Node;
use crate::guardian::old_file_name::{self, OLD_NAME_BYTES};
use crate::guardian::parameters::{self, BAD_VALUE, BUFFER_TOO_SMALL, TextPlace};
use crate::memory::{self, Buffer};
use crate::node::asking;
use pollux_wire::{FileError, NodeName};

/// Environment variable with the default volume and subvolume, as the C run-time gives it to a program.
const DEFAULTS_VARIABLE: &str = "DEFAULTS";
/// Where a program is that was told no defaults.
const VOLUME_DEFAULT: &str = "$SYSTEM";
const SUBVOLUME_DEFAULT: &str = "NOSUBVOL";
/// `FILENAME_SCAN_`, kind: a file name.
const KIND_FILE: i16 = 0;
/// `FILENAME_SCAN_`, kind: a DEFINE name.
const KIND_DEFINE: i16 = 2;

pub(crate) fn FILENAME_DECOMPOSE_(a: args::FILENAME_DECOMPOSE_) -> Result<(), FileError> {
    let place = TextPlace { to: a.piece, maxlen: a.maxlen, length: a.piece_length };
    parameters::put_word(a.piece_length, 0);
    if a.options.unwrap_or(0) != 0 || a.subpart.unwrap_or(0) != 0 {
        return Err(BAD_VALUE);
    }
    let level = a.level.and_then(Level::from_number).ok_or(BAD_VALUE)?;
    let text = parameters::text(a.filename, a.length)?.ok_or(FileError::BAD_NAME)?;
    let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
    place.put(&name.part(level))
}

pub(crate) fn FILENAME_RESOLVE_(a: args::FILENAME_RESOLVE_) -> Result<(), FileError> {
    let place = TextPlace { to: a.fullname, maxlen: a.maxlen, length: a.fullname_length };
    parameters::put_word(a.fullname_length, 0);
    let overridden = parameters::text(a.override_name, a.override_length)?;
    let searched = parameters::text(a.search, a.search_length)?;
    if a.options.unwrap_or(0) != 0 || overridden.is_some() || searched.is_some() {
        return Err(BAD_VALUE);
    }
    let text = parameters::text(a.partialname, a.length)?.ok_or(FileError::BAD_NAME)?;
    let given = parameters::text(a.defaults, a.defaults_length)?;
    let own = asking(|node| node.own().node);
    let defaults = match given {
        Some(given) => read_defaults(&given, &own).ok_or(FileError::BAD_NAME)?,
        None => own_defaults(&own),
    };
    // A DEFINE name stands for itself.
    if file_name::is_define_name(&text) {
        return place.put(&text.to_ascii_uppercase());
    }
    let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
    place.put(&name.resolve(&defaults).to_string())
}

pub(crate) fn FILENAME_SCAN_(a: args::FILENAME_SCAN_) -> Result<(), FileError> {
    if a.options.unwrap_or(0) != 0 {
        return Err(BAD_VALUE);
    }
    let text = parameters::text(a.string, a.length)?.ok_or(FileError::BAD_NAME)?;
    let scanned = scan(&text).ok_or(FileError::BAD_NAME)?;
    parameters::put_word(a.count, scanned.count as i16);
    parameters::put_word(a.kind, scanned.kind);
    parameters::put_word(a.entirelevel, scanned.level.number());
    Ok(())
}

/// A name at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Bytes of it.
    pub(crate) count: usize,
    kind: i16,
    /// The last part that it has: what the whole name is the name of.
    level: Level,
}

pub(crate) fn scan(text: &str) -> Option<Scanned> {
    let define = text.starts_with('=');
    let belongs = |c: char| match define {
        true => c.is_ascii_alphanumeric() || "=-_^".contains(c),
        false => c.is_ascii_alphanumeric() || "\\$.:#".contains(c),
    };
    let count = text.find(|c| !belongs(c)).unwrap_or(text.len());
    let name = &text[..count];
    if define {
        let scanned = Scanned { count, kind: KIND_DEFINE, level: Level::Destination };
        return file_name::is_define_name(name).then_some(scanned);
    }
    let name = FileName::parse(name).ok()?;
    let levels = [Level::Second, Level::First, Level::Destination];
    let level = levels.into_iter().find(|level| !name.part(*level).is_empty())?;
    Some(Scanned { count, kind: KIND_FILE, level })
}

pub(crate) fn FILENAME_TO_OLDFILENAME_(a: args::FILENAME_TO_OLDFILENAME_) -> Result<(), FileError> {
    let to = parameters::place(a.oldname)?;
    let text = parameters::text(a.filename, a.length)?.ok_or(FileError::BAD_NAME)?;
    let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
    let own = asking(|node| node.own().node);
    let name = name.resolve(&own_defaults(&own));
    if name.node.as_ref() != Some(&own) {
        return Err(parameters::NO_SUCH_NODE);
    }
    let old = old_file_name::from_name(&name, None)?;
    Buffer::new(to.cast_const().cast(), OLD_NAME_BYTES)?.put(&old);
    Ok(())
}

pub(crate) fn OLDFILENAME_TO_FILENAME_(a: args::OLDFILENAME_TO_FILENAME_) -> Result<(), FileError> {
    let place = TextPlace { to: a.filename, maxlen: a.maxlen, length: a.filename_length };
    parameters::put_word(a.filename_length, 0);
    let bytes = Buffer::new(parameters::place(a.oldname)?.cast_const().cast(), OLD_NAME_BYTES)?.get();
    let old = bytes.try_into().expect("as many bytes as were asked for");
    let own = asking(|node| node.own());
    let known = |number: u8| (u32::from(number) == own.phandle.node).then(|| own.node.clone());
    place.put(&old_file_name::to_name(&old, &own.node, known)?.to_string())
}

pub(crate) fn STRING_UPSHIFT_(a: args::STRING_UPSHIFT_) -> Result<(), FileError> {
    let (Some(from), Some(to)) = (a.in_string, a.out_string) else { return Err(memory::BAD_ADDRESS) };
    let bytes = |count: Option<i16>| usize::try_from(count.unwrap_or(0)).map_err(|_| BAD_VALUE);
    let text = Buffer::new(from.cast(), bytes(a.length)?)?.get().to_ascii_uppercase();
    let place = Buffer::new(to.cast_const().cast(), bytes(a.maxlen)?)?;
    if text.len() > place.bytes() {
        return Err(BUFFER_TOO_SMALL);
    }
    place.put(&text);
    Ok(())
}

/// The defaults of this process.
pub(super) fn own_defaults(own: &NodeName) -> Defaults {
    let told = std::env::var(DEFAULTS_VARIABLE).ok().and_then(|text| read_defaults(&text, own));
    told.unwrap_or_else(|| Defaults {
        node: own.clone(),
        volume: VOLUME_DEFAULT.to_owned(),
        subvolume: SUBVOLUME_DEFAULT.to_owned(),
    })
}

/// Reads `[\node.]$volume.subvolume`.
fn read_defaults(text: &str, own: &NodeName) -> Option<Defaults> {
    // With a file behind it, it is a file name.
    let name = FileName::parse(&format!("{text}.X")).ok()?;
    match name.object {
        Object::Disk { volume: Some(volume), subvolume: Some(subvolume), .. } => {
            Some(Defaults { node: name.node.unwrap_or_else(|| own.clone()), volume, subvolume })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A name that is found too long or too short in a command line takes its neighbour with it.
    #[test]
    fn names_at_the_beginning_of_a_text() {
        for (text, count, kind, level) in [
            ("$data.sub.file, next", 15 - 1, KIND_FILE, Level::Second),
            ("$srv/in", 4, KIND_FILE, Level::Destination),
            ("\\n.$srv.#q", 10, KIND_FILE, Level::First),
            ("file)", 4, KIND_FILE, Level::Second),
            ("=def^1 x", 6, KIND_DEFINE, Level::Destination),
        ] {
            assert_eq!(scan(text), Some(Scanned { count, kind, level }), "{text}");
        }
        for wrong in ["", ",", "$", "1a", "=", "a.b.c.d"] {
            assert_eq!(scan(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn defaults_are_a_volume_and_a_subvolume() {
        let own = NodeName::new("\\HERE").unwrap();
        let defaults = read_defaults("$data.work", &own).unwrap();
        assert_eq!((defaults.volume.as_str(), defaults.subvolume.as_str()), ("$DATA", "WORK"));
        assert_eq!(read_defaults("\\far.$d.w", &own).unwrap().node.as_str(), "\\FAR");
        assert_eq!(read_defaults("work", &own), None);
    }
}
