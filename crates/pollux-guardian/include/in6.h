/* The system's own. */
#ifndef POLLUX_IN6_H
#define POLLUX_IN6_H
#pragma GCC system_header

#include <netinet/in.h>

#endif
