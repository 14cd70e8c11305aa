/*
 * handlers/api_json: bodies and queries are read strictly and what is wrong is named;
 * what is written is JSON with its commas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "handlers/api_json.h"

static char why[200];

static const struct dr_api_field fields[] = { { "name", DR_API_TEXT, false, false },
	{ "rpm", DR_API_WHOLE, false, true }, { "on", DR_API_BOOL, false, false },
	{ "models", DR_API_TEXTS, false, true }, { NULL, 0, false, false } };
static const struct dr_api_field needs_name[] = { { "name", DR_API_TEXT, true, false },
	{ NULL, 0, false, false } };

static struct json_object *
parse(const char *text, const struct dr_api_field *table, enum dr_error *err)
{
	/* the bytes end where they end: ASan sees a read beyond */
	size_t len = strlen(text);
	char *exact = dr_malloc(len > 0 ? len : 1);
	struct json_object *body;

	memcpy(exact, text, len);
	why[0] = '\0';
	body = dr_api_body_parse(exact, len, table, err, why, sizeof why);
	free(exact);
	return body;
}

static void
a_body_is_read(void **unused)
{
	enum dr_error err;
	struct json_object *body =
	    parse("{\"name\":\"caf\\u00e9\",\"rpm\":7,\"on\":true,"
		  "\"models\":[\"a\",\"b\"]}",
		fields, &err);

	(void)unused;
	assert_non_null(body);
	assert_int_equal(err, DR_OK);
	assert_string_equal(dr_api_text(body, "name"), "caf\xc3\xa9");
	assert_int_equal(dr_api_whole(body, "rpm", -1), 7);
	assert_true(dr_api_has(body, "on"));
	json_object_put(body);

	body = parse("{\"rpm\":null}", fields, &err);
	assert_non_null(body);
	assert_true(dr_api_is_null(body, "rpm"));
	assert_int_equal(dr_api_whole(body, "rpm", -1), -1);
	assert_false(dr_api_has(body, "name"));
	assert_null(dr_api_text(body, "name"));
	json_object_put(body);

	body = parse("", fields, &err); /* as {} */
	assert_non_null(body);
	json_object_put(body);
}

static void
what_is_wrong_with_a_body_is_named(void **unused)
{
	static const struct {
		const char *body, *said;
		enum dr_error err;
	} rows[] = {
		{ "[]", "", DR_ERR_BAD_JSON },
		{ "null", "", DR_ERR_BAD_JSON },
		{ "7", "", DR_ERR_BAD_JSON },
		{ "{", "at byte", DR_ERR_BAD_JSON },
		{ "{} x", "at byte", DR_ERR_BAD_JSON },
		{ "{\"name\":\"\xff\"}", "at byte", DR_ERR_BAD_JSON },
		{ "{\"colour\":1}", "colour: unknown field", DR_ERR_BAD_FIELD },
		{ "{\"name\":\"a\",\"n\\u0061me\":\"b\"}", "name: stands there twice",
		    DR_ERR_BAD_FIELD },
		{ "{\"name\":null}", "name: must not be null", DR_ERR_BAD_FIELD },
		{ "{\"name\":7}", "name: want a text", DR_ERR_BAD_FIELD },
		{ "{\"name\":\"a\\u0000b\"}", "name: want a text", DR_ERR_BAD_FIELD },
		{ "{\"rpm\":\"7\"}", "rpm: want a whole number", DR_ERR_BAD_FIELD },
		{ "{\"rpm\":7.5}", "rpm: want a whole number", DR_ERR_BAD_FIELD },
		{ "{\"rpm\":1e2}", "rpm: want a whole number", DR_ERR_BAD_FIELD },
		{ "{\"rpm\":99999999999999999999}", "rpm: want a whole number",
		    DR_ERR_BAD_FIELD },
		{ "{\"on\":1}", "on: want true or false", DR_ERR_BAD_FIELD },
		{ "{\"models\":\"a\"}", "models: want a list of texts",
		    DR_ERR_BAD_FIELD },
		{ "{\"models\":[\"a\",1]}", "models: want a list of texts",
		    DR_ERR_BAD_FIELD },
		{ "{\"models\":[null]}", "models: want a list of texts",
		    DR_ERR_BAD_FIELD },
	};
	enum dr_error err;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		assert_null(parse(rows[i].body, fields, &err));
		assert_int_equal(err, rows[i].err);
		assert_non_null(strstr(why, rows[i].said));
	}
	assert_null(parse("{}", needs_name, &err));
	assert_string_equal(why, "name: is missing");
	assert_null(parse("", needs_name, &err));
	assert_string_equal(why, "name: is missing");
}

