//! What `pollux cc --help` prints.

/// The whole text.
pub(crate) const TEXT: &str = "\
pollux cc - compile Guardian C programs

Usage: pollux cc [OPTION]... FILE...

Compiles C (and, as far as the headers go, C++) that was written for Guardian, unchanged, and links it with the
Pollux run-time library. Each source is compiled by gcc from a private copy in which include lines, fieldalign
pragmas and a few keywords are rewritten; messages name your own files and lines. A FILE without an extension is
C; objects, libraries and assembler go to gcc as they are.

Every option of gcc may be given. These are looked at here:
  -c, -S, -E, -fsyntax-only   stop after compiling, before assembling, after preprocessing, after checking
  -o FILE                     where the result goes
  -I DIR, -iquote DIR         where headers are; DIR may be $volume.subvolume
  -x LANGUAGE                 the language of the files that follow: c, c++, none
  -M, -MM, -MD, -MMD          dependencies, in terms of your own files; -MF, -MT and -MQ as with gcc
  -D NAME, -U NAME            also to switch off what is predefined (below)
  -v                          show the commands

Options of our own:
  --volume '$vol=DIR'         $vol.subvol.file and /G/vol/subvol/file are DIR/subvol/file; may be repeated
  --pragma TEXT               what stood in the command line of the original compiler: `define X` is -DX,
                              `ssv0 \"$vol.subvol\"` and `search` are directories; the rest has no effect
  --columns N                 what stands beyond column N is no part of the program
  -mlong=auto                 `long` has 32 bits in structures under `fieldalign shared2`, 64 elsewhere (default)
  -mlong=32                   `long` has 32 bits in all of your own text; printf's %ld then prints garbage
  -mlong=64                   `long` always has 64 bits
  --help                      this text

Include lines:
  <name (SECTION, ...)>       of cextdecs: only these procedures; of your own file: the text between
                              `#pragma section SECTION` and the next such line
  nolist, after the name      nothing
  nameh, name.h, any case     the same header

Predefined: __TANDEM, _TANDEM_SOURCE, _GUARDIAN_TARGET, _GUARDIAN_HOST, _TNS_X_TARGET, _TANDEM_ARCH_=3.

A call of a procedure that is not provided is an error that says why. A call in a branch that can never run is not.
docs/reference/procedures.md lists all procedures.

Environment:
  POLLUX_VOLUMES      volumes: $vol=DIR, separated by colons
  POLLUX_LIBRARY_DIR  where libpollux_guardian.so is; else it is looked for beside this program, in deps/ beside
                      it, and in ../lib/pollux

Exit codes: 0 done; 1 the command line, a file or the library is at fault; else gcc's own.

Examples:
  pollux cc -g -o server server.c
  pollux cc --volume '$data=src' -c '$data.app.serverc'     (the shell must not touch the $)
";
