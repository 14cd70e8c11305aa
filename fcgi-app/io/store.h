/*
 * store - Redis, asynchronously (hiredis inside, nowhere else).
 *
 * Calls made in one loop turn leave in one write at its end. A call is answered exactly
 * once, from the loop: with Redis' reply, or with DR_ERR_STORE_DOWN when the connection
 * is not there, breaks, or the reply is not in within timeout_ms.
 *
 * While the connection is down, or silent past a deadline (circuit open), new calls
 * fail at the end of the turn without waiting. Reconnecting goes on behind, after 50 ms
 * at first and 2 s at most; and a call that finds the connection down has it tried at
 * once, unless that was done within the last 20 ms. Where the address accepts, the
 * call, and others made meanwhile, wait until Redis has shown that it is fit, 300 ms at
 * most: so the first call after its return succeeds. Not after a Redis that accepted
 * and then kept silent. The first reply closes the circuit; a connection that stays
 * silent for another timeout_ms is given up. A caller that tries again does so from a
 * timer, never from `done`: it would keep the turn from ending.
 *
 * A connection serves once AUTH and SELECT went through and INFO shows a master, not
 * loading, whose maxmemory-policy is noeviction where maxmemory is set. One that has
 * not written its append-only file anew since it started is asked to (store_info.c);
 * one that keeps no such file is warned of in the log, and serves.
 *
 * Replies OOM, MISCONF, READONLY, LOADING, BUSY, CLUSTERDOWN, TRYAGAIN, NOAUTH,
 * NOREPLICAS, MASTERDOWN, MOVED, ASK and NOPERM count as DR_ERR_STORE_DOWN too; after
 * READONLY the connection is made anew, for the address may lead to another master by
 * then. Any other error reply is a bug in a script: it is logged with the script's name
 * and given as DR_ERR_INTERNAL.
 *
 * Order: calls of one store are executed by Redis in the order they were made. The one
 * exception is a script that somebody flushed out of Redis: its call is sent again.
 * Thread: the loop's. Do not free the store from inside one of its callbacks.
 */
#ifndef DR_STORE_H
#define DR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/list.h"
#include "io/loop.h"

struct dr_store; /* opaque: one per process */

struct dr_store_options {
	/*
	 * "unix:/path" or "host:port" ([::1]:6379 too). A host name is looked up with
	 * the blocking getaddrinfo() at each connect: use a literal, or a name from
	 * /etc/hosts.
	 */
	const char *address;
	const char *username; /* NULL or "": none */
	const char *password; /* NULL or "": no AUTH */
	unsigned database;
	unsigned timeout_ms; /* per call, and for connecting */
};

/*
 * Options are copied. Connecting begins at once; callers wait for `changed`, since
 * calls made before wait for 300 ms at most. The process ignores SIGPIPE from now on.
 */
struct dr_store *dr_store_new(
    struct dr_loop *loop, const struct dr_store_options *options);
/* Pending calls are answered DR_ERR_STORE_DOWN inside this call. NULL is fine. */
void dr_store_free(struct dr_store **store);

bool dr_store_is_up(const struct dr_store *store); /* would a call made now be sent? */

/*
 * Which Redis, with which history, it was when a connection became ready last: its
 * run_id and master_replid. Another one means that what was acknowledged before may be
 * gone: Redis was restarted or replaced, or was a replica of another in between. ""
 * before, or where INFO is refused.
 */
#define DR_STORE_SERVER_ID_SIZE 96
const char *dr_store_server_id(const struct dr_store *store);

/*
 * Called whenever dr_store_is_up() changes: a connection is ready (AUTH, SELECT and
 * policy checks done) or lost, the circuit opened or closed. May be NULL.
 */
void dr_store_on_change(
    struct dr_store *store, void (*changed)(void *arg, bool up), void *arg);

/* ---- replies: borrowed, valid during the callback only; NULL (a call that failed, an
 * element beyond the end) reads as nil ---- */

struct dr_reply; /* opaque */

enum dr_reply_type { DR_REPLY_NIL, DR_REPLY_INT, DR_REPLY_STRING, DR_REPLY_ARRAY };

enum dr_reply_type dr_reply_type(const struct dr_reply *reply);
size_t dr_reply_count(const struct dr_reply *reply); /* elements of an array; else 0 */
const struct dr_reply *dr_reply_at(
    const struct dr_reply *reply, size_t i); /* NULL beyond the end */
/* An integer, or a string that is one in decimal; `otherwise` for anything else, NULL
 * included. */
int64_t dr_reply_int(const struct dr_reply *reply, int64_t otherwise);
/* A string or status, NUL-terminated; "" for anything else. *len may be NULL. */
const char *dr_reply_string(const struct dr_reply *reply, size_t *len);

/* ---- scripts: one row each in scripts/scripts.def, compiled in ---- */

struct dr_script {
	const char *name;   /* "admit": logs */
	const char *source; /* Lua */
	size_t source_len;
	char sha1[41]; /* filled by the store at first use; zeroed before */
};

/* ---- calls ---- */

/*
 * One call. Embedded in its owner, which keeps it alive until `done` has run or
 * dr_store_cancel() was called. With `late` set, a reply that arrives after its
 * deadline or after a cancel is handed to `late` (exactly once per timed-out or
 * cancelled call; NULL when the connection broke first or the reply was an error), and
 * the owner keeps the call alive, and starts no other with it, until then.
 */
struct dr_store_call {
	unsigned magic; /* set by dr_store_*: zero before */
#define DR_STORE_CALL_MAGIC 0x5709e001
	void (*done)(
	    struct dr_store_call *, enum dr_error err, const struct dr_reply *reply);
	void (*late)(
	    struct dr_store_call *, const struct dr_reply *reply); /* or NULL */
	struct dr_store_slot *slot; /* the store's; NULL when nothing is in flight */
	bool sent; /* the store's: it has left for Redis, and may have been executed */
};

/* Arguments are length-counted bytes; all are copied before the call returns. */
struct dr_arg {
	const char *data;
	size_t len;
};

/*
 * EVALSHA (EVAL when Redis does not know the script). args_and_keys[0..n_keys) are the
 * keys, the rest up to n_all the arguments. All keys carry the hash tag `tag`
 * ("{a:k3f9}"), which picks the node in a cluster. `call` may be NULL: fire and forget,
 * with failures logged.
 */
void dr_store_eval(struct dr_store *store, const char *tag, struct dr_script *script,
    size_t n_keys, const struct dr_arg *args_and_keys, size_t n_all,
    struct dr_store_call *call);

/* A plain command: argv[0] is its name. */
void dr_store_command(struct dr_store *store, const char *tag,
    const struct dr_arg *argv, size_t n_argv, struct dr_store_call *call);

/* Forget `done`; the command itself may still be executed. Idempotent; no-op once done
 * ran. */
void dr_store_cancel(struct dr_store_call *call);

/* Calls whose fate is open (cancelled ones included) and replies so far: drain check,
 * metrics. */
size_t dr_store_in_flight(const struct dr_store *store);
uint64_t dr_store_replies(const struct dr_store *store);

/* ---- for operator tools and tests: turn the loop until something is so ---- */

/* False when the store is not up after timeout_ms. */
bool dr_store_wait_up(struct dr_store *store, unsigned timeout_ms) DR_MUSTCHECK;
/* Until `done` (and `late`, if that is due) has run; at most about twice the store's
 * timeout. */
void dr_store_wait(struct dr_store *store, const struct dr_store_call *call);

#endif
