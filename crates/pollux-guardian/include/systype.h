/* Types. */
#ifndef POLLUX_SYSTYPE_H
#define POLLUX_SYSTYPE_H
#pragma GCC system_header

#include <sys/types.h>

#endif
