/* What is known of processes and pairs, and standing still: every form with parameters left out, every return value. It runs as $OWN
   in CPU 1 of a node of two CPUs; its children are $KID, an unnamed one, and a pair $PAIR. */
#include "check.h"
#include "family.h"
#include <crtlns.h>

#define ROOM ((short)sizeof text)

static short mine[10], named[10], unnamed[10], pair[10], other[10];
static char text[500];
static short length = -9, word = -9, detail = -9;
static short codes[60], values[600], words = -9;

static const char *got(void)
{
    text[length] = 0;
    return text;
}

/* A handle of a process that there is not. */
static short *gone(void)
{
    memcpy(other, named, 20);
    other[9] += 100;
    return other;
}

/* A process of another node. */
static short *far_away(void)
{
    memcpy(other, named, 20);
    other[4] = 200;
    return other;
}

static short *garbage(void)
{
    memset(other, 0, 20);
    return other;
}

static void one_process(void)
{
    long long time = -9;
    int pid = -9;
    short user = (short)(getuid() == 0 ? -1 : getuid());

    CHECK_IS(PROCESS_GETINFO_(), 0);
    CHECK_IS(PROCESS_GETINFO_(named), 0);
    CHECK_IS(PROCESS_GETINFO_(, text, ROOM, &length), 0);
    CHECK_IS(strncmp(got(), "\\TEST.$OWN:", 11), 0);
    CHECK_IS(PROCESS_GETINFO_(named, text, ROOM, &length), 0);
    CHECK_IS(strncmp(got(), "\\TEST.$KID:", 11), 0);
    CHECK_IS(PROCESS_GETINFO_(unnamed, text, ROOM, &length), 0);
    CHECK_IS(strncmp(got(), "\\TEST.$:0:", 10), 0);
    CHECK_IS(PROCESS_GETINFO_(, , , , &word), 0);
    CHECK_IS(word, 150);
    CHECK_IS(PROCESS_GETINFO_(named, , , , , other), 0);
    CHECK_IS(other[0], -1);
    CHECK_IS(PROCESS_GETINFO_(unnamed, , , , , other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(other, mine), 2);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , text, ROOM, &length), 0);
    CHECK_TEXT(got(), "");
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , &time), 0);
    CHECK_IS(time > 0 && time <= MYPROCESSTIME(), 1);
    time = -9;
    CHECK_IS(PROCESS_GETINFO_(named, , , , , , , , , &time), 0);
    CHECK_IS(time >= 0, 1);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , &word), 0);
    CHECK_IS(word, user);
    word = -9;
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , &word), 0);
    CHECK_IS(word, user);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , other), 0);
    CHECK_IS(other[0], -1);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , &word), 0);
    CHECK_IS(word, 0);
    CHECK_IS(PROCESS_GETINFO_(named, , , , , , , , , , , , , , text, ROOM, &length), 0);
    CHECK_TEXT(got(), own_path);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , text, ROOM, &length), 0);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , , , , &detail), 0);
    CHECK_IS(detail, 0);
    word = -9;
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , , , , , &word), 0);
    CHECK_IS(word, 0);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , , , , , , &pid), 0);
    CHECK_IS(pid, getpid());
    PROCESSHANDLE_NULLIT_(other);
    CHECK_IS(PROCESS_GETINFO_(other, , , , , , , , , , , , , , , , , , , , , , &pid), 0);
    CHECK_IS(pid, getpid());
}

