/*
 * Probes: what an answer says, how long until the next one, and both of their makers,
 * derouter-watcher and derouterctl, against the stand-in and a redis-server.
 */
#include "ctl_fixture.h"

#include "operator/probe.h"
#include "scripts/scripts.h"

/* ---- pure ---- */

static void
what_an_answer_says(void **state)
{
	static const struct {
		int status;
		bool ok, refused;
	} rows[] = {
		{ 200, true, false },
		{ 204, true, false },
		{ 301, false, false },
		{ 400, true, false },
		{ 401, false, true },
		{ 402, false, true },
		{ 403, false, true },
		{ 404, true, false },
		{ 405, true, false },
		{ 408, false, false },
		{ 429, true, false },
		{ 500, false, false },
		{ 503, false, false },
		{ 529, false, false },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_probe_result result = { 0 };

		dr_probe_judge(&result, rows[i].status);
		if (result.ok != rows[i].ok || result.refused != rows[i].refused)
			fail_msg("%d: %s", rows[i].status, result.why);
		assert_int_equal(result.status, rows[i].status);
	}
}

static void
failures_make_probes_rarer_within_bounds(void **state)
{
	static const struct {
		uint64_t interval, most;
		unsigned jitter;
		uint64_t failures, least_wait, most_wait;
	} rows[] = {
		{ 1000, 8000, 0, 0, 1000, 1000 },
		{ 1000, 8000, 0, 1, 1000, 1000 },
		{ 1000, 8000, 0, 2, 2000, 2000 },
		{ 1000, 8000, 0, 4, 8000, 8000 },
		{ 1000, 8000, 0, UINT64_MAX, 8000, 8000 },
		{ 1000, 3000, 0, 3, 3000, 3000 },
		{ 1000, 500, 0, 9, 1000, 1000 },
		{ 1000, 8000, 20, 0, 800, 1200 },
		{ 1000, 8000, 50, 2, 1000, 3000 },
		{ 1, 1, 50, 0, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		uint64_t least = UINT64_MAX, most = 0;

		for (uint32_t random = 0; random < 10000; random++) {
			uint64_t wait = dr_probe_wait(rows[i].interval, rows[i].most,
			    rows[i].jitter, rows[i].failures, random * 2654435761u);

			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
		assert_in_range(least, rows[i].least_wait,
		    rows[i].least_wait + rows[i].least_wait / 100);
		assert_in_range(most, rows[i].most_wait - rows[i].most_wait / 100,
		    rows[i].most_wait);
	}
}

/* ---- with the stand-in ---- */

static struct {
	pid_t pid;
	char url[64];
} standin;

/* The first line that it prints names its address. */
static void
begin_standin(const char *option, const char *value)
{
	char *argv[] = { "derouter-standin", "--listen", "127.0.0.1:0", (char *)option,
		(char *)value, NULL };
	int to[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char line[64];
	size_t len = 0;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	standin.pid = fork();
	assert_true(standin.pid >= 0);
	if (standin.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		program = "derouter-standin";
		exec_ctl(argv, null, to[1], STDERR_FILENO);
	}
	close(to[1]);
	close(null);
	do {
		assert_int_equal(read(to[0], line + len, 1), 1);
	} while (line[len++] != '\n' && len < sizeof line);
	close(to[0]);
	line[len - 1] = '\0';
	assert_memory_equal(line, "listening ", 10);
	snprintf(standin.url, sizeof standin.url, "http://%s", line + 10);
}

static void
end_standin(void)
{
	kill(standin.pid, SIGKILL);
	waitpid(standin.pid, NULL, 0);
}

static void
add(const char *name, const char *words)
{
	char line[512];

	program = "derouterctl";
	snprintf(line, sizeof line,
	    "provider add %s --base-url %s --allow-http --max-concurrency 3 --model "
	    "claude-opus-4-8=claude-opus-4-8 --credential-file - %s",
	    name, standin.url, words);
	assert_int_equal(ctl_input(line, "good-key\n"), 0);
}

static const char *
state_of(const char *name, const char *field)
{
	static struct answer answer;
	char line[128];

	snprintf(line, sizeof line, "HGET {p:%s}:state %s", name, field);
	answer = ask(store, line);
	return answer.text;
}

/* As a responder does that met a refusal. */
static void
flag(const char *name)
{
	char keys[2][64], generation[64];
	struct dr_arg args[4] = { { keys[0], 0 }, { keys[1], 0 }, { "flag", 4 },
		{ generation, 0 } };
	struct answer answer;
	char line[128];

	snprintf(keys[0], sizeof keys[0], "{p:%s}:provider", name);
	snprintf(keys[1], sizeof keys[1], "{p:%s}:state", name);
	snprintf(line, sizeof line, "HGET %s generation", keys[0]);
	answer = ask(store, line);
	snprintf(generation, sizeof generation, "%s", answer.text);
	for (size_t i = 0; i < 4; i++)
		args[i].len = strlen(args[i].data);
	answer_init(&answer, false);
	dr_store_eval(
	    store, keys[0], &dr_script_breaker_note, 2, args, 4, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
}

static int
watch_once(void)
{
	program = "derouter-watcher";
	return ctl("--once probes --set probe_timeout=5s");
}

static void
forget_all(void)
{
	ask(store, "FLUSHALL");
}

static void
each_dialect_is_asked_in_its_own_way(void **state)
{
	static const char *const dialects[] = { "--dialect anthropic",
		"--dialect anthropic --header bearer", "--dialect openai",
		"--dialect openai-chat --dialect anthropic" };

	(void)state;
	begin_standin("--credential", "good-key");
	for (size_t i = 0; i < DR_N_ELEMENTS(dialects); i++) {
		forget_all();
		add("p1", dialects[i]);
		CTL_STATUS(0, "--json provider probe p1");
		assert_string_equal(json_at("result"), "alive");
		assert_string_equal(json_at("status"), "200");
		assert_true(strtol(json_at("models_listed"), NULL, 10) > 0);
		assert_string_equal(state_of("p1", "probe.ok"), "1");
		assert_string_equal(state_of("p1", "probe.status"), "200");
	}
	end_standin();
}

/* The longest that a record may hold. */
static void
a_long_address_is_probed_too(void **state)
{
	char host[500], path[80], query[300], words[1024];

	(void)state;
	memset(host, 'h', sizeof host);
	memset(path, 'p', sizeof path);
	memset(query, 'q', sizeof query);
	snprintf(standin.url, sizeof standin.url, "http://127.0.0.1:1/%.20s", host);
	forget_all();
	snprintf(words, sizeof words,
	    "--dialect anthropic --api-path /%.62s --query %.250s=1", path, query);
	add("p1", words);
	snprintf(words, sizeof words,
	    "provider set p1 --base-url http://127.0.0.1:1/%.400s", host);
	CTL_STATUS(0, "%s", words);
	CTL_STATUS(1, "--json provider probe p1");
	assert_string_equal(json_at("result"), "failed");
	assert_string_equal(json_at("status"), "0");
}

static void
a_refused_credential_flags_and_a_good_one_lifts_the_flag(void **state)
{
	(void)state;
	begin_standin("--credential", "good-key");
	forget_all();
	add("p1", "--dialect anthropic --liveness probe");
	assert_int_equal(watch_once(), 0);
	assert_string_equal(state_of("p1", "probe.ok"), "1");
	program = "derouterctl";
	assert_int_equal(
	    ctl_input("provider credential p1 --credential-file -", "bad-key\n"), 0);
	CTL_STATUS(1, "--json provider probe p1");
	assert_string_equal(json_at("result"), "flagged");
	assert_string_equal(json_at("status"), "401");
	assert_string_equal(state_of("p1", "probe.refused"), "1");
	assert_string_equal(state_of("p1", "probe.failures"), "0");
	CTL_STATUS(0, "--json provider show p1");
	assert_string_equal(json_at("state"), "flagged");
	CTL_SAID("HTTP 401", json_at("why"));
	/* another credential is another matter, even before it was probed */
	assert_int_equal(
	    ctl_input("provider credential p1 --credential-file -", "good-key\n"), 0);
	CTL_STATUS(0, "--json provider show p1");
	assert_string_equal(json_at("state"), "alive");
	/* flags that responders set are lifted too */
	ask(store, "HSET {p:p1}:state flag.at 1 flag.why x");
	assert_int_equal(watch_once(), 0);
	assert_string_equal(state_of("p1", "probe.ok"), "1");
	assert_int_equal(ask(store, "HEXISTS {p:p1}:state flag.at").number, 0);
	assert_int_equal(ask(store, "HEXISTS {p:p1}:state flag.why").number, 0);
	end_standin();
}

static void
one_that_does_not_answer_is_offline_after_two_probes(void **state)
{
	(void)state;
	begin_standin("--fault", "500");
	forget_all();
	add("p1", "--dialect anthropic --liveness probe");
	add("other", "--dialect anthropic --liveness always");
	assert_int_equal(watch_once(), 0);
	assert_string_equal(state_of("p1", "probe.failures"), "1");
	assert_string_equal(state_of("p1", "probe.why"), "HTTP 500");
	assert_string_equal(state_of("other", "probe.at"), ""); /* not its business */
	program = "derouterctl";
	CTL_STATUS(0, "--json provider show p1");
	assert_string_equal(json_at("state"), "alive");
	CTL_SAID("no watcher", json_at("why"));
	end_standin();
	assert_int_equal(watch_once(), 0);
	assert_string_equal(state_of("p1", "probe.failures"), "2");
	assert_string_equal(state_of("p1", "probe.status"), "0");
	ask(store, "SET watcher x");
	program = "derouterctl";
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("1.state"), "offline");
	CTL_SAID("2 probes failed", json_at("1.why"));
	CTL_STATUS(1, "provider probe p1");
	assert_string_equal(state_of("p1", "probe.failures"), "3");
}

static int64_t
claim(const char *next)
{
	const struct dr_arg args[] = { { "{p:p1}:state", 12 }, { next, strlen(next) },
		{ "5000", 4 } };
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(
	    store, "{p:p1}", &dr_script_probe_claim, 1, args, 3, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer.number;
}

/* The claim hands a probe to the first of several watchers. */
static void
a_probe_is_claimed_once(void **state)
{
	char next[64];

	(void)state;
	forget_all();
	assert_int_equal(claim(""), 1);
	assert_int_equal(claim(""), 0);
	snprintf(next, sizeof next, "%s", state_of("p1", "probe.next"));
	assert_true(strtoll(next, NULL, 10) > 1000000000000);
	assert_int_equal(claim("17"), 0);
	assert_int_equal(claim(next), 1);
}

/* How many programs have said in this file that they begin. */
static size_t
begun(int said)
{
	char text[1 << 16];
	ssize_t len = pread(said, text, sizeof text - 1, 0);
	size_t n = 0;

	assert_true(len >= 0);
	text[len] = '\0';
	for (const char *at = text; (at = strstr(at, " begins\n")) != NULL; at++)
		n++;
	return n;
}

static void
two_watchers_probe_and_end_well(void **state)
{
	pid_t pids[2];
	char config[128];
	int64_t at;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC),
	    said = memfd_create("said", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(fcntl(said, F_SETFL, O_APPEND), 0); /* both write to it */
	begin_standin("--credential", "good-key");
	forget_all();
	add("p1", "--dialect anthropic --liveness probe");
	snprintf(config, sizeof config, "%s", in_dir("derouter.conf"));
	program = "derouter-watcher";
	for (size_t i = 0; i < 2; i++) {
		char *argv[] = { "derouter-watcher", "-c", config, "--set",
			"probe_interval=1h", "--set", "probe_backoff_max=1h", "--set",
			"providers_poll=10ms", NULL };

		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			exec_ctl(argv, null, null, said);
		}
	}
	close(null);
	TURN_UNTIL(begun(said) == 2); /* SIGTERM is theirs from then on */
	TURN_UNTIL(ask(store, "HEXISTS {p:p1}:state probe.at").number == 1);
	TURN_UNTIL(ask(store, "EXISTS watcher").number == 1);
	at = ask(store, "HGET {p:p1}:state probe.at").number;
	/* a changed record is probed at once */
	program = "derouterctl";
	CTL_STATUS(0, "provider set p1 --weight 5");
	TURN_UNTIL(ask(store, "HGET {p:p1}:state probe.at").number > at);
	at = ask(store, "HGET {p:p1}:state probe.at").number;
	for (size_t i = 0; i < 2; i++) {
		int status;

		kill(pids[i], SIGTERM);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	close(said);
	assert_int_equal(ask(store, "HGET {p:p1}:state probe.at").number, at);
	end_standin();
}

/* An account that has run out lists its models all the same: a probe that follows at
 * once would put it back into rotation each time. */
static void
a_flag_stands_for_a_while_before_a_probe_may_lift_it(void **state)
{
	char config[128];
	char *argv[] = { "derouter-watcher", "-c", config, "--set",
		"probe_interval=20ms", "--set", "probe_backoff_max=1500ms", "--set",
		"providers_poll=10ms", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	int64_t flagged_at, probed_at;
	pid_t pid;

	(void)state;
	begin_standin("--credential", "good-key");
	forget_all();
	add("p1", "--dialect anthropic --liveness probe");
	snprintf(config, sizeof config, "%s", in_dir("derouter.conf"));
	program = "derouter-watcher";
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exec_ctl(argv, null, null, null);
	}
	close(null);
	TURN_UNTIL(ask(store, "HEXISTS {p:p1}:state probe.at").number == 1);
	flag("p1");
	flagged_at = ask(store, "HGET {p:p1}:state flag.at").number;
	TURN_UNTIL(ask(store, "HEXISTS {p:p1}:state flag.at").number == 0);
	probed_at = ask(store, "HGET {p:p1}:state probe.at").number;
	assert_true(probed_at - flagged_at >= 1500);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	end_standin();
}

/* ---- who rests when ---- */

static void
rests_of_a_model_are_spread_and_shown(void **state)
{
	(void)state;
	snprintf(standin.url, sizeof standin.url, "http://127.0.0.1:1");
	forget_all();
	add("b", "--dialect anthropic --liveness node");
	add("a", "--dialect anthropic --rest auto");
	add("c", "--dialect anthropic --rest auto");
	program = "derouterctl";
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("0.name"), "a");
	assert_string_equal(json_at("0.rest"), "auto");
	assert_string_equal(json_at("0.rests"), "00:00-08:00");
	assert_string_equal(json_at("2.rests"), "08:00-16:00");
	assert_string_equal(json_at("1.state"), "offline");
	assert_string_equal(json_at("1.why"), "its node was never heard");
	CTL_STATUS(0, "--json provider spread claude-opus-4-8 --dry-run");
	assert_string_equal(json_at("1.provider"), "b");
	assert_string_equal(json_at("1.rest"), "08:00-16:00");
	CTL_STATUS(0, "--json provider show b");
	assert_string_equal(json_at("rest"), "none");
	CTL_STATUS(0, "--json provider spread claude-opus-4-8");
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("0.rest"), "00:00-08:00");
	assert_string_equal(json_at("1.rest"), "08:00-16:00");
	assert_string_equal(json_at("2.rest"), "16:00-00:00");
	CTL_STATUS(1, "provider spread moon");
	CTL_SAID("no enabled provider has \"moon\"", err);
	CTL_STATUS(0, "provider disable a");
	CTL_STATUS(0, "provider disable b");
	CTL_STATUS(0, "provider spread claude-opus-4-8 --dry-run");
	CTL_SAID("offline for 8 hours a day", err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_answer_says),
		cmocka_unit_test(failures_make_probes_rarer_within_bounds),
		cmocka_unit_test(each_dialect_is_asked_in_its_own_way),
		cmocka_unit_test(a_long_address_is_probed_too),
		cmocka_unit_test(
		    a_refused_credential_flags_and_a_good_one_lifts_the_flag),
		cmocka_unit_test(one_that_does_not_answer_is_offline_after_two_probes),
		cmocka_unit_test(a_probe_is_claimed_once),
		cmocka_unit_test(two_watchers_probe_and_end_well),
		cmocka_unit_test(a_flag_stands_for_a_while_before_a_probe_may_lift_it),
		cmocka_unit_test(rests_of_a_model_are_spread_and_shown),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
