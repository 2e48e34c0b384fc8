/* DELETE_BACKUP. Argument: the only server of the list that runs; the list is alpha, beta before and after. */
#include "check.h"

int main(int argc, char **argv)
{
  ADD_BACKUP block;
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), node = connect_node(AP_SPECIFIED_NODE, "");
  backup(AP_DELETE_BACKUP, net, "beta", &block);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  backup(AP_DELETE_BACKUP, file, "beta", &block);
  EXPECT(block, AP_STATE_CHECK, AP_INVALID_TARGET);
  backup(AP_DELETE_BACKUP, node, "beta", &block);
  EXPECT(block, AP_STATE_CHECK, AP_INVALID_TARGET);
  set_mode(net, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  backup(AP_DELETE_BACKUP, net, "nobody", &block);
  EXPECT(block, AP_STATE_CHECK, AP_RECORD_NOT_FOUND);
  backup(AP_DELETE_BACKUP, net, "", &block);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_SERVER_NAME);
  if (argc > 1) {
    backup(AP_DELETE_BACKUP, net, argv[1], &block);
    EXPECT(block, AP_STATE_CHECK, AP_CANT_DELETE_LAST_BACKUP);
    return done();
  }
  backup(AP_DELETE_BACKUP, net, "BETA", &block);
  EXPECT(block, AP_OK, 0);
  backup(AP_DELETE_BACKUP, net, "beta", &block);
  EXPECT(block, AP_STATE_CHECK, AP_RECORD_NOT_FOUND);
  backup(AP_DELETE_BACKUP, net, "alpha", &block);
  EXPECT(block, AP_STATE_CHECK, AP_CANT_DELETE_LAST_BACKUP);
  backup(AP_ADD_BACKUP, net, "beta", &block);
  EXPECT(block, AP_OK, 0);
  return done();
}
