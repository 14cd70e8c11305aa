/*
 * spool - settlements that Redis could not be told, on disk until it can.
 *
 * Each process has one file in the folder, locked while it lives. What is added is
 * written and synced behind the loop, all of a turn at once. Once Redis is back the
 * records are handed out to be sent again, and the file is emptied when all of them
 * have been acknowledged. Files whose process died are adopted: whoever gets the lock
 * replays and removes them. A record may be handed out more than once; what it says
 * must be idempotent.
 *
 * A record that is torn or damaged is reported with file and byte, and the whole ones
 * around it are replayed. One older than `most_age_ms` is reported and not replayed.
 *
 * Units:  bytes, ms.
 * Errors: logged, with the file. No callback comes from inside a call but `send`.
 * Thread: the loop's.
 */
#ifndef DR_SPOOL_H
#define DR_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "io/loop.h"

struct dr_spool; /* opaque: one per process */

struct dr_spool_options {
	const char *dir;     /* made with mode 0700 where it is missing; copied */
	uint64_t most_bytes; /* of the own file */
	int64_t most_age_ms; /* of a record that is still replayed */
	/*
	 * Send this record again, and tell by dr_spool_sent() what became of it; not
	 * from inside this call. False: it cannot be read, say so in the log; it is
	 * skipped.
	 */
	bool (*send)(void *arg, const char *payload, size_t len);
	void *arg;
};

/* NULL with one line in err: the folder or the own file cannot be written. */
struct dr_spool *dr_spool_open(struct dr_loop *loop,
    const struct dr_spool_options *options, char *err, size_t err_size) DR_MUSTCHECK;
/* Writes what is not on disk yet, waiting for it; an empty file is removed. No record
 * may be out any more. NULL is fine. */
void dr_spool_free(struct dr_spool **spool);

/* Keep this payload (copied). False: the file is full, or the disk is; nothing is kept.
 */
bool dr_spool_add(struct dr_spool *spool, const char *payload, size_t len) DR_MUSTCHECK;

/* Is there room for what may still come, and did the last write go well? */
bool dr_spool_sound(const struct dr_spool *spool);
/* Accepted and not yet on disk. */
size_t dr_spool_unwritten(const struct dr_spool *spool);
/* In the own file, on disk or on the way there. */
uint64_t dr_spool_bytes(const struct dr_spool *spool);

/* Redis is there: hand out what waits, a few hundred records at a time. Called now and
 * then for as long as it is. */
void dr_spool_replay(struct dr_spool *spool);
/*
 * What became of a record that was handed out: acknowledged, or Redis is away again.
 * True: none is out any more, dr_spool_replay() may go on at once.
 */
bool dr_spool_sent(struct dr_spool *spool, bool acknowledged);

#endif
