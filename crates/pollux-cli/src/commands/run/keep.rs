//! `run --restart` and `run --keep-sockets`: the program runs under a keeper.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use pollux_keeper::{KEEPER_COMMAND, LISTEN_MAX, ListenAddress, Options, Restart};
use pollux_wire::ProcessName;
use pollux_wire::admin::ProgramSpec;

use crate::error::{Failure, Result};
use crate::start::own_program;
use crate::survey::Survey;

/// Letters and digits of a name behind its `$`.
const NAME_LETTERS_MAX: usize = 5;

/// The options.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Keeping any program running")]
pub(crate) struct Keep {
    /// Start the program again when it ends: always (the default), on-failure or never
    ///
    /// For any program, which need not know of Pollux. It runs under a keeper, a pair of its own: when the program ends the
    /// keeper starts it again, after 0.1 s, doubled up to 10 s while it keeps ending early; when the keeper or its CPU ends,
    /// its backup starts the program in another CPU. Without --name the name is made of the program's.
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    restart: Option<Restart>,
    /// Give up after so many restarts in a row, each after less than 10 s; 0 = never give up
    #[arg(long, value_name = "N", default_value_t = 0)]
    restart_limit: u32,
    /// Hold the sockets that the program listens on while it is restarted, so that no connection is refused
    ///
    /// Connections wait until the program runs again and binds the same address. Implies --restart=on-failure. It looks at
    /// the program's bind and listen calls with seccomp; where that is not allowed, use --listen.
    #[arg(long)]
    keep_sockets: bool,
    /// Listen on IP:PORT, PORT or the path of a unix socket for the program, and hand the socket over as systemd does
    ///
    /// For programs that understand LISTEN_FDS. The socket is held as with --keep-sockets; can be given several times.
    /// Implies --restart=on-failure.
    #[arg(long, value_name = "ADDRESS", value_parser = ListenAddress::parse)]
    listen: Vec<ListenAddress>,
}

impl Keep {
    /// True if the program is to run under a keeper.
    pub(super) fn is_wanted(&self) -> bool {
        self.restart.is_some() || self.keep_sockets || !self.listen.is_empty()
    }

    /// The keeper of that program, in its place.
    pub(super) fn keeper_of(&self, program: ProgramSpec, pair: bool) -> Result<ProgramSpec> {
        if self.listen.len() > LISTEN_MAX {
            return Err(Failure::new(
                format!("--listen is given {} times", self.listen.len()),
                format!("give it at most {LISTEN_MAX} times; --keep-sockets has no such limit"),
            ));
        }
        if let Some(twice) = (1..self.listen.len()).find(|at| self.listen[..*at].contains(&self.listen[*at]))
        {
            return Err(Failure::new(
                format!("--listen {} is given twice", self.listen[twice]),
                "give each address once",
            ));
        }
        let options = Options {
            restart: self.restart.unwrap_or(Restart::OnFailure),
            restart_limit: self.restart_limit,
            keep_sockets: self.keep_sockets,
            listen: self.listen.clone(),
            program: program.program.into(),
            arguments: program.arguments.iter().map(OsString::from).collect(),
        };
        let words = std::iter::once(KEEPER_COMMAND.into()).chain(options.to_arguments());
        let text = |word: OsString| word.into_string().expect("made of texts");
        Ok(ProgramSpec {
            program: text(own_program()?.into_os_string()),
            arguments: words.map(text).collect(),
            environment: program.environment,
            directory: program.directory,
            pair,
        })
    }
}

/// A name that nobody has, made of the program's: `$NGINX`, `$NGIN2`.
pub(super) fn free_name(survey: &Survey, written: &str) -> ProcessName {
    let base = Path::new(written).file_name().map(|name| name.to_string_lossy().to_ascii_uppercase());
    let letters: String = base.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let letters = if letters.is_empty() { "PROG" } else { letters };
    let candidate = |number: u32| {
        let number = if number == 1 { String::new() } else { number.to_string() };
        let room = NAME_LETTERS_MAX - number.len();
        ProcessName::new(&format!("${}{number}", &letters[..room.min(letters.len())])).ok()
    };
    // More than 9999 keepers of one program are not what a node is for; the daemon refuses the name then.
    (1..=9999)
        .filter_map(candidate)
        .find(|name| survey.record(name).is_none())
        .unwrap_or_else(|| ProcessName::new("$PROG").expect("a right name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, record, survey};

    // A name that somebody has would be refused, and the user has not even chosen it.
    #[test]
    fn names_are_made_of_the_program() {
        let taken = |names: &[&str]| {
            survey(names.iter().map(|name| record(name, handle(0, 4), None)).collect(), vec![])
        };
        let of = |names: &[&str], written: &str| free_name(&taken(names), written).to_string();
        assert_eq!(of(&[], "/usr/sbin/nginx"), "$NGINX");
        assert_eq!(of(&["$NGINX", "$NGIN2"], "nginx"), "$NGIN3");
        assert_eq!(of(&[], "redis-server"), "$REDIS");
        assert_eq!(of(&[], "./7z"), "$Z");
        assert_eq!(of(&["$PROG"], "./__"), "$PROG2");
    }

    // What the keeper does not understand it cannot do; the daemon carries its words as text.
    #[test]
    fn the_keeper_is_told_what_was_asked_for() {
        let keep =
            Keep { keep_sockets: true, listen: vec![ListenAddress::parse("80").unwrap()], ..Keep::default() };
        let program = ProgramSpec {
            program: "/bin/server".to_owned(),
            arguments: vec!["--x".to_owned()],
            ..ProgramSpec::none()
        };
        let spec = keep.keeper_of(program.clone(), true).unwrap();
        let words: Vec<&str> = spec.arguments.iter().map(String::as_str).collect();
        assert_eq!(words, ["__keeper", "on-failure", "0", "keep", "0.0.0.0:80", "--", "/bin/server", "--x"]);
        assert!(spec.pair && keep.is_wanted() && !Keep::default().is_wanted());
        let twice = Keep { listen: vec![ListenAddress::parse("80").unwrap(); 2], ..Keep::default() };
        assert_eq!(twice.keeper_of(program, true).unwrap_err().what, "--listen 0.0.0.0:80 is given twice");
    }
}
