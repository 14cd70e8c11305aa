/*
 * admission: what may be held of a balance and of a budget, and in which window it
 * counts. Against a real Redis; dates are reached by the clock offset.
 */
#include "admission_fixture.h"

/* ---- money ---- */

static void
the_hold_is_the_estimate_or_what_is_left(void **state)
{
	static const struct {
		int64_t estimate;
		const char *fields; /* beside balance 1000 */
		enum dr_error err;
		int64_t hold, balance_left, budget_left, running;
	} rows[] = {
		{ 400, "status on", DR_OK, 400, 600, -1, 0 },
		{ 1000, "status on", DR_OK, 1000, 0, -1, 0 },
		{ 5000, "status on", DR_OK, 1000, 0, -1, 0 },
		{ 0, "status on", DR_OK, 0, 1000, -1, 0 },
		{ 400, "x7y8z9.budget 300", DR_OK, 300, 700, 0, 0 },
		{ 400, "x7y8z9.budget 900 x7y8z9.spent:total 600", DR_OK, 300, 700, 0,
		    0 },
		{ 400, "x7y8z9.budget 2000", DR_OK, 400, 600, 1600, 0 },
		{ 5000, "x7y8z9.budget 2000", DR_OK, 1000, 0, 1000, 0 },
		{ 1, "x7y8z9.budget 900 x7y8z9.spent:total 900", DR_ERR_BUDGET, 0, 1000,
		    0, 0 },
		{ 1, "x7y8z9.budget 900 x7y8z9.spent:total 901", DR_ERR_BUDGET, 0, 1000,
		    0, 0 },
		{ 1, "x7y8z9.budget 900 x7y8z9.held:total 900", DR_ERR_HELD, 0, 1000, 0,
		    1 },
		{ 1, "held 1000 running 7", DR_ERR_HELD, 0, 0, -1, 7 },
		{ 1, "held 1200 running 7", DR_ERR_HELD, 0, -200, -1, 7 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;
		const struct dr_admitted *a = &attempt.ticket.admitted;

		open_account(1000);
		add_key("x7y8z9", "");
		redis_do("HSET " KEY("account") " %s", rows[i].fields);
		query.estimate_nano = rows[i].estimate;
		assert_int_equal(reserve(&attempt, &query), rows[i].err);
		assert_int_equal(a->hold_nano, rows[i].hold);
		assert_int_equal(a->balance_left, rows[i].balance_left);
		assert_int_equal(a->budget_left, rows[i].budget_left);
		assert_int_equal(a->running, rows[i].running);
		if (rows[i].err == DR_OK)
			audit();
		drop(&attempt);
	}
}

/* None may pass on money that another one holds. */
static void
parallel_requests_cannot_hold_one_balance_twice(void **state)
{
	enum { N = 50 };
	static struct attempt attempts[N];
	int64_t held = 0;
	unsigned passed = 0;

	(void)state;
	open_account(30000000); /* three cents, and each may cost two */
	add_key("x7y8z9", "rpm 1000 conc 1000");
	for (int i = 0; i < N; i++) {
		struct dr_admit_query query = usual();

		query.estimate_nano = 20000000;
		begin_reserve(&attempts[i], &query);
	}
	TURN_UNTIL(attempts[N - 1].n_done > 0);
	for (int i = 0; i < N; i++) {
		const struct dr_admitted *a = &attempts[i].ticket.admitted;

		assert_int_equal(attempts[i].n_done, 1);
		if (attempts[i].err == DR_OK) {
			passed++;
			held += a->hold_nano;
			continue;
		}
		assert_int_equal(attempts[i].err, DR_ERR_HELD);
		assert_int_equal(a->running, 2);
		assert_int_equal(a->limit, 2);
	}
	assert_int_equal(passed, 2);
	assert_int_equal(held, 30000000);
	assert_int_equal(dr_admission_open(admission), 2);
	audit();
	for (int i = 0; i < N; i++)
		drop(&attempts[i]);
	assert_int_equal(account_number("held"), 0);
	audit();
}

/* Two keys of one account draw on one balance, each within its own budget. */
static void
the_keys_of_an_account_share_its_balance(void **state)
{
	struct dr_api_key other = the_key;
	struct dr_admit_query query = usual();
	struct attempt first, second;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	add_key("bbbbbb", "budget 100");
	memcpy(other.key_id, "bbbbbb", 6);
	query.estimate_nano = 950;
	assert_int_equal(reserve(&first, &query), DR_OK);
	query = usual();
	query.key = &other;
	query.estimate_nano = 950;
	assert_int_equal(reserve(&second, &query), DR_OK);
	assert_int_equal(second.ticket.admitted.hold_nano, 50);
	assert_int_equal(second.ticket.admitted.budget_nano, 100);
	assert_int_equal(second.ticket.admitted.budget_left, 50);
	audit();
	settle(&first, 500);
	settle(&second, 40);
	assert_int_equal(account_number("balance"), 460);
	assert_int_equal(account_number("bbbbbb.spent:total"), 40);
	audit();
}

/* Doubles are exact below 2^53, and nothing above it is taken for an amount. */
static void
amounts_are_exact_up_to_two_to_the_53rd(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt attempt;

	(void)state;
	open_account(DR_MONEY_MAX);
	add_key("x7y8z9", "budget 9007199254740991");
	query.estimate_nano = DR_MONEY_MAX - 1;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	assert_int_equal(attempt.ticket.admitted.hold_nano, DR_MONEY_MAX - 1);
	assert_int_equal(attempt.ticket.admitted.balance_left, 1);
	assert_string_equal(
	    redis_do("HGET " KEY("account") " held").text, "9007199254740990");
	audit();
	settle(&attempt, 100000000000001);
	assert_string_equal(
	    redis_do("HGET " KEY("account") " balance").text, "8907199254740990");
	assert_string_equal(redis_do("HGET " KEY("account") " x7y8z9.spent:total").text,
	    "100000000000001");
	audit();
}

static void
a_damaged_account_is_our_trouble_and_stays_as_it_is(void **state)
{
	static const char *const fields[] = { "balance 9007199254740992", "balance ten",
		"balance 1.5", "balance nan", "held inf", "x7y8z9.rpm many",
		"x7y8z9.budget 1e400", "x7y8z9.spent:total -", "running x",
		"balance -9007199254740992" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;

		open_account(1000);
		add_key("x7y8z9", "budget 500");
		redis_do("HSET " KEY("account") " %s", fields[i]);
		assert_int_equal(reserve(&attempt, &query), DR_ERR_INTERNAL);
		drop(&attempt);
		assert_int_equal(
		    redis_do("EXISTS " KEY("recent:x7y8z9") " " KEY("open:x7y8z9"))
			.number,
		    0);
	}
}

/* ---- windows ---- */

/* ms since 1970 of a UTC time, by another way than the script's. */
static int64_t
utc_ms(int year, int month, int day, int hour, int minute)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304,
		334 };
	int64_t days = 0;

	for (int y = 1970; y < year; y++)
		days += 365 + ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
	days += before[month - 1] + day - 1;
	if (month > 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		days++;
	return days * DAY + (hour * 60 + minute) * INT64_C(60000);
}

