/* $RECEIVE: every form of READ, READUPDATE and REPLY with parameters left out, and every error number. $RCV reads and replies, $CLI (the
   argument "client") sends, both step by step in the same order. */
#include "check.h"

#define OPEN(name, ...) FILE_OPEN_(name, (short)strlen(name), __VA_ARGS__)
#define LONG 200000
#define DEPTH 4

static char buffer[LONG], reply[LONG];
static unsigned short count;
static int counted;
static short file = -9;

/* ---- the sender */

/* A request, its error, and its reply. */
static void ask(const char *words, short error, const char *wanted)
{
    counted = -9;
    memset(reply, 0, 100);
    CHECK_IS(FILE_WRITEREAD64_(file, words, reply, (int)strlen(words), 90, &counted), error);
    CHECK_TEXT(reply, wanted);
    CHECK_IS(counted, strlen(wanted));
}

static void send_all(void)
{
    short which = -1, nowait = -9, other = -9;
    int i, tag = -9;
    static const char *plain[] = {"readx", "read", "read64", "odd"};
    static const char *replied[] = {"reply", "replyx", "replyxl", "reply64"};

    CHECK_IS(OPEN("$RCV.#ONE", &file), 0);
    for (i = 0; i < 4; i++)
        ask(plain[i], 0, "");
    CHECK_IS(READX(file, buffer, 50, &count), 0);
    CHECK_IS(count, 6);
    CHECK_IS(memcmp(buffer, "asked?", 6), 0);
    for (i = 0; i < 4; i++)
        ask(replied[i], 0, replied[i]);
    ask("nothing", 0, "");
    ask("length 0", 0, "");
    ask("error 300", 300, "");
    ask("warning 1", 1, "data");
    ask("error 49", 49, "");
    ask("error 9", 9, "");
    ask("error 5", 5, "");
    ask("error 32767", 32767, "data");
    ask("refused replies", 0, "");
    /* Long ones, both ways. */
    memset(buffer, 'a', LONG);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, 100000, LONG, &counted), 0);
    CHECK_IS(counted, 150000);
    CHECK_IS(reply[149999], 'b');
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, reply, 100001, LONG, &counted), 0);
    CHECK_IS(counted, 150001);
    ask("stop waiting", 0, "");

    /* More at once than the receiver can hold. */
    CHECK_IS(OPEN("$RCV.#MANY", &nowait, , , 5), 0);
    for (i = 0; i < 5; i++)
        CHECK_IS(FILE_WRITEREAD64_(nowait, "many", reply + 10 * i, 4, 10, , 100 + i), 0);
    CHECK_IS(SETMODE(nowait, 30, 1), 0);
    which = -1;
    CHECK_IS(AWAITIOX(&which, , &count, &tag), 0);
    CHECK_IS(tag, 103); /* the last that it held, and the first that it answers */
    CHECK_IS(memcmp(reply + 30, "third", 5), 0);
    CHECK_IS(CANCELREQ(nowait, 101), 0);
    CHECK_IS(OPEN("$RCV.#DONE", &other), 0);
    for (i = 0; i < 3; i++)
        CHECK_IS(AWAITIOX(&which, , , &tag), 0);
    ask("information", 0, "");
    ask("last", 0, "");
}

/* ---- the receiver */

static short error(void)
{
    return error_of(0);
}

static short tag_of_last(void)
{
    zsys_ddl_receiveinformation_def info;
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
    return info.z_messagetag;
}

/* The next message; a data message has these words. */
static void take(const char *wanted)
{
    memset(buffer, 0, 100);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 100, &counted), 0);
    CHECK_IS(counted, strlen(wanted));
    buffer[counted] = 0;
    CHECK_TEXT(buffer, wanted);
}

static void take_system(short number)
{
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 100, &counted), 6);
    CHECK_IS(*(short *)buffer, number);
    CHECK_IS(FILE_REPLY64_(, , , tag_of_last()), 0);
}

