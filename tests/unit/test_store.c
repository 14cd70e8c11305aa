/*
 * test_store - the store against a real redis-server of its own that is well: replies,
 * order, scripts, cancelling. Logging in is in test_store_login.c, its failures are in
 * test_store_outage.c, peers that redis-server cannot play in test_store_wire.c.
 */
#include "store_fixture.h"

#include <malloc.h>

static struct redis server;

static struct dr_script count_up =
    SCRIPT("count_up", "return redis.call('INCRBY', KEYS[1], ARGV[1])");
static struct dr_script two = SCRIPT("two", "return 2");

static int64_t
add(struct dr_store *store, const char *key, const char *by)
{
	struct dr_arg args[2] = { { key, strlen(key) }, { by, strlen(by) } };
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(store, key, &count_up, 1, args, 2, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer.number;
}

/* `name` of INFO commandstats: "cmdstat_eval:calls=3,..." */
static long
times_run(struct dr_store *store, const char *command)
{
	static struct dr_script stats = SCRIPT("stats",
	    "local s = redis.call('INFO', 'commandstats') "
	    "return tonumber(string.match(s, 'cmdstat_' .. ARGV[1] .. ':calls=(%d+)') or 0)");
	struct dr_arg arg = { command, strlen(command) };
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(store, "", &stats, 0, &arg, 1, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return (long)answer.number;
}

/* ---- replies ---- */

static void
see_nested(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	const struct dr_reply *inner;

	assert_int_equal(err, DR_OK);
	assert_int_equal(dr_reply_type(reply), DR_REPLY_ARRAY);
	assert_int_equal(dr_reply_count(reply), 4);
	assert_int_equal(dr_reply_int(dr_reply_at(reply, 0), 0), 7);
	assert_string_equal(dr_reply_string(dr_reply_at(reply, 1), NULL), "x");
	inner = dr_reply_at(reply, 2);
	assert_int_equal(dr_reply_count(inner), 2);
	assert_int_equal(dr_reply_int(dr_reply_at(inner, 1), 0), -12);
	assert_string_equal(dr_reply_string(dr_reply_at(reply, 3), NULL), "fine");
	assert_null(dr_reply_at(reply, 4));
	assert_null(dr_reply_at(inner, 2));
	assert_null(dr_reply_at(dr_reply_at(reply, 0), 0));
	assert_int_equal(dr_reply_int(dr_reply_at(reply, 4), 5), 5);
	assert_string_equal(dr_reply_string(dr_reply_at(reply, 4), NULL), "");
	((struct answer *)DR_CONTAINER_OF(call, struct answer, call))->n_done++;
}

static void
replies_have_the_types_redis_gave_them(void **state)
{
	static struct dr_script nested = SCRIPT("nested",
	    "return {7, 'x', {'a', '-12'}, redis.status_reply('fine'), nil, 1}");
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct answer answer;

	(void)state;
	answer = ask(store, "SET k 12345678901234567");
	assert_int_equal(answer.type, DR_REPLY_STRING);
	assert_string_equal(answer.text, "OK");
	answer = ask(store, "GET k");
	assert_int_equal(answer.type, DR_REPLY_STRING);
	assert_int_equal(answer.number, 12345678901234567);
	answer = ask(store, "STRLEN k");
	assert_int_equal(answer.type, DR_REPLY_INT);
	assert_int_equal(answer.number, 17);
	answer = ask(store, "GET none");
	assert_int_equal(answer.type, DR_REPLY_NIL);
	assert_int_equal(answer.number, -1);
	answer_init(&answer, false);
	answer.call.done = see_nested;
	dr_store_eval(store, "", &nested, 0, NULL, 0, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.n_done, 1);
	dr_store_free(&store);
}

static void
arguments_are_bytes(void **state)
{
	static const char bytes[] = "a\0b\r\n$1\r\n\xff\xfe";
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct dr_arg set[3] = { { "SET", 3 }, { "bytes", 5 },
		{ bytes, sizeof bytes - 1 } };
	struct answer answer;

	(void)state;
	answer_init(&answer, false);
	dr_store_command(store, "", set, 3, &answer.call);
	dr_store_wait(store, &answer.call);
	answer = ask(store, "GET bytes");
	assert_int_equal(answer.len, sizeof bytes - 1);
	assert_string_equal(answer.text, "a"); /* up to its first NUL */
	assert_int_equal(ask(store, "STRLEN bytes").number, sizeof bytes - 1);
	dr_store_free(&store);
}

/* Larger than any socket buffer: written in parts, read in parts. */
static void
a_large_value_makes_the_round(void **state)
{
	enum { SIZE = 6 * 1024 * 1024 };
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	char *value = dr_malloc(SIZE);
	struct dr_arg set[3] = { { "SET", 3 }, { "large", 5 }, { value, SIZE } };
	struct answer first, second, third;

	(void)state;
	memset(value, 'v', SIZE);
	answer_init(&first, false);
	answer_init(&second, false);
	answer_init(&third, false);
	dr_store_command(store, "", set, 3, &first.call);
	start(store, "GET large", &second);
	turn_at_once(); /* the first part is out */
	start(store, "DEL large", &third);
	dr_store_wait(store, &third.call);
	assert_string_equal(first.text, "OK");
	assert_int_equal(second.len, SIZE);
	assert_int_equal(third.number, 1);
	free(value);
	dr_store_free(&store);
}

static void
calls_are_executed_in_the_order_they_were_made(void **state)
{
	enum { N = 1000 };
	static struct answer answers[N];
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct dr_arg args[2] = { { "order", 5 }, { "1", 1 } };

	(void)state;
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], false);
		if (i % 2 == 0)
			start(store, "INCR order", &answers[i]);
		else
			dr_store_eval(
			    store, "", &count_up, 1, args, 2, &answers[i].call);
	}
	assert_int_equal(dr_store_in_flight(store), N);
	dr_store_wait(store, &answers[N - 1].call);
	for (int i = 0; i < N; i++) {
		assert_int_equal(answers[i].number, i + 1);
		assert_int_equal(answers[i].order, answers[0].order + (uint64_t)i);
	}
	assert_int_equal(dr_store_in_flight(store), 0);
	dr_store_free(&store);
}

