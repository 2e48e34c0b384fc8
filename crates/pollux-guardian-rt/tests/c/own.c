/* A program that asks about itself and computes: handles, names, times, timers, losses. Its argument says which.
   It runs as $OWN, on its own. */
#include "check.h"
#include "messages.h"
#include <time.h>

static short mine[10];
static char text[60];
static short length;

static void handles(void)
{
    short other[10], cpu, pin, i;
    int node;
    long long sequence;
    char node_name[20], name[20];
    short node_length, name_length;

    CHECK_IS(PROCESSHANDLE_GETMINE_(NULL), 22);
    CHECK_IS(PROCESSHANDLE_GETMINE_(mine), 0);
    CHECK_IS(PROCESSHANDLE_NULLIT_(NULL), 22);
    CHECK_IS(PROCESSHANDLE_NULLIT_(other), 0);
    for (i = 0; i < 10; i++)
        CHECK_IS(other[i], -1);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, mine), 2);
    memcpy(other, mine, 20);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);

    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, &cpu, &pin, &node, node_name, (short)sizeof node_name, &node_length,
                                      name, (short)sizeof name, &name_length, &sequence), 0);
    CHECK_IS(cpu, 1);
    CHECK_IS(pin > 0, 1);
    CHECK_IS(sequence > 0, 1);
    name[name_length] = 0;
    CHECK_TEXT(name, "$OWN");
    CHECK_IS(node_name[0], '\\');
    memset(name, 0, sizeof name);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , name, (short)sizeof name, &name_length), 0);
    CHECK_TEXT(name, "$OWN");
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , name, 2, &name_length), 563);
    CHECK_IS(name_length, 0);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , name, (short)sizeof name), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine), 0);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(), 29);
    other[0] = 0;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, &cpu), 590);

    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, (short)sizeof text, &length), 0);
    CHECK_IS(strncmp(strchr(text, '.'), ".$OWN:", 6), 0);
    CHECK_IS(strlen(text), length);
    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, (short)sizeof text, &length, 1), 0);
    CHECK_TEXT(strchr(text, '.'), ".$OWN");
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, 3, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, (short)sizeof text, &length, 2), 590);
    PROCESSHANDLE_NULLIT_(other);
    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, (short)sizeof text, &length, 1), 0);
    CHECK_TEXT(strchr(text, '.'), ".$OWN");

    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, (short)sizeof text, &length), 0);
    CHECK_TEXT(strchr(text, '.'), ".$OWN");
    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, (short)sizeof text, &length, node_name, node_length), 0);
    CHECK_TEXT(text, "$OWN");
    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, (short)sizeof text, &length, node_name, node_length, 2), 0);
    CHECK_IS(strncmp(text, "1,", 2), 0);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, (short)sizeof text, &length, , , 3), 590);

    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$own", 4, other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$NOONE", 6, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$OWN:1", 6, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$", 1, other), 13);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("\\FAR.$OWN", 9, other), 18);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$:15:9:9", 8, other), 201);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$:0:9999:9", 10, other), 14);

    memset(text, 0, sizeof text);
    CHECK_IS(PROCESSNAME_CREATE_(text, (short)sizeof text, &length), 0);
    CHECK_IS(text[0], '\\');
    CHECK_IS(PROCESSNAME_CREATE_(text, (short)sizeof text, &length, 0, , , 1), 0);
    CHECK_IS(length, 5);
    CHECK_IS(PROCESSNAME_CREATE_(text, (short)sizeof text, &length, 1, , , 1), 0);
    CHECK_IS(length, 6);
    CHECK_IS(PROCESSNAME_CREATE_(text, (short)sizeof text, &length, 2), 590);
    CHECK_IS(PROCESSNAME_CREATE_(text, 2, &length), 563);
    CHECK_IS(PROCESSNAME_CREATE_(text, (short)sizeof text, &length, , "\\FAR", 4), 201);

    CHECK_IS(NODENUMBER_TO_NODENAME_(, text, (short)sizeof text, &length), 0);
    CHECK_IS(length, node_length);
    CHECK_IS(NODENUMBER_TO_NODENAME_(node, text, (short)sizeof text, &length), 0);
    memset(text, 0, sizeof text);
    CHECK_IS(NODENUMBER_TO_NODENAME_(250, text, (short)sizeof text, &length), 18);
    CHECK_TEXT(text, "\\250");
    node = 99;
    CHECK_IS(NODENAME_TO_NODENUMBER_(node_name, node_length, &node), 0);
    CHECK_IS(node != 99, 1);
    CHECK_IS(NODENAME_TO_NODENUMBER_(, , &node), 0);
    CHECK_IS(NODENAME_TO_NODENUMBER_("\\FAR", 4, &node), 18);
    CHECK_IS(NODENAME_TO_NODENUMBER_("FAR", 3, &node), 13);
}

