//! What `pollux run` tells a program about its start, as the environment variables a Guardian program's run-time library
//! reads its startup, ASSIGN and PARAM messages from (Guardian Procedure Errors and Messages Manual, -1, -2, -3).

/// `run` for a program that a command started.
pub const STARTUP_VARIABLE: &str = "POLLUX_STARTUP";
/// The IN file.
pub const IN_VARIABLE: &str = "POLLUX_IN";
/// The OUT file.
pub const OUT_VARIABLE: &str = "POLLUX_OUT";
/// The home terminal.
pub const TERM_VARIABLE: &str = "POLLUX_TERM";
/// The ASSIGNs, one per line, `NAME=FILE`.
pub const ASSIGNS_VARIABLE: &str = "POLLUX_ASSIGNS";
/// The PARAMs, one per line, `NAME=VALUE`.
pub const PARAMS_VARIABLE: &str = "POLLUX_PARAMS";
/// The priority, 1 to 199.
pub const PRIORITY_VARIABLE: &str = "POLLUX_PRI";
/// What becomes of the connections that a backup has when it takes over: `strict` or `continue`. Inherited like any variable.
pub const SOCKETS_VARIABLE: &str = "POLLUX_SOCKETS";
/// The volumes: `$VOLUME=/directory`, several of them with colons between them. Processes that the program creates inherit
/// this and the next two.
pub const VOLUMES_VARIABLE: &str = "POLLUX_VOLUMES";
/// The default volume and subvolume, `$VOLUME.SUBVOLUME`.
pub const DEFAULTS_VARIABLE: &str = "POLLUX_DEFAULTS";
/// The DEFINEs, one `=NAME=FILE` a line.
pub const DEFINES_VARIABLE: &str = "POLLUX_DEFINES";
/// All that are about one start: a process that the program creates does not inherit them.
pub const STARTUP_VARIABLES: [&str; 7] = [
    STARTUP_VARIABLE,
    IN_VARIABLE,
    OUT_VARIABLE,
    TERM_VARIABLE,
    ASSIGNS_VARIABLE,
    PARAMS_VARIABLE,
    PRIORITY_VARIABLE,
];
