/*
 * Rests: windows, how they are spread, and whole days by a clock that is only an
 * argument: with three providers in turn somebody is always there, with one the answer
 * says at each minute when it wakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/routing.h"

#define MIDNIGHT (INT64_C(20000) * 86400000)
#define MINUTE   INT64_C(60000)
#define MOST     12

static char err[256];

/* ---- windows ---- */

static void
when_it_next_rests(void **state)
{
	static const struct {
		const char *rest;
		unsigned minute, begins_in;
	} rows[] = {
		{ "none", 0, 1440 },
		{ "01:00-02:00", 0, 60 },
		{ "01:00-02:00", 59, 1 },
		{ "01:00-02:00", 60, 0 },
		{ "01:00-02:00", 119, 0 },
		{ "01:00-02:00", 120, 1380 },
		{ "22:00-06:00", 0, 0 },
		{ "22:00-06:00", 360, 960 },
		{ "22:00-06:00,12:00-13:00", 360, 360 },
		{ "22:00-06:00,12:00-13:00", 800, 520 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record =
		    dr_provider_record_new("p", err, sizeof err);
		int64_t at = MIDNIGHT + rows[i].minute * MINUTE + 15250;
		unsigned n = rows[i].begins_in;

		assert_true(dr_provider_record_set(
		    record, "rest", rows[i].rest, err, sizeof err));
		assert_int_equal(dr_rest_begins_in(&record->rest, rows[i].minute), n);
		assert_int_equal(dr_rest_begins_in_ms(&record->rest, at),
		    n == 1440 ? -1
		    : n == 0  ? 0
			      : n * MINUTE - 15250);
		dr_provider_record_free(&record);
	}
}

/* Whatever the number, rests of 8 hours at even distances leave as many online as can
 * be. */
static void
spread_rests_are_even(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 200; n++) {
		unsigned most = 0;

		for (unsigned m = 0; m < DR_MINUTES_OF_DAY; m++) {
			unsigned resting = 0;

			for (size_t i = 0; i < n; i++) {
				struct dr_rest_plan plan = { .n = 1,
					.windows = { dr_rest_spread(i, n) } };

				resting += dr_rest_at(&plan, m);
			}
			if (resting > most)
				most = resting;
		}
		/* a third, rounded up, and one more where minutes do not divide */
		assert_in_range(most, 1, (n + 2) / 3 + (DR_MINUTES_OF_DAY % n != 0));
	}
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(dr_rest_spread(i, 3).from, i * 480);
		assert_int_equal(dr_rest_spread(i, 3).to, (i + 1) * 480 % 1440);
	}
}

/* ---- a directory for a day ---- */

struct town {
	struct dr_provider *providers[MOST];
	struct dr_route_query query;
};

static struct dr_provider *
provider_of(const char *name, const char *models, const char *rest)
{
	struct dr_provider *provider = dr_calloc(1, sizeof *provider);
	struct dr_provider_record *record =
	    dr_provider_record_new(name, err, sizeof err);

	assert_true(dr_provider_record_set(record, "models", models, err, sizeof err));
	assert_true(
	    dr_provider_record_set(record, "dialects", "anthropic", err, sizeof err));
	if (!dr_provider_record_set(record, "rest", rest, err, sizeof err))
		fail_msg("%s", err);
	provider->magic = DR_PROVIDER_MAGIC;
	provider->refs = 1;
	provider->record = record;
	dr_liveness_read(&provider->presence, record, &provider->state, true, 0);
	return provider;
}

/* name, models, rest, three by three */
static void
town_init(struct town *town, const char *const *words)
{
	const struct dr_provider_record *records[MOST] = { NULL };
	struct dr_rest_plan plans[MOST];
	size_t n = 0;

	memset(town, 0, sizeof *town);
	for (; words[3 * n] != NULL; n++) {
		town->providers[n] =
		    provider_of(words[3 * n], words[3 * n + 1], words[3 * n + 2]);
		records[n] = town->providers[n]->record;
	}
	dr_rest_layout(records, n, plans);
	for (size_t i = 0; i < n; i++)
		town->providers[i]->rest = plans[i];
	town->query = (struct dr_route_query){ .providers = town->providers,
		.n_providers = n,
		.model = "m",
		.dialect = DR_DIALECT_ANTHROPIC };
}

static void
town_fini(struct town *town)
{
	for (size_t i = 0; i < MOST; i++)
		dr_provider_unref(&town->providers[i]);
}

static size_t
awake(const struct town *town, const char *model, unsigned minute)
{
	size_t n = 0;

	for (size_t i = 0; i < town->query.n_providers; i++)
		n += dr_provider_has(town->providers[i], model) &&
		     !dr_rest_at(&town->providers[i]->rest, minute);
	return n;
}

