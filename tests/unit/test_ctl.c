/*
 * Rules of derouterctl, seen from outside: words in, text, JSON and exit status out,
 * and what stands in Redis afterwards.
 */
#include <json-c/json.h>

#include "ctl_fixture.h"
#include "gateway/api_key.h"

#define WALLET "0x00000000000000000000000000000000000abc01"

/* ---- how it is called ---- */

static void
what_is_wrong_with_a_call_is_status_2_and_names_the_argument(void **state)
{
	static const struct {
		const char *words, *said;
	} rows[] = {
		{ "account", "account" },
		{ "account fly", "account fly" },
		{ "fly", "fly" },
		{ "account add extra", "extra" },
		{ "account add --colour red", "--colour" },
		{ "account add --credit", "--credit" },
		{ "account add --credit 1 --credit 2", "--credit" },
		{ "account add --credit 1,5", "--credit" },
		{ "account add --credit 1e3", "--credit" },
		{ "account add --credit -1", "--credit" },
		{ "account add --credit 9007199.254740992", "--credit" },
		{ "account show", "ACCOUNT" },
		{ "account credit abcdefghij", "AMOUNT" },
		{ "account credit abcdefghij five", "AMOUNT" },
		{ "account credit abcdefghij -5", "account adjust" },
		{ "account adjust abcdefghij --5", "--5" },
		{ "account adjust abcdefghij 5", "--reason" },
		{ "account adjust abcdefghij 0 --reason x", "AMOUNT" },
		{ "account credit abcdefghij 0", "AMOUNT" },
		{ "account credit abcdefghij 0.000", "AMOUNT" },
		{ "account credit abcdefghij 1 --reason a\tb", "control characters" },
		{ "account adjust abcdefghij 1 --reason a\nb", "control characters" },
		{ "account add --name a\nb", "control characters" },
		{ "account add --name a\xff", "UTF-8" },
		{ "key add abcdefghij --name a\xff", "UTF-8" },
		{ "account set abcdefghij --tz ++5:30", "--tz" },
		{ "account set abcdefghij --tz +14:01", "--tz" },
		{ "account set abcdefghij --tz localtime", "--tz" },
		{ "account set abcdefghij --tz right/Europe/Berlin", "--tz" },
		{ "account set abcdefghij", "--tz" },
		{ "account set abcdefghij --tz Atlantis/Capital", "--tz" },
		{ "account set abcdefghij --tz ../../etc/passwd", "--tz" },
		{ "account set abcdefghij --tz +25:00", "--tz" },
		{ "account suspend", "ACCOUNT" },
		{ "account resume abcdefghij --reason x", "--reason" },
		{ "wallet", "wallet" },
		{ "wallet list", "ACCOUNT" },
		{ "wallet link abcdefghij", "ADDRESS" },
		{ "wallet link abcdefghij 0x12", "ADDRESS" },
		{ "wallet unlink abcdefghij vitalik.eth", "ADDRESS" },
		{ "session list", "ACCOUNT" },
		{ "session end abcdefghij", "SESSION" },
		{ "session end abcdefghij abc --all", "--all" },
		{ "model price gpt-4.1 --at noon", "--at" },
		{ "ledger abcdefghij --since yesterday", "--since" },
		{ "ledger trim abcdefghij --before 2026-01-01", "--export" },
		{ "ledger trim abcdefghij --export x", "--before" },
		{ "provider usage --since x", "--since" },
		{ "key add", "ACCOUNT" },
		{ "key add abcdefghij --rpm 0", "--rpm" },
		{ "key add abcdefghij --rpm x", "--rpm" },
		{ "key add abcdefghij --rpm 99999999999999999999", "--rpm" },
		{ "key add abcdefghij --concurrency 1.5", "--concurrency" },
		{ "key add abcdefghij --budget 0", "--budget" },
		{ "key add abcdefghij --budget-period day", "--budget-period" },
		{ "key add abcdefghij --budget 1 --budget-period week",
		    "--budget-period" },
		{ "key add abcdefghij --expires tomorrow", "--expires" },
		{ "key add abcdefghij --expires 2020-01-01", "--expires" },
		{ "key add abcdefghij --expires 2099-02-31T00:00:00Z", "--expires" },
		{ "key add abcdefghij --expires 2099-01-01T25:00:00Z", "--expires" },
		{ "key add abcdefghij --models nothing", "--models" },
		{ "key add abcdefghij --models gpt-4.1,", "comma" },
		{ "key set abcdef", "nothing to change" },
		{ "key set abcdef --rpm 0", "--rpm" },
		{ "key set abcdef --colour red", "--colour" },
		{ "key set abcdef --budget 1 --no-budget", "--no-budget" },
		{ "key set abcdef --budget-period week", "--budget-period" },
		{ "key rotate abcdef --grace soon", "--grace" },
		{ "key rotate abcdef --grace 31d", "--grace" },
		{ "key show xyz", "KEY" },
		{ "trace nonsense", "REQUEST-ID" },
		{ "usage", "ACCOUNT" },
		{ "provider add p1", "--dialect" },
		{ "provider enable", "NAME" },
		{ "provider credential p1", "--credential-file" },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		int status = ctl("%s", rows[i].words);

		if (status != 2 || strstr(err, rows[i].said) == NULL)
			fail_msg("%s: status %d: %s", rows[i].words, status, err);
		assert_string_equal(out, "");
	}
}

