/* CLOSE_FILE and DISCONNECT_NODE. */
#include "check.h"

int main(void)
{
  CLOSE_FILE close;
  DISCONNECT_NODE disconnect;
  AP_UINT32 net = open_file(AP_SNA_NET), node = connect_node(AP_SPECIFIED_NODE, "");

  START(close, AP_CLOSE_FILE);
  nof(0, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  START(close, AP_CLOSE_FILE);
  nof(4711, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  START(close, AP_CLOSE_FILE);
  nof(node, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  START(disconnect, AP_DISCONNECT_NODE);
  nof(net, &disconnect);
  EXPECT(disconnect, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  START(close, AP_CLOSE_FILE);
  close.format = 3;
  nof(net, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_FORMAT);

  close_file(net);
  START(close, AP_CLOSE_FILE);
  nof(net, &close);
  EXPECT(close, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  START(disconnect, AP_DISCONNECT_NODE);
  nof(node, &disconnect);
  EXPECT(disconnect, AP_OK, 0);
  START(disconnect, AP_DISCONNECT_NODE);
  nof(node, &disconnect);
  EXPECT(disconnect, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  return done();
}
