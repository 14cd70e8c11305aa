/*
 * The choice of a provider, as tables: the providers with their states, what this
 * request has tried, and who is chosen or what the caller is told. Clock and chance are
 * in the rows.
 */
#include "routing_fixture.h"

/* ---- who is chosen, what is told ---- */

#define OUT(...) .tried = { __VA_ARGS__ }

static const struct route_row rows[] = {
	{ "the only one", { { .name = "a" } }, false, "a", DR_OK, -1 },
	{ "none at all", { { .name = NULL } }, false, NULL, DR_ERR_MODEL_UNAVAILABLE,
	    -1 },
	{ "another model", { { .name = "a", .set = { "models", "x" } } }, false, NULL,
	    DR_ERR_MODEL_UNAVAILABLE, -1 },
	{ "another route", { { .name = "a", .set = { "dialects", "openai-chat" } } },
	    false, NULL, DR_ERR_MODEL_UNAVAILABLE, -1 },
	{ "disabled", { { .name = "a", .set = { "enabled", "off" } } }, false, NULL,
	    DR_ERR_MODEL_UNAVAILABLE, -1 },
	{ "the lowest priority number goes first",
	    { { .name = "a", .set = { "priority", "5" } },
		{ .name = "b", .set = { "priority", "4" } },
		{ .name = "c", .set = { "priority", "6" } } },
	    false, "b", DR_OK, -1 },
	{ "the next tier where the first is out",
	    { { .name = "a", .set = { "priority", "5" } },
		{ .name = "b", .set = { "priority", "4" }, .cools_ms = 10 },
		{ .name = "c", .set = { "priority", "6" } } },
	    false, "a", DR_OK, -1 },
	{ "resting", { { .name = "a", .set = { "rest", "11:00-13:00" } } }, false, NULL,
	    DR_ERR_RESTING, 3600000 },
	{ "the first to wake counts",
	    { { .name = "a", .set = { "rest", "11:00-13:00" } },
		{ .name = "b", .set = { "rest", "11:00-12:01" } } },
	    false, NULL, DR_ERR_RESTING, 60000 },
	{ "one rests, the other does not",
	    { { .name = "a", .set = { "rest", "11:00-13:00" } }, { .name = "b" } },
	    false, "b", DR_OK, -1 },
	{ "cooling",
	    { { .name = "a", .cools_ms = 900 }, { .name = "b", .cools_ms = 700 } },
	    false, NULL, DR_ERR_OVERLOADED, 700 },
	{ "open circuit", { { .name = "a", .opens_ms = 300 } }, false, NULL,
	    DR_ERR_OFFLINE, 300 },
	{ "doubted, another is left",
	    { { .name = "a", .doubt_ms = 300 }, { .name = "b" } }, false, "b", DR_OK,
	    -1 },
	{ "doubted, another is left, though of a later tier",
	    { { .name = "a", .set = { "priority", "1" }, .doubt_ms = 300 },
		{ .name = "b", .set = { "priority", "2" } } },
	    false, "b", DR_OK, -1 },
	{ "doubted, a probe's turn",
	    { { .name = "a", .set = { "priority", "1" }, .doubt_ms = 1 },
		{ .name = "b", .set = { "priority", "2" } } },
	    false, "a", DR_OK, -1 },
	{ "doubted and alone", { { .name = "a", .doubt_ms = 300 } }, false, "a", DR_OK,
	    -1 },
	{ "doubted and alone with one that is out",
	    { { .name = "a", .doubt_ms = 300 }, { .name = "b", .cools_ms = 10 } },
	    false, "a", DR_OK, -1 },
	{ "doubted and alone with one that was tried",
	    { { .name = "a", .doubt_ms = 300 },
		{ .name = "b", OUT(DR_OUTCOME_SERVER) } },
	    false, "a", DR_OK, -1 },
	{ "both doubted: the tier again",
	    { { .name = "a", .set = { "priority", "2" }, .doubt_ms = 300 },
		{ .name = "b", .set = { "priority", "1" }, .doubt_ms = 300 } },
	    false, "b", DR_OK, -1 },
	{ "a failure not judged yet is as good as a doubt",
	    { { .name = "a", .unjudged = 1 }, { .name = "b" } }, false, "b", DR_OK,
	    -1 },
	{ "again: one that is doubted since",
	    { { .name = "a", .doubt_ms = 300, OUT(DR_OUTCOME_REFUSED) } }, true, "a",
	    DR_OK, -1 },
	{ "flagged", { { .name = "a", .flagged = true } }, false, NULL,
	    DR_ERR_PROVIDER_AUTH, -1 },
	{ "full", { { .name = "a", .set = { "max_concurrency", "2" }, .running = 2 } },
	    false, NULL, DR_ERR_FULL, -1 },
	{ "an old count is only a hint",
	    { { .name = "a",
		.set = { "max_concurrency", "2" },
		.running = 2,
		.counted_ago_ms = 100 } },
	    false, "a", DR_OK, -1 },
	{ "found full by asking", { { .name = "a", OUT(DR_OUTCOME_FULL) } }, false,
	    NULL, DR_ERR_FULL, -1 },
	{ "full goes before overloaded",
	    { { .name = "a", OUT(DR_OUTCOME_FULL) }, { .name = "b", .cools_ms = 10 } },
	    false, NULL, DR_ERR_FULL, -1 },
	{ "overloaded before rest",
	    { { .name = "a", .set = { "rest", "11:00-13:00" } },
		{ .name = "b", .cools_ms = 10 } },
	    false, NULL, DR_ERR_OVERLOADED, 10 },
	{ "rest before time-out",
	    { { .name = "a", .set = { "rest", "11:00-13:00" } },
		{ .name = "b", OUT(DR_OUTCOME_SILENT) } },
	    false, NULL, DR_ERR_RESTING, 3600000 },
	{ "time-out before error",
	    { { .name = "a", OUT(DR_OUTCOME_SERVER) },
		{ .name = "b", OUT(DR_OUTCOME_SILENT) } },
	    false, NULL, DR_ERR_PROVIDER_TIMEOUT, -1 },
	{ "error before authentication",
	    { { .name = "a", OUT(DR_OUTCOME_SERVER) },
		{ .name = "b", .flagged = true } },
	    false, NULL, DR_ERR_PROVIDER_ERROR, -1 },
	{ "authentication before offline",
	    { { .name = "a", OUT(DR_OUTCOME_REFUSED) },
		{ .name = "b", OUT(DR_OUTCOME_AUTH) } },
	    false, NULL, DR_ERR_PROVIDER_AUTH, -1 },
	{ "all refused",
	    { { .name = "a", OUT(DR_OUTCOME_REFUSED) },
		{ .name = "b", OUT(DR_OUTCOME_REFUSED) } },
	    false, NULL, DR_ERR_OFFLINE, -1 },
	{ "tried, another is left",
	    { { .name = "a", OUT(DR_OUTCOME_SERVER) }, { .name = "b" } }, false, "b",
	    DR_OK, -1 },
	{ "overloaded as tried: its own rest is the wait",
	    { { .name = "a", .cools_ms = 1500, OUT(DR_OUTCOME_OVERLOADED) } }, false,
	    NULL, DR_ERR_OVERLOADED, 1500 },
	/* once more */
	{ "again: one that refused", { { .name = "a", OUT(DR_OUTCOME_REFUSED) } }, true,
	    "a", DR_OK, -1 },
	{ "again: one whose kept connection broke",
	    { { .name = "a", OUT(DR_OUTCOME_STALE) } }, true, "a", DR_OK, -1 },
	{ "which is offline to the caller", { { .name = "a", OUT(DR_OUTCOME_STALE) } },
	    false, NULL, DR_ERR_OFFLINE, -1 },
	{ "again: one that failed", { { .name = "a", OUT(DR_OUTCOME_SERVER) } }, true,
	    "a", DR_OK, -1 },
	{ "again: one that has rested", { { .name = "a", OUT(DR_OUTCOME_OVERLOADED) } },
	    true, "a", DR_OK, -1 },
	{ "again, but it still rests",
	    { { .name = "a", .cools_ms = 5, OUT(DR_OUTCOME_OVERLOADED) } }, true, NULL,
	    DR_ERR_OVERLOADED, 5 },
	{ "again, but its circuit opened: the error is told",
	    { { .name = "a", .opens_ms = 5, OUT(DR_OUTCOME_SERVER) } }, true, NULL,
	    DR_ERR_PROVIDER_ERROR, -1 },
	{ "never again: silent", { { .name = "a", OUT(DR_OUTCOME_SILENT) } }, true,
	    NULL, DR_ERR_PROVIDER_TIMEOUT, -1 },
	{ "never again: silent once, whatever came after",
	    { { .name = "a", OUT(DR_OUTCOME_SILENT, DR_OUTCOME_SERVER) } }, true, NULL,
	    DR_ERR_PROVIDER_TIMEOUT, -1 },
	{ "never again: bad credential", { { .name = "a", OUT(DR_OUTCOME_AUTH) } },
	    true, NULL, DR_ERR_PROVIDER_AUTH, -1 },
	{ "never again: full", { { .name = "a", OUT(DR_OUTCOME_FULL) } }, true, NULL,
	    DR_ERR_FULL, -1 },
};

