/*
 * derouter-watcher as it was built: what it says of its options, one round by hand, and
 * its sign of life from start to SIGTERM.
 */
#include "ctl_fixture.h"

static int
watcher_setup(void **state)
{
	program = "derouter-watcher";
	return ctl_setup(state);
}

/* A watcher that stays; ended by end_watcher(). */
static pid_t
begin_watcher(const char *setting)
{
	char config[128];
	char *argv[] = { "derouter-watcher", "-c", config, "--set", (char *)setting,
		NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	snprintf(config, sizeof config, "%s", in_dir("derouter.conf"));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exec_ctl(argv, null, null, STDERR_FILENO);
	}
	close(null);
	return pid;
}

static void
end_watcher(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
wrong_words_are_named(void **state)
{
	static const struct {
		const char *words, *said;
		int status;
	} rows[] = {
		{ "-t", "derouter.conf: the configuration is fine", 0 },
		{ "--set watcher_ttl=1 -t", "watcher_ttl", 1 },
		{ "--set secrets_key_file=nowhere -t", "nowhere", 1 },
		{ "--once moon", "--once: there is no duty \"moon\"", 2 },
		{ "beat", "unexpected argument \"beat\"", 2 },
		{ "--once beat beat", "unexpected argument \"beat\"", 2 },
		{ "--moon", "usage: derouter-watcher", 2 },
		{ "--set secrets_key_file=nowhere --once", "nowhere", 1 },
		{ "--set redis_address=unix:/nowhere --set store_timeout=50ms --once",
		    "Redis at unix:/nowhere is unreachable", 1 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		CTL_STATUS(rows[i].status, "%s", rows[i].words);
		CTL_SAID(rows[i].said, err);
	}
}

/* Who looks once and leaves must not promise to look on. */
static void
one_round_is_no_sign_of_life(void **state)
{
	(void)state;
	CTL_STATUS(0, "--set sweep_after=100ms --set lease_time=100ms --once");
	CTL_STATUS(0, "--once beat");
	assert_int_equal(ask(store, "EXISTS watcher").number, 0);
}

static void
it_says_that_it_lives_until_it_is_ended(void **state)
{
	pid_t pid = begin_watcher("watcher_ttl=300ms");

	(void)state;
	for (unsigned i = 0; i < 3; i++) { /* again and again, whoever removes it */
		bool lives = false, lapses = false;

		TURN_UNTIL(lives || (lives = ask(store, "EXISTS watcher").number == 1));
		TURN_UNTIL(lapses || (lapses = ask(store, "PTTL watcher").number > 0));
		ask(store, "DEL watcher");
	}
	end_watcher(pid);
	TURN_UNTIL(ask(store, "EXISTS watcher").number == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(one_round_is_no_sign_of_life),
		cmocka_unit_test(it_says_that_it_lives_until_it_is_ended),
	};

	return cmocka_run_group_tests(tests, watcher_setup, ctl_teardown);
}
