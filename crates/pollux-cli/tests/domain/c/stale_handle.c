/* A handle that was opened before a takeover. The test moves the mastership after "opened" and then writes a byte. */
#include "check.h"
#include <unistd.h>

int main(void)
{
  ADD_BACKUP add;
  char byte;
  AP_UINT32 net = open_to_write(AP_SNA_NET), copy = open_file(AP_BACKUP);
  puts("opened");
  fflush(stdout);
  CHECK(read(0, &byte, 1) == 1);
  backup(AP_ADD_BACKUP, net, "late", &add);
  EXPECT(add, AP_STATE_CHECK, AP_NOT_MASTER);
  set_mode(net, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_MASTER);
  DOMAIN_CONFIG_FILE query;
  START(query, AP_QUERY_DOMAIN_CONFIG_FILE);
  nof(copy, &query);
  EXPECT(query, AP_OK, 0);
  close_file(net);
  close_file(open_to_write(AP_SNA_NET));
  return done();
}
