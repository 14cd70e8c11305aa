/*
 * rest - the schedules of providers; see the header.
 */
#include "gateway/rest.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/provider_record.h"

#define MINUTE_MS INT64_C(60000)
#define N_SHIFTS  (DR_MINUTES_OF_DAY / DR_REST_MINUTES)

/* Minutes that this window goes on from `minute`; 0: not inside. */
static unsigned
window_left(const struct dr_rest_window *w, unsigned minute)
{
	unsigned length = (w->to + DR_MINUTES_OF_DAY - w->from) % DR_MINUTES_OF_DAY;
	unsigned since = (minute + DR_MINUTES_OF_DAY - w->from) % DR_MINUTES_OF_DAY;

	return since < length ? length - since : 0;
}

bool
dr_rest_at(const struct dr_rest_plan *plan, unsigned minute)
{
	for (size_t i = 0; i < plan->n; i++)
		if (window_left(&plan->windows[i], minute) > 0)
			return true;
	return false;
}

/* From window to window, since they may touch or overlap. */
unsigned
dr_rest_wakes_in(const struct dr_rest_plan *plan, unsigned minute)
{
	unsigned waited = 0, left = 1;

	while (left > 0 && waited < DR_MINUTES_OF_DAY) {
		left = 0;
		for (size_t i = 0; i < plan->n; i++) {
			unsigned more = window_left(
			    &plan->windows[i], (minute + waited) % DR_MINUTES_OF_DAY);

			if (more > left)
				left = more;
		}
		waited += left;
	}
	return waited < DR_MINUTES_OF_DAY ? waited : DR_MINUTES_OF_DAY;
}

unsigned
dr_rest_begins_in(const struct dr_rest_plan *plan, unsigned minute)
{
	unsigned least = DR_MINUTES_OF_DAY;

	if (dr_rest_at(plan, minute))
		return 0;
	for (size_t i = 0; i < plan->n; i++) {
		unsigned wait = (plan->windows[i].from + DR_MINUTES_OF_DAY - minute) %
				DR_MINUTES_OF_DAY;

		if (wait < least)
			least = wait;
	}
	return least;
}

uint64_t
dr_rest_wakes_in_ms(const struct dr_rest_plan *plan, int64_t wall_ms)
{
	unsigned minutes = dr_rest_wakes_in(plan, dr_clock_minute_of_day(wall_ms));

	return minutes == 0 ? 0 : (uint64_t)(minutes * MINUTE_MS - wall_ms % MINUTE_MS);
}

int64_t
dr_rest_begins_in_ms(const struct dr_rest_plan *plan, int64_t wall_ms)
{
	unsigned minutes = dr_rest_begins_in(plan, dr_clock_minute_of_day(wall_ms));

	if (minutes == DR_MINUTES_OF_DAY)
		return -1;
	return minutes == 0 ? 0 : minutes * MINUTE_MS - wall_ms % MINUTE_MS;
}

struct dr_rest_window
dr_rest_spread(size_t i, size_t n)
{
	unsigned from = (unsigned)(i * DR_MINUTES_OF_DAY / n);

	DR_ASSERT(i < n);
	return (struct dr_rest_window){ from,
		(from + DR_REST_MINUTES) % DR_MINUTES_OF_DAY };
}

/* ---- automatic rests ---- */

static struct dr_rest_window
shift(size_t i)
{
	return dr_rest_spread(i, N_SHIFTS);
}

/* Minutes of rest per shift, summed over the providers of one model. */
struct model_load {
	const char *model; /* borrowed */
	unsigned minutes[N_SHIFTS];
};

static int
by_model(const void *a, const void *b)
{
	return strcmp(((const struct model_load *)a)->model,
	    ((const struct model_load *)b)->model);
}

/* One entry for each model that anybody serves, sorted. Owned by the caller. */
static struct model_load *
list_models(const struct dr_provider_record *const *records, size_t n, size_t *n_loads)
{
	struct model_load *loads;
	size_t most = 1, at = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		most += records[i]->n_models;
	loads = dr_calloc(most, sizeof *loads);
	for (size_t i = 0; i < n; i++)
		for (size_t m = 0; m < records[i]->n_models; m++)
			loads[at++].model = records[i]->models[m].here;
	qsort(loads, at, sizeof *loads, by_model);
	for (size_t i = 0; i < at; i++)
		if (kept == 0 || strcmp(loads[kept - 1].model, loads[i].model) != 0)
			loads[kept++] = loads[i];
	*n_loads = kept;
	return loads;
}

static struct model_load *
load_of(struct model_load *loads, size_t n_loads, const char *model)
{
	struct model_load key = { .model = model };

	return bsearch(&key, loads, n_loads, sizeof *loads, by_model);
}

/* This provider rests by `plan`: its models are the fewer. */
static void
add_load(struct model_load *loads, size_t n_loads,
    const struct dr_provider_record *record, const struct dr_rest_plan *plan)
{
	unsigned minutes[N_SHIFTS] = { 0 };

	for (unsigned m = 0; m < DR_MINUTES_OF_DAY; m++)
		minutes[m / DR_REST_MINUTES] += dr_rest_at(plan, m);
	for (size_t i = 0; i < record->n_models; i++) {
		struct model_load *load =
		    load_of(loads, n_loads, record->models[i].here);

		for (size_t s = 0; s < N_SHIFTS; s++)
			load->minutes[s] += minutes[s];
	}
}

static size_t
best_shift(
    struct model_load *loads, size_t n_loads, const struct dr_provider_record *record)
{
	uint64_t sums[N_SHIFTS] = { 0 };
	size_t best = 0;

	for (size_t i = 0; i < record->n_models; i++) {
		const struct model_load *load =
		    load_of(loads, n_loads, record->models[i].here);

		for (size_t s = 0; s < N_SHIFTS; s++)
			sums[s] += load->minutes[s];
	}
	for (size_t s = 1; s < N_SHIFTS; s++)
		if (sums[s] < sums[best])
			best = s;
	return best;
}

void
dr_rest_layout(const struct dr_provider_record *const *records, size_t n,
    struct dr_rest_plan *plans)
{
	struct model_load *loads = NULL;
	size_t n_loads, n_auto = 0;

	for (size_t i = 0; i < n; i++) {
		plans[i] = records[i]->rest;
		n_auto += records[i]->rest_auto;
	}
	if (n_auto == 0)
		return;
	loads = list_models(records, n, &n_loads);
	for (size_t i = 0; i < n; i++)
		if (records[i]->enabled && plans[i].n > 0)
			add_load(loads, n_loads, records[i], &plans[i]);
	for (size_t i = 0; i < n; i++) {
		if (!records[i]->rest_auto)
			continue;
		plans[i].windows[0] = shift(best_shift(loads, n_loads, records[i]));
		plans[i].n = 1;
		if (records[i]->enabled)
			add_load(loads, n_loads, records[i], &plans[i]);
	}
	free(loads);
}
