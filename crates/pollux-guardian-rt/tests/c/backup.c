/* A requester that is a pair: its backup opens what the primary has open, under the same number. The first argument is the
   pair's name. */
#include "check.h"

static char message[1000];

static void be_backup(void)
{
    short file = -1, result[2];
    unsigned short count;
    zsys_ddl_receiveinformation_def info;
    _cc_status status;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , , 1), 0);
    for (;;) {
        status = READUPDATEX(0, message, sizeof message, &count);
        CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
        if (_status_gt(status)) {
            REPLYX();
            continue;
        }
        result[1] = *(short *)message;
        result[0] = FILE_OPEN_("$SRV.#BACKUP", 12, &result[1], , , 0, 1, , , , (short *)&info.z_sender);
        REPLYX((char *)result, 4);
    }
}

int main(int argc, char **argv)
{
    short file = -1, other = -1, partner = -1, detail = 0, handle[10], mine[10], result[2];
    unsigned short count;

    setvbuf(stdout, 0, _IOLBF, 0);
    if (PROCESS_GETPAIRINFO_() == 6)
        be_backup();
    CHECK_IS(__ns_start_backup(&detail, 0, handle), 0);
    CHECK_IS(FILE_OPEN_(argv[1], strlen(argv[1]), &partner), 0);
    CHECK_IS(FILE_OPEN_("$SRV", 4, &other, , , 0, 1), 0);
    CHECK_IS(FILE_OPEN_("$SRV.#PRIMARY", 13, &file, , , 0, 1), 0);
    CHECK_IS(file, 3);

    result[0] = file;
    CHECK_IS(WRITEREADX(partner, (char *)result, 2, 4, &count), 0);
    CHECK_IS(result[0], 0);
    CHECK_IS(result[1], file);
    /* The number is taken there. */
    result[0] = file;
    CHECK_IS(WRITEREADX(partner, (char *)result, 2, 4, &count), 0);
    CHECK_IS(result[0], 12);
    CHECK_IS(result[1], -1);
    /* Nobody opens for a process of another pair. */
    PROCESSHANDLE_GETMINE_(mine);
    mine[9]++;
    other = 9;
    CHECK_IS(FILE_OPEN_("$SRV", 4, &other, , , 0, 1, , , , mine), 17);

    strcpy(message, "log  ");
    CHECK_IS(WRITEREADX(file, message, 5, 900, &count), 0);
    message[count] = 0;
    CHECK_IS(strstr(message, "s1 o0 f3 b0 q#PRIMARY c0;") != 0, 1);
    CHECK_IS(strstr(message, "s1 o0 f3 b1 q#BACKUP c0;") != 0, 1);
    printf("PASSED\n");
    return argc - argc;
}
