/* Process handles, names of processes and nodes: every form with parameters left out, every error number. It runs as $OWN in
   CPU 1 of a node of two CPUs. */
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM ((short)sizeof text)

static short mine[10], other[10];
static char text[60];
static short length = -9, cpu = -9, pin = -9;
static int node = -9;
static long long sequence = -9;

/* The text that the last call has stored. */
static const char *got(void)
{
    text[length] = 0;
    return text;
}

static void own_handle(void)
{
    CHECK_IS(PROCESSHANDLE_GETMINE_(mine), 0);
    CHECK_IS(PROCESSHANDLE_GETMINE_(NULL), 22);
    CHECK_IS(PROCESSHANDLE_NULLIT_(other), 0);
    CHECK_IS(other[0] == -1 && other[9] == -1, 1);
    CHECK_IS(PROCESSHANDLE_NULLIT_(NULL), 22);
}

/* How a child ends that compares with nothing. */
static int end_of_compare(int first)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        if (first)
            PROCESSHANDLE_COMPARE_(NULL, mine);
        else
            PROCESSHANDLE_COMPARE_(mine, NULL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void compare(void)
{
    short none[10];

    PROCESSHANDLE_NULLIT_(none);
    memcpy(other, mine, 20);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);
    CHECK_IS(PROCESSHANDLE_COMPARE_(none, none), 2);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, none), 0);
    /* The same sequence number in another CPU: the other half. */
    other[1] ^= 1;
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 1);
    other[9]++;
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 0);
    CHECK_IS(end_of_compare(0), SIGABRT);
    CHECK_IS(end_of_compare(1), SIGABRT);
}

static void decompose(void)
{
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, &cpu), 0);
    CHECK_IS(cpu, 1);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , &pin), 0);
    CHECK_IS(pin > 0, 1);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , &node), 0);
    CHECK_IS(node >= 0, 1);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , text, ROOM, &length), 0);
    CHECK_TEXT(got(), "\\TEST");
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , text, ROOM, &length), 0);
    CHECK_TEXT(got(), "$OWN");
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , , , , &sequence), 0);
    CHECK_IS(sequence > 0, 1);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine), 0);

    /* A text, its room and its length are there together, or none of them. */
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(, &cpu), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , text), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , text, ROOM), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , &length), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , text), 29);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , , , &length), 29);

    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(NULL, &cpu), 22);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , (char *)NULL, ROOM, &length), 22);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , (char *)NULL, ROOM, &length), 22);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , text, 4, &length), 563);
    CHECK_IS(length, 0);
    length = -9;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , text, 3, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(mine, , , , text, -1, &length), 590);
    PROCESSHANDLE_NULLIT_(other);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, &cpu), 590);
    other[0] = 7;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, &cpu), 590);

    /* An instance of the name that is gone: its parts are in the handle, its name is nobody's. */
    memcpy(other, mine, 20);
    other[9]++;
    cpu = -9;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, &cpu), 0);
    CHECK_IS(cpu, 1);
    length = -9;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, , , , , , , text, ROOM, &length), 14);
    CHECK_IS(length, 0);

    /* A node of which only the number is known. */
    memcpy(other, mine, 20);
    other[3] = 0;
    other[4] = 255;
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, , , &node), 0);
    CHECK_IS(node, 255);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_(other, , , , text, ROOM, &length), 18);
    CHECK_TEXT(got(), "\\255");
}

static void to_filename(void)
{
    char wanted[60];

    PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , , , , &sequence);
    sprintf(wanted, "\\TEST.$OWN:%lld", sequence);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, ROOM, &length), 0);
    CHECK_TEXT(got(), wanted);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, ROOM, &length, 0), 0);
    CHECK_TEXT(got(), wanted);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, ROOM, &length, 1), 0);
    CHECK_TEXT(got(), "\\TEST.$OWN");
    PROCESSHANDLE_NULLIT_(other);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, ROOM, &length), 0);
    CHECK_TEXT(got(), wanted);
    memset(other, 0, sizeof other);
    other[0] = -1;
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, ROOM, &length, 1), 0);

    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(), 29);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(, text, ROOM, &length), 29);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text), 29);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, , ROOM, &length), 29);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, ROOM), 29);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(NULL, text, ROOM, &length), 22);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, (char *)NULL, ROOM, &length), 22);
    length = -9;
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, 9, &length, 1), 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, 10, &length, 1), 0);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, -1, &length), 590);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(mine, text, ROOM, &length, 2), 590);
    other[0] = 7;
    length = -9;
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, ROOM, &length), 590);
    CHECK_IS(length, 0);
    memcpy(other, mine, 20);
    other[9]++;
    length = -9;
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, ROOM, &length), 14);
    CHECK_IS(length, 0);
    /* An unnamed process of a node of which only the number is known: its name is made all the same. */
    memcpy(other, mine, 20);
    other[0] = 0x100;
    other[2] = 33;
    other[4] = 255;
    sprintf(wanted, "\\255.$:1:33:%lld", sequence);
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(other, text, ROOM, &length), 18);
    CHECK_TEXT(got(), wanted);
}

