/*
 * The fields of a provider's record: what is accepted and what is not, and how it is
 * written.
 */
#include "provider_record_fixture.h"

static void
names_are_short_and_plain(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{ "a", true },
		{ "claude-1.eu_west", true },
		{ "0123456789012345678901234567890123456789012345678901234567890123",
		    true },
		{ "01234567890123456789012345678901234567890123456789012345678901234",
		    false },
		{ "", false },
		{ "A", false },
		{ "a b", false },
		{ "a}b", false },
		{ "a\n", false },
		{ "\xc3\xa4", false },
	};
	char err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record =
		    dr_provider_record_new(rows[i].name, err, sizeof err);

		assert_int_equal(dr_provider_name_ok(rows[i].name), rows[i].good);
		assert_int_equal(record != NULL, rows[i].good);
		if (record == NULL)
			assert_true(strncmp(err, "name: ", 6) == 0);
		dr_provider_record_free(&record);
	}
}

/* value as given -> as it is then written; NULL: refused. */
static const struct {
	const char *field, *value, *text;
} fields[] = {
	{ "name", "p1", "p1" },
	{ "name", "p2", NULL },
	{ "enabled", "off", "off" },
	{ "enabled", "on", "on" },
	{ "enabled", "yes", NULL },
	{ "enabled", "", NULL },
	{ "header", "api-key", "api-key" },
	{ "header", "cookie", NULL },
	{ "api_path", "/v1", "/v1" },
	{ "api_path", "none", "none" },
	{ "api_path", "/openai/v1beta", "/openai/v1beta" },
	{ "api_path", "", NULL },
	{ "api_path", "v1", NULL },
	{ "api_path", "/../x", NULL },
	{ "api_path", "/v1?x", NULL },
	{ "api_path", "/v1/", NULL },
	{ "query", "api-version=2024-10-21&x=%20y", "api-version=2024-10-21&x=%20y" },
	{ "query", "", "" },
	{ "query", "a b", NULL },
	{ "query", "&a=b", NULL },
	{ "query", "a=b#c", NULL },
	{ "query", "a=\n", NULL },
	{ "extra_headers", "OpenAI-Organization: org-1", "OpenAI-Organization: org-1" },
	{ "extra_headers", "a: b, c\nx-y: 1: 2", "a: b, c\nx-y: 1: 2" },
	{ "extra_headers", "", "" },
	{ "extra_headers", "a:b", NULL },
	{ "extra_headers", "a: ", NULL },
	{ "extra_headers", "a b: c", NULL },
	{ "extra_headers", ": c", NULL },
	{ "extra_headers", "a: b\r", NULL },
	{ "extra_headers", "a: b\n\nc: d", NULL },
	{ "extra_headers", "Authorization: Bearer x", NULL },
	{ "extra_headers", "X-API-Key: x", NULL },
	{ "extra_headers", "a: b\nContent-Length: 5", NULL },
	{ "extra_headers",
	    "a: 1\na: 2\na: 3\na: 4\na: 5\na: 6\na: 7\na: 8\na: 9\na: 1\na: 2\na: 3\na: "
	    "4\na: 5\na: 6\na: 7\na: 8",
	    NULL },
	{ "rename_answers", "on", "on" },
	{ "rename_answers", "1", NULL },
	{ "dialects", "anthropic", "anthropic" },
	{ "dialects", "openai-responses, openai-chat", "openai-chat,openai-responses" },
	{ "dialects", "anthropic,anthropic", "anthropic" },
	{ "dialects", "", NULL },
	{ "dialects", "anthropic,", NULL },
	{ "dialects", "openai", NULL },
	{ "base_url", "https://api.example.com", "https://api.example.com" },
	{ "base_url", "https://api.example.com:8443/v1",
	    "https://api.example.com:8443/v1" },
	{ "base_url", "https://[::1]:443/a/b", "https://[::1]:443/a/b" },
	{ "base_url", "http://127.0.0.1:9000", "http://127.0.0.1:9000" },
	{ "base_url", "", NULL },
	{ "base_url", "api.example.com", NULL },
	{ "base_url", "ftp://api.example.com", NULL },
	{ "base_url", "HTTPS://api.example.com", NULL },
	{ "base_url", "https://", NULL },
	{ "base_url", "https:///v1", NULL },
	{ "base_url", "https://api.example.com/", NULL },
	{ "base_url", "https://api.example.com/v1/", NULL },
	{ "base_url", "https://api.example.com//v1", NULL },
	{ "base_url", "https://api.example.com/../x", NULL },
	{ "base_url", "https://api.example.com/./x", NULL },
	{ "base_url", "https://api.example.com/..x", "https://api.example.com/..x" },
	{ "base_url", "https://user:pass@api.example.com", NULL },
	{ "base_url", "https://user@api.example.com/v1", NULL },
	{ "base_url", "https://api.example.com/v1?key=1", NULL },
	{ "base_url", "https://api.example.com/v1#x", NULL },
	{ "base_url", "https://api.example.com:0", NULL },
	{ "base_url", "https://api.example.com:65536", NULL },
	{ "base_url", "https://api.example.com:", NULL },
	{ "base_url", "https://api.example.com:80a", NULL },
	{ "base_url", "https://api example.com", NULL },
	{ "base_url", "https://api.example.com/a b", NULL },
	{ "base_url", "https://api.example.com/a\r\nX: y", NULL },
	{ "base_url", "https://[::1", NULL },
	{ "base_url", "https://-x.example.com", NULL },
	{ "allow_http", "on", "on" },
	{ "allow_http", "1", NULL },
	{ "ca_file", "/etc/ssl/roots.pem", "/etc/ssl/roots.pem" },
	{ "ca_file", "", "" },
	{ "ca_file", "roots.pem", NULL },
	{ "ca_file", "/a\nb", NULL },
	{ "header", "bearer", "bearer" },
	{ "header", "x-api-key", "x-api-key" },
	{ "header", "basic", NULL },
	{ "credential", "", "" },
	{ "credential", "v1.AAAA", "v1.AAAA" },
	{ "credential", "sk-ant-plain", NULL },
	{ "credential", "v1.\n", NULL },
	{ "models", "b=B, a", "a,b=B" },
	{ "models", "openai/gpt-4:free=gpt-4", "openai/gpt-4:free=gpt-4" },
	{ "models", "a=a", "a" },
	{ "models", "", NULL },
	{ "models", "a,", NULL },
	{ "models", "a=", NULL },
	{ "models", "=a", NULL },
	{ "models", "a=b=c", NULL },
	{ "models", "a,b,a=c", NULL },
	{ "models", "a b", NULL },
	{ "models", "a\"", NULL },
	{ "max_concurrency", "1", "1" },
	{ "max_concurrency", "1000000", "1000000" },
	{ "max_concurrency", "0", NULL },
	{ "max_concurrency", "1000001", NULL },
	{ "max_concurrency", "-1", NULL },
	{ "max_concurrency", "+1", NULL },
	{ "max_concurrency", "1.5", NULL },
	{ "max_concurrency", "", NULL },
	{ "max_concurrency", "18446744073709551617", NULL },
	{ "weight", "1000", "1000" },
	{ "weight", "0", NULL },
	{ "weight", "1001", NULL },
	{ "priority", "0", "0" },
	{ "priority", "1001", NULL },
	{ "org", "ACME Ltd", "ACME Ltd" },
	{ "org", "a\tb", NULL },
	{ "rest", "none", "none" },
	{ "rest", "22:00-06:00", "22:00-06:00" },
	{ "rest", "01:00-02:30, 12:05-12:06", "01:00-02:30,12:05-12:06" },
	{ "rest", "", NULL },
	{ "rest", "24:00-01:00", NULL },
	{ "rest", "1:00-02:00", NULL },
	{ "rest", "01:60-02:00", NULL },
	{ "rest", "01:00-01:00", NULL },
	{ "rest", "01:00", NULL },
	{ "rest", "00:00-12:00,12:00-00:00", NULL },
	{ "rest", "00:00-23:00,20:00-04:00", NULL },
	{ "liveness", "always", "always" },
	{ "liveness", "node", "node" },
	{ "liveness", "probe", "probe" },
	{ "liveness", "", NULL },
	{ "rest", "auto", "auto" },
	{ "rest", "auto,01:00-02:00", NULL },
	{ "token_sha", "", "" },
	{ "token_sha",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
	{ "token_sha",
	    "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", NULL },
	{ "token_sha", "drp_abc", NULL },
	{ "generation", "9007199254740992", "9007199254740992" },
	{ "generation", "9007199254740993", NULL },
	{ "generation", "-1", NULL },
	{ "generation", "", NULL },
	{ "max_conc", "1", NULL },
	{ "", "1", NULL },
};

static void
a_field_is_read_strictly_and_written_as_it_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++) {
		struct dr_provider_record *record = record_of("p1");
		const char *field = fields[i].field;
		char err[200] = "", begin[64];
		bool good = dr_provider_record_set(
		    record, field, fields[i].value, err, sizeof err);

		if (good != (fields[i].text != NULL))
			fail_msg("%s = \"%s\": %s", field, fields[i].value,
			    good ? "accepted" : err);
		if (good) {
			assert_string_equal(text_of(record, field), fields[i].text);
			/* and once more from what was written */
			assert_true(dr_provider_record_set(
			    record, field, fields[i].text, err, sizeof err));
			assert_string_equal(text_of(record, field), fields[i].text);
		} else {
			snprintf(begin, sizeof begin, "%s: ", field);
			assert_true(strncmp(err, begin, strlen(begin)) == 0);
		}
		dr_provider_record_free(&record);
	}
	forget_text();
}

