/*
 * admission: requests per minute, requests at a time, count_tokens' own limit, GET
 * /v1/key. Against a real Redis; time moves by the clock offset.
 */
#include "admission_fixture.h"

/* ---- requests per minute ---- */

static void
sixty_pass_and_the_next_is_told_when_the_first_leaves(void **state)
{
	struct attempt attempt;
	const struct dr_admitted *a = &attempt.ticket.admitted;
	int64_t first = 0;

	(void)state;
	open_account(1000000);
	add_key("x7y8z9", "conc 100");
	for (int i = 0; i < 60; i++) {
		struct dr_admit_query query = usual();

		query.clock_offset_ms = i * 500;
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		assert_int_equal(a->rpm, 60);
		assert_int_equal(a->rpm_left, 59 - i);
		assert_int_equal(a->rpm_reset_ms, a->now_ms + MINUTE);
		if (i == 0)
			first = a->now_ms;
		drop(&attempt);
	}
	/* Beyond the turn of a minute, at the very edge of the window, and just behind
	 * it. */
	for (int64_t offset = 35000; offset < MINUTE + 1000;
	     offset += offset < 59000 ? 8000 : 7) {
		struct dr_admit_query query = usual();
		enum dr_error err;

		query.clock_offset_ms = offset;
		err = reserve(&attempt, &query);
		assert_int_equal(err, a->now_ms - first < MINUTE ? DR_ERR_RPM : DR_OK);
		if (err == DR_ERR_RPM) {
			assert_int_equal(a->limit, 60);
			assert_int_equal(a->retry_after_ms, first + MINUTE - a->now_ms);
			assert_int_equal(a->rpm_left, 0);
		}
		drop(&attempt);
		if (err == DR_OK)
			return;
	}
	fail();
}

/* Against a list of all arrivals that passed, kept here: the same verdicts and the same
 * numbers. */
static void
the_minute_slides_exactly(void **state)
{
	enum { ROUNDS = 600, RPM = 7 };
	static int64_t passed[ROUNDS];
	uint32_t random = 12345;
	int64_t offset = 0;
	size_t n = 0;

	(void)state;
	open_account(1000000);
	add_key("x7y8z9", "rpm 7 conc 100");
	for (int i = 0; i < ROUNDS; i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;
		const struct dr_admitted *a = &attempt.ticket.admitted;
		size_t inside = 0;
		enum dr_error err;

		random = random * 1664525 + 1013904223;
		offset += (random >> 16) % 20 == 0 ? 200000 : (random >> 16) % 9000;
		query.clock_offset_ms = offset;
		err = reserve(&attempt, &query);
		for (size_t j = 0; j < n; j++)
			inside += a->now_ms - passed[j] < MINUTE;
		assert_int_equal(err, inside >= RPM ? DR_ERR_RPM : DR_OK);
		if (err == DR_OK) {
			passed[n++] = a->now_ms;
			assert_int_equal(a->rpm_left, RPM - inside - 1);
		} else {
			assert_int_equal(
			    a->retry_after_ms, passed[n - RPM] + MINUTE - a->now_ms);
		}
		drop(&attempt);
		assert_in_range(
		    redis_do("LLEN " KEY("recent:x7y8z9")).number, 0, RPM + 1);
	}
	assert_true(redis_do("PTTL " KEY("recent:x7y8z9")).number > MINUTE);
}

static void
a_clock_set_back_lets_nobody_through(void **state)
{
	struct attempt attempt;
	struct dr_admit_query query;

	(void)state;
	open_account(1000000);
	add_key("x7y8z9", "rpm 1");
	query = usual();
	query.clock_offset_ms = 3600000;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	drop(&attempt);
	query = usual(); /* an hour earlier: the age counts as 0 */
	assert_int_equal(reserve(&attempt, &query), DR_ERR_RPM);
	assert_int_equal(attempt.ticket.admitted.retry_after_ms, MINUTE);
	drop(&attempt);
}

static void
a_refused_request_takes_no_place_in_the_minute(void **state)
{
	struct attempt attempt, running;
	struct dr_admit_query query;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "rpm 3 conc 1");
	query = usual();
	assert_int_equal(reserve(&running, &query), DR_OK);
	for (int i = 0; i < 10; i++) {
		query = usual();
		assert_int_equal(reserve(&attempt, &query), DR_ERR_CONCURRENCY);
		drop(&attempt);
	}
	assert_int_equal(redis_do("LLEN " KEY("recent:x7y8z9")).number, 1);
	drop(&running);
	audit();
}

