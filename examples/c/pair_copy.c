/* pair_copy: copies a text file, line by line, as a process pair.
 *
 *   pollux cc -o pair_copy pair_copy.c
 *   pollux run --name '$COPY' ./pair_copy FROM TO
 *
 * Kill the primary at any moment, as often as you like (pollux kill '$COPY' --primary): TO ends up as an exact copy.
 *
 * How it works, for somebody who knows C but not NonStop. The program is started once and becomes the *primary*. It starts
 * a second process of itself, the *backup*, which waits for messages. Before each line is written the primary sends the
 * backup one message with everything that is needed to go on from there: where it has come to in both files, and the line
 * itself. If the primary dies, the system tells the backup, which writes that line and goes on as the new primary.
 *
 * Was the line written already when the primary died? The primary may have died just before its write or just after it. The
 * file state that went with the message carries a number for the next write (the sync id). The repeated write has the same
 * number, so the system knows whether it has been done: that is what "sync depth 1" at the opening of the file asks for.
 */
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <errno.h> nolist
#include <crtlns.h> nolist
#include <tal.h> nolist
#include <zsysc> nolist
#include <cextdecs(FILE_CLOSE_,            \
                   FILE_GETRECEIVEINFO_,   \
                   FILE_OPEN_,             \
                   FILE_READUPDATE64_,     \
                   FILE_REPLY64_,          \
                   FILE_WRITE64_,          \
                   MONITORCPUS,            \
                   PROCESSHANDLE_COMPARE_, \
                   PROCESSHANDLE_DECOMPOSE_, \
                   PROCESSHANDLE_GETMINE_, \
                   PROCESS_GETPAIRINFO_,   \
                   PROCESS_STOP_)> nolist

#define LINE_MAX_BYTES 512

/* What PROCESS_GETPAIRINFO_ says of a process that asks about itself. */
#define ROLE_SINGLE  4
#define ROLE_PRIMARY 5
#define ROLE_BACKUP  6
#define ROLE_UNNAMED 7

/* What the primary tells the backup. Message numbers of programs are positive; those of the system are negative. */
#define MSG_FILES  1
#define MSG_UPDATE 2

typedef struct {
    short number;
    short filler[3]; /* the states are aligned like a long long */
    __ns_std_io_file_open_state from;
    __ns_std_io_file_open_state to;
} files_message;

typedef struct {
    short number;
    short length; /* of the line that is to be written next; -1: none was read yet */
    int   count;  /* lines written so far */
    __ns_std_io_file_state from; /* behind that line */
    __ns_std_io_file_state to;   /* before that line */
    char  line[LINE_MAX_BYTES];
} update_message;

static FILE *from_file;
static FILE *to_file;
static update_message state;      /* where we are */
static short partner = -1;        /* file number of the open of the backup; -1: there is no backup */
static int   alone_for;           /* lines written without one */

static void give_up(const char *what)
{
    fprintf(stderr, "pair_copy: %s: error %d\n", what, errno);
    terminate_program(0, 1, 5); /* ABEND: the backup, if there is one, takes over */
}

#define PARTNER 2 /* PROCESS_STOP_: the other member of the caller's pair */

/* Sends a message to the backup. Without one, or if it is just lost, the work goes on alone. One that lives and cannot do what it is
 * told must not stay on record as the one who takes over. */
static void tell_backup(void *message, int bytes)
{
    short error;
    if (partner < 0) return;
    error = FILE_WRITE64_(partner, message, bytes);
    if (error != 0) {
        (void) FILE_CLOSE_(partner);
        partner = -1;
        (void) PROCESS_STOP_(, PARTNER);
    }
}

static void start_backup(void)
{
    static files_message files;
    short handle[ZSYS_VAL_PHANDLE_WLEN];
    char  name[ZSYS_VAL_LEN_FILENAME];
    short length;
    short detail;
    short error;

    alone_for = 0;
    if (__ns_start_backup(&detail, , handle) != 0) return; /* no second CPU is up: go on alone, try again later */

    /* The pair has one name. Opened by one of its members it leads to the other one. */
    error = PROCESSHANDLE_DECOMPOSE_(handle, , , , , , , name, (short) sizeof name, &length);
    if (error == 0) error = FILE_OPEN_(name, length, &partner, , , , 1);
    if (error != 0) {
        partner = -1;
        (void) PROCESS_STOP_(, PARTNER);
        return;
    }
    files.number = MSG_FILES;
    if (__ns_fget_file_open_state(from_file, &files.from) != 0) give_up("open state of the input");
    if (__ns_fget_file_open_state(to_file, &files.to) != 0) give_up("open state of the output");
    tell_backup(&files, (int) sizeof files);
    tell_backup(&state, (int) sizeof state);
}

/* The update point: from here on the backup could write the line that was just read. */
static void update_backup(void)
{
    if (__ns_fget_file_state(from_file, &state.from) != 0) give_up("state of the input");
    if (__ns_fget_file_state(to_file, &state.to) != 0) give_up("state of the output");
    if (partner < 0 && ++alone_for >= 100) start_backup();
    else tell_backup(&state, (int) sizeof state);
}

