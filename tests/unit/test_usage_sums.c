/*
 * handlers/usage_sums: rows of a ledger as sums by day, model and key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "handlers/api_json.h"
#include "handlers/usage_sums.h"

#define HOUR          INT64_C(3600000)
#define DAY1          20000 /* 2024-10-04 */
#define AT(day, hour) (((DAY1) + (day)) * DR_DAY_MS + (hour)*HOUR)

static struct dr_ledger_row
charge(int64_t at_ms, const char *key, const char *model, int64_t nano)
{
	return (struct dr_ledger_row){ .cursor = "1-1",
		.time_ms = at_ms,
		.type = "charge",
		.request_id = "",
		.key_id = key,
		.model = model,
		.flags = "",
		.nano = -nano,
		.usage = { .input = 1,
		    .output = 2,
		    .cache_write_5m = 3,
		    .cache_write_1h = 4,
		    .cache_read = 5,
		    .web_searches = 6 } };
}

/* What is written of these rows, without the total: "DAY MODEL KEY REQUESTS COST;" */
static const char *
summed(struct dr_usage_query *query, const struct dr_ledger_row *rows, size_t n)
{
	static char text[4096];
	struct dr_usage_sums *sums = dr_usage_sums_new(query);
	struct dr_strbuf out;
	struct json_object *root, *data;
	size_t used = 0;

	for (size_t i = n; i > 0; i--) /* the newest first, as they are read */
		dr_usage_sums_add(sums, &rows[i - 1]);
	dr_strbuf_init(&out, 100000);
	dr_strbuf_addc(&out, '{');
	dr_usage_sums_write(sums, &out);
	dr_strbuf_addc(&out, '}');
	root = json_tokener_parse(out.data);
	assert_non_null(root);
	data = json_object_object_get(root, "data");
	text[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(data); i++) {
		struct json_object *o = json_object_array_get_idx(data, i);
		static const char *const names[] = { "day", "model", "key", "requests",
			"cost_nano_usd" };

		for (size_t j = 0; j < DR_N_ELEMENTS(names); j++) {
			struct json_object *value;

			if (json_object_object_get_ex(o, names[j], &value))
				used +=
				    (size_t)snprintf(text + used, sizeof text - used,
					"%s ", json_object_get_string(value));
		}
		text[used - 1] = ';';
	}
	json_object_put(root);
	dr_strbuf_fini(&out);
	dr_usage_sums_free(&sums);
	return text;
}

static void
rows_are_grouped(void **unused)
{
	struct dr_ledger_row rows[] = {
		charge(AT(-1, 23), "k1", "m1", 1000), /* before */
		charge(AT(0, 0), "k1", "m1", 1), charge(AT(0, 23), "k2", "m1", 2),
		charge(AT(2, 1), "k1", "m2", 4), charge(AT(2, 2), "k1", "m1", 8),
		charge(AT(3, 0), "k1", "m1", 1000), /* after */
	};
	struct dr_usage_query q = { .first_day = DAY1, .last_day = DAY1 + 2 };

	(void)unused;
	q.by_day = true;
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)),
	    "2024-10-04 2 3;2024-10-05 0 0;2024-10-06 2 12;");
	q.by_model = true;
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)),
	    "2024-10-04 m1 2 3;2024-10-06 m1 1 8;2024-10-06 m2 1 4;");
	q.by_day = false;
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "m1 3 11;m2 1 4;");
	q.by_model = false;
	q.by_key = true;
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "k1 3 13;k2 1 2;");
	q.by_day = true;
	q.key = "k2";
	assert_string_equal(
	    summed(&q, rows, DR_N_ELEMENTS(rows)), "2024-10-04 k2 1 2;");
	q.key = NULL;
	q.model = "m2";
	assert_string_equal(
	    summed(&q, rows, DR_N_ELEMENTS(rows)), "2024-10-06 k1 1 4;");
	q.model = "none";
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "");
	q.by_key = false;
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)),
	    "2024-10-04 0 0;2024-10-05 0 0;2024-10-06 0 0;");
}

/* A request that was abandoned and settled late is one request, and costs both rows;
 * what is no charge is none. */
