/*
 * test_store_login - which Redis, which database, as whom: addresses that work,
 * passwords, users who may not do everything.
 */
#include "store_fixture.h"

static struct redis server;

static struct dr_script two = SCRIPT("two", "return 2");

/* ---- addresses and databases ---- */

static void
databases_are_apart(void **state)
{
	struct dr_store_options options = {
		.address = server.unix_at, .database = 3, .timeout_ms = LONG_MS
	};
	struct dr_store *three = dr_store_new(loop, &options);
	struct dr_store *zero = store_up(server.unix_at, LONG_MS);

	(void)state;
	assert_true(dr_store_wait_up(three, LONG_MS));
	ask(three, "SET only-in-three 1");
	assert_int_equal(ask(three, "EXISTS only-in-three").number, 1);
	assert_int_equal(ask(zero, "EXISTS only-in-three").number, 0);
	dr_store_free(&three);
	dr_store_free(&zero);
	options.database = 99;
	log_forget();
	three = dr_store_new(loop, &options);
	TURN_UNTIL(logged("SELECT: ERR DB index is out of range") == 1);
	assert_false(dr_store_is_up(three));
	dr_store_free(&three);
}

static void
tcp_serves_as_well(void **state)
{
	struct dr_store *store = store_up(server.tcp_at, LONG_MS);
	char named[64];

	(void)state;
	assert_int_equal(run(store, &two).number, 2);
	dr_store_free(&store);
	snprintf(named, sizeof named, "localhost%s", strchr(server.tcp_at, ':'));
	store = store_up(named, LONG_MS);
	assert_int_equal(run(store, &two).number, 2);
	dr_store_free(&store);
}

static void
redis_is_known_by_its_process_and_its_history(void **state)
{
	struct dr_store *store = store_at(server.unix_at, LONG_MS);

	(void)state;
	assert_string_equal(dr_store_server_id(store), "");
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(strlen(dr_store_server_id(store)), 40 + 1 + 40);
	dr_store_free(&store);
}

/* ---- users ---- */

static const struct {
	const char *username, *password, *said; /* said: NULL where it is let in */
} logins[] = {
	{ NULL, "swordfish-42", NULL },
	{ "", "swordfish-42", NULL },
	{ "default", "swordfish-42", NULL },
	{ "gateway", "gateway-pass", NULL },
	{ NULL, "wrong-horse", "does not accept this user name and password" },
	{ "gateway", "wrong-horse", "does not accept this user name and password" },
	{ NULL, NULL, "NOAUTH" },
};

static void
only_the_right_password_is_let_in_and_none_is_logged(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(logins); i++) {
		struct dr_store_options options = { .address = server.unix_at,
			.username = logins[i].username,
			.password = logins[i].password,
			.timeout_ms = LONG_MS };
		struct dr_store *store;

		log_forget();
		store = dr_store_new(loop, &options);
		if (logins[i].said == NULL) {
			assert_true(dr_store_wait_up(store, LONG_MS));
			assert_int_equal(run(store, &two).number, 2);
		} else {
			TURN_UNTIL(logged(logins[i].said) > 0);
			assert_false(dr_store_is_up(store));
			assert_int_equal(ask(store, "PING").err, DR_ERR_STORE_DOWN);
			assert_int_equal(logged(logins[i].said), 1);
		}
		assert_int_equal(logged("horse"), 0);
		assert_int_equal(logged("swordfish"), 0);
		dr_store_free(&store);
	}
}

/* Managed servers forbid commands one by one. */
static void
a_user_without_info_or_evalsha_is_served_all_the_same(void **state)
{
	static const struct dr_store_options as_gateway = {
		.username = "gateway", .password = "gateway-pass", .timeout_ms = LONG_MS
	};
	struct dr_store_options options = as_gateway;
	struct dr_store *store;

	(void)state;
	options.address = server.unix_at;
	log_forget();
	store = dr_store_new(loop, &options);
	assert_true(dr_store_wait_up(store, LONG_MS));
	assert_int_equal(logged("warn store:"), 1);
	assert_int_equal(logged("INFO is refused"), 1);
	assert_string_equal(dr_store_server_id(store), "");
	for (int i = 0; i < 4; i++)
		assert_int_equal(run(store, &two).number, 2);
	assert_int_equal(logged("error"), 0);
	assert_int_equal(ask(store, "CONFIG GET port").err, DR_ERR_STORE_DOWN);
	dr_store_free(&store);
}

/* ---- groups ---- */

static int
plain_setup(void **state)
{
	loop_setup(state);
	redis_dir(&server);
	redis_start(&server, true, "");
	return 0;
}

static int
users_setup(void **state)
{
	loop_setup(state);
	redis_dir(&server);
	redis_start(&server, false,
	    "--requirepass swordfish-42 --user gateway on >gateway-pass ~* +@all -info "
	    "-evalsha -config");
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
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(databases_are_apart),
		cmocka_unit_test(tcp_serves_as_well),
		cmocka_unit_test(redis_is_known_by_its_process_and_its_history),
	};
	const struct CMUnitTest users[] = {
		cmocka_unit_test(only_the_right_password_is_let_in_and_none_is_logged),
		cmocka_unit_test(a_user_without_info_or_evalsha_is_served_all_the_same),
	};
	int failed = cmocka_run_group_tests(plain, plain_setup, teardown);

	return failed + cmocka_run_group_tests(users, users_setup, teardown);
}
