/*
 * Is a provider there, and what does it take? Tables of what its record believes and
 * what its state says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/liveness.h"

#define T   INT64_C(1700000000000) /* Redis' clock */
#define DAY INT64_C(86400000)
#define NOW UINT64_C(777000) /* the monotonic clock */

static struct dr_provider_record *
record_of(const char *liveness)
{
	char err[200];
	struct dr_provider_record *record =
	    dr_provider_record_new("p", err, sizeof err);

	assert_non_null(record);
	assert_true(dr_provider_record_set(record, "models", "a,b,c", err, sizeof err));
	assert_true(
	    dr_provider_record_set(record, "liveness", liveness, err, sizeof err));
	assert_true(
	    dr_provider_record_set(record, "max_concurrency", "10", err, sizeof err));
	record->generation = 7;
	return record;
}

static void
whom_to_believe_is_the_records_to_say(void **state)
{
	static const struct {
		const char *rule, *liveness;
		struct dr_provider_state state;
		bool watched;
		enum dr_error err;
	} rows[] = {
		{ "always, nothing heard", "always", { .now_ms = T }, false, DR_OK },
		{ "node, never heard", "node", { .now_ms = T }, true, DR_ERR_OFFLINE },
		{ "node, state never read", "node", { .now_ms = 0 }, true,
		    DR_ERR_OFFLINE },
		{ "node, fresh", "node", { .now_ms = T, .hb_until_ms = T + 1 }, true,
		    DR_OK },
		{ "node, just lapsed", "node", { .now_ms = T, .hb_until_ms = T }, true,
		    DR_ERR_OFFLINE },
		{ "node, fresh, without a watcher", "node",
		    { .now_ms = T, .hb_until_ms = T + 1 }, false, DR_OK },
		{ "node, its probes fail", "node",
		    { .now_ms = T,
			.hb_until_ms = T + 1,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_failures = 9 },
		    true, DR_OK },
		{ "probe, never made", "probe", { .now_ms = T }, true, DR_OK },
		{ "probe, went well", "probe",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_ok = true },
		    true, DR_OK },
		{ "probe, one failure", "probe",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_failures = 1 },
		    true, DR_OK },
		{ "probe, two failures", "probe",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_failures = 2 },
		    true, DR_ERR_OFFLINE },
		{ "probe, two failures, and nobody looks any more", "probe",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_failures = 2 },
		    false, DR_OK },
		{ "probe, of an older record", "probe",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 6,
			.probe_failures = 2 },
		    true, DR_OK },
		{ "refused credential, whoever asked", "always",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 7,
			.probe_refused = true },
		    false, DR_ERR_PROVIDER_AUTH },
		{ "refused credential, changed since", "always",
		    { .now_ms = T,
			.probe_at_ms = T - 1,
			.probe_generation = 6,
			.probe_refused = true },
		    false, DR_OK },
		{ "rests from now", "node",
		    { .now_ms = T, .hb_until_ms = T + 1, .hb_resting_at_ms = T }, true,
		    DR_ERR_RESTING },
		{ "rests in a moment", "node",
		    { .now_ms = T, .hb_until_ms = T + 1, .hb_resting_at_ms = T + 1 },
		    true, DR_OK },
		{ "rests, silent since", "node",
		    { .now_ms = T,
			.hb_until_ms = T - DAY / 2,
			.hb_resting_at_ms = T - DAY + 1 },
		    true, DR_ERR_RESTING },
		{ "rested for a day: it is gone", "node",
		    { .now_ms = T,
			.hb_until_ms = T - DAY / 2,
			.hb_resting_at_ms = T - DAY },
		    true, DR_ERR_OFFLINE },
		{ "rests by its own word, whatever the liveness", "always",
		    { .now_ms = T, .hb_resting_at_ms = T - 1 }, true, DR_ERR_RESTING },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = record_of(rows[i].liveness);
		struct dr_presence presence;

		dr_liveness_read(
		    &presence, record, &rows[i].state, rows[i].watched, NOW);
		if (presence.err != rows[i].err)
			fail_msg("%s: %s", rows[i].rule,
			    presence.err == DR_OK ? "OK"
						  : dr_error_info(presence.err)->name);
		dr_provider_record_free(&record);
	}
}

