/*
 * derouterctl account suspend | resume, wallet, session, deposit show: what they leave
 * in Redis, and what they refuse.
 */
#include "ctl_fixture.h"

#define WALLET  "0x00000000000000000000000000000000000abc01"
#define WALLET2 "0x00000000000000000000000000000000000abc02"
#define TX      "0x00000000000000000000000000000000000000000000000000000000000000ff"
#define CHAINS                                                                         \
	"{\"chains\":[{\"id\":31337,\"name\":\"T\",\"rpc\":[\"http://127.0.0.1:1\"],"  \
	"\"usdc\":\"" WALLET2 "\",\"treasury\":\"" WALLET                              \
	"\",\"confirmations\":2,\"start_block\":0,\"min_deposit\":\"0.1\"}]}"

static struct answer
redis_do(const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	return ask(store, line);
}

static int
wallet_setup(void **state)
{
	char conf[1024];
	FILE *file;
	int rc = ctl_setup(state);

	write_file("chains.json", CHAINS, 0600);
	snprintf(conf, sizeof conf, "%s", in_dir("derouter.conf"));
	file = fopen(conf, "a");
	assert_non_null(file);
	fprintf(file, "chains_file = chains.json\n");
	fclose(file);
	return rc;
}

static int
wallet_teardown(void **state)
{
	unlink(in_dir("chains.json"));
	return ctl_teardown(state);
}

static void
a_suspended_account_says_why_until_it_is_resumed(void **state)
{
	const char *id = new_account("1");

	(void)state;
	CTL_STATUS(0, "account suspend %s --reason chargeback~42", id);
	CTL_SAID("suspended", out);
	CTL_STATUS(0, "--json account show %s", id);
	assert_string_equal(json_at("status"), "suspended");
	assert_string_equal(json_at("suspend_reason"), "chargeback 42");
	assert_true(redis_do("HGET {a:%s}:account suspended", id).number > 0);
	CTL_STATUS(0, "account list");
	CTL_SAID("suspended", out);
	CTL_STATUS(0, "--json account resume %s", id);
	assert_string_equal(json_at("status"), "on");
	CTL_STATUS(0, "--json account show %s", id);
	assert_string_equal(json_at("status"), "on");
	assert_string_equal(json_at("suspend_reason"), "");
}

static void
a_wallet_is_linked_to_one_account_and_once(void **state)
{
	char first[64];
	const char *second;

	(void)state;
	snprintf(first, sizeof first, "%s", new_account("0"));
	second = new_account("0");
	CTL_STATUS(
	    0, "wallet link %s 0x00000000000000000000000000000000000ABC01", first);
	CTL_STATUS(0, "wallet link %s " WALLET, first); /* again: as it was */
	CTL_STATUS(1, "wallet link %s " WALLET, second);
	CTL_SAID("ADDRESS", err);
	CTL_SAID(first, err);
	CTL_STATUS(0, "--json wallet list %s", first);
	assert_int_equal(strcasecmp(json_at("0.address"), WALLET), 0);
	assert_string_equal(json_at("1.address"), "");
	CTL_STATUS(0, "--json wallet list %s", second);
	assert_string_equal(json_at("0.address"), "");
	CTL_STATUS(1, "wallet unlink %s " WALLET, second);
	CTL_SAID("ADDRESS", err);
	CTL_STATUS(0, "wallet unlink %s " WALLET, first);
	CTL_STATUS(1, "wallet unlink %s " WALLET, first);
	CTL_STATUS(0, "wallet link %s " WALLET, second);
	CTL_STATUS(0, "wallet unlink %s " WALLET, second);
}

#ifdef DR_WITH_WALLET
static void
an_address_that_is_misspelt_is_refused(void **state)
{
	const char *id = new_account("0");

	(void)state;
	CTL_STATUS(2, "wallet link %s 0x036CbD53842c5426634e7929541ec2318f3dCF7e", id);
	CTL_SAID("ADDRESS", err);
	CTL_STATUS(0, "wallet link %s 0x036CbD53842c5426634e7929541eC2318f3dCF7e", id);
	CTL_STATUS(0, "--json wallet list %s", id);
	assert_string_equal(
	    json_at("0.address"), "0x036CbD53842c5426634e7929541eC2318f3dCF7e");
	CTL_STATUS(
	    0, "wallet unlink %s 0x036CBD53842C5426634E7929541EC2318F3DCF7E", id);
}
#endif

