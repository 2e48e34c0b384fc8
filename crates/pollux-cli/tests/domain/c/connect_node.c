/* CONNECT_NODE; alpha and beta run, delta is in the list and does not. Argument "none": nobody acts. */
#include "check.h"

static CONNECT_NODE block;

static void ask(AP_UINT32 target, AP_UINT8 type, const char *name)
{
  START(block, AP_CONNECT_NODE);
  block.node_type = type;
  put_name(block.node_name, name);
  nof(target, &block);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "none") == 0) {
    ask(0, AP_CENTRAL_LOGGER, "");
    EXPECT(block, AP_STATE_CHECK, AP_CONNECTION_NOT_MADE);
    return done();
  }
  ask(0, AP_SPECIFIED_NODE, "");
  EXPECT(block, AP_OK, 0);
  CHECK(block.target_handle != 0 && block.node_status == AP_NDE_STARTED);
  ask(0, AP_SPECIFIED_NODE, "beta");
  EXPECT(block, AP_OK, 0);
  ask(0, AP_CENTRAL_LOGGER, "ignored");
  EXPECT(block, AP_OK, 0);
  ask(0, AP_SPECIFIED_NODE, "delta");
  EXPECT(block, AP_STATE_CHECK, AP_CONNECTION_NOT_MADE);
  ask(0, AP_SPECIFIED_NODE, "nobody");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_NODE_NAME);
  ask(0, AP_SPECIFIED_NODE, "b d");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_NODE_NAME);
  ask(0, 9, "beta");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_NODE_NAME);
  ask(3, AP_SPECIFIED_NODE, "beta");
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  return done();
}
