/*
 * Listening to a stream: the right state, and the very bytes, however they are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "dialects/dialect.h"
#include "fixture.h"
#include "tap_seen.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

struct row {
	const char *file;
	enum dr_dialect_id dialect;
	uint64_t events, output_bytes;
	bool error_seen, error_first, decided, token_seen, complete;
	int64_t sequence;
	struct dr_usage usage; /* input, 5m, 1h, read, output, searches, seen, seen */
	enum dr_fault fault;
	const char *type, *code, *message;
};

#define NO_ERROR DR_FAULT_NONE, "", "", ""

static const struct row rows[] = {
	{ "anthropic_text.sse", A, 10, 44, false, false, true, true, true, -1,
	    { 2095, 1100, 400, 10240, 57, 0, true, true }, NO_ERROR },
	{ "anthropic_tools_crlf.sse", A, 14, 65, false, false, true, true, true, -1,
	    { 2095, 1100, 400, 10240, 89, 2, true, true }, NO_ERROR },
	{ "anthropic_error_first.sse", A, 2, 0, true, true, true, false, false, -1,
	    { 0 }, DR_FAULT_OVERLOADED, "overloaded_error", "", "Overloaded" },
	{ "anthropic_error_later.sse", A, 5, 23, true, false, true, true, false, -1,
	    { 2095, 1100, 400, 10240, 3, 0, true, false }, DR_FAULT_OVERLOADED,
	    "overloaded_error", "", "Overloaded" },
	{ "chat_text.sse", C, 7, 16, false, false, true, true, true, -1,
	    { 22, 64, 0, 1920, 300, 0, true, true }, NO_ERROR },
	{ "chat_text_crlf.sse", C, 7, 16, false, false, true, true, true, -1,
	    { 22, 64, 0, 1920, 300, 0, true, true }, NO_ERROR },
	{ "chat_text_cr.sse", C, 7, 16, false, false, true, true, true, -1,
	    { 22, 64, 0, 1920, 300, 0, true, true }, NO_ERROR },
	{ "chat_tools_no_usage.sse", C, 6, 27, false, false, true, true, true, -1,
	    { 0 }, NO_ERROR },
	{ "chat_error_first.sse", C, 1, 0, true, true, true, false, false, -1, { 0 },
	    DR_FAULT_SERVER, "server_error", "",
	    "The server had an error while processing your request. Sorry about that!" },
	{ "chat_error_later.sse", C, 4, 12, true, false, true, true, false, -1, { 0 },
	    DR_FAULT_SERVER, "server_error", "",
	    "The server had an error while processing your request. Sorry about that!" },
	{ "responses_text.sse", R, 11, 34, false, false, true, true, true, 10,
	    { 138, 0, 0, 3072, 187, 0, true, true }, NO_ERROR },
	{ "responses_incomplete.sse", R, 11, 34, false, false, true, true, true, 10,
	    { 138, 0, 0, 3072, 187, 0, true, true }, NO_ERROR },
	{ "responses_failed_first.sse", R, 2, 0, true, true, true, false, false, 1,
	    { 0 }, DR_FAULT_OVERLOADED, "", "rate_limit_exceeded",
	    "Rate limit reached for gpt-5.1-codex. Please try again in 11.054s." },
	{ "responses_failed_later.sse", R, 7, 9, true, false, true, true, false, 6,
	    { 0 }, DR_FAULT_SERVER, "", "server_error",
	    "The model produced invalid content." },
	{ "responses_error_event.sse", R, 2, 0, true, true, true, false, false, 1,
	    { 0 }, DR_FAULT_SERVER, "", "server_error",
	    "An error occurred while processing your request." },
};

