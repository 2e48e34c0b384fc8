/* A requester in C that writes down what it is told, as programs/ledger.rs does: `recorder SERVER OPENER SEED THINK-US DIRECTORY`.
 *
 * It asks until there is a file "enough" in the directory. Its epochs are 0: a C program does not see them. */
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <time.h> nolist
#include <unistd.h> nolist
#include <tal.h> nolist
#include <cextdecs(FILE_CLOSE_, FILE_OPEN_, FILE_WRITEREAD64_)> nolist

#define REPLY_BYTES_MAX 80
#define ERROR_PATH_DOWN 201

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long) time.tv_sec * 1000000000ull + (unsigned long long) time.tv_nsec;
}

/* One request; returns the error. */
static short ask(FILE *history, short server, const char *opener, int sync)
{
    char request[256];
    char reply[REPLY_BYTES_MAX + 1];
    const char *action = sync % 10 == 0 ? "count" : "append";
    unsigned long long place = 0;
    unsigned long long value = 0;
    __int32_t count = 0;
    short error;
    int length = sprintf(request, "%s %d %s", opener, sync, action);

    fprintf(history, "%llu invoke %s.%d %s\n", now(), opener, sync, action);
    error = FILE_WRITEREAD64_(server, request, reply, length, REPLY_BYTES_MAX, &count);
    if (error == 0) {
        reply[count] = '\0';
        if (sscanf(reply, "%llu %llu", &place, &value) != 2) error = 300;
    }
    if (error == 0) {
        fprintf(history, "%llu ok %s.%d %s place %llu value %llu epoch 0\n", now(), opener, sync, action, place, value);
    } else {
        fprintf(history, "%llu %s %s.%d %s error %d epoch 0\n", now(), error == ERROR_PATH_DOWN ? "unknown" : "fail", opener,
                sync, action, error);
    }
    fflush(history);
    return error;
}

int main(int argc, char **argv)
{
    char path[512];
    FILE *history;
    FILE *end;
    short server;
    short error;
    int think;
    int sync = 0;

    if (argc != 6) {
        fprintf(stderr, "usage: recorder SERVER OPENER SEED THINK-US DIRECTORY\n");
        return 2;
    }
    srand((unsigned) atoi(argv[3]));
    think = atoi(argv[4]);
    snprintf(path, sizeof path, "%s/%s.history", argv[5], argv[2]);
    history = fopen(path, "w");
    if (history == NULL) return 2;
    error = FILE_OPEN_(argv[1], (short) strlen(argv[1]), &server, , , , 1);
    if (error != 0) {
        fprintf(stderr, "recorder: cannot open %s: error %d\n", argv[1], error);
        return 1;
    }
    snprintf(path, sizeof path, "%s/enough", argv[5]);
    while (error == 0 && access(path, F_OK) != 0) {
        error = ask(history, server, argv[2], ++sync);
        usleep((useconds_t) (rand() % (think + 1)));
    }
    (void) FILE_CLOSE_(server);
    fclose(history);
    snprintf(path, sizeof path, "%s/%s.end", argv[5], argv[2]);
    end = fopen(path, "w");
    if (end != NULL) {
        fputs("end\n", end);
        fclose(end);
    }
    return 0;
}
