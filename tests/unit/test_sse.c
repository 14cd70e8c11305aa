/*
 * Server-sent events: the same events whatever the line ends and wherever the cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "dialects/sse.h"

/* One reading; `out` gets name<data> for each event and . for each quiet end. */
struct reading {
	struct dr_sse sse;
	struct dr_strbuf data, out;
	bool quiet; /* write the dots */
};

static void
reading_init(struct reading *reading, bool quiet)
{
	memset(reading, 0, sizeof *reading);
	dr_sse_init(&reading->sse);
	dr_strbuf_init(&reading->data, 1 << 20);
	dr_strbuf_init(&reading->out, 1 << 20);
	reading->quiet = quiet;
}

static void
reading_fini(struct reading *reading)
{
	dr_strbuf_fini(&reading->data);
	dr_strbuf_fini(&reading->out);
}

static void
feed(struct reading *reading, const char *bytes, size_t len)
{
	struct dr_sse_part part;
	char *copy = dr_malloc(len + 1), *p = copy; /* ASan guards its end */

	memcpy(copy, bytes, len);
	while (len > 0) {
		size_t n = dr_sse_next(&reading->sse, p, len, &part);

		assert_in_range(n, 1, len);
		p += n;
		len -= n;
		if (part.kind == DR_SSE_DATA) {
			dr_strbuf_add(&reading->data, part.bytes, part.len);
		} else if (part.kind == DR_SSE_EVENT) {
			dr_strbuf_addf(&reading->out, "%s<%s>", reading->sse.name,
			    reading->data.data);
			dr_strbuf_clear(&reading->data);
		} else if (part.kind == DR_SSE_QUIET && reading->quiet) {
			dr_strbuf_addc(&reading->out, '.');
		}
	}
	free(copy);
}

static const struct {
	const char *stream, *want;
} rows[] = {
	{ "data: a\n\ndata: b\n\n", "<a><b>" },
	{ "event: x\ndata: a\n\n", "x<a>" },
	{ "data: a\r\n\r\ndata: b\r\n\r\n", "<a><b>" },
	{ "data: a\r\rdata: b\r\r", "<a><b>" },
	{ "data: a\r\n\ndata: b\n\r\n", "<a><b>" }, /* mixed */
	{ "data: a\n\r\ndata: b\r\r\n", "<a><b>" },
	{ "data:a\n\n", "<a>" },    /* no space */
	{ "data:  a\n\n", "< a>" }, /* only one goes */
	{ "data: a\ndata: b\ndata:\ndata: c\n\n", "<a\nb\n\nc>" },
	{ "data\n\n", "<>" },
	{ "data\ndata\n\n", "<\n>" },
	{ ": hm\n\ndata: a\n: inside\ndata: b\n\n", "<a\nb>" },
	{ ":\n:\n\n\n\ndata: a\n\n", "<a>" },
	{ "id: 1\nretry: 3\nunknown: x\nnocolon\n\n", "" },
	{ "id: 1\ndata: a\nid\n\n", "<a>" },
	{ "event: x\n\ndata: a\n\n", "x<><a>" }, /* names do not carry over */
	{ "event: x\nevent: yy\ndata: a\n\n", "yy<a>" },
	{ "event: x\nevent\ndata: a\n\n", "<a>" },
	{ "event:\n\n", "" },
	{ "\xef\xbb\xbf"
	  "data: a\n\n",
	    "<a>" },
	{ "data: a\n\n\xef\xbb\xbf"
	  "data: b\n\n",
	    "<a>" }, /* a BOM only at the start */
	{ "\xef\xbb"
	  "data: a\n\ndata: b\n\n",
	    "<b>" },
	{ "\xef\n\ndata: b\n\n", "<b>" },
	{ "datax: 1\ndat: 2\nData: 3\n data: 4\n\n", "" },
	{ "data: a:b: c\n\n", "<a:b: c>" },
	{ "data: \xe4\xb8\x96 \xf0\x9f\x8c\x8d\n\n",
	    "<\xe4\xb8\x96 \xf0\x9f\x8c\x8d>" },
	{ "data: a\n", "" },
	{ "\n\n\r\r\r\n\r\n", "" },
	{ "event: 1234567890123456789012345678901234567890123456789\n\n",
	    "12345678901234567890123456789012345678901234567<>" },
};

