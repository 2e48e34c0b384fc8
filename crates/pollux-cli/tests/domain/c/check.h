/* What the test programs of the NOF verbs share: a failed expectation is named with its line, and the program goes on. */
#ifndef CHECK_H
#define CHECK_H

#include <nof_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES POLLUX_NOF_NAME_BYTES

/* No program uses all of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

static int failures;

/* Codes stand big-endian in memory; read so they are the numbers of the books. */
static unsigned code16(AP_UINT16 code) { return POLLUX_CODE16(code); }
static unsigned code32(AP_UINT32 code) { return POLLUX_CODE32(code); }

static void expect_codes(int line, const char *what, const void *block, AP_UINT16 primary, AP_UINT32 secondary)
{
  const NOF_HDR *header = block;
  const char *seen = getenv("POLLUX_NOF_SEEN");
  FILE *file = seen ? fopen(seen, "a") : NULL;
  if (file) {
    /* What the test about the tables of the books reads: verb, primary code, secondary code. */
    fprintf(file, "%04X %04X %08X\n", code16(header->opcode), code16(header->primary_rc),
            primary == AP_OK ? 0 : code32(header->secondary_rc));
    fclose(file);
  }
  if (header->primary_rc != primary || (primary != AP_OK && header->secondary_rc != secondary)) {
    printf("line %d: %s: got %04X/%08X, not %04X/%08X\n", line, what, code16(header->primary_rc),
           code32(header->secondary_rc), code16(primary), code32(secondary));
    failures++;
  }
}

#define EXPECT(block, primary, secondary) expect_codes(__LINE__, #block, &(block), primary, secondary)

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      printf("line %d: not true: %s\n", __LINE__, #condition); \
      failures++; \
    } \
  } while (0)

/* A zeroed block with its opcode. */
#define START(block, code) (memset(&(block), 0, sizeof(block)), (block).opcode = (code))

static void put_name(AP_UINT8 *field, const char *text)
{
  memset(field, 0, NAME_BYTES);
  memcpy(field, text, strlen(text) < NAME_BYTES ? strlen(text) : NAME_BYTES);
}

static int is_name(const AP_UINT8 *field, const char *text)
{
  AP_UINT8 wanted[NAME_BYTES];
  put_name(wanted, text);
  return memcmp(field, wanted, NAME_BYTES) == 0;
}

/* A handle on a file, read-only; ends the program when there is none. */
static AP_UINT32 open_file(AP_UINT8 role)
{
  OPEN_FILE open;
  START(open, AP_OPEN_FILE);
  open.file_info.requested_role = role;
  nof(0, &open);
  if (open.primary_rc != AP_OK) {
    printf("no file of role %d: %04X/%08X\n", role, code16(open.primary_rc), code32(open.secondary_rc));
    exit(1);
  }
  return open.target_handle;
}

static void close_file(AP_UINT32 handle)
{
  CLOSE_FILE close;
  START(close, AP_CLOSE_FILE);
  nof(handle, &close);
  EXPECT(close, AP_OK, 0);
}

static AP_UINT32 connect_node(AP_UINT8 type, const char *name)
{
  CONNECT_NODE connect;
  START(connect, AP_CONNECT_NODE);
  connect.node_type = type;
  put_name(connect.node_name, name);
  nof(0, &connect);
  if (connect.primary_rc != AP_OK) {
    printf("no node %s: %04X/%08X\n", name, code16(connect.primary_rc), code32(connect.secondary_rc));
    exit(1);
  }
  return connect.target_handle;
}

static SET_PROCESSING_MODE last_mode;

static void set_mode(AP_UINT32 handle, unsigned mode)
{
  START(last_mode, AP_SET_PROCESSING_MODE);
  last_mode.mode = mode;
  nof(handle, &last_mode);
}

static AP_UINT32 open_to_write(AP_UINT8 role)
{
  AP_UINT32 handle = open_file(role);
  set_mode(handle, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  return handle;
}

static void backup(AP_UINT16 opcode, AP_UINT32 handle, const char *name, ADD_BACKUP *block)
{
  memset(block, 0, sizeof *block);
  block->opcode = opcode;
  put_name(block->backup_name, name);
  nof(handle, block);
}

static int done(void)
{
  if (failures == 0) {
    puts("ok");
  }
  return failures != 0;
}

#endif
