/*
 * settling: every charge lands, once, whatever happened to the hold and to Redis
 * meanwhile.
 */
#include "admission_fixture.h"

#include <json-c/json.h>

#include "base/json.h"
#include "gateway/ledger.h"

/* ---- reading what was written ---- */

struct row_answer {
	struct dr_store_call call;
	bool done, found;
	struct dr_ledger_row row;
	struct dr_activity_row activity;
	char text[2048];
};

static void
on_rows(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct row_answer *answer = DR_CONTAINER_OF(call, struct row_answer, call);
	struct dr_strbuf json;

	answer->done = true;
	assert_int_equal(err, DR_OK);
	dr_strbuf_init(&json, sizeof answer->text - 1);
	if (dr_ledger_row_read(dr_reply_at(reply, 0), &answer->row)) {
		answer->found = true;
		dr_ledger_row_json(&answer->row, &json);
	} else if (dr_activity_row_read(dr_reply_at(reply, 0), &answer->activity)) {
		answer->found = true;
		dr_activity_row_json(&answer->activity, &json);
	}
	assert_false(json.failed);
	snprintf(answer->text, sizeof answer->text, "%s", json.data);
	dr_strbuf_fini(&json);
}

/* The newest row of a stream as JSON; NULL: there is none. */
static struct json_object *
newest(const char *stream)
{
	static struct row_answer answer;
	struct dr_arg argv[] = { { "XREVRANGE", 9 }, { stream, strlen(stream) },
		{ "+", 1 }, { "-", 1 }, { "COUNT", 5 }, { "1", 1 } };
	struct json_object *root;
	char err[160];

	answer = (struct row_answer){ .call.done = on_rows };
	dr_store_command(store, "", argv, DR_N_ELEMENTS(argv), &answer.call);
	TURN_UNTIL(answer.done);
	if (!answer.found)
		return NULL;
	root = dr_json_parse(answer.text, strlen(answer.text), err, sizeof err);
	assert_non_null(root);
	return root;
}

static const char *
text_of(struct json_object *root, const char *name)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(root, name, &value));
	return value != NULL ? json_object_get_string(value) : "null";
}

static int64_t
number_of(struct json_object *root, const char *name)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(root, name, &value));
	return json_object_get_int64(value);
}

static char receipt_text[2048];

static void
on_receipt(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)call;
	assert_int_equal(err, DR_OK);
	snprintf(receipt_text, sizeof receipt_text, "%s", dr_reply_string(reply, NULL));
}

static struct json_object *
receipt_of(const char *id)
{
	char key[DR_SCHEMA_KEY_SIZE], err[160];
	struct dr_arg argv[] = { { "GET", 3 },
		{ key, dr_schema_key(key, ACCOUNT, "receipt", id) } };
	struct dr_store_call call = { .done = on_receipt };

	dr_store_command(store, "", argv, 2, &call);
	dr_store_wait(store, &call);
	if (receipt_text[0] == '\0')
		return NULL;
	return dr_json_parse(receipt_text, strlen(receipt_text), err, sizeof err);
}

static struct attempt attempt; /* of the test that runs */

static void
admit(int64_t estimate)
{
	struct dr_admit_query query = usual();

	query.estimate_nano = estimate;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
}

/* ---- what is written ---- */

static void
a_settlement_writes_ledger_receipt_and_request(void **state)
{
	struct dr_settlement settlement = costs(7596000);
	struct json_object *row, *usage, *receipt;

	(void)state;
	open_account(25000000000);
	add_key("x7y8z9", "");
	admit(61440000);
	settlement.usage = (struct dr_usage){ 1, 2, 3, 4, 5, 6, true, true };
	settlement.estimated = true;
	settlement.receipt = "{\"id\":\"req\",\"text\":\"a \\\"b\\\" %d %s\"}";
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);

	row = newest(KEY("ledger"));
	assert_string_equal(text_of(row, "type"), "charge");
	assert_string_equal(text_of(row, "request_id"), the_id);
	assert_string_equal(text_of(row, "key"), "x7y8z9");
	assert_int_equal(number_of(row, "amount_nano_usd"), -7596000);
	assert_string_equal(text_of(row, "amount_usd"), "-0.007596");
	assert_int_equal(number_of(row, "balance_nano_usd"), 24992404000);
	assert_string_equal(text_of(row, "provider"), "p1");
	assert_string_equal(text_of(row, "price_date"), "2026-10-01");
	assert_string_equal(text_of(row, "estimated"), "true");
	assert_string_equal(text_of(row, "late"), "false");
	assert_true(json_object_object_get_ex(row, "usage", &usage));
	assert_int_equal(number_of(usage, "input"), 1);
	assert_int_equal(number_of(usage, "web_searches"), 6);
	json_object_put(row);

	receipt = receipt_of(the_id);
	assert_string_equal(text_of(receipt, "text"), "a \"b\" %d %s");
	assert_int_equal(number_of(receipt, "refund_nano_usd"), 61440000 - 7596000);
	assert_int_equal(number_of(receipt, "balance_after_nano_usd"), 24992404000);
	json_object_put(receipt);
	assert_in_range(redis_do("PTTL " KEY("receipt:%s"), the_id).number, 1, 600000);

	row = newest(KEY("requests"));
	assert_string_equal(text_of(row, "request_id"), the_id);
	assert_int_equal(number_of(row, "status"), 200);
	assert_string_equal(text_of(row, "error"), "null");
	json_object_put(row);
	audit();
}

