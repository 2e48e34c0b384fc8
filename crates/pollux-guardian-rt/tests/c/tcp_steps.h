/* Put before a server with -include: the program, unchanged, kills itself while it is a primary whose backup is in step.
 *
 * $KILL_STEPS: at one of the next so many steps; a step is a call that asks for a connection, takes it, shows it to the backup, posts
 * a receive or a part of a reply, or releases input, each before it is done. $KILL_SWEEP: at a step one later than the last primary
 * did, up to so many. $KILL_US: at any instruction, within so many microseconds. With more than one of them, the first that comes.
 *
 * $KILL_SIGNAL: SIGKILL by default; with SIGSTOP the primary hangs. $KILL_COUNT: a file, of a byte for each primary so far.
 * $KILL_SEED: chance begins there. While the file $KILL_STOP is there nobody is killed, and a
 * primary whose backup is in step says LIVES and its process id. */
#include <socket.h>
#include <netdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long steps_left = -1;

static inline long number_of(const char *variable, long usual)
{
    return getenv(variable) == NULL ? usual : atol(getenv(variable));
}

static inline int kills_go_on(void)
{
    return getenv("KILL_STOP") != NULL && access(getenv("KILL_STOP"), F_OK) != 0;
}

static inline void step_of_test(void)
{
    if (steps_left > 0 && --steps_left == 0 && kills_go_on())
        kill(getpid(), (int) number_of("KILL_SIGNAL", SIGKILL));
}

/* Primaries before this one. */
static inline long count_primary(void)
{
    int file = open(getenv("KILL_COUNT"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    long before = -1;
    if (file >= 0) {
        before = (long) lseek(file, 0, SEEK_END);
        if (write(file, "", 1) != 1)
            before = -1;
        close(file);
    }
    return before;
}

static inline void kill_within(long microseconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = (int) number_of("KILL_SIGNAL", SIGKILL)};
    long at = 1 + rand() % microseconds;
    struct itimerspec when = {{0, 0}, {at / 1000000, at % 1000000 * 1000}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &when, NULL);
}

static inline void step_printed(const char *format)
{
    long steps = number_of("KILL_STEPS", 0), sweep = number_of("KILL_SWEEP", 0), before;
    if (strncmp(format, "IN STEP", 7) != 0)
        return;
    if (!kills_go_on()) {
        fprintf(stderr, "LIVES %d\n", (int) getpid());
        return;
    }
    before = count_primary();
    srand((unsigned) (number_of("KILL_SEED", 1) * 1000003 + before));
    if (steps > 0)
        steps_left = 1 + rand() % steps;
    if (sweep > 0)
        steps_left = 1 + before % sweep;
    if (number_of("KILL_US", 0) > 0)
        kill_within(number_of("KILL_US", 0));
}

#define STEP_FORMAT(format, ...) format
#define printf(...) (printf(__VA_ARGS__), step_printed(STEP_FORMAT(__VA_ARGS__, 0)))
#define accept_nw2(...) (step_of_test(), (accept_nw2)(__VA_ARGS__))
#define connect_nw(...) (step_of_test(), (connect_nw)(__VA_ARGS__))
#define recv_nw(...) (step_of_test(), (recv_nw)(__VA_ARGS__))
#define send_nw2(...) (step_of_test(), (send_nw2)(__VA_ARGS__))
#define socket_get_open_info(...) (step_of_test(), (socket_get_open_info)(__VA_ARGS__))
#define socket_release_input(...) (step_of_test(), (socket_release_input)(__VA_ARGS__))
