/* The C extension functions for pairs: every form with parameters left out, every error number, then one takeover with streams of both
   kinds. It runs as $OWN in CPU 1 of a node of two CPUs; its first argument is a directory. */
#include "check.h"
#include <crtlns.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *directory;
static char path[600];
static short message[1000];
static __int32_t count;
static short mine[10], backup[10], detail = -9;

/* What the primary sends: how two streams were opened and where they stand. */
struct update {
    short kind; /* 1 opens, 2 states */
    short pad[3];
    __ns_std_io_file_open_state opens[2];
    __ns_std_io_file_state states[2];
};

static struct update update;
static FILE *streams[2];

static char *in_directory(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void await(short number)
{
    do {
        FILE_READUPDATE64_(0, (char *)message, (__int32_t)sizeof message, &count);
        FILE_REPLY64_();
    } while (message[0] != number);
}

/* An open that must fail with this errno. */
#define REFUSED(call, number)       \
    do {                            \
        errno = 0;                  \
        CHECK_IS((call) == NULL, 1); \
        CHECK_IS(errno, number);    \
    } while (0)

/* No more descriptors. */
static void no_descriptors(void)
{
    struct rlimit few, all;

    getrlimit(RLIMIT_NOFILE, &all);
    few = all;
    few.rlim_cur = 3; /* those that are open stay so */
    setrlimit(RLIMIT_NOFILE, &few);
    in_directory("a");
    REFUSED(__ns_fopen_special(path, "r", 1), EMFILE);
    REFUSED(__ns_fopen64_special(path, "r", 1), EMFILE);
    REFUSED(fopen_guardian(path, "r"), EMFILE);
    setrlimit(RLIMIT_NOFILE, &all);
}

static void opens(void)
{
    char line[20];
    FILE *file;
    int kind;

    for (kind = 0; kind < 3; kind++) {
        file = kind == 0   ? __ns_fopen_special(in_directory("a"), "w", 0)
               : kind == 1 ? __ns_fopen64_special(in_directory("a"), "w+b", 15)
                           : fopen_guardian(in_directory("a"), "w");
        CHECK_IS(file != NULL, 1);
        CHECK_IS(fileno(file), 1);
        CHECK_IS(fputs("text\n", file) >= 0, 1);
        CHECK_IS(fclose(file), 0);
        file = kind == 0 ? __ns_fopen_special(path, "r", 1)
                         : kind == 1 ? __ns_fopen64_special(path, "r", 1) : fopen_guardian(path, "r");
        CHECK_TEXT(fgets(line, sizeof line, file), "text\n");
        CHECK_IS(fclose(file), 0);
    }
    REFUSED(__ns_fopen_special(NULL, "w", 1), EINVAL);
    REFUSED(__ns_fopen_special(path, NULL, 1), EINVAL);
    REFUSED(__ns_fopen_special(path, "", 1), EINVAL);
    REFUSED(__ns_fopen_special(path, "q", 1), EINVAL);
    REFUSED(__ns_fopen_special(path, "w", 16), EINVAL);
    REFUSED(__ns_fopen_special(path, "w", -1), EINVAL);
    REFUSED(__ns_fopen64_special(NULL, "w", 1), EINVAL);
    REFUSED(__ns_fopen64_special(path, "q", 1), EINVAL);
    REFUSED(__ns_fopen64_special(path, "w", 16), EINVAL);
    REFUSED(fopen_guardian(NULL, "w"), EINVAL);
    REFUSED(fopen_guardian(path, NULL), EINVAL);
    REFUSED(fopen_guardian(path, "q"), EINVAL);
    REFUSED(__ns_fopen_special(in_directory("none"), "r", 1), ENOENT);
    REFUSED(__ns_fopen64_special(path, "r", 1), ENOENT);
    REFUSED(fopen_guardian(path, "r"), ENOENT);
    REFUSED(fopen_guardian("=NONE", "r"), 198);
    REFUSED(fopen_guardian((char *)directory, "r"), 564);
    no_descriptors();
}

static void states(void)
{
    static __ns_std_io_file_state state, other_state;
    static __ns_std_io_file_open_state open_state;
    FILE *file = __ns_fopen_special(in_directory("b"), "w+", 1), *other;
    char name[600];

    CHECK_IS(__ns_fget_file_open_state(file, &open_state), 0);
    CHECK_IS(__ns_fget_file_state(file, &state), 0);
    CHECK_IS(__ns_fset_file_state(file, &state), 0);
    FAILS(__ns_fget_file_open_state(stdin, &open_state), ENONSTOP);
    FAILS(__ns_fget_file_open_state(NULL, &open_state), ENONSTOP);
    FAILS(__ns_fget_file_open_state(file, NULL), ENONSTOP);
    FAILS(__ns_fget_file_state(stdin, &state), ENONSTOP);
    FAILS(__ns_fget_file_state(NULL, &state), ENONSTOP);
    FAILS(__ns_fget_file_state(file, NULL), ENONSTOP);
    FAILS(__ns_fset_file_state(stdin, &state), ENONSTOP);
    FAILS(__ns_fset_file_state(NULL, &state), ENONSTOP);
    FAILS(__ns_fset_file_state(file, NULL), EINVAL);
    other = __ns_fopen_special(in_directory("c"), "w+", 1);
    CHECK_IS(__ns_fget_file_state(other, &other_state), 0);
    FAILS(__ns_fset_file_state(file, &other_state), 41);
    ((char *)&state)[20] ^= 1;
    FAILS(__ns_fset_file_state(file, &state), EINVAL);
    REFUSED(__ns_backup_fopen(&open_state), 17);
    REFUSED(__ns_backup_fopen64(&open_state), 17);
    REFUSED(__ns_backup_fopen(NULL), EINVAL);
    REFUSED(__ns_backup_fopen64(NULL), EINVAL);
    ((char *)&open_state)[20] ^= 1;
    REFUSED(__ns_backup_fopen(&open_state), EINVAL);
    REFUSED(__ns_backup_fopen64(&open_state), EINVAL);
    CHECK_IS(fclose(other), 0);
    CHECK_IS(fclose(file), 0);
    /* A name that the state has no room for. */
    strcpy(name, directory);
    while (strlen(name) < 480)
        strcat(name, "/.");
    strcat(name, "/d");
    file = __ns_fopen_special(name, "w", 1);
    CHECK_IS(file != NULL, 1);
    FAILS(__ns_fget_file_open_state(file, &open_state), 13);
    CHECK_IS(fclose(file), 0);
}

/* The backup goes away again. */
static void single_again(void)
{
    CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
    CHECK_IS(PROCESS_STOP_(, 2), 0);
    await(-101);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
}

static void backups(void)
{
    CHECK_IS(__ns_start_backup(), 0);
    CHECK_IS(__ns_start_backup(&detail), 11);
    CHECK_IS(detail, 10);
    CHECK_IS(__ns_start_backup(), 11);
    single_again();
    CHECK_IS(__ns_start_backup(&detail), 0);
    CHECK_IS(detail, 0);
    single_again();
    CHECK_IS(__ns_start_backup(, 0), 0);
    single_again();
    CHECK_IS(__ns_start_backup(, -1), 0);
    single_again();
    CHECK_IS(__ns_start_backup(, , backup), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, backup), 1);
    single_again();
    CHECK_IS(__ns_start_backup(, , , "/dev/null"), 0);
    single_again();
    CHECK_IS(__ns_start_backup(, , , , 0), 0);
    single_again();
    path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
    CHECK_IS(__ns_start_backup(, , , , , path), 0);
    single_again();
    CHECK_IS(__ns_start_backup(&detail, 9), 10);
    CHECK_IS(detail, 201);
    CHECK_IS(__ns_start_backup(&detail, 16), 10);
    CHECK_IS(detail, 201);
    CHECK_IS(__ns_start_backup(&detail, 1), 10); /* the own CPU */
    CHECK_IS(detail, 201);
    CHECK_IS(__ns_start_backup(&detail, , , , , "/none"), 1);
    CHECK_IS(detail, 11);
    /* A program that ends before it has begun. */
    errno = 0;
    CHECK_IS(__ns_start_backup(&detail, , , , , "/bin/false"), -1);
    CHECK_IS(errno, ENONSTOP);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
}