/* No $RECEIVE, one with depth 0, and what $RECEIVE never does. */
static void not_ready(void)
{
    int depth;

    for (depth = -1; depth <= 0; depth++) {
        short wanted = depth < 0 ? 16 : 2;
        if (depth == 0)
            CHECK_IS(OPEN("$RECEIVE", &file), 0);
        CHECK_IS(READUPDATEX(0, buffer, 10), depth < 0 ? -1 : 1);
        CHECK_IS(depth < 0 ? error_of(-1) : error(), wanted);
        CHECK_IS(READUPDATE(0, (short *)buffer, 10), depth < 0 ? -1 : 1);
        CHECK_IS(READUPDATEXL(0, buffer, 10), wanted);
        CHECK_IS(FILE_READUPDATE64_(0, buffer, 10), wanted);
        CHECK_IS(REPLYX(), depth < 0 ? -1 : 1);
        CHECK_IS(REPLY(), depth < 0 ? -1 : 1);
        CHECK_IS(depth < 0 ? error_of(-1) : error(), wanted);
        CHECK_IS(REPLYXL(), wanted);
        CHECK_IS(FILE_REPLY64_(), wanted);
        CHECK_IS(MESSAGESTATUS(0), -1);
        CHECK_IS(MESSAGESTATUS(), -1);
    }
    CHECK_IS(WRITEX(0, buffer, 1), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(FILE_WRITE64_(0, buffer, 1), 2);
    CHECK_IS(FILE_WRITEREAD64_(0, buffer, reply, 1, 1), 2);
    CHECK_IS(CANCEL(0), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(FILE_CLOSE_(0), 0);
}

static void refused_reads(void)
{
    CHECK_IS(READX(0, buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(READUPDATEX(0, buffer, 57345), -1);
    CHECK_IS(READUPDATE(0, (short *)buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(READUPDATEXL(0, buffer, -1), 21);
    CHECK_IS(READUPDATEXL(0, buffer, 2097153), 21);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, -1), 21);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 2097153), 21);
    CHECK_IS(READUPDATEX(0, (char *)NULL, 5), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(READUPDATE(0, (short *)NULL, 5), -1);
    CHECK_IS(READUPDATEXL(0, (char *)NULL, 5), 22);
    CHECK_IS(FILE_READUPDATE64_(0, (char *)NULL, 5), 22);
    CHECK_IS(READUPDATEX(0, buffer), -1);
    CHECK_IS(error(), 29);
    CHECK_IS(READUPDATE(0, , 5), -1);
    CHECK_IS(READUPDATEXL(, buffer, 5), 29);
    CHECK_IS(READUPDATEXL(0, buffer), 29);
    CHECK_IS(FILE_READUPDATE64_(0, buffer), 29);
    CHECK_IS(FILE_READUPDATE64_(), 29);
    CHECK_IS(REPLYX(), -1);
    CHECK_IS(error(), 74);
    CHECK_IS(FILE_REPLY64_(, , , 0), 74);
}

/* One message is held. */
static void refused_replies(void)
{
    short tag = tag_of_last();

    CHECK_IS(MESSAGESTATUS(), 0);
    CHECK_IS(MESSAGESTATUS(tag), 0);
    CHECK_IS(MESSAGESTATUS(3), -1);
    CHECK_IS(MESSAGESTATUS(-1), -1);
    CHECK_IS(MESSAGESTATUS(99), -1);
    CHECK_IS(REPLYX(, , , 3), -1);
    CHECK_IS(error(), 74);
    CHECK_IS(REPLYX(, , , -1), -1);
    CHECK_IS(REPLY(, , , 99), -1);
    CHECK_IS(REPLYXL(, , , 3), 74);
    CHECK_IS(FILE_REPLY64_(, , , 99), 74);
    CHECK_IS(REPLYX(buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(REPLY((short *)buffer, 57345), -1);
    CHECK_IS(REPLYXL(buffer, 2097153), 21);
    CHECK_IS(REPLYXL(buffer, -1), 21);
    CHECK_IS(FILE_REPLY64_(buffer, 2097153), 21);
    CHECK_IS(FILE_REPLY64_(buffer, -1), 21);
    CHECK_IS(REPLYX((char *)NULL, 5), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(REPLYX(, 5), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(REPLY((short *)NULL, 5), -1);
    CHECK_IS(REPLYXL((char *)NULL, 5), 22);
    CHECK_IS(FILE_REPLY64_(, 5), 22);
    CHECK_IS(REPLYX(, , , , -1), -1);
    CHECK_IS(error(), 590);
    CHECK_IS(REPLY(, , , , -1), -1);
    CHECK_IS(REPLYXL(, , , , -1), 590);
    CHECK_IS(FILE_REPLY64_(, , , , -1), 590);
    CHECK_IS(MESSAGESTATUS(tag), 0);
    CHECK_IS(REPLYX(, , , tag), 0);
    CHECK_IS(error(), 0);
    CHECK_IS(MESSAGESTATUS(tag), -1);
    CHECK_IS(REPLYX(, , , tag), -1);
}

/* As many messages as may be held, and one that may not. */
static void many(void)
{
    short tags[DEPTH];
    int i, j;

    take_system(-103);
    for (i = 0; i < DEPTH; i++) {
        take("many");
        tags[i] = tag_of_last();
        CHECK_IS(tags[i] >= 0 && tags[i] < DEPTH, 1);
        for (j = 0; j < i; j++)
            CHECK_IS(tags[i] != tags[j], 1);
    }
    CHECK_IS(READUPDATEX(0, buffer, 10), -1);
    CHECK_IS(error(), 74);
    CHECK_IS(READUPDATE(0, (short *)buffer, 10), -1);
    CHECK_IS(READUPDATEXL(0, buffer, 10), 74);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 10), 74);
    /* Which one is meant must be said now. */
    CHECK_IS(REPLYX("x", 1), -1);
    CHECK_IS(error(), 74);
    CHECK_IS(REPLYX("third", 5, , tags[3]), 0);
    CHECK_IS(MESSAGESTATUS(tags[3]), -1);
    /* Its place is free for the fifth, and behind that for the next open. */
    take("many");
    CHECK_IS(tag_of_last(), tags[3]);
    CHECK_IS(FILE_REPLY64_("fifth", 5, , tags[3]), 0);
    take_system(-103);
    CHECK_IS(MESSAGESTATUS(tags[0]), 0);
    CHECK_IS(MESSAGESTATUS(tags[1]), 1);
    CHECK_IS(REPLYX("first", 5, , tags[0]), 0);
    CHECK_IS(REPLYX("nobody", 6, , tags[1]), 0);
    CHECK_IS(MESSAGESTATUS(), 0);
    CHECK_IS(REPLYX("second", 6), 0);
    CHECK_IS(MESSAGESTATUS(), -1);
}

static void information(void)
{
    zsys_ddl_receiveinformation_def info;
    short dialog = 9, sender[10], tag = -9, of_file = -9, io = -9, id[4], room = -9;
    int sync = -9;
    short words[19];

    take("information");
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
    CHECK_IS(info.z_iotype, 3);
    CHECK_IS(info.z_maxreplycount, 90);
    CHECK_IS(info.z_messagetag, 0);
    CHECK_IS(info.z_filenum, 1);
    CHECK_IS(info.z_openlabel, -1);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$CLI", 4, sender), 0);
    CHECK_IS(memcmp(&info.z_sender, sender, 20), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info, &dialog), 0);
    CHECK_IS(dialog, 0);
    CHECK_IS(FILE_GETRECEIVEINFOL_(words), 0);
    CHECK_IS(words[0], 3);
    CHECK_IS(words[1], 1);
    CHECK_IS(words[4], 90);
    CHECK_IS(memcmp(&words[8], sender, 20), 0);
    CHECK_IS(RECEIVEINFO(, , &sync), 0);
    CHECK_IS(sync, info.z_syncid);
    CHECK_IS(RECEIVEINFO(id, &tag, , &of_file, &room, &io), 0);
    CHECK_IS(memcmp(id, "$CLI  ", 6), 0);
    CHECK_IS(tag, 0);
    CHECK_IS(of_file, 1);
    CHECK_IS(room, 90);
    CHECK_IS(io, 3);
    tag = -9;
    CHECK_IS(LASTRECEIVE(, &tag), 0);
    CHECK_IS(tag, 0);
    CHECK_IS(LASTRECEIVE(id), 0);
    CHECK_IS(RECEIVEINFO(), 0);
    CHECK_IS(REPLYX(), 0);
}

static void receive_all(void)
{
    short which = -1;
    long long tag = -9;

    not_ready();
    CHECK_IS(OPEN("$RECEIVE", &file, , , , DEPTH), 0);
    refused_reads();
    printf("READY\n");
    CHECK_IS(READUPDATEX(0, buffer, 100), 1);
    CHECK_IS(error(), 6);
    CHECK_IS(REPLYX(), 0);
    /* Read, and answered with nothing. */
    CHECK_IS(READX(0, buffer, 100, &count), 0);
    CHECK_IS(count, 5);
    CHECK_IS(memcmp(buffer, "readx", 5), 0);
    CHECK_IS(READ(0, (short *)buffer, 100, &count), 0);
    CHECK_IS(count, 4);
    CHECK_IS(FILE_READ64_(0, buffer, 100, &counted), 0);
    CHECK_IS(counted, 6);
    CHECK_IS(READX(0, buffer, 100), 0);
    CHECK_IS(memcmp(buffer, "odd ", 4), 0);
    /* The sender's READ. */
    CHECK_IS(READUPDATEX(0, buffer, 100, &count), 0);
    CHECK_IS(count, 0);
    CHECK_IS(REPLYX("asked?", 6), 0);
    /* Each read with its reply. */
    CHECK_IS(READUPDATE(0, (short *)buffer, 100, &count), 0);
    CHECK_IS(count, 5);
    count = 0;
    CHECK_IS(REPLY((short *)buffer, 5, &count), 0);
    CHECK_IS(count, 5);
    CHECK_IS(READUPDATEX(0, buffer, 100, &count), 0);
    CHECK_IS(REPLYX(buffer, count, &count, tag_of_last()), 0);
    CHECK_IS(count, 6);
    CHECK_IS(READUPDATEXL(0, buffer, 100, &counted), 0);
    CHECK_IS(REPLYXL(buffer, counted, &counted), 0);
    CHECK_IS(counted, 7);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 100, &counted), 0);
    CHECK_IS(FILE_REPLY64_(buffer, counted, &counted, tag_of_last(), 0), 0);
    CHECK_IS(counted, 7);
    CHECK_IS(READUPDATE(0, (short *)buffer, 100), 0);
    CHECK_IS(REPLY(), 0);
    CHECK_IS(READUPDATEXL(0, buffer, 100), 0);
    CHECK_IS(REPLYXL("not sent", 0), 0);
    /* Errors. */
    take("error 300");
    CHECK_IS(REPLYX(, , , , 300), 0);
    take("warning 1");
    CHECK_IS(REPLYX("data", 4, , , 1), 0);
    take("error 49");
    CHECK_IS(REPLYXL(, , , , 49), 0);
    take("error 9");
    CHECK_IS(FILE_REPLY64_(, , , , 9), 0);
    take("error 5");
    CHECK_IS(REPLY(, , , , 5), 0);
    take("error 32767");
    CHECK_IS(FILE_REPLY64_("data", 4, , , 32767), 0);
    take("refused replies");
    refused_replies();
    memset(reply, 'b', LONG);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, LONG, &counted), 0);
    CHECK_IS(counted, 100000);
    CHECK_IS(buffer[99999], 'a');
    CHECK_IS(FILE_REPLY64_(reply, 150000, &counted), 0);
    CHECK_IS(counted, 150000);
    CHECK_IS(READUPDATEXL(0, buffer, LONG, &counted), 0);
    CHECK_IS(counted, 100001);
    CHECK_IS(REPLYXL(reply, 150001), 0);

    /* Without waiting: a read that was cancelled takes nothing; a reply while a read is under way. */
    take("stop waiting");
    CHECK_IS(FILE_REPLY64_(), 0);
    many();
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(OPEN("$RECEIVE", &file, , , 1, 1), 0);
    CHECK_IS(READUPDATEXL(0, buffer, 100, , 0x7766554433LL), 0);
    CHECK_IS(READUPDATEX(0, buffer, 100), -1);
    CHECK_IS(error(), 28);
    CHECK_IS(READUPDATEXL(0, buffer, 100), 28);
    CHECK_IS(CANCELREQL(0, 0x7766554433LL), 0);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 100, , 0x7766554433LL), 0);
    CHECK_IS(CANCEL(0), 0);
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(OPEN("$RECEIVE", &file, , , , 1), 0);
    information();
    CHECK_IS(FILE_CLOSE_(0), 0);
    CHECK_IS(OPEN("$RECEIVE", &file, , , 1, 1), 0);
    CHECK_IS(FILE_READUPDATE64_(0, buffer, 100, , 0x7766554433LL), 0);
    CHECK_IS(AWAITIOXL(&which, , &counted, &tag), 0);
    CHECK_IS(which, 0);
    CHECK_IS(counted, 4);
    CHECK_IS(tag, 0x7766554433LL);
    CHECK_IS(READUPDATEX(0, buffer, 100), -1); /* it holds one and may hold one */
    CHECK_IS(error(), 74);
    CHECK_IS(REPLYX(), 0);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1 && strcmp(argv[1], "client") == 0)
        send_all();
    else
        receive_all();
    printf("PASSED\n");
    return 0;
}
