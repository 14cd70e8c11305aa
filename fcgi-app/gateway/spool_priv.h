/*
 * spool_priv - what the two files of the spool share.
 *
 *   spool.c         the own file: adding, writing, room
 *   spool_replay.c  reading records back; files of processes that died
 */
#ifndef DR_SPOOL_PRIV_H
#define DR_SPOOL_PRIV_H

#include "base/strbuf.h"
#include "gateway/spool.h"

#define DR_SPOOL_SUFFIX ".spool"

/* A file that is being read back. */
struct dr_spool_reading {
	char *path; /* owned; NULL: nothing is read */
	int fd;     /* the own file's is borrowed */
	bool adopted;
	uint64_t at;  /* bytes before here were handed out or reported */
	uint64_t end; /* of what is read in this pass */
	unsigned out; /* records handed out and not yet answered */
	bool failed;  /* one of them did not arrive: the pass is made again */
	unsigned n, damaged, old, unreadable, refused; /* for the report */
};

struct dr_spool {
	unsigned magic;
#define DR_SPOOL_MAGIC 0x5b001d01
	struct dr_loop *loop;            /* borrowed */
	struct dr_spool_options options; /* dir owned */
	char *path;                      /* owned: the own file */
	int fd;
	uint64_t size; /* of the own file, as far as it is on disk and good */
	struct dr_strbuf waiting; /* accepted; not given to the writer yet */
	struct dr_strbuf writing; /* the writer's, while `work` runs */
	struct dr_work work;
	int outcome; /* of the write at hand, in errno; the writer's, as `writing` */
	int write_error; /* errno of the last write that has ended; 0: it went well */
	bool broken; /* the last write failed, or there is no room left on the disk */
	bool told_full;
	struct dr_timer watch; /* looks at the disk; tries a failed write again */
	struct dr_deferred flush;
	struct dr_spool_reading reading;
	uint64_t adopt_at_ms; /* when the folder is looked through next */
};

/* ---- spool.c ---- */

/* Empty the own file, all of which has been acknowledged. */
void dr_spool_empty(struct dr_spool *spool);
/* The own file stays as it is under `aside`; another one takes its place. False: it
 * does not, and why stands in errno. */
bool dr_spool_begin_anew(struct dr_spool *spool, const char *aside) DR_MUSTCHECK;

/* ---- spool_replay.c ---- */

void dr_spool_reading_stop(struct dr_spool *spool);

#endif
