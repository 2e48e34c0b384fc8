/* Verbs of the NOF interface. Made from the tables of pollux-domain; do not edit. */
#ifndef NOF_C_H
#define NOF_C_H

#include <stddef.h>
#include "values_c.h"

#if defined(__cplusplus)
#define POLLUX_ASSERT static_assert
extern "C" {
#else
#define POLLUX_ASSERT _Static_assert
#endif

#define AP_ADD_BACKUP POLLUX_CODE16(0xE001u)
#define AP_DELETE_BACKUP POLLUX_CODE16(0xE002u)
#define AP_QUERY_SNA_NET POLLUX_CODE16(0xE003u)
#define AP_OPEN_FILE POLLUX_CODE16(0xE004u)
#define AP_CLOSE_FILE POLLUX_CODE16(0xE005u)
#define AP_SET_PROCESSING_MODE POLLUX_CODE16(0xE006u)
#define AP_CONNECT_NODE POLLUX_CODE16(0xE007u)
#define AP_DISCONNECT_NODE POLLUX_CODE16(0xE008u)
#define AP_REGISTER_INDICATION_SINK POLLUX_CODE16(0xE009u)
#define AP_UNREGISTER_INDICATION_SINK POLLUX_CODE16(0xE00Au)
#define AP_QUERY_NODE_ALL POLLUX_CODE16(0xE00Bu)
#define AP_QUERY_CENTRAL_LOGGER POLLUX_CODE16(0xE00Cu)
#define AP_QUERY_CENTRAL_LOGGING POLLUX_CODE16(0xE00Du)
#define AP_SET_CENTRAL_LOGGING POLLUX_CODE16(0xE00Eu)
#define AP_SET_GLOBAL_LOG_TYPE POLLUX_CODE16(0xE00Fu)
#define AP_QUERY_GLOBAL_LOG_TYPE POLLUX_CODE16(0xE010u)
#define AP_SET_LOG_TYPE POLLUX_CODE16(0xE011u)
#define AP_QUERY_LOG_TYPE POLLUX_CODE16(0xE012u)
#define AP_DEFINE_DOMAIN_CONFIG_FILE POLLUX_CODE16(0xE013u)
#define AP_QUERY_DOMAIN_CONFIG_FILE POLLUX_CODE16(0xE014u)

#define AP_CONFIG_INDICATION POLLUX_CODE16(0xE101u)
#define AP_SNA_NET_INDICATION POLLUX_CODE16(0xE102u)
#define AP_SERVER_INDICATION POLLUX_CODE16(0xE103u)
#define AP_NOF_STATUS_INDICATION POLLUX_CODE16(0xE104u)

typedef struct nof_hdr {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
} NOF_HDR;
POLLUX_ASSERT(offsetof(NOF_HDR, opcode) == 0, "nof_hdr.opcode");
POLLUX_ASSERT(offsetof(NOF_HDR, reserv2) == 2, "nof_hdr.reserv2");
POLLUX_ASSERT(offsetof(NOF_HDR, format) == 3, "nof_hdr.format");
POLLUX_ASSERT(offsetof(NOF_HDR, primary_rc) == 4, "nof_hdr.primary_rc");
POLLUX_ASSERT(offsetof(NOF_HDR, secondary_rc) == 8, "nof_hdr.secondary_rc");
POLLUX_ASSERT(sizeof(NOF_HDR) == 12, "nof_hdr");

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct config_file {
  AP_UINT8 requested_role;
  AP_UINT8 role_supplied;
  AP_UINT8 system_name[64];
  AP_UINT8 file_name[81];
} CONFIG_FILE;
POLLUX_ASSERT(offsetof(CONFIG_FILE, requested_role) == 0, "config_file.requested_role");
POLLUX_ASSERT(offsetof(CONFIG_FILE, role_supplied) == 1, "config_file.role_supplied");
POLLUX_ASSERT(offsetof(CONFIG_FILE, system_name) == 2, "config_file.system_name");
POLLUX_ASSERT(offsetof(CONFIG_FILE, file_name) == 66, "config_file.file_name");
POLLUX_ASSERT(sizeof(CONFIG_FILE) == 147, "config_file");
#else
typedef struct config_file {
  AP_UINT8 requested_role;
  AP_UINT8 role_supplied;
  AP_UINT8 system_name[128];
  AP_UINT8 file_name[81];
} CONFIG_FILE;
POLLUX_ASSERT(offsetof(CONFIG_FILE, requested_role) == 0, "config_file.requested_role");
POLLUX_ASSERT(offsetof(CONFIG_FILE, role_supplied) == 1, "config_file.role_supplied");
POLLUX_ASSERT(offsetof(CONFIG_FILE, system_name) == 2, "config_file.system_name");
POLLUX_ASSERT(offsetof(CONFIG_FILE, file_name) == 130, "config_file.file_name");
POLLUX_ASSERT(sizeof(CONFIG_FILE) == 211, "config_file");
#endif

typedef struct config_file_header {
  AP_UINT16 major_version;
  AP_UINT16 minor_version;
  AP_UINT16 update_release;
  AP_UINT32 revision_level;
  AP_UINT8 comment[100];
  AP_UINT8 updating;
} CONFIG_FILE_HEADER;
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, major_version) == 0, "config_file_header.major_version");
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, minor_version) == 2, "config_file_header.minor_version");
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, update_release) == 4, "config_file_header.update_release");
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, revision_level) == 8, "config_file_header.revision_level");
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, comment) == 12, "config_file_header.comment");
POLLUX_ASSERT(offsetof(CONFIG_FILE_HEADER, updating) == 112, "config_file_header.updating");
POLLUX_ASSERT(sizeof(CONFIG_FILE_HEADER) == 116, "config_file_header");

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct backup_summary {
  AP_UINT16 overlay_size;
  AP_UINT8 reserv1[2];
  AP_UINT8 server_name[64];
  AP_UINT8 reserv2[4];
} BACKUP_SUMMARY;
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, overlay_size) == 0, "backup_summary.overlay_size");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, reserv1) == 2, "backup_summary.reserv1");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, server_name) == 4, "backup_summary.server_name");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, reserv2) == 68, "backup_summary.reserv2");
POLLUX_ASSERT(sizeof(BACKUP_SUMMARY) == 72, "backup_summary");
#else
typedef struct backup_summary {
  AP_UINT16 overlay_size;
  AP_UINT8 reserv1[2];
  AP_UINT8 server_name[128];
  AP_UINT8 reserv2[4];
} BACKUP_SUMMARY;
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, overlay_size) == 0, "backup_summary.overlay_size");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, reserv1) == 2, "backup_summary.reserv1");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, server_name) == 4, "backup_summary.server_name");
POLLUX_ASSERT(offsetof(BACKUP_SUMMARY, reserv2) == 132, "backup_summary.reserv2");
POLLUX_ASSERT(sizeof(BACKUP_SUMMARY) == 136, "backup_summary");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct node_summary {
  AP_UINT16 overlay_size;
  AP_UINT8 node_name[64];
  AP_UINT8 config_role;
  AP_UINT8 reserv1[3];
} NODE_SUMMARY;
POLLUX_ASSERT(offsetof(NODE_SUMMARY, overlay_size) == 0, "node_summary.overlay_size");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, node_name) == 2, "node_summary.node_name");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, config_role) == 66, "node_summary.config_role");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, reserv1) == 67, "node_summary.reserv1");
POLLUX_ASSERT(sizeof(NODE_SUMMARY) == 70, "node_summary");
#else
typedef struct node_summary {
  AP_UINT16 overlay_size;
  AP_UINT8 node_name[128];
  AP_UINT8 config_role;
  AP_UINT8 reserv1[12];
} NODE_SUMMARY;
POLLUX_ASSERT(offsetof(NODE_SUMMARY, overlay_size) == 0, "node_summary.overlay_size");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, node_name) == 2, "node_summary.node_name");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, config_role) == 130, "node_summary.config_role");
POLLUX_ASSERT(offsetof(NODE_SUMMARY, reserv1) == 131, "node_summary.reserv1");
POLLUX_ASSERT(sizeof(NODE_SUMMARY) == 144, "node_summary");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct add_backup {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 backup_name[64];
  AP_UINT8 reserv3[4];
} ADD_BACKUP;
POLLUX_ASSERT(offsetof(ADD_BACKUP, opcode) == 0, "add_backup.opcode");
POLLUX_ASSERT(offsetof(ADD_BACKUP, reserv2) == 2, "add_backup.reserv2");
POLLUX_ASSERT(offsetof(ADD_BACKUP, format) == 3, "add_backup.format");
POLLUX_ASSERT(offsetof(ADD_BACKUP, primary_rc) == 4, "add_backup.primary_rc");
POLLUX_ASSERT(offsetof(ADD_BACKUP, secondary_rc) == 8, "add_backup.secondary_rc");
POLLUX_ASSERT(offsetof(ADD_BACKUP, backup_name) == 12, "add_backup.backup_name");
POLLUX_ASSERT(offsetof(ADD_BACKUP, reserv3) == 76, "add_backup.reserv3");
POLLUX_ASSERT(sizeof(ADD_BACKUP) == 80, "add_backup");
#else
typedef struct add_backup {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 backup_name[128];
  AP_UINT8 reserv3[4];
} ADD_BACKUP;
POLLUX_ASSERT(offsetof(ADD_BACKUP, opcode) == 0, "add_backup.opcode");
POLLUX_ASSERT(offsetof(ADD_BACKUP, reserv2) == 2, "add_backup.reserv2");
POLLUX_ASSERT(offsetof(ADD_BACKUP, format) == 3, "add_backup.format");
POLLUX_ASSERT(offsetof(ADD_BACKUP, primary_rc) == 4, "add_backup.primary_rc");
POLLUX_ASSERT(offsetof(ADD_BACKUP, secondary_rc) == 8, "add_backup.secondary_rc");
POLLUX_ASSERT(offsetof(ADD_BACKUP, backup_name) == 12, "add_backup.backup_name");
POLLUX_ASSERT(offsetof(ADD_BACKUP, reserv3) == 140, "add_backup.reserv3");
POLLUX_ASSERT(sizeof(ADD_BACKUP) == 144, "add_backup");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct delete_backup {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 backup_name[64];
  AP_UINT8 reserv3[4];
} DELETE_BACKUP;
POLLUX_ASSERT(offsetof(DELETE_BACKUP, opcode) == 0, "delete_backup.opcode");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, reserv2) == 2, "delete_backup.reserv2");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, format) == 3, "delete_backup.format");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, primary_rc) == 4, "delete_backup.primary_rc");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, secondary_rc) == 8, "delete_backup.secondary_rc");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, backup_name) == 12, "delete_backup.backup_name");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, reserv3) == 76, "delete_backup.reserv3");
POLLUX_ASSERT(sizeof(DELETE_BACKUP) == 80, "delete_backup");
#else
typedef struct delete_backup {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 backup_name[128];
  AP_UINT8 reserv3[4];
} DELETE_BACKUP;
POLLUX_ASSERT(offsetof(DELETE_BACKUP, opcode) == 0, "delete_backup.opcode");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, reserv2) == 2, "delete_backup.reserv2");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, format) == 3, "delete_backup.format");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, primary_rc) == 4, "delete_backup.primary_rc");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, secondary_rc) == 8, "delete_backup.secondary_rc");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, backup_name) == 12, "delete_backup.backup_name");
POLLUX_ASSERT(offsetof(DELETE_BACKUP, reserv3) == 140, "delete_backup.reserv3");
POLLUX_ASSERT(sizeof(DELETE_BACKUP) == 144, "delete_backup");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct open_file {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  CONFIG_FILE file_info;
  AP_UINT32 target_handle;
} OPEN_FILE;
POLLUX_ASSERT(offsetof(OPEN_FILE, opcode) == 0, "open_file.opcode");
POLLUX_ASSERT(offsetof(OPEN_FILE, reserv2) == 2, "open_file.reserv2");
POLLUX_ASSERT(offsetof(OPEN_FILE, format) == 3, "open_file.format");
POLLUX_ASSERT(offsetof(OPEN_FILE, primary_rc) == 4, "open_file.primary_rc");
POLLUX_ASSERT(offsetof(OPEN_FILE, secondary_rc) == 8, "open_file.secondary_rc");
POLLUX_ASSERT(offsetof(OPEN_FILE, file_info) == 12, "open_file.file_info");
POLLUX_ASSERT(offsetof(OPEN_FILE, target_handle) == 160, "open_file.target_handle");
POLLUX_ASSERT(sizeof(OPEN_FILE) == 164, "open_file");
#else
typedef struct open_file {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  CONFIG_FILE file_info;
  AP_UINT32 target_handle;
  AP_UINT8 reserv3[4];
} OPEN_FILE;
POLLUX_ASSERT(offsetof(OPEN_FILE, opcode) == 0, "open_file.opcode");
POLLUX_ASSERT(offsetof(OPEN_FILE, reserv2) == 2, "open_file.reserv2");
POLLUX_ASSERT(offsetof(OPEN_FILE, format) == 3, "open_file.format");
POLLUX_ASSERT(offsetof(OPEN_FILE, primary_rc) == 4, "open_file.primary_rc");
POLLUX_ASSERT(offsetof(OPEN_FILE, secondary_rc) == 8, "open_file.secondary_rc");
POLLUX_ASSERT(offsetof(OPEN_FILE, file_info) == 12, "open_file.file_info");
POLLUX_ASSERT(offsetof(OPEN_FILE, target_handle) == 224, "open_file.target_handle");
POLLUX_ASSERT(offsetof(OPEN_FILE, reserv3) == 228, "open_file.reserv3");
POLLUX_ASSERT(sizeof(OPEN_FILE) == 232, "open_file");
#endif

