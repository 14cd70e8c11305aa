/*
 * Rules of config/price: which row is in force, and what a usage costs to the
 * nano-dollar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/money.h"
#include "config/reader.h"
#include "models_fixture.h"

static void
the_price_in_force_is_the_latest_that_has_begun(void **state)
{
	static const char rows[] =
	    "{\"effective_from\":\"2026-03-01\",\"source\":\"s\","
	    "\"input\":\"2\",\"output\":\"2\"},"
	    "{\"effective_from\":\"2999-01-01\",\"source\":\"s\","
	    "\"input\":\"9\",\"output\":\"9\"},"
	    "{\"effective_from\":\"2026-01-01\",\"source\":\"s\","
	    "\"input\":\"1\",\"output\":\"1\"}";
	char json[1024];
	struct dr_models *models;
	const struct dr_model *model;
	int64_t january, march;

	(void)state;
	snprintf(json, sizeof json, MODEL("m", "%s"), rows);
	models = load(json);
	assert_non_null(models);
	model = dr_models_find(models, "m");
	assert_true(dr_date_parse("2026-01-01", &january));
	assert_true(dr_date_parse("2026-03-01", &march));
	assert_int_equal(january, INT64_C(1767225600000));
	assert_null(dr_model_price(model, january - 1));
	assert_string_equal(dr_model_price(model, january)->date, "2026-01-01");
	assert_string_equal(dr_model_price(model, march - 1)->date, "2026-01-01");
	assert_string_equal(dr_model_price(model, march)->date, "2026-03-01");
	assert_string_equal(dr_model_price(model, INT64_MAX)->date, "2999-01-01");
	dr_models_free(&models);
}

static void
caches_left_out_cost_what_input_costs(void **state)
{
	struct dr_models *models = load(MODEL("m", PLAIN));
	const struct dr_price_tier *tier;

	(void)state;
	tier = price_now(models, "m")->tiers;
	assert_int_equal(tier->cache_read, tier->input);
	assert_int_equal(tier->cache_write_5m, tier->input);
	assert_int_equal(tier->cache_write_1h, tier->input);
	dr_models_free(&models);
	models = load(MODEL("m",
	    ROW("\"input\":\"3\",\"output\":\"9\",\"cache_write_5m\":\"4\","
		"\"tiers\":[{\"above_tokens\":7,\"input\":\"6\",\"output\":\"9\"}]")));
	tier = price_now(models, "m")->tiers;
	assert_int_equal(tier[0].cache_write_1h, 4 * DR_NANO_PER_USD);
	assert_int_equal(tier[1].cache_write_5m, 6 * DR_NANO_PER_USD);
	dr_models_free(&models);
}

static void
the_markup_is_exact_and_rounded_up_per_price(void **state)
{
	static const struct {
		const char *markup;
		int64_t input, read;
	} rows[] = {
		{ "0%", 3000000000, 1 },
		{ "12.5%", 3375000000, 2 },
		{ "0.01%", 3000300000, 2 },
		{ "100%", 6000000000, 2 },
		{ "1000%", 33000000000, 11 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dr_models *models = load_marked_up(
		    MODEL("m",
			ROW("\"input\":\"3\",\"output\":\"10000\",\"cache_read\":\"0.000000001\"")),
		    rows[i].markup);
		const struct dr_price_tier *tier = price_now(models, "m")->tiers;

		assert_int_equal(tier->input, rows[i].input);
		assert_int_equal(tier->cache_read, rows[i].read);
		tier = price_now(models, "m")->list->tiers; /* as the vendor has it */
		assert_int_equal(tier->input, 3000000000);
		assert_int_equal(tier->cache_read, 1);
		dr_models_free(&models);
	}
	assert_null(load_marked_up(MODEL("m", PLAIN), "a lot"));
	assert_int_equal(n_mistakes(), 1);
}

/* 3 / 15 / 0.30 / 3.75 / 6 and twice that above 200 tokens; a search costs a cent. */
static struct dr_models *
load_priced(void)
{
	return load(MODEL("m",
	    ROW("\"input\":\"3\",\"output\":\"15\",\"cache_read\":\"0.30\","
		"\"cache_write_5m\":\"3.75\",\"cache_write_1h\":\"6\",\"web_search\":\"0.01\","
		"\"tiers\":[{\"above_tokens\":200,\"input\":\"6\",\"output\":\"22.5\","
		"\"cache_read\":\"0.60\",\"cache_write_5m\":\"7.5\",\"cache_write_1h\":\"12\"}],"
		"\"variants\":{\"service_tier\":{\"priority\":{\"multiply\":\"2\"},"
		"\"flex\":{\"multiply\":\"0.5\"},\"auto\":{\"multiply\":\"1.25\"}},"
		"\"inference_geo\":{\"us\":{\"multiply\":\"1.1\"}}}")));
}

