/*
 * base/json: what is written is JSON whatever the bytes, what is read is exactly one
 * value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define FFFD "\xef\xbf\xbd"

static void
strings_are_written_with_escapes(void **unused)
{
	static const struct {
		const char *text;
		size_t len;
		const char *want;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
		{ "\n\r\t", 3, "\"\\n\\r\\t\"" },
		{ "\b\f\x01\x1f\x7f", 5, "\"\\u0008\\u000c\\u0001\\u001f\\u007f\"" },
		{ "a\0b", 3, "\"a\\u0000b\"" },
		{ "Z\xc3\xbcrich \xe4\xb8\x96 \xf0\x9f\x8c\x8d", 16,
		    "\"Z\xc3\xbcrich \xe4\xb8\x96 \xf0\x9f\x8c\x8d\"" },
	};
	struct dr_strbuf out;

	(void)unused;
	dr_strbuf_init(&out, 1024);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		dr_strbuf_clear(&out);
		dr_json_add_stringn(&out, cases[i].text, cases[i].len);
		assert_string_equal(out.data, cases[i].want);
	}
	dr_strbuf_clear(&out);
	dr_json_add_string(&out, NULL);
	dr_json_add_string(&out, "x");
	assert_string_equal(out.data, "null\"x\"");
	dr_strbuf_fini(&out);
}

static void
bytes_that_are_not_utf8_become_the_replacement_character(void **unused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\xff", FFFD }, { "a\x80z", "a" FFFD "z" }, /* lone continuation */
		{ "\xc3", FFFD },                             /* cut */
		{ "\xc3(", FFFD "(" }, { "\xc0\xaf", FFFD FFFD }, /* overlong */
		{ "\xe0\x80\xaf", FFFD FFFD FFFD },
		{ "\xed\xa0\x80", FFFD FFFD FFFD },          /* a surrogate */
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD }, /* above U+10FFFF */
		{ "\xe4\xb8", FFFD FFFD },
		{ "\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD }, /* five bytes */
	};
	struct dr_strbuf out;
	char want[64];

	(void)unused;
	dr_strbuf_init(&out, 1024);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		dr_strbuf_clear(&out);
		dr_json_add_string(&out, cases[i].text);
		snprintf(want, sizeof want, "\"%s\"", cases[i].want);
		assert_string_equal(out.data, want);
	}
	dr_strbuf_fini(&out);
}

/* Every byte pair, written and read back by json-c, is one string. */
static void
whatever_is_written_can_be_read(void **unused)
{
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 1024);
	for (unsigned n = 0; n < 65536; n++) {
		const char pair[2] = { (char)(n >> 8), (char)n };
		struct json_object *value;

		dr_strbuf_clear(&out);
		dr_json_add_stringn(&out, pair, 2);
		value = dr_json_parse(out.data, out.len, err, sizeof err);
		assert_non_null(value);
		assert_true(json_object_is_type(value, json_type_string));
		json_object_put(value);
	}
	dr_strbuf_fini(&out);
}

/* json-c also takes NaN, raw control characters in strings and names in single quotes.
 */
static void
exactly_one_value_is_read(void **unused)
{
	static const struct {
		const char *text;
		int type; /* -1: refused */
	} cases[] = {
		{ "{}", json_type_object },
		{ " [1, 2] \n", json_type_array },
		{ "\"x\"", json_type_string },
		{ "12", json_type_int },
		{ "-1.5", json_type_double },
		{ "0 ", json_type_int },
		{ "true", json_type_boolean },
		{ "false", json_type_boolean },
		{ "null", -1 },
		{ "", -1 },
		{ " ", -1 },
		{ "{} x", -1 },
		{ "{}{}", -1 },
		{ "1 2", -1 },
		{ "1x", -1 },
		{ "{\"a\":1", -1 },
		{ "{\"a\":1,}", -1 },
		{ "[1,]", -1 },
		{ "{a:1}", -1 },
		{ "\"abc", -1 },
		{ "tru", -1 },
		{ "nul", -1 },
		{ "-", -1 },
		{ "01", -1 },
		{ "/* no */ 1", -1 },
		{ "\"\xff\"", -1 },
	};
	char err[100];

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct json_object *value;

		err[0] = '\0';
		value = dr_json_parse(
		    cases[i].text, strlen(cases[i].text), err, sizeof err);
		if ((value == NULL) != (cases[i].type < 0))
			fail_msg("%s: %s", cases[i].text, err);
		if (value != NULL)
			assert_int_equal(json_object_get_type(value), cases[i].type);
		else
			assert_true(err[0] != '\0');
		json_object_put(value);
	}
}

static void
nul_bytes_and_deep_nesting_are_refused(void **unused)
{
	static const char nul[] = "{}\0", inside[] = "{\"a\0b\":1}", before[] = "\0{}";
	char deep[400], err[100];

	(void)unused;
	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	assert_null(dr_json_parse(deep, sizeof deep, err, sizeof err));
	assert_null(dr_json_parse(nul, 3, err, sizeof err));
	assert_null(dr_json_parse(inside, sizeof inside - 1, err, sizeof err));
	assert_null(dr_json_parse(before, 3, err, sizeof err));
}

/* Reading stops at the length given: the byte behind it may be anything, or not there.
 */
static void
nothing_is_read_beyond_the_length(void **unused)
{
	char err[100];
	struct json_object *value = dr_json_parse("123", 2, err, sizeof err);

	(void)unused;
	assert_non_null(value);
	assert_int_equal(json_object_get_int(value), 12);
	json_object_put(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_written_with_escapes),
		cmocka_unit_test(
		    bytes_that_are_not_utf8_become_the_replacement_character),
		cmocka_unit_test(whatever_is_written_can_be_read),
		cmocka_unit_test(exactly_one_value_is_read),
		cmocka_unit_test(nul_bytes_and_deep_nesting_are_refused),
		cmocka_unit_test(nothing_is_read_beyond_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
