/* The system's own. */
#ifndef POLLUX_IOCTL_H
#define POLLUX_IOCTL_H
#pragma GCC system_header

#include <sys/ioctl.h>

#endif
