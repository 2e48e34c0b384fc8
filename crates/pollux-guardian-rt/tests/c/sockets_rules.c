/* The rules of nowait sockets: what is told when, where counts are, what a cancelled operation leaves. Both ends of each
   connection are in this program. The first argument says which rules. */
#include "sockets.h"

#define FLAGS 4

static int listener(void)
{
    struct sockaddr_in address = loopback(0);
    int one = socket_nw(AF_INET, SOCK_STREAM, 0, FLAGS, 0);
    CHECK_IS(one > 0 && one <= 32767, 1);
    CHECK_IS(bind_nw(one, (struct sockaddr *) &address, sizeof address, 11), 0);
    CHECK_IS(finish(one, -1), 0);
    CHECK_IS(finished.tag, 11);
    return one;
}

/* Begins a connection to a listener. */
static int begin(int to, long tag)
{
    struct sockaddr_in address = loopback(port_of(to));
    int one = socket_nw(AF_INET, SOCK_STREAM, 0, FLAGS, 0);
    CHECK_IS(one > 0, 1);
    CHECK_IS(connect_nw(one, (struct sockaddr *) &address, sizeof address, tag), 0);
    return one;
}

static int claim(struct sockaddr_in *from, int type)
{
    int one = socket_nw(AF_INET, type, 0, FLAGS, 0);
    CHECK_IS(one > 0, 1);
    CHECK_IS(accept_nw2(one, (struct sockaddr *) from, 21), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(finished.tag, 21);
    return one;
}

/* Both ends of a new connection. */
static void connection(int of, int type, int *near, int *far)
{
    struct sockaddr_in from;
    int length = sizeof from;
    memset(&from, 0, sizeof from);
    CHECK_IS(listen(of, 5), 0);
    CHECK_IS(accept_nw(of, (struct sockaddr *) &from, &length, 20), 0);
    *near = begin(of, 22);
    CHECK_IS(finish(*near, 1000), 0);
    CHECK_IS(finish(of, 1000), 0);
    CHECK_IS(finished.tag, 20);
    CHECK_IS(length, sizeof from);
    CHECK_IS(ntohs(from.sin_port), port_of(*near));
    *far = claim(&from, type);
}

static void rules(void)
{
    static struct {
        int nb_sent;
        char nb_data[100];
    } out;
    char in[100];
    int one = listener(), near, far;
    short depth_check;

    connection(one, SOCK_STREAM, &near, &far);

    /* A receive waits; a limit for one file ends it, one for any does not. */
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 31), 0);
    CHECK_IS(finish(-1, 1), 40);
    CHECK_IS(finish(far, 1), 40);
    CHECK_IS(finished.tag, 31);
    CHECK_IS(finish(far, 0), 26);

    /* Sends pass receives that wait; the count of send_nw is before its data, and AWAITIOX counts 2. */
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 32), 0);
    memcpy(out.nb_data, "hello", 5);
    out.nb_sent = -1;
    CHECK_IS(send_nw(near, out.nb_data, 5, 0, 33), 0);
    CHECK_IS(out.nb_sent, -1);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.tag, 33);
    CHECK_IS(finished.count, 2);
    CHECK_IS(finished.buffer == (char *) &out.nb_sent, 1);
    CHECK_IS(out.nb_sent, 5);

    /* What is there already is told by AWAITIOX all the same, never by the call. */
    memset(in, 'x', sizeof in);
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 34), 0);
    CHECK_IS(in[0], 'x');
    CHECK_IS(finish(-1, 1000), 0);
    CHECK_IS(finished.file, far);
    CHECK_IS(finished.tag, 34);
    CHECK_IS(finished.count, 5);
    CHECK_IS(memcmp(in, "hellox", 6), 0);

    /* send_nw2 tells by socket_get_len; the 64-bit forms do the same. */
    CHECK_IS(send_nw2(far, "abc", 3, 0, 35), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(socket_get_len(far), 3);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.tag, 32);
    CHECK_IS(finished.count, 3);
    {
        short file = (short) near;
        long long tag = 0, address = 0;
        int count = 0;
        CHECK_IS(send_nw2_64_(far, "abcd", 4, 0, 0x123456789aLL), 0);
        CHECK_IS(recv_nw64_(near, in, sizeof in, 0, 0x123456789bLL), 0);
        CHECK_IS(finish(far, 1000), 0);
        CHECK_IS(FILE_AWAITIO64_(&file, &address, &count, &tag, 1000), 0);
        CHECK_IS(tag, 0x123456789bLL);
        CHECK_IS(count, 4);
        CHECK_IS(address == (long long) in, 1);
    }

    /* No more at a time than the depth. */
    for (depth_check = 0; depth_check < FLAGS; depth_check++)
        CHECK_IS(recv_nw(near, in, 1, 0, 40 + depth_check), 0);
    FAILS(recv_nw(near, in, 1, 0, 50), 28);
    CHECK_IS(CANCELREQ(near, 42), 0);
    CHECK_IS(recv_nw(near, in, 1, 0, 51), 0);
    CHECK_IS(send_nw2(far, "123", 3, 0, 52), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.tag, 40);
    CHECK_IS(in[0], '1');
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.tag, 41);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.tag, 43);
    CHECK_IS(in[0], '3');
    CHECK_IS(CANCEL(near), 0);
    CHECK_IS(CANCEL(near) == 0, 0);

    /* Addresses and options by AWAITIOX; the length is 0 until then. */
    {
        struct sockaddr_in name;
        int length = sizeof name, value = 0, size = sizeof value;
        CHECK_IS(getpeername_nw(near, (struct sockaddr *) &name, &length, 60), 0);
        CHECK_IS(finish(near, 1000), 0);
        CHECK_IS(ntohs(name.sin_port), port_of(one));
        CHECK_IS(getsockopt_nw(near, SOL_SOCKET, SO_TYPE, (char *) &value, &size, 61), 0);
        CHECK_IS(size, 0);
        CHECK_IS(finish(near, 1000), 0);
        CHECK_IS(value, SOCK_STREAM);
        CHECK_IS(size, sizeof value);
        value = 1;
        CHECK_IS(setsockopt_nw(near, IPPROTO_TCP, TCP_NODELAY, (char *) &value, sizeof value, 62), 0);
        CHECK_IS(finish(near, 1000), 0);
        CHECK_IS(socket_ioctl_nw(near, FIONREAD, (char *) &value, 63), 0);
        CHECK_IS(finish(near, 1000), 0);
        CHECK_IS(value, 0);
        CHECK_IS(getsockopt_nw(near, SOL_SOCKET, 0x7777, (char *) &value, &size, 64), 0);
        CHECK_IS(finish(near, 1000), ENOPROTOOPT);
    }

    /* The end of the input is 0 bytes; then sending fails in its own way. */
    CHECK_IS(shutdown_nw(far, 1, 70), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 71), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.count, 0);
    CHECK_IS(send_nw2(far, "x", 1, 0, 72), 0);
    CHECK_IS(finish(far, 1000), ESHUTDOWN);
    CHECK_IS(FILE_CLOSE_(far), 0);
    CHECK_IS(FILE_CLOSE_(near), 0);

    /* Nobody listens there: told when it is done. */
    {
        struct sockaddr_in nowhere = loopback(port_of(one));
        CHECK_IS(FILE_CLOSE_(one), 0);
        near = socket_nw(AF_INET, SOCK_STREAM, 0, FLAGS, 0);
        CHECK_IS(connect_nw(near, (struct sockaddr *) &nowhere, sizeof nowhere, 80), 0);
        CHECK_IS(finish(near, 1000), ECONNREFUSED);
        CHECK_IS(finished.tag, 80);
        CHECK_IS(FILE_CLOSE_(near), 0);
    }

    /* A nowait open is told with tag -30; out of order only after SETMODE 30. */
    near = socket_nw(AF_INET, SOCK_DGRAM, 0, 0200 | 017, 0);
    CHECK_IS(near > 0, 1);
    CHECK_IS(finish(-1, 1000), 0);
    CHECK_IS(finished.file, near);
    CHECK_IS(finished.tag, -30);
    {
        struct sockaddr_in address = loopback(0);
        CHECK_IS(bind(near, (struct sockaddr *) &address, sizeof address), 0);
        address = loopback(port_of(near));
        CHECK_IS(recv_nw(near, in, sizeof in, 0, 90), 0);
        CHECK_IS(getsockname_nw(near, (struct sockaddr *) &address, &(int) {sizeof address}, 91), 0);
        CHECK_IS(finish(-1, 5), 40);
        CHECK_IS(SETMODE(near, 30, 1), 0);
        CHECK_IS(finish(-1, 1000), 0);
        CHECK_IS(finished.tag, 91);
    }
    CHECK_IS(FILE_CLOSE_(near), 0);
}

