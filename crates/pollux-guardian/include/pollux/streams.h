/* The states of a stream that a primary sends to its backup: plain values, to be copied and sent whole. */
#ifndef POLLUX_STREAMS_H
#define POLLUX_STREAMS_H
#pragma GCC system_header

/* How a stream was opened. */
typedef struct __ns_std_io_file_open_state {
    long long px_state[64];
} __ns_std_io_file_open_state;

/* Where a stream stands. Programs read the position from the first eight bytes. */
typedef struct __ns_std_io_file_state {
    long long px_position;
    long long px_state[31];
} __ns_std_io_file_state;

#endif
