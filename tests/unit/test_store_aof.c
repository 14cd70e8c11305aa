/*
 * test_store_aof - Redis' append-only file after a Redis that died in the middle of a
 * write: what its next start has left out must stay out for good.
 */
#include "store_fixture.h"

#include <glob.h>

#define AOF_ON "--appendonly yes --appendfsync always "

/* The effects of a script stand in the file as one transaction. */
static struct dr_script book = SCRIPT("book",
    "redis.call('SET', 'receipt', '1') redis.call('XADD', 'ledger', '*', 'req', 'A') "
    "redis.call('XADD', 'requests', '*', 'req', 'A')");

static struct redis server;

/* ---- its files ---- */

/* appendonlydir/NAME for each that matches; the caller frees. */
static glob_t
aof_files(const char *pattern)
{
	char path[128];
	glob_t found;

	snprintf(path, sizeof path, "%s/appendonlydir/%s", server.dir, pattern);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	return found;
}

static off_t
aof_size(void)
{
	glob_t files = aof_files("*.incr.aof");
	struct stat st;

	assert_int_equal(files.gl_pathc, 1);
	assert_int_equal(stat(files.gl_pathv[0], &st), 0);
	globfree(&files);
	return st.st_size;
}

static void
aof_cut(off_t size)
{
	glob_t files = aof_files("*.incr.aof");

	assert_int_equal(files.gl_pathc, 1);
	assert_int_equal(truncate(files.gl_pathv[0], size), 0);
	globfree(&files);
}

static void
aof_remove(void)
{
	char path[64];
	glob_t files;

	snprintf(path, sizeof path, "%s/appendonlydir", server.dir);
	if (access(path, F_OK) != 0)
		return;
	files = aof_files("*");
	for (size_t i = 0; i < files.gl_pathc; i++)
		assert_int_equal(unlink(files.gl_pathv[i]), 0);
	globfree(&files);
	assert_int_equal(rmdir(path), 0);
}

static int
setup(void **state)
{
	loop_setup(state);
	redis_dir(&server);
	return 0;
}

static int
teardown(void **state)
{
	redis_kill(&server);
	aof_remove();
	redis_remove(&server);
	return loop_teardown(state);
}

/* ---- a server, and what it says of itself ---- */

struct info {
	struct dr_store_call call;
	const char *what;
	bool found;
};

static void
on_info(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct info *info = DR_CONTAINER_OF(call, struct info, call);

	assert_int_equal(err, DR_OK);
	info->found = strstr(dr_reply_string(reply, NULL), info->what) != NULL;
}

static bool
info_says(struct dr_store *store, const char *what)
{
	struct dr_arg argv[] = { { "INFO", 4 }, { "everything", 10 } };
	struct info info = { .call.done = on_info, .what = what };

	dr_store_command(store, "", argv, 2, &info.call);
	dr_store_wait(store, &info.call);
	return info.found;
}

static void
rewritten(struct dr_store *store)
{
	TURN_UNTIL(info_says(store, "aof_rewrite_in_progress:0") &&
		   !info_says(store, "aof_last_rewrite_time_sec:-1"));
}

static struct dr_store *
started(const char *options)
{
	redis_start(&server, false, options);
	return store_up(server.unix_at, LONG_MS);
}

static void
killed(struct dr_store **store)
{
	dr_store_free(store);
	redis_kill(&server);
}

/* ---- who asks for a new file, and when ---- */

static void
the_first_to_come_has_it_written_anew(void **state)
{
	struct dr_store *first = started(AOF_ON), *second;

	(void)state;
	rewritten(first);
	second = store_up(server.unix_at, LONG_MS);
	assert_int_equal(ask(second, "PING").err, DR_OK);
	assert_true(info_says(second, "cmdstat_bgrewriteaof:calls=1,"));
	dr_store_free(&second);
	assert_int_equal(logged("BGREWRITEAOF"), 0);
	killed(&first);
}