static void
windows_turn_at_utc_midnight_and_at_the_first(void **state)
{
	static const struct {
		int year, month, day, hour, minute;
		const char *date;
	} rows[] = {
		{ 2026, 11, 22, 15, 4, "2026-11-22" },
		{ 2026, 11, 30, 23, 58, "2026-11-30" },
		{ 2026, 12, 1, 0, 1, "2026-12-01" },
		{ 2026, 12, 31, 23, 58, "2026-12-31" },
		{ 2027, 1, 1, 0, 1, "2027-01-01" },
		{ 2027, 2, 28, 23, 58, "2027-02-28" },
		{ 2027, 3, 1, 0, 1, "2027-03-01" },
		{ 2028, 2, 28, 23, 58, "2028-02-28" },
		{ 2028, 2, 29, 0, 1, "2028-02-29" },
		{ 2028, 2, 29, 23, 58, "2028-02-29" },
		{ 2028, 3, 1, 0, 1, "2028-03-01" },
		{ 2100, 2, 28, 23, 58, "2100-02-28" },
		{ 2100, 3, 1, 0, 1, "2100-03-01" },
		{ 2400, 2, 29, 12, 0, "2400-02-29" },
		{ 2000, 2, 29, 12, 0, "2000-02-29" },
	};
	static const char *const periods[] = { "day", "month", "total" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows) * DR_N_ELEMENTS(periods); i++) {
		size_t row = i / DR_N_ELEMENTS(periods), p = i % DR_N_ELEMENTS(periods);
		struct dr_admit_query query = usual();
		struct attempt attempt;
		char more[64], expected[DR_WINDOW_SIZE];

		open_account(1000);
		snprintf(more, sizeof more, "budget 500 period %s", periods[p]);
		add_key("x7y8z9", more);
		query.clock_offset_ms =
		    utc_ms(rows[row].year, rows[row].month, rows[row].day,
			rows[row].hour, rows[row].minute) -
		    redis_now();
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		snprintf(
		    expected, sizeof expected, "%.*s", p == 0 ? 10 : 7, rows[row].date);
		assert_string_equal(
		    attempt.ticket.admitted.window, p == 2 ? "total" : expected);
		audit();
		drop(&attempt);
	}
}

