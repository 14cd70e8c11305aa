/*
 * test_store_wire - the store against a scripted peer in the same loop: what it writes and
 * when, and peers that a real redis-server cannot play: slow, silent, talkative, wrong.
 * Also the pure parts: which error means what.
 */
#include "store_fixture.h"

#include "io/store_internal.h"

/* ---- the peer ---- */

#define FINE_INFO "role:master\r\nrun_id:f00d\r\nloading:0\r\nmaxmemory:0\r\n"

static struct peer {
	char dir[32], address[64];
	int listening, conn; /* -1: none */
	struct dr_io *accepts, *reads;
	struct dr_strbuf in;
	/* the script */
	const char *info;  /* what INFO is told; NULL: nothing, ever */
	const char *reply; /* what other commands are told; NULL: nothing */
	const char *auth;  /* what AUTH is told */
	/* the record */
	unsigned n_accepts, n_reads, n_commands;
} peer;

static void
say(const char *bytes, size_t len)
{
	assert_int_equal(write(peer.conn, bytes, len), len);
}

static void
say_text(const char *text)
{
	say(text, strlen(text));
}

static void
hang_up(void)
{
	if (peer.conn < 0)
		return;
	dr_io_free(&peer.reads);
	close(peer.conn);
	peer.conn = -1;
	dr_strbuf_clear(&peer.in);
}

/* A counted piece, "*3\r\n" or "$5\r\n": its number, and past it. */
static const char *
counted(const char *at, size_t *n)
{
	char *end;

	*n = strtoul(at + 1, &end, 10);
	assert_int_equal(strncmp(end, "\r\n", 2), 0);
	return end + 2;
}

/* Length of the first whole command, and its name; 0 where it is not all in. */
static size_t
first_command(const char *bytes, size_t have, const char **name)
{
	const char *end = bytes + have, *at;
	size_t n_words, len;

	if (have == 0 || memchr(bytes, '\n', have) == NULL)
		return 0;
	assert_int_equal(bytes[0], '*');
	at = counted(bytes, &n_words);
	for (size_t i = 0; i < n_words; i++) {
		if (at >= end || memchr(at, '\n', (size_t)(end - at)) == NULL)
			return 0;
		assert_int_equal(*at, '$');
		at = counted(at, &len);
		if ((size_t)(end - at) < len + 2)
			return 0;
		if (i == 0)
			*name = at;
		assert_int_equal(strncmp(at + len, "\r\n", 2), 0);
		at += len + 2;
	}
	return (size_t)(at - bytes);
}

static void
answer_command(const char *name)
{
	char head[32];

	if (strncmp(name, "INFO\r", 5) == 0) {
		if (peer.info == NULL)
			return;
		if (peer.info[0] == '-') {
			say_text(peer.info);
			return;
		}
		snprintf(head, sizeof head, "$%zu\r\n", strlen(peer.info));
		say_text(head);
		say_text(peer.info);
		say_text("\r\n");
	} else if (strncmp(name, "AUTH\r", 5) == 0) {
		say_text(peer.auth);
	} else {
		peer.n_commands++;
		if (peer.reply != NULL)
			say_text(peer.reply);
	}
}

static void
on_bytes(void *arg, unsigned bits)
{
	static char bytes[1 << 20];
	ssize_t n = read(peer.conn, bytes, sizeof bytes);
	const char *name = NULL;
	size_t len;

	(void)arg;
	(void)bits;
	if (n <= 0) {
		hang_up();
		return;
	}
	peer.n_reads++;
	dr_strbuf_add(&peer.in, bytes, (size_t)n);
	while ((len = first_command(peer.in.data, peer.in.len, &name)) > 0) {
		answer_command(name);
		dr_strbuf_consume(&peer.in, len);
	}
}

static void
on_accept(void *arg, unsigned bits)
{
	(void)arg;
	(void)bits;
	hang_up();
	peer.conn = accept(peer.listening, NULL, NULL);
	assert_true(peer.conn >= 0);
	peer.n_accepts++;
	peer.reads = dr_io_new(loop, peer.conn, on_bytes, NULL);
	dr_io_want(peer.reads, DR_IO_READ);
}