static void files(void)
{
    short old[12], count, kind, level;

    memset(text, 0, sizeof text);
    CHECK_IS(FILENAME_DECOMPOSE_("$a.b.c", 6, text, (short)sizeof text, &length, 1), 0);
    CHECK_TEXT(text, "B");
    CHECK_IS(FILENAME_DECOMPOSE_("$a.b.c", 6, text, (short)sizeof text, &length, -1), 0);
    CHECK_IS(length, 0);
    CHECK_IS(FILENAME_DECOMPOSE_("$a.b.c", 6, text, (short)sizeof text, &length, 3), 590);
    CHECK_IS(FILENAME_DECOMPOSE_("$a..c", 5, text, (short)sizeof text, &length, 0), 13);
    CHECK_IS(FILENAME_DECOMPOSE_("$abc", 4, text, 2, &length, 0), 563);
    memset(text, 0, sizeof text);
    CHECK_IS(FILENAME_RESOLVE_("file", 4, text, (short)sizeof text, &length, , , , , , "$v.s", 4), 0);
    CHECK_TEXT(strchr(text, '.'), ".$V.S.FILE");
    CHECK_IS(FILENAME_RESOLVE_("fi-le", 5, text, (short)sizeof text, &length), 13);
    CHECK_IS(FILENAME_SCAN_("$a.#b, c", 8, &count, &kind, &level), 0);
    CHECK_IS(count, 5);
    CHECK_IS(kind, 0);
    CHECK_IS(level, 1);
    CHECK_IS(FILENAME_SCAN_(", c", 3, &count), 13);
    CHECK_IS(FILENAME_TO_OLDFILENAME_("$a.b.c", 6, old), 0);
    CHECK_IS(memcmp(old, "$A      B       C       ", 24), 0);
    memset(text, 0, sizeof text);
    CHECK_IS(OLDFILENAME_TO_FILENAME_(old, text, (short)sizeof text, &length), 0);
    CHECK_TEXT(strchr(text, '.'), ".$A.B.C");
    CHECK_IS(FILENAME_TO_OLDFILENAME_("\\far.$a.b.c", 11, old), 18);
    CHECK_IS(STRING_UPSHIFT_("abC1", 4, text, 4), 0);
    CHECK_IS(memcmp(text, "ABC1", 4), 0);
    CHECK_IS(STRING_UPSHIFT_("abC1", 4, text, 3), 563);
}

static void times(void)
{
    long long now, then, universal;
    short date[8], mask, error, status, word;
    char digits[20];

    now = JULIANTIMESTAMP();
    CHECK_IS(now / 1000000 - 210866760000LL - time(NULL) >= -1, 1);
    CHECK_IS(now / 1000000 - 210866760000LL - time(NULL) <= 1, 1);
    CHECK_IS(JULIANTIMESTAMP(0, , &error) >= now, 1);
    CHECK_IS(error, 0);
    CHECK_IS(JULIANTIMESTAMP(1) < now, 1);
    CHECK_IS(JULIANTIMESTAMP(3) > 0, 1);
    CHECK_IS(JULIANTIMESTAMP(4, , &error), -1);
    CHECK_IS(error, 590);
    CHECK_IS(JULIANTIMESTAMP(0, , &error, 77), -1);
    CHECK_IS(error, 18);
    CHECK_IS(INTERPRETTIMESTAMP(210866760000000000LL, date), 2440588);
    CHECK_IS(date[0], 1970);
    CHECK_IS(date[1], 1);
    CHECK_IS(date[3], 0);
    CHECK_IS(INTERPRETTIMESTAMP(-1LL, date), -1);
    CHECK_IS(COMPUTETIMESTAMP(date, &mask), 210866760000000000LL);
    CHECK_IS(mask, 0);
    date[1] = 13;
    CHECK_IS(COMPUTETIMESTAMP(date, &mask), -1);
    CHECK_IS(mask, 0x4000);
    then = CONVERTTIMESTAMP(now, 0);
    universal = CONVERTTIMESTAMP(then, 2, , &error);
    if (error == 0)
        CHECK_IS(universal, now);
    CHECK_IS(CONVERTTIMESTAMP(now), then);
    CHECK_IS(CONVERTTIMESTAMP(CONVERTTIMESTAMP(now, 1), 3), now);
    CHECK_IS(CONVERTTIMESTAMP(now, 4, , &error), -1);
    CHECK_IS(error, 590);
    CHECK_IS(CONVERTTIMESTAMP(now, 0, 77, &error), -1);
    CHECK_IS(error, 18);
    CHECK_IS(MYPROCESSTIME() > 0, 1);
    now = JULIANTIMESTAMP();
    DELAY(5);
    CHECK_IS(JULIANTIMESTAMP() - now >= 50000, 1);
    now = JULIANTIMESTAMP();
    PROCESS_DELAY_(20000LL);
    CHECK_IS(JULIANTIMESTAMP() - now >= 20000, 1);
    DELAY(0);
    PROCESS_DELAY_(-1LL);
    CHECK_IS((char *)NUMIN("-12,", &word, 10, &status) != NULL, 1);
    CHECK_IS(word, -12);
    CHECK_IS(status, 0);
    memset(digits, 0, sizeof digits);
    NUMOUT(digits, 42, 10, 5);
    CHECK_TEXT(digits, "00042");
    CHECK_IS((PROCESSORSTATUS() >> 16) & 0xffff, 2);
    CHECK_IS(PROCESSORSTATUS() & 0xffff, 0xc000);
    CHECK_IS(HEADROOM_ENSURE_(4096), 0);
    CHECK_IS(TOSVERSION() >> 8, 'L');
}