static void
a_limit_that_was_lowered_counts_what_came_before(void **state)
{
	struct attempt attempt;
	struct dr_admit_query query;

	(void)state;
	open_account(100000);
	add_key("x7y8z9", "rpm 10 conc 100");
	for (int i = 0; i < 8; i++) {
		query = usual();
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		drop(&attempt);
	}
	redis_do("HSET " KEY("account") " x7y8z9.rpm 5");
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_ERR_RPM);
	assert_int_equal(attempt.ticket.admitted.limit, 5);
	drop(&attempt);
	redis_do("HSET " KEY("account") " x7y8z9.rpm 9");
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_int_equal(attempt.ticket.admitted.rpm_left, 0);
	drop(&attempt);
	redis_do("HSET " KEY("account") " x7y8z9.rpm 0");
	redis_do("DEL " KEY("recent:x7y8z9"));
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_ERR_RPM);
	assert_int_equal(attempt.ticket.admitted.retry_after_ms, MINUTE);
	drop(&attempt);
}

/* A request that did not get as far as a provider has not counted. */
static void
a_place_in_the_minute_is_given_back(void **state)
{
	struct attempt attempts[3];
	struct dr_admit_query query;
	struct dr_settlement settlement = costs(0);

	(void)state;
	open_account(100000);
	add_key("x7y8z9", "rpm 3 conc 100");
	for (int i = 0; i < 3; i++) {
		query = usual();
		query.clock_offset_ms = i * 1000;
		assert_int_equal(reserve(&attempts[i], &query), DR_OK);
	}
	settlement.give_back_rpm = true;
	settlement.status = 503;
	settlement.error = "OFFLINE";
	begin_settle(&attempts[1], &settlement);
	drop(&attempts[0]);
	drop(&attempts[2]);
	assert_int_equal(redis_do("LLEN " KEY("recent:x7y8z9")).number, 2);
	query = usual();
	query.clock_offset_ms = 4000;
	assert_int_equal(reserve(&attempts[0], &query), DR_OK);
	assert_int_equal(attempts[0].ticket.admitted.rpm_left, 0);
	drop(&attempts[0]);
	audit();
}

/* ---- requests at a time ---- */

static void
five_run_and_the_sixth_waits_for_one_to_end(void **state)
{
	struct attempt attempts[6];
	const struct dr_admitted *last = &attempts[5].ticket.admitted;
	struct dr_admit_query query;

	(void)state;
	open_account(100000);
	add_key("x7y8z9", "");
	for (int i = 0; i < 5; i++) {
		query = usual();
		assert_int_equal(reserve(&attempts[i], &query), DR_OK);
		assert_int_equal(attempts[i].ticket.admitted.concurrency, 5);
		assert_int_equal(attempts[i].ticket.admitted.concurrency_left, 4 - i);
	}
	assert_int_equal(dr_admission_open(admission), 5);
	query = usual();
	assert_int_equal(reserve(&attempts[5], &query), DR_ERR_CONCURRENCY);
	assert_int_equal(last->limit, 5);
	assert_int_equal(last->running, 5);
	drop(&attempts[5]);
	settle(&attempts[2], 10);
	query = usual();
	assert_int_equal(reserve(&attempts[5], &query), DR_OK);
	assert_int_equal(last->concurrency_left, 0);
	audit();
	for (int i = 0; i < 6; i++)
		if (i != 2)
			drop(&attempts[i]);
	assert_int_equal(dr_admission_open(admission), 0);
	audit();
}

/* A process that died gives its slots back when its leases have lapsed; its holds come
 * later. */
static void
a_lapsed_lease_no_longer_counts_as_running(void **state)
{
	struct attempt dead[5], attempt;
	struct dr_admit_query query;

	(void)state;
	open_account(100000);
	add_key("x7y8z9", "");
	for (int i = 0; i < 5; i++) {
		query = usual();
		assert_int_equal(reserve(&dead[i], &query), DR_OK);
	}
	query = usual();
	query.clock_offset_ms = 29000;
	assert_int_equal(reserve(&attempt, &query), DR_ERR_CONCURRENCY);
	drop(&attempt);
	query = usual();
	query.clock_offset_ms = 31000;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_int_equal(attempt.ticket.admitted.concurrency_left, 4);
	assert_int_equal(account_number("held"), 6000);
	audit();
	drop(&attempt);
	for (int i = 0; i < 5; i++)
		drop(&dead[i]);
	audit();
}

