/* Requests of many kinds to $SRV (receive depth 8) and $QUIET (no file-management messages). The first argument names
   the test. */
#include "check.h"

static char buffer[60000];
static unsigned short count;

static short open_file(const char *name, short nowait, short sync)
{
    short file = -1;
    CHECK_IS(FILE_OPEN_(name, strlen(name), &file, , , nowait, sync), 0);
    return file;
}

/* A request on a waited file; the reply ends with a zero byte. */
static _cc_status request(short file, const char *words)
{
    _cc_status status;
    strcpy(buffer, words);
    count = 9999;
    status = WRITEREADX(file, buffer, strlen(words), 4000, &count);
    buffer[count] = 0;
    return status;
}

/* The server's log so far, by an open of its own that leaves no trace in it. */
static const char *server_log(short file)
{
    CHECK_IS(request(file, "log  "), 0);
    return buffer;
}

/* Waits until the server holds so many requests: what goes over another open may come first. */
static void wait_held(short file, int number)
{
    char wanted[10];
    sprintf(wanted, "%d", number);
    do
        CHECK_IS(request(file, "held "), 0);
    while (strcmp(buffer, wanted) != 0);
}

static void test_requests(void)
{
    short file, other, error, length, types[5];
    char name[60];
    zsys_ddl_receiveinformation_def *info = (zsys_ddl_receiveinformation_def *)buffer;

    file = open_file("$SRV", 0, 0);
    CHECK_IS(file, 1);
    CHECK_IS(request(file, "echo hello"), 0);
    CHECK_TEXT(buffer, "hello");
    CHECK_IS(request(file, "echo "), 0);
    CHECK_IS(count, 0);

    /* An error comes with its data; 1 to 9 is a warning. */
    CHECK_IS(request(file, "fail 300"), -1);
    CHECK_IS(error_of(file), 300);
    CHECK_TEXT(buffer, "sorry");
    CHECK_IS(request(file, "fail 1"), 1);
    CHECK_IS(error_of(file), 1);

    /* A reply longer than the room is cut, without an error. */
    strcpy(buffer, "echo abcdefgh");
    CHECK_IS(WRITEREADX(file, buffer, 13, 3, &count), 0);
    CHECK_IS(count, 3);
    CHECK_IS(memcmp(buffer, "abc", 3), 0);
    CHECK_IS(error_of(file), 0);

    /* What the server is told of a request: data requests count from 1. */
    other = open_file("$SRV.#Q1.q2", 0, 2);
    CHECK_IS(other, 2);
    CHECK_IS(request(other, "info "), 0);
    CHECK_IS(count, 34);
    CHECK_IS(info->z_iotype, 3);
    CHECK_IS(info->z_maxreplycount, 4000);
    CHECK_IS(info->z_filenum, 2);
    CHECK_IS(info->z_syncid, 1);
    CHECK_IS(info->z_openlabel, 8);
    CHECK_IS(request(other, "info "), 0);
    CHECK_IS(info->z_syncid, 2);
    CHECK_IS(WRITEX(other, "echo x", 6, &count), 0);
    CHECK_IS(count, 6);
    CHECK_IS(READX(other, buffer, 10, &count), 1);
    CHECK_IS(error_of(other), 2);
    CHECK_IS(request(other, "info "), 0);
    CHECK_IS(info->z_syncid, 5);

    CHECK_IS(FILE_GETINFO_(other, &error, name, sizeof name, &length, types), 0);
    name[length] = 0;
    CHECK_TEXT(name, "\\TEST.$SRV.#Q1.Q2");
    CHECK_IS(types[0], 0);
    CHECK_IS(FILE_CLOSE_(other, 3), 0);
    CHECK_IS(FILE_CLOSE_(other), 16);
    CHECK_IS(FILE_GETINFO_(other, &error), 16);

    CHECK_TEXT(server_log(file), "open a0 e0 n0 s0 o0 f1 b0 q c0;open a0 e0 n0 s2 o0 f2 b0 q#Q1.Q2 c0;close t3 f2 l8 q#Q1.Q2;");
    other = open_file("$SRV", 0, 0);
    CHECK_IS(other, 2);
}

