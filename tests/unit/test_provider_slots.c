/*
 * Slots against a real redis-server: none is taken twice and none is lost, whatever
 * happens to Redis in between.
 */
#include "provider_slots_fixture.h"

static void
no_more_slots_are_given_than_there_are(void **state)
{
	struct owner a = { 0 }, b = { 0 }, c = { 0 };
	struct dr_provider *p = dr_provider_ref(add("p1", GOOD " max_concurrency 2"));

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	assert_int_equal(p->running, 1);
	assert_int_equal(taken(&b, p, "rb"), DR_OK);
	assert_int_equal(taken(&c, p, "rc"), DR_ERR_FULL);
	assert_int_equal(p->running, 2);
	give(&c);
	give(&a);
	assert_int_equal(p->running, 1);
	give(&a); /* any number of times */
	assert_int_equal(taken(&c, p, "rc"), DR_OK);
	give(&b);
	give(&c);
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
	dr_provider_unref(&p);
}

static void
the_same_request_takes_one_slot_however_often_it_asks(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p = add("p1", GOOD " max_concurrency 1");

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	assert_int_equal(taken(&b, p, "ra"), DR_OK);
	assert_int_equal(running("p1"), 1);
	give(&a);
	give(&b);
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
}

static void
taking_anew_gives_the_old_one_back(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p = add("p1", GOOD), *q = add("p2", GOOD);

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	assert_int_equal(taken(&a, q, "ra"), DR_OK);
	assert_int_equal(running("p1"), 0);
	assert_int_equal(running("p2"), 1);
	/* at once, while the first is under way; the same provider too */
	take(&a, p, "ra");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	TURN_UNTIL(dr_providers_leases(providers) == 1);
	assert_int_equal(running("p1"), 1);
	assert_int_equal(running("p2"), 0);
	give(&a);
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
}

static void
leases_that_lapsed_do_not_count(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p;

	(void)state;
	redis_do("ZADD {p:p1}:running 1 dead1 2 dead2");
	p = add("p1", GOOD " max_concurrency 1");
	assert_int_equal(p->running, 0);
	redis_do("ZADD {p:p1}:running 1 dead1 2 dead2");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	give(&a);
	ALL_GIVEN();
	redis_do("ZADD {p:p1}:running 9999999999999 alive");
	assert_int_equal(taken(&a, p, "ra"), DR_ERR_FULL);
	TURN_UNTIL(p->running == 1); /* the poll counts it too */
	give(&a);
	redis_do("DEL {p:p1}:running");
}

static void
a_lease_is_renewed_while_it_is_held(void **state)
{
	struct owner owners[30];
	struct dr_provider *p;
	int64_t first, most;

	(void)state;
	reopen(1000, 2000);
	p = add("p1", GOOD " max_concurrency 100");
	memset(owners, 0, sizeof owners);
	for (size_t i = 0; i < DR_N_ELEMENTS(owners); i++) {
		char id[16];

		snprintf(id, sizeof id, "r%zu", i);
		assert_int_equal(taken(&owners[i], p, id), DR_OK);
	}
	most = ask(store, "ZRANGE {p:p1}:running -1 -1 WITHSCORES").count;
	assert_int_equal(most, 2);
	first = strtoll(ask(store, "ZSCORE {p:p1}:running r29").text, NULL, 10);
	/* all of them beyond the last one's first end */
	for (size_t i = 0; i < DR_N_ELEMENTS(owners); i++) {
		char line[64];

		snprintf(line, sizeof line, "ZSCORE {p:p1}:running r%zu", i);
		TURN_UNTIL(strtoll(ask(store, line).text, NULL, 10) > first);
		give(&owners[i]);
	}
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
}

static void
a_lease_that_redis_lost_is_there_again(void **state)
{
	struct owner a = { 0 }, b = { 0 };

	(void)state;
	reopen(1000, 1000);
	assert_int_equal(taken(&a, add("p1", GOOD), "ra"), DR_OK);
	assert_int_equal(taken(&b, add("p2", GOOD), "rb"), DR_OK);
	redis_do("DEL {p:p1}:running");
	redis_do("DEL {p:p2}:running");
	TURN_UNTIL(running("p1") == 1 && running("p2") == 1);
	give(&a);
	give(&b);
	ALL_GIVEN();
	assert_int_equal(running("p1") + running("p2"), 0);
}