static void
what_does_not_exist_is_status_1(void **state)
{
	static const char *const rows[] = { "account show zzzzzzzzzz",
		"account credit zzzzzzzzzz 1", "account adjust zzzzzzzzzz 1 --reason x",
		"account set zzzzzzzzzz --tz UTC", "account suspend zzzzzzzzzz",
		"account resume zzzzzzzzzz", "wallet list zzzzzzzzzz",
		"wallet link zzzzzzzzzz " WALLET, "wallet unlink zzzzzzzzzz " WALLET,
		"session list zzzzzzzzzz", "session end zzzzzzzzzz --all",
		"ledger verify zzzzzzzzzz",
		"ledger trim zzzzzzzzzz --before 2026-01-01 --export /tmp/x",
		"model price no-such-model", "model price gpt-4.1 --at 1999-01-01",
		"key add zzzzzzzzzz", "key list zzzzzzzzzz", "key show zzzzzz",
		"key disable zzzzzz", "key set zzzzzz --rpm 1", "key rotate zzzzzz",
		"key set zzzzzzzzzz-zzzzzz --rpm 1", "key rotate zzzzzzzzzz-zzzzzz",
		"key delete zzzzzzzzzz-zzzzzz", "ledger zzzzzzzzzz", "usage zzzzzzzzzz",
		"provider show nobody", "provider enable nobody",
		"provider remove nobody", "trace req_aaaaaaaaaaaaaaaaaaaazzzzzzzzzz" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		CTL_STATUS(1, "%s", rows[i]);
		assert_string_equal(out, "");
		assert_true(err[0] != '\0');
	}
}

static void
help_is_on_standard_output_and_no_words_at_all_are_an_error(void **state)
{
	(void)state;
	CTL_STATUS(0, "--help");
	CTL_SAID("account credit ACCOUNT AMOUNT", out);
	CTL_SAID("key add ACCOUNT", out);
	CTL_SAID("trace REQUEST-ID", out);
	CTL_STATUS(2, "%s", "");
	assert_string_equal(out, "");
}

static void
a_bad_configuration_or_no_redis_is_status_1(void **state)
{
	char *const missing[] = { "derouterctl", "-c", "/nonexistent/x.conf", "account",
		"list", NULL };

	(void)state;
	assert_int_equal(run_argv((char **)missing, ""), 1);
	CTL_SAID("/nonexistent/x.conf", err);
	setenv("DEROUTER_REDIS_ADDRESS", "unix:/nonexistent/redis.sock", 1);
	CTL_STATUS(1, "account list");
	CTL_SAID("/nonexistent/redis.sock", err);
	unsetenv("DEROUTER_REDIS_ADDRESS");
}

/* ---- accounts ---- */

static void
an_account_begins_with_its_credit_and_a_ledger_row(void **state)
{
	const char *id;

	(void)state;
	CTL_STATUS(0, "account add --name Ada~Lovelace --credit 25.00 --json");
	id = strdup(json_at("account"));
	CTL_STATUS(0, "--json account show %s", id);
	assert_string_equal(json_at("account"), id);
	assert_string_equal(json_at("name"), "Ada Lovelace");
	assert_string_equal(json_at("status"), "on");
	assert_string_equal(json_at("balance_nano_usd"), "25000000000");
	CTL_STATUS(0, "--json ledger %s", id);
	assert_string_equal(json_at("0.type"), "credit");
	assert_string_equal(json_at("0.nano_usd"), "25000000000");
	assert_string_equal(json_at("0.balance_nano_usd"), "25000000000");
	CTL_STATUS(0, "account list");
	CTL_SAID(id, out);
	CTL_SAID("Ada Lovelace", out);
	free((char *)(uintptr_t)id);
}