static void test_errors(void)
{
    short file = -1, none = -1, error;
    long long tag;
    int number;

    CHECK_IS(FILE_OPEN_("$NONE", 5, &file), 14);
    CHECK_IS(file, -1);
    CHECK_IS(error_of(-1), 14);
    CHECK_IS(FILE_OPEN_("$TOOLONGNAME", 12, &file), 13);
    CHECK_IS(FILE_OPEN_("\\OTHER.$SRV", 11, &file), 18);
    CHECK_IS(FILE_OPEN_("$SRV:1", 6, &file), 14);
    CHECK_IS(FILE_OPEN_("$SRV", 4, &file, , , 16), 28);
    CHECK_IS(FILE_OPEN_("$SRV", 4, &file, 9), 590);
    CHECK_IS(FILE_OPEN_(, , &file), 29);
    CHECK_IS(FILE_OPEN_("$SRV.#REFUSE", 12, &file), 48);
    CHECK_IS(file, -1);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , 2), 28);
    CHECK_IS(WRITEX(9, "x", 1), -1);

    CHECK_IS(FILE_OPEN_("$SRV", 4, &file, 1), 0);
    CHECK_IS(WRITEX(file, "x", 1), -1);
    CHECK_IS(error_of(file), 49);
    CHECK_IS(WRITEREADX(file, buffer, 57345, 0), -1);
    CHECK_IS(error_of(file), 21);
    CHECK_IS(READX(file, 0, 5), -1);
    CHECK_IS(error_of(file), 22);
    none = file;
    CHECK_IS(AWAITIOX(&none), -1);
    CHECK_IS(error_of(file), 25);
    none = 20;
    CHECK_IS(AWAITIOX(&none), -1);
    CHECK_IS(error_of(-1), 16);
    none = -1;
    CHECK_IS(AWAITIOX(&none), -1);
    CHECK_IS(error_of(-1), 26);
    none = -2;
    CHECK_IS(FILE_AWAITIO64_(&none), 22);
    none = -1;
    CHECK_IS(FILE_AWAITIO64_(&none, , , , -2), 590);
    CHECK_IS(CANCEL(file), -1);
    CHECK_IS(error_of(file), 26);
    CHECK_IS(REPLYX("x", 1), -1);

    /* $RECEIVE without a receive depth. */
    file = -1;
    CHECK_IS(FILE_OPEN_("$receive", 8, &file), 0);
    CHECK_IS(file, 0);
    CHECK_IS(READUPDATEX(0, buffer, 10), 1);
    CHECK_IS(error_of(0), 2);
    CHECK_IS(REPLYX(), 1);
    CHECK_IS(error_of(0), 2);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file), 12);
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , 1, 1), 0);
    CHECK_IS(REPLYX(), -1);
    CHECK_IS(error_of(0), 74);
    CHECK_IS(READUPDATEX(0, buffer, 10, , 5), 0);
    CHECK_IS(READUPDATEX(0, buffer, 10, , 6), -1);
    CHECK_IS(error_of(0), 28);
    none = 0;
    CHECK_IS(FILE_AWAITIO64_(&none, , &number, &tag, 0), 40);
    CHECK_IS(CANCELREQ(0, 5), 0);
    (void)error;
}

