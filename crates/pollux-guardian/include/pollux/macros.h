/* The building blocks of omitted arguments. A procedure NAME is a function-like macro that turns a call into one call of
   px_NAME with a presence mask in front. Each argument passes through one more macro before it is looked at, so an
   argument that is a macro with an empty body counts as omitted. */
#ifndef POLLUX_MACROS_H
#define POLLUX_MACROS_H
#pragma GCC system_header

#include <pollux/types.h>

#ifdef __cplusplus
#define PX_BEGIN extern "C" {
#define PX_END }
#else
#define PX_BEGIN
#define PX_END
#endif

#define PX_1ST_(a, ...) a
#define PX_1ST(...) PX_1ST_(__VA_ARGS__,)

/* The value, or 0. */
#define PX_V(...) PX_1ST(__VA_OPT__((__VA_ARGS__),) 0)
/* The presence bit n, or nothing. */
#define PX_B(n, ...) __VA_OPT__(| 1ULL << n)
/* A pointer to a result and the size of what it points to, or 0, 0. `n` is the size the procedure itself has in mind. */
#define PX_S(n, ...) PX_1ST(__VA_OPT__((void *)(__VA_ARGS__),) 0), PX_1ST(__VA_OPT__(PX_SIZE(n, (__VA_ARGS__)),) 0)
/* The same for an address: a variable that is a pointer takes a whole address, whatever it was cast to. */
#define PX_A(n, ...) \
    PX_1ST(__VA_OPT__((void *)(__VA_ARGS__),) 0), PX_1ST(__VA_OPT__(PX_ADDRESS_SIZE(n, (__VA_ARGS__)),) 0)

#ifdef __cplusplus
/* NULL and 0 have no size, and void has none: they take the procedure's. Declared only: nothing is evaluated. */
template <unsigned long n, class T> char (&px_size(T *))[sizeof(T) == 1 ? n : sizeof(T)];
template <unsigned long n> char (&px_size(void *))[n];
#define PX_SIZE(n, p) sizeof(px_size<n> p)
#else
/* 0 is a pointer here as it is everywhere in C, and any other integer is an error. */
#define PX_SIZE(n, p) (sizeof *(1 ? p : (void *)0) == 1 ? n + 0 * PX_POINTER(p) : sizeof *(1 ? p : (void *)0))
#define PX_POINTER(p) \
    sizeof(char[__builtin_choose_expr(__builtin_classify_type p == 5, 1, \
                                      __builtin_choose_expr(__builtin_constant_p p, !p, 0) ? 1 : -1)])
#endif

#define PX_ADDRESS_SIZE(n, p) \
    (PX_SIZE(n, p) < sizeof(void *) && __builtin_object_size(p, 1) == sizeof(void *) ? sizeof(void *) : PX_SIZE(n, p))

/* Nonzero if a list has something in it: what is left of a call after the last parameter. */
#define PX_REST(...) PX_REST_(__VA_ARGS__,,,,,,,,)
#define PX_REST_(a, b, c, d, e, f, g, h, ...) \
    (0 PX_B(0, a) PX_B(1, b) PX_B(2, c) PX_B(3, d) PX_B(4, e) PX_B(5, f) PX_B(6, g) PX_B(7, h))
/* 0, or an error that names the procedure. */
#ifdef __cplusplus
#define PX_NO_MORE(text, ...) sizeof(char[PX_REST(__VA_ARGS__) ? -1 : 1]) * 0
#else
#define PX_NO_MORE(text, ...) sizeof(struct { _Static_assert(!PX_REST(__VA_ARGS__), text); int px; }) * 0
#endif

#endif
