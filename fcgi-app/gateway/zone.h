/*
 * zone - days in an account's time zone: scripts/window.lua's rule in C. Pure.
 *
 * An account carries the offsets of its zone with the moments from which on they hold
 * ("MS MINUTES MS MINUTES ...", operator/ctl_zone.c). A day is a whole number: that of
 * local days since 1970-01-01.
 */
#ifndef DR_ZONE_H
#define DR_ZONE_H

#include <stddef.h>
#include <stdint.h>

#define DR_ZONE_MOST 128 /* changes; twenty years have forty */
#define DR_DAY_TEXT  11  /* "2026-11-22" */
#define DR_DAY_MS    INT64_C(86400000)

struct dr_zone {
	size_t n; /* 0: UTC */
	struct {
		int64_t from_ms; /* UTC */
		int minutes;     /* east of UTC */
	} changes[DR_ZONE_MOST];
};

/* What is no offset ends the list; "" is UTC. */
void dr_zone_read(struct dr_zone *zone, const char *tz_offsets);
int64_t dr_zone_day(const struct dr_zone *zone, int64_t wall_ms);
/* Times between which all moments of these days lie, and at most a little more. */
void dr_zone_bounds(const struct dr_zone *zone, int64_t first_day, int64_t last_day,
    int64_t *from_ms, int64_t *to_ms);
void dr_day_format(int64_t day, char out[DR_DAY_TEXT]);

#endif
