/* A process that does what requests tell it and reports what it hears: the one program of the tests of the failure table.
 *
 *   row REPORT [OUT DEPTH [OPTION]]     REPORT: lines are appended to it; OUT: a file that the pair writes
 *                                       OPTION: grab (the backup takes the number of OUT), deaf (it opens no $RECEIVE)
 *
 * A request is a list of commands with semicolons between them; its reply is their results. If it begins with an exclamation
 * mark it is answered first, and done then: for what ends the process. The table of commands is at the end.
 *
 * Its control state is a list of lines that are about to be written. The backup writes them when it takes over. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <crtlns.h>
#include <tal.h>
#include <cextdecs.h>
#include <zsysc.h>

#define MSG_OPENS  1
#define MSG_UPDATE 2
#define MSG_SWITCH 3
#define MSG_DIE    4

#define LINES_BYTES 200
#define OPENERS     16

struct opens {
    short kind;
    short pad[3];
    __ns_std_io_file_open_state out;
};

struct update {
    short kind;
    short pad[3];
    __ns_std_io_file_state out;
    char lines[LINES_BYTES];
};

static union {
    short words[500];
    struct opens opens;
    struct update update;
    char text[1000];
} message;

static const char *report_name, *out_name, *option = "";
static struct update state;
static int has_state;
static FILE *out;
static short partner = -1, server = -1;
static short own[10];
static int following;  /* it acts as the backup */
static int was_single; /* at the start: it has heard of every open */
static struct {
    short handle[10];
    short file;
} openers[OPENERS];
static char results[800];

/* One line of the report, in one piece: two processes write to it. */
static void say(const char *format, ...)
{
    char line[300];
    va_list list;
    int file, length;
    short cpu = -1;
    PROCESSHANDLE_DECOMPOSE_(own, &cpu);
    length = sprintf(line, "%d: ", cpu);
    va_start(list, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, list);
    va_end(list);
    line[length++] = '\n';
    file = open(report_name, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0 || write(file, line, (size_t)length) != length)
        _exit(99);
    close(file);
}

static void result(const char *format, ...)
{
    va_list list;
    size_t length = strlen(results);
    if (length > 0)
        results[length++] = ' ';
    va_start(list, format);
    vsnprintf(results + length, sizeof results - length, format, list);
    va_end(list);
}

static short role(void)
{
    return PROCESS_GETPAIRINFO_();
}

/* ---- the pair */

static int start_backup(short cpu, char *program)
{
    short detail = 0, handle[10];
    long error;
    errno = 0;
    PROCESSHANDLE_NULLIT_(handle);
    if (program != NULL)
        error = __ns_start_backup(&detail, , handle, , , program);
    else
        error = __ns_start_backup(&detail, cpu, handle);
    result("start %ld %d %d", error, error > 0 ? detail : 0, error < 0 ? errno : 0);
    return error == 0;
}

static void open_partner(void)
{
    char name[64];
    short length = 0, error;
    PROCESSHANDLE_DECOMPOSE_(own, , , , , , , name, (short)sizeof name, &length);
    error = FILE_OPEN_(name, length, &partner, , , , 1);
    if (error != 0)
        partner = -1;
    result("open %d", error);
}

static void close_partner(void)
{
    if (partner >= 0)
        FILE_CLOSE_(partner);
    partner = -1;
}

static short send_to_partner(void *what, int bytes)
{
    short error = partner < 0 ? -1 : FILE_WRITE64_(partner, what, bytes);
    if (error != 0)
        close_partner();
    return error;
}

static void send_opens(void)
{
    struct opens opens;
    memset(&opens, 0, sizeof opens);
    opens.kind = MSG_OPENS;
    if (__ns_fget_file_open_state(out, &opens.out) != 0)
        result("no-open-state %d", errno);
    result("opens %d", send_to_partner(&opens, (int)sizeof opens));
}

static short send_update(short kind, const char *word)
{
    short error;
    state.kind = kind;
    if (out != NULL && __ns_fget_file_state(out, &state.out) != 0)
        result("no-state %d", errno);
    error = send_to_partner(&state, (int)sizeof state);
    result("%s %d", word, error);
    return error;
}

/* Writes one line, or repeats it. */
static int write_line(const char *line, int flush)
{
    errno = 0;
    if (fputs(line, out) == EOF || fputc('\n', out) == EOF)
        return errno;
    if (flush && fflush(out) != 0)
        return errno;
    return 0;
}

static void take_over(void)
{
    char lines[LINES_BYTES];
    char *line;
    following = 0;
    say("takeover role %d", role());
    if (out_name != NULL && !has_state) {
        say("no state");
        terminate_program(0, 1);
    }
    close_partner();
    if (out == NULL)
        return;
    if (__ns_fset_file_state(out, &state.out) != 0)
        say("set state: %d", errno);
    strcpy(lines, state.lines);
    for (line = strtok(lines, ","); line != NULL; line = strtok(NULL, ","))
        say("again %s: %d", line, write_line(line, 1));
}

