/*
 * A provider's record as a whole: what it needs, its credential, and what it says of
 * models, rest and addresses.
 */
#include "provider_record_fixture.h"

/* ---- whole records ---- */

#define GOOD "base_url", "https://h", "dialects", "anthropic", "models", "m"

static void
a_record_needs_what_a_request_needs(void **state)
{
	static const struct {
		const char *texts[10];
		size_t n;
		const char *err; /* NULL: good */
	} rows[] = {
		{ { GOOD }, 6, NULL },
		{ { GOOD, "name", "p1" }, 8, NULL },
		{ { GOOD, "name", "p2" }, 8,
		    "name: differs from the record's own name" },
		{ { GOOD, "colour", "red" }, 8, "colour: unknown field" },
		{ { "dialects", "anthropic", "models", "m" }, 4,
		    "base_url: is missing" },
		{ { "base_url", "https://h", "models", "m" }, 4,
		    "dialects: none is named" },
		{ { "base_url", "https://h", "dialects", "anthropic" }, 4,
		    "models: none is named" },
		{ { "base_url", "http://h", "dialects", "anthropic", "models", "m" }, 6,
		    "base_url: plain http needs allow_http = on" },
		{ { "base_url", "http://h", "dialects", "anthropic", "models", "m",
		      "allow_http", "on" },
		    8, NULL },
		{ { NULL }, 0, "base_url: is missing" },
	};
	char err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = dr_provider_record_parse(
		    "p1", rows[i].texts, rows[i].n, err, sizeof err);

		assert_int_equal(record != NULL, rows[i].err == NULL);
		if (record == NULL)
			assert_string_equal(err, rows[i].err);
		dr_provider_record_free(&record);
	}
}

static void
what_is_written_reads_back_the_same(void **state)
{
	static const char *const in[] = { GOOD, "enabled", "off", "allow_http", "on",
		"header", "bearer", "max_concurrency", "3", "weight", "9", "priority",
		"2", "org", "o", "rest", "23:00-01:00", "generation", "42",
		"credential", "v1.xyz", "ca_file", "/x" };
	struct dr_provider_record *a, *b;
	struct dr_strbuf texts[32];
	const char *out[64], *field;
	char err[200];
	size_t n = 0;

	(void)state;
	a = dr_provider_record_parse("p1", in, DR_N_ELEMENTS(in), err, sizeof err);
	assert_non_null(a);
	for (; (field = dr_provider_record_field(n)) != NULL; n++) {
		dr_strbuf_init(&texts[n], 4096);
		assert_true(dr_provider_record_get(a, field, &texts[n]));
		out[2 * n] = field;
		out[2 * n + 1] = texts[n].data;
	}
	b = dr_provider_record_parse("p1", out, 2 * n, err, sizeof err);
	assert_non_null(b);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(text_of(b, out[2 * i]), texts[i].data);
		dr_strbuf_fini(&texts[i]);
	}
	dr_provider_record_free(&a);
	dr_provider_record_free(&b);
	forget_text();
}

/* ---- credential ---- */

static void
a_credential_opens_only_under_its_own_name_and_key(void **state)
{
	struct dr_seal_key key = { .bytes = { 1, 2, 3 } },
			   other = { .bytes = { 3, 2, 1 } };
	struct dr_provider_record *record = record_of("p1"), *thief = record_of("p2");
	char *plain, err[200];

	(void)state;
	assert_true(dr_provider_record_open(record, &key, &plain));
	assert_null(plain);
	dr_provider_record_seal(record, &key, "sk-secret");
	assert_true(strncmp(record->credential, "v1.", 3) == 0);
	assert_null(strstr(record->credential, "secret"));
	assert_true(dr_provider_record_open(record, &key, &plain));
	assert_string_equal(plain, "sk-secret");
	free(plain);
	assert_false(dr_provider_record_open(record, &other, &plain));
	assert_null(plain);
	assert_true(dr_provider_record_set(
	    thief, "credential", record->credential, err, sizeof err));
	assert_false(dr_provider_record_open(thief, &key, &plain));
	/* a line break would forge a header */
	dr_provider_record_seal(record, &key, "sk\r\nx: y");
	assert_false(dr_provider_record_open(record, &key, &plain));
	dr_provider_record_seal(record, &key, "");
	assert_null(record->credential);
	dr_provider_record_free(&record);
	dr_provider_record_free(&thief);
}

