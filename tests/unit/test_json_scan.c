/*
 * The scan of a JSON object's top level: what it reports, what it refuses, and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "dialects/json_scan.h"

/* Members as text: key=TYPE:raw value| */
static bool
write_member(void *arg, const struct dr_json_member *member)
{
	static const char letters[] = "0btsao";
	struct dr_strbuf *out = arg;

	dr_strbuf_add(out, member->key, member->key_len);
	dr_strbuf_addf(
	    out, "=%c:", member->type == DR_JSON_NUMBER ? '#' : letters[member->type]);
	dr_strbuf_add(out, member->value, member->value_len);
	dr_strbuf_addc(out, '|');
	return true;
}

/* Scan a copy that ends where its memory ends, so that ASan sees a byte too far. */
static bool
scan(const char *text, size_t len, struct dr_strbuf *out, char err[100])
{
	char *copy = dr_malloc(len > 0 ? len : 1);
	bool ok;

	memcpy(copy, text, len);
	dr_strbuf_clear(out);
	err[0] = '\0';
	ok = dr_json_scan(copy, len, write_member, out, err, 100);
	free(copy);
	return ok;
}

static void
members_are_reported_raw_and_in_order(void **unused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "{}", "" },
		{ " \t\r\n{ } \n", "" },
		{ "{\"a\":1}", "a=#:1|" },
		{ "{ \"a\" : \"x\" , \"b\" : null }", "a=s:\"x\"|b=0:null|" },
		{ "{\"a\":true,\"b\":false}", "a=b:true|b=b:false|" },
		{ "{\"a\":[1,{\"b\":\"]}\"}],\"c\":{}}",
		    "a=a:[1,{\"b\":\"]}\"}]|c=o:{}|" },
		{ "{\"a\":\"\\\\\",\"b\":\"\\\"\"}", "a=s:\"\\\\\"|b=s:\"\\\"\"|" },
		{ "{\"a\":[\"\\\\\",\"\\\\\\\"]\"]}", "a=a:[\"\\\\\",\"\\\\\\\"]\"]|" },
		{ "{\"\":0}", "=#:0|" },
		{ "{\"a\":-0.5e+10,\"b\":0,\"c\":1E2}", "a=#:-0.5e+10|b=#:0|c=#:1E2|" },
		{ "{\"\\u0061\":1,\"a\":2}", "\\u0061=#:1|a=#:2|" },
		/* what is wrong deeper is the provider's to say */
		{ "{\"a\":[1,,2 x],\"b\":{:}}", "a=a:[1,,2 x]|b=o:{:}|" },
		{ "{\"a\":\"\xff\xfe\"}", "a=s:\"\xff\xfe\"|" },
	};
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		if (!scan(cases[i].text, strlen(cases[i].text), &out, err))
			fail_msg("%s: %s", cases[i].text, err);
		assert_string_equal(out.data, cases[i].want);
	}
	dr_strbuf_fini(&out);
}

static void
a_refusal_says_what_and_at_which_byte(void **unused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "unexpected end at byte 0" },
		{ "  ", "unexpected end at byte 2" },
		{ "[]", "expected '{' at byte 0" },
		{ "null", "expected '{' at byte 0" },
		{ "\xef\xbb\xbf{}", "expected '{' at byte 0" },
		{ "{", "unexpected end at byte 1" },
		{ "{a:1}", "expected a field name at byte 1" },
		{ "{'a':1}", "expected a field name at byte 1" },
		{ "{\"a\"", "unexpected end at byte 4" },
		{ "{\"a\" 1}", "expected ':' at byte 5" },
		{ "{\"a\":", "unexpected end at byte 5" },
		{ "{\"a\":}", "expected a value at byte 5" },
		{ "{\"a\":1", "unexpected end at byte 6" },
		{ "{\"a\":1,}", "expected a field name at byte 7" },
		{ "{,}", "expected a field name at byte 1" },
		{ "{\"a\":1 \"b\":2}", "expected ',' or '}' at byte 7" },
		{ "{\"a\":1}}", "unexpected text after the object at byte 7" },
		{ "{} x", "unexpected text after the object at byte 3" },
		{ "{\"a", "unterminated string at byte 1" },
		{ "{\"a\":\"x", "unterminated string at byte 5" },
		{ "{\"a\":\"x\\\"", "unterminated string at byte 5" },
		{ "{\"a\":\"x\ny\"}", "control character in a string at byte 7" },
		{ "{\"a\n\":1}", "control character in a string at byte 3" },
		{ "{\"a\":\"\\x\"}", "bad escape in a string at byte 6" },
		{ "{\"a\":\"\\u12g4\"}", "bad escape in a string at byte 6" },
		{ "{\"a\":\"\\", "bad escape in a string at byte 6" },
		{ "{\"a\":[1,2}", "bracket of the wrong kind at byte 9" },
		{ "{\"a\":{\"b\":[1}]}", "bracket of the wrong kind at byte 12" },
		{ "{\"a\":[1,2", "unterminated object or array at byte 5" },
		{ "{\"a\":[\"x]}", "unterminated string at byte 6" },
		{ "{\"a\":tru}", "unknown word at byte 5" },
		{ "{\"a\":nil}", "unknown word at byte 5" },
		{ "{\"a\":truex}", "expected ',' or '}' at byte 9" },
		{ "{\"a\":01}", "expected ',' or '}' at byte 6" },
		{ "{\"a\":-}", "bad number at byte 5" },
		{ "{\"a\":1.}", "bad number at byte 5" },
		{ "{\"a\":1e}", "bad number at byte 5" },
		{ "{\"a\":.5}", "expected a value at byte 5" },
		{ "{\"a\":+1}", "expected a value at byte 5" },
		{ "{\"a\":NaN}", "expected a value at byte 5" },
		{ "{\"a\":1}/**/", "unexpected text after the object at byte 7" },
	};
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		assert_false(scan(cases[i].text, strlen(cases[i].text), &out, err));
		assert_string_equal(err, cases[i].want);
	}
	dr_strbuf_fini(&out);
}

