/*
 * rfc3339 - see the header. By arithmetic alone: libc's calls would read the machine's
 * time zone, and make 3 March of 31 February.
 */
#include "base/rfc3339.h"

/* What is left of the text; every reader below goes on, or sets `wrong`. */
struct rest {
	const char *at, *end;
	bool wrong;
};

/* n decimal digits, from least to most. */
static int
number(struct rest *rest, int n, int least, int most)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (rest->at == rest->end || *rest->at < '0' || *rest->at > '9') {
			rest->wrong = true;
			return least;
		}
		value = value * 10 + (*rest->at++ - '0');
	}
	rest->wrong |= value < least || value > most;
	return value;
}

static bool
next_is(const struct rest *rest, char c)
{
	return rest->at < rest->end && *rest->at == c;
}

static void
skip(struct rest *rest, char c)
{
	if (next_is(rest, c))
		rest->at++;
	else
		rest->wrong = true;
}

/* Whole days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t
read_day(struct rest *rest)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304,
		334 };
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, leap, last;

	year = number(rest, 4, 1970, 9999);
	skip(rest, '-');
	month = number(rest, 2, 1, 12);
	skip(rest, '-');
	if (rest->wrong)
		return 0;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	day = number(rest, 2, 1, days[month - 1] + (month == 2 && leap));
	last = year - 1; /* the last year that is over, with all its leap days */
	return (int64_t)(year - 1970) * 365 + (last / 4 - last / 100 + last / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1] +
	       (month > 2 && leap) + day - 1;
}

static int
read_fraction_ms(struct rest *rest)
{
	const char *from;
	int ms = 0, worth = 100;

	if (!next_is(rest, '.'))
		return 0;
	from = ++rest->at;
	while (rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9') {
		ms += (*rest->at++ - '0') * worth;
		worth /= 10;
	}
	rest->wrong |= rest->at == from || rest->at - from > 9;
	return ms;
}

/* Minutes that the zone is ahead of UTC. */
static int
read_zone(struct rest *rest)
{
	bool behind = next_is(rest, '-');
	int minutes;

	if (next_is(rest, 'Z')) {
		rest->at++;
		return 0;
	}
	if (!behind && !next_is(rest, '+')) {
		rest->wrong = true;
		return 0;
	}
	rest->at++;
	minutes = number(rest, 2, 0, 23) * 60;
	skip(rest, ':');
	minutes += number(rest, 2, 0, 59);
	return behind ? -minutes : minutes;
}

bool
dr_rfc3339_parse(const char *text, size_t len, int64_t *wall_ms)
{
	struct rest rest = { text, text + len, false };
	int64_t minutes, ms;

	minutes = read_day(&rest) * 1440;
	skip(&rest, 'T');
	minutes += number(&rest, 2, 0, 23) * 60;
	skip(&rest, ':');
	minutes += number(&rest, 2, 0, 59);
	skip(&rest, ':');
	ms = (int64_t)number(&rest, 2, 0, 59) * 1000;
	ms += read_fraction_ms(&rest);
	minutes -= read_zone(&rest);
	if (rest.wrong || rest.at != rest.end)
		return false;
	*wall_ms = minutes * 60000 + ms;
	return true;
}
