/*
 * admission - may this API key make this request now, and what did it cost?
 *
 * A request passes in two moves. dr_admission_reserve() checks key, balance, budget,
 * requests per minute and concurrency, and holds the worst case, all in one atomic
 * script, before a byte goes upstream. dr_admission_settle() replaces the hold by what
 * was really used. Each successful reserve in mode FULL is settled exactly once. While
 * a request runs its lease is renewed here, whenever a third of it is over, so that a
 * process that dies gives its slots back.
 *
 * Units:   nano-USD, below 2^53; ms of Redis' clock (plus the tests' offset).
 * Errors:  BAD_KEY, SUSPENDED, MODEL_UNAVAILABLE, BALANCE, BUDGET, RPM, CONCURRENCY,
 * HELD, STORE_DOWN; INTERNAL where a script failed (the store has logged it). Thread:
 * the loop's. Callbacks come from the loop, never from inside a call.
 */
#ifndef DR_ADMISSION_H
#define DR_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/errors.h"
#include "base/list.h"
#include "dialects/dialect.h"
#include "gateway/api_key.h"
#include "io/loop.h"
#include "io/store.h"

struct dr_admission; /* opaque: one per process */

struct dr_admission *dr_admission_new(
    struct dr_loop *loop, struct dr_store *store); /* borrowed */
/*
 * Settlements that Redis cannot be told are kept in files below `dir`
 * (gateway/spool.h), `most_bytes` of them at most, and those that it has acknowledged
 * for keep_ms in memory, since the Redis that comes back may be another. False with one
 * line in err. Without a spool an outage loses charges, which is for tests.
 */
bool dr_admission_spool(struct dr_admission *admission, const char *dir,
    uint64_t most_bytes, int64_t keep_ms, char *err, size_t err_size) DR_MUSTCHECK;
/* False: what is charged now could not be kept through an outage. Take no paid request.
 */
bool dr_admission_can_record(const struct dr_admission *admission);
/* Bytes of settlements that wait in this process' file. */
uint64_t dr_admission_spooled(const struct dr_admission *admission);

/*
 * Every ticket was settled or cancelled before. What Redis has not acknowledged by then
 * is in the spool. NULL is fine.
 */
void dr_admission_free(struct dr_admission **admission);

enum dr_admit_mode {
	DR_ADMIT_FULL, /* a call that is charged: everything is checked and booked */
	DR_ADMIT_KEY,  /* only: is the key good? */
	DR_ADMIT_COUNT /* count_tokens: key, model and a limit of its own; books no
			  money */
};

struct dr_admit_query {
	enum dr_admit_mode mode;
	const struct dr_api_key *key;
	const char *request_id;
	const char *model;                        /* canonical name; "" where unknown */
	int64_t estimate_nano;                    /* FULL: the worst case */
	int64_t default_rpm, default_concurrency; /* of a key that names none */
	int64_t count_rpm;
	/* A lease that lapsed sweep_after_ms ago is booked as abandoned, its receipt
	 * kept trace_ttl_ms. */
	int64_t lease_ms, sweep_after_ms, trace_ttl_ms;
	int64_t clock_offset_ms; /* 0 outside tests */
};

#define DR_WINDOW_SIZE 12 /* "total", "2026-11", "2026-11-22" */

/* What the script said, also where it refused; what it did not come to look at is 0. */
struct dr_admitted {
	int64_t now_ms;
	int64_t hold_nano;
	char window[DR_WINDOW_SIZE];         /* in which the charge will count */
	int64_t rpm, rpm_left, rpm_reset_ms; /* reset: when the minute is empty again */
	int64_t concurrency, concurrency_left;
	int64_t balance_left;   /* what is neither spent nor held */
	int64_t budget_left;    /* the same of the budget; -1: the key has none */
	int64_t running;        /* HELD: requests that hold what is left */
	int64_t retry_after_ms; /* RPM: until the oldest leaves the minute, exactly */
	int64_t limit;          /* RPM, CONCURRENCY, HELD: the N of the text */
	int64_t budget_nano;    /* the cap; -1: none */
	char *allowed_models;   /* owned; comma-separated; NULL: all */
};

/*
 * One reservation, embedded in the caller's struct, zeroed before use. The caller keeps
 * it alive until `done` has run or dr_admission_cancel() has returned, and while it is
 * booked; dr_ticket_fini() before it dies.
 */
struct dr_ticket {
	unsigned magic;
#define DR_TICKET_MAGIC 0x71c4e700
	struct dr_admitted admitted;
	int64_t
	    cost_so_far_nano; /* the caller keeps it up to date; written by renewals */
	/* what that is made of: stands in the books, should its process die */
	struct dr_so_far {
		int64_t list_nano; /* without the operator's markup */
		struct dr_usage usage;
		const char *model, *provider,
		    *price_date; /* borrowed; NULL: not known */
	} so_far;
	struct dr_booking
	    *booking; /* the admission's; NULL when nothing is booked or asked */
	void (*done)(struct dr_ticket *, enum dr_error);
};

