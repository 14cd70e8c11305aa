/*
 * providers_fixture - a directory of providers over a private redis-server, and what an
 * operator does to it. Shared by the providers' tests; each includes it once.
 */
#ifndef DR_TESTS_PROVIDERS_FIXTURE_H
#define DR_TESTS_PROVIDERS_FIXTURE_H

#include "store_fixture.h"

#include "gateway/providers.h"
#include "io/crypto.h"

#define POLL_MS 20
/* few slots: none stays spare */
#define GOOD "base_url https://h dialects anthropic max_concurrency 7 models m,n=x"

static struct redis redis;
static struct dr_store *store;
static struct dr_providers *providers;
static struct dr_seal_key key = { .bytes = { 4, 2 } };

static struct dr_settings settings = {
	.providers_poll = POLL_MS,
	.lease_time = 30000,
	.breaker_failures = 2,
	.breaker_window = 1000,
	.breaker_open = 1000,
	.cooldown = 100,
	.cooldown_max = 1000,
};
static const struct dr_config config = { .magic = DR_CONFIG_MAGIC,
	.settings = &settings };

/* ---- set-up ---- */

static inline int
redis_setup(void **state)
{
	(void)state;
	redis_dir(&redis);
	redis_start(&redis, false, "");
	return 0;
}

static inline int
redis_teardown(void **state)
{
	(void)state;
	redis_remove(&redis);
	return 0;
}

static inline void
open_all(unsigned timeout_ms, int64_t lease_ms)
{
	store = store_up(redis.unix_at, timeout_ms);
	settings.lease_time = lease_ms;
	providers = dr_providers_new(loop, store, &key, &config);
}

static inline int
setup(void **state)
{
	loop_setup(state);
	open_all(1000, 30000);
	ask(store, "FLUSHALL");
	return 0;
}

static inline int
teardown(void **state)
{
	dr_providers_free(&providers);
	dr_store_free(&store);
	return loop_teardown(state);
}

/* With another deadline of the store and length of leases. */
static inline void
reopen(unsigned timeout_ms, int64_t lease_ms)
{
	dr_providers_free(&providers);
	dr_store_free(&store);
	open_all(timeout_ms, lease_ms);
}

/* ---- what an operator does ---- */

static inline void DR_PRINTF(1, 2) redis_do(const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	assert_int_equal(ask(store, line).err, DR_OK);
}

static inline void
put(const char *name, unsigned generation, const char *fields)
{
	redis_do("DEL {p:%s}:provider", name);
	redis_do("HSET {p:%s}:provider generation %u %s", name, generation, fields);
	redis_do("HSET providers %s %u", name, generation);
}

static inline struct dr_provider *
find(const char *name)
{
	size_t n;
	struct dr_provider *const *list = dr_providers_list(providers, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i]->record->name, name) == 0)
			return list[i];
	return NULL;
}

static inline struct dr_provider *
add(const char *name, const char *fields)
{
	put(name, 1, fields);
	TURN_UNTIL(find(name) != NULL);
	return find(name);
}

static inline int64_t
running(const char *name)
{
	char line[128];

	snprintf(line, sizeof line, "ZCARD {p:%s}:running", name);
	return ask(store, line).number;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
