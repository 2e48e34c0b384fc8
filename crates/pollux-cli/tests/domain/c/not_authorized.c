/* A user who is not an administrator reads, and changes nothing. Run by root, which becomes that user; the directories of the test are
 * root's own, so the right to pass through them is kept. */
#include "check.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

static void become_nobody(void)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  unsigned pass = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
  memset(data, 0, sizeof data);
  CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
  CHECK(setuid(NOBODY) == 0);
  data[0].effective = data[0].permitted = pass;
  CHECK(syscall(SYS_capset, &header, data) == 0);
  CHECK(geteuid() == NOBODY);
}

int main(void)
{
  ADD_BACKUP add;
  become_nobody();
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), node = connect_node(AP_SPECIFIED_NODE, "");
  set_mode(net, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_AUTHORIZED);
  set_mode(file, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_AUTHORIZED);
  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_AUTHORIZED);
  set_mode(node, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_AUTHORIZED);
  set_mode(net, AP_MODE_READ_ONLY);
  EXPECT(last_mode, AP_OK, 0);
  backup(AP_ADD_BACKUP, net, "mine", &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  close_file(net);
  close_file(file);
  return done();
}
