/*
 * test_store_outage - what callers hear, and what the operator reads, while
 * redis-server is killed, stopped, full, demoted or set up so that it would lose money.
 */
#include "store_fixture.h"

static struct redis server;
static struct dr_store *admin; /* for CONFIG and the like: its calls are no test's */

static struct dr_script set_one =
    SCRIPT("set_one", "return redis.call('SET', 'from-script', '1')");

struct seen {
	unsigned ups, downs;
	bool up;
};

static void
on_change(void *arg, bool up)
{
	struct seen *seen = arg;

	assert_true(seen->up != up); /* told of changes only */
	seen->up = up;
	if (up)
		seen->ups++;
	else
		seen->downs++;
}

static struct dr_store *
watched(unsigned timeout_ms, struct seen *seen)
{
	struct dr_store *store = store_at(server.unix_at, timeout_ms);

	*seen = (struct seen){ 0 };
	dr_store_on_change(store, on_change, seen);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_true(seen->up);
	return store;
}

/* ---- not there ---- */

static void
calls_fail_at_the_end_of_the_turn_while_redis_is_not_there(void **state)
{
	enum { N = 10 };
	struct answer answers[N];
	struct dr_store *store;
	struct redis none;
	uint64_t before;

	(void)state;
	redis_dir(&none);
	log_forget();
	store = store_at(none.unix_at, LONG_MS);
	before = dr_clock_ms();
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], true);
		start(store, "PING", &answers[i]); /* asserts: not inside */
	}
	dr_store_cancel(&answers[1].call);
	assert_int_equal(dr_store_in_flight(store), N);
	dr_store_wait(store, &answers[N - 1].call);
	assert_true(dr_clock_ms() - before < LONG_MS / 2);
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].n_done, i == 1 ? 0 : 1);
		assert_int_equal(answers[i].n_late, i == 1 ? 1 : 0);
		assert_int_equal(answers[i].err, i == 1 ? DR_OK : DR_ERR_STORE_DOWN);
	}
	assert_int_equal(dr_store_in_flight(store), 0);
	TURN_UNTIL(dr_clock_ms() - before > 400); /* several attempts, one line */
	assert_int_equal(logged("error store:"), 1);
	assert_int_equal(logged("No such file or directory; trying again"), 1);
	redis_start(&none, false, "");
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(logged("store is back after"), 1);
	dr_store_free(&store);
	redis_remove(&none);
}

static const struct {
	const char *address, *said;
} bad_addresses[] = {
	{ "", "neither unix:/path nor host:port" },
	{ "127.0.0.1", "neither unix:/path nor host:port" },
	{ "127.0.0.1:", "neither unix:/path nor host:port" },
	{ "127.0.0.1:0", "neither unix:/path nor host:port" },
	{ "127.0.0.1:65536", "neither unix:/path nor host:port" },
	{ "127.0.0.1:6379x", "neither unix:/path nor host:port" },
	{ ":6379", "neither unix:/path nor host:port" },
	{ "[]:6379", "neither unix:/path nor host:port" },
	{ "unix:/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "path of the socket is too long" },
	{ "unix:/nonexistent/redis.sock", "No such file or directory" },
	{ "127.0.0.1:1", "Connection refused" },
	{ "[::1]:1", "[::1]:1: " }, /* refused, or no IPv6 on this machine */
};

static void
a_useless_address_is_named_in_the_log(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad_addresses); i++) {
		struct dr_store *store;

		log_forget();
		store = store_at(bad_addresses[i].address, LONG_MS);
		TURN_UNTIL(logged("error store:") == 1);
		assert_int_equal(logged(bad_addresses[i].said) > 0, 1);
		assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
		dr_store_free(&store);
	}
}

/* ---- killed ---- */

