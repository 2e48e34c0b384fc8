/* Integers by width. */
#ifndef POLLUX_TNSINT_H
#define POLLUX_TNSINT_H
#pragma GCC system_header

/* Declares __int32_t, __uint32_t, __int64_t and their kin. */
#include <sys/types.h>

#endif
