/*
 * Rules of derouterctl about keys that change: limits, expiry, another secret.
 */
#include "ctl_fixture.h"

static void
a_keys_limits_are_changed_one_by_one_and_lifted(void **state)
{
	static const struct {
		const char *options, *field, *want;
	} rows[] = {
		{ "--rpm 7", "rpm", "7" },
		{ "--concurrency 3", "concurrency", "3" },
		{ "--budget 2.50 --budget-period day", "budget_usd", "2.5" },
		{ "--name ci", "budget_period", "day" },
		{ "--budget-period month", "budget_period", "month" },
		{ "--models gpt-4.1,claude-sonnet-4-6", "models",
		    "gpt-4.1,claude-sonnet-4-6" },
		{ "--expires 2099-12-31", "expires", "2099-12-31T00:00:00Z" },
		{ "--expires 2099-12-31T10:00:01Z", "expires", "2099-12-31T10:00:01Z" },
		{ "--expires never", "expires", "" },
		{ "--models all", "models", "" },
		{ "--no-budget", "budget_usd", "" },
		{ "--rpm 8", "budget_period", "" },
	};
	char key[128], id[DR_KEY_ID_LEN + 1];

	(void)state;
	CTL_STATUS(0, "key add %s --name first --expires 2099-01-01", new_account("1"));
	take_line(key, sizeof key);
	CTL_STATUS(0, "--json key show %s", key);
	assert_string_equal(json_at("expires"), "2099-01-01T00:00:00Z");
	snprintf(id, sizeof id, "%s", json_at("id"));
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		CTL_STATUS(0, "key set %s %s", id, rows[i].options);
		CTL_STATUS(0, "--json key show %s", id);
		assert_string_equal(json_at(rows[i].field), rows[i].want);
	}
	CTL_STATUS(2, "key set %s --models gpt-4.1,gpt-4.1-mini,gpt-4.1", id);
	CTL_SAID("\"gpt-4.1\" stands there twice", err);
	CTL_STATUS(0, "key delete %s", id);
	CTL_STATUS(1, "key set %s --rpm 1", id);
	CTL_SAID("is deleted and stays so", err);
	CTL_STATUS(1, "key rotate %s", id);
	CTL_SAID("is deleted and stays so", err);
}

static void
a_rotated_key_has_a_new_secret_and_remembers_the_old(void **state)
{
	char old[128], fresh[128], account[64];
	struct dr_api_key parts[2];

	(void)state;
	snprintf(account, sizeof account, "%s", new_account("1"));
	CTL_STATUS(0, "key add %s", account);
	take_line(old, sizeof old);
	CTL_STATUS(0, "key rotate %s --grace 2h", old);
	take_line(fresh, sizeof fresh);
	assert_true(dr_api_key_parse("sk-ant-dr-", old, &parts[0]));
	assert_true(dr_api_key_parse("sk-ant-dr-", fresh, &parts[1]));
	assert_string_equal(parts[0].key_id, parts[1].key_id);
	assert_string_equal(parts[0].account, parts[1].account);
	assert_string_not_equal(parts[0].sha, parts[1].sha);
	CTL_STATUS(0, "--json key show %s", fresh);
	assert_true(json_at("old_until")[0] != '\0');
	CTL_STATUS(0, "--json key rotate %s", parts[0].key_id);
	assert_string_equal(json_at("id"), parts[0].key_id);
	assert_true(json_at("old_until")[0] != '\0');
}

/* ---- time zones ---- */

/* Central Europe changes at 01:00 UTC of the last Sundays of March and October; the
 * table reaches over the years to come. */
static void
a_zones_offsets_are_kept_with_the_account(void **state)
{
	static const struct {
		const char *zone, *begins, *has;
	} rows[] = { { "UTC", "0 0", "" }, { "+05:30", "0 330", "" },
		{ "-03:00", "0 -180", "" }, { "Asia/Kolkata", "0 330", "" },
		{ "Europe/Berlin", "0 ", " 1824944400000 60" /* 2027-10-31 */ } };
	char account[64];

	(void)state;
	snprintf(account, sizeof account, "%s", new_account("1"));
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct answer answer;
		char line[200];

		CTL_STATUS(0, "account set %s --tz %s", account, rows[i].zone);
		snprintf(line, sizeof line, "HGET {a:%s}:account tz_offsets", account);
		answer = ask(store, line);
		assert_int_equal(
		    strncmp(answer.text, rows[i].begins, strlen(rows[i].begins)), 0);
		assert_true(strstr(answer.text, rows[i].has) != NULL);
		snprintf(line, sizeof line, "HGET {a:%s}:account tz", account);
		assert_string_equal(ask(store, line).text, rows[i].zone);
	}
}

