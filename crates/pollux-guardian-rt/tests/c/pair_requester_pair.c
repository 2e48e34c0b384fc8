/* A requester of pair_server that is itself a pair: argv: server, count, name. Its control state is the number of the request
 * that is about to be sent, with the sync block of its open: a new primary sends that request again, under the same sync id. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <crtlns.h>
#include <tal.h>
#include <cextdecs.h>
#include <zsysc.h>

static struct update {
    short file;      /* number of the open of the server */
    short sync_size; /* in bytes */
    short sync[160];
    int next;
} state;

static short server = -1, partner = -1;
static char **words;

static void failed(const char *what, int error)
{
    printf("FAILED %s: %d\n", what, error);
    fflush(stdout);
    terminate_program(0, 1);
}

static void tell(void)
{
    short size = 0, error;
    state.file = server;
    error = FILE_GETSYNCINFO_(server, state.sync, (short)sizeof state.sync, &size);
    if (error != 0)
        failed("sync block", error);
    state.sync_size = size;
    if (partner >= 0 && FILE_WRITE64_(partner, (char *)&state, (int)sizeof state) != 0) {
        FILE_CLOSE_(partner);
        partner = -1;
    }
}

static void make_backup(void)
{
    short handle[10], detail, length = 0;
    char name[64];
    if (partner >= 0 || __ns_start_backup(&detail, , handle) != 0)
        return;
    PROCESSHANDLE_DECOMPOSE_(handle, , , , , , , name, (short)sizeof name, &length);
    if (FILE_OPEN_(name, length, &partner, , , , 1) != 0)
        partner = -1;
    tell();
}

static void work(void)
{
    int wanted = atoi(words[2]);
    char request[100], reply[100];
    __int32_t count;
    short error;

    for (; state.next <= wanted; state.next++) {
        if (partner < 0)
            make_backup();
        tell();
        sprintf(request, "ADD %s-%d", words[3], state.next);
        error = FILE_WRITEREAD64_(server, request, reply, (int)strlen(request), (int)sizeof reply - 1, &count);
        if (error != 0)
            failed("request", error);
        if (count < 3 || memcmp(reply, "OK ", 3) != 0)
            failed("reply", state.next);
    }
    printf("%d acknowledged\n", wanted);
    exit(0);
}

static void be_backup(void)
{
    static struct update next;
    short receive, primary[10], error;
    __int32_t count;

    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1) != 0)
        failed("$RECEIVE", 0);
    MONITORCPUS(-1);
    PROCESS_GETPAIRINFO_(, , , , primary);
    for (;;) {
        short answer = 0;
        error = FILE_READUPDATE64_(receive, (char *)&next, (int)sizeof next, &count);
        if (error == 6) {
            short number = *(short *)&next;
            FILE_REPLY64_(, , , , 0);
            if ((number == -101 || number == -2) && PROCESS_GETPAIRINFO_() == 4)
                break;
            continue;
        }
        memcpy(&state, &next, sizeof state);
        if (server < 0) {
            server = state.file;
            answer = FILE_OPEN_(words[1], (short)strlen(words[1]), &server, , , , 1, , , , primary);
            if (answer != 0) {
                printf("FAILED backup open: %d\n", answer);
                server = -1;
            }
        }
        FILE_REPLY64_(, , , , answer);
    }
    FILE_CLOSE_(receive);
    if (server < 0)
        failed("the primary was lost before it had told its state", 0);
    error = FILE_SETSYNCINFO_(server, state.sync, state.sync_size);
    if (error != 0)
        failed("set the sync block", error);
}

int main(int argc, char **argv)
{
    short error;
    (void)argc;
    words = argv;
    if (PROCESS_GETPAIRINFO_() == 6) {
        be_backup();
    } else {
        error = FILE_OPEN_(argv[1], (short)strlen(argv[1]), &server, , , , 1);
        if (error != 0)
            failed("open", error);
        state.next = 1;
    }
    work();
    return 0;
}
