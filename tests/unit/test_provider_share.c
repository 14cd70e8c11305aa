/*
 * Trouble shared through a real redis-server: two processes (two directories here) that
 * decide each at once, and of which each hears what the other found.
 */
#include "provider_share_fixture.h"

/* The circuit is half open in Redis, and both know. */
static void
half_open(void)
{
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(p2->breaker.open);
	redis_do("HSET {p:p}:state open.until 1 open.since 1");
	p1->breaker.turn_ms = p2->breaker.turn_ms = dr_clock_ms();
	p1->breaker.since_ms = p2->breaker.since_ms = dr_clock_ms();
}

/* ---- the circuit ---- */

static void
failures_of_all_processes_together_open_the_circuit(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_REFUSED, -1);
	assert_false(blocks(p1));
	outcome(two, DR_OUTCOME_SERVER, -1);
	assert_false(blocks(p2)); /* one of its own: two would open it */
	TURN_UNTIL(blocks(p2));   /* the answer to what it told says so ... */
	TURN_UNTIL(blocks(p1));   /* ... and the next poll of the other */
	assert_true(dr_breaker_opens_in(&p1->breaker, dr_clock_ms()) <= 1000);
	assert_int_equal(
	    logged("p: circuit opened: failures seen by all processes together"), 1);
	assert_int_equal(
	    logged("p: circuit opened: failures seen by another process"), 1);
}

static void
a_circuit_is_open_at_once_where_it_opened_and_soon_everywhere(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_SILENT, -1);
	outcome(one, DR_OUTCOME_SILENT, -1);
	assert_true(blocks(p1)); /* before Redis has heard of it */
	assert_false(blocks(p2));
	TURN_UNTIL(blocks(p2));
	at(two);
	assert_false(dr_providers_online(two, "m", dr_clock_ms(), 0));
}