/* libc takes what it does not know for UTC, so a folder of zones must not pass for one.
 */
static void
what_is_no_zone_is_refused_and_changes_nothing(void **state)
{
	static const char *const rows[] = { "Europe", "Europe/", "zone.tab",
		"Mars/City", "../../../etc/passwd", "/etc/localtime", "+15:00", "+5:30",
		"+05:60", "5", "''" };
	char account[64], line[200];

	(void)state;
	snprintf(account, sizeof account, "%s", new_account("1"));
	CTL_STATUS(0, "account set %s --tz Asia/Tokyo", account);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		int status = ctl("account set %s --tz %s", account, rows[i]);

		if (status != 2 || strstr(err, "--tz") == NULL)
			fail_msg("%s: status %d: %s", rows[i], status, err);
	}
	snprintf(line, sizeof line, "HGET {a:%s}:account tz", account);
	assert_string_equal(ask(store, line).text, "Asia/Tokyo");
}

/* Whoever is asked why a key is refused looks here first. */
static void
a_key_shows_what_is_left_of_it(void **state)
{
	char key[128], account[64], line[300];
	struct dr_api_key parts;

	(void)state;
	snprintf(account, sizeof account, "%s", new_account("5"));
	CTL_STATUS(0, "key add %s --budget 2 --budget-period total", account);
	take_line(key, sizeof key);
	assert_true(dr_api_key_parse("sk-ant-dr-", key, &parts));
	CTL_STATUS(0, "--json key show %s", parts.key_id);
	assert_string_equal(json_at("spent_usd"), "0");
	assert_string_equal(json_at("left_usd"), "2");
	assert_string_equal(json_at("used"), "");
	snprintf(line, sizeof line,
	    "HSET {a:%s}:account %s.spent:total 500000000 %s.held:total 250000000 "
	    "%s.used 1767225600000",
	    account, parts.key_id, parts.key_id, parts.key_id);
	(void)ask(store, line);
	CTL_STATUS(0, "--json key show %s", parts.key_id);
	assert_string_equal(json_at("window"), "total");
	assert_string_equal(json_at("resets"), "");
	assert_string_equal(json_at("spent_usd"), "0.5");
	assert_string_equal(json_at("held_usd"), "0.25");
	assert_string_equal(json_at("left_usd"), "1.25");
	assert_string_equal(json_at("rpm_used"), "0");
	assert_string_equal(json_at("running"), "0");
	assert_string_equal(json_at("used"), "2026-01-01T00:00:00Z");
	CTL_STATUS(0, "key set %s --budget-period month", parts.key_id);
	CTL_STATUS(0, "--json key show %s", parts.key_id);
	assert_string_equal(json_at("spent_usd"), "0");
	assert_string_equal(json_at("spent_total_usd"), "0.5");
	assert_int_equal(strlen(json_at("window")), 7);
	assert_int_equal(strlen(json_at("resets")), 20);
	CTL_STATUS(0, "key set %s --no-budget", parts.key_id);
	CTL_STATUS(0, "--json key show %s", parts.key_id);
	assert_string_equal(json_at("left_usd"), "");
	CTL_STATUS(0, "--json key list %s", account);
	assert_string_equal(json_at("0.spent_total_usd"), "0.5");
	CTL_STATUS(0, "key delete %s", parts.key_id);
	CTL_STATUS(0, "--json key show %s", parts.key_id);
	assert_string_equal(json_at("spent_total_usd"), "0.5");
	assert_string_equal(json_at("running"), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_keys_limits_are_changed_one_by_one_and_lifted),
		cmocka_unit_test(a_key_shows_what_is_left_of_it),
		cmocka_unit_test(a_rotated_key_has_a_new_secret_and_remembers_the_old),
		cmocka_unit_test(a_zones_offsets_are_kept_with_the_account),
		cmocka_unit_test(what_is_no_zone_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