static void
credit_adds_takes_and_says_the_balance(void **state)
{
	const char *id = new_account("1");

	(void)state;
	CTL_STATUS(0, "account credit %s 0.50", id);
	CTL_SAID("1.5", out);
	CTL_STATUS(0, "account adjust %s -2 --reason a~refund", id);
	CTL_SAID("-0.5", out);
	CTL_STATUS(0, "--json ledger %s", id);
	assert_string_equal(json_at("2.type"), "adjustment");
	assert_string_equal(json_at("2.reason"), "a refund");
	assert_string_equal(json_at("2.balance_nano_usd"), "-500000000");
}

/* A replica that hears, and one that never will (it is stopped). */
static void
credit_is_confirmed_by_a_replica_where_there_is_one(void **state)
{
	const char *id = new_account("1");
	struct redis replica;
	char options[128];
	bool online = false;

	(void)state;
	redis_dir(&replica);
	snprintf(options, sizeof options, "--replicaof 127.0.0.1 %s",
	    strrchr(redis.tcp_at, ':') + 1);
	redis_start(&replica, false, options);
	for (int i = 0; i < 200 && !online; i++)
		online = ask(store, "WAIT 1 200").number == 1;
	assert_true(online);
	CTL_STATUS(0, "account credit %s 1", id);
	assert_string_equal(err, "");
	kill(replica.pid, SIGSTOP);
	CTL_STATUS(0, "account credit %s 1", id);
	CTL_SAID("3", out);
	CTL_SAID("no replica", err);
	kill(replica.pid, SIGCONT);
	redis_remove(&replica);
}

static void
a_balance_never_leaves_what_redis_counts_exactly(void **state)
{
	const char *id = new_account("9007199");

	(void)state;
	CTL_STATUS(1, "account credit %s 1", id);
	CTL_SAID("AMOUNT", err);
	CTL_STATUS(0, "--json account show %s", id);
	assert_string_equal(json_at("balance_nano_usd"), "9007199000000000");
	CTL_STATUS(0, "--json ledger %s", id);
	assert_string_equal(json_at("1.type"), "");
}

/* ---- keys ---- */

static void
a_key_is_shown_once_and_only_its_digest_is_kept(void **state)
{
	const char *id = new_account("1");
	struct dr_api_key key;
	char text[256], line[256];
	struct answer answer;

	(void)state;
	CTL_STATUS(0, "key add %s --name laptop", id);
	take_line(text, sizeof text);
	assert_true(dr_api_key_parse("sk-ant-dr-", text, &key));
	assert_string_equal(key.account, id);
	snprintf(line, sizeof line, "HGET {a:%s}:account %s.sha", id, key.key_id);
	answer = ask(store, line);
	assert_memory_equal(answer.text, key.sha, 63);
	CTL_STATUS(0, "key list %s", id);
	assert_null(strstr(out, text + strlen(text) - DR_SECRET_LEN));
	assert_null(strstr(out, key.sha));
}

static void
limits_of_a_key_are_kept_and_defaults_are_shown(void **state)
{
	const char *id = new_account("1");

	(void)state;
	CTL_STATUS(0,
	    "key add %s --rpm 7 --concurrency 2 --budget 10.00 --budget-period day "
	    "--models claude-opus-4-8,gpt-5.5",
	    id);
	CTL_STATUS(0, "--json key list %s", id);
	assert_string_equal(json_at("0.rpm"), "7");
	assert_string_equal(json_at("0.concurrency"), "2");
	assert_string_equal(json_at("0.budget_usd"), "10");
	assert_string_equal(json_at("0.budget_period"), "day");
	assert_string_equal(json_at("0.models"), "claude-opus-4-8,gpt-5.5");
	CTL_STATUS(2, "key add %s --models no-such-model", id);
	CTL_SAID("--models", err);
	id = new_account("1");
	CTL_STATUS(0, "key add %s", id);
	CTL_STATUS(0, "--json key list %s", id);
	assert_string_equal(json_at("0.rpm"), "60");
	assert_string_equal(json_at("0.concurrency"), "5");
	assert_string_equal(json_at("0.budget_usd"), "");
}

