/* No descriptor left, here or at the provider: the documented errno, nothing lost, nothing leaked. The first argument says where. */
#include "sockets.h"
#include <dirent.h>
#include <sys/resource.h>

/* Descriptors that this program may have more than it has, and sockets that are more than any limit here. */
#define ROOM 12
#define ROUNDS 3
#define MANY 5000
#define FILES_MAX 4096

static int fillers[MANY], filled;

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    CHECK_IS(directory != NULL, 1);
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

static void limit_to(int more)
{
    struct rlimit limit;
    CHECK_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Of the three that are no descriptors of this program, the directory's own is one when it is read. */
    limit.rlim_cur = (rlim_t) (descriptors() - 3 + more);
    CHECK_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int new_socket(int nowait)
{
    return nowait ? socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0) : socket(AF_INET, SOCK_STREAM, 0);
}

/* Sockets until there is no room; the errno of the one that is too many. */
static void fill(int nowait)
{
    for (filled = 0; filled < MANY; filled++) {
        errno = 0;
        fillers[filled] = new_socket(nowait);
        if (fillers[filled] < 0) break;
    }
    CHECK_IS(filled > 0 && filled < MANY, 1);
    CHECK_IS(errno, EMFILE);
    FAILS(new_socket(!nowait), EMFILE);
}

static void empty(void)
{
    while (filled > 0)
        CHECK_IS(FILE_CLOSE_((short) fillers[--filled]), 0);
}

static void talk(int from, int to)
{
    char in[10];
    CHECK_IS(send(from, "hello", 5, 0), 5);
    CHECK_IS(recv(to, in, sizeof in, 0), 5);
    CHECK_IS(memcmp(in, "hello", 5), 0);
}

static int listener_at(struct sockaddr_in *address, int nowait)
{
    int one = new_socket(nowait);
    *address = loopback(0);
    CHECK_IS(bind(one, (struct sockaddr *) address, sizeof *address), 0);
    CHECK_IS(listen(one, 128), 0);
    *address = loopback(port_of(one));
    return one;
}

/* What was refused works again once there is room, and the connection that waited is still there. */
static void own(void)
{
    struct sockaddr_in address, from;
    struct open_info_message info;
    short file;
    int one = listener_at(&address, 0), two = listener_at(&address, 1), near, far, before, count, length, round;
    struct sockaddr_in first = loopback(port_of(one)), second = loopback(port_of(two));

    limit_to(ROOM);
    before = descriptors();
    for (round = 0; round < ROUNDS; round++) {
        fill(round % 2);
        count = filled;
        empty();
        /* Nor is there room for a path to another process. */
        fill(0);
        CHECK_IS(FILE_OPEN_("$ZTC0", 5, &file), 34);
        empty();
        CHECK_IS(FILE_OPEN_("$ZTC0", 5, &file), 0);
        CHECK_IS(FILE_CLOSE_(file), 0);
        CHECK_IS(descriptors(), before);

        /* accept; connect needs no more than the socket. */
        near = new_socket(0);
        fill(0);
        CHECK_IS(count - filled, 1);
        CHECK_IS(connect(near, (struct sockaddr *) &first, sizeof first), 0);
        length = sizeof from;
        FAILS(accept(one, (struct sockaddr *) &from, &length), EMFILE);
        FAILS(accept(one, (struct sockaddr *) &from, &length), EMFILE);
        memset(&info, 0, sizeof info);
        info.filenum = (short) near;
        FAILS(socket_get_open_info(&info), EMFILE);
        empty();
        CHECK_IS(socket_get_open_info(&info), 0);
        length = sizeof from;
        far = accept(one, (struct sockaddr *) &from, &length);
        CHECK_IS(far > 0, 1);
        CHECK_IS(ntohs(from.sin_port), port_of(near));
        talk(near, far);
        talk(far, near);
        CHECK_IS(FILE_CLOSE_((short) near), 0);
        CHECK_IS(FILE_CLOSE_((short) far), 0);
        CHECK_IS(descriptors(), before);

        /* accept_nw needs none, accept_nw2 does. */
        near = new_socket(0);
        far = new_socket(1);
        fill(1);
        length = sizeof from;
        CHECK_IS(accept_nw(two, (struct sockaddr *) &from, &length, 1), 0);
        CHECK_IS(connect(near, (struct sockaddr *) &second, sizeof second), 0);
        CHECK_IS(finish((short) two, 1000), 0);
        FAILS(accept_nw2(far, (struct sockaddr *) &from, 2), EMFILE);
        empty();
        CHECK_IS(accept_nw2(far, (struct sockaddr *) &from, 3), 0);
        CHECK_IS(finish((short) far, 1000), 0);
        CHECK_IS(send(near, "hello", 5, 0), 5);
        {
            char in[10];
            CHECK_IS(recv_nw(far, in, sizeof in, 0, 4), 0);
            CHECK_IS(finish((short) far, 1000), 0);
            CHECK_IS(finished.count, 5);
        }
        CHECK_IS(FILE_CLOSE_((short) near), 0);
        CHECK_IS(FILE_CLOSE_((short) far), 0);
        CHECK_IS(descriptors(), before);
    }
}