static void
a_refused_value_leaves_the_record_as_it_was(void **state)
{
	static const char *const good[][2] = { { "models", "a=b" },
		{ "rest", "01:00-02:00" }, { "dialects", "openai-chat" },
		{ "base_url", "https://h" }, { "weight", "7" },
		{ "credential", "v1.AA" }, { "org", "x" } };
	static const char *const bad[] = { "c,d,", "03:00-04:00,", "anthropic,x",
		"https://h/", "0", "plain", "\n" };
	struct dr_provider_record *record = record_of("p1");
	char err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(good); i++) {
		assert_true(dr_provider_record_set(
		    record, good[i][0], good[i][1], err, sizeof err));
		assert_false(dr_provider_record_set(
		    record, good[i][0], bad[i], err, sizeof err));
		assert_string_equal(text_of(record, good[i][0]), good[i][1]);
	}
	dr_provider_record_free(&record);
	forget_text();
}

static void
limits_of_length_are_kept(void **state)
{
	static const struct {
		const char *field, *begin;
		size_t most;
	} rows[] = {
		{ "base_url", "https://host/", DR_MAX_PROVIDER_URL },
		{ "org", "", DR_MAX_PROVIDER_ORG },
		{ "ca_file", "/", DR_MAX_PROVIDER_CA },
		{ "models", "", DR_MAX_MODEL_NAME },
	};
	char value[1024], err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = record_of("p1");

		memset(value, 'x', sizeof value);
		memcpy(value, rows[i].begin, strlen(rows[i].begin));
		value[rows[i].most + 1] = '\0';
		assert_false(dr_provider_record_set(
		    record, rows[i].field, value, err, sizeof err));
		value[rows[i].most] = '\0';
		assert_true(dr_provider_record_set(
		    record, rows[i].field, value, err, sizeof err));
		dr_provider_record_free(&record);
	}
}

