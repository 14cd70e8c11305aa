/*
 * Rules of config/models: strict reading of models.json, every breach told with its
 * place. The shipped file is read as well. What a usage costs: test_price.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/money.h"
#include "config/config.h"
#include "config/json_lines.h"
#include "config/reader.h"
#include "models_fixture.h"

static void
a_model_is_read_as_it_stands(void **state)
{
	struct dr_models *models = load(
	    "{\"models\":[{\"name\":\"a-1\",\"display_name\":\"A \\u00fc\",\"owned_by\":\"x\","
	    "\"created\":1760000000,\"context\":200000,\"max_output\":64000,\"source\":\"n\","
	    "\"aliases\":[\"a\",\"a-latest\"],\"fallback\":[\"b\"],\"enabled\":true,"
	    "\"prices\":[" ROW(
		"\"input\":\"3\",\"output\":\"15\",\"cache_read\":\"0.30\","
		"\"cache_write_5m\":\"3.75\",\"cache_write_1h\":\"6\","
		"\"web_search\":\"0.01\"") "]},"
					   "{\"name\":\"b\",\"display_name\":\"B\",\"owned_by\":\"x\",\"created\":\"1970-01-02\","
					   "\"context\":1,\"max_output\":1,\"prices\":[" PLAIN
					   "]}]}");
	const struct dr_model *a;

	(void)state;
	assert_non_null(models);
	assert_int_equal(dr_models_count(models), 2);
	a = dr_models_at(models, 0);
	assert_string_equal(a->name, "a-1");
	assert_string_equal(a->display_name, "A \xc3\xbc");
	assert_int_equal(a->created, 1760000000);
	assert_int_equal(a->context, 200000);
	assert_int_equal(a->max_output, 64000);
	assert_string_equal(a->aliases[1], "a-latest");
	assert_null(a->aliases[2]);
	assert_string_equal(a->fallback[0], "b");
	assert_ptr_equal(dr_models_find(models, "a-latest"), a);
	assert_ptr_equal(dr_models_find(models, "a-1"), a);
	assert_null(dr_models_find(models, "A"));
	assert_null(dr_models_find(models, ""));
	assert_int_equal(dr_models_at(models, 1)->created, 86400);
	assert_int_equal(a->prices[0].tiers[0].input, 3 * DR_NANO_PER_USD);
	assert_int_equal(a->prices[0].tiers[0].cache_write_1h, 6 * DR_NANO_PER_USD);
	assert_int_equal(a->prices[0].web_search, 10000000);
	assert_string_equal(a->prices[0].date, "2026-01-01");
	dr_models_free(&models);
	assert_null(models);
	dr_models_free(&models);
}

static void
every_breach_is_told_with_its_place(void **state)
{
	static const struct {
		const char *json, *told;
	} rows[] = {
		{ "", "models.json:1: not JSON: empty" },
		{ "{\n\"models\":[\n{,", "models.json:3: not JSON:" },
		{ "[]", ":1: must be an object" },
		{ "{}", "models is missing" },
		{ "{\"models\":{}}", "models: must be a list" },
		{ "{\"models\":[]}", "models: must hold at least one" },
		{ "{\"models\":[7]}", "models[0]: must be an object" },
		{ "{\"modles\":[],\"models\":[]}", "modles: unknown field" },
		{ "{\"models\":[{}]}", "models[0]: name is missing" },
		{ "{\"models\":[{}]}", "models[0]: prices is missing" },
		{ MODEL("a,b", PLAIN), "name: must be at most 128" },
		{ MODEL("", PLAIN), "name: must be a text" },
		{ MODEL("m", ""), "model \"m\": prices: must hold at least one" },
		{ MODEL("m", ROW("\"input\":3.0,\"output\":\"15\"")),
		    "model \"m\": prices[0].input: must be a decimal in quotes" },
		{ MODEL("m", ROW("\"input\":\"3\"")),
		    "model \"m\": prices[0]: output is missing" },
		{ MODEL("m", ROW("\"input\":\"0\",\"output\":\"1\"")),
		    "prices[0].input: must be a decimal from 0.000000001 to 10000" },
		{ MODEL("m", ROW("\"input\":\"-1\",\"output\":\"1\"")),
		    "prices[0].input:" },
		{ MODEL("m", ROW("\"input\":\"10001\",\"output\":\"1\"")),
		    "prices[0].input:" },
		{ MODEL("m", ROW("\"input\":\"1\\u0000\",\"output\":\"1\"")),
		    "prices[0].input:" },
		{ MODEL("m", ROW("\"input\":null,\"output\":\"1\"")),
		    "prices[0].input: is null; leave the field out" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\",\"cache_raed\":\"1\"")),
		    "prices[0].cache_raed: unknown field" },
		{ MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\",\"cache_read\":1")),
		    "prices[0].cache_read: must be a decimal in quotes" },
		{ MODEL("m",
		      "{\"effective_from\":\"2026-01-01\",\"input\":\"1\",\"output\":\"1\"}"),
		    "prices[0]: source is missing" },
		{ MODEL("m", "{\"source\":\"s\",\"input\":\"1\",\"output\":\"1\"}"),
		    "prices[0]: effective_from is missing" },
		{ MODEL("m",
		      "{\"effective_from\":\"2026-02-30\",\"source\":\"s\",\"input\":\"1\","
		      "\"output\":\"1\"}"),
		    "prices[0].effective_from: must be a date" },
		{ MODEL("m",
		      "{\"effective_from\":\"2999-01-01\",\"source\":\"s\",\"input\":\"1\","
		      "\"output\":\"1\"}"),
		    "prices: no price is in force yet; the first is from 2999-01-01" },
		{ MODEL("m", PLAIN "," PLAIN),
		    "prices: two rows are effective from 2026-01-01" },
		{ MODEL("m", "3"), "prices[0]: must be an object" },
		{ MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\",\"tools\":\"x\"")),
		    "prices[0].tools: must be" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\",\"tools\":[\"web_search\"]")),
		    "prices[0].tools: \"web_search\" is offered by its price" },
		{ MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\","
				 "\"tools\":[\"web_search_preview\"]")),
		    "prices[0].tools: \"web_search_preview\" is charged by its searches" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\",\"tiers\":[{\"input\":\"1\","
			  "\"output\":\"1\"}]")),
		    "prices[0].tiers[0]: above_tokens is missing" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\",\"tiers\":[{\"above_tokens\":2,"
			  "\"input\":\"1\",\"output\":\"1\"},{\"above_tokens\":2,"
			  "\"input\":\"1\",\"output\":\"1\"}]")),
		    "prices[0].tiers[1].above_tokens: must be greater" },
		{ MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\",\"tiers\":[3]")),
		    "prices[0].tiers[0]: must be an object" },
		{ MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\",\"variants\":[]")),
		    "prices[0].variants: must be an object" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\",\"variants\":{\"speed\":2}")),
		    "prices[0].variants.speed: must be an object" },
		{ MODEL(
		      "m", ROW("\"input\":\"1\",\"output\":\"1\","
			       "\"variants\":{\"speed\":{\"fast\":{\"multiply\":2}}}")),
		    "variants.speed.fast.multiply: must be a decimal in quotes" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\","
			  "\"variants\":{\"speed\":{\"fast\":{\"multiply\":\"31\"}}}")),
		    "variants.speed.fast.multiply: must be a decimal from 0.000001 to 30" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\","
			  "\"variants\":{\"speed\":{\"fast\":{\"multiply\":\"1.0000001\"}}}")),
		    "at most six digits" },
		{ MODEL("m",
		      ROW("\"input\":\"1\",\"output\":\"1\","
			  "\"variants\":{\"speed\":{\"fast\":{\"times\":\"2\"}}}")),
		    "variants.speed.fast.times: unknown field" },
		{ MODEL(
		      "m", ROW("\"input\":\"1\",\n\"output\":\"1\",\n\"input\":\"2\"")),
		    ":3: models[0].prices[0].input: stands here a second time" },
		{ "{\"models\":[{\"name\":\"m\",\"aliases\":[\"m\",\"x y\",3]}]}",
		    "model \"m\": aliases[1]: must be a model's name" },
		{ "{\"models\":[{\"name\":\"m\",\"aliases\":[\"m\"]}]}",
		    "model \"m\": aliases: \"m\" is a name of model \"m\" already" },
		{ "{\"models\":[{\"name\":\"m\"},\n{\"name\":\"m\"}]}",
		    ":2: model \"m\": name: is a name of model \"m\" already" },
		{ "{\"models\":[{\"name\":\"m\",\"aliases\":[\"n\"]},\n{\"name\":\"n\"}]}",
		    ":2: model \"n\": name: is a name of model \"m\" already" },
		{ "{\"models\":[{\"name\":\"m\",\"aliases\":[\"n\"]},\n{\"name\":\"o\","
		  "\"aliases\":[\"n\"]}]}",
		    ":2: model \"o\": aliases: \"n\" is a name of model \"m\" already" },
		{ "{\"models\":[{\"name\":\"m\",\"fallback\":[\"zz\"]}]}",
		    "fallback: \"zz\" is no model of this file" },
		{ "{\"models\":[{\"name\":\"m\",\"fallback\":[\"m\"]}]}",
		    "fallback: \"m\" is the model itself" },
		{ "{\"models\":[{\"name\":\"m\",\"enabled\":\"yes\"}]}",
		    "enabled: must be true or false" },
		{ "{\"models\":[{\"name\":\"m\",\"always_searches\":1}]}",
		    "always_searches: must be true or false" },
		{ "{\"models\":[{\"name\":\"m\",\"always_searches\":true,\"prices\":[" PLAIN
		  "]}]}",
		    "prices[0].web_search: is missing: this model always searches" },
		{ "{\"models\":[{\"name\":\"m\",\"created\":\"yesterday\"}]}",
		    "created: must be a date" },
		{ "{\"models\":[{\"name\":\"m\",\"context\":0}]}",
		    "context: must be a whole number from 1" },
		{ "{\"models\":[{\"name\":\"m\",\"context\":1.5}]}",
		    "context: must be a whole" },
		{ "{\"models\":[{\"name\":\"m\",\"max_output\":99999999999999999999}]}",
		    "max_output: must be a whole" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(load(rows[i].json));
		if (strstr(mistakes.data, rows[i].told) == NULL)
			fail_msg("not told: %s for %s in\n%s", rows[i].told,
			    rows[i].json, mistakes.data);
	}
}

static void
all_mistakes_of_a_file_come_at_once(void **state)
{
	(void)state;
	assert_null(load(
	    "{\"models\":[\n{\"name\":\"m\",\"display_name\":\"M\",\"owned_by\":\"o\",\n"
	    "\"created\":\"2026-13-01\",\"context\":-1,\"max_output\":1,\n"
	    "\"prices\":[" ROW(
		"\"input\":3,\"output\":\"x\"") "]},\n"
						"{\"name\":\"m\",\"prices\":[" PLAIN
						"]}]}"));
	/* created, context, input, output; three texts, created, context and max_output
	 * missing; the name twice */
	assert_int_equal(n_mistakes(), 10);
}

