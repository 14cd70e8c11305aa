/*
 * admission: which requests pass, and what a refusal says. Against a real Redis; time
 * moves by the clock offset. Money is in test_admission_money.c, limits by number in
 * test_admission_limits.c, settling in test_settle.c, leases in test_lease.c.
 */
#include "admission_fixture.h"

/* ---- the order of the checks ---- */

static void
each_reason_refuses_in_its_turn(void **state)
{
	/* Each row is worse than the one before: the first reason in the order wins. */
	static const struct {
		const char *fields;
		enum dr_error full, count, key;
	} rows[] = {
		{ "balance 1000", DR_OK, DR_OK, DR_OK },
		{ "balance 1000 held 1000 running 3", DR_ERR_HELD, DR_OK, DR_OK },
		{ "x7y8z9.conc 0", DR_ERR_CONCURRENCY, DR_OK, DR_OK },
		{ "x7y8z9.budget 0", DR_ERR_BUDGET, DR_OK, DR_OK },
		{ "balance 0", DR_ERR_BALANCE, DR_OK, DR_OK },
		{ "balance -5", DR_ERR_BALANCE, DR_OK, DR_OK },
		{ "x7y8z9.models m2,m10", DR_ERR_MODEL_UNAVAILABLE,
		    DR_ERR_MODEL_UNAVAILABLE, DR_OK },
		{ "x7y8z9.expires 1000", DR_ERR_BAD_KEY, DR_ERR_BAD_KEY,
		    DR_ERR_BAD_KEY },
		{ "x7y8z9.expires 0", DR_ERR_MODEL_UNAVAILABLE,
		    DR_ERR_MODEL_UNAVAILABLE, DR_OK },
		{ "x7y8z9.status off", DR_ERR_BAD_KEY, DR_ERR_BAD_KEY, DR_ERR_BAD_KEY },
		{ "x7y8z9.status on status suspended", DR_ERR_SUSPENDED,
		    DR_ERR_SUSPENDED, DR_ERR_SUSPENDED },
	};

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		const enum dr_error expected[] = { rows[i].full, rows[i].key,
			rows[i].count };

		redis_do("HSET " KEY("account") " %s", rows[i].fields);
		for (enum dr_admit_mode mode = DR_ADMIT_FULL; mode <= DR_ADMIT_COUNT;
		     mode++) {
			struct dr_admit_query query = usual();
			struct attempt attempt;

			query.mode = mode;
			assert_int_equal(reserve(&attempt, &query), expected[mode]);
			drop(&attempt);
		}
	}
}

/* Whoever does not know the secret learns nothing and leaves nothing behind. */
static void
a_stranger_writes_nothing(void **state)
{
	struct dr_api_key strangers[] = { the_key, the_key, the_key };
	int64_t size;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "models secret-model");
	memcpy(strangers[0].account, "zzzzzzzzzz", 10);
	memcpy(strangers[1].key_id, "aaaaaa", 6);
	strangers[2].sha[0] = 'f';
	size = redis_do("DBSIZE").number;
	for (size_t i = 0; i < DR_N_ELEMENTS(strangers); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;

		query.key = &strangers[i];
		assert_int_equal(reserve(&attempt, &query), DR_ERR_BAD_KEY);
		assert_int_equal(attempt.ticket.admitted.balance_left, 0);
		drop(&attempt);
	}
	assert_int_equal(redis_do("DBSIZE").number, size);
	audit();
}

static void
a_deleted_key_is_a_bad_key(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt attempt;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	redis_do("HSET " KEY("account") " x7y8z9.status deleted");
	redis_do("HDEL " KEY("account") " x7y8z9.sha");
	settle(&attempt, 7); /* under way when the key went: charged all the same */
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_ERR_BAD_KEY);
	drop(&attempt);
	assert_int_equal(account_number("balance"), 993);
	audit();
}

static void
a_list_of_models_allows_whole_names_only(void **state)
{
	static const struct {
		const char *model;
		bool passes;
	} rows[] = { { "m1", true }, { "m10", true }, { "m", false }, { "1", false },
		{ "m.", false }, { "%w+", false }, { "", true } };

	(void)state;
	open_account(100000);
	add_key("x7y8z9", "models m1,m10 conc 100");
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;

		query.model = rows[i].model;
		assert_int_equal(reserve(&attempt, &query),
		    rows[i].passes ? DR_OK : DR_ERR_MODEL_UNAVAILABLE);
		assert_string_equal(attempt.ticket.admitted.allowed_models, "m1,m10");
		drop(&attempt);
	}
}

