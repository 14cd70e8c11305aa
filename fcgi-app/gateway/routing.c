/*
 * routing - the choice of a provider; see the header.
 *
 * One pass over the directory asks of each provider why not; those without a reason are
 * the candidates, the reasons of the others add up to the answer where there is none.
 */
#include "gateway/routing.h"

#include <string.h>

#include "gateway/affinity.h"

/*
 * A count says "full" as of the last poll, and slots that other processes give back are
 * not seen before the next. Older than this it is only a hint: Redis is asked again.
 */
#define FULL_BELIEVED_MS 100
#define SLOWEST          4   /* times that a slow provider counts as busier */
#define SLOW_BY_MS       250 /* below it nobody waits for long anyhow */
#define MOST_NUMBERS     16
#define SPARE            2

#define MAX_RETRY_HINT_MS 60000 /* claude-code gives up on longer waits */

/* The first of these that any provider gave is the answer (api-contract section 2). */
static const enum dr_error order[] = {
	DR_ERR_FULL,
	DR_ERR_OVERLOADED,
	DR_ERR_RESTING,
	DR_ERR_PROVIDER_TIMEOUT,
	DR_ERR_PROVIDER_ERROR,
	DR_ERR_PROVIDER_AUTH,
	DR_ERR_OFFLINE,
};

static size_t
rank(enum dr_error err)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(order); i++)
		if (order[i] == err)
			return i;
	DR_ASSERT(err == DR_OK); /* nothing else is about providers */
	return DR_N_ELEMENTS(order);
}

enum dr_error
dr_worst_of(enum dr_error a, enum dr_error b)
{
	return rank(b) < rank(a) ? b : a;
}

enum dr_error
dr_outcome_error(enum dr_outcome outcome)
{
	switch (outcome) {
	case DR_OUTCOME_NONE:
	case DR_OUTCOME_OK:
	case DR_OUTCOME_CALLER:
		return DR_OK;
	case DR_OUTCOME_REFUSED:
	case DR_OUTCOME_STALE:
		return DR_ERR_OFFLINE;
	case DR_OUTCOME_SERVER:
		return DR_ERR_PROVIDER_ERROR;
	case DR_OUTCOME_SILENT:
		return DR_ERR_PROVIDER_TIMEOUT;
	case DR_OUTCOME_OVERLOADED:
		return DR_ERR_OVERLOADED;
	case DR_OUTCOME_AUTH:
		return DR_ERR_PROVIDER_AUTH;
	case DR_OUTCOME_FULL:
		return DR_ERR_FULL;
	case DR_N_OUTCOMES:
		break;
	}
	DR_WRONG("unknown outcome");
}

int64_t
dr_route_retry_hint(enum dr_error err, int64_t wait_ms)
{
	bool too_long = wait_ms >= MAX_RETRY_HINT_MS;

	if (err == DR_ERR_RESTING)
		return too_long ? MAX_RETRY_HINT_MS : wait_ms;
	return err == DR_ERR_OVERLOADED && !too_long ? wait_ms : -1;
}

/* ---- why not this one? ---- */

/* What the pass has found so far. */
struct survey {
	bool offered;      /* an enabled provider has the model on this route */
	enum dr_error err; /* worst of the reasons */
	int64_t cool_ms, rest_ms, circuit_ms; /* shortest waits; -1: none */
};

static void
shorter(int64_t *least, uint64_t wait_ms)
{
	if (wait_ms > 0 && (*least < 0 || wait_ms < (uint64_t)*least))
		*least = (int64_t)wait_ms;
}

/* May an attempt that ended so be repeated with the same provider? */
static bool
may_repeat(enum dr_outcome outcome)
{
	return outcome == DR_OUTCOME_REFUSED || outcome == DR_OUTCOME_STALE ||
	       outcome == DR_OUTCOME_SERVER || outcome == DR_OUTCOME_OVERLOADED;
}

/* Notes what this request's own attempts say of the provider; true where they rule it
 * out. */