static void
a_mistake_in_either_file_of_a_configuration_hides_none_in_the_other(void **state)
{
	static const char conf[] = "store_timeout = 3\nmarkup = 5\n";
	char path[256];

	(void)state;
	config_write("models.json", "{}", 2);
	snprintf(
	    path, sizeof path, "%s", config_write("derouter.conf", conf, strlen(conf)));
	dr_strbuf_clear(&mistakes);
	assert_null(dr_config_load(path, NULL, note_mistake, NULL));
	assert_int_equal(n_mistakes(), 3);
	assert_non_null(strstr(mistakes.data, "derouter.conf:1: store_timeout"));
	assert_non_null(strstr(mistakes.data, "derouter.conf:2: markup"));
	assert_non_null(strstr(mistakes.data, "models.json:1: models is missing"));
}

static void
a_snapshot_lives_as_long_as_somebody_holds_it(void **state)
{
	struct dr_config *config, *held;

	(void)state;
	config_write("models.json", MODEL("m", PLAIN), strlen(MODEL("m", PLAIN)));
	config = dr_config_load(
	    config_write("derouter.conf", "", 0), NULL, note_mistake, NULL);
	assert_non_null(config);
	held = dr_config_ref(config);
	dr_config_unref(&config);
	assert_null(config);
	assert_non_null(dr_models_find(held->models, "m"));
	dr_config_unref(&held);
	dr_config_unref(&held);
}

