/* Asks a server as often as it can, for as long as it is told, and tells how long each request took.
 *
 * Standard input: the length of the requests and the time in milliseconds, 32 bits each, again and again.
 * Standard output, for each: the time in nanoseconds (64 bits), the number of requests (32 bits), the nanoseconds of each
 * of them (32 bits each).
 */
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <time.h> nolist
#include <unistd.h> nolist
#include <tal.h> nolist
#include <cextdecs(FILE_OPEN_, FILE_WRITEREAD64_)> nolist

#define REQUEST_BYTES_MAX 4096
#define REQUESTS_MAX      10000000

static unsigned int latencies[REQUESTS_MAX];

static long long now(void)
{
    struct timespec time;
    (void) clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(const void *bytes, size_t count)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(1, next, count);
        if (written <= 0)
            exit(1);
        next += written;
        count -= written;
    }
}

int main(int argc, char **argv)
{
    static char request[REQUEST_BYTES_MAX];
    static char reply[REQUEST_BYTES_MAX];
    int wanted[2];
    short server;
    short error;

    if (argc != 2)
        return 2;
    error = FILE_OPEN_(argv[1], (short) strlen(argv[1]), &server, , , , 1);
    if (error != 0) {
        fprintf(stderr, "requester: cannot open %s: error %d\n", argv[1], error);
        return 1;
    }
    while (read(0, wanted, sizeof wanted) == sizeof wanted) {
        long long begin = now();
        long long end = begin + wanted[1] * 1000000LL;
        long long after = begin;
        unsigned int requests = 0;
        if (wanted[0] < 0 || wanted[0] > REQUEST_BYTES_MAX)
            return 2;
        while (after < end && requests < REQUESTS_MAX) {
            long long before = now();
            __int32_t count = 0;
            request[0] = (char) requests;
            error = FILE_WRITEREAD64_(server, request, reply, wanted[0], REQUEST_BYTES_MAX, &count);
            if (error != 0 || count != wanted[0] || reply[0] != request[0]) {
                fprintf(stderr, "requester: error %d, %d bytes\n", error, (int) count);
                return 1;
            }
            after = now();
            latencies[requests++] = (unsigned int) (after - before);
        }
        after -= begin;
        tell(&after, sizeof after);
        tell(&requests, sizeof requests);
        tell(latencies, requests * sizeof latencies[0]);
    }
    return 0;
}