static void
several_that_come_at_once_do_not_complain(void **state)
{
	struct dr_store *stores[8];

	(void)state;
	log_forget();
	redis_start(&server, false, AOF_ON);
	for (size_t i = 0; i < DR_N_ELEMENTS(stores); i++)
		stores[i] = store_at(server.unix_at, LONG_MS);
	for (size_t i = 0; i < DR_N_ELEMENTS(stores); i++) {
		assert_true(dr_store_wait_up(stores[i], LONG_MS));
		assert_int_equal(ask(stores[i], "PING").err, DR_OK);
	}
	assert_int_equal(logged("BGREWRITEAOF"), 0);
	rewritten(stores[0]); /* leaves no file half written */
	for (size_t i = 0; i < DR_N_ELEMENTS(stores); i++)
		dr_store_free(&stores[i]);
	redis_kill(&server);
}

static void
where_there_is_no_file_nobody_asks_and_the_operator_is_told_once(void **state)
{
	struct dr_store *store = store_at(server.unix_at, LONG_MS);

	(void)state;
	log_forget();
	for (int i = 0; i < 2; i++) {
		redis_start(&server, false, "");
		assert_true(dr_store_wait_up(store, LONG_MS));
		assert_false(info_says(store, "cmdstat_bgrewriteaof"));
		assert_int_equal(logged("appendonly is off"), 1);
		redis_kill(&server);
		TURN_UNTIL(!dr_store_is_up(store));
	}
	dr_store_free(&store);
}

static void
who_may_not_ask_is_told_once_and_served(void **state)
{
	struct dr_store_options options = { .address = server.unix_at,
		.username = "gateway",
		.password = "gateway-pass",
		.timeout_ms = LONG_MS };
	struct dr_store *store;

	(void)state;
	log_forget();
	store = dr_store_new(loop, &options);
	for (int i = 0; i < 2; i++) {
		redis_start(&server, false,
		    AOF_ON "--user gateway on >gateway-pass ~* +@all -bgrewriteaof");
		assert_true(dr_store_wait_up(store, LONG_MS));
		assert_int_equal(ask(store, "SET a 1").err, DR_OK);
		assert_int_equal(logged("BGREWRITEAOF is refused: NOPERM"), 1);
		redis_kill(&server);
		TURN_UNTIL(!dr_store_is_up(store));
	}
	dr_store_free(&store);
}

/* ---- what it is good for ---- */

/* Redis dies with the last `torn` bytes not on disk; what was booked is told again, and
 * Redis dies once more. */
static void
book_twice(off_t torn)
{
	struct dr_store *store = started(AOF_ON);

	rewritten(store);
	assert_int_equal(run(store, &book).err, DR_OK);
	killed(&store);
	aof_cut(aof_size() - torn);

	store = started(AOF_ON);
	assert_int_equal(ask(store, "EXISTS receipt ledger requests").number, 0);
	rewritten(store);
	assert_int_equal(run(store, &book).err, DR_OK);
	killed(&store);

	store = started(AOF_ON);
	assert_int_equal(ask(store, "XLEN ledger").number, 1);
	assert_int_equal(ask(store, "XLEN requests").number, 1);
	rewritten(store);
	killed(&store);
	aof_remove();
}

static void
half_a_transaction_never_comes_back(void **state)
{
	struct dr_store *store = started(AOF_ON);
	off_t whole;

	(void)state;
	rewritten(store);
	whole = aof_size();
	run(store, &book);
	whole = aof_size() - whole; /* SELECT, MULTI, three commands, EXEC */
	killed(&store);
	aof_remove();
	assert_in_range(whole, 100, 500);
	for (off_t torn = 1; torn < whole - 50; torn += 17)
		book_twice(torn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    the_first_to_come_has_it_written_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    several_that_come_at_once_do_not_complain, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    where_there_is_no_file_nobody_asks_and_the_operator_is_told_once,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_may_not_ask_is_told_once_and_served, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    half_a_transaction_never_comes_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
