/* Condition codes, and words for an argument that is left out. */
#ifndef POLLUX_TAL_H
#define POLLUX_TAL_H
#pragma GCC system_header

#include <pollux/types.h>

#define CCL (-1)
#define CCE 0
#define CCG 1

#define _status_lt(x) ((x) < 0)
#define _status_le(x) ((x) <= 0)
#define _status_eq(x) ((x) == 0)
#define _status_ge(x) ((x) >= 0)
#define _status_gt(x) ((x) > 0)
#define _status_ne(x) ((x) != 0)

#define OMITREF
#define OMITSHORT
#define OMITINT
#define OMITLONG
#define OMITLONGLONG
#define OMITCHAR
#define OMITBOOL
#define OMITFAT_8
#define OMITFAT_16
#define OMITFAT_32
#define OMITFAT_64

#endif
