/*
 * The watcher's sweep: what dead processes left is booked once, at the last checkpoint,
 * in accounts that nobody calls; and nothing that lives, or may live, is touched.
 */
#include "ctl_fixture.h"

#include "scripts/scripts.h"

#define A        "k3f9a0b1c2"
#define B        "m4g8b1c2d3"
#define AT(a, x) "{a:" a "}:" x
#define SWEPT    "--set sweep_after=100ms --set lease_time=100ms"

static int
sweeps_setup(void **state)
{
	program = "derouter-watcher";
	return ctl_setup(state);
}

static struct answer
redis_do(const char *format, ...)
{
	char line[512];
	struct answer answer;
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	answer = ask(store, line);
	assert_int_equal(answer.err, DR_OK);
	return answer;
}

static int64_t
redis_now(void)
{
	static struct dr_script script = SCRIPT("now",
	    "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)");

	return run(store, &script).number;
}

/* n requests of the key, all of which hold 100 and have cost 30, as admit and
 * lease_renew write them. Their leases end at `expiry_ms`. */
static void
leave_entries(const char *account, const char *kid, unsigned n, int64_t expiry_ms)
{
	static struct dr_script script = SCRIPT("leave",
	    "local p, kid, n, call = '{a:' .. ARGV[1] .. '}:', ARGV[2], tonumber(ARGV[3]), redis.call\n"
	    "for i = 0, n - 1 do\n"
	    "	call('HSET', p .. 'open:' .. kid, string.format('req_%s%04d', kid, i) .. ARGV[1],\n"
	    "		'100 ' .. ARGV[4] .. ' 30 total')\n"
	    "end\n"
	    "call('HINCRBY', p .. 'account', 'held', 100 * n)\n"
	    "call('HINCRBY', p .. 'account', kid .. '.held:total', 100 * n)\n"
	    "return call('HINCRBY', p .. 'account', 'running', n)\n");
	char count[16], expiry[24];
	const char *words[] = { account, kid, count, expiry };
	struct dr_arg args[DR_N_ELEMENTS(words)];
	struct answer answer;

	snprintf(count, sizeof count, "%u", n);
	snprintf(expiry, sizeof expiry, "%lld", (long long)expiry_ms);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	answer_init(&answer, false);
	dr_store_eval(store, "", &script, 0, args, DR_N_ELEMENTS(words), &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
}

static void
open_account(const char *account, const char *kid)
{
	redis_do("HSET {a:%s}:account status on balance 1000000 held 0 running 0 "
		 "%s.status on",
	    account, kid);
}

static void
in_index(const char *account, int64_t score)
{
	redis_do("ZADD open %lld %s", (long long)score, account);
}

static int64_t
number(const char *account, const char *field)
{
	return redis_do("HGET {a:%s}:account %s", account, field).number;
}

static void
what_the_dead_left_is_booked_once(void **state)
{
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	open_account(A, "x7y8z9");
	redis_do("HSET " AT(A, "account") " bbbbbb.status deleted");
	open_account(B, "cccccc");
	leave_entries(A, "x7y8z9", 3, now - 5000);
	leave_entries(A, "bbbbbb", 2, now - 5000); /* a deleted key's debts are debts */
	leave_entries(B, "cccccc", 1, now - 5000);
	in_index(A, now - 4000);
	in_index(B, now - 4000);
	for (int i = 0; i < 2; i++) { /* the second time there is nothing left to do */
		CTL_STATUS(0, "--once sweeps " SWEPT);
		assert_int_equal(number(A, "balance"), 1000000 - 5 * 30);
		assert_int_equal(number(A, "held"), 0);
		assert_int_equal(number(A, "running"), 0);
		assert_int_equal(number(A, "x7y8z9.held:total"), 0);
		assert_int_equal(number(A, "x7y8z9.spent:total"), 90);
		assert_int_equal(number(B, "balance"), 1000000 - 30);
		assert_int_equal(redis_do("XLEN " AT(A, "ledger")).number, 5);
		assert_int_equal(redis_do("XLEN " AT(B, "ledger")).number, 1);
		assert_int_equal(redis_do("EXISTS open").number, 0);
		in_index(A, now - 4000);
	}
	assert_true(redis_do("PTTL " AT(A, "receipt:req_x7y8z90002" A)).number > 0);
}

static void
what_lives_or_may_live_stays(void **state)
{
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	open_account(A, "x7y8z9");
	leave_entries(A, "x7y8z9", 2, now + 3600000);
	in_index(A, now - 4000); /* it lags behind */
	CTL_STATUS(0, "--once sweeps " SWEPT);
	assert_int_equal(redis_do("HLEN " AT(A, "open:x7y8z9")).number, 2);
	assert_int_equal(number(A, "balance"), 1000000);
	/* and now it knows better, so that nobody looks in vain every time */
	assert_true(redis_do("ZSCORE open " A).number == now + 3600000);
}

/* The index moved while the account was looked through: somebody calls it again. */
static void
a_newer_score_is_kept(void **state)
{
	char was[24];
	const char *words[] = { "open", "0", "100", "16", A, was, "0" };
	struct dr_arg args[DR_N_ELEMENTS(words)];
	struct answer answer;
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	in_index(A, now + 40000);
	snprintf(was, sizeof was, "%lld", (long long)now - 4000);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	answer_init(&answer, false);
	dr_store_eval(store, "open", &dr_script_sweep_index, 1, args,
	    DR_N_ELEMENTS(words), &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	assert_true(redis_do("ZSCORE open " A).number == now + 40000);
}

/* More than one call books, and more accounts than are looked through at a time. */
static void
many_are_booked_in_pieces(void **state)
{
	enum { N = 40 };
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	open_account(A, "x7y8z9");
	leave_entries(A, "x7y8z9", 2300, now - 5000);
	in_index(A, now - 4000);
	for (int i = 0; i < N; i++) {
		char account[16];

		snprintf(account, sizeof account, "z%09d", i);
		open_account(account, "cccccc");
		leave_entries(account, "cccccc", 1, now - 5000);
		in_index(account, now - 4000 + i);
	}
	CTL_STATUS(0, "--once sweeps " SWEPT);
	assert_int_equal(number(A, "running"), 0);
	assert_int_equal(number(A, "balance"), 1000000 - 2300 * 30);
	assert_int_equal(redis_do("XLEN " AT(A, "ledger")).number, 2300);
	for (int i = 0; i < N; i++) {
		char account[16];

		snprintf(account, sizeof account, "z%09d", i);
		assert_int_equal(number(account, "running"), 0);
		assert_int_equal(number(account, "balance"), 1000000 - 30);
	}
	assert_int_equal(redis_do("EXISTS open").number, 0);
}

/* Redis has to be there for sweep_after first: after an outage the living look dead. */
static void
nothing_is_swept_before_redis_was_there_for_long_enough(void **state)
{
	char config[128];
	char *argv[] = { "derouter-watcher", "-c", config, "--set", "sweep_after=1h",
		NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	int64_t now;
	bool lives = false;
	pid_t pid;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	open_account(A, "x7y8z9");
	leave_entries(A, "x7y8z9", 1, now - 7200000);
	in_index(A, now - 7200000);
	snprintf(config, sizeof config, "%s", in_dir("derouter.conf"));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exec_ctl(argv, null, null, STDERR_FILENO);
	}
	close(null);
	TURN_UNTIL(lives || (lives = ask(store, "EXISTS watcher").number == 1));
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(redis_do("HLEN " AT(A, "open:x7y8z9")).number, 1);
	CTL_STATUS(0, "--once sweeps " SWEPT);
	assert_int_equal(redis_do("HLEN " AT(A, "open:x7y8z9")).number, 0);
}

/* One account that cannot be booked does not keep the others from it. */
static void
a_broken_account_is_reported_and_the_others_are_booked(void **state)
{
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	redis_do("SET " AT(A, "account") " nonsense");
	open_account(B, "cccccc");
	leave_entries(B, "cccccc", 1, now - 5000);
	in_index(A, now - 4000);
	in_index(B, now - 3000);
	CTL_STATUS(1, "--once sweeps " SWEPT);
	CTL_SAID("sweep", err);
	assert_int_equal(number(B, "running"), 0);
	assert_int_equal(redis_do("ZCARD open").number, 1); /* A is tried again later */
	assert_true(redis_do("ZSCORE open " A).number >= now);
}

/* Such a line is told of once, and nobody is kept from what is due by it. */
static void
what_is_no_account_leaves_the_index(void **state)
{
	int64_t now;

	(void)state;
	redis_do("FLUSHALL");
	now = redis_now();
	redis_do("ZADD open 1 nonsense 2 far-too-long-for-any-account");
	open_account(B, "cccccc");
	leave_entries(B, "cccccc", 1, now - 5000);
	in_index(B, now - 3000);
	CTL_STATUS(0, "--once sweeps " SWEPT);
	CTL_SAID("the index names \"nonsense\", no account: taken out", err);
	assert_int_equal(number(B, "running"), 0);
	assert_int_equal(redis_do("EXISTS open").number, 0);
	CTL_STATUS(0, "--once sweeps " SWEPT);
	assert_null(strstr(err, "no account"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_dead_left_is_booked_once),
		cmocka_unit_test(what_lives_or_may_live_stays),
		cmocka_unit_test(a_newer_score_is_kept),
		cmocka_unit_test(many_are_booked_in_pieces),
		cmocka_unit_test(
		    nothing_is_swept_before_redis_was_there_for_long_enough),
		cmocka_unit_test(what_is_no_account_leaves_the_index),
		cmocka_unit_test(
		    a_broken_account_is_reported_and_the_others_are_booked),
	};

	return cmocka_run_group_tests(tests, sweeps_setup, ctl_teardown);
}
