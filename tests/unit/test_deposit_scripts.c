/*
 * The scripts that follow deposits, called in orders in which a watcher calls them only
 * when it is late, was killed, or has company: money moves once, and what was looked at
 * decides nothing about what it has become meanwhile.
 */
#include "admission_fixture.h"

#define DEP(x)  "{dep:1}:" x
#define TX      "0x00000000000000000000000000000000000000000000000000000000000000f1"
#define ID      TX ":0"
#define SENDER  "0x00000000000000000000000000000000000000aa"
#define OTHER   "k3f9a0b1c3"
#define HUNDRED "100000000000"

/* What a script replied: a text, or up to two numbers. */
struct said {
	struct dr_store_call call;
	unsigned n_done;
	char text[32];
	int64_t first, second;
};

static void
on_said(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct said *said = DR_CONTAINER_OF(call, struct said, call);
	bool list = dr_reply_type(reply) == DR_REPLY_ARRAY;

	assert_int_equal(err, DR_OK);
	said->n_done++;
	snprintf(said->text, sizeof said->text, "%s", dr_reply_string(reply, NULL));
	said->first = dr_reply_int(list ? dr_reply_at(reply, 0) : reply, -1);
	said->second = list ? dr_reply_int(dr_reply_at(reply, 1), -1) : -1;
}

static struct said
eval(struct dr_script *script, const char *tag, size_t n_keys, const char *const *words,
    size_t n)
{
	struct said said = { .call = { .done = on_said } };
	struct dr_arg args[24];

	assert_in_range(n, n_keys, DR_N_ELEMENTS(args));
	for (size_t i = 0; i < n; i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	dr_store_eval(store, tag, script, n_keys, args, n, &said.call);
	dr_store_wait(store, &said.call);
	assert_int_equal(said.n_done, 1);
	return said;
}

#define EVAL(script, tag, n_keys, ...)                                                 \
	eval(&dr_script_##script, tag, n_keys, (const char *const[]){ __VA_ARGS__ },   \
	    DR_N_ELEMENTS(((const char *const[]){ __VA_ARGS__ })))

/* ---- money ---- */

static struct said
credit(const char *generation)
{
	return EVAL(deposit_credit, KEY(""), 3, KEY("account"), KEY("ledger"),
	    KEY("deposits"), "1:" ID, generation, HUNDRED, "deposit");
}

static struct said
reverse(const char *generation)
{
	return EVAL(deposit_reverse, KEY(""), 3, KEY("account"), KEY("ledger"),
	    KEY("deposits"), "1:" ID, generation, "gone");
}

static void
assert_moved(struct said said, bool moved, const char *balance)
{
	assert_int_equal(said.second, moved);
	assert_int_equal(said.first, strtoll(balance, NULL, 10));
	assert_int_equal(account_number("balance"), said.first);
	audit();
}

static void
a_deposit_is_credited_once_however_often_it_is_asked(void **state)
{
	(void)state;
	open_account(0);
	assert_moved(credit("1"), true, HUNDRED);
	for (int i = 0; i < 5; i++)
		assert_moved(credit("1"), false, HUNDRED);
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 1);
}

static void
what_was_taken_back_comes_again_as_another_generation_only(void **state)
{
	(void)state;
	open_account(0);
	assert_moved(credit("1"), true, HUNDRED);
	assert_moved(reverse("1"), true, "0");
	assert_moved(reverse("1"), false, "0");
	assert_moved(credit("1"), false, "0"); /* somebody who is late */
	assert_moved(credit("2"), true, HUNDRED);
	assert_moved(reverse("1"), false, HUNDRED); /* and this one */
	assert_moved(credit("1"), false, HUNDRED);
	assert_moved(reverse("2"), true, "0");
	assert_int_equal(redis_do("XLEN " KEY("ledger")).number, 4);
}

static void
a_reversal_that_overtakes_its_credit_bars_it(void **state)
{
	(void)state;
	open_account(0);
	assert_moved(reverse("1"), false, "0");
	assert_moved(credit("1"), false, "0");
	assert_moved(credit("2"), true, HUNDRED);
}

static void
money_that_was_spent_is_taken_back_below_zero(void **state)
{
	(void)state;
	open_account(0);
	assert_moved(credit("1"), true, HUNDRED);
	redis_do("HINCRBY " KEY("account") " balance -60000000000");
	redis_do("HINCRBY " KEY("account") " credited -60000000000"); /* the audit's */
	assert_int_equal(reverse("1").second, 1);
	assert_int_equal(account_number("balance"), INT64_C(-60000000000));
}

static void
no_account_and_no_room_change_nothing(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(credit("1").text, "NONE");
	assert_string_equal(reverse("1").text, "NONE");
	assert_int_equal(redis_do("DBSIZE").number, 0);
	open_account(INT64_C(9007199254740000));
	assert_string_equal(credit("1").text, "RANGE");
	assert_int_equal(redis_do("EXISTS " KEY("deposits")).number, 0);
}

/* ---- deposits ---- */

static struct said
see(const char *account, const char *block_hash)
{
	return EVAL(deposit_seen, DEP(""), 5, DEP("tx:") ID, DEP("open"), DEP("all"),
	    DEP("senders"), DEP("unclaimed:") SENDER, ID, SENDER, "100000000", HUNDRED,
	    "5", block_hash, "7", account, "");
}

