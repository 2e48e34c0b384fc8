/* Limits. */
#ifndef POLLUX_PARAM_H
#define POLLUX_PARAM_H
#pragma GCC system_header

#include <sys/param.h>

#endif
