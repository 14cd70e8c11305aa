/*
 * routing - which provider does a request try next, and what to say when none is left.
 *
 * Pure: the directory, the clocks and a random number are arguments.
 *
 * A candidate serves the model on this route, is enabled, there (liveness.h), awake,
 * not flagged, not cooling down, its circuit is closed (or half open, and it is a
 * probe's turn), it does not seem full, and this request has not tried it; for a
 * stream, it does not go to rest within rest_lead either. One that is doubted is one
 * only where there is no other. Of those with the lowest priority number the
 * conversation's home is taken, unless it carries more than a quarter above its share
 * of what runs (one that answers twice as late as the quickest: half of that); then its
 * next home. A request without a conversation draws two by weight and takes the less
 * busy one (running / (slots * weight)), the slower one counting as busier, at most
 * four times.
 */
#ifndef DR_ROUTING_H
#define DR_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "dialects/dialect.h"
#include "gateway/breaker.h"
#include "gateway/providers.h"

/* A provider that this request has tried, or found full. Same name = same provider. */
struct dr_tried {
	struct dr_provider
	    *provider; /* its owner keeps the reference; NULL entries are skipped */
	enum dr_outcome outcome; /* NONE: still under way, not to be chosen either */
};

struct dr_route_query {
	struct dr_provider *const *providers; /* dr_providers_list() */
	size_t n_providers;
	const char *model;
	enum dr_dialect_id dialect;
	const struct dr_tried *tried;
	size_t n_tried;
	/*
	 * Nobody else was left: those that refused, failed or were overloaded may be
	 * asked once more (never those that stayed silent, are full or have a bad
	 * credential).
	 */
	bool again;
	bool stream;          /* the answer may be a long one ... */
	int64_t rest_lead_ms; /* ... so not from one that rests within so long */
	uint64_t now_ms;      /* dr_clock_ms() */
	int64_t now_wall_ms;  /* dr_clock_wall_ms() */
	uint64_t random;      /* dr_providers_random() */
	uint64_t affinity;    /* dr_affinity_of(); 0: it belongs to no conversation */
	const char *org;      /* only providers of this organisation; "" or NULL: any */
};

/*
 * DR_OK: *out (borrowed from `providers`). Else what to tell the caller, this request's
 * failed attempts included (dr_worst_of over all providers that offer the model):
 *   MODEL_UNAVAILABLE   no enabled provider offers it on this route
 *   FULL, OVERLOADED, RESTING, PROVIDER_TIMEOUT, PROVIDER_ERROR, PROVIDER_AUTH, OFFLINE
 * *wait_ms (may be NULL): for OVERLOADED until the first cool-down ends, for RESTING
 * until the first wakes by its schedule, for OFFLINE until the first open circuit lets
 * a probe through; -1 where unknown.
 */
enum dr_error dr_route(const struct dr_route_query *query, struct dr_provider **out,
    int64_t *wait_ms) DR_MUSTCHECK;

/*
 * What to name as Retry-After: for RESTING the wait, at most a minute; for OVERLOADED
 * the wait where it is shorter than a minute; else -1, the catalogue's.
 */
int64_t dr_route_retry_hint(enum dr_error err, int64_t wait_ms);

/* What an attempt's outcome is to the caller: DR_OK for NONE, OK and CALLER. */
enum dr_error dr_outcome_error(enum dr_outcome outcome);

/*
 * The one of two to tell the caller, in the contract's order: FULL, OVERLOADED,
 * RESTING, PROVIDER_TIMEOUT, PROVIDER_ERROR, PROVIDER_AUTH, OFFLINE. DR_OK yields to
 * anything.
 */
enum dr_error dr_worst_of(enum dr_error a, enum dr_error b);

#endif
