/* QUERY_SNA_NET; the list is alpha, beta. */
#include "check.h"

static QUERY_SNA_NET query;
static AP_UINT8 buffer[4 * sizeof(BACKUP_SUMMARY)];

static void ask(AP_UINT32 handle, AP_UINT8 options, const char *from, AP_UINT16 entries, AP_UINT32 size)
{
  START(query, AP_QUERY_SNA_NET);
  memset(buffer, 0xEE, sizeof buffer);
  query.buf_ptr = size ? buffer : NULL;
  query.buf_size = size;
  query.num_entries = entries;
  query.list_options = options;
  put_name(query.server_name, from);
  nof(handle, &query);
}

static int entry_is(int index, const char *name)
{
  BACKUP_SUMMARY entry;
  size_t at = 0;
  for (int i = 0; i < index; i++) {
    AP_UINT16 overlay;
    memcpy(&overlay, buffer + at, 2);
    at += overlay;
  }
  memcpy(&entry, buffer + at, sizeof entry);
  return entry.overlay_size == sizeof entry && is_name(entry.server_name, name);
}

int main(void)
{
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER);
  ask(net, AP_FIRST_IN_LIST, "ignored", 0, sizeof buffer);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 2 && query.total_num_entries == 2);
  CHECK(query.buf_size == 2 * sizeof(BACKUP_SUMMARY) && query.total_buf_size == 2 * sizeof(BACKUP_SUMMARY));
  CHECK(strcmp((char *)query.domain_name, "plant") == 0 && query.security == 0);
  CHECK(entry_is(0, "alpha") && entry_is(1, "beta"));
  CHECK(buffer[2 * sizeof(BACKUP_SUMMARY)] == 0xEE);

  ask(net, AP_FIRST_IN_LIST, "", 1, sizeof buffer);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 1 && query.total_num_entries == 2 && entry_is(0, "alpha"));
  ask(net, AP_LIST_FROM_NEXT, "alpha", 0, sizeof buffer);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 1 && query.total_num_entries == 1 && entry_is(0, "beta"));
  ask(net, AP_LIST_INCLUSIVE, "alpha", 0, sizeof buffer);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 2);
  ask(net, AP_LIST_FROM_NEXT, "beta", 0, sizeof buffer);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 0);
  ask(net, AP_FIRST_IN_LIST, "", 0, sizeof(BACKUP_SUMMARY) + 1);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 1 && query.total_buf_size == 2 * sizeof(BACKUP_SUMMARY));
  ask(net, AP_FIRST_IN_LIST, "", 0, 0);
  EXPECT(query, AP_OK, 0);
  CHECK(query.num_entries == 0 && query.total_num_entries == 2);

  ask(net, 9, "", 0, sizeof buffer);
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_LIST_OPTION);
  ask(net, AP_LIST_INCLUSIVE, "nobody", 0, sizeof buffer);
  EXPECT(query, AP_STATE_CHECK, AP_RECORD_NOT_FOUND);
  ask(net, AP_LIST_FROM_NEXT, "nobody", 0, sizeof buffer);
  EXPECT(query, AP_STATE_CHECK, AP_RECORD_NOT_FOUND);
  ask(file, AP_FIRST_IN_LIST, "", 0, sizeof buffer);
  EXPECT(query, AP_STATE_CHECK, AP_INVALID_TARGET);
  ask(0, AP_FIRST_IN_LIST, "", 0, sizeof buffer);
  EXPECT(query, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  return done();
}
