/*
 * Any bytes as a provider's stream: the state is sane, what goes out is what came in,
 * and neither depends on where the bytes were cut. The first two bytes choose the
 * dialect, stripping and the cuts.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "dialects/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct run {
	struct dr_strbuf out;
	struct dr_tap_state state; /* raw_usage points at `raw` */
	struct dr_strbuf raw;
};

static void
collect(void *arg, const char *bytes, size_t len)
{
	struct run *run = arg;

	DR_ASSERT(len > 0);
	dr_strbuf_add(&run->out, bytes, len);
}

/* Feed pieces of `step` bytes, each in memory of its own. */
static void
run_tap(struct run *run, enum dr_dialect_id dialect, bool strip, const char *stream,
    size_t len, size_t step)
{
	struct dr_tap *tap;

	dr_strbuf_init(&run->out, len);
	dr_strbuf_init(&run->raw, DR_MAX_RAW_USAGE);
	tap = dr_tap_new(dialect, strip, collect, run);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		char *piece = dr_malloc(n);

		memcpy(piece, stream + at, n);
		dr_tap_feed(tap, piece, n);
		free(piece);
	}
	dr_tap_end(tap);
	run->state = *dr_tap_state(tap);
	dr_strbuf_adds(&run->raw, run->state.raw_usage);
	run->state.raw_usage = NULL;
	dr_tap_free(&tap);
	DR_ASSERT(!run->out.failed);
}

static void
check_state(const struct dr_tap_state *state)
{
	const struct dr_usage *usage = &state->usage;

	DR_ASSERT(usage->input >= 0 && usage->cache_write_5m >= 0);
	DR_ASSERT(usage->cache_write_1h >= 0 && usage->cache_read >= 0);
	DR_ASSERT(usage->output >= 0 && usage->web_searches >= 0);
	DR_ASSERT(!state->error_first || state->error_seen);
	DR_ASSERT(!state->token_seen || state->output_bytes > 0);
}

static void
check_same(const struct run *a, const struct run *b)
{
	DR_ASSERT(a->out.len == b->out.len);
	DR_ASSERT(memcmp(a->out.data, b->out.data, a->out.len) == 0);
	DR_ASSERT(strcmp(a->raw.data, b->raw.data) == 0);
	DR_ASSERT(a->state.events == b->state.events);
	DR_ASSERT(a->state.error_seen == b->state.error_seen);
	DR_ASSERT(a->state.error_first == b->state.error_first);
	DR_ASSERT(a->state.decided == b->state.decided);
	DR_ASSERT(a->state.complete == b->state.complete);
	DR_ASSERT(a->state.sequence == b->state.sequence);
	DR_ASSERT(a->state.output_bytes == b->state.output_bytes);
	DR_ASSERT(memcmp(&a->state.usage, &b->state.usage, sizeof a->state.usage) == 0);
	DR_ASSERT(strcmp(a->state.error.message, b->state.error.message) == 0);
	DR_ASSERT(a->state.error.fault == b->state.error.fault);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct run whole, cut;
	enum dr_dialect_id dialect;
	const char *stream;
	bool strip;

	if (size < 2 || size > DR_MAX_EVENT_HOLD) /* above the hold, cuts may show */
		return 0;
	dialect = bytes[0] % DR_N_DIALECTS;
	strip = bytes[0] >= 128;
	stream = (const char *)bytes + 2;
	size -= 2;
	run_tap(&whole, dialect, strip, stream, size, size + 1);
	run_tap(&cut, dialect, strip, stream, size, 1 + bytes[1] % 32u);
	check_state(&whole.state);
	check_same(&whole, &cut);
	DR_ASSERT(whole.out.len <= size);
	if (!strip)
		DR_ASSERT(memcmp(whole.out.data, stream, whole.out.len) == 0);
	if (!strip && whole.state.complete)
		DR_ASSERT(whole.out.len == size);
	dr_strbuf_fini(&whole.out);
	dr_strbuf_fini(&whole.raw);
	dr_strbuf_fini(&cut.out);
	dr_strbuf_fini(&cut.raw);
	return 0;
}