static void
what_cost_and_used_nothing_is_no_row_of_the_ledger(void **state)
{
	struct dr_settlement settlement = costs(0);
	struct json_object *row;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admit(100);
	settlement.status = 503;
	settlement.error = "OFFLINE";
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
	assert_null(newest(KEY("ledger")));
	row = newest(KEY("requests"));
	assert_int_equal(number_of(row, "status"), 503);
	assert_string_equal(text_of(row, "error"), "OFFLINE");
	json_object_put(row);
	admit(100);
	settlement.usage.cache_read = 1; /* free of charge, and used all the same */
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 1);
	audit();
}

static void
a_charge_above_the_balance_leaves_a_debt(void **state)
{
	struct dr_admit_query query;

	(void)state;
	open_account(100);
	add_key("x7y8z9", "");
	admit(100);
	settle(&attempt, 350);
	assert_int_equal(account_number("balance"), -250);
	query = usual();
	assert_int_equal(reserve(&attempt, &query), DR_ERR_BALANCE);
	drop(&attempt);
	audit();
}

static void
a_cut_receipt_still_marks_the_request_as_settled(void **state)
{
	static const char *const bad[] = { "", "{", "{}", "{\"id\":\"re", "[1]" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		struct dr_settlement settlement = costs(10);
		struct json_object *receipt;

		open_account(1000);
		add_key("x7y8z9", "");
		admit(100);
		settlement.receipt = bad[i];
		begin_settle(&attempt, &settlement);
		TURN_UNTIL(dr_admission_unsettled(admission) == 0);
		receipt = receipt_of(the_id);
		assert_int_equal(number_of(receipt, "balance_after_nano_usd"), 990);
		json_object_put(receipt);
		audit();
	}
}

/* The books stop at the edge of what doubles can hold; they do not lose digits. */
static void
a_debt_beyond_the_largest_amount_is_pinned(void **state)
{
	(void)state;
	open_account(100);
	redis_do(
	    "HDEL " KEY("account") " credited"); /* the ledger cannot add up here */
	add_key("x7y8z9", "");
	admit(100);
	redis_do("HSET " KEY("account") " balance -9007199254740000");
	settle(&attempt, 5000);
	assert_int_equal(account_number("balance"), -DR_MONEY_MAX);
	audit();
}

/* ---- once ---- */

/* Redis stands still beyond the deadline: the settlement is sent again, by way of the
 * spool, and both arrive. */
static void
a_settlement_sent_twice_is_booked_once(void **state)
{
	struct dr_store *own = store_up(redis.unix_at, 300);
	struct dr_admission *mine = admission_up(own), *shared = admission;
	struct dr_settlement settlement = costs(40);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admission = mine;
	admit(100);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(!dr_store_is_up(own));              /* the deadline is over */
	TURN_UNTIL(dr_admission_unsettled(mine) == 0); /* on disk */
	assert_true(dr_admission_spooled(mine) > 0);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	TURN_UNTIL(all_settled(mine));
	admission = shared;
	dr_admission_free(&mine);
	dr_store_free(&own);
	assert_int_equal(account_number("balance"), 960);
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 1);
	assert_int_equal(redis_do("XLEN " KEY("requests")).number, 1);
	audit();
}

/* One with no other test's settlements in mind: another Redis would be told them. */
static void
admission_anew(void)
{
	dr_admission_free(&admission);
	admission = admission_up(store);
}

/* What Redis has not acknowledged when the process ends is told by the next one. */
static void
a_settlement_outlives_its_process(void **state)
{
	struct dr_store *own = store_up(redis.unix_at, 200);
	struct dr_admission *mine = admission_up(own), *shared;
	struct dr_settlement settlement = costs(40);

	(void)state;
	admission_anew();
	shared = admission;
	open_account(1000);
	add_key("x7y8z9", "");
	admission = mine;
	admit(100);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	begin_settle(&attempt, &settlement);
	admission = shared;
	dr_admission_free(&mine); /* before the store: the call is still under way */
	dr_store_free(&own);
	redis_kill(&redis); /* it has not seen a thing */
	TURN_UNTIL(!dr_store_is_up(store));
	redis_start(&redis, false, "");
	TURN_UNTIL(dr_store_is_up(store));
	open_account(1000);
	mine = admission_up(store);
	TURN_UNTIL(account_number("balance") == 960);
	TURN_UNTIL(all_settled(mine));
	dr_admission_free(&mine);
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 1);
	audit();
}