/* ---- scripts ---- */

static void
a_script_is_sent_once_and_named_from_then_on(void **state)
{
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	long full, named;

	(void)state;
	full = times_run(store, "eval");
	named = times_run(store, "evalsha");
	for (int i = 0; i < 10; i++)
		assert_int_equal(run(store, &two).number, 2);
	/* and the counting script's own: one EVAL, two EVALSHA */
	assert_int_equal(times_run(store, "eval"), full + 1 + 1);
	assert_int_equal(times_run(store, "evalsha"), named + 9 + 2);
	assert_int_equal(strlen(two.sha1), 40);
	dr_store_free(&store);
}

static void
a_script_that_was_flushed_is_sent_again(void **state)
{
	enum { N = 50 };
	static struct answer answers[N];
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct dr_arg args[2] = { { "flushed", 7 }, { "1", 1 } };
	bool seen[N + 2] = { false };

	(void)state;
	assert_int_equal(add(store, "flushed", "1"), 1);
	assert_string_equal(ask(store, "SCRIPT FLUSH").text, "OK");
	for (int i = 0; i < N; i++) {
		answer_init(&answers[i], false);
		dr_store_eval(store, "", &count_up, 1, args, 2, &answers[i].call);
	}
	dr_store_wait(store, &answers[N - 1].call);
	for (int i = 0; i < N; i++) { /* each ran exactly once */
		assert_int_equal(answers[i].n_done, 1);
		assert_int_equal(answers[i].err, DR_OK);
		assert_in_range(answers[i].number, 2, N + 1);
		assert_false(seen[answers[i].number]);
		seen[answers[i].number] = true;
	}
	assert_int_equal(dr_store_in_flight(store), 0);
	dr_store_free(&store);
}

/* Its caller has moved on as if it had not run; so it must not run after all. */
static void
a_cancelled_call_of_a_flushed_script_does_not_run(void **state)
{
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct dr_arg args[2] = { { "unwanted", 8 }, { "1", 1 } };
	struct answer answer;

	(void)state;
	assert_int_equal(run(store, &two).number, 2);
	assert_int_equal(add(store, "other", "1"), 1);
	ask(store, "SCRIPT FLUSH");
	answer_init(&answer, true);
	dr_store_eval(store, "", &count_up, 1, args, 2, &answer.call);
	dr_store_cancel(&answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.n_done, 0);
	assert_int_equal(answer.n_late, 1);
	assert_true(answer.late_null);
	assert_int_equal(ask(store, "EXISTS unwanted").number, 0);
	dr_store_free(&store);
}

static void
a_bug_in_a_script_is_logged_by_name(void **state)
{
	static struct dr_script broken = SCRIPT("broken", "return nil + 1");
	static struct dr_script wrong_type =
	    SCRIPT("wrong_type", "return redis.call('LPUSH', 'k', '1')");
	struct dr_store *store = store_up(server.unix_at, LONG_MS);

	(void)state;
	ask(store, "SET k v");
	log_forget();
	assert_int_equal(run(store, &broken).err, DR_ERR_INTERNAL);
	assert_int_equal(logged("error store: broken: error reply: "), 1);
	assert_int_equal(run(store, &wrong_type).err, DR_ERR_INTERNAL);
	assert_int_equal(run(store, &broken).err, DR_ERR_INTERNAL);
	assert_int_equal(logged("error reply"), 1); /* one line per second */
	assert_true(dr_store_is_up(store));
	dr_store_free(&store);
	store = store_up(server.unix_at, LONG_MS);
	log_forget();
	assert_int_equal(run(store, &wrong_type).err, DR_ERR_INTERNAL);
	assert_int_equal(logged("wrong_type: error reply: WRONGTYPE"), 1);
	dr_store_free(&store);
	store = store_up(server.unix_at, LONG_MS);
	log_forget();
	assert_int_equal(ask(store, "NOSUCH secret-argument").err, DR_ERR_INTERNAL);
	assert_int_equal(logged("NOSUCH: error reply: ERR unknown command"), 1);
	assert_int_equal(logged("secret-argument"), 0);
	dr_store_free(&store);
}