static void
the_longest_credential_fits(void **state)
{
	struct dr_seal_key key = { .bytes = { 7 } };
	struct dr_provider_record *record = record_of("p1");
	char secret[DR_MAX_CREDENTIAL + 1], *plain, *sealed, err[200];

	(void)state;
	memset(secret, 's', sizeof secret);
	secret[DR_MAX_CREDENTIAL] = '\0';
	dr_provider_record_seal(record, &key, secret);
	sealed = dr_strdup(record->credential);
	assert_true(
	    dr_provider_record_set(record, "credential", sealed, err, sizeof err));
	assert_true(dr_provider_record_open(record, &key, &plain));
	assert_string_equal(plain, secret);
	free(plain);
	free(sealed);
	dr_provider_record_free(&record);
}

/* ---- questions ---- */

static void
keys_share_the_providers_hash_tag(void **state)
{
	char key[DR_PROVIDER_KEY_SIZE];

	(void)state;
	dr_provider_key_tag("p1", key);
	assert_string_equal(key, "{p:p1}");
	dr_provider_key_record("p1", key);
	assert_string_equal(key, "{p:p1}:provider");
	dr_provider_key_running(
	    "0123456789012345678901234567890123456789012345678901234567890123", key);
	assert_string_equal(key,
	    "{p:0123456789012345678901234567890123456789012345678901234567890123}:running");
}

static void
a_model_is_served_on_the_named_dialects_only(void **state)
{
	static const char *const in[] = { "base_url", "https://h", "dialects",
		"anthropic,openai-responses", "models", "here=there,same" };
	struct dr_provider_record *record;
	char err[200];

	(void)state;
	record = dr_provider_record_parse("p1", in, 6, err, sizeof err);
	assert_non_null(record);
	assert_string_equal(dr_provider_record_model(record, "here"), "there");
	assert_string_equal(dr_provider_record_model(record, "same"), "same");
	assert_null(dr_provider_record_model(record, "there"));
	assert_true(dr_provider_record_serves(record, "here", DR_DIALECT_ANTHROPIC));
	assert_true(dr_provider_record_serves(record, "same", DR_DIALECT_RESPONSES));
	assert_false(dr_provider_record_serves(record, "here", DR_DIALECT_CHAT));
	assert_false(dr_provider_record_serves(record, "no", DR_DIALECT_ANTHROPIC));
	dr_provider_record_free(&record);
}

static void
rest_is_by_utc_windows_that_may_pass_midnight(void **state)
{
	static const struct {
		const char *rest;
		unsigned minute, wakes_in;
	} rows[] = {
		{ "none", 0, 0 },
		{ "01:00-02:00", 59, 0 },
		{ "01:00-02:00", 60, 60 },
		{ "01:00-02:00", 119, 1 },
		{ "01:00-02:00", 120, 0 },
		{ "22:00-06:00", 21 * 60 + 59, 0 },
		{ "22:00-06:00", 22 * 60, 480 },
		{ "22:00-06:00", 1439, 361 },
		{ "22:00-06:00", 0, 360 },
		{ "22:00-06:00", 359, 1 },
		{ "22:00-06:00", 360, 0 },
		/* windows that touch or overlap are one */
		{ "22:00-00:00,00:00-01:00", 23 * 60, 120 },
		{ "01:00-03:00,02:00-05:00", 90, 210 },
		{ "01:00-03:00,04:00-05:00", 90, 90 },
		{ "00:00-23:59", 0, 1439 },
	};
	char err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = record_of("p1");

		assert_true(dr_provider_record_set(
		    record, "rest", rows[i].rest, err, sizeof err));
		assert_int_equal(
		    dr_rest_wakes_in(&record->rest, rows[i].minute), rows[i].wakes_in);
		assert_int_equal(
		    dr_rest_at(&record->rest, rows[i].minute), rows[i].wakes_in > 0);
		dr_provider_record_free(&record);
	}
}

