/* The system's own. */
#ifndef POLLUX_INET_H
#define POLLUX_INET_H
#pragma GCC system_header

#include <arpa/inet.h>

#endif
