/* The system's own. */
#ifndef POLLUX_IF_H
#define POLLUX_IF_H
#pragma GCC system_header

#include <net/if.h>

#endif
