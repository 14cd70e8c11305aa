/*
 * provider_state - the shared state of a provider from text; see the header.
 *
 * One table names every field with its reader. Nothing here decides anything: that is
 * liveness' and routing's.
 */
#include "gateway/provider_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/provider_fields.h"

#define MOST_MS (INT64_C(1) << 53) /* Redis' Lua numbers are exact up to here */

/* Readers return what is wrong, or NULL. `at` is the member. */
struct field {
	const char *name;
	const char *(*read)(void *at, size_t size, const char *value);
	size_t at, size;
};

static const char *
read_number(void *at, DR_UNUSED size_t size, const char *value)
{
	struct dr_word word = { value, strlen(value) };

	return dr_word_number(word, 0, MOST_MS, at) ? NULL : "want a whole number";
}

static const char *
read_switch(void *at, DR_UNUSED size_t size, const char *value)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return "want 0 or 1";
	*(bool *)at = *value == '1';
	return NULL;
}

static bool
is_printable(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static const char *
read_text(void *at, size_t size, const char *value)
{
	if (strlen(value) >= size || !is_printable(value))
		return "is too long, or not printable";
	memcpy(at, value, strlen(value) + 1);
	return NULL;
}

static const char *
read_long_text(void *at, DR_UNUSED size_t size, const char *value)
{
	char **text = at;

	if (!is_printable(value))
		return "is not printable";
	*text = dr_strdup(value);
	return NULL;
}

#define FIELD(name, read, member)                                                      \
	{                                                                              \
		name, read, offsetof(struct dr_provider_state, member),                \
		    sizeof(((struct dr_provider_state *)NULL)->member)                 \
	}

static const struct field fields[] = {
	FIELD("now", read_number, now_ms),
	FIELD("hb.at", read_number, hb_at_ms),
	FIELD("hb.until", read_number, hb_until_ms),
	FIELD("hb.free", read_number, hb_free),
	FIELD("hb.running", read_number, hb_running),
	FIELD("hb.resting_at", read_number, hb_resting_at_ms),
	FIELD("hb.models", read_long_text, hb_models),
	FIELD("hb.version", read_text, hb_version),
	FIELD("probe.at", read_number, probe_at_ms),
	FIELD("probe.next", read_number, probe_next_ms),
	FIELD("probe.generation", read_number, probe_generation),
	FIELD("probe.status", read_number, probe_status),
	FIELD("probe.failures", read_number, probe_failures),
	FIELD("probe.ok", read_switch, probe_ok),
	FIELD("probe.refused", read_switch, probe_refused),
	FIELD("probe.why", read_text, probe_why),
	FIELD("open.generation", read_number, open_generation),
	FIELD("open.until", read_number, open_until_ms),
	FIELD("open.since", read_number, open_since_ms),
	FIELD("open.doubt", read_switch, open_doubt),
	FIELD("open.failures", read_number, open_failures),
	FIELD("open.window", read_number, open_window_ms),
	FIELD("cool.generation", read_number, cool_generation),
	FIELD("cool.until", read_number, cool_until_ms),
	FIELD("cool.steps", read_number, cool_steps),
	FIELD("flag.generation", read_number, flag_generation),
	FIELD("flag.at", read_number, flag_at_ms),
};

static const struct field *
find_field(const char *name)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

size_t
dr_provider_state_read(struct dr_provider_state *state, const char *const *texts,
    size_t n, char *err, size_t err_size)
{
	size_t n_bad = 0, len = 0;

	DR_ASSERT(n % 2 == 0 && err_size > 0);
	dr_provider_state_fini(state);
	state->hb_free = -1;
	err[0] = '\0';
	for (size_t i = 0; i < n; i += 2) {
		const struct field *f = find_field(texts[i]);
		const char *problem;

		if (f == NULL)
			continue;
		problem = f->read((char *)state + f->at, f->size, texts[i + 1]);
		if (problem == NULL)
			continue;
		n_bad++;
		if (len < err_size)
			len += (size_t)snprintf(err + len, err_size - len, "%s%s: %s",
			    n_bad > 1 ? "; " : "", f->name, problem);
	}
	return n_bad;
}

void
dr_provider_state_fini(struct dr_provider_state *state)
{
	free(state->hb_models);
	*state = (struct dr_provider_state){ 0 };
}

static uint64_t
left(const struct dr_provider_state *state, int64_t until_ms)
{
	return until_ms > state->now_ms ? (uint64_t)(until_ms - state->now_ms) : 0;
}

static unsigned
count_of(int64_t n)
{
	return n < UINT16_MAX ? (unsigned)n : UINT16_MAX;
}

void
dr_provider_state_breaker(const struct dr_provider_state *state, int64_t generation,
    struct dr_breaker_shared *out)
{
	*out = (struct dr_breaker_shared){ 0 };
	if (state->open_generation == generation) {
		out->doubted = state->open_until_ms > 0 && state->open_doubt;
		out->open = state->open_until_ms > 0 && !state->open_doubt;
		out->since_ms = state->open_since_ms - state->now_ms;
		out->turn_ms = left(state, state->open_until_ms);
		if (left(state, state->open_window_ms) > 0)
			out->failures = count_of(state->open_failures);
	}
	if (state->cool_generation == generation) {
		out->cool_ms = left(state, state->cool_until_ms);
		out->cool_steps = count_of(state->cool_steps);
	}
	out->flagged = state->flag_generation == generation && state->flag_at_ms > 0 &&
		       !(state->probe_ok && state->probe_generation == generation &&
			   state->probe_at_ms > state->flag_at_ms);
}

void
dr_provider_key_state(const char *name, char out[DR_PROVIDER_KEY_SIZE])
{
	snprintf(out, DR_PROVIDER_KEY_SIZE, "{p:%s}:state", name);
}