static void
a_late_settlement_is_no_second_request(void **unused)
{
	struct dr_ledger_row rows[] = {
		charge(AT(0, 1), "k1", "", 10),
		charge(AT(0, 2), "k1", "m1", 5),
		charge(AT(0, 3), "k1", "m1", 7000),
		charge(AT(0, 4), "k1", "m1", 7000),
	};
	struct dr_usage_query q = {
		.first_day = DAY1, .last_day = DAY1, .by_day = true
	};

	(void)unused;
	rows[0].type = "abandoned";
	rows[1].flags = "late estimated";
	rows[2].type = "credit";
	rows[3].type = "deposit";
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "2024-10-04 1 15;");
}

static void
days_are_those_of_the_zone(void **unused)
{
	struct dr_ledger_row rows[] = {
		charge(AT(0, 0) - 1, "k1", "m1", 1),
		charge(AT(0, 0) - 2 * HOUR, "k1", "m1", 2),
		charge(AT(0, 0) - 2 * HOUR - 1, "k1", "m1", 4),
		charge(AT(0, 22) - 1, "k1", "m1", 8),
		charge(AT(0, 22), "k1", "m1", 16),
	};
	struct dr_usage_query q = {
		.first_day = DAY1, .last_day = DAY1, .by_day = true
	};

	(void)unused;
	dr_zone_read(&q.zone, "0 120");
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "2024-10-04 3 11;");
	dr_zone_read(&q.zone, "");
	assert_string_equal(summed(&q, rows, DR_N_ELEMENTS(rows)), "2024-10-04 2 24;");
}

static void
all_sums_are_written(void **unused)
{
	struct dr_ledger_row rows[] = { charge(AT(0, 1), "k1", "m1", 1500000000),
		charge(AT(0, 1), "k2", "m1", 1) };
	struct dr_usage_query q = {
		.first_day = DAY1, .last_day = DAY1, .by_model = true
	};
	struct dr_usage_sums *sums = dr_usage_sums_new(&q);
	struct dr_strbuf out;

	(void)unused;
	dr_usage_sums_add(sums, &rows[0]);
	dr_usage_sums_add(sums, &rows[1]);
	dr_strbuf_init(&out, 10000);
	dr_strbuf_addc(&out, '{');
	dr_usage_sums_write(sums, &out);
#define SUMS                                                                           \
	"\"requests\":2,\"input_tokens\":2,\"output_tokens\":4,"                       \
	"\"cache_creation_input_tokens\":14,\"cache_read_input_tokens\":10,"           \
	"\"web_searches\":12,\"cost_usd\":\"1.500000001\",\"cost_nano_usd\":1500000001}"
	assert_string_equal(
	    out.data, "{\"total\":{" SUMS ",\"data\":[{\"model\":\"m1\"," SUMS "]");
	dr_strbuf_fini(&out);
	dr_usage_sums_free(&sums);
}

static void
too_many_groups_are_in_the_total(void **unused)
{
	struct dr_usage_query q = {
		.first_day = DAY1, .last_day = DAY1, .by_model = true
	};
	struct dr_usage_sums *sums = dr_usage_sums_new(&q);
	struct dr_strbuf out;
	char model[20];

	(void)unused;
	for (int i = 0; i < 20001; i++) {
		struct dr_ledger_row row = charge(AT(0, 1), "k1", model, 1);

		assert_false(dr_usage_sums_overflowed(sums));
		snprintf(model, sizeof model, "m%d", i);
		dr_usage_sums_add(sums, &row);
	}
	assert_true(dr_usage_sums_overflowed(sums));
	dr_strbuf_init(&out, 16 * 1024 * 1024);
	dr_strbuf_addc(&out, '{');
	dr_usage_sums_write(sums, &out);
	assert_non_null(strstr(out.data, "{\"requests\":20001,"));
	dr_strbuf_fini(&out);
	dr_usage_sums_free(&sums);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_grouped),
		cmocka_unit_test(a_late_settlement_is_no_second_request),
		cmocka_unit_test(days_are_those_of_the_zone),
		cmocka_unit_test(all_sums_are_written),
		cmocka_unit_test(too_many_groups_are_in_the_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