/* The table of open files has an end of its own. */
static void table(void)
{
    int before;

    /* The first socket opens the provider. */
    CHECK_IS(FILE_CLOSE_((short) new_socket(0)), 0);
    before = descriptors();
    fill(0);
    CHECK_IS(filled <= FILES_MAX && filled > FILES_MAX - 10, 1);
    empty();
    CHECK_IS(descriptors(), before);
}

/* The provider has room for fewer than there are clients: the others wait, and each is served in the end. */
static void provider(void)
{
    enum { CLIENTS = 60 };
    static int near[CLIENTS], far[CLIENTS], served;
    struct sockaddr_in address, from;
    int one = listener_at(&address, 1), i, length, waited = 0, closed = 0;
    char in[10];

    for (i = 0; i < CLIENTS; i++) {
        near[i] = new_socket(0);
        CHECK_IS(connect(near[i], (struct sockaddr *) &address, sizeof address), 0);
        CHECK_IS(send(near[i], (char *) &i, sizeof i, 0), sizeof i);
    }
    while (served < CLIENTS) {
        length = sizeof from;
        CHECK_IS(accept_nw(one, (struct sockaddr *) &from, &length, 1), 0);
        if (finish((short) one, 100) != 0) {
            /* Full: nothing more is kept, either. A place is free when a connection is over. */
            int full = new_socket(0);
            CHECK_IS(finished.error, 40);
            waited++;
            address = loopback(0);
            CHECK_IS(bind(full, (struct sockaddr *) &address, sizeof address), 0);
            FAILS(listen(full, 5), ENOBUFS);
            CHECK_IS(FILE_CLOSE_((short) full), 0);
            CHECK_IS(closed + 8 <= served, 1);
            for (i = 0; i < 8; i++)
                CHECK_IS(FILE_CLOSE_((short) far[closed++]), 0);
            continue;
        }
        far[served] = new_socket(1);
        CHECK_IS(accept_nw2(far[served], (struct sockaddr *) &from, 2), 0);
        CHECK_IS(finish((short) far[served], 1000), 0);
        CHECK_IS(recv_nw(far[served], in, sizeof in, 0, 3), 0);
        CHECK_IS(finish((short) far[served], 1000), 0);
        CHECK_IS(finished.count, sizeof i);
        /* In the order in which they came, each once. */
        CHECK_IS(memcmp(in, &served, sizeof served), 0);
        served++;
    }
    printf("waited %d times\n", waited);
    CHECK_IS(waited > 0, 1);
    for (i = closed; i < served; i++)
        CHECK_IS(FILE_CLOSE_((short) far[i]), 0);
    for (i = 0; i < CLIENTS; i++) {
        CHECK_IS(recv(near[i], in, sizeof in, 0), 0);
        CHECK_IS(FILE_CLOSE_((short) near[i]), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check checks[] = {{"own", own}, {"table", table}, {"provider", provider}};
    return RUN_CHECKS(checks);
}
