/* tcp_server: a request/reply server over TCP as a process pair. Its clients are ordinary programs with ordinary sockets.
 *
 *   pollux cc -o tcp_server tcp_server.c
 *   pollux run --name '$TCP' ./tcp_server 7639
 *   ./tcp_client 127.0.0.1 7639 10000           (compiled from tcp_client.c)
 *
 * Kill the primary, the backup or a CPU while clients are at work: no client sees a reset, and no byte is lost, doubled or out
 * of order.
 *
 * A request is a length of four bytes, the highest first, and so many bytes. The server keeps a count and a hash of all requests
 * of a connection and replies with a length, the count, the hash, and as many bytes as the first four of the request say. So a
 * client sees at once if a request was executed twice or not at all.
 *
 * What a TCP server of a pair has to keep, and where it is in this file:
 *   its listener       in the backup before anybody can connect                       (be_primary, follow)
 *   each connection    in the backup before the first reply                           (connected, follow)
 *   how far it is      told to the backup before the reply leaves: the offset of the input behind the request, the offset of
 *                      the output behind the reply, and what the reply is made of      (serve)
 *   what was sent      nobody has to keep that: the system knows                       (finish_what_was_begun)
 * Input stays in the system until its effect is told to the backup: socket_hold_input, socket_release_input. */

#include "$system.ztcpip.systype" nolist
#include "$system.ztcpip.socketh" nolist
#include "$system.ztcpip.inh" nolist
#include "$system.ztcpip.netdbh" nolist
#include <errno.h> nolist
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <tal.h> nolist
#include <crtlns.h> nolist
#include <cextdecs> nolist
#include <zsysc> nolist

#define CONNECTIONS_MAX 256
#define REQUEST_BYTES_MAX 65536
#define HEAD_BYTES 4
#define REPLY_HEAD_BYTES 16
#define PART_BYTES 16384 /* of a reply, made and sent at a time */

enum { ROLE_UNNAMED = 0, ROLE_SINGLE = 4, ROLE_PRIMARY = 5 };
enum { MSG_LISTENER = 1, MSG_CONNECTION, MSG_STATE, MSG_CLOSED };
enum { TAG_RECEIVE = 1, TAG_ACCEPT, TAG_CLAIM, TAG_DATA, TAG_SENT };

/* What both halves know of a connection. */
typedef struct {
    short used;
    short socket;
    unsigned int count;      /* requests */
    unsigned long long hash; /* of all of them */
    unsigned int length;     /* of the last reply */
    long long received;      /* offset of the input behind the last request */
    long long sent;          /* offset of the output behind the last reply */
} connection_state;

/* What only a primary knows. */
typedef struct {
    unsigned char *input;
    int have;
    unsigned int done; /* bytes of the last reply that are with the system */
    unsigned char part[PART_BYTES];
} connection_work;

typedef struct {
    short number;
    short index;
    struct open_info_message info;
    connection_state state;
} pair_message;

static connection_state connections[CONNECTIONS_MAX];
static connection_work work[CONNECTIONS_MAX];
static short receive = -1, partner = -1, listener = -1, claiming = -1;
static short own[ZSYS_VAL_PHANDLE_WLEN];
static struct sockaddr_in peer;
static int peer_length;
static union {
    short number;
    pair_message pair;
} message;

static void give_up(const char *what)
{
    fprintf(stderr, "tcp_server: %s: errno %d\n", what, errno);
    exit(2);
}

static short error_of(short file)
{
    short error = 0;
    (void) FILE_GETINFO_(file, &error);
    return error;
}

/* ---- the other half --------------------------------------------------------------------------------------------- */

/* Tells the backup, and waits until it knows. Without a backup there is nobody to tell. */
static void tell_backup(const pair_message *what)
{
    if (partner >= 0 && _status_lt(WRITEX(partner, (char *) what, sizeof *what))) {
        (void) FILE_CLOSE_(partner);
        partner = -1;
    }
}

static void tell_listener(void)
{
    pair_message what;
    memset(&what, 0, sizeof what);
    what.number = MSG_LISTENER;
    what.info.filenum = listener;
    what.info.flags = 2;
    if (socket_get_open_info(&what.info) != 0) give_up("listener of the backup");
    tell_backup(&what);
}

/* 0 if the connection is in the backup, too, or there is no backup. */
static int tell_connection(short index)
{
    pair_message what;
    memset(&what, 0, sizeof what);
    what.number = MSG_CONNECTION;
    what.index = index;
    what.state = connections[index];
    what.info.filenum = connections[index].socket;
    what.info.flags = 2;
    if (socket_get_open_info(&what.info) != 0) return -1;
    tell_backup(&what);
    return 0;
}

static void tell_state(short number, short index)
{
    pair_message what;
    memset(&what, 0, sizeof what);
    what.number = number;
    what.index = index;
    what.state = connections[index];
    tell_backup(&what);
}

