/*
 * The shared state of a provider as text: every field is read, what is not known is
 * skipped, and each bad value is named while the others go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/dr_assert.h"
#include "gateway/provider_state.h"

static char err[256];

static size_t
read_words(struct dr_provider_state *state, const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return dr_provider_state_read(state, words, n, err, sizeof err);
}

static void
every_field_is_read(void **state)
{
	static const char *const words[] = { "now", "1000", "hb.at", "900", "hb.until",
		"1900", "hb.free", "0", "hb.running", "4", "hb.resting_at", "1500",
		"hb.models", "a,b", "hb.version", "node 1.2", "probe.at", "800",
		"probe.next", "1200", "probe.generation", "7", "probe.status", "401",
		"probe.failures", "3", "probe.ok", "0", "probe.refused", "1",
		"probe.why", "HTTP 401", "open.generation", "7", "open.until", "1300",
		"open.since", "1400", "open.doubt", "1", "open.failures", "2",
		"open.window", "1500", "cool.generation", "8", "cool.until", "1600",
		"cool.steps", "4", "flag.generation", "9", "flag.at", "700", NULL };
	struct dr_provider_state s = { 0 };

	(void)state;
	assert_int_equal(read_words(&s, words), 0);
	assert_string_equal(err, "");
	assert_int_equal(s.now_ms, 1000);
	assert_int_equal(s.hb_at_ms, 900);
	assert_int_equal(s.hb_until_ms, 1900);
	assert_int_equal(s.hb_free, 0);
	assert_int_equal(s.hb_running, 4);
	assert_int_equal(s.hb_resting_at_ms, 1500);
	assert_string_equal(s.hb_models, "a,b");
	assert_string_equal(s.hb_version, "node 1.2");
	assert_int_equal(s.probe_at_ms, 800);
	assert_int_equal(s.probe_next_ms, 1200);
	assert_int_equal(s.probe_generation, 7);
	assert_int_equal(s.probe_status, 401);
	assert_int_equal(s.probe_failures, 3);
	assert_false(s.probe_ok);
	assert_true(s.probe_refused);
	assert_string_equal(s.probe_why, "HTTP 401");
	assert_int_equal(s.open_generation, 7);
	assert_int_equal(s.open_until_ms, 1300);
	assert_int_equal(s.open_since_ms, 1400);
	assert_true(s.open_doubt);
	assert_int_equal(s.open_failures, 2);
	assert_int_equal(s.open_window_ms, 1500);
	assert_int_equal(s.cool_generation, 8);
	assert_int_equal(s.cool_until_ms, 1600);
	assert_int_equal(s.cool_steps, 4);
	assert_int_equal(s.flag_generation, 9);
	assert_int_equal(s.flag_at_ms, 700);
	dr_provider_state_fini(&s);
}

static void
what_is_not_there_any_more_is_forgotten(void **state)
{
	struct dr_provider_state s = { 0 };

	(void)state;
	assert_int_equal(
	    read_words(&s, (const char *const[]){ "now", "5", "hb.free", "3",
			       "hb.models", "a", "probe.ok", "1", NULL }),
	    0);
	assert_int_equal(s.hb_free, 3);
	assert_int_equal(read_words(&s, (const char *const[]){ "now", "6", NULL }), 0);
	assert_int_equal(s.now_ms, 6);
	assert_int_equal(s.hb_free, -1);
	assert_null(s.hb_models);
	assert_false(s.probe_ok);
	dr_provider_state_fini(&s);
}

static void
what_is_not_known_is_skipped(void **state)
{
	struct dr_provider_state s = { 0 };

	(void)state;
	assert_int_equal(read_words(&s, (const char *const[]){ "hb.moon", "full", "",
					    "x", "hb.free", "2", NULL }),
	    0);
	assert_int_equal(s.hb_free, 2);
	dr_provider_state_fini(&s);
}

static void
each_bad_value_is_named_and_counts_as_absent(void **state)
{
	static const struct {
		const char *words[5], *err;
		size_t n_bad;
	} rows[] = {
		{ { "hb.free", "-1" }, "hb.free: want a whole number", 1 },
		{ { "hb.free", "" }, "hb.free: want a whole number", 1 },
		{ { "hb.free", "99999999999999999" }, "hb.free: want a whole number",
		    1 },
		{ { "hb.until", "1e3" }, "hb.until: want a whole number", 1 },
		{ { "probe.ok", "yes" }, "probe.ok: want 0 or 1", 1 },
		{ { "hb.models", "a\nb" }, "hb.models: is not printable", 1 },
		{ { "hb.version",
		      "12345678901234567890123456789012345678901234567890123456789012345" },
		    "hb.version: is too long, or not printable", 1 },
		{ { "probe.at", "x", "hb.at", "y" },
		    "probe.at: want a whole number; hb.at: want a whole number", 2 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_state s = { 0 };
		const char *words[8] = { "now", "5" };

		for (size_t j = 0; rows[i].words[j] != NULL; j++)
			words[2 + j] = rows[i].words[j];
		assert_int_equal(read_words(&s, words), rows[i].n_bad);
		assert_string_equal(err, rows[i].err);
		assert_int_equal(s.now_ms, 5);
		assert_int_equal(s.hb_free, -1);
		assert_null(s.hb_models);
		dr_provider_state_fini(&s);
	}
}

/* Many mistakes never write past the line's room. */
static void
mistakes_beyond_the_line_are_counted(void **state)
{
	struct dr_provider_state s = { 0 };
	const char *words[20];
	char small[30];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i += 2) {
		words[i] = "hb.at";
		words[i + 1] = "?";
	}
	assert_int_equal(
	    dr_provider_state_read(&s, words, 20, small, sizeof small), 10);
	assert_string_equal(small, "hb.at: want a whole number; h");
	dr_provider_state_fini(&s);
}

