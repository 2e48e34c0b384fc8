/* SET_PROCESSING_MODE, with the lock of commit mode held by another program. */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static void lock_and_wait(int ready, int go)
{
  char byte = 0;
  AP_UINT32 file = open_file(AP_MASTER);
  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_OK, 0);
  CHECK(write(ready, &byte, 1) == 1);
  CHECK(read(go, &byte, 1) == 1);
  set_mode(file, AP_MODE_READ_ONLY);
  EXPECT(last_mode, AP_OK, 0);
  close_file(file);
  CHECK(write(ready, &byte, 1) == 1);
  CHECK(read(go, &byte, 1) == 1);
  exit(failures != 0);
}

int main(void)
{
  int ready[2], go[2], status = 0;
  char byte = 0;
  CHECK(pipe(ready) == 0 && pipe(go) == 0);
  /* Before the library has threads. */
  pid_t other = fork();
  if (other == 0) {
    lock_and_wait(ready[1], go[0]);
  }
  CHECK(read(ready[0], &byte, 1) == 1);

  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), copy = open_file(AP_BACKUP);
  AP_UINT32 node = connect_node(AP_SPECIFIED_NODE, "");
  set_mode(net, 77);
  EXPECT(last_mode, AP_PARAMETER_CHECK, AP_INVALID_PROC_MODE);
  set_mode(net, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  set_mode(node, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_PARAMETER_CHECK, AP_INVALID_TARGET_MODE);
  set_mode(copy, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_STATE_CHECK, AP_NOT_MASTER);
  set_mode(4711, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  set_mode(net, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  set_mode(net, AP_MODE_READ_ONLY);
  EXPECT(last_mode, AP_OK, 0);
  set_mode(node, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);

  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_STATE_CHECK, AP_FILE_LOCK_FAILED);
  CHECK(write(go[1], &byte, 1) == 1 && read(ready[0], &byte, 1) == 1);
  set_mode(file, AP_MODE_COMMIT);
  EXPECT(last_mode, AP_OK, 0);
  set_mode(file, AP_MODE_READ_WRITE);
  EXPECT(last_mode, AP_OK, 0);
  CHECK(write(go[1], &byte, 1) == 1);
  CHECK(waitpid(other, &status, 0) == other && status == 0);
  return done();
}
