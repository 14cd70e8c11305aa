/*
 * rest - when providers rest: daily windows in UTC, and how rests are spread so that
 * they follow one another.
 *
 * Pure: the time is an argument, milliseconds since 1970.
 */
#ifndef DR_REST_H
#define DR_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_MAX_REST_WINDOWS 16
#define DR_MINUTES_OF_DAY   1440
#define DR_REST_MINUTES     480 /* of an automatic rest: 8 hours, after 16 online */

/* From <= minute of the UTC day < to, or over midnight where to < from. */
struct dr_rest_window {
	unsigned from, to; /* 0..1439, never equal */
};

/* Zeroed: never rests. Windows may touch and overlap. */
struct dr_rest_plan {
	struct dr_rest_window windows[DR_MAX_REST_WINDOWS];
	size_t n;
};

/* Does it rest in this minute of the day? */
bool dr_rest_at(const struct dr_rest_plan *plan, unsigned minute);
/* Minutes until it wakes: 0 while awake; DR_MINUTES_OF_DAY where it never does. */
unsigned dr_rest_wakes_in(const struct dr_rest_plan *plan, unsigned minute);
/* Minutes until it next goes to rest: 0 while it rests; DR_MINUTES_OF_DAY where it
 * never does. */
unsigned dr_rest_begins_in(const struct dr_rest_plan *plan, unsigned minute);

/* The same to the millisecond. 0 while awake; -1: never goes to rest. */
uint64_t dr_rest_wakes_in_ms(const struct dr_rest_plan *plan, int64_t wall_ms);
int64_t dr_rest_begins_in_ms(const struct dr_rest_plan *plan, int64_t wall_ms);

/*
 * The i-th of n evenly spread rests of 8 hours: i * 24 h / n after midnight, to the
 * minute.
 */
struct dr_rest_window dr_rest_spread(size_t i, size_t n);

struct dr_provider_record;

/*
 * What every provider's plan is: its own windows, or where it rests automatically one
 * of the day's three shifts: the one in which the fewest of those that share a model
 * with it rest, dealt out in the order of `records` (by name, so that every process
 * finds the same). Disabled ones are left out of the reckoning. plans[i] is
 * records[i]'s.
 */
void dr_rest_layout(const struct dr_provider_record *const *records, size_t n,
    struct dr_rest_plan *plans);

#endif
