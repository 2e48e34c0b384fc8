/* nowait_server: one process, many requesters, many requests in hand at a time; nothing it does blocks it.
 *
 *   pollux cc -o nowait_server nowait_server.c
 *   pollux run --name '$ECHO' ./nowait_server
 *
 * Requests are text:
 *   SAY words            answered at once: words
 *   LATER centisec words answered when so much time has passed
 *   ASK $SERVER words    sends the words to another server and answers what that one answers
 *   IDLE                 answered: how many requests are in hand
 *
 * The pattern of every NonStop server that must not wait: start an operation (a read of $RECEIVE, a request to another
 * server, a timer), go back to AWAITIOX, and take whatever is finished next. The receive depth says how many requests may be
 * read before the first of them is answered; each has a message tag by which it is answered later, in any order.
 */
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <tal.h> nolist
#include <zsysc> nolist
#include <cextdecs(AWAITIOX,             \
                   CANCELTIMEOUT,        \
                   FILE_CLOSE_,          \
                   FILE_GETINFO_,        \
                   FILE_GETRECEIVEINFO_, \
                   FILE_OPEN_,           \
                   READUPDATEX,          \
                   REPLYX,               \
                   SETMODE,              \
                   SIGNALTIMEOUT,        \
                   WRITEREADX)> nolist

#define IN_HAND_MAX 16
#define TEXT_MAX    256
#define RECEIVE     0 /* $RECEIVE has file number 0 always */

#define ERROR_TIMED_OUT      40
#define ERROR_SYSTEM_MESSAGE 6
#define ERROR_NOT_UNDERSTOOD 2
#define ERROR_REQUEST_GIVEN_UP 593

/* A request that is not answered yet; its place in the table is its message tag. */
static struct {
    short used;
    short timer;              /* -1: none */
    short other;              /* file number of the server that is asked; -1: none */
    char  text[TEXT_MAX + 1]; /* what is answered, or what the other server has answered */
} in_hand[IN_HAND_MAX];

static union {
    short number;
    char  text[TEXT_MAX + 1];
    zsys_ddl_smsg_def system;
} message;

static void post_read(void)
{
    /* At most one read of $RECEIVE is under way; it is finished by AWAITIOX. */
    if (_status_ne(READUPDATEX(RECEIVE, (char *) &message, TEXT_MAX))) {
        short error;
        (void) FILE_GETINFO_(RECEIVE, &error);
        fprintf(stderr, "nowait_server: read of $RECEIVE: error %d\n", error);
        exit(1);
    }
}

static void answer(short tag, const char *text, short error)
{
    unsigned short written;
    (void) REPLYX(text, (unsigned short) strlen(text), &written, tag, error);
    if (in_hand[tag].other >= 0) (void) FILE_CLOSE_(in_hand[tag].other);
    in_hand[tag].used = 0;
}

static void begin(short tag, const char *text)
{
    short error;
    int   centisec;
    int   skip = 0;
    char  name[TEXT_MAX + 1];

    in_hand[tag].used = 1;
    in_hand[tag].timer = -1;
    in_hand[tag].other = -1;
    if (strncmp(text, "SAY ", 4) == 0) {
        answer(tag, text + 4, 0);
    } else if (strcmp(text, "IDLE") == 0) {
        int count = 0;
        short i;
        for (i = 0; i < IN_HAND_MAX; i++) count += in_hand[i].used;
        sprintf(name, "%d", count);
        answer(tag, name, 0);
    } else if (sscanf(text, "LATER %d %n", &centisec, &skip) == 1 && skip > 0 && centisec > 0) {
        strcpy(in_hand[tag].text, text + skip);
        /* Message -22 comes through $RECEIVE, with our tag in it. */
        if (_status_ne(SIGNALTIMEOUT(centisec, tag, , &in_hand[tag].timer))) answer(tag, "", ERROR_NOT_UNDERSTOOD);
    } else if (sscanf(text, "ASK %s %n", name, &skip) == 1 && skip > 0) {
        error = FILE_OPEN_(name, (short) strlen(name), &in_hand[tag].other, , , 1, 1);
        if (error != 0) {
            in_hand[tag].other = -1;
            answer(tag, "", error);
            return;
        }
        /* One buffer both ways. It belongs to the system until AWAITIOX has finished the operation. */
        strcpy(in_hand[tag].text, text + skip);
        if (_status_ne(WRITEREADX(in_hand[tag].other, in_hand[tag].text, (unsigned short) strlen(in_hand[tag].text),
                                  TEXT_MAX, , tag))) {
            (void) FILE_GETINFO_(in_hand[tag].other, &error);
            answer(tag, "", error);
        }
    } else {
        answer(tag, "", ERROR_NOT_UNDERSTOOD);
    }
}

/* A request is given up by its sender. It must be answered all the same; nobody reads that answer. */
static void give_up(short tag)
{
    if (tag < 0 || tag >= IN_HAND_MAX || !in_hand[tag].used) return;
    if (in_hand[tag].timer >= 0) (void) CANCELTIMEOUT(in_hand[tag].timer);
    answer(tag, "", ERROR_REQUEST_GIVEN_UP);
}

static void received(short error, unsigned short count)
{
    zsys_ddl_receiveinformation_def info;
    (void) FILE_GETRECEIVEINFO_((short *) &info);
    if (error == 0) {
        message.text[count] = '\0';
        begin(info.z_messagetag, message.text);
    } else if (error == ERROR_SYSTEM_MESSAGE) {
        short tag = -1;
        short cancelled = -1;
        if (message.number == ZSYS_VAL_SMSG_TIMESIGNAL) tag = message.system.u_z_msg.z_timesignal.z_parm1;
        if (message.number == ZSYS_VAL_SMSG_QMSGCANCELLED) cancelled = message.system.u_z_msg.z_qmsgcancelled.z_tag;
        (void) REPLYX(, , , info.z_messagetag, 0); /* every message that was read is answered */
        if (tag >= 0 && in_hand[tag].used) answer(tag, in_hand[tag].text, 0);
        give_up(cancelled);
    } else {
        fprintf(stderr, "nowait_server: $RECEIVE: error %d\n", error);
        exit(1);
    }
}

int main(void)
{
    short receive;
    short error;
    short file;
    __int32_t tag;
    unsigned short count;

    error = FILE_OPEN_("$RECEIVE", 8, &receive, , , 1, IN_HAND_MAX);
    if (error != 0) {
        fprintf(stderr, "nowait_server: cannot open $RECEIVE: error %d\n", error);
        return 1;
    }
    (void) SETMODE(RECEIVE, 80, 4); /* tell us of cancelled requests, message -38 */
    post_read();
    for (;;) {
        file = -1; /* whichever operation is finished first */
        (void) AWAITIOX(&file, , &count, &tag, -1);
        (void) FILE_GETINFO_(file, &error);
        if (file == RECEIVE) {
            received(error, count);
            post_read();
        } else if (file > 0) {
            in_hand[tag].text[error == 0 ? count : 0] = '\0';
            answer((short) tag, in_hand[tag].text, error);
        }
    }
}
