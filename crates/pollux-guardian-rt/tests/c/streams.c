/* Streams, disk files, the start and the end of a program. argv: the test, and a directory of its own. */
#include "check.h"
#include <crtlns.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char path_text[600];

static char *path(const char *directory, const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", directory, name);
    return path_text;
}

static void limit(long bytes)
{
    struct rlimit both;
    getrlimit(RLIMIT_FSIZE, &both);
    both.rlim_cur = bytes < 0 ? both.rlim_max : (rlim_t)bytes;
    setrlimit(RLIMIT_FSIZE, &both);
}

/* A file that is full for a while: error 45, and nothing is lost when fflush is repeated. */
static void flush_again(const char *directory)
{
    char text[64];
    FILE *file = fopen(path(directory, "flush"), "w");
    CHECK_IS(file != NULL, 1);
    CHECK_IS(fputs("first,", file) >= 0, 1);
    CHECK_IS(fflush(file), 0);
    limit(8);
    CHECK_IS(fputs("second,", file) >= 0, 1);
    errno = 0;
    CHECK_IS(fflush(file), EOF);
    CHECK_IS(errno, 45);
    CHECK_IS(fflush(file), EOF);
    CHECK_IS(fputs("third", file) >= 0, 1);
    limit(-1);
    CHECK_IS(fflush(file), 0);
    CHECK_IS(fclose(file), 0);
    file = fopen(path(directory, "flush"), "r");
    CHECK_TEXT(fgets(text, sizeof text, file), "first,second,third");
    fclose(file);
}

static void errors(const char *directory)
{
    __ns_std_io_file_state state;
    __ns_std_io_file_open_state open_state;
    FILE *file;
    CHECK_IS(fopen(path(directory, "missing"), "r") == NULL, 1);
    CHECK_IS(errno, ENOENT);
    CHECK_IS(fopen("=NODEFINE", "r") == NULL, 1);
    CHECK_IS(errno, 198);
    CHECK_IS(__ns_fopen_special(path(directory, "x"), "q", 1) == NULL, 1);
    CHECK_IS(errno, EINVAL);
    CHECK_IS(__ns_fopen_special(path(directory, "x"), "w", 16) == NULL, 1);
    CHECK_IS(errno, EINVAL);
    CHECK_IS(__ns_fget_file_state(stdin, &state), -1);
    CHECK_IS(errno, ENONSTOP);
    CHECK_IS(__ns_fget_file_open_state(stdin, &open_state), -1);
    CHECK_IS(errno, ENONSTOP);
    file = __ns_fopen_special(path(directory, "x"), "wb+", 3);
    CHECK_IS(file != NULL, 1);
    CHECK_IS(fileno(file) >= 1, 1);
    CHECK_IS(fputs("abcdef", file) >= 0, 1);
    CHECK_IS(__ns_fget_file_state(file, &state), 0);
    CHECK_IS(*(long long *)&state, 0);
    CHECK_IS(fflush(file), 0);
    CHECK_IS(__ns_fget_file_state(file, &state), 0);
    CHECK_IS(*(long long *)&state, 6);
    rewind(file);
    CHECK_IS(fgetc(file), 'a');
    CHECK_IS(fgetc(file), 'b');
    CHECK_IS(__ns_fget_file_state(file, &state), 0);
    CHECK_IS(*(long long *)&state, 2);
    CHECK_IS(fgetc(file), 'c');
    CHECK_IS(__ns_fset_file_state(file, &state), 0);
    CHECK_IS(fgetc(file), 'c');
    CHECK_IS(__ns_fget_file_open_state(file, &open_state), 0);
    /* Not the backup of anybody. */
    CHECK_IS(__ns_backup_fopen(&open_state) == NULL, 1);
    CHECK_IS(errno, 17);
    CHECK_IS(fclose(file), 0);
    CHECK_IS(rename(path(directory, "x"), "/no/such/place"), -1);
    CHECK_IS(errno, ENOENT);
    CHECK_IS(strtol("99999999999999999999", NULL, 10) > 0, 1);
    CHECK_IS(errno, ERANGE);
    CHECK_IS(strstr(strerror(45), "full") != NULL, 1);
    CHECK_IS(strstr(strerror(ENONSTOP), "ENONSTOP") != NULL, 1);
}

/* A disk file by its number. */
static void numbers(const char *directory)
{
    short file = -1, other = -1, size = 0, block[64];
    unsigned short count = 0;
    char buffer[32];
    FILE *stream = fopen(path(directory, "numbers"), "w");
    fputs("0123456789", stream);
    fclose(stream);
    path(directory, "numbers");
    CHECK_IS(FILE_OPEN_(path_text, (short)strlen(path_text), &file, 0, 1, 0, 2), 0);
    CHECK_IS(FILE_OPEN_(path_text, (short)strlen(path_text), &other), 12);
    CHECK_IS(other, -1);
    CHECK_IS(READX(file, buffer, 6, &count), 0);
    CHECK_IS(count, 6);
    CHECK_IS(READX(file, buffer, 6, &count), 0);
    CHECK_IS(count, 4);
    CHECK_IS(READX(file, buffer, 6, &count) > 0, 1);
    CHECK_IS(error_of(file), 1);
    CHECK_IS(WRITEX(file, "ab", 2, &count), 0);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 300, &size), 0);
    CHECK_IS(size > 0, 1);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, size), 0);
    block[5] ^= 1;
    CHECK_IS(FILE_SETSYNCINFO_(file, block, size), 41);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_OPEN_(path_text, (short)strlen(path_text), &file, 1, 0, 1), 0);
    CHECK_IS(READX(file, buffer, 3, , 77L), 0);
    other = -1;
    {
        int tag = 0;
        CHECK_IS(AWAITIOX(&other, , &count, &tag, 100L), 0);
        CHECK_IS(tag, 77);
    }
    CHECK_IS(other, file);
    CHECK_IS(count, 3);
    CHECK_IS(WRITEX(file, "x", 1) < 0, 1);
    CHECK_IS(error_of(file), 49);
    FILE_CLOSE_(file);
}

static void at_end(void)
{
    printf("ATEXIT\n");
}

int main(int argc, char **argv)
{
    const char *test = argv[1];
    if (strcmp(test, "flush") == 0)
        flush_again(argv[2]);
    else if (strcmp(test, "errors") == 0)
        errors(argv[2]);
    else if (strcmp(test, "numbers") == 0)
        numbers(argv[2]);
    else if (strcmp(test, "start") == 0) {
        char value[20];
        CHECK_IS(argc, 4);
        CHECK_TEXT(argv[3], "two words");
        CHECK_TEXT(getenv("COLOUR"), "red");
        CHECK_IS(get_param_by_name("colour", value, 20L), 3);
        CHECK_TEXT(value, "red");
        CHECK_IS(getenv("POLLUX_PARAMS") == NULL, 1);
        atexit(at_end);
    }
    printf("PASSED\n");
    return 0;
}
