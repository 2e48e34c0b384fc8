/* Answers each request with what it says. */
#include <string.h> nolist
#include <tal.h> nolist
#include <cextdecs(FILE_OPEN_, READUPDATEX, REPLYX)> nolist

#define REQUEST_BYTES_MAX 4096
#define RECEIVE           0 /* $RECEIVE has file number 0 always */
#define NO_SYSTEM_MESSAGES 1

int main(void)
{
    static char request[REQUEST_BYTES_MAX];
    unsigned short count;
    short number;

    if (FILE_OPEN_("$RECEIVE", 8, &number, , , , 1, NO_SYSTEM_MESSAGES) != 0)
        return 1;
    for (;;) {
        if (_status_eq(READUPDATEX(RECEIVE, request, REQUEST_BYTES_MAX, &count)))
            (void) REPLYX(request, count);
    }
}