static void
nul_bytes_are_no_space_and_no_end(void **unused)
{
	static const char *const cases[] = { "\0{}", "{}\0", "{\"a\":1\0}",
		"{\"a\0\":1}" };
	static const size_t lens[] = { 3, 3, 8, 8 };
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++)
		assert_false(scan(cases[i], lens[i], &out, err));
	dr_strbuf_fini(&out);
}

static const char object[] =
    "{\"model\":\"claude\\u002dx\",\"messages\":[{\"role\":\"user\",\"content\":"
    "\"long enough for the fast way \\\"quoted\\\" {[ and on \\\\\"}],\"n\":12.5e3,"
    "\"t\":true,\"s\":{\"a\":{\"b\":[]}}}";

static void
no_beginning_of_an_object_is_an_object(void **unused)
{
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t n = 0; n < sizeof object - 1; n++)
		assert_false(scan(object, n, &out, err));
	assert_true(scan(object, sizeof object - 1, &out, err));
	dr_strbuf_fini(&out);
}

static bool
stop(void *arg, const struct dr_json_member *member)
{
	(void)member;
	++*(int *)arg;
	return false;
}

static void
the_owner_may_stop_the_scan(void **unused)
{
	char err[100];
	int calls = 0;

	(void)unused;
	assert_true(dr_json_scan("{\"a\":1,\"b\"", 10, stop, &calls, err, sizeof err));
	assert_int_equal(calls, 1);
}

static void
nesting_is_bounded(void **unused)
{
	struct dr_strbuf text, out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&text, 1 << 20);
	dr_strbuf_init(&out, 1 << 20);
	for (unsigned depth = DR_MAX_JSON_DEPTH; depth <= DR_MAX_JSON_DEPTH + 1;
	     depth++) {
		dr_strbuf_clear(&text);
		dr_strbuf_adds(&text, "{\"a\":");
		for (unsigned i = 0; i < depth; i++)
			dr_strbuf_adds(&text, i % 2 ? "[" : "{\"x\":");
		for (unsigned i = depth; i-- > 0;)
			dr_strbuf_adds(&text, i % 2 ? "]" : "}");
		dr_strbuf_addc(&text, '}');
		assert_int_equal(
		    scan(text.data, text.len, &out, err), depth <= DR_MAX_JSON_DEPTH);
	}
	assert_non_null(strstr(err, "nested too deeply at byte "));
	dr_strbuf_fini(&text);
	dr_strbuf_fini(&out);
}

/* 32 MB of brackets, quotes and backslashes: linear time, no recursion. */
static void
hostile_bodies_of_megabytes_take_linear_time(void **unused)
{
	static const char *const fillers[] = { "[", "{\"", "\\", "\\\\\"", "\"\",",
		"{}", "\"\\\"" };
	const size_t size = 8 << 20;
	char *text = dr_malloc(size), err[100];
	int calls = 0;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(fillers); i++) {
		size_t at = 6, n = strlen(fillers[i]);

		memcpy(text, "{\"a\":[", 6);
		for (; at + n <= size; at += n)
			memcpy(text + at, fillers[i], n);
		assert_false(dr_json_scan(text, at, stop, &calls, err, sizeof err));
	}
	assert_int_equal(calls, 0);
	free(text);
}

static struct dr_json_member
member_of(const char *key, const char *value, enum dr_json_type type)
{
	return (struct dr_json_member){ key, strlen(key), value, strlen(value), type };
}

