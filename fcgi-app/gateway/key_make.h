/*
 * key_make - a new key of an account in Redis: for derouterctl and for /api.
 *
 * Its id is claimed in `keys` (id -> account) first, so that an id alone finds its
 * account; one that is taken is drawn anew. The key itself, and whether the account may
 * have one more, is one script.
 */
#ifndef DR_KEY_MAKE_H
#define DR_KEY_MAKE_H

#include "gateway/api_key.h"
#include "gateway/key_change.h"
#include "io/store.h"

enum dr_key_made {
	DR_KEY_MADE,
	DR_KEY_NO_ACCOUNT,
	DR_KEY_TOO_MANY,  /* the account has `most` */
	DR_KEY_ALL_SPENT, /* and has deleted very many that were used */
	DR_KEY_FAILED     /* err says why */
};

/* Embedded in its owner, alive until `done` ran or dr_key_make_cancel() was called. */
struct dr_key_make {
	struct dr_store_call call;
	struct dr_store *store;             /* borrowed */
	const char *prefix;                 /* borrowed, as all of these */
	const struct dr_key_change *change; /* what it may */
	char account[DR_ACCOUNT_LEN + 1];
	int64_t most; /* keys of the account; 0: any number */
	int draws;
	struct dr_api_key key;
	char text[DR_API_KEY_SIZE]; /* the key itself, with DR_KEY_MADE; else "" */
	void (*done)(struct dr_key_make *, enum dr_key_made how, enum dr_error err);
};

/*
 * prefix, account, change, most and done are set. `done` runs exactly once, never
 * inside this call; the caller wipes `text`.
 */
void dr_key_make(struct dr_store *store, struct dr_key_make *make);
/* Idempotent; a key that Redis has made meanwhile is nobody's: its secret is wiped. */
void dr_key_make_cancel(struct dr_key_make *make);

#endif
