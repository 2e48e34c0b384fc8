//! The startup of a C program: what a Guardian command interpreter would send it in messages -1, -2 and -3 is handed over
//! in environment variables, from which its run-time library makes those messages.

use clap::Args;
use pollux_wire::startup::{
    ASSIGNS_VARIABLE, DEFAULTS_VARIABLE, DEFINES_VARIABLE, IN_VARIABLE, OUT_VARIABLE, PARAMS_VARIABLE,
    PRIORITY_VARIABLE, SOCKETS_VARIABLE, STARTUP_VARIABLE, STARTUP_VARIABLES, TERM_VARIABLE,
    VOLUMES_VARIABLE,
};

use crate::error::{Failure, Result};

/// Value of [`STARTUP_VARIABLE`] for a program that a command has started.
const BY_A_COMMAND: &str = "run";
/// Bytes of the name of an ASSIGN or PARAM (Guardian Procedure Errors and Messages Manual, -2 and -3).
const NAME_BYTES_MAX: usize = 31;
/// Bytes of the value of a PARAM: its length is one byte.
const VALUE_BYTES_MAX: usize = 255;

/// The options.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Startup of a C program")]
pub(crate) struct Startup {
    /// Its IN file, which becomes its standard input; default the null file
    #[arg(long = "in", value_name = "FILE")]
    input: Option<String>,
    /// Its OUT file, which becomes its standard output; default the log, or with --wait this terminal
    #[arg(long = "out", value_name = "FILE")]
    output: Option<String>,
    /// Its home terminal, for example /dev/pts/3 or the name of a process
    #[arg(long, value_name = "FILE")]
    term: Option<String>,
    /// An ASSIGN: fopen of NAME opens FILE; can be given several times. Attributes may follow: ,INPUT ,EXCLUSIVE ,CODE 180
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_assign)]
    assign: Vec<String>,
    /// A PARAM: the program finds VALUE under NAME; can be given several times, VALUE has at most 255 bytes
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_param)]
    param: Vec<String>,
    /// A directory for a volume: $V.SUB.FILE is DIR/sub/file; can be given several times, adds to POLLUX_VOLUMES
    #[arg(long, value_name = "$V=DIR", value_parser = parse_volume)]
    volume: Vec<String>,
    /// Its default volume and subvolume, for names that lack them; default POLLUX_DEFAULTS, or the working directory
    #[arg(long, value_name = "$V.SUB", value_parser = parse_defaults)]
    defaults: Option<String>,
    /// A DEFINE: =NAME stands for FILE; can be given several times, adds to POLLUX_DEFINES
    #[arg(long, value_name = "=NAME=FILE", value_parser = parse_define)]
    define: Vec<String>,
    /// Its priority, 1 to 199; kept and shown to programs that ask, the kernel's scheduler does not use it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=199))]
    pri: Option<u8>,
    /// What becomes of its TCP connections that its backup has, too, when that takes over: they go on, or each use of them is
    /// error 4120, as on the original; default continue
    #[arg(long, value_name = "MODE")]
    sockets: Option<Sockets>,
}

/// How connections go through a takeover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sockets {
    /// They are reset.
    Strict,
    /// They go on.
    Continue,
}

impl Sockets {
    fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Continue => "continue",
        }
    }
}