static void
a_fresh_heartbeat_narrows_models_slots_and_time(void **state)
{
	static const struct {
		const char *models; /* NULL: not said */
		int64_t until, running, free, resting_at;
		unsigned slots;
		uint64_t rests_at_ms;
		bool a, b, c;
	} rows[] = {
		{ NULL, T + 1, 0, -1, 0, 10, 0, true, true, true },
		{ "b", T + 1, 0, -1, 0, 10, 0, false, true, false },
		{ " c , a ", T + 1, 0, -1, 0, 10, 0, true, false, true },
		{ "", T + 1, 0, -1, 0, 10, 0, false, false, false },
		{ "x,ab,aa", T + 1, 0, -1, 0, 10, 0, false, false, false },
		{ "b", T, 0, -1, 0, 10, 0, true, true, true }, /* lapsed */
		{ NULL, T + 1, 0, 0, 0, 0, 0, true, true, true },
		{ NULL, T + 1, 3, 0, 0, 3, 0, true, true, true },
		{ NULL, T + 1, 3, 4, 0, 7, 0, true, true, true },
		{ NULL, T + 1, 3, 40, 0, 10, 0, true, true, true },
		{ NULL, T, 0, 0, 0, 10, 0, true, true, true }, /* lapsed */
		{ NULL, T + 1, 0, -1, T + 500, 10, NOW + 500, true, true, true },
		{ NULL, T, 0, -1, T + 500, 10, 0, true, true, true }, /* lapsed */
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_provider_record *record = record_of("always");
		struct dr_provider_state s = { .now_ms = T,
			.hb_until_ms = rows[i].until,
			.hb_running = rows[i].running,
			.hb_free = rows[i].free,
			.hb_resting_at_ms = rows[i].resting_at,
			.hb_models = (char *)rows[i].models };
		struct dr_presence presence;

		dr_liveness_read(&presence, record, &s, true, NOW);
		assert_int_equal(presence.err, DR_OK);
		assert_int_equal(presence.slots, rows[i].slots);
		assert_int_equal(presence.rests_at_ms, rows[i].rests_at_ms);
		assert_int_equal(dr_liveness_has(&presence, 0), rows[i].a);
		assert_int_equal(dr_liveness_has(&presence, 1), rows[i].b);
		assert_int_equal(dr_liveness_has(&presence, 2), rows[i].c);
		dr_provider_record_free(&record);
	}
}

static void
the_last_of_a_thousand_models_has_its_bit(void **state)
{
	struct dr_provider_record *record = record_of("always");
	struct dr_provider_state s = {
		.now_ms = T, .hb_until_ms = T + 1, .hb_models = (char *)"m999"
	};
	struct dr_presence presence;
	struct dr_strbuf models;
	char err[200];

	(void)state;
	dr_strbuf_init(&models, 1 << 20);
	for (unsigned i = 0; i < DR_MAX_PROVIDER_MODELS; i++)
		dr_strbuf_addf(&models, "%sm%03u", i > 0 ? "," : "", i);
	assert_true(
	    dr_provider_record_set(record, "models", models.data, err, sizeof err));
	dr_liveness_read(&presence, record, &s, true, NOW);
	for (unsigned i = 0; i < DR_MAX_PROVIDER_MODELS; i++)
		assert_int_equal(dr_liveness_has(&presence, i), i == 999);
	dr_strbuf_fini(&models);
	dr_provider_record_free(&record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_to_believe_is_the_records_to_say),
		cmocka_unit_test(a_fresh_heartbeat_narrows_models_slots_and_time),
		cmocka_unit_test(the_last_of_a_thousand_models_has_its_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
