//! Functions of the C library whose calls go to the run-time library: the one list of them.
//!
//! The linker turns a call of `fopen` in a program into a call of `__wrap_fopen`. So the run-time library exports
//! `__wrap_NAME` for each name here; the driver leaves a name that the library does not export to the C library. A name
//! that is not here is never taken over. Functions with a variable
//! number of arguments are not here: a wrapper could not pass the arguments on. Mathematical functions are not here
//! either: `log` and its kin are names that programs give to functions of their own.

/// Streams: names such as `$vol.subvol.file`, `=DEFINE` and `$RECEIVE` are the run-time library's to understand, and a
/// failed write must not lose what was buffered.
pub const STREAMS: [&str; 22] = [
    "fopen",
    "fopen64",
    "freopen",
    "freopen64",
    "fclose",
    "fileno",
    "fflush",
    "remove",
    "rename",
    "unlink",
    "tmpfile",
    "fseek",
    "fseeko",
    "ftell",
    "ftello",
    "fgetpos",
    "fsetpos",
    "fread",
    "fwrite",
    "fputs",
    "fputc",
    "fgets",
];

/// Functions that set errno: a program sees the numbers of its own space.
pub const NUMBERS: [&str; 11] = [
    "strerror", "perror", "strtol", "strtoul", "strtoll", "strtoull", "strtod", "strtof", "malloc", "calloc",
    "realloc",
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static str> {
    STREAMS.into_iter().chain(NUMBERS)
}