static void
what_came_from_a_wallet_before_is_told_and_the_watcher_is_called(void **state)
{
	const char *id = new_account("0");

	(void)state;
	redis_do("SADD {dep:31337}:unclaimed:" WALLET " a:0 b:0");
	CTL_STATUS(0, "--json wallet link %s " WALLET, id);
	assert_string_equal(json_at("unclaimed"), "2");
	assert_true(redis_do("HGET {dep:31337}:state notify").number > 0);
	redis_do("DEL {dep:31337}:unclaimed:" WALLET);
	CTL_STATUS(0, "wallet unlink %s " WALLET, id);
}

/* As the login leaves it. */
static void
log_in(const char *account, const char *id, const char *sha, const char *wallet,
    int64_t expires_ms)
{
	redis_do(
	    "HSET session:{%s} account %s wallet %s id %s", sha, account, wallet, id);
	redis_do(
	    "EVAL redis.call('HSET',KEYS[1],ARGV[1],ARGV[2]..'\\32'..ARGV[3]..'\\32'"
	    "..'1000'..'\\32'..ARGV[4]) 1 {a:%s}:sessions %s %s %s %lld",
	    account, id, sha, wallet, (long long)expires_ms);
}

static void
sessions_are_listed_and_ended(void **state)
{
	const char *id = new_account("0");

	(void)state;
	log_in(id, "aaa", "11", WALLET, INT64_C(4000000000000));
	log_in(id, "bbb", "22", WALLET2, INT64_C(4000000000000));
	log_in(id, "ccc", "33", WALLET2, INT64_C(4000000000000));
	log_in(id, "ddd", "44", WALLET2, 2000); /* long over */
	CTL_STATUS(0, "session list %s", id);
	CTL_SAID("aaa", out);
	CTL_SAID("ccc", out);
	CTL_SAID("2096-10-02T07:06:40Z", out);
	assert_null(strstr(out, "ddd"));
	CTL_STATUS(1, "session end %s zzz", id);
	CTL_SAID("SESSION", err);
	CTL_STATUS(0, "session end %s bbb", id);
	assert_int_equal(redis_do("HEXISTS {a:%s}:sessions bbb", id).number, 0);
	assert_int_equal(redis_do("HEXISTS {a:%s}:sessions aaa", id).number, 1);
	CTL_STATUS(0, "wallet link %s " WALLET, id);
	CTL_STATUS(0, "--json wallet unlink %s " WALLET, id); /* ends its sessions */
	assert_string_equal(json_at("sessions_ended"), "1");
	assert_int_equal(redis_do("HEXISTS {a:%s}:sessions aaa", id).number, 0);
	CTL_STATUS(0, "--json session end %s --all", id);
	assert_string_equal(json_at("sessions_ended"), "2");
	assert_int_equal(redis_do("EXISTS {a:%s}:sessions", id).number, 0);
	assert_int_equal(redis_do("HEXISTS {a:%s}:sessions ccc", id).number, 0);
}

static void
a_deposit_says_who_claimed_it_and_why(void **state)
{
	(void)state;
	redis_do("HSET {dep:31337}:tx:" TX ":0 status pending generation 1 from " WALLET
		 " units 5 nano 5000");
	redis_do("HSET {dep:31337}:tx:" TX
		 ":0 claimed_by operator reason mail claimed 1000000 seen 1");
	CTL_STATUS(0, "--json deposit show 31337:" TX ":0");
	assert_string_equal(json_at("tx"), TX);
	assert_string_equal(json_at("claimed_by"), "operator");
	assert_string_equal(json_at("reason"), "mail");
	assert_string_equal(json_at("claimed"), "1970-01-01T00:16:40Z");
	assert_string_equal(json_at("credited"), "");
	CTL_STATUS(0, "deposit show 31337:" TX ":0");
	CTL_SAID("claimed_by                  operator", out);
	CTL_STATUS(1, "deposit show 31337:" TX ":1");
	CTL_SAID("DEPOSIT", err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_suspended_account_says_why_until_it_is_resumed),
		cmocka_unit_test(a_wallet_is_linked_to_one_account_and_once),
#ifdef DR_WITH_WALLET
		cmocka_unit_test(an_address_that_is_misspelt_is_refused),
#endif
		cmocka_unit_test(
		    what_came_from_a_wallet_before_is_told_and_the_watcher_is_called),
		cmocka_unit_test(sessions_are_listed_and_ended),
		cmocka_unit_test(a_deposit_says_who_claimed_it_and_why),
	};

	return cmocka_run_group_tests(tests, wallet_setup, wallet_teardown);
}
