/*
 * session - who is logged in to the dashboard.
 *
 * A session's token has the form of an API key with a prefix of its own and names its
 * account, so that all of a session is one field on the account's slot:
 *
 *   {a:ACCT}:sessions   hash: ID -> "SHA-256 of the secret, wallet, made, ends (ms)"
 *   {a:ACCT}:wallets    hash: address -> when it was linked (ms)
 *   {a:ACCT}:api        calls in the running minute
 *   wallet:{ADDRESS}    the account whose wallet it is: set once
 *   wallet:{ADDRESS}:chain  where it is: "*", or of a contract the chains that vouch
 *   login:{CLIENT}      tries of a client's address in the running minute; of
 *                       "contracts": questions to nodes about contracts' signatures
 *
 * Only the digest of the secret is kept. Addresses are in lower case. The gate in front
 * of the handlers is session_gate.c; logging in is handlers/auth_*.c.
 */
#ifndef DR_SESSION_H
#define DR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "gateway/api_key.h"
#include "io/store.h"

#define DR_SESSION_PREFIX "drs-"
#define DR_SESSION_COOKIE "__Host-sid"
#define DR_SESSION_MOST   50  /* of an account; the oldest goes */
#define DR_WALLETS_MOST   100 /* that people link; derouterctl may link more */
#define DR_WALLET_SIZE    43  /* "0x" + 40 hex digits */

struct dr_session {
	struct dr_api_key token; /* account, id, digest of the secret */
	bool by_cookie;
	char wallet[DR_WALLET_SIZE]; /* these three once it is known to run */
	int64_t created_ms, expires_ms;
};

/* False: there is no token of a session in these headers (either may be NULL). */
bool dr_session_parse(
    const char *authorization, const char *cookie, struct dr_session *out) DR_MUSTCHECK;

/* One question to Redis. Its owner keeps it alive until `done` has run or
 * dr_session_cancel() was called. */
struct dr_session_read {
	struct dr_store_call call;
	struct dr_session session; /* filled by dr_session_parse() before */
	int64_t retry_after_ms;    /* with API_TOO_OFTEN */
	void *arg;                 /* the owner's */
	void (*done)(struct dr_session_read *, enum dr_error);
};

/*
 * Does the session run? `done` runs exactly once, from the loop: DR_OK, BAD_SESSION,
 * SUSPENDED_SESSION (the account is), API_TOO_OFTEN, STORE_DOWN. Each one that is in
 * order counts as a call of its account in the running minute.
 */
void dr_session_check(struct dr_store *store, struct dr_session_read *read,
    int64_t most_a_minute, int64_t clock_offset_ms,
    void (*done)(struct dr_session_read *, enum dr_error));
/* Idempotent; NULL is fine. */
void dr_session_cancel(struct dr_session_read *read);

/* ---- questions whose replies are the scripts' own (scripts/NAME.lua says them) ----
 */

/* session_add: `token` is a new one; makes the account where there is none. */
void dr_session_add(struct dr_store *store, const struct dr_api_key *token,
    const char *wallet, int64_t life_ms, int64_t clock_offset_ms,
    struct dr_store_call *call);
/* session_list */
void dr_session_list(struct dr_store *store, const char *account,
    int64_t clock_offset_ms, struct dr_store_call *call);
/* session_end: this one; "" all but `keep`. */
void dr_session_end(struct dr_store *store, const char *account, const char *id,
    const char *keep, struct dr_store_call *call);
/* wallet_take: the account that owns the wallet from now on, this one where it had
 * none. `chain_id` is that of the contract that vouches for it, 0: its own key did.
 * `own`: a session of the account asks, or the operator. */
void dr_wallet_take(struct dr_store *store, const char *wallet, const char *account,
    int64_t chain_id, bool own, struct dr_store_call *call);
/* What it says: the owner, or NULL, and nothing was changed: *chain_id is the one that
 * vouched for the contract before, -1 where the operator linked it without one. */
const char *dr_wallet_owner(const struct dr_reply *reply, int64_t *chain_id);
/* rate: one more try of `who` in the running minute. */
void dr_login_try(
    struct dr_store *store, const char *who, int64_t most, struct dr_store_call *call);

#endif
