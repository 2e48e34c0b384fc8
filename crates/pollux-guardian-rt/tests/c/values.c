/* Times, texts, digits, processors: procedures that compute or look something up. It runs as $OWN in CPU 1 of a node of two CPUs. */
#include "check.h"
#include <time.h>

#define EPOCH 210866760000000000LL /* 1970-01-01, midnight */

static short error = -9, mask = -9, date[8];

static void upshift(void)
{
    char text[20] = "abcXYZ1-z";

    CHECK_IS(STRING_UPSHIFT_(text, 9, text, 9), 0);
    CHECK_TEXT(text, "ABCXYZ1-Z");
    memset(text, '.', sizeof text);
    CHECK_IS(STRING_UPSHIFT_("abc", 3, text, 9), 0);
    CHECK_IS(memcmp(text, "ABC..", 5), 0);
    CHECK_IS(STRING_UPSHIFT_("abc", 0, text, 0), 0);
    CHECK_IS(STRING_UPSHIFT_((const char *)NULL, 3, text, 3), 22);
    CHECK_IS(STRING_UPSHIFT_("abc", 3, (char *)NULL, 3), 22);
    CHECK_IS(STRING_UPSHIFT_("abc", 3, text, 2), 563);
    CHECK_IS(STRING_UPSHIFT_("abc", -1, text, 2), 590);
    CHECK_IS(STRING_UPSHIFT_("abc", 3, text, -1), 590);
}

static void timestamps(void)
{
    long long now = JULIANTIMESTAMP(), start, up;
    short update = -9;
    int own;
    short mine[10];

    PROCESSHANDLE_GETMINE_(mine);
    PROCESSHANDLE_DECOMPOSE_(mine, , , &own);
    CHECK_IS(now / 1000000 - EPOCH / 1000000 - time(NULL) >= -1, 1);
    CHECK_IS(now / 1000000 - EPOCH / 1000000 - time(NULL) <= 1, 1);
    CHECK_IS(JULIANTIMESTAMP(0) >= now, 1);
    CHECK_IS(JULIANTIMESTAMP(, &update) >= now, 1);
    CHECK_IS(update, 0);
    CHECK_IS(JULIANTIMESTAMP(, , &error) >= now, 1);
    CHECK_IS(error, 0);
    CHECK_IS(JULIANTIMESTAMP(, , , own) >= now, 1);
    CHECK_IS(JULIANTIMESTAMP(, , , -1) >= now, 1);
    start = JULIANTIMESTAMP(1);
    up = JULIANTIMESTAMP(3);
    CHECK_IS(start < now, 1);
    CHECK_IS(JULIANTIMESTAMP() - start - up < 5000000, 1);
    CHECK_IS(JULIANTIMESTAMP(2) - start < 5000000, 1);
    CHECK_IS(JULIANTIMESTAMP(4, , &error), -1);
    CHECK_IS(error, 590);
    CHECK_IS(JULIANTIMESTAMP(-1), -1);
    CHECK_IS(JULIANTIMESTAMP(0, , &error, own + 1), -1);
    CHECK_IS(error, 18);
}

static void dates(void)
{
    short i;

    CHECK_IS(INTERPRETTIMESTAMP(EPOCH + 86399999999LL, date), 2440588);
    CHECK_IS(date[0], 1970);
    CHECK_IS(date[1], 1);
    CHECK_IS(date[2], 1);
    CHECK_IS(date[3], 23);
    CHECK_IS(date[4], 59);
    CHECK_IS(date[5], 59);
    CHECK_IS(date[6], 999);
    CHECK_IS(date[7], 999);
    CHECK_IS(COMPUTETIMESTAMP(date), EPOCH + 86399999999LL);
    CHECK_IS(COMPUTETIMESTAMP(date, &mask), EPOCH + 86399999999LL);
    CHECK_IS(mask, 0);
    CHECK_IS(INTERPRETTIMESTAMP(EPOCH - 1, date), 2440587);
    CHECK_IS(date[0], 1969);
    CHECK_IS(INTERPRETTIMESTAMP(0LL, date), -1);
    CHECK_IS(INTERPRETTIMESTAMP(-1LL, date), -1);
    CHECK_IS(INTERPRETTIMESTAMP(EPOCH, NULL), -1);
    /* 29 February, and the last day of the last year. */
    date[0] = 2000;
    date[1] = 2;
    date[2] = 29;
    CHECK_IS(COMPUTETIMESTAMP(date) > 0, 1);
    date[0] = 1900;
    CHECK_IS(COMPUTETIMESTAMP(date, &mask), -1);
    CHECK_IS(mask, 0x2000);
    /* One bit for each part that is out of range. */
    for (i = 0; i < 8; i++) {
        short wrong[8] = {2024, 1, 1, 0, 0, 0, 0, 0};
        wrong[i] = i == 0 ? 4001 : i == 1 ? 13 : i == 2 ? 32 : i == 3 ? 24 : i < 6 ? 60 : 1000;
        CHECK_IS(COMPUTETIMESTAMP(wrong, &mask), -1);
        CHECK_IS((unsigned short)mask, 0x8000 >> i);
        wrong[i] = -1;
        CHECK_IS(COMPUTETIMESTAMP(wrong, &mask), -1);
        CHECK_IS((unsigned short)mask, 0x8000 >> i);
    }
    CHECK_IS(COMPUTETIMESTAMP((short *)NULL, &mask), -1);
    CHECK_IS(COMPUTETIMESTAMP(), -1);
}

