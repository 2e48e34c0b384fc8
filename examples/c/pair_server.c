/* pair_server: a request/reply server as a process pair. It appends each record that it is sent to a file, once.
 *
 *   pollux cc -o pair_server pair_server.c
 *   pollux run --name '$SRV' ./pair_server /tmp/records
 *   ./pair_requester '$SRV' 1000          (compiled from pair_requester.c)
 *
 * Kill the primary, the backup or a CPU while requesters are at work: they notice nothing but a pause, and every record that
 * was acknowledged is in the file exactly once.
 *
 * What a server of a pair has to keep, and where it is in this file:
 *   who has it open          openers[], filled by the system's open and close messages      (opened, closed, cpu_lost)
 *   the last reply of each   so that a request that comes twice is not executed twice       (serve)
 *   what it is doing         told to the backup before it is done                           (tell_backup, update)
 *
 * A request comes twice when the primary dies between doing the work and the requester's getting the reply: the requester's
 * side of the message system sends it again, to the surviving member, with the same sync id.
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
                   OPENER_LOST_,           \
                   PROCESSHANDLE_COMPARE_, \
                   PROCESSHANDLE_DECOMPOSE_, \
                   PROCESSHANDLE_GETMINE_, \
                   PROCESSHANDLE_NULLIT_,  \
                   PROCESS_GETPAIRINFO_,   \
                   PROCESS_SETINFO_,       \
                   PROCESS_STOP_)> nolist
#include "pair_protocol.h"

#define ROLE_SINGLE  4
#define ROLE_PRIMARY 5
#define ROLE_BACKUP  6
#define ROLE_UNNAMED 7

#define OPENERS_MAX 64

#define ERROR_SYSTEM_MESSAGE 6
#define ERROR_NO_PRIMARY_OPEN 17
#define ERROR_OLD_SYNC_ID 39
#define ERROR_WRONG_ID 60
#define ERROR_NO_MORE_OPENS 61
#define ERROR_NOT_PRIMARY 200

/* An open of this server. The two handles must come first: OPENER_LOST_ works on tables of such entries. */
typedef struct {
    short primary[ZSYS_VAL_PHANDLE_WLEN];
    short backup[ZSYS_VAL_PHANDLE_WLEN]; /* null, or the other member of an opener that is itself a pair */
    short file_number;                   /* in the opener */
    short last_error;
    __int32_t last_sync_id;              /* of the request that was answered last */
    short reply_length;
    char  reply[REPLY_BYTES_MAX];
} opener_entry;

/* From the primary to the backup. They come from the other member only, so they cannot be taken for text. */
#define MSG_FILE    1 /* the file: open it, too */
#define MSG_OPENERS 2 /* all openers */
#define MSG_OPENER  3 /* one opener has changed */
#define MSG_UPDATE  4 /* a record is about to be written and acknowledged */
#define MSG_SWITCH  5 /* become the primary */

typedef struct {
    short number;
    short filler[3];
    __ns_std_io_file_open_state file;
} file_message;

typedef struct {
    short number;
    opener_entry openers[OPENERS_MAX];
} openers_message;

typedef struct {
    short number;
    short index;
    opener_entry entry;
} opener_message;

typedef struct {
    short number;
    short index;  /* whose request this is; -1: nothing is under way */
    int   records; /* in the file before this one */
    __ns_std_io_file_state file; /* before the record is written */
    short length;
    char  record[REQUEST_BYTES_MAX];
    opener_entry entry; /* as it is when the request is done */
} update_message;

static union {
    short number;
    char  text[REQUEST_BYTES_MAX + 1];
    zsys_ddl_smsg_def system;
    file_message file;
    openers_message openers;
    opener_message opener;
    update_message update;
} message;

static opener_entry openers[OPENERS_MAX];
static update_message state;   /* the newest update point */
static FILE *records;
static short receive;
static short partner = -1;     /* file number of the open of the other member; -1: none */
static short other[ZSYS_VAL_PHANDLE_WLEN]; /* the other member, when it was opened last */