/* ---- count_tokens ---- */

static void
counting_has_a_limit_of_its_own_and_takes_no_other(void **state)
{
	struct attempt attempt;
	const struct dr_admitted *a = &attempt.ticket.admitted;
	struct dr_admit_query query;

	(void)state;
	open_account(0); /* free: even with nothing left */
	add_key("x7y8z9", "rpm 1 conc 1");
	for (int i = 0; i < 19; i++) {
		query = usual();
		query.mode = DR_ADMIT_COUNT;
		query.count_rpm = 18;
		assert_int_equal(
		    reserve(&attempt, &query), i < 18 ? DR_OK : DR_ERR_RPM);
		assert_int_equal(a->rpm, 18);
		assert_int_equal(a->rpm_left, i < 18 ? 17 - i : 0);
		assert_null(attempt.ticket.booking);
		drop(&attempt);
	}
	assert_int_equal(a->limit, 0); /* the ticket was emptied */
	assert_int_equal(
	    redis_do("EXISTS " KEY("recent:x7y8z9") " " KEY("open:x7y8z9")).number, 0);
	audit();
}

/* ---- GET /v1/key ---- */

struct key_answer {
	struct dr_key_read read;
	unsigned n_done;
	enum dr_error err;
	struct dr_key_state state;
	char name[32], period[8], window[DR_WINDOW_SIZE], models[32], zone[32];
};

static void
on_key(struct dr_key_read *read, enum dr_error err, const struct dr_key_state *state)
{
	struct key_answer *answer = DR_CONTAINER_OF(read, struct key_answer, read);

	answer->n_done++;
	answer->err = err;
	assert_true((err == DR_OK) == (state != NULL));
	if (state == NULL)
		return;
	answer->state = *state;
	snprintf(answer->name, sizeof answer->name, "%s", state->name);
	snprintf(answer->period, sizeof answer->period, "%s", state->period);
	snprintf(answer->window, sizeof answer->window, "%s", state->window);
	snprintf(answer->models, sizeof answer->models, "%s", state->models);
	snprintf(answer->zone, sizeof answer->zone, "%s", state->zone);
}

static enum dr_error
read_key(struct key_answer *answer, const struct dr_api_key *key, int64_t offset)
{
	struct dr_key_read_query query = { .key = key,
		.default_rpm = 60,
		.default_concurrency = 5,
		.clock_offset_ms = offset };

	*answer = (struct key_answer){ 0 };
	dr_admission_key_read(admission, &answer->read, &query, on_key);
	assert_int_equal(answer->n_done, 0);
	TURN_UNTIL(answer->n_done > 0);
	dr_key_read_cancel(&answer->read); /* a no-op now */
	return answer->err;
}

static void
a_key_says_what_is_left_of_it(void **state)
{
	struct key_answer k;
	struct attempt running, settled;
	struct dr_admit_query query;

	(void)state;
	open_account(10000);
	add_key("x7y8z9",
	    "name main created 1790000000000 rpm 30 budget 5000 models m1,m2");
	query = usual();
	assert_int_equal(reserve(&settled, &query), DR_OK);
	settle(&settled, 300);
	query = usual();
	query.clock_offset_ms = 70000;
	assert_int_equal(reserve(&running, &query), DR_OK);
	assert_int_equal(read_key(&k, &the_key, 70000), DR_OK);
	assert_string_equal(k.name, "main");
	assert_string_equal(k.period, "total");
	assert_string_equal(k.window, "total");
	assert_string_equal(k.models, "m1,m2");
	assert_int_equal(k.state.created_ms, 1790000000000);
	assert_int_equal(k.state.used_ms, running.ticket.admitted.now_ms);
	assert_int_equal(k.state.rpm, 30);
	assert_int_equal(
	    k.state.rpm_used, 1); /* the other one is older than a minute */
	assert_int_equal(k.state.concurrency, 5);
	assert_int_equal(k.state.running, 1);
	assert_true(k.state.has_budget);
	assert_int_equal(k.state.budget_nano, 5000);
	assert_int_equal(k.state.spent_nano, 300);
	assert_int_equal(k.state.held_nano, 1000);
	assert_int_equal(k.state.balance_nano, 9700);
	assert_int_equal(k.state.balance_held_nano, 1000);
	assert_int_equal(k.state.account_running, 1);
	drop(&running);
	redis_do("HDEL " KEY("account") " x7y8z9.budget x7y8z9.name");
	assert_int_equal(read_key(&k, &the_key, 0), DR_OK);
	assert_false(k.state.has_budget);
	assert_int_equal(k.state.spent_total_nano, 300);
	assert_string_equal(k.name, "");
	redis_do("HSET " KEY("account") " x7y8z9.status off");
	assert_int_equal(read_key(&k, &the_key, 0), DR_ERR_BAD_KEY);
	redis_do("HSET " KEY("account") " status suspended");
	assert_int_equal(read_key(&k, &the_key, 0), DR_ERR_SUSPENDED);
}