static void
a_disabled_model_is_kept_but_not_found(void **state)
{
	struct dr_models *models = load(
	    "{\"models\":[{\"name\":\"m\",\"display_name\":\"M\",\"owned_by\":\"o\","
	    "\"created\":1,\"context\":1,\"max_output\":1,\"enabled\":false,"
	    "\"aliases\":[\"n\"],\"prices\":[" PLAIN "]}]}");

	(void)state;
	assert_non_null(models);
	assert_int_equal(dr_models_count(models), 1);
	assert_false(dr_models_at(models, 0)->enabled);
	assert_null(dr_models_find(models, "m"));
	assert_null(dr_models_find(models, "n"));
	dr_models_free(&models);
}

static void
dates_are_days_that_exist(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = { { "2026-02-28", true }, { "2028-02-29", true },
		{ "2026-02-29", false }, { "2026-00-01", false },
		{ "2026-13-01", false }, { "2026-01-00", false }, { "2026-1-1", false },
		{ "2026-01-01 ", false }, { "", false }, { "1969-12-31", false },
		{ "9999-12-31", true }, { "2026/01/01", false } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms;

		assert_int_equal(dr_date_parse(rows[i].text, &ms), rows[i].good);
	}
}

static void
lines_are_found_by_path(void **state)
{
	static const char text[] =
	    "{\n \"a\": [1,\n  {\"b\": \"}]\\\"\n\",\n   \"c\": 2}],\n"
	    " \"d\": {},\n \"e\": []\n}";
	static const struct {
		const char *path;
		unsigned line;
	} rows[] = { { "a", 2 }, { "a[0]", 2 }, { "a[1]", 3 }, { "a[1].b", 3 },
		{ "a[1].c", 5 }, { "d", 6 }, { "e", 7 }, { "nothing", 1 }, { "", 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(dr_json_line(text, rows[i].path), rows[i].line);
	for (size_t len = 0; len < sizeof text;
	     len++) { /* cut anywhere: it comes to an end */
		char *copy = calloc(1, len + 1);

		if (copy == NULL)
			abort();
		memcpy(copy, text, len);
		assert_in_range(dr_json_line(copy, "a[1].c"), 1, 5);
		free(copy);
	}
}

static void
no_cut_of_a_models_file_is_taken_for_whole(void **state)
{
	static const char text[] =
	    MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\","
			   "\"variants\":{\"speed\":{\"fast\":{\"multiply\":\"2\"}}}"));

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++) {
		dr_strbuf_clear(&mistakes);
		assert_null(dr_models_load(
		    config_write("models.json", text, len), "0%", note_mistake, NULL));
		assert_int_equal(n_mistakes(), 1);
	}
}

