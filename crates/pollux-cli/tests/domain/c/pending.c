/* Verbs while another one is under way, and registrations without end. */
#include "check.h"
#include <pthread.h>
#include <time.h>

#define PATIENCE_S 40

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int ends, seen;

static int is_under_way(int before)
{
  pthread_mutex_lock(&mutex);
  int is = ends == before;
  pthread_mutex_unlock(&mutex);
  return is;
}

static void on_end(AP_UINT32 handle, void *block, AP_CORR corr, AP_UINT32 length)
{
  (void)handle, (void)block, (void)corr, (void)length;
  pthread_mutex_lock(&mutex);
  ends++;
  pthread_cond_signal(&ended);
  pthread_mutex_unlock(&mutex);
}

/* The count of ends before a verb that has begun. */
static int begin(AP_UINT32 handle, void *block)
{
  AP_CORR corr;
  memset(&corr, 0, sizeof corr);
  pthread_mutex_lock(&mutex);
  int before = ends;
  pthread_mutex_unlock(&mutex);
  CHECK(nof_async(handle, block, on_end, corr) == AP_IN_PROGRESS);
  return before;
}

static void end(int before)
{
  pthread_mutex_lock(&mutex);
  while (ends == before) {
    pthread_cond_wait(&ended, &mutex);
  }
  pthread_mutex_unlock(&mutex);
}

static void *change(void *net)
{
  ADD_BACKUP block;
  while (!__atomic_load_n(&seen, __ATOMIC_SEQ_CST)) {
    backup(AP_ADD_BACKUP, *(AP_UINT32 *)net, "busy", &block);
    EXPECT(block, AP_OK, 0);
    backup(AP_DELETE_BACKUP, *(AP_UINT32 *)net, "busy", &block);
    EXPECT(block, AP_OK, 0);
  }
  return NULL;
}

/* E2: one thread changes, another one asks meanwhile. */
static void second_synchronous_verb(AP_UINT32 net)
{
  QUERY_CENTRAL_LOGGER logger;
  pthread_t other;
  time_t deadline = time(NULL) + PATIENCE_S;
  CHECK(pthread_create(&other, NULL, change, &net) == 0);
  while (!seen && time(NULL) < deadline) {
    START(logger, AP_QUERY_CENTRAL_LOGGER);
    nof(0, &logger);
    if (logger.primary_rc != AP_OK) {
      EXPECT(logger, AP_STATE_CHECK, AP_SYNC_PENDING);
      __atomic_store_n(&seen, 1, __ATOMIC_SEQ_CST);
    }
  }
  CHECK(seen);
  __atomic_store_n(&seen, 1, __ATOMIC_SEQ_CST);
  CHECK(pthread_join(other, NULL) == 0);
}

/* A handle with a verb under way is neither closed nor given another mode. */
static void verb_in_progress(AP_UINT32 net)
{
  int modes = 0, closes = 0;
  time_t deadline = time(NULL) + PATIENCE_S;
  for (int round = 0; (!modes || !closes) && time(NULL) < deadline; round++) {
    DELETE_BACKUP block;
    START(block, round % 2 ? AP_DELETE_BACKUP : AP_ADD_BACKUP);
    put_name(block.backup_name, "busy");
    int before = begin(net, &block);
    while (is_under_way(before)) {
      set_mode(net, AP_MODE_READ_WRITE);
      if (last_mode.primary_rc == AP_OK) {
        continue;
      }
      EXPECT(last_mode, AP_STATE_CHECK, AP_VERB_IN_PROGRESS);
      modes++;
      CLOSE_FILE close;
      START(close, AP_CLOSE_FILE);
      nof(net, &close);
      if (close.primary_rc == AP_OK) {
        net = open_to_write(AP_SNA_NET);
        break;
      }
      EXPECT(close, AP_STATE_CHECK, AP_VERB_IN_PROGRESS);
      closes++;
    }
    end(before);
    EXPECT(block, AP_OK, 0);
  }
  CHECK(modes && closes);
  ADD_BACKUP rest;
  backup(AP_DELETE_BACKUP, net, "busy", &rest);
  close_file(net);
}

static void ask(AP_UINT16 opcode, REGISTER_INDICATION_SINK *sink)
{
  START(*sink, opcode);
  sink->indication_opcode = AP_SERVER_INDICATION;
  end(begin(0, sink));
}

static void too_many_registrations(void)
{
  REGISTER_INDICATION_SINK sink;
  int count = 0;
  for (;; count++) {
    ask(AP_REGISTER_INDICATION_SINK, &sink);
    if (sink.primary_rc != AP_OK || count > 100000) {
      break;
    }
  }
  EXPECT(sink, AP_PARAMETER_CHECK, AP_DYNAMIC_LOAD_ALREADY_REGD);
  for (; count > 0; count--) {
    ask(AP_UNREGISTER_INDICATION_SINK, &sink);
    EXPECT(sink, AP_OK, 0);
  }
  START(sink, AP_UNREGISTER_INDICATION_SINK);
  sink.indication_opcode = AP_SERVER_INDICATION;
  nof(0, &sink);
  EXPECT(sink, AP_PARAMETER_CHECK, AP_SYNC_NOT_ALLOWED);
}

/* The list of backup masters has an end. */
static void too_many_backups(void)
{
  AP_UINT32 net = open_to_write(AP_SNA_NET);
  ADD_BACKUP block;
  char name[16];
  int count = 0;
  for (;; count++) {
    snprintf(name, sizeof name, "many%d", count);
    backup(AP_ADD_BACKUP, net, name, &block);
    if (block.primary_rc != AP_OK || count > 100000) {
      break;
    }
  }
  EXPECT(block, AP_STATE_CHECK, AP_CANT_MODIFY_VISIBILITY);
  while (count-- > 0) {
    snprintf(name, sizeof name, "many%d", count);
    backup(AP_DELETE_BACKUP, net, name, &block);
    EXPECT(block, AP_OK, 0);
  }
  close_file(net);
}

int main(void)
{
  AP_UINT32 net = open_to_write(AP_SNA_NET);
  second_synchronous_verb(net);
  verb_in_progress(net);
  too_many_registrations();
  too_many_backups();
  return done();
}
