/* A pair: how backups end without ending their pair, and the standard files of a backup after a takeover. Run as $END.
   Argument "ends": each way in turn; "takes": the primary dies in the middle of its input. */
#include "check.h"
#include <signal.h>
#include <unistd.h>

/* What the primary tells its backup. */
static struct {
    short kind;
    short pad[3];
    __ns_std_io_file_state in, out;
    int lines;
} state;

enum { EXIT_0, EXIT_1, EXIT_MINUS, ABORT, TERMINATE, TERMINATE_9, ABEND_7, RETURN, KINDS, STATE };

static short message[1000];
static unsigned short count;

static void open_receive(void)
{
    short receive;
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
}

/* Copies lines of IN to OUT, with a number in front. */
static void copy(int from, int to)
{
    char line[80];
    int number;

    for (number = from; number <= to; number++) {
        if (fgets(line, sizeof line, stdin) == NULL)
            return;
        printf("%d%c %s", number, PROCESS_GETPAIRINFO_() == 4 ? 's' : 'p', line);
        fflush(stdout);
    }
}

static int as_backup(void)
{
    open_receive();
    for (;;) {
        short error = READUPDATEX(0, (char *)&message, sizeof message, &count);
        if (error == 0) {
            int length = count < sizeof state ? count : (int)sizeof state;
            memcpy(&state, message, (size_t)length);
            REPLYX();
            switch (state.kind) {
            case EXIT_0:
                exit(0);
            case EXIT_1:
                exit(1);
            case EXIT_MINUS:
                exit(-1);
            case ABORT:
                abort();
            case TERMINATE:
                terminate_program();
                break;
            case TERMINATE_9:
                terminate_program(, , 9);
                break;
            case ABEND_7:
                terminate_program(0, 1, 7);
                break;
            case RETURN:
                return 3;
            }
        } else {
            short number = message[0];
            REPLYX();
            if (number == -101)
                break;
        }
    }
    /* Its primary has died: the standard files go on where the state says. */
    CHECK_IS(__ns_fset_file_state(stdin, &state.in), 0);
    CHECK_IS(__ns_fset_file_state(stdout, &state.out), 0);
    copy(state.lines + 1, 1000);
    fprintf(stderr, "TAKEN\n");
    return 0;
}

static short start_backup(void)
{
    short detail, backup[10], file;

    CHECK_IS(__ns_start_backup(&detail, 1, backup), 0);
    CHECK_IS(FILE_OPEN_("$END", 4, &file, , , , 1), 0);
    return file;
}

static void ends(void)
{
    static const short codes[KINDS] = {0, 1, 5, 5, 0, 9, 7, 3};
    static const short abends[KINDS] = {0, 1, 1, 1, 0, 0, 1, 1};
    short kind;

    open_receive();
    for (kind = 0; kind < KINDS; kind++) {
        short file = start_backup();
        printf("kind %d\n", kind);
        CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
        CHECK_IS(WRITEX(file, (char *)&kind, 2), 0);
        FILE_CLOSE_(file);
        do {
            READUPDATEX(0, (char *)message, sizeof message, &count);
            REPLYX();
        } while (message[0] != -101);
        CHECK_IS(message[16], codes[kind]);
        CHECK_IS(message[37] & 1, abends[kind]);
        CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
    }
    printf("PASSED\n");
}

static void takes(void)
{
    short file = start_backup();

    copy(1, 2);
    state.kind = STATE;
    state.lines = 2;
    CHECK_IS(__ns_fget_file_state(stdin, &state.in), 0);
    CHECK_IS(__ns_fget_file_state(stdout, &state.out), 0);
    CHECK_IS(WRITEX(file, (char *)&state, sizeof state), 0);
    kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
    setvbuf(stdin, NULL, _IOFBF, 4096);
    if (PROCESS_GETPAIRINFO_() == 6)
        return as_backup();
    if (argc > 1 && strcmp(argv[1], "ends") == 0)
        ends();
    else
        takes();
    return 0;
}