static void bring_backup_in_step(void)
{
    char name[64];
    short length = 0, detail = 0, handle[ZSYS_VAL_PHANDLE_WLEN], i;

    if (partner >= 0) {
        (void) FILE_CLOSE_(partner);
        partner = -1;
    }
    if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE && __ns_start_backup(&detail, , handle) != 0) return;
    if (PROCESSHANDLE_DECOMPOSE_(own, , , , , , , name, sizeof name, &length) != 0) return;
    if (FILE_OPEN_(name, length, &partner) != 0) {
        partner = -1;
        return;
    }
    tell_listener();
    for (i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].used) (void) tell_connection(i);
    printf("IN STEP\n");
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void end_connection(short index)
{
    (void) FILE_CLOSE_(connections[index].socket);
    free(work[index].input);
    work[index].input = NULL;
    connections[index].used = 0;
    tell_state(MSG_CLOSED, index);
}

static void read_more(short index)
{
    connection_work *own_work = &work[index];
    if (recv_nw(connections[index].socket, (char *) own_work->input + own_work->have, REQUEST_BYTES_MAX - own_work->have,
                0, TAG_DATA) != 0)
        end_connection(index);
}

static unsigned int number_at(const unsigned char *at)
{
    return (unsigned int) at[0] << 24 | (unsigned int) at[1] << 16 | (unsigned int) at[2] << 8 | at[3];
}

/* One byte of the reply: it depends on the state alone, so the other half can make it, too. */
static unsigned char reply_byte(const connection_state *state, unsigned int at)
{
    if (at < 4) return (unsigned char) ((state->length - HEAD_BYTES) >> (24 - 8 * at));
    if (at < 8) return (unsigned char) (state->count >> (24 - 8 * (at - 4)));
    if (at < 16) return (unsigned char) (state->hash >> (56 - 8 * (at - 8)));
    return (unsigned char) (state->hash + at * 31u);
}

/* Sends the next part of the reply; the next request when there is none. */
static void send_more(short index)
{
    connection_state *state = &connections[index];
    connection_work *own_work = &work[index];
    unsigned int i, bytes = state->length - own_work->done;

    if (bytes == 0) {
        read_more(index);
        return;
    }
    if (bytes > PART_BYTES) bytes = PART_BYTES;
    for (i = 0; i < bytes; i++) own_work->part[i] = reply_byte(state, own_work->done + i);
    if (send_nw2(state->socket, (char *) own_work->part, (int) bytes, 0, TAG_SENT) != 0) end_connection(index);
}

/* Executes a request if it is here in full. */
static void serve(short index)
{
    connection_state *state = &connections[index];
    connection_work *own_work = &work[index];
    unsigned int length, i;

    if (own_work->have < HEAD_BYTES) {
        read_more(index);
        return;
    }
    length = number_at(own_work->input);
    if (length < 4 || length > REQUEST_BYTES_MAX - HEAD_BYTES) {
        end_connection(index);
        return;
    }
    if ((unsigned int) own_work->have < length + HEAD_BYTES) {
        read_more(index);
        return;
    }
    state->count++;
    for (i = 0; i < length; i++) state->hash = (state->hash ^ own_work->input[HEAD_BYTES + i]) * 1099511628211ULL;
    state->length = REPLY_HEAD_BYTES + number_at(own_work->input + HEAD_BYTES);
    state->received += length + HEAD_BYTES;
    state->sent += state->length;
    /* If we die behind this point, the backup sends the reply. */
    tell_state(MSG_STATE, index);
    (void) socket_release_input(state->socket, state->received);
    own_work->have -= (int) (length + HEAD_BYTES);
    memmove(own_work->input, own_work->input + HEAD_BYTES + length, (size_t) own_work->have);
    own_work->done = 0;
    send_more(index);
}

static void data_came(short index, short error, int count)
{
    if (error != 0 || count == 0) {
        end_connection(index);
        return;
    }
    work[index].have += count;
    serve(index);
}

static void data_left(short index, short error)
{
    if (error != 0) {
        end_connection(index);
        return;
    }
    work[index].done += (unsigned int) socket_get_len(connections[index].socket);
    if (work[index].done < connections[index].length || work[index].have == 0) send_more(index);
    else serve(index);
}

static short index_of(short socket)
{
    short i;
    for (i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].used && connections[i].socket == socket) return i;
    return -1;
}

static int begin_work(short index)
{
    memset(&work[index], 0, sizeof work[index]);
    work[index].input = malloc(REQUEST_BYTES_MAX);
    return work[index].input == NULL ? -1 : socket_hold_input(connections[index].socket, 1);
}

/* ---- the listener ----------------------------------------------------------------------------------------------- */

static void wait_for_connection(void)
{
    peer_length = sizeof peer;
    if (accept_nw1(listener, (struct sockaddr *) &peer, &peer_length, TAG_ACCEPT, 128) != 0) give_up("accept_nw1");
}

/* A connection waits to be claimed. */
static void claim(short error)
{
    if (error != 0) {
        wait_for_connection();
        return;
    }
    claiming = (short) socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
    if (claiming < 0) give_up("socket_nw");
    if (accept_nw2(claiming, (struct sockaddr *) &peer, TAG_CLAIM) != 0) {
        (void) FILE_CLOSE_(claiming);
        wait_for_connection();
    }
}

