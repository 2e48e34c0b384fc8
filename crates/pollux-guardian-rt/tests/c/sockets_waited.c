/* Waited calls, names, options, byte orders. The first argument says what. */
#include "sockets.h"

static int listener(int port)
{
    struct sockaddr_in address = loopback(port);
    int one = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK_IS(one > 0, 1);
    CHECK_IS(setsockopt(one, SOL_SOCKET, SO_REUSEADDR, (char *) &on, sizeof on), 0);
    CHECK_IS(bind(one, (struct sockaddr *) &address, sizeof address), 0);
    CHECK_IS(listen(one, 5), 0);
    return one;
}

static void calls(void)
{
    struct sockaddr_in address, from;
    struct sockaddr_in6 six;
    int one = listener(0), near, far, length = sizeof from, i;
    static char large[300000], in[300000];

    address = loopback(port_of(one));
    near = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(connect(near, (struct sockaddr *) &address, sizeof address), 0);
    memset(&from, 0, sizeof from);
    far = accept(one, (struct sockaddr *) &from, &length);
    CHECK_IS(far > 0 && far != one && far != near, 1);
    CHECK_IS(ntohs(from.sin_port), port_of(near));
    CHECK_IS(length, sizeof from);
    CHECK_IS(send(near, "hello", 5, 0), 5);
    CHECK_IS(recv(far, in, sizeof in, MSG_PEEK), 5);
    CHECK_IS(recv64_(far, in, 2, 0), 2);
    CHECK_IS(recv(far, in, sizeof in, 0), 3);
    CHECK_IS(memcmp(in, "llo", 3), 0);
    for (i = 0; i < (int) sizeof large; i++) large[i] = (char) (i * 7);
    CHECK_IS(send64_(far, large, sizeof large, 0), sizeof large);
    for (i = 0; i < (int) sizeof large;) {
        int count = recv(near, in + i, sizeof in - i, 0);
        CHECK_IS(count > 0, 1);
        i += count;
    }
    CHECK_IS(memcmp(in, large, sizeof large), 0);

    /* A close is graceful, with unread input too. */
    CHECK_IS(send(far, "unread", 6, 0), 6);
    CHECK_IS(send(near, "last words", 10, 0), 10);
    CHECK_IS(FILE_CLOSE_(near), 0);
    CHECK_IS(recv(far, in, sizeof in, 0), 10);
    CHECK_IS(recv(far, in, sizeof in, 0), 0);
    CHECK_IS(shutdown(far, 2), 0);
    FAILS(recv(far, in, sizeof in, 0), ESHUTDOWN);
    CHECK_IS(FILE_CLOSE_(far), 0);

    /* Datagrams. */
    near = socket(AF_INET, SOCK_DGRAM, 0);
    far = socket(AF_INET, SOCK_DGRAM, 0);
    address = loopback(0);
    CHECK_IS(bind(far, (struct sockaddr *) &address, sizeof address), 0);
    address = loopback(port_of(far));
    CHECK_IS(sendto(near, "ping", 4, 0, (struct sockaddr *) &address, sizeof address), 4);
    length = sizeof from;
    CHECK_IS(recvfrom(far, in, sizeof in, 0, (struct sockaddr *) &from, &length), 4);
    CHECK_IS(ntohs(from.sin_port), port_of(near));

    /* Version 6. */
    one = socket(AF_INET6, SOCK_STREAM, 0);
    memset(&six, 0, sizeof six);
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    if (bind(one, (struct sockaddr *) &six, sizeof six) == 0) {
        CHECK_IS(listen(one, 1), 0);
        length = sizeof six;
        CHECK_IS(getsockname(one, (struct sockaddr *) &six, &length), 0);
        CHECK_IS(length, sizeof six);
        near = socket(AF_INET6, SOCK_STREAM, 0);
        CHECK_IS(connect(near, (struct sockaddr *) &six, sizeof six), 0);
        length = sizeof six;
        far = accept(one, (struct sockaddr *) &six, &length);
        CHECK_IS(far > 0, 1);
        CHECK_IS(IN6_IS_ADDR_LOOPBACK(&six.sin6_addr), 1);
    } else {
        CHECK_IS(errno, EADDRNOTAVAIL);
    }
}