static void test_nowait(void)
{
    short file, other, which, segment = 0;
    char first[100], second[100], third[100];
    int counted;
    long long tag, address;
    short plain = 0;

    file = open_file("$SRV", 3, 0);
    strcpy(first, "hold ");
    strcpy(second, "echo two");
    strcpy(third, "echo three");
    CHECK_IS(WRITEREADX(file, first, 5, 100, , 71), 0);
    CHECK_IS(WRITEREADX(file, second, 8, 100, , -72), 0);
    CHECK_IS(WRITEREADX(file, third, 10, 100, , 73), 0);
    CHECK_IS(WRITEREADX(file, third, 10, 100, , 74), -1);
    CHECK_IS(error_of(file), 28);

    /* Nothing is finished: the first is held, and the order counts. A poll cancels nothing. */
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag, 0), 40);
    which = -1;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag, 5), 40);
    CHECK_IS(which, -1);
    CHECK_IS(error_of(-1), 40);

    /* Any order: what is done comes out, the older first. */
    CHECK_IS(SETMODE(file, 30, 1), 0);
    which = -1;
    CHECK_IS(FILE_AWAITIO64_(&which, &address, &counted, &tag, 1000, &segment), 0);
    CHECK_IS(which, file);
    CHECK_IS(tag, -72);
    CHECK_IS(counted, 3);
    CHECK_IS(address, (long long)(long)second);
    CHECK_IS(segment, -1);
    CHECK_IS(memcmp(second, "two", 3), 0);
    which = file;
    CHECK_IS(AWAITIOX(&which, , &plain, &tag), 0);
    CHECK_IS(tag, 73);
    CHECK_IS(plain, 5);

    /* A timed wait for one file ends with its oldest operation, and its tag. */
    which = file;
    tag = 0;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag, 2), 40);
    CHECK_IS(tag, 71);
    CHECK_IS(which, file);
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag, 0), 26);

    /* The server knows that nobody wants the answer, and answers all the same. */
    other = open_file("$SRV", 0, 0);
    do
        CHECK_IS(request(other, "stat "), 0);
    while (strcmp(buffer, "1 0") != 0);
    CHECK_IS(request(other, "free late"), 0);

    /* In order again; a waited operation is refused meanwhile. */
    CHECK_IS(SETMODE(file, 30, 0), 0);
    strcpy(first, "hold ");
    CHECK_IS(WRITEREADX(file, first, 5, 100, , 81), 0);
    strcpy(second, "echo two");
    CHECK_IS(WRITEREADX(file, second, 8, 100, , 82), 0);
    CHECK_IS(SETMODE(file, 1, 1), -1);
    CHECK_IS(error_of(file), 27);
    wait_held(other, 1);
    CHECK_IS(request(other, "free now"), 0);
    which = -1;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag), 0);
    CHECK_IS(tag, 81);
    CHECK_IS(counted, 8);
    CHECK_IS(memcmp(first, "held now", 8), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag), 0);
    CHECK_IS(tag, 82);

    /* Cancel by tag. */
    strcpy(first, "hold ");
    CHECK_IS(WRITEREADX(file, first, 5, 100, , 91), 0);
    strcpy(second, "hold ");
    CHECK_IS(WRITEREADX(file, second, 5, 100, , 92), 0);
    wait_held(other, 2);
    CHECK_IS(CANCELREQ(file, 99), -1);
    CHECK_IS(error_of(file), 26);
    CHECK_IS(CANCELREQ(file, 92), 0);
    CHECK_IS(request(other, "free a"), 0);
    CHECK_IS(request(other, "free b"), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &tag), 0);
    CHECK_IS(tag, 91);
    CHECK_IS(memcmp(first, "held b", 6), 0);
}

