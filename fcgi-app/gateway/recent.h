/*
 * recent - the settlements that Redis has acknowledged lately, as bytes, in bounded
 * memory.
 *
 * Two halves: what comes fills the newer; when that is full, or all in the older is too
 * old, the older is forgotten and they change places. So everything is kept for the
 * time asked for, unless more than DR_MAX_RECENT_BYTES / 2 came meanwhile.
 *
 * Units: bytes, ms of dr_clock_ms(). Pure but for memory.
 */
#ifndef DR_RECENT_H
#define DR_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct dr_recent {
	struct dr_strbuf older, newer; /* length, payload, length, payload ... */
	size_t n_older, n_newer, n;    /* payloads; n is their sum */
	uint64_t newer_began_ms;
};

void dr_recent_init(struct dr_recent *recent);
void dr_recent_fini(struct dr_recent *recent);
void dr_recent_clear(struct dr_recent *recent);
void dr_recent_add(struct dr_recent *recent, const char *payload, size_t len,
    uint64_t now_ms, uint64_t keep_ms);
/* Oldest first. False as soon as `each` says false. */
bool dr_recent_each(const struct dr_recent *recent,
    bool (*each)(void *arg, const char *payload, size_t len), void *arg);

#endif