static void one_process_refused(void)
{
    /* A place that is too small. */
    length = -9;
    CHECK_IS(PROCESS_GETINFO_(, text, 5, &length, , , , , , , , , , , , , , , , , &detail), 1);
    CHECK_IS(detail, 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESS_GETINFO_(named, , , , , , , , , , , , , , text, 3, &length, , , , &detail), 1);
    CHECK_IS(detail, 563);
    /* A part of a group that is not there, by its number. */
    CHECK_IS(PROCESS_GETINFO_(, text, , , , , , , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , text, , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 6);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , ROOM, , , , , &detail), 2);
    CHECK_IS(detail, 13);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , text, , , &detail), 2);
    CHECK_IS(detail, 15);
    CHECK_IS(PROCESS_GETINFO_(garbage(), , , , , , , , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 1);
    CHECK_IS(PROCESS_GETINFO_(, text, -1, &length, , , , , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 2);
    /* Null addresses. */
    CHECK_IS(PROCESS_GETINFO_((short *)NULL, , , , , , , , , , , , , , , , , , , , &detail), 3);
    CHECK_IS(detail, 1);
    CHECK_IS(PROCESS_GETINFO_(, (char *)NULL, 5, &length, , , , , , , , , , , , , , , , , &detail), 3);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , (char *)NULL, 5, , , , , , , , , , , , , &detail), 3);
    CHECK_IS(detail, 6);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , (char *)NULL, 5, , , , , &detail), 3);
    CHECK_IS(detail, 13);
    CHECK_IS(PROCESS_GETINFO_(, , , , , , , , , , , , , , , , , (char *)NULL, 5, , &detail), 3);
    CHECK_IS(detail, 15);
    CHECK_IS(PROCESS_GETINFO_(gone(), , , , , , , , , , , , , , , , , , , , &detail), 4);
    CHECK_IS(detail, 0);
    memcpy(other, named, 20);
    other[1] = 9;
    CHECK_IS(PROCESS_GETINFO_(other, , , , , , , , , , , , , , , , , , , , &detail), 5);
    CHECK_IS(detail, 201);
    CHECK_IS(PROCESS_GETINFO_(far_away(), , , , , , , , , , , , , , , , , , , , &detail), 6);
}

static void pairs(void)
{
    short primary[10], backup[10], ancestor[10], found = 0, code;
    int index = 0, before;

    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
    CHECK_IS(PROCESS_GETPAIRINFO_(named), 4);
    CHECK_IS(PROCESS_GETPAIRINFO_(unnamed), 7);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair), 0);
    length = 0;
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, text, ROOM, &length), 0);
    CHECK_IS(strncmp(got(), "\\TEST.$PAIR:", 12), 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , primary), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(pair, primary), 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , , backup), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(pair, backup), 1);
    CHECK_IS(PROCESS_GETPAIRINFO_(backup, , , , primary), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(pair, primary), 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , , , , ancestor), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(ancestor, mine), 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , backup, , ancestor), 4);
    CHECK_IS(backup[0], -1);
    CHECK_IS(ancestor[0], -1);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , , , , , , , , text, ROOM, &length), 0);
    CHECK_IS(strncmp(got(), "\\TEST.$OWN:", 11), 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , "\\TEST", 5), 4);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , , , 7), 4);
    /* By name, and by name and sequence number. */
    strcpy(text, "$pair");
    length = 5;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length, primary), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(pair, primary), 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length), 0);
    strcpy(text, "$PAIR:1");
    length = 7;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length), 9);
    /* All names: $KID, $OWN and $PAIR once, and the end. */
    while ((code = PROCESS_GETPAIRINFO_(, , , , primary, , &index)) != 8) {
        found += PROCESSHANDLE_COMPARE_(primary, pair) == 2 && code == 0;
        found += PROCESSHANDLE_COMPARE_(primary, named) == 2 && code == 4;
        found += PROCESSHANDLE_COMPARE_(primary, mine) == 2 && code == 4;
        before = index;
        CHECK_IS(index != 0, 1);
    }
    CHECK_IS(found, 3);
    CHECK_IS(index, before);
}

static void pairs_refused(void)
{
    int index = -1;

    CHECK_IS(PROCESS_GETPAIRINFO_(gone(), , , , , , , , , , , , , , &detail), 9);
    CHECK_IS(detail, 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(far_away()), 10);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , "\\FAR", 4), 10);
    strcpy(text, "\\FAR.$KID");
    length = 9;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length), 10);
    strcpy(text, "$NONE");
    length = 5;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length), 9);
    CHECK_IS(PROCESS_GETPAIRINFO_(garbage(), , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 1);
    CHECK_IS(PROCESS_GETPAIRINFO_((short *)NULL, , , , , , , , , , , , , , &detail), 3);
    CHECK_IS(detail, 1);
    strcpy(text, "$KID.#$");
    length = 7;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, &length, , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 2);
    length = 0;
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, text, 3, &length, , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, (char *)NULL, ROOM, &length, , , , , , , , , , , &detail), 3);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , &index, , , , , , , , &detail), 2);
    CHECK_IS(detail, 6);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , (int *)NULL, , , , , , , , &detail), 3);
    CHECK_IS(detail, 6);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , "FAR", 3, , , , , &detail), 2);
    CHECK_IS(detail, 8);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , , , 8, , , , &detail), 2);
    CHECK_IS(detail, 9);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , , , , , , , , text, 3, &length, &detail), 2);
    CHECK_IS(detail, 10);
    CHECK_IS(PROCESS_GETPAIRINFO_(pair, , , , , , , , , , , (char *)NULL, 3, &length, &detail), 3);
    CHECK_IS(detail, 10);
    /* Parts of a group that are not there. */
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, ROOM, , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 3);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , "\\TEST", , , , , , &detail), 2);
    CHECK_IS(detail, 8);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , , , , text, ROOM, , &detail), 2);
    CHECK_IS(detail, 11);
}

