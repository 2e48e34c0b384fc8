/* A server pair that counts. The primary sends each change to its backup before it replies; both know the last request
   and its reply, so a request that is sent again is not executed again. The first argument is the pair's name. */
#include "check.h"
#include <signal.h>
#include <unistd.h>

static struct {
    int is_switch;
    int total;
    int last_sync;
} state;

static const char *own_name;
static short partner = -1;
static char message[1000];

static int is_primary(void)
{
    short role = PROCESS_GETPAIRINFO_();
    return role == 4 || role == 5;
}

/* Sends the state to the other half, if there is one. */
static void update(void)
{
    if (PROCESS_GETPAIRINFO_() == 4)
        return;
    if (partner == -1 && FILE_OPEN_(own_name, strlen(own_name), &partner) != 0) {
        partner = -1;
        return;
    }
    if (_status_lt(WRITEX(partner, (char *)&state, sizeof state))) {
        FILE_CLOSE_(partner);
        partner = -1;
    }
}

static void answer_total(void)
{
    char reply[20];
    sprintf(reply, "%d", state.total);
    REPLYX(reply, strlen(reply));
}

static void answer(unsigned short count, zsys_ddl_receiveinformation_def *info)
{
    int has_backup = PROCESS_GETPAIRINFO_() == 5;

    message[count] = 0;
    if (!is_primary()) {
        REPLYX(, , , , 200);
    } else if (info->z_syncid == state.last_sync) {
        answer_total();
    } else if (memcmp(message, "swap ", 5) == 0) {
        state.is_switch = 1;
        state.last_sync = info->z_syncid;
        update();
        state.is_switch = 0;
        /* The other half opens this one when it needs it. */
        FILE_CLOSE_(partner);
        partner = -1;
        answer_total();
    } else if (memcmp(message, "lose ", 5) == 0 && has_backup) {
        kill(getpid(), SIGKILL);
    } else {
        state.total += atoi(message + 5);
        state.last_sync = info->z_syncid;
        update();
        if (memcmp(message, "kill ", 5) == 0 && has_backup)
            kill(getpid(), SIGKILL);
        answer_total();
    }
}

int main(int argc, char **argv)
{
    short file = -1, detail = 0, handle[10], mine[10], one = 1;
    unsigned short count;
    zsys_ddl_receiveinformation_def info;
    _cc_status status;

    setvbuf(stdout, 0, _IOLBF, 0);
    own_name = argv[1];
    PROCESSHANDLE_GETMINE_(mine);
    if (PROCESS_GETPAIRINFO_() == 4)
        CHECK_IS(__ns_start_backup(&detail, 1, handle), 0);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , , 1), 0);
    for (;;) {
        status = READUPDATEX(file, message, sizeof message - 1, &count);
        CHECK_IS(_status_lt(status), 0);
        CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
        if (_status_gt(status)) {
            if (*(short *)message == -101) {
                /* The other half is gone; this one is the primary already. */
                CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
                if (partner != -1)
                    FILE_CLOSE_(partner);
                partner = -1;
            }
            REPLYX();
        } else if (PROCESSHANDLE_COMPARE_((short *)&info.z_sender, mine) == 1) {
            memcpy(&state, message, sizeof state);
            if (state.is_switch) {
                state.is_switch = 0;
                CHECK_IS(PROCESS_SETINFO_(, , 47, &one, 1), 0);
                CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
            }
            REPLYX();
        } else {
            answer(count, &info);
        }
    }
    (void)argc;
}
