//! Commands about the connection and small talk with client libraries.
//!
//! A connection has no state of its own that a takeover could lose. So there is one database, RESP2
//! only, and CLIENT SETNAME is accepted, since libraries insist on it, and forgotten.

use super::table::{Access, COMMANDS, Command, find};
use super::{Call, Failure, Flow, Outcome, REDIS_VERSION, unknown_subcommand};
use crate::number;
use crate::reply;

pub(super) fn ping(call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        1 => reply::simple(call.reply, "PONG"),
        2 => reply::bulk(call.reply, call.args.at(1)),
        _ => return Err(Failure::Arity("ping")),
    }
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Outcome {
    reply::bulk(call.reply, call.args.at(1));
    Ok(())
}

pub(super) fn select(call: &mut Call<'_>) -> Outcome {
    // Redis reads the index as a C int.
    match i32::try_from(call.integer(1)?) {
        Ok(0) => reply::ok(call.reply),
        Ok(_) => return Err(Failure::Fixed("ERR DB index is out of range")),
        Err(_) => return Err(Failure::NotAnInteger),
    }
    Ok(())
}

pub(super) fn quit(call: &mut Call<'_>) -> Outcome {
    reply::ok(call.reply);
    call.flow = Flow::Quit;
    Ok(())
}

pub(super) fn reset(call: &mut Call<'_>) -> Outcome {
    reply::simple(call.reply, "RESET");
    Ok(())
}

pub(super) fn auth(call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        2 => Err(Failure::Fixed(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        3 => {
            check_user(call.args.at(1))?;
            reply::ok(call.reply);
            Ok(())
        }
        _ => Err(Failure::Syntax),
    }
}

/// There is one user, who needs no password.
fn check_user(name: &[u8]) -> Outcome {
    if name == b"default" {
        return Ok(());
    }
    Err(Failure::Fixed("WRONGPASS invalid username-password pair or user is disabled."))
}

fn check_client_name(name: &[u8]) -> Outcome {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(());
    }
    Err(Failure::Fixed("ERR Client names cannot contain spaces, newlines or special characters."))
}

pub(super) fn hello(call: &mut Call<'_>) -> Outcome {
    if let Some(version) = call.args.get(1) {
        match number::parse_integer(version) {
            Some(2) => {}
            Some(_) => return Err(Failure::Fixed("NOPROTO unsupported protocol version")),
            None => {
                return Err(Failure::Fixed("ERR Protocol version is not an integer or out of range"));
            }
        }
    }
    let mut index = 2;
    while index < call.args.len() {
        let following = call.args.len() - 1 - index;
        if call.is_word(index, "AUTH") && following >= 2 {
            check_user(call.args.at(index + 1))?;
            index += 3;
        } else if call.is_word(index, "SETNAME") && following >= 1 {
            check_client_name(call.args.at(index + 1))?;
            index += 2;
        } else {
            let option = call.args.at(index);
            return Err(Failure::Composed([b"ERR Syntax error in HELLO option '", option, b"'"].concat()));
        }
    }
    reply::array(call.reply, 14);
    for text in ["server", "redis", "version", REDIS_VERSION, "proto"] {
        reply::bulk(call.reply, text.as_bytes());
    }
    reply::integer(call.reply, 2);
    reply::bulk(call.reply, b"id");
    reply::integer(call.reply, call.context.client_id as i64);
    for text in ["mode", "standalone", "role", "master", "modules"] {
        reply::bulk(call.reply, text.as_bytes());
    }
    reply::array(call.reply, 0);
    Ok(())
}