/* ---- cancelling ---- */

static void
a_cancelled_call_is_not_heard_of_again(void **state)
{
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct answer plain, late;

	(void)state;
	answer_init(&plain, false);
	answer_init(&late, true);
	start(store, "INCR cancelled", &plain);
	start(store, "INCR cancelled", &late);
	dr_store_cancel(&plain.call);
	assert_null(plain.call.slot); /* its owner may free it now */
	memset(&plain, 0xee, sizeof plain);
	dr_store_cancel(&late.call);
	dr_store_cancel(&late.call);
	dr_store_wait(store, &late.call);
	assert_int_equal(late.n_done, 0);
	assert_int_equal(late.n_late, 1);
	assert_int_equal(late.number, 2); /* both were executed */
	dr_store_cancel(&late.call);
	assert_int_equal(dr_store_in_flight(store), 0);
	dr_store_free(&store);
}

static void
freeing_the_store_answers_what_is_pending(void **state)
{
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct answer waiting, cancelled, unsent;

	(void)state;
	answer_init(&waiting, true);
	answer_init(&cancelled, true);
	answer_init(&unsent, false);
	start(store, "PING", &waiting);
	start(store, "PING", &cancelled);
	dr_store_cancel(&cancelled.call);
	dr_store_free(&store);
	assert_null(store);
	assert_int_equal(waiting.n_done, 1);
	assert_int_equal(waiting.err, DR_ERR_STORE_DOWN);
	assert_int_equal(waiting.n_late, 0);
	assert_int_equal(cancelled.n_done, 0);
	assert_int_equal(cancelled.n_late, 1);
	assert_true(cancelled.late_null);
	store = store_at(server.unix_at, LONG_MS);
	start(store, "PING", &unsent); /* not connected yet */
	dr_store_free(&store);
	assert_int_equal(unsent.err, DR_ERR_STORE_DOWN);
	dr_store_free(&store); /* NULL is fine */
}

/* ---- memory ---- */

static void
memory_does_not_grow_with_the_number_of_calls(void **state)
{
	enum { TURNS = 1000, EACH = 100 };
	static struct answer answers[EACH];
	struct dr_store *store = store_up(server.unix_at, LONG_MS);
	struct dr_arg args[2] = { { "many", 4 }, { "1", 1 } };
	size_t before = 0, after;

	(void)state;
	for (int turn = 0; turn < TURNS; turn++) {
		if (turn == 10)
			before = mallinfo2().uordblks;
		for (int i = 0; i < EACH; i++) {
			answer_init(&answers[i], false);
			dr_store_eval(
			    store, "", &count_up, 1, args, 2, &answers[i].call);
		}
		dr_store_wait(store, &answers[EACH - 1].call);
	}
	after = mallinfo2().uordblks;
	assert_int_equal(answers[EACH - 1].number, TURNS * EACH);
	assert_int_equal(dr_store_in_flight(store), 0);
	assert_true(
	    after < before + 64 * 1024); /* says nothing under ASan; leaks would */
	dr_store_free(&store);
}

/* ---- groups ---- */

static int
setup(void **state)
{
	loop_setup(state);
	redis_dir(&server);
	redis_start(&server, false, "");
	return 0;
}

static int
teardown(void **state)
{
	redis_remove(&server);
	return loop_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_have_the_types_redis_gave_them),
		cmocka_unit_test(arguments_are_bytes),
		cmocka_unit_test(a_large_value_makes_the_round),
		cmocka_unit_test(calls_are_executed_in_the_order_they_were_made),
		cmocka_unit_test(a_script_is_sent_once_and_named_from_then_on),
		cmocka_unit_test(a_script_that_was_flushed_is_sent_again),
		cmocka_unit_test(a_cancelled_call_of_a_flushed_script_does_not_run),
		cmocka_unit_test(a_bug_in_a_script_is_logged_by_name),
		cmocka_unit_test(a_cancelled_call_is_not_heard_of_again),
		cmocka_unit_test(freeing_the_store_answers_what_is_pending),
		cmocka_unit_test(memory_does_not_grow_with_the_number_of_calls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