/* A cancelled accept leaves its connection to the next one; one that is outstanding is error 4103 for another. */
static void cancel(void)
{
    struct sockaddr_in from;
    int one = listener(), near, far, length = sizeof from;
    char in[10];

    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 1), 0);
    FAILS(accept_nw(one, (struct sockaddr *) &from, &length, 2), EALREADY);
    CHECK_IS(CANCEL(one), 0);
    near = begin(one, 3);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 4), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(finished.tag, 4);
    far = claim(&from, SOCK_STREAM);
    CHECK_IS(send_nw2(near, "x", 1, 0, 5), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 6), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(finished.count, 1);
    CHECK_IS(FILE_CLOSE_(near), 0);
    CHECK_IS(FILE_CLOSE_(far), 0);

    /* Cancelled by time, and when the connection has come already. */
    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 7), 0);
    CHECK_IS(finish(one, 1), 40);
    CHECK_IS(finished.tag, 7);
    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 8), 0);
    near = begin(one, 9);
    CHECK_IS(finish(near, 1000), 0);
    /* The connection is at the provider by now, or its word is on the way. */
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 10), 0);
    CHECK_IS(finish(near, 20), 40);
    CHECK_IS(CANCEL(one), 0);
    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 11), 0);
    CHECK_IS(finish(one, 1000), 0);
    far = claim(&from, SOCK_STREAM);
    CHECK_IS(ntohs(from.sin_port), port_of(near));

    /* Nobody waits there any more. */
    {
        int another = socket_nw(AF_INET, SOCK_STREAM, 0, FLAGS, 0);
        CHECK_IS(accept_nw2(another, (struct sockaddr *) &from, 12), 0);
        CHECK_IS(finish(another, 1000), ESRCH);
        FAILS(accept_nw2(far, (struct sockaddr *) &from, 13), EISCONN);
        FAILS(accept_nw2(one, (struct sockaddr *) &from, 14), EADDRINUSE);
        CHECK_IS(FILE_CLOSE_(another), 0);
    }
}