static void
the_shipped_file_is_good_and_has_the_models_that_clients_ask_for(void **state)
{
	static const char *const names[] = { "claude-opus-4-8", "claude-sonnet-4-6",
		"claude-haiku-4-5", "claude-haiku-4-5-20251001",
		"claude-opus-4-1-20250805", "claude-sonnet-4-5-20250929",
		"claude-3-7-sonnet-latest", "gpt-6.2-sol", "gpt-6.1-sol", "gpt-5.6-sol",
		"gpt-5.6", "gpt-5.5", "gpt-5.3-codex", "gpt-5.2-codex",
		"gpt-5.1-codex-max", "gpt-5-codex", "gpt-5-mini-2025-08-07", "gpt-4.1",
		"gpt-4o", "gpt-4o-mini", "o3", "o4-mini" };
	char *shipped = read_from_tree("config/models.json");
	struct dr_models *models = load(shipped);
	const struct dr_usage usage = { .input = 1000, .output = 1000 };

	(void)state;
	if (models == NULL)
		fail_msg("%s", mistakes.data);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (dr_models_find(models, names[i]) == NULL)
			fail_msg("config/models.json lacks %s", names[i]);
	for (size_t i = 0; i < dr_models_count(models); i++)
		assert_true(
		    dr_price_of(
			price_now(models, dr_models_at(models, i)->name), &usage) > 0);
	/* 1,000 in at $5 and 1,000 out at $25 per million */
	assert_int_equal(
	    dr_price_of(price_now(models, "claude-opus-4-8"), &usage), 30000000);
	dr_models_free(&models);
	free(shipped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_is_read_as_it_stands),
		cmocka_unit_test(every_breach_is_told_with_its_place),
		cmocka_unit_test(all_mistakes_of_a_file_come_at_once),
		cmocka_unit_test(
		    a_mistake_in_either_file_of_a_configuration_hides_none_in_the_other),
		cmocka_unit_test(a_snapshot_lives_as_long_as_somebody_holds_it),
		cmocka_unit_test(a_disabled_model_is_kept_but_not_found),
		cmocka_unit_test(dates_are_days_that_exist),
		cmocka_unit_test(lines_are_found_by_path),
		cmocka_unit_test(no_cut_of_a_models_file_is_taken_for_whole),
		cmocka_unit_test(
		    the_shipped_file_is_good_and_has_the_models_that_clients_ask_for),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
