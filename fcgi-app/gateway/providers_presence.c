/*
 * providers_presence - what a poll of the directory comes to: who is there, who rests
 * when, whose flag a probe has lifted, and whether the watcher still looks.
 *
 * Part of providers; the rules are liveness' and rest's, which are pure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers_priv.h"

/* ---- rests ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(struct dr_provider *const *)a)->record->name,
	    (*(struct dr_provider *const *)b)->record->name);
}

void
dr_presence_deal_rests(struct dr_providers *providers)
{
	size_t n = providers->n_list;
	struct dr_provider **sorted = dr_calloc(n + 1, sizeof(struct dr_provider *));
	const struct dr_provider_record **records =
	    dr_calloc(n + 1, sizeof(const struct dr_provider_record *));
	struct dr_rest_plan *plans = dr_calloc(n + 1, sizeof *plans);

	memcpy(sorted, providers->list, n * sizeof(struct dr_provider *));
	qsort(sorted, n, sizeof(struct dr_provider *), by_name);
	for (size_t i = 0; i < n; i++)
		records[i] = sorted[i]->record;
	dr_rest_layout(records, n, plans);
	for (size_t i = 0; i < n; i++)
		sorted[i]->rest = plans[i];
	providers->rests_stale = false;
	free(plans);
	free(records);
	free(sorted);
}

/* ---- one provider ---- */

/*
 * A probe that went well after the flag was set lifts it: its credential works again.
 * Redis' clock says how long ago that was, ours how long the flag has stood.
 */
static void
lift_flag(struct dr_provider *provider)
{
	const struct dr_provider_state *state = &provider->state;
	uint64_t flagged_for_ms = dr_clock_ms() - provider->flagged_ms;

	if (!provider->breaker.flagged || !state->probe_ok || state->probe_at_ms == 0 ||
	    state->probe_generation != provider->record->generation ||
	    state->now_ms - state->probe_at_ms >= (int64_t)flagged_for_ms)
		return;
	provider->breaker.flagged = provider->breaker.flag_seen = false;
	dr_log_info(providers, "%s: a probe went well: in rotation again",
	    provider->record->name);
}

void
dr_presence_note(struct dr_providers *providers, struct dr_provider *provider)
{
	const char *name = provider->record->name;
	enum dr_error before = provider->presence.err;

	dr_liveness_read(&provider->presence, provider->record, &provider->state,
	    providers->watched, dr_clock_ms());
	lift_flag(provider);
	if (provider->locked)
		provider->presence.err = DR_ERR_PROVIDER_AUTH; /* said by the poll */
	if (provider->presence.err == before || provider->locked)
		return;
	if (provider->presence.err == DR_OK)
		dr_log_info(providers, "%s: there again", name);
	else
		dr_log_warn(providers, "%s: out of rotation: %s", name,
		    provider->presence.err == DR_ERR_OFFLINE ? "no sign of life"
		    : provider->presence.err == DR_ERR_RESTING
			? "its node goes to rest"
			: "a probe's credential was refused");
}

/* ---- the watcher ---- */

static void
on_watch(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_providers *providers =
	    DR_CONTAINER_OF(call, struct dr_providers, watch);
	bool watched;

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	if (err != DR_OK)
		return; /* nobody can tell: as before */
	watched = dr_reply_type(reply) == DR_REPLY_STRING;
	if (providers->watched && !watched)
		dr_log_warn(providers, "the watcher gives no sign of life: probed "
				       "providers are taken to be there");
	providers->watched = watched;
}

void
dr_presence_ask_for_watcher(struct dr_providers *providers)
{
	const struct dr_arg argv[] = { { "GET", 3 },
		{ DR_WATCHER_KEY, sizeof DR_WATCHER_KEY - 1 } };

	if (providers->watch.slot != NULL)
		return; /* the last one has still to be answered */
	providers->watch.done = on_watch;
	dr_store_command(providers->store, DR_WATCHER_KEY, argv, 2, &providers->watch);
}