/* `done` runs exactly once, from the loop. A reply that comes too late is given back.
 */
void dr_admission_reserve(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_admit_query *query,
    void (*done)(struct dr_ticket *, enum dr_error));
/* Forget `done`; a booking that still arrives is given back. Idempotent; a no-op once
 * done ran. */
void dr_admission_cancel(struct dr_admission *admission, struct dr_ticket *ticket);

/* It is neither asked nor booked. A zeroed or finished one is fine. */
void dr_ticket_fini(struct dr_ticket *ticket);

/*
 * The caller of a booked request has left, while what it has asked for still costs:
 * its key's concurrency slot is free from now on. The hold stays until it is settled,
 * for which there is as long as a lapsed lease is left alone.
 */
void dr_admission_free_slot(struct dr_admission *admission, struct dr_ticket *ticket);

/* What became of a booked request. Everything is copied. */
struct dr_settlement {
	int64_t charge_nano;
	int64_t list_nano; /* the same without the operator's markup */
	struct dr_usage usage;
	bool estimated;
	const char *model;      /* served */
	const char *provider;   /* "": none */
	const char *price_date; /* of the row used */
	int status;             /* 0: nobody was left to be told */
	const char *error;      /* "": none */
	bool give_back_rpm;     /* refused before it reached a provider */
	/*
	 * A JSON object with at least one member; the script adds refund_nano_usd (held
	 * beyond the charge) and balance_after_nano_usd. Kept for trace_ttl_ms, and for
	 * as long the mark that makes settling idempotent.
	 */
	const char *receipt;
	int64_t trace_ttl_ms;
};

/*
 * Book what was used and give the rest back. Fire and forget: while Redis is away the
 * settlement waits in the spool, and is sent again once it is back.
 */
void dr_admission_settle(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_settlement *settlement);

/*
 * A request refused after its key was found good (a bad body, say): its id stands among
 * the account's last ones. Fire and forget. What admission itself refuses stands there
 * already.
 */
void dr_admission_note(struct dr_admission *admission, const struct dr_api_key *key,
    const char *request_id, const char *model, int status, const char *error);

/* Did this process see the key admitted in the last 10 s, and not refused since? */
bool dr_admission_key_in_use(
    struct dr_admission *admission, const struct dr_api_key *key);

/* Bookings that are not settled yet: 0 after a drain. */
size_t dr_admission_open(const struct dr_admission *admission);
/* Settlements that neither Redis has acknowledged nor the spool has on disk: 0 after a
 * drain. */
size_t dr_admission_unsettled(const struct dr_admission *admission);

/* Bytes of settlements that wait on disk for Redis, of this process. */
uint64_t dr_admission_spool_bytes(const struct dr_admission *admission);

/* ---- what is left of a key ---- */

struct dr_key_state { /* texts are borrowed, valid during the callback */
	const char *name, *period, *window, *models;
	const char *zone;      /* by which its days begin; "": UTC */
	int64_t window_end_ms; /* 0: never */
	int64_t now_ms;
	int64_t created_ms, expires_ms, used_ms; /* 0: unknown, never */
	int64_t rpm, rpm_used, concurrency, running;
	bool has_budget; /* a budget of 0 is one */
	int64_t budget_nano, spent_nano,
	    held_nano; /* in this window; budget 0: none, or none left */
	int64_t spent_total_nano;
	int64_t balance_nano, balance_held_nano, account_running;
	const char *key_id, *status; /* "on", "off" */
	int64_t
	    old_until_ms; /* until when the secret before a rotation works; 0: none */
};

/* One list of scripts/key_state.lua. */
void dr_key_state_take(const struct dr_reply *reply, struct dr_key_state *out);

struct dr_key_read_query {
	const struct dr_api_key *key;
	int64_t default_rpm, default_concurrency, clock_offset_ms;
};

/* Embedded in its owner, alive until `done` ran or dr_key_read_cancel() was called. */
struct dr_key_read {
	struct dr_store_call call;
	void (*done)(struct dr_key_read *, enum dr_error, const struct dr_key_state *);
};

/* DR_OK, BAD_KEY, SUSPENDED, STORE_DOWN, INTERNAL; the state is NULL unless DR_OK.
 * Takes no limit.
 */
void dr_admission_key_read(struct dr_admission *admission, struct dr_key_read *read,
    const struct dr_key_read_query *query,
    void (*done)(struct dr_key_read *, enum dr_error, const struct dr_key_state *));
void dr_key_read_cancel(struct dr_key_read *read); /* idempotent */

#endif
