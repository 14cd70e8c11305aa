/*
 * The choice of a provider by whether it is there: heartbeats, probes, rests to come.
 */
#include "routing_fixture.h"

/* What a node or the watcher said. */

static void
beats(struct dr_provider_state *s)
{
	s->hb_at_ms = REDIS_NOW - 1000;
	s->hb_until_ms = REDIS_NOW + 1000;
}

static void
stopped_beating(struct dr_provider_state *s)
{
	s->hb_at_ms = REDIS_NOW - 2000;
	s->hb_until_ms = REDIS_NOW;
}

static void
has_another_model(struct dr_provider_state *s)
{
	beats(s);
	s->hb_models = dr_strdup("x,n");
}

static void
has_the_model(struct dr_provider_state *s)
{
	beats(s);
	s->hb_models = dr_strdup("x,m");
}

static void
takes_none(struct dr_provider_state *s)
{
	beats(s);
	s->hb_free = 0;
}

static void
takes_two_more_than_one(struct dr_provider_state *s)
{
	beats(s);
	s->hb_free = 2;
	s->hb_running = 1;
}

static void
rests_in_a_minute(struct dr_provider_state *s)
{
	beats(s);
	s->hb_resting_at_ms = REDIS_NOW + 60000;
}

static void
went_to_rest(struct dr_provider_state *s)
{
	stopped_beating(s);
	s->hb_resting_at_ms = REDIS_NOW - 500;
}

static void
answered_401(struct dr_provider_state *s)
{
	s->probe_at_ms = REDIS_NOW - 5;
	s->probe_failures = 1;
	s->probe_refused = true;
}

static void
does_not_answer(struct dr_provider_state *s)
{
	s->probe_at_ms = REDIS_NOW - 5;
	s->probe_failures = 2;
}

#define NODE  .set = { "liveness", "node" }
#define PROBE .set = { "liveness", "probe" }

static const struct route_row rows[] = {
	{ "a node that beats", { { .name = "a", NODE, .state = beats } }, false, "a",
	    DR_OK, -1 },
	{ "a node that was never heard", { { .name = "a", NODE } }, false, NULL,
	    DR_ERR_OFFLINE, -1 },
	{ "a node that stopped, and one that did not",
	    { { .name = "a", NODE, .state = stopped_beating },
		{ .name = "b", NODE, .state = beats } },
	    false, "b", DR_OK, -1 },
	{ "its node does not have the model",
	    { { .name = "a", .state = has_another_model } }, false, NULL,
	    DR_ERR_OFFLINE, -1 },
	{ "its node has the model", { { .name = "a", .state = has_the_model } }, false,
	    "a", DR_OK, -1 },
	{ "its node takes no more",
	    { { .name = "a", .state = takes_none, .counted_ago_ms = 5000 } }, false,
	    NULL, DR_ERR_FULL, -1 },
	{ "its node takes two more",
	    { { .name = "a", .state = takes_two_more_than_one, .running = 2 } }, false,
	    "a", DR_OK, -1 },
	{ "its node took two more",
	    { { .name = "a", .state = takes_two_more_than_one, .running = 3 } }, false,
	    NULL, DR_ERR_FULL, -1 },
	{ "its node is about to rest: one answer is soon over",
	    { { .name = "a", .state = rests_in_a_minute } }, false, "a", DR_OK, -1 },
	{ "its node went to rest", { { .name = "a", NODE, .state = went_to_rest } },
	    false, NULL, DR_ERR_RESTING, -1 },
	{ "a probe's credential was refused",
	    { { .name = "a", .state = answered_401 } }, false, NULL,
	    DR_ERR_PROVIDER_AUTH, -1 },
	{ "it answers no probe", { { .name = "a", PROBE, .state = does_not_answer } },
	    false, NULL, DR_ERR_OFFLINE, -1 },
	{ "whoever is taken for alive needs no probe",
	    { { .name = "a", .state = does_not_answer } }, false, "a", DR_OK, -1 },
};

static void
who_is_not_there_is_not_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		check_route(&rows[i]);
}

/* A long answer is not begun where it would have to end soon. */
static void
a_stream_keeps_away_from_a_rest_to_come(void **state)
{
	static const struct {
		struct spec spec;
		bool stream;
		int64_t lead_ms;
		enum dr_error err;
		int64_t wait_ms;
	} cases[] = {
		{ { .name = "a", .set = { "rest", "12:05-13:00" } }, true, 299999,
		    DR_OK, -1 },
		{ { .name = "a", .set = { "rest", "12:05-13:00" } }, true, 300000,
		    DR_ERR_RESTING, 3600000 },
		{ { .name = "a", .set = { "rest", "12:05-13:00" } }, false, 300000,
		    DR_OK, -1 },
		{ { .name = "a", .set = { "rest", "11:00-12:00" } }, true, 300000,
		    DR_OK, -1 },
		{ { .name = "a", .set = { "rest", "12:00-12:01" } }, true, 0,
		    DR_ERR_RESTING, 60000 },
		{ { .name = "a", .state = rests_in_a_minute }, true, 59999, DR_OK, -1 },
		{ { .name = "a", .state = rests_in_a_minute }, true, 60000,
		    DR_ERR_RESTING, -1 },
		{ { .name = "a", .state = rests_in_a_minute }, false, 60000, DR_OK,
		    -1 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		const struct spec specs[MOST] = { cases[i].spec };
		struct dr_provider *out;
		struct bench bench;
		int64_t wait_ms;

		bench_init(&bench, specs);
		bench.query.stream = cases[i].stream;
		bench.query.rest_lead_ms = cases[i].lead_ms;
		assert_int_equal(dr_route(&bench.query, &out, &wait_ms), cases[i].err);
		assert_int_equal(wait_ms, cases[i].wait_ms);
		bench_fini(&bench);
	}
}

/* A notice comes true between two polls, too. */
static void
a_notice_of_rest_comes_true_by_the_clock(void **state)
{
	const struct spec specs[MOST] = { { .name = "a", .state = rests_in_a_minute } };
	struct dr_provider *out;
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	bench.query.now_ms = NOW + 59999;
	assert_int_equal(dr_route(&bench.query, &out, NULL), DR_OK);
	bench.query.now_ms = NOW + 60000;
	assert_int_equal(dr_route(&bench.query, &out, NULL), DR_ERR_RESTING);
	bench_fini(&bench);
}

static void
the_hint_to_retry_is_a_minute_at_most(void **state)
{
	static const struct {
		enum dr_error err;
		int64_t wait_ms, hint_ms;
	} cases[] = {
		{ DR_ERR_RESTING, 1, 1 },
		{ DR_ERR_RESTING, 59999, 59999 },
		{ DR_ERR_RESTING, 60000, 60000 },
		{ DR_ERR_RESTING, 28800000, 60000 },
		{ DR_ERR_RESTING, -1, -1 },
		{ DR_ERR_OVERLOADED, 59999, 59999 },
		{ DR_ERR_OVERLOADED, 60000, -1 },
		{ DR_ERR_OFFLINE, 300, -1 },
		{ DR_ERR_FULL, 300, -1 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++)
		assert_int_equal(dr_route_retry_hint(cases[i].err, cases[i].wait_ms),
		    cases[i].hint_ms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_not_there_is_not_asked),
		cmocka_unit_test(a_stream_keeps_away_from_a_rest_to_come),
		cmocka_unit_test(a_notice_of_rest_comes_true_by_the_clock),
		cmocka_unit_test(the_hint_to_retry_is_a_minute_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