static void connected(short error)
{
    short i;
    for (i = 0; i < CONNECTIONS_MAX && connections[i].used; i++) continue;
    if (error != 0 || i == CONNECTIONS_MAX) {
        (void) FILE_CLOSE_(claiming);
    } else {
        memset(&connections[i], 0, sizeof connections[i]);
        connections[i].used = 1;
        connections[i].socket = claiming;
        connections[i].hash = 14695981039346656037ULL;
        if (begin_work(i) != 0 || tell_connection(i) != 0) end_connection(i);
        else read_more(i);
    }
    wait_for_connection();
}

static void make_listener(int port)
{
    struct sockaddr_in address;
    int length = sizeof address, on = 1;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = (in_port_t) port;
    address.sin_addr.s_addr = INADDR_ANY;
    listener = (short) socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
    if (listener < 0) give_up("socket_nw");
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (char *) &on, sizeof on) != 0) give_up("setsockopt");
    if (bind(listener, (struct sockaddr *) &address, sizeof address) != 0) give_up("bind");
    if (listen(listener, 128) != 0) give_up("listen");
    if (getsockname(listener, (struct sockaddr *) &address, &length) != 0) give_up("getsockname");
    printf("PORT %d\n", address.sin_port);
}

/* ---- the roles -------------------------------------------------------------------------------------------------- */

static void read_receive(void)
{
    (void) READUPDATEX(receive, (char *) &message, sizeof message, , TAG_RECEIVE);
}

/* Serves for ever. */
static void be_primary(void)
{
    short file, error, index;
    long tag;
    unsigned short count;

    bring_backup_in_step();
    wait_for_connection();
    for (;;) {
        file = -1;
        (void) AWAITIOX(&file, , &count, &tag, -1);
        error = error_of(file);
        if (file == receive) {
            /* News of the backup's end, mostly. */
            (void) REPLYX();
            if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) bring_backup_in_step();
            read_receive();
        } else if (tag == TAG_ACCEPT) {
            claim(error);
        } else if (tag == TAG_CLAIM) {
            connected(error);
        } else if ((index = index_of(file)) >= 0) {
            if (tag == TAG_DATA) data_came(index, error, count);
            else data_left(index, error);
        }
    }
}

/* The primary is gone. The system knows how much of each stream it has read and written. */
static void finish_what_was_begun(void)
{
    short i;
    for (i = 0; i < CONNECTIONS_MAX; i++) {
        connection_state *state = &connections[i];
        long long received, sent;
        if (!state->used) continue;
        if (begin_work(i) != 0 || socket_release_input(state->socket, state->received) != 0
            || socket_get_positions(state->socket, &received, &sent) != 0 || sent > state->sent) {
            end_connection(i);
            continue;
        }
        work[i].done = state->length - (unsigned int) (state->sent - sent);
        send_more(i);
    }
}

/* A message of the primary. */
static short follow(short *primary)
{
    pair_message *what = &message.pair;
    switch (what->number) {
    case MSG_LISTENER:
        if (listener < 0 && socket_backup(&what->info, (char *) primary) != 0) return (short) errno;
        listener = what->info.filenum;
        return 0;
    case MSG_CONNECTION:
        /* A connection that is over by now: the primary will say so. */
        if (socket_backup(&what->info, (char *) primary) != 0) return 0;
        connections[what->index] = what->state;
        return 0;
    case MSG_STATE:
        if (connections[what->index].used) connections[what->index] = what->state;
        return 0;
    case MSG_CLOSED:
        if (connections[what->index].used) (void) FILE_CLOSE_(connections[what->index].socket);
        connections[what->index].used = 0;
        return 0;
    default:
        return 2;
    }
}

static void be_backup(void)
{
    short primary[ZSYS_VAL_PHANDLE_WLEN], file, error;
    zsys_ddl_receiveinformation_def info;

    (void) PROCESS_GETPAIRINFO_(, , , , primary);
    for (;;) {
        file = receive;
        (void) AWAITIOX(&file, , , , -1);
        error = error_of(receive);
        (void) FILE_GETRECEIVEINFO_((short *) &info);
        if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) {
            (void) REPLYX();
            if (listener < 0) give_up("the primary was lost before it had told its state");
            read_receive();
            finish_what_was_begun();
            be_primary();
        }
        if (error == 0) error = follow(primary);
        else error = 0;
        (void) REPLYX(, , , , error);
        read_receive();
    }
}

int main(int argc, char **argv)
{
    short role = PROCESS_GETPAIRINFO_();

    if (role == ROLE_UNNAMED || argc != 2) {
        fprintf(stderr, "usage: pollux run --name '$TCP' ./tcp_server PORT\n");
        exit(2);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void) PROCESSHANDLE_GETMINE_(own);
    if (FILE_OPEN_("$RECEIVE", 8, &receive, , , 1, 1) != 0) give_up("open $RECEIVE");
    MONITORCPUS(-1);
    read_receive();
    if (role == ROLE_SINGLE) {
        make_listener(atoi(argv[1]));
        be_primary();
    }
    be_backup();
    return 0;
}
