/*
 * Doubt, shared through a real redis-server.
 */
#include "provider_share_fixture.h"

static void
doubting(int64_t failures)
{
	settings.breaker_failures = failures;
	settings.breaker_doubt = 400;
	dr_providers_configure(one, &config);
	dr_providers_configure(two, &config);
}

static int
doubt_teardown(void **state)
{
	settings.breaker_failures = 2;
	settings.breaker_doubt = 0;
	return two_teardown(state);
}

static bool
doubted(const struct dr_provider *p)
{
	return dr_provider_doubted(p, dr_clock_ms());
}

static void
a_refused_connection_is_doubt_at_once_and_soon_everywhere(void **state)
{
	(void)state;
	doubting(5);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	assert_true(doubted(p1));
	assert_false(doubted(p2));
	TURN_UNTIL(p2->breaker.doubted);
	assert_false(p1->breaker.open || p2->breaker.open);
	assert_string_equal(
	    dr_provider_standing(p2, dr_clock_ms(), dr_clock_wall_ms()), "doubted");
	assert_true(dr_providers_online(two, "m", dr_clock_ms(), 0));
	assert_int_equal(logged("p: in doubt, others are asked first: failed, as this "
				"process saw"),
	    1);
	assert_int_equal(logged("p: in doubt, others are asked first: failed, as "
				"another process saw"),
	    1);
	outcome(two, DR_OUTCOME_OK, -1);
	TURN_UNTIL(!p1->breaker.doubted);
	assert_false(doubted(p2));
	assert_int_equal(ask(store, "HEXISTS {p:p}:state open.until").number, 0);
	assert_int_equal(logged("p: no longer in doubt: an answer came to"), 2);
}

static void
errors_of_all_processes_together_make_doubt_and_then_open_the_circuit(void **state)
{
	(void)state;
	doubting(5);
	outcome(one, DR_OUTCOME_SERVER, -1);
	outcome(two, DR_OUTCOME_SERVER, -1);
	TURN_UNTIL(p1->unjudged == 0 && p2->unjudged == 0);
	assert_false(doubted(p1) || doubted(p2));
	outcome(two, DR_OUTCOME_SERVER, -1); /* its second, and the third of all */
	assert_false(p2->breaker.doubted);
	TURN_UNTIL(p2->unjudged == 0);
	assert_true(p2->breaker.doubted);
	outcome(one, DR_OUTCOME_SERVER, -1);
	outcome(two, DR_OUTCOME_SERVER, -1);
	TURN_UNTIL(blocks(p2));
	TURN_UNTIL(blocks(p1));
	assert_false(p1->breaker.doubted || p2->breaker.doubted);
	assert_int_equal(ask(store, "HEXISTS {p:p}:state open.doubt").number, 0);
}

static void
until_the_verdict_is_in_others_are_asked_first(void **state)
{
	(void)state;
	doubting(5);
	outcome(one, DR_OUTCOME_SERVER, -1);
	assert_true(doubted(p1));
	assert_false(p1->breaker.doubted);
	TURN_UNTIL(!doubted(p1));
	assert_int_equal(p1->unjudged, 0);
}

static void
an_answer_begun_before_ends_no_doubt(void **state)
{
	(void)state;
	doubting(5);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(ask(store, "HEXISTS {p:p}:state open.doubt").number == 1);
	dr_providers_outcome(one, p1, DR_OUTCOME_OK, -1, dr_clock_ms() - 5000);
	assert_true(doubted(p1));
	/* nor where the process had not heard of it */
	p2->breaker = (struct dr_breaker){ .failures = 1 };
	dr_providers_outcome(two, p2, DR_OUTCOME_OK, -1, dr_clock_ms() - 5000);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(ask(store, "HEXISTS {p:p}:state open.doubt").number, 1);
	TURN_UNTIL(doubted(p2));
}

static void
a_doubted_one_has_one_probe_over_all_processes_too(void **state)
{
	struct owner a = { 0 }, b = { 0 };

	(void)state;
	doubting(5);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(p2->breaker.doubted);
	/* who has no other provider does not wait for a turn */
	assert_int_equal(taken(&a, p1, "ra"), DR_OK);
	assert_false(a.lease.probe);
	give(&a);
	TURN_UNTIL(!doubted(p1) && !doubted(p2));
	assert_true(p1->breaker.doubted && p2->breaker.doubted);
	assert_int_equal(taken(&a, p1, "rb"), DR_OK);
	assert_true(a.lease.probe && a.lease.claim > 0);
	at(two);
	p2->breaker.turn_ms = dr_clock_ms(); /* as if it had not heard */
	assert_int_equal(taken(&b, p2, "rc"), DR_ERR_OFFLINE);
	assert_true(doubted(p2));
	give(&b);
	at(one);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	give(&a);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_true(doubted(p1) && doubted(p2));
	assert_true(p1->breaker.turn_ms > dr_clock_ms() + 500); /* breaker_open */
	ALL_GIVEN();
}

#define DOUBT(f) cmocka_unit_test_setup_teardown(f, two_setup, doubt_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DOUBT(a_refused_connection_is_doubt_at_once_and_soon_everywhere),
		DOUBT(
		    errors_of_all_processes_together_make_doubt_and_then_open_the_circuit),
		DOUBT(until_the_verdict_is_in_others_are_asked_first),
		DOUBT(an_answer_begun_before_ends_no_doubt),
		DOUBT(a_doubted_one_has_one_probe_over_all_processes_too),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
