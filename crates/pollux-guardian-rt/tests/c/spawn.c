/* Processes with arguments and environments of their own, stop modes, and backups that no library starts. Run as $SPAWN in
   CPU 0; as a child it does what its first argument says. */
#include "check.h"
#include "messages.h"
#include <errno.h>
#include <tdmext.h>
#include <unistd.h>

static char path[400];

static void open_receive(void)
{
    short receive;
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
}

/* One request of text; the answer is a number. */
static int ask(const char *name, const char *request)
{
    char text[16];
    short file;
    int answer = -1;

    CHECK_IS(FILE_OPEN_(name, (short)strlen(name), &file, , , , 1), 0);
    strcpy(text, request);
    CHECK_IS(WRITEREADX(file, text, (unsigned short)strlen(text), 4, &message_bytes), 0);
    memcpy(&answer, text, 4);
    FILE_CLOSE_(file);
    return answer;
}

/* A child, or a backup: answers requests until it is stopped. */
static void serve(void)
{
    open_receive();
    for (;;) {
        int answer = -1;
        if (READUPDATEX(0, (char *)message, sizeof message, &message_bytes) == 0) {
            if (memcmp(message, "role", 4) == 0)
                answer = PROCESS_GETPAIRINFO_();
            else if (memcmp(message, "stop2", 5) == 0)
                answer = SETSTOP(2);
            else if (memcmp(message, "stop1", 5) == 0)
                answer = SETSTOP(1);
            REPLYX((char *)&answer, 4);
        } else {
            REPLYX();
        }
    }
}

static void spawned(void)
{
    char *arguments[] = {"spawn", "child", "two words", NULL};
    char *environment[] = {"ONLY=this", "no equals sign", NULL};
    char *waits[] = {"spawn", "serve", NULL};
    process_extension_def extension = DEFAULT_PROCESS_EXTENSION;
    process_extension_results_def results = DEFAULT_PROCESS_EXTENSION_RESULTS;
    zsys_ddl_smsg_procspawn_def *end = (zsys_ddl_smsg_procspawn_def *)message;
    short kid[10];

    CHECK_IS(PROCESS_SPAWN_(path, , arguments, environment, , , , &results) > 1, 1);
    CHECK_IS(results.pr_TPCerror, 0);
    CHECK_IS(results.pr_errno, 0);
    await(-101);
    CHECK_IS(memcmp(&message[1], results.pr_phandle, 20), 0);
    CHECK_IS(message[16], 77);

    extension.pe_process_name = "/G/kid";
    extension.pe_name_options = ZSYS_VAL_PCREATOPT_NAMEINCALL;
    extension.pe_cpu = 1;
    CHECK_IS(PROCESS_SPAWN_(path, , waits, , , , &extension, &results) > 1, 1);
    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$KID", 4, kid), 0);
    CHECK_IS(PROCESSHANDLE_COMPARE_(kid, results.pr_phandle), 2);
    CHECK_IS(ask("$KID", "role"), 4);
    /* The name is taken. */
    CHECK_IS(PROCESS_SPAWN_(path, , waits, , , , &extension, &results), -1);
    CHECK_IS(results.pr_TPCerror, 11);
    CHECK_IS(results.pr_TPCdetail, 10);
    CHECK_IS(results.pr_phandle[0], -1);

    errno = 0;
    CHECK_IS(PROCESS_SPAWN_("/none", , waits, , , , , &results), -1);
    CHECK_IS(errno, ENOENT);
    CHECK_IS(results.pr_errno, ENOENT);
    CHECK_IS(results.pr_TPCerror, 1);
    CHECK_IS(results.pr_TPCdetail, 11);
    CHECK_IS(PROCESS_SPAWN_(path, &results, waits, , , , , &results), -1);
    CHECK_IS(errno, EINVAL);
    CHECK_IS(results.pr_TPCerror, 2);
    CHECK_IS(results.pr_TPCdetail, 2);
    CHECK_IS(PROCESS_SPAWN_(), -1);

    /* Without waiting; found through a search path. */
    *strrchr(path, '/') = '\0';
    CHECK_IS(PROCESS_SPAWN_("spawn", , arguments, environment, , , , , 5, path), 0);
    path[strlen(path)] = '/';
    await(-141);
    CHECK_IS(end->z_tag, 5);
    CHECK_IS(end->z_tpcerror, 0);
    CHECK_IS(end->z_errno, 0);
    memcpy(kid, &end->z_phandle, 20);
    await(-101);
    CHECK_IS(memcmp(&message[1], kid, 20), 0);
    CHECK_IS(message[16], 77);
}