static void
the_choice_and_the_answer_follow_the_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		check_route(&rows[i]);
}

static void
the_wait_counts_to_the_second(void **state)
{
	const struct spec specs[MOST] = { { .name = "a",
	    .set = { "rest", "11:00-12:02" } } };
	struct dr_provider *out;
	struct bench bench;
	int64_t wait_ms;

	(void)state;
	bench_init(&bench, specs);
	bench.query.now_wall_ms += 45250;
	assert_int_equal(dr_route(&bench.query, &out, &wait_ms), DR_ERR_RESTING);
	assert_int_equal(wait_ms, 120000 - 45250);
	bench_fini(&bench);
}

/* An attempt that is still under way (failover of a slow one) rules its provider out.
 */
static void
one_that_is_being_asked_is_not_chosen(void **state)
{
	const struct spec specs[MOST] = { { .name = "a" } };
	struct dr_provider *out;
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	bench.tried[0] = (struct dr_tried){ bench.providers[0], DR_OUTCOME_NONE };
	bench.query.n_tried = 1;
	assert_int_equal(dr_route(&bench.query, &out, NULL), DR_ERR_OFFLINE);
	bench.query.again = true;
	assert_int_equal(dr_route(&bench.query, &out, NULL), DR_ERR_OFFLINE);
	bench_fini(&bench);
}

