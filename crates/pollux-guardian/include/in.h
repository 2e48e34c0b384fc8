/* Internet addresses and protocols. */
#ifndef POLLUX_IN_H
#define POLLUX_IN_H
#pragma GCC system_header

#include <pollux/net.h>

#define IPPROTO_IP 0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW 255
#define IPPROTO_MAX 256

#define IPPORT_RESERVED 1024
#define IPPORT_USERRESERVED 5000

#define INADDR_ANY ((in_addr_t)0x00000000)
#define INADDR_LOOPBACK ((in_addr_t)0x7f000001)
#define INADDR_BROADCAST ((in_addr_t)0xffffffff)
#define INADDR_NONE ((in_addr_t)0xffffffff)
#define INADDR_UNSPEC_GROUP ((in_addr_t)0xe0000000)
#define INADDR_ALLHOSTS_GROUP ((in_addr_t)0xe0000001)
#define IN_LOOPBACKNET 127

/* These take a number in the order of this machine. */
#define IN_CLASSA(i) (((in_addr_t)(i) & 0x80000000) == 0)
#define IN_CLASSA_NET 0xff000000
#define IN_CLASSA_NSHIFT 24
#define IN_CLASSA_HOST 0x00ffffff
#define IN_CLASSB(i) (((in_addr_t)(i) & 0xc0000000) == 0x80000000)
#define IN_CLASSB_NET 0xffff0000
#define IN_CLASSB_NSHIFT 16
#define IN_CLASSB_HOST 0x0000ffff
#define IN_CLASSC(i) (((in_addr_t)(i) & 0xe0000000) == 0xc0000000)
#define IN_CLASSC_NET 0xffffff00
#define IN_CLASSC_NSHIFT 8
#define IN_CLASSC_HOST 0x000000ff
#define IN_CLASSD(i) (((in_addr_t)(i) & 0xf0000000) == 0xe0000000)
#define IN_MULTICAST(i) IN_CLASSD(i)

/* Options at level IPPROTO_IP. */
#define IP_OPTIONS 1
#define IP_MULTICAST_IF 2
#define IP_MULTICAST_TTL 3
#define IP_MULTICAST_LOOP 4
#define IP_ADD_MEMBERSHIP 5
#define IP_DROP_MEMBERSHIP 6

struct ip_mreq {
    struct in_addr imr_multiaddr;
    struct in_addr imr_interface;
};

/* Options at level IPPROTO_TCP. The times are in units of 500 ms. */
#define TCP_NODELAY 1
#define TCP_SACKENA 8
#define TCP_MINRXMT 16
#define TCP_MAXRXMT 17
#define TCP_RXMTCNT 18
#define TCP_TOTRXMTVAL 19

#define INET_ADDRSTRLEN 16
#define INET6_ADDRSTRLEN 46

/* What t_sendto_nw() and t_recvfrom_nw() pass: an address with the data behind it. Behind t_sendto_nw() the count stands where
   the family was. */
struct sendto_recvfrom_buf {
    struct sockaddr_in sb_sin;
    char sb_data[1];
};
#define sb_sent sb_sin.sin_family

#endif
