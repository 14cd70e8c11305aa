/*
 * api_key: the form of keys and request ids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/api_key.h"

#define PREFIX "sk-ant-dr-"
#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456"
#define GOOD   PREFIX "k3f9a0b1c2-x7y8z9-" SECRET

static void
a_key_in_form_is_taken_apart(void **state)
{
	struct dr_api_key key;
	char sha[DR_SHA256_HEX];

	(void)state;
	assert_int_equal(strlen(SECRET), DR_SECRET_LEN);
	assert_true(dr_api_key_parse(PREFIX, GOOD, &key));
	assert_string_equal(key.account, "k3f9a0b1c2");
	assert_string_equal(key.key_id, "x7y8z9");
	dr_sha256_hex(SECRET, strlen(SECRET), sha);
	assert_string_equal(key.sha, sha);
}

static void
what_is_not_in_form_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		PREFIX,
		"sk-ant-dr",
		"sk-ant-api03-k3f9a0b1c2-x7y8z9-" SECRET,
		" " GOOD,
		GOOD " ",
		GOOD "\n",
		GOOD "x",
		PREFIX "K3f9a0b1c2-x7y8z9-" SECRET,
		PREFIX "k3f9a0b1c2-X7y8z9-" SECRET,
		PREFIX "k3f9a0b1c-x7y8z9-" SECRET,
		PREFIX "k3f9a0b1c2d-x7y8z9-" SECRET,
		PREFIX "k3f9a0b1c2-x7y8z-" SECRET,
		PREFIX "k3f9a0b1c2-x7y8z9a-" SECRET,
		PREFIX "k3f9a0b1c2_x7y8z9-" SECRET,
		PREFIX "k3f9a0b1c2-x7y8z9_" SECRET,
		PREFIX "k3f9a0b1c2-x7y8z9-" SECRET "-",
		PREFIX "k3f9a0b1c2-x7y8z9-abcdefghijklmnopqrstuvwxyzABCDEFGHIJ012345}",
		PREFIX "k3f9a0b1c2-x7y8z9-abcdefghijklmnopqrstuvwxyzABCDEFGHIJ012345",
		PREFIX "k3f9a0b1\xc3\xa9-x7y8z9-" SECRET,
	};
	struct dr_api_key key = { .account = "before" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		assert_false(dr_api_key_parse(PREFIX, bad[i], &key));
		assert_string_equal(key.account, "before");
	}
	for (size_t cut = 0; cut < strlen(GOOD); cut++) {
		char text[sizeof GOOD];

		snprintf(text, sizeof text, "%.*s", (int)cut, GOOD);
		assert_false(dr_api_key_parse(PREFIX, text, &key));
	}
}

/* No byte but a letter or a digit stands in a key, whatever the locale thinks. */
static void
each_byte_of_a_key_is_judged_by_itself(void **state)
{
	(void)state;
	for (size_t at = strlen(PREFIX); at < strlen(GOOD); at++) {
		bool hyphen = GOOD[at] == '-',
		     in_secret = at >= strlen(GOOD) - DR_SECRET_LEN;

		for (int byte = 1; byte < 256; byte++) {
			char text[sizeof GOOD] = GOOD;
			struct dr_api_key key;
			bool id = (byte >= 'a' && byte <= 'z') ||
				  (byte >= '0' && byte <= '9');
			bool good =
			    hyphen ? byte == '-'
				   : id || (in_secret && byte >= 'A' && byte <= 'Z');

			text[at] = (char)byte;
			assert_int_equal(dr_api_key_parse(PREFIX, text, &key), good);
		}
	}
}

static void
a_new_key_parses_to_what_is_kept_of_it(void **state)
{
	char text[DR_API_KEY_SIZE], other[DR_API_KEY_SIZE];
	struct dr_api_key made, read, second;

	(void)state;
	dr_api_key_new(PREFIX, "k3f9a0b1c2", text, &made);
	assert_true(dr_api_key_parse(PREFIX, text, &read));
	assert_memory_equal(&made, &read, sizeof made);
	assert_null(strstr(text, made.sha));
	dr_api_key_new(PREFIX, "k3f9a0b1c2", other, &second);
	assert_string_not_equal(made.key_id, second.key_id);
	assert_string_not_equal(made.sha, second.sha);
	dr_api_key_new("", "k3f9a0b1c2", text, &made); /* no prefix is a prefix, too */
	assert_true(dr_api_key_parse("", text, &read));
}

