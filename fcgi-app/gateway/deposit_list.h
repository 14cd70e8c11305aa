/*
 * deposit_list - the deposits of one account, on all chains together, the newest first:
 * those that are booked to it or will be, and those that came from its wallets and are
 * nobody's yet. And: to say that one is on its way.
 *
 * Units: ms since 1970, nano-USD, block numbers. Thread: the loop's.
 */
#ifndef DR_DEPOSIT_LIST_H
#define DR_DEPOSIT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "config/config.h"
#include "io/store.h"

#define DR_DEPOSIT_ID_SIZE 128 /* "CHAIN:HASH:POSITION" */

struct dr_deposit {
	const struct dr_chain *chain; /* borrowed from the configuration */
	char id[DR_DEPOSIT_ID_SIZE];
	char tx[67], from[43];
	char status[16]; /* pending, credited, unclaimed, orphaned, reversed */
	bool final;      /* its block will not go away any more */
	bool below_min;  /* unclaimed for being too little */
	int64_t nano;    /* -1: above what a balance holds */
	int64_t block, confirmations; /* the block itself is one */
	int64_t seen_ms, credited_ms; /* 0: not yet */
};

/* One reading. Embedded in its owner; zeroed before. */
struct dr_deposits_read {
	struct dr_store_call call;
	struct dr_store *store;         /* borrowed */
	const struct dr_chains *chains; /* borrowed: outlives the reading */
	char account[16];
	size_t limit, at;
	char before[24], before_id[DR_DEPOSIT_ID_SIZE];
	char **wallets; /* owned */
	size_t n_wallets;
	struct dr_deposit *rows; /* owned */
	size_t n_rows; /* at most limit + 1: more than limit, there are more */
	void (*done)(struct dr_deposits_read *, enum dr_error);
};

/*
 * Those first seen before `before_ms`, or then with an id below before_id; before_ms 0:
 * all. `done` runs once, from the loop; the wallets and rows are there until _fini().
 */
void dr_deposits_read(struct dr_store *store, const struct dr_chains *chains,
    const char *account, size_t limit, int64_t before_ms, const char *before_id,
    struct dr_deposits_read *read,
    void (*done)(struct dr_deposits_read *, enum dr_error));
/* Cancels, and frees. Idempotent. */
void dr_deposits_read_fini(struct dr_deposits_read *read);

/*
 * A deposit is on its way on this chain: the watcher polls it faster for a while. Fire
 * and forget where `call` is NULL.
 */
void dr_deposits_notify(
    struct dr_store *store, int64_t chain, int64_t now_ms, struct dr_store_call *call);

#define DR_NOTIFY_MOST      30 /* of an account, in DR_NOTIFY_WINDOW_MS */
#define DR_NOTIFY_WINDOW_MS 60000

/* May the account say so once more? The reply: 0, or the ms until it may. */
void dr_deposits_notify_count(
    struct dr_store *store, const char *account, struct dr_store_call *call);

#endif
