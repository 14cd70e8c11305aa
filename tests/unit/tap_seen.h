/*
 * tap_seen - a tap under test and what came out of it. Include after <cmocka.h>.
 */
#ifndef DR_TESTS_TAP_SEEN_H
#define DR_TESTS_TAP_SEEN_H

#include <string.h>

#include "dialects/dialect.h"

/* What came out of a tap. */
struct seen {
	struct dr_strbuf out;
	unsigned slices;
	const char *last; /* where the last slice was */
};

static inline void
collect(void *arg, const char *bytes, size_t len)
{
	struct seen *seen = arg;

	assert_true(len > 0);
	dr_strbuf_add(&seen->out, bytes, len);
	seen->slices++;
	seen->last = bytes;
}

static inline void
seen_init(struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	dr_strbuf_init(&seen->out, 64 << 20);
}

/* Feed a C string to a new tap and end it. The caller frees the tap. */
static inline struct dr_tap *
fed(enum dr_dialect_id dialect, bool strip, struct seen *seen, const char *stream)
{
	struct dr_tap *tap;

	seen_init(seen);
	tap = dr_tap_new(dialect, strip, collect, seen);
	dr_tap_feed(tap, stream, strlen(stream));
	return tap;
}

static inline void
done(struct dr_tap *tap, struct seen *seen)
{
	dr_tap_free(&tap);
	dr_strbuf_fini(&seen->out);
}

static inline void
check_usage(const struct dr_usage *got, const struct dr_usage *want)
{
	assert_int_equal(got->input, want->input);
	assert_int_equal(got->cache_write_5m, want->cache_write_5m);
	assert_int_equal(got->cache_write_1h, want->cache_write_1h);
	assert_int_equal(got->cache_read, want->cache_read);
	assert_int_equal(got->output, want->output);
	assert_int_equal(got->web_searches, want->web_searches);
	assert_int_equal(got->input_seen, want->input_seen);
	assert_int_equal(got->output_seen, want->output_seen);
}

#endif
