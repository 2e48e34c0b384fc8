/* QUERY_NODE_ALL; the list is alpha, beta, and gamma is a peer. */
#include "check.h"

static QUERY_NODE_ALL query;
static NODE_SUMMARY entries[5];

static void ask(AP_UINT32 target, AP_UINT8 options, const char *from)
{
  START(query, AP_QUERY_NODE_ALL);
  query.buf_ptr = (AP_UINT8 *)entries;
  query.buf_size = sizeof entries;
  query.list_options = options;
  put_name(query.node_name, from);
  nof(target, &query);
}

int main(void)
{
  ask(0, AP_FIRST_IN_LIST, "");
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 3 && query.total_num_entries == 3);
  CHECK(is_name(entries[0].node_name, "alpha") && entries[0].config_role == AP_ROLE_MASTER);
  CHECK(is_name(entries[1].node_name, "beta") && entries[1].config_role == AP_ROLE_BACKUP);
  CHECK(is_name(entries[2].node_name, "gamma") && entries[2].config_role == AP_ROLE_NONE);
  CHECK(entries[0].overlay_size == sizeof(NODE_SUMMARY));
  ask(0, AP_LIST_FROM_NEXT, "beta    ");
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 1 && is_name(entries[0].node_name, "gamma"));
  ask(0, 9, "");
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_LIST_OPTION);
  ask(0, AP_LIST_INCLUSIVE, "nobody");
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_NODE_NAME);
  ask(7, AP_FIRST_IN_LIST, "");
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  return done();
}