static void
a_changed_record_is_still_the_same_provider(void **state)
{
	const struct spec specs[MOST] = { { .name = "a" } };
	struct dr_provider *before, *out;
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	before = provider_of(&specs[0]);
	bench.tried[0] = (struct dr_tried){ before, DR_OUTCOME_SILENT };
	bench.tried[1] = (struct dr_tried){ NULL, DR_OUTCOME_SERVER };
	bench.query.n_tried = 2;
	assert_int_equal(dr_route(&bench.query, &out, NULL), DR_ERR_PROVIDER_TIMEOUT);
	dr_provider_unref(&before);
	bench_fini(&bench);
}

/* ---- shares ---- */

/* How often each is chosen in 10,000 draws. */
static void
count(const struct spec specs[MOST], unsigned chosen[MOST])
{
	uint64_t random = 1;
	struct bench bench;

	memset(chosen, 0, MOST * sizeof chosen[0]);
	bench_init(&bench, specs);
	for (int i = 0; i < 10000; i++) {
		struct dr_provider *out;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		bench.query.random = random ^ random >> 29;
		assert_int_equal(dr_route(&bench.query, &out, NULL), DR_OK);
		for (size_t p = 0; p < bench.query.n_providers; p++)
			chosen[p] += out == bench.providers[p];
	}
	bench_fini(&bench);
}

