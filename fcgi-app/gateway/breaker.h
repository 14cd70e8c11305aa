/*
 * breaker - what a provider's last answers say about asking it again.
 *
 * Four things, kept apart because they mean different answers to the caller:
 *   doubt      a refused connection or a silence is enough, or half of the failures
 *              in a row that open the circuit: others are asked first, and who has no
 *              other comes here all the same
 *   circuit    failures in a row open it: nobody comes here ("No providers are
 *              currently online")
 *   cool-down  the provider said that it is overloaded ("Upstream API is temporarily
 *              overloaded")
 *   flag       its credential or account is no good ("Provider authentication failed"),
 *              until its record changes, which makes a new provider with a new breaker,
 *              or a probe goes well
 *
 * In doubt, and while the circuit is open, turns come for one request each, the probe,
 * which finds out: the first after doubt_ms or open_ms, each further one open_ms after
 * the one before it began, however that ends. An answer ends both; but not one to a
 * request from before the trouble, which says nothing of now.
 *
 * A doubt costs little where it is wrong, so little evidence is enough: the first turn
 * comes soon, and nobody is refused for it. The circuit refuses callers where a
 * provider is the only one, so it takes breaker_failures.
 *
 * Pure: clock and random numbers are arguments. A process decides by its own breaker;
 * what the others found out comes in through dr_breaker_adopt(), from Redis
 * (provider_share.c). Where Redis is away each goes by what it sees itself.
 *
 * Units: milliseconds of the monotonic clock.
 */
#ifndef DR_BREAKER_H
#define DR_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ended. */
enum dr_outcome {
	DR_OUTCOME_NONE, /* under way, or given up for reasons of ours: says nothing */
	DR_OUTCOME_OK,   /* an answer worth passing on */
	DR_OUTCOME_CALLER,  /* the caller's own fault: passed through; the provider is
			       well */
	DR_OUTCOME_REFUSED, /* no connection: refused, reset, TLS, DNS */
	DR_OUTCOME_STALE,   /* a kept connection broke under it: "refused" to everybody
			       but the breaker */
	DR_OUTCOME_SERVER,  /* 5xx, 3xx, 408; not HTTP, empty, cut, wrong type */
	DR_OUTCOME_SILENT,  /* no answer in the time allowed */
	DR_OUTCOME_OVERLOADED, /* 429, 503, 529 */
	DR_OUTCOME_AUTH,       /* 401, 403, or its account is unusable */
	DR_OUTCOME_FULL,       /* no slot was free: it was not asked */
	DR_N_OUTCOMES
};

/* "ok", "overloaded": receipts and metrics. */
const char *dr_outcome_name(enum dr_outcome outcome);

struct dr_breaker_rules {
	unsigned failures; /* so many within window_ms open the circuit */
	uint64_t window_ms;
	uint64_t open_ms;  /* from opening to the first turn, and from turn to turn */
	uint64_t doubt_ms; /* from the doubt to its first turn; 0: there is none */
	uint64_t cooldown_ms; /* first rest where no Retry-After is given; doubles each
				 time */
	uint64_t cooldown_max_ms; /* longest rest, whatever is asked for */
};

/* Zeroed: closed, not cooling, not flagged. */
struct dr_breaker {
	unsigned failures; /* in the window that began at first_failure_ms */
	uint64_t first_failure_ms;
	bool doubted; /* not while it is open */
	bool open;
	uint64_t since_ms; /* doubted or open: answers to older requests say nothing */
	uint64_t turn_ms; /* ... and from then on one request may go there as a probe */
	bool probing;     /* ours is out */
	uint64_t cool_until_ms;
	unsigned cool_steps; /* rests in a row without a Retry-After */
	bool flagged;
	/* what Redis said last: what is gone from there has been ended by somebody */
	bool trouble_seen, flag_seen, steps_seen;
	unsigned failures_seen; /* of all processes, in the window that is under way */
};

/* What all processes know, as it was read: times count from then. Zeroed: no trouble.
 */
struct dr_breaker_shared {
	bool doubted, open; /* one at most */
	int64_t since_ms;   /* negative: so long ago */
	uint64_t turn_ms;   /* until a probe may go; 0: now */
	unsigned failures;  /* counted while it is closed */
	uint64_t cool_ms;   /* left of a cool-down */
	unsigned cool_steps;
	bool flagged;
};

/*
 * An attempt that began at began_ms ended. retry_after_ms: the provider's own wish, -1
 * where it named none. `random` spreads the exponential rests of many processes.
 */
void dr_breaker_on(struct dr_breaker *breaker, const struct dr_breaker_rules *rules,
    enum dr_outcome outcome, int64_t retry_after_ms, uint64_t began_ms, uint64_t now_ms,
    uint32_t random);

/* By so much a time may come back longer from Redis than it was told: it is the same
 * rest. */
#define DR_BREAKER_SLACK_MS 100

/*
 * Take over what the others found out. A rest is never made shorter; a doubt, circuit
 * or flag that Redis had and has no more is over; one that it never heard of (told
 * while it was away) stays as this process found it.
 */
void dr_breaker_adopt(struct dr_breaker *breaker,
    const struct dr_breaker_shared *shared, uint64_t now_ms);

/* The verdict on a failure that was told: doubted or open, as all processes counted. */
void dr_breaker_judged(struct dr_breaker *breaker,
    const struct dr_breaker_shared *shared, uint64_t now_ms);

/* Is this outcome a failure that the circuit counts? */
bool dr_breaker_is_failure(enum dr_outcome outcome);
/* Has an answer ended trouble that the others may know of, from `before` to `after`? */
bool dr_breaker_got_well(
    const struct dr_breaker *before, const struct dr_breaker *after);

/* Are others to be asked first? (No longer where it is a probe's turn.) */
bool dr_breaker_doubts(const struct dr_breaker *breaker, uint64_t now_ms);
/* Is the circuit open to this request? (Half open, where it is a probe's turn: no.) */
bool dr_breaker_blocks(const struct dr_breaker *breaker, uint64_t now_ms);
/* Milliseconds until a probe may go; 0 where nothing blocks. */
uint64_t dr_breaker_opens_in(const struct dr_breaker *breaker, uint64_t now_ms);
/* Milliseconds of cool-down left; 0: none. */
uint64_t dr_breaker_cools_for(const struct dr_breaker *breaker, uint64_t now_ms);

/*
 * An attempt begins: true where it is a probe, whose turn it is. One that ends without
 * an outcome is given up, so that the next request may be one; false: none of ours was
 * out.
 */
bool dr_breaker_claim(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms);
bool dr_breaker_give_up(struct dr_breaker *breaker, uint64_t now_ms);
/* The turn was another process': none of ours for so long. */
void dr_breaker_yield(struct dr_breaker *breaker, uint64_t ms, uint64_t now_ms);

#endif