/* 62 letters in 256 bits: none may be missing in 200 secrets, nor come twice as often.
 */
static void
a_secret_uses_its_letters_evenly(void **state)
{
	unsigned seen[256] = { 0 }, n = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		char text[DR_API_KEY_SIZE];
		struct dr_api_key key;

		dr_api_key_new(PREFIX, "k3f9a0b1c2", text, &key);
		for (const char *p = strrchr(text, '-') + 1; *p != '\0'; p++, n++)
			seen[(unsigned char)*p]++;
	}
	for (int c = 0; c < 128; c++)
		if (isalnum(c))
			assert_in_range(seen[c], n / 62 / 2, n / 62 * 2);
}

static void
a_request_id_names_its_account(void **state)
{
	char id[DR_REQUEST_ID_SIZE], other[DR_REQUEST_ID_SIZE],
	    account[DR_ACCOUNT_LEN + 1];

	(void)state;
	dr_request_id_new("k3f9a0b1c2", id);
	dr_request_id_new("k3f9a0b1c2", other);
	assert_int_equal(strlen(id), DR_REQUEST_ID_SIZE - 1);
	assert_string_not_equal(id, other);
	assert_true(dr_request_id_account(id, account));
	assert_string_equal(account, "k3f9a0b1c2");
	dr_request_id_new(NULL, id); /* the same shape, and an account nobody has */
	assert_true(dr_request_id_account(id, account));
	assert_int_equal(strlen(id), DR_REQUEST_ID_SIZE - 1);
}

static void
what_is_no_request_id_names_none(void **state)
{
	static const char *const bad[] = { "", "req_", "req_k3f9a0b1c2",
		"req_aaaaaaaaaaaaaaaaaaaak3f9a0b1c",
		"req_aaaaaaaaaaaaaaaaaaaak3f9a0b1c22",
		"REQ_aaaaaaaaaaaaaaaaaaaak3f9a0b1c2",
		"req-aaaaaaaaaaaaaaaaaaaak3f9a0b1c2",
		"req_aaaaaaaaaaaaaaaaaaaak3f9a0b1c}",
		"req_aaaaaaaaaa:aaaaaaaaak3f9a0b1c2",
		"../../../../../../etc/passwd/aaaaa" };
	char account[DR_ACCOUNT_LEN + 1] = "before";

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++)
		assert_false(dr_request_id_account(bad[i], account));
	assert_string_equal(account, "before");
}

static void
ids_have_exactly_their_length(void **state)
{
	char account[DR_ACCOUNT_LEN + 1];

	(void)state;
	dr_account_id_new(account);
	assert_true(dr_account_id_ok(account));
	assert_false(dr_account_id_ok("k3f9a0b1c"));
	assert_false(dr_account_id_ok("k3f9a0b1c22"));
	assert_false(dr_account_id_ok("k3f9a0b1C2"));
	assert_true(dr_key_id_ok("x7y8z9"));
	assert_false(dr_key_id_ok("x7y8z"));
	assert_false(dr_key_id_ok("x7y8z9."));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_in_form_is_taken_apart),
		cmocka_unit_test(what_is_not_in_form_is_refused_and_changes_nothing),
		cmocka_unit_test(each_byte_of_a_key_is_judged_by_itself),
		cmocka_unit_test(a_new_key_parses_to_what_is_kept_of_it),
		cmocka_unit_test(a_secret_uses_its_letters_evenly),
		cmocka_unit_test(a_request_id_names_its_account),
		cmocka_unit_test(what_is_no_request_id_names_none),
		cmocka_unit_test(ids_have_exactly_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
