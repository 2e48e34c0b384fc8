/* tcp_echo: an echo server as a process pair that keeps its connections and needs no checkpoint of its own.
 *
 *   pollux cc -o tcp_echo tcp_echo.c
 *   pollux run --name '$ECHO' ./tcp_echo 7007
 *   nc 127.0.0.1 7007
 *
 * Kill the primary while you type: the connection stays.
 *
 * What an echo server has done is all in the connection itself: as many bytes are out as were handled. So the backup needs the
 * sockets, and nothing else. Input stays in the system until its echo has been sent (socket_hold_input, socket_release_input); a
 * new primary asks how much was sent and goes on with the byte behind it (socket_get_positions). */

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

#define CONNECTIONS_MAX 100
#define BYTES 4096

enum { ROLE_UNNAMED = 0, ROLE_SINGLE = 4 };
enum { MSG_SOCKET = 1, MSG_CLOSED };
enum { TAG_RECEIVE = 1, TAG_ACCEPT, TAG_CLAIM, TAG_DATA, TAG_SENT };

typedef struct {
    short number;
    short index; /* -1: the listener */
    struct open_info_message info;
} pair_message;

static struct {
    short socket; /* 0: none */
    int have, done;
    char bytes[BYTES];
} connections[CONNECTIONS_MAX];
static short receive = -1, partner = -1, listener = -1, claiming = -1, own[ZSYS_VAL_PHANDLE_WLEN];
static struct sockaddr_in peer;
static int peer_length;
static union {
    short number;
    pair_message pair;
} message;

static void give_up(const char *what)
{
    fprintf(stderr, "tcp_echo: %s: errno %d\n", what, errno);
    exit(2);
}

static void tell_backup(short number, short index)
{
    pair_message what;
    memset(&what, 0, sizeof what);
    what.number = number;
    what.index = index;
    what.info.filenum = index < 0 ? listener : connections[index].socket;
    what.info.flags = 2;
    if (number == MSG_SOCKET && socket_get_open_info(&what.info) != 0) return;
    if (partner >= 0 && _status_lt(WRITEX(partner, (char *) &what, sizeof what))) {
        (void) FILE_CLOSE_(partner);
        partner = -1;
    }
}

static void bring_backup_in_step(void)
{
    char name[64];
    short length = 0, detail = 0, handle[ZSYS_VAL_PHANDLE_WLEN], i;

    if (partner >= 0) (void) FILE_CLOSE_(partner);
    partner = -1;
    if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE && __ns_start_backup(&detail, , handle) != 0) return;
    if (PROCESSHANDLE_DECOMPOSE_(own, , , , , , , name, sizeof name, &length) != 0) return;
    if (FILE_OPEN_(name, length, &partner) != 0) {
        partner = -1;
        return;
    }
    for (i = -1; i < CONNECTIONS_MAX; i++)
        if (i < 0 || connections[i].socket != 0) tell_backup(MSG_SOCKET, i);
    printf("IN STEP\n");
}

static void end_connection(short index)
{
    (void) FILE_CLOSE_(connections[index].socket);
    connections[index].socket = 0;
    tell_backup(MSG_CLOSED, index);
}

/* Sends what was read, then reads more. */
static void go_on(short index)
{
    int left = connections[index].have - connections[index].done, started;
    if (left > 0) {
        started = send_nw2(connections[index].socket, connections[index].bytes + connections[index].done, left, 0, TAG_SENT);
    } else {
        connections[index].have = connections[index].done = 0;
        started = recv_nw(connections[index].socket, connections[index].bytes, BYTES, 0, TAG_DATA);
    }
    if (started != 0) end_connection(index);
}

/* The echo of everything up to here has been sent. */
static int release(short index)
{
    long long received, sent;
    if (socket_get_positions(connections[index].socket, &received, &sent) != 0) return -1;
    return socket_release_input(connections[index].socket, sent);
}

static void finished(short index, long tag, short error, int count)
{
    if (error != 0 || (tag == TAG_DATA && count == 0)) {
        if (error != 0) printf("LOST %d\n", error);
        end_connection(index);
        return;
    }
    if (tag == TAG_DATA) {
        connections[index].have = count;
    } else {
        connections[index].done += socket_get_len(connections[index].socket);
        if (release(index) != 0) {
            end_connection(index);
            return;
        }
    }
    go_on(index);
}

