/*
 * rfc3339 - a moment as text ("2026-11-22T15:04:05.123Z") read as a number. To write
 * one: dr_clock_format().
 */
#ifndef DR_RFC3339_H
#define DR_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

/*
 * Milliseconds since 1970 UTC; finer fractions, of up to nine digits, are cut off. The
 * letters T and Z are capitals, the zone is Z or "+01:30", the day is one of the
 * calendar, there is no 60th second, and the year is 1970 to 9999. Else false.
 */
bool dr_rfc3339_parse(const char *text, size_t len, int64_t *wall_ms) DR_MUSTCHECK;

#endif
