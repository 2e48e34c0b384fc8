/* A pair that copies lines from one file to another. The control state is the number of lines copied; the primary sends it with
   both file states before each write, and its backup goes on from there. argv: input output [lines between updates]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <crtlns.h>
#include <tal.h>
#include <cextdecs.h>
#include <zsysc.h>

struct opens {
    short kind;
    short pad[3];
    __ns_std_io_file_open_state in, out;
};

struct update {
    short kind;
    short pad[3];
    __ns_std_io_file_state in, out;
};

static FILE *in, *out;
static short backup_file = -1;

static void die(const char *what, int number)
{
    fprintf(stderr, "copy: %s: %d\n", what, number);
    exit(1);
}

static int state_of_pair(void)
{
    return PROCESS_GETPAIRINFO_();
}

static void send_opens(void)
{
    struct opens opens;
    opens.kind = 1;
    if (__ns_fget_file_open_state(in, &opens.in) != 0)
        die("open state of in", errno);
    if (__ns_fget_file_open_state(out, &opens.out) != 0)
        die("open state of out", errno);
    if (_status_lt(WRITEX(backup_file, (char *)&opens, sizeof opens))) {
        FILE_CLOSE_(backup_file);
        backup_file = -1;
    }
}

static void send_update(void)
{
    struct update update;
    update.kind = 2;
    if (__ns_fget_file_state(in, &update.in) != 0)
        die("state of in", errno);
    if (__ns_fget_file_state(out, &update.out) != 0)
        die("state of out", errno);
    if (_status_lt(WRITEX(backup_file, (char *)&update, sizeof update))) {
        FILE_CLOSE_(backup_file);
        backup_file = -1;
    }
}

static void make_backup(void)
{
    short detail = 0, handle[10];
    char name[64];
    short length = 0;
    if (backup_file >= 0)
        return;
    long error = __ns_start_backup(&detail, , handle);
    if (error != 0) {
        fprintf(stderr, "copy: no backup: %ld, detail %d, errno %d\n", error, detail, errno);
        return;
    }
    if (PROCESSHANDLE_DECOMPOSE_(handle, , , , , , , name, (short)sizeof name, &length) != 0)
        return;
    if (FILE_OPEN_(name, length, &backup_file) != 0) {
        backup_file = -1;
        return;
    }
    send_opens();
    if (backup_file >= 0)
        send_update();
}

static void work(int step)
{
    char line[400];
    int count = 0;
    for (;;) {
        if (count++ % step == 0) {
            make_backup();
            if (backup_file >= 0)
                send_update();
        }
        if (fgets(line, sizeof line, in) == NULL)
            break;
        if (fputs(line, out) == EOF)
            die("write", errno);
        if (fflush(out) != 0)
            die("flush", errno);
    }
    if (fclose(out) != 0)
        die("close", errno);
    printf("COPIED\n");
    fflush(stdout);
    exit(0);
}

static void be_backup(void)
{
    union {
        short kind;
        struct opens opens;
        struct update update;
        char bytes[4000];
    } message;
    short receive = -1, info[17];
    unsigned short count = 0;
    int complete = 0;
    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1) != 0)
        die("$RECEIVE", 0);
    MONITORCPUS(-1);
    for (;;) {
        _cc_status status = READUPDATEX(receive, message.bytes, sizeof message.bytes, &count);
        FILE_GETRECEIVEINFO_(info);
        REPLYX(, , , , 0);
        if (_status_gt(status)) {
            if ((message.kind == -101 || message.kind == -2) && state_of_pair() == 4) {
                if (!complete)
                    die("took over without a state", 0);
                FILE_CLOSE_(receive);
                return;
            }
            continue;
        }
        if (message.kind == 1) {
            in = __ns_backup_fopen(&message.opens.in);
            if (in == NULL)
                die("backup open of in", errno);
            out = __ns_backup_fopen(&message.opens.out);
            if (out == NULL)
                die("backup open of out", errno);
        } else if (message.kind == 2) {
            if (__ns_fset_file_state(in, &message.update.in) != 0)
                die("set state of in", errno);
            if (__ns_fset_file_state(out, &message.update.out) != 0)
                die("set state of out", errno);
            if (!complete)
                fprintf(stderr, "READY\n");
            complete = 1;
        }
    }
}

int main(int argc, char **argv)
{
    int step = argc > 3 ? atoi(argv[3]) : 1;
    if (state_of_pair() == 6) {
        be_backup();
    } else {
        in = __ns_fopen_special(argv[1], "rb", 1);
        out = __ns_fopen_special(argv[2], "ab", 15);
        if (in == NULL || out == NULL)
            die("open", errno);
    }
    work(step);
    return 0;
}