static void
a_take_that_is_forgotten_gives_its_slot_back(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p = add("p1", GOOD " max_concurrency 1");

	(void)state;
	take(&a, p, "ra");
	give(&a);
	ALL_GIVEN();
	assert_int_equal(a.n_done, 0);
	assert_int_equal(running("p1"), 0);
	/* a zeroed lease */
	a = (struct owner){ 0 };
	give(&a);
}

/* ---- Redis in trouble ---- */

static void
a_take_answered_too_late_gives_its_slot_back(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p;

	(void)state;
	reopen(50, 30000);
	p = add("p1", GOOD);
	kill(redis.pid, SIGSTOP);
	assert_int_equal(taken(&a, p, "ra"), DR_ERR_STORE_DOWN);
	give(&a);
	assert_int_equal(dr_providers_leases(providers), 1);
	kill(redis.pid, SIGCONT);
	ALL_GIVEN();
	assert_true(dr_store_wait_up(store, LONG_MS));
	TURN_UNTIL(running("p1") == 0);
}

static void
a_give_that_met_an_outage_is_made_up_for(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p;

	(void)state;
	reopen(50, 30000);
	p = dr_provider_ref(add("p1", GOOD));
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	kill(redis.pid, SIGSTOP);
	assert_int_equal(taken(&b, p, "rb"), DR_ERR_STORE_DOWN);
	give(&a);
	give(&b);
	assert_true(dr_providers_leases(providers) > 0);
	/* until the connection is given up, so that what was sent is lost */
	TURN_UNTIL(!dr_store_is_up(store) && dr_store_in_flight(store) == 0);
	kill(redis.pid, SIGCONT);
	ALL_GIVEN();
	TURN_UNTIL(dr_store_is_up(store) && running("p1") == 0);
	dr_provider_unref(&p);
}

/* The connection breaks with takes on it: perhaps they were executed, so they are given
 * back. */
static void
takes_that_broke_off_are_made_up_for(void **state)
{
	struct owner a = { 0 }, b = { 0 }, c = { 0 };
	struct dr_provider *p = dr_provider_ref(add("p1", GOOD));

	(void)state;
	kill(redis.pid, SIGSTOP);
	take(&a, p, "ra");
	take(&b, p, "rb");
	give(&b);
	dr_loop_turn(loop); /* they are on the wire */
	redis_kill(&redis);
	TURN_UNTIL(a.n_done > 0);
	assert_int_equal(a.err, DR_ERR_STORE_DOWN);
	assert_int_equal(b.n_done, 0);
	give(&a);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(dr_providers_leases(providers), 2);
	/* one that was never sent leaves nothing behind */
	assert_int_equal(taken(&c, p, "rc"), DR_ERR_STORE_DOWN);
	give(&c);
	assert_int_equal(dr_providers_leases(providers), 2);

	redis_start(&redis, false, "");
	assert_true(dr_store_wait_up(store, LONG_MS));
	redis_do("ZADD {p:p1}:running 9999999999999 ra 9999999999999 rb");
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
	dr_provider_unref(&p);
}

/* What is made up for later must not end what the same request has taken meanwhile. */
static void
a_slot_taken_anew_is_not_given_back_for_the_old_one(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p;

	(void)state;
	reopen(50, 30000);
	p = dr_provider_ref(add("p1", GOOD));
	kill(redis.pid, SIGSTOP);
	assert_int_equal(taken(&a, p, "ra"), DR_ERR_STORE_DOWN);
	kill(redis.pid, SIGCONT);
	while (taken(&a, p, "ra") != DR_OK)
		continue;
	TURN_UNTIL(dr_providers_leases(providers) == 1);
	TURN_UNTIL(find("p1")->running == 1);
	assert_int_equal(running("p1"), 1);
	give(&a);
	ALL_GIVEN();
	dr_provider_unref(&p);
}

