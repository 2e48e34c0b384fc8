//! The startup and PARAM messages (Guardian Procedure Errors and Messages, 236 to 238), as bytes and as values; ASSIGN
//! messages are in [`super::assign`].
//!
//! Words are in the order of the machine, as in all messages here.

/// First word of each message.
pub(crate) const STARTUP: i16 = -1;
/// See [`STARTUP`].
pub(crate) const ASSIGN: i16 = -2;
/// See [`STARTUP`].
pub(crate) const PARAM: i16 = -3;

/// Longest startup message.
pub(crate) const STARTUP_BYTES_MAX: usize = 596;
/// Longest PARAM message.
pub(crate) const PARAM_BYTES_MAX: usize = 1028;
/// ASSIGNs that a start carries.
pub(crate) const ASSIGNS_MAX: usize = 256;

const FILE_NAME_BYTES: usize = 24;
const PARAMETERS_AT: usize = 66;

/// The startup message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Startup {
    /// Default volume and subvolume, `$VOLUME.SUBVOLUME`; empty for none.
    pub(crate) defaults: String,
    /// IN file; empty for none.
    pub(crate) input: String,
    /// OUT file; empty for none.
    pub(crate) output: String,
    /// Parameters of the RUN command.
    pub(crate) parameters: String,
}

impl Startup {
    /// The message. Names that do not fit the 24 bytes of the old form are cut: the run-time hands the long ones on by
    /// other means, and a program that reads the message finds what fits.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = STARTUP.to_ne_bytes().to_vec();
        let (volume, subvolume) = self.defaults.split_once('.').unwrap_or((&self.defaults, ""));
        bytes.extend(padded(volume, 8));
        bytes.extend(padded(subvolume, 8));
        bytes.extend(internal_name(&self.input));
        bytes.extend(internal_name(&self.output));
        let room = STARTUP_BYTES_MAX - PARAMETERS_AT - 2;
        let parameters = self.parameters.as_bytes();
        bytes.extend(&parameters[..parameters.len().min(room)]);
        bytes.push(0);
        // One more null if the length would be odd, and two for no parameters.
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        bytes
    }

    /// The startup message that these bytes are, if they are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < PARAMETERS_AT || first_word(bytes) != Some(STARTUP) {
            return None;
        }
        let volume = trimmed(&bytes[2..10]);
        let subvolume = trimmed(&bytes[10..18]);
        let defaults = if volume.is_empty() { String::new() } else { format!("{volume}.{subvolume}") };
        let parameters = &bytes[PARAMETERS_AT..];
        let end = parameters.iter().position(|byte| *byte == 0).unwrap_or(parameters.len());
        Some(Self {
            defaults,
            input: external_name(&bytes[18..42]),
            output: external_name(&bytes[42..66]),
            parameters: String::from_utf8_lossy(&parameters[..end]).into_owned(),
        })
    }
}