typedef struct close_file {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
} CLOSE_FILE;
POLLUX_ASSERT(offsetof(CLOSE_FILE, opcode) == 0, "close_file.opcode");
POLLUX_ASSERT(offsetof(CLOSE_FILE, reserv2) == 2, "close_file.reserv2");
POLLUX_ASSERT(offsetof(CLOSE_FILE, format) == 3, "close_file.format");
POLLUX_ASSERT(offsetof(CLOSE_FILE, primary_rc) == 4, "close_file.primary_rc");
POLLUX_ASSERT(offsetof(CLOSE_FILE, secondary_rc) == 8, "close_file.secondary_rc");
POLLUX_ASSERT(sizeof(CLOSE_FILE) == 12, "close_file");

typedef struct disconnect_node {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
} DISCONNECT_NODE;
POLLUX_ASSERT(offsetof(DISCONNECT_NODE, opcode) == 0, "disconnect_node.opcode");
POLLUX_ASSERT(offsetof(DISCONNECT_NODE, reserv2) == 2, "disconnect_node.reserv2");
POLLUX_ASSERT(offsetof(DISCONNECT_NODE, format) == 3, "disconnect_node.format");
POLLUX_ASSERT(offsetof(DISCONNECT_NODE, primary_rc) == 4, "disconnect_node.primary_rc");
POLLUX_ASSERT(offsetof(DISCONNECT_NODE, secondary_rc) == 8, "disconnect_node.secondary_rc");
POLLUX_ASSERT(sizeof(DISCONNECT_NODE) == 12, "disconnect_node");

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct connect_node {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 node_type;
  AP_UINT8 node_name[64];
  AP_UINT32 target_handle;
  AP_UINT8 node_status;
} CONNECT_NODE;
POLLUX_ASSERT(offsetof(CONNECT_NODE, opcode) == 0, "connect_node.opcode");
POLLUX_ASSERT(offsetof(CONNECT_NODE, reserv2) == 2, "connect_node.reserv2");
POLLUX_ASSERT(offsetof(CONNECT_NODE, format) == 3, "connect_node.format");
POLLUX_ASSERT(offsetof(CONNECT_NODE, primary_rc) == 4, "connect_node.primary_rc");
POLLUX_ASSERT(offsetof(CONNECT_NODE, secondary_rc) == 8, "connect_node.secondary_rc");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_type) == 12, "connect_node.node_type");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_name) == 13, "connect_node.node_name");
POLLUX_ASSERT(offsetof(CONNECT_NODE, target_handle) == 80, "connect_node.target_handle");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_status) == 84, "connect_node.node_status");
POLLUX_ASSERT(sizeof(CONNECT_NODE) == 88, "connect_node");
#else
typedef struct connect_node {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 node_type;
  AP_UINT8 node_name[128];
  AP_UINT32 target_handle;
  AP_UINT8 node_status;
  AP_UINT8 reserv3[12];
} CONNECT_NODE;
POLLUX_ASSERT(offsetof(CONNECT_NODE, opcode) == 0, "connect_node.opcode");
POLLUX_ASSERT(offsetof(CONNECT_NODE, reserv2) == 2, "connect_node.reserv2");
POLLUX_ASSERT(offsetof(CONNECT_NODE, format) == 3, "connect_node.format");
POLLUX_ASSERT(offsetof(CONNECT_NODE, primary_rc) == 4, "connect_node.primary_rc");
POLLUX_ASSERT(offsetof(CONNECT_NODE, secondary_rc) == 8, "connect_node.secondary_rc");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_type) == 12, "connect_node.node_type");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_name) == 13, "connect_node.node_name");
POLLUX_ASSERT(offsetof(CONNECT_NODE, target_handle) == 144, "connect_node.target_handle");
POLLUX_ASSERT(offsetof(CONNECT_NODE, node_status) == 148, "connect_node.node_status");
POLLUX_ASSERT(offsetof(CONNECT_NODE, reserv3) == 149, "connect_node.reserv3");
POLLUX_ASSERT(sizeof(CONNECT_NODE) == 164, "connect_node");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct set_processing_mode {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT32 mode;
} SET_PROCESSING_MODE;
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, opcode) == 0, "set_processing_mode.opcode");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, reserv2) == 2, "set_processing_mode.reserv2");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, format) == 3, "set_processing_mode.format");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, primary_rc) == 4, "set_processing_mode.primary_rc");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, secondary_rc) == 8, "set_processing_mode.secondary_rc");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, mode) == 12, "set_processing_mode.mode");
POLLUX_ASSERT(sizeof(SET_PROCESSING_MODE) == 16, "set_processing_mode");
#else
typedef struct set_processing_mode {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 mode;
  AP_UINT16 reserv3;
} SET_PROCESSING_MODE;
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, opcode) == 0, "set_processing_mode.opcode");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, reserv2) == 2, "set_processing_mode.reserv2");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, format) == 3, "set_processing_mode.format");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, primary_rc) == 4, "set_processing_mode.primary_rc");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, secondary_rc) == 8, "set_processing_mode.secondary_rc");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, mode) == 12, "set_processing_mode.mode");
POLLUX_ASSERT(offsetof(SET_PROCESSING_MODE, reserv3) == 14, "set_processing_mode.reserv3");
POLLUX_ASSERT(sizeof(SET_PROCESSING_MODE) == 16, "set_processing_mode");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct query_sna_net {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 *buf_ptr;
  AP_UINT32 buf_size;
  AP_UINT32 total_buf_size;
  AP_UINT16 num_entries;
  AP_UINT16 total_num_entries;
  AP_UINT8 list_options;
  AP_UINT8 reserv3;
  AP_UINT8 security;
  AP_UINT8 domain_name[64];
  AP_UINT8 server_name[64];
  AP_UINT8 reserv4[4];
} QUERY_SNA_NET;
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, opcode) == 0, "query_sna_net.opcode");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, reserv2) == 2, "query_sna_net.reserv2");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, format) == 3, "query_sna_net.format");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, primary_rc) == 4, "query_sna_net.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, secondary_rc) == 8, "query_sna_net.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, buf_ptr) == 16, "query_sna_net.buf_ptr");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, buf_size) == 24, "query_sna_net.buf_size");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, total_buf_size) == 28, "query_sna_net.total_buf_size");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, num_entries) == 32, "query_sna_net.num_entries");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, total_num_entries) == 34, "query_sna_net.total_num_entries");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, list_options) == 36, "query_sna_net.list_options");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, reserv3) == 37, "query_sna_net.reserv3");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, security) == 38, "query_sna_net.security");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, domain_name) == 39, "query_sna_net.domain_name");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, server_name) == 103, "query_sna_net.server_name");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, reserv4) == 167, "query_sna_net.reserv4");
POLLUX_ASSERT(sizeof(QUERY_SNA_NET) == 176, "query_sna_net");
#else
typedef struct query_sna_net {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 *buf_ptr;
  AP_UINT32 buf_size;
  AP_UINT32 total_buf_size;
  AP_UINT16 num_entries;
  AP_UINT16 total_num_entries;
  AP_UINT8 list_options;
  AP_UINT8 security;
  AP_UINT8 domain_name[64];
  AP_UINT8 server_name[128];
  AP_UINT8 reserv4[4];
} QUERY_SNA_NET;
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, opcode) == 0, "query_sna_net.opcode");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, reserv2) == 2, "query_sna_net.reserv2");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, format) == 3, "query_sna_net.format");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, primary_rc) == 4, "query_sna_net.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, secondary_rc) == 8, "query_sna_net.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, buf_ptr) == 16, "query_sna_net.buf_ptr");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, buf_size) == 24, "query_sna_net.buf_size");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, total_buf_size) == 28, "query_sna_net.total_buf_size");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, num_entries) == 32, "query_sna_net.num_entries");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, total_num_entries) == 34, "query_sna_net.total_num_entries");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, list_options) == 36, "query_sna_net.list_options");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, security) == 37, "query_sna_net.security");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, domain_name) == 38, "query_sna_net.domain_name");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, server_name) == 102, "query_sna_net.server_name");
POLLUX_ASSERT(offsetof(QUERY_SNA_NET, reserv4) == 230, "query_sna_net.reserv4");
POLLUX_ASSERT(sizeof(QUERY_SNA_NET) == 240, "query_sna_net");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct query_node_all {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 *buf_ptr;
  AP_UINT32 buf_size;
  AP_UINT32 total_buf_size;
  AP_UINT16 num_entries;
  AP_UINT16 total_num_entries;
  AP_UINT8 list_options;
  AP_UINT8 reserv3;
  AP_UINT8 node_name[64];
} QUERY_NODE_ALL;
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, opcode) == 0, "query_node_all.opcode");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, reserv2) == 2, "query_node_all.reserv2");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, format) == 3, "query_node_all.format");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, primary_rc) == 4, "query_node_all.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, secondary_rc) == 8, "query_node_all.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, buf_ptr) == 16, "query_node_all.buf_ptr");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, buf_size) == 24, "query_node_all.buf_size");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, total_buf_size) == 28, "query_node_all.total_buf_size");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, num_entries) == 32, "query_node_all.num_entries");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, total_num_entries) == 34, "query_node_all.total_num_entries");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, list_options) == 36, "query_node_all.list_options");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, reserv3) == 37, "query_node_all.reserv3");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, node_name) == 38, "query_node_all.node_name");
POLLUX_ASSERT(sizeof(QUERY_NODE_ALL) == 104, "query_node_all");
#else
typedef struct query_node_all {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 *buf_ptr;
  AP_UINT32 buf_size;
  AP_UINT32 total_buf_size;
  AP_UINT16 num_entries;
  AP_UINT16 total_num_entries;
  AP_UINT8 list_options;
  AP_UINT8 reserv3;
  AP_UINT8 node_name[128];
} QUERY_NODE_ALL;
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, opcode) == 0, "query_node_all.opcode");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, reserv2) == 2, "query_node_all.reserv2");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, format) == 3, "query_node_all.format");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, primary_rc) == 4, "query_node_all.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, secondary_rc) == 8, "query_node_all.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, buf_ptr) == 16, "query_node_all.buf_ptr");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, buf_size) == 24, "query_node_all.buf_size");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, total_buf_size) == 28, "query_node_all.total_buf_size");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, num_entries) == 32, "query_node_all.num_entries");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, total_num_entries) == 34, "query_node_all.total_num_entries");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, list_options) == 36, "query_node_all.list_options");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, reserv3) == 37, "query_node_all.reserv3");
POLLUX_ASSERT(offsetof(QUERY_NODE_ALL, node_name) == 38, "query_node_all.node_name");
POLLUX_ASSERT(sizeof(QUERY_NODE_ALL) == 168, "query_node_all");
#endif

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct query_central_logger {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 node_name[64];
} QUERY_CENTRAL_LOGGER;
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, opcode) == 0, "query_central_logger.opcode");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, reserv2) == 2, "query_central_logger.reserv2");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, format) == 3, "query_central_logger.format");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, primary_rc) == 4, "query_central_logger.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, secondary_rc) == 8, "query_central_logger.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, node_name) == 12, "query_central_logger.node_name");
POLLUX_ASSERT(sizeof(QUERY_CENTRAL_LOGGER) == 76, "query_central_logger");
#else
typedef struct query_central_logger {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 reserv3[4];
  AP_UINT8 node_name[128];
} QUERY_CENTRAL_LOGGER;
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, opcode) == 0, "query_central_logger.opcode");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, reserv2) == 2, "query_central_logger.reserv2");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, format) == 3, "query_central_logger.format");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, primary_rc) == 4, "query_central_logger.primary_rc");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, secondary_rc) == 8, "query_central_logger.secondary_rc");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, reserv3) == 12, "query_central_logger.reserv3");
POLLUX_ASSERT(offsetof(QUERY_CENTRAL_LOGGER, node_name) == 16, "query_central_logger.node_name");
POLLUX_ASSERT(sizeof(QUERY_CENTRAL_LOGGER) == 144, "query_central_logger");
#endif

