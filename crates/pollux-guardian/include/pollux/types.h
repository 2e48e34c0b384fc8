/* What every Guardian header may rely on. */
#ifndef POLLUX_TYPES_H
#define POLLUX_TYPES_H
#pragma GCC system_header

#include <sys/types.h>
#include <stdint.h>

/* A condition code: below 0 an error, 0 done, above 0 a warning. */
typedef short _cc_status;

#endif
