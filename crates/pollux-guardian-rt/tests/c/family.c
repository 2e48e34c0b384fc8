/* A program that creates processes, asks about them and stops them. Run as $FAM in CPU 0; as its own child it does what
   its name says: $WAIT waits to be stopped, $QUIT ends itself, the backup waits for its primary's end or a switch. */
#include "check.h"
#include "messages.h"
#include <dlaunch.h>
#include <signal.h>
#include <unistd.h>

static short mine[10], child[10];
static char path[400];
static char text[60];
static short length, detail;


static short create(const char *name)
{
    return PROCESS_CREATE_(path, (short)strlen(path), , , , , , , , 1, child, &detail, 1, name, (short)strlen(name),
                           text, (short)sizeof text, &length);
}

/* What a creator sends before its child's main begins. The reply 70 asks for ASSIGNs; the close says that there are none. */
static void send_startup(const char *name)
{
    short startup[34] = {-1}, file = -1;
    CHECK_IS(FILE_OPEN_(name, (short)strlen(name), &file, , , , 1), 0);
    WRITEREADX(file, (char *)startup, sizeof startup, 4, &message_bytes);
    CHECK_IS(error_of(file), 70);
    FILE_CLOSE_(file);
}

static void wait_for_ever(void)
{
    for (;;)
        DELAY(1000);
}

static void as_backup(void)
{
    short one = 1, old = 7, old_length, receive, info[17];

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    for (;;) {
        short error = READUPDATEX(0, (char *)message, sizeof message, &message_bytes);
        FILE_GETRECEIVEINFO_(info);
        if (error == 0) {
            /* The one request: become primary. */
            CHECK_IS(PROCESS_SETINFO_(, , 47, &one, 1, &old, 1, &old_length), 0);
            CHECK_IS(old, 0);
            CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
            CHECK_IS(PROCESS_SETINFO_(, , 47, &one, 1, &old, 1, &old_length), 0);
            CHECK_IS(old, 1);
            REPLYX();
        } else {
            if (message[0] == -101) {
                CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
                printf("PASSED\n");
                PROCESS_STOP_();
            }
            REPLYX();
        }
    }
}

static void pairs(void)
{
    short primary[10], backup[10], ancestor[10], file, receive, wrong = 0, one = 1;
    int index;
    short code, found = 0;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
    length = 0;
    memset(text, 0, sizeof text);
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, (short)sizeof text, &length, primary, backup, , ancestor), 4);
    CHECK_IS(PROCESSHANDLE_COMPARE_(primary, mine), 2);
    CHECK_IS(backup[0], -1);
    CHECK_IS(ancestor[0], -1);
    CHECK_IS(strncmp(strchr(text, '.'), ".$FAM:", 6), 0);
    length = 5;
    CHECK_IS(PROCESS_GETPAIRINFO_(, "$NONE", 5, &length), 9);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , "\\FAR", 4), 10);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , , , , , , 8, , , , &detail), 2);
    CHECK_IS(detail, 9);
    length = 0;
    CHECK_IS(PROCESS_GETPAIRINFO_(, text, 3, &length, , , , , , , , , , , &detail), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 47, &wrong, 1), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 47, &one, 1), 0);
    CHECK_IS(PROCESS_SETINFO_(, , 99, &one, 1), 2);

    CHECK_IS(__ns_start_backup(&detail, 1, child), 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , , backup), 5);
    CHECK_IS(PROCESSHANDLE_COMPARE_(child, backup), 2);
    CHECK_IS(PROCESSHANDLE_COMPARE_(child, mine), 1);
    CHECK_IS(PROCESS_CREATE_(, , , , , , , , , 1, child, &detail, 3), 11);
    CHECK_IS(detail, 45);
    for (index = 0; (code = PROCESS_GETPAIRINFO_(, , , , primary, , &index)) != 8;) {
        CHECK_IS(code == 0 || code == 4 || code == 5, 1);
        found += PROCESSHANDLE_COMPARE_(primary, mine) == 2;
    }
    CHECK_IS(found, 1);
    /* The own name reaches the other half, which takes the role. */
    CHECK_IS(FILE_OPEN_("$FAM", 4, &file, , , , 1), 0);
    CHECK_IS(WRITEX(file, "switch", 6), 0);
    CHECK_IS(PROCESS_GETPAIRINFO_(, , , , primary), 6);
    CHECK_IS(PROCESSHANDLE_COMPARE_(primary, backup), 2);
    printf("PASSED so far\n");
    PROCESS_STOP_(, , 1);
}

