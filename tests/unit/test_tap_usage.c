/*
 * Listening to a stream: the numbers that a bill is made of, and constant memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>

#include "base/mem.h"
#include "dialects/dialect.h"
#include "fixture.h"
#include "tap_seen.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

/* ---- Anthropic's cumulative usage ---- */

#define START(usage)                                                                   \
	"data: {\"type\":\"message_start\",\"message\":{\"usage\":{" usage "}}}\n\n"
#define DELTA(usage) "data: {\"type\":\"message_delta\",\"usage\":{" usage "}}\n\n"

static void
message_delta_overwrites_what_it_tells_and_nothing_else(void **unused)
{
	static const struct {
		const char *stream;
		struct dr_usage want;
	} cases[] = {
		{ START("\"input_tokens\":10,\"output_tokens\":1"),
		    { 10, 0, 0, 0, 1, 0, true, false } },
		{ START("\"input_tokens\":10,\"output_tokens\":1")
			DELTA("\"output_tokens\":7") DELTA("\"output_tokens\":9"),
		    { 10, 0, 0, 0, 9, 0, true, true } },
		{ START("\"input_tokens\":10,\"cache_read_input_tokens\":5")
			DELTA("\"input_tokens\":null,\"cache_read_input_tokens\":null,"
			      "\"output_tokens\":0"),
		    { 10, 0, 0, 5, 0, 0, true, true } },
		{ START("\"input_tokens\":10,\"cache_read_input_tokens\":5")
			DELTA("\"input_tokens\":0,\"cache_read_input_tokens\":0"),
		    { 0, 0, 0, 0, 0, 0, true, false } },
		/* the total alone: counted as five minutes */
		{ START("\"cache_creation_input_tokens\":30"),
		    { 0, 30, 0, 0, 0, 0, false, false } },
		/* the split stands only in message_start; the total may grow later */
		{ START(
		      "\"cache_creation_input_tokens\":30,\"cache_creation\":"
		      "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20}")
			DELTA("\"cache_creation_input_tokens\":35"),
		    { 0, 15, 20, 0, 0, 0, false, false } },
		{ START("\"cache_creation\":{\"ephemeral_1h_input_tokens\":20}")
			DELTA("\"cache_creation\":null"),
		    { 0, 0, 20, 0, 0, 0, false, false } },
		/* total and split disagree: nothing written is lost */
		{ START(
		      "\"cache_creation_input_tokens\":0,\"cache_creation\":"
		      "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20}"),
		    { 0, 10, 20, 0, 0, 0, false, false } },
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_tap *tap = fed(A, false, &seen, cases[i].stream);

		check_usage(&dr_tap_state(tap)->usage, &cases[i].want);
		done(tap, &seen);
	}
}

static void
absurd_counts_are_clamped_and_no_bucket_is_negative(void **unused)
{
	static const struct {
		const char *usage;
		struct dr_usage want;
	} cases[] = {
		{ "\"prompt_tokens\":-5,\"completion_tokens\":1e30",
		    { 0, 0, 0, 0, INT64_C(1) << 40, 0, true, true } },
		{ "\"prompt_tokens\":99999999999999999999999,\"completion_tokens\":3.0",
		    { INT64_C(1) << 40, 0, 0, 0, 3, 0, true, true } },
		{ "\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":40}",
		    { 0, 0, 0, 40, 0, 0, true, false } },
		{ "\"prompt_tokens\":10,\"prompt_tokens_details\":"
		  "{\"cached_tokens\":4,\"cache_write_tokens\":5}",
		    { 1, 5, 0, 4, 0, 0, true, false } },
		{ "\"prompt_tokens\":\"10\",\"completion_tokens\":null",
		    { 0, 0, 0, 0, 0, 0, false, false } },
		{ "\"prompt_tokens\":0,\"completion_tokens\":0,\"prompt_tokens_details\":null",
		    { 0, 0, 0, 0, 0, 0, true, true } },
	};
	char stream[512];
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_tap *tap;

		snprintf(stream, sizeof stream,
		    "data: {\"choices\":[],\"usage\":{%s}}\n\n", cases[i].usage);
		tap = fed(C, false, &seen, stream);
		check_usage(&dr_tap_state(tap)->usage, &cases[i].want);
		done(tap, &seen);
	}
}

