/* The verbs of central logging; alpha acts. Argument "none": nobody acts. */
#include "check.h"

int main(int argc, char **argv)
{
  QUERY_CENTRAL_LOGGER logger;
  QUERY_CENTRAL_LOGGING query;
  SET_CENTRAL_LOGGING set;
  SET_GLOBAL_LOG_TYPE global;
  SET_LOG_TYPE local;
  START(logger, AP_QUERY_CENTRAL_LOGGER);
  nof(0, &logger);
  if (argc > 1 && strcmp(argv[1], "none") == 0) {
    EXPECT(logger, AP_STATE_CHECK, AP_NO_CENTRAL_LOG);
    AP_UINT32 self = connect_node(AP_SPECIFIED_NODE, "");
    START(query, AP_QUERY_CENTRAL_LOGGING);
    nof(self, &query);
    EXPECT(query, AP_STATE_CHECK, AP_NO_CENTRAL_LOG);
    return done();
  }
  EXPECT(logger, AP_OK, 0);
  CHECK(is_name(logger.node_name, "alpha"));

  AP_UINT32 central = connect_node(AP_CENTRAL_LOGGER, ""), beta = connect_node(AP_SPECIFIED_NODE, "beta");
  AP_UINT32 file = open_file(AP_MASTER);
  START(query, AP_QUERY_CENTRAL_LOGGING);
  nof(central, &query);
  EXPECT(query, AP_OK, 0);
  CHECK(query.enabled == AP_YES);
  START(query, AP_QUERY_CENTRAL_LOGGING);
  nof(beta, &query);
  EXPECT(query, AP_PARAMETER_CHECK, AP_NOT_CENTRAL_LOGGER);
  START(query, AP_QUERY_CENTRAL_LOGGING);
  nof(file, &query);
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  START(set, AP_SET_CENTRAL_LOGGING);
  nof(central, &set);
  EXPECT(set, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);

  set_mode(central, AP_MODE_READ_WRITE);
  set_mode(beta, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  START(set, AP_SET_CENTRAL_LOGGING);
  set.enabled = AP_NO;
  nof(beta, &set);
  EXPECT(set, AP_PARAMETER_CHECK, AP_NOT_CENTRAL_LOGGER);
  nof(central, &set);
  EXPECT(set, AP_OK, 0);
  START(query, AP_QUERY_CENTRAL_LOGGING);
  nof(central, &query);
  CHECK(query.enabled == AP_NO);
  set.enabled = AP_YES;
  nof(central, &set);
  EXPECT(set, AP_OK, 0);

  START(global, AP_SET_GLOBAL_LOG_TYPE);
  global.audit = AP_YES;
  global.exception = global.succinct_audits = global.succinct_errors = AP_LEAVE_UNCHANGED;
  nof(beta, &global);
  EXPECT(global, AP_PARAMETER_CHECK, AP_NOT_CENTRAL_LOGGER);
  nof(central, &global);
  EXPECT(global, AP_OK, 0);
  START(global, AP_QUERY_GLOBAL_LOG_TYPE);
  nof(central, &global);
  EXPECT(global, AP_OK, 0);
  CHECK(global.audit == AP_YES && global.exception == AP_YES);

  AP_UINT32 self = connect_node(AP_SPECIFIED_NODE, "");
  set_mode(self, AP_MODE_READ_WRITE);
  START(local, AP_SET_LOG_TYPE);
  local.override = AP_YES;
  local.audit = AP_NO;
  local.exception = local.succinct_audits = local.succinct_errors = AP_LEAVE_UNCHANGED;
  nof(self, &local);
  EXPECT(local, AP_OK, 0);
  START(local, AP_QUERY_LOG_TYPE);
  nof(self, &local);
  EXPECT(local, AP_OK, 0);
  CHECK(local.override == AP_YES && local.audit == AP_NO && local.exception == AP_YES);
  START(local, AP_SET_LOG_TYPE);
  local.override = AP_NO;
  nof(self, &local);
  EXPECT(local, AP_OK, 0);
  START(local, AP_QUERY_LOG_TYPE);
  nof(self, &local);
  CHECK(local.override == AP_NO && local.audit == AP_YES);
  return done();
}