static bool
was_tried(const struct dr_route_query *query, const struct dr_provider *provider,
    struct survey *survey)
{
	bool out = false;

	for (size_t i = 0; i < query->n_tried; i++) {
		const struct dr_tried *tried = &query->tried[i];

		/* by name: a change of the record makes a new struct, not a new
		 * provider */
		if (tried->provider == NULL || (tried->provider != provider &&
						   strcmp(tried->provider->record->name,
						       provider->record->name) != 0))
			continue;
		survey->err =
		    dr_worst_of(survey->err, dr_outcome_error(tried->outcome));
		if (!query->again || !may_repeat(tried->outcome))
			out = true;
	}
	if (out)
		shorter(&survey->cool_ms,
		    dr_breaker_cools_for(&provider->breaker, query->now_ms));
	return out;
}

/*
 * Does it rest, or is it too near to its rest for this request? Its schedule tells when
 * it wakes; a node's own notice does not.
 */
static bool
rests(const struct dr_route_query *query, const struct dr_provider *provider,
    struct survey *survey)
{
	int64_t lead_ms = query->stream ? query->rest_lead_ms : 0;
	int64_t begins_ms = dr_rest_begins_in_ms(&provider->rest, query->now_wall_ms);
	uint64_t notice_ms = provider->presence.rests_at_ms;

	if (begins_ms >= 0 && begins_ms <= lead_ms) {
		shorter(&survey->rest_ms,
		    (uint64_t)begins_ms + dr_rest_wakes_in_ms(&provider->rest,
					      query->now_wall_ms + begins_ms));
		return true;
	}
	return provider->presence.err == DR_ERR_RESTING ||
	       (notice_ms > 0 && notice_ms <= query->now_ms + (uint64_t)lead_ms);
}

static bool
seems_full(const struct dr_provider *provider, uint64_t now_ms)
{
	unsigned slots = provider->presence.slots;

	return slots == 0 || (provider->running >= slots &&
				 now_ms - provider->counted_ms < FULL_BELIEVED_MS);
}

/* DR_OK: nothing speaks against it but what this request has tried. */
static enum dr_error
why_not(const struct dr_route_query *query, const struct dr_provider *provider,
    struct survey *survey)
{
	const struct dr_breaker *breaker = &provider->breaker;
	uint64_t cools = dr_breaker_cools_for(breaker, query->now_ms);
	uint64_t circuit = dr_breaker_opens_in(breaker, query->now_ms);

	if (rests(query, provider, survey))
		return DR_ERR_RESTING;
	if (breaker->flagged)
		return DR_ERR_PROVIDER_AUTH;
	if (provider->presence.err != DR_OK)
		return provider->presence.err;
	if (!dr_provider_has(provider, query->model))
		return DR_ERR_OFFLINE; /* its node has it no more */
	if (cools > 0) {
		shorter(&survey->cool_ms, cools);
		return DR_ERR_OVERLOADED;
	}
	if (circuit > 0) {
		shorter(&survey->circuit_ms, circuit);
		return DR_ERR_OFFLINE;
	}
	return seems_full(provider, query->now_ms) ? DR_ERR_FULL : DR_OK;
}

/* Above 0: `a` is to be asked after `b`. Doubt comes before priority. */
static int
order_of(const struct dr_provider *a, const struct dr_provider *b, uint64_t now_ms)
{
	int doubt = dr_provider_doubted(a, now_ms) - dr_provider_doubted(b, now_ms);

	if (doubt != 0)
		return doubt;
	return (a->record->priority > b->record->priority) -
	       (a->record->priority < b->record->priority);
}

/* Candidates that are to be asked first go into `list`; returns how many. */
static size_t
gather(const struct dr_route_query *query, struct dr_provider **list,
    struct survey *survey)
{
	size_t n = 0;

