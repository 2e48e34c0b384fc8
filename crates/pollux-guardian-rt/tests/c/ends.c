/* The ways to end: what the creator of a process reads of its end. It runs as $OWN in CPU 1; its children are $KID in CPU 0. A child
   ends in the way that the list below has for it. */
#include "check.h"
#include "family.h"
#include <crtlns.h>

static short mine[10], child[10], other[10], detail;
static short subsystem[6] = {11, 12, 13, 14, 15, 16};

static void stop(void) { PROCESS_STOP_(); }
static void stop_abend(void) { PROCESS_STOP_(, , 1); }
static void stop_code(void) { PROCESS_STOP_(, , , 1234); }
static void stop_both(void) { PROCESS_STOP_(, 1); }
static void stop_alone(void) { PROCESS_STOP_(, 0, 0); }
static void stop_abend_code(void) { PROCESS_STOP_(, , 1, 7); }
static void stop_text(void) { PROCESS_STOP_(, , , , , , "text", 4); }
static void stop_all(void) { PROCESS_STOP_(mine, 0, 0, 9, 17, subsystem, "text", 4); }

static void stop_null(void)
{
    PROCESSHANDLE_NULLIT_(other);
    PROCESS_STOP_(other);
}

static void old_stop(void) { STOP(); }
static void old_stop_code(void) { STOP(, , , 8); }
static void old_stop_all(void) { STOP(, , , 9, 17, subsystem, 4, "text"); }
static void old_abend(void) { ABEND(); }
static void old_abend_code(void) { ABEND(, , , 8); }

static void old_stop_own(void)
{
    STOP((short *)"$KID  \377\377");
}

static void terminate(void) { terminate_program(); }
static void terminate_abend(void) { terminate_program(, 1); }
static void terminate_code(void) { terminate_program(0, 0, 3); }
static void terminate_all(void) { terminate_program(0, 1, 9, 17, subsystem, "text", 4); }
static void return_0(void) { exit(0); }
static void return_3(void) { exit(3); }

static const struct ending {
    const char *name;
    void (*run)(void);
    short code;
    short abend;
    short told; /* 1: text, 2: text, information and subsystem */
} endings[] = {
    {"stop", stop, 0, 0, 0},
    {"stop_abend", stop_abend, 5, 1, 0},
    {"stop_code", stop_code, 1234, 0, 0},
    {"stop_both", stop_both, 0, 0, 0},
    {"stop_alone", stop_alone, 0, 0, 0},
    {"stop_abend_code", stop_abend_code, 7, 1, 0},
    {"stop_text", stop_text, 0, 0, 1},
    {"stop_all", stop_all, 9, 0, 2},
    {"stop_null", stop_null, 0, 0, 0},
    {"old_stop", old_stop, 0, 0, 0},
    {"old_stop_code", old_stop_code, 8, 0, 0},
    {"old_stop_all", old_stop_all, 9, 0, 2},
    {"old_stop_own", old_stop_own, 0, 0, 0},
    {"old_abend", old_abend, 5, 1, 0},
    {"old_abend_code", old_abend_code, 8, 1, 0},
    {"terminate", terminate, 0, 0, 0},
    {"terminate_abend", terminate_abend, 5, 1, 0},
    {"terminate_code", terminate_code, 3, 0, 0},
    {"terminate_all", terminate_all, 9, 1, 2},
    {"return_0", return_0, 0, 0, 0},
    {"return_3", return_3, 3, 1, 0},
};

#define ENDINGS (sizeof endings / sizeof endings[0])

/* The next death is that of the child, with this code. */
static void expect_death(short code, short abend)
{
    await(-101);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[1], child), 2);
    CHECK_IS(message[16], code);
    CHECK_IS(message[37] & 1, abend);
}

static void by_themselves(void)
{
    size_t i;

    for (i = 0; i < ENDINGS; i++) {
        printf("  %s\n", endings[i].name);
        create_child("$KID", 0, endings[i].name, child);
        expect_death(endings[i].code, endings[i].abend);
        CHECK_IS(message[24], -1);
        CHECK_IS(message[34], endings[i].told > 0 ? 4 : 0);
        if (endings[i].told > 0)
            CHECK_IS(memcmp(&message[41], "text", 4), 0);
        CHECK_IS(message[17], endings[i].told == 2 ? 17 : 0);
        if (endings[i].told == 2)
            CHECK_IS(memcmp(&message[18], subsystem, 12), 0);
    }
}