static void names(void)
{
    struct hostent *host = gethostbyname("localhost");
    struct addrinfo hints, *list = NULL;
    struct servent *service;
    struct protoent *protocol;
    struct in_addr address;
    struct sockaddr_in sin = loopback(7639);
    char text[64], other[64];
    struct if_nameindex *interfaces;
    unsigned char six[16];

    CHECK_IS(host != NULL, 1);
    CHECK_IS(host->h_addrtype, AF_INET);
    CHECK_IS(host->h_length, 4);
    CHECK_IS(ntohl(((struct in_addr *) host->h_addr)->s_addr), 0x7f000001);
    host = gethostbyaddr((char *) host->h_addr, 4, AF_INET);
    CHECK_TEXT(host->h_name, "localhost");
    CHECK_IS(host_file_gethostbyname("localhost") != NULL, 1);
    CHECK_IS(host_file_gethostbyname("surely.not.there") == NULL, 1);
    CHECK_IS(h_errno, HOST_NOT_FOUND);

    CHECK_IS(ntohl(inet_addr("127.0.0.1")), 0x7f000001);
    CHECK_IS(inet_addr("1.2.3.4.5") == INADDR_NONE, 1);
    CHECK_IS(inet_network("128.32"), 0x8020);
    address.s_addr = htonl(0x0a010203);
    CHECK_TEXT(inet_ntoa(address), "10.1.2.3");
    CHECK_IS(inet_netof(address), 0x0a);
    CHECK_IS(inet_lnaof(address), 0x010203);
    CHECK_IS(ntohl(inet_makeaddr(0x0a, 0x010203).s_addr), 0x0a010203);
    CHECK_TEXT(inet_ntop(AF_INET, &address, text, sizeof text), "10.1.2.3");
    CHECK_IS(inet_pton(AF_INET, "10.1.2.4", &address), 1);
    CHECK_IS(ntohl(address.s_addr), 0x0a010204);
    CHECK_IS(inet_pton(AF_INET6, "::1", six), 1);
    CHECK_IS(six[15], 1);
    CHECK_IS(inet_pton(AF_INET, "nonsense", &address), 0);
    FAILS(inet_pton(99, "::1", six), EAFNOSUPPORT);
    errno = 0;
    CHECK_IS(inet_ntop(AF_INET, &address, text, 3) == NULL, 1);
    CHECK_IS(errno, ENOSPC);

    service = getservbyname("http", "tcp");
    CHECK_IS(service != NULL && ntohs(service->s_port) == 80, 1);
    CHECK_TEXT(getservbyport(htons(80), "tcp")->s_name, "http");
    CHECK_IS(getservbyname("no.such.service", NULL) == NULL, 1);
    protocol = getprotobyname("tcp");
    CHECK_IS(protocol->p_proto, 6);
    CHECK_TEXT(getprotobynumber(17)->p_name, "udp");

    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_CANONNAME;
    CHECK_IS(getaddrinfo("localhost", "7639", &hints, &list), 0);
    CHECK_IS(list->ai_addrlen, sizeof(struct sockaddr_in));
    CHECK_IS(memcmp(list->ai_addr, &sin, 8), 0);
    CHECK_IS(list->ai_next == NULL, 1);
    CHECK_TEXT(list->ai_canonname, "localhost");
    CHECK_IS(getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, other, sizeof other, NI_NUMERICHOST | NI_NUMERICSERV), 0);
    CHECK_TEXT(text, "127.0.0.1");
    CHECK_TEXT(other, "7639");
    CHECK_IS(getnameinfo(list->ai_addr, list->ai_addrlen, text, 3, NULL, 0, NI_NUMERICHOST), EAI_OVERFLOW);
    freeaddrinfo(list);
    CHECK_IS(getaddrinfo("127.0.0.1", "no.such.service", &hints, &list), EAI_SERVICE);
    CHECK_IS(list == NULL, 1);
    CHECK_IS(strlen(gai_strerror(EAI_SERVICE)) > 0, 1);
    CHECK_IS(lwres_gethostbyname("localhost") != NULL, 1);
    CHECK_IS(lwres_getaddrinfo("127.0.0.1", NULL, &hints, &list), 0);
    CHECK_IS(lwres_getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST), 0);
    CHECK_TEXT(text, "127.0.0.1");
    lwres_freeaddrinfo(list);
    host = gethostbyname2("127.0.0.1", AF_INET);
    CHECK_IS(host != NULL && host->h_length == 4, 1);
    CHECK_IS(gethostbyname2("127.0.0.1", AF_INET6) == NULL, 1);
    CHECK_IS(h_errno, HOST_NOT_FOUND);
    host = lwres_gethostbyname2("::1", AF_INET6);
    CHECK_IS(host != NULL && host->h_length == 16, 1);
    address.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_TEXT(host_file_gethostbyaddr((char *) &address, 4, AF_INET)->h_name, "localhost");
    CHECK_TEXT(lwres_gethostbyaddr((char *) &address, 4, AF_INET)->h_name, "localhost");
    CHECK_IS(gethostbyaddr((char *) &address, 3, AF_INET) == NULL, 1);
    CHECK_IS(getnetbyname("loopback")->n_net, 127);
    CHECK_TEXT(getnetbyaddr(127, AF_INET)->n_name, "loopback");

    interfaces = if_nameindex();
    CHECK_IS(interfaces != NULL && interfaces[0].if_name != NULL, 1);
    CHECK_IS(if_nametoindex(interfaces[0].if_name), interfaces[0].if_index);
    CHECK_TEXT(if_indextoname(interfaces[0].if_index, text), interfaces[0].if_name);
    if_freenameindex(interfaces);
    CHECK_IS(if_nametoindex("no such"), 0);
    CHECK_IS(errno, ENXIO);
    CHECK_IS(gethostname(text, sizeof text), 0);
}

