/* What a program reads of its start: ASSIGN and PARAM messages, and what fopen makes of a logical name. */
#include "check.h"
#include <errno.h>

static short word(const char *message, int number)
{
    short value;
    memcpy(&value, message + 2 * number, 2);
    return value;
}

static void params(void)
{
    char name[32], value[256];

    CHECK_IS(get_param_by_name("colour", value, (int)sizeof value), 8);
    CHECK_TEXT(value, "deep red");
    CHECK_IS(get_param_by_name("COLOUR", value, 5), 8);
    CHECK_TEXT(value, "deep");
    CHECK_IS(get_param_by_name("NONE", value, 5), -1);
    CHECK_IS(get_param_by_index(2, name, value), 1);
    CHECK_TEXT(name, "SIZE");
    CHECK_TEXT(value, "7");
    CHECK_IS(get_param_by_index(0, name, value), -1);
    CHECK_IS(get_param_by_index(3, name, value), -1);
    CHECK_TEXT(getenv("SIZE"), "7");
}

static void messages(void)
{
    char message[200];
    short ordinal;

    CHECK_IS(get_max_assign_msg_ordinal(), 3);
    memset(message, '-', sizeof message);
    CHECK_IS(get_assign_msg(1, message), 0);
    CHECK_IS(message[108], '-');
    CHECK_IS(word(message, 0), -2);
    CHECK_IS(message[34], 8);
    CHECK_IS(memcmp(message + 35, "MASTER-X", 8), 0);
    CHECK_IS((unsigned short)word(message, 33), 0x8000 | 0x0800 | 0x0400);
    CHECK_IS(memcmp(message + 70, "$DATA   SUB     MASTER  ", 24), 0);
    CHECK_IS(word(message, 50), 020);
    CHECK_IS(word(message, 51), 02000);
    ordinal = get_assign_msg_by_name("stdout", message);
    CHECK_IS(ordinal, 2);
    CHECK_IS(get_assign_msg_by_name("nobody", message), -1);
    CHECK_IS(get_assign_msg(0, message), -1);
    CHECK_IS(get_assign_msg(4, message), -1);
}

static void logical_names(void)
{
    char line[80];
    short file;
    FILE *stream;

    /* A long Linux name has no room in the message, but is the file that is opened. */
    stream = fopen("Long-Name", "w");
    CHECK_IS(stream != NULL, 1);
    CHECK_IS(fputs("through an ASSIGN\n", stream) >= 0, 1);
    CHECK_IS(fclose(stream), 0);
    stream = fopen_guardian("LONG-NAME", "r");
    CHECK_IS(stream != NULL, 1);
    CHECK_IS(fgets(line, sizeof line, stream) != NULL, 1);
    CHECK_TEXT(line, "through an ASSIGN\n");
    CHECK_IS(fclose(stream), 0);
    stream = __ns_fopen_special("long-name", "r", 1);
    CHECK_IS(stream != NULL, 1);
    CHECK_IS(fclose(stream), 0);
    /* The file system knows no ASSIGNs. */
    CHECK_IS(FILE_OPEN_("LONG-NAME", 9, &file), 11);
    stream = fopen("NOT-ASSIGNED", "r");
    CHECK_IS(stream == NULL, 1);
    CHECK_IS(errno, ENOENT);
}

int main(int argc, char *argv[])
{
    (void)argc;
    params();
    messages();
    logical_names();
    CHECK_IS(fopen_std_file(1, 0) == stdout, 1);
    CHECK_IS(fopen_std_file(3) == NULL, 1);
    /* STDOUT is assigned: OUT is not used, and the variable says so. */
    CHECK_TEXT(getenv("STDOUT"), argv[1]);
    printf("PASSED\n");
    return 0;
}