static void to_string(void)
{
    char wanted[60];

    PROCESSHANDLE_DECOMPOSE_(mine, , &pin);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length), 0);
    CHECK_TEXT(got(), "\\TEST.$OWN");
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , , 0), 0);
    CHECK_TEXT(got(), "\\TEST.$OWN");
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , , 1), 0);
    CHECK_TEXT(got(), "\\TEST.$OWN");
    sprintf(wanted, "\\TEST.1,%d", pin);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , , 2), 0);
    CHECK_TEXT(got(), wanted);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, "\\test", 5), 0);
    CHECK_TEXT(got(), "$OWN");
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, "\\TEST", 5, 2), 0);
    CHECK_TEXT(got(), wanted + 6);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, "\\FAR", 4), 0);
    CHECK_TEXT(got(), "\\TEST.$OWN");

    CHECK_IS(PROCESSHANDLE_TO_STRING_(), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(, text, ROOM, &length), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, "\\TEST"), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , 5), 29);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(NULL, text, ROOM, &length), 22);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, (char *)NULL, ROOM, &length), 22);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, "TEST", 4), 13);
    length = -9;
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, 9, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , , 3), 590);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(mine, text, ROOM, &length, , , -1), 590);
    PROCESSHANDLE_NULLIT_(other);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(other, text, ROOM, &length), 590);
    /* A name that is gone is shown as a place, unless a name is asked for. */
    memcpy(other, mine, 20);
    other[9]++;
    CHECK_IS(PROCESSHANDLE_TO_STRING_(other, text, ROOM, &length), 0);
    CHECK_TEXT(got(), wanted);
    CHECK_IS(PROCESSHANDLE_TO_STRING_(other, text, ROOM, &length, , , 1), 14);
    CHECK_IS(length, 0);
    other[0] = 0x100;
    CHECK_IS(PROCESSHANDLE_TO_STRING_(other, text, ROOM, &length, , , 1), 14);
    memcpy(other, mine, 20);
    other[4] = 255;
    CHECK_IS(PROCESSHANDLE_TO_STRING_(other, text, ROOM, &length, , , 2), 18);
}

static void from_filename(void)
{
    char place[60];

    PROCESSHANDLE_DECOMPOSE_(mine, &cpu, &pin, , , , , , , , &sequence);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$own", 4, other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("\\test.$OWN.#q.r", 15, other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);
    sprintf(place, "$OWN:%lld", sequence);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_(place, (short)strlen(place), other), 0);
    sprintf(place, "$:%d:%d:%lld", cpu, pin, sequence);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_(place, (short)strlen(place), other), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(mine, other), 2);
    sprintf(place, "$:%d:%d:%lld", cpu, pin, sequence + 1);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_(place, (short)strlen(place), other), 14);

    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$OWN", 4, NULL), 22);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_((const char *)NULL, 4, other), 22);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$OWN", 0, other), 13);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$OWN", -1, other), 13);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$O-N", 4, other), 13);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$:1:2", 5, other), 13);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$NONE", 5, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$OWN:1", 6, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$TOOLONG", 8, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$a.b.c", 6, other), 14);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("\\FAR.$OWN", 9, other), 18);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$:15:9:9", 8, other), 201);
}

