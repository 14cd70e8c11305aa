/*
 * routing_fixture - providers with their states as rows of a table, and who is chosen
 * of them. Shared by the tests of routing; each includes it once.
 */
#ifndef DR_TESTS_ROUTING_FIXTURE_H
#define DR_TESTS_ROUTING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/routing.h"

#define NOW      UINT64_C(5000000)
#define MIDNIGHT (INT64_C(20000) * 86400000) /* wall clock, 00:00 UTC */
#define MOST     5

#define REDIS_NOW INT64_C(1700000000000)

/* A provider: what differs from an enabled, idle one that serves "m" on Anthropic's
 * route. */
struct spec {
	const char *name; /* NULL: no more of them */
	const char *set[6];
	unsigned running;
	uint64_t counted_ago_ms;
	uint64_t cools_ms; /* cool-down left */
	uint64_t opens_ms; /* open circuit, so long until a probe's turn */
	uint64_t doubt_ms; /* in doubt, so long until a probe's turn; 1: it is now */
	unsigned unjudged; /* failures told, whose verdict is still to come */
	bool flagged;
	void (*state)(struct dr_provider_state *); /* NULL: nothing is known */
	enum dr_outcome tried[3];
};

static inline struct dr_provider *
provider_of(const struct spec *spec)
{
	struct dr_provider *provider = dr_calloc(1, sizeof *provider);
	struct dr_provider_record *record;
	char err[200];

	record = dr_provider_record_new(spec->name, err, sizeof err);
	assert_non_null(record);
	assert_true(dr_provider_record_set(record, "models", "m", err, sizeof err));
	assert_true(
	    dr_provider_record_set(record, "dialects", "anthropic", err, sizeof err));
	for (size_t i = 0; i + 1 < 6 && spec->set[i] != NULL; i += 2)
		if (!dr_provider_record_set(
			record, spec->set[i], spec->set[i + 1], err, sizeof err))
			fail_msg("%s", err);
	provider->magic = DR_PROVIDER_MAGIC;
	provider->refs = 1;
	provider->record = record;
	provider->running = spec->running;
	provider->counted_ms = NOW - spec->counted_ago_ms;
	provider->breaker.cool_until_ms = spec->cools_ms > 0 ? NOW + spec->cools_ms : 0;
	provider->breaker.open = spec->opens_ms > 0;
	provider->breaker.doubted = spec->doubt_ms > 0;
	provider->breaker.turn_ms =
	    NOW + spec->opens_ms + (spec->doubt_ms > 1 ? spec->doubt_ms : 0);
	provider->unjudged = spec->unjudged;
	provider->breaker.flagged = spec->flagged;
	provider->rest = record->rest;
	provider->state.now_ms = REDIS_NOW;
	provider->state.hb_free = -1;
	if (spec->state != NULL)
		spec->state(&provider->state);
	dr_liveness_read(&provider->presence, record, &provider->state, true, NOW);
	return provider;
}

struct bench {
	struct dr_provider *providers[MOST];
	struct dr_tried tried[3 * MOST];
	struct dr_route_query query;
};

static inline void
bench_init(struct bench *bench, const struct spec specs[MOST])
{
	memset(bench, 0, sizeof *bench);
	for (size_t i = 0; i < MOST && specs[i].name != NULL; i++) {
		bench->providers[i] = provider_of(&specs[i]);
		bench->query.n_providers++;
		for (size_t t = 0; t < 3 && specs[i].tried[t] != DR_OUTCOME_NONE; t++)
			bench->tried[bench->query.n_tried++] =
			    (struct dr_tried){ bench->providers[i], specs[i].tried[t] };
	}
	bench->query.providers = bench->providers;
	bench->query.tried = bench->tried;
	bench->query.model = "m";
	bench->query.dialect = DR_DIALECT_ANTHROPIC;
	bench->query.now_ms = NOW;
	bench->query.now_wall_ms = MIDNIGHT + 12 * 3600000;
}

static inline void
bench_fini(struct bench *bench)
{
	for (size_t i = 0; i < MOST; i++)
		dr_provider_unref(&bench->providers[i]);
}

/* ---- who is chosen, what is told ---- */

struct route_row {
	const char *rule;
	struct spec specs[MOST];
	bool again;
	const char *chosen; /* NULL: none, for every random number */
	enum dr_error err;
	int64_t wait_ms;
};

static inline void
check_route(const struct route_row *row)
{
	struct dr_provider *out;
	struct bench bench;
	int64_t wait_ms;
	enum dr_error err;

	bench_init(&bench, row->specs);
	bench.query.again = row->again;
	for (uint64_t r = 0; r < 64; r++) {
		const char *chosen;

		bench.query.random = r * UINT64_C(0x9e3779b97f4a7c15);
		err = dr_route(&bench.query, &out, &wait_ms);
		chosen = out != NULL ? out->record->name : NULL;
		if (err != row->err || wait_ms != row->wait_ms ||
		    (chosen == NULL) != (row->chosen == NULL) ||
		    (chosen != NULL && strcmp(chosen, row->chosen) != 0))
			fail_msg("%s: chose %s, %s, wait %lld", row->rule,
			    chosen != NULL ? chosen : "none",
			    err == DR_OK ? "OK" : dr_error_info(err)->name,
			    (long long)wait_ms);
	}
	assert_int_equal(dr_route(&bench.query, &out, NULL), err);
	bench_fini(&bench);
}

#endif
