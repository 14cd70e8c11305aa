/*
 * Counts of many processes as Prometheus text: added up by name, the largest of views
 * of something shared, histograms cumulated, labels escaped, and nothing that a strict
 * reader would refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/dr_assert.h"
#include "gateway/metrics_text.h"

static struct dr_strbuf text;

static void
write_samples(struct dr_samples *samples)
{
	dr_strbuf_fini(&text);
	dr_strbuf_init(&text, 1 << 20);
	dr_samples_write(samples, &text);
	dr_samples_free(&samples);
	assert_false(text.failed);
}

static bool
says(const char *line)
{
	const char *at = strstr(text.data, line);

	return at != NULL && (at == text.data || at[-1] == '\n') &&
	       at[strlen(line)] == '\n';
}

static void
the_same_name_is_one_sample(void **state)
{
	static const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{ "derouter_charge_nano_usd_total{model=\"m\"}", 5 },
		{ "derouter_requests_running", 3 },
		{ "derouter_provider_running{provider=\"p\"}", 7 },
		{ "derouter_charge_nano_usd_total{model=\"n\"}", 1 },
		{ "derouter_provider_running{provider=\"p\"}", 9 },
		{ "derouter_charge_nano_usd_total{model=\"m\"}", 9007199254740993 },
		{ "derouter_requests_running", 4 },
		{ "derouter_provider_running{provider=\"p\"}", 8 },
		{ "derouter_provider_running{provider=\"q\"}", 0 },
	};
	struct dr_samples *samples = dr_samples_new();

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		dr_samples_add(samples, rows[i].name, rows[i].value);
	write_samples(samples);
	assert_true(
	    says("derouter_charge_nano_usd_total{model=\"m\"} 9007199254740998"));
	assert_true(says("derouter_charge_nano_usd_total{model=\"n\"} 1"));
	assert_true(says("derouter_requests_running 7"));
	assert_true(says("derouter_provider_running{provider=\"p\"} 9"));
	assert_true(says("derouter_provider_running{provider=\"q\"} 0"));
	assert_true(says("# TYPE derouter_charge_nano_usd_total counter"));
	assert_true(says("# TYPE derouter_requests_running gauge"));
	assert_true(says("# TYPE derouter_provider_running gauge"));
	/* families without samples say nothing, but for histograms */
	assert_null(strstr(text.data, "derouter_tokens_total"));
	assert_true(says("derouter_overhead_seconds_count 0"));
}

static void
a_histogram_is_cumulated_and_in_seconds(void **state)
{
	struct dr_samples *samples = dr_samples_new();

	(void)state;
	dr_samples_add(samples, "derouter_store_seconds_bucket{le=\"0.001\"}", 2);
	dr_samples_add(samples, "derouter_store_seconds_bucket{le=\"+Inf\"}", 1);
	dr_samples_add(samples, "derouter_store_seconds_bucket{le=\"0.001\"}", 3);
	dr_samples_add(samples, "derouter_store_seconds_bucket{le=\"0.0001\"}", 4);
	dr_samples_add(samples, "derouter_store_seconds_sum", 61000002);
	write_samples(samples);
	assert_true(says("# TYPE derouter_store_seconds histogram"));
	assert_true(says("derouter_store_seconds_bucket{le=\"0.0001\"} 4"));
	assert_true(says("derouter_store_seconds_bucket{le=\"0.0005\"} 4"));
	assert_true(says("derouter_store_seconds_bucket{le=\"0.001\"} 9"));
	assert_true(says("derouter_store_seconds_bucket{le=\"60\"} 9"));
	assert_true(says("derouter_store_seconds_bucket{le=\"+Inf\"} 10"));
	assert_true(says("derouter_store_seconds_sum 61.000002"));
	assert_true(says("derouter_store_seconds_count 10"));
}

static void
a_duration_falls_into_its_bucket(void **state)
{
	static const struct {
		uint64_t us;
		const char *le;
	} rows[] = {
		{ 0, "0.0001" },
		{ 100, "0.0001" },
		{ 101, "0.00025" },
		{ 1000, "0.001" },
		{ 59999999, "60" },
		{ 60000000, "60" },
		{ 60000001, "+Inf" },
		{ UINT64_MAX, "+Inf" },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		assert_string_equal(
		    dr_metric_bucket_le(dr_metric_bucket(rows[i].us)), rows[i].le);
}

static void
labels_are_escaped(void **state)
{
	const char *values[3] = { "a\"b\\c\nd", "ok", NULL };
	struct dr_samples *samples = dr_samples_new();
	struct dr_strbuf name;

	(void)state;
	dr_strbuf_init(&name, 1000);
	dr_metric_series(&name, DR_METRIC_ATTEMPTS, values);
	assert_string_equal(name.data,
	    "derouter_attempts_total{provider=\"a\\\"b\\\\c\\nd\",outcome=\"ok\"}");
	dr_samples_add(samples, name.data, 1);
	write_samples(samples);
	assert_true(says("derouter_attempts_total{provider=\"a\\\"b\\\\c\\nd\",outcome="
			 "\"ok\"} 1"));
	dr_strbuf_fini(&name);
}

/* One line that cannot be parsed would cost the reader the whole page. */
static void
what_is_no_sample_is_left_out(void **state)
{
	static const char *const rows[] = { "", "1a", "derouter_requests_running ",
		"derouter_requests_running{", "derouter_requests_running{}",
		"derouter_requests_running{a}", "derouter_requests_running{a=}",
		"derouter_requests_running{a=\"}",
		"derouter_requests_running{a=\"\\\"}",
		"derouter_requests_running{a=\"b\"",
		"derouter_requests_running{a=\"b\",}",
		"derouter_requests_running{a=\"b\"}x",
		"derouter_requests_running{a=\"b\nc\"}", "derouter_requests_running\n",
		"derouter_requests_running{a=\"b\"}\n" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_samples *samples = dr_samples_new();

		dr_samples_add(samples, rows[i], 1);
		write_samples(samples);
		if (strstr(text.data, "derouter_requests_running") != NULL)
			fail_msg("%s: %s", rows[i], text.data);
	}
}

static void
every_row_of_the_catalogue_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_METRICS; i++) {
		const struct dr_metric_info *info = dr_metric_info((enum dr_metric)i);
		size_t n = strlen(info->name);
		bool total = n > 6 && strcmp(info->name + n - 6, "_total") == 0;

		assert_memory_equal(info->name, "derouter_", 9);
		assert_int_equal(total, info->kind == DR_METRIC_COUNTER);
		assert_int_equal(n > 8 && strcmp(info->name + n - 8, "_seconds") == 0 &&
				     strstr(info->name, "_timestamp_") == NULL,
		    info->kind == DR_METRIC_HISTOGRAM);
		assert_null(strpbrk(info->help, "\\\n"));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(
			    dr_metric_info((enum dr_metric)j)->name, info->name);
	}
}

static int
teardown(void **state)
{
	(void)state;
	dr_strbuf_fini(&text);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_name_is_one_sample),
		cmocka_unit_test(a_histogram_is_cumulated_and_in_seconds),
		cmocka_unit_test(a_duration_falls_into_its_bucket),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(what_is_no_sample_is_left_out),
		cmocka_unit_test(every_row_of_the_catalogue_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