/* What streams hold after a takeover is written once. */
static void takeover(void)
{
    short partner = -1;
    int i;

    streams[0] = __ns_fopen_special(in_directory("first"), "w", 1);
    streams[1] = __ns_fopen64_special(in_directory("second"), "w", 1);
    CHECK_IS(__ns_start_backup(&detail, , backup), 0);
    CHECK_IS(FILE_OPEN_("$OWN", 4, &partner, , , , 1), 0);
    update.kind = 1;
    for (i = 0; i < 2; i++)
        CHECK_IS(__ns_fget_file_open_state(streams[i], &update.opens[i]), 0);
    CHECK_IS(FILE_WRITE64_(partner, (char *)&update, (__int32_t)sizeof update), 0);
    for (i = 0; i < 2; i++) {
        CHECK_IS(fputs("zero\n", streams[i]) >= 0, 1);
        CHECK_IS(fflush(streams[i]), 0);
    }
    update.kind = 2;
    for (i = 0; i < 2; i++)
        CHECK_IS(__ns_fget_file_state(streams[i], &update.states[i]), 0);
    CHECK_IS(*(long long *)&update.states[0], 5);
    CHECK_IS(FILE_WRITE64_(partner, (char *)&update, (__int32_t)sizeof update), 0);
    /* One is written before the end, the other one is not. */
    CHECK_IS(fputs("one\n", streams[0]) >= 0, 1);
    CHECK_IS(fflush(streams[0]), 0);
    printf("TAKE OVER\n");
    terminate_program(, 1);
}

