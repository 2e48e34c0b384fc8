/* Comes before the first line of every source. */
#ifndef POLLUX_PRELUDE_H
#define POLLUX_PRELUDE_H
#pragma GCC system_header

/* Widths of addresses, and attributes of procedures: without meaning here. */
#define _far
#define _near
#define _ptr32
#define _ptr64
#define _lowmem
#define _cspace
#define _baddr
#define _waddr
#define _procaddr
#define _resident
#define _tal
#define _cobol
#define _fortran
#define _pascal
#define _unspecified
#define _callable
#define _extensible
#define _variable
/* In the body of such a function: whether a parameter was given. The driver adds the mask and the numbers of the bits. */
#define _arg_present(p) ((int)(px_present >> px_arg_##p & 1))
#define _alias(name)

/* A real identifier: programs have structure members of this name and declare it themselves. The symbol is another one,
   because the C library's own errno is a variable per thread. */
#ifdef __cplusplus
extern "C" {
#endif
extern int errno __asm__("pollux_errno");
#ifdef __cplusplus
}
#endif

/* -mlong=32: what limits.h says of long is true of the program's own text. */
#ifdef POLLUX_LONG_32
#undef __LONG_MAX__
#define __LONG_MAX__ 0x7fffffff
#endif

#endif
