/*
 * provider_share - trouble with a provider, told to the other processes and heard of
 * from them, through {p:NAME}:state.
 *
 * A process decides at once by its own breaker, then tells (script breaker_note) and
 * does not wait. The others take it over with their next poll; one that meets a failure
 * itself learns from the script's answer what is thought of the provider by now, since
 * failures are counted over all processes there. Until that verdict is in, it asks
 * others first. What was told, and not yet read back,
 * is protected from a poll that left before: the store keeps the order of its calls, so
 * a turn counter tells old news from new.
 *
 * Part of providers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers_priv.h"
#include "scripts/scripts.h"

#define MAX_NUMBERS 5
#define MAX_WORDS   (4 + MAX_NUMBERS)

/* A failure that was told: its answer is the verdict. */
struct dr_note {
	unsigned magic;
#define DR_NOTE_MAGIC 0x07e00001
	struct dr_providers *providers; /* borrowed */
	struct dr_provider *provider;   /* a reference */
	struct dr_list node;            /* in providers->notes */
	bool holds_back;                /* counted in provider->unjudged */
	struct dr_store_call call;
};

/* ---- telling ---- */

/* Up to MAX_NUMBERS behind what and whose; `call` may be NULL. */
static void
tell(struct dr_providers *providers, struct dr_provider *provider, const char *what,
    const int64_t *numbers, size_t n_numbers, struct dr_store_call *call)
{
	char tag[DR_PROVIDER_KEY_SIZE], keys[2][DR_PROVIDER_KEY_SIZE];
	char generation[24], texts[MAX_NUMBERS][24];
	const char *words[MAX_WORDS] = { keys[0], keys[1], what, generation };
	struct dr_arg args[MAX_WORDS];
	size_t n = 4;

	dr_provider_key_tag(provider->record->name, tag);
	dr_provider_key_record(provider->record->name, keys[0]);
	dr_provider_key_state(provider->record->name, keys[1]);
	snprintf(
	    generation, sizeof generation, "%" PRId64, provider->record->generation);
	DR_ASSERT(n_numbers <= DR_N_ELEMENTS(texts));
	for (size_t i = 0; i < n_numbers; i++) {
		snprintf(texts[i], sizeof texts[i], "%" PRId64, numbers[i]);
		words[n++] = texts[i];
	}
	for (size_t i = 0; i < n; i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	provider->told = ++providers->turn;
	dr_store_eval(providers->store, tag, &dr_script_breaker_note, 2, args, n, call);
}

static void
note_free(struct dr_note *note)
{
	dr_store_cancel(&note->call);
	dr_list_remove(&note->node);
	if (note->holds_back)
		note->provider->unjudged--;
	dr_provider_unref(&note->provider);
	DR_FREE(note);
}

static void
on_failure_told(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_note *note = DR_CONTAINER_OF(call, struct dr_note, call);
	int64_t verdict = dr_reply_int(dr_reply_at(reply, 0), 0);
	int64_t turn_ms = dr_reply_int(dr_reply_at(reply, 1), 0);
	const struct dr_breaker_shared shared = {
		.doubted = verdict == 1,
		.open = verdict == 2,
		.turn_ms = turn_ms > 0 ? (uint64_t)turn_ms : 0,
		.since_ms = dr_reply_int(dr_reply_at(reply, 2), 0),
	};

	DR_CHECK(note, DR_NOTE_MAGIC);
	if (err == DR_OK) { /* no array, so no verdict, where the record has changed */
		struct dr_breaker *breaker = &note->provider->breaker,
				  before = *breaker;

		dr_breaker_judged(breaker, &shared, dr_clock_ms());
		dr_share_log(note->provider, &before, "all processes together");
	}
	note_free(note);
}

/* `failures`: so many open it; 1: ours has opened already. */
static void
tell_failure(
    struct dr_providers *providers, struct dr_provider *provider, unsigned failures)
{
	const struct dr_breaker_rules *rules = &providers->rules;
	const int64_t numbers[] = { failures, (int64_t)rules->window_ms,
		(int64_t)rules->open_ms, (int64_t)rules->doubt_ms,
		provider->breaker.doubted };
	struct dr_note *note = dr_calloc(1, sizeof *note);

	note->magic = DR_NOTE_MAGIC;
	note->providers = providers;
	note->provider = dr_provider_ref(provider);
	note->holds_back = rules->doubt_ms > 0;
	if (note->holds_back)
		provider->unjudged++;
	note->call.done = on_failure_told;
	dr_list_init(&note->node);
	dr_list_append(&providers->notes, &note->node);
	tell(providers, provider, "failed", numbers, DR_N_ELEMENTS(numbers),
	    &note->call);
}

static void
tell_rest(struct dr_providers *providers, struct dr_provider *provider, uint64_t now_ms)
{
	const struct dr_breaker *breaker = &provider->breaker;
	const int64_t numbers[] = { (int64_t)dr_breaker_cools_for(breaker, now_ms),
		breaker->cool_steps };

	/* a thousand answers to one overload ask for about the same rest */
	if (breaker->cool_until_ms <= provider->cool_told_ms + DR_BREAKER_SLACK_MS)
		return;
	provider->cool_told_ms = breaker->cool_until_ms;
	tell(providers, provider, "cool", numbers, DR_N_ELEMENTS(numbers), NULL);
}

/* What an outcome has turned, and others do not know. While the circuit is open a
 * failure is no news. */
static void
share(struct dr_providers *providers, struct dr_provider *provider,
    const struct dr_breaker *before, enum dr_outcome outcome, uint64_t began_ms,
    uint64_t now_ms)
{
	const struct dr_breaker *after = &provider->breaker;
	const int64_t age_ms = (int64_t)(now_ms - began_ms);

	if (after->flagged && !before->flagged)
		tell(providers, provider, "flag", NULL, 0, NULL);
	if (dr_breaker_is_failure(outcome)) {
		if (!after->open)
			tell_failure(providers, provider, providers->rules.failures);
		else if (!before->open)
			tell_failure(providers, provider, 1);
	} else if (dr_breaker_got_well(before, after)) {
		tell(providers, provider, "well", &age_ms, 1, NULL);
	}
	if (after->cool_until_ms > before->cool_until_ms)
		tell_rest(providers, provider, now_ms);
}

void
dr_providers_outcome(struct dr_providers *providers, struct dr_provider *provider,
    enum dr_outcome outcome, int64_t retry_after_ms, uint64_t began_ms)
{
	struct dr_breaker *breaker = &provider->breaker;
	struct dr_breaker before = *breaker;
	uint64_t now_ms = dr_clock_ms();

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	dr_breaker_on(breaker, &providers->rules, outcome, retry_after_ms, began_ms,
	    now_ms, (uint32_t)dr_providers_random(providers));
	if (breaker->flagged && !before.flagged)
		provider->flagged_ms = now_ms;
	dr_share_log(provider, &before, "this process");
	share(providers, provider, &before, outcome, began_ms, now_ms);
}

void
dr_share_give_up(
    struct dr_providers *providers, struct dr_provider *provider, int64_t claim)
{
	if (dr_breaker_give_up(&provider->breaker, dr_clock_ms()) && claim > 0)
		tell(providers, provider, "give_up", &claim, 1, NULL);
}

/* ---- hearing ---- */

void
dr_share_hear(struct dr_provider *provider, uint64_t asked)
{
	struct dr_breaker before = provider->breaker;
	struct dr_breaker_shared shared;

	if (provider->told > asked)
		return; /* the next poll knows what we told since */
	dr_provider_state_breaker(
	    &provider->state, provider->record->generation, &shared);
	dr_breaker_adopt(&provider->breaker, &shared, dr_clock_ms());
	if (provider->breaker.cool_until_ms > before.cool_until_ms)
		provider->cool_told_ms = provider->breaker.cool_until_ms;
	if (provider->breaker.flagged && !before.flagged)
		provider->flagged_ms = dr_clock_ms();
	dr_share_log(provider, &before, "another process");
}

/* ---- what the operator reads ---- */

void
dr_share_log(const struct dr_provider *provider, const struct dr_breaker *before,
    const char *who)
{
	const struct dr_breaker *after = &provider->breaker;
	const char *name = provider->record->name;

	if (after->flagged && !before->flagged)
		dr_log_error(providers,
		    "%s: credential or account refused (seen by %s): out of rotation "
		    "until its record is changed or a probe goes well",
		    name, who);
	else if (before->flagged && !after->flagged)
		dr_log_info(
		    providers, "%s: a probe went well: in rotation again", name);
	if (after->open && !before->open)
		dr_log_warn(
		    providers, "%s: circuit opened: failures seen by %s", name, who);
	else if (after->doubted && !before->doubted)
		dr_log_info(providers,
		    "%s: in doubt, others are asked first: failed, as %s saw", name,
		    who);
	else if (before->open && !after->open)
		dr_log_info(
		    providers, "%s: circuit closed: an answer came to %s", name, who);
	else if (before->doubted && !after->doubted && !after->open)
		dr_log_info(providers, "%s: no longer in doubt: an answer came to %s",
		    name, who);
	if (after->cool_until_ms > before->cool_until_ms + DR_BREAKER_SLACK_MS)
		dr_log_info(providers, "%s: overloaded, rests for %llu ms, as %s saw",
		    name,
		    (unsigned long long)dr_breaker_cools_for(after, dr_clock_ms()),
		    who);
}

/* ---- from first to last ---- */

void
dr_share_init(struct dr_providers *providers)
{
	dr_list_init(&providers->notes);
}

void
dr_share_fini(struct dr_providers *providers)
{
	while (!dr_list_empty(&providers->notes)) {
		struct dr_note *note =
		    DR_LIST_ENTRY(providers->notes.next, struct dr_note, node);

		DR_CHECK(note, DR_NOTE_MAGIC);
		note_free(note);
	}
}