static void
a_charge_is_the_sum_of_all_counts_rounded_up_once(void **state)
{
	static const struct {
		struct dr_usage usage;
		int64_t ppm, nano;
	} rows[] = {
		{ { .input = 0 }, DR_PPM, 0 },
		{ { .input = 1 }, DR_PPM, 3000 },
		{ { .output = 1 }, DR_PPM, 15000 },
		{ { .cache_read = 1 }, DR_PPM, 300 },
		{ { .cache_write_5m = 1 }, DR_PPM, 3750 },
		{ { .cache_write_1h = 1 }, DR_PPM, 6000 },
		{ { .web_searches = 3 }, DR_PPM, 30000000 },
		{ { .input = 100,
		      .output = 10,
		      .cache_read = 50,
		      .cache_write_5m = 49,
		      .cache_write_1h = 1 },
		    DR_PPM, 300000 + 150000 + 15000 + 183750 + 6000 },
		/* 200 is not above 200, 201 is: then all of it, output too */
		{ { .input = 150, .cache_read = 50, .output = 1 }, DR_PPM,
		    450000 + 15000 + 15000 },
		{ { .input = 150, .cache_read = 51, .output = 1 }, DR_PPM,
		    900000 + 30600 + 22500 },
		{ { .input = 1, .cache_write_5m = 100, .cache_write_1h = 100 }, DR_PPM,
		    6000 + 750000 + 1200000 },
		/* output alone never lengthens a prompt */
		{ { .input = 1, .output = 1000 }, DR_PPM, 3000 + 15000000 },
		/* multiplied: tokens, not searches */
		{ { .input = 1, .web_searches = 1 }, 2 * DR_PPM, 6000 + 10000000 },
		{ { .cache_read = 1 }, DR_PPM / 2, 150 },
		{ { .cache_read = 1 }, 1, 1 },    /* 0.0003 nano: rounded up */
		{ { .cache_read = 3 }, 3333, 3 }, /* 2.9997: once, not three times */
		{ { .cache_read = 3 }, 3334, 4 },
	};
	struct dr_models *models = load_priced();
	const struct dr_price *price = price_now(models, "m");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    dr_price_times(price, &rows[i].usage, rows[i].ppm), rows[i].nano);
		if (rows[i].ppm == DR_PPM)
			assert_int_equal(
			    dr_price_of(price, &rows[i].usage), rows[i].nano);
	}
	dr_models_free(&models);
}

static void
a_wild_count_costs_the_most_there_is_and_never_wraps(void **state)
{
	struct dr_usage usage = { .input = INT64_MAX,
		.output = INT64_MAX,
		.cache_read = INT64_MAX,
		.cache_write_5m = INT64_MAX,
		.cache_write_1h = INT64_MAX,
		.web_searches = INT64_MAX };
	struct dr_models *models = load_marked_up(
	    MODEL("m",
		ROW("\"input\":\"10000\",\"output\":\"10000\",\"web_search\":\"1000\"")),
	    "1000%");
	const struct dr_price *price = price_now(models, "m");

	(void)state;
	assert_int_equal(dr_price_times(price, &usage, 900 * DR_PPM), DR_MONEY_MAX);
	assert_int_equal(dr_price_of(price, &usage), DR_MONEY_MAX);
	assert_int_equal(dr_price_estimate(dr_models_find(models, "m"), price, SIZE_MAX,
			     INT64_MAX, INT64_MAX, INT64_MAX),
	    DR_MONEY_MAX);
	dr_models_free(&models);
}

/* Prices of whole multiples of 10^-3 dollars: plain 64-bit arithmetic can check them.
 */
static void
charges_agree_with_plain_arithmetic(void **state)
{
	struct dr_models *models = load_priced();
	const struct dr_price *price = price_now(models, "m");
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct dr_usage u = { 0 };
		int64_t *counts[] = { &u.input, &u.output, &u.cache_read,
			&u.cache_write_5m, &u.cache_write_1h };
		int64_t long_prompt, nano;

		for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
			seed =
			    seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			*counts[j] = (int64_t)((seed >> 33) % 120);
		}
		long_prompt =
		    u.input + u.cache_read + u.cache_write_5m + u.cache_write_1h > 200;
		nano = (u.input * 3000 + u.cache_read * 300 + u.cache_write_5m * 3750 +
			   u.cache_write_1h * 6000) *
			   (long_prompt ? 2 : 1) +
		       u.output * (long_prompt ? 22500 : 15000);
		assert_int_equal(dr_price_of(price, &u), nano);
	}
	dr_models_free(&models);
}

