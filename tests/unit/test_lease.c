/*
 * leases: what runs is renewed, what died is booked and given back, what comes too late
 * is given back, and an outage of Redis neither loses nor doubles anything.
 */
#include "admission_fixture.h"

static struct attempt attempt; /* of the test that runs */

/* A lease this short is renewed every few hundredths of a second. */
static struct dr_admit_query
short_lease(int64_t estimate)
{
	struct dr_admit_query query = usual();

	query.lease_ms = 300;
	query.estimate_nano = estimate;
	return query;
}

static void
wait_ms(int64_t ms)
{
	int64_t until = redis_now() + ms;

	TURN_UNTIL(redis_now() >= until);
}

/* ---- renewing ---- */

static void
a_running_request_keeps_its_slot(void **state)
{
	struct dr_admit_query query = short_lease(100);
	struct attempt second;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "conc 1");
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	wait_ms(900); /* three leases long */
	query = short_lease(100);
	assert_int_equal(reserve(&second, &query), DR_ERR_CONCURRENCY);
	drop(&second);
	audit();
	settle(&attempt, 5);
	audit();
}

/* The hold follows the cost by one slice, and ends where nothing is left. */
static void
a_renewal_raises_the_hold_as_far_as_something_is_left(void **state)
{
	static const struct {
		const char *fields;
		int64_t cost, held;
	} rows[] = {
		{ "status on", 0, 100 }, { "status on", 60, 160 },
		{ "status on", 899, 999 }, { "status on", 950, 1000 },
		{ "status on", 5000, 1000 }, { "x7y8z9.budget 300", 250, 300 },
		{ "x7y8z9.budget 300 x7y8z9.spent:total 120", 250, 180 },
		{ "balance 50", 60,
		    100 }, /* less than is held already: nothing more, nothing back */
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_admit_query query = short_lease(100);
		int64_t renewed;

		open_account(1000);
		redis_do("HDEL " KEY(
		    "account") " credited"); /* the balance is set by hand */
		add_key("x7y8z9", "");
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		redis_do("HSET " KEY("account") " %s", rows[i].fields);
		attempt.ticket.cost_so_far_nano = rows[i].cost;
		renewed = redis_now() +
			  350; /* at least one renewal has told the cost by then */
		TURN_UNTIL(redis_now() >= renewed);
		assert_int_equal(account_number("held"), rows[i].held);
		assert_int_equal(account_number("x7y8z9.held:total"), rows[i].held);
		audit();
		settle(&attempt, rows[i].cost);
		assert_int_equal(account_number("held"), 0);
		audit();
	}
}

/* A replica took over and did not know of it: the owner puts the entry there again. */
static void
an_entry_that_redis_lost_is_there_again(void **state)
{
	struct dr_admit_query query = short_lease(100);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	attempt.ticket.cost_so_far_nano = 30;
	redis_do("DEL " KEY("open:x7y8z9"));
	redis_do("HSET " KEY("account") " held 0 running 0 x7y8z9.held:total 0");
	TURN_UNTIL(redis_do("HLEN " KEY("open:x7y8z9")).number == 1);
	assert_int_equal(account_number("held"), 130);
	assert_int_equal(account_number("running"), 1);
	audit();
	settle(&attempt, 35);
	wait_ms(400); /* and does not come back once it is settled */
	assert_int_equal(redis_do("HLEN " KEY("open:x7y8z9")).number, 0);
	assert_int_equal(account_number("balance"), 965);
	audit();
}

static void
a_renewal_brings_no_account_into_being(void **state)
{
	struct dr_admit_query query = short_lease(100);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	redis_do("FLUSHALL");
	wait_ms(400);
	assert_int_equal(
	    redis_do("EXISTS " KEY("account") " " KEY("open:x7y8z9")).number, 0);
	settle(&attempt, 5); /* the charge lands all the same: somebody owes it */
	assert_int_equal(account_number("balance"), -5);
}