static void
check_row(const struct dr_tap_state *state, const struct row *row)
{
	assert_int_equal(state->events, row->events);
	assert_int_equal(state->output_bytes, row->output_bytes);
	assert_int_equal(state->error_seen, row->error_seen);
	assert_int_equal(state->error_first, row->error_first);
	assert_int_equal(state->decided, row->decided);
	assert_int_equal(state->token_seen, row->token_seen);
	assert_int_equal(state->complete, row->complete);
	assert_int_equal(state->sequence, row->sequence);
	assert_false(state->mid_event);
	check_usage(&state->usage, &row->usage);
	assert_int_equal(state->error.fault, row->fault);
	if (row->error_seen) {
		assert_string_equal(state->error.type, row->type);
		assert_string_equal(state->error.code, row->code);
		assert_string_equal(state->error.message, row->message);
	}
}

/* Feed `stream` in the pieces that end at cuts[0..n), check state and bytes. */
static void
run_row(const struct row *row, const char *stream, size_t len, const size_t *cuts,
    size_t n, bool strip, const struct dr_strbuf *want)
{
	struct seen seen;
	struct dr_tap *tap;
	size_t from = 0;

	seen_init(&seen);
	tap = dr_tap_new(row->dialect, strip, collect, &seen);
	for (size_t i = 0; i <= n; i++) {
		size_t to = i < n ? cuts[i] : len;
		/* a copy of its own, so that ASan sees a read beyond the piece */
		char *piece = dr_malloc(to - from + 1);

		memcpy(piece, stream + from, to - from);
		dr_tap_feed(tap, piece, to - from);
		free(piece);
		from = to;
	}
	dr_tap_end(tap);
	check_row(dr_tap_state(tap), row);
	assert_int_equal(seen.out.len, want->len);
	assert_memory_equal(seen.out.data, want->data, want->len);
	dr_tap_free(&tap);
	assert_null(tap);
	dr_strbuf_fini(&seen.out);
}

/* TCP may cut a stream anywhere: every cut must give the same state and the same bytes.
 */
static void
nothing_depends_on_where_the_bytes_are_cut(void **unused)
{
	(void)unused;
	srand(7);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct fixture fixture = fixture_read(rows[i].file);
		struct dr_strbuf want = { fixture.bytes, fixture.len, 0, fixture.len,
			false };
		size_t n = fixture.len;

		for (size_t cut = 0; cut <= n; cut++)
			run_row(&rows[i], fixture.bytes, n, &cut, 1, false, &want);
		for (int seed = 0; seed < 500; seed++) {
			size_t b = (size_t)rand() % (n + 1),
			       a = (size_t)rand() % (b + 1);

			run_row(&rows[i], fixture.bytes, n, (size_t[]){ a, b }, 2,
			    false, &want);
		}
		free(fixture.bytes);
	}
}

static void
every_byte_may_come_alone(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct fixture fixture = fixture_read(rows[i].file);
		struct dr_strbuf want = { fixture.bytes, fixture.len, 0, fixture.len,
			false };
		size_t *cuts = dr_calloc(fixture.len, sizeof *cuts);

		for (size_t n = 0; n < fixture.len; n++)
			cuts[n] = n;
		run_row(&rows[i], fixture.bytes, fixture.len, cuts, fixture.len, false,
		    &want);
		free(cuts);
		free(fixture.bytes);
	}
}

/* The extra chunk goes, with its empty line, however the lines end; nothing else does.
 */
static void
the_extra_usage_chunk_is_left_out_whole(void **unused)
{
	static const struct {
		const char *file, *eol;
	} cases[] = {
		{ "chat_text.sse", "\n" },
		{ "chat_text_crlf.sse", "\r\n" },
		{ "chat_text_cr.sse", "\r" },
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct fixture fixture = fixture_read(cases[i].file);
		struct dr_strbuf want;
		const struct row *row = rows;
		char *mark = strstr(fixture.bytes, "\"choices\":[]"), *from, *to;

		while (strcmp(row->file, cases[i].file) != 0)
			row++;
		from = mark;
		while (strncmp(from, "data:", 5) != 0)
			from--;
		to = strstr(mark, cases[i].eol) + 2 * strlen(cases[i].eol);
		dr_strbuf_init(&want, fixture.len);
		dr_strbuf_add(&want, fixture.bytes, (size_t)(from - fixture.bytes));
		dr_strbuf_adds(&want, to);
		for (size_t cut = 0; cut <= fixture.len; cut++)
			run_row(row, fixture.bytes, fixture.len, &cut, 1, true, &want);
		dr_strbuf_fini(&want);
		free(fixture.bytes);
	}
}

