/* Sizes and offsets of every structure, as the books' field order and natural alignment give them. */
#include "check.h"

#define OFFSET(type, field, n64, n128) \
  CHECK(offsetof(type, field) == (size_t)(NAME_BYTES == 64 ? (n64) : (n128)))
#define SIZE(type, n64, n128) CHECK(sizeof(type) == (size_t)(NAME_BYTES == 64 ? (n64) : (n128)))

int main(void)
{
  OFFSET(NOF_HDR, primary_rc, 4, 4);
  OFFSET(NOF_HDR, secondary_rc, 8, 8);
  SIZE(NOF_HDR, 12, 12);
  OFFSET(ADD_BACKUP, backup_name, 12, 12);
  SIZE(ADD_BACKUP, 80, 144);
  SIZE(DELETE_BACKUP, 80, 144);
  OFFSET(CONFIG_FILE, role_supplied, 1, 1);
  OFFSET(CONFIG_FILE, system_name, 2, 2);
  OFFSET(CONFIG_FILE, file_name, 66, 130);
  SIZE(CONFIG_FILE, 147, 211);
  OFFSET(OPEN_FILE, file_info, 12, 12);
  OFFSET(OPEN_FILE, target_handle, 160, 224);
  SIZE(OPEN_FILE, 164, 232);
  SIZE(CLOSE_FILE, 12, 12);
  SIZE(DISCONNECT_NODE, 12, 12);
  OFFSET(CONNECT_NODE, node_type, 12, 12);
  OFFSET(CONNECT_NODE, node_name, 13, 13);
  OFFSET(CONNECT_NODE, target_handle, 80, 144);
  OFFSET(CONNECT_NODE, node_status, 84, 148);
  SIZE(CONNECT_NODE, 88, 164);
  OFFSET(SET_PROCESSING_MODE, mode, 12, 12);
  SIZE(SET_PROCESSING_MODE, 16, 16);
  OFFSET(QUERY_SNA_NET, buf_ptr, 16, 16);
  OFFSET(QUERY_SNA_NET, buf_size, 24, 24);
  OFFSET(QUERY_SNA_NET, total_buf_size, 28, 28);
  OFFSET(QUERY_SNA_NET, num_entries, 32, 32);
  OFFSET(QUERY_SNA_NET, total_num_entries, 34, 34);
  OFFSET(QUERY_SNA_NET, list_options, 36, 36);
  OFFSET(QUERY_SNA_NET, security, 38, 37);
  OFFSET(QUERY_SNA_NET, domain_name, 39, 38);
  OFFSET(QUERY_SNA_NET, server_name, 103, 102);
  SIZE(QUERY_SNA_NET, 176, 240);
  OFFSET(BACKUP_SUMMARY, server_name, 4, 4);
  SIZE(BACKUP_SUMMARY, 72, 136);
  OFFSET(QUERY_NODE_ALL, node_name, 38, 38);
  SIZE(QUERY_NODE_ALL, 104, 168);
  OFFSET(NODE_SUMMARY, node_name, 2, 2);
  OFFSET(NODE_SUMMARY, config_role, 66, 130);
  SIZE(NODE_SUMMARY, 70, 144);
  OFFSET(QUERY_CENTRAL_LOGGER, node_name, 12, 16);
  SIZE(QUERY_CENTRAL_LOGGER, 76, 144);
  OFFSET(SET_CENTRAL_LOGGING, enabled, 12, 12);
  SIZE(SET_CENTRAL_LOGGING, 16, 16);
  SIZE(QUERY_CENTRAL_LOGGING, 16, 16);
  OFFSET(SET_GLOBAL_LOG_TYPE, audit, 12, 12);
  OFFSET(SET_GLOBAL_LOG_TYPE, succinct_errors, 15, 15);
  SIZE(SET_GLOBAL_LOG_TYPE, 16, 20);
  OFFSET(SET_LOG_TYPE, override, 12, 12);
  OFFSET(SET_LOG_TYPE, succinct_errors, 16, 16);
  SIZE(SET_LOG_TYPE, 20, 20);
  OFFSET(CONFIG_FILE_HEADER, update_release, 4, 4);
  OFFSET(CONFIG_FILE_HEADER, revision_level, 8, 8);
  OFFSET(CONFIG_FILE_HEADER, comment, 12, 12);
  OFFSET(CONFIG_FILE_HEADER, updating, 112, 112);
  SIZE(CONFIG_FILE_HEADER, 116, 116);
  OFFSET(DEFINE_DOMAIN_CONFIG_FILE, hdr, 12, 12);
  SIZE(DEFINE_DOMAIN_CONFIG_FILE, 128, 128);
  OFFSET(REGISTER_INDICATION_SINK, proc_id, 12, 12);
  OFFSET(REGISTER_INDICATION_SINK, queue_id, 16, 16);
  OFFSET(REGISTER_INDICATION_SINK, indication_opcode, 18, 18);
  SIZE(REGISTER_INDICATION_SINK, 20, 20);
  OFFSET(SERVER_INDICATION, data_lost, 12, 12);
  OFFSET(SERVER_INDICATION, status, 16, 16);
  OFFSET(SERVER_INDICATION, flags, 20, 20);
  OFFSET(SERVER_INDICATION, server_name, 24, 24);
  SIZE(SERVER_INDICATION, 88, 152);
  OFFSET(NOF_STATUS_INDICATION, status, 12, 12);
  OFFSET(NOF_STATUS_INDICATION, dead_target_handle, 16, 16);
  SIZE(NOF_STATUS_INDICATION, 52, 52);
  CHECK(sizeof(AP_CORR) == 8);
  return done();
}
