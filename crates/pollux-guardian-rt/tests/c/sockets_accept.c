/* A connection that one process waits for and another one claims: "accept SERVER" and "claim". */
#include "sockets.h"

static void wait_and_hand_over(const char *server)
{
    struct sockaddr_in address = loopback(0), from, me;
    int listener = socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0), client, length = sizeof from, i;
    short file;
    unsigned short count;
    struct {
        struct sockaddr_in from, me;
    } both;
    char in[10];

    CHECK_IS(FILE_OPEN_(server, strlen(server), &file), 0);
    CHECK_IS(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
    me = loopback(port_of(listener));
    for (i = 0; i < 4; i++) {
        CHECK_IS(accept_nw(listener, (struct sockaddr *) &from, &length, 1), 0);
        client = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_IS(listen(listener, 5), 0);
        CHECK_IS(connect(client, (struct sockaddr *) &me, sizeof me), 0);
        CHECK_IS(finish(listener, 1000), 0);
        both.from = from;
        both.me = me;
        if (i % 2 == 1)
            memset(&both.me, 0, sizeof both.me);
        CHECK_IS(_status_eq(WRITEREADX(file, (char *) &both, sizeof both, 0, &count)), 1);
        CHECK_IS(recv(client, in, sizeof in, 0), 5);
        CHECK_IS(memcmp(in, "hello", 5), 0);
        CHECK_IS(FILE_CLOSE_((short) client), 0);
    }
}

static void claim(void)
{
    struct {
        struct sockaddr_in from, me;
    } both;
    short receive;
    unsigned short count;
    int one, i = 0;

    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    while (i < 4) {
        _cc_status status = READUPDATEX(receive, (char *) &both, sizeof both, &count);
        if (_status_gt(status)) {
            REPLYX();
            continue;
        }
        CHECK_IS(count, sizeof both);
        one = socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
        if (both.me.sin_family == 0)
            CHECK_IS(accept_nw2(one, (struct sockaddr *) &both.from, 2), 0);
        else
            CHECK_IS(accept_nw3(one, (struct sockaddr *) &both.from, (struct sockaddr *) &both.me, 2), 0);
        CHECK_IS(finish((short) one, 1000), 0);
        CHECK_IS(send_nw2(one, "hello", 5, 0, 3), 0);
        CHECK_IS(finish((short) one, 1000), 0);
        REPLYX();
        CHECK_IS(FILE_CLOSE_((short) one), 0);
        i++;
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc > 2 && strcmp(argv[1], "accept") == 0) wait_and_hand_over(argv[2]);
    else claim();
    printf("PASSED\n");
    return 0;
}
