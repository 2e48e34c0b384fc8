//! Every bound of the daemon, with its unit and what happens at it (S15).

/// Own ticks are so long, milliseconds. Time-outs that accuse somebody are counted in them, so that a daemon that
/// could not run itself accuses nobody.
pub(crate) const TICK_MS: u64 = 20;
/// Processes of a CPU, visitors counted; a further one is refused.
pub(crate) const PROCESSES_MAX: usize = 4_096;
/// Acceptors of a CPU; a further one is refused with error 61.
pub(crate) const ACCEPTORS_MAX: usize = 1_024;
/// Connections that have not said what they are; a further one is closed at once.
pub(crate) const HALF_OPEN_MAX: usize = 64;
/// Time for the first frame of a connection, ticks; then it is closed.
pub(crate) const HALF_OPEN_TICKS_MAX: u64 = 5_000 / TICK_MS;
/// Connections in all; a further one is closed at once.
pub(crate) const LINKS_MAX: usize = 16_384;
/// Bytes queued for one connection; a reader that slow is cut off.
pub(crate) const LINK_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connections accepted before other events are looked at.
pub(crate) const ACCEPTS_PER_WAKE_MAX: usize = 64;
/// Time for a named process or a backup to attach, milliseconds; then it is killed.
pub(crate) const ATTACH_WAIT_MS: u64 = 10_000;
/// Time for a named process that closed its control channel to end by itself, ticks; then it is killed.
pub(crate) const UNLINKED_TICKS_MAX: u64 = 5_000 / TICK_MS;
/// Paths that wait for a process to attach; a further one gets error 61.
pub(crate) const PATHS_WAITING_MAX: usize = 1_024;
/// Requests under way to peers, opens, creations, stops and questions together; a further one gets error 61.
pub(crate) const ASKED_MAX: usize = 4_096;
/// Jobs under way at the coordinator; beyond, a process is told that it is unavailable.
pub(crate) const CLERK_JOBS_MAX: usize = 8_192;
/// Commands that may wait for the end of one process; a further one is refused.
pub(crate) const WAITERS_MAX: usize = 64;
/// Looks for a name's primary while a takeover may be under way; then error 201.
pub(crate) const OPEN_TRIES_MAX: u32 = 20;
/// Names made up before it is given up to find one that is free; then error 44.
pub(crate) const NAME_TRIES_MAX: u32 = 64;
/// Messages that wait for a process to attach; a further one is lost.
pub(crate) const MESSAGES_WAITING_MAX: usize = 64;
/// Questions for the fate of processes of one CPU that wait until it is decided; a further one gets error 31.
pub(crate) const FATES_WAITING_MAX: usize = 1_024;
/// Time for processes that were stopped to be gone, milliseconds; then who stopped them is answered with error 40.
pub(crate) const STOP_WAIT_MS: u64 = 5_000;
/// Time for the records to be corrected after the loss of a CPU, milliseconds; then it is announced all the same.
pub(crate) const ANNOUNCE_WAIT_MS: u64 = 5_000;
/// Pause between two of them, milliseconds.
pub(crate) const OPEN_RETRY_MS: u64 = 5;
/// Ended processes whose exit status is kept for a late `Wait`; then the oldest is forgotten.
pub(crate) const ENDED_KEPT_MAX: usize = 64;
/// Encoded bytes of a program's spec; a larger one is refused, since it must fit into frames beside other fields.
pub(crate) const SPEC_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a program's path in a name's record and in listings; longer ones are cut.
pub(crate) const PROGRAM_TEXT_BYTES_MAX: usize = 200;
/// Numbers a process may ask for at a time; more are cut to this.
pub(crate) const NUMBERS_PER_REQUEST_MAX: u32 = 65_536;
/// Numbers fetched from the coordinator at a time.
pub(crate) const NUMBERS_BLOCK: u32 = 64;
/// Lost compare-and-sets after which a change of a record is given up.
pub(crate) const UPDATE_ATTEMPTS_MAX: u32 = 100;
/// Events that wait to be written; further ones are counted as lost.
pub(crate) const EVENTS_WAITING_MAX: usize = 1_024;
/// Bytes of `events.jsonl`; then it becomes `events.1.jsonl`.
pub(crate) const EVENTS_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Pause before something the coordinator could not do is asked again, milliseconds.
pub(crate) const COORDINATOR_RETRY_MS: u64 = 200;
/// Pause between two looks for names that nobody is left to end, ticks.
pub(crate) const SURVEY_TICKS: u64 = 10_000 / TICK_MS;
/// Longest pause before a CPU that keeps failing is started again, milliseconds.
pub(crate) const RELOAD_MS_MAX: u64 = 10_000;
/// Shortest pause once it has failed twice in a row, milliseconds.
pub(crate) const RELOAD_MS_MIN: u64 = 100;
/// A CPU that was up for less than this failed "again", milliseconds.
pub(crate) const RELOAD_SETTLED_MS: u64 = 10_000;
/// Time for all CPUs to hear that their node goes down, ticks; then processes are killed.
pub(crate) const LEAVE_GATHER_TICKS_MAX: u64 = 10;
/// Time for the primaries of a leaving CPU to exchange roles, ticks.
pub(crate) const LEAVE_SWITCH_TICKS_MAX: u64 = 5_000 / TICK_MS;
/// Time for its killed processes to be reaped, ticks.
pub(crate) const LEAVE_KILL_TICKS_MAX: u64 = 5_000 / TICK_MS;
/// Time for the coordinator to note that it is down, ticks.
pub(crate) const LEAVE_RECORD_TICKS_MAX: u64 = 2_000 / TICK_MS;
/// Pause between two tries to connect to a peer, ticks.
pub(crate) const CALL_RETRY_TICKS: u64 = 5;
/// Time for a connected peer to say hello, ticks; then it counts as hung and is killed.
pub(crate) const CALL_TICKS_MIN: u64 = 5_000 / TICK_MS;
/// Time for a peer whose connection broke to die, ticks; then the higher CPU number of the two is killed.
pub(crate) const LOST_LINK_TICKS_MAX: u64 = 25;
/// Time for the lock of a CPU's dying daemon to be released, milliseconds.
pub(crate) const LOCK_WAIT_MS: u64 = 3_000;
/// Descriptors the daemon asks the kernel for; a process costs six.
pub(crate) const DESCRIPTORS_WANTED: u64 = 65_536;