static void
a_killed_redis_is_found_again_when_it_is_back(void **state)
{
	enum { N = 20 };
	static struct answer answers[N];
	struct seen seen;
	struct dr_store *store;
	char run_id[DR_STORE_SERVER_ID_SIZE];
	struct redis own;

	(void)state;
	redis_dir(&own);
	redis_start(&own, false, "");
	store = store_at(own.unix_at, LONG_MS);
	memset(&seen, 0, sizeof seen);
	dr_store_on_change(store, on_change, &seen);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(run(store, &set_one).err, DR_OK);
	snprintf(run_id, sizeof run_id, "%s", dr_store_server_id(store));
	log_forget();
	kill(own.pid, SIGSTOP); /* so that it dies with all calls unanswered */
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], true);
		start(store, "PING", &answers[i]);
	}
	turn_at_once();
	dr_store_cancel(&answers[3].call);
	redis_kill(&own);
	dr_store_wait(store, &answers[N - 1].call);
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].n_done, i == 3 ? 0 : 1);
		assert_int_equal(answers[i].n_late, i == 3 ? 1 : 0);
		assert_int_equal(answers[i].err, i == 3 ? DR_OK : DR_ERR_STORE_DOWN);
	}
	assert_true(answers[3].late_null);
	assert_int_equal(seen.downs, 1);
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	redis_start(&own, false, "");
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(seen.ups, 2);
	assert_string_not_equal(dr_store_server_id(store), run_id);
	assert_int_equal(run(store, &set_one).err, DR_OK);
	assert_int_equal(logged("error store:"), 1);
	assert_int_equal(logged("store is back after"), 1);
	dr_store_free(&store);
	redis_remove(&own);
}

static void
calls_nobody_waits_for_are_logged_when_they_are_lost(void **state)
{
	struct dr_store *store;
	struct redis none;

	(void)state;
	redis_dir(&none);
	store = store_at(none.unix_at, LONG_MS);
	log_forget();
	for (int i = 0; i < 100; i++)
		dr_store_eval(store, "", &set_one, 0, NULL, 0, NULL);
	assert_int_equal(dr_store_in_flight(store), 100);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(logged("set_one: lost: the store is down"), 1);
	dr_store_free(&store);
	assert_int_equal(rmdir(none.dir), 0);
}

/* ---- stopped ---- */

static void
a_stalled_redis_opens_the_circuit_and_its_first_reply_closes_it(void **state)
{
	enum { N = 5 };
	struct answer answers[N], plain, quick;
	struct seen seen;
	struct dr_store *store = watched(300, &seen);
	uint64_t before, at_ms;
	int64_t value = ask(store, "INCR stalled").number;

	(void)state;
	log_forget();
	kill(server.pid, SIGSTOP);
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], true);
		start(store, "INCR stalled", &answers[i]);
	}
	answer_init(&plain, false);
	start(store, "INCR stalled", &plain);
	before = dr_clock_ms();
	TURN_UNTIL(plain.n_done == 1);
	at_ms = dr_clock_ms() - before;
	assert_in_range(at_ms, 299, 800);
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].n_done, 1);
		assert_int_equal(answers[i].err, DR_ERR_STORE_DOWN);
	}
	assert_int_equal(plain.err, DR_ERR_STORE_DOWN);
	assert_null(plain.call.slot);
	assert_false(dr_store_is_up(store));
	assert_int_equal(seen.downs, 1);

	/* At once: within the turn, long before any deadline. */
	answer_init(&quick, false);
	start(store, "INCR stalled", &quick);
	before = dr_clock_ms();
	dr_store_wait(store, &quick.call);
	assert_int_equal(quick.err, DR_ERR_STORE_DOWN);
	assert_true(dr_clock_ms() - before < 250);

	kill(server.pid, SIGCONT);
	TURN_UNTIL(answers[N - 1].n_late == 1);
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].n_done, 1);
		assert_int_equal(answers[i].n_late, 1);
		assert_false(answers[i].late_null);
		assert_int_equal(answers[i].number, value + 1 + i);
	}
	TURN_UNTIL(dr_store_is_up(store));
	assert_int_equal(seen.ups, 2);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(ask(store, "INCR stalled").number, value + N + 2);
	assert_int_equal(logged("error store:"), 1);
	assert_int_equal(logged("no reply within 300 ms"), 1);
	assert_int_equal(logged("store is back after"), 1);
	dr_store_free(&store);
}