static void family(void)
{
    short info[60], attributes[8], words, priority, job, receive, pin, specifier;
    short mom[10];
    long long used;
    int pid, tag;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    CHECK_IS(create("$WAIT"), 0);
    CHECK_IS(detail, 0);
    text[length] = 0;
    CHECK_IS(strncmp(strchr(text, '.'), ".$WAIT:", 7), 0);
    CHECK_IS(create("$WAIT"), 11);
    CHECK_IS(detail, 10);
    CHECK_IS(child[0], -1);
    CHECK_IS(create("$1"), 11);
    CHECK_IS(detail, 13);
    CHECK_IS(PROCESS_CREATE_(), 2);
    CHECK_IS(PROCESS_CREATE_("/none", 5, , , , , , , , , child, &detail), 1);
    CHECK_IS(detail, 11);
    CHECK_IS(PROCESS_CREATE_(path, (short)strlen(path), , , , , , , 200, , child, &detail), 2);
    CHECK_IS(detail, 5);
    CHECK_IS(PROCESS_CREATE_(path, (short)strlen(path), , , , , , , , 9, child, &detail), 10);
    CHECK_IS(detail, 201);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$WAIT", 5, child), 0);

    memset(text, 0, sizeof text);
    CHECK_IS(PROCESS_GETINFO_(child, text, (short)sizeof text, &length, &priority, mom, , , , &used, , , , &job, , , , , , ,
                              &detail, , &pid), 0);
    CHECK_IS(strncmp(strchr(text, '.'), ".$WAIT:", 7), 0);
    CHECK_IS(priority, 150);
    CHECK_IS(mom[0], -1);
    CHECK_IS(kill(pid, 0), 0);
    CHECK_IS(PROCESS_GETINFO_(, text, (short)sizeof text, &length), 0);
    CHECK_IS(PROCESS_GETINFO_(), 0);
    CHECK_IS(PROCESS_GETINFO_(child, text, 3, &length, , , , , , , , , , , , , , , , , &detail), 1);
    CHECK_IS(detail, 563);
    PROCESSHANDLE_NULLIT_(mom);
    mom[0] = 5;
    CHECK_IS(PROCESS_GETINFO_(mom, text, (short)sizeof text, &length, , , , , , , , , , , , , , , , , &detail), 2);
    CHECK_IS(detail, 1);
    memcpy(mom, child, 20);
    mom[9]++;
    CHECK_IS(PROCESS_GETINFO_(mom, text, (short)sizeof text, &length), 4);

    attributes[0] = 38;
    attributes[1] = 47;
    attributes[2] = 48;
    attributes[3] = 62;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , child, attributes, 4, info, 60, &words), 0);
    CHECK_IS(words, 13);
    CHECK_IS(info[1], 1);
    CHECK_IS(memcmp(&info[2], child, 20), 0);
    CHECK_IS(info[12], 1);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , child, attributes, 4, info, 5, &words, &detail), 1);
    CHECK_IS(detail, 563);
    pin = info[0];
    CHECK_IS(PROCESS_GETINFOLIST_(1, &pin, , , , attributes, 4, info, 60, &words), 0);
    pin = 0;
    CHECK_IS(PROCESS_GETINFOLIST_(1, &pin, , , , attributes, 4, info, 60, &words, &detail, 1), 4);
    CHECK_IS(PROCESS_GETINFOLIST_(1, &pin, , , , attributes, 4, info, 60, &words, &detail, 9), 12);
    attributes[0] = 99;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , child, attributes, 1, info, 60, &words, &detail), 11);
    CHECK_IS(detail, 99);
    attributes[0] = 3;
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , child, attributes, 1, info, 60, &words), 16);
    CHECK_IS(PROCESS_GETPAIRINFO_(child), 4);

    CHECK_IS(PROCESS_SUSPEND_(child), 0);
    CHECK_IS(PROCESS_SUSPEND_(child), 2);
    CHECK_IS(PROCESS_ACTIVATE_(child), 0);
    CHECK_IS(PROCESS_ACTIVATE_(child), 2);
    specifier = 9;
    CHECK_IS(PROCESS_SUSPEND_(child, specifier), 590);

    CHECK_IS(PROCESS_STOP_(child, 3), 590);
    CHECK_IS(PROCESS_STOP_(, 2), 11);
    CHECK_IS(PROCESS_STOP_(child), 0);
    await(-101);
    CHECK_IS(memcmp(&message[1], child, 20), 0);
    CHECK_IS(message[16], 6);
    CHECK_IS(CHILD_LOST_((char *)message, (short)message_bytes, child), 4);
    CHECK_IS(PROCESS_STOP_(child), 11);
    CHECK_IS(PROCESS_SUSPEND_(child), 11);

    CHECK_IS(create("$QUIT"), 0);
    send_startup("$QUIT");
    await(-101);
    CHECK_IS(message[16], 1234);
    CHECK_IS(message[17], 17);
    CHECK_IS(message[18], 1);
    CHECK_IS(message[34], 4);
    CHECK_IS(memcmp((char *)message + 82, "text", 4), 0);
    CHECK_IS(message[37] & 1, 1);

    tag = -77;
    CHECK_IS(PROCESS_CREATE_(path, (short)strlen(path), , , , , , , , 1, , , 1, "$WAIT", 5, , , , tag), 0);
    await(-102);
    memcpy(&tag, &message[1], 4);
    CHECK_IS(tag, -77);
    CHECK_IS(message[13], 0);
    memcpy(child, &message[3], 20);
    CHECK_IS(PROCESS_STOP_(child, 1, 1), 0);
    await(-101);
    {
        process_launch_parms_def list = P_L_DEFAULT_PARMS_;
        zsys_ddl_smsg_proccreate_def out;
        short out_length = 0;

        list.program_name = path;
        list.program_name_len = (int)strlen(path);
        list.process_name = "$WAIT";
        list.process_name_len = 5;
        list.name_options = 1;
        CHECK_IS(PROCESS_LAUNCH_(&list, &detail, &out, (short)sizeof out, &out_length), 0);
        CHECK_IS(out_length > 40, 1);
        memcpy(child, (char *)&out + 6, 20);
        CHECK_IS(PROCESS_STOP_(child), 0);
        await(-101);
        list.version = 99;
        CHECK_IS(PROCESS_LAUNCH_(&list, &detail), 2);
    }
}

int main(int argc, char **argv)
{
    char name[20];
    short name_length, role;

    /* Ends without the C library must not lose what was said. */
    setvbuf(stdout, NULL, _IONBF, 0);
    path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
    PROCESSHANDLE_GETMINE_(mine);
    memset(name, 0, sizeof name);
    PROCESSHANDLE_DECOMPOSE_(mine, , , , , , , name, (short)sizeof name, &name_length);
    role = PROCESS_GETPAIRINFO_();
    if (role == 6)
        as_backup();
    if (strcmp(name, "$WAIT") == 0)
        wait_for_ever();
    if (strcmp(name, "$QUIT") == 0) {
        short subsystem[6] = {1, 2, 3, 4, 5, 6};
        PROCESS_STOP_(, , 1, 1234, 17, subsystem, "text", 4);
    }
    if (argc > 1 && strcmp(argv[1], "pairs") == 0)
        pairs();
    else
        family();
    printf("PASSED\n");
    return 0;
}