pub(super) fn client(call: &mut Call<'_>) -> Outcome {
    let name = call.args.at(1).to_ascii_uppercase();
    let (arguments, subcommand) = match &name[..] {
        b"SETNAME" => (3, "setname"),
        b"GETNAME" => (2, "getname"),
        b"ID" => (2, "id"),
        b"INFO" => (2, "info"),
        b"LIST" => (2, "list"),
        b"SETINFO" => (4, "setinfo"),
        b"NO-EVICT" => (3, "no-evict"),
        b"NO-TOUCH" => (3, "no-touch"),
        _ => return Err(unknown_subcommand(call, "client")),
    };
    if call.args.len() != arguments {
        return Err(Failure::SubcommandArity("client", subcommand));
    }
    match subcommand {
        "setname" => {
            check_client_name(call.args.at(2))?;
            reply::ok(call.reply);
        }
        "getname" => reply::null(call.reply),
        "id" => reply::integer(call.reply, call.context.client_id as i64),
        "info" | "list" => {
            let line = format!("id={} addr=?:0 name= db=0 user=default resp=2\n", call.context.client_id);
            reply::bulk(call.reply, line.as_bytes());
        }
        "setinfo" => reply::ok(call.reply),
        _ if call.is_word(2, "ON") || call.is_word(2, "OFF") => reply::ok(call.reply),
        _ => return Err(Failure::Syntax),
    }
    Ok(())
}

pub(super) fn command(call: &mut Call<'_>) -> Outcome {
    let Some(subcommand) = call.args.get(1) else {
        reply::array(call.reply, COMMANDS.len());
        COMMANDS.iter().for_each(|command| describe(call.reply, command));
        return Ok(());
    };
    match &subcommand.to_ascii_uppercase()[..] {
        b"COUNT" if call.args.len() == 2 => reply::integer(call.reply, COMMANDS.len() as i64),
        b"COUNT" => return Err(Failure::SubcommandArity("command", "count")),
        // redis-cli asks for the documents to give hints, and does without.
        b"DOCS" => reply::array(call.reply, 0),
        b"LIST" if call.args.len() == 2 => {
            reply::array(call.reply, COMMANDS.len());
            COMMANDS.iter().for_each(|command| reply::bulk(call.reply, command.name.as_bytes()));
        }
        b"INFO" if call.args.len() == 2 => {
            reply::array(call.reply, COMMANDS.len());
            COMMANDS.iter().for_each(|command| describe(call.reply, command));
        }
        b"INFO" => {
            reply::array(call.reply, call.args.len() - 2);
            for name in call.args.from(2) {
                match find(name) {
                    Some(command) => describe(call.reply, command),
                    None => reply::null(call.reply),
                }
            }
        }
        _ => return Err(unknown_subcommand(call, "command")),
    }
    Ok(())
}

/// Name, arity, flags, keys; then categories, tips, key specifications and subcommands: none.
fn describe(out: &mut Vec<u8>, command: &Command) {
    reply::array(out, 10);
    reply::bulk(out, command.name.as_bytes());
    reply::integer(out, i64::from(command.arity));
    match command.access {
        Access::Write => {
            reply::array(out, 1);
            reply::simple(out, "write");
        }
        Access::Read => {
            reply::array(out, 1);
            reply::simple(out, "readonly");
        }
        Access::Nothing => reply::array(out, 0),
    }
    let (first, last, step) = command.keys;
    [first, last, step].into_iter().for_each(|number| reply::integer(out, i64::from(number)));
    (0..4).for_each(|_| reply::array(out, 0));
}

pub(super) fn debug(call: &mut Call<'_>) -> Outcome {
    Err(unknown_subcommand(call, "debug"))
}

pub(super) fn time(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.keys.now_ms();
    reply::array(call.reply, 2);
    for number in [now_ms / 1000, now_ms % 1000 * 1000] {
        reply::bulk(call.reply, itoa::Buffer::new().format(number).as_bytes());
    }
    Ok(())
}

/// Each reply already waits for the backup (S5), so that there is nothing to wait for.
pub(super) fn wait(call: &mut Call<'_>) -> Outcome {
    call.integer(1)?;
    let timeout_ms = number::parse_integer(call.args.at(2));
    match timeout_ms {
        None => return Err(Failure::Fixed("ERR timeout is not an integer or out of range")),
        Some(timeout_ms) if timeout_ms < 0 => return Err(Failure::Fixed("ERR timeout is negative")),
        Some(_) => reply::integer(call.reply, i64::from(call.context.backups_in_step)),
    }
    Ok(())
}
