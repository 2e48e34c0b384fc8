/* Children for checks. A child is the same program; the variable CHILD says what it does. */
#include "messages.h"
#include <errno.h>
#include <unistd.h>

static char own_path[400];

/* What a creator sends before its child's main begins; the close says that there are no ASSIGNs. */
static inline void send_startup(short *child)
{
    short startup[34] = {-1}, file = -1, length = 0;
    char name[60];
    CHECK_IS(PROCESSHANDLE_TO_FILENAME_(child, name, (short)sizeof name, &length), 0);
    CHECK_IS(FILE_OPEN_(name, length, &file), 0);
    CHECK_IS(FILE_WRITE64_(file, (char *)startup, (int)sizeof startup), 70);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

/* Creates a child in a CPU, with a name or, for NULL, without. */
static inline void create_child(const char *name, short cpu, const char *what, short *handle)
{
    short error, detail = 0;
    own_path[readlink("/proc/self/exe", own_path, sizeof own_path - 1)] = 0;
    setenv("CHILD", what, 1);
    if (name != NULL)
        error = PROCESS_CREATE_(own_path, (short)strlen(own_path), , , , , , , , cpu, handle, &detail, 1, name,
                                (short)strlen(name));
    else
        error = PROCESS_CREATE_(own_path, (short)strlen(own_path), , , , , , , , cpu, handle, &detail);
    unsetenv("CHILD");
    if (error != 0)
        printf("create: %d %d\n", error, detail);
    CHECK_IS(error, 0);
    send_startup(handle);
}

/* What this process is to do as a child; an empty text for none. */
static inline const char *child_part(void)
{
    const char *part = getenv("CHILD");
    return part != NULL ? part : "";
}

static inline void wait_to_be_stopped(void)
{
    for (;;)
        DELAY(6000);
}
