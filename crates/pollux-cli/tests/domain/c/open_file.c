/* OPEN_FILE. Argument: whole (a master acts), none (nobody acts), unloaded (no software), bad (the master's file is damaged). */
#include "check.h"

static OPEN_FILE block;

static void open_role(AP_UINT32 target, AP_UINT8 role, AP_UINT8 format)
{
  START(block, AP_OPEN_FILE);
  block.format = format;
  block.file_info.requested_role = role;
  nof(target, &block);
}

int main(int argc, char **argv)
{
  const char *phase = argc > 1 ? argv[1] : "whole";
  if (strcmp(phase, "unloaded") == 0) {
    open_role(0, AP_SNA_NET, 0);
    EXPECT(block, AP_COMM_SUBSYSTEM_NOT_LOADED, 0);
    return done();
  }
  if (strcmp(phase, "bad") == 0) {
    for (int role = AP_MASTER; role <= AP_SNA_NET; role++) {
      open_role(0, role, 0);
      EXPECT(block, AP_STATE_CHECK, AP_FILE_BAD_RECORD);
    }
    return done();
  }
  if (strcmp(phase, "none") == 0) {
    open_role(0, AP_MASTER, 0);
    EXPECT(block, AP_STATE_CHECK, AP_FILE_ROLE_UNAVAILABLE);
    open_role(0, AP_SNA_NET, 0);
    EXPECT(block, AP_STATE_CHECK, AP_FILE_ROLE_UNAVAILABLE);
    open_role(0, AP_BACKUP, 0);
    EXPECT(block, AP_OK, 0);
    CHECK(block.file_info.role_supplied == AP_BACKUP);
    return done();
  }
  open_role(0, AP_SNA_NET, 1);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_FORMAT);
  open_role(0, 77, 0);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_FILE_INFO);
  open_role(0, AP_TP_LOAD_INFO, 0);
  EXPECT(block, AP_FUNCTION_NOT_SUPPORTED, 0);
  open_role(9, AP_SNA_NET, 0);
  EXPECT(block, AP_PARAMETER_CHECK, AP_INVALID_TARGET);
  for (int role = AP_MASTER; role <= AP_SNA_NET; role++) {
    open_role(0, role, 0);
    EXPECT(block, AP_OK, 0);
    CHECK(block.target_handle != 0);
    CHECK(is_name(block.file_info.system_name, "alpha"));
    CHECK(strcmp((char *)block.file_info.file_name, role == AP_SNA_NET ? "sna.net" : "sna_domn.cfg") == 0);
    if (role == AP_BACKUP) {
      CHECK(block.file_info.role_supplied == AP_MASTER);
    }
    close_file(block.target_handle);
  }
  return done();
}
