/* Put before tcp_server.c with -include: the program, unchanged, kills itself while it is a primary whose backup is in step.
 *
 * $KILL_STEPS: at one of the next so many steps; a step is a call that asks for a connection, takes it, shows it to the backup, posts
 * a receive or a part of a reply, or releases input, each before it is done. $KILL_US: at any instruction, within so many
 * microseconds. Nothing more is killed once the file $KILL_STOP is there. */
#include <socket.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long steps_left = -1;

static inline int kills_go_on(void)
{
    return getenv("KILL_STOP") != NULL && access(getenv("KILL_STOP"), F_OK) != 0;
}

static inline void step_of_test(void)
{
    if (steps_left > 0 && --steps_left == 0 && kills_go_on())
        kill(getpid(), SIGKILL);
}

static inline void step_printed(const char *format)
{
    const char *steps = getenv("KILL_STEPS"), *microseconds = getenv("KILL_US");
    struct timespec now;
    if (strncmp(format, "IN STEP", 7) != 0 || !kills_go_on())
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    srand((unsigned) (now.tv_nsec ^ getpid()));
    if (steps != NULL)
        steps_left = 1 + rand() % atoi(steps);
    if (microseconds != NULL) {
        struct itimerval timer = {{0, 0}, {0, 1 + rand() % atoi(microseconds)}};
        setitimer(ITIMER_REAL, &timer, NULL);
    }
}

#define STEP_FORMAT(format, ...) format
#define printf(...) (printf(__VA_ARGS__), step_printed(STEP_FORMAT(__VA_ARGS__, 0)))
#define accept_nw2(...) (step_of_test(), (accept_nw2)(__VA_ARGS__))
#define recv_nw(...) (step_of_test(), (recv_nw)(__VA_ARGS__))
#define send_nw2(...) (step_of_test(), (send_nw2)(__VA_ARGS__))
#define socket_get_open_info(...) (step_of_test(), (socket_get_open_info)(__VA_ARGS__))
#define socket_release_input(...) (step_of_test(), (socket_release_input)(__VA_ARGS__))