/* TZ of this program is one with summer time. */
static void local_times(void)
{
    short winter[8] = {2023, 1, 15, 12, 0, 0, 0, 0}, summer[8] = {2023, 7, 15, 12, 0, 0, 0, 0};
    short twice[8] = {2023, 10, 29, 2, 30, 0, 0, 0}, never[8] = {2023, 3, 26, 2, 30, 0, 0, 0};
    long long hour = 3600000000LL, in_winter = COMPUTETIMESTAMP(winter), in_summer = COMPUTETIMESTAMP(summer);
    int own;
    short mine[10];

    PROCESSHANDLE_GETMINE_(mine);
    PROCESSHANDLE_DECOMPOSE_(mine, , , &own);
    CHECK_IS(CONVERTTIMESTAMP(in_winter) - in_winter, hour);
    CHECK_IS(CONVERTTIMESTAMP(in_summer, 0) - in_summer, 2 * hour);
    CHECK_IS(CONVERTTIMESTAMP(in_summer, 1) - in_summer, hour);
    CHECK_IS(CONVERTTIMESTAMP(in_summer, 2, , &error) - in_summer, -2 * hour);
    CHECK_IS(error, 0);
    CHECK_IS(CONVERTTIMESTAMP(in_winter, 2, own) - in_winter, -hour);
    CHECK_IS(CONVERTTIMESTAMP(in_summer, 3) - in_summer, -hour);
    CONVERTTIMESTAMP(COMPUTETIMESTAMP(twice), 2, , &error);
    CHECK_IS(error, -1);
    CONVERTTIMESTAMP(COMPUTETIMESTAMP(never), 2, , &error);
    CHECK_IS(error, -2);
    CHECK_IS(CONVERTTIMESTAMP(in_winter, 4, , &error), -1);
    CHECK_IS(error, 590);
    CHECK_IS(CONVERTTIMESTAMP(in_winter, 0, own + 1, &error), -1);
    CHECK_IS(error, 18);
    CHECK_IS(CONVERTTIMESTAMP(), -1);
}

static void used_times(void)
{
    long long used = MYPROCESSTIME(), total, busy, interrupt, idle;
    volatile int work = 0;

    while (MYPROCESSTIME() - used < 20000)
        work++;
    CHECK_IS(MYPROCESSTIME() - used >= 20000, 1);
    CHECK_IS(CPUTIMES(, , &total, &busy, &interrupt, &idle), 0);
    CHECK_IS(total, busy + interrupt + idle);
    CHECK_IS(busy > 0, 1);
    CHECK_IS(CPUTIMES(), 0);
    CHECK_IS(CPUTIMES(0), 0);
    CHECK_IS(CPUTIMES(-1), 0);
    CHECK_IS(CPUTIMES(0, -1, &total), 0);
    CHECK_IS(CPUTIMES(5), 1);
    CHECK_IS(CPUTIMES(99), 1);
    CHECK_IS(CPUTIMES(0, 32000), 1);
}

static void digits(void)
{
    char text[40];
    short word = -9, status = -9;
    int number = -9;
    const char *digits = "-12x";

    memset(text, '.', sizeof text);
    NUMOUT(text, 42, 10, 5);
    CHECK_IS(memcmp(text, "00042.", 6), 0);
    NUMOUT(text, 65535, 16, 4);
    CHECK_IS(memcmp(text, "FFFF2.", 6), 0);
    NUMOUT(text, 12345, 10, 3);
    CHECK_IS(memcmp(text, "345F2.", 6), 0);
    NUMOUT(text, 5, 2, 4);
    CHECK_IS(memcmp(text, "01012.", 6), 0);
    /* Nothing is written where the call makes no sense. */
    memset(text, '.', sizeof text);
    NUMOUT((char *)NULL, 7, 10, 4);
    NUMOUT(text, 7, 1, 4);
    NUMOUT(text, 7, 37, 4);
    NUMOUT(text, 7, 10, -1);
    NUMOUT(text, 7, 10, 0);
    CHECK_IS(memcmp(text, "....", 4), 0);

    CHECK_IS(NUMIN(digits, &word, 10, &status), (long)digits + 3);
    CHECK_IS(word, -12);
    CHECK_IS(status, 0);
    CHECK_IS(NUMIN("%17", &word, 10, &status) != 0, 1);
    CHECK_IS(word, 15);
    NUMIN("7fff", &word, 16, &status);
    CHECK_IS(word, 0x7fff);
    word = -9;
    CHECK_IS(NUMIN("x", &word, 10, &status) != 0, 1);
    CHECK_IS(status, 1);
    CHECK_IS(word, -9);
    NUMIN("32768", &word, 10, &status);
    CHECK_IS(status, -1);
    NUMIN("19", &word, 8, &status);
    CHECK_IS(status, -1);
    NUMIN("1", &word, 37, &status);
    CHECK_IS(status, -1);

    CHECK_IS(DNUMIN("-70000,", &number, 10, &status) != 0, 1);
    CHECK_IS(number, -70000);
    CHECK_IS(status, 0);
    digits = "%Hffffffff+";
    CHECK_IS(DNUMIN(digits, &number, 10, &status), (long)digits + 10);
    CHECK_IS(number, -1);
    number = -9;
    DNUMIN("2147483648", &number, 10, &status);
    CHECK_IS(status, -1);
    CHECK_IS(number, -9);
    DNUMIN("-", &number, 10, &status);
    CHECK_IS(status, 1);

    memset(text, '.', sizeof text);
    CHECK_IS(DNUMOUT(text, 70000, 10), 5);
    CHECK_IS(memcmp(text, "70000.", 6), 0);
    CHECK_IS(DNUMOUT(text, -70000, -10), 6);
    CHECK_IS(memcmp(text, "-70000.", 7), 0);
    CHECK_IS(DNUMOUT(text, 255, 16, 6), 6);
    CHECK_IS(memcmp(text, "0000FF.", 7), 0);
    CHECK_IS(DNUMOUT(text, 0, 10), 1);
    CHECK_IS(DNUMOUT(text, 7, 1), 0);
    CHECK_IS(DNUMOUT((char *)NULL, 7, 10), 0);
}

