/*
 * test_store_reply - the pure part of the store: which error reply means what, what of
 * it may be logged, and reading INFO.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/store_internal.h"

/* ---- which error means what ---- */

static const struct {
	const char *text;
	enum dr_error err;
} meanings[] = {
	{ "OOM command not allowed when used memory > 'maxmemory'.",
	    DR_ERR_STORE_DOWN },
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
	{ "MISCONF Redis is configured to save RDB snapshots, but ...",
	    DR_ERR_STORE_DOWN },
	{ "READONLY You can't write against a read only replica.", DR_ERR_STORE_DOWN },
	{ "READONLY Can not run script with write flag on readonly replica.",
	    DR_ERR_STORE_DOWN },
	{ "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	    DR_ERR_STORE_DOWN },
	{ "LOADING Redis is loading the dataset in memory", DR_ERR_STORE_DOWN },
	{ "BUSY Redis is busy running a script.", DR_ERR_STORE_DOWN },
	{ "CLUSTERDOWN Hash slot not served", DR_ERR_STORE_DOWN },
	{ "TRYAGAIN Multiple keys request during rehashing of slot",
	    DR_ERR_STORE_DOWN },
	{ "MOVED 3999 127.0.0.1:6381", DR_ERR_STORE_DOWN },
	{ "ASK 3999 127.0.0.1:6381", DR_ERR_STORE_DOWN },
	{ "NOREPLICAS Not enough good replicas to write.", DR_ERR_STORE_DOWN },
	{ "NOAUTH Authentication required.", DR_ERR_STORE_DOWN },
	{ "NOPERM this user has no permissions to run the 'set' command",
	    DR_ERR_STORE_DOWN },
	{ "WRONGTYPE Operation against a key holding the wrong kind of value",
	    DR_ERR_INTERNAL },
	{ "ERR user_script:1: attempt to perform arithmetic on a nil value",
	    DR_ERR_INTERNAL },
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
	    "NOPERM this user has no permissions to run the 'evalsha' command",
	    &always));
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

static void
what_redis_quotes_is_cut_off(void **state)
{
	static const char plain[] = "ERR syntax error";
	static const char quotes[] =
	    "ERR unknown command 'AUTH', with args beginning with: 'swordfish' ";
	char endless[5000];

	(void)state;
	memset(endless, 'x', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_int_equal(dr_store_printable(plain), sizeof plain - 1);
	assert_int_equal(
	    dr_store_printable(quotes), strlen("ERR unknown command 'AUTH'"));
	assert_int_equal(dr_store_printable(endless), 300);
	assert_int_equal(dr_store_printable(""), 0);
}

/* ---- INFO ---- */

static const char info[] =
    "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\n"
    "# Memory\r\nmaxmemory_policy:noeviction\r\nmaxmemory:12\r\nlast:9";

static const struct {
	const char *name, *value; /* NULL: not there */
} fields[] = {
	{ "redis_version", "7.0.15" },
	{ "run_id", "abc" },
	{ "maxmemory", "12" }, /* not its longer neighbour */
	{ "maxmemory_policy", "noeviction" },
	{ "last", "9" },
	{ "version", NULL },
	{ "run", NULL },
	{ "# Server", NULL },
	{ "id", NULL },
};

static void
a_field_of_info_is_found_by_its_whole_name(void **state)
{
	char value[32];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++) {
		bool there =
		    dr_store_info_field(info, fields[i].name, value, sizeof value);

		assert_int_equal(there, fields[i].value != NULL);
		assert_string_equal(value, there ? fields[i].value : "");
	}
	assert_true(dr_store_info_field(info, "maxmemory_policy", value, 4));
	assert_string_equal(value, "noe");
}

/* Whatever is cut off, nothing behind the end is read: ASan watches the exact copy. */
static void
an_info_text_may_end_anywhere(void **state)
{
	char value[32];

	(void)state;
	for (size_t cut = 0; cut < sizeof info; cut++) {
		char *copy = dr_strndup(info, cut);

		for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++)
			if (dr_store_info_field(
				copy, fields[i].name, value, sizeof value))
				assert_int_equal(
				    strncmp(value, fields[i].value, strlen(value)), 0);
		free(copy);
	}
}

/* A call that failed has no reply: reading one of its elements is no crash. */
static void
no_reply_reads_as_nil(void **unused)
{
	size_t len = 7;

	(void)unused;
	assert_int_equal(dr_reply_type(NULL), DR_REPLY_NIL);
	assert_int_equal(dr_reply_count(NULL), 0);
	assert_null(dr_reply_at(NULL, 0));
	assert_int_equal(dr_reply_int(NULL, -5), -5);
	assert_string_equal(dr_reply_string(NULL, &len), "");
	assert_int_equal(len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_reply_reads_as_nil),
		cmocka_unit_test(errors_of_the_server_are_told_from_errors_of_a_call),
		cmocka_unit_test(only_a_script_that_has_not_run_is_sent_again),
		cmocka_unit_test(what_redis_quotes_is_cut_off),
		cmocka_unit_test(a_field_of_info_is_found_by_its_whole_name),
		cmocka_unit_test(an_info_text_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