/* $KID is left by the test before. */
static void stop_modes(void)
{
    short kid[10], codes[2] = {63, 64}, values[2], length;

    CHECK_IS(FILENAME_TO_PROCESSHANDLE_("$KID", 4, kid), 0);
    CHECK_IS(ask("$KID", "stop2"), 1);
    CHECK_IS(PROCESS_STOP_(kid), 638);
    CHECK_IS(PROCESS_GETINFOLIST_(, , , , kid, codes, 2, values, 2, &length), 0);
    CHECK_IS(values[0], 2);
    CHECK_IS(values[1], 1);
    /* It goes on until it lets the stop through. */
    CHECK_IS(ask("$KID", "role"), 4);
    {
        char text[8] = "stop1";
        short file;
        CHECK_IS(FILE_OPEN_("$KID", 4, &file), 0);
        CHECK_IS(WRITEREADX(file, text, 5, 4), -1);
        CHECK_IS(error_of(file), 201);
        FILE_CLOSE_(file);
    }
    await(-101);
    CHECK_IS(message[16], 6);
    CHECK_IS(SETSTOP(3), -1);
    CHECK_IS(SETSTOP(0), 1);
    CHECK_IS(SETSTOP(1), 0);
}

static void attributes(void)
{
    short value = 120, old = -1, length = -1, priority = -1;

    CHECK_IS(PROCESS_SETINFO_(, , 42, &value, 1, &old, 1, &length), 0);
    CHECK_IS(old, 150);
    CHECK_IS(length, 1);
    CHECK_IS(PROCESS_GETINFO_(, , , , &priority), 0);
    CHECK_IS(priority, 120);
    value = 200;
    CHECK_IS(PROCESS_SETINFO_(, , 42, &value, 1), 2);
    CHECK_IS(PROCESS_SETINFO_(, , 42), 2);
    CHECK_IS(PROCESS_SETINFO_(, 1, 42, &priority, 1), 2);
    value = 1;
    CHECK_IS(PROCESS_SETINFO_(, , 49, &value, 1, &old, 1), 0);
    CHECK_IS(old, 0);
    value = 0;
    CHECK_IS(PROCESS_SETINFO_(, , 49, &value, 1, &old, 1), 0);
    CHECK_IS(old, 1);
    value = 2;
    CHECK_IS(PROCESS_SETINFO_(, , 49, &value, 1), 2);

    CHECK_IS(MESSAGESYSTEMINFO(0, &value), 0);
    CHECK_IS(value, 255);
    CHECK_IS(CONTROLMESSAGESYSTEM(1, 2000), 0);
    CHECK_IS(MESSAGESYSTEMINFO(1, &value), 0);
    CHECK_IS(value, 2000);
    CHECK_IS(MESSAGESYSTEMINFO(2, &value), 590);
    CHECK_IS(SIGNALTIMEOUT_(1, 7, 70000L, &value), 0);
    CHECK_IS(SIGNALTIMEOUT_(0, 7, 70000L, &value), 590);
    await(-22);
    CHECK_IS(message[1], 7);
}

/* Backups that are made without __ns_start_backup begin as other children do. */
static void backups(void)
{
    char *serves[] = {"spawn", "serve", NULL};
    process_extension_def extension = DEFAULT_PROCESS_EXTENSION;
    struct {
        short number;
        short files[32];
        char text[6];
    } startup = {-1, {0}, "serve"};
    short backup[10], detail = -1, file;

    memset(startup.files, ' ', sizeof startup.files);
    CHECK_IS(PROCESS_CREATE_(, , , , , , , , , 1, backup, &detail, 3), 0);
    CHECK_IS(FILE_OPEN_("$SPAWN", 6, &file, , , , 1), 0);
    WRITEREADX(file, (char *)&startup, sizeof startup, 4, &message_bytes);
    CHECK_IS(error_of(file), 70);
    FILE_CLOSE_(file);
    CHECK_IS(ask("$SPAWN", "role"), 6);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 5);
    CHECK_IS(PROCESS_STOP_(, 2), 0);
    await(-101);
    CHECK_IS(memcmp(&message[1], backup, 20), 0);

    extension.pe_name_options = ZSYS_VAL_PCREATOPT_CALLERSNAME;
    CHECK_IS(PROCESS_SPAWN_(path, , serves, , , , &extension) > 1, 1);
    CHECK_IS(ask("$SPAWN", "role"), 6);
    CHECK_IS(PROCESS_STOP_(, 2), 0);
    await(-101);
    CHECK_IS(PROCESS_GETPAIRINFO_(), 4);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        serve();
    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        const char *only = getenv("ONLY");
        int right = argc == 3 && strcmp(argv[2], "two words") == 0 && only != NULL && strcmp(only, "this") == 0
                    && getenv("RUST_BACKTRACE") == NULL;
        return right ? 77 : 78;
    }
    open_receive();
    spawned();
    stop_modes();
    attributes();
    backups();
    printf("PASSED\n");
    return 0;
}
