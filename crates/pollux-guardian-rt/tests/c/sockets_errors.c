/* Bad input: every routine with numbers that are no sockets, with short buffers, wrong states, names of nothing. The documented
   errno, and no descriptor more than before. A test looks here for each routine of the table: as FAILS(routine(...), errno), or, if it
   does not tell by -1 and errno, as GIVES(routine, (...), result). */
#include "sockets.h"
#include <dirent.h>
#include <stdint.h>

#define GIVES(routine, arguments, wanted) CHECK_IS((intptr_t) (routine arguments), (intptr_t) (wanted))
/* For those that tell nothing. */
#define ENDS(routine, arguments) routine arguments

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

/* Every routine that takes a socket, with a number that is none. */
static void no_socket(int number, int error)
{
    struct sockaddr_in address = loopback(1);
    struct sockaddr *at = (struct sockaddr *) &address;
    struct open_info_message message;
    char in[40];
    int length = sizeof address, value = 1;
    long long position;

    FAILS(bind(number, at, sizeof address), error);
    FAILS(bind_nw(number, at, sizeof address, 1), error);
    FAILS(listen(number, 1), error);
    FAILS(accept(number, at, &length), error);
    FAILS(accept_nw(number, at, &length, 1), error);
    FAILS(accept_nw1(number, at, &length, 1, 5), error);
    FAILS(accept_nw2(number, at, 1), error);
    FAILS(accept_nw3(number, at, at, 1), error);
    FAILS(connect(number, at, sizeof address), error);
    FAILS(connect_nw(number, at, sizeof address, 1), error);
    FAILS(recv(number, in, sizeof in, 0), error);
    FAILS(recv64_(number, in, sizeof in, 0), error);
    FAILS(recv_nw(number, in, sizeof in, 0, 1), error);
    FAILS(recv_nw64_(number, in, sizeof in, 0, 1), error);
    FAILS(send(number, in, 1, 0), error);
    FAILS(send64_(number, in, 1, 0), error);
    FAILS(send_nw(number, in + 8, 1, 0, 1), error);
    FAILS(send_nw64_(number, in + 8, 1, 0, 1), error);
    FAILS(send_nw2(number, in, 1, 0, 1), error);
    FAILS(send_nw2_64_(number, in, 1, 0, 1), error);
    FAILS(recvfrom(number, in, sizeof in, 0, at, &length), error);
    FAILS(recvfrom_nw(number, in, sizeof in, 0, at, &length, 1), error);
    FAILS(t_recvfrom_nw(number, in, sizeof in, 0, 1), error);
    FAILS(sendto(number, in, 1, 0, at, sizeof address), error);
    FAILS(sendto_nw(number, in, 1, 0, at, sizeof address, 1), error);
    FAILS(t_sendto_nw(number, in, 20, 0, 1), error);
    FAILS(socket_get_info(number, at, &length), error);
    FAILS(socket_get_len(number), error);
    FAILS(getsockname(number, at, &length), error);
    FAILS(getsockname_nw(number, at, &length, 1), error);
    FAILS(getpeername(number, at, &length), error);
    FAILS(getpeername_nw(number, at, &length, 1), error);
    FAILS(getsockopt(number, SOL_SOCKET, SO_TYPE, in, &length), error);
    FAILS(getsockopt_nw(number, SOL_SOCKET, SO_TYPE, in, &length, 1), error);
    FAILS(setsockopt(number, SOL_SOCKET, SO_REUSEADDR, (char *) &value, sizeof value), error);
    FAILS(setsockopt_nw(number, SOL_SOCKET, SO_REUSEADDR, (char *) &value, sizeof value, 1), error);
    FAILS(socket_ioctl(number, FIONREAD, in), error);
    FAILS(socket_ioctl_nw(number, FIONREAD, in, 1), error);
    FAILS(shutdown(number, 2), error);
    FAILS(shutdown_nw(number, 2, 1), error);
    FAILS(sock_close_reuse_nw(number, 1), error);
    FAILS(socket_get_positions(number, &position, &position), error);
    FAILS(socket_hold_input(number, 1), error);
    FAILS(socket_release_input(number, 0), error);
    memset(&message, 0, sizeof message);
    message.filenum = (short) number;
    if (number == message.filenum)
        FAILS(socket_get_open_info(&message), error);
}