	for (size_t i = 0; i < query->n_providers; i++) {
		struct dr_provider *provider = query->providers[i];
		const struct dr_provider_record *record = provider->record;
		enum dr_error reason;
		int after;

		DR_CHECK(provider, DR_PROVIDER_MAGIC);
		if (!record->enabled ||
		    !dr_provider_record_serves(record, query->model, query->dialect))
			continue;
		survey->offered = true;
		if (query->org != NULL && query->org[0] != '\0' &&
		    strcmp(dr_provider_org(provider), query->org) != 0)
			continue; /* what it is about stands with another one */
		if (was_tried(query, provider, survey))
			continue;
		reason = why_not(query, provider, survey);
		survey->err = dr_worst_of(survey->err, reason);
		if (reason != DR_OK)
			continue;
		after = n > 0 ? order_of(provider, list[0], query->now_ms) : 0;
		if (after > 0)
			continue;
		if (after < 0)
			n = 0;
		DR_ASSERT(n < DR_MAX_PROVIDERS);
		list[n++] = provider;
	}
	return n;
}

/* ---- which of those? ---- */

/* One of the list by weight, `other` (NULL: none) left out. */
static struct dr_provider *
draw(struct dr_provider *const *list, size_t n, const struct dr_provider *other,
    uint32_t random)
{
	uint32_t total = 0, at;

	for (size_t i = 0; i < n; i++)
		if (list[i] != other)
			total += list[i]->record->weight;
	DR_ASSERT(total > 0); /* no weight is 0, and there is one more than `other` */
	at = random % total;
	for (size_t i = 0; i < n; i++) {
		if (list[i] == other)
			continue;
		if (at < list[i]->record->weight)
			return list[i];
		at -= list[i]->record->weight;
	}
	DR_WRONG("weights do not add up");
}

/* 0: unknown. */
static uint32_t
takes_ms(const struct dr_route_query *query, const struct dr_provider *provider)
{
	return query->stream ? provider->first_token_ms : provider->answer_ms;
}

/*
 * How much slower than the other it answers, 1 .. SLOWEST: none is starved for being
 * slow, and one that was never asked counts as quick as the other.
 */
static uint64_t
slowness(const struct dr_route_query *query, const struct dr_provider *of,
    const struct dr_provider *other)
{
	uint64_t times;

	if (takes_ms(query, of) == 0 || takes_ms(query, other) == 0)
		return 1;
	times = takes_ms(query, of) / takes_ms(query, other);
	return times < 1 ? 1 : times > SLOWEST ? SLOWEST : times;
}

/* Is b less busy than a, each measured by its share of slots and its weight? */
static bool
is_freer(const struct dr_route_query *query, const struct dr_provider *b,
    const struct dr_provider *a)
{
	uint64_t slow_a = slowness(query, a, b), slow_b = slowness(query, b, a);
	uint64_t room_a = (uint64_t)a->presence.slots * a->record->weight;
	uint64_t room_b = (uint64_t)b->presence.slots * b->record->weight;
	uint64_t busy_a = a->running, busy_b = b->running;

	if (slow_a != slow_b) { /* then an idle one counts too */
		busy_a = (busy_a + 1) * slow_a;
		busy_b = (busy_b + 1) * slow_b;
	}
	return busy_b * room_a < busy_a * room_b;
}

/*
 * Rendezvous: each provider's number for this conversation, the highest is its home. A
 * heavier one has more numbers, up to MOST_NUMBERS, and takes its highest.
 */
static uint64_t
number_of(uint64_t affinity, const struct dr_provider *provider, uint32_t heaviest)
{
	const char *name = provider->record->name;
	uint64_t seed = dr_affinity_hash(DR_AFFINITY_SEED, name, strlen(name));
	uint32_t n = provider->record->weight * MOST_NUMBERS / heaviest;
	uint64_t best = 0;

	for (uint32_t i = 0; i < (n > 0 ? n : 1); i++) {
		uint64_t number = dr_affinity_mix(affinity, seed + i);

		if (number > best)
			best = number;
	}
	return best;
}