static void
a_disabled_key_comes_back_and_a_deleted_one_does_not(void **state)
{
	const char *id = new_account("1");
	char text[256], line[256];
	struct dr_api_key key;

	(void)state;
	CTL_STATUS(0, "key add %s", id);
	take_line(text, sizeof text);
	assert_true(dr_api_key_parse("sk-ant-dr-", text, &key));
	/* each of the three ways to name it */
	CTL_STATUS(0, "key disable %s", key.key_id);
	CTL_STATUS(0, "--json key show %s-%s", id, key.key_id);
	assert_string_equal(json_at("status"), "off");
	CTL_STATUS(0, "key enable %s", text);
	CTL_STATUS(0, "--json key show %s", key.key_id);
	assert_string_equal(json_at("status"), "on");
	CTL_STATUS(0, "key delete %s", key.key_id);
	CTL_STATUS(1, "key enable %s", key.key_id);
	CTL_SAID("deleted", err);
	CTL_STATUS(0, "key delete %s", key.key_id); /* once more is fine */
	CTL_STATUS(0, "--json key show %s", key.key_id);
	assert_string_equal(json_at("status"), "deleted");
	snprintf(line, sizeof line, "HEXISTS {a:%s}:account %s.sha", id, key.key_id);
	assert_int_equal(ask(store, line).number, 0);
}

/* ---- models, traces, ledger, usage ---- */

static void
models_are_listed_with_todays_prices_without_redis(void **state)
{
	(void)state;
	setenv("DEROUTER_REDIS_ADDRESS", "unix:/nonexistent/redis.sock", 1);
	CTL_STATUS(0, "model list");
	CTL_SAID("claude-opus-4-8", out);
	CTL_STATUS(0, "--json model list");
	assert_string_not_equal(json_at("0.name"), "");
	assert_string_not_equal(json_at("0.input_usd"), "");
	unsetenv("DEROUTER_REDIS_ADDRESS");
}

static const char *
hset(const char *account, const char *fields)
{
	static char line[512];

	snprintf(line, sizeof line, "HSET {a:%s}:account %s", account, fields);
	return line;
}

/* Rows as settle.lua writes them. */
static void
add_row(const char *account, const char *rest)
{
	char line[512];

	snprintf(line, sizeof line, "XADD {a:%s}:ledger * %s", account, rest);
	/* 16 words are the fixture's most: rows are cut to what usage reads */
	assert_true(ask(store, line).len > 0);
}

static void
usage_adds_up_what_was_charged_by_account_and_by_key(void **state)
{
	const char *id = new_account("5");

	(void)state;
	(void)ask(store, hset(id, "kaaaaa.status on kbbbbb.status deleted"));
	add_row(id, "type charge key kaaaaa nano -100 in 10 cw5 1");
	add_row(id, "type charge key kaaaaa nano -200 out 20 cr 5");
	add_row(id, "type charge key kbbbbb nano -400 in 7 cw1 2");
	add_row(id, "type abandoned key kaaaaa nano -30");
	add_row(id, "type charge key kaaaaa nano -3 flags late");
	add_row(id, "type credit nano 999");
	CTL_STATUS(0, "--json usage %s", id);
	assert_string_equal(json_at("requests"), "4");
	assert_string_equal(json_at("input_tokens"), "17");
	assert_string_equal(json_at("output_tokens"), "20");
	assert_string_equal(json_at("cache_creation_input_tokens"), "3");
	assert_string_equal(json_at("cache_read_input_tokens"), "5");
	assert_string_equal(json_at("cost_nano_usd"), "733");
	CTL_STATUS(0, "--json usage %s --key kbbbbb", id);
	assert_string_equal(json_at("requests"), "1");
	assert_string_equal(json_at("cost_nano_usd"), "400");
	CTL_STATUS(0, "usage %s", id);
	CTL_SAID("0.000000733", out);
	/* a slip of the pen is no key without use */
	CTL_STATUS(1, "usage %s --key kccccc", id);
	CTL_SAID("\"kccccc\" is no key of", err);
	CTL_STATUS(1, "usage %s --key zzzzzzzzzz-kaaaaa", id);
	CTL_STATUS(2, "usage %s --key kbbbbbandmore", id);
	CTL_STATUS(0, "--json usage %s --key %s-kbbbbb", id, id);
	assert_string_equal(json_at("requests"), "1");
}