typedef struct central_logging {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 enabled;
  AP_UINT8 reserv3[3];
} CENTRAL_LOGGING;
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, opcode) == 0, "central_logging.opcode");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, reserv2) == 2, "central_logging.reserv2");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, format) == 3, "central_logging.format");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, primary_rc) == 4, "central_logging.primary_rc");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, secondary_rc) == 8, "central_logging.secondary_rc");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, enabled) == 12, "central_logging.enabled");
POLLUX_ASSERT(offsetof(CENTRAL_LOGGING, reserv3) == 13, "central_logging.reserv3");
POLLUX_ASSERT(sizeof(CENTRAL_LOGGING) == 16, "central_logging");

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct global_log_type {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 audit;
  AP_UINT8 exception;
  AP_UINT8 succinct_audits;
  AP_UINT8 succinct_errors;
} GLOBAL_LOG_TYPE;
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, opcode) == 0, "global_log_type.opcode");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, reserv2) == 2, "global_log_type.reserv2");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, format) == 3, "global_log_type.format");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, primary_rc) == 4, "global_log_type.primary_rc");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, secondary_rc) == 8, "global_log_type.secondary_rc");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, audit) == 12, "global_log_type.audit");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, exception) == 13, "global_log_type.exception");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, succinct_audits) == 14, "global_log_type.succinct_audits");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, succinct_errors) == 15, "global_log_type.succinct_errors");
POLLUX_ASSERT(sizeof(GLOBAL_LOG_TYPE) == 16, "global_log_type");
#else
typedef struct global_log_type {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 audit;
  AP_UINT8 exception;
  AP_UINT8 succinct_audits;
  AP_UINT8 succinct_errors;
  AP_UINT8 reserv3[4];
} GLOBAL_LOG_TYPE;
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, opcode) == 0, "global_log_type.opcode");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, reserv2) == 2, "global_log_type.reserv2");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, format) == 3, "global_log_type.format");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, primary_rc) == 4, "global_log_type.primary_rc");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, secondary_rc) == 8, "global_log_type.secondary_rc");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, audit) == 12, "global_log_type.audit");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, exception) == 13, "global_log_type.exception");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, succinct_audits) == 14, "global_log_type.succinct_audits");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, succinct_errors) == 15, "global_log_type.succinct_errors");
POLLUX_ASSERT(offsetof(GLOBAL_LOG_TYPE, reserv3) == 16, "global_log_type.reserv3");
POLLUX_ASSERT(sizeof(GLOBAL_LOG_TYPE) == 20, "global_log_type");
#endif

