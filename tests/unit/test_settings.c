/*
 * Rules of config/settings: syntax, layers, units, and that every mistake is told with
 * its place. The example file and the README are held against settings.def here as
 * well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/conf_file.h"
#include "config/setting_value.h"
#include "config/settings.h"
#include "config/settings_check.h"
#include "config_fixture.h"

static struct dr_settings *
load(const char *text, const char *const *assignments)
{
	struct dr_settings *settings = NULL;
	const char *path = config_write("derouter.conf", text, strlen(text));

	dr_strbuf_clear(&mistakes);
	if (!dr_settings_load(path, assignments, &settings, note_mistake, NULL))
		assert_null(settings);
	else
		assert_int_equal(mistakes.len, 0);
	return settings;
}

static void
an_empty_file_gives_every_default(void **state)
{
	struct dr_settings *s = load("", NULL);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->max_body, 32 * 1024 * 1024);
	assert_int_equal(s->store_timeout, 1000);
	assert_int_equal(s->trace_ttl, 72 * 3600 * 1000);
	assert_int_equal(s->listen_mode, 0660);
	assert_int_equal(s->default_rpm, 60);
	assert_true(s->http2);
	assert_false(s->http2_streams);
	assert_string_equal(s->key_prefix, "sk-ant-dr-");
	dr_settings_free(&s);
	assert_null(s);
	dr_settings_free(&s);
}

static void
values_are_bare_or_quoted_and_comments_end_them(void **state)
{
	static const struct {
		const char *line;
		const char *support_url;
	} rows[] = {
		{ "support_url=a", "a" },
		{ "  support_url  =  a  b  \t", "a  b" },
		{ "support_url = a # comment", "a" },
		{ "support_url = http://x/#y", "http://x/#y" },
		{ "support_url =", "" },
		{ "support_url = # nothing", "" },
		{ "support_url = \"\"", "" },
		{ "support_url = \" a # b \" # c", " a # b " },
		{ "support_url = \"\\\"\\\\\"", "\"\\" },
		{ "support_url = a\r", "a" },
		{ "\xef\xbb\xbfsupport_url = a", "a" },
		{ "# x\n\n\t# y\nsupport_url = a\n\n", "a" },
		{ "support_url = a\"b", "a\"b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dr_settings *s = load(rows[i].line, NULL);

		assert_non_null(s);
		assert_string_equal(s->support_url, rows[i].support_url);
		dr_settings_free(&s);
	}
}

static void
each_kind_takes_its_units_and_its_bounds(void **state)
{
	static const struct {
		const char *line;
		bool good;
	} rows[] = {
		{ "store_timeout = 10ms", true },
		{ "store_timeout = 1m", true },
		{ "store_timeout = 9ms", false },
		{ "store_timeout = 61s", false },
		{ "store_timeout = 5", false },
		{ "store_timeout = 5 s", false },
		{ "store_timeout = 1.5s", false },
		{ "store_timeout = -1s", false },
		{ "store_timeout = s", false },
		{ "store_timeout = 99999999999999999999s", false },
		{ "store_timeout = 9223372036854775807d", false },
		{ "trace_ttl = 59m", false },
		{ "trace_ttl = 365d", true },
		{ "trace_ttl = 366d", false },
		{ "max_body = 1024", true },
		{ "max_body = 64KiB", true },
		{ "max_body = 1GiB", true },
		{ "max_body = 1025MiB", false },
		{ "max_body = 1MB", false },
		{ "max_body = 1kib", false },
		{ "max_body = 1023", false },
		{ "listen_mode = 0600", true },
		{ "listen_mode = 600", true },
		{ "listen_mode = 0680", false },
		{ "listen_mode = 1777", false },
		{ "http2 = off", true },
		{ "http2 = true", false },
		{ "http2 = ON", false },
		{ "default_rpm = 1", true },
		{ "default_rpm = 0", false },
		{ "default_rpm = 1e3", false },
		{ "default_rpm = 0x10", false },
		{ "default_rpm =", false },
		{ "support_url = \"a\tb\"", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dr_settings *s = load(rows[i].line, NULL);

		if ((s != NULL) != rows[i].good)
			fail_msg("%s: %s", rows[i].line, mistakes.data);
		if (!rows[i].good)
			assert_int_equal(n_mistakes(), 1);
		dr_settings_free(&s);
	}
}

static void
all_mistakes_are_told_each_with_its_line_and_name(void **state)
{
	static const char file[] = "store_timeout = 1\n"  /* 1 */
				   "rpm = 3\n"            /* 2 */
				   "listen = \"unix:/x\n" /* 3 */
				   "default_rpm = 5\n"    /* 4 */
				   "default_rpm = 6\n"    /* 5 */
				   "just words\n"         /* 6 */
				   "= 3\n"                /* 7 */
				   "cors = \"a\" b\n"     /* 8 */
				   "cors = \"a\\n\"\n"    /* 9 */
				   "[section]\n"          /* 10 */
				   "max_body = 1TB\n";    /* 11 */
	static const char *const told[] = { ":1: store_timeout: must be a time",
		"not \"1\"", ":2: rpm: unknown setting",
		":3: the closing quote is missing",
		":5: default_rpm: stands in line 4 already",
		":6: expected: name = value", ":7: expected: name = value",
		":8: text behind the closing quote",
		":9: only \\\" and \\\\ may follow", ":10: expected: name = value",
		":11: max_body: must be bytes", "1KiB to 1GiB" };

	(void)state;
	assert_null(load(file, NULL));
	assert_int_equal(n_mistakes(), 10);
	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
		if (strstr(mistakes.data, told[i]) == NULL)
			fail_msg("not told: %s in\n%s", told[i], mistakes.data);
}

