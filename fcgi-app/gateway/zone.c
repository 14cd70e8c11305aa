/*
 * zone - see the header.
 */
#include "gateway/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void
dr_zone_read(struct dr_zone *zone, const char *tz_offsets)
{
	char *end;

	for (zone->n = 0; zone->n < DR_ZONE_MOST; zone->n++) {
		long long from_ms = strtoll(tz_offsets, &end, 10);
		long minutes;

		if (end == tz_offsets || *end != ' ')
			return;
		tz_offsets = end + 1;
		minutes = strtol(tz_offsets, &end, 10);
		if (end == tz_offsets || (*end != ' ' && *end != '\0') ||
		    minutes < -24 * 60 || minutes > 24 * 60)
			return;
		zone->changes[zone->n].from_ms = from_ms;
		zone->changes[zone->n].minutes = (int)minutes;
		tz_offsets = end + (*end == ' ');
	}
}

static int
offset_at(const struct dr_zone *zone, int64_t wall_ms)
{
	int minutes = 0;

	for (size_t i = 0; i < zone->n && wall_ms >= zone->changes[i].from_ms; i++)
		minutes = zone->changes[i].minutes;
	return minutes;
}

int64_t
dr_zone_day(const struct dr_zone *zone, int64_t wall_ms)
{
	int64_t local = wall_ms + (int64_t)offset_at(zone, wall_ms) * 60000;

	return local >= 0 ? local / DR_DAY_MS : -((DR_DAY_MS - 1 - local) / DR_DAY_MS);
}

void
dr_zone_bounds(const struct dr_zone *zone, int64_t first_day, int64_t last_day,
    int64_t *from_ms, int64_t *to_ms)
{
	int most_east = offset_at(zone, 0), most_west = most_east;

	for (size_t i = 0; i < zone->n; i++) {
		int minutes = zone->changes[i].minutes;

		most_east = minutes > most_east ? minutes : most_east;
		most_west = minutes < most_west ? minutes : most_west;
	}
	*from_ms = first_day * DR_DAY_MS - (int64_t)most_east * 60000;
	*to_ms = (last_day + 1) * DR_DAY_MS - (int64_t)most_west * 60000 - 1;
	if (*from_ms < 0)
		*from_ms = 0;
}

void
dr_day_format(int64_t day, char out[DR_DAY_TEXT])
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format(day * DR_DAY_MS, when);
	memcpy(out, when, DR_DAY_TEXT - 1);
	out[DR_DAY_TEXT - 1] = '\0';
}