typedef struct log_type {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 override;
  AP_UINT8 audit;
  AP_UINT8 exception;
  AP_UINT8 succinct_audits;
  AP_UINT8 succinct_errors;
  AP_UINT8 reserv3[3];
} LOG_TYPE;
POLLUX_ASSERT(offsetof(LOG_TYPE, opcode) == 0, "log_type.opcode");
POLLUX_ASSERT(offsetof(LOG_TYPE, reserv2) == 2, "log_type.reserv2");
POLLUX_ASSERT(offsetof(LOG_TYPE, format) == 3, "log_type.format");
POLLUX_ASSERT(offsetof(LOG_TYPE, primary_rc) == 4, "log_type.primary_rc");
POLLUX_ASSERT(offsetof(LOG_TYPE, secondary_rc) == 8, "log_type.secondary_rc");
POLLUX_ASSERT(offsetof(LOG_TYPE, override) == 12, "log_type.override");
POLLUX_ASSERT(offsetof(LOG_TYPE, audit) == 13, "log_type.audit");
POLLUX_ASSERT(offsetof(LOG_TYPE, exception) == 14, "log_type.exception");
POLLUX_ASSERT(offsetof(LOG_TYPE, succinct_audits) == 15, "log_type.succinct_audits");
POLLUX_ASSERT(offsetof(LOG_TYPE, succinct_errors) == 16, "log_type.succinct_errors");
POLLUX_ASSERT(offsetof(LOG_TYPE, reserv3) == 17, "log_type.reserv3");
POLLUX_ASSERT(sizeof(LOG_TYPE) == 20, "log_type");