static void
every_form_of_line_and_field_is_read(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct reading reading;

		reading_init(&reading, false);
		feed(&reading, rows[i].stream, strlen(rows[i].stream));
		assert_string_equal(reading.out.data, rows[i].want);
		reading_fini(&reading);
	}
}

/* TCP may cut a stream anywhere: every two cuts must give the same events. */
static void
events_do_not_depend_on_where_the_bytes_are_cut(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		const char *stream = rows[i].stream;
		size_t n = strlen(stream);

		for (size_t a = 0; a <= n; a++) {
			for (size_t b = a; b <= n; b++) {
				struct reading reading;

				reading_init(&reading, false);
				feed(&reading, stream, a);
				feed(&reading, stream + a, b - a);
				feed(&reading, stream + b, n - b);
				assert_string_equal(reading.out.data, rows[i].want);
				reading_fini(&reading);
			}
		}
	}
}

/* A comment may be handed on at once, but not one inside of an event. */
static void
a_comment_between_events_is_over_with_its_line(void **unused)
{
	struct reading reading;

	(void)unused;
	reading_init(&reading, true);
	feed(&reading, ": a\n", 4);
	assert_string_equal(reading.out.data, ".");
	feed(&reading, "\ndata: x\n: b\n", 13);
	assert_string_equal(reading.out.data, "..");
	feed(&reading, "\r\n: c\r", 6);
	assert_string_equal(reading.out.data, "..<x>.");
	reading_fini(&reading);
}

/* The LF of a split CRLF is told apart, so that it can share the event's fate. */
static void
the_rest_of_a_split_line_end_belongs_to_the_event(void **unused)
{
	struct dr_sse sse;
	struct dr_sse_part part;
	const char *first = "data: x\r\n\r";
	size_t at = 0;

	(void)unused;
	dr_sse_init(&sse);
	while (at < strlen(first))
		at += dr_sse_next(&sse, first + at, strlen(first) - at, &part);
	assert_int_equal(part.kind, DR_SSE_EVENT);
	assert_int_equal(dr_sse_next(&sse, "\ndata: y", 8, &part), 1);
	assert_int_equal(part.kind, DR_SSE_TAIL);
	assert_int_equal(dr_sse_next(&sse, "data: y", 7, &part), 5);
	assert_int_equal(part.kind, DR_SSE_MORE);
}

static void
an_event_at_hand_is_pending(void **unused)
{
	static const struct {
		const char *stream;
		bool pending;
	} cases[] = {
		{ "", false },
		{ "data: a\n\n", false },
		{ "data: a\n\n: x", false },
		{ "data: a", true },
		{ "data: a\n", true },
		{ "data:", true },
		{ "data", false },
		{ "event: x", true },
		{ "event:", false },
		{ "id: 1\n", false },
		{ "data: a\r\n\r", false },
		{ "data: a\r\n\r\n", false },
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct reading reading;

		reading_init(&reading, false);
		feed(&reading, cases[i].stream, strlen(cases[i].stream));
		assert_int_equal(dr_sse_pending(&reading.sse), cases[i].pending);
		reading_fini(&reading);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_line_and_field_is_read),
		cmocka_unit_test(events_do_not_depend_on_where_the_bytes_are_cut),
		cmocka_unit_test(a_comment_between_events_is_over_with_its_line),
		cmocka_unit_test(the_rest_of_a_split_line_end_belongs_to_the_event),
		cmocka_unit_test(an_event_at_hand_is_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