/* The attributes that have a value here. */
static short every[] = {1,  2,  4,  5,  6,  7,  8,  28, 30, 31, 32, 33, 34, 36, 38, 39, 40, 42, 43, 44,
                              45, 47, 48, 49, 51, 53, 54, 59, 62, 63, 64, 65, 66, 73, 90};

static void attributes(void)
{
    short mom[10], pin = 0;
    int pid = -9;
    long long created;

    PROCESSHANDLE_DECOMPOSE_(named, , &pin);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , every, (short)(sizeof every / 2), values, 600, &words), 0);
    CHECK_IS(words > 60, 1);
    codes[0] = 40; /* mom */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , unnamed, codes, 1, mom, 10, &words), 0);
    CHECK_IS(words, 10);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mom, mine), 2);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , named, codes, 1, mom, 10, &words), 0);
    CHECK_IS(mom[0], -1);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , pair, codes, 1, mom, 10, &words), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mom, pair), 1);
    codes[0] = 47; /* primary */
    codes[1] = 62; /* named */
    codes[2] = 38; /* pin */
    codes[3] = 42; /* priority */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , named, codes, 4, values, 600, &words), 0);
    CHECK_IS(words, 4);
    CHECK_IS(values[0], 1);
    CHECK_IS(values[1], 1);
    CHECK_IS(values[2], pin);
    CHECK_IS(values[3], 150);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , unnamed, codes, 4, values, 600, &words), 0);
    CHECK_IS(values[0], 0);
    CHECK_IS(values[1], 0);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , mom, codes, 1, values, 600, &words), 0); /* the other half of $PAIR */
    CHECK_IS(values[0], 0);
    codes[0] = 65; /* mom's name */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , unnamed, codes, 1, values, 600, &words), 0);
    CHECK_IS(values[0] >= 12 && memcmp(&values[1], "\\TEST.$OWN:", 11) == 0, 1);
    CHECK_IS(words, 1 + (values[0] + 1) / 2);
    codes[0] = 90; /* process id */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words), 0);
    memcpy(&pid, values, 4);
    CHECK_IS(pid, getpid());
    codes[0] = 53; /* created */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , named, codes, 1, values, 600, &words), 0);
    memcpy(&created, values, 8);
    CHECK_IS(JULIANTIMESTAMP() - created >= 0 && JULIANTIMESTAMP() - created < 60000000, 1);

    /* The ways to say which process. */
    codes[0] = 48;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &words), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(values, named), 2);
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, "\\TEST", 5, , codes, 1, values, 600, &words), 0);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, , , , , , , pid), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(values, mine), 2);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, , 3, , , , , pid), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(values, mine), 2);
    PROCESSHANDLE_DECOMPOSE_(mine, , &pin);
    CHECK_IS(PROCESS_GETINFOLIST_(, &pin, , , , codes, 1, values, 600, &words, , 0), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(values, mine), 2);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 0, values, 0, &words), 0);
    CHECK_IS(words, 0);
}

