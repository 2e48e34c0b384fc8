/* REGISTER_ and UNREGISTER_INDICATION_SINK, and what callbacks are told. Prints a line for each indication; the test makes
 * the changes and ends the program by the end of its input. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int ends;

static void on_news(AP_UINT32 handle, void *block, AP_CORR corr, AP_UINT32 length)
{
  const NOF_HDR *header = block;
  if (length == 0) {
    pthread_mutex_lock(&mutex);
    ends++;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&mutex);
    return;
  }
  CHECK(header->primary_rc == AP_INDICATION && corr.corr_l == 7);
  if (header->opcode == AP_ADD_BACKUP || header->opcode == AP_DELETE_BACKUP) {
    CHECK(length == sizeof(ADD_BACKUP) && handle != 0);
    printf("%s %s\n", header->opcode == AP_ADD_BACKUP ? "added" : "deleted", ((ADD_BACKUP *)block)->backup_name);
  } else if (header->opcode == AP_DEFINE_DOMAIN_CONFIG_FILE) {
    printf("comment %s\n", ((DOMAIN_CONFIG_FILE *)block)->hdr.comment);
  } else if (header->opcode == AP_SERVER_INDICATION) {
    const SERVER_INDICATION *server = block;
    printf("server %s active %d master %d\n", server->server_name, server->status == AP_ACTIVE,
           (server->flags & AP_MASTER_FLAG) != 0);
  } else if (header->opcode == AP_NOF_STATUS_INDICATION) {
    const NOF_STATUS_INDICATION *status = block;
    printf("status takeover %d local %d handle %d\n", status->status == AP_MASTER_TAKEOVER,
           status->status == AP_LOCAL_ABENDED, status->dead_target_handle == handle);
  }
  fflush(stdout);
}

static INDICATION_SINK sink;

static void ask(AP_UINT16 opcode, AP_UINT32 handle, AP_UINT16 what)
{
  AP_CORR corr;
  memset(&corr, 0, sizeof corr);
  corr.corr_l = 7;
  START(sink, opcode);
  sink.indication_opcode = what;
  int before = ends;
  CHECK(nof_async(handle, &sink, on_news, corr) == AP_IN_PROGRESS);
  pthread_mutex_lock(&mutex);
  while (ends == before) {
    pthread_cond_wait(&ended, &mutex);
  }
  pthread_mutex_unlock(&mutex);
}

int main(void)
{
  char byte;
  AP_UINT32 net = open_file(AP_SNA_NET), file = open_file(AP_MASTER), node = connect_node(AP_SPECIFIED_NODE, "");
  START(sink, AP_REGISTER_INDICATION_SINK);
  sink.indication_opcode = AP_SNA_NET_INDICATION;
  nof(net, &sink);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_SYNC_NOT_ALLOWED);
  ask(AP_REGISTER_INDICATION_SINK, net, AP_CONFIG_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);
  ask(AP_REGISTER_INDICATION_SINK, file, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);
  ask(AP_REGISTER_INDICATION_SINK, node, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);
  ask(AP_REGISTER_INDICATION_SINK, 0, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);
  ask(AP_REGISTER_INDICATION_SINK, net, AP_NOF_STATUS_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);
  ask(AP_REGISTER_INDICATION_SINK, 4711, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_TARGET_HANDLE);
  ask(AP_UNREGISTER_INDICATION_SINK, net, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_INVALID_OP_CODE);

  ask(AP_REGISTER_INDICATION_SINK, net, AP_SNA_NET_INDICATION);
  EXPECT(sink, AP_OK, 0);
  ask(AP_REGISTER_INDICATION_SINK, file, AP_CONFIG_INDICATION);
  EXPECT(sink, AP_OK, 0);
  ask(AP_UNREGISTER_INDICATION_SINK, file, AP_CONFIG_INDICATION);
  EXPECT(sink, AP_OK, 0);
  ask(AP_REGISTER_INDICATION_SINK, file, AP_CONFIG_INDICATION);
  EXPECT(sink, AP_OK, 0);
  ask(AP_REGISTER_INDICATION_SINK, 0, AP_SERVER_INDICATION);
  EXPECT(sink, AP_OK, 0);
  puts("registered");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  return done();
}
