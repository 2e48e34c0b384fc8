/* The start of a program. The linker calls __wrap_main in place of main (--wrap=main); the run-time library makes the
   argument list and the environment, then calls the program. This object is static and calls nothing else: a program may
   define functions called read, write or open, and they must not be reached from here. */

int __real_main(int argc, char **argv, char **envp);
int pollux_main(int (*program)(int, char **, char **), int argc, char **argv, char **envp);

/* The program's errno; one variable with the run-time library's of this name, since a program's own goes first. */
int pollux_errno __attribute__((weak));
int pollux_h_errno __attribute__((weak));

/* There if a source has the pragma. */
extern char pollux_pragma_nostdfiles __attribute__((weak));
extern char pollux_pragma_ansistreams __attribute__((weak));
/* There if the run-time library wants to know. */
extern void pollux_pragma(const char *name) __attribute__((weak));

int __wrap_main(int argc, char **argv, char **envp)
{
    if (pollux_pragma) {
        if (&pollux_pragma_nostdfiles)
            pollux_pragma("nostdfiles");
        if (&pollux_pragma_ansistreams)
            pollux_pragma("ansistreams");
    }
    return pollux_main(__real_main, argc, argv, envp);
}