static void
urls_join_with_one_v1(void **state)
{
	static const char *const rows[][5] = {
		{ "https://h", "/v1/messages", "https://h/v1/messages", "/v1", "" },
		{ "https://h/v1", "/v1/messages", "https://h/v1/messages", "/v1", "" },
		{ "https://h:8/llm", "/v1/chat/completions",
		    "https://h:8/llm/v1/chat/completions", "/v1", "" },
		{ "https://h/llm/v1", "/v1/chat/completions",
		    "https://h/llm/v1/chat/completions", "/v1", "" },
		{ "https://h/av1", "/v1/messages", "https://h/av1/v1/messages", "/v1",
		    "" },
		{ "https://h/openai", "/v1/chat/completions",
		    "https://h/openai/chat/completions", "none", "" },
		{ "https://h", "/v1/messages/count_tokens",
		    "https://h/v1beta/messages/count_tokens?a=b&c=d", "/v1beta",
		    "a=b&c=d" },
		{ "https://h/v1", "/v1/responses",
		    "https://h/v1/responses?api-version=1", "/v1", "api-version=1" },
	};
	char err[200], url[64], tight[22];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = record_of("p1");

		assert_true(dr_provider_record_set(
		    record, "base_url", rows[i][0], err, sizeof err));
		assert_true(dr_provider_record_set(
		    record, "api_path", rows[i][3], err, sizeof err));
		assert_true(dr_provider_record_set(
		    record, "query", rows[i][4], err, sizeof err));
		assert_true(
		    dr_provider_record_url(record, rows[i][1], url, sizeof url));
		assert_string_equal(url, rows[i][2]);
		if (i == 0) {
			assert_true(dr_provider_record_url(
			    record, rows[i][1], tight, sizeof tight));
			assert_false(dr_provider_record_url(
			    record, rows[i][1], tight, sizeof tight - 1));
		}
		dr_provider_record_free(&record);
	}
}

/* ---- the node's token ---- */

static void
a_token_is_known_until_the_next_one(void **state)
{
	struct dr_provider_record *record = record_of("p-1_x.y");
	char first[DR_PROVIDER_TOKEN_SIZE], second[DR_PROVIDER_TOKEN_SIZE];

	(void)state;
	assert_false(dr_provider_record_knows_token(record, ""));
	dr_provider_record_new_token(record, first);
	assert_string_equal(dr_provider_token_name(first), "p-1_x.y");
	assert_true(dr_provider_record_knows_token(record, first));
	assert_null(strstr(text_of(record, "token_sha"), first));
	dr_provider_record_new_token(record, second);
	assert_string_not_equal(first, second);
	assert_false(dr_provider_record_knows_token(record, first));
	assert_true(dr_provider_record_knows_token(record, second));
	forget_text();
	dr_provider_record_free(&record);
}

static void
what_is_no_token_names_nobody(void **state)
{
	static const char *const rows[] = { "", "drp_", "drp_short_p1",
		"drp_0123456789012345678901234567890123456789_",
		"drp_0123456789012345678901234567890123456789_P",
		"drp_0123456789012345678901234567890123456789-p",
		"drp_01234567890123456789012345678901234567890_p",
		"drp_012345678901234567890123456789012345678A_p",
		"sk-_0123456789012345678901234567890123456789_p" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		assert_null(dr_provider_token_name(rows[i]));
	assert_string_equal(
	    dr_provider_token_name("drp_0123456789012345678901234567890123456789_p_q"),
	    "p_q");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_known_until_the_next_one),
		cmocka_unit_test(what_is_no_token_names_nobody),
		cmocka_unit_test(a_record_needs_what_a_request_needs),
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(a_credential_opens_only_under_its_own_name_and_key),
		cmocka_unit_test(the_longest_credential_fits),
		cmocka_unit_test(keys_share_the_providers_hash_tag),
		cmocka_unit_test(a_model_is_served_on_the_named_dialects_only),
		cmocka_unit_test(rest_is_by_utc_windows_that_may_pass_midnight),
		cmocka_unit_test(urls_join_with_one_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