static void
a_thousand_models_fit_and_no_more(void **state)
{
	struct dr_provider_record *record = record_of("p1");
	struct dr_strbuf list;
	char err[200];

	(void)state;
	dr_strbuf_init(&list, 1 << 20);
	for (int i = 0; i < DR_MAX_PROVIDER_MODELS; i++)
		dr_strbuf_addf(&list, "%sm%d=x%d", i > 0 ? "," : "", i, i);
	assert_true(
	    dr_provider_record_set(record, "models", list.data, err, sizeof err));
	for (int i = 0; i < DR_MAX_PROVIDER_MODELS; i++) {
		char here[16], there[16];

		snprintf(here, sizeof here, "m%d", i);
		snprintf(there, sizeof there, "x%d", i);
		assert_string_equal(dr_provider_record_model(record, here), there);
	}
	assert_null(dr_provider_record_model(record, "m1000"));
	dr_strbuf_adds(&list, ",one-more");
	assert_false(
	    dr_provider_record_set(record, "models", list.data, err, sizeof err));
	dr_strbuf_fini(&list);
	dr_provider_record_free(&record);
}

static void
no_prefix_of_a_value_is_a_crash(void **state)
{
	static const char *const values[][2] = { { "models", "aa=bb, cc=dd,ee" },
		{ "rest", "01:00-02:00, 22:00-03:30" },
		{ "base_url", "https://[::1]:80/v1/x" },
		{ "dialects", "anthropic, openai-chat" } };
	char err[200];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(values); i++)
		for (size_t cut = 0; cut <= strlen(values[i][1]); cut++) {
			struct dr_provider_record *record = record_of("p1");
			char *value = dr_strndup(values[i][1], cut);
			bool good = dr_provider_record_set(
			    record, values[i][0], value, err, sizeof err);

			if (cut == strlen(values[i][1]))
				assert_true(good);
			free(value);
			dr_provider_record_free(&record);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_short_and_plain),
		cmocka_unit_test(a_field_is_read_strictly_and_written_as_it_is_read),
		cmocka_unit_test(a_refused_value_leaves_the_record_as_it_was),
		cmocka_unit_test(limits_of_length_are_kept),
		cmocka_unit_test(a_thousand_models_fit_and_no_more),
		cmocka_unit_test(no_prefix_of_a_value_is_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
