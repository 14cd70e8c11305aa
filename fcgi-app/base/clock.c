/*
 * clock - see the header.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t now_ms;
static int64_t now_wall_ms;

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
dr_clock_update(void)
{
	now_ms = (uint64_t)read_ms(CLOCK_MONOTONIC);
	now_wall_ms = read_ms(CLOCK_REALTIME);
}

uint64_t
dr_clock_ms(void)
{
	if (now_ms == 0)
		dr_clock_update();
	return now_ms;
}

int64_t
dr_clock_wall_ms(void)
{
	if (now_ms == 0)
		dr_clock_update();
	return now_wall_ms;
}

/* Years outside 0000..9999 do not fit the format: pinned, so that no input overflows it. */
static void
format(int64_t wall_ms, char out[DR_CLOCK_TEXT], int with_ms)
{
	const int64_t last = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
	struct tm tm;
	time_t s;
	size_t n;

	if (wall_ms < 0)
		wall_ms = 0;
	if (wall_ms > last)
		wall_ms = last;
	s = (time_t)(wall_ms / 1000);
	gmtime_r(&s, &tm);
	n = strftime(out, DR_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	if (with_ms)
		snprintf(out + n, DR_CLOCK_TEXT - n, ".%03dZ", (int)(wall_ms % 1000));
	else
		snprintf(out + n, DR_CLOCK_TEXT - n, "Z");
}

void
dr_clock_format(int64_t wall_ms, char out[DR_CLOCK_TEXT])
{
	format(wall_ms, out, 1);
}

void
dr_clock_format_s(int64_t wall_ms, char out[DR_CLOCK_TEXT])
{
	format(wall_ms, out, 0);
}

unsigned
dr_clock_minute_of_day(int64_t wall_ms)
{
	return (unsigned)((wall_ms / 60000) % 1440);
}
