/*
 * provider_share_fixture - two processes (two directories here) over one redis-server.
 * Each test program includes it once.
 */
#ifndef DR_TESTS_PROVIDER_SHARE_FIXTURE_H
#define DR_TESTS_PROVIDER_SHARE_FIXTURE_H

#include "provider_slots_fixture.h"

#include "gateway/providers_priv.h"
#include "scripts/scripts.h"

static struct dr_providers *one, *two; /* `providers` is either, see at() */
static struct dr_provider *p1, *p2;    /* the provider as each has it */

static inline void
at(struct dr_providers *which)
{
	providers = which;
}

static inline int
two_setup(void **state)
{
	setup(state);
	one = providers;
	two = dr_providers_new(loop, store, &key, &config);
	p1 = add("p", GOOD);
	at(two);
	TURN_UNTIL(find("p") != NULL);
	p2 = find("p");
	at(one);
	return 0;
}

static inline int
two_teardown(void **state)
{
	dr_providers_free(&two);
	providers = one;
	return teardown(state);
}

static inline void
outcome(struct dr_providers *where, enum dr_outcome what, int64_t retry_ms)
{
	dr_providers_outcome(
	    where, where == one ? p1 : p2, what, retry_ms, dr_clock_ms());
}

static inline const char *
field(const char *name)
{
	static struct answer answer;
	char line[128];

	snprintf(line, sizeof line, "HGET {p:p}:state %s", name);
	answer = ask(store, line);
	return answer.text;
}

static inline bool
blocks(const struct dr_provider *p)
{
	return dr_breaker_blocks(&p->breaker, dr_clock_ms());
}

static inline uint64_t
cools(const struct dr_provider *p)
{
	return dr_breaker_cools_for(&p->breaker, dr_clock_ms());
}

#endif
