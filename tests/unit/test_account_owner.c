/*
 * What the owner of an account may ask and change: keys are made up to their number,
 * listed page by page, changed as a whole or not at all; days in C are those of the
 * scripts.
 */
#include "admission_fixture.h"

#include "base/clock.h"
#include "gateway/account_owner.h"
#include "gateway/key_make.h"
#include "gateway/zone.h"

/* ---- making keys ---- */

#define N_AT_ONCE 8

static unsigned n_made, n_refused;
static enum dr_error made_err;
static enum dr_key_made made_how;

static void
on_made(struct dr_key_make *make, enum dr_key_made how, enum dr_error err)
{
	made_err = err;
	made_how = how;
	n_made += how == DR_KEY_MADE;
	n_refused += how != DR_KEY_MADE;
	assert_int_equal(make->text[0] != '\0', how == DR_KEY_MADE);
}

static void
start_making(struct dr_key_make *make, const struct dr_key_change *change, int64_t most)
{
	*make = (struct dr_key_make){
		.prefix = "sk-", .change = change, .most = most, .done = on_made
	};
	snprintf(make->account, sizeof make->account, ACCOUNT);
	dr_key_make(store, make);
}

static void
of_many_at_once_only_so_many_are_made(void **state)
{
	const struct dr_key_change change = { .name = "n" };
	struct dr_key_make makes[N_AT_ONCE];

	(void)state;
	open_account(1000);
	redis_do("HSET " KEY("account") " dead00.status deleted");
	n_made = n_refused = 0;
	for (size_t i = 0; i < N_AT_ONCE; i++)
		start_making(&makes[i], &change, 3);
	TURN_UNTIL(n_made + n_refused == N_AT_ONCE);
	assert_int_equal(n_made, 3);
	/* an id that was not used is free again */
	assert_int_equal(redis_do("HLEN keys").number, 3);
	for (size_t i = 0; i < N_AT_ONCE; i++)
		dr_key_make_cancel(&makes[i]);
}

/* Twenty dead keys for each that there may be, half of them with something spent. */
static void
deleted_keys_do_not_pile_up(void **state)
{
	const struct dr_key_change change = { .name = "n" };
	struct dr_key_make make;

	(void)state;
	open_account(1000);
	for (int i = 0; i < 40; i++)
		redis_do("HSET " KEY(
			     "account") " dead%02d.status deleted dead%02d.created 1 "
					"dead%02d.spent:total %d dead%02d.held:total 0",
		    i, i, i, i % 2, i);
	redis_do("HSET " KEY("account") " live00.status off live00.spent:total 0");
	n_made = n_refused = 0;
	start_making(&make, &change, 2);
	TURN_UNTIL(n_made + n_refused > 0);
	assert_int_equal(n_made, 1);
	assert_int_equal(
	    redis_do("HEXISTS " KEY("account") " dead00.status").number, 0);
	assert_int_equal(
	    redis_do("HEXISTS " KEY("account") " dead00.spent:total").number, 0);
	assert_string_equal(
	    redis_do("HGET " KEY("account") " dead01.spent:total").text, "1");
	assert_int_equal(
	    redis_do("HEXISTS " KEY("account") " live00.status").number, 1);
	dr_key_make_cancel(&make);

	/* what was spent never goes, so this has an end */
	for (int i = 40; i < 60; i++)
		redis_do("HSET " KEY("account") " dead%02d.status deleted "
						"dead%02d.spent:total 1",
		    i, i);
	redis_do("HSET " KEY("account") " live00.status deleted");
	n_made = n_refused = 0;
	start_making(&make, &change, 2);
	TURN_UNTIL(n_made + n_refused > 0);
	assert_int_equal(n_refused, 1);
	assert_int_equal(made_how, DR_KEY_ALL_SPENT);
	dr_key_make_cancel(&make);
	start_making(&make, &change, 0); /* the operator may */
	TURN_UNTIL(n_made + n_refused > 1);
	assert_int_equal(n_made, 1);
	dr_key_make_cancel(&make);
}

static void
a_new_key_is_what_was_asked_for(void **state)
{
	const struct dr_key_change change = { .name = "",
		.rpm = 7,
		.sets_budget = true,
		.budget_nano = 5,
		.sets_expiry = true,
		.models = "a,b" };
	struct dr_key_make make;
	struct dr_api_key key;
	char line[200];

	(void)state;
	open_account(1000);
	n_made = n_refused = 0;
	start_making(&make, &change, 0);
	TURN_UNTIL(n_made + n_refused > 0);
	assert_int_equal(n_made, 1);
	assert_true(dr_api_key_parse("sk-", make.text, &key));
	assert_string_equal(key.sha, make.key.sha);
	snprintf(line, sizeof line, "HGET " KEY("account") " %s.sha", key.key_id);
	assert_non_null(strstr(key.sha, redis_do("%s", line).text));
	snprintf(line, sizeof line, "HGET " KEY("account") " %s.period", key.key_id);
	assert_string_equal(redis_do("%s", line).text, "total");
	/* an empty value is none: a script would take "" for a number */
	snprintf(
	    line, sizeof line, "HEXISTS " KEY("account") " %s.expires", key.key_id);
	assert_int_equal(redis_do("%s", line).number, 0);
	snprintf(line, sizeof line, "HGET keys %s", key.key_id);
	assert_string_equal(redis_do("%s", line).text, ACCOUNT);
	dr_key_make_cancel(&make);
}

