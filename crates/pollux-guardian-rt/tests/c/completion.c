/* Requests to a process, waited and nowait, and their ends: every form with parameters left out, every error number. The servers are
   $SRV (server.c, receive depth 8) and $QUIET. */
#include "check.h"

#define OPEN(name, ...) FILE_OPEN_(name, (short)strlen(name), __VA_ARGS__)

static short file = -9, closed = 99;
static char buffer[60000], reply[60000];
static unsigned short count;
static int counted;

/* The error of the last operation on the file. */
static short error(void)
{
    return error_of(file);
}

static char *text(const char *words)
{
    memset(buffer, 0, 200);
    memset(reply, 0, 200);
    return strcpy(buffer, words);
}

static void waited(void)
{
    CHECK_IS(OPEN("$SRV", &file), 0);
    /* Write and read, in one buffer and in two. */
    CHECK_IS(WRITEREADX(file, text("echo one"), 8, 100, &count), 0);
    CHECK_IS(count, 3);
    CHECK_TEXT(buffer + 3, "o one"); /* nothing is written behind the reply */
    CHECK_IS(memcmp(buffer, "one", 3), 0);
    CHECK_IS(WRITEREADX(file, text("echo one"), 8, 100), 0);
    CHECK_IS(WRITEREADX(file, text("echo one"), 8, 100, , 5), 0);
    CHECK_IS(WRITEREAD(file, (short *)text("echo two"), 8, 2, &count), 0);
    CHECK_IS(count, 2);
    CHECK_IS(WRITEREAD(file, (short *)text("echo two"), 8, 0), 0);
    CHECK_IS(FILE_WRITEREAD64_(file, text("echo two"), reply, 8, 100, &counted), 0);
    CHECK_IS(counted, 3);
    CHECK_TEXT(reply, "two");
    CHECK_TEXT(buffer, "echo two");
    CHECK_IS(FILE_WRITEREAD64_(file, text("echo two"), reply, 8, 100), 0);
    CHECK_IS(FILE_WRITEREAD64_(file, text("echo two"), , 8, 0), 0);
    CHECK_IS(FILE_WRITEREAD_(file, text("echo six"), reply, 8, 100, &counted, 7), 0);
    CHECK_TEXT(reply, "six");
    CHECK_IS(FILE_WRITEREAD_(file, text("echo six"), reply, 8, 100, , 7), 0);
    CHECK_IS(FILE_WRITEREAD_(file, , reply, 0, 100, &counted), 2); /* what the server says to nothing */
    CHECK_IS(counted, 0);
    /* Write; the server answers with no data. */
    CHECK_IS(WRITEX(file, text("echo one"), 8, &count), 0);
    CHECK_IS(count, 8);
    CHECK_IS(WRITEX(file, buffer, 8), 0);
    CHECK_IS(WRITE(file, (short *)buffer, 8, &count), 0);
    CHECK_IS(WRITE(file, (short *)buffer, 8, , 3), 0);
    CHECK_IS(FILE_WRITE64_(file, buffer, 8, &counted), 0);
    CHECK_IS(counted, 8);
    CHECK_IS(FILE_WRITE64_(file, buffer, 8), 0);
    /* Errors of the server: 1 to 9 are warnings, all others are errors, and data comes with either. */
    CHECK_IS(FILE_WRITEREAD64_(file, text("fail 9"), reply, 6, 100, &counted), 9);
    CHECK_TEXT(reply, "sorry");
    CHECK_IS(WRITEREADX(file, text("fail 9"), 6, 100, &count), 1);
    CHECK_IS(WRITEREADX(file, text("fail 10"), 7, 100, &count), -1);
    CHECK_IS(error(), 10);
    CHECK_IS(count, 5);
    CHECK_IS(FILE_WRITEREAD64_(file, text("fail 32767"), reply, 10, 100, &counted), 32767);
    CHECK_IS(READX(file, buffer, 10, &count), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(READ(file, (short *)buffer, 10), 1);
    CHECK_IS(FILE_READ64_(file, buffer, 10), 2);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void waited_refused(void)
{
    CHECK_IS(OPEN("$SRV", &file), 0);
    CHECK_IS(WRITEX(closed, buffer, 1), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(FILE_WRITE64_(closed, buffer, 1), 16);
    CHECK_IS(FILE_READ64_(-1, buffer, 1), 16);
    CHECK_IS(FILE_WRITEREAD_(closed, buffer, reply, 1, 1), 16);
    /* Counts. */
    CHECK_IS(WRITEX(file, buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(READX(file, buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(WRITEREADX(file, buffer, 57345, 1), -1);
    CHECK_IS(WRITEREADX(file, buffer, 1, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(WRITE(file, (short *)buffer, 57345), -1);
    CHECK_IS(READ(file, (short *)buffer, 57345), -1);
    CHECK_IS(WRITEREAD(file, (short *)buffer, 1, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(FILE_WRITE64_(file, buffer, -1), 21);
    CHECK_IS(FILE_WRITE64_(file, buffer, 2097153), 21);
    CHECK_IS(FILE_READ64_(file, buffer, -1), 21);
    CHECK_IS(FILE_READ64_(file, buffer, 2097153), 21);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, 1, 2097153), 21);
    CHECK_IS(FILE_WRITEREAD_(file, buffer, reply, -1, 1), 21);
    /* Addresses. */
    CHECK_IS(WRITEX(file, (char *)NULL, 1), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(WRITE(file, (short *)NULL, 1), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(WRITEREADX(file, (char *)NULL, 1, 0), -1);
    CHECK_IS(WRITEREAD(file, (short *)NULL, 0, 1), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(READ(file, (short *)NULL, 1), -1);
    CHECK_IS(FILE_READ64_(file, (char *)NULL, 1), 22);
    CHECK_IS(FILE_WRITE64_(file, (char *)NULL, 1), 22);
    CHECK_IS(FILE_WRITEREAD64_(file, , reply, 1, 1), 22);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, , 1, 1), 22);
    CHECK_IS(FILE_WRITEREAD_(file, (char *)NULL, reply, 1, 1), 22);
    /* What is missing; the number belongs to the file. */
    CHECK_IS(WRITEX(file, buffer), -1);
    CHECK_IS(error(), 29);
    CHECK_IS(WRITEX(file, , 1), -1);
    CHECK_IS(WRITEX(), -1);
    CHECK_IS(error_of(-1), 29);
    CHECK_IS(WRITE(file, , 1), -1);
    CHECK_IS(READX(file, buffer), -1);
    CHECK_IS(READ(file, , 1), -1);
    CHECK_IS(WRITEREADX(file, buffer, 1), -1);
    CHECK_IS(WRITEREAD(file, (short *)buffer, , 1), -1);
    CHECK_IS(error(), 29);
    CHECK_IS(FILE_READ64_(file, buffer), 29);
    CHECK_IS(FILE_WRITE64_(file, buffer), 29);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, 1), 29);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, , 1), 29);
    CHECK_IS(FILE_WRITEREAD_(, buffer, reply, 1, 1), 29);
    /* Of $RECEIVE only. */
    CHECK_IS(READUPDATEX(file, buffer, 1), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(READUPDATE(file, (short *)buffer, 1), 1);
    CHECK_IS(READUPDATEXL(file, buffer, 1), 2);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 1), 2);
    CHECK_IS(FILE_CLOSE_(file), 0);
    /* Access. */
    CHECK_IS(OPEN("$SRV", &file, 1), 0);
    CHECK_IS(WRITEX(file, buffer, 1), -1);
    CHECK_IS(error(), 49);
    CHECK_IS(WRITEREADX(file, buffer, 1, 1), -1);
    CHECK_IS(FILE_WRITE64_(file, buffer, 1), 49);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN("$SRV", &file, 2), 0);
    CHECK_IS(READX(file, buffer, 1), -1);
    CHECK_IS(error(), 49);
    CHECK_IS(FILE_READ64_(file, buffer, 1), 49);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, 1, 1), 49);
    CHECK_IS(WRITEX(file, text("echo x"), 6), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

/* A request under way, and the number of the file in a word of its own. */
static short *started(int tag)
{
    static short which;
    CHECK_IS(WRITEREADX(file, text("echo done"), 9, 100, , tag), 0);
    which = file;
    return &which;
}

static void completions(void)
{
    short any, segment = 9;
    int tag = -9, address;
    long long long_tag = -9, long_address;
    short short_tag = -9;

    CHECK_IS(OPEN("$SRV", &file, , , 1), 0);
    /* Nothing but the file, then each parameter alone. */
    CHECK_IS(AWAITIOX(started(0)), 0);
    CHECK_IS(memcmp(buffer, "done", 4), 0);
    CHECK_IS(AWAITIOX(started(0), &address), 0);
    CHECK_IS(address, (int)(long)buffer);
    CHECK_IS(AWAITIOX(started(0), , &count), 0);
    CHECK_IS(count, 4);
    CHECK_IS(AWAITIOX(started(-7), , , &tag), 0);
    CHECK_IS(tag, -7);
    CHECK_IS(AWAITIOX(started(300), , , &short_tag), 0);
    CHECK_IS(short_tag, 300);
    CHECK_IS(AWAITIOX(started(0), , , , 3000), 0);
    CHECK_IS(AWAITIOX(started(0), , , , -1), 0);
    CHECK_IS(AWAITIOX(started(0), , , , , &segment), 0);
    CHECK_IS(segment, -1);
    CHECK_IS(AWAITIO(started(0)), 0);
    CHECK_IS(AWAITIO(started(0), &address), 0);
    CHECK_IS(address, (int)(long)buffer);
    count = 0;
    CHECK_IS(AWAITIO(started(0), , &count), 0);
    CHECK_IS(count, 4);
    CHECK_IS(AWAITIO(started(8), , , &tag), 0);
    CHECK_IS(tag, 8);
    CHECK_IS(AWAITIO(started(0), , , , 3000), 0);
    CHECK_IS(AWAITIOXL(started(0)), 0);
    CHECK_IS(AWAITIOXL(started(0), &long_address), 0);
    CHECK_IS(long_address, (long)buffer);
    CHECK_IS(AWAITIOXL(started(0), , &counted), 0);
    CHECK_IS(counted, 4);
    CHECK_IS(AWAITIOXL(started(-8), , , &long_tag), 0);
    CHECK_IS(long_tag, -8);
    CHECK_IS(AWAITIOXL(started(0), , , , 3000), 0);
    CHECK_IS(AWAITIOXL(started(0), , , , , &segment), 0);
    CHECK_IS(FILE_AWAITIO64_(started(0)), 0);
    CHECK_IS(FILE_AWAITIO64_(started(0), &long_address), 0);
    CHECK_IS(long_address, (long)buffer);
    counted = 0;
    CHECK_IS(FILE_AWAITIO64_(started(0), , &counted), 0);
    CHECK_IS(counted, 4);
    CHECK_IS(FILE_AWAITIO64_(started(-9), , , &long_tag), 0);
    CHECK_IS(long_tag, -9);
    CHECK_IS(FILE_AWAITIO64_(started(0), , , , 3000), 0);
    CHECK_IS(FILE_AWAITIO64_(started(0), , , , , &segment), 0);
    /* A tag of 64 bits. */
    CHECK_IS(FILE_WRITEREAD64_(file, text("echo x"), reply, 6, 9, , 0x123456789aLL), 0);
    any = -1;
    CHECK_IS(FILE_AWAITIO64_(&any, &long_address, &counted, &long_tag), 0);
    CHECK_IS(any, file);
    CHECK_IS(long_tag, 0x123456789aLL);
    CHECK_IS(long_address, (long)reply);
    CHECK_IS(error_of(-1), 0);
    /* Each kind of operation; a write gives the address of what it wrote. */
    CHECK_IS(FILE_WRITE64_(file, text("echo x"), 6, , -3), 0);
    CHECK_IS(FILE_AWAITIO64_(&any, &long_address, &counted, &long_tag), 0);
    CHECK_IS(counted, 6);
    CHECK_IS(long_address, (long)buffer);
    CHECK_IS(WRITEX(file, text("echo x"), 6, , -4), 0);
    CHECK_IS(AWAITIOX(&any, , &count, &tag), 0);
    CHECK_IS(count, 6);
    CHECK_IS(tag, -4);
    /* An error of the server ends an operation; the file and the call before know of it. */
    CHECK_IS(FILE_READ64_(file, buffer, 5, , -5), 0);
    any = -1;
    CHECK_IS(FILE_AWAITIO64_(&any, , &counted, &long_tag), 2);
    CHECK_IS(any, file);
    CHECK_IS(long_tag, -5);
    CHECK_IS(error(), 2);
    CHECK_IS(error_of(-1), 2);
    CHECK_IS(WRITEREADX(file, text("fail 300"), 8, 100, , 6), 0);
    any = -1;
    CHECK_IS(AWAITIOX(&any, , &count, &tag), -1);
    CHECK_IS(any, file);
    CHECK_IS(count, 5);
    CHECK_IS(error(), 300);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void completions_refused(void)
{
    short which, any = -1, below = -2, none = 99;
    int tag = -9;
    long long long_tag = -9;

    CHECK_IS(AWAITIOX(&any), -1);
    CHECK_IS(error_of(-1), 26);
    CHECK_IS(AWAITIO(&any), -1);
    CHECK_IS(AWAITIOXL(&any), 26);
    CHECK_IS(FILE_AWAITIO64_(&any), 26);
    CHECK_IS(AWAITIOX(&below), -1);
    CHECK_IS(error_of(-1), 22);
    CHECK_IS(AWAITIO(&below), -1);
    CHECK_IS(AWAITIOXL(&below), 22);
    CHECK_IS(FILE_AWAITIO64_(&below), 22);
    CHECK_IS(AWAITIOX((short *)NULL), -1);
    CHECK_IS(error_of(-1), 22);
    CHECK_IS(FILE_AWAITIO64_((short *)NULL), 22);
    CHECK_IS(AWAITIOX(&none), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(AWAITIOXL(&none), 16);
    CHECK_IS(FILE_AWAITIO64_(&none), 16);
    CHECK_IS(AWAITIOX(), -1);
    CHECK_IS(error_of(-1), 29);
    CHECK_IS(AWAITIO(, , &count), -1);
    CHECK_IS(AWAITIOXL(), 29);
    CHECK_IS(FILE_AWAITIO64_(), 29);
    CHECK_IS(OPEN("$SRV", &file), 0);
    which = file;
    CHECK_IS(AWAITIOX(&which), -1);
    CHECK_IS(error(), 25);
    CHECK_IS(AWAITIO(&which), -1);
    CHECK_IS(AWAITIOXL(&which), 25);
    CHECK_IS(FILE_AWAITIO64_(&which), 25);
    CHECK_IS(FILE_CLOSE_(file), 0);

    CHECK_IS(OPEN("$SRV", &file, , , 1), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which), 26);
    CHECK_IS(WRITEREADX(file, text("hold "), 5, 100, , 11), 0);
    CHECK_IS(WRITEREADX(file, reply, 5, 100, , 12), -1);
    CHECK_IS(error(), 28);
    CHECK_IS(FILE_WRITE64_(file, reply, 5), 28);
    CHECK_IS(READX(file, reply, 5), -1);
    CHECK_IS(error(), 28);
    CHECK_IS(SETMODE(file, 1), -1);
    CHECK_IS(error(), 27);
    CHECK_IS(FILE_AWAITIO64_(&which, , , , -2), 590);
    CHECK_IS(AWAITIOX(&which, , , , -2), -1);
    CHECK_IS(error(), 590);
    /* A poll, and a wait for any file, cancel nothing. A wait for one file cancels, and gives the tag. */
    CHECK_IS(AWAITIOX(&which, , , &tag, 0), -1);
    CHECK_IS(error(), 40);
    CHECK_IS(which, file);
    CHECK_IS(tag, -9);
    CHECK_IS(AWAITIO(&any, , , &tag, 0), -1);
    CHECK_IS(any, -1);
    CHECK_IS(AWAITIOXL(&any, , , &long_tag, 1), 40);
    CHECK_IS(any, -1);
    CHECK_IS(long_tag, -9);
    CHECK_IS(AWAITIOX(&which, , , &tag, 1), -1);
    CHECK_IS(error(), 40);
    CHECK_IS(tag, 11);
    CHECK_IS(AWAITIOX(&which, , , &tag, 0), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(WRITEREADX(file, text("hold "), 5, 100, , 13), 0);
    CHECK_IS(AWAITIO(&which, , , &tag, 1), -1);
    CHECK_IS(tag, 13);
    CHECK_IS(WRITEREADX(file, text("hold "), 5, 100, , 14), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , , &long_tag, 1), 40);
    CHECK_IS(long_tag, 14);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void cancels(void)
{
    short which;
    int tag = -9;

    CHECK_IS(CANCEL(closed), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(CANCELREQ(closed, 1), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(CANCELREQL(closed, 1LL), 16);
    CHECK_IS(CANCELREQ(), -1);
    CHECK_IS(error_of(-1), 29);
    CHECK_IS(CANCELREQL(), 29);
    CHECK_IS(OPEN("$SRV", &file, , , 7), 0);
    CHECK_IS(CANCEL(file), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(CANCELREQ(file), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(CANCELREQL(file), 26);
    CHECK_IS(CANCELREQL(file, 5LL), 26);
    for (tag = 21; tag <= 27; tag++)
        CHECK_IS(WRITEREADX(file, text("echo x"), 6, 100, , tag), 0);
    CHECK_IS(CANCELREQ(file, 99), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(CANCELREQL(file, 99LL), 26);
    CHECK_IS(CANCELREQ(file, 24), 0);
    CHECK_IS(CANCELREQL(file, 26LL), 0);
    CHECK_IS(CANCEL(file), 0);       /* 21, the oldest */
    CHECK_IS(CANCELREQ(file), 0);    /* 22 */
    CHECK_IS(CANCELREQ(file, 0), 0); /* 23: 0 is like no tag */
    CHECK_IS(CANCELREQL(file), 0);   /* 25 */
    which = -1;
    CHECK_IS(AWAITIOX(&which, , , &tag), 0);
    CHECK_IS(tag, 27);
    CHECK_IS(CANCEL(file), -1);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

/* The server dies with the request: path down, and the file stays so. Last, since $QUIET is gone then. */
static void the_server_dies(void)
{
    short which = -1;
    long long tag = -9;

    CHECK_IS(OPEN("$QUIET", &file, , , 2), 0);
    CHECK_IS(WRITEREADX(file, text("die  "), 5, 100, , 31), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , , &tag), 201);
    CHECK_IS(which, file);
    CHECK_IS(tag, 31);
    CHECK_IS(error(), 201);
    CHECK_IS(FILE_WRITE64_(file, text("echo x"), 6), 0);
    CHECK_IS(FILE_AWAITIO64_(&which), 201);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"waited", waited},
        {"waited_refused", waited_refused},
        {"completions", completions},
        {"completions_refused", completions_refused},
        {"cancels", cancels},
        {"the_server_dies", the_server_dies},
    };
    (void)argc;
    return run_checks(1, argv, list, sizeof list / sizeof list[0]);
}