static int
setup(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	loop_setup(state);
	peer = (struct peer){ .conn = -1, .info = FINE_INFO, .reply = "+PONG\r\n" };
	peer.auth = "+OK\r\n";
	dr_strbuf_init(&peer.in, 64 << 20);
	snprintf(peer.dir, sizeof peer.dir, "/tmp/dr-wire-XXXXXX");
	assert_non_null(mkdtemp(peer.dir));
	snprintf(peer.address, sizeof peer.address, "unix:%s/sock", peer.dir);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/sock", peer.dir);
	peer.listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(peer.listening, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(peer.listening, 16), 0);
	peer.accepts = dr_io_new(loop, peer.listening, on_accept, NULL);
	dr_io_want(peer.accepts, DR_IO_READ);
	return 0;
}

static int
teardown(void **state)
{
	hang_up();
	dr_io_free(&peer.accepts);
	close(peer.listening);
	dr_strbuf_fini(&peer.in);
	unlink(peer.address + 5);
	assert_int_equal(rmdir(peer.dir), 0);
	return loop_teardown(state);
}

/* ---- what is written when ---- */

static void
all_calls_of_one_turn_leave_in_one_write(void **state)
{
	enum { N = 200 };
	static struct answer answers[N];
	struct dr_store *store = store_up(peer.address, LONG_MS);
	unsigned reads;

	(void)state;
	for (int round = 1; round <= 3; round++) {
		reads = peer.n_reads;
		for (int i = 0; i < N; i++) {
			answer_init(&answers[i], false);
			start(store, "PING", &answers[i]);
		}
		dr_store_wait(store, &answers[N - 1].call);
		assert_int_equal(peer.n_reads, reads + 1);
		assert_int_equal(peer.n_commands, round * N);
	}
	dr_store_free(&store);
}

/* A call made by `done` of another one leaves in the same turn, with the others of it. */
static struct answer chained;
static struct dr_store *chain_store;