/* More than one call's worth, of several keys: every one of them is renewed in time. */
static void
many_leases_are_renewed_in_few_calls(void **state)
{
	enum { N = 300 };
	static struct attempt attempts[N];
	struct dr_api_key other = the_key;
	int64_t last;

	(void)state;
	open_account(1000000);
	add_key("x7y8z9", "conc 1000 rpm 1000");
	add_key("bbbbbb", "conc 1000 rpm 1000 budget 900000 period day");
	memcpy(other.key_id, "bbbbbb", 6);
	for (int i = 0; i < N; i++) {
		struct dr_admit_query query = usual();

		query.lease_ms = 1500;
		query.key = i % 3 == 0 ? &other : &the_key;
		begin_reserve(&attempts[i], &query);
		attempts[i].ticket.cost_so_far_nano = i;
	}
	TURN_UNTIL(attempts[N - 1].n_done > 0);
	last = attempts[N - 1].ticket.admitted.now_ms;
	TURN_UNTIL(redis_now() > last + 1600); /* all would have lapsed */
	for (int i = 0; i < 2; i++) {
		struct dr_admit_query query = usual();
		struct attempt probe;

		query.key = i == 0 ? &other : &the_key;
		assert_int_equal(reserve(&probe, &query), DR_OK);
		assert_int_equal(
		    redis_do("HLEN " KEY("open:%s"), query.key->key_id).number,
		    i == 0 ? N / 3 + 1 : N - N / 3 + 1);
		redis_do("HSET " KEY("account") " %s.conc 1", query.key->key_id);
		drop(&probe);
		query = usual(); /* each lease is looked at now: all of them live */
		query.key = i == 0 ? &other : &the_key;
		assert_int_equal(reserve(&probe, &query), DR_ERR_CONCURRENCY);
		assert_int_equal(
		    probe.ticket.admitted.running, i == 0 ? N / 3 : N - N / 3);
		drop(&probe);
	}
	audit();
	for (int i = 0; i < N; i++) {
		struct dr_settlement settlement = costs(i);

		begin_settle(&attempts[i], &settlement);
	}
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
	assert_int_equal(account_number("balance"), 1000000 - N * (N - 1) / 2);
	assert_int_equal(account_number("held"), 0);
	audit();
}

/* ---- the dead ---- */

static void
the_dead_are_booked_at_their_last_checkpoint(void **state)
{
	struct dr_api_key other = the_key;
	struct dr_admit_query query = usual();
	struct attempt living;
	char id[DR_REQUEST_ID_SIZE];

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	add_key("bbbbbb", "");
	memcpy(other.key_id, "bbbbbb", 6);
	query.estimate_nano = 1000;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	snprintf(id, sizeof id, "%s", the_id);
	checkpoint("x7y8z9", id, 250);
	/* Not dead for long enough: what it holds is held. */
	query = usual();
	query.key = &other;
	query.sweep_after_ms = 10;
	query.clock_offset_ms = 29000;
	wait_ms(20); /* Redis has been there for so long */
	assert_int_equal(reserve(&living, &query), DR_ERR_HELD);
	drop(&living);
	/* Another key of the account asks; at most once a second it looks for the dead.
	 */
	query = usual();
	query.key = &other;
	query.sweep_after_ms = 10;
	query.clock_offset_ms = 31500;
	assert_int_equal(reserve(&living, &query), DR_OK);
	assert_int_equal(living.ticket.admitted.hold_nano, 750);
	assert_int_equal(account_number("balance"), 750);
	assert_int_equal(account_number("x7y8z9.spent:total"), 250);
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 1);
	assert_in_range(redis_do("PTTL " KEY("receipt:%s"), id).number, 1, 600000);
	audit();
	drop(&living);
	settle(&attempt, 250);
	audit();
}

static void
nothing_is_swept_before_redis_was_there_for_long_enough(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt living;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	query.estimate_nano = 1000;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	query = usual();
	query.sweep_after_ms = 3600000; /* this test does not run for an hour */
	query.clock_offset_ms = 2 * 3600000;
	assert_int_equal(reserve(&living, &query), DR_ERR_HELD);
	drop(&living);
	drop(&attempt);
	audit();
}

static void
the_index_of_the_sweep_knows_the_account(void **state)
{
	struct dr_admit_query query = usual();

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	dr_admission_free(&admission); /* forget that it was told before */
	admission = admission_up(store);
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_true(redis_do("ZSCORE open " ACCOUNT).number >=
		    attempt.ticket.admitted.now_ms + query.lease_ms);
	drop(&attempt);
}

/* ---- too late, or cancelled ---- */

/* Redis stands still beyond the deadline: the caller is told, and what was booked is
 * given back. */