static void
a_key_that_is_only_checked_books_nothing(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt attempt;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "models m1");
	query.mode = DR_ADMIT_KEY;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_null(attempt.ticket.booking);
	assert_string_equal(attempt.ticket.admitted.allowed_models, "m1");
	assert_true(attempt.ticket.admitted.now_ms > 0);
	drop(&attempt);
	assert_int_equal(
	    redis_do("EXISTS " KEY("recent:x7y8z9") " " KEY("open:x7y8z9")).number, 0);
	audit();
}

/* ---- what is noted ---- */

static struct dr_script last_request_script = SCRIPT("last request",
    "local r = redis.call('XREVRANGE', '" KEY(
	"requests") "', '+', '-', 'COUNT', 1)\n"
		    "return r[1] and table.concat(r[1][2], ' ') or ''");

static void
refused_requests_stand_among_the_last_ones(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt attempt;
	char expected[160];

	(void)state;
	open_account(0);
	add_key("x7y8z9", "");
	assert_int_equal(reserve(&attempt, &query), DR_ERR_BALANCE);
	drop(&attempt);
	/* the fixture keeps 63 characters of a text */
	snprintf(
	    expected, sizeof expected, "req %s key x7y8z9 model m1 status", the_id);
	assert_memory_equal(run(store, &last_request_script).text, expected,
	    strlen("req ") + strlen(the_id) + 11);
	dr_admission_note(admission, &the_key, "req_note", "", 400, "BAD_JSON");
	assert_string_equal(run(store, &last_request_script).text,
	    "req req_note key x7y8z9 model  status 400 error BAD_JSON");
	assert_int_equal(redis_do("XLEN " KEY("requests")).number, 2);
}

static void
a_key_in_use_is_one_that_passed_and_was_not_refused_since(void **state)
{
	struct dr_api_key other = the_key;
	struct dr_admit_query query = usual();
	struct attempt attempt;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	other.sha[5] = '9';
	dr_admission_free(&admission); /* the tests before have used it */
	admission = dr_admission_new(loop, store);
	assert_false(dr_admission_key_in_use(admission, &the_key));
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_true(dr_admission_key_in_use(admission, &the_key));
	assert_false(dr_admission_key_in_use(admission, &other)); /* another secret */
	drop(&attempt);
	redis_do("HSET " KEY("account") " balance 0 credited 0");
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_ERR_BALANCE);
	assert_false(dr_admission_key_in_use(admission, &the_key));
	drop(&attempt);
}

/* Both secrets open the key until the grace is over; then the new one alone; none once
 * it is switched off. */
static void
an_old_secret_works_for_its_grace(void **state)
{
	static const struct {
		int64_t from_end_ms; /* far enough for a slow machine */
		const char *status;
		enum dr_error old, fresh;
	} rows[] = { { -600000, "on", DR_OK, DR_OK },
		{ 1, "on", DR_ERR_BAD_KEY, DR_OK },
		{ -600000, "off", DR_ERR_BAD_KEY, DR_ERR_BAD_KEY } };
	struct dr_api_key old = the_key, fresh = the_key;
	int64_t end;

	(void)state;
	memset(fresh.sha, 'f', sizeof fresh.sha - 1);
	open_account(1000000);
	add_key("x7y8z9", "");
	end = redis_now() + 3600000;
	redis_do("HSET " KEY("account") " x7y8z9.sha %s x7y8z9.old_sha %s "
					"x7y8z9.old_until %lld",
	    fresh.sha, old.sha, (long long)end);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		redis_do("HSET " KEY("account") " x7y8z9.status %s", rows[i].status);
		for (int which = 0; which < 2; which++) {
			struct dr_admit_query query = usual();
			struct attempt attempt;

			query.key = which == 0 ? &old : &fresh;
			query.clock_offset_ms = end - redis_now() + rows[i].from_end_ms;
			assert_int_equal(reserve(&attempt, &query),
			    which == 0 ? rows[i].old : rows[i].fresh);
			drop(&attempt);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_refuses_in_its_turn),
		cmocka_unit_test(a_stranger_writes_nothing),
		cmocka_unit_test(a_deleted_key_is_a_bad_key),
		cmocka_unit_test(a_list_of_models_allows_whole_names_only),
		cmocka_unit_test(a_key_that_is_only_checked_books_nothing),
		cmocka_unit_test(an_old_secret_works_for_its_grace),
		cmocka_unit_test(refused_requests_stand_among_the_last_ones),
		cmocka_unit_test(
		    a_key_in_use_is_one_that_passed_and_was_not_refused_since),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