static void
automatic_rests_follow_one_another(void **state)
{
	static const struct {
		const char *words[3 * MOST + 1];
		size_t least; /* awake for "m" at any minute */
	} rows[] = {
		{ { "a", "m", "auto" }, 0 },
		{ { "a", "m", "auto", "b", "m", "auto" }, 1 },
		{ { "a", "m", "auto", "b", "m", "auto", "c", "m", "auto" }, 2 },
		{ { "a", "m", "auto", "b", "m", "auto", "c", "m", "auto", "d", "m",
		      "auto" },
		    2 },
		{ { "a", "m", "auto", "b", "m", "auto", "c", "m", "auto", "d", "m",
		      "auto", "e", "m", "auto", "f", "m", "auto" },
		    4 },
		{ { "a", "m", "auto", "b", "m", "none" }, 1 },
		/* around those that rest by a plan of their own */
		{ { "a", "m", "00:00-08:00", "b", "m", "auto" }, 1 },
		{ { "a", "m", "auto", "b", "m", "00:00-08:00" }, 1 },
		{ { "a", "m", "04:00-20:00", "b", "m", "auto" }, 0 },
		/* what others serve does not matter, what is shared does */
		{ { "a", "x", "auto", "b", "x", "auto", "c", "m", "auto", "d", "m",
		      "auto" },
		    1 },
		{ { "a", "m,x", "auto", "b", "x", "auto", "c", "m,x", "auto" }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct town town;
		size_t least = MOST;

		town_init(&town, rows[i].words);
		for (unsigned m = 0; m < DR_MINUTES_OF_DAY; m++)
			if (awake(&town, "m", m) < least)
				least = awake(&town, "m", m);
		if (least != rows[i].least)
			fail_msg("row %zu: %zu awake at least", i, least);
		for (size_t p = 0; p < town.query.n_providers; p++) {
			unsigned rests = 0;

			for (unsigned m = 0; m < DR_MINUTES_OF_DAY; m++)
				rests += dr_rest_at(&town.providers[p]->rest, m);
			if (town.providers[p]->record->rest_auto)
				assert_int_equal(rests, DR_REST_MINUTES);
		}
		town_fini(&town);
	}
}

/* ---- 24 hours ---- */

static void
in_turn_somebody_is_always_there(void **state)
{
	static const char *const plans[][10] = {
		{ "a", "m", "auto", "b", "m", "auto", "c", "m", "auto", NULL },
		{ "a", "m", "00:00-08:00", "b", "m", "08:00-16:00", "c", "m",
		    "16:00-00:00", NULL },
		{ "a", "m", "22:00-06:00", "b", "m", "06:00-14:00", "c", "m",
		    "14:00-22:00", NULL },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(plans); i++) {
		struct town town;
		unsigned seen[3] = { 0 };

		town_init(&town, plans[i]);
		town.query.rest_lead_ms = 5 * MINUTE;
		for (int64_t t = 0; t < 1440 * MINUTE; t += MINUTE / 4) {
			struct dr_provider *out;

			town.query.now_wall_ms = MIDNIGHT + t;
			town.query.random += UINT64_C(0x9e3779b97f4a7c15);
			town.query.stream = t / MINUTE % 2 == 0;
			assert_int_equal(dr_route(&town.query, &out, NULL), DR_OK);
			assert_int_equal(
			    dr_rest_wakes_in_ms(&out->rest, MIDNIGHT + t), 0);
			for (size_t p = 0; p < 3; p++)
				seen[p] += out == town.providers[p];
		}
		for (size_t p = 0; p < 3; p++) /* each works a good part of the day */
			assert_in_range(seen[p], 5760 / 5, 5760 / 2);
		town_fini(&town);
	}
}

static void
alone_the_answer_says_at_each_minute_when_it_wakes(void **state)
{
	static const char *const words[] = { "a", "m", "22:00-06:00", NULL };
	struct town town;

	(void)state;
	town_init(&town, words);
	for (int64_t m = 0; m < DR_MINUTES_OF_DAY; m++) {
		bool resting = m >= 22 * 60 || m < 6 * 60;
		int64_t wait_ms, left = (6 * 60 + 1440 - m) % 1440 * MINUTE;
		struct dr_provider *out;

		for (int64_t second = 0; second < 60; second += 20) {
			int64_t wait = left - second * 1000;

			town.query.now_wall_ms = MIDNIGHT + m * MINUTE + second * 1000;
			assert_int_equal(dr_route(&town.query, &out, &wait_ms),
			    resting ? DR_ERR_RESTING : DR_OK);
			assert_int_equal(wait_ms, resting ? wait : -1);
			if (resting)
				assert_int_equal(
				    dr_route_retry_hint(DR_ERR_RESTING, wait_ms),
				    wait < MINUTE ? wait : MINUTE);
		}
	}
	town_fini(&town);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_next_rests),
		cmocka_unit_test(spread_rests_are_even),
		cmocka_unit_test(automatic_rests_follow_one_another),
		cmocka_unit_test(in_turn_somebody_is_always_there),
		cmocka_unit_test(alone_the_answer_says_at_each_minute_when_it_wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
