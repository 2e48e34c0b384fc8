/* The rules of nof_async, verbs that are none, and verbs that lie outside the domain. */
#include "check.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int ends;
static CLOSE_FILE inner;

static void on_end(AP_UINT32 handle, void *block, AP_CORR corr, AP_UINT32 length)
{
  (void)handle;
  CHECK(corr.corr_l == 0x1234 && length == 0);
  if (((NOF_HDR *)block)->opcode == AP_QUERY_CENTRAL_LOGGER) {
    START(inner, AP_CLOSE_FILE);
    nof(4711, &inner);
    EXPECT(inner, AP_PARAMETER_CHECK, AP_SYNC_NOT_ENABLED);
    START(inner, AP_CLOSE_FILE);
    CHECK(nof_async(4711, &inner, NULL, corr) == AP_COMPLETED);
    EXPECT(inner, AP_PARAMETER_CHECK, AP_SYNC_NOT_ALLOWED);
  }
  pthread_mutex_lock(&mutex);
  ends++;
  pthread_cond_signal(&ended);
  pthread_mutex_unlock(&mutex);
}

static void wait_for(int count)
{
  pthread_mutex_lock(&mutex);
  while (ends < count) {
    pthread_cond_wait(&ended, &mutex);
  }
  pthread_mutex_unlock(&mutex);
}

int main(void)
{
  AP_CORR corr;
  memset(&corr, 0, sizeof corr);
  corr.corr_l = 0x1234;
  QUERY_CENTRAL_LOGGER logger;
  START(logger, AP_QUERY_CENTRAL_LOGGER);
  AP_UINT16 result = nof_async(0, &logger, on_end, corr);
  CHECK(result == AP_IN_PROGRESS);
  wait_for(1);
  EXPECT(logger, AP_OK, 0);
  START(logger, AP_QUERY_CENTRAL_LOGGER);
  CHECK(nof_async(0, &logger, NULL, corr) == AP_COMPLETED);
  EXPECT(logger, AP_OK, 0);

  /* Several changes at once, in any order. */
  AP_UINT32 net = open_to_write(AP_SNA_NET);
  ADD_BACKUP add[4];
  for (int i = 0; i < 4; i++) {
    char name[8];
    snprintf(name, sizeof name, "extra%d", i);
    START(add[i], AP_ADD_BACKUP);
    put_name(add[i].backup_name, name);
    CHECK(nof_async(net, &add[i], on_end, corr) == AP_IN_PROGRESS);
  }
  wait_for(5);
  for (int i = 0; i < 4; i++) {
    EXPECT(add[i], AP_OK, 0);
    char name[8];
    ADD_BACKUP del;
    snprintf(name, sizeof name, "extra%d", i);
    backup(AP_DELETE_BACKUP, net, name, &del);
    EXPECT(del, AP_OK, 0);
  }

  NOF_HDR other;
  START(other, POLLUX_CODE16(0xE050u));
  nof(0, &other);
  EXPECT(other, AP_FUNCTION_NOT_SUPPORTED, 0);
  START(other, POLLUX_CODE16(0x1234u));
  nof(0, &other);
  EXPECT(other, AP_INVALID_VERB, 0);
  nof(0, NULL);
  return done();
}