static void
without_an_account_there_is_no_key(void **state)
{
	const struct dr_key_change change = { 0 };
	struct dr_key_make make;

	(void)state;
	redis_do("FLUSHALL");
	n_made = n_refused = 0;
	start_making(&make, &change, 0);
	TURN_UNTIL(n_made + n_refused > 0);
	assert_int_equal(n_refused, 1);
	assert_int_equal(made_err, DR_OK);
	assert_int_equal(redis_do("HLEN keys").number, 0);
}

/* ---- reading keys ---- */

static struct {
	unsigned n_done;
	size_t n;
	char ids[300][DR_KEY_ID_LEN + 1];
	int64_t last_created_ms, now_ms;
	char window[40], status[20];
} listed;

static void
on_keys(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)call;
	assert_int_equal(err, DR_OK);
	listed.n_done++;
	for (size_t i = 0; i < dr_reply_count(reply); i++) {
		struct dr_key_state k = { 0 };

		dr_key_state_take(dr_reply_at(reply, i), &k);
		snprintf(listed.ids[listed.n++], DR_KEY_ID_LEN + 1, "%s", k.key_id);
		snprintf(listed.window, sizeof listed.window, "%s", k.window);
		snprintf(listed.status, sizeof listed.status, "%s", k.status);
		listed.last_created_ms = k.created_ms;
		listed.now_ms = k.now_ms;
	}
}

static size_t
list(const char *key_id, int64_t most, const char *after, int64_t after_ms,
    int64_t offset_ms)
{
	struct dr_keys_query query = { .default_rpm = 60,
		.default_concurrency = 5,
		.clock_offset_ms = offset_ms,
		.key_id = key_id,
		.most = most,
		.after_created_ms = after_ms,
		.after_id = after };
	struct dr_store_call call = { .done = on_keys };
	size_t before = listed.n;

	listed.n_done = 0;
	dr_owner_keys(store, ACCOUNT, &query, &call);
	TURN_UNTIL(listed.n_done > 0);
	return listed.n - before;
}

/* Ten keys, three of them of one second, one deleted; two more come while the pages
 * are read. */
static void
pages_of_keys_have_one_order(void **state)
{
	char last[DR_KEY_ID_LEN + 1] = "";

	(void)state;
	open_account(0);
	for (int i = 0; i < 10; i++)
		redis_do("HSET " KEY("account") " key%03d.status on key%03d.created %d",
		    i, i, i < 7 ? i * 1000 : 7000);
	redis_do("HSET " KEY("account") " key003.status deleted");
	memset(&listed, 0, sizeof listed);
	assert_int_equal(list(NULL, 4, NULL, 0, 0), 4);
	redis_do("HSET " KEY("account") " knew00.status on knew00.created 9000");
	do
		snprintf(last, sizeof last, "%s", listed.ids[listed.n - 1]);
	while (list(NULL, 4, last, listed.last_created_ms, 0) == 4);
	assert_int_equal(listed.n, 9);
	for (int i = 0; i < 9; i++) {
		static const char *const want[] = { "key007", "key008", "key009",
			"key006", "key005", "key004", "key002", "key001", "key000" };

		assert_string_equal(listed.ids[i], want[i]);
	}
	assert_int_equal(list("key003", 1, NULL, 0, 0), 0);
	assert_int_equal(list("nokey0", 1, NULL, 0, 0), 0);
	assert_int_equal(list("key004", 1, NULL, 0, 0), 1);
}

/* ---- changing keys ---- */

static enum dr_key_changed changed;
static unsigned n_changed;

static void
on_changed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)call;
	assert_int_equal(err, DR_OK);
	n_changed++;
	changed = dr_owner_key_take(reply);
}

static enum dr_key_changed
set(const char *key_id, const struct dr_key_change *change)
{
	struct dr_store_call call = { .done = on_changed };

	n_changed = 0;
	dr_owner_key_set(store, ACCOUNT, key_id, change, &call);
	TURN_UNTIL(n_changed > 0);
	return changed;
}

