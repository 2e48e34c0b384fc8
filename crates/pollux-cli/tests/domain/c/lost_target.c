/* What is left of handles when the master is lost, then the node of the program itself. Nobody else may act. The test takes the one away
 * after each line, and then writes a byte. */
#include "check.h"
#include <unistd.h>

static void next(const char *line)
{
  char byte;
  puts(line);
  fflush(stdout);
  CHECK(read(0, &byte, 1) == 1);
}

int main(void)
{
  ADD_BACKUP add;
  DEFINE_DOMAIN_CONFIG_FILE define;
  DISCONNECT_NODE disconnect;
  SET_LOG_TYPE types;
  CLOSE_FILE close;
  AP_UINT32 net = open_to_write(AP_SNA_NET), file = open_file(AP_MASTER), node = connect_node(AP_SPECIFIED_NODE, "alpha");
  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_OK, 0);
  START(define, AP_DEFINE_DOMAIN_CONFIG_FILE);
  strcpy((char *)define.hdr.comment, "never written");
  nof(file, &define);
  EXPECT(define, AP_OK, 0);
  next("opened");

  /* The commit cannot be carried out; the library has closed the handle. */
  set_mode(file, AP_MODE_READ_ONLY);
  EXPECT(last_mode, AP_STATE_CHECK, AP_FILE_UNLOCK_FAILED);
  START(close, AP_CLOSE_FILE);
  nof(file, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  backup(AP_ADD_BACKUP, net, "late", &add);
  EXPECT(add, AP_STATE_CHECK, AP_FILE_UNAVAILABLE);
  backup(AP_DELETE_BACKUP, net, "alpha", &add);
  EXPECT(add, AP_STATE_CHECK, AP_FILE_UNAVAILABLE);
  do {
    START(types, AP_QUERY_LOG_TYPE);
    nof(node, &types);
  } while (types.primary_rc == AP_OK);
  EXPECT(types, AP_COMM_SUBSYSTEM_ABENDED, AP_TARGET_ABENDED);
  START(disconnect, AP_DISCONNECT_NODE);
  nof(node, &disconnect);
  EXPECT(disconnect, AP_OK, 0);
  next("alone");

  QUERY_CENTRAL_LOGGER logger;
  START(logger, AP_QUERY_CENTRAL_LOGGER);
  nof(0, &logger);
  EXPECT(logger, AP_COMM_SUBSYSTEM_ABENDED, AP_LOCAL_ABENDED);
  return done();
}
