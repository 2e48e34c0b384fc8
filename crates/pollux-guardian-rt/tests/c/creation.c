/* Creation of processes: every form with parameters left out, every error number and its detail. It runs as $OWN in CPU 1 of a node of
   two CPUs. A child waits for a start message that never comes, and is stopped. */
#include "check.h"
#include "messages.h"
#include <dlaunch.h>
#include <unistd.h>

#define PATH path, (short)strlen(path)
#define ROOM ((short)sizeof text)

static char path[400], text[60];
static short mine[10], child[10], detail = -9, length = -9, words[20];

/* The child lives where it is wanted; then it goes. */
static void lives_in(short cpu, short named)
{
    short where = -9, name_length = -9;
    CHECK_IS(detail, 0);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(child, &where, , , , , , text, ROOM, &name_length), 0);
    CHECK_IS(where, cpu);
    CHECK_IS(name_length > 0, named);
    CHECK_IS(PROCESS_STOP_(child), 0);
    await(-101);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[1], child), 2);
    detail = -9;
    memset(child, 0, sizeof child);
}

static void creations(void)
{
    int tag;

    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail), 0);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , 10, , child, &detail), 0);
    words[0] = 42;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , child, words, 1, &words[1], 1, &words[2]), 0);
    CHECK_IS(words[1], 10);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , -1, -1, child, &detail, 0), 0);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , 0, child, &detail), 0);
    lives_in(0, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1, "$kid", 4), 0);
    lives_in(1, 1);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 2), 0);
    lives_in(1, 1);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 4, , , text, ROOM, &length), 0);
    CHECK_IS(memcmp(text, "\\TEST.$X", 8), 0);
    CHECK_IS(length > 13, 1);
    lives_in(1, 1);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , text, ROOM, &length), 0);
    CHECK_IS(memcmp(text, "\\TEST.$:1:", 10), 0);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , -1), 0);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , "/dev/null", 9), 0);
    CHECK_IS(PROCESS_GETINFO_(child, , , , , , text, ROOM, &length), 0);
    CHECK_IS(length, 9);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , 5, 77, 64 + 32 + 8 + 4 + 2 + 1), 0);
    CHECK_IS(PROCESS_GETINFO_(child, , , , , , , , , , , , , words), 0);
    CHECK_IS(words[0], 77);
    lives_in(1, 0);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , , , , , , 15, 0), 0);
    lives_in(1, 0);
    /* Without waiting; the message has the tag and the child. */
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , , , 1, "$KID", 4, , , , -70000), 0);
    await(-102);
    memcpy(&tag, &message[1], 4);
    CHECK_IS(tag, -70000);
    CHECK_IS(message[13], 0);
    CHECK_IS(message[14], 0);
    memcpy(child, &message[3], 20);
    detail = 0;
    lives_in(1, 1);
    CHECK_IS(PROCESS_CREATE_(PATH, , , , , , , , , , &detail, 1, "$OWN", 4, , , , 5), 0);
    await(-102);
    CHECK_IS(message[13], 11);
    CHECK_IS(message[14], 10);
    CHECK_IS(message[3], -1);
}

/* The error and its detail; there is no child. */
#define REFUSED(call, number, its_detail) \
    do {                                  \
        detail = -9;                      \
        memset(child, 0, sizeof child);   \
        CHECK_IS(call, number);           \
        CHECK_IS(detail, its_detail);     \
    } while (0)

static void refused(void)
{
    REFUSED(PROCESS_CREATE_("/none", 5, , , , , , , , , child, &detail), 1, 11);
    CHECK_IS(child[0], -1);
    REFUSED(PROCESS_CREATE_(, , , , , , , , , , child, &detail), 2, 1);
    REFUSED(PROCESS_CREATE_(path, , , , , , , , , , child, &detail), 2, 1);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , 200, , child, &detail), 2, 5);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , -2, , child, &detail), 2, 5);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , 16, child, &detail), 2, 6);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , -2, child, &detail), 2, 6);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 5), 2, 9);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1), 2, 10);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1, "$KID"), 2, 10);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , text), 2, 11);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , "/dev/null"), 2, 14);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , , -2), 2, 16);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , , , 128), 2, 17);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , , , 24), 2, 17);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , , , , , , , , 16), 2, 19);
    REFUSED(PROCESS_CREATE_((char *)NULL, 5, , , , , , , , , child, &detail), 3, 1);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1, (char *)NULL, 4), 3, 10);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , , , , , (char *)NULL, 4), 3, 14);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , 9, child, &detail), 10, 201);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1, "$OWN", 4), 11, 10);
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, 1, "$K-D", 4), 11, 13);
    /* It runs; only its name has no room. */
    REFUSED(PROCESS_CREATE_(PATH, , , , , , , , , child, &detail, , , , text, 5, &length), 3, 11);
    CHECK_IS(PROCESS_STOP_(child), 0);
    await(-101);
    CHECK_IS(PROCESS_CREATE_(), 2);
}

/* The caller's name: the backup. */
static void backups(void)
{
    REFUSED(PROCESS_CREATE_(, , , , , , , , , 9, child, &detail, 3), 10, 201);
    CHECK_IS(PROCESS_CREATE_(, , , , , , , , , , child, &detail, 3), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(child, mine), 1);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
    REFUSED(PROCESS_CREATE_(, , , , , , , , , , child, &detail, 3), 11, 45);
    CHECK_IS(PROCESS_STOP_(, 2), 0);
    await(-101);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
}

static void launches(void)
{
    process_launch_parms_def list = P_L_DEFAULT_PARMS_, plain = P_L_DEFAULT_PARMS_;
    zsys_ddl_smsg_proccreate_def out;

    list.program_name = path;
    list.program_name_len = (int)strlen(path);
    CHECK_IS(PROCESS_LAUNCH_(&list, &detail, &out, (short)sizeof out, &length), 0);
    memcpy(child, (char *)&out + 6, 20);
    lives_in(1, 0);
    list.process_name = "$KID";
    list.process_name_len = 4;
    list.name_options = 1;
    list.cpu = 0;
    CHECK_IS(PROCESS_LAUNCH_(&list, &detail, &out, (short)sizeof out, &length), 0);
    CHECK_IS(length > 40, 1);
    memcpy(child, (char *)&out + 6, 20);
    CHECK_IS(PROCESS_LAUNCH_(&list), 11);
    CHECK_IS(PROCESS_LAUNCH_(&list, &detail), 11);
    CHECK_IS(detail, 10);
    detail = 0;
    lives_in(0, 1);
    CHECK_IS(PROCESS_LAUNCH_(&list), 0);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$KID", 4, child), 0);
    detail = 0;
    lives_in(0, 1);
    REFUSED(PROCESS_LAUNCH_(&plain, &detail), 2, 1);
    REFUSED(PROCESS_LAUNCH_(, &detail), 2, 1);
    REFUSED(PROCESS_LAUNCH_(NULL, &detail), 3, 1);
    REFUSED(PROCESS_LAUNCH_(&list, &detail, &out), 2, 3);
    list.priority = 200;
    REFUSED(PROCESS_LAUNCH_(&list, &detail), 2, 1);
    list.priority = -1;
    list.version = 99;
    REFUSED(PROCESS_LAUNCH_(&list, &detail), 2, 1);
    list.version = plain.version;
    list.length = 10;
    REFUSED(PROCESS_LAUNCH_(&list, &detail), 2, 1);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"creations", creations}, {"refused", refused}, {"backups", backups}, {"launches", launches},
    };
    short receive = -1;

    path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
    PROCESSHANDLE_GETMINE_(mine);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    return RUN_CHECKS(list);
}