static void
a_success_forgets_failures_of_all_processes(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(p2->breaker.failures_seen == 1);
	outcome(two, DR_OUTCOME_OK, -1); /* which had none of its own */
	TURN_UNTIL(ask(store, "HEXISTS {p:p}:state open.failures").number == 0);
	outcome(two, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(p1->breaker.failures_seen == 1);
	assert_false(blocks(p1));
	assert_false(blocks(p2));
}

static void
one_probe_goes_out_over_all_processes(void **state)
{
	struct owner a = { 0 }, b = { 0 };

	(void)state;
	half_open();
	assert_int_equal(taken(&a, p1, "ra"), DR_OK);
	assert_true(a.lease.probe);
	assert_true(a.lease.claim > 0);
	at(two);
	/* the other believes that it may, until Redis tells it */
	p2->breaker.turn_ms = dr_clock_ms();
	assert_int_equal(taken(&b, p2, "rb"), DR_ERR_OFFLINE);
	assert_false(b.lease.probe);
	assert_true(blocks(p2));
	give(&b);
	assert_true(blocks(p2)); /* it had no turn to give up */
	assert_int_equal(running("p"), 1);
	/* given up without an outcome: the next one's turn, whoever it is */
	at(one);
	give(&a);
	TURN_UNTIL(!blocks(p2));
	at(two);
	assert_int_equal(taken(&b, p2, "rb"), DR_OK);
	assert_true(b.lease.probe);
	TURN_UNTIL(blocks(p1));
	give(&b);
	ALL_GIVEN();
}

static void
after_a_probe_that_fails_the_next_turn_is_counted_from_its_beginning(void **state)
{
	struct owner a = { 0 };
	int64_t turn;

	(void)state;
	half_open();
	assert_int_equal(taken(&a, p1, "ra"), DR_OK);
	turn = a.lease.claim;
	TURN_UNTIL(blocks(p2)); /* it has heard of the claim */
	outcome(one, DR_OUTCOME_REFUSED, -1);
	give(&a);
	assert_true(blocks(p1));
	ALL_GIVEN();
	assert_int_equal(ask(store, "HGET {p:p}:state open.until").number, turn);
	/* one that was sent before, and fails now, changes nothing either */
	outcome(two, DR_OUTCOME_SILENT, -1);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(ask(store, "HGET {p:p}:state open.until").number, turn);
}

static void
a_probe_that_succeeds_closes_it_for_all(void **state)
{
	struct owner a = { 0 };

	(void)state;
	half_open();
	assert_int_equal(taken(&a, p1, "ra"), DR_OK);
	outcome(one, DR_OUTCOME_OK, -1);
	assert_false(p1->breaker.open);
	give(&a);
	TURN_UNTIL(!p2->breaker.open);
	assert_int_equal(ask(store, "HEXISTS {p:p}:state open.until").number, 0);
	assert_int_equal(
	    logged("p: circuit closed: an answer came to another process"), 1);
	ALL_GIVEN();
}

/* Begun before it opened: it says nothing of now. */
static void
an_answer_begun_before_does_not_close_it_for_the_others(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(two, DR_OUTCOME_OK, -1);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	p2->breaker.failures = 1; /* so that it has something to end */
	outcome(two, DR_OUTCOME_OK, -1);
	TURN_UNTIL(blocks(p2));
	assert_true(ask(store, "HGET {p:p}:state open.until").number > 1);
}

/* ---- without Redis ---- */

static void
while_redis_is_away_each_decides_by_itself(void **state)
{
	struct redis own;

	(void)state;
	/* a server of its own, that can be ended */
	dr_providers_free(&two);
	dr_providers_free(&one);
	dr_store_free(&store);
	redis_dir(&own);
	redis_start(&own, false, "");
	store = store_up(own.unix_at, 1000);
	providers = one = dr_providers_new(loop, store, &key, &config);
	p1 = add("p", GOOD);
	redis_kill(&own);
	TURN_UNTIL(!dr_store_is_up(store));
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(one, DR_OUTCOME_OVERLOADED, 900);
	assert_true(blocks(p1));
	assert_true(cools(p1) > 0);
	dr_providers_free(&one);
	dr_store_free(&store);
	redis_remove(&own);
	open_all(1000, 30000);
	one = providers;
}

/* ---- cool-down ---- */

static void
a_rest_that_was_asked_for_holds_for_all_and_within_bounds(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_OVERLOADED, 700);
	assert_true(cools(p1) > 600);
	TURN_UNTIL(cools(p2) > 0);
	assert_true(cools(p2) <= 700);
	outcome(two, DR_OUTCOME_OVERLOADED, 90000000);
	TURN_UNTIL(cools(p1) > 800);
	assert_true(cools(p1) <= 1000); /* cooldown_max */
	/* a shorter wish of another process shortens nothing */
	redis_do("HSET {p:p}:state cool.until 1");
	TURN_UNTIL(p1->state.cool_until_ms == 1);
	assert_true(cools(p1) > 0);
}

static void
rests_without_a_time_double_over_all_processes(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_OVERLOADED, -1);
	TURN_UNTIL(p2->breaker.cool_steps == 1);
	TURN_UNTIL(cools(p2) == 0);
	outcome(two, DR_OUTCOME_OVERLOADED, -1);
	assert_true(cools(p2) >= 99); /* 200, its upper half by chance */
	TURN_UNTIL(p1->breaker.cool_steps == 2);
	TURN_UNTIL(cools(p1) == 0 && cools(p2) == 0);
	outcome(one, DR_OUTCOME_OK, -1);
	TURN_UNTIL(p2->breaker.cool_steps == 0);
	assert_int_equal(ask(store, "HEXISTS {p:p}:state cool.until").number, 0);
}

static void
a_thousand_answers_to_one_overload_are_told_once(void **state)
{
	uint64_t before;

	(void)state;
	outcome(one, DR_OUTCOME_OVERLOADED, 700);
	before = one->turn;
	for (int i = 0; i < 1000; i++)
		outcome(one, DR_OUTCOME_OVERLOADED, 700 + i % 50);
	assert_int_equal(one->turn, before);
}

/* ---- the flag ---- */

