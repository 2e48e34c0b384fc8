/* What the test programs have in common: a check that names its line, and a request by text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tal.h>
#include <crtlns.h>
#include <cextdecs.h>
#include <zsysc.h>

#define CHECK_IS(got, wanted) check_is(__LINE__, #got, (long long)(got), (long long)(wanted))
#define CHECK_TEXT(got, wanted) check_text(__LINE__, #got, (got), (wanted))

/* A call that must give -1 and this errno. */
#define FAILS(call, number)      \
    do {                         \
        errno = 0;               \
        CHECK_IS(call, -1);      \
        CHECK_IS(errno, number); \
    } while (0)

static void failed(void)
{
    printf("FAILED\n");
    exit(1);
}

static inline void check_is(int line, const char *what, long long got, long long wanted)
{
    if (got != wanted) {
        printf("line %d: %s is %lld, wanted %lld\n", line, what, got, wanted);
        failed();
    }
}

static inline void check_text(int line, const char *what, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        printf("line %d: %s is \"%s\", wanted \"%s\"\n", line, what, got, wanted);
        failed();
    }
}

/* The error of the last operation on a file. */
static inline short error_of(short file)
{
    short error = -1;
    FILE_GETINFO_(file, &error);
    return error;
}

/* A program of checks with names: all of them, or the one that its first argument names. */
struct check {
    const char *name;
    void (*run)(void);
};

#define RUN_CHECKS(list) run_checks(argc, argv, list, sizeof list / sizeof list[0])

static inline int run_checks(int argc, char **argv, const struct check *list, size_t count)
{
    size_t i;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (i = 0; i < count; i++)
        if (argc < 2 || strcmp(argv[1], list[i].name) == 0) {
            printf("check %s\n", list[i].name);
            list[i].run();
        }
    printf("PASSED\n");
    return 0;
}
