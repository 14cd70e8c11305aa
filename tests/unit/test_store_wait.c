/*
 * test_store_wait - a call that finds the connection down: Redis is asked at once, and
 * the call waits where somebody is there; while nobody is, it fails at once.
 */
#include "store_fixture.h"

#include <sys/un.h>

static struct redis own;

static struct dr_script count_up =
    SCRIPT("count_up", "return redis.call('INCR', 'counted')");

/* Redis dies, and the next attempt of the store's own is far away. */
static struct dr_store *
bereft(void)
{
	struct dr_store *store;

	redis_dir(&own);
	redis_start(&own, false, "");
	store = store_up(own.unix_at, LONG_MS);
	assert_int_equal(run(store, &count_up).number, 1);
	redis_kill(&own);
	TURN_UNTIL(!dr_store_is_up(store));
	for (int i = 0; i < 8;
	     i++) { /* each is an attempt: the pause grows to seconds */
		uint64_t before = dr_clock_ms();

		assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
		TURN_UNTIL(dr_clock_ms() - before > 25);
	}
	return store;
}

static void
forsake(struct dr_store **store)
{
	dr_store_free(store);
	redis_remove(&own);
}

/* Until it answers others; our store does not turn meanwhile. */
static void
redis_back(void)
{
	struct dr_loop *ours = loop;
	struct dr_store *other;

	redis_start(&own, false, "");
	loop = dr_loop_new();
	other = store_up(own.unix_at, LONG_MS);
	dr_store_free(&other);
	dr_loop_free(&loop);
	loop = ours;
}

static void
the_first_calls_after_its_return_succeed_in_their_order(void **state)
{
	enum { N = 6 };
	struct dr_store *store = bereft();
	struct answer answers[N];
	uint64_t before;

	(void)state;
	redis_back();
	before = dr_clock_ms();
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], true);
		if (i % 2 == 0)
			dr_store_eval(
			    store, "", &count_up, 0, NULL, 0, &answers[i].call);
		else
			start(store, "INCR counted", &answers[i]);
	}
	dr_store_cancel(&answers[2].call); /* it is not to run any more */
	dr_store_wait(store, &answers[N - 1].call);
	assert_true(dr_clock_ms() - before < 300);
	for (int i = 0, n = 0; i < N; i++) {
		if (i == 2) {
			assert_int_equal(answers[i].n_done, 0);
			assert_int_equal(answers[i].n_late, 1);
			assert_true(answers[i].late_null);
			assert_false(answers[i].call.sent);
			continue;
		}
		assert_int_equal(answers[i].err, DR_OK);
		assert_int_equal(answers[i].number, ++n);
		assert_true(answers[i].call.sent);
	}
	assert_true(dr_store_is_up(store));
	assert_int_equal(run(store, &count_up).number, N);
	forsake(&store);
}

static void
while_nobody_is_there_calls_fail_at_once(void **state)
{
	struct dr_store *store = bereft();
	uint64_t before = dr_clock_ms();
	struct answer answer;

	(void)state;
	log_forget();
	for (int i = 0; i < 200; i++) {
		answer_init(&answer, false);
		start(store, "PING", &answer);
		dr_store_wait(store, &answer.call);
		assert_int_equal(answer.err, DR_ERR_STORE_DOWN);
		assert_false(answer.call.sent);
	}
	assert_true(dr_clock_ms() - before < 2000);  /* none has waited */
	assert_int_equal(logged("error store:"), 0); /* and all this is one outage */
	forsake(&store);
}

/* Accepted by the system, and nobody reads: the first calls wait for a moment, and once
 * that is known, none does. */
static void
who_accepts_and_keeps_silent_is_not_waited_for_again(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct dr_store *store;
	struct answer answer;
	uint64_t before;

	(void)state;
	redis_dir(&own);
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", own.unix_at + 5);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(fd, 100), 0);
	store = store_at(own.unix_at, 400);
	before = dr_clock_ms();
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	assert_true(dr_clock_ms() - before >= 250);
	log_forget();
	TURN_UNTIL(
	    logged("no connection within 400 ms") > 0 || dr_clock_ms() - before > 5000);
	for (int i = 0; i < 20; i++) {
		before = dr_clock_ms();
		answer_init(&answer, false);
		start(store, "PING", &answer);
		dr_store_wait(store, &answer.call);
		assert_int_equal(answer.err, DR_ERR_STORE_DOWN);
		assert_true(dr_clock_ms() - before < 200);
	}
	close(fd);
	unlink(sun.sun_path);
	redis_start(&own, false, ""); /* whoever was silent is gone */
	assert_true(dr_store_wait_up(store, LONG_MS));
	forsake(&store);
}

/* A host that takes no connections and refuses none. */
static void
an_attempt_that_is_not_accepted_is_not_waited_for(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), full[8];
	char address[32];
	struct dr_store *store;
	uint64_t before;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (size_t i = 0; i < DR_N_ELEMENTS(full); i++) { /* fills the queue */
		full[i] =
		    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(full[i], (struct sockaddr *)&sin, sizeof sin);
	}
	snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(sin.sin_port));
	store = store_at(address, LONG_MS);
	before = dr_clock_ms();
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	assert_true(dr_clock_ms() - before < 250); /* the patience would be 300 */
	before = dr_clock_ms();
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	assert_true(dr_clock_ms() - before < 50);
	dr_store_free(&store);
	for (size_t i = 0; i < DR_N_ELEMENTS(full); i++)
		close(full[i]);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_first_calls_after_its_return_succeed_in_their_order),
		cmocka_unit_test(while_nobody_is_there_calls_fail_at_once),
		cmocka_unit_test(who_accepts_and_keeps_silent_is_not_waited_for_again),
		cmocka_unit_test(an_attempt_that_is_not_accepted_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