static void
start_chained(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
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
	for (int i = 0; i < 3; i++) { /* the socket is full: these turns only wait */
		struct dr_timer at_once;

		dr_timer_init(&at_once, loop, turn_limit_over);
		dr_timer_start(&at_once, 1);
		dr_loop_turn(loop);
		dr_timer_stop(&at_once);
	}
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
	static const char replies[] = "$5\r\nhello\r\n:42\r\n$-1\r\n*2\r\n:1\r\n$1\r\nx\r\n"
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
				dr_loop_turn(loop);
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
	hang_up();
	TURN_UNTIL(peer.n_accepts == 4);
	peer.info = FINE_INFO;
	TURN_UNTIL(peer.n_accepts == 5);
	assert_true(dr_store_wait_up(store, LONG_MS));

	peer.reply = "?what\r\n"; /* not the protocol */
	assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
	TURN_UNTIL(peer.n_accepts == 6);
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
	{ "role:master\r\nmaxmemory:9\r\nmaxmemory_policy:volatile-ttl\r\n", "noeviction" },
	{ "role:slave\r\nmaxmemory:0\r\n", "Redis is a replica" },
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
			assert_string_equal(dr_store_run_id(store), "f00d");
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
	struct dr_store_options options = { .address = peer.address,
		.password = "swordfish",
		.timeout_ms = LONG_MS };

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
	/* A peer that does not know EVALSHA at all gets EVAL from the first refusal on. */
	for (int i = 0; i < 2; i++) {
		store = store_up(peer.address, LONG_MS);
		peer.reply = ":2\r\n";
		for (int k = 0; k < 3; k++)
			assert_int_equal(run(store, &two).number, 2);
		assert_string_equal(i == 0 ? two.sha1 : "", ""); /* never needed */
		if (i == 1)
			assert_int_equal(strlen(two.sha1), 40);
		dr_store_free(&store);
		peer.info = FINE_INFO;
	}
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

/* ---- which error means what ---- */

static const struct {
	const char *text;
	enum dr_error err;
} meanings[] = {
	{ "OOM command not allowed when used memory > 'maxmemory'.", DR_ERR_STORE_DOWN },
	{ "OOM command not allowed when used memory > 'maxmemory'. script: f0, on "
	  "@user_script:1.",
	    DR_ERR_STORE_DOWN },
	{ "OOM allow-oom flag is not set on the script, can not run it when used memory > "
	  "'maxmemory'",
	    DR_ERR_STORE_DOWN },
	{ "ERR Error running script (call to f_f0): @user_script:1: @user_script: 1: -OOM "
	  "command not allowed when used memory > 'maxmemory'. ",
	    DR_ERR_STORE_DOWN },
	{ "ERR Error running script (call to f_f0): @user_script:1: @user_script: 1: "
	  "-READONLY You can't write against a read only replica. ",
	    DR_ERR_STORE_DOWN },
	{ "ERR Error running script (call to f_f0): @user_script:1: user_script:1: attempt to "
	  "call a nil value",
	    DR_ERR_INTERNAL },
	{ "MISCONF Redis is configured to save RDB snapshots, but ...", DR_ERR_STORE_DOWN },
	{ "READONLY You can't write against a read only replica.", DR_ERR_STORE_DOWN },
	{ "READONLY Can not run script with write flag on readonly replica.",
	    DR_ERR_STORE_DOWN },
	{ "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	    DR_ERR_STORE_DOWN },
	{ "LOADING Redis is loading the dataset in memory", DR_ERR_STORE_DOWN },
	{ "BUSY Redis is busy running a script.", DR_ERR_STORE_DOWN },
	{ "CLUSTERDOWN Hash slot not served", DR_ERR_STORE_DOWN },
	{ "TRYAGAIN Multiple keys request during rehashing of slot", DR_ERR_STORE_DOWN },
	{ "MOVED 3999 127.0.0.1:6381", DR_ERR_STORE_DOWN },
	{ "ASK 3999 127.0.0.1:6381", DR_ERR_STORE_DOWN },
	{ "NOREPLICAS Not enough good replicas to write.", DR_ERR_STORE_DOWN },
	{ "NOAUTH Authentication required.", DR_ERR_STORE_DOWN },
	{ "NOPERM this user has no permissions to run the 'set' command", DR_ERR_STORE_DOWN },
	{ "WRONGTYPE Operation against a key holding the wrong kind of value",
	    DR_ERR_INTERNAL },
	{ "ERR user_script:1: attempt to perform arithmetic on a nil value", DR_ERR_INTERNAL },
	{ "ERR syntax error", DR_ERR_INTERNAL },
	{ "BUSYGROUP Consumer Group name already exists", DR_ERR_INTERNAL },
	{ "OOMPH", DR_ERR_INTERNAL },
	{ "ERR the text says -OOM and: -OOM but is no wrapped error", DR_ERR_INTERNAL },
	{ "", DR_ERR_INTERNAL },
};

static void
errors_of_the_server_are_told_from_errors_of_a_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(meanings); i++)
		assert_int_equal(dr_store_error_of(meanings[i].text), meanings[i].err);
}

static void
only_a_script_that_has_not_run_is_sent_again(void **state)
{
	bool always;

	(void)state;
	assert_true(dr_store_wants_eval("NOSCRIPT No matching script.", &always));
	assert_false(always);
	assert_true(dr_store_wants_eval(
	    "NOPERM this user has no permissions to run the 'evalsha' command", &always));
	assert_true(always);
	assert_true(dr_store_wants_eval(
	    "ERR unknown command 'EVALSHA', with args beginning with: ", &always));
	assert_true(always);
	assert_false(dr_store_wants_eval(
	    "NOPERM this user has no permissions to access one of the keys", &always));
	assert_false(dr_store_wants_eval("ERR NOSCRIPT", &always));
	assert_false(dr_store_wants_eval("OOM command not allowed", &always));
	assert_false(always);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WIRE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		WIRE(all_calls_of_one_turn_leave_in_one_write),
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
		cmocka_unit_test(errors_of_the_server_are_told_from_errors_of_a_call),
		cmocka_unit_test(only_a_script_that_has_not_run_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
