/*
 * Rules of `derouterctl model price`: what a model costs, on any day.
 */
#include "ctl_fixture.h"

static void
prices_are_those_of_their_day(void **state)
{
	(void)state;
	CTL_STATUS(0, "--json model price claude-sonnet-4-6");
	assert_string_equal(json_at("0.what"), "input per million tokens");
	assert_string_equal(json_at("0.usd"), "3");
	assert_string_equal(json_at("1.nano_usd"), "15000000000");
	CTL_STATUS(0, "model price claude-sonnet-4-6 --at 2026-11-01");
	CTL_SAID("cache_write_1h per million tokens", out);
	CTL_SAID("web_fetch: its tokens alone", out);
	CTL_STATUS(0, "model price gpt-5.1");
	CTL_SAID("a search by web_search_preview", out);
	CTL_STATUS(1, "model price claude-sonnet-4-6 --at 2001-01-01");
	CTL_SAID("has no price before", err);
}

/* What is off sale was charged once: its prices can still be looked up. */
static void
prices_of_a_model_that_is_off_sale_stay_for_the_record(void **state)
{
	(void)state;
	write_file("models.json",
	    "{\"models\":[{\"name\":\"old-1\",\"aliases\":[\"old\"],"
	    "\"display_name\":\"Old\",\"owned_by\":\"o\",\"created\":\"2026-02-05\","
	    "\"context\":1000,\"max_output\":500,\"enabled\":false,\"prices\":["
	    "{\"effective_from\":\"2026-02-05\",\"source\":\"x\",\"input\":\"2\","
	    "\"output\":\"4\"}]}]}",
	    0600);
	setenv("DEROUTER_MODELS_FILE", in_dir("models.json"), 1);
	CTL_STATUS(0, "--json model price old-1");
	assert_string_equal(json_at("0.usd"), "2");
	CTL_STATUS(0, "--json model price old");
	assert_string_equal(json_at("0.model"), "old-1");
	CTL_STATUS(0, "--json model list");
	assert_string_equal(json_at("0.name"), "");
	unsetenv("DEROUTER_MODELS_FILE");
	unlink(in_dir("models.json"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prices_are_those_of_their_day),
		cmocka_unit_test(
		    prices_of_a_model_that_is_off_sale_stay_for_the_record),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
