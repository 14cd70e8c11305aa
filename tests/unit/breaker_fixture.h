/*
 * breaker_fixture - the rules and the events of the breaker's tests, and stories of
 * them. Each test program includes it once.
 */
#ifndef DR_TESTS_BREAKER_FIXTURE_H
#define DR_TESTS_BREAKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/dr_assert.h"
#include "gateway/breaker.h"

#define T0                                                                             \
	UINT64_C(1000000) /* no test begins at 0: that is what a zeroed member says */

static const struct dr_breaker_rules rules = {
	.failures = 3,
	.window_ms = 1000,
	.open_ms = 500,
	.cooldown_ms = 100,
	.cooldown_max_ms = 1000,
};

enum {
	OK = DR_OUTCOME_OK,
	CALLER = DR_OUTCOME_CALLER,
	REFUSED = DR_OUTCOME_REFUSED,
	STALE = DR_OUTCOME_STALE,
	SERVER = DR_OUTCOME_SERVER,
	SILENT = DR_OUTCOME_SILENT,
	BUSY = DR_OUTCOME_OVERLOADED,
	AUTH = DR_OUTCOME_AUTH,
	FULL = DR_OUTCOME_FULL,
	NONE = DR_OUTCOME_NONE,
	CLAIM = DR_N_OUTCOMES, /* not an outcome: an attempt begins */
	GIVE_UP
};

struct story {
	uint64_t at; /* after T0 */
	int what;
	uint64_t took; /* so long ago the attempt began */
	char
	    is; /* then: '-' well, '?' doubted, '!' doubted but a probe's turn, 'O' open
		 */
};

static char
look(const struct dr_breaker *breaker, uint64_t now)
{
	assert_false(breaker->open && breaker->doubted);
	if (dr_breaker_doubts(breaker, now))
		return '?';
	if (breaker->doubted)
		return '!';
	return breaker->open ? 'O' : '-';
}

static void
tell(const struct dr_breaker_rules *by, const struct story *events, size_t n)
{
	struct dr_breaker breaker = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct story *e = &events[i];
		uint64_t now = T0 + e->at;

		if (e->what == CLAIM)
			assert_true(dr_breaker_claim(&breaker, by, now));
		else if (e->what == GIVE_UP)
			assert_true(dr_breaker_give_up(&breaker, now));
		else
			dr_breaker_on(&breaker, by, (enum dr_outcome)e->what, -1,
			    now - e->took, now, 0);
		if (look(&breaker, now) != e->is)
			fail_msg("event %zu: %c", i, look(&breaker, now));
		/* who has no other provider is let through */
		assert_int_equal(dr_breaker_blocks(&breaker, now),
		    breaker.open && now < breaker.turn_ms);
	}
}

#define TELL(rules, ...)                                                               \
	do {                                                                           \
		static const struct story events[] = { __VA_ARGS__ };                  \
		tell(rules, events, DR_N_ELEMENTS(events));                            \
	} while (0)

#endif
