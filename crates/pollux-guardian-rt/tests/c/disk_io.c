/* Transfers on files of Linux: every form with parameters left out, every error number. Its first argument is a directory. */
#include "check.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN(name, ...) FILE_OPEN_(name, (short)strlen(name), __VA_ARGS__)

static const char *directory;
static char path[500], buffer[60000];
static short file = -9;
static unsigned short count;
static int counted;

static const char *in_directory(const char *name)
{
    sprintf(path, "%s/%s", directory, name);
    return path;
}

static void make_file(const char *text)
{
    int descriptor = open(in_directory("data"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    CHECK_IS(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
}

static void holds(const char *wanted)
{
    char text[100] = "";
    int descriptor = open(in_directory("data"), O_RDONLY);
    CHECK_IS(read(descriptor, text, sizeof text - 1), strlen(wanted));
    close(descriptor);
    CHECK_TEXT(text, wanted);
}

static short error(void)
{
    return error_of(file);
}

static void got(const char *wanted)
{
    CHECK_IS(memcmp(buffer, wanted, strlen(wanted)), 0);
    memset(buffer, 0, 100);
}

static void waited(void)
{
    make_file("0123456789");
    CHECK_IS(OPEN(in_directory("data"), &file), 0);
    /* Each form goes on where the one before has ended. */
    CHECK_IS(READX(file, buffer, 1, &count), 0);
    CHECK_IS(count, 1);
    got("0");
    CHECK_IS(READX(file, buffer, 1), 0);
    got("1");
    CHECK_IS(READ(file, (short *)buffer, 1, &count), 0);
    got("2");
    CHECK_IS(READ(file, (short *)buffer, 1, , 5), 0);
    got("3");
    CHECK_IS(FILE_READ64_(file, buffer, 2, &counted), 0);
    CHECK_IS(counted, 2);
    got("45");
    CHECK_IS(FILE_READ64_(file, buffer, 1), 0);
    got("6");
    /* The record of the last read again, and another text in its place. */
    CHECK_IS(READUPDATEX(file, buffer, 1, &count), 0);
    CHECK_IS(count, 1);
    got("6");
    CHECK_IS(READUPDATEX(file, buffer, 1), 0);
    CHECK_IS(READUPDATE(file, (short *)buffer, 1, &count), 0);
    got("6");
    CHECK_IS(READUPDATE(file, (short *)buffer, 1), 0);
    CHECK_IS(READUPDATEXL(file, buffer, 1, &counted), 0);
    CHECK_IS(READUPDATEXL(file, buffer, 1), 0);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 2, &counted), 0);
    CHECK_IS(counted, 2);
    got("67");
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 1), 0);
    CHECK_IS(WRITEUPDATEX(file, "x", 1, &count), 0);
    CHECK_IS(count, 1);
    CHECK_IS(WRITEUPDATEX(file, "y", 1), 0);
    CHECK_IS(FILE_WRITEUPDATE64_(file, "z", 1, &counted), 0);
    CHECK_IS(FILE_WRITEUPDATE64_(file, "u", 1), 0);
    holds("012345u789");
    /* Writes. */
    CHECK_IS(WRITEX(file, "a", 1, &count), 0);
    CHECK_IS(count, 1);
    CHECK_IS(WRITEX(file, "b", 1), 0);
    CHECK_IS(WRITE(file, (short *)"c", 1, &count), 0);
    CHECK_IS(WRITE(file, (short *)"d", 1), 0);
    CHECK_IS(FILE_WRITE64_(file, "ef", 2, &counted), 0);
    CHECK_IS(counted, 2);
    CHECK_IS(FILE_WRITE64_(file, "g", 1), 0);
    holds("012345uabcdefg");
    CHECK_IS(WRITEX(file, "", 0, &count), 0);
    CHECK_IS(count, 0);
    /* The end: error 1, and nothing read. */
    CHECK_IS(READX(file, buffer, 5, &count), 1);
    CHECK_IS(error(), 1);
    CHECK_IS(count, 0);
    CHECK_IS(READ(file, (short *)buffer, 5), 1);
    CHECK_IS(FILE_READ64_(file, buffer, 5, &counted), 1);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 5), 1);
    CHECK_IS(POSITION(file, 12), 0);
    CHECK_IS(READX(file, buffer, 10, &count), 0);
    CHECK_IS(count, 2);
    CHECK_IS(POSITION(file, -1), 0);
    CHECK_IS(WRITEX(file, "h", 1), 0);
    CHECK_IS(WRITEUPDATEX(file, "i", 1), 0);
    CHECK_IS(POSITION(file, 100), 0);
    CHECK_IS(WRITEUPDATEX(file, "i", 1), 1);
    CHECK_IS(error(), 1);
    CHECK_IS(POSITION(file, -2), -1);
    CHECK_IS(error(), 23);
    holds("012345uabcdefgi");
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void refused(void)
{
    struct rlimit both;

    make_file("0123456789");
    CHECK_IS(OPEN(in_directory("data"), &file), 0);
    CHECK_IS(WRITEREADX(file, buffer, 1, 1), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(WRITEREAD(file, (short *)buffer, 1, 1), 1);
    CHECK_IS(FILE_WRITEREAD64_(file, buffer, buffer, 1, 1), 2);
    CHECK_IS(FILE_WRITEREAD_(file, buffer, buffer, 1, 1), 2);
    CHECK_IS(READX(file, buffer, 57345), -1);
    CHECK_IS(error(), 21);
    CHECK_IS(FILE_READ64_(file, buffer, -1), 21);
    CHECK_IS(READUPDATEX(file, (char *)NULL, 1), -1);
    CHECK_IS(error(), 22);
    CHECK_IS(CONTROL(file, 99), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(READUPDATEX(file, buffer, 1), -1);
    CHECK_IS(error_of(-1), 16);
    CHECK_IS(READUPDATEXL(file, buffer, 1), 16);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 1), 16);
    CHECK_IS(READUPDATE(file, (short *)buffer, 1), -1);

    CHECK_IS(OPEN(path, &file, 1), 0);
    CHECK_IS(WRITEX(file, "x", 1), -1);
    CHECK_IS(error(), 49);
    CHECK_IS(WRITE(file, (short *)"x", 1), -1);
    CHECK_IS(FILE_WRITE64_(file, "x", 1), 49);
    CHECK_IS(WRITEUPDATEX(file, "x", 1), -1);
    CHECK_IS(READX(file, buffer, 1), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(OPEN(path, &file, 2), 0);
    CHECK_IS(READX(file, buffer, 1), -1);
    CHECK_IS(error(), 49);
    CHECK_IS(READUPDATE(file, (short *)buffer, 1), -1);
    CHECK_IS(READUPDATEXL(file, buffer, 1), 49);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 1), 49);
    CHECK_IS(FILE_READ64_(file, buffer, 1), 49);
    /* A file that may not grow. */
    getrlimit(RLIMIT_FSIZE, &both);
    both.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &both);
    CHECK_IS(POSITION(file, -1), 0);
    CHECK_IS(FILE_WRITE64_(file, "x", 1), 45);
    CHECK_IS(WRITEX(file, "x", 1), -1);
    CHECK_IS(error(), 45);
    both.rlim_cur = both.rlim_max;
    setrlimit(RLIMIT_FSIZE, &both);
    CHECK_IS(FILE_WRITE64_(file, "x", 1), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
    /* A device that is full. */
    CHECK_IS(OPEN("/dev/full", &file, 2), 0);
    CHECK_IS(FILE_WRITE64_(file, "x", 1), 43);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void nowait(void)
{
    short which = -1;
    int tag = -9;
    long long long_tag = -9;

    make_file("0123456789");
    CHECK_IS(OPEN(in_directory("data"), &file, , , 1), 0);
    CHECK_IS(READX(file, buffer, 3, , 41), 0);
    CHECK_IS(READX(file, buffer, 3, , 42), -1);
    CHECK_IS(error(), 28);
    CHECK_IS(AWAITIOX(&which, , &count, &tag), 0);
    CHECK_IS(which, file);
    CHECK_IS(count, 3);
    CHECK_IS(tag, 41);
    CHECK_IS(FILE_WRITE64_(file, "abc", 3, , 43), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted, &long_tag), 0);
    CHECK_IS(counted, 3);
    CHECK_IS(long_tag, 43);
    CHECK_IS(FILE_READUPDATE64_(file, buffer, 3, , 44), 0);
    CHECK_IS(AWAITIOXL(&which, , , &long_tag), 0);
    CHECK_IS(long_tag, 44);
    got("abc");
    CHECK_IS(POSITION(file, -1), 0);
    CHECK_IS(READ(file, (short *)buffer, 3, , 45), 0);
    CHECK_IS(AWAITIO(&which, , &count, &tag), 1);
    CHECK_IS(error(), 1);
    CHECK_IS(tag, 45);
    CHECK_IS(READX(file, buffer, 3, , 46), 0);
    CHECK_IS(CANCEL(file), 0);
    CHECK_IS(READX(file, buffer, 3, , 47), 0);
    CHECK_IS(CANCELREQ(file, 47), 0);
    CHECK_IS(CANCEL(file), -1);
    CHECK_IS(error(), 26);
    CHECK_IS(FILE_CLOSE_(file), 0);
    holds("012abc6789");
}