static void
a_connection_that_stays_silent_is_given_up(void **state)
{
	struct answer waiting, cancelled;
	struct seen seen;
	struct dr_store *store = watched(50, &seen);

	(void)state;
	kill(server.pid, SIGSTOP);
	answer_init(&waiting, true);
	answer_init(&cancelled, true);
	start(store, "PING", &waiting);
	start(store, "PING", &cancelled);
	dr_store_cancel(&cancelled.call);
	TURN_UNTIL(waiting.n_late == 1 && cancelled.n_late == 1);
	assert_int_equal(waiting.n_done, 1);
	assert_true(waiting.late_null);
	assert_int_equal(cancelled.n_done, 0);
	assert_true(cancelled.late_null);
	assert_int_equal(dr_store_in_flight(store), 0);
	assert_int_equal(seen.downs, 1);
	kill(server.pid, SIGCONT);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(ask(store, "PING").err, DR_OK);
	dr_store_free(&store);
}

/* Redis was quick; we did not get to read. That is no reason to fail a call. */
static void
a_deadline_missed_by_this_process_alone_is_none(void **state)
{
	struct answer answers[3];
	struct seen seen;
	struct dr_store *store = watched(40, &seen);
	uint64_t replies = dr_store_replies(store), before;

	(void)state;
	for (int i = 0; i < 3; i++) {
		answer_init(&answers[i], false);
		start(store, "PING", &answers[i]);
	}
	before = dr_clock_ms();
	/* The calls go out, and no reply can come in this turn; */
	kill(server.pid, SIGSTOP);
	turn_at_once();
	kill(server.pid, SIGCONT);
	/* then Redis answers, but this process is busy with itself. */
	while (dr_clock_ms() - before < 100)
		dr_clock_update();
	dr_store_wait(store, &answers[2].call);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answers[i].err, DR_OK);
	assert_int_equal(dr_store_replies(store), replies + 3);
	assert_int_equal(seen.downs, 0);
	dr_store_free(&store);
}

/* ---- full, demoted, badly set up ---- */

static void
a_full_redis_counts_as_away_in_commands_and_in_scripts(void **state)
{
	static struct dr_script settles = SCRIPT("settles",
	    "#!lua flags=allow-oom\nreturn redis.call('SET', 'settled', '1')");
	static struct dr_script strict =
	    SCRIPT("strict", "#!lua\nreturn redis.call('SET', 'settled', '1')");
	struct seen seen;
	struct dr_store *store = watched(LONG_MS, &seen);

	(void)state;
	assert_int_equal(run(store, &set_one).err, DR_OK); /* EVALSHA from here on */
	assert_string_equal(ask(admin, "CONFIG SET maxmemory 1").text, "OK");
	log_forget();
	assert_int_equal(ask(store, "SET k v").err, DR_ERR_STORE_DOWN);
	assert_int_equal(
	    logged("SET: Redis cannot serve it: OOM command not allowed"), 1);
	assert_int_equal(run(store, &set_one).err, DR_ERR_STORE_DOWN);
	assert_int_equal(run(store, &strict).err, DR_ERR_STORE_DOWN);
	assert_int_equal(run(store, &settles).err, DR_OK);
	assert_int_equal(ask(store, "GET k").err, DR_OK);
	assert_int_equal(seen.downs, 0);
	assert_string_equal(ask(admin, "CONFIG SET maxmemory 0").text, "OK");
	assert_int_equal(run(store, &set_one).err, DR_OK);
	dr_store_free(&store);
}

