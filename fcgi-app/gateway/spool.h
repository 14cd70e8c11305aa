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
 * around it are replayed. One that is too old for whoever sends it is not replayed, and
 * one may be refused. The files of all these are kept as NAME.damaged, which nobody
 * adopts; named NAME again, a file is replayed once more.
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

enum dr_spool_sending {
	DR_SPOOL_SENDING,   /* it is under way */
	DR_SPOOL_TOO_OLD,   /* what would tell that it arrived before may be gone */
	DR_SPOOL_UNREADABLE /* nothing that was ever kept here */
};

struct dr_spool_options {
	const char *dir;     /* made with mode 0700 where it is missing; copied */
	uint64_t most_bytes; /* of the own file */
	/*
	 * Send this record again, which was kept so long ago, and tell by
	 * dr_spool_sent() what became of it; not from inside this call. Else it is
	 * skipped, and reported with its place.
	 */
	enum dr_spool_sending (*send)(
	    void *arg, const char *payload, size_t len, int64_t age_ms);
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

enum dr_spool_outcome {
	DR_SPOOL_ARRIVED,
	DR_SPOOL_AWAY,   /* Redis is away again: all of the file is sent anew later */
	DR_SPOOL_REFUSED /* Redis will not have it: its file is put aside */
};

/* What became of a record that was handed out. True: none is out any more,
 * dr_spool_replay() may go on at once. */
bool dr_spool_sent(struct dr_spool *spool, enum dr_spool_outcome outcome);

#endif
