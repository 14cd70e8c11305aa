/*
 * clock - see the header.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
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

uint64_t
dr_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int64_t
dr_clock_wall_ms(void)
{
	if (now_ms == 0)
		dr_clock_update();
	return now_wall_ms;
}

static char *
put_digits(char *to, int n, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + n % 10);
		n /= 10;
	}
	return to + digits;
}

/* "2026-11-23T12:00:00": the last one is kept, since most of a second's requests want
 * it. */
static const char *
second_text(time_t s)
{
	static time_t kept = -1;
	static char text[20];
	struct tm tm;
	char *to = text;

	if (s == kept)
		return text;
	gmtime_r(&s, &tm);
	to = put_digits(to, tm.tm_year + 1900, 4);
	*to++ = '-';
	to = put_digits(to, tm.tm_mon + 1, 2);
	*to++ = '-';
	to = put_digits(to, tm.tm_mday, 2);
	*to++ = 'T';
	to = put_digits(to, tm.tm_hour, 2);
	*to++ = ':';
	to = put_digits(to, tm.tm_min, 2);
	*to++ = ':';
	to = put_digits(to, tm.tm_sec, 2);
	*to = '\0';
	kept = s;
	return text;
}

/* Years outside 0000..9999 do not fit the format: pinned, so that no input overflows
 * it. */
static void
format(int64_t wall_ms, char out[DR_CLOCK_TEXT], bool with_ms)
{
	const int64_t last = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
	char *to = out + 19;

	if (wall_ms < 0)
		wall_ms = 0;
	if (wall_ms > last)
		wall_ms = last;
	memcpy(out, second_text((time_t)(wall_ms / 1000)), 19);
	if (with_ms) {
		*to++ = '.';
		to = put_digits(to, (int)(wall_ms % 1000), 3);
	}
	*to++ = 'Z';
	*to = '\0';
}

void
dr_clock_format(int64_t wall_ms, char out[DR_CLOCK_TEXT])
{
	format(wall_ms, out, true);
}

void
dr_clock_format_s(int64_t wall_ms, char out[DR_CLOCK_TEXT])
{
	format(wall_ms, out, false);
}

unsigned
dr_clock_minute_of_day(int64_t wall_ms)
{
	return (unsigned)((wall_ms / 60000) % 1440);
}