static void searches(void)
{
    short pin = 0, code, found = 0, conditions[10], wanted[300], count;

    /* One at a time, from pin to pin, in the CPU of the children. */
    codes[0] = 48;
    while (pin != -1 && found < 20) {
        code = PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &words, &detail, 1);
        CHECK_IS(code == 0 || code == 4, 1);
        CHECK_IS(words, 10);
        CHECK_IS(values[1], 0);
        found++;
    }
    CHECK_IS(found, 3); /* $KID, the unnamed one, a half of $PAIR */
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &words, &detail, 1), 7);

    /* All at once, and as many as have room. */
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &words, &detail, 2), 0);
    CHECK_IS(words, 30);
    CHECK_IS(detail, 3);
    CHECK_IS(pin, -1);
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 25, &words, &detail, 2), 0);
    CHECK_IS(words, 20);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 25, &words, &detail, 2), 0);
    CHECK_IS(words, 10);
    CHECK_IS(pin, -1);
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 9, &words, &detail, 2), 1);
    CHECK_IS(detail, 563);

    /* Conditions: program, priority from and to, user, job, home terminal, creation time. */
    count = (short)strlen(own_path);
    conditions[0] = 4;
    conditions[1] = 9;
    conditions[2] = 3;
    conditions[3] = 7;
    wanted[0] = count;
    memcpy(&wanted[1], own_path, (size_t)count);
    words = (short)(1 + (count + 1) / 2);
    wanted[words] = 150;
    wanted[words + 1] = 150;
    wanted[words + 2] = 0;
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &length, &detail, 2, conditions, 4, wanted,
                                  (short)(words + 3)), 0);
    CHECK_IS(detail, 3);
    wanted[words] = 151;
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &length, &detail, 2, conditions, 4, wanted,
                                  (short)(words + 3)), 7);
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &length, &detail, 2, conditions, 4, wanted,
                                  (short)(words + 2)), 10);
    CHECK_IS(detail, 7);
    conditions[0] = 40;
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &length, &detail, 2, conditions, 1, wanted, 9), 9);
    CHECK_IS(detail, 40);
}

static void attributes_refused(void)
{
    short pin = 9999;

    codes[0] = 48;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 9, &words, &detail), 1);
    CHECK_IS(detail, 563);
    CHECK_IS(words, 0);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , gone(), codes, 1, values, 600, &words), 4);
    CHECK_IS(PROCESS_GETINFOLIST_(0, &pin, , , , codes, 1, values, 600, &words), 4);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, , 3, , , , , 1), 4);
    CHECK_IS(PROCESS_GETINFOLIST_(9, &pin, , , , codes, 1, values, 600, &words, &detail), 5);
    CHECK_IS(detail, 201);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , far_away(), codes, 1, values, 600, &words), 6);
    CHECK_IS(PROCESS_GETINFOLIST_(, , "\\FAR", 4, , codes, 1, values, 600, &words), 6);
    codes[0] = 99;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, &detail), 11);
    CHECK_IS(detail, 99);
    codes[0] = 55; /* what nothing on Linux answers */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, &detail), 14);
    CHECK_IS(detail, 55);
    codes[0] = 12; /* for searches only */
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, &detail), 16);
    CHECK_IS(detail, 12);
    codes[0] = 48;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, &detail, 4), 12);
    CHECK_IS(PROCESS_GETINFOLIST_(16, &pin, , , , codes, 1, values, 600, &words, &detail), 2);
    CHECK_IS(detail, 1);
    CHECK_IS(PROCESS_GETINFOLIST_(1, , , , , codes, 1, values, 600, &words, &detail), 3);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESS_GETINFOLIST_(, , "FAR", 3, , codes, 1, values, 600, &words, &detail), 2);
    CHECK_IS(detail, 3);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , garbage(), codes, 1, values, 600, &words, &detail), 2);
    CHECK_IS(detail, 4);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , (short *)NULL, 1, values, 600, &words, &detail), 3);
    CHECK_IS(detail, 5);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, -1, values, 600, &words, &detail), 2);
    CHECK_IS(detail, 6);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, (short *)NULL, 600, &words, &detail), 3);
    CHECK_IS(detail, 7);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, -1, &words, &detail), 2);
    CHECK_IS(detail, 8);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , codes, 1, values, 600, &words, &detail, 3), 2);
    CHECK_IS(detail, 16);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , , , 1, values, 600, &words, &detail), 2);
    CHECK_IS(detail, 5);
    CHECK_IS(PROCESS_GETINFOLIST_(), 2);
}

