/*
 * stream_read - reading an account's stream (ledger, requests) page by page, forwards
 * or backwards, without holding the loop for longer than a page takes.
 *
 * The range is of entry ids as XRANGE takes them: "1795433901925-0", a time in ms
 * alone,
 * "(" before an id that is left out, "-" and "+". What is added meanwhile at the far
 * end is not seen by a reader that goes backwards; rows may be trimmed away below it.
 *
 * Whoever goes beyond the first page takes turns with all others of this process, a
 * page each: however many sums over long ledgers are asked for at once, Redis and the
 * loop have one page of them in hand, and calls that pay do not wait for more. Of one
 * account only so many may read on at a time.
 */
#ifndef DR_STREAM_READ_H
#define DR_STREAM_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "gateway/schema.h"
#include "io/store.h"

#define DR_STREAM_ID   48
#define DR_STREAM_PAGE 250 /* entries of a page at most: a few ms of the loop */

#define DR_STREAM_MOST 8 /* long readings of an account at a time */

struct dr_stream_read;

/* One per process. */
struct dr_stream_turns {
	struct dr_list readings;       /* those beyond their first page */
	struct dr_list waiting;        /* of them, those that want the next one */
	struct dr_stream_read *asking; /* whose page is on its way; NULL: nobody's */
};
void dr_stream_turns_init(struct dr_stream_turns *turns);

/* Embedded in its owner, alive until `done` ran or dr_stream_cancel() was called. */
struct dr_stream_read {
	struct dr_store_call call;
	struct dr_store *store;        /* borrowed; these four are dr_stream_read()'s */
	struct dr_stream_turns *turns; /* borrowed */
	struct dr_list reading, waiting;
	char account[DR_ACCOUNT_LEN + 1];
	const char *what;        /* DR_SCHEMA_LEDGER, DR_SCHEMA_REQUESTS */
	bool backwards;          /* the newest first */
	char from[DR_STREAM_ID]; /* oldest */
	char to[DR_STREAM_ID];   /* newest */
	size_t page; /* entries asked for at a time; at most DR_STREAM_PAGE */
	size_t most; /* entries in all */

	/* An entry; false stops the reading after it. */
	bool (*row)(struct dr_stream_read *, const struct dr_reply *entry);
	/* After each page while there are more (may be NULL: go on at once): the owner
	 * calls dr_stream_next(), now or later. */
	void (*paged)(struct dr_stream_read *);
	void (*done)(struct dr_stream_read *, enum dr_error err);

	/* once done: */
	size_t n_read;
	char last[DR_STREAM_ID]; /* the id of the last entry that was handed to `row` */
	bool stopped;            /* by `row` */
	bool cut;                /* `most` were read, and there may be more */
};

/* What the struct's first half says is set. `done` runs exactly once, never inside this
 * call; API_BUSY: the account reads DR_STREAM_MOST long ones already. */
void dr_stream_read(
    struct dr_store *store, struct dr_stream_turns *turns, struct dr_stream_read *read);
void dr_stream_next(struct dr_stream_read *read);   /* see `paged` */
void dr_stream_cancel(struct dr_stream_read *read); /* idempotent */

/* "1795433901925-0" or a time alone: the id of an entry. */
bool dr_stream_id_ok(const char *text) DR_MUSTCHECK;

#endif
