/* Hears of the CPUs that it has asked for and of no other. The test kills CPUs when this program says that it is ready. */
#include "check.h"

static void expect(short number, short cpu)
{
    short message[4];
    unsigned short count;

    CHECK_IS(READUPDATEX(0, (char *)message, sizeof message, &count), 1);
    CHECK_IS(count, 4);
    CHECK_IS(message[0], number);
    CHECK_IS(message[1], cpu);
    REPLYX();
}

int main(void)
{
    short receive = -1;

    setvbuf(stdout, NULL, _IONBF, 0);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive, , , , 1), 0);
    MONITORCPUS(0x4000);
    printf("HEARS OF 1\n");
    expect(-2, 1);
    expect(-3, 1);
    PROCESS_MONITOR_CPUS_(0x2000);
    printf("HEARS OF 2\n");
    expect(-2, 2);
    expect(-3, 2);
    MONITORCPUS(0);
    MONITORNET(1);
    PROCESS_MONITOR_NET_(1);
    MONITORNEW(1);
    printf("PASSED\n");
    return 0;
}
