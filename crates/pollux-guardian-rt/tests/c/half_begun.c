/* A primary that dies so many microseconds after it has begun to start its backup. Whoever takes over is not in step, and ends.
 * Arguments: microseconds, and a file that the first primary makes. */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void die_in(long microseconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {{0, 0}, {0, microseconds * 1000}};
    timer_t timer;
    CHECK_IS(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_IS(timer_settime(timer, 0, &when, NULL), 0);
}

int main(int argc, char **argv)
{
    short receive, detail, backup[10];
    char message[200];

    CHECK_IS(argc, 3);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive), 0);
    if (open(argv[2], O_CREAT | O_EXCL, 0600) >= 0) {
        die_in(atol(argv[1]));
        (void) __ns_start_backup(&detail, , backup);
        for (;;)
            pause();
    }
    while (PROCESS_GETPAIRINFO_() != 4)
        (void) READX(receive, message, sizeof message);
    return 0;
}