static void test_nowait_open(void)
{
    short file = -1, which;
    long long tag = 0;

    CHECK_IS(FILE_OPEN_("$SRV", 4, &file, , , 0, , 16384), 590);
    CHECK_IS(FILE_OPEN_("$SRV", 4, &file, , , 1, , 16384), 0);
    CHECK_IS(WRITEX(file, "x", 1), -1);
    which = -1;
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 0);
    CHECK_IS(which, file);
    CHECK_IS(tag, -30);
    strcpy(buffer, "echo hi");
    CHECK_IS(WRITEREADX(file, buffer, 7, 10, , 4), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);

    CHECK_IS(FILE_OPEN_("$NONE", 5, &file, , , 1, , 16384), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 14);
    CHECK_IS(error_of(file), 14);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_OPEN_("$SRV.#REFUSE", 12, &file, , , 1, , 16384), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 48);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void test_control(void)
{
    short file, quiet, last[2], block[5], size = 0, words[3], length = 0;
    zsys_ddl_receiveinformation_def *info = (zsys_ddl_receiveinformation_def *)buffer;

    file = open_file("$SRV", 0, 1);
    server_log(file);
    CHECK_IS(CONTROL(file, 1, 2), 0);
    CHECK_IS(SETMODE(file, 100, 3, 4, last), 0);
    CHECK_IS(last[0], 11);
    CHECK_IS(last[1], 22);
    CHECK_IS(SETMODE(file, 109, , , last), 1);
    CHECK_IS(error_of(file), 2);
    CHECK_IS(CONTROLBUF(file, 5, (short *)"abcd", 4, &count), 0);
    CHECK_IS(count, 4);
    words[0] = 0x4141;
    CHECK_IS(SETPARAM(file, 6, words, 2, words, &length, 6), 1);
    CHECK_IS(error_of(file), 2);
    CHECK_IS(request(file, "mode 7"), 0);
    CHECK_IS(SETPARAM(file, 6, words, 2, words, &length, 6), 0);
    CHECK_IS(length, 2);
    CHECK_IS(words[0], 77);
    CHECK_IS(SETMODE(file, 101, 3), 0);
    CHECK_IS(request(file, "mode 0"), 0);
    CHECK_TEXT(server_log(file), "control 1 2;setmode 100 3 4 bytes 8;setmode 109 0 0 bytes 8;controlbuf 5 abcd;"
                                 "setparam 6 3 AA;setmode 101 3 0 bytes 10;");

    /* The count of requests, and what a primary tells its backup of it. */
    CHECK_IS(RESETSYNC(file), 0);
    CHECK_TEXT(server_log(file), "resetsync c0;");
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 9, &size), 563);
    CHECK_IS(FILE_GETSYNCINFO_(file, block, 10, &size), 0);
    CHECK_IS(size, 10);
    CHECK_IS(request(file, "info "), 0);
    CHECK_IS(info->z_syncid, 2);
    CHECK_IS(request(file, "info "), 0);
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 10), 0);
    CHECK_IS(request(file, "info "), 0);
    CHECK_IS(info->z_syncid, 2);
    block[2]++;
    CHECK_IS(FILE_SETSYNCINFO_(file, block, 10), 41);

    /* A server without file-management messages. */
    quiet = open_file("$QUIET", 0, 0);
    CHECK_IS(CONTROL(quiet, 1, 2), 1);
    CHECK_IS(error_of(quiet), 7);
    CHECK_IS(SETMODE(quiet, 100, 1), 1);
    CHECK_IS(request(quiet, "info "), 0);
    CHECK_IS(info->z_openlabel, -1);
    CHECK_IS(FILE_CLOSE_(quiet), 0);
    quiet = open_file("$QUIET", 0, 0);
    CHECK_TEXT(server_log(quiet), "");
}

static void test_cancel(void)
{
    short file, other, which;
    long long tag;

    other = open_file("$SRV", 0, 0);
    CHECK_IS(request(other, "mode 4"), 0);
    server_log(other);
    file = open_file("$SRV", 2, 0);
    strcpy(buffer, "hold ");
    CHECK_IS(WRITEREADX(file, buffer, 5, 100, , 1), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag, 0), 40);
    wait_held(other, 1);
    CHECK_IS(CANCEL(file), 0);
    strcpy(buffer, "echo behind");
    CHECK_IS(WRITEREADX(file, buffer, 11, 100, , 2), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 0);
    CHECK_IS(tag, 2);
    CHECK_IS(memcmp(buffer, "behind", 6), 0);
    CHECK_IS(strstr(server_log(other), "cancelled 0;") != 0, 1);
    CHECK_IS(request(other, "free it"), 0);
    CHECK_IS(request(other, "mode 0"), 0);
}

static char large[2097152];
static char large_reply[2097152];

static void test_large(void)
{
    short file;
    int i, counted = 0;

    file = open_file("$SRV", 0, 0);
    for (i = 0; i < 57344; i++)
        buffer[i] = 'a' + i % 26;
    memcpy(buffer, "size ", 5);
    CHECK_IS(WRITEREADX(file, buffer, 57344, 57344, &count), 0);
    buffer[count] = 0;
    CHECK_TEXT(buffer, "57344");
    memcpy(large, "size ", 5);
    CHECK_IS(FILE_WRITEREAD64_(file, large, large_reply, 2097152, 2097152, &counted), 0);
    large_reply[counted] = 0;
    /* It reads so much of it. */
    CHECK_TEXT(large_reply, "57344");
    CHECK_IS(FILE_WRITEREAD64_(file, large, large_reply, 2097153, 10, &counted), 21);
    CHECK_IS(FILE_WRITEREAD64_(file, , large_reply, 0, 100, &counted), 2);
}

