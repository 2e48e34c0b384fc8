/* ADD_BACKUP. Argument "client": on a computer that is no server. */
#include "check.h"

int main(int argc, char **argv)
{
  ADD_BACKUP add;
  DELETE_BACKUP del;
  if (argc > 1 && strcmp(argv[1], "client") == 0) {
    AP_UINT32 net = open_file(AP_SNA_NET);
    backup(AP_ADD_BACKUP, net, "delta", &add);
    EXPECT(add, AP_PARAMETER_CHECK, AP_NOT_SERVER);
    set_mode(net, AP_MODE_READ_WRITE);
    EXPECT(last_mode, AP_PARAMETER_CHECK, AP_NOT_SERVER);
    close_file(net);
    return done();
  }
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), node = connect_node(AP_SPECIFIED_NODE, "");
  backup(AP_ADD_BACKUP, net, "delta", &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  backup(AP_ADD_BACKUP, file, "delta", &add);
  EXPECT(add, AP_STATE_CHECK, AP_INVALID_TARGET);
  backup(AP_ADD_BACKUP, node, "delta", &add);
  EXPECT(add, AP_STATE_CHECK, AP_INVALID_TARGET);
  backup(AP_ADD_BACKUP, 0, "delta", &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);

  set_mode(net, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  START(add, AP_ADD_BACKUP);
  add.format = 1;
  nof(net, &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_FORMAT);
  backup(AP_ADD_BACKUP, net, "", &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_SERVER_NAME);
  backup(AP_ADD_BACKUP, net, "b\xc3\xa4r", &add);
  EXPECT(add, AP_PARAMETER_CHECK, AP_INVALID_SERVER_NAME);
  backup(AP_ADD_BACKUP, net, "ALPHA   ", &add);
  EXPECT(add, AP_STATE_CHECK, AP_DUPLICATE_RECORD);
  backup(AP_ADD_BACKUP, net, "alpha.example.org", &add);
  EXPECT(add, AP_STATE_CHECK, AP_DUPLICATE_RECORD);

  /* A name without room for a NUL. */
  char whole[NAME_BYTES + 1];
  memset(whole, 'w', NAME_BYTES);
  whole[NAME_BYTES] = 0;
  backup(AP_ADD_BACKUP, net, whole, &add);
  EXPECT(add, AP_OK, 0);
  backup(AP_ADD_BACKUP, net, whole, &add);
  EXPECT(add, AP_STATE_CHECK, AP_DUPLICATE_RECORD);
  backup(AP_DELETE_BACKUP, net, whole, (ADD_BACKUP *)&del);
  EXPECT(del, AP_OK, 0);
  return done();
}