/// The PARAM message of names and values; those that have no room, or are too long for their length byte, are left out.
/// Nothing for none: the message is sent only if there are any.
pub(crate) fn encode_params(params: &[(String, String)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut count: i16 = 0;
    for (name, value) in params {
        let (Ok(name_length), Ok(value_length)) = (u8::try_from(name.len()), u8::try_from(value.len()))
        else {
            continue;
        };
        if 4 + bytes.len() + 2 + name.len() + value.len() > PARAM_BYTES_MAX {
            continue;
        }
        bytes.push(name_length);
        bytes.extend(name.as_bytes());
        bytes.push(value_length);
        bytes.extend(value.as_bytes());
        count += 1;
    }
    let head = [PARAM.to_ne_bytes(), count.to_ne_bytes()].concat();
    (count > 0).then(|| [head, bytes].concat())
}

/// The names and values of a PARAM message, if these bytes are one.
pub(crate) fn decode_params(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if first_word(bytes) != Some(PARAM) {
        return None;
    }
    let count = i16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
    let mut rest = &bytes[4..];
    let mut params = Vec::new();
    for _ in 0..count {
        let name = counted(&mut rest)?;
        let value = counted(&mut rest)?;
        params.push((name, value));
    }
    Some(params)
}

/// `NAME=VALUE` lines; names in upper case, as the command interpreter has them.
pub(crate) fn params_from_lines(lines: &str) -> Vec<(String, String)> {
    let param = |line: &str| {
        let (name, value) = line.split_once('=')?;
        (!name.trim().is_empty()).then(|| (name.trim().to_ascii_uppercase(), value.to_owned()))
    };
    lines.lines().filter_map(param).collect()
}

/// The first word of a message.
pub(crate) fn first_word(bytes: &[u8]) -> Option<i16> {
    bytes.first_chunk().map(|word| i16::from_ne_bytes(*word))
}

/// The words of a parameter string: blanks part them, quotation marks keep them together.
pub(crate) fn split_parameters(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// A parameter string that [`split_parameters`] takes apart into these words.
pub(crate) fn join_parameters(words: &[String]) -> String {
    let plain = |word: &&String| !word.is_empty() && !word.contains([' ', '\t']);
    let quote = |word: &String| {
        if plain(&word) { word.clone() } else { format!("\"{word}\"") }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn counted(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_first()?;
    let (text, tail) = tail.split_at_checked(usize::from(*length))?;
    *rest = tail;
    Some(String::from_utf8_lossy(text).into_owned())
}

pub(super) fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, b' ');
    bytes
}

pub(super) fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).to_owned()
}

/// Volume, subvolume and file of eight bytes each; a name of another form fills the 24 bytes as far as it goes.
pub(super) fn internal_name(name: &str) -> Vec<u8> {
    let parts: Vec<&str> = name.split('.').collect();
    let fits = parts.len() <= 3 && name.starts_with('$') && parts.iter().all(|part| part.len() <= 8);
    if !fits {
        return padded(name, FILE_NAME_BYTES);
    }
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(padded(part, 8));
    }
    bytes.resize(FILE_NAME_BYTES, b' ');
    bytes
}

pub(super) fn external_name(bytes: &[u8]) -> String {
    if bytes.first() != Some(&b'$') {
        return trimmed(bytes);
    }
    let parts: Vec<String> = bytes.chunks(8).map(trimmed).filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a process hears at its start must be what its starter said.
    #[test]
    fn messages_come_back() {
        let startup = Startup {
            defaults: "$DATA.SUB".into(),
            input: "$DATA.SUB.INFILE".into(),
            output: "$ZHOME".into(),
            parameters: "-x 12".into(),
        };
        let bytes = startup.encode();
        assert_eq!(bytes.len() % 2, 0);
        assert_eq!(&bytes[18..42], b"$DATA   SUB     INFILE  ");
        assert_eq!(Startup::decode(&bytes), Some(startup));
        assert_eq!(Startup::default().encode().len(), 68, "two nulls for no parameters");
        let long = Startup { parameters: "x".repeat(2000), ..Startup::default() };
        assert!(long.encode().len() <= STARTUP_BYTES_MAX);
        let params = vec![("A".to_owned(), "1".to_owned()), ("LONG".to_owned(), "v w".to_owned())];
        assert_eq!(decode_params(&encode_params(&params).unwrap()), Some(params));
        assert_eq!(encode_params(&[]), None);
    }

    // A damaged message must not stop the process that reads it.
    #[test]
    fn short_and_wrong_messages_are_none() {
        let startup = Startup::default().encode();
        assert_eq!(Startup::decode(&startup[..60]), None);
        assert_eq!(decode_params(&[0xfd, 0xff, 9, 0, 3, b'a']), None);
    }

    #[test]
    fn lines_become_params() {
        assert_eq!(params_from_lines("a=1=2\n\n=x"), [("A".to_owned(), "1=2".to_owned())]);
    }

    #[test]
    fn parameters_are_words() {
        let words = ["-f".to_owned(), "two words".to_owned(), String::new()];
        assert_eq!(split_parameters(&join_parameters(&words)), words);
        assert_eq!(split_parameters("  a   b "), ["a", "b"]);
    }
}