/* At 1000 of Redis' clock, of generation 7. */
static void
trouble_counts_for_its_generation_and_its_time(void **state)
{
	static const struct {
		struct dr_provider_state state;
		struct dr_breaker_shared shared;
	} rows[] = {
		{ { .hb_free = 1 }, { .open = false } },
		{ { .open_generation = 7, .open_until_ms = 1200 },
		    { .open = true, .turn_ms = 200, .since_ms = -1000 } },
		{ { .open_generation = 7, .open_until_ms = 900, .open_since_ms = 1050 },
		    { .open = true, .since_ms = 50 } },
		{ { .open_generation = 7,
		      .open_until_ms = 1100,
		      .open_since_ms = 950,
		      .open_doubt = true,
		      .open_failures = 2,
		      .open_window_ms = 1001 },
		    { .doubted = true,
			.turn_ms = 100,
			.since_ms = -50,
			.failures = 2 } },
		{ { .open_generation = 6, .open_until_ms = 1200 }, { .open = false } },
		{ { .open_generation = 7, .open_failures = 3, .open_window_ms = 1001 },
		    { .failures = 3 } },
		{ { .open_generation = 7, .open_failures = 3, .open_window_ms = 1000 },
		    { .failures = 0 } },
		{ { .cool_generation = 7, .cool_until_ms = 1005, .cool_steps = 2 },
		    { .cool_ms = 5, .cool_steps = 2 } },
		{ { .cool_generation = 8, .cool_until_ms = 1005, .cool_steps = 2 },
		    { .cool_ms = 0 } },
		{ { .flag_generation = 7, .flag_at_ms = 500 }, { .flagged = true } },
		{ { .flag_generation = 6, .flag_at_ms = 500 }, { .flagged = false } },
		/* a probe since, of this record, that went well */
		{ { .flag_generation = 7,
		      .flag_at_ms = 500,
		      .probe_ok = true,
		      .probe_generation = 7,
		      .probe_at_ms = 600 },
		    { .flagged = false } },
		{ { .flag_generation = 7,
		      .flag_at_ms = 500,
		      .probe_ok = true,
		      .probe_generation = 7,
		      .probe_at_ms = 400 },
		    { .flagged = true } },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_state s = rows[i].state;
		struct dr_breaker_shared got;

		s.now_ms = 1000;
		dr_provider_state_breaker(&s, 7, &got);
		if (got.open != rows[i].shared.open ||
		    got.doubted != rows[i].shared.doubted ||
		    got.turn_ms != rows[i].shared.turn_ms ||
		    (rows[i].shared.since_ms != 0 &&
			got.since_ms != rows[i].shared.since_ms) ||
		    got.failures != rows[i].shared.failures ||
		    got.cool_ms != rows[i].shared.cool_ms ||
		    got.cool_steps != rows[i].shared.cool_steps ||
		    got.flagged != rows[i].shared.flagged)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(what_is_not_there_any_more_is_forgotten),
		cmocka_unit_test(what_is_not_known_is_skipped),
		cmocka_unit_test(each_bad_value_is_named_and_counts_as_absent),
		cmocka_unit_test(trouble_counts_for_its_generation_and_its_time),
		cmocka_unit_test(mistakes_beyond_the_line_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
