/*
 * test_store_wire - the store against a scripted peer in the same loop: what it writes
 * and when, and peers that a real redis-server cannot play: slow, silent, talkative,
 * wrong. Also the pure parts: which error means what.
 */
#include "store_peer.h"

/* ---- what is written when ---- */

/* write(2)s of this process so far; 0 where the kernel does not count them. */
static unsigned long
writes_so_far(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	unsigned long n = 0;
	char line[80];

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "syscw: ", 7) == 0)
			n = strtoul(line + 7, NULL, 10);
	fclose(file);
	return n;
}

static void
all_calls_of_one_turn_leave_in_one_write(void **state)
{
	enum { N = 200 };
	static struct answer answers[N];
	struct dr_store *store = store_up(peer.address, LONG_MS);

	(void)state;
	peer.reply = NULL;
	for (unsigned round = 1; round <= 3; round++) {
		unsigned long writes = writes_so_far();
		unsigned reads = peer.n_reads;

		for (int i = 0; i < N; i++) {
			answer_init(&answers[i], false);
			start(store, "PING", &answers[i]);
		}
		TURN_UNTIL(peer.n_commands == round * N);
		assert_int_equal(peer.n_reads, reads + 1);
		if (writes > 0)
			assert_int_equal(writes_so_far(), writes + 1);
		for (int i = 0; i < N; i++)
			say_text("+PONG\r\n");
		dr_store_wait(store, &answers[N - 1].call);
		assert_string_equal(answers[0].text, "PONG");
	}
	dr_store_free(&store);
}

/* Else the first calls after a restart of Redis would be sent twice, out of order. */
static void
each_connection_gets_a_script_whole_before_its_name(void **state)
{
	static struct dr_script two = SCRIPT("two", "return 2");
	struct dr_store *store = store_up(peer.address, LONG_MS);

	(void)state;
	peer.reply = ":2\r\n";
	for (unsigned connection = 1; connection <= 2; connection++) {
		assert_int_equal(peer.n_accepts, connection);
		run(store, &two);
		assert_string_equal(peer.last, "EVAL");
		run(store, &two);
		assert_string_equal(peer.last, "EVALSHA");
		hang_up();
		TURN_UNTIL(!dr_store_is_up(store));
		assert_true(dr_store_wait_up(store, LONG_MS));
	}
	dr_store_free(&store);
}

/* A call made by `done` of another one leaves in the same turn, with the others of it.
 */
static struct answer chained;
static struct dr_store *chain_store;

static void
start_chained(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)call;
	(void)reply;
	assert_int_equal(err, DR_OK);
	answer_init(&chained, false);
	start(chain_store, "PING", &chained);
}

static void
a_call_may_be_made_from_an_answer(void **state)
{
	struct answer first;

	(void)state;
	chain_store = store_up(peer.address, LONG_MS);
	answer_init(&first, false);
	first.call.done = start_chained;
	start(chain_store, "PING", &first);
	dr_store_wait(chain_store, &first.call);
	dr_store_wait(chain_store, &chained.call);
	assert_int_equal(chained.err, DR_OK);
	dr_store_free(&chain_store);
}

static void
a_peer_that_does_not_read_blocks_nobody(void **state)
{
	enum { SIZE = 4 << 20 };
	struct dr_store *store = store_up(peer.address, LONG_MS);
	char *value = dr_malloc(SIZE);
	struct dr_arg argv[2] = { { "ECHO", 4 }, { value, SIZE } };
	struct answer large, small;

	(void)state;
	memset(value, 'v', SIZE);
	dr_io_want(peer.reads, 0);
	answer_init(&large, false);
	answer_init(&small, false);
	dr_store_command(store, "", argv, 2, &large.call);
	for (int i = 0; i < 3; i++) /* the socket is full from the first turn on */
		turn_at_once();
	start(store, "PING", &small);
	dr_io_want(peer.reads, DR_IO_READ);
	dr_store_wait(store, &small.call);
	assert_int_equal(large.err, DR_OK);
	assert_int_equal(small.err, DR_OK);
	assert_int_equal(peer.n_commands, 2);
	free(value);
	dr_store_free(&store);
}

/* ---- replies ---- */