static void queue(void)
{
    struct sockaddr_in from;
    int lengths[2] = {1, 128}, i, length = sizeof from;
    for (i = 0; i < 2; i++) {
        int one = listener(), near, far;
        FAILS(accept_nw1(one, (struct sockaddr *) &from, &length, 1, 0), EINVAL);
        FAILS(accept_nw1(one, (struct sockaddr *) &from, &length, 1, 129), EINVAL);
        CHECK_IS(accept_nw1(one, (struct sockaddr *) &from, &length, 1, lengths[i]), 0);
        near = begin(one, 2);
        CHECK_IS(finish(near, 1000), 0);
        CHECK_IS(finish(one, 1000), 0);
        far = claim(&from, SOCK_STREAM);
        CHECK_IS(FILE_CLOSE_(near), 0);
        CHECK_IS(FILE_CLOSE_(far), 0);
        CHECK_IS(FILE_CLOSE_(one), 0);
    }
}

static void datagrams(void)
{
    static struct {
        struct sockaddr_in sb_sin;
        char sb_data[50];
    } packet;
    struct sockaddr_in address = loopback(0), from;
    int one = socket_nw(AF_INET, SOCK_DGRAM, 0, FLAGS, 0), two = socket_nw(AF_INET, SOCK_DGRAM, 0, FLAGS, 0);
    int length = sizeof from;
    char in[50];

    CHECK_IS(bind_nw(one, (struct sockaddr *) &address, sizeof address, 1), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(bind_nw(two, (struct sockaddr *) &address, sizeof address, 2), 0);
    CHECK_IS(finish(two, 1000), 0);
    address = loopback(port_of(two));

    CHECK_IS(recvfrom_nw(two, in, sizeof in, 0, (struct sockaddr *) &from, &length, 3), 0);
    CHECK_IS(sendto_nw(one, "first", 5, 0, (struct sockaddr *) &address, sizeof address, 4), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(socket_get_len(one), 5);
    CHECK_IS(finish(two, 1000), 0);
    CHECK_IS(finished.count, 5);
    memset(&from, 0, sizeof from);
    length = sizeof from;
    CHECK_IS(socket_get_info(two, (struct sockaddr *) &from, &length), 0);
    CHECK_IS(ntohs(from.sin_port), port_of(one));
    CHECK_IS(length, sizeof from);

    /* The old forms: the address in front; behind a send the count is where the family was. */
    CHECK_IS(t_recvfrom_nw(two, (char *) &packet, sizeof packet, 0, 5), 0);
    CHECK_IS(sendto_nw(one, "second", 6, 0, (struct sockaddr *) &address, sizeof address, 6), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(finish(two, 1000), 0);
    CHECK_IS(finished.count, sizeof(struct sockaddr_in) + 6);
    CHECK_IS(memcmp(packet.sb_data, "second", 6), 0);
    CHECK_IS(packet.sb_sin.sin_family, AF_INET);
    CHECK_IS(recv_nw(one, in, sizeof in, 0, 7), 0);
    CHECK_IS(t_sendto_nw(two, (char *) &packet, sizeof(struct sockaddr_in) + 6, 0, 8), 0);
    CHECK_IS(finish(two, 1000), 0);
    CHECK_IS(((struct sendto_recvfrom_buf *) &packet)->sb_sent, 6);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(finished.count, 6);

    /* A connected socket has one peer. */
    CHECK_IS(connect_nw(one, (struct sockaddr *) &address, sizeof address, 9), 0);
    CHECK_IS(finish(one, 1000), 0);
    FAILS(sendto_nw(one, "x", 1, 0, (struct sockaddr *) &address, sizeof address, 10), EISCONN);
    FAILS(t_recvfrom_nw(one, (char *) &packet, sizeof packet, 0, 11), EISCONN);
    CHECK_IS(send_nw2(one, "third", 5, 0, 12), 0);
    CHECK_IS(finish(one, 1000), 0);
    {
        int waiting = 0;
        CHECK_IS(recv_nw(two, in, sizeof in, MSG_PEEK, 13), 0);
        CHECK_IS(finish(two, 1000), 0);
        CHECK_IS(socket_ioctl(two, FIONREAD, (char *) &waiting), 0);
        CHECK_IS(waiting, 5 + sizeof(struct sockaddr_in));
    }
}

/* sock_close_reuse_nw: not for a socket that may have a backup open. */
static void reuse(void)
{
    struct sockaddr_in from;
    int one = listener(), near, far, length = sizeof from;
    char in[10];

    connection(one, SOCK_STREAM, &near, &far);
    FAILS(sock_close_reuse_nw(far, 1), EINVAL);
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 2), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.count, 0);
    FAILS(accept_nw2(far, (struct sockaddr *) &from, 3), 60);
    CHECK_IS(FILE_CLOSE_(far), 0);
    CHECK_IS(FILE_CLOSE_(near), 0);

    connection(one, SOCK_STREAM_NONFT, &near, &far);
    CHECK_IS(sock_close_reuse_nw(far, 4), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(finished.tag, 4);
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 5), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.count, 0);
    CHECK_IS(FILE_CLOSE_(near), 0);
    FAILS(sock_close_reuse_nw(far, 6), ENOTCONN);
    /* The number takes another connection. */
    CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 7), 0);
    near = begin(one, 8);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finish(one, 1000), 0);
    CHECK_IS(accept_nw2(far, (struct sockaddr *) &from, 9), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(send_nw2(far, "again", 5, 0, 10), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(recv_nw(near, in, sizeof in, 0, 11), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finished.count, 5);
}

static void urgent(void)
{
    int one = listener(), near, far, mark = 0;
    char in[10];

    connection(one, SOCK_STREAM, &near, &far);
    CHECK_IS(recv_nw(far, in, sizeof in, MSG_OOB, 0), 0);
    CHECK_IS(send_nw2(near, "ab", 2, 0, 1), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(finish(far, 1000), EWOULDBLOCK);
    CHECK_IS(send_nw2(near, "!", 1, MSG_OOB, 2), 0);
    CHECK_IS(finish(near, 1000), 0);
    /* The word of it comes with the next packet or before. */
    do {
        CHECK_IS(recv_nw(far, in, 1, MSG_PEEK, 3), 0);
    } while (finish(far, 1000) == 0);
    CHECK_IS(finished.error, EHAVEOOB);
    CHECK_IS(recv_nw(far, in, sizeof in, MSG_OOB, 4), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(in[0], '!');
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 5), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(finished.count, 2);
    CHECK_IS(socket_ioctl(far, SIOCATMARK, (char *) &mark), 0);
    CHECK_IS(mark, 1);
}

/* More than the system can keep is an error, not a silence: input comes in such pieces until the peer's buffer is full. Small
 * ones take much more room than their bytes. */
static void held_to_the_limit(int one, int piece)
{
    static char large[100000], in[100000];
    int near, far, error = 0;

    connection(one, SOCK_STREAM, &near, &far);
    CHECK_IS(socket_hold_input(far, 1), 0);
    while (error == 0) {
        CHECK_IS(send_nw2(near, large, piece, 0, 6), 0);
        if (finish(near, 5) == 40) {
            CHECK_IS(recv_nw(far, in, sizeof in, 0, 7), 0);
            error = finish(far, 1000);
        }
    }
    CHECK_IS(error, ENOBUFS);
    CHECK_IS(socket_hold_input(far, 0), 0);
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 8), 0);
    CHECK_IS(finish(far, 1000), 0);
    FILE_CLOSE_((short) near);
    FILE_CLOSE_((short) far);
}

