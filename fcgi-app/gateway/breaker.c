/*
 * breaker - doubt, circuit, cool-down and flag of one provider; see the header.
 *
 * Many requests meet the same trouble at once, and long streams end long after they
 * began. So what is already known does not count twice: failures while the circuit is
 * open and overload answers during a rest change nothing, and an answer begun before
 * the trouble ends none early.
 */
#include "gateway/breaker.h"

#include "base/dr_assert.h"

static const char *const outcome_name[DR_N_OUTCOMES] = {
	[DR_OUTCOME_NONE] = "none",
	[DR_OUTCOME_OK] = "ok",
	[DR_OUTCOME_CALLER] = "passed_through",
	[DR_OUTCOME_REFUSED] = "refused",
	[DR_OUTCOME_STALE] = "refused",
	[DR_OUTCOME_SERVER] = "failed",
	[DR_OUTCOME_SILENT] = "silent",
	[DR_OUTCOME_OVERLOADED] = "overloaded",
	[DR_OUTCOME_AUTH] = "credential",
	[DR_OUTCOME_FULL] = "full",
};

const char *
dr_outcome_name(enum dr_outcome outcome)
{
	DR_ASSERT(outcome < DR_N_OUTCOMES);
	return outcome_name[outcome];
}

static bool
is_in_trouble(const struct dr_breaker *breaker)
{
	return breaker->doubted || breaker->open;
}

/* Before the first turn nobody is sent there: who was, began before it opened. */
static void
open_circuit(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms)
{
	breaker->doubted = false;
	breaker->open = true;
	breaker->since_ms = breaker->turn_ms = now_ms + rules->open_ms;
	breaker->probing = false;
	breaker->failures = 0;
}

static void
begin_doubt(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms)
{
	breaker->doubted = true;
	breaker->since_ms = now_ms;
	breaker->turn_ms = now_ms + rules->doubt_ms;
}

static void
end_trouble(struct dr_breaker *breaker)
{
	breaker->doubted = breaker->open = false;
	breaker->probing = false;
	breaker->failures = 0;
}

/* It answered a request: an answer to one from before the trouble says nothing. */
static void
answered(struct dr_breaker *breaker, uint64_t began_ms)
{
	if (is_in_trouble(breaker) && began_ms < breaker->since_ms)
		return;
	end_trouble(breaker);
	breaker->failures_seen = 0;
}

static void
succeeded(struct dr_breaker *breaker, uint64_t began_ms, uint64_t now_ms)
{
	answered(breaker, began_ms);
	if (now_ms >= breaker->cool_until_ms)
		breaker->cool_steps = 0;
}

/* A connection that cannot be made, or silence, hardly ever comes alone; a 500 may, and
 * the end of a kept connection. */
static bool
is_grave(enum dr_outcome outcome)
{
	return outcome == DR_OUTCOME_REFUSED || outcome == DR_OUTCOME_SILENT;
}

/*
 * The window begins with the first failure after a success or after the last window: a
 * plain count, whose error against a sliding window is that it may open a few failures
 * later. A probe's failure changes no turn: the next one was fixed when it began.
 */
static void
failed(struct dr_breaker *breaker, const struct dr_breaker_rules *rules,
    enum dr_outcome outcome, uint64_t now_ms)
{
	breaker->probing = false;
	if (breaker->open)
		return;
	if (breaker->failures == 0 ||
	    now_ms - breaker->first_failure_ms > rules->window_ms) {
		breaker->failures = 0;
		breaker->first_failure_ms = now_ms;
	}
	breaker->failures++;
	if (breaker->failures >= rules->failures)
		open_circuit(breaker, rules, now_ms);
	else if (!breaker->doubted && rules->doubt_ms > 0 &&
		 (is_grave(outcome) || breaker->failures * 2 >= rules->failures))
		begin_doubt(breaker, rules, now_ms);
}

/* The next rest without a Retry-After: doubled each time, its upper half left to
 * chance. */
static uint64_t
next_rest(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint32_t random)
{
	uint64_t rest = rules->cooldown_ms;

	for (unsigned i = 0; i < breaker->cool_steps && rest < rules->cooldown_max_ms;
	     i++)
		rest *= 2;
	if (rest > rules->cooldown_max_ms)
		rest = rules->cooldown_max_ms;
	else
		breaker->cool_steps++;
	return rest / 2 + random % (rest - rest / 2 + 1);
}

static void
overloaded(struct dr_breaker *breaker, const struct dr_breaker_rules *rules,
    int64_t retry_after_ms, uint64_t began_ms, uint64_t now_ms, uint32_t random)
{
	uint64_t until;

	if (is_in_trouble(breaker))
		answered(breaker, began_ms);
	if (retry_after_ms > 0) {
		uint64_t wish = (uint64_t)retry_after_ms;

		until = now_ms +
			(wish < rules->cooldown_max_ms ? wish : rules->cooldown_max_ms);
	} else if (now_ms >= breaker->cool_until_ms) {
		until = now_ms + next_rest(breaker, rules, random);
	} else {
		return;
	}
	if (until > breaker->cool_until_ms)
		breaker->cool_until_ms = until;
}

