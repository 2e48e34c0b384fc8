/* The names that the system makes are all in use: error 44. The program knows which names come next, and its children take them. */
#include "check.h"
#include <unistd.h>

/* So many names are tried before a call gives up. */
#define TRIES 64

static const char characters[] = "0123456789ABCDFGHJKLMNPQRSTVWXYZ";
static char name[20], path[400];
static short length = -9, child[10], detail = -9;

static short create(short option)
{
    short error;
    if (option == 1)
        error = PROCESS_CREATE_(path, (short)strlen(path), , , , , , , , , child, &detail, option, name, 5);
    else
        error = PROCESS_CREATE_(path, (short)strlen(path), , , , , , , , , child, &detail, option);
    return error;
}

/* The number behind those that the children took. */
static int take_names(int from)
{
    int next;
    for (next = from; next < from + TRIES; next++) {
        sprintf(name, "$X%c%c%c", characters[next >> 10 & 31], characters[next >> 5 & 31], characters[next & 31]);
        CHECK_IS(create(1), 0);
    }
    return next;
}

int main(void)
{
    int number, i;

    setvbuf(stdout, NULL, _IONBF, 0);
    path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
    CHECK_IS(PROCESSNAME_CREATE_(name, (short)sizeof name, &length, , , , 1), 0);
    CHECK_IS(length, 5);
    for (number = 0, i = 2; i < 5; i++)
        number = number * 32 + (int)(strchr(characters, name[i]) - characters);
    number = take_names(number + 1);
    CHECK_IS(PROCESSNAME_CREATE_(name, (short)sizeof name, &length), 44);
    CHECK_IS(length, 0);
    take_names(number);
    CHECK_IS(create(2), 11);
    CHECK_IS(detail, 44);
    /* The names behind them are free. */
    CHECK_IS(PROCESSNAME_CREATE_(name, (short)sizeof name, &length), 0);
    CHECK_IS(create(2), 0);
    CHECK_IS(create(4), 0);
    printf("PASSED\n");
    return 0;
}