static void
a_budget_is_whole_again_in_the_next_window(void **state)
{
	int64_t day = utc_ms(2026, 11, 30, 12, 0) - redis_now();
	static const struct {
		const char *period;
		int64_t later;
		enum dr_error err;
	} rows[] = {
		{ "day", 0, DR_ERR_BUDGET },
		{ "day", DAY, DR_OK },
		{ "month", 0, DR_ERR_BUDGET },
		{ "month", -DAY, DR_ERR_BUDGET },
		{ "month", DAY, DR_OK },
		{ "total", 0, DR_ERR_BUDGET },
		{ "total", 400 * DAY, DR_ERR_BUDGET },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_admit_query query = usual();
		struct attempt attempt;
		char more[64];

		open_account(10000);
		snprintf(more, sizeof more, "budget 500 period %s", rows[i].period);
		add_key("x7y8z9", more);
		query.clock_offset_ms = day;
		query.estimate_nano = 500;
		assert_int_equal(reserve(&attempt, &query), DR_OK);
		settle(&attempt,
		    600); /* more than was left: it is charged, not forgotten */
		query = usual();
		query.clock_offset_ms = day + rows[i].later;
		assert_int_equal(reserve(&attempt, &query), rows[i].err);
		assert_int_equal(attempt.ticket.admitted.budget_nano, 500);
		drop(&attempt);
		assert_int_equal(account_number("x7y8z9.spent:total"), 600);
		audit();
	}
}

/* The window is fixed when a request passes; it may end in the next one. */
static void
a_charge_counts_in_the_window_of_its_admission(void **state)
{
	struct dr_admit_query query = usual();
	struct attempt late, other;

	(void)state;
	open_account(10000);
	add_key("x7y8z9", "budget 1000 period day");
	query.clock_offset_ms = utc_ms(2026, 11, 30, 23, 50) - redis_now();
	assert_int_equal(reserve(&late, &query), DR_OK);
	query = usual();
	query.clock_offset_ms = utc_ms(2026, 12, 1, 0, 10) - redis_now();
	query.estimate_nano = 300;
	assert_int_equal(reserve(&other, &query), DR_OK);
	audit();
	settle(&late, 700);
	settle(&other, 200);
	assert_int_equal(account_number("x7y8z9.spent:2026-11-30"), 700);
	assert_int_equal(account_number("x7y8z9.spent:2026-12-01"), 200);
	assert_int_equal(account_number("x7y8z9.spent:total"), 900);
	audit();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hold_is_the_estimate_or_what_is_left),
		cmocka_unit_test(parallel_requests_cannot_hold_one_balance_twice),
		cmocka_unit_test(the_keys_of_an_account_share_its_balance),
		cmocka_unit_test(amounts_are_exact_up_to_two_to_the_53rd),
		cmocka_unit_test(a_damaged_account_is_our_trouble_and_stays_as_it_is),
		cmocka_unit_test(windows_turn_at_utc_midnight_and_at_the_first),
		cmocka_unit_test(a_budget_is_whole_again_in_the_next_window),
		cmocka_unit_test(a_charge_counts_in_the_window_of_its_admission),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