static void
nul_bytes_and_endless_lines_are_mistakes_of_their_line(void **state)
{
	struct dr_settings *s = NULL;
	size_t len = DR_MAX_CONF_LINE + 100;
	char *text = calloc(1, len + 64);
	const char *path;

	(void)state;
	if (text == NULL)
		abort();
	memcpy(text, "cors = a\0b\n", 11);
	memset(text + 11, 'x', len);
	memcpy(text + 11 + len, "\ncors = ok\n", 11);
	path = config_write("derouter.conf", text, len + 22);
	dr_strbuf_clear(&mistakes);
	assert_false(dr_settings_load(path, NULL, &s, note_mistake, NULL));
	assert_int_equal(n_mistakes(), 2);
	assert_non_null(strstr(mistakes.data, ":1: the line holds a NUL byte"));
	assert_non_null(strstr(mistakes.data, ":2: the line is too long"));
	free(text);
}

static void
a_value_that_is_too_long_is_a_mistake(void **state)
{
	char line[DR_MAX_SETTING_VALUE + 64];
	int n = snprintf(line, sizeof line, "cors = ");

	(void)state;
	memset(line + n, 'a', DR_MAX_SETTING_VALUE + 1);
	line[n + DR_MAX_SETTING_VALUE + 1] = '\0';
	assert_null(load(line, NULL));
	assert_non_null(strstr(mistakes.data, ":1: cors: longer than"));
	line[n + DR_MAX_SETTING_VALUE] = '\0';
	{
		struct dr_settings *s = load(line, NULL);

		assert_non_null(s);
		dr_settings_free(&s);
	}
}

static void
a_file_that_is_missing_a_folder_or_huge_is_one_mistake(void **state)
{
	struct dr_settings *s = NULL;
	char *huge = malloc(DR_MAX_CONF_BYTES + 1);

	(void)state;
	dr_strbuf_clear(&mistakes);
	assert_false(
	    dr_settings_load("/nonexistent/d.conf", NULL, &s, note_mistake, NULL));
	assert_non_null(
	    strstr(mistakes.data, "/nonexistent/d.conf: cannot be read: No such"));
	assert_int_equal(n_mistakes(), 1);
	assert_false(dr_settings_load("/tmp", NULL, &s, note_mistake, NULL));
	assert_int_equal(n_mistakes(), 2);
	memset(huge, '\n', DR_MAX_CONF_BYTES + 1);
	assert_false(
	    dr_settings_load(config_write("derouter.conf", huge, DR_MAX_CONF_BYTES + 1),
		NULL, &s, note_mistake, NULL));
	assert_non_null(strstr(mistakes.data, "is larger than"));
	free(huge);
}

