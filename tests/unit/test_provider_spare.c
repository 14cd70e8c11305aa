/*
 * Slots that were just given back and serve the next request without Redis: never one
 * more than there are, and none kept where others want them.
 */
#include "provider_slots_fixture.h"

static bool
counted(const char *id)
{
	char line[64];

	snprintf(line, sizeof line, "ZSCORE {p:p1}:running %s", id);
	return ask(store, line).text[0] != '\0';
}

static void
a_slot_given_back_serves_the_next_without_redis(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p;

	(void)state;
	reopen(1000, 3000);
	p = add("p1", GOOD " max_concurrency 100");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	give(&a);
	assert_int_equal(p->running, 0);
	assert_int_equal(taken(&b, p, "rb"), DR_OK);
	assert_int_equal(p->running, 1);
	assert_true(counted("ra")); /* under its old name, and once */
	assert_int_equal(running("p1"), 1);
	/* given before its owner was told: spare again, and no word */
	give(&b);
	take(&b, p, "rb");
	give(&b);
	dr_loop_turn(loop);
	assert_int_equal(b.n_done, 0);
	assert_int_equal(running("p1"), 1);
	ALL_GIVEN(); /* nobody wants it */
	assert_int_equal(running("p1"), 0);
	TURN_UNTIL(p->running == 0); /* the poll agrees */
}

static void
a_request_that_left_a_spare_one_takes_the_next_under_another_name(void **state)
{
	struct owner a = { 0 }, b = { 0 };
	struct dr_provider *p;

	(void)state;
	reopen(1000, 3000);
	p = add("p1", GOOD " max_concurrency 100");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	give(&a);
	assert_int_equal(taken(&b, p, "rb"), DR_OK);
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	assert_true(counted("ra") && counted("ra.1"));
	give(&b);
	TURN_UNTIL(running("p1") == 1);
	assert_true(counted("ra.1"));
	give(&a);
	ALL_GIVEN();
}

static void
few_are_kept_and_none_of_a_provider_that_is_half_full(void **state)
{
	struct owner owners[8] = { 0 };
	struct dr_provider *p = add("p1", GOOD " max_concurrency 16");

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(owners); i++) {
		char id[8];

		snprintf(id, sizeof id, "r%zu", i);
		assert_int_equal(taken(&owners[i], p, id), DR_OK);
	}
	redis_do("ZADD {p:p1}:running 9999999999999 x1 9999999999999 x2");
	TURN_UNTIL(p->running == 10);
	give(&owners[0]);
	assert_int_equal(p->n_spare, 0);
	redis_do("ZREM {p:p1}:running x1 x2");
	TURN_UNTIL(p->running == 7);
	for (size_t i = 1; i < DR_N_ELEMENTS(owners); i++)
		give(&owners[i]);
	assert_int_equal(p->n_spare, 2); /* an eighth */
	TURN_UNTIL(running("p1") == 2);
	dr_providers_stop(providers); /* a drain waits for none */
	assert_int_equal(p->n_spare, 0);
	ALL_GIVEN();
	assert_int_equal(running("p1"), 0);
}

/* However often it changes hands, its lease does not lapse in use. */
static void
a_spare_one_is_not_used_beyond_its_lease(void **state)
{
	struct owner a = { 0 };
	struct dr_provider *p;
	uint64_t end;

	(void)state;
	reopen(1000, 1500);
	p = add("p1", GOOD " max_concurrency 100");
	assert_int_equal(taken(&a, p, "ra"), DR_OK);
	end = dr_clock_ms() + 2000;
	do {
		give(&a);
		assert_int_equal(taken(&a, p, "ra"), DR_OK);
		redis_do("ZREMRANGEBYSCORE {p:p1}:running 0 %lld",
		    (long long)dr_clock_wall_ms());
		assert_in_range(running("p1"), 1, 2);
	} while (dr_clock_ms() < end);
	give(&a);
	ALL_GIVEN();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_slot_given_back_serves_the_next_without_redis),
		TEST(a_request_that_left_a_spare_one_takes_the_next_under_another_name),
		TEST(few_are_kept_and_none_of_a_provider_that_is_half_full),
		TEST(a_spare_one_is_not_used_beyond_its_lease),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