static void options(void)
{
    int one = socket(AF_INET, SOCK_STREAM, 0), value = 1, length = sizeof value, count = 0;
    struct linger linger = {1, 5};
    struct ifreq request;
    struct {
        struct ifconf head;
        struct ifreq list[8];
    } all;

    CHECK_IS(setsockopt(one, SOL_SOCKET, SO_KEEPALIVE, (char *) &value, sizeof value), 0);
    value = 0;
    CHECK_IS(getsockopt(one, SOL_SOCKET, SO_KEEPALIVE, (char *) &value, &length), 0);
    CHECK_IS(value, 1);
    CHECK_IS(setsockopt(one, SOL_SOCKET, SO_LINGER, (char *) &linger, sizeof linger), 0);
    value = 5;
    CHECK_IS(setsockopt(one, IPPROTO_TCP, TCP_RXMTCNT, (char *) &value, sizeof value), 0);
    value = 0;
    CHECK_IS(getsockopt(one, IPPROTO_TCP, TCP_RXMTCNT, (char *) &value, &length), 0);
    CHECK_IS(value, 5);
    FAILS(getsockopt(one, 99, 1, (char *) &value, &length), ENOPROTOOPT);
    FAILS(setsockopt(one, SOL_SOCKET, SO_REUSEADDR, (char *) &value, 1), EINVAL);
    FAILS(setsockopt(one, SOL_SOCKET, SO_TYPE, (char *) &value, sizeof value), EINVAL);
    CHECK_IS(getsockopt(one, SOL_SOCKET, SO_ERROR, (char *) &value, &length), 0);
    CHECK_IS(value, 0);

    FAILS(socket_ioctl(one, FIONBIO, (char *) &value), EINVAL);
    FAILS(socket_ioctl(one, SIOCSIFADDR, (char *) &request), EOPNOTSUPP);
    CHECK_IS(socket_ioctl(one, SIOCSIFFLAGS, (char *) &request), 0);
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    CHECK_IS(socket_ioctl(one, SIOCGIFADDR, (char *) &request), 0);
    CHECK_IS(ntohl(((struct sockaddr_in *) &request.ifr_addr)->sin_addr.s_addr), 0x7f000001);
    CHECK_IS(socket_ioctl(one, SIOCGIFFLAGS, (char *) &request), 0);
    CHECK_IS(request.ifr_flags & IFF_LOOPBACK, IFF_LOOPBACK);
    CHECK_IS(socket_ioctl(one, SIOCGIFNUM, (char *) &count), 0);
    CHECK_IS(count > 0, 1);
    all.head.ifc_len = sizeof all.list;
    all.head.ifc_req = all.list;
    CHECK_IS(socket_ioctl(one, SIOCGIFCONF, (char *) &all), 0);
    CHECK_IS(all.head.ifc_len >= (int) sizeof(struct ifreq), 1);
    CHECK_TEXT(all.list[0].ifr_name, "lo");
}

/* A port is the same number for a program that swaps and for one that does not. */
static void order(void)
{
    struct sockaddr_in address;
    int one, near, far;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr("127.0.0.1");
    one = listener(7639);
    near = socket(AF_INET, SOCK_STREAM, 0);
#ifdef POLLUX_NETWORK_ORDER
    CHECK_IS(((unsigned char *) &address.sin_addr)[0], 127);
#else
    address.sin_port = 7639;
    CHECK_IS(connect(near, (struct sockaddr *) &address, sizeof address), 0);
    CHECK_IS(accept(one, NULL, NULL) > 0, 1);
    FILE_CLOSE_(near);
    near = socket(AF_INET, SOCK_STREAM, 0);
#endif
    address.sin_port = htons(7639);
    CHECK_IS(connect(near, (struct sockaddr *) &address, sizeof address), 0);
    far = accept(one, NULL, NULL);
    CHECK_IS(far > 0, 1);
    CHECK_IS(port_of(far), 7639);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (strcmp(what, "calls") == 0) {
        calls();
    } else if (strcmp(what, "names") == 0) {
        names();
    } else if (strcmp(what, "options") == 0) {
        options();
    } else if (strcmp(what, "order") == 0) {
        order();
    } else if (strcmp(what, "no_provider") == 0) {
        FAILS(socket(AF_INET, SOCK_STREAM, 0), 14);
        FAILS(socket_nw(AF_INET, SOCK_DGRAM, 0, 1, 0), 14);
    } else if (strcmp(what, "named") == 0) {
        FAILS(socket(AF_INET, SOCK_STREAM, 0), 14);
        socket_set_inet_name(argv[2]);
        calls();
    } else {
        failed();
    }
    printf("PASSED\n");
    return 0;
}
