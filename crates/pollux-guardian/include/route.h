/* What socket_ioctl() takes for routes: to change them is left to the system. */
#ifndef POLLUX_ROUTE_H
#define POLLUX_ROUTE_H
#pragma GCC system_header

#include <pollux/net.h>

/* Only these three are looked at. */
struct rtentry {
    struct sockaddr rt_dst;
    struct sockaddr rt_gateway;
    short rt_flags;
};

#define RTF_UP 0x1
#define RTF_GATEWAY 0x2
#define RTF_HOST 0x4

#endif
