/*
 * clock - two clocks, both read once per loop turn.
 *
 * dr_clock_ms():      monotonic milliseconds, for time-outs and durations.
 * dr_clock_wall_ms(): milliseconds since 1970 UTC, for dates that people see.
 *
 * Code that decides by time takes the time as an argument; these two are read at
 * the edge only. Money and windows use Redis' clock, not these.
 */
#ifndef DR_CLOCK_H
#define DR_CLOCK_H

#include <stddef.h>
#include <stdint.h>

void dr_clock_update(void); /* the loop calls it at the start of each turn */
uint64_t dr_clock_ms(void);
/* The monotonic clock as it is now, in microseconds: read anew at each call, for
 * measuring. */
uint64_t dr_clock_us(void);
int64_t dr_clock_wall_ms(void);

/* "2026-11-22T15:04:05.123Z" into out (25 bytes with NUL), UTC; dr_clock_format_s
 * leaves the milliseconds off. */
#define DR_CLOCK_TEXT 25
void dr_clock_format(int64_t wall_ms, char out[DR_CLOCK_TEXT]);
void dr_clock_format_s(int64_t wall_ms, char out[DR_CLOCK_TEXT]);

/* Minutes since UTC midnight, 0..1439. */
unsigned dr_clock_minute_of_day(int64_t wall_ms);

#endif
