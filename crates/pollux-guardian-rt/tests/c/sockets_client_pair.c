/* A pair that is a client: its connection, begun by connect_nw, goes on when the primary dies. Arguments: a port, and when the socket
 * is told to the backup: "early", before it is connected, or "late".
 *
 * Request n is of bytes that follow from their offset, and so is its reply, but for the first byte of that: 1 says that it was the
 * last. So the server sees each byte that is lost, doubled or moved, and so does this program. */
#include "sockets_pair.h"

#define BYTES_MAX 40000

/* What both halves know. */
struct state {
    short is_open, is_over;   /* the last reply has come */
    int number;               /* of the request that is under way */
    long long sent, received; /* offsets behind that request, and behind the last reply */
    struct open_info_message info;
};

static struct state state;
static short receive, partner = -1, own[10];
static int tcp = -1, port;
static char buffer[BYTES_MAX];

static int request_bytes(int number)
{
    return 4 + number * 7919 % 20000;
}

static int reply_bytes(int number)
{
    return 5 + number * 10477 % 30000;
}

static char byte_at(long long offset)
{
    return (char) (offset * 31 + (offset >> 8) * 17);
}

static void tell_backup(void)
{
    if (partner >= 0 && _status_lt(WRITEX(partner, (char *) &state, sizeof state))) {
        FILE_CLOSE_(partner);
        partner = -1;
    }
}

static void bring_backup_in_step(void)
{
    partner = open_backup(partner, own);
    tell_of(tcp, 2, &state.info);
    state.is_open = 1;
    tell_backup();
    printf("IN STEP\n");
}

static void connect_to_server(void)
{
    struct sockaddr_in address = loopback(port), far;
    int length = sizeof far;

    /* The dead primary may have been at this, too. */
    if (getpeername(tcp, (struct sockaddr *) &far, &length) == 0)
        return;
    CHECK_IS(connect_nw(tcp, (struct sockaddr *) &address, sizeof address, 1), 0);
    CHECK_IS(finish((short) tcp, 1000), 0);
}

/* Sends what the kernel does not have of the request. */
static void send_request(void)
{
    long long received, sent;
    int left, i;

    CHECK_IS(socket_get_positions(tcp, &received, &sent), 0);
    CHECK_IS(received, state.received);
    CHECK_IS(sent >= state.sent - request_bytes(state.number) && sent <= state.sent, 1);
    while (sent < state.sent) {
        left = (int) (state.sent - sent);
        for (i = 0; i < left; i++)
            buffer[i] = byte_at(sent + i);
        CHECK_IS(send_nw2(tcp, buffer, left, 0, 2), 0);
        CHECK_IS(finish((short) tcp, 1000), 0);
        sent += socket_get_len(tcp);
    }
}

/* 1 if the reply says that there is no more. */
static int receive_reply(void)
{
    int wanted = reply_bytes(state.number), have = 0, i;

    while (have < wanted) {
        CHECK_IS(recv_nw(tcp, buffer + have, wanted - have, 0, 3), 0);
        CHECK_IS(finish((short) tcp, -1), 0);
        CHECK_IS(finished.count > 0, 1);
        have += finished.count;
    }
    for (i = 1; i < wanted; i++)
        CHECK_IS(buffer[i], byte_at(state.received + i));
    return buffer[0];
}

static void next_request(void)
{
    state.number++;
    state.sent += request_bytes(state.number);
}

static void work(void)
{
    static char message[200];

    CHECK_IS(socket_hold_input(tcp, 1), 0);
    if (state.number == 0) {
        next_request();
        tell_backup();
    }
    CHECK_IS(socket_release_input(tcp, state.received), 0);
    while (!state.is_over) {
        send_request();
        state.is_over = receive_reply();
        state.received += reply_bytes(state.number);
        if (!state.is_over)
            next_request();
        tell_backup();
        CHECK_IS(socket_release_input(tcp, state.received), 0);
        if (PROCESS_GETPAIRINFO_() == 4) {
            /* The backup is gone: its end is told by $RECEIVE. */
            while (finish(receive, 0) != 40) {
                REPLYX();
                (void) READUPDATEX(receive, message, sizeof message);
            }
            (void) READUPDATEX(receive, message, sizeof message);
            bring_backup_in_step();
        }
    }
    CHECK_IS(FILE_CLOSE_((short) tcp), 0);
    printf("PASSED\n");
    exit(0);
}

static void follow(void)
{
    static struct state message;
    short primary[10];

    PROCESS_GETPAIRINFO_(, , , , primary);
    (void) READUPDATEX(receive, (char *) &message, sizeof message);
    for (;;) {
        short error = finish(receive, -1);
        if (PROCESS_GETPAIRINFO_() == 4)
            break;
        if (error == 0) {
            if (!state.is_open)
                CHECK_IS(socket_backup(&message.info, (char *) primary), 0);
            state = message;
        }
        REPLYX();
        (void) READUPDATEX(receive, (char *) &message, sizeof message);
    }
    REPLYX();
    (void) READUPDATEX(receive, (char *) &message, sizeof message);
    CHECK_IS(state.is_open, 1);
    tcp = state.info.filenum;
}

int main(int argc, char **argv)
{
    static char message[200];

    setvbuf(stdout, 0, _IOLBF, 0);
    CHECK_IS(argc, 3);
    port = atoi(argv[1]);
    PROCESSHANDLE_GETMINE_(own);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , 1, 1), 0);
    if (PROCESS_GETPAIRINFO_() == 4) {
        (void) READUPDATEX(receive, message, sizeof message);
        tcp = socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
        if (strcmp(argv[2], "late") == 0)
            connect_to_server();
    } else {
        follow();
    }
    bring_backup_in_step();
    connect_to_server();
    work();
    return 0;
}