/* For reader.c. */
static void test_reads(void)
{
    short file = open_file("$READ", 0, 0);

    CHECK_IS(WRITEX(file, "abcdefgh", 8, &count), 0);
    CHECK_IS(count, 8);
    CHECK_IS(WRITEX(file, "q", 1), 0);
    CHECK_IS(WRITEX(file, "", 0, &count), 0);
    CHECK_IS(count, 0);
    strcpy(buffer, "xy");
    CHECK_IS(WRITEREADX(file, buffer, 2, 30, &count), 0);
    CHECK_IS(count, 0);
    CHECK_IS(READX(file, buffer, 40, &count), 0);
    CHECK_IS(count, 0);
}

/* Has a request outstanding until it is killed. */
static void test_linger(void)
{
    short file = open_file("$SRV.#GONE", 0, 0);
    request(file, "hold ");
}

/* Ends when the server holds the request of test_linger. */
static void test_held(void)
{
    wait_held(open_file("$SRV.#HELD", 0, 0), 1);
}

/* The open of a requester that was killed is closed, and its request is cancelled. */
static void test_survivor(void)
{
    short file = open_file("$SRV.#LATER", 0, 0);
    static char all[4000];

    do
        strcat(all, server_log(file));
    while (strstr(all, "q#GONE;") == 0);
    CHECK_IS(request(file, "stat "), 0);
    CHECK_TEXT(buffer, "1 0");
    CHECK_IS(request(file, "free it"), 0);
}

/* With sync depth 1 the end of a primary is not noticed: each request is executed once and answered. */
static void test_depth_one(void)
{
    short file = open_file("$PAIR", 0, 1);

    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "1");
    CHECK_IS(request(file, "kill 10"), 0);
    CHECK_TEXT(buffer, "11");
    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "12");
}

/* The same for a request that the primary has read and not begun. */
static void test_unbegun(void)
{
    short file = open_file("$PAIR", 0, 1);

    CHECK_IS(request(file, "lose 10"), 0);
    CHECK_TEXT(buffer, "10");
    CHECK_IS(FILE_CLOSE_(file), 0);
    file = open_file("$PAIR", 0, 1);
    CHECK_IS(request(file, "add  1"), 0);
}

/* With sync depth 0 the caller is told, and its next request goes to the half that is left. */
static void test_depth_zero(void)
{
    short file = open_file("$PAIR", 0, 0);

    CHECK_IS(request(file, "add  1"), 0);
    CHECK_IS(request(file, "kill 10"), -1);
    CHECK_IS(error_of(file), 201);
    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "12");
}

/* The roles are exchanged: the other half answers, and with sync depth 0 the caller is told once. */
static void test_switch(void)
{
    short file = open_file("$PAIR", 0, 1), zero = open_file("$PAIR", 0, 0);

    CHECK_IS(request(file, "add  1"), 0);
    CHECK_IS(request(file, "swap "), 0);
    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "2");
    CHECK_IS(request(zero, "add  1"), -1);
    CHECK_IS(error_of(zero), 200);
    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "3");
    CHECK_IS(request(zero, "add  1"), 0);
    CHECK_IS(request(file, "swap "), 0);
    CHECK_IS(request(file, "add  1"), 0);
    CHECK_TEXT(buffer, "5");
}

int main(int argc, char **argv)
{
    const char *test = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (strcmp(test, "requests") == 0)
        test_requests();
    else if (strcmp(test, "errors") == 0)
        test_errors();
    else if (strcmp(test, "nowait") == 0)
        test_nowait();
    else if (strcmp(test, "nowait_open") == 0)
        test_nowait_open();
    else if (strcmp(test, "control") == 0)
        test_control();
    else if (strcmp(test, "cancel") == 0)
        test_cancel();
    else if (strcmp(test, "large") == 0)
        test_large();
    else if (strcmp(test, "reads") == 0)
        test_reads();
    else if (strcmp(test, "linger") == 0)
        test_linger();
    else if (strcmp(test, "held") == 0)
        test_held();
    else if (strcmp(test, "survivor") == 0)
        test_survivor();
    else if (strcmp(test, "depth_one") == 0)
        test_depth_one();
    else if (strcmp(test, "unbegun") == 0)
        test_unbegun();
    else if (strcmp(test, "depth_zero") == 0)
        test_depth_zero();
    else if (strcmp(test, "switch") == 0)
        test_switch();
    else
        failed();
    printf("PASSED\n");
    return 0;
}
