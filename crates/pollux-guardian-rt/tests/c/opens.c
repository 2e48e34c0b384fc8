/* Opening, closing and asking about files: every form with parameters left out, every error number. The servers are $SRV (server.c,
   receive depth 8) and $QUIET (no file-management messages). The first argument is a directory. */
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN(name, ...) FILE_OPEN_(name, (short)strlen(name), __VA_ARGS__)
#define ROOM ((short)sizeof text)

static const char *directory;
static char path[500], text[500];
static short file = -9, second = -9, length = -9, detail = -9;
static short mine[10];
static unsigned short count;

static const char *in_directory(const char *name)
{
    sprintf(path, "%s/%s", directory, name);
    return path;
}

static void make_file(const char *name)
{
    int descriptor = open(in_directory(name), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    CHECK_IS(write(descriptor, "0123456789", 10), 10);
    close(descriptor);
}

/* The one request that tells what the server has heard. */
static const char *heard(void)
{
    static char log[4000];
    short other = -1;
    strcpy(log, "log  ");
    CHECK_IS(OPEN("$SRV", &other), 0);
    count = 0;
    CHECK_IS(WRITEREADX(other, log, 5, 3999, &count), 0);
    log[count] = 0;
    CHECK_IS(FILE_CLOSE_(other), 0);
    return log;
}

static void processes(void)
{
    /* Each parameter alone, as the server hears of it. */
    heard();
    CHECK_IS(OPEN("$SRV", &file), 0);
    CHECK_IS(file, 1);
    CHECK_IS(OPEN("$srv", &second, 1), 0);
    CHECK_IS(second, 2);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("\\test.$SRV.#Q", &file, , 1), 0);
    CHECK_IS(file, 1);
    CHECK_IS(FILE_CLOSE_(file, 1), 0);
    CHECK_IS(OPEN("$SRV", &file, , , 15), 0);
    CHECK_IS(FILE_CLOSE_(file, -1), 0);
    CHECK_IS(OPEN("$SRV", &file, 2, 3, , 7), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$SRV", &file, 3, , , , 8192), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$SRV", &file, , , , , , 1, 2), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$SRV", &file, , , , , , , , , 5), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_CLOSE_(second), 0);
    strcpy(text, heard());
    CHECK_IS(strstr(text, "open a0 e0 n0 s0 o0 f1 b0 q c0;open a1 e0 n0 s0 o0 f2 b0 q c0;close t0 f1") != NULL, 1);
    CHECK_IS(strstr(text, "open a0 e1 n0 s0 o0 f1 b0 q#Q c0;close t1 f1") != NULL, 1);
    CHECK_IS(strstr(text, "open a0 e0 n15 s0 o0 f1 b0 q c0;close t-1 f1") != NULL, 1);
    CHECK_IS(strstr(text, "open a2 e3 n0 s7 o0 f1 b0 q c0;") != NULL, 1);
    CHECK_IS(strstr(text, "open a3 e0 n0 s0 o8192 f1 b0 q c0;") != NULL, 1);
    /* Of $QUIET nobody hears; a null handle is no primary. */
    PROCESSHANDLE_NULLIT_(mine);
    CHECK_IS(OPEN("$QUIET", &file, , , , , , , , mine), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void processes_refused(void)
{
    short missing = 77;

    file = 77;
    CHECK_IS(OPEN("$NONE", &file), 14);
    CHECK_IS(file, -1);
    CHECK_IS(error_of(-1), 14);
    CHECK_IS(OPEN("$SRV:1", &file), 14);
    CHECK_IS(OPEN("$:0:9999:1", &file), 14);
    CHECK_IS(OPEN("$SRV.#REFUSE", &file), 48);
    CHECK_IS(OPEN("", &file), 13);
    CHECK_IS(OPEN("$", &file), 13);
    CHECK_IS(OPEN("$S-V", &file), 13);
    CHECK_IS(OPEN("$SRV.#1", &file), 13);
    CHECK_IS(OPEN("$SRV.Q", &file), 13); /* neither a file, which has three parts, nor a qualifier */
    CHECK_IS(FILE_OPEN_("$SRV", -1, &file), 13);
    CHECK_IS(OPEN("\\FAR.$SRV", &file), 18);
    CHECK_IS(OPEN("$:9:1:1", &file), 201); /* a CPU that is not up, and does not come */
    CHECK_IS(OPEN("=NONE", &file), 198);
    CHECK_IS(OPEN("$SRV", &file, , , 16), 28);
    CHECK_IS(OPEN("$SRV", &file, 4), 590);
    CHECK_IS(OPEN("$SRV", &file, -1), 590);
    CHECK_IS(OPEN("$SRV", &file, , 4), 590);
    CHECK_IS(OPEN("$SRV", &file, , , -1), 590);
    CHECK_IS(OPEN("$SRV", &file, , , , -1), 590);
    CHECK_IS(OPEN("$SRV", &file, , , , , 16384), 590); /* nowait open without a depth */
    CHECK_IS(OPEN("$SRV", (short *)NULL), 22);
    CHECK_IS(FILE_OPEN_((char *)NULL, 4, &file), 22);
    CHECK_IS(OPEN("$SRV", &file, , , , , , , , NULL), 22);
    memset(mine, 0, sizeof mine);
    CHECK_IS(OPEN("$SRV", &file, , , , , , , , mine), 590);
    CHECK_IS(FILE_OPEN_(), 29);
    CHECK_IS(FILE_OPEN_("$SRV", 4), 29);
    CHECK_IS(FILE_OPEN_("$SRV", , &missing), 29);
    CHECK_IS(FILE_OPEN_(, 4, &missing), 29);
    CHECK_IS(missing, 77);
    /* The own name is the other half, and there never was one. */
    CHECK_IS(OPEN("$OWN", &file), 14);
    /* A backup open of what is no other half's. */
    PROCESSHANDLE_GETMINE_(mine);
    file = 5;
    CHECK_IS(OPEN("$SRV", &file, , , , , , , , mine), 17);
}

static void receive(void)
{
    CHECK_IS(OPEN("$RECEIVE", &file, , , 2), 28);
    CHECK_IS(OPEN("$RECEIVE", &file, , , , 16301), 590);
    CHECK_IS(OPEN("$receive", &file, , , 1, 16300, 1), 0);
    CHECK_IS(file, 0);
    CHECK_IS(OPEN("$RECEIVE", &second), 12);
    CHECK_IS(second, -1);
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(FILE_CLOSE_(0), 16);
    CHECK_IS(OPEN("$RECEIVE", &file), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void disk_files(void)
{
    make_file("data");
    CHECK_IS(OPEN(in_directory("data"), &file), 0);
    CHECK_IS(file, 1);
    CHECK_IS(OPEN(path, &second, , 1), 12);
    CHECK_IS(OPEN(path, &second, 1, 3), 12);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN(path, &file, 1, 3), 0);
    CHECK_IS(OPEN(path, &second, 2), 12);
    CHECK_IS(OPEN(path, &second, 1), 0);
    CHECK_IS(FILE_CLOSE_(second), 0);
    CHECK_IS(FILE_CLOSE_(file, 3), 0);
    CHECK_IS(OPEN(path, &file, , , 1, 15), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN(path, &file, , , 2), 28);
    CHECK_IS(OPEN(path, &file, , , , 16), 28);
    CHECK_IS(OPEN(in_directory("none"), &file), 11);
    CHECK_IS(OPEN(in_directory("data/below"), &file), 11);
    CHECK_IS(OPEN(directory, &file), 564);
    memset(path + strlen(in_directory("x")), 'x', 300);
    path[450] = 0;
    CHECK_IS(OPEN(path, &file), 13);
    PROCESSHANDLE_GETMINE_(mine);
    file = 9;
    CHECK_IS(OPEN(in_directory("data"), &file, , , , , , , , mine), 17);
    if (getuid() != 0) {
        chmod(path, 0);
        CHECK_IS(OPEN(path, &file), 48);
        chmod(path, 0600);
    }
}

/* No more descriptors, then no more file numbers. */
static void too_many(void)
{
    struct rlimit few = {40, 0}, all;
    static short opened[5000];
    int i, last;

    make_file("data");
    CHECK_IS(OPEN(path, &file), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    getrlimit(RLIMIT_NOFILE, &all);
    few.rlim_max = all.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    for (last = 0; (detail = OPEN("/dev/null", &opened[last])) == 0;)
        last++;
    CHECK_IS(detail, 31);
    CHECK_IS(OPEN(in_directory("data"), &file), 31);
    for (i = 0; i < last; i++)
        CHECK_IS(FILE_CLOSE_(opened[i]), 0);
    few.rlim_cur = all.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    /* A disk file has room for so many opens. */
    for (last = 0; (detail = OPEN(path, &opened[last])) == 0;)
        last++;
    CHECK_IS(detail, 61);
    CHECK_IS(last, 256);
    for (i = 0; i < last; i++)
        CHECK_IS(FILE_CLOSE_(opened[i]), 0);
    if (all.rlim_max < 4200) {
        printf("SKIPPED: this machine permits too few descriptors\n");
        return;
    }
    for (last = 0; (detail = OPEN("/dev/null", &opened[last])) == 0;)
        last++;
    CHECK_IS(detail, 34);
    CHECK_IS(last, 4096);
    CHECK_IS(OPEN("$SRV", &file), 34);
    for (i = 0; i < last; i++)
        CHECK_IS(FILE_CLOSE_(opened[i]), 0);
    CHECK_IS(OPEN("$SRV", &file), 0);
    CHECK_IS(file, 1);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void information(void)
{
    short types[5], flags = -9, error = -9;

    CHECK_IS(OPEN("$srv.#a.b", &file), 0);
    CHECK_IS(FILE_GETINFO_(file), 0);
    CHECK_IS(FILE_GETINFO_(file, &error), 0);
    CHECK_IS(error, 0);
    CHECK_IS(FILE_GETINFO_(file, , text, ROOM, &length), 0);
    text[length] = 0;
    CHECK_TEXT(text, "\\TEST.$SRV.#A.B");
    CHECK_IS(FILE_GETINFO_(file, , text, ROOM), 0);
    length = -9;
    CHECK_IS(FILE_GETINFO_(file, , , , &length), 0);
    CHECK_IS(length, 15);
    CHECK_IS(FILE_GETINFO_(file, , , , , types), 0);
    CHECK_IS(types[0], 0);
    CHECK_IS(types[4], -1);
    CHECK_IS(FILE_GETINFO_(file, , , , , , &flags), 0);
    CHECK_IS(flags, 0);
    CHECK_IS(FILE_GETINFO_(file, , text, 5, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(FILE_GETINFO_(file, , text, -1, &length), 590);
    CHECK_IS(FILE_GETINFO_(file, , (char *)NULL, 50, &length), 22);
    CHECK_IS(FILE_GETINFO_(file, , text, , &length), 29);
    CHECK_IS(FILE_GETINFO_(file, , , 5, &length), 29);
    CHECK_IS(FILE_GETINFO_(), 29);
    CHECK_IS(FILE_GETINFO_(, &error), 29);
    CHECK_IS(FILE_GETINFO_(99, &error), 16);
    CHECK_IS(FILE_GETINFO_(-2, &error), 16);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_GETINFO_(file, &error), 16);

    make_file("data");
    CHECK_IS(OPEN(in_directory("data"), &file), 0);
    CHECK_IS(FILE_GETINFO_(file, , text, ROOM, &length, types), 0);
    text[length] = 0;
    CHECK_TEXT(text, path);
    CHECK_IS(types[0], 3);
    CHECK_IS(types[3], 0);
    CHECK_IS(types[4], 180);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("/dev/null", &file), 0);
    CHECK_IS(FILE_GETINFO_(file, , , , , types), 0);
    CHECK_IS(types[0], 6);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$RECEIVE", &file), 0);
    CHECK_IS(FILE_GETINFO_(file, , text, ROOM, &length, types), 0);
    text[length] = 0;
    CHECK_TEXT(text, "$RECEIVE");
    CHECK_IS(types[0], 2);
    CHECK_IS(FILE_CLOSE_(file), 0);

    /* -1: the last operation that has no file. */
    CHECK_IS(OPEN("$NONE", &file), 14);
    CHECK_IS(FILE_GETINFO_(-1, &error), 0);
    CHECK_IS(error, 14);
    CHECK_IS(OPEN("$SRV", &file), 0);
    CHECK_IS(error_of(-1), 0);
    CHECK_IS(FILE_GETINFO_(-1), 0);
    CHECK_IS(FILE_CLOSE_(), 29);
    CHECK_IS(FILE_CLOSE_(, 1), 29);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_CLOSE_(file), 16);
    CHECK_IS(FILE_CLOSE_(-1), 16);
}

/* What a primary tells its backup of a file. */
static void sync_blocks(void)
{
    short block[40], size = -9;

    CHECK_IS(OPEN("$SRV", &file, , , 2, 1), 0);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 80, &size), 0);
    CHECK_IS(size, 10);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 10, &size), 0);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 9, &size), 563);
    CHECK_IS(error_of(file), 563);
    CHECK_IS(FILE_GETSYNCINFO_(file, NULL, 10, &size), 22);
    CHECK_IS(FILE_GETSYNCINFO_(99, block, 10, &size), 16);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 10), 0);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 80), 0);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 9), 41);
    CHECK_IS(error_of(file), 41);
    CHECK_IS(FILE_SETSYNCINFO_(file, NULL, 10), 22);
    CHECK_IS(FILE_SETSYNCINFO_(99, block, 10), 16);
    CHECK_IS(SETSYNCINFO(file, block), 0);
    CHECK_IS(GETSYNCINFO(file, block, &size), 0);
    CHECK_IS(size, 10);
    CHECK_IS(WRITEREADX(file, strcpy(text, "echo x"), 6, 10, , 1), 0);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 10), 27);
    CHECK_IS(RESETSYNC(file), -1);
    CHECK_IS(error_of(file), 27);
    second = file;
    CHECK_IS(AWAITIOX(&second), 0);
    CHECK_IS(RESETSYNC(file), 0);
    block[0] ^= 1;
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 10), 41);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(RESETSYNC(file), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(OPEN("$QUIET", &file), 0);
    CHECK_IS(RESETSYNC(file), 1);
    CHECK_IS(error_of(file), 7);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$RECEIVE", &file), 0);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 80, &size), 2);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 80), 2);
    CHECK_IS(RESETSYNC(file), 1);
    CHECK_IS(error_of(file), 2);
    CHECK_IS(FILE_CLOSE_(file), 0);

    make_file("data");
    CHECK_IS(OPEN(in_directory("data"), &file, , , , 3), 0);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 39, &size), 563);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 44, &size), 0);
    CHECK_IS(size, 40);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 40), 0);
    CHECK_IS(GETSYNCINFO(file, block), 0);
    CHECK_IS(GETSYNCINFO(file, block, &size), 0);
    CHECK_IS(SETSYNCINFO(file, block), 0);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 39), 41);
    block[3] ^= 1;
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 40), 41);
    CHECK_IS(RESETSYNC(file), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

/* What is set for an open, and what goes to its server. */
static void modes(void)
{
    short last[2] = {-9, -9}, words[2] = {1, 2}, size = -9;

    CHECK_IS(OPEN("$SRV", &file), 0);
    CHECK_IS(SETMODE(file, 72, 1), 0);
    CHECK_IS(SETMODE(file, 72, 2, 3, last), 0);
    CHECK_IS(last[0], 1);
    CHECK_IS(last[1], 0);
    CHECK_IS(SETMODE(file, 72, , , last), 0);
    CHECK_IS(last[0], 2);
    CHECK_IS(last[1], 3);
    CHECK_IS(SETMODENOWAIT(file, 72, 1, , last, 5), 0);
    CHECK_IS(last[0], 2);
    CHECK_IS(SETMODENOWAIT(file, 72), 0);
    CHECK_IS(SETMODE(file, 30, 2), 1);
    CHECK_IS(error_of(file), 2);
    CHECK_IS(SETMODE(99, 30, 1), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(SETMODE(file), -1);
    CHECK_IS(error_of(file), 29);
    CHECK_IS(CONTROL(file, 5), 0);
    CHECK_IS(CONTROL(file, 5, -1, 7), 0);
    CHECK_IS(CONTROL(99, 5), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(CONTROLBUF(file, 5, words, 4), 0);
    CHECK_IS(CONTROLBUF(file, 5, words, 245), -1);
    CHECK_IS(error_of(file), 21);
    CHECK_IS(CONTROLBUF(file, 5, (short *)NULL, 4), -1);
    CHECK_IS(error_of(file), 22);
    CHECK_IS(SETPARAM(file, 5, words, 4), 1); /* the server has not asked for these */
    CHECK_IS(error_of(file), 2);
    CHECK_IS(SETPARAM(file, 5, words, 245), -1);
    CHECK_IS(error_of(file), 21);
    CHECK_IS(SETPARAM(99, 5, , , words, &size, 4), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$RECEIVE", &file), 0);
    CHECK_IS(SETMODE(0, 36, 1, , last), 0);
    CHECK_IS(SETMODE(0, 80, 7, , last), 0);
    CHECK_IS(last[0], 0);
    CHECK_IS(SETMODE(0, 100), 1);
    CHECK_IS(error_of(0), 2);
    CHECK_IS(CONTROL(0, 1), 1);
    CHECK_IS(error_of(0), 2);
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(CONTROLMESSAGESYSTEM(0, 255), 0);
    CHECK_IS(CONTROLMESSAGESYSTEM(0, 4095), 0);
    CHECK_IS(CONTROLMESSAGESYSTEM(1, 16383), 0);
    CHECK_IS(CONTROLMESSAGESYSTEM(0, 4096), 590);
    CHECK_IS(CONTROLMESSAGESYSTEM(1, 0), 590);
    CHECK_IS(CONTROLMESSAGESYSTEM(2, 1), 590);
    CHECK_IS(CONTROLMESSAGESYSTEM(-1, 1), 590);
}

/* Every word of what a process hears of the last message is another test's; here is what it hears without one. */
static void no_message(void)
{
    short info[19], tag = -9;

    CHECK_IS(FILE_GETRECEIVEINFO_(info), 16);
    CHECK_IS(RECEIVEINFO(), -1);
    CHECK_IS(LASTRECEIVE(), -1);
    CHECK_IS(OPEN("$RECEIVE", &file), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_(info), 26);
    CHECK_IS(FILE_GETRECEIVEINFO_(), 29);
    CHECK_IS(FILE_GETRECEIVEINFO_(, &tag), 29);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"processes", processes}, {"processes_refused", processes_refused}, {"receive", receive},
        {"disk_files", disk_files}, {"too_many", too_many}, {"information", information},
        {"sync_blocks", sync_blocks}, {"modes", modes},         {"no_message", no_message},
    };
    directory = argv[1];
    return run_checks(1, argv, list, sizeof list / sizeof list[0]);
}