static void wait_for_connection(void)
{
    peer_length = sizeof peer;
    if (accept_nw1(listener, (struct sockaddr *) &peer, &peer_length, TAG_ACCEPT, 128) != 0) give_up("accept_nw1");
}

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
    for (i = 0; i < CONNECTIONS_MAX && connections[i].socket != 0; i++) continue;
    if (error != 0 || i == CONNECTIONS_MAX || socket_hold_input(claiming, 1) != 0) {
        (void) FILE_CLOSE_(claiming);
    } else {
        memset(&connections[i], 0, sizeof connections[i]);
        connections[i].socket = claiming;
        tell_backup(MSG_SOCKET, i);
        go_on(i);
    }
    wait_for_connection();
}

static void read_receive(void)
{
    (void) READUPDATEX(receive, (char *) &message, sizeof message, , TAG_RECEIVE);
}

static void be_primary(void)
{
    short file, error, i;
    unsigned short count;
    long tag;

    bring_backup_in_step();
    wait_for_connection();
    for (;;) {
        file = -1;
        (void) AWAITIOX(&file, , &count, &tag, -1);
        error = 0;
        (void) FILE_GETINFO_(file, &error);
        if (file == receive) {
            (void) REPLYX();
            if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) bring_backup_in_step();
            read_receive();
        } else if (tag == TAG_ACCEPT) {
            claim(error);
        } else if (tag == TAG_CLAIM) {
            connected(error);
        } else {
            for (i = 0; i < CONNECTIONS_MAX; i++)
                if (connections[i].socket == file) finished(i, tag, error, count);
        }
    }
}

/* The primary is gone: go on where each connection stands. */
static void take_over(void)
{
    short i;
    for (i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections[i].socket == 0) continue;
        if (socket_hold_input(connections[i].socket, 1) != 0 || release(i) != 0) {
            printf("LOST %d\n", errno);
            end_connection(i);
        } else {
            go_on(i);
        }
    }
}

static void follow(short *primary)
{
    pair_message *what = &message.pair;
    if (what->number == MSG_SOCKET) {
        if (what->index < 0 && listener >= 0) return;
        if (socket_backup(&what->info, (char *) primary) != 0) return;
        if (what->index < 0) listener = what->info.filenum;
        else connections[what->index].socket = what->info.filenum;
    } else if (connections[what->index].socket != 0) {
        (void) FILE_CLOSE_(connections[what->index].socket);
        connections[what->index].socket = 0;
    }
}

static void be_backup(void)
{
    short primary[ZSYS_VAL_PHANDLE_WLEN], file, error;

    (void) PROCESS_GETPAIRINFO_(, , , , primary);
    for (;;) {
        file = receive;
        (void) AWAITIOX(&file, , , , -1);
        error = 0;
        (void) FILE_GETINFO_(receive, &error);
        if (PROCESS_GETPAIRINFO_() == ROLE_SINGLE) {
            (void) REPLYX();
            if (listener < 0) give_up("the primary was lost before it had told its sockets");
            read_receive();
            take_over();
            be_primary();
        }
        if (error == 0) follow(primary);
        (void) REPLYX();
        read_receive();
    }
}

static void make_listener(int port)
{
    struct sockaddr_in address;
    int length = sizeof address, on = 1;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = (in_port_t) port;
    listener = (short) socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
    if (listener < 0) give_up("socket_nw");
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (char *) &on, sizeof on) != 0) give_up("setsockopt");
    if (bind(listener, (struct sockaddr *) &address, sizeof address) != 0) give_up("bind");
    if (listen(listener, 128) != 0) give_up("listen");
    if (getsockname(listener, (struct sockaddr *) &address, &length) != 0) give_up("getsockname");
    printf("PORT %d\n", address.sin_port);
}

int main(int argc, char **argv)
{
    short role = PROCESS_GETPAIRINFO_();

    if (role == ROLE_UNNAMED || argc != 2) {
        fprintf(stderr, "usage: pollux run --name '$ECHO' ./tcp_echo PORT\n");
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
