/* Both ends of ZeroMQ, as a program that uses it has them.
 *
 *   zeromq rep ADDRESS                      replies to each REQ with what it got
 *   zeromq router ADDRESS                   the same for DEALERs
 *   zeromq req|dealer ADDRESS SOCKETS       asks as often as it can
 *
 * Standard input of one that asks: the length of the requests, how many are under way on each socket, and the time in
 * milliseconds, 32 bits each, again and again. Standard output, for each: the time in nanoseconds (64 bits), the number of
 * requests (32 bits), the nanoseconds of each of them (32 bits each).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define REQUEST_BYTES_MAX (64 * 1024)
#define REQUESTS_MAX      10000000
#define SOCKETS_MAX       256
#define OUTSTANDING_MAX   1024

static unsigned int latencies[REQUESTS_MAX];
static unsigned int requests;
static char request[REQUEST_BYTES_MAX];

/* A socket, and when the requests that are under way on it were sent, oldest first. */
struct line {
    void *socket;
    long long sent[OUTSTANDING_MAX];
    unsigned int first;
    unsigned int count;
};
static struct line lines[SOCKETS_MAX];
static unsigned int sockets;

static void fail(const char *what)
{
    fprintf(stderr, "zeromq: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(const void *bytes, size_t count)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(1, next, count);
        if (written <= 0)
            exit(1);
        next += written;
        count -= written;
    }
}

/* All parts of a message go back as they came: the name of a DEALER first. */
static void serve(void *socket)
{
    for (;;) {
        zmq_msg_t part;
        int more;
        do {
            zmq_msg_init(&part);
            if (zmq_msg_recv(&part, socket, 0) < 0)
                fail("receive");
            more = zmq_msg_more(&part);
            if (zmq_msg_send(&part, socket, more ? ZMQ_SNDMORE : 0) < 0)
                fail("reply");
        } while (more);
    }
}

static void ask(struct line *line, size_t bytes)
{
    line->sent[(line->first + line->count) % OUTSTANDING_MAX] = now();
    line->count++;
    if (zmq_send(line->socket, request, bytes, 0) < 0)
        fail("ask");
}

/* Takes one reply, if there is one or it may wait; asks again until the end. */
static int take(struct line *line, size_t bytes, int flags, long long end)
{
    static char reply[REQUEST_BYTES_MAX];
    long long after;
    int count = zmq_recv(line->socket, reply, sizeof reply, flags);
    if (count < 0 && zmq_errno() == EAGAIN)
        return 0;
    if (count != (int) bytes)
        fail("a reply of the wrong length");
    after = now();
    if (requests < REQUESTS_MAX)
        latencies[requests++] = (unsigned int) (after - line->sent[line->first]);
    line->first = (line->first + 1) % OUTSTANDING_MAX;
    line->count--;
    if (after < end)
        ask(line, bytes);
    return 1;
}

static void run(size_t bytes, unsigned int outstanding, unsigned int milliseconds)
{
    static zmq_pollitem_t items[SOCKETS_MAX];
    long long begin = now();
    long long end = begin + milliseconds * 1000000LL;
    unsigned int at;
    unsigned int busy;

    requests = 0;
    for (at = 0; at < sockets; at++) {
        items[at].socket = lines[at].socket;
        items[at].events = ZMQ_POLLIN;
        while (lines[at].count < outstanding)
            ask(&lines[at], bytes);
    }
    while (sockets == 1 && lines[0].count > 0)
        take(&lines[0], bytes, 0, end);
    for (busy = sockets; busy > 0;) {
        if (sockets > 1 && zmq_poll(items, (int) sockets, -1) < 0)
            fail("wait");
        for (busy = 0, at = 0; at < sockets; at++) {
            if (items[at].revents & ZMQ_POLLIN)
                while (lines[at].count > 0 && take(&lines[at], bytes, ZMQ_DONTWAIT, end))
                    ;
            busy += lines[at].count > 0;
        }
    }
    end = now() - begin;
    tell(&end, sizeof end);
    tell(&requests, sizeof requests);
    tell(latencies, requests * sizeof latencies[0]);
}

int main(int argc, char **argv)
{
    void *context = zmq_ctx_new();
    unsigned int wanted[3];

    if (argc == 3) {
        void *socket = zmq_socket(context, strcmp(argv[1], "rep") == 0 ? ZMQ_REP : ZMQ_ROUTER);
        if (socket == NULL || zmq_bind(socket, argv[2]) != 0)
            fail(argv[2]);
        serve(socket);
    }
    if (argc != 4 || (sockets = (unsigned int) atoi(argv[3])) < 1 || sockets > SOCKETS_MAX)
        return 2;
    for (unsigned int at = 0; at < sockets; at++) {
        lines[at].socket = zmq_socket(context, strcmp(argv[1], "req") == 0 ? ZMQ_REQ : ZMQ_DEALER);
        if (lines[at].socket == NULL || zmq_connect(lines[at].socket, argv[2]) != 0)
            fail(argv[2]);
    }
    while (read(0, wanted, sizeof wanted) == sizeof wanted) {
        if (wanted[0] > REQUEST_BYTES_MAX || wanted[1] > OUTSTANDING_MAX)
            return 2;
        run(wanted[0], wanted[1], wanted[2]);
    }
    return 0;
}
