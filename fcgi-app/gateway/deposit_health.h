/*
 * deposit_health - how well the chains are followed, as derouter-watcher left it in
 * Redis: for deposits' pages and for GET /metrics.
 *
 * Units: ms since 1970, block numbers. Thread: the loop's.
 */
#ifndef DR_DEPOSIT_HEALTH_H
#define DR_DEPOSIT_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "config/config.h"
#include "io/store.h"

struct dr_chain_health {
	int64_t ok_ms, error_ms;  /* last whole and last failed round; 0: never */
	int64_t head, finalized;  /* as the node said then; -1: not known */
	int64_t next, final_next; /* first block not looked through; -1 likewise */
	int64_t n_pending, n_unclaimed; /* deposits that wait */
};

enum dr_chain_state {
	DR_CHAIN_OK,
	DR_CHAIN_DELAYED, /* no whole round for a few polls */
	DR_CHAIN_DOWN,    /* ... for many */
	DR_CHAIN_UNKNOWN  /* never yet */
};

enum dr_chain_state dr_chain_health_state(const struct dr_chain_health *health,
    const struct dr_settings *settings, int64_t now_ms);
const char *dr_chain_state_name(enum dr_chain_state state); /* "ok", "delayed" ... */

/* Blocks that were not looked through yet; -1: not known. `final_pass`: by the second
 * look at final ones. */
int64_t dr_chain_health_lag(const struct dr_chain_health *health, bool final_pass);

/* One reading of all enabled chains, one after the other. Embedded in its owner, zeroed
 * before. */
struct dr_chains_read {
	struct dr_store_call call;
	struct dr_store *store;         /* borrowed */
	const struct dr_chains *chains; /* borrowed: outlives the reading */
	size_t at;
	struct dr_chain_health *health; /* owned; as many as chains->n, zero for those
					   that are not enabled */
	void (*done)(struct dr_chains_read *, enum dr_error);
};

/* True: `done` runs once, from the loop. False: no chain is enabled, `done` does not
 * come. read->health is there either way. */
bool dr_chains_read(struct dr_store *store, const struct dr_chains *chains,
    struct dr_chains_read *read, void (*done)(struct dr_chains_read *, enum dr_error));
/* Cancels, and frees. Idempotent. */
void dr_chains_read_fini(struct dr_chains_read *read);

#endif
