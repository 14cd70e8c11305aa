/*
 * account_owner - what the owner of an account may ask and change through /api: one
 * script call each, decided in Redis as a whole. Making a key is gateway/key_make.
 *
 * The calls are the caller's (io/store.h): its `done` gets the reply, which the
 * *_take() functions read. Keys of other accounts cannot be named: only this one's hash
 * is looked at.
 */
#ifndef DR_ACCOUNT_OWNER_H
#define DR_ACCOUNT_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/admission.h"
#include "gateway/key_change.h"
#include "io/store.h"

struct dr_account_me {                    /* texts are borrowed from the reply */
	const char *name, *status, *zone; /* zone "": UTC */
	int64_t created_ms, balance_nano, held_nano, running, spent_nano, keys, wallets;
};

void dr_owner_me(
    struct dr_store *store, const char *account, struct dr_store_call *call);
/* False: there is no such account. */
bool dr_owner_me_take(
    const struct dr_reply *reply, struct dr_account_me *out) DR_MUSTCHECK;

struct dr_keys_query {
	int64_t default_rpm, default_concurrency, clock_offset_ms;
	const char *key_id;       /* one key; NULL: all, the newest first */
	int64_t most;             /* keys */
	int64_t after_created_ms; /* with after_id: behind this one */
	const char *after_id;     /* NULL: from the first */
};

/* The reply is a list, empty where there is no such key; each element is for
 * dr_key_state_take(). */
void dr_owner_keys(struct dr_store *store, const char *account,
    const struct dr_keys_query *query, struct dr_store_call *call);

enum dr_key_changed {
	DR_KEY_CHANGED,
	DR_KEY_UNKNOWN,  /* or deleted */
	DR_KEY_NO_BUDGET /* a period for a key without a budget */
};

void dr_owner_key_set(struct dr_store *store, const char *account, const char *key_id,
    const struct dr_key_change *change, struct dr_store_call *call);
/* Deleting a deleted key again is no error. */
void dr_owner_key_delete(struct dr_store *store, const char *account,
    const char *key_id, struct dr_store_call *call);
/* `sha`: of the new secret (dr_api_key_renew()). */
void dr_owner_key_rotate(struct dr_store *store, const char *account,
    const char *key_id, const char *sha, int64_t grace_ms, int64_t clock_offset_ms,
    struct dr_store_call *call);
enum dr_key_changed dr_owner_key_take(const struct dr_reply *reply);

#endif