static void processors(void)
{
    short codes[20], values[60], words = -9, detail = -9;

    CHECK_IS((unsigned)PROCESSORSTATUS(), 0x2c000);
    codes[0] = 2;
    codes[1] = 4;
    codes[2] = 17;
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 3, values, 60, &words), 0);
    CHECK_IS(words, 7);
    CHECK_IS(values[0], -1);
    CHECK_IS(*(int *)&values[1], 4096);
    CHECK_IS(PROCESSOR_GETINFOLIST_("\\TEST", 5, 0, codes, 1, values, 60, &words, &detail), 0);
    CHECK_IS(words, 1);
    CHECK_IS(detail, 0);
    {
        static const short all[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 18, 19, 20, 21, 22, 23};
        memcpy(codes, all, sizeof all);
        CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 19, values, 60, &words), 0);
        CHECK_IS(words, 44);
    }
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 19, values, 43, &words, &detail), 1);
    CHECK_IS(detail, 563);
    CHECK_IS(words, 0);
    codes[0] = 99;
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 1, values, 60, &words, &detail), 7);
    CHECK_IS(detail, 99);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , 16, codes, 1, values, 60, &words, &detail), 2);
    CHECK_IS(detail, 2);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , 7, codes, 1, values, 60, &words, &detail), 5);
    CHECK_IS(detail, 201);
    CHECK_IS(PROCESSOR_GETINFOLIST_("\\FAR", 4, , codes, 1, values, 60, &words, &detail), 6);
    CHECK_IS(PROCESSOR_GETINFOLIST_("FAR", 3, , codes, 1, values, 60, &words, &detail), 2);
    CHECK_IS(detail, 1);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , (short *)NULL, 1, values, 60, &words, &detail), 3);
    CHECK_IS(detail, 3);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, -1, values, 60, &words, &detail), 2);
    CHECK_IS(detail, 4);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 1, (short *)NULL, 60, &words, &detail), 3);
    CHECK_IS(detail, 5);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 1, values, -1, &words, &detail), 2);
    CHECK_IS(detail, 6);
    /* What is missing is said by its number. */
    CHECK_IS(PROCESSOR_GETINFOLIST_(), 2);
    CHECK_IS(PROCESSOR_GETINFOLIST_(, , , codes, 1, , 60, &words, &detail), 2);
    CHECK_IS(detail, 5);
    CHECK_IS(TOSVERSION() >> 8, 'L');
    CHECK_IS(HEADROOM_ENSURE_(100000), 0);
}

/* Nothing asks for a debugger: the program goes on. */
static void debug(void)
{
    DEBUG();
}

static void delays(void)
{
    long long before = JULIANTIMESTAMP(3);

    DELAY(3);
    CHECK_IS(JULIANTIMESTAMP(3) - before >= 30000, 1);
    before = JULIANTIMESTAMP(3);
    PROCESS_DELAY_(30000LL);
    CHECK_IS(JULIANTIMESTAMP(3) - before >= 30000, 1);
    before = JULIANTIMESTAMP(3);
    DELAY(0);
    DELAY(-1);
    PROCESS_DELAY_(0LL);
    PROCESS_DELAY_(-1LL);
    CHECK_IS(JULIANTIMESTAMP(3) - before < 3000000, 1);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"upshift", upshift},       {"timestamps", timestamps}, {"dates", dates},   {"local_times", local_times},
        {"used_times", used_times}, {"digits", digits},         {"debug", debug},   {"processors", processors},
        {"delays", delays},
    };
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return RUN_CHECKS(list);
}