static void
a_refused_credential_is_out_everywhere_until_a_probe_goes_well(void **state)
{
	const struct dr_arg args[] = { { "{p:p}:provider", 14 }, { "{p:p}:state", 11 },
		{ "1", 1 }, { "1", 1 }, { "0", 1 }, { "200", 3 }, { "", 0 },
		{ "9999", 4 } };
	struct answer answer;

	(void)state;
	outcome(one, DR_OUTCOME_AUTH, -1);
	TURN_UNTIL(p2->breaker.flagged);
	assert_int_equal(logged("credential or account refused (seen by another"), 1);
	/* an answer that was begun before does not lift it */
	outcome(two, DR_OUTCOME_OK, -1);
	assert_true(p2->breaker.flagged);
	answer_init(&answer, false);
	dr_store_eval(store, "{p:p}", &dr_script_probe_note, 2, args,
	    DR_N_ELEMENTS(args), &answer.call);
	TURN_UNTIL(!p1->breaker.flagged && !p2->breaker.flagged);
	assert_int_equal(answer.n_done, 1);
}

static void
a_flag_is_of_the_record_that_was_refused(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_AUTH, -1);
	TURN_UNTIL(p2->breaker.flagged);
	put("p", 2, GOOD);
	TURN_UNTIL(find("p")->record->generation == 2);
	TURN_UNTIL(find("p")->state.flag_generation == 1);
	assert_false(find("p")->breaker.flagged);
}

/* A process that starts finds what the others know. */
static void
a_new_process_hears_of_it_with_its_first_poll(void **state)
{
	(void)state;
	outcome(one, DR_OUTCOME_AUTH, -1);
	outcome(one, DR_OUTCOME_OVERLOADED, 1000);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	TURN_UNTIL(p2->breaker.open);
	dr_providers_free(&two);
	two = dr_providers_new(loop, store, &key, &config);
	at(two);
	TURN_UNTIL(dr_providers_ready(two));
	p2 = find("p");
	assert_true(p2->breaker.flagged);
	assert_true(cools(p2) > 0);
	assert_true(p2->breaker.open);
}

/* ---- old news ---- */

static void
a_poll_that_left_before_does_not_undo_what_was_told(void **state)
{
	(void)state;
	p1->told = 5;
	p1->breaker.flagged = p1->breaker.flag_seen = true;
	dr_share_hear(p1, 4);
	assert_true(p1->breaker.flagged);
	dr_share_hear(p1, 5);
	assert_false(p1->breaker.flagged);
	p1->told = 0;
}

static void
nothing_is_noted_of_a_record_that_has_changed(void **state)
{
	(void)state;
	dr_provider_ref(p1);
	put("p", 2, GOOD);
	TURN_UNTIL(find("p") != p1);
	outcome(one, DR_OUTCOME_AUTH, -1);
	outcome(one, DR_OUTCOME_REFUSED, -1);
	outcome(one, DR_OUTCOME_OVERLOADED, 500);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_string_equal(field("flag.at"), "");
	assert_string_equal(field("cool.until"), "");
	assert_string_equal(field("open.failures"), "");
	dr_provider_unref(&p1);
}

#define TWO(f) cmocka_unit_test_setup_teardown(f, two_setup, two_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TWO(failures_of_all_processes_together_open_the_circuit),
		TWO(a_circuit_is_open_at_once_where_it_opened_and_soon_everywhere),
		TWO(a_success_forgets_failures_of_all_processes),
		TWO(one_probe_goes_out_over_all_processes),
		TWO(after_a_probe_that_fails_the_next_turn_is_counted_from_its_beginning),
		TWO(a_probe_that_succeeds_closes_it_for_all),
		TWO(an_answer_begun_before_does_not_close_it_for_the_others),
		TWO(while_redis_is_away_each_decides_by_itself),
		TWO(a_rest_that_was_asked_for_holds_for_all_and_within_bounds),
		TWO(rests_without_a_time_double_over_all_processes),
		TWO(a_thousand_answers_to_one_overload_are_told_once),
		TWO(a_refused_credential_is_out_everywhere_until_a_probe_goes_well),
		TWO(a_flag_is_of_the_record_that_was_refused),
		TWO(a_new_process_hears_of_it_with_its_first_poll),
		TWO(a_poll_that_left_before_does_not_undo_what_was_told),
		TWO(nothing_is_noted_of_a_record_that_has_changed),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