static void
without_redis_the_list_stays(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p = add("p1", GOOD);

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	redis_kill(&redis);
	TURN_UNTIL(!dr_store_is_up(store));
	for (int i = 0; i < 20; i++) { /* polls fail meanwhile */
		assert_int_equal(taken(&b, p, "rb"), DR_ERR_STORE_DOWN);
		assert_ptr_equal(find("p1"), p);
		assert_true(dr_providers_ready(providers));
	}
	give(&b);
	assert_true(dr_providers_offer(providers, "m", DR_DIALECT_ANTHROPIC));
	assert_int_equal(dr_providers_leases(providers), 1);

	/* back, and empty: what is held is counted again */
	redis_start(&redis, false, "");
	assert_true(dr_store_wait_up(store, LONG_MS));
	TURN_UNTIL(dr_store_is_up(store) && running("p1") == 1);
	TURN_UNTIL(find("p1") == NULL);
	give(&a);
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
}

static void
it_may_end_in_the_middle_of_everything(void **state)
{
	struct owner a = { 0 }, b = { 0 }, c = { 0 };
	struct dr_provider *p = add("p1", GOOD);

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	take(&b, p, "rb");
	give(&b);
	give(&a);
	dr_loop_turn(loop);
	take(&c, p, "rc");
	give(&c);
	/* teardown frees directory and store now; leaks and late calls show under ASan
	 */
}

static void
after_stop_slots_still_go_and_come(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p = dr_provider_ref(add("p1", GOOD));

	(void)state;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	dr_providers_stop(providers);
	assert_int_equal(taken(&b, p, "rb"), DR_OK);
	redis_do("HDEL providers p1");
	give(&a);
	give(&b);
	ALL_GIVEN();
	TURN_UNTIL(dr_store_in_flight(store) == 0); /* a drain ends */
	dr_provider_unref(&p);
}

/* ---- a probe's turn ---- */

static void
one_lease_at_a_time_is_the_probe(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p = add("p1", GOOD " max_concurrency 1");
	uint64_t now = dr_clock_ms();

	(void)state;
	p->breaker.open = true;
	p->breaker.turn_ms = now;
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	assert_true(a.lease.probe);
	assert_true(dr_breaker_blocks(&p->breaker, dr_clock_ms()));
	give(&a); /* no outcome: the next may be one */
	assert_false(dr_breaker_blocks(&p->breaker, dr_clock_ms()));
	redis_do("ZADD {p:p1}:running 9999999999999 other");
	assert_int_equal(taken(&b, p, "rb"), DR_ERR_FULL);
	assert_false(dr_breaker_blocks(&p->breaker, dr_clock_ms()));
	give(&b);
	redis_do("DEL {p:p1}:running");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	dr_providers_outcome(providers, p, DR_OUTCOME_OK, -1, dr_clock_ms());
	assert_false(p->breaker.open);
	assert_int_equal(logged("p1: circuit closed"), 1);
	give(&a);
	ALL_GIVEN();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_more_slots_are_given_than_there_are),
		TEST(the_same_request_takes_one_slot_however_often_it_asks),
		TEST(taking_anew_gives_the_old_one_back),
		TEST(leases_that_lapsed_do_not_count),
		TEST(a_lease_is_renewed_while_it_is_held),
		TEST(a_lease_that_redis_lost_is_there_again),
		TEST(a_take_that_is_forgotten_gives_its_slot_back),
		TEST(a_take_answered_too_late_gives_its_slot_back),
		TEST(a_give_that_met_an_outage_is_made_up_for),
		TEST(takes_that_broke_off_are_made_up_for),
		TEST(a_slot_taken_anew_is_not_given_back_for_the_old_one),
		TEST(without_redis_the_list_stays),
		TEST(it_may_end_in_the_middle_of_everything),
		TEST(after_stop_slots_still_go_and_come),
		TEST(one_lease_at_a_time_is_the_probe),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
