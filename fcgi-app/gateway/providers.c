/*
 * providers - the directory of providers as this process knows it; see the header.
 *
 * How it gets there is providers_poll.c's, slots are provider_slots.c's, trouble is
 * provider_share.c's.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers_priv.h"

/* ---- one provider ---- */

struct dr_provider *
dr_provider_ref(struct dr_provider *provider)
{
	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	provider->refs++;
	return provider;
}

void
dr_provider_unref(struct dr_provider **provider)
{
	struct dr_provider *p = *provider;
	struct dr_provider_record *record;

	*provider = NULL;
	if (p == NULL)
		return;
	DR_CHECK(p, DR_PROVIDER_MAGIC);
	if (--p->refs > 0)
		return;
	record = (struct dr_provider_record *)p->record; /* const to everybody else */
	dr_provider_record_free(&record);
	if (p->credential != NULL)
		dr_wipe(p->credential, strlen(p->credential));
	free(p->credential);
	dr_provider_state_fini(&p->state);
	DR_FREE(p);
}

const char *
dr_provider_model(const struct dr_provider *provider, const char *model)
{
	const char *there;

	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	there = dr_provider_record_model(provider->record, model);
	return there != NULL ? there : model;
}

void
dr_provider_url(
    const struct dr_provider *provider, const char *path, char *out, size_t size)
{
	bool fits;

	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	fits = dr_provider_record_url(provider->record, path, out, size);
	DR_ASSERT(fits);
}

bool
dr_provider_has(const struct dr_provider *provider, const char *model)
{
	int at;

	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	at = dr_provider_record_find(provider->record, model);
	return provider->record->enabled && at >= 0 &&
	       dr_liveness_has(&provider->presence, (size_t)at);
}

bool
dr_provider_doubted(const struct dr_provider *provider, uint64_t now_ms)
{
	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	return provider->unjudged > 0 || dr_breaker_doubts(&provider->breaker, now_ms);
}

const char *
dr_provider_standing(
    const struct dr_provider *provider, uint64_t now_ms, int64_t now_wall_ms)
{
	const struct dr_breaker *breaker = &provider->breaker;
	enum dr_error err = provider->presence.err;

	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	if (!provider->record->enabled)
		return "disabled";
	if (err == DR_ERR_RESTING ||
	    dr_rest_wakes_in_ms(&provider->rest, now_wall_ms) > 0)
		return "resting";
	if (breaker->flagged || err == DR_ERR_PROVIDER_AUTH)
		return "flagged";
	if (err != DR_OK)
		return "offline";
	if (dr_breaker_cools_for(breaker, now_ms) > 0)
		return "cooling";
	if (breaker->doubted)
		return "doubted";
	return dr_breaker_blocks(breaker, now_ms) ? "open" : "alive";
}

/* ---- asking the directory ---- */

bool
dr_providers_ready(const struct dr_providers *providers)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	return providers->ready;
}

bool
dr_providers_watched(const struct dr_providers *providers)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	return providers->watched;
}

struct dr_provider *const *
dr_providers_list(const struct dr_providers *providers, size_t *n)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	*n = providers->n_list;
	return providers->list;
}

struct dr_provider *
dr_providers_find(const struct dr_providers *providers, const char *name)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	for (size_t i = 0; i < providers->n_list; i++)
		if (strcmp(providers->list[i]->record->name, name) == 0)
			return providers->list[i];
	return NULL;
}

bool
dr_providers_offer(
    const struct dr_providers *providers, const char *model, enum dr_dialect_id dialect)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	for (size_t i = 0; i < providers->n_list; i++) {
		const struct dr_provider_record *record = providers->list[i]->record;

		if (record->enabled &&
		    dr_provider_record_serves(record, model, dialect))
			return true;
	}
	return false;
}

bool
dr_providers_online(const struct dr_providers *providers, const char *model,
    uint64_t now_ms, int64_t now_wall_ms)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	for (size_t i = 0; i < providers->n_list; i++) {
		const struct dr_provider *provider = providers->list[i];
		const struct dr_breaker *breaker = &provider->breaker;

		/* half open counts: only a request can tell, so it must be worth one */
		if (provider->presence.err == DR_OK && !breaker->flagged &&
		    !dr_breaker_blocks(breaker, now_ms) &&
		    dr_rest_wakes_in_ms(&provider->rest, now_wall_ms) == 0 &&
		    dr_provider_has(provider, model))
			return true;
	}
	return false;
}

/* An eighth of each new one: a single slow answer turns nobody away. */
void
dr_provider_note_first(struct dr_provider *provider, bool stream, uint64_t ms)
{
	uint32_t *mean = stream ? &provider->first_token_ms : &provider->answer_ms;
	uint32_t now = ms < 1 ? 1 : ms > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)ms;

	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	*mean = *mean == 0 ? now : (*mean * 7 + now + 7) / 8;
}

const char *
dr_provider_org(const struct dr_provider *provider)
{
	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	return provider->record->org[0] != '\0' ? provider->record->org
						: provider->record->name;
}

/* SplitMix64: nothing here has to be secret. */
uint64_t
dr_providers_random(struct dr_providers *providers)
{
	uint64_t z;

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	z = providers->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* ---- from first to last ---- */

void
dr_providers_configure(struct dr_providers *providers, const struct dr_config *config)
{
	const struct dr_settings *s = config->settings;

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	providers->poll_ms = (uint64_t)s->providers_poll;
	providers->lease_ms = (uint64_t)s->lease_time;
	providers->rules = (struct dr_breaker_rules){
		.failures = (unsigned)s->breaker_failures,
		.window_ms = (uint64_t)s->breaker_window,
		.open_ms = (uint64_t)s->breaker_open,
		.doubt_ms = (uint64_t)s->breaker_doubt,
		.cooldown_ms = (uint64_t)s->cooldown,
		.cooldown_max_ms = (uint64_t)s->cooldown_max,
	};
}

struct dr_providers *
dr_providers_new(struct dr_loop *loop, struct dr_store *store,
    const struct dr_seal_key *key, const struct dr_config *config)
{
	struct dr_providers *providers = dr_calloc(1, sizeof *providers);

	providers->magic = DR_PROVIDERS_MAGIC;
	providers->loop = loop;
	providers->store = store;
	providers->key = *key;
	if (config->settings->secrets_key_file != NULL)
		providers->key_file = dr_strdup(config->settings->secrets_key_file);
	providers->entries = dr_calloc(DR_MAX_PROVIDERS, sizeof(struct dr_entry *));
	providers->list = dr_calloc(DR_MAX_PROVIDERS, sizeof(struct dr_provider *));
	dr_random_bytes(&providers->random, sizeof providers->random);
	dr_providers_configure(providers, config);
	dr_slots_init(providers);
	dr_share_init(providers);
	dr_poll_init(providers);
	return providers;
}

void
dr_providers_stop(struct dr_providers *providers)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	providers->stopped = true;
	dr_timer_stop(&providers->poll_timer);
	dr_spare_return(providers, 0);
}

void
dr_providers_free(struct dr_providers **directory)
{
	struct dr_providers *providers = *directory;

	if (providers == NULL)
		return;
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	dr_poll_fini(providers);
	dr_share_fini(providers);
	dr_slots_fini(providers);
	free(providers->entries);
	free(providers->list);
	free(providers->key_file);
	dr_wipe(&providers->key, sizeof providers->key);
	DR_FREE(*directory);
}