static struct said
mark(const char *status, const char *generation, const char *what)
{
	return EVAL(deposit_mark, DEP(""), 4, DEP("tx:") ID, DEP("open"),
	    DEP("senders"), DEP("unclaimed:") SENDER, ID, SENDER, status, generation,
	    what, "0");
}

static struct said
claim(const char *account)
{
	return EVAL(deposit_claim, DEP(""), 4, DEP("tx:") ID, DEP("open"),
	    DEP("senders"), DEP("unclaimed:") SENDER, ID, SENDER, account, "operator",
	    "asked by mail");
}

static void
assert_field(const char *field, const char *value)
{
	assert_string_equal(redis_do("HGET " DEP("tx:") ID " %s", field).text, value);
}

static void
a_deposit_that_is_seen_again_stays_what_it_is(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(see(ACCOUNT, "0xa").text, "pending");
	assert_int_equal(mark("pending", "1", "credited").first, 0);
	assert_string_equal(see(ACCOUNT, "0xb").text, "credited");
	assert_field("generation", "1");
	assert_field("block_hash", "0xb");
	assert_string_equal(see(OTHER, "0xb").text, "credited");
	assert_field("account", ACCOUNT);
}

static void
one_that_was_given_up_lives_again_as_the_next_generation(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(see(ACCOUNT, "0xa").text, "pending");
	(void)mark("pending", "1", "orphaned");
	assert_field("status", "orphaned");
	assert_int_equal(redis_do("ZCARD " DEP("open")).number, 0);
	assert_string_equal(see(ACCOUNT, "0xb").text, "pending");
	assert_field("generation", "2");
	assert_int_equal(redis_do("ZCARD " DEP("open")).number, 1);
}

/* A mark says what was looked at; if it is something else by now, nothing happens. */
static void
marks_of_what_it_no_longer_is_change_nothing(void **state)
{
	static const struct {
		const char *status, *generation, *what;
	} late[] = { { "unclaimed", "2", "orphaned" }, { "pending", "1", "orphaned" },
		{ "pending", "1", "credited" }, { "credited", "2", "reversed" },
		{ "credited", "1", "reversed" }, { "pending", "3", "credited" },
		{ "pending", "1", "missing" } };

	(void)state;
	redis_do("FLUSHALL");
	(void)see(ACCOUNT, "0xa");
	(void)mark("pending", "1", "orphaned");
	(void)see(ACCOUNT, "0xa"); /* pending, the second generation */
	for (size_t i = 0; i < DR_N_ELEMENTS(late); i++) {
		struct said said =
		    mark(late[i].status, late[i].generation, late[i].what);

		assert_int_equal(said.first, 0);
		assert_int_equal(said.second, -1); /* a number, not a pair */
		assert_field("status", "pending");
		assert_field("generation", "2");
		assert_int_equal(
		    redis_do("HEXISTS " DEP("tx:") ID " missing").number, 0);
		assert_int_equal(redis_do("ZCARD " DEP("open")).number, 1);
	}
	(void)mark("pending", "2", "credited");
	assert_field("status", "credited");
}

static void
of_two_claims_the_first_wins(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(claim(ACCOUNT).text, "NONE");
	assert_string_equal(see("", "0xa").text, "unclaimed");
	assert_string_equal(claim(ACCOUNT).text, "OK");
	assert_string_equal(claim(OTHER).text, "pending");
	assert_field("account", ACCOUNT);
	(void)mark("pending", "1", "credited");
	assert_string_equal(claim(OTHER).text, "credited");
	assert_field("account", ACCOUNT);
}

/* ---- the cursor ---- */

static int64_t
advance(const char *old, const char *next)
{
	return EVAL(deposit_advance, DEP(""), 2, DEP("state"), DEP("checkpoints"),
	    "next", old, next, "", "", "")
	    .first;
}

static void
the_cursor_moves_only_from_where_it_was_read(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_int_equal(advance("", "10"), 1);
	assert_int_equal(advance("", "20"), 0);
	assert_int_equal(advance("9", "20"), 0);
	assert_int_equal(redis_do("HGET " DEP("state") " next").number, 10);
	assert_int_equal(advance("10", "11"), 1);
	assert_int_equal(redis_do("HGET " DEP("state") " next").number, 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deposit_is_credited_once_however_often_it_is_asked),
		cmocka_unit_test(
		    what_was_taken_back_comes_again_as_another_generation_only),
		cmocka_unit_test(a_reversal_that_overtakes_its_credit_bars_it),
		cmocka_unit_test(money_that_was_spent_is_taken_back_below_zero),
		cmocka_unit_test(no_account_and_no_room_change_nothing),
		cmocka_unit_test(a_deposit_that_is_seen_again_stays_what_it_is),
		cmocka_unit_test(
		    one_that_was_given_up_lives_again_as_the_next_generation),
		cmocka_unit_test(marks_of_what_it_no_longer_is_change_nothing),
		cmocka_unit_test(of_two_claims_the_first_wins),
		cmocka_unit_test(the_cursor_moves_only_from_where_it_was_read),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