static void
only_the_extra_chunk_is_left_out(void **unused)
{
	static const char *const kept[] = {
		/* usage beside a choice, as some compatible servers send it */
		"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}\n\n",
		/* Azure's first chunk: no choices, no usage */
		"data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
		"data: {\"choices\":[],\"usage\":null}\n\n",
		"data: {\"usage\":{\"prompt_tokens\":1}}\n\n",
		"data: {\"choices\":null,\"usage\":{\"prompt_tokens\":1}}\n\n",
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(kept); i++) {
		struct dr_tap *tap = fed(C, true, &seen, kept[i]);

		assert_string_equal(seen.out.data, kept[i]);
		done(tap, &seen);
	}
}

static void
a_piece_that_ends_with_an_event_is_handed_on_uncopied(void **unused)
{
	static const char piece[] =
	    "data: {\"choices\":[]}\n\ndata: {}\n\n: hm\n\ndata: 1\n\n";
	struct seen seen;
	struct dr_tap *tap = fed(C, true, &seen, piece);

	(void)unused;
	assert_int_equal(seen.slices, 1);
	assert_ptr_equal(seen.last, piece);
	done(tap, &seen);
}

/* A keep-alive must not wait for the next event. */
static void
a_comment_goes_out_with_its_line(void **unused)
{
	struct seen seen;
	struct dr_tap *tap = fed(A, false, &seen, ": keep-alive\n");

	(void)unused;
	assert_string_equal(seen.out.data, ": keep-alive\n");
	assert_int_equal(dr_tap_state(tap)->events, 0);
	assert_false(dr_tap_state(tap)->decided);
	done(tap, &seen);
}

static void
an_unfinished_event_is_held_and_dropped(void **unused)
{
	static const char whole[] = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
	static const char half[] =
	    "event: content_block_delta\ndata: {\"type\":\"content_bl";
	struct seen seen;
	struct dr_tap *tap = fed(A, false, &seen, whole);

	(void)unused;
	dr_tap_feed(tap, half, sizeof half - 1);
	dr_tap_end(tap);
	assert_string_equal(seen.out.data, whole);
	assert_false(dr_tap_state(tap)->complete);
	assert_false(dr_tap_state(tap)->mid_event);
	assert_int_equal(dr_tap_state(tap)->events, 1);
	done(tap, &seen);
}

/* Some servers forget the last empty line, or the last line's end as well. */
static void
a_complete_stream_may_lack_its_last_empty_line(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *stream;
	} cases[] = {
		{ C, "data: {\"choices\":[{}]}\n\ndata: [DONE]" },
		{ C, "data: {\"choices\":[{}]}\n\ndata:[DONE]\n" },
		{ C, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}" },
		{ A, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n" },
		{ R, "data: {\"type\":\"response.completed\",\"response\":{}}" },
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_tap *tap =
		    fed(cases[i].dialect, true, &seen, cases[i].stream);

		assert_false(dr_tap_state(tap)->complete);
		dr_tap_end(tap);
		assert_true(dr_tap_state(tap)->complete);
		assert_string_equal(seen.out.data, cases[i].stream);
		done(tap, &seen);
	}
}