static void
a_ledger_of_several_pages_is_read_to_its_end(void **state)
{
	const char *id = new_account("5");
	char line[512];
	unsigned rows = 0;

	(void)state;
	snprintf(line, sizeof line, "{a:%s}:ledger", id);
	{
		const struct dr_arg words[] = { { line, strlen(line) } };
		static struct dr_script fill = SCRIPT("fill",
		    "for i = 1, 2500 do redis.call('XADD', KEYS[1], '*', 'type', 'charge', 'key', "
		    "'k', 'nano', '-1', 'balance', '0') end return 1");
		struct answer answer;

		answer_init(&answer, false);
		dr_store_eval(store, "", &fill, 1, words, 1, &answer.call);
		dr_store_wait(store, &answer.call);
		assert_int_equal(answer.err, DR_OK);
	}
	CTL_STATUS(0, "--json usage %s", id);
	assert_string_equal(json_at("requests"), "2500");
	CTL_STATUS(0, "ledger %s", id);
	for (const char *p = out; *p != '\0'; p++)
		rows += *p == '\n';
	assert_int_equal(rows, 2500 + 1 + 1); /* the credit, the header */
}

static void
a_trace_finds_receipts_and_refused_requests(void **state)
{
	const char *id = new_account("5");
	char line[512], request[64];

	(void)state;
	snprintf(request, sizeof request, "req_aaaaaaaaaaaaaaaaaaaa%s", id);
	snprintf(line, sizeof line,
	    "SET {a:%s}:receipt:%s {\"id\":\"%s\",\"status\":200,\"usage\":{\"input\":812},"
	    "\"attempts\":[{\"ms\":7},{\"ms\":8}],\"charge_nano_usd\":7596000}",
	    id, request, request);
	(void)ask(store, line);
	CTL_STATUS(0, "--json trace %s", request);
	assert_string_equal(json_at("id"), request);
	assert_string_equal(json_at("status"), "200");
	CTL_STATUS(0, "trace %s", request);
	CTL_SAID("\ninput              812\n", out);
	CTL_SAID("\nattempts           {", out);
	CTL_SAID("7596000  ($0.007596)\n", out);
	snprintf(request, sizeof request, "req_bbbbbbbbbbbbbbbbbbbb%s", id);
	/* a model's name comes from a caller: it may hold anything */
	snprintf(line, sizeof line,
	    "XADD {a:%s}:requests * req %s key kaaaaa model \"\\\x1b[2J error RPM", id,
	    request);
	(void)ask(store, line);
	CTL_STATUS(0, "--json trace %s", request);
	assert_string_equal(json_at("error"), "RPM");
	assert_string_equal(json_at("model"), "\"\\\x1b[2J");
	CTL_STATUS(0, "trace %s", request);
	CTL_SAID("RPM", out);
	assert_null(strchr(out, '\x1b'));
}

static void
names_cannot_drive_a_terminal_or_break_json(void **state)
{
	char *const argv[] = { "derouterctl", "-c",
		(char *)(uintptr_t)in_dir("derouter.conf"), "account", "add", "--name",
		"\x1b[2Jx\"\\\n", NULL };
	char id[64];

	(void)state;
	if (run_argv((char **)argv, "") != 0)
		return; /* refusing such a name is as good */
	take_line(id, sizeof id);
	CTL_STATUS(0, "account show %s", id);
	assert_null(strchr(out, '\x1b'));
	CTL_STATUS(0, "--json account show %s", id);
	assert_string_equal(json_at("name"), "\x1b[2Jx\"\\\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_wrong_with_a_call_is_status_2_and_names_the_argument),
		cmocka_unit_test(what_does_not_exist_is_status_1),
		cmocka_unit_test(
		    help_is_on_standard_output_and_no_words_at_all_are_an_error),
		cmocka_unit_test(a_bad_configuration_or_no_redis_is_status_1),
		cmocka_unit_test(an_account_begins_with_its_credit_and_a_ledger_row),
		cmocka_unit_test(credit_adds_takes_and_says_the_balance),
		cmocka_unit_test(credit_is_confirmed_by_a_replica_where_there_is_one),
		cmocka_unit_test(a_balance_never_leaves_what_redis_counts_exactly),
		cmocka_unit_test(a_key_is_shown_once_and_only_its_digest_is_kept),
		cmocka_unit_test(limits_of_a_key_are_kept_and_defaults_are_shown),
		cmocka_unit_test(a_disabled_key_comes_back_and_a_deleted_one_does_not),
		cmocka_unit_test(models_are_listed_with_todays_prices_without_redis),
		cmocka_unit_test(usage_adds_up_what_was_charged_by_account_and_by_key),
		cmocka_unit_test(a_ledger_of_several_pages_is_read_to_its_end),
		cmocka_unit_test(a_trace_finds_receipts_and_refused_requests),
		cmocka_unit_test(names_cannot_drive_a_terminal_or_break_json),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
