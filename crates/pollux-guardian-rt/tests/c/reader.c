/* A server that reads with small buffers and never replies: what one read takes, and what is left behind it. With the
   argument "nowait" each read is a nowait one. */
#include "check.h"

static int is_nowait;
static unsigned char buffer[64];
static unsigned short count;

/* Reads into a buffer full of ones; gives the error. */
static short next(unsigned short room)
{
    short file = 0, error;
    int tag = 0;
    _cc_status status;

    memset(buffer, 0xff, sizeof buffer);
    count = 999;
    if (!is_nowait) {
        status = READX(0, (char *)buffer, room, &count);
    } else {
        CHECK_IS(READX(0, (char *)buffer, room, , 17), 0);
        status = AWAITIOX(&file, , &count, &tag);
        CHECK_IS(file, 0);
        CHECK_IS(tag, 17);
    }
    error = error_of(0);
    CHECK_IS(status, error == 0 ? 0 : error < 10 ? 1 : -1);
    return error;
}

int main(int argc, char **argv)
{
    short file = -1;
    long long tag = 0;
    zsys_ddl_receiveinformation_def info;

    setvbuf(stdout, 0, _IOLBF, 0);
    is_nowait = argc > 1 && strcmp(argv[1], "nowait") == 0;
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , is_nowait), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 26);
    CHECK_IS(next(2), 6);
    CHECK_IS(count, 2);
    CHECK_IS(*(short *)buffer, -103);
    CHECK_IS(buffer[2], 0xff);

    /* Longer than the room: cut, without an error. */
    CHECK_IS(next(5), 0);
    CHECK_IS(count, 5);
    CHECK_IS(memcmp(buffer, "abcde\377", 6), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
    CHECK_IS(info.z_iotype, 1);
    CHECK_IS(info.z_maxreplycount, 0);
    CHECK_IS(info.z_syncid, 1);

    /* Of odd length: a blank behind it, if there is room. */
    CHECK_IS(next(20), 0);
    CHECK_IS(count, 1);
    CHECK_IS(memcmp(buffer, "q \377", 3), 0);

    /* Empty, and told apart from nothing. */
    CHECK_IS(next(20), 0);
    CHECK_IS(count, 0);

    CHECK_IS(next(20), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
    CHECK_IS(info.z_iotype, 3);
    CHECK_IS(info.z_maxreplycount, 30);
    CHECK_IS(next(20), 0);
    CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
    CHECK_IS(info.z_iotype, 2);
    CHECK_IS(info.z_maxreplycount, 40);
    CHECK_IS(count, 0);

    CHECK_IS(next(20), 6);
    CHECK_IS(*(short *)buffer, -104);
    CHECK_IS(count, 4);
    if (is_nowait) {
        /* A timed wait for one file ends its read: nobody is left who could send. */
        CHECK_IS(READX(0, (char *)buffer, 60, , 5), 0);
        CHECK_IS(FILE_AWAITIO64_(&file, , , &tag, 1), 40);
        CHECK_IS(tag, 5);
        CHECK_IS(FILE_AWAITIO64_(&file, , , &tag, 1), 26);
    }
    printf("PASSED\n");
    return 0;
}