static void
a_change_is_made_as_a_whole_or_not(void **state)
{
	const struct dr_key_change period = { .name = "new", .period = "day" };
	const struct dr_key_change budget = {
		.sets_budget = true, .budget_nano = 7, .period = "day"
	};
	const struct dr_key_change lift = { .sets_budget = true },
				   off = { .status = "off" };
	struct dr_store_call call = { .done = on_changed };

	(void)state;
	open_account(0);
	add_key("kid001", "name old");
	assert_int_equal(set("kid001", &period), DR_KEY_NO_BUDGET);
	assert_string_equal(
	    redis_do("HGET " KEY("account") " kid001.name").text, "old");
	assert_int_equal(set("kid001", &budget), DR_KEY_CHANGED);
	assert_int_equal(set("kid001", &period), DR_KEY_CHANGED);
	assert_int_equal(set("kid001", &lift), DR_KEY_CHANGED);
	assert_int_equal(
	    redis_do("HEXISTS " KEY("account") " kid001.period").number, 0);
	assert_int_equal(set("kid001", &off), DR_KEY_CHANGED);
	assert_string_equal(
	    redis_do("HGET " KEY("account") " kid001.status").text, "off");
	assert_int_equal(set("kid002", &off), DR_KEY_UNKNOWN);

	n_changed = 0;
	dr_owner_key_delete(store, ACCOUNT, "kid001", &call);
	TURN_UNTIL(n_changed > 0);
	assert_int_equal(changed, DR_KEY_CHANGED);
	assert_int_equal(set("kid001", &lift), DR_KEY_UNKNOWN); /* and stays so */
	assert_int_equal(redis_do("HEXISTS " KEY("account") " kid001.sha").number, 0);
}

/* ---- the account ---- */

static struct dr_account_me me;
static bool me_found;
static unsigned n_me;

static void
on_me(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)call;
	assert_int_equal(err, DR_OK);
	me_found = dr_owner_me_take(reply, &me);
	n_me++;
}

static void
an_account_is_summed_up(void **state)
{
	struct dr_store_call call = { .done = on_me };

	(void)state;
	open_account(1234);
	redis_do("HSET " KEY(
	    "account") " name x created 5 held 3 running 0 k1.status on "
		       "k1.spent:total 10 k1.spent:2026-11 4 k2.status deleted");
	redis_do("HSET " KEY("account") " k2.spent:total 20 k3.status off");
	redis_do("HSET " KEY("wallets") " 0xa 1 0xb 2");
	n_me = 0;
	dr_owner_me(store, ACCOUNT, &call);
	TURN_UNTIL(n_me > 0);
	assert_true(me_found);
	assert_int_equal(me.balance_nano, 1234);
	assert_int_equal(me.held_nano, 3);
	assert_int_equal(me.spent_nano, 30);
	assert_int_equal(me.keys, 2);
	assert_int_equal(me.wallets, 2);
	redis_do("DEL " KEY("account"));
	n_me = 0;
	call = (struct dr_store_call){ .done = on_me };
	dr_owner_me(store, ACCOUNT, &call);
	TURN_UNTIL(n_me > 0);
	assert_false(me_found);
	redis_do("FLUSHALL");
}

/* ---- days ---- */

/* Berlin, New York and Kathmandu with changes in the past and to come, and UTC. */
static void
a_day_is_the_same_here_and_in_redis(void **state)
{
	static const char *const zones[] = { "",
		"0 60 1774746000000 120 1792890000000 60 1806195600000 120 1824944400000 60",
		"0 -300 1772953200000 -240 1793512800000 -300 1804402800000 -240",
		"0 345", "0 -660 1795392000000 780" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(zones); i++) {
		struct dr_zone zone;
		struct dr_arg argv[] = { { "HSET", 4 }, { KEY("account"), 20 },
			{ "tz_offsets", 10 }, { zones[i], strlen(zones[i]) } };
		struct answer answer;

		open_account(0);
		add_key("kid001", "budget 5 period day");
		answer_init(&answer, false);
		argv[1].len = strlen(KEY("account"));
		dr_store_command(store, "", argv, DR_N_ELEMENTS(argv), &answer.call);
		dr_store_wait(store, &answer.call);
		dr_zone_read(&zone, zones[i]);
		for (int64_t offset = -400 * DAY; offset < 400 * DAY;
		     offset += 31 * 3600000 + 7 * 60000) {
			char day[DR_DAY_TEXT];
			int64_t from_ms, to_ms, n;

			memset(&listed, 0, sizeof listed);
			assert_int_equal(list("kid001", 1, NULL, 0, offset), 1);
			n = dr_zone_day(&zone, listed.now_ms);
			dr_day_format(n, day);
			assert_string_equal(day, listed.window);
			dr_zone_bounds(&zone, n, n, &from_ms, &to_ms);
			assert_in_range(listed.now_ms, from_ms, to_ms);
		}
	}
	redis_do("FLUSHALL");
}

static void
odd_offsets_end_the_list(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = { { "", 0 }, { "x", 0 }, { "0", 0 }, { "0 ", 0 }, { "0 60", 1 },
		{ "0 60 ", 1 }, { "0 60 x", 1 }, { "0 99999", 0 },
		{ "0 60 5 -60", 2 } };
	struct dr_zone zone;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		dr_zone_read(&zone, rows[i].text);
		assert_int_equal(zone.n, rows[i].n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_many_at_once_only_so_many_are_made),
		cmocka_unit_test(deleted_keys_do_not_pile_up),
		cmocka_unit_test(a_new_key_is_what_was_asked_for),
		cmocka_unit_test(without_an_account_there_is_no_key),
		cmocka_unit_test(pages_of_keys_have_one_order),
		cmocka_unit_test(a_change_is_made_as_a_whole_or_not),
		cmocka_unit_test(an_account_is_summed_up),
		cmocka_unit_test(a_day_is_the_same_here_and_in_redis),
		cmocka_unit_test(odd_offsets_end_the_list),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
