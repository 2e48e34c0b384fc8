/* Addresses of version 6. */
#ifndef POLLUX_IN6_H
#define POLLUX_IN6_H
#pragma GCC system_header

#include <in.h>

/* Options at level IPPROTO_IPV6. */
#define IPV6_UNICAST_HOPS 4
#define IPV6_MULTICAST_IF 9
#define IPV6_MULTICAST_HOPS 10
#define IPV6_MULTICAST_LOOP 11
#define IPV6_JOIN_GROUP 12
#define IPV6_LEAVE_GROUP 13
#define IPV6_V6ONLY 27

struct ipv6_mreq {
    struct in6_addr ipv6mr_multiaddr;
    unsigned int ipv6mr_interface;
};

#define IN6ADDR_ANY_INIT {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}
#define IN6ADDR_LOOPBACK_INIT {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}}
static const struct in6_addr in6addr_any __attribute__((unused)) = IN6ADDR_ANY_INIT;
static const struct in6_addr in6addr_loopback __attribute__((unused)) = IN6ADDR_LOOPBACK_INIT;

#define PX_IN6_ZERO(a, n) (!(a)->s6_addr32[0] && !(a)->s6_addr32[1] && (n < 3 || !(a)->s6_addr32[2]))
#define IN6_IS_ADDR_UNSPECIFIED(a) (PX_IN6_ZERO(a, 3) && !(a)->s6_addr32[3])
#define IN6_IS_ADDR_LOOPBACK(a) \
    (PX_IN6_ZERO(a, 3) && !(a)->s6_addr[12] && !(a)->s6_addr[13] && !(a)->s6_addr[14] && (a)->s6_addr[15] == 1)
#define IN6_IS_ADDR_MULTICAST(a) ((a)->s6_addr[0] == 0xff)
#define IN6_IS_ADDR_LINKLOCAL(a) ((a)->s6_addr[0] == 0xfe && ((a)->s6_addr[1] & 0xc0) == 0x80)
#define IN6_IS_ADDR_V4MAPPED(a) \
    (PX_IN6_ZERO(a, 2) && !(a)->s6_addr16[4] && (a)->s6_addr[10] == 0xff && (a)->s6_addr[11] == 0xff)

#endif
