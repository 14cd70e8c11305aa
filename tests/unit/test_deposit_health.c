/*
 * How well a chain is followed, in a word and in blocks, from what the watcher left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/deposit_health.h"

/* A whole round at least every 30 s, where a node may take 10 s to answer. */
static void
a_chain_is_delayed_after_two_polls_and_down_after_ten(void **state)
{
	static const struct {
		int64_t ok_ms, error_ms, now_ms;
		enum dr_chain_state state;
	} rows[] = {
		{ 0, 0, 1000000, DR_CHAIN_UNKNOWN }, { 0, 5, 1000000, DR_CHAIN_DOWN },
		{ 1000000, 0, 1000000, DR_CHAIN_OK },
		{ 1000000, 2000000, 1080000, DR_CHAIN_OK },
		{ 1000000, 0, 1080001, DR_CHAIN_DELAYED },
		{ 1000000, 0, 1400000, DR_CHAIN_DELAYED },
		{ 1000000, 0, 1400001, DR_CHAIN_DOWN },
		{ 1000000, 0, 990000, DR_CHAIN_OK }, /* its clock is ahead of ours */
	};
	const struct dr_settings settings = { .deposits_poll = 30000,
		.chain_timeout = 10000 };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		const struct dr_chain_health health = { .ok_ms = rows[i].ok_ms,
			.error_ms = rows[i].error_ms };

		assert_int_equal(
		    dr_chain_health_state(&health, &settings, rows[i].now_ms),
		    rows[i].state);
	}
	assert_string_equal(dr_chain_state_name(DR_CHAIN_DELAYED), "delayed");
}

static void
blocks_that_were_not_looked_through_are_the_lag(void **state)
{
	static const struct {
		int64_t end, next, lag;
	} rows[] = { { -1, 5, -1 }, { 5, -1, -1 }, { 10, 11, 0 }, { 10, 10, 1 },
		{ 10, 4, 7 }, { 10, 20, 0 }, { 0, 0, 1 } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		const struct dr_chain_health tip = { .head = rows[i].end,
			.next = rows[i].next,
			.finalized = 3,
			.final_next = 3 };
		const struct dr_chain_health final = { .head = 3,
			.next = 3,
			.finalized = rows[i].end,
			.final_next = rows[i].next };

		assert_int_equal(dr_chain_health_lag(&tip, false), rows[i].lag);
		assert_int_equal(dr_chain_health_lag(&tip, true), 1);
		assert_int_equal(dr_chain_health_lag(&final, true), rows[i].lag);
		assert_int_equal(dr_chain_health_lag(&final, false), 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_delayed_after_two_polls_and_down_after_ten),
		cmocka_unit_test(blocks_that_were_not_looked_through_are_the_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