impl Startup {
    /// Adds what the program is told to its environment, in place of what our own starter has told us.
    pub(crate) fn tell(&self, environment: &mut Vec<(String, String)>) -> Result<()> {
        environment.retain(|(name, _)| !STARTUP_VARIABLES.contains(&name.as_str()));
        let mut told = vec![(STARTUP_VARIABLE, BY_A_COMMAND.to_owned())];
        let files = [
            ("--in", IN_VARIABLE, &self.input),
            ("--out", OUT_VARIABLE, &self.output),
            ("--term", TERM_VARIABLE, &self.term),
        ];
        for (option, variable, file) in files {
            let Some(file) = file else { continue };
            if file.is_empty() || file.contains('\n') {
                return Err(Failure::new(
                    format!("{option} takes the name of a file, without a new line"),
                    format!("leave {option} out for the default"),
                ));
            }
            told.push((variable, file.clone()));
        }
        for (option, variable, pairs) in
            [("--assign", ASSIGNS_VARIABLE, &self.assign), ("--param", PARAMS_VARIABLE, &self.param)]
        {
            if let Some(twice) = given_twice(pairs) {
                return Err(Failure::new(
                    format!("{option} {twice} is given twice"),
                    "give each name once; capitals and small letters are the same",
                ));
            }
            if !pairs.is_empty() {
                told.push((variable, pairs.join("\n")));
            }
        }
        for (variable, given, separator) in
            [(VOLUMES_VARIABLE, &self.volume, ":"), (DEFINES_VARIABLE, &self.define, "\n")]
        {
            if given.is_empty() {
                continue;
            }
            // Of two entries for one name the program takes the last.
            let before = take(environment, variable).filter(|text| !text.is_empty());
            let all: Vec<String> = before.into_iter().chain(given.iter().cloned()).collect();
            told.push((variable, all.join(separator)));
        }
        if let Some(defaults) = &self.defaults {
            take(environment, DEFAULTS_VARIABLE);
            told.push((DEFAULTS_VARIABLE, defaults.clone()));
        }
        told.extend(self.pri.map(|priority| (PRIORITY_VARIABLE, priority.to_string())));
        if let Some(sockets) = self.sockets {
            environment.retain(|(name, _)| name != SOCKETS_VARIABLE);
            told.push((SOCKETS_VARIABLE, sockets.word().to_owned()));
        }
        environment.extend(told.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(())
    }
}

/// Takes a variable out.
fn take(environment: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = environment.iter().position(|(known, _)| known == name)?;
    Some(environment.remove(at).1)
}

/// The first name that an earlier pair has, too.
fn given_twice(pairs: &[String]) -> Option<&str> {
    let names: Vec<&str> = pairs.iter().filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| *name)
}

fn parse_assign(text: &str) -> std::result::Result<String, String> {
    let (name, file) = parse_pair(text, "NAME=FILE")?;
    if file.is_empty() {
        return Err("an ASSIGN needs a file: NAME=FILE".to_owned());
    }
    Ok(format!("{name}={file}"))
}

fn parse_param(text: &str) -> std::result::Result<String, String> {
    let (name, value) = parse_pair(text, "NAME=VALUE")?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(format!("the value of a PARAM has at most {VALUE_BYTES_MAX} bytes"));
    }
    Ok(format!("{name}={value}"))
}

/// A volume and its directory, which must be there: a misspelt one would be found out by the program's first open.
fn parse_volume(text: &str) -> std::result::Result<String, String> {
    let (name, directory) = text.split_once('=').ok_or("not of the form $V=DIR")?;
    is_guardian_part(name.strip_prefix('$').unwrap_or_default(), 7)?;
    let path = std::path::absolute(directory).ok().filter(|path| path.is_dir());
    let path = path.ok_or_else(|| format!("{directory} is no directory"))?;
    let path = path
        .to_str()
        .filter(|path| !path.contains([':', '\n']))
        .ok_or("a directory without colons, please")?;
    Ok(format!("{}={path}", name.to_ascii_uppercase()))
}

fn parse_defaults(text: &str) -> std::result::Result<String, String> {
    let (volume, subvolume) = text.split_once('.').ok_or("not of the form $V.SUB")?;
    is_guardian_part(volume.strip_prefix('$').unwrap_or_default(), 7)?;
    is_guardian_part(subvolume, 8)?;
    Ok(text.to_ascii_uppercase())
}

fn parse_define(text: &str) -> std::result::Result<String, String> {
    let pair = text.strip_prefix('=').ok_or("a DEFINE begins with an equals sign: =NAME=FILE")?;
    let (name, file) = parse_pair(pair, "=NAME=FILE")?;
    if file.is_empty() {
        return Err("a DEFINE needs a file: =NAME=FILE".to_owned());
    }
    Ok(format!("={name}={file}"))
}

/// A volume without its `$`, or a subvolume.
fn is_guardian_part(part: &str, length_max: usize) -> std::result::Result<(), String> {
    let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if letters && part.starts_with(|first: char| first.is_ascii_alphabetic()) && part.len() <= length_max {
        return Ok(());
    }
    Err("a volume is $ and up to 7 letters and digits, a subvolume up to 8; the first is a letter".to_owned())
}