static void
a_question_that_was_cancelled_is_not_answered(void **state)
{
	struct key_answer k = { 0 };
	struct dr_key_read_query query = { .key = &the_key };

	(void)state;
	dr_key_read_cancel(&k.read); /* never asked */
	dr_admission_key_read(admission, &k.read, &query, on_key);
	dr_key_read_cancel(&k.read);
	dr_key_read_cancel(&k.read);
	redis_do("PING");
	assert_int_equal(k.n_done, 0);
}

/* An account's own midnight, also on the day on which its clocks change: the table says
 * that from 2026-10-25 01:00 UTC on it is one hour east instead of two. */
static void
a_budgets_day_is_the_accounts_own(void **state)
{
	static const struct {
		int64_t at_ms; /* UTC */
		const char *period, *window;
		int64_t ends_ms;
	} rows[] = {
		/* 24th 21:56; 24th 22:01 and 25th 22:56, a day of 25 hours; 25th 23:01
		 */
		{ INT64_C(1792878960000), "day", "2026-10-24", INT64_C(1792879200000) },
		{ INT64_C(1792879260000), "day", "2026-10-25", INT64_C(1792969200000) },
		{ INT64_C(1792968960000), "day", "2026-10-25", INT64_C(1792969200000) },
		{ INT64_C(1792969260000), "day", "2026-10-26", INT64_C(1793055600000) },
		/* 31st 22:56, 31st 23:01 */
		{ INT64_C(1793487360000), "month", "2026-10", INT64_C(1793487600000) },
		{ INT64_C(1793487660000), "month", "2026-11", INT64_C(1796079600000) },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;
		struct key_answer k;

		open_account(1000000);
		add_key("x7y8z9", "budget 500000");
		redis_do("HSET " KEY("account") " x7y8z9.period %s", rows[i].period);
		redis_do("HSET " KEY("account") " tz Europe/Berlin");
		redis_do(
		    "EVAL return(redis.call('HSET',KEYS[1],'tz_offsets',table.concat({'0','120','1792890000000','60'},string.char(32)))) "
		    "1 " KEY("account"));
		query.clock_offset_ms = rows[i].at_ms - redis_now();
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		assert_string_equal(attempt.ticket.admitted.window, rows[i].window);
		assert_int_equal(read_key(&k, &the_key, query.clock_offset_ms), DR_OK);
		assert_string_equal(k.window, rows[i].window);
		assert_string_equal(k.zone, "Europe/Berlin");
		assert_int_equal(k.state.window_end_ms, rows[i].ends_ms);
		drop(&attempt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixty_pass_and_the_next_is_told_when_the_first_leaves),
		cmocka_unit_test(the_minute_slides_exactly),
		cmocka_unit_test(a_clock_set_back_lets_nobody_through),
		cmocka_unit_test(a_refused_request_takes_no_place_in_the_minute),
		cmocka_unit_test(a_limit_that_was_lowered_counts_what_came_before),
		cmocka_unit_test(a_place_in_the_minute_is_given_back),
		cmocka_unit_test(five_run_and_the_sixth_waits_for_one_to_end),
		cmocka_unit_test(a_lapsed_lease_no_longer_counts_as_running),
		cmocka_unit_test(counting_has_a_limit_of_its_own_and_takes_no_other),
		cmocka_unit_test(a_key_says_what_is_left_of_it),
		cmocka_unit_test(a_question_that_was_cancelled_is_not_answered),
		cmocka_unit_test(a_budgets_day_is_the_accounts_own),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