static void wrong_states(void)
{
    struct sockaddr_in address = loopback(0), used;
    struct sockaddr *at = (struct sockaddr *) &address;
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), other, nowait, length = 4;
    char in[40];
    short handle[10];
    struct open_info_message message;

    FAILS(recv(tcp, in, sizeof in, 0), ENOTCONN);
    FAILS(send(tcp, in, 1, 0), ENOTCONN);
    FAILS(send(udp, in, 1, 0), EDESTADDRREQ);
    FAILS(shutdown(tcp, 2), ENOTCONN);
    FAILS(shutdown(tcp, 3), EINVAL);
    FAILS(getpeername(tcp, at, &length), ENOTCONN);
    FAILS(recv(udp, in, sizeof in, 0x40), EINVAL);
    FAILS(recv(udp, in, -1, 0), EINVAL);
    FAILS(recv(udp, NULL, 10, 0), EFAULT);
    FAILS(send(tcp, in, 1, 0x40), EINVAL);
    FAILS(listen(udp, 1), EOPNOTSUPP);
    FAILS(accept(udp, at, &length), EOPNOTSUPP);
    FAILS(bind(tcp, NULL, sizeof address), EFAULT);
    FAILS(bind(tcp, at, 3), EINVAL);
    address.sin_family = 77;
    FAILS(bind(tcp, at, sizeof address), EAFNOSUPPORT);
    address.sin_family = AF_INET6;
    FAILS(bind(tcp, at, sizeof address), EINVAL);
    address = loopback(0);
    address.sin_addr.s_addr = inet_addr("203.0.113.7");
    FAILS(bind(tcp, at, sizeof address), EADDRNOTAVAIL);
    address = loopback(0);
    CHECK_IS(bind(tcp, at, sizeof address), 0);
    FAILS(bind(tcp, at, sizeof address), EINVAL);
    CHECK_IS(listen(tcp, 1), 0);
    other = socket(AF_INET, SOCK_STREAM, 0);
    used = loopback(port_of(tcp));
    FAILS(bind(other, (struct sockaddr *) &used, sizeof used), EADDRINUSE);
    /* Cut to the room, with the whole length. */
    length = 4;
    CHECK_IS(getsockname(tcp, at, &length), 0);
    CHECK_IS(length, sizeof address);
    length = -1;
    FAILS(getsockname(tcp, at, &length), EINVAL);

    /* Waited and nowait calls do not mix the wrong way round. */
    FAILS(recv_nw(tcp, in, sizeof in, 0, 1), EINVAL);
    FAILS(accept_nw(tcp, at, &length, 1), EINVAL);
    nowait = socket_nw(AF_INET, SOCK_STREAM, 0, 2, 0);
    FAILS(accept_nw2(nowait, NULL, 1), EFAULT);
    FAILS(socket_nw(AF_INET, SOCK_STREAM, 0, 0, 0), EINVAL);
    FAILS(socket_nw(AF_INET, SOCK_STREAM, 0, 2, 1), EINVAL);
    FAILS(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAILS(socket(AF_INET, 77, 0), ESOCKTNOSUPPORT);
    FAILS(socket(AF_INET, SOCK_DGRAM, 300), EPROTONOSUPPORT);

    /* Reads and writes of the file system are not for sockets. */
    CHECK_IS(_status_lt(READX((short) tcp, in, 1)), 1);
    CHECK_IS(error_of((short) tcp), EBADSYS);
    CHECK_IS(_status_lt(WRITEX((short) tcp, in, 1)), 1);
    CHECK_IS(error_of((short) tcp), EBADSYS);

    /* Backup opens of nothing. */
    memset(&message, 0, sizeof message);
    PROCESSHANDLE_GETMINE_(handle);
    FAILS(socket_backup(&message, (char *) handle), EINVAL);
    FAILS(socket_backup(NULL, (char *) handle), EFAULT);
    FAILS(socket_get_open_info(NULL), EFAULT);
    FAILS(socket_hold_input(tcp, 1), ENOTCONN);
    FAILS(socket_hold_input(udp, 1), EOPNOTSUPP);
    FAILS(socket_set_takeover(7), EINVAL);
    message.filenum = (short) tcp;
    CHECK_IS(socket_get_open_info(&message), 0);
    CHECK_IS(message.filenum, tcp);
    CHECK_IS(memcmp(message.file_name, "$ZTC0", 5), 0);
    CHECK_IS(message.filename_len, 5);
    FAILS(socket_backup(&message, (char *) handle), 12);
    /* One's own brother is nobody. */
    message.filenum = 500;
    errno = 0;
    CHECK_IS(socket_backup(&message, (char *) handle) == -1 || FILE_CLOSE_(500) == 0, 1);

    CHECK_IS(FILE_CLOSE_(tcp), 0);
    CHECK_IS(FILE_CLOSE_(udp), 0);
    CHECK_IS(FILE_CLOSE_(other), 0);
    CHECK_IS(FILE_CLOSE_(nowait), 0);
}