static void
replies_do_not_depend_on_where_the_bytes_are_cut(void **state)
{
	static const char replies[] =
	    "$5\r\nhello\r\n:42\r\n$-1\r\n*2\r\n:1\r\n$1\r\nx\r\n"
	    "-READONLx nothing\r\n+OK\r\n";
	const size_t len = sizeof replies - 1;
	struct dr_store *store = store_up(peer.address, LONG_MS);

	(void)state;
	peer.reply = NULL;
	for (size_t cut = 0; cut <= len; cut++) {
		struct answer a[6];

		for (int i = 0; i < 6; i++) {
			answer_init(&a[i], false);
			start(store, "GET k", &a[i]);
		}
		peer.n_commands = 0;
		TURN_UNTIL(peer.n_commands == 6);
		if (cut > 0) {
			uint64_t before = dr_store_replies(store);

			say(replies, cut);
			if (cut >= 11)
				TURN_UNTIL(dr_store_replies(store) > before);
			else
				turn_at_once();
		}
		if (cut < len)
			say(replies + cut, len - cut);
		dr_store_wait(store, &a[5].call);
		assert_string_equal(a[0].text, "hello");
		assert_int_equal(a[1].number, 42);
		assert_int_equal(a[2].type, DR_REPLY_NIL);
		assert_int_equal(a[3].count, 2);
		assert_int_equal(a[4].err, DR_ERR_INTERNAL);
		assert_string_equal(a[5].text, "OK");
	}
	assert_int_equal(peer.n_accepts, 1);
	dr_store_free(&store);
}

static const struct {
	const char *text;
	int64_t number; /* -1: none */
} numbers[] = {
	{ "0", 0 },
	{ "17", 17 },
	{ "-5", -5 },
	{ "9223372036854775807", INT64_MAX },
	{ "-9223372036854775808", INT64_MIN },
	{ "9223372036854775808", -1 },
	{ "-9223372036854775809", -1 },
	{ "99999999999999999999", -1 },
	{ "", -1 },
	{ "-", -1 },
	{ "+1", -1 },
	{ " 1", -1 },
	{ "1 ", -1 },
	{ "1.5", -1 },
	{ "1e+14", -1 },
	{ "0x10", -1 },
};

static void
a_string_is_a_number_only_when_all_of_it_is(void **state)
{
	struct dr_store *store = store_up(peer.address, LONG_MS);
	char reply[64];

	(void)state;
	peer.reply = reply;
	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++) {
		snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(numbers[i].text),
		    numbers[i].text);
		assert_int_equal(ask(store, "GET k").number, numbers[i].number);
	}
	dr_store_free(&store);
}

static void
a_peer_that_talks_unasked_is_left_not_died_of(void **state)
{
	struct dr_store *store = store_up(peer.address, LONG_MS);

	(void)state;
	log_forget();
	say_text("+HELLO\r\n"); /* while nothing was asked */
	TURN_UNTIL(peer.n_accepts == 2);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(logged("reply to nothing that was asked"), 1);

	peer.reply = "+PONG\r\n+PONG\r\n"; /* two for one */
	assert_int_equal(ask(store, "PING").err, DR_OK);
	TURN_UNTIL(peer.n_accepts == 3);
	peer.reply = "+PONG\r\n";
	assert_true(dr_store_wait_up(store, LONG_MS));

	peer.info = "-NOPERM no\r\n+PONG\r\n"; /* right behind the handshake */
	log_forget();
	hang_up();
	TURN_UNTIL(logged("reply to nothing that was asked") == 1);
	assert_false(dr_store_is_up(store));
	peer.info = FINE_INFO;
	assert_true(dr_store_wait_up(store, LONG_MS));

	peer.reply = "?what\r\n"; /* not the protocol */
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	peer.reply = "+PONG\r\n";
	assert_true(dr_store_wait_up(store, LONG_MS));
	dr_store_free(&store);
}

/* ---- the handshake ---- */

static const struct {
	const char *info, *said; /* said: NULL where it is fit */
} infos[] = {
	{ FINE_INFO, NULL },
	{ "", NULL }, /* says nothing against itself */
	{ "role:master\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", NULL },
	{ "role:master\r\nmaxmemory:9\r\nmaxmemory_policy:noeviction\r\n", NULL },
	{ "role:master\r\nmaxmemory:9\r\nmaxmemory_policy:volatile-ttl\r\n",
	    "noeviction" },
	{ "role:slave\r\nmaxmemory:0\r\n", "Redis is a replica" },
	{ "redis_mode:sentinel\r\n", "this is a Sentinel" },
	{ "loading:1\r\nrole:master\r\n", "Redis is loading its data" },
	{ "-LOADING Redis is loading the dataset in memory\r\n", "INFO: LOADING" },
	{ "-BUSY Redis is busy running a script.\r\n", "INFO: BUSY" },
	{ "-NOAUTH Authentication required.\r\n", "INFO: NOAUTH" },
	{ "-ERR max number of clients reached\r\n", "INFO: ERR max number of clients" },
	{ "-NOPERM this user has no permissions to run the 'info' command\r\n", NULL },
	{ "-ERR unknown command 'INFO', with args beginning with: \r\n", NULL },
};

