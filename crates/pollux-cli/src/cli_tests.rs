use clap::CommandFactory as _;

use super::*;

// clap finds clashing options and broken definitions only when it is asked to.
#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

// A command without help is a command nobody finds.
#[test]
fn every_command_and_option_has_help() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {} has no help",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}

// The forms that the manual and the scripts of users rely on.
#[test]
fn lines_that_must_parse() {
    for line in [
        "up",
        "up --cpus 16 --node \\N1 --no-bind --hang-after-ms 100 --sick-after-ms 500 --reload-after-ms 0",
        "down --node \\N1",
        "cpu down 1",
        "cpu up 15",
        "cpu kill 0 --force",
        "run /bin/true",
        "cc -v -c -o x.o --volume $data=src -Wall server",
        "cc --help",
        "run --name $KV --cpu 1 --pair pollux-kv --port 6400",
        "run -w --json /bin/sh -c true",
        "run --name $C --in $DATA --out $S --term /dev/tty --assign A=a --assign B=b --param C=1 --pri 100 prog --in x",
        "ps --json",
        "status --json",
        "status $KV",
        "stop $KV --force",
        "kill $KV",
        "kill $KV --backup --signal SIGSTOP",
        "switch $KV --wait",
        "events --follow --name $KV --json",
        "logs $KV --follow",
        "demo --kills 3 --every 100 --fault mix --clients 5 --state-mib 1 --json",
        "explore ./server --json --requester ./client $SRV 5 --json -- --port 7 records",
        "explore ./server --name $KV --copy a --copy b --ignore output --points 20 --seed 7 --jobs 4 --requester ./client",
        "explore ./server --double --timeout 60 --html page.html --keep --requester ./client",
        "explore ./server --at 17,3 --requester ./client",
        "completions bash",
        "man /tmp",
    ] {
        let words = std::iter::once("pollux").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

// A program's own option that happens to be one of ours must reach the program.
#[test]
fn what_follows_the_program_is_the_programs() {
    let line = ["pollux", "run", "--in", "a", "prog", "--in", "b", "--json", "--", "-x"];
    let cli = Cli::try_parse_from(line).unwrap();
    let text = format!("{cli:?}");
    assert!(text.contains(r#"command: ["prog", "--in", "b", "--json", "--", "-x"]"#), "{text}");
}

// A wrong name must be refused before anything is asked of a daemon, in words that show a right one.
#[test]
fn lines_that_must_be_refused() {
    for (line, text) in [
        ("up --cpus 0", "0 is not in 1..=16"),
        ("up --cpus 17", "17 is not in 1..=16"),
        ("up --node N1", "a node name is"),
        ("cpu kill 16", "CPU number"),
        ("kill KV", "a process name is"),
        ("kill $KV --primary --backup", "cannot be used with"),
        ("kill $KV --signal NONE", "not a signal"),
        ("run --pair /bin/true", "--name"),
        ("run", "PROGRAM"),
        ("run --pri 200 prog", "200 is not in 1..=199"),
        ("run --assign A prog", "not of the form NAME=FILE"),
        ("demo --fault nothing", "possible values"),
        ("explore ./server", "--requester"),
        ("explore ./server --points 0 --requester ./client", "all, or how many"),
        ("explore ./server --at 0 --requester ./client", "the number of a point"),
        ("explore ./server --at 1 --points 2 --requester ./client", "cannot be used with"),
    ] {
        let words = std::iter::once("pollux").chain(line.split(' '));
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(text), "{line}: {error}");
    }
}

// Exit codes are a promise to scripts; a promise that is not in the help is none.
#[test]
fn the_help_names_every_exit_code() {
    let help = Cli::command().render_long_help().to_string();
    use crate::error::code;
    for code in [0, code::FAILED, 2, code::NOT_WHOLE, code::CPU_FAILED, code::INTERRUPTED] {
        assert!(help.contains(&format!("\n  {code} ")), "{code}");
    }
}
