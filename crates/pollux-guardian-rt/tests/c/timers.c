/* Timers, and what becomes of a table of openers: every form with parameters left out, every error number. */
#include "check.h"
#include "messages.h"

#define TIMERS_MAX 1024

static short tag = -9, other = -9;
static int element = -9;

static void signals(void)
{
    CHECK_IS(SIGNALTIMEOUT(1), 0);
    read_signal(-22, 0, 0);
    CHECK_IS(SIGNALTIMEOUT(1, -7), 0);
    read_signal(-22, -7, 0);
    CHECK_IS(SIGNALTIMEOUT(1, , -70000), 0);
    read_signal(-22, 0, -70000);
    CHECK_IS(SIGNALTIMEOUT(1, , , &tag), 0);
    read_signal(-22, 0, 0);
    CHECK_IS(CANCELTIMEOUT(tag), 1);
    CHECK_IS(SIGNALTIMEOUT(6000, 1, 1, &tag), 0);
    CHECK_IS(SIGNALTIMEOUT(6000, 1, 1, &other), 0);
    CHECK_IS(tag != other, 1);
    CHECK_IS(CANCELTIMEOUT(tag), 0);
    CHECK_IS(CANCELTIMEOUT(tag), 1);
    CHECK_IS(CANCELTIMEOUT(other), 0);
    CHECK_IS(CANCELTIMEOUT(-2), 1);

    CHECK_IS(SIGNALTIMEOUT(0, 1, 1, &tag), 1);
    CHECK_IS(SIGNALTIMEOUT(-1, 1, 1, &tag), 1);
    CHECK_IS(SIGNALTIMEOUT(1, 1, 1, (short *)NULL), 1);
    CHECK_IS(SIGNALTIMEOUT(, 1, 1, &tag), -1);
    CHECK_IS(error_of(-1), 29);
}

static void processor_signals(void)
{
    long long used;
    volatile int work = 0;

    CHECK_IS(SIGNALPROCESSTIMEOUT(1, 5, 6, &tag), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(2), 0);
    used = MYPROCESSTIME();
    while (MYPROCESSTIME() - used < 40000)
        work++;
    read_signal(-26, 5, 6);
    read_signal(-26, 0, 0);
    CHECK_IS(CANCELPROCESSTIMEOUT(tag), 1);
    CHECK_IS(SIGNALPROCESSTIMEOUT(6000, , , &tag), 0);
    CHECK_IS(CANCELPROCESSTIMEOUT(tag), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(6000, 1), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(6000, , 1), 0);
    CHECK_IS(CANCELPROCESSTIMEOUT(-1), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(0), 1);
    CHECK_IS(SIGNALPROCESSTIMEOUT(-5), 1);
    CHECK_IS(SIGNALPROCESSTIMEOUT(1, 1, 1, (short *)NULL), 1);
    CHECK_IS(SIGNALPROCESSTIMEOUT(, 1), -1);
    CHECK_IS(error_of(-1), 29);
}

static void elements(void)
{
    CHECK_IS(TIMER_START_(1000LL, 65537LL, 4294967298LL, &element), 0);
    read_signal(-22, 1, 2);
    CHECK_IS(TIMER_STOP_(element), 590);
    CHECK_IS(TIMER_START_(60000000LL, 0LL, 0LL, &element), 0);
    CHECK_IS(TIMER_STOP_(element), 0);
    CHECK_IS(TIMER_STOP_(element), 590);
    CHECK_IS(TIMER_STOP_(-1), 590);
    CHECK_IS(TIMER_STOP_(70000), 590);
    CHECK_IS(TIMER_START_(0LL, 0LL, 0LL, &element), 590);
    CHECK_IS(TIMER_START_(-1LL, 0LL, 0LL, &element), 590);
    CHECK_IS(TIMER_START_(1000LL, 0LL, 0LL, (int *)NULL), 22);
    CHECK_IS(TIMER_START_(), 29);
    CHECK_IS(TIMER_START_(1000LL, 0LL, 0LL), 29);
    CHECK_IS(TIMER_START_(1000LL, , 0LL, &element), 29);
    CHECK_IS(TIMER_START_(, 0LL, 0LL, &element), 29);
}

/* All elements are in use. Both kinds have as many. */
static void no_element_left(void)
{
    int i;

    for (i = 0; i < TIMERS_MAX; i++)
        CHECK_IS(SIGNALTIMEOUT(600000), 0);
    CHECK_IS(SIGNALTIMEOUT(600000), -1);
    CHECK_IS(TIMER_START_(60000000LL, 0LL, 0LL, &element), 3600);
    CHECK_IS(CANCELTIMEOUT(-1), 0);
    CHECK_IS(TIMER_START_(60000000LL, 0LL, 0LL, &element), 0);
    CHECK_IS(CANCELTIMEOUT(-1), 0);
    CHECK_IS(TIMER_STOP_(element), 590);
    for (i = 0; i < TIMERS_MAX; i++)
        CHECK_IS(SIGNALPROCESSTIMEOUT(600000), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(600000), -1);
    CHECK_IS(CANCELPROCESSTIMEOUT(-1), 0);
    CHECK_IS(SIGNALPROCESSTIMEOUT(600000, , , &tag), 0);
    CHECK_IS(CANCELPROCESSTIMEOUT(tag), 0);
}

