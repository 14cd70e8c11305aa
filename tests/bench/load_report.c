/*
 * load_report - samples, their percentiles, and the line of JSON that load prints.
 */
#include "load.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_SAMPLES (8u << 20) /* of each kind; later ones are left out */

void
load_add_sample(struct samples *samples, uint64_t us)
{
	if (samples->count == samples->room) {
		size_t room = samples->room == 0 ? 4096 : samples->room * 2;
		uint32_t *more;

		if (room > MAX_SAMPLES)
			return;
		more = realloc(samples->us, room * sizeof *more);
		if (more == NULL)
			return;
		samples->us = more;
		samples->room = room;
	}
	samples->us[samples->count++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
print_samples(const char *name, struct samples *s, FILE *out)
{
	static const struct {
		const char *name;
		size_t per_mille;
	} points[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 },
		{ "max", 1000 } };

	fprintf(out, ",\"%s\":{\"count\":%zu", name, s->count);
	if (s->count > 0)
		qsort(s->us, s->count, sizeof *s->us, by_size);
	for (size_t i = 0; i < sizeof points / sizeof *points && s->count > 0; i++)
		fprintf(out, ",\"%s\":%" PRIu32, points[i].name,
		    s->us[(s->count - 1) * points[i].per_mille / 1000]);
	fputc('}', out);
	free(s->us);
	*s = (struct samples){ .us = NULL };
}

void
load_print_report(struct report *r, FILE *out)
{
	const char *comma = "";

	fprintf(out,
	    "{\"requests\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"unexpected\":%" PRIu64
	    ",\"broken\":%" PRIu64 ",\"aborted\":%" PRIu64 ",\"events\":%" PRIu64
	    ",\"events_lost\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"seconds\":%.3f,\"status\":{",
	    r->requests, r->ok, r->unexpected, r->broken, r->aborted, r->events,
	    r->events_lost, r->cut, r->bytes, r->seconds);
	for (size_t i = 0; i < sizeof r->status / sizeof *r->status; i++) {
		if (r->status[i] == 0)
			continue;
		fprintf(out, "%s\"%zu\":%" PRIu64, comma, i, r->status[i]);
		comma = ",";
	}
	fputc('}', out);
	print_samples("whole_us", &r->whole, out);
	print_samples("first_us", &r->first, out);
	print_samples("delay_us", &r->delay, out);
	print_samples("gap_us", &r->gap, out);
	fputs("}\n", out);
}
