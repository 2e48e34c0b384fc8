/* DEFINE_DOMAIN_CONFIG_FILE and QUERY_DOMAIN_CONFIG_FILE. */
#include "check.h"

static DOMAIN_CONFIG_FILE block;

static void define(AP_UINT32 handle, const char *comment)
{
  START(block, AP_DEFINE_DOMAIN_CONFIG_FILE);
  strcpy((char *)block.hdr.comment, comment);
  nof(handle, &block);
}

static void query(AP_UINT32 handle)
{
  START(block, AP_QUERY_DOMAIN_CONFIG_FILE);
  nof(handle, &block);
}

int main(void)
{
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), other = open_file(AP_BACKUP);
  define(file, "x");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  define(net, "x");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  query(net);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  query(file);
  EXPECT(block, AP_OK, 0);
  AP_UINT32 before = block.hdr.revision_level;

  set_mode(file, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  define(file, "night shift");
  EXPECT(block, AP_OK, 0);
  query(other);
  EXPECT(block, AP_OK, 0);
  CHECK(strcmp((char *)block.hdr.comment, "night shift") == 0);
  CHECK(block.hdr.revision_level == before + 1);

  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_OK, 0);
  define(file, "day shift");
  EXPECT(block, AP_OK, 0);
  query(file);
  CHECK(strcmp((char *)block.hdr.comment, "day shift") == 0);
  query(other);
  CHECK(strcmp((char *)block.hdr.comment, "night shift") == 0);
  set_mode(file, AP_MODE_READ_ONLY);
  EXPECT(last_mode, AP_OK, 0);
  query(other);
  CHECK(strcmp((char *)block.hdr.comment, "day shift") == 0);
  return done();
}
