/* A client of the listener that is alone in the backup: its connection ends with the primary, with ECONNRESET. Its argument: a port. */
#include "sockets.h"

/* A connection that was answered. A kill in between ends it, too, in the same way. */
static int answered(int port)
{
    struct sockaddr_in address = loopback(port);
    char in[10];
    for (;;) {
        int one = socket(AF_INET, SOCK_STREAM, 0), count;
        CHECK_IS(connect(one, (struct sockaddr *) &address, sizeof address), 0);
        CHECK_IS(send(one, "hello", 5, 0), 5);
        errno = 0;
        count = recv(one, in, sizeof in, 0);
        if (count == 5)
            return one;
        CHECK_IS(count, -1);
        CHECK_IS(errno, 4120);
        CHECK_IS(FILE_CLOSE_((short) one), 0);
    }
}

int main(int argc, char **argv)
{
    char in[10];
    int one;

    setvbuf(stdout, 0, _IOLBF, 0);
    CHECK_IS(argc, 2);
    one = answered(atoi(argv[1]));
    printf("ANSWERED\n");
    FAILS(recv(one, in, sizeof in, 0), 4120);
    CHECK_IS(ECONNRESET, 4120);
    CHECK_IS(FILE_CLOSE_((short) one), 0);
    printf("PASSED\n");
    return 0;
}
