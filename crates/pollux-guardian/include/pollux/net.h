/* The address structures of the sockets library. Numbers in them are in the order of this machine, so that a program needs no
   htons() and may call it all the same. -DPOLLUX_NETWORK_ORDER, the same for all sources of a program, asks for real network
   order: then htons() and the like exchange bytes. */
#ifndef POLLUX_NET_H
#define POLLUX_NET_H
#pragma GCC system_header

#include <pollux/types.h>

#if defined(_SYS_SOCKET_H) || defined(_NETINET_IN_H)
#error "this source includes the system's socket headers, too: a program uses those or the Guardian ones"
#endif
typedef unsigned short sa_family_t;
typedef uint32_t in_addr_t;
typedef uint16_t in_port_t;

#define SA_DATA_SIZE 14
struct sockaddr {
    sa_family_t sa_family;
    char sa_data[SA_DATA_SIZE];
};

struct in_addr {
    in_addr_t s_addr;
};

struct sockaddr_in {
    sa_family_t sin_family;
    in_port_t sin_port;
    struct in_addr sin_addr;
    char sin_zero[8];
};

/* Sixteen bytes as they go over the network, in either order of numbers. */
struct in6_addr {
    union {
        uint8_t u6_addr8[16];
        uint16_t u6_addr16[8];
        uint32_t u6_addr32[4];
    } in6_u;
};
#define s6_addr in6_u.u6_addr8
#define s6_addr16 in6_u.u6_addr16
#define s6_addr32 in6_u.u6_addr32

struct sockaddr_in6 {
    sa_family_t sin6_family;
    in_port_t sin6_port;
    uint32_t sin6_flowinfo;
    struct in6_addr sin6_addr;
    uint32_t sin6_scope_id;
};

struct sockaddr_storage {
    sa_family_t ss_family;
    char ss_pad[126 - sizeof(unsigned long)];
    unsigned long ss_align;
};

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define PF_UNSPEC AF_UNSPEC
#define PF_INET AF_INET
#define PF_INET6 AF_INET6

#ifdef POLLUX_NETWORK_ORDER
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define htons(x) ((in_port_t)__builtin_bswap16((uint16_t)(x)))
#define htonl(x) ((in_addr_t)__builtin_bswap32((uint32_t)(x)))
#else
#define htons(x) ((in_port_t)(x))
#define htonl(x) ((in_addr_t)(x))
#endif
#ifdef __cplusplus
extern "C" void pollux_use_network_order(void);
#else
void pollux_use_network_order(void);
#endif
/* Tells the library before main(). */
__attribute__((constructor)) static void px_use_network_order(void) { pollux_use_network_order(); }
#else
#define htons(x) ((in_port_t)(x))
#define htonl(x) ((in_addr_t)(x))
#endif
#define ntohs(x) htons(x)
#define ntohl(x) htonl(x)

#endif