typedef struct domain_config_file {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  CONFIG_FILE_HEADER hdr;
} DOMAIN_CONFIG_FILE;
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, opcode) == 0, "domain_config_file.opcode");
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, reserv2) == 2, "domain_config_file.reserv2");
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, format) == 3, "domain_config_file.format");
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, primary_rc) == 4, "domain_config_file.primary_rc");
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, secondary_rc) == 8, "domain_config_file.secondary_rc");
POLLUX_ASSERT(offsetof(DOMAIN_CONFIG_FILE, hdr) == 12, "domain_config_file.hdr");
POLLUX_ASSERT(sizeof(DOMAIN_CONFIG_FILE) == 128, "domain_config_file");

typedef struct indication_sink {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT32 proc_id;
  AP_UINT16 queue_id;
  AP_UINT16 indication_opcode;
} INDICATION_SINK;
POLLUX_ASSERT(offsetof(INDICATION_SINK, opcode) == 0, "indication_sink.opcode");
POLLUX_ASSERT(offsetof(INDICATION_SINK, reserv2) == 2, "indication_sink.reserv2");
POLLUX_ASSERT(offsetof(INDICATION_SINK, format) == 3, "indication_sink.format");
POLLUX_ASSERT(offsetof(INDICATION_SINK, primary_rc) == 4, "indication_sink.primary_rc");
POLLUX_ASSERT(offsetof(INDICATION_SINK, secondary_rc) == 8, "indication_sink.secondary_rc");
POLLUX_ASSERT(offsetof(INDICATION_SINK, proc_id) == 12, "indication_sink.proc_id");
POLLUX_ASSERT(offsetof(INDICATION_SINK, queue_id) == 16, "indication_sink.queue_id");
POLLUX_ASSERT(offsetof(INDICATION_SINK, indication_opcode) == 18, "indication_sink.indication_opcode");
POLLUX_ASSERT(sizeof(INDICATION_SINK) == 20, "indication_sink");

