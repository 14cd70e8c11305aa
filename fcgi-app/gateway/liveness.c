/*
 * liveness - from a provider's record and state to what a request needs to know; see
 * the header.
 */
#include "gateway/liveness.h"

#include <string.h>

#include "base/dr_assert.h"
#include "gateway/provider_fields.h"

#define NOTICE_MS (INT64_C(24) * 3600 * 1000)

static bool
is_fresh(const struct dr_provider_state *state)
{
	return state->hb_until_ms > state->now_ms;
}

/* Its node said that it goes to rest, and nothing else since. */
static bool
rests_by_notice(const struct dr_provider_state *state)
{
	return state->hb_resting_at_ms > 0 &&
	       state->hb_resting_at_ms <= state->now_ms &&
	       state->now_ms - state->hb_resting_at_ms < NOTICE_MS;
}

static bool
probe_counts(
    const struct dr_provider_record *record, const struct dr_provider_state *state)
{
	return state->probe_at_ms > 0 && state->probe_generation == record->generation;
}

static enum dr_error
presence_error(const struct dr_provider_record *record,
    const struct dr_provider_state *state, bool watched)
{
	/* whoever asked: a refused credential is refused to requests too */
	if (probe_counts(record, state) && state->probe_refused)
		return DR_ERR_PROVIDER_AUTH;
	if (rests_by_notice(state))
		return DR_ERR_RESTING;
	switch (record->liveness) {
	case DR_LIVENESS_ALWAYS:
		return DR_OK;
	case DR_LIVENESS_NODE:
		return is_fresh(state) ? DR_OK : DR_ERR_OFFLINE;
	case DR_LIVENESS_PROBE:
		return watched && probe_counts(record, state) &&
			       state->probe_failures >= DR_PROBE_FAILURES
			   ? DR_ERR_OFFLINE
			   : DR_OK;
	}
	DR_WRONG("unknown liveness");
}

/* Models that it names and the record does not are no news to anybody. */
static void
narrow(struct dr_presence *out, const struct dr_provider_record *record,
    const char *models)
{
	struct dr_word word;

	out->narrowed = true;
	while (dr_word_next(&models, &word)) {
		char name[DR_MAX_MODEL_NAME + 1];
		int at;

		if (word.len > DR_MAX_MODEL_NAME)
			continue;
		memcpy(name, word.text, word.len);
		name[word.len] = '\0';
		at = dr_provider_record_find(record, name);
		if (at >= 0)
			out->has[at / 64] |= UINT64_C(1) << (at % 64);
	}
}

void
dr_liveness_read(struct dr_presence *out, const struct dr_provider_record *record,
    const struct dr_provider_state *state, bool watched, uint64_t now_ms)
{
	*out = (struct dr_presence){ .err = presence_error(record, state, watched),
		.slots = record->max_concurrency };
	if (!is_fresh(state))
		return;
	if (state->hb_free >= 0 &&
	    state->hb_running + state->hb_free < (int64_t)out->slots)
		out->slots = (unsigned)(state->hb_running + state->hb_free);
	if (state->hb_resting_at_ms > state->now_ms)
		out->rests_at_ms =
		    now_ms + (uint64_t)(state->hb_resting_at_ms - state->now_ms);
	if (state->hb_models != NULL)
		narrow(out, record, state->hb_models);
}
