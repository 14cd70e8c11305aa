/*
 * providers - this process' copy of the directory of providers, and their slots.
 *
 * The copy is polled from Redis every providers_poll; while Redis is away the last one
 * stays. A record that cannot be read is reported by its name, once per change, and
 * left out; the others go on. One whose credential does not open is there, and flagged.
 * Choosing among them is routing.h's, which is pure.
 *
 * A provider's slots are leases in Redis ({p:NAME}:running), counted over all
 * processes; a lease is renewed while it is held and lapses lease_time after its
 * process died. While a provider is far from full, a slot that is given back stays with
 * this process for a moment (lease_time / 30) as a spare one: the next request takes it
 * without asking Redis, where it counts as in use all the while.
 *
 * Errors: DR_ERR_FULL, DR_ERR_STORE_DOWN.
 * Thread: the loop's. Callbacks come from the loop, never from inside a call.
 */
#ifndef DR_PROVIDERS_H
#define DR_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/list.h"
#include "config/config.h"
#include "dialects/dialect.h"
#include "gateway/breaker.h"
#include "gateway/liveness.h"
#include "gateway/provider_record.h"
#include "gateway/provider_state.h"
#include "io/crypto.h"
#include "io/loop.h"
#include "io/store.h"

#define DR_MAX_PROVIDERS 1000 /* more than these are reported and left out */

struct dr_providers; /* opaque: one per process */

/*
 * A provider at one generation of its record. A change makes a new one; requests that
 * run on the old one keep their reference.
 */
struct dr_provider {
	unsigned magic;
#define DR_PROVIDER_MAGIC 0x9201d301
	unsigned refs;
	const struct dr_provider_record *record; /* owned */
	char *credential; /* owned, wiped when freed; NULL: none. Never logged */
	bool locked;      /* it has one that does not open: as if it were refused */
	struct dr_breaker breaker;
	struct dr_provider_state state; /* as of the last poll */
	struct dr_presence presence;    /* what that means */
	struct dr_rest_plan rest;       /* in force: an automatic one is worked out */
	uint64_t heard_ms;              /* its node's last heartbeat to this process */
	uint64_t flagged_ms;            /* when breaker.flagged was set */
	uint64_t told;                  /* the turn of the last word to the others */
	uint64_t cool_told_ms;          /* breaker.cool_until_ms as they know it */
	/* How long it takes, decaying; 0: unknown. A stream to its first token, an
	 * answer in one piece to its head: the one says nothing of the other. */
	uint32_t first_token_ms, answer_ms;
	unsigned unjudged;   /* failures told, whose verdict is still to come */
	unsigned running;    /* leases at the last count, over all processes; our spare
				ones left out */
	uint64_t counted_ms; /* dr_clock_ms() of that count by Redis */
	struct dr_list
	    spare; /* slots of ours that no request uses just now; newest last */
	unsigned n_spare;
};

/* `config` is read during the call only. */
struct dr_providers *dr_providers_new(struct dr_loop *loop,
    struct dr_store *store,        /* borrowed */
    const struct dr_seal_key *key, /* copied; its file is read anew when a
				      credential does not open with it */
    const struct dr_config *config);
void dr_providers_configure(
    struct dr_providers *providers, const struct dr_config *config);
/* No more polls (a drain); leases that are held are still renewed, slots still taken
 * and given, and none stays spare. */
void dr_providers_stop(struct dr_providers *providers);
/* No lease may be held any more; NULL is fine. Before dr_store_free(). */
void dr_providers_free(struct dr_providers **providers);

/* The directory has been read at least once. */
bool dr_providers_ready(const struct dr_providers *providers);

/* derouter-watcher gave a sign of life, as of the last poll that could tell. */
bool dr_providers_watched(const struct dr_providers *providers);

/* All of them, disabled ones too; borrowed until the next turn of the loop. */
struct dr_provider *const *dr_providers_list(
    const struct dr_providers *providers, size_t *n);

/* NULL: there is none of this name. Borrowed until the next turn of the loop. */
struct dr_provider *dr_providers_find(
    const struct dr_providers *providers, const char *name);

/* Does an enabled provider offer this model on this dialect, online or not? */
bool dr_providers_offer(const struct dr_providers *providers, const char *model,
    enum dr_dialect_id dialect);