static void
later_layers_win_and_wrong_values_below_are_told_all_the_same(void **state)
{
	const char *const set[] = { "default_rpm=20", "default_concurrency=20",
		"default_concurrency=21", NULL };
	struct dr_settings *s;

	(void)state;
	setenv("DEROUTER_DEFAULT_RPM", "30", 1);
	setenv("DEROUTER_CONFIG", "/whatever", 1);
	s = load("default_rpm = 10\ndefault_concurrency = 10\nmax_attempts = 2\n", set);
	assert_non_null(s);
	assert_int_equal(s->default_rpm, 30);
	assert_int_equal(s->default_concurrency, 21);
	assert_int_equal(s->max_attempts, 2);
	dr_settings_free(&s);
	assert_null(load("default_rpm = many\n", NULL));
	assert_non_null(strstr(mistakes.data, ":1: default_rpm:"));
	unsetenv("DEROUTER_DEFAULT_RPM");
	unsetenv("DEROUTER_CONFIG");
}

static void
mistakes_in_the_environment_and_on_the_command_line_name_their_place(void **state)
{
	const char *const set[] = { "rpm=1", "http2", "http2=maybe", "=x", NULL };

	(void)state;
	setenv("DEROUTER_DEFAUT_RPM", "30", 1);
	setenv("DEROUTER_default_rpm", "30", 1);
	setenv("DEROUTER_HTTP2_STREAMS", "", 1);
	assert_null(load("", set));
	assert_int_equal(n_mistakes(), 7);
	assert_non_null(strstr(mistakes.data, "command line: rpm: unknown setting"));
	assert_non_null(
	    strstr(mistakes.data, "command line: http2: expected NAME=VALUE"));
	assert_non_null(
	    strstr(mistakes.data, "command line: http2: must be on or off"));
	assert_non_null(strstr(mistakes.data, "DEROUTER_DEFAUT_RPM: no setting"));
	assert_non_null(strstr(mistakes.data, "DEROUTER_default_rpm: no setting"));
	assert_non_null(
	    strstr(mistakes.data, "DEROUTER_HTTP2_STREAMS: http2_streams: must be on"));
	unsetenv("DEROUTER_DEFAUT_RPM");
	unsetenv("DEROUTER_default_rpm");
	unsetenv("DEROUTER_HTTP2_STREAMS");
}

