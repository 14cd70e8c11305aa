/*
 * Rules of derouterctl's output: all of it or an error, and tables that stay tables.
 */
#include "ctl_fixture.h"

/* A full disk must not pass for an export that is done. */
static void
output_that_cannot_be_written_is_status_1(void **state)
{
	const char *id = new_account("1");
	char words[5][64] = { "", "ledger verify", "account list", "--help",
		"model list" };

	(void)state;
	snprintf(words[0], sizeof words[0], "ledger %s --csv", id);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++) {
		output_to = "/dev/full";
		int status = ctl("%s", words[i]);

		output_to = NULL;
		if (status != 1)
			fail_msg("%s: status %d", words[i], status);
		CTL_SAID("standard output: No space left on device", err);
	}
}

/* As many columns as letters, whatever their bytes; nothing that moves the cursor. */
static void
a_table_keeps_its_columns_whatever_the_names(void **state)
{
	const char *first, *second;

	(void)state;
	(void)ask(store, "FLUSHALL");
	CTL_STATUS(0, "account add --name \xc3\xa9t\xc3\xa9");
	CTL_STATUS(0, "account add --name abc");
	CTL_STATUS(0, "account add --name a\xc2\x9bX");
	CTL_STATUS(0, "account list");
	CTL_SAID("a?X", out);
	first = strstr(out, "\xc3\xa9t\xc3\xa9");
	second = strstr(out, "abc");
	assert_true(first != NULL && second != NULL);
	assert_int_equal(
	    strstr(first, "on") - first, strstr(second, "on") - second + 2);
}

/* A ledger has room for everything that may be told, and few rows tell it. */
static void
people_see_the_columns_of_a_ledger_that_say_something(void **state)
{
	char account[64];

	(void)state;
	snprintf(account, sizeof account, "%s", new_account("1.5"));
	CTL_STATUS(0, "ledger %s", account);
	CTL_SAID("time                      type    usd  balance_usd  reason", out);
	assert_null(strstr(out, "provider"));
	assert_null(strstr(out, "nano_usd"));
	CTL_STATUS(0, "ledger %s --csv", account);
	CTL_SAID(",provider,", out);
	CTL_SAID(",balance_nano_usd,", out);
	CTL_STATUS(0, "account show %s", account); /* others show all */
	CTL_SAID("held_nano_usd", out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_that_cannot_be_written_is_status_1),
		cmocka_unit_test(a_table_keeps_its_columns_whatever_the_names),
		cmocka_unit_test(people_see_the_columns_of_a_ledger_that_say_something),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