/* Is one of those, on any dialect, there and awake, not flagged and with its circuit
 * closed? */
bool dr_providers_online(const struct dr_providers *providers, const char *model,
    uint64_t now_ms, int64_t now_wall_ms);

/* May a provider answer a request for this model, as far as its own word goes: it is
 * enabled and has the model just now? */
bool dr_provider_has(const struct dr_provider *provider, const char *model);

/* Are others to be asked before it: it is in doubt, or this process has just met a
 * failure there and does not know yet what all of them think of it? */
bool dr_provider_doubted(const struct dr_provider *provider, uint64_t now_ms);

/* What it is to requests just now, in a word: alive, disabled, resting, flagged,
 * offline, cooling, doubted, open. */
const char *dr_provider_standing(
    const struct dr_provider *provider, uint64_t now_ms, int64_t now_wall_ms);

/* A fresh random number for dr_route(). */
uint64_t dr_providers_random(struct dr_providers *providers);

/* A stream's first token, or the head of an answer in one piece, came so long after it
 * was asked for. */
void dr_provider_note_first(struct dr_provider *provider, bool stream, uint64_t ms);
/* Whose account it is: the record's org, or where that is not said its own name. */
const char *dr_provider_org(const struct dr_provider *provider);

/* An attempt that began at began_ms (dr_clock_ms()) ended: tell its breaker, and where
 * that turns something the log and the other processes, without waiting for them.
 * retry_after_ms -1: none named. */
void dr_providers_outcome(struct dr_providers *providers, struct dr_provider *provider,
    enum dr_outcome outcome, int64_t retry_after_ms, uint64_t began_ms);

/* ---- one provider ---- */

struct dr_provider *dr_provider_ref(struct dr_provider *provider);
void dr_provider_unref(struct dr_provider **provider); /* NULL is fine */

/* The model's name at this provider; the same text where it is not renamed. */
const char *dr_provider_model(const struct dr_provider *provider, const char *model);
/* base_url and path joined (dr_provider_record_url); `size` >= 1024 always fits. */
void dr_provider_url(
    const struct dr_provider *provider, const char *path, char *out, size_t size);

/* ---- slots ---- */

#define DR_LEASE_ID_SIZE 96

struct dr_slot; /* opaque: what stays behind of a lease until Redis has answered */

/*
 * One slot. Embedded in its owner, zeroed before the first use; the owner calls
 * dr_provider_give() before it dies.
 */
struct dr_provider_lease {
	unsigned magic;
#define DR_PROVIDER_LEASE_MAGIC 0x1ea5e001
	struct dr_provider
	    *provider;        /* a reference, from take to give, also after a refusal */
	struct dr_slot *slot; /* NULL: nothing is held or being taken */
	bool held;
	bool probe;    /* it is the probe whose turn it is, of all processes ... */
	int64_t claim; /* ... as Redis gave it; 0: it knows of no trouble */
	unsigned
	    n_left; /* slots that were left behind as spare: they keep their names */
	void (*done)(struct dr_provider_lease *, enum dr_error);
};

/*
 * Take a slot of `provider` for this request: idempotent by request_id (below
 * DR_LEASE_ID_SIZE bytes). `done` runs exactly once, unless the lease is given before:
 * DR_OK, DR_ERR_FULL, DR_ERR_STORE_DOWN or DR_ERR_INTERNAL; or DR_ERR_OFFLINE: it
 * would have been a probe, and the turn was another process': ask routing again. A
 * lease still in use is given back first.
 */
void dr_provider_take(struct dr_providers *providers, struct dr_provider_lease *lease,
    struct dr_provider *provider, const char *request_id,
    void (*done)(struct dr_provider_lease *, enum dr_error));

/*
 * Give it back, or forget a take under way (no `done` then; a slot that still comes is
 * given back). Fire and forget, idempotent; a zeroed lease is fine.
 */
void dr_provider_give(struct dr_providers *providers, struct dr_provider_lease *lease);

/* Slots held, spare, being taken or still to be given back: 0 after a drain, unless
 * Redis is away. */
size_t dr_providers_leases(const struct dr_providers *providers);

#endif