static void
a_booking_that_comes_too_late_is_given_back(void **state)
{
	struct dr_store *own = store_up(redis.unix_at, 200);
	struct dr_admission *mine = dr_admission_new(loop, own);
	struct dr_admit_query query = usual();

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	attempt = (struct attempt){ 0 };
	dr_admission_reserve(mine, &attempt.ticket, &query, on_attempt);
	TURN_UNTIL(attempt.n_done > 0);
	assert_int_equal(attempt.err, DR_ERR_STORE_DOWN);
	assert_false(dr_admission_key_in_use(mine, &the_key));
	assert_null(attempt.ticket.booking);
	dr_ticket_fini(&attempt.ticket);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	TURN_UNTIL(dr_store_in_flight(own) == 0);
	TURN_UNTIL(redis_do("HEXISTS " KEY("account") " held").number == 1);
	TURN_UNTIL(account_number("running") == 0);
	assert_int_equal(attempt.n_done, 1);
	assert_int_equal(redis_do("LLEN " KEY("recent:x7y8z9")).number, 0);
	assert_int_equal(
	    redis_do("EXISTS " KEY("requests") " " KEY("ledger")).number, 0);
	audit();
	dr_admission_free(&mine);
	dr_store_free(&own);
}

static void
a_cancelled_booking_is_given_back(void **state)
{
	struct dr_admit_query query = usual();

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	begin_reserve(&attempt, &query);
	dr_admission_cancel(admission, &attempt.ticket);
	dr_admission_cancel(admission, &attempt.ticket);
	dr_ticket_fini(&attempt.ticket); /* the caller may die at once */
	TURN_UNTIL(redis_do("HEXISTS " KEY("account") " held").number == 1);
	TURN_UNTIL(account_number("running") == 0);
	assert_int_equal(attempt.n_done, 0);
	assert_int_equal(redis_do("LLEN " KEY("recent:x7y8z9")).number, 0);
	audit();
	query = usual(); /* cancelling what is booked or over does nothing */
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	dr_admission_cancel(admission, &attempt.ticket);
	assert_int_equal(dr_admission_open(admission), 1);
	settle(&attempt, 1);
	dr_admission_cancel(admission, &attempt.ticket);
	audit();
}

/* Cancelled, and the whole admission gone before Redis answers. */
static void
an_admission_may_end_before_its_last_answer(void **state)
{
	struct dr_admission *mine = dr_admission_new(loop, store);
	struct dr_admit_query query = usual();

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	attempt = (struct attempt){ 0 };
	dr_admission_reserve(mine, &attempt.ticket, &query, on_attempt);
	dr_admission_cancel(mine, &attempt.ticket);
	dr_admission_free(&mine);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(attempt.n_done, 0);
	audit(); /* its lease will end it */
}

/* ---- Redis away ---- */

static void
away_means_503_and_what_runs_is_settled_afterwards(void **state)
{
	struct dr_store *own = store_up(redis.unix_at, 200);
	struct dr_admission *mine = admission_up(own), *shared = admission;
	struct dr_admit_query query = usual();
	struct attempt refused;
	struct dr_settlement settlement = costs(70);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admission = mine;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	for (int i = 0; i < 3; i++) {
		query = usual();
		assert_int_equal(reserve(&refused, &query), DR_ERR_STORE_DOWN);
		drop(&refused);
	}
	begin_settle(&attempt, &settlement); /* while it is away */
	TURN_UNTIL(dr_store_in_flight(own) == 1 || !dr_store_is_up(own));
	TURN_UNTIL(dr_admission_spooled(mine) > 0);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	TURN_UNTIL(all_settled(mine));
	admission = shared;
	assert_int_equal(account_number("balance"), 930);
	TURN_UNTIL(
	    account_number("running") == 0); /* the late one is given back as well */
	audit();
	dr_admission_free(&mine);
	dr_store_free(&own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_request_keeps_its_slot),
		cmocka_unit_test(a_renewal_raises_the_hold_as_far_as_something_is_left),
		cmocka_unit_test(an_entry_that_redis_lost_is_there_again),
		cmocka_unit_test(a_renewal_brings_no_account_into_being),
		cmocka_unit_test(many_leases_are_renewed_in_few_calls),
		cmocka_unit_test(the_dead_are_booked_at_their_last_checkpoint),
		cmocka_unit_test(
		    nothing_is_swept_before_redis_was_there_for_long_enough),
		cmocka_unit_test(the_index_of_the_sweep_knows_the_account),
		cmocka_unit_test(a_booking_that_comes_too_late_is_given_back),
		cmocka_unit_test(a_cancelled_booking_is_given_back),
		cmocka_unit_test(an_admission_may_end_before_its_last_answer),
		cmocka_unit_test(away_means_503_and_what_runs_is_settled_afterwards),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