static void
a_demoted_master_is_left_until_it_is_one_again(void **state)
{
	for (int in_script = 0; in_script < 2; in_script++) {
		struct seen seen;
		struct dr_store *store = watched(LONG_MS, &seen);
		struct answer answer;

		(void)state;
		assert_string_equal(ask(admin, "REPLICAOF 127.0.0.1 1").text, "OK");
		log_forget();
		answer = in_script ? run(store, &set_one) : ask(store, "SET k v");
		assert_int_equal(answer.err, DR_ERR_STORE_DOWN);
		assert_int_equal(seen.downs, 1);
		TURN_UNTIL(logged("Redis is a replica; want its master") == 1);
		assert_false(dr_store_is_up(store));
		assert_string_equal(ask(admin, "REPLICAOF NO ONE").text, "OK");
		assert_true(dr_store_wait_up(store, LONG_MS));
		assert_int_equal(run(store, &set_one).err, DR_OK);
		dr_store_free(&store);
	}
}

static void
a_redis_that_may_evict_balances_is_refused_until_it_is_mended(void **state)
{
	struct dr_store *store;

	(void)state;
	ask(admin, "CONFIG SET maxmemory 1gb");
	ask(admin, "CONFIG SET maxmemory-policy allkeys-lru");
	log_forget();
	store = store_at(server.unix_at, LONG_MS);
	TURN_UNTIL(logged("maxmemory-policy must be noeviction") == 1);
	assert_int_equal(logged("error store:"), 1);
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	ask(admin, "CONFIG SET maxmemory 0"); /* without a limit nothing is evicted */
	assert_true(dr_store_wait_up(store, LONG_MS));
	dr_store_free(&store);
	ask(admin, "CONFIG SET maxmemory 1gb");
	store = store_at(server.unix_at, LONG_MS);
	assert_false(dr_store_wait_up(store, 200));
	ask(admin, "CONFIG SET maxmemory-policy noeviction");
	assert_true(dr_store_wait_up(store, LONG_MS));
	dr_store_free(&store);
	ask(admin, "CONFIG SET maxmemory 0");
}

static void
a_redis_without_room_for_clients_is_tried_again(void **state)
{
	struct dr_store *store;

	(void)state;
	assert_string_equal(ask(admin, "CONFIG SET maxclients 1").text, "OK");
	log_forget();
	store = store_at(server.unix_at, LONG_MS);
	/* Redis may close before its reason is read: then another try reads it */
	TURN_UNTIL(logged("max number of clients reached") > 0);
	assert_false(dr_store_is_up(store));
	ask(admin, "CONFIG SET maxclients 1000");
	assert_true(dr_store_wait_up(store, LONG_MS));
	dr_store_free(&store);
}

/* ---- groups ---- */

static int
setup(void **state)
{
	loop_setup(state);
	redis_dir(&server);
	redis_start(&server, false, "");
	admin = store_up(server.unix_at, LONG_MS);
	return 0;
}

static int
teardown(void **state)
{
	dr_store_free(&admin);
	redis_remove(&server);
	return loop_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    calls_fail_at_the_end_of_the_turn_while_redis_is_not_there),
		cmocka_unit_test(a_useless_address_is_named_in_the_log),
		cmocka_unit_test(a_killed_redis_is_found_again_when_it_is_back),
		cmocka_unit_test(calls_nobody_waits_for_are_logged_when_they_are_lost),
		cmocka_unit_test(
		    a_stalled_redis_opens_the_circuit_and_its_first_reply_closes_it),
		cmocka_unit_test(a_connection_that_stays_silent_is_given_up),
		cmocka_unit_test(a_deadline_missed_by_this_process_alone_is_none),
		cmocka_unit_test(
		    a_full_redis_counts_as_away_in_commands_and_in_scripts),
		cmocka_unit_test(a_demoted_master_is_left_until_it_is_one_again),
		cmocka_unit_test(
		    a_redis_that_may_evict_balances_is_refused_until_it_is_mended),
		cmocka_unit_test(a_redis_without_room_for_clients_is_tried_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
