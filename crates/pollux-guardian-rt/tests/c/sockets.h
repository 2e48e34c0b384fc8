/* What the programs about sockets have in common. */
#include "check.h"
#include "$system.ztcpip.systype"
#include "$system.ztcpip.socketh"
#include "$system.ztcpip.inh"
#include "$system.ztcpip.in6h"
#include "$system.ztcpip.netdbh"
#include "$system.ztcpip.ineth"
#include "$system.ztcpip.ifh"
#include "$system.ztcpip.ioctlh"
#include "$system.ztcpip.paramh"

/* What AWAITIOX has told last. */
static struct {
    short file;
    char *buffer;
    unsigned short count;
    long tag;
    short error;
} finished;

/* Waits for an operation on a file, -1 for any: its error. */
static inline short finish(short file, int limit)
{
    errno = 77;
    finished.file = file;
    finished.tag = -1;
    (void) AWAITIOX(&finished.file, &finished.buffer, &finished.count, &finished.tag, limit);
    finished.error = -1;
    (void) FILE_GETINFO_(finished.file, &finished.error);
    /* The library does not set errno for what AWAITIOX tells. */
    CHECK_IS(errno, 77);
    return finished.error;
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* The port of a socket. */
static inline int port_of(int socket)
{
    struct sockaddr_in address;
    int length = sizeof address;
    CHECK_IS(getsockname(socket, (struct sockaddr *) &address, &length), 0);
    CHECK_IS(length, sizeof address);
    CHECK_IS(address.sin_family, AF_INET);
    return ntohs(address.sin_port);
}
