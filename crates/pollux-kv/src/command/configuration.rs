//! CONFIG: answers to the questions that clients and redis-benchmark ask. Nothing can be changed.

use super::{Call, Failure, Outcome, unknown_subcommand};
use crate::glob;
use crate::reply;

/// Parameters and their values, which are true of Pollux: no files, no limit, no eviction.
const PARAMETERS: &[(&str, &str)] = &[
    ("appendonly", "no"),
    ("databases", "1"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("proto-max-bulk-len", "67108864"),
    ("save", ""),
    ("timeout", "0"),
];

pub(super) fn config(call: &mut Call<'_>) -> Outcome {
    match &call.args.at(1).to_ascii_uppercase()[..] {
        b"GET" if call.args.len() >= 3 => get(call),
        b"GET" => return Err(Failure::SubcommandArity("config", "get")),
        b"SET" if call.args.len() >= 4 => set(call)?,
        b"SET" => return Err(Failure::SubcommandArity("config", "set")),
        b"RESETSTAT" if call.args.len() == 2 => reply::ok(call.reply),
        b"RESETSTAT" => return Err(Failure::SubcommandArity("config", "resetstat")),
        b"REWRITE" if call.args.len() == 2 => {
            return Err(Failure::Fixed("ERR The server is running without a config file"));
        }
        _ => return Err(unknown_subcommand(call, "config")),
    }
    Ok(())
}

fn get(call: &mut Call<'_>) {
    let is_asked = |name: &str| {
        call.args.from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
    };
    let asked: Vec<_> = PARAMETERS.iter().filter(|(name, _)| is_asked(name)).collect();
    reply::array(call.reply, 2 * asked.len());
    for (name, value) in asked {
        reply::bulk(call.reply, name.as_bytes());
        reply::bulk(call.reply, value.as_bytes());
    }
}

/// Accepts what is so already.
fn set(call: &mut Call<'_>) -> Outcome {
    if !call.args.len().is_multiple_of(2) {
        return Err(Failure::SubcommandArity("config", "set"));
    }
    for index in (2..call.args.len()).step_by(2) {
        let (name, value) = (call.args.at(index), call.args.at(index + 1));
        let parameter = PARAMETERS.iter().find(|(known, _)| call.is_word(index, known));
        let Some((name, value_fixed)) = parameter else {
            let text = b"ERR Unknown option or number of arguments for CONFIG SET - '";
            return Err(Failure::Composed([&text[..], name, b"'"].concat()));
        };
        if value != value_fixed.as_bytes() {
            let text = format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set immutable config"
            );
            return Err(Failure::Composed(text.into_bytes()));
        }
    }
    reply::ok(call.reply);
    Ok(())
}