/*
 * More than a quarter above its share of what runs, and of one more? A few more are
 * always allowed, or few requests could not stay together. What runs at one that
 * answers twice as late as the quickest, or later, counts twice: it keeps its
 * conversations while it is idle, and under load fewer of them wait there. No more than
 * that: the cache is worth a wait, and what waits for a slow one adds up by itself.
 */
static bool
is_overloaded(const struct dr_route_query *query, const struct dr_provider *provider,
    const struct dr_provider *quickest, uint64_t running, uint64_t weights)
{
	uint64_t share_x4 =
	    (running + 1) * 4 * provider->record->weight / weights; /* of all */

	bool slow = slowness(query, provider, quickest) > 1 &&
		    takes_ms(query, provider) > takes_ms(query, quickest) + SLOW_BY_MS;

	return (uint64_t)provider->running * (slow ? 2 : 1) >=
	       (share_x4 * 5 / 4 + 3) / 4 + SPARE;
}

static const struct dr_provider *
quickest_of(
    const struct dr_route_query *query, struct dr_provider *const *list, size_t n)
{
	const struct dr_provider *quickest = list[0];

	for (size_t i = 1; i < n; i++)
		if (takes_ms(query, list[i]) > 0 &&
		    (takes_ms(query, quickest) == 0 ||
			takes_ms(query, list[i]) < takes_ms(query, quickest)))
			quickest = list[i];
	return quickest;
}

static struct dr_provider *
home(const struct dr_route_query *query, struct dr_provider *const *list, size_t n)
{
	const struct dr_provider *quickest = quickest_of(query, list, n);
	struct dr_provider *best = NULL, *under = NULL;
	uint64_t running = 0, weights = 0, best_number = 0, under_number = 0;
	uint32_t heaviest = 1;

	for (size_t i = 0; i < n; i++) {
		running += list[i]->running;
		weights += list[i]->record->weight;
		if (list[i]->record->weight > heaviest)
			heaviest = list[i]->record->weight;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t number = number_of(query->affinity, list[i], heaviest);

		if (best == NULL || number > best_number) {
			best = list[i];
			best_number = number;
		}
		if (!is_overloaded(query, list[i], quickest, running, weights) &&
		    (under == NULL || number > under_number)) {
			under = list[i];
			under_number = number;
		}
	}
	return under != NULL ? under : best;
}

/* Two by weight, and of these the less busy one. */
static struct dr_provider *
freer_of_two(
    const struct dr_route_query *query, struct dr_provider *const *list, size_t n)
{
	struct dr_provider *one = draw(list, n, NULL, (uint32_t)query->random), *other;

	if (n == 1)
		return one;
	other = draw(list, n, one, (uint32_t)(query->random >> 32));
	return is_freer(query, other, one) ? other : one;
}

static int64_t
wait_of(enum dr_error err, const struct survey *survey)
{
	switch (err) {
	case DR_ERR_OVERLOADED:
		return survey->cool_ms;
	case DR_ERR_RESTING:
		return survey->rest_ms;
	case DR_ERR_OFFLINE:
		return survey->circuit_ms;
	default:
		return -1;
	}
}

enum dr_error
dr_route(const struct dr_route_query *query, struct dr_provider **out, int64_t *wait_ms)
{
	struct survey survey = {
		.err = DR_OK, .cool_ms = -1, .rest_ms = -1, .circuit_ms = -1
	};
	struct dr_provider *list[DR_MAX_PROVIDERS];
	size_t n = gather(query, list, &survey);

	*out = NULL;
	if (wait_ms != NULL)
		*wait_ms = -1;
	if (n > 0) {
		*out = query->affinity != 0 ? home(query, list, n)
					    : freer_of_two(query, list, n);
		return DR_OK;
	}
	if (!survey.offered)
		return DR_ERR_MODEL_UNAVAILABLE;
	/* only attempts without a verdict (still under way) rule the rest out */
	if (survey.err == DR_OK)
		survey.err = DR_ERR_OFFLINE;
	if (wait_ms != NULL)
		*wait_ms = wait_of(survey.err, &survey);
	return survey.err;
}
