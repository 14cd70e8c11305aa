/*
 * gateway/key_change: the rules about what may be said of a key, and the words that a
 * change becomes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "models_fixture.h"

#include "gateway/key_change.h"

static void
rules_say_what_is_wrong(void **unused)
{
	static const struct {
		const char *name, *said; /* NULL: nothing is */
	} names[] = { { "", NULL }, { "caf\xc3\xa9 - \"1\"", NULL },
		{ "a\nb", "control characters" }, { "a\x7f", "control characters" } };
	char why[DR_KEY_PROBLEM_SIZE], long_name[DR_MAX_KEY_NAME + 2];

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++) {
		const char *said = dr_key_check_name(names[i].name);

		assert_int_equal(said == NULL, names[i].said == NULL);
		if (said != NULL)
			assert_non_null(strstr(said, names[i].said));
	}
	memset(long_name, 'x', sizeof long_name);
	long_name[DR_MAX_KEY_NAME] = '\0';
	assert_null(dr_key_check_name(long_name));
	long_name[DR_MAX_KEY_NAME] = 'x';
	long_name[DR_MAX_KEY_NAME + 1] = '\0';
	assert_non_null(dr_key_check_name(long_name));
	assert_null(dr_key_check_budget(1));
	assert_non_null(dr_key_check_budget(0));
	assert_null(dr_key_check_period("total", why));
	assert_null(dr_key_check_period("day", why));
	assert_null(dr_key_check_period("month", why));
	assert_string_equal(
	    dr_key_check_period("week", why), "\"week\" is none of total, day, month");
	assert_non_null(dr_key_check_period("", why));
	assert_null(dr_key_check_expiry(1001, 1000));
	assert_non_null(dr_key_check_expiry(1000, 1000));
}

static void
models_are_named_by_their_names(void **unused)
{
	struct dr_models *models = load(
	    "{\"models\":[{\"name\":\"m-1\",\"aliases\":[\"m\"],\"display_name\":\"M\","
	    "\"owned_by\":\"o\",\"created\":\"2026-02-05\",\"context\":1000,"
	    "\"max_output\":500,\"prices\":[" PLAIN "]}]}");
	char why[DR_KEY_PROBLEM_SIZE];

	(void)unused;
	assert_non_null(models);
	assert_null(dr_key_check_models(models, "m-1", why));
	assert_string_equal(dr_key_check_models(models, "", why), "names none");
	assert_string_equal(
	    dr_key_check_models(models, "m-1,x", why), "there is no model \"x\"");
	assert_string_equal(
	    dr_key_check_models(models, "m-1,,m-1", why), "there is no model \"\"");
	assert_string_equal(dr_key_check_models(models, "m", why),
	    "\"m\" is an alias of \"m-1\": name that one");
	dr_models_free(&models);
}

/* The words with blanks between them; an empty one is "''". */
static const char *
words_of(const struct dr_key_change *change)
{
	static char text[500];
	struct dr_key_words words;
	size_t n = 0;

	dr_key_change_words(change, &words);
	text[0] = '\0';
	for (size_t i = 0; i < words.n; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
		    i > 0 ? " " : "",
		    words.words[i][0] != '\0' ? words.words[i] : "''");
	return text;
}

static void
a_change_becomes_words(void **unused)
{
	struct dr_key_change change = { 0 };

	(void)unused;
	assert_string_equal(words_of(&change), "");
	change = (struct dr_key_change){ .name = "",
		.rpm = 1,
		.concurrency = 2,
		.sets_budget = true,
		.budget_nano = 9007199254740991,
		.period = "day",
		.sets_expiry = true,
		.expires_ms = 4,
		.models = "a,b",
		.status = "off" };
	assert_string_equal(words_of(&change),
	    "name '' rpm 1 conc 2 budget 9007199254740991 period day models a,b "
	    "expires 4 status off");
	/* taken away: the budget's period with it */
	change = (struct dr_key_change){
		.sets_budget = true, .period = "day", .sets_expiry = true, .models = ""
	};
	assert_string_equal(
	    words_of(&change), "budget '' period '' models '' expires ''");
	change = (struct dr_key_change){ .period = "month" };
	assert_string_equal(words_of(&change), "period month");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_say_what_is_wrong),
		cmocka_unit_test(models_are_named_by_their_names),
		cmocka_unit_test(a_change_becomes_words),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