static void give_up(const char *what)
{
    fprintf(stderr, "pair_server: %s: error %d\n", what, errno);
    terminate_program(0, 1, 5);
}

static void nullify(short *handle)
{
    (void) PROCESSHANDLE_NULLIT_(handle);
}

static int is_null(const short *handle)
{
    return handle[0] == ZSYS_VAL_PHANDLE_WTYPE_NULL;
}

/* ---- the other member ------------------------------------------------------------------------------------------- */

static void forget_partner(void)
{
    if (partner >= 0) (void) FILE_CLOSE_(partner);
    partner = -1;
}

/* It is lost: then it cannot be stopped, and -101 or -2 is on its way. Or it cannot do what it was told: then it must not stay on
 * record as the one who takes over. Either way we hear of its end, and start another. */
static void drop_backup(void)
{
    forget_partner();
    (void) PROCESS_STOP_(other);
}

static short tell_backup(void *what, size_t bytes)
{
    short error;
    if (partner < 0) return 201;
    error = FILE_WRITE64_(partner, what, (__int32_t) bytes);
    if (error != 0) drop_backup();
    return error;
}

static short open_partner(const short *handle)
{
    char  name[ZSYS_VAL_LEN_FILENAME];
    short length;
    short error;
    memcpy(other, handle, sizeof other);
    error = PROCESSHANDLE_DECOMPOSE_(other, , , , , , , name, (short) sizeof name, &length);
    if (error == 0) error = FILE_OPEN_(name, length, &partner, , , , 1);
    if (error != 0) {
        partner = -1;
        drop_backup();
    }
    return error;
}

/* A new backup is told everything: which file, who has us open, where we are. */
static void bring_backup_in_step(void)
{
    static file_message file;
    static openers_message all;
    file.number = MSG_FILE;
    if (__ns_fget_file_open_state(records, &file.file) != 0) give_up("open state of the file");
    all.number = MSG_OPENERS;
    memcpy(all.openers, openers, sizeof openers);
    (void) tell_backup(&file, sizeof file);
    (void) tell_backup(&all, sizeof all);
    state.index = -1;
    if (__ns_fget_file_state(records, &state.file) != 0) give_up("state of the file");
    (void) tell_backup(&state, sizeof state);
}

static void start_backup(void)
{
    short handle[ZSYS_VAL_PHANDLE_WLEN];
    short detail;
    if (partner >= 0) return;
    if (__ns_start_backup(&detail, , handle) != 0) return; /* no CPU: message -3 tells when there is one */
    if (open_partner(handle) == 0) bring_backup_in_step();
}

/* ---- the openers ------------------------------------------------------------------------------------------------ */

static void tell_opener(short index)
{
    static opener_message change;
    change.number = MSG_OPENER;
    change.index = index;
    change.entry = openers[index];
    (void) tell_backup(&change, sizeof change);
}

/* The open with this number of this process, which is either member of its pair. */
static short find_open(const short *handle, short file_number)
{
    short i;
    for (i = 0; i < OPENERS_MAX; i++) {
        opener_entry *entry = &openers[i];
        if (is_null(entry->primary) || entry->file_number != file_number) continue;
        if (PROCESSHANDLE_COMPARE_(entry->primary, (short *) handle) == 2) return i;
        if (!is_null(entry->backup) && PROCESSHANDLE_COMPARE_(entry->backup, (short *) handle) == 2) {
            /* A pair that opened us has exchanged its roles, or lost its primary; the news of that may come later. */
            short was_primary[ZSYS_VAL_PHANDLE_WLEN];
            memcpy(was_primary, entry->primary, sizeof was_primary);
            memcpy(entry->primary, entry->backup, sizeof was_primary);
            memcpy(entry->backup, was_primary, sizeof was_primary);
            return i;
        }
    }
    return -1;
}

static short find_opener(const zsys_ddl_receiveinformation_def *info)
{
    return find_open((const short *) &info->z_sender, info->z_filenum);
}

