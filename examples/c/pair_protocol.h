/* What requesters say to the server of pair_server.c: a text line, answered by a text line.
 *
 *   ADD text    appends "text" to the server's file;  answer: OK number-of-the-record
 *   COUNT       answer: OK number-of-records
 *   OPENERS     answer: OK number-of-opens-of-the-server, the asker's among them
 *   SWITCH      the primary and the backup exchange their roles;  answer: OK or NO reason
 */
#ifndef PAIR_PROTOCOL_H
#define PAIR_PROTOCOL_H

#define REQUEST_BYTES_MAX 256
#define REPLY_BYTES_MAX   80

#endif