/* Names and addresses of nothing. */
static void no_names(void)
{
    struct sockaddr_in address = loopback(1);
    struct addrinfo hints, *list = NULL;
    char text[64], *family = "\0\0\0\1";

    GIVES(gethostbyname, (NULL), NULL);
    CHECK_IS(h_errno, HOST_NOT_FOUND);
    GIVES(gethostbyname, (""), NULL);
    GIVES(lwres_gethostbyname, (NULL), NULL);
    GIVES(host_file_gethostbyname, (NULL), NULL);
    GIVES(host_file_gethostbyname, ("surely.not.there"), NULL);
    GIVES(gethostbyname2, ("127.0.0.1", 77), NULL);
    GIVES(gethostbyname2, (NULL, AF_INET), NULL);
    GIVES(lwres_gethostbyname2, ("127.0.0.1", 77), NULL);
    GIVES(gethostbyaddr, (NULL, 4, AF_INET), NULL);
    GIVES(gethostbyaddr, (family, 3, AF_INET), NULL);
    GIVES(gethostbyaddr, (family, 4, 77), NULL);
    GIVES(gethostbyaddr, (family, -1, AF_INET), NULL);
    GIVES(lwres_gethostbyaddr, (family, 3, AF_INET), NULL);
    GIVES(host_file_gethostbyaddr, (family, 3, AF_INET), NULL);

    memset(&hints, 0, sizeof hints);
    GIVES(getaddrinfo, (NULL, NULL, &hints, &list), EAI_NONAME);
    GIVES(lwres_getaddrinfo, (NULL, NULL, NULL, &list), EAI_NONAME);
    GIVES(getaddrinfo, ("127.0.0.1", "no.such.service", NULL, &list), EAI_SERVICE);
    hints.ai_family = 77;
    GIVES(getaddrinfo, ("127.0.0.1", NULL, &hints, &list), EAI_FAMILY);
    hints.ai_family = AF_INET;
    hints.ai_socktype = 77;
    GIVES(getaddrinfo, ("127.0.0.1", "80", &hints, &list), EAI_SOCKTYPE);
    CHECK_IS(list == NULL, 1);
    GIVES(getnameinfo, (NULL, sizeof address, text, sizeof text, NULL, 0, 0), EAI_FAMILY);
    GIVES(getnameinfo, ((struct sockaddr *) &address, 3, text, sizeof text, NULL, 0, 0), EAI_FAMILY);
    GIVES(lwres_getnameinfo, ((struct sockaddr *) &address, sizeof address, text, 2, NULL, 0, NI_NUMERICHOST), EAI_OVERFLOW);
    GIVES(gai_strerror, (12345) == NULL, 0);
    GIVES(getservbyname, (NULL, NULL), NULL);
    GIVES(getservbyname, ("no.such.service", "tcp"), NULL);
    GIVES(getservbyname, ("http", "no.such.protocol"), NULL);
    GIVES(getservbyport, (htons(1), "no.such.protocol"), NULL);
    GIVES(getservbyport, (-1, "tcp"), NULL);
    GIVES(getprotobyname, (NULL), NULL);
    GIVES(getprotobyname, ("no.such.protocol"), NULL);
    GIVES(getprotobynumber, (300), NULL);
    GIVES(getnetbyname, (NULL), NULL);
    GIVES(getnetbyname, ("no.such.net"), NULL);
    GIVES(getnetbyaddr, (127, 77), NULL);
    GIVES(inet_addr, (NULL), INADDR_NONE);
    GIVES(inet_addr, ("256.1.1.1"), INADDR_NONE);
    GIVES(inet_network, (NULL), INADDR_NONE);
    GIVES(inet_network, ("1.2.3.4.5"), INADDR_NONE);
    errno = 0;
    GIVES(inet_ntop, (77, &address, text, sizeof text), NULL);
    CHECK_IS(errno, EAFNOSUPPORT);
    GIVES(inet_ntop, (AF_INET, NULL, text, sizeof text), NULL);
    GIVES(inet_ntop, (AF_INET, &address, text, 3), NULL);
    CHECK_IS(errno, ENOSPC);
    FAILS(inet_pton(77, "::1", text), EAFNOSUPPORT);
    GIVES(inet_pton, (AF_INET, "256.1.1.1", text), 0);
    GIVES(if_nametoindex, (NULL), 0);
    GIVES(if_nametoindex, ("no such"), 0);
    CHECK_IS(errno, ENXIO);
    GIVES(if_indextoname, (0x7ffffff0, text), NULL);
    CHECK_IS(errno, ENXIO);

    /* These end nothing that was not begun. */
    ENDS(freeaddrinfo, (NULL));
    ENDS(lwres_freeaddrinfo, (NULL));
    ENDS(if_freenameindex, (NULL));

    /* A provider that cannot be. */
    ENDS(socket_set_inet_name, ("no name"));
    FAILS(socket(AF_INET, SOCK_STREAM, 0), 13);
    ENDS(socket_set_inet_name, ("$NONE"));
    FAILS(socket(AF_INET, SOCK_STREAM, 0), 14);
    ENDS(socket_set_inet_name, ("$ZTC0"));
}

int main(void)
{
    short receive;
    int before, closed, i;

    setvbuf(stdout, 0, _IOLBF, 0);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , 1), 0);
    closed = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(FILE_CLOSE_(closed), 0);
    before = descriptors();
    for (i = 0; i < 3; i++) {
        no_socket(closed, EBADF);
        no_socket(-1, EBADF);
        no_socket(30000, EBADF);
        no_socket(100000, EBADF);
        no_socket(receive, ENOTSOCK);
        wrong_states();
        no_names();
    }
    CHECK_IS(descriptors(), before);
    printf("PASSED\n");
    return 0;
}