static void
settings_that_must_fit_together_are_checked_where_they_were_set(void **state)
{
	static const struct {
		const char *file, *told;
	} rows[] = {
		{ "settlement_keep = 30m\ntrace_ttl = 119m",
		    "trace_ttl: must be at least 4 times settlement_keep" },
		{ "sweep_after = 29s",
		    ":1: sweep_after: must not be shorter than lease_time" },
		{ "lease_time = 2m",
		    "built-in value: sweep_after: must not be shorter" },
		{ "drain_on_abort = 60s",
		    ":1: drain_on_abort: must be shorter than sweep_after" },
		{ "cooldown = 10m", "cooldown_max: must not be shorter than cooldown" },
		{ "metrics_interval = 30s",
		    "metrics_dead: must be at least 3 times metrics_interval" },
		{ "markup = 12.5", ":1: markup: must be a percentage" },
		{ "markup = 1.234%", ":1: markup:" },
		{ "markup = -1%", ":1: markup:" },
		{ "markup = 1001%", ":1: markup:" },
		{ "log_level = trace", ":1: log_level: must be error, warn or info" },
		{ "log_areas = store,rely", ":1: log_areas: names an unknown area" },
		{ "redis_address = localhost",
		    ":1: redis_address: must be unix:/path or" },
		{ "redis_address = unix:", ":1: redis_address:" },
		{ "redis_address = h:0", ":1: redis_address:" },
		{ "redis_address = h:65536", ":1: redis_address:" },
		{ "listen = 9000", ":1: listen: must be unix:/path or host:port" },
		{ "key_prefix = \"sk ant\"", ":1: key_prefix: may hold letters" },
		{ "key_prefix =", ":1: key_prefix: must be 1 to 32" },
		{ "public_url = http://gateway.example",
		    ":1: public_url: must be https://" },
		{ "public_url = https://gateway.example/", ":1: public_url:" },
		{ "public_url = https://Gateway.example", ":1: public_url:" },
		{ "public_url = https://a@gateway.example", ":1: public_url:" },
		{ "public_url = https://gateway.example:", ":1: public_url:" },
		{ "public_url = https://gateway.example:443", ":1: public_url:" },
		{ "public_url = https://", ":1: public_url:" },
		{ "public_url = gateway.example", ":1: public_url:" },
		{ "public_url = http://127.0.0.1.example", ":1: public_url:" },
		{ "public_url = http://localhost:123456", ":1: public_url:" },
		{ "models_file =", ":1: models_file: must name a file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(load(rows[i].file, NULL));
		assert_int_equal(n_mistakes(), 1);
		if (strstr(mistakes.data, rows[i].told) == NULL)
			fail_msg("not told: %s in\n%s", rows[i].told, mistakes.data);
	}
}

static void
a_public_url_is_an_origin(void **state)
{
	static const char *const rows[] = { "public_url = https://gateway.example",
		"public_url = https://gateway.example:8443",
		"public_url = http://127.0.0.1:8080", "public_url = http://localhost",
		"public_url = http://[::1]:8080",
		"public_url = https://[2001:db8::1]:8443" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dr_settings *s = load(rows[i], NULL);

		if (s == NULL)
			fail_msg("%s: %s", rows[i], mistakes.data);
		dr_settings_free(&s);
	}
}

static void
markups_are_read_to_the_basis_point(void **state)
{
	static const struct {
		const char *text;
		int64_t basis_points;
	} rows[] = { { "0%", 0 }, { "12.5%", 1250 }, { "0.01%", 1 },
		{ "1000%", 100000 }, { "7%", 700 }, { "", -1 }, { "%", -1 },
		{ "5", -1 }, { "0.001%", -1 }, { "1000.01%", -1 }, { "5%%", -1 },
		{ "123456789012345678%", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t basis_points = -1;

		assert_int_equal(dr_markup_parse(rows[i].text, &basis_points),
		    rows[i].basis_points >= 0);
		assert_int_equal(basis_points, rows[i].basis_points);
	}
}

static void
relative_paths_count_from_the_files_folder(void **state)
{
	struct dr_settings *s =
	    load("ca_file = certs/ca.pem\naccess_log = /var/log/x\n", NULL);
	char expected[256];

	(void)state;
	assert_non_null(s);
	snprintf(expected, sizeof expected, "%s/certs/ca.pem", config_dir);
	assert_string_equal(s->ca_file, expected);
	snprintf(expected, sizeof expected, "%s/models.json", config_dir);
	assert_string_equal(s->models_file, expected);
	assert_string_equal(s->access_log, "/var/log/x");
	assert_string_equal(s->log_file, "");
	dr_settings_free(&s);
	assert_true(dr_settings_load(NULL, NULL, &s, note_mistake, NULL));
	assert_string_equal(s->models_file, "models.json");
	dr_settings_free(&s);
}

static void
secrets_are_never_quoted_in_a_mistake(void **state)
{
	(void)state;
	assert_null(load("redis_password = \"hunter\t2\"\nredis_password = \"hunter2\n"
			 "redis_password \"hunter2\"\n",
	    NULL));
	assert_int_equal(n_mistakes(), 3);
	assert_null(strstr(mistakes.data, "hunter"));
}

static void
the_password_file_fills_an_empty_password_only(void **state)
{
	struct dr_settings *s;

	(void)state;
	config_write("password", "from-file\nsecond line\n", 22);
	s = load("redis_password_file = password\n", NULL);
	assert_non_null(s);
	assert_string_equal(s->redis_password, "from-file");
	dr_settings_free(&s);
	s = load("redis_password_file = password\nredis_password = own\n", NULL);
	assert_string_equal(s->redis_password, "own");
	dr_settings_free(&s);
	assert_null(load("redis_password_file = nowhere\n", NULL));
	assert_non_null(strstr(mistakes.data, ":1: redis_password_file:"));
	config_write("password", "\n", 1);
	assert_null(load("redis_password_file = password\n", NULL));
	assert_non_null(strstr(mistakes.data, "first line is empty"));
}

static void
only_settings_that_need_a_restart_are_told_as_different(void **state)
{
	struct dr_settings *a = load("", NULL);
	struct dr_settings *b =
	    load("listen = unix:/x\ndefault_rpm = 7\nredis_database = 2\n"
		 "redis_password = x\n",
		NULL);
	size_t pos = 0;
	const char *name;

	(void)state;
	assert_true(dr_settings_differ(a, b, &pos, &name));
	assert_string_equal(name, "listen");
	assert_true(dr_settings_differ(a, b, &pos, &name));
	assert_string_equal(name, "redis_password");
	assert_true(dr_settings_differ(a, b, &pos, &name));
	assert_string_equal(name, "redis_database");
	assert_false(dr_settings_differ(a, b, &pos, &name));
	pos = 0;
	assert_false(dr_settings_differ(a, a, &pos, &name));
	dr_settings_free(&a);
	dr_settings_free(&b);
}

static void
count_event(void *arg, unsigned line, const char *name, const char *value)
{
	(void)line, (void)name, (void)value;
	++*(unsigned *)arg;
}

static void
count_mistake(void *arg, unsigned line, const char *what)
{
	(void)line, (void)what;
	++*(unsigned *)arg;
}

/* Every cut of a lively file: nothing is read behind its end (ASan watches). */
static void
a_file_may_end_after_any_byte(void **state)
{
	static const struct dr_conf_events events = { count_event, count_mistake };
	static const char text[] =
	    "\xef\xbb\xbf# c\r\na = 1\r\nb=\"x\\\"y\\\\\" # z\n\n c = # d\n=\n\"\n\\\n"
	    "e = \"\\";

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		char *copy = malloc(len + 1);
		unsigned n = 0;

		memcpy(copy, text, len);
		dr_conf_parse(copy, len, &events, &n);
		assert_in_range(n, 0, 9);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_every_default),
		cmocka_unit_test(values_are_bare_or_quoted_and_comments_end_them),
		cmocka_unit_test(each_kind_takes_its_units_and_its_bounds),
		cmocka_unit_test(all_mistakes_are_told_each_with_its_line_and_name),
		cmocka_unit_test(
		    nul_bytes_and_endless_lines_are_mistakes_of_their_line),
		cmocka_unit_test(a_value_that_is_too_long_is_a_mistake),
		cmocka_unit_test(
		    a_file_that_is_missing_a_folder_or_huge_is_one_mistake),
		cmocka_unit_test(
		    later_layers_win_and_wrong_values_below_are_told_all_the_same),
		cmocka_unit_test(
		    mistakes_in_the_environment_and_on_the_command_line_name_their_place),
		cmocka_unit_test(
		    settings_that_must_fit_together_are_checked_where_they_were_set),
		cmocka_unit_test(a_public_url_is_an_origin),
		cmocka_unit_test(markups_are_read_to_the_basis_point),
		cmocka_unit_test(relative_paths_count_from_the_files_folder),
		cmocka_unit_test(secrets_are_never_quoted_in_a_mistake),
		cmocka_unit_test(the_password_file_fills_an_empty_password_only),
		cmocka_unit_test(
		    only_settings_that_need_a_restart_are_told_as_different),
		cmocka_unit_test(a_file_may_end_after_any_byte),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
