/*
 * ctl_zone - see the header. The offsets are found by asking localtime_r() hour by hour
 * where a change lies between two days, which is all that tzdata promises.
 */
#include "operator/ctl_zone.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define YEARS       20
#define DAY_S       86400
#define MOST_OFFSET (14 * 60) /* minutes: nobody is further off */
#define ZONE_PATHS  "/usr/share/zoneinfo/"

/* Minutes east of UTC at that second, in the zone that TZ names. */
static long
offset_at(time_t at)
{
	struct tm tm;

	localtime_r(&at, &tm);
	return tm.tm_gmtoff / 60;
}

static bool
fixed_offset(const char *zone, long *minutes)
{
	long hours, rest;

	if (strcmp(zone, "UTC") == 0) {
		*minutes = 0;
		return true;
	}
	if (strlen(zone) != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
	    strspn(zone + 1, "0123456789") != 2 || strspn(zone + 4, "0123456789") != 2)
		return false;
	hours = strtol(zone + 1, NULL, 10);
	rest = strtol(zone + 4, NULL, 10);
	if (rest > 59 || hours * 60 + rest > MOST_OFFSET)
		return false;
	*minutes = (hours * 60 + rest) * (zone[0] == '-' ? -1 : 1);
	return true;
}

/* A name that tzdata has; never a path out of it. libc takes a folder ("Europe"), or
 * any other file, for UTC without a word: the file itself must say what it is. Names in
 * small letters are no places: this machine's own zone ("localtime"), other clocks
 * ("right/..."). */
static bool
is_known(const char *zone)
{
	char path[256], magic[4] = "";
	bool known;
	int fd;

	if (zone[0] < 'A' || zone[0] > 'Z' || strstr(zone, "..") != NULL ||
	    zone[strlen(zone) - 1] == '/')
		return false;
	if (strlen(zone) >= 100 || strchr(zone, ':') != NULL)
		return false;
	snprintf(path, sizeof path, ZONE_PATHS "%s", zone);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	known = read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
		memcmp(magic, "TZif", sizeof magic) == 0;
	close(fd);
	return known;
}

/* The first second in (from, to] at which the offset is another. */
static time_t
find_change(time_t from, time_t to)
{
	long before = offset_at(from);

	while (to - from > 1) {
		time_t middle = from + (to - from) / 2;

		if (offset_at(middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

bool
ctl_zone_offsets(const char *zone, int64_t from_ms, int years, struct dr_strbuf *out)
{
	time_t at = (time_t)(from_ms / 1000), end = at + (time_t)years * 366 * DAY_S;
	long minutes;

	if (fixed_offset(zone, &minutes)) {
		dr_strbuf_addf(out, "0 %ld", minutes);
		return true;
	}
	if (!is_known(zone))
		return false;
	setenv("TZ", zone, 1);
	tzset();
	dr_strbuf_addf(out, "0 %ld", offset_at(at));
	for (; at < end; at += DAY_S)
		if (offset_at(at + DAY_S) != offset_at(at)) {
			time_t change = find_change(at, at + DAY_S);

			dr_strbuf_addf(out, " %" PRId64 " %ld", (int64_t)change * 1000,
			    offset_at(change));
		}
	setenv("TZ", "UTC", 1);
	tzset();
	return true;
}

static int
store_zone(struct ctl *ctl, const char *account, const char *zone, const char *offsets)
{
	char key[CTL_KEY_SIZE];
	struct ctl_reply reply;

	ctl_account_key(account, "account", key);
	if (!ctl_account_exists(ctl, account) ||
	    !ctl_command(ctl, &reply,
		(const char *[]){
		    "HSET", key, "tz", zone, "tz_offsets", offsets, NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	return CTL_OK;
}

int
ctl_account_set(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *zone = NULL;
	struct ctl_option options[] = { { "--tz", &zone, 1, 0 }, { NULL, NULL, 0, 0 } };
	struct dr_strbuf offsets;
	size_t n;
	int status;

	if (!ctl_options(argc, argv, options, &account, 1, 1, &n,
		"account set ACCOUNT --tz Europe/Berlin|+05:30|UTC"))
		return CTL_USAGE;
	if (zone == NULL)
		return ctl_fail(CTL_USAGE, "account set: nothing to change: --tz ZONE");
	dr_strbuf_init(&offsets, 64 * 1024);
	/* a day back: Redis' clock may differ */
	if (!ctl_zone_offsets(
		zone, dr_clock_wall_ms() - INT64_C(86400000), YEARS, &offsets))
		status = ctl_fail(CTL_USAGE,
		    "--tz: \"%s\" is no time zone: want UTC, +05:30, or a name such as "
		    "Europe/Berlin (tzdata is in " ZONE_PATHS ")",
		    zone);
	else
		status = store_zone(ctl, account, zone, offsets.data);
	dr_strbuf_fini(&offsets);
	return status;
}