/* A body that is cut off is never taken for a whole one. */
static void
a_cut_body_is_refused(void **unused)
{
	static const char whole[] =
	    "{\"name\":\"x\",\"rpm\":12,\"on\":false,\"models\":[\"a\",\"b\"]}";
	char cut[sizeof whole];
	enum dr_error err;

	(void)unused;
	for (size_t n = 1; n < sizeof whole - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		assert_null(parse(cut, fields, &err));
		assert_int_equal(err, DR_ERR_BAD_JSON);
	}
}

static const char *const names[] = { "key", "limit", "from", NULL };

static void
a_query_is_read(void **unused)
{
	struct dr_api_query q;

	(void)unused;
	assert_true(dr_api_query_parse(NULL, names, &q, why, sizeof why));
	assert_true(dr_api_query_parse("", names, &q, why, sizeof why));
	assert_null(dr_api_param(&q, "key"));
	assert_true(dr_api_query_parse(
	    "limit=3&&key=a%2Fb+c%C3%A9%3d", names, &q, why, sizeof why));
	assert_string_equal(dr_api_param(&q, "limit"), "3");
	assert_string_equal(dr_api_param(&q, "key"), "a/b c\xc3\xa9=");
	assert_null(dr_api_param(&q, "from"));
}

static void
what_is_wrong_with_a_query_is_named(void **unused)
{
	static const struct {
		const char *query, *said;
	} rows[] = {
		{ "colour=1", "colour: unknown parameter" },
		{ "ke=1", "ke: unknown parameter" },
		{ "keys=1", "keys: unknown parameter" },
		{ "=1", ": unknown parameter" },
		{ "k%65y=1", "k%65y: unknown parameter" },
		{ "key=1&key=1", "key: stands there twice" },
		{ "key", "key: is empty" },
		{ "key=", "key: is empty" },
		{ "key=%", "key: has a % without two hexadecimal digits" },
		{ "key=%4", "key: has a % without two hexadecimal digits" },
		{ "key=%4g", "key: has a % without two hexadecimal digits" },
		{ "key=%00", "key: has control characters" },
		{ "key=a%0ab", "key: has control characters" },
	};
	char text[DR_API_MAX_VALUE + 10];
	struct dr_api_query q;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		assert_false(
		    dr_api_query_parse(rows[i].query, names, &q, why, sizeof why));
		assert_string_equal(why, rows[i].said);
	}
	snprintf(text, sizeof text, "key=%0*d", DR_API_MAX_VALUE - 1, 7);
	assert_true(dr_api_query_parse(text, names, &q, why, sizeof why));
	snprintf(text, sizeof text, "key=%0*d", DR_API_MAX_VALUE, 7);
	assert_false(dr_api_query_parse(text, names, &q, why, sizeof why));
	assert_string_equal(why, "key: is too long");
}

static void
what_is_written_is_json(void **unused)
{
	struct dr_strbuf out;

	(void)unused;
	dr_strbuf_init(&out, 4096);
	dr_api_list_begin(&out);
	dr_api_item(&out);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "a", "x\"[");
	dr_api_add_text(&out, "b", NULL);
	dr_api_add_time(&out, "t", 0);
	dr_api_add_time(&out, "u", 1795701600123);
	dr_api_add_money(&out, "cost", -1500000000);
	dr_api_add_list(&out, "l", "p,q");
	dr_api_add_list(&out, "m", "");
	dr_api_name(&out, "o");
	dr_strbuf_addc(&out, '{');
	dr_api_add_bool(&out, "yes", true);
	dr_strbuf_addc(&out, '}');
	dr_api_add_whole(&out, "n", -3);
	dr_strbuf_addc(&out, '}');
	dr_api_item(&out);
	dr_strbuf_adds(&out, "{}");
	dr_api_list_end(&out, "c");
	assert_string_equal(out.data,
	    "{\"object\":\"list\",\"data\":[{\"a\":\"x\\\"[\",\"b\":null,\"t\":null,"
	    "\"u\":\"2026-11-26T14:00:00.123Z\",\"cost_usd\":\"-1.5\","
	    "\"cost_nano_usd\":-1500000000,\"l\":[\"p\",\"q\"],\"m\":null,"
	    "\"o\":{\"yes\":true},\"n\":-3},{}],\"has_more\":true,"
	    "\"next_cursor\":\"c\"}");
	dr_strbuf_clear(&out);
	dr_api_list_begin(&out);
	dr_api_list_end(&out, NULL);
	assert_string_equal(out.data, "{\"object\":\"list\",\"data\":[],"
				      "\"has_more\":false,\"next_cursor\":null}");
	dr_strbuf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_read),
		cmocka_unit_test(what_is_wrong_with_a_body_is_named),
		cmocka_unit_test(a_cut_body_is_refused),
		cmocka_unit_test(a_query_is_read),
		cmocka_unit_test(what_is_wrong_with_a_query_is_named),
		cmocka_unit_test(what_is_written_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
