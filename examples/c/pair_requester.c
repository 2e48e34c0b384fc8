/* pair_requester: asks a server, waits for each answer, and counts.
 *
 *   pollux cc -o pair_requester pair_requester.c
 *   pollux run --wait ./pair_requester '$SRV' 1000 [NAME]
 *
 * Sends "ADD NAME-i" so many times. It opens the server with sync depth 1: if the server's primary dies, the request that was
 * under way goes to the backup by itself, with its sync id. This program sees nothing of it.
 */
#include <stdio.h> nolist
#include <stdlib.h> nolist
#include <string.h> nolist
#include <tal.h> nolist
#include <cextdecs(FILE_CLOSE_, FILE_OPEN_, FILE_WRITEREAD64_)> nolist
#include "pair_protocol.h"

int main(int argc, char **argv)
{
    char request[REQUEST_BYTES_MAX];
    char reply[REPLY_BYTES_MAX + 1];
    const char *name = argc > 3 ? argv[3] : "record";
    __int32_t count;
    short server;
    short error;
    int wanted;
    int i;

    if (argc < 3 || (wanted = atoi(argv[2])) <= 0) {
        fprintf(stderr, "usage: pair_requester '$SERVER' COUNT [NAME]\n");
        return 2;
    }
    error = FILE_OPEN_(argv[1], (short) strlen(argv[1]), &server, , , , 1);
    if (error != 0) {
        fprintf(stderr, "pair_requester: cannot open %s: error %d\n", argv[1], error);
        return 1;
    }
    for (i = 1; i <= wanted; i++) {
        int length = sprintf(request, "ADD %s-%d", name, i);
        error = FILE_WRITEREAD64_(server, request, reply, length, REPLY_BYTES_MAX, &count);
        if (error != 0) {
            fprintf(stderr, "pair_requester: request %d: error %d\n", i, error);
            return 1;
        }
        reply[count] = '\0';
        if (strncmp(reply, "OK ", 3) != 0) {
            fprintf(stderr, "pair_requester: request %d: %s\n", i, reply);
            return 1;
        }
    }
    (void) FILE_CLOSE_(server);
    printf("%d acknowledged\n", wanted);
    return 0;
}