static void holds(const char *name, const char *wanted)
{
    char text[100] = "";
    FILE *file = fopen(in_directory(name), "r");
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    CHECK_TEXT(text, wanted);
}

static void as_backup(void)
{
    int i;

    for (;;) {
        short error = FILE_READUPDATE64_(0, (char *)message, (__int32_t)sizeof message, &count);
        if (error == 0 && message[0] == 1) {
            memcpy(&update, message, sizeof update);
            streams[0] = __ns_backup_fopen(&update.opens[0]);
            streams[1] = __ns_backup_fopen64(&update.opens[1]);
            CHECK_IS(streams[0] != NULL && streams[1] != NULL, 1);
            CHECK_IS(fileno(streams[0]), 1);
            CHECK_IS(fileno(streams[1]), 2);
            /* The numbers are taken now. */
            REFUSED(__ns_backup_fopen(&update.opens[0]), 12);
            REFUSED(__ns_backup_fopen64(&update.opens[1]), 12);
        } else if (error == 0) {
            memcpy(&update, message, sizeof update);
        }
        FILE_REPLY64_();
        if (error == 6 && message[0] == -101)
            break;
    }
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
    for (i = 0; i < 2; i++) {
        CHECK_IS(__ns_fset_file_state(streams[i], &update.states[i]), 0);
        CHECK_IS(fputs("one\n", streams[i]) >= 0, 1);
        CHECK_IS(fflush(streams[i]), 0);
        CHECK_IS(fputs("two\n", streams[i]) >= 0, 1);
        CHECK_IS(fclose(streams[i]), 0);
    }
    holds("first", "zero\none\ntwo\n");
    holds("second", "zero\none\ntwo\n");
    printf("PASSED\n");
    exit(0);
}

int main(int argc, char **argv)
{
    short receive = -1;

    setvbuf(stdout, NULL, _IONBF, 0);
    directory = argc > 1 ? argv[1] : "";
    PROCESSHANDLE_GETMINE_(mine);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    if (PROCESS_GETPAIRINFO_() == 6)
        as_backup();
    opens();
    states();
    backups();
    takeover();
    return 0;
}