static void
the_estimate_is_bounded_by_context_maximum_and_hold(void **state)
{
	/* context 1000, max_output 500; input 3000 and output 15000 nano per token */
	static const struct {
		size_t bytes;
		int64_t max_tokens, choices, hold, nano;
	} rows[] = {
		{ 0, 0, 1, 4096, 0 },
		{ 3, 0, 1, 4096, 0 },
		{ 4, 0, 1, 4096, 3000 },
		{ 799, 1, 1, 4096, 199 * 3000 + 15000 },
		{ 0, -1, 1, 4096, 500 * 15000 },
		{ 0, -1, 1, 100, 100 * 15000 },
		{ 0, 600, 1, 4096, 600 * 15000 },
		{ 0, 10, 3, 4096, 30 * 15000 },
		/* above 200 tokens the dearer tier, and never above the context */
		{ 804, 1, 1, 4096, 201 * 6000 + 22500 },
		{ 1 << 30, 1, 1, 4096, 1000 * 6000 + 22500 },
	};
	struct dr_models *models = load_priced();
	const struct dr_model *model = dr_models_find(models, "m");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(dr_price_estimate(model, model->prices, rows[i].bytes,
				     rows[i].max_tokens, rows[i].choices, rows[i].hold),
		    rows[i].nano);
	dr_models_free(&models);
}

static void
variants_are_priced_or_neutral_or_refused(void **state)
{
	static const struct {
		const char *field, *value;
		int64_t ppm; /* 0: refused */
	} rows[] = {
		{ "service_tier", "priority", 2000000 },
		{ "service_tier", "flex", 500000 },
		{ "service_tier", "default", DR_PPM },
		{ "service_tier", "standard_only", DR_PPM },
		{ "service_tier", "auto", 1250000 }, /* the row's own word wins */
		{ "service_tier", "Priority", 0 },
		{ "service_tier", "", 0 },
		{ "speed", "standard", DR_PPM },
		{ "speed", "fast", 0 },
		{ "inference_geo", "us", 1100000 },
		{ "inference_geo", "global", DR_PPM },
		{ "inference_geo", "eu", 0 },
		{ "unheard_of", "auto", 0 },
	};
	struct dr_models *models = load_priced();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ppm = 0;

		assert_int_equal(dr_price_variant(price_now(models, "m"), rows[i].field,
				     rows[i].value, &ppm),
		    rows[i].ppm != 0);
		assert_int_equal(ppm, rows[i].ppm);
	}
	dr_models_free(&models);
	assert_int_equal(dr_ppm_times(2000000, 1100000), 2200000);
	assert_int_equal(dr_ppm_times(1, 1), 1);
	assert_int_equal(dr_ppm_times(INT64_MAX, INT64_MAX), 1000 * DR_PPM);
	assert_int_equal(dr_ppm_of(3, 1100000), 4);
	assert_int_equal(dr_ppm_of(0, 1100000), 0);
	assert_int_equal(dr_ppm_of(DR_MONEY_MAX, 2 * DR_PPM), DR_MONEY_MAX);
}

/* Searches by their price, other tools by being listed, without one of the other's. */
static void
tools_of_the_vendor_are_offered_by_name(void **state)
{
	static const struct {
		const char *row, *tool;
		bool offered;
	} rows[] = {
		{ "", "web_search", false },
		{ ",\"web_search\":\"0\"", "web_search", false },
		{ ",\"web_search\":\"0.01\"", "web_search", true },
		{ ",\"web_search\":\"0.01\"", "web_search_preview", false },
		{ ",\"web_search\":\"0.01\"", "web_fetch", false },
		{ ",\"web_search\":\"0.01\",\"tools\":[\"web_search_preview\"]",
		    "web_search_preview", true },
		{ ",\"tools\":[\"web_fetch\",\"file_search\"]", "file_search", true },
		{ ",\"tools\":[\"web_fetch\"]", "web_search", false },
		{ ",\"tools\":[]", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char json[600];
		struct dr_models *models;

		snprintf(json, sizeof json,
		    MODEL("m", ROW("\"input\":\"1\",\"output\":\"1\"%s")), rows[i].row);
		models = load(json);
		assert_non_null(models);
		assert_int_equal(dr_price_offers(price_now(models, "m"), rows[i].tool),
		    rows[i].offered);
		dr_models_free(&models);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_price_in_force_is_the_latest_that_has_begun),
		cmocka_unit_test(caches_left_out_cost_what_input_costs),
		cmocka_unit_test(the_markup_is_exact_and_rounded_up_per_price),
		cmocka_unit_test(a_charge_is_the_sum_of_all_counts_rounded_up_once),
		cmocka_unit_test(a_wild_count_costs_the_most_there_is_and_never_wraps),
		cmocka_unit_test(charges_agree_with_plain_arithmetic),
		cmocka_unit_test(the_estimate_is_bounded_by_context_maximum_and_hold),
		cmocka_unit_test(variants_are_priced_or_neutral_or_refused),
		cmocka_unit_test(tools_of_the_vendor_are_offered_by_name),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
