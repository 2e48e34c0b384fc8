/* A server that knows nothing of Pollux. It answers each connection with its process id.
 *
 *   server tcp PORT      binds 127.0.0.1:PORT (0: any) and prints the port
 *   server unix PATH     removes PATH and binds it
 *   server fds           takes its listener from LISTEN_FDS
 *   server closing PORT  as tcp, and closes its listener when a byte comes over a connection
 *   server twice PORT    binds PORT twice, and says what came of the second bind
 *   server shared PORT   two workers, each with a socket of its own on PORT (SO_REUSEPORT)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int open_port(int port, int share) {
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address))
        fail("bind");
    getsockname(fd, (struct sockaddr *)&address, &length);
    if (listen(fd, 128))
        fail("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static int open_path(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address))
        fail("bind");
    if (listen(fd, 128))
        fail("listen");
    return fd;
}

static int from_systemd(void) {
    const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
    if (!count || !pid || !names || atoi(count) != 1 || atoi(pid) != getpid()) {
        fprintf(stderr, "no descriptor was handed over\n");
        exit(1);
    }
    printf("name %s\n", names);
    fflush(stdout);
    return 3;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *where = argc > 2 ? argv[2] : "0";
    int closing = !strcmp(mode, "closing"), shared = !strcmp(mode, "shared");
    int listener;
    if (shared)
        fork();
    if (!strcmp(mode, "unix"))
        listener = open_path(where);
    else if (!strcmp(mode, "fds"))
        listener = from_systemd();
    else
        listener = open_port(atoi(where), shared);
    if (!strcmp(mode, "twice")) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(where))};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int second = socket(AF_INET, SOCK_STREAM, 0);
        int result = bind(second, (struct sockaddr *)&address, sizeof address);
        printf("second %d\n", result ? errno : 0);
        fflush(stdout);
    }
    for (;;) {
        char text[32];
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            fail("accept");
        int length = snprintf(text, sizeof text, "%d\n", getpid());
        if (write(connection, text, length) != length)
            perror("write");
        if (closing && read(connection, text, 1) == 1) {
            close(listener);
            close(connection);
            for (;;)
                pause();
        }
        close(connection);
    }
}