#if POLLUX_NOF_NAME_BYTES == 64
typedef struct server_indication {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 data_lost;
  AP_UINT32 status;
  AP_UINT32 flags;
  AP_UINT8 server_name[64];
} SERVER_INDICATION;
POLLUX_ASSERT(offsetof(SERVER_INDICATION, opcode) == 0, "server_indication.opcode");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, reserv2) == 2, "server_indication.reserv2");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, format) == 3, "server_indication.format");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, primary_rc) == 4, "server_indication.primary_rc");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, secondary_rc) == 8, "server_indication.secondary_rc");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, data_lost) == 12, "server_indication.data_lost");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, status) == 16, "server_indication.status");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, flags) == 20, "server_indication.flags");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, server_name) == 24, "server_indication.server_name");
POLLUX_ASSERT(sizeof(SERVER_INDICATION) == 88, "server_indication");
#else
typedef struct server_indication {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT8 data_lost;
  AP_UINT32 status;
  AP_UINT32 flags;
  AP_UINT8 server_name[128];
} SERVER_INDICATION;
POLLUX_ASSERT(offsetof(SERVER_INDICATION, opcode) == 0, "server_indication.opcode");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, reserv2) == 2, "server_indication.reserv2");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, format) == 3, "server_indication.format");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, primary_rc) == 4, "server_indication.primary_rc");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, secondary_rc) == 8, "server_indication.secondary_rc");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, data_lost) == 12, "server_indication.data_lost");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, status) == 16, "server_indication.status");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, flags) == 20, "server_indication.flags");
POLLUX_ASSERT(offsetof(SERVER_INDICATION, server_name) == 24, "server_indication.server_name");
POLLUX_ASSERT(sizeof(SERVER_INDICATION) == 152, "server_indication");
#endif