static void timers(void)
{
    short receive, tag, other;
    int element;
    volatile long long sum = 0;
    long long used;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    CHECK_IS(SIGNALTIMEOUT(30, 2, 3, &tag), 0);
    CHECK_IS(SIGNALTIMEOUT(5, 7, 70000), 0);
    read_signal(-22, 7, 70000);
    read_signal(-22, 2, 3);
    CHECK_IS(CANCELTIMEOUT(tag), 1);
    CHECK_IS(SIGNALTIMEOUT(10, 1, 1, &tag), 0);
    CHECK_IS(SIGNALTIMEOUT(20, , , &other), 0);
    CHECK_IS(tag != other, 1);
    CHECK_IS(CANCELTIMEOUT(tag), 0);
    read_signal(-22, 0, 0);
    CHECK_IS(SIGNALTIMEOUT(0), 1);
    CHECK_IS(SIGNALTIMEOUT(-1), 1);
    CHECK_IS(SIGNALTIMEOUT(5, 1, 1, (short *)NULL), 1);
    CHECK_IS(SIGNALTIMEOUT(5, 1), 0);
    CHECK_IS(CANCELTIMEOUT(-1), 0);
    CHECK_IS(TIMER_START_(50000LL, 65537LL, 4294967298LL, &element), 0);
    read_signal(-22, 1, 2);
    CHECK_IS(TIMER_START_(0LL, 1LL, 1LL, &element), 590);
    CHECK_IS(TIMER_START_(900000LL, 1LL, 1LL, &element), 0);
    CHECK_IS(TIMER_STOP_(element), 0);
    CHECK_IS(TIMER_STOP_(element) != 0, 1);
    CHECK_IS(SIGNALPROCESSTIMEOUT(10, 9, 9, &tag), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(1000000, 8, 8, &other), 0);
    CHECK_IS(CANCELPROCESSTIMEOUT(other), 0);
    used = MYPROCESSTIME();
    while (MYPROCESSTIME() - used < 150000)
        sum += 1;
    read_signal(-26, 9, 9);
    CHECK_IS(CANCELPROCESSTIMEOUT(tag), 1);
}

static void losses(void)
{
    short table[3][24], index, message[40], i, node_words[2];
    int node;
    short cpu, pin;

    PROCESSHANDLE_GETMINE_(mine);
    PROCESSHANDLE_DECOMPOSE_(mine, &cpu, &pin, &node);
    memcpy(node_words, &node, 4);
    for (i = 0; i < 3; i++) {
        PROCESSHANDLE_NULLIT_(table[i]);
        PROCESSHANDLE_NULLIT_(&table[i][10]);
    }
    memcpy(table[1], mine, 20);
    memcpy(&table[2][10], mine, 20);
    memcpy(table[2], mine, 20);
    message[0] = -2;
    message[1] = 9;
    index = -1;
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 24), 0);
    message[1] = cpu;
    index = -1;
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 24), 6);
    CHECK_IS(index, 1);
    CHECK_IS(table[1][0], -1);
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 24), 6);
    CHECK_IS(index, 2);
    CHECK_IS(table[2][10], -1);
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 24), 0);
    message[0] = -104;
    index = -1;
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 24), 7);
    message[0] = -2;
    CHECK_IS(OPENER_LOST_((char *)message, 2, (short *)table, &index, 3, 24), 2);
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)table, &index, 3, 19), 2);
    CHECK_IS(OPENER_LOST_(NULL, 4, (short *)table, &index, 3, 24), 3);
    CHECK_IS(OPENER_LOST_((char *)message, 4, (short *)NULL, &index, 3, 24), 3);
    memcpy(table[0], mine, 20);
    message[0] = -110;
    memcpy(&message[4], &node, 4);
    CHECK_IS(OPENER_LOST_((char *)message, 20, (short *)table, &index, 3, 24), 6);
    CHECK_IS(index, 0);

    message[0] = -101;
    memcpy(&message[1], mine, 20);
    CHECK_IS(CHILD_LOST_((char *)message, 82, mine), 4);
    message[0] = -2;
    message[1] = (short)(cpu + 1);
    CHECK_IS(CHILD_LOST_((char *)message, 4, mine), 0);
    message[1] = cpu;
    CHECK_IS(CHILD_LOST_((char *)message, 4, mine), 4);
    message[0] = -103;
    CHECK_IS(CHILD_LOST_((char *)message, 4, mine), 5);
    CHECK_IS(CHILD_LOST_((char *)message, 1, mine), 2);
    CHECK_IS(CHILD_LOST_(NULL, 4, mine), 3);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(what, "handles") == 0)
        handles();
    else if (strcmp(what, "files") == 0)
        files();
    else if (strcmp(what, "times") == 0)
        times();
    else if (strcmp(what, "timers") == 0)
        timers();
    else if (strcmp(what, "losses") == 0)
        losses();
    else
        failed();
    printf("PASSED\n");
    return 0;
}