/* Two handles of an opener, then what the program keeps of it. */
struct entry {
    short primary[10];
    short backup[10];
    short own[4];
};

static struct entry table[4];
static short here[10], there[10], index_of_entry;

static short lost(const short *message, short bytes)
{
    return OPENER_LOST_((char *)message, bytes, table, &index_of_entry, 4, (short)(sizeof table[0] / 2));
}

static void openers(void)
{
    short cpu_1_down[2] = {-2, 1}, up[2] = {-3, 1};
    int i;

    /* In CPU 1: the backup of 0, the primary of 1, both of 2, none of 3. */
    for (i = 0; i < 4; i++) {
        memcpy(table[i].primary, there, 20);
        memcpy(table[i].backup, there, 20);
        table[i].own[0] = 77;
    }
    memcpy(table[0].backup, here, 20);
    memcpy(table[1].primary, here, 20);
    memcpy(table[2].primary, here, 20);
    PROCESSHANDLE_NULLIT_(table[2].backup);
    index_of_entry = -1;
    CHECK_IS(lost(cpu_1_down, 4), 4);
    CHECK_IS(index_of_entry, 0);
    CHECK_IS(table[0].backup[0], -1);
    CHECK_IS(PROCESSHANDLE_COMPARE_(table[0].primary, there), 2);
    CHECK_IS(lost(cpu_1_down, 4), 5);
    CHECK_IS(index_of_entry, 1);
    CHECK_IS(PROCESSHANDLE_COMPARE_(table[1].primary, there), 2);
    CHECK_IS(table[1].backup[0], -1);
    CHECK_IS(lost(cpu_1_down, 4), 6);
    CHECK_IS(index_of_entry, 2);
    CHECK_IS(table[2].primary[0], -1);
    CHECK_IS(lost(cpu_1_down, 4), 0);
    CHECK_IS(table[3].primary[0] != -1 && table[3].backup[0] != -1, 1);
    CHECK_IS(table[0].own[0] + table[3].own[0], 154);

    index_of_entry = -1;
    CHECK_IS(lost(up, 4), 7);
    CHECK_IS(lost(cpu_1_down, 2), 2);
    CHECK_IS(lost(cpu_1_down, -1), 2);
    index_of_entry = -2;
    CHECK_IS(lost(cpu_1_down, 4), 2);
    index_of_entry = -1;
    CHECK_IS(OPENER_LOST_((char *)cpu_1_down, 4, table, &index_of_entry, -1, 24), 2);
    CHECK_IS(OPENER_LOST_((char *)cpu_1_down, 4, table, &index_of_entry, 4, 19), 2);
    CHECK_IS(OPENER_LOST_((char *)cpu_1_down, 4, table, &index_of_entry, 0, 20), 0);
    CHECK_IS(OPENER_LOST_((char *)NULL, 4, table, &index_of_entry, 4, 24), 3);
    CHECK_IS(OPENER_LOST_((char *)cpu_1_down, 4, NULL, &index_of_entry, 4, 24), 3);
    CHECK_IS(OPENER_LOST_((char *)cpu_1_down, 4, table, NULL, 4, 24), 3);
}

static void children(void)
{
    short cpu_1_down[2] = {-2, 1}, death[41] = {-101}, other_message[4] = {-103}, child[10];

    memcpy(child, there, 20);
    child[0] = 0x100; /* unnamed: lost with its CPU */
    child[1] = 1;
    CHECK_IS(CHILD_LOST_((char *)cpu_1_down, 4, child), 4);
    child[1] = 0;
    CHECK_IS(CHILD_LOST_((char *)cpu_1_down, 4, child), 0);
    child[0] = 0x101; /* named, not the own other half: another process may go on */
    child[1] = 1;
    child[9]++;
    CHECK_IS(CHILD_LOST_((char *)cpu_1_down, 4, child), 0);
    /* A death is that of the whole name. */
    memcpy(&death[1], child, 20);
    child[1] = 0;
    CHECK_IS(CHILD_LOST_((char *)death, 82, child), 4);
    child[9]++;
    CHECK_IS(CHILD_LOST_((char *)death, 82, child), 0);
    CHECK_IS(CHILD_LOST_((char *)other_message, 8, child), 5);
    CHECK_IS(CHILD_LOST_((char *)death, 10, child), 2);
    CHECK_IS(CHILD_LOST_((char *)death, -1, child), 2);
    CHECK_IS(CHILD_LOST_((char *)NULL, 82, child), 3);
    CHECK_IS(CHILD_LOST_((char *)death, 82, NULL), 3);
    PROCESSHANDLE_NULLIT_(child);
    CHECK_IS(CHILD_LOST_((char *)death, 82, child), 2);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"signals", signals},
        {"processor_signals", processor_signals},
        {"elements", elements},
        {"no_element_left", no_element_left},
        {"openers", openers},
        {"children", children},
    };
    short receive = -1;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    PROCESSHANDLE_GETMINE_(here);
    memcpy(there, here, 20);
    there[1] = 0;
    return RUN_CHECKS(list);
}