static void
the_last_usage_block_is_kept_as_it_came(void **unused)
{
	struct seen seen;
	struct dr_tap *tap = fed(A, false, &seen,
	    START("\"input_tokens\": 1")
		DELTA(" \"output_tokens\" :2, \"x\":[\"}\"] "));

	(void)unused;
	assert_string_equal(
	    dr_tap_state(tap)->raw_usage, "{ \"output_tokens\" :2, \"x\":[\"}\"] }");
	done(tap, &seen);
	tap = fed(A, false, &seen, "event: ping\ndata: {}\n\n");
	assert_string_equal(dr_tap_state(tap)->raw_usage, "");
	done(tap, &seen);
}

/* ---- size ---- */

/* Usage and text are read out of an event that is never collected. */
static void
an_event_of_megabytes_passes_in_constant_memory(void **unused)
{
	static const char before[] =
	    "data: {\"type\":\"response.completed\",\"response\":"
	    "{\"output\":[{\"text\":\"";
	static const char after[] =
	    "\"}],\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}\n\n";
	static char piece[64 * 1024];
	struct seen seen;
	struct dr_tap *tap = fed(R, false, &seen, before);
	size_t held;

	(void)unused;
	memset(piece, 'x', sizeof piece);
	piece[17] = '\\';
	dr_tap_feed(tap, piece, sizeof piece);
	held = mallinfo2().uordblks - seen.out.size;
	for (int i = 0; i < 80; i++)
		dr_tap_feed(tap, piece, sizeof piece);
	assert_true(dr_tap_state(tap)->mid_event);
	assert_true(dr_tap_state(tap)->decided);
	assert_true(mallinfo2().uordblks - seen.out.size <= held + 1024);
	dr_tap_feed(tap, after, sizeof after - 1);
	assert_false(dr_tap_state(tap)->mid_event);
	assert_true(dr_tap_state(tap)->complete);
	assert_int_equal(dr_tap_state(tap)->usage.output, 6);
	assert_int_equal(
	    seen.out.len, sizeof before - 1 + 81 * sizeof piece + sizeof after - 1);
	done(tap, &seen);
}

static void
count_only(void *arg, const char *bytes, size_t len)
{
	(void)bytes;
	*(uint64_t *)arg += len;
}

/* A line that never ends: handed on above the hold, nothing grows. */
static void
an_endless_line_takes_no_memory(void **unused)
{
	static const char *const starts[] = { "data: {\"a\":\"", "data: {\"a\":[", ": ",
		"event: ", "data: {\"delta\":\"", "data: {\"usage\":{\"x\":\"", "x",
		"data: {\"type\":1" };
	static char piece[64 * 1024];

	(void)unused;
	memset(piece, '7', sizeof piece);
	for (size_t i = 0; i < DR_N_ELEMENTS(starts); i++) {
		uint64_t out = 0;
		struct dr_tap *tap = dr_tap_new(R, false, count_only, &out);
		size_t start = mallinfo2().uordblks;

		dr_tap_feed(tap, starts[i], strlen(starts[i]));
		for (int n = 0; n < 1024; n++) /* 64 MB */
			dr_tap_feed(tap, piece, sizeof piece);
		assert_int_equal(out, strlen(starts[i]) + 1024 * sizeof piece);
		assert_true(mallinfo2().uordblks <= start + 8 * 1024);
		dr_tap_end(tap);
		assert_false(dr_tap_state(tap)->complete);
		dr_tap_free(&tap);
	}
}

static void
an_idle_tap_is_small(void **unused)
{
	struct seen seen;
	size_t before = mallinfo2().uordblks;
	struct dr_tap *tap = dr_tap_new(A, false, collect, &seen);
	struct fixture fixture;

	(void)unused;
	seen_init(&seen);
	fixture = fixture_read("anthropic_text.sse");
	dr_tap_feed(tap, fixture.bytes, 900);
	dr_tap_feed(tap, fixture.bytes + 900, fixture.len - 900);
	free(fixture.bytes);
	dr_strbuf_fini(&seen.out);
	/* glibc only: other allocators (ASan) count nothing, or much more */
	assert_in_range(mallinfo2().uordblks - before, 0, 3 * 1024);
	dr_tap_free(&tap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    message_delta_overwrites_what_it_tells_and_nothing_else),
		cmocka_unit_test(absurd_counts_are_clamped_and_no_bucket_is_negative),
		cmocka_unit_test(the_last_usage_block_is_kept_as_it_came),
		cmocka_unit_test(an_event_of_megabytes_passes_in_constant_memory),
		cmocka_unit_test(an_endless_line_takes_no_memory),
		cmocka_unit_test(an_idle_tap_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