static void standing_still(void)
{
    CHECK_IS(PROCESS_ACTIVATE_(named), 2);
    CHECK_IS(PROCESS_SUSPEND_(named), 0);
    CHECK_IS(PROCESS_SUSPEND_(named, 0), 2);
    codes[0] = 32;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , named, codes, 1, values, 600, &words), 0);
    CHECK_IS(values[0], 3);
    CHECK_IS(PROCESS_ACTIVATE_(named), 0);
    CHECK_IS(PROCESS_ACTIVATE_(named, 0), 2);
    CHECK_IS(PROCESS_SUSPEND_(pair, 1), 0);
    CHECK_IS(PROCESS_SUSPEND_(pair), 2);
    CHECK_IS(PROCESS_ACTIVATE_(pair, 1), 0);
    CHECK_IS(PROCESS_ACTIVATE_(pair, 1), 2);
    CHECK_IS(PROCESS_SUSPEND_(unnamed, 1), 0);
    CHECK_IS(PROCESS_ACTIVATE_(unnamed, 1), 0);
    CHECK_IS(PROCESS_ACTIVATE_(named, 2), 590);
    CHECK_IS(PROCESS_ACTIVATE_(named, -1), 590);
    CHECK_IS(PROCESS_ACTIVATE_(garbage()), 590);
    CHECK_IS(PROCESS_ACTIVATE_((short *)NULL), 22);
    CHECK_IS(PROCESS_ACTIVATE_(), 29);
    CHECK_IS(PROCESS_ACTIVATE_(gone()), 11);
    CHECK_IS(PROCESS_ACTIVATE_(gone(), 1), 11);
    memcpy(other, named, 20);
    other[1] = 9;
    CHECK_IS(PROCESS_ACTIVATE_(other), 201);
    CHECK_IS(PROCESS_SUSPEND_(other), 201);
    CHECK_IS(PROCESS_SUSPEND_(gone()), 11);
    CHECK_IS(PROCESS_SUSPEND_(), 29);
}

static void settings(void)
{
    short one = 1, old[10], old_length = -9;

    /* The caller becomes mom of its named child: it hears twice of its end. */
    CHECK_IS(PROCESS_SETINFO_(named, , 40, , , old, 10, &old_length), 0);
    CHECK_IS(old_length, 10);
    CHECK_IS(old[0], -1);
    codes[0] = 40;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , named, codes, 1, values, 600, &words), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(values, mine), 2);
    CHECK_IS(PROCESS_SETINFO_(named, 0, 40, mine, 10), 0);
    CHECK_IS(PROCESS_SETINFO_(named, , 40, unnamed, 10), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 40), 2);
    CHECK_IS(PROCESS_SETINFO_(named, , 40, , , old, 9, &old_length), 1);
    CHECK_IS(PROCESS_SETINFO_(gone(), , 40), 4);
    CHECK_IS(PROCESS_SETINFO_(far_away(), , 40), 6);
    CHECK_IS(PROCESS_SETINFO_((short *)NULL, , 40), 3);
    CHECK_IS(PROCESS_SETINFO_(, , 47, &one, 1, old, 10, &old_length), 0);
    CHECK_IS(old_length, 1);
    CHECK_IS(old[0], 1);
    CHECK_IS(PROCESS_SETINFO_(named, , 47, &one, 1), 2);
    CHECK_IS(PROCESS_SETINFO_(, 2, 47, &one, 1), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 47, &one), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 99, &one, 1), 2);
    CHECK_IS(PROCESS_SETINFO_(), 2);
    CHECK_IS(PROCESS_STOP_(named), 0);
    await(-101);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[1], named), 2);
    await(-101);
    CHECK_IS(PROCESSHANDLE_COMPARE_(&message[1], named), 2);
    CHECK_IS(PROCESS_GETINFO_(named), 4);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"one_process", one_process},
        {"one_process_refused", one_process_refused},
        {"pairs", pairs},
        {"pairs_refused", pairs_refused},
        {"attributes", attributes},
        {"searches", searches},
        {"attributes_refused", attributes_refused},
        {"standing_still", standing_still},
        {"settings", settings},
    };
    short receive = -1;

    if (strcmp(child_part(), "pair") == 0 && PROCESS_GETPAIRINFO_() == 4)
        CHECK_IS(__ns_start_backup(&detail), 0);
    if (*child_part() != 0)
        wait_to_be_stopped();
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    PROCESSHANDLE_GETMINE_(mine);
    create_child("$KID", 0, "wait", named);
    create_child(NULL, 0, "wait", unnamed);
    create_child("$PAIR", 0, "pair", pair);
    while (PROCESS_GETPAIRINFO_(pair) == 4)
        DELAY(1);
    return RUN_CHECKS(list);
}