/* A pipe: lines. */
static void lines(void)
{
    short writer = -9, which = -1;
    int descriptor;

    CHECK_IS(mkfifo(in_directory("pipe"), 0600), 0);
    descriptor = open(path, O_RDWR);
    CHECK_IS(OPEN(path, &file, 1, , 1), 0);
    CHECK_IS(OPEN(path, &writer, 2), 0);
    CHECK_IS(READX(file, buffer, 50, , 51), 0);
    CHECK_IS(FILE_AWAITIO64_(&which, , , , 0), 40);
    CHECK_IS(WRITEX(writer, "a line", 6, &count), 0);
    CHECK_IS(count, 6);
    which = -1;
    CHECK_IS(FILE_AWAITIO64_(&which, , &counted), 0);
    CHECK_IS(counted, 6);
    got("a line");
    CHECK_IS(READUPDATEX(file, buffer, 5), 1);
    CHECK_IS(error(), 2);
    CHECK_IS(READX(file, buffer, 50, , 52), 0);
    which = file;
    CHECK_IS(FILE_AWAITIO64_(&which, , , , 1), 40);
    CHECK_IS(FILE_AWAITIO64_(&which, , , , 1), 26);
    CHECK_IS(FILE_CLOSE_(file), 0);
    CHECK_IS(FILE_CLOSE_(writer), 0);
    close(descriptor);
}

int main(int argc, char **argv)
{
    static const struct check list[] = {
        {"waited", waited}, {"refused", refused}, {"nowait", nowait}, {"lines", lines},
    };
    directory = argc > 1 ? argv[1] : "";
    return run_checks(1, argv, list, sizeof list / sizeof list[0]);
}
