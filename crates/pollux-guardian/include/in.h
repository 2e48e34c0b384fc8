/* The system's own. */
#ifndef POLLUX_IN_H
#define POLLUX_IN_H
#pragma GCC system_header

#include <netinet/in.h>

#endif
