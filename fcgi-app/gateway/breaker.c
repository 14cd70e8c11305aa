/*
 * breaker - cool-down, circuit and flag of one provider; see the header.
 *
 * Many requests meet the same trouble at once, and long streams end long after they
 * began. So what is already known does not count twice: failures while the circuit is
 * open and overload answers during a rest change nothing, and a success that comes
 * meanwhile (an answer begun before) does not end either early.
 */
#include "gateway/breaker.h"

#include "base/dr_assert.h"

static const char *const outcome_name[DR_N_OUTCOMES] = {
	[DR_OUTCOME_NONE] = "none",
	[DR_OUTCOME_OK] = "ok",
	[DR_OUTCOME_CALLER] = "passed_through",
	[DR_OUTCOME_REFUSED] = "refused",
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

static void
open_circuit(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms)
{
	breaker->open = true;
	breaker->open_until_ms = now_ms + rules->open_ms;
	breaker->probing = false;
	breaker->failures = 0;
}

static bool
is_half_open(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return breaker->open && now_ms >= breaker->open_until_ms;
}

static void
close_circuit(struct dr_breaker *breaker)
{
	breaker->open = false;
	breaker->probing = false;
	breaker->failures = 0;
}

static void
succeeded(struct dr_breaker *breaker, uint64_t now_ms)
{
	if (!breaker->open || is_half_open(breaker, now_ms)) {
		close_circuit(breaker);
		breaker->failures_seen = 0;
	}
	if (now_ms >= breaker->cool_until_ms)
		breaker->cool_steps = 0;
}

/*
 * The window begins with the first failure after a success or after the last window: a
 * plain count, whose error against a sliding window is that it may open a few failures
 * later.
 */
static void
failed(
    struct dr_breaker *breaker, const struct dr_breaker_rules *rules, uint64_t now_ms)
{
	if (breaker->open) {
		if (is_half_open(breaker, now_ms))
			open_circuit(breaker, rules, now_ms);
		return;
	}
	if (breaker->failures == 0 ||
	    now_ms - breaker->first_failure_ms > rules->window_ms) {
		breaker->failures = 0;
		breaker->first_failure_ms = now_ms;
	}
	if (++breaker->failures >= rules->failures)
		open_circuit(breaker, rules, now_ms);
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
    int64_t retry_after_ms, uint64_t now_ms, uint32_t random)
{
	uint64_t until;

	/* it answers: the circuit has nothing more to say */
	if (is_half_open(breaker, now_ms))
		close_circuit(breaker);
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
    enum dr_outcome outcome, int64_t retry_after_ms, uint64_t now_ms, uint32_t random)
{
	switch (outcome) {
	case DR_OUTCOME_NONE:
	case DR_OUTCOME_FULL:
		return;
	case DR_OUTCOME_OK:
	case DR_OUTCOME_CALLER:
		succeeded(breaker, now_ms);
		return;
	case DR_OUTCOME_REFUSED:
	case DR_OUTCOME_SERVER:
	case DR_OUTCOME_SILENT:
		failed(breaker, rules, now_ms);
		return;
	case DR_OUTCOME_OVERLOADED:
		overloaded(breaker, rules, retry_after_ms, now_ms, random);
		return;
	case DR_OUTCOME_AUTH:
		if (is_half_open(breaker, now_ms))
			close_circuit(breaker);
		breaker->flagged = true;
		return;
	case DR_N_OUTCOMES:
		break;
	}
	DR_WRONG("unknown outcome");
}

/* ---- what others found out ---- */

static void
adopt_circuit(
    struct dr_breaker *breaker, const struct dr_breaker_shared *shared, uint64_t now_ms)
{
	bool was_open = breaker->open;

	breaker->open = true;
	breaker->failures = 0;
	/* half open there and not here: what we told when it failed again is lost */
	if (shared->open_ms > 0 || !was_open)
		breaker->open_until_ms = now_ms + shared->open_ms;
	breaker->probing = shared->probe_ms > 0;
	breaker->probe_until_ms = now_ms + shared->probe_ms;
}

void
dr_breaker_adopt(
    struct dr_breaker *breaker, const struct dr_breaker_shared *shared, uint64_t now_ms)
{
	if (shared->open)
		adopt_circuit(breaker, shared, now_ms);
	else if (breaker->open && breaker->open_seen)
		close_circuit(breaker);
	breaker->open_seen = shared->open;
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
dr_breaker_open_for(struct dr_breaker *breaker, uint64_t ms, uint64_t now_ms)
{
	adopt_circuit(breaker,
	    &(struct dr_breaker_shared){ .open = true, .open_ms = ms }, now_ms);
	breaker->open_seen = true;
}

bool
dr_breaker_is_failure(enum dr_outcome outcome)
{
	return outcome == DR_OUTCOME_REFUSED || outcome == DR_OUTCOME_SERVER ||
	       outcome == DR_OUTCOME_SILENT;
}

bool
dr_breaker_got_well(const struct dr_breaker *before, const struct dr_breaker *after)
{
	if (before->cool_steps > 0 && after->cool_steps == 0)
		return true;
	return !after->open && (before->open || before->failures > after->failures ||
				   before->failures_seen > after->failures_seen);
}

bool
dr_breaker_blocks(const struct dr_breaker *breaker, uint64_t now_ms)
{
	return dr_breaker_opens_in(breaker, now_ms) > 0;
}

uint64_t
dr_breaker_opens_in(const struct dr_breaker *breaker, uint64_t now_ms)
{
	if (!breaker->open)
		return 0;
	if (now_ms < breaker->open_until_ms)
		return breaker->open_until_ms - now_ms;
	if (breaker->probing && now_ms < breaker->probe_until_ms)
		return breaker->probe_until_ms - now_ms;
	return 0;
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
	if (!is_half_open(breaker, now_ms))
		return false;
	breaker->probing = true;
	breaker->probe_until_ms = now_ms + rules->open_ms;
	return true;
}

void
dr_breaker_give_up(struct dr_breaker *breaker)
{
	breaker->probing = false;
}

void
dr_breaker_yield(struct dr_breaker *breaker, uint64_t ms, uint64_t now_ms)
{
	breaker->probing = true;
	breaker->probe_until_ms = now_ms + ms;
}
