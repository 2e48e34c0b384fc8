/* A server that does what its requests say, and keeps a log of the system messages that it reads.
   Arguments: receive depth, options of $RECEIVE, and for a server that never opens it: "deaf". */
#include "check.h"

static char message[70000];
static char reply[70000];
static char text[4000];
static char log_of_messages[4000];
static short held[16];
static short held_count;
static short next_label = 7;
static char qualifiers[100][20];

static void note(const char *line)
{
    strcat(log_of_messages, line);
    strcat(log_of_messages, ";");
}

static void answer_system_message(unsigned short count, zsys_ddl_receiveinformation_def *info, short tag)
{
    short number = *(short *)message;
    short words[3];
    zsys_ddl_smsg_open_def *open = (zsys_ddl_smsg_open_def *)message;
    short *word = (short *)message;
    char line[200];

    switch (number) {
    case -103:
        sprintf(line, "open a%d e%d n%d s%d o%d f%d b%d q%.*s c%d", open->z_accessmode, open->z_exclusionmode,
                open->z_nowait, open->z_syncdepth, open->z_options, info->z_filenum, open->z_flags & 1,
                open->z_qualifier_len, (char *)message + 60, (int)info->z_syncid);
        note(line);
        if (open->z_qualifier_len == 7 && memcmp((char *)message + 60, "#REFUSE", 7) == 0) {
            REPLYX(, , , tag, 48);
            return;
        }
        sprintf(qualifiers[next_label % 100], "%.*s", open->z_qualifier_len, (char *)message + 60);
        words[0] = -103;
        words[1] = next_label++;
        REPLYX((char *)words, 4, , tag);
        return;
    case -104:
        sprintf(line, "close t%d f%d l%d q%s", word[1], info->z_filenum, info->z_openlabel,
                qualifiers[info->z_openlabel % 100]);
        break;
    case -32:
        sprintf(line, "control %d %d", word[1], word[2]);
        break;
    case -33:
        sprintf(line, "setmode %d %d %d bytes %d", word[1], word[2], word[3], count);
        note(line);
        words[0] = -33;
        words[1] = 11;
        words[2] = 22;
        REPLYX((char *)words, word[1] == 109 ? 0 : 6, , tag);
        return;
    case -34:
        sprintf(line, "resetsync c%d", (int)info->z_syncid);
        break;
    case -35:
        sprintf(line, "controlbuf %d %.*s", word[1], word[2], (char *)&word[3]);
        break;
    case -37:
        sprintf(line, "setparam %d %d %.*s", word[1], word[2], word[3], (char *)&word[4]);
        note(line);
        words[0] = -37;
        words[1] = 2;
        words[2] = 77;
        REPLYX((char *)words, 6, , tag);
        return;
    case -38:
        sprintf(line, "cancelled %d", word[1]);
        break;
    case -101:
        sprintf(line, "death");
        break;
    default:
        sprintf(line, "message %d", number);
    }
    note(line);
    REPLYX(, , , tag);
}

static void answer(unsigned short count, zsys_ddl_receiveinformation_def *info, short tag)
{
    int number = 0;
    char *rest = text + 5;

    sprintf(text, "%.*s", count > 3000 ? 3000 : count, message);
    if (memcmp(text, "echo ", 5) == 0) {
        REPLYX(rest, strlen(rest), , tag);
    } else if (memcmp(text, "info ", 5) == 0) {
        REPLYX((char *)info, 34, , tag);
    } else if (memcmp(text, "fail ", 5) == 0) {
        number = atoi(rest);
        REPLYX("sorry", 5, , tag, number);
    } else if (memcmp(text, "hold ", 5) == 0) {
        held[held_count++] = tag;
    } else if (memcmp(text, "free ", 5) == 0) {
        /* The newest first. */
        held_count--;
        sprintf(reply, "held %s", rest);
        REPLYX(reply, strlen(reply), , held[held_count]);
        REPLYX(, , , tag);
    } else if (memcmp(text, "stat ", 5) == 0) {
        sprintf(reply, "%d %d", MESSAGESTATUS(held[0]), MESSAGESTATUS(tag));
        REPLYX(reply, strlen(reply), , tag);
    } else if (memcmp(text, "held ", 5) == 0) {
        sprintf(reply, "%d", held_count);
        REPLYX(reply, strlen(reply), , tag);
    } else if (memcmp(text, "mode ", 5) == 0) {
        SETMODE(0, 80, atoi(rest));
        REPLYX(, , , tag);
    } else if (memcmp(text, "log  ", 5) == 0) {
        strcpy(reply, log_of_messages);
        log_of_messages[0] = 0;
        REPLYX(reply, strlen(reply), , tag);
    } else if (memcmp(text, "size ", 5) == 0) {
        sprintf(reply, "%d", count);
        REPLYX(reply, strlen(reply), , tag);
    } else if (memcmp(text, "die  ", 5) == 0) {
        abort();
    } else {
        REPLYX(, , , tag, 2);
    }
}

int main(int argc, char **argv)
{
    short file = -1;
    unsigned short count;
    zsys_ddl_receiveinformation_def info;
    int depth = argc > 1 ? atoi(argv[1]) : 1;
    int options = argc > 2 ? atoi(argv[2]) : 0;
    _cc_status status;

    setvbuf(stdout, 0, _IOLBF, 0);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &file, , , , depth, options), 0);
    CHECK_IS(file, 0);
    for (;;) {
        memset(message, 0, 200);
        status = READUPDATEX(file, message, sizeof message > 57344 ? 57344 : sizeof message, &count);
        if (_status_lt(status)) {
            printf("read: error %d\n", error_of(file));
            failed();
        }
        CHECK_IS(FILE_GETRECEIVEINFO_((short *)&info), 0);
        if (_status_gt(status)) {
            CHECK_IS(error_of(file), 6);
            CHECK_IS(info.z_iotype, 0);
            answer_system_message(count, &info, info.z_messagetag);
        } else {
            answer(count, &info, info.z_messagetag);
        }
    }
}