static void
a_key_is_known_in_any_spelling(void **unused)
{
	static const struct {
		const char *key;
		bool is;
	} cases[] = {
		{ "model", true },
		{ "mod\\u0065l", true },
		{ "\\u006dodel", true },
		{ "\\u006D\\u006f\\u0064\\u0065\\u006c", true },
		{ "Model", false },
		{ "mode", false },
		{ "models", false },
		{ "", false },
		{ "model\\u0000", false },
		{ "mod\\u0065ls", false },
		{ "mode\\", false },
		{ "mod\\u006", false },
		{ "m\\odel", false },
		{ "model\\u0020", false },
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_json_member member =
		    member_of(cases[i].key, "1", DR_JSON_NUMBER);

		assert_int_equal(dr_json_key_is(&member, "model"), cases[i].is);
	}
}

static void
text_is_unescaped_or_refused(void **unused)
{
	static const struct {
		const char *raw, *want; /* NULL: refused */
	} cases[] = {
		{ "\"\"", "" },
		{ "\"abc\"", "abc" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u00fc\\u4e16\\ud83c\\udf0d\"",
		    "\xc3\xbc\xe4\xb8\x96\xf0\x9f\x8c\x8d" },
		{ "\"\xc3\xbc\xf0\x9f\x8c\x8d\"", "\xc3\xbc\xf0\x9f\x8c\x8d" },
		{ "\"123456789012345\"", "123456789012345" },
		{ "\"1234567890123456\"", NULL }, /* one byte too many */
		{ "\"12345678901234\xc3\xbc\"", NULL },
		{ "\"a\\u0000\"", NULL },
		{ "\"\\ud83c\"", NULL },
		{ "\"\\ud83cx\"", NULL },
		{ "\"\\ud83c\\u0041\"", NULL },
		{ "\"\\udf0d\"", NULL },
		{ "\"\xff\"", NULL },
		{ "\"\xc0\xaf\"", NULL },
		{ "\"\xed\xa0\x80\"", NULL },
		{ "\"\xe4\xb8\"", NULL },
		{ "\"a\nb\"", NULL },
		{ "\"\\q\"", NULL },
	};
	char out[16];

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_json_member member =
		    member_of("k", cases[i].raw, DR_JSON_STRING);

		assert_int_equal(
		    dr_json_text(&member, out, sizeof out), cases[i].want != NULL);
		assert_string_equal(out, cases[i].want != NULL ? cases[i].want : "");
	}
	assert_false(
	    dr_json_text(&(struct dr_json_member){ "k", 1, "12", 2, DR_JSON_NUMBER },
		out, sizeof out));
}

static void
text_to_show_is_cut_at_a_whole_character(void **unused)
{
	static const struct {
		const char *raw, *want;
	} cases[] = {
		{ "short", "short" },
		{ "1234567890", "1234567" },
		{ "123456\xc3\xbcx", "123456" },
		{ "12345\\ud83c\\udf0d", "12345" },
		{ "a\\n\xff\\", "a\n??" },
		{ "cut \\u00", "cut ?u0" },
	};
	char out[8];

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		dr_json_text_cut(cases[i].raw, strlen(cases[i].raw), out, sizeof out);
		assert_string_equal(out, cases[i].want);
	}
}

static void
whole_numbers_are_read_in_any_notation(void **unused)
{
	static const struct {
		const char *raw;
		bool is;
		int64_t want;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "4096", true, 4096 },
		{ "-17", true, -17 },
		{ "4096.0", true, 4096 },
		{ "4096.000000000000000000000", true, 4096 },
		{ "1e3", true, 1000 },
		{ "1.5E+3", true, 1500 },
		{ "1200e-2", true, 12 },
		{ "0e999", true, 0 },
		{ "0.0", true, 0 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "1e19", false, 0 },
		{ "1e99999999999999999999", false, 0 },
		{ "1.5", false, 0 },
		{ "1e-1", false, 0 },
		{ "1x5", false, 0 },
		{ "1e", false, 0 },
		{ "-", false, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_json_member member =
		    member_of("k", cases[i].raw, DR_JSON_NUMBER);
		int64_t got = 0;

		assert_int_equal(dr_json_int(&member, &got), cases[i].is);
		if (cases[i].is)
			assert_true(got == cases[i].want);
	}
	assert_false(
	    dr_json_int(&(struct dr_json_member){ "k", 1, "\"1\"", 3, DR_JSON_STRING },
		&(int64_t){ 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_reported_raw_and_in_order),
		cmocka_unit_test(a_refusal_says_what_and_at_which_byte),
		cmocka_unit_test(nul_bytes_are_no_space_and_no_end),
		cmocka_unit_test(no_beginning_of_an_object_is_an_object),
		cmocka_unit_test(the_owner_may_stop_the_scan),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(hostile_bodies_of_megabytes_take_linear_time),
		cmocka_unit_test(a_key_is_known_in_any_spelling),
		cmocka_unit_test(text_is_unescaped_or_refused),
		cmocka_unit_test(text_to_show_is_cut_at_a_whole_character),
		cmocka_unit_test(whole_numbers_are_read_in_any_notation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