static void opened(const zsys_ddl_receiveinformation_def *info)
{
    zsys_ddl_smsg_open_def *open = &message.system.u_z_msg.z_open;
    zsys_ddl_smsg_open_reply_def answer;
    short own[ZSYS_VAL_PHANDLE_WLEN];
    short i;

    (void) PROCESSHANDLE_GETMINE_(own);
    if (PROCESSHANDLE_COMPARE_(own, (short *) &info->z_sender) == 1) { /* the other member: not a client */
        (void) FILE_REPLY64_(, , , , 0);
        return;
    }
    if (open->z_flags & ZSYS_MSK_OPEN_BACKUPOPEN) {
        i = find_open((const short *) &open->z_primary, open->z_primary_fnum);
        if (i < 0) {
            (void) FILE_REPLY64_(, , , , ERROR_NO_PRIMARY_OPEN);
            return;
        }
        memcpy(openers[i].backup, &info->z_sender, sizeof openers[i].backup);
    } else {
        /* It is known already if the primary died between telling us of it and answering it. */
        i = find_opener(info);
        if (i < 0)
            for (i = 0; i < OPENERS_MAX && !is_null(openers[i].primary); i++) continue;
        if (i == OPENERS_MAX) {
            (void) FILE_REPLY64_(, , , , ERROR_NO_MORE_OPENS);
            return;
        }
        memset(&openers[i], 0, sizeof openers[i]);
        memcpy(openers[i].primary, &info->z_sender, sizeof openers[i].primary);
        nullify(openers[i].backup);
        openers[i].file_number = info->z_filenum;
    }
    tell_opener(i);
    answer.z_msgnumber = ZSYS_VAL_SMSG_OPEN;
    answer.z_openid = i; /* comes back with each request of this open */
    (void) FILE_REPLY64_((char *) &answer, (__int32_t) sizeof answer);
}

static void closed(const zsys_ddl_receiveinformation_def *info)
{
    short i = find_opener(info);
    if (i >= 0) {
        if (is_null(openers[i].backup)) {
            nullify(openers[i].primary);
        } else { /* find_opener has put the sender first */
            memcpy(openers[i].primary, openers[i].backup, sizeof openers[i].primary);
            nullify(openers[i].backup);
        }
        tell_opener(i);
    }
    (void) FILE_REPLY64_(, , , , 0);
}

/* Openers in a lost CPU send no close message. */
static void cpu_lost(short length)
{
    short index = -1;
    short outcome;
    do {
        outcome = OPENER_LOST_((char *) &message, length, openers[0].primary, &index, OPENERS_MAX,
                               (short) (sizeof(opener_entry) / 2));
        if (outcome >= 4 && outcome <= 6) tell_opener(index);
    } while (outcome >= 4 && outcome <= 6);
}

/* ---- the work --------------------------------------------------------------------------------------------------- */

static void write_record(void)
{
    if (fwrite(state.record, 1, (size_t) state.length, records) != (size_t) state.length || fflush(records) != 0)
        give_up("write a record");
    state.records++;
}

static void answer_saved(short index)
{
    opener_entry *entry = &openers[index];
    (void) FILE_REPLY64_(entry->reply, entry->reply_length, , , entry->last_error);
}

/* Becomes the backup, if the backup agrees to become the primary. Returns true if it does. */
static int switch_over(void)
{
    if (partner < 0) return 0;
    state.index = -1;
    if (__ns_fget_file_state(records, &state.file) != 0) give_up("state of the file");
    state.number = MSG_SWITCH;
    if (tell_backup(&state, sizeof state) != 0) {
        state.number = MSG_UPDATE;
        return 0;
    }
    state.number = MSG_UPDATE;
    forget_partner(); /* the new primary opens us */
    return 1;
}