static void from_primary(void)
{
    short one = 1, error = 0, number;
    switch (message.words[0]) {
    case MSG_OPENS:
        errno = 0;
        if (strcmp(option, "grab") == 0) {
            /* Numbers from the lowest free one on: one of them is that of the primary's file. */
            short taken[8], i;
            for (i = 0; i < 8; i++)
                if (FILE_OPEN_("/dev/null", 9, &taken[i]) != 0)
                    say("grab failed");
        }
        out = __ns_backup_fopen(&message.opens.out);
        number = errno;
        if (out == NULL)
            say("backup open: %d", number);
        error = out == NULL ? number : 0;
        break;
    case MSG_UPDATE:
    case MSG_SWITCH:
        memcpy(&state, &message.update, sizeof state);
        has_state = 1;
        if (message.words[0] == MSG_SWITCH) {
            error = PROCESS_SETINFO_(, , ZSYS_VAL_PINF_PRIMARY, &one, 1);
            say("switched %d role %d", error, role());
            following = error != 0;
            if (error == 0 && out != NULL && __ns_fset_file_state(out, &state.out) != 0)
                say("set state: %d", errno);
        }
        break;
    case MSG_DIE:
        kill(getpid(), SIGKILL);
    }
    FILE_REPLY64_(, , , , error);
}

/* ---- commands */

static void create(char *argument)
{
    char *program = strtok(argument, " "), *name = strtok(NULL, " "), *cpu = strtok(NULL, " "), *rest = strtok(NULL, "");
    short handle[10], detail = 0, error, file = -1;
    struct {
        short number;
        short files[32];
        char text[200];
    } startup;
    error = PROCESS_CREATE_(program, (short)strlen(program), , , , , , , , (short)atoi(cpu), handle, &detail, 1, name,
                            (short)strlen(name));
    result("create %d %d", error, detail);
    if (error != 0)
        return;
    memset(&startup, 0, sizeof startup);
    memset(startup.files, ' ', sizeof startup.files);
    startup.number = -1;
    strcpy(startup.text, rest);
    error = FILE_OPEN_(name, (short)strlen(name), &file);
    if (error == 0)
        error = FILE_WRITE64_(file, (char *)&startup, (int)(66 + (strlen(rest) / 2 + 1) * 2));
    FILE_CLOSE_(file);
    result("started %d", error);
}

static void command(char *text)
{
    char *argument = strchr(text, ' ');
    if (argument != NULL)
        *argument++ = 0;
    else
        argument = text + strlen(text);
    if (strcmp(text, "start") == 0) {
        if (*argument == '/')
            start_backup(-1, argument);
        else
            start_backup(*argument != 0 ? (short)atoi(argument) : -1, NULL);
    } else if (strcmp(text, "open") == 0) {
        open_partner();
    } else if (strcmp(text, "close") == 0) {
        close_partner();
    } else if (strcmp(text, "opens") == 0) {
        send_opens();
    } else if (strcmp(text, "lines") == 0) {
        strcpy(state.lines, argument);
    } else if (strcmp(text, "update") == 0) {
        send_update(MSG_UPDATE, "update");
    } else if (strcmp(text, "switch") == 0) {
        following = send_update(MSG_SWITCH, "switch") == 0;
        close_partner();
    } else if (strcmp(text, "fatal") == 0) {
        short kind = MSG_DIE;
        result("fatal %d", send_to_partner(&kind, 2));
    } else if (strcmp(text, "write") == 0) {
        result("write %d", write_line(argument, 1));
    } else if (strcmp(text, "put") == 0) {
        result("put %d", write_line(argument, 0));
    } else if (strcmp(text, "role") == 0) {
        result("role %d", role());
    } else if (strcmp(text, "monitor") == 0) {
        MONITORCPUS((short)strtol(argument, NULL, 0));
    } else if (strcmp(text, "closed") == 0) {
        static __ns_std_io_file_state file;
        static __ns_std_io_file_open_state opening;
        FILE *stream = __ns_fopen_special((char *)argument, "w", 1);
        fclose(stream);
        errno = 0;
        result("open-state %ld", __ns_fget_file_open_state(stream, &opening));
        result("%d", errno);
        errno = 0;
        result("get %ld", __ns_fget_file_state(stream, &file));
        result("%d", errno);
        errno = 0;
        result("set %ld", __ns_fset_file_state(stream, &file));
        result("%d", errno);
    } else if (strcmp(text, "exit") == 0) {
        exit(atoi(argument));
    } else if (strcmp(text, "abend") == 0) {
        terminate_program(0, 1);
    } else if (strcmp(text, "trap") == 0) {
        signal(SIGSEGV, SIG_DFL);
        kill(getpid(), SIGSEGV);
    } else if (strcmp(text, "kill") == 0) {
        kill(getpid(), SIGKILL);
    } else if (strcmp(text, "stop-both") == 0) {
        PROCESS_STOP_(, 1, (short)atoi(argument));
    } else if (strcmp(text, "stop-other") == 0) {
        result("stop %d", PROCESS_STOP_(, 2));
    } else if (strcmp(text, "stop") == 0) {
        short handle[10];
        short error = FILENAME_TO_PROCESSHANDLE_(argument, (short)strlen(argument), handle);
        result("stop %d", error != 0 ? error : PROCESS_STOP_(handle));
    } else if (strcmp(text, "create") == 0) {
        create(argument);
    } else if (strcmp(text, "client-open") == 0) {
        char *name = strtok(argument, " ");
        result("client-open %d", FILE_OPEN_(name, (short)strlen(name), &server, , , , (short)atoi(strtok(NULL, " "))));
    } else if (strcmp(text, "client-ask") == 0) {
        char reply[200];
        __int32_t count = 0;
        char question[100];
        char *at;
        short error;
        strcpy(question, argument);
        for (at = question; *at != 0; at++) /* the list is cut at semicolons once already */
            *at = *at == '|' ? ';' : *at;
        error = FILE_WRITEREAD64_(server, question, reply, (int)strlen(question), (int)sizeof reply - 1, &count);
        reply[count > 0 ? count : 0] = 0;
        result("ask %d [%s]", error, reply);
    } else {
        result("unknown %s", text);
    }
}

