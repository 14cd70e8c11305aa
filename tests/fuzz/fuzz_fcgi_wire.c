/*
 * fuzz_fcgi_wire - any bytes through the FastCGI codec: nothing is read outside the
 * input, and what comes out does not depend on where the input is cut.
 */
#include <fastcgi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/fcgi_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A sum over all that was handed on, blind to how it was sliced. */
struct sum {
	uint64_t hash;
	size_t in_record;
	bool stop_at_unknown;
};

static void
mix(struct sum *sum, uint64_t value)
{
	sum->hash = (sum->hash ^ value) * UINT64_C(0x100000001b3);
}

static bool
on_content(void *arg, const struct dr_fcgi_record *record, const char *bytes,
    size_t len, bool last)
{
	struct sum *sum = arg;

	for (size_t i = 0; i < len; i++)
		mix(sum, (uint8_t)bytes[i]);
	sum->in_record += len;
	DR_ASSERT(sum->in_record <= record->content_length);
	DR_ASSERT(last == (sum->in_record == record->content_length));
	if (!last)
		return true;
	mix(sum, (uint64_t)record->type << 32 | record->request_id);
	sum->in_record = 0;
	return !sum->stop_at_unknown || record->type <= FCGI_MAXTYPE;
}

static uint64_t
feed_in_slices(const char *bytes, size_t len, size_t slice, bool stop)
{
	struct sum sum = { .hash = 14695981039346656037U, .stop_at_unknown = stop };
	enum dr_fcgi_feed said = DR_FCGI_MORE;
	struct dr_fcgi_reader reader;

	dr_fcgi_reader_init(&reader, on_content, &sum);
	for (size_t at = 0; at < len && said == DR_FCGI_MORE; at += slice)
		said = dr_fcgi_feed(
		    &reader, bytes + at, slice < len - at ? slice : len - at);
	mix(&sum, said);
	return sum.hash;
}

static void
read_pairs(const char *block, size_t len)
{
	const char *name, *value;
	size_t pos = 0, before = 0, name_len, value_len;
	struct dr_strbuf out;

	while (
	    dr_fcgi_pair(block, len, &pos, &name, &name_len, &value, &value_len) == 1) {
		DR_ASSERT(pos > before && pos <= len);
		DR_ASSERT(name >= block && name + name_len == value);
		DR_ASSERT(value + value_len == block + pos);
		before = pos;
	}
	dr_strbuf_init(&out, 1 << 20);
	dr_fcgi_add_values(&out, block, len, 100);
	DR_ASSERT(!out.failed && out.len < 200);
	dr_strbuf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;

	for (int stop = 0; stop < 2; stop++) {
		uint64_t whole = feed_in_slices(text, len, len + 1, stop);

		DR_ASSERT(feed_in_slices(text, len, 1, stop) == whole);
		DR_ASSERT(feed_in_slices(text, len, 7, stop) == whole);
	}
	read_pairs(text, len);
	return 0;
}
