/* A requester of a pair that counts (a Rust pair in the tests): argv: server, key, least count, file. It goes on until the
 * file exists. Each reply must be one more than the one before: nothing is lost, nothing is done twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tal.h>
#include <cextdecs.h>

int main(int argc, char **argv)
{
    short server, error;
    char reply[100];
    __int32_t count;
    int i, least = argc > 3 ? atoi(argv[3]) : 0;

    error = FILE_OPEN_(argv[1], (short)strlen(argv[1]), &server, , , , 1);
    if (error != 0) {
        printf("FAILED open: %d\n", error);
        return 1;
    }
    for (i = 1; i <= least || access(argv[4], F_OK) != 0; i++) {
        error = FILE_WRITEREAD64_(server, argv[2], reply, (int)strlen(argv[2]), (int)sizeof reply - 1, &count);
        if (error != 0) {
            printf("FAILED request %d: %d\n", i, error);
            return 1;
        }
        reply[count] = 0;
        if (atoi(reply) != i) {
            printf("FAILED request %d is answered %s\n", i, reply);
            return 1;
        }
    }
    printf("COUNTED %d\n", i - 1);
    return 0;
}