static void
chat_is_complete_by_done_or_by_finish_and_a_clean_end(void **unused)
{
	struct seen seen;
	struct dr_tap *tap = fed(
	    C, false, &seen, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n");

	(void)unused;
	assert_false(dr_tap_state(tap)->complete);
	dr_tap_end(tap);
	assert_true(dr_tap_state(tap)->complete);
	done(tap, &seen);
	tap = fed(C, false, &seen, "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n");
	assert_true(dr_tap_state(tap)->complete);
	done(tap, &seen);
	tap =
	    fed(C, false, &seen, "data: {\"choices\":[{\"finish_reason\":null}]}\n\n");
	dr_tap_end(tap);
	assert_false(dr_tap_state(tap)->complete);
	done(tap, &seen);
}

/* An error that was cut before its empty line has not reached the client, */
static void
an_unfinished_error_event_is_not_counted_as_told(void **unused)
{
	struct seen seen;
	struct dr_tap *tap = fed(A, false, &seen,
	    "data: {\"type\":\"message_start\"}\n\n"
	    "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n");

	(void)unused;
	dr_tap_end(tap);
	assert_false(dr_tap_state(tap)->error_seen);
	assert_string_equal(dr_tap_state(tap)->error.message, "no");
	done(tap, &seen);
	/* but before anything was decided it is as good as whole: another provider is
	 * tried */
	tap = fed(A, false, &seen,
	    "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}");
	dr_tap_end(tap);
	assert_true(dr_tap_state(tap)->error_first);
	assert_int_equal(dr_tap_state(tap)->error.fault, DR_FAULT_OVERLOADED);
	done(tap, &seen);
}

static void
ping_created_and_queued_decide_nothing(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *stream;
		bool decided;
	} cases[] = {
		{ A, "event: ping\ndata: {\"type\": \"ping\"}\n\n", false },
		{ A, "event: ping\n\n", false },
		{ A, "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
		    true },
		{ R, "data: {\"type\":\"response.created\"}\n\n", false },
		{ R, "event: response.queued\ndata: {}\n\n", false },
		{ R, "data: {\"type\":\"response.in_progress\"}\n\n", true },
		{ C, "data: {\"choices\":[]}\n\n", true },
		{ C, ": processing\n\n", false },
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_tap *tap =
		    fed(cases[i].dialect, false, &seen, cases[i].stream);

		assert_int_equal(dr_tap_state(tap)->decided, cases[i].decided);
		done(tap, &seen);
	}
}

static void
events_that_are_not_json_pass_unread(void **unused)
{
	static const char *const streams[] = {
		"data: \n\n",
		"data: [1,2\n\n",
		"data: {\"a\" 1}\n\n",
		"data: {]}\n\n",
		"data: nonsense\n\n",
		"data: \xff\xfe{\n\n",
		"data: {\"usage\":[1,{}]}\n\n",
		"data: {\"choices\":{\"[]\":1},\"usage\":7,\"error\":null}\n\n",
		"data\n\n",
		"foo\n\nbar: 1\r\r",
		"id: 3\nretry: 5\n\n",
		"data: {}}}\n\n",
		"\xef\xbb\xbf"
		"data: {}\n\n",
		"\xef\xbb"
		"data: {}\n\n",
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(streams); i++) {
		for (enum dr_dialect_id d = 0; d < DR_N_DIALECTS; d++) {
			struct seen seen;
			struct dr_tap *tap = fed(d, true, &seen, streams[i]);

			assert_string_equal(seen.out.data, streams[i]);
			assert_false(dr_tap_state(tap)->error_seen);
			assert_false(dr_tap_state(tap)->complete);
			assert_false(dr_tap_state(tap)->usage.input_seen);
			done(tap, &seen);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_depends_on_where_the_bytes_are_cut),
		cmocka_unit_test(every_byte_may_come_alone),
		cmocka_unit_test(the_extra_usage_chunk_is_left_out_whole),
		cmocka_unit_test(only_the_extra_chunk_is_left_out),
		cmocka_unit_test(a_piece_that_ends_with_an_event_is_handed_on_uncopied),
		cmocka_unit_test(a_comment_goes_out_with_its_line),
		cmocka_unit_test(an_unfinished_event_is_held_and_dropped),
		cmocka_unit_test(a_complete_stream_may_lack_its_last_empty_line),
		cmocka_unit_test(chat_is_complete_by_done_or_by_finish_and_a_clean_end),
		cmocka_unit_test(an_unfinished_error_event_is_not_counted_as_told),
		cmocka_unit_test(ping_created_and_queued_decide_nothing),
		cmocka_unit_test(events_that_are_not_json_pass_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