static void by_another(void)
{
    short id[4], error = -9;

    create_child("$KID", 0, "wait", child);
    CHECK_IS(PROCESS_STOP_(child), 0);
    expect_death(6, 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[24], mine), 2);
    CHECK_IS(PROCESS_STOP_(child), 11);
    CHECK_IS(PROCESS_STOP_(child, 1), 11);
    create_child("$KID", 0, "wait", child);
    CHECK_IS(PROCESS_STOP_(child, 0, 1), 0);
    expect_death(6, 1);
    create_child("$KID", 0, "wait", child);
    CHECK_IS(PROCESS_STOP_(child, 1), 0);
    expect_death(6, 0);
    create_child(NULL, 0, "wait", child);
    CHECK_IS(PROCESS_STOP_(child, 1, 1), 0);
    expect_death(6, 1);

    /* The old id: the name, then -1 for all of it, or CPU and pin. */
    memcpy(id, "$KID  ", 6);
    id[3] = -1;
    CHECK_IS(STOP(id, , &error), -1);
    CHECK_IS(error, 11);
    create_child("$KID", 0, "wait", child);
    CHECK_IS(STOP(id, , &error), 0);
    CHECK_IS(error, 0);
    expect_death(6, 0);
    create_child("$KID", 0, "wait", child);
    PROCESSHANDLE_DECOMPOSE_(child, , &id[3]);
    CHECK_IS(ABEND(id), 0);
    expect_death(6, 1);
    id[3] = 99;
    CHECK_IS(ABEND(id, , &error), -1);
    CHECK_IS(error, 11);
    CHECK_IS(STOP((short *)NULL, , &error), -1);
    CHECK_IS(error, 22);
    CHECK_IS(STOP(, 1, &error), -1);
    CHECK_IS(error, 11);
    CHECK_IS(ABEND(, 1), -1);
}

/* A pair: one half, the other one, and both. */
static void of_pairs(void)
{
    short backup[10];

    create_child("$KID", 0, "pair", child);
    while (PROCESS_GETPAIRINFO_(child) == 4)
        DELAY(1);
    CHECK_IS(PROCESS_GETPAIRINFO_(child, , , , , backup), 0);
    CHECK_IS(PROCESS_STOP_(backup), 0);
    while (PROCESS_GETPAIRINFO_(child) != 4)
        DELAY(1);
    CHECK_IS(PROCESS_STOP_(child), 0);
    expect_death(6, 0);
    create_child("$KID", 0, "pair", child);
    while (PROCESS_GETPAIRINFO_(child) == 4)
        DELAY(1);
    CHECK_IS(PROCESS_GETPAIRINFO_(child, , , , , backup), 0);
    CHECK_IS(PROCESS_STOP_(child, 1, 1), 0);
    await(-101);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[1], child) != 0, 1);
    CHECK_IS(message[16], 6);
    CHECK_IS(PROCESS_STOP_(backup), 11);
    /* It stops its other half, and is single behind that. */
    create_child("$KID", 0, "partner", child);
    expect_death(4242, 0);
}

static void refused(void)
{
    char long_text[81];

    memset(long_text, 'x', sizeof long_text);
    CHECK_IS(PROCESS_STOP_(, -1), 590);
    CHECK_IS(PROCESS_STOP_(, 3), 590);
    CHECK_IS(PROCESS_STOP_(, , 2), 590);
    CHECK_IS(PROCESS_STOP_(, 2), 11);
    CHECK_IS(PROCESS_STOP_(, , , -1), 590);
    CHECK_IS(PROCESS_STOP_(, , , , , , long_text, 81), 590);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17), 29);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17, subsystem), 29);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17, , "text", 4), 29);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17, subsystem, "text"), 29);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17, subsystem, , 4), 29);
    CHECK_IS(PROCESS_STOP_(, , , 1, 17, NULL, "text", 4), 22);
    CHECK_IS(PROCESS_STOP_(, , , , , , (char *)NULL, 4), 22);
    CHECK_IS(PROCESS_STOP_((short *)NULL), 22);
    memset(other, 0, sizeof other);
    CHECK_IS(PROCESS_STOP_(other), 590);
    memcpy(other, mine, 20);
    other[9] += 100;
    CHECK_IS(PROCESS_STOP_(other), 11);
    other[1] = 9;
    CHECK_IS(PROCESS_STOP_(other), 201);
    /* Of another node, in a place that is taken here. */
    memcpy(other, mine, 20);
    other[4] = 200;
    CHECK_IS(PROCESS_STOP_(other), 11);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"by_themselves", by_themselves}, {"by_another", by_another}, {"of_pairs", of_pairs}, {"refused", refused},
    };
    short receive = -1;
    size_t i;

    PROCESSHANDLE_GETMINE_(mine);
    for (i = 0; i < ENDINGS; i++)
        if (strcmp(child_part(), endings[i].name) == 0)
            endings[i].run();
    if ((strcmp(child_part(), "pair") == 0 || strcmp(child_part(), "partner") == 0) && PROCESS_GETPAIRINFO_() == 4)
        CHECK_IS(__ns_start_backup(&detail), 0);
    if (strcmp(child_part(), "partner") == 0 && PROCESS_GETPAIRINFO_() == 5) {
        CHECK_IS(PROCESS_STOP_(, 2), 0);
        while (PROCESS_GETPAIRINFO_() != 4)
            DELAY(1);
        PROCESS_STOP_(, , , 4242);
    }
    if (*child_part() != 0)
        wait_to_be_stopped();
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    return RUN_CHECKS(list);
}
