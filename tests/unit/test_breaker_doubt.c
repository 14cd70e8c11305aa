/*
 * Doubt: little evidence makes it, little ends it, and it refuses nobody.
 */
#include "breaker_fixture.h"

/* More failures than above open the circuit, and the first turn of a doubt comes soon.
 */
static const struct dr_breaker_rules doubting = {
	.failures = 5,
	.window_ms = 1000,
	.open_ms = 500,
	.doubt_ms = 60,
	.cooldown_ms = 100,
	.cooldown_max_ms = 1000,
};

static void
a_grave_failure_or_half_of_them_make_doubt(void **state)
{
	(void)state;
	TELL(&doubting, { 0, REFUSED, 0, '?' });
	TELL(&doubting, { 0, SILENT, 0, '?' });
	TELL(&doubting, { 0, SERVER, 0, '-' }, { 1, SERVER, 0, '-' },
	    { 2, SERVER, 0, '?' });
	TELL(&doubting, { 0, STALE, 0, '-' }, { 1, STALE, 0, '-' },
	    { 2, STALE, 0, '?' });
	/* single ones between answers make none, whatever they are begun by */
	TELL(&doubting, { 0, SERVER, 0, '-' }, { 1, SERVER, 0, '-' },
	    { 2, OK, 100, '-' }, { 3, SERVER, 0, '-' }, { 4, SERVER, 0, '-' });
	TELL(
	    &doubting, { 0, BUSY, 0, '-' }, { 1, AUTH, 0, '-' }, { 2, CALLER, 0, '-' });
	/* asked for none: as if there were only the circuit */
	TELL(&rules, { 0, REFUSED, 0, '-' }, { 1, REFUSED, 0, '-' },
	    { 2, REFUSED, 0, 'O' });
}

static void
a_doubt_ends_with_an_answer_to_a_request_since(void **state)
{
	(void)state;
	TELL(&doubting, { 10, REFUSED, 0, '?' }, { 20, OK, 11, '?' },
	    { 20, OK, 10, '-' }, { 21, REFUSED, 0, '?' }, { 22, CALLER, 1, '-' });
	TELL(&doubting, { 10, REFUSED, 0, '?' }, { 20, BUSY, 5, '-' });
	TELL(&doubting, { 10, REFUSED, 0, '?' }, { 20, BUSY, 15, '?' });
}

static void
in_doubt_a_probe_goes_soon_and_then_as_seldom_as_for_a_circuit(void **state)
{
	(void)state;
	TELL(&doubting, { 0, REFUSED, 0, '?' }, { 59, NONE, 0, '?' },
	    { 60, NONE, 0, '!' }, { 60, CLAIM, 0, '?' }, { 70, REFUSED, 10, '?' },
	    { 559, NONE, 0, '?' }, { 560, CLAIM, 0, '?' }, { 570, OK, 10, '-' });
	TELL(&doubting, { 0, REFUSED, 0, '?' }, { 60, CLAIM, 0, '?' },
	    { 70, GIVE_UP, 0, '!' }, { 70, CLAIM, 0, '?' });
}

/* One failure is known; others follow, of requests that were under way. */
static void
failures_in_doubt_open_the_circuit(void **state)
{
	(void)state;
	TELL(&doubting, { 0, REFUSED, 0, '?' }, { 1, REFUSED, 0, '?' },
	    { 1, SERVER, 0, '?' }, { 2, SILENT, 300, '?' }, { 3, REFUSED, 3, 'O' },
	    { 502, NONE, 0, 'O' }, { 503, CLAIM, 0, 'O' }, { 510, OK, 7, '-' });
	/* but not when they are spread over more than the window */
	TELL(&doubting, { 0, REFUSED, 0, '?' }, { 60, CLAIM, 0, '?' },
	    { 61, REFUSED, 1, '?' }, { 560, CLAIM, 0, '?' }, { 561, REFUSED, 1, '?' },
	    { 1060, CLAIM, 0, '?' }, { 1061, REFUSED, 1, '?' }, { 1560, CLAIM, 0, '?' },
	    { 1561, REFUSED, 1, '?' });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grave_failure_or_half_of_them_make_doubt),
		cmocka_unit_test(a_doubt_ends_with_an_answer_to_a_request_since),
		cmocka_unit_test(
		    in_doubt_a_probe_goes_soon_and_then_as_seldom_as_for_a_circuit),
		cmocka_unit_test(failures_in_doubt_open_the_circuit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