static void
idle_providers_share_by_weight(void **state)
{
	const struct spec specs[MOST] = { { .name = "a", .set = { "weight", "600" } },
		{ .name = "b", .set = { "weight", "300" } },
		{ .name = "c", .set = { "weight", "100" } } };
	unsigned n[MOST];

	(void)state;
	count(specs, n);
	assert_in_range(n[0], 5700, 6300);
	assert_in_range(n[1], 2700, 3300);
	assert_in_range(n[2], 800, 1200);
}

static void
of_two_the_less_busy_is_taken(void **state)
{
	/* by share of slots: 5 of 10 is more than 40 of 100 */
	const struct spec slots[MOST] = {
		{ .name = "a", .set = { "max_concurrency", "10" }, .running = 5 },
		{ .name = "b", .set = { "max_concurrency", "100" }, .running = 40 }
	};
	/* and by weight: 30 at weight 3 is no more than 10 at weight 1 */
	const struct spec weights[MOST] = {
		{ .name = "a",
		    .set = { "max_concurrency", "100", "weight", "3" },
		    .running = 29 },
		{ .name = "b",
		    .set = { "max_concurrency", "100", "weight", "1" },
		    .running = 10 }
	};
	unsigned n[MOST];

	(void)state;
	count(slots, n);
	assert_int_equal(n[1], 10000);
	count(weights, n);
	assert_int_equal(n[0], 10000);
}

/* The busiest of three is only taken when it is not compared: never, with two draws. */
static void
the_busiest_is_avoided(void **state)
{
	const struct spec specs[MOST] = { { .name = "a", .running = 3 },
		{ .name = "b", .running = 1 }, { .name = "c", .running = 2 } };
	unsigned n[MOST];

	(void)state;
	count(specs, n);
	assert_int_equal(n[0], 0);
	assert_in_range(n[1], 6200, 7100);
	assert_in_range(n[2], 2900, 3800);
}

/* ---- errors ---- */

static void
the_worst_is_the_first_in_the_contracts_order(void **state)
{
	static const enum dr_error order[] = { DR_ERR_FULL, DR_ERR_OVERLOADED,
		DR_ERR_RESTING, DR_ERR_PROVIDER_TIMEOUT, DR_ERR_PROVIDER_ERROR,
		DR_ERR_PROVIDER_AUTH, DR_ERR_OFFLINE, DR_OK };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(order); i++)
		for (size_t k = 0; k < DR_N_ELEMENTS(order); k++)
			assert_int_equal(
			    dr_worst_of(order[i], order[k]), order[i < k ? i : k]);
}

static void
an_outcome_has_its_error(void **state)
{
	static const enum dr_error errors[DR_N_OUTCOMES] = {
		[DR_OUTCOME_REFUSED] = DR_ERR_OFFLINE,
		[DR_OUTCOME_STALE] = DR_ERR_OFFLINE,
		[DR_OUTCOME_SERVER] = DR_ERR_PROVIDER_ERROR,
		[DR_OUTCOME_SILENT] = DR_ERR_PROVIDER_TIMEOUT,
		[DR_OUTCOME_OVERLOADED] = DR_ERR_OVERLOADED,
		[DR_OUTCOME_AUTH] = DR_ERR_PROVIDER_AUTH,
		[DR_OUTCOME_FULL] = DR_ERR_FULL,
	};

	(void)state;
	for (unsigned o = 0; o < DR_N_OUTCOMES; o++)
		assert_int_equal(dr_outcome_error((enum dr_outcome)o), errors[o]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_choice_and_the_answer_follow_the_rules),
		cmocka_unit_test(the_wait_counts_to_the_second),
		cmocka_unit_test(one_that_is_being_asked_is_not_chosen),
		cmocka_unit_test(a_changed_record_is_still_the_same_provider),
		cmocka_unit_test(idle_providers_share_by_weight),
		cmocka_unit_test(of_two_the_less_busy_is_taken),
		cmocka_unit_test(the_busiest_is_avoided),
		cmocka_unit_test(the_worst_is_the_first_in_the_contracts_order),
		cmocka_unit_test(an_outcome_has_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