typedef struct nof_status_indication {
  AP_UINT16 opcode;
  AP_UINT8 reserv2;
  AP_UINT8 format;
  AP_UINT16 primary_rc;
  AP_UINT32 secondary_rc;
  AP_UINT32 status;
  AP_UINT32 dead_target_handle;
  AP_UINT8 reserv3[32];
} NOF_STATUS_INDICATION;
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, opcode) == 0, "nof_status_indication.opcode");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, reserv2) == 2, "nof_status_indication.reserv2");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, format) == 3, "nof_status_indication.format");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, primary_rc) == 4, "nof_status_indication.primary_rc");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, secondary_rc) == 8, "nof_status_indication.secondary_rc");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, status) == 12, "nof_status_indication.status");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, dead_target_handle) == 16, "nof_status_indication.dead_target_handle");
POLLUX_ASSERT(offsetof(NOF_STATUS_INDICATION, reserv3) == 20, "nof_status_indication.reserv3");
POLLUX_ASSERT(sizeof(NOF_STATUS_INDICATION) == 52, "nof_status_indication");

typedef CENTRAL_LOGGING SET_CENTRAL_LOGGING;
typedef CENTRAL_LOGGING QUERY_CENTRAL_LOGGING;
typedef GLOBAL_LOG_TYPE SET_GLOBAL_LOG_TYPE;
typedef GLOBAL_LOG_TYPE QUERY_GLOBAL_LOG_TYPE;
typedef LOG_TYPE SET_LOG_TYPE;
typedef LOG_TYPE QUERY_LOG_TYPE;
typedef DOMAIN_CONFIG_FILE DEFINE_DOMAIN_CONFIG_FILE;
typedef DOMAIN_CONFIG_FILE QUERY_DOMAIN_CONFIG_FILE;
typedef INDICATION_SINK REGISTER_INDICATION_SINK;
typedef INDICATION_SINK UNREGISTER_INDICATION_SINK;

typedef union ap_corr {
  void *corr_p;
  AP_UINT32 corr_l;
  int corr_i;
} AP_CORR;

typedef void (*NOF_CALLBACK)(AP_UINT32 target_handle, void *nofvcb, AP_CORR corr, AP_UINT32 indic_length);

/* Each layout has entry points of its own. */
#if POLLUX_NOF_NAME_BYTES == 64
#define POLLUX_ENTRY(name) __asm__(#name "_n64")
#else
#define POLLUX_ENTRY(name)
#endif

void nof(AP_UINT32 target_handle, void *nofvcb) POLLUX_ENTRY(nof);
AP_UINT16 nof_async(AP_UINT32 target_handle, void *nofvcb, NOF_CALLBACK comp_proc, AP_CORR corr)
    POLLUX_ENTRY(nof_async);

#if defined(__cplusplus)
}
#endif

#endif