static void write_line(void)
{
    if (state.length < 0) return;
    if (fwrite(state.line, 1, (size_t) state.length, to_file) != (size_t) state.length || fflush(to_file) != 0)
        give_up("write");
    state.count++;
}

/* The primary's work, from the beginning or from where an earlier primary had come to. */
static void copy(void)
{
    while (fgets(state.line, (int) sizeof state.line, from_file) != NULL) {
        state.length = (short) strlen(state.line);
        update_backup();
        write_line();
    }
    if (ferror(from_file)) give_up("read");
    (void) fclose(from_file);
    if (fclose(to_file) != 0) give_up("close");
    printf("pair_copy: %d lines copied\n", state.count);
    exit(0); /* a primary that ends well takes its backup with it */
}

static void be_primary(char **argv)
{
    from_file = __ns_fopen_special(argv[1], "r", 1);
    if (from_file == NULL) {
        fprintf(stderr, "pair_copy: cannot open %s: error %d\n", argv[1], errno);
        exit(2);
    }
    to_file = __ns_fopen_special(argv[2], "w", 1);
    if (to_file == NULL) {
        fprintf(stderr, "pair_copy: cannot create %s: error %d\n", argv[2], errno);
        exit(2);
    }
    state.number = MSG_UPDATE;
    state.length = -1;
    if (__ns_fget_file_state(from_file, &state.from) != 0) give_up("state of the input");
    if (__ns_fget_file_state(to_file, &state.to) != 0) give_up("state of the output");
    start_backup();
    copy();
}

/* The primary is gone: write the line it was about to write, and go on in its place. */
static void take_over(short receive)
{
    if (from_file == NULL || to_file == NULL || state.number != MSG_UPDATE)
        give_up("the primary was lost before it had told its state");
    (void) FILE_CLOSE_(receive);
    if (__ns_fset_file_state(from_file, &state.from) != 0) give_up("set the state of the input");
    if (__ns_fset_file_state(to_file, &state.to) != 0) give_up("set the state of the output");
    write_line();
    state.length = -1;
    if (__ns_fget_file_state(from_file, &state.from) != 0) give_up("state of the input");
    if (__ns_fget_file_state(to_file, &state.to) != 0) give_up("state of the output");
    start_backup();
    copy();
}

static void be_backup(void)
{
    static union {
        short number;
        files_message files;
        update_message update;
        zsys_ddl_smsg_def system;
    } message;
    zsys_ddl_receiveinformation_def info;
    short primary[ZSYS_VAL_PHANDLE_WLEN];
    short cpu;
    short receive;
    short error;
    short answer;
    __int32_t count;

    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1) != 0) give_up("open $RECEIVE");
    (void) PROCESS_GETPAIRINFO_(, , , , primary);
    (void) PROCESSHANDLE_DECOMPOSE_(primary, &cpu);
    MONITORCPUS((short) (0x8000 >> cpu)); /* the loss of a CPU is told only to those who ask */

    for (;;) {
        error = FILE_READUPDATE64_(receive, (char *) &message, (__int32_t) sizeof message, &count);
        if (error == 6) { /* a message of the system */
            (void) FILE_REPLY64_(, , , , 0);
            if ((message.number == ZSYS_VAL_SMSG_PROCDEATH || message.number == ZSYS_VAL_SMSG_CPUDOWN)
                && PROCESS_GETPAIRINFO_() == ROLE_SINGLE)
                take_over(receive);
            continue;
        }
        if (error != 0) give_up("read $RECEIVE");

        /* Only the primary may tell us anything: somebody else may hold an old handle of a process that was here before. */
        (void) FILE_GETRECEIVEINFO_((short *) &info);
        if (PROCESSHANDLE_COMPARE_((short *) &info.z_sender, primary) != 2) {
            (void) FILE_REPLY64_(, , , , 200);
            continue;
        }
        answer = 0;
        if (message.number == MSG_FILES) {
            from_file = __ns_backup_fopen(&message.files.from);
            to_file = __ns_backup_fopen(&message.files.to);
            if (from_file == NULL || to_file == NULL) answer = (short) errno;
        } else if (message.number == MSG_UPDATE) {
            memcpy(&state, &message.update, sizeof state);
        } else {
            answer = 2;
        }
        (void) FILE_REPLY64_(, , , , answer);
    }
}

int main(int argc, char **argv)
{
    switch (PROCESS_GETPAIRINFO_()) {
    case ROLE_SINGLE:
        if (argc != 3) {
            fprintf(stderr, "usage: pollux run --name '$COPY' ./pair_copy FROM TO\n");
            exit(2);
        }
        be_primary(argv);
        break;
    case ROLE_BACKUP:
        be_backup();
        break;
    case ROLE_UNNAMED:
        fprintf(stderr, "pair_copy: a pair needs a name\n  next: pollux run --name '$COPY' ./pair_copy FROM TO\n");
        exit(2);
    default:
        give_up("no role");
    }
    return 0;
}
