/* Nothing: programs include it. */
#ifndef POLLUX_MBUF_H
#define POLLUX_MBUF_H
#pragma GCC system_header



#endif