/* Returns true if the roles were exchanged. */
static int serve(const zsys_ddl_receiveinformation_def *info, int length)
{
    short index = find_opener(info);
    opener_entry *entry;
    char text[REQUEST_BYTES_MAX + 1];

    if (index < 0) {
        (void) FILE_REPLY64_(, , , , ERROR_WRONG_ID);
        return 0;
    }
    entry = &openers[index];
    if (entry->reply_length > 0 && info->z_syncid == entry->last_sync_id) {
        answer_saved(index);
        return 0;
    }
    if (entry->reply_length > 0 && info->z_syncid < entry->last_sync_id) {
        (void) FILE_REPLY64_(, , , , ERROR_OLD_SYNC_ID);
        return 0;
    }
    if (length > REQUEST_BYTES_MAX) length = REQUEST_BYTES_MAX;
    memcpy(text, message.text, (size_t) length);
    text[length] = '\0';

    if (strcmp(text, "COUNT") == 0) { /* changes nothing: no need to tell anybody */
        char reply[REPLY_BYTES_MAX];
        int bytes = sprintf(reply, "OK %d", state.records);
        (void) FILE_REPLY64_(reply, bytes);
        return 0;
    }
    if (strcmp(text, "OPENERS") == 0) { /* the asker is one */
        char reply[REPLY_BYTES_MAX];
        int count = 0;
        short i;
        for (i = 0; i < OPENERS_MAX; i++) count += !is_null(openers[i].primary);
        (void) FILE_REPLY64_(reply, sprintf(reply, "OK %d", count));
        return 0;
    }
    if (strcmp(text, "SWITCH") == 0) {
        int done = switch_over();
        const char *reply = done ? "OK" : "NO backup";
        (void) FILE_REPLY64_((char *) reply, (__int32_t) strlen(reply));
        return done;
    }
    if (strncmp(text, "ADD ", 4) != 0 || length < 5) {
        (void) FILE_REPLY64_("NO such request", 15, , , 2);
        return 0;
    }
    /* Decide everything first, tell the backup, then do it. If we die behind this point, the backup does it. */
    state.index = index;
    state.length = (short) sprintf(state.record, "%s\n", text + 4);
    state.entry = *entry;
    state.entry.last_sync_id = info->z_syncid;
    state.entry.last_error = 0;
    state.entry.reply_length = (short) sprintf(state.entry.reply, "OK %d", state.records + 1);
    if (__ns_fget_file_state(records, &state.file) != 0) give_up("state of the file");
    (void) tell_backup(&state, sizeof state);
    *entry = state.entry;
    write_record();
    answer_saved(index);
    return 0;
}

/* ---- the roles -------------------------------------------------------------------------------------------------- */

/* What the last update says is about to be done is done, perhaps for the second time: the system sees that. */
static void finish_what_was_begun(void)
{
    if (records == NULL) give_up("the primary was lost before it had told its state");
    if (__ns_fset_file_state(records, &state.file) != 0) give_up("set the state of the file");
    if (state.index >= 0) {
        write_record();
        state.index = -1;
    }
}

/* Handles a message as the primary does. Returns true if the roles were exchanged. */
static int handle_as_primary(short error, const zsys_ddl_receiveinformation_def *info, int length)
{
    if (error == 0) return serve(info, length);
    if (error != ERROR_SYSTEM_MESSAGE) give_up("read $RECEIVE");
    switch (message.number) {
    case ZSYS_VAL_SMSG_OPEN:
        opened(info);
        break;
    case ZSYS_VAL_SMSG_CLOSE:
        closed(info);
        break;
    case ZSYS_VAL_SMSG_CPUDOWN:
        (void) FILE_REPLY64_(, , , , 0);
        cpu_lost((short) length);
        break;
    case ZSYS_VAL_SMSG_PROCDEATH:
    case ZSYS_VAL_SMSG_CPUUP:
        (void) FILE_REPLY64_(, , , , 0);
        break;
    default:
        (void) FILE_REPLY64_(, , , , 2);
    }
    /* Whatever it was: the system knows whether we have a backup. The news of a loss may be older than the next backup. */
    if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) {
        forget_partner();
        start_backup();
    }
    return 0;
}

/* Serves until the roles are exchanged. */
static void be_primary(void)
{
    zsys_ddl_receiveinformation_def info;
    short error;
    __int32_t count;

    start_backup();
    do {
        error = FILE_READUPDATE64_(receive, (char *) &message, (__int32_t) sizeof message, &count);
        (void) FILE_GETRECEIVEINFO_((short *) &info);
    } while (!handle_as_primary(error, &info, (int) count));
}