/* Beyond the original: input that stays in the system until its effect is safe, and where the streams stand. */
static void held(void)
{
    const int pieces[] = {100000, 150};
    int one = listener(), near, far, i;
    long long received = -1, sent = -1;
    static char in[100];

    connection(one, SOCK_STREAM, &near, &far);
    CHECK_IS(socket_get_positions(near, &received, &sent), 0);
    CHECK_IS(received, 0);
    CHECK_IS(sent, 0);
    CHECK_IS(socket_hold_input(far, 1), 0);
    CHECK_IS(send_nw2(near, "abcdef", 6, 0, 1), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(socket_get_positions(near, &received, &sent), 0);
    CHECK_IS(sent, 6);
    for (i = 0; i < 3; i++) {
        CHECK_IS(recv_nw(far, in + 2 * i, 2, 0, 2), 0);
        CHECK_IS(finish(far, 1000), 0);
        CHECK_IS(finished.count, 2);
        CHECK_IS(socket_get_positions(far, &received, &sent), 0);
        CHECK_IS(received, 2 * i + 2);
    }
    CHECK_IS(memcmp(in, "abcdef", 6), 0);
    /* What was read is not told again, though it is still there. */
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 3), 0);
    CHECK_IS(finish(far, 5), 40);
    CHECK_IS(socket_release_input(far, 4), 0);
    FAILS(socket_release_input(far, 3), EINVAL);
    FAILS(socket_release_input(far, 7), EINVAL);
    CHECK_IS(socket_get_positions(far, &received, &sent), 0);
    CHECK_IS(received, 6);
    CHECK_IS(send_nw2(near, "gh", 2, 0, 4), 0);
    CHECK_IS(finish(near, 1000), 0);
    CHECK_IS(recv_nw(far, in, sizeof in, 0, 5), 0);
    CHECK_IS(finish(far, 1000), 0);
    CHECK_IS(finished.count, 2);
    CHECK_IS(memcmp(in, "gh", 2), 0);
    CHECK_IS(socket_hold_input(far, 0), 0);
    CHECK_IS(socket_get_positions(far, &received, &sent), 0);
    CHECK_IS(received, 8);

    FILE_CLOSE_((short) near);
    FILE_CLOSE_((short) far);
    for (i = 0; i < 2; i++)
        held_to_the_limit(one, pieces[i]);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (strcmp(what, "nowait") == 0) rules();
    else if (strcmp(what, "cancel") == 0) cancel();
    else if (strcmp(what, "queue") == 0) queue();
    else if (strcmp(what, "datagrams") == 0) datagrams();
    else if (strcmp(what, "reuse") == 0) reuse();
    else if (strcmp(what, "urgent") == 0) urgent();
    else if (strcmp(what, "held") == 0) held();
    else failed();
    printf("PASSED\n");
    return 0;
}
