/* Files by their names: made, looked at, found, renamed and removed. Run on an empty volume $DATA. */
#include "check.h"

#define LENGTH(text) ((short)(sizeof(text) - 1))
#define OPEN(name, file) FILE_OPEN_(name, LENGTH(name), &(file))

static short create(const char *name)
{
    char text[48];
    short length = (short)strlen(name);

    memcpy(text, name, (size_t)length);
    return FILE_CREATE_(text, (short)sizeof text, &length);
}

static void made_and_removed(void)
{
    char name[48] = "$DATA";
    short length = 5, file, other, error, types[5];

    CHECK_IS(create("$data.sub.first"), 0);
    CHECK_IS(create("$data.sub.first"), 10);
    FILE_GETINFO_(-1, &error);
    CHECK_IS(error, 10);
    CHECK_IS(create("$data.sub"), 13);
    CHECK_IS(create("$none.sub.first"), 14);
    length = LENGTH("$data.sub.keyed");
    memcpy(name, "$data.sub.keyed", (size_t)length);
    CHECK_IS(FILE_CREATE_(name, (short)sizeof name, &length, 180, 4, 4, , 3), 564);
    CHECK_IS(FILE_CREATE_(name, (short)sizeof name), 29);
    /* A temporary file has a name that is made up. */
    memcpy(name, "$DATA", 5);
    length = 5;
    CHECK_IS(FILE_CREATE_(name, (short)sizeof name, &length), 0);
    CHECK_IS(length, 14);
    CHECK_IS(memcmp(name, "$DATA.#", 7), 0);
    CHECK_IS(FILE_OPEN_(name, length, &file), 0);
    CHECK_IS(FILE_PURGE_(name, length), 12);
    CHECK_IS(CLOSE(file), 0);
    CHECK_IS(CLOSE(file), -1);
    CHECK_IS(FILE_PURGE_(name, length), 0);
    CHECK_IS(FILE_PURGE_(name, length), 11);
    /* Looked at. */
    CHECK_IS(FILE_GETINFOBYNAME_("$DATA.SUB.FIRST", 15, types), 0);
    CHECK_IS(types[0], 3);
    CHECK_IS(types[4], 180);
    CHECK_IS(FILE_GETINFOBYNAME_("$DATA.SUB.NONE", 14, types), 11);
    CHECK_IS(FILE_GETINFOBYNAME_("$TEST", 5, types), 0);
    CHECK_IS(types[0], 0);
    CHECK_IS(FILE_GETINFOBYNAME_("$NOONE", 6, types), 14);
    CHECK_IS(FILE_GETINFOBYNAME_("/dev/null", 9, types), 0);
    CHECK_IS(types[0], 6);
    CHECK_IS(FILE_GETINFOBYNAME_("$DATA.SUB.FIRST", 15, , , 1), 590);
    CHECK_IS(FILE_GETINFOBYNAME_(), 29);
    /* Renamed while it is open. */
    CHECK_IS(create("$data.sub.second"), 0);
    CHECK_IS(OPEN("$data.sub.first", file), 0);
    CHECK_IS(FILE_RENAME_(file, "$data.sub.second", 16), 10);
    CHECK_IS(error_of(file), 10);
    CHECK_IS(FILE_RENAME_(file, "$data.new.third", 15), 0);
    CHECK_IS(OPEN("$data.sub.first", other), 11);
    CHECK_IS(OPEN("$data.new.third", other), 0);
    CHECK_IS(FILE_CLOSE_(other), 0);
    CHECK_IS(FILE_RENAME_(99, "$data.new.third", 15), 16);
    CHECK_IS(FILE_RENAME_(0, "$data.new.third", 15), 16);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void positions(void)
{
    char bytes[8] = "abcdefg", old[24];
    short file, receive, error = -1, type, code, depth, next;
    int end, record;
    long current;

    CHECK_IS(FILE_OPEN_("$data.sub.second", 16, &file, , , , 3), 0);
    CHECK_IS(WRITEX(file, bytes, 8), 0);
    CHECK_IS(FILE_SETPOSITION_(file, 3), 0);
    CHECK_IS(READX(file, bytes, 2), 0);
    CHECK_IS(memcmp(bytes, "de", 2), 0);
    CHECK_IS(FILEINFO(file, &error, , , &type, , &end, &record, , &code, , &current, , , , , , , , , , , , , &depth), 0);
    CHECK_IS(error, 0);
    CHECK_IS(type >> 6, 3);
    CHECK_IS(end, 8);
    CHECK_IS(record, 5);
    CHECK_IS(current, 3);
    CHECK_IS(code, 180);
    CHECK_IS(depth, 3);
    CHECK_IS(FILE_SETPOSITION_(file, -1), 0);
    CHECK_IS(READX(file, bytes, 2), 1);
    CHECK_IS(FILE_SETPOSITION_(file, -2), 23);
    CHECK_IS(FILEINFO(file, &error, , , , , , &record), 0);
    CHECK_IS(error, 23);
    CHECK_IS(record, -1);
    CHECK_IS(FILEINFO(77, &error), -1);
    CHECK_IS(error, 16);
    CHECK_IS(FILE_OPEN_("$RECEIVE", 8, &receive), 0);
    CHECK_IS(FILE_SETPOSITION_(receive, 0), 2);
    CHECK_IS(FILEINFO(receive, &error, (short *)old, , , , , , , , , , , , , , , , , , , , , , , &next), 0);
    CHECK_IS(memcmp(old, "$RECEIVE                ", 24), 0);
    CHECK_IS(next, file);
    CHECK_IS(FILE_CLOSE_(receive), 0);
    CHECK_IS(FILE_CLOSE_(file), 0);
}

static void check_next(int line, short search, const char *wanted)
{
    char name[48];
    short length = -1, entity[5] = {0};

    check_is(line, "the search", FILENAME_FINDNEXT_(search, name, (short)sizeof name, &length, entity), 0);
    name[length] = '\0';
    check_text(line, "name", name, wanted);
    check_is(line, "entity[0]", entity[0], 3);
}

static void found(void)
{
    char name[48];
    short search, other, length;

    CHECK_IS(FILENAME_FINDSTART_(&search, "$data.*.*", 9), 0);
    CHECK_IS(FILENAME_FINDSTART_(&other, "s*", 2, 2, 3, -1), 0);
    check_next(__LINE__, search, "\\TEST.$DATA.NEW.THIRD");
    check_next(__LINE__, other, "SECOND");
    check_next(__LINE__, search, "\\TEST.$DATA.SUB.SECOND");
    CHECK_IS(FILENAME_FINDNEXT_(search, name, (short)sizeof name, &length), 1);
    CHECK_IS(FILENAME_FINDNEXT_(other, name, (short)sizeof name, &length), 1);
    CHECK_IS(length, 0);
    CHECK_IS(FILENAME_FINDFINISH_(search), 0);
    CHECK_IS(FILENAME_FINDFINISH_(search), 590);
    CHECK_IS(FILENAME_FINDFINISH_(other), 0);
    /* From a name on, which need not exist; too little room for the next. */
    CHECK_IS(FILENAME_FINDSTART_(&search, "$data.*.*", 9, 1, , , , "$data.new.z", 11), 0);
    CHECK_IS(FILENAME_FINDNEXT_(search, name, 3, &length), 563);
    CHECK_IS(FILENAME_FINDFINISH_(search), 0);
    CHECK_IS(FILENAME_FINDSTART_(&search), 0);
    check_next(__LINE__, search, "\\TEST.$DATA.SUB.SECOND");
    CHECK_IS(FILENAME_FINDFINISH_(search), 0);
    CHECK_IS(FILENAME_FINDSTART_(&search, "$none.*.*", 9), 14);
    CHECK_IS(search, -1);
    CHECK_IS(FILENAME_FINDSTART_(&search, "$data.a-b.*", 11), 13);
    CHECK_IS(FILENAME_FINDSTART_(&search, "\\far.$data.a.*", 14), 18);
    CHECK_IS(FILENAME_FINDSTART_(&search, "*", 1, 9), 590);
    CHECK_IS(FILENAME_FINDSTART_(), 29);
}

int main(void)
{
    made_and_removed();
    positions();
    found();
    printf("PASSED\n");
    return 0;
}
