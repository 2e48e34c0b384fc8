/* The documented minimum: only the listener is in the backup, which posts one accept_nw when it takes over, without bind and
   listen. Connections are served one at a time by waited means. */
#include "sockets_pair.h"

static short receive, partner = -1, own[10];
static int listener = -1;
static struct open_info_message info;

static void start_backup(void)
{
    partner = open_backup(partner, own);
    tell_of(listener, 3, &info);
    CHECK_IS(_status_eq(WRITEX(partner, (char *) &info, sizeof info)), 1);
    printf("IN STEP\n");
}

static void echo(struct sockaddr_in *from)
{
    char in[100];
    int one = socket_nw(AF_INET, SOCK_STREAM, 0, 3, 0);
    CHECK_IS(accept_nw2(one, (struct sockaddr *) from, 2), 0);
    if (finish((short) one, 1000) == 0) {
        CHECK_IS(recv_nw(one, in, sizeof in, 0, 3), 0);
        if (finish((short) one, 1000) == 0 && finished.count > 0) {
            CHECK_IS(send_nw2(one, in, finished.count, 0, 4), 0);
            (void) finish((short) one, 1000);
            /* Not closed: a kill finds it open. */
            return;
        }
    }
    FILE_CLOSE_((short) one);
}

static void serve(void)
{
    struct sockaddr_in from;
    int length;
    char message[100];

    start_backup();
    length = sizeof from;
    CHECK_IS(accept_nw(listener, (struct sockaddr *) &from, &length, 1), 0);
    for (;;) {
        short error = finish(-1, -1);
        if (finished.file == receive) {
            REPLYX();
            (void) READUPDATEX(receive, message, sizeof message);
            continue;
        }
        CHECK_IS(error, 0);
        echo(&from);
        length = sizeof from;
        CHECK_IS(accept_nw(listener, (struct sockaddr *) &from, &length, 1), 0);
    }
}

/* What was not told to the backup is not open here. */
static void no_connection_is_open(void)
{
    char in[1];
    short number;
    for (number = 1; number < 100; number++)
        if (number != listener && number != receive)
            FAILS(recv_nw(number, in, sizeof in, 0, 5), EBADF);
}

int main(void)
{
    struct sockaddr_in address = loopback(0);
    short primary[10];
    static char message[200];

    setvbuf(stdout, 0, _IOLBF, 0);
    PROCESSHANDLE_GETMINE_(own);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , 1, 1), 0);
    if (PROCESS_GETPAIRINFO_() == 4) {
        listener = socket_nw(AF_INET, SOCK_STREAM, 0, 3, 0);
        CHECK_IS(bind_nw(listener, (struct sockaddr *) &address, sizeof address, 1), 0);
        CHECK_IS(finish((short) listener, -1), 0);
        CHECK_IS(listen(listener, 20), 0);
        printf("PORT %d\n", port_of(listener));
        (void) READUPDATEX(receive, message, sizeof message);
        serve();
    }
    PROCESS_GETPAIRINFO_(, , , , primary);
    (void) READUPDATEX(receive, message, sizeof message);
    for (;;) {
        short error = finish(receive, -1);
        if (PROCESS_GETPAIRINFO_() == 4) {
            REPLYX();
            CHECK_IS(listener >= 0, 1);
            no_connection_is_open();
            (void) READUPDATEX(receive, message, sizeof message);
            serve();
        }
        if (error == 0) {
            memcpy(&info, message, sizeof info);
            CHECK_IS(socket_backup(&info, (char *) primary), 0);
            listener = info.filenum;
        }
        REPLYX();
        (void) READUPDATEX(receive, message, sizeof message);
    }
}