static void new_names(void)
{
    char second[20];

    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length), 0);
    CHECK_IS(length, 11);
    CHECK_IS(memcmp(text, "\\TEST.$X", 8), 0);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , , , 0), 0);
    CHECK_IS(length, 11);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, 0), 0);
    CHECK_IS(length, 11);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, 1, , , 1), 0);
    CHECK_IS(length, 6);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , "\\test", 5, 1), 0);
    CHECK_IS(length, 5);
    CHECK_IS(PROCESSNAME_CREATE_(second, (short)sizeof second, &length, , , , 1), 0);
    CHECK_IS(memcmp(text, second, 5) != 0, 1);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_(second, length, other), 14);

    CHECK_IS(PROCESSNAME_CREATE_(), 29);
    CHECK_IS(PROCESSNAME_CREATE_(text), 29);
    CHECK_IS(PROCESSNAME_CREATE_(, ROOM, &length), 29);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM), 29);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , "\\TEST"), 29);
    CHECK_IS(PROCESSNAME_CREATE_((char *)NULL, ROOM, &length), 22);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , "TEST", 4), 13);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , "\\FAR", 4), 201);
    length = -9;
    CHECK_IS(PROCESSNAME_CREATE_(text, 10, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, 2), 590);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, -1), 590);
    CHECK_IS(PROCESSNAME_CREATE_(text, ROOM, &length, , , , 2), 590);
}

static void nodes(void)
{
    int own, device = -9;
    short narrow = -9;

    PROCESSHANDLE_DECOMPOSE_(mine, , , &own);
    CHECK_IS(NODENUMBER_TO_NODENAME_(, text, ROOM, &length), 0);
    CHECK_TEXT(got(), "\\TEST");
    CHECK_IS(NODENUMBER_TO_NODENAME_(-1, text, ROOM, &length), 0);
    CHECK_TEXT(got(), "\\TEST");
    CHECK_IS(NODENUMBER_TO_NODENAME_(own, text, ROOM, &length, &device), 0);
    CHECK_TEXT(got(), "\\TEST");
    CHECK_IS(device, 32767);
    CHECK_IS(NODENUMBER_TO_NODENAME_(200, text, ROOM, &length), 18);
    CHECK_TEXT(got(), "\\200");
    CHECK_IS(NODENUMBER_TO_NODENAME_(), 29);
    CHECK_IS(NODENUMBER_TO_NODENAME_(own, text), 29);
    CHECK_IS(NODENUMBER_TO_NODENAME_(own, text, ROOM), 29);
    CHECK_IS(NODENUMBER_TO_NODENAME_(own, (char *)NULL, ROOM, &length), 22);
    length = -9;
    CHECK_IS(NODENUMBER_TO_NODENAME_(own, text, 4, &length), 563);
    CHECK_IS(length, 0);
    CHECK_IS(NODENUMBER_TO_NODENAME_(-2, text, ROOM, &length), 590);

    CHECK_IS(NODENAME_TO_NODENUMBER_("\\TEST", 5, &node), 0);
    CHECK_IS(node, own);
    node = -9;
    CHECK_IS(NODENAME_TO_NODENUMBER_(, , &node, &device), 0);
    CHECK_IS(node, own);
    CHECK_IS(device, 32767);
    CHECK_IS(NODENAME_TO_NODENUMBER_("\\test   ", 8, &node), 0);
    CHECK_IS(NODENAME_TO_NODENUMBER_(, , &narrow), 0);
    CHECK_IS(narrow, own);
    CHECK_IS(NODENAME_TO_NODENUMBER_(), 29);
    CHECK_IS(NODENAME_TO_NODENUMBER_("\\TEST", 5), 29);
    CHECK_IS(NODENAME_TO_NODENUMBER_("\\TEST", , &node), 29);
    CHECK_IS(NODENAME_TO_NODENUMBER_((const char *)NULL, 5, &node), 22);
    CHECK_IS(NODENAME_TO_NODENUMBER_("TEST", 4, &node), 13);
    CHECK_IS(NODENAME_TO_NODENUMBER_("\\FAR", 4, &node), 18);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"own_handle", own_handle}, {"compare", compare},         {"decompose", decompose},
        {"to_filename", to_filename}, {"to_string", to_string},   {"from_filename", from_filename},
        {"new_names", new_names},   {"nodes", nodes},
    };
    PROCESSHANDLE_GETMINE_(mine);
    return RUN_CHECKS(list);
}