/* The new primary of a planned exchange. */
static void switched(const short *old_primary)
{
    finish_what_was_begun();
    if (open_partner(old_primary) == 0) bring_backup_in_step();
    be_primary();
}

/* A message of the primary. */
static void follow_primary(short *primary)
{
    short one = 1;
    short error = 0;

    switch (message.number) {
    case MSG_FILE:
        if (records == NULL) records = __ns_backup_fopen(&message.file.file);
        if (records == NULL) error = (short) errno;
        break;
    case MSG_OPENERS:
        memcpy(openers, message.openers.openers, sizeof openers);
        break;
    case MSG_OPENER:
        openers[message.opener.index] = message.opener.entry;
        break;
    case MSG_UPDATE:
    case MSG_SWITCH:
        memcpy(&state, &message.update, sizeof state);
        state.number = MSG_UPDATE;
        /* It will be done, whoever does it. Noted at once: what comes next may say that this opener has closed us, and its entry
         * may be another's by then. */
        if (state.index >= 0) openers[state.index] = state.entry;
        if (message.number == MSG_SWITCH) {
            error = PROCESS_SETINFO_(, , ZSYS_VAL_PINF_PRIMARY, &one, 1);
            (void) FILE_REPLY64_(, , , , error);
            if (error == 0) {
                switched(primary);
                (void) PROCESS_GETPAIRINFO_(, , , , primary);
            }
            return;
        }
        break;
    default:
        error = 2;
    }
    (void) FILE_REPLY64_(, , , , error);
}

static void be_backup(void)
{
    zsys_ddl_receiveinformation_def info;
    short primary[ZSYS_VAL_PHANDLE_WLEN];
    short error;
    __int32_t count;

    (void) PROCESS_GETPAIRINFO_(, , , , primary);
    for (;;) {
        error = FILE_READUPDATE64_(receive, (char *) &message, (__int32_t) sizeof message, &count);
        (void) FILE_GETRECEIVEINFO_((short *) &info);
        if (error != 0 && error != ERROR_SYSTEM_MESSAGE) give_up("read $RECEIVE");

        if (!is_null((short *) &info.z_sender) && PROCESSHANDLE_COMPARE_((short *) &info.z_sender, primary) == 2) {
            if (error == 0) follow_primary(primary);
            else (void) FILE_REPLY64_(, , , , 0); /* it opens or closes us */
        } else if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) {
            /* The primary is gone. This is the news of it, or a requester that knows already: its message can be here first. */
            finish_what_was_begun();
            if (!handle_as_primary(error, &info, (int) count)) be_primary();
            (void) PROCESS_GETPAIRINFO_(, , , , primary);
        } else if (error == 0 || message.number == ZSYS_VAL_SMSG_OPEN) {
            (void) FILE_REPLY64_(, , , , ERROR_NOT_PRIMARY); /* the sender's side asks who is, and sends it there */
        } else {
            (void) FILE_REPLY64_(, , , , 0);
            if (message.number == ZSYS_VAL_SMSG_CPUDOWN) cpu_lost((short) count);
        }
    }
}

int main(int argc, char **argv)
{
    short role = PROCESS_GETPAIRINFO_();
    short i;

    if (role == ROLE_UNNAMED || argc != 2) {
        fprintf(stderr, "usage: pollux run --name '$SRV' ./pair_server FILE\n");
        exit(2);
    }
    for (i = 0; i < OPENERS_MAX; i++) {
        nullify(openers[i].primary);
        nullify(openers[i].backup);
    }
    state.number = MSG_UPDATE;
    state.index = -1;
    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1) != 0) give_up("open $RECEIVE");
    MONITORCPUS(-1);

    if (role == ROLE_SINGLE) {
        records = __ns_fopen_special(argv[1], "w", 1);
        if (records == NULL) {
            fprintf(stderr, "pair_server: cannot create %s: error %d\n", argv[1], errno);
            exit(2);
        }
        be_primary();
    }
    be_backup();
    return 0;
}
