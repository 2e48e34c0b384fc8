/* What the pairs with sockets have in common. */
#include "sockets.h"

/* The number of a new open of this pair's backup, which is started if there is none; the open before it is closed. */
static inline short open_backup(short open_before, const short *own)
{
    char name[64];
    short length, detail, partner, handle[10];

    if (open_before >= 0)
        FILE_CLOSE_(open_before);
    if (PROCESS_GETPAIRINFO_() == 4)
        CHECK_IS(__ns_start_backup(&detail, , handle), 0);
    CHECK_IS(PROCESSHANDLE_DECOMPOSE_((short *) own, , , , , , , name, sizeof name, &length), 0);
    CHECK_IS(FILE_OPEN_(name, length, &partner), 0);
    return partner;
}

/* What the backup is told of a socket, to open it as well. */
static inline void tell_of(int socket, int flags, struct open_info_message *info)
{
    memset(info, 0, sizeof *info);
    info->filenum = (short) socket;
    info->flags = flags;
    CHECK_IS(socket_get_open_info(info), 0);
}
