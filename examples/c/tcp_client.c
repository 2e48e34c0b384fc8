/* tcp_client: asks tcp_server, and checks what it answers. A program with waited sockets.
 *
 *   pollux cc -o tcp_client tcp_client.c
 *   pollux run --wait ./tcp_client 127.0.0.1 7639 10000
 *
 * It sends so many requests and computes the count and the hash that the server must have. A request that was executed twice, or
 * not at all, or a byte that is missing anywhere, ends it with a message. */

#include "$system.ztcpip.systype" nolist
#include "$system.ztcpip.socketh" nolist
#include "$system.ztcpip.inh" nolist
#include "$system.ztcpip.inet" nolist
#include "$system.ztcpip.netdbh" nolist
#include <errno.h> nolist
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <cextdecs> nolist

#define REQUEST_BYTES 2000
#define REPLY_HEAD_BYTES 16

static void give_up(const char *what, int request)
{
    printf("FAILED: %s, request %d, errno %d\n", what, request, errno);
    exit(1);
}

static void put_number(unsigned char *at, unsigned int number)
{
    int i;
    for (i = 0; i < 4; i++) at[i] = (unsigned char) (number >> (24 - 8 * i));
}

/* recv gives what is there: not always all. */
static void receive_all(int socket, unsigned char *buffer, int bytes, int request)
{
    int count;
    while (bytes > 0) {
        count = recv(socket, (char *) buffer, bytes, 0);
        if (count <= 0) give_up("recv", request);
        buffer += count;
        bytes -= count;
    }
}

int main(int argc, char **argv)
{
    static unsigned char request[4 + REQUEST_BYTES], reply[REPLY_HEAD_BYTES + REQUEST_BYTES], wanted[REPLY_HEAD_BYTES];
    struct sockaddr_in address;
    unsigned long long hash = 14695981039346656037ULL;
    int count, requests, tcp, i;

    if (argc != 4) {
        fprintf(stderr, "usage: tcp_client ADDRESS PORT REQUESTS\n");
        exit(2);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr(argv[1]);
    address.sin_port = htons(atoi(argv[2]));
    requests = atoi(argv[3]);
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (tcp < 0) give_up("socket", 0);
    if (connect(tcp, (struct sockaddr *) &address, sizeof address) != 0) give_up("connect", 0);
    for (count = 1; count <= requests; count++) {
        unsigned int length = 4 + (unsigned int) (count * 37 % (REQUEST_BYTES - 4)), fill = (unsigned int) (count % 1000);
        put_number(request, length);
        put_number(request + 4, fill);
        for (i = 4; i < (int) length; i++) request[4 + i] = (unsigned char) (count + i);
        for (i = 0; i < (int) length; i++) hash = (hash ^ request[4 + i]) * 1099511628211ULL;
        if (send(tcp, (char *) request, (int) (4 + length), 0) != (int) (4 + length)) give_up("send", count);
        receive_all(tcp, reply, (int) (REPLY_HEAD_BYTES + fill), count);
        put_number(wanted, REPLY_HEAD_BYTES - 4 + fill);
        put_number(wanted + 4, (unsigned int) count);
        put_number(wanted + 8, (unsigned int) (hash >> 32));
        put_number(wanted + 12, (unsigned int) hash);
        if (memcmp(reply, wanted, sizeof wanted) != 0) give_up("the reply is not of this request", count);
        for (i = REPLY_HEAD_BYTES; i < (int) (REPLY_HEAD_BYTES + fill); i++)
            if (reply[i] != (unsigned char) (hash + (unsigned int) i * 31u)) give_up("a byte of the reply is wrong", count);
    }
    (void) FILE_CLOSE_((short) tcp);
    printf("PASSED\n");
    return 0;
}
