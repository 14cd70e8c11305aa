/*
 * recent - see the header.
 */
#include "gateway/recent.h"

#include <string.h>

#include "base/limits.h"

void
dr_recent_init(struct dr_recent *recent)
{
	*recent = (struct dr_recent){ 0 };
	dr_strbuf_init(&recent->older, DR_MAX_RECENT_BYTES / 2);
	dr_strbuf_init(&recent->newer, DR_MAX_RECENT_BYTES / 2);
}

void
dr_recent_fini(struct dr_recent *recent)
{
	dr_strbuf_fini(&recent->older);
	dr_strbuf_fini(&recent->newer);
	*recent = (struct dr_recent){ 0 };
}

void
dr_recent_clear(struct dr_recent *recent)
{
	dr_recent_fini(recent);
	dr_recent_init(recent);
}

/* The older half's memory becomes the newer one's. */
static void
turn(struct dr_recent *recent, uint64_t now_ms)
{
	struct dr_strbuf memory = recent->older;

	recent->older = recent->newer;
	recent->n_older = recent->n_newer;
	dr_strbuf_clear(&memory);
	recent->newer = memory;
	recent->n_newer = 0;
	recent->newer_began_ms = now_ms;
}

void
dr_recent_add(struct dr_recent *recent, const char *payload, size_t len,
    uint64_t now_ms, uint64_t keep_ms)
{
	uint32_t n = (uint32_t)len;

	if (recent->n_newer == 0)
		recent->newer_began_ms = now_ms;
	if (recent->newer.len + sizeof n + len > recent->newer.max ||
	    now_ms - recent->newer_began_ms >= keep_ms)
		turn(recent, now_ms);
	dr_strbuf_add(&recent->newer, &n, sizeof n);
	dr_strbuf_add(&recent->newer, payload, len);
	recent->n_newer++;
	recent->n = recent->n_older + recent->n_newer;
}

static bool
each_of(const struct dr_strbuf *half,
    bool (*each)(void *arg, const char *payload, size_t len), void *arg)
{
	uint32_t n;

	for (size_t at = 0; at < half->len; at += sizeof n + n) {
		memcpy(&n, half->data + at, sizeof n);
		if (!each(arg, half->data + at + sizeof n, n))
			return false;
	}
	return true;
}

bool
dr_recent_each(const struct dr_recent *recent,
    bool (*each)(void *arg, const char *payload, size_t len), void *arg)
{
	return each_of(&recent->older, each, arg) && each_of(&recent->newer, each, arg);
}
