/* System messages for checks. */
static short message[600];
static unsigned short message_bytes;

/* The next system message with this number; all before it are read and answered. */
static inline void await(short number)
{
    do {
        memset(message, 0, sizeof message);
        READUPDATEX(0, (char *)message, sizeof message, &message_bytes);
        REPLYX();
    } while (message[0] != number);
}

/* The next message is the signal of a timer. */
static inline void read_signal(short number, short param1, int param2)
{
    int second;

    CHECK_IS(READUPDATEX(0, (char *)message, sizeof message, &message_bytes), 1);
    CHECK_IS(error_of(0), 6);
    CHECK_IS(message_bytes, 8);
    CHECK_IS(message[0], number);
    CHECK_IS(message[1], param1);
    memcpy(&second, &message[2], 4);
    CHECK_IS(second, param2);
    REPLYX();
}
