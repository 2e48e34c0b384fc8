/* Put before pair_copy.c with -include: the program, unchanged, kills itself at places that a test has chosen.
 *
 * A step is a call of fgets, fwrite or fflush while there is a backup that is in step: before the update of a line, between
 * the update and its write, between the write and its flush, and (the next fgets) behind it. All processes of the pair count
 * together: each step appends a byte to the file $STEPS. $KILL_AT is the step at which to die, $KILL_EVERY dies at each
 * multiple of it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void step_of_test(int role)
{
    const char *at = getenv("KILL_AT"), *every = getenv("KILL_EVERY");
    struct stat info;
    int file;
    if (role != 5) /* alone: there is nobody who could go on */
        return;
    file = open(getenv("STEPS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0 || write(file, "x", 1) != 1 || fstat(file, &info) != 0)
        abort();
    close(file);
    if ((at != NULL && info.st_size == atoi(at)) || (every != NULL && info.st_size % atoi(every) == 0))
        kill(getpid(), SIGKILL);
}

#define fgets(line, size, file)        (step_of_test(PROCESS_GETPAIRINFO_()), fgets(line, size, file))
#define fwrite(data, size, count, file) (step_of_test(PROCESS_GETPAIRINFO_()), fwrite(data, size, count, file))
#define fflush(file)                   (step_of_test(PROCESS_GETPAIRINFO_()), fflush(file))