static void
a_redis_that_is_not_fit_is_refused_with_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(infos); i++) {
		struct dr_store *store;

		peer.info = infos[i].info;
		log_forget();
		store = store_at(peer.address, LONG_MS);
		if (infos[i].said == NULL) {
			assert_true(dr_store_wait_up(store, LONG_MS));
			assert_int_equal(ask(store, "PING").err, DR_OK);
		} else {
			TURN_UNTIL(logged(infos[i].said) == 1);
			assert_false(dr_store_is_up(store));
			peer.info = FINE_INFO;
			assert_true(dr_store_wait_up(store, LONG_MS));
			assert_string_equal(dr_store_server_id(store), "f00d");
			assert_int_equal(logged(infos[i].said), 1);
		}
		dr_store_free(&store);
	}
}

/* Where AUTH was renamed, Redis quotes what it does not know: the password. */
static void
a_password_that_redis_quotes_is_not_logged(void **state)
{
	static const char *const quotes[] = {
		"-ERR unknown command 'AUTH', with args beginning with: 'swordfish' \r\n",
		"-ERR unknown command `AUTH`, with args beginning with: `swordfish`, \r\n",
		"-WRONGPASS swordfish is not the password\r\n",
		"-swordfish\r\n",
		"-ERR swordfish is wrong\r\n",
	};
	struct dr_store_options options = {
		.address = peer.address, .password = "swordfish", .timeout_ms = LONG_MS
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(quotes); i++) {
		struct dr_store *store;

		peer.auth = quotes[i];
		log_forget();
		store = dr_store_new(loop, &options);
		TURN_UNTIL(logged("AUTH: ") == 1);
		assert_int_equal(logged("swordfish"), 0);
		assert_false(dr_store_is_up(store));
		dr_store_free(&store);
	}
}

static void
a_handshake_without_an_end_is_given_up(void **state)
{
	struct dr_store *store;

	(void)state;
	peer.info = NULL;
	log_forget();
	store = store_at(peer.address, 20);
	TURN_UNTIL(peer.n_accepts == 3);
	assert_int_equal(logged("no connection within 20 ms; trying again"), 1);
	peer.info = FINE_INFO;
	assert_true(dr_store_wait_up(store, LONG_MS));
	dr_store_free(&store);
}

static void
in_a_cluster_scripts_travel_whole(void **state)
{
	static struct dr_script two = SCRIPT("two", "return 2");
	struct dr_store *store;

	(void)state;
	peer.info = "redis_mode:cluster\r\nrole:master\r\n";
	peer.reply = ":2\r\n";
	store = store_up(peer.address, LONG_MS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(store, &two).number, 2);
	assert_string_equal(two.sha1, ""); /* never needed */
	dr_store_free(&store);
	peer.info = FINE_INFO;
	store = store_up(peer.address, LONG_MS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run(store, &two).number, 2);
	assert_int_equal(strlen(two.sha1), 40);
	dr_store_free(&store);
}

/* ---- silence ---- */

/* The same connection goes silent, answers again, goes silent for good. */
static void
silence_is_first_doubted_then_given_up(void **state)
{
	struct dr_store *store = store_up(peer.address, 60);
	struct answer first, second;
	uint64_t before;

	(void)state;
	peer.reply = NULL;
	log_forget();
	answer_init(&first, true);
	start(store, "PING", &first);
	TURN_UNTIL(first.n_done == 1);
	assert_int_equal(first.err, DR_ERR_STORE_DOWN);
	assert_int_equal(peer.n_accepts, 1);
	say_text(":7\r\n");
	TURN_UNTIL(first.n_late == 1);
	assert_int_equal(first.number, 7);
	assert_true(dr_store_is_up(store));

	answer_init(&second, true);
	before = dr_clock_ms();
	start(store, "PING", &second);
	TURN_UNTIL(second.n_late == 1);
	assert_true(second.late_null);
	assert_true(dr_clock_ms() - before >= 119);
	TURN_UNTIL(peer.n_accepts == 2);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(logged("error store:"), 2); /* two outages */
	assert_int_equal(logged("no reply within 60 ms"), 2);
	assert_int_equal(logged("store is back after"), 2);
	dr_store_free(&store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WIRE(f) cmocka_unit_test_setup_teardown(f, peer_setup, peer_teardown)
		WIRE(all_calls_of_one_turn_leave_in_one_write),
		WIRE(each_connection_gets_a_script_whole_before_its_name),
		WIRE(a_call_may_be_made_from_an_answer),
		WIRE(a_peer_that_does_not_read_blocks_nobody),
		WIRE(replies_do_not_depend_on_where_the_bytes_are_cut),
		WIRE(a_string_is_a_number_only_when_all_of_it_is),
		WIRE(a_peer_that_talks_unasked_is_left_not_died_of),
		WIRE(a_redis_that_is_not_fit_is_refused_with_the_reason),
		WIRE(a_password_that_redis_quotes_is_not_logged),
		WIRE(a_handshake_without_an_end_is_given_up),
		WIRE(in_a_cluster_scripts_travel_whole),
		WIRE(silence_is_first_doubted_then_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