static void commands(char *list)
{
    char *text = list, *next;
    results[0] = 0;
    for (; text != NULL && *text != 0; text = next) {
        next = strchr(text, ';');
        if (next != NULL)
            *next++ = 0;
        command(text);
    }
}

/* ---- messages */

static int known(zsys_ddl_receiveinformation_def *info)
{
    int i;
    for (i = 0; i < OPENERS; i++)
        if (openers[i].handle[0] != -1 && openers[i].file == info->z_filenum
            && PROCESSHANDLE_COMPARE_(openers[i].handle, (short *)&info->z_sender) == 2)
            return 1;
    return 0;
}

static void system_message(zsys_ddl_receiveinformation_def *info, int from_other)
{
    short number = message.words[0];
    int i;
    switch (number) {
    case -101:
        say("-101 code %d abend %d role %d", message.words[16], message.words[37] & 1, role());
        break;
    case -2:
    case -3:
        say("%d cpu %d role %d", number, message.words[1], role());
        break;
    case -103:
        if (from_other)
            say("opened by the other half");
        for (i = 0; i < OPENERS && !from_other; i++)
            if (openers[i].handle[0] == -1) {
                memcpy(openers[i].handle, &info->z_sender, 20);
                openers[i].file = info->z_filenum;
                break;
            }
        break;
    case -104:
        if (from_other)
            say("closed by the other half, role %d", role());
        for (i = 0; i < OPENERS; i++)
            if (openers[i].file == info->z_filenum
                && PROCESSHANDLE_COMPARE_(openers[i].handle, (short *)&info->z_sender) == 2)
                PROCESSHANDLE_NULLIT_(openers[i].handle);
        break;
    }
    FILE_REPLY64_(, , , , 0);
    if ((number == -101 || number == -2) && following && role() == 4)
        take_over();
}

static void client_request(int count, zsys_ddl_receiveinformation_def *info)
{
    char list[600];
    if (following && role() == 4) {
        say("a request is here first");
        take_over();
    }
    if (following) {
        say("refused with 200");
        FILE_REPLY64_(, , , , 200);
        return;
    }
    if (was_single && !known(info)) {
        say("refused with 60");
        FILE_REPLY64_(, , , , 60);
        return;
    }
    memcpy(list, message.text, (size_t)count);
    list[count] = 0;
    if (list[0] == '!') {
        FILE_REPLY64_("first", 5, , , 0);
        commands(list + 1);
        return;
    }
    commands(list);
    FILE_REPLY64_(results, (int)strlen(results));
}

int main(int argc, char **argv)
{
    zsys_ddl_receiveinformation_def info;
    short receive = -1, error;
    int i;
    __int32_t count;

    PROCESSHANDLE_GETMINE_(own);
    report_name = argv[1];
    out_name = argc > 3 ? argv[2] : NULL;
    option = argc > 4 ? argv[4] : "";
    following = role() == 6;
    was_single = role() == 4;
    for (i = 0; i < OPENERS; i++)
        PROCESSHANDLE_NULLIT_(openers[i].handle);
    if (role() == 7) {
        start_backup(-1, NULL);
        say("unnamed: %s", results);
        return 0;
    }
    say("begins as %d", role());
    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1) != 0)
        say("no $RECEIVE");
    if (strcmp(option, "unmonitored") != 0)
        MONITORCPUS(-1);
    if (out_name != NULL && was_single) {
        out = __ns_fopen_special(argv[2], "a", (short)atoi(argv[3]));
        if (out == NULL)
            say("cannot open: %d", errno);
    }
    for (;;) {
        int from_other;
        error = FILE_READUPDATE64_(receive, message.text, (__int32_t)sizeof message, &count);
        FILE_GETRECEIVEINFO_((short *)&info);
        from_other = *(short *)&info.z_sender != -1 && PROCESSHANDLE_COMPARE_(own, (short *)&info.z_sender) == 1;
        if (error != 0 && error != 6) {
            say("read: %d", error);
            exit(1);
        }
        if (error == 6) {
            system_message(&info, from_other);
        } else if (from_other) {
            from_primary();
        } else {
            client_request((int)count, &info);
        }
    }
}