/// Name and value, the name in capitals.
fn parse_pair<'a>(text: &'a str, form: &str) -> std::result::Result<(String, &'a str), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("not of the form {form}"))?;
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-^_*".contains(&byte));
    let right = !name.is_empty() && name.len() <= NAME_BYTES_MAX && letters;
    if !right {
        return Err(format!(
            "a name has 1 to {NAME_BYTES_MAX} letters, digits, hyphens, carets or underscores: {form}"
        ));
    }
    if value.contains('\n') {
        return Err("a value has no new line: they are handed over one per line".to_owned());
    }
    Ok((name.to_ascii_uppercase(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A value that runs into the next line would be read as another parameter.
    #[test]
    fn pairs_are_checked_before_anything_runs() {
        assert_eq!(parse_param("swap-volume=$DATA=1"), Ok("SWAP-VOLUME=$DATA=1".to_owned()));
        assert_eq!(parse_param("EMPTY="), Ok("EMPTY=".to_owned()));
        for (wrong, why) in [
            ("NAME", "not of the form NAME=VALUE"),
            ("=1", "a name has 1 to 31"),
            ("A B=1", "a name has 1 to 31"),
            ("A=1\nB=2", "no new line"),
        ] {
            assert!(parse_param(wrong).unwrap_err().contains(why), "{wrong}");
        }
        assert!(parse_param(&format!("A={}", "x".repeat(256))).unwrap_err().contains("255"));
        assert!(parse_assign("DATA=").unwrap_err().contains("needs a file"));
    }

    // A program on the wrong volume works on the wrong files.
    #[test]
    fn volumes_defaults_and_defines() {
        assert_eq!(parse_volume("$data=/tmp/"), Ok("$DATA=/tmp/".to_owned()));
        for wrong in ["data=/tmp", "$data", "$toolongx=/tmp", "$1=/tmp", "$d=/nowhere/at/all"] {
            assert!(parse_volume(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_defaults("$data.work"), Ok("$DATA.WORK".to_owned()));
        assert!(parse_defaults("$data").is_err() && parse_defaults("data.work").is_err());
        assert_eq!(parse_define("=cfg=$DATA.A.B"), Ok("=CFG=$DATA.A.B".to_owned()));
        assert!(parse_define("cfg=x").is_err() && parse_define("=cfg=").is_err());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = vec![pair(VOLUMES_VARIABLE, "$OLD=/old"), pair(DEFAULTS_VARIABLE, "$OLD.A")];
        let startup = Startup {
            volume: vec!["$A=/a".to_owned(), "$B=/b".to_owned()],
            defaults: Some("$A.S".to_owned()),
            define: vec!["=D=x".to_owned(), "=E=y".to_owned()],
            ..Startup::default()
        };
        startup.tell(&mut environment).unwrap();
        let wanted = [
            pair(STARTUP_VARIABLE, BY_A_COMMAND),
            pair(VOLUMES_VARIABLE, "$OLD=/old:$A=/a:$B=/b"),
            pair(DEFINES_VARIABLE, "=D=x\n=E=y"),
            pair(DEFAULTS_VARIABLE, "$A.S"),
        ];
        assert_eq!(environment, wanted);
    }

    // A program that is run by a program that was run would read the files of the outer one.
    #[test]
    fn the_program_is_told_what_was_given_and_nothing_older() {
        let older = (IN_VARIABLE.to_owned(), "old".to_owned());
        let mut environment = vec![older, ("PATH".to_owned(), "p".to_owned())];
        let startup = Startup {
            output: Some("$S".to_owned()),
            assign: vec!["A=a".to_owned(), "B=b".to_owned()],
            ..Startup::default()
        };
        startup.tell(&mut environment).unwrap();
        let told: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            told,
            [("PATH", "p"), ("POLLUX_STARTUP", "run"), ("POLLUX_OUT", "$S"), ("POLLUX_ASSIGNS", "A=a\nB=b")]
        );
        let twice = Startup { param: vec!["A=1".to_owned(), "A=2".to_owned()], ..Startup::default() };
        assert_eq!(twice.tell(&mut environment).unwrap_err().what, "--param A is given twice");
        let broken = Startup { input: Some("a\nb".to_owned()), ..Startup::default() };
        assert!(broken.tell(&mut environment).is_err());
    }
}