void
dr_breaker_on(struct dr_breaker *breaker, const struct dr_breaker_rules *rules,
    enum dr_outcome outcome, int64_t retry_after_ms, uint64_t began_ms, uint64_t now_ms,
    uint32_t random)
{
	switch (outcome) {
	case DR_OUTCOME_NONE:
	case DR_OUTCOME_FULL:
		return;
	case DR_OUTCOME_OK:
	case DR_OUTCOME_CALLER:
		succeeded(breaker, began_ms, now_ms);
		return;
	case DR_OUTCOME_REFUSED:
	case DR_OUTCOME_STALE:
	case DR_OUTCOME_SERVER:
	case DR_OUTCOME_SILENT:
		failed(breaker, rules, outcome, now_ms);
		return;
	case DR_OUTCOME_OVERLOADED:
		overloaded(breaker, rules, retry_after_ms, began_ms, now_ms, random);
		return;
	case DR_OUTCOME_AUTH:
		if (is_in_trouble(breaker))
			answered(breaker, began_ms);
		breaker->flagged = true;
		return;
	case DR_N_OUTCOMES:
		break;
	}
	DR_WRONG("unknown outcome");
}

/* ---- what others found out ---- */

/* Redis' word on the turn goes before ours. What is known already began when it did:
 * news of it come late, now more and now less. */
static void
adopt_trouble(
    struct dr_breaker *breaker, const struct dr_breaker_shared *shared, uint64_t now_ms)
{
	bool known = breaker->open == shared->open && is_in_trouble(breaker);
	uint64_t since_ms = shared->since_ms > 0 ? now_ms + (uint64_t)shared->since_ms
			    : now_ms > (uint64_t)-shared->since_ms
				? now_ms - (uint64_t)-shared->since_ms
				: 0;

	if (!known || since_ms < breaker->since_ms)
		breaker->since_ms = since_ms;
	if (shared->open)
		breaker->failures = 0;
	breaker->doubted = shared->doubted;
	breaker->open = shared->open;
	breaker->turn_ms = now_ms + shared->turn_ms;
}

void
dr_breaker_adopt(
    struct dr_breaker *breaker, const struct dr_breaker_shared *shared, uint64_t now_ms)
{
	bool trouble = shared->doubted || shared->open;

	if (trouble)
		adopt_trouble(breaker, shared, now_ms);
	else if (breaker->trouble_seen)
		end_trouble(breaker);
	breaker->trouble_seen = trouble;
	breaker->failures_seen = shared->failures;

	if (shared->cool_ms > 0 &&
	    now_ms + shared->cool_ms > breaker->cool_until_ms + DR_BREAKER_SLACK_MS)
		breaker->cool_until_ms = now_ms + shared->cool_ms;
	if (shared->cool_steps > 0 || breaker->steps_seen)
		breaker->cool_steps = shared->cool_steps;
	breaker->steps_seen = shared->cool_steps > 0;

	if (shared->flagged || breaker->flag_seen)
		breaker->flagged = shared->flagged;
	breaker->flag_seen = shared->flagged;
}

void
dr_breaker_judged(
    struct dr_breaker *breaker, const struct dr_breaker_shared *shared, uint64_t now_ms)
{
	/* ours has opened since: the verdict on that is on its way */
	if (breaker->open && !shared->open)
		return;
	if (!shared->doubted && !shared->open)
		return;
	adopt_trouble(breaker, shared, now_ms);
	breaker->trouble_seen = true;
}

bool
dr_breaker_is_failure(enum dr_outcome outcome)
{
	return outcome == DR_OUTCOME_REFUSED || outcome == DR_OUTCOME_STALE ||
	       outcome == DR_OUTCOME_SERVER || outcome == DR_OUTCOME_SILENT;
}

bool
dr_breaker_got_well(const struct dr_breaker *before, const struct dr_breaker *after)
{
	if (before->cool_steps > 0 && after->cool_steps == 0)
		return true;
	return !is_in_trouble(after) &&
	       (is_in_trouble(before) || before->failures > after->failures ||
		   before->failures_seen > after->failures_seen);
}

bool
dr_breaker_doubts(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return breaker->doubted && now_ms < breaker->turn_ms;
}

bool
dr_breaker_blocks(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return dr_breaker_opens_in(breaker, now_ms) > 0;
}

uint64_t
dr_breaker_opens_in(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return breaker->open && now_ms < breaker->turn_ms ? breaker->turn_ms - now_ms
							  : 0;
}

uint64_t
dr_breaker_cools_for(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return now_ms < breaker->cool_until_ms ? breaker->cool_until_ms - now_ms : 0;
}

bool
dr_breaker_claim(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms)
{
	if (!is_in_trouble(breaker) || now_ms < breaker->turn_ms)
		return false;
	breaker->probing = true;
	breaker->turn_ms = now_ms + rules->open_ms;
	return true;
}

bool
dr_breaker_give_up(struct dr_breaker *breaker, uint64_t now_ms)
{
	bool was_out = breaker->probing;

	breaker->probing = false;
	if (was_out)
		breaker->turn_ms = now_ms;
	return was_out;
}

void
dr_breaker_yield(struct dr_breaker *breaker, uint64_t ms, uint64_t now_ms)
{
	breaker->probing = false;
	breaker->turn_ms = now_ms + ms;
}
