/*
 * watcher - the parts of derouter-watcher and its duties: what runs by the clock.
 *
 * A duty is one file and one row of the table in watcher.c. It keeps no state that
 * matters: what it has done is in Redis, so that two watchers at once are harmless and
 * one that was killed goes on where it was. A lock in Redis may save work, never carry
 * correctness.
 *
 * Thread: the loop's.
 */
#ifndef DR_WATCHER_H
#define DR_WATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "io/crypto.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/store.h"

struct dr_watcher {
	unsigned magic;
#define DR_WATCHER_MAGIC 0x3a7c4e01
	struct dr_loop *loop;     /* owned, as all below */
	struct dr_config *config; /* the snapshot in force; SIGHUP replaces it */
	struct dr_store *store;
	struct dr_http *http;
	struct dr_seal_key seal_key; /* of providers' credentials */
	bool once; /* --once: each duty does its work one time, without waiting for its
		      hour */

	bool replay; /* --replay: follow chains of which nothing is known from their
			start_block, however old it is */

	size_t rounds_left; /* with --once */
	bool failed;
};

struct dr_duty {
	const char *name; /* for --once and the log */
	/* Called once when the loop is about to run; Redis may not be up yet. */
	void *(*start)(struct dr_watcher *watcher); /* watcher: borrowed */
	void (*reload)(void *duty); /* watcher->config is another; may be NULL */
	/* Cancel what runs, free `duty`. No callback may come afterwards. */
	void (*stop)(void *duty);
};

/*
 * A duty has gone through its work. With --once it must say so, exactly once, and then
 * wait to be stopped; else this does nothing.
 */
void dr_watcher_round_over(struct dr_watcher *watcher, bool ok);

#endif