/* Redis is restarted from what it had before: what it acknowledged since is gone, and
 * told again; what it still has is not booked twice. */
static void
another_redis_is_told_again(void **state)
{
	(void)state;
	admission_anew();
	open_account(1000);
	add_key("x7y8z9", "");
	for (int i = 0; i < 3; i++) {
		admit(100);
		settle(&attempt, 10);
	}
	redis_do("SAVE");
	for (int i = 0; i < 4; i++) {
		admit(100);
		settle(&attempt, 20);
	}
	admit(100); /* runs through it, and its hold is lost */
	assert_int_equal(account_number("balance"), 890);
	redis_kill(&redis);
	TURN_UNTIL(!dr_store_is_up(store));
	redis_start(&redis, false, "");
	TURN_UNTIL(dr_store_is_up(store));
	TURN_UNTIL(account_number("balance") == 890 && all_settled(admission));
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 7);
	settle(&attempt, 5);
	assert_int_equal(account_number("balance"), 885);
	audit();
}

/* Without a spool, as no responder is: what is lost is said, with its amount. */
static void
a_settlement_that_is_lost_is_logged(void **state)
{
	struct dr_store *own = store_up(redis.unix_at, 200);
	struct dr_admission *mine = dr_admission_new(loop, own), *shared = admission;
	struct dr_settlement settlement = costs(40);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admission = mine;
	admit(100);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	begin_settle(&attempt, &settlement);
	log_forget();
	admission = shared;
	dr_admission_free(&mine);
	dr_store_free(&own);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	assert_int_equal(logged("not booked, charge 40 nano-USD"), 1);
	redis_do("PING");
}

static void
a_settlement_lands_when_memory_is_full(void **state)
{
	struct dr_admit_query query;
	struct attempt second;

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admit(100);
	redis_do("CONFIG SET maxmemory 1");
	query = usual();
	assert_int_equal(reserve(&second, &query), DR_ERR_STORE_DOWN);
	drop(&second);
	settle(&attempt, 40);
	redis_do("CONFIG SET maxmemory 0");
	assert_int_equal(account_number("balance"), 960);
	audit();
}

/* ---- after a sweep ---- */

static void
a_late_settlement_books_the_difference_once(void **state)
{
	static const int64_t charges[] = { 0, 40, 100, 350 };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(charges); i++) {
		struct dr_admit_query query;
		struct attempt other;
		struct json_object *row;
		char id[DR_REQUEST_ID_SIZE];

		open_account(500);
		add_key("x7y8z9", "budget 500");
		admit(500);
		snprintf(id, sizeof id, "%s", the_id);
		checkpoint("x7y8z9", id, 100);
		query = usual();
		query.clock_offset_ms = 31000;
		query.sweep_after_ms = 0;
		assert_int_equal(
		    reserve(&other, &query), DR_OK); /* all was held by the dead one */
		assert_int_equal(other.ticket.admitted.hold_nano, 400);
		audit();
		drop(&other);
		assert_int_equal(account_number("balance"), 400);
		row = receipt_of(id);
		assert_int_equal(number_of(row, "abandoned_nano_usd"), 100);
		json_object_put(row);

		settle(&attempt, charges[i]);
		assert_int_equal(account_number("balance"), 500 - charges[i]);
		assert_int_equal(account_number("x7y8z9.spent:total"), charges[i]);
		audit();
		row = newest(KEY("ledger"));
		if (charges[i] != 0 || number_of(row, "amount_nano_usd") != -100) {
			assert_string_equal(text_of(row, "type"), "charge");
			assert_string_equal(text_of(row, "late"), "true");
			assert_int_equal(
			    number_of(row, "amount_nano_usd"), 100 - charges[i]);
		}
		json_object_put(row);
		row = receipt_of(id);
		assert_string_equal(text_of(row, "id"), "req"); /* the real one, now */
		json_object_put(row);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_settlement_writes_ledger_receipt_and_request),
		cmocka_unit_test(what_cost_and_used_nothing_is_no_row_of_the_ledger),
		cmocka_unit_test(a_charge_above_the_balance_leaves_a_debt),
		cmocka_unit_test(a_cut_receipt_still_marks_the_request_as_settled),
		cmocka_unit_test(a_debt_beyond_the_largest_amount_is_pinned),
		cmocka_unit_test(a_settlement_sent_twice_is_booked_once),
		cmocka_unit_test(a_settlement_outlives_its_process),
		cmocka_unit_test(another_redis_is_told_again),
		cmocka_unit_test(a_settlement_that_is_lost_is_logged),
		cmocka_unit_test(a_settlement_lands_when_memory_is_full),
		cmocka_unit_test(a_late_settlement_books_the_difference_once),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
