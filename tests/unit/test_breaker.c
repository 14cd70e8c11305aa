/*
 * The breaker's rules, each as a row of events at given times. With random = 0 an
 * exponential rest is its lower half.
 */
#include "breaker_fixture.h"

struct event {
	uint64_t at; /* after T0 */
	int what;
	int64_t retry;  /* Retry-After; 0 stands for none here, see its own test */
	uint64_t opens; /* then: dr_breaker_opens_in() */
	uint64_t cools; /* then: dr_breaker_cools_for() */
};

static void
play(const struct event *events, size_t n)
{
	struct dr_breaker breaker = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct event *e = &events[i];
		uint64_t now = T0 + e->at;

		if (e->what == CLAIM)
			dr_breaker_claim(&breaker, &rules, now);
		else if (e->what == GIVE_UP)
			(void)dr_breaker_give_up(&breaker, now);
		else
			dr_breaker_on(&breaker, &rules, (enum dr_outcome)e->what,
			    e->retry > 0 ? e->retry : -1, now, now, 0);
		if (dr_breaker_opens_in(&breaker, now) != e->opens ||
		    dr_breaker_cools_for(&breaker, now) != e->cools)
			fail_msg("event %zu: opens in %llu, cools for %llu", i,
			    (unsigned long long)dr_breaker_opens_in(&breaker, now),
			    (unsigned long long)dr_breaker_cools_for(&breaker, now));
		assert_int_equal(dr_breaker_blocks(&breaker, now), e->opens > 0);
	}
}

#define PLAY(...)                                                                      \
	do {                                                                           \
		static const struct event events[] = { __VA_ARGS__ };                  \
		play(events, DR_N_ELEMENTS(events));                                   \
	} while (0)

static void
failures_in_the_window_open_the_circuit(void **state)
{
	(void)state;
	PLAY({ 0, REFUSED, 0, 0, 0 }, { 10, SERVER, 0, 0, 0 },
	    { 20, SILENT, 0, 500, 0 }, { 519, NONE, 0, 1, 0 }, { 520, NONE, 0, 0, 0 });
	/* the third comes too late, the window begins anew */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 10, SERVER, 0, 0, 0 }, { 1001, SERVER, 0, 0, 0 },
	    { 1002, SERVER, 0, 0, 0 }, { 1003, SERVER, 0, 500, 0 });
}

static void
a_success_or_the_callers_own_fault_forgets_failures(void **state)
{
	(void)state;
	PLAY({ 0, SERVER, 0, 0, 0 }, { 1, SERVER, 0, 0, 0 }, { 2, OK, 0, 0, 0 },
	    { 3, SERVER, 0, 0, 0 }, { 4, SERVER, 0, 0, 0 }, { 5, CALLER, 0, 0, 0 },
	    { 6, SERVER, 0, 0, 0 }, { 7, SERVER, 0, 0, 0 }, { 8, SERVER, 0, 500, 0 });
}

static void
what_says_nothing_changes_nothing(void **state)
{
	(void)state;
	PLAY({ 0, SERVER, 0, 0, 0 }, { 1, SERVER, 0, 0, 0 }, { 2, NONE, 0, 0, 0 },
	    { 3, FULL, 0, 0, 0 }, { 4, SERVER, 0, 500, 0 });
}

static void
failures_while_open_do_not_prolong_it(void **state)
{
	(void)state;
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 100, SERVER, 0, 400, 0 }, { 200, SILENT, 0, 300, 0 });
}

static void
an_answer_begun_before_does_not_close_it_early(void **state)
{
	(void)state;
	TELL(&rules, { 0, SERVER, 0, '-' }, { 0, SERVER, 0, '-' },
	    { 0, SERVER, 0, 'O' }, { 100, OK, 101, 'O' }, { 450, OK, 449, 'O' });
	/* nor when a probe might go, or is out: only its own answer does */
	TELL(&rules, { 0, SERVER, 0, '-' }, { 0, SERVER, 0, '-' },
	    { 0, SERVER, 0, 'O' }, { 600, CLAIM, 0, 'O' }, { 700, OK, 201, 'O' },
	    { 700, BUSY, 201, 'O' }, { 710, OK, 110, '-' });
}

static void
half_open_lets_one_probe_through(void **state)
{
	(void)state;
	/* its success closes */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 500, CLAIM, 0, 500, 0 }, { 600, NONE, 0, 400, 0 }, { 700, OK, 0, 0, 0 },
	    { 701, SERVER, 0, 0, 0 });
	/* its failure changes nothing: the next goes 500 after it began */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 500, CLAIM, 0, 500, 0 }, { 600, REFUSED, 0, 400, 0 },
	    { 1000, CLAIM, 0, 500, 0 }, { 1400, SILENT, 0, 100, 0 },
	    { 1500, CLAIM, 0, 500, 0 });
	/* silent for longer than that: its failure delays no other one */
	TELL(&rules, { 0, SERVER, 0, '-' }, { 0, SERVER, 0, '-' },
	    { 0, SERVER, 0, 'O' }, { 500, CLAIM, 0, 'O' }, { 1000, CLAIM, 0, 'O' },
	    { 1100, SILENT, 600, 'O' }, { 1500, CLAIM, 0, 'O' }, { 1510, OK, 10, '-' });
	/* given up: the next may be one */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 500, CLAIM, 0, 500, 0 }, { 600, GIVE_UP, 0, 0, 0 },
	    { 601, CLAIM, 0, 500, 0 });
	/* silent: another one after a while */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 500, CLAIM, 0, 500, 0 }, { 999, NONE, 0, 1, 0 },
	    { 1000, CLAIM, 0, 500, 0 });
	/* it answers, though overloaded: no more circuit, but a rest */
	PLAY({ 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 0, 0 }, { 0, SERVER, 0, 500, 0 },
	    { 500, CLAIM, 0, 500, 0 }, { 510, BUSY, 70, 0, 70 });
}

static void
a_closed_circuit_needs_no_probe(void **state)
{
	struct dr_breaker breaker = { 0 };

	(void)state;
	assert_false(dr_breaker_claim(&breaker, &rules, T0));
	for (int i = 0; i < 3; i++)
		dr_breaker_on(&breaker, &rules, DR_OUTCOME_SERVER, -1, T0, T0, 0);
	assert_false(dr_breaker_claim(&breaker, &rules, T0 + 499));
	assert_true(dr_breaker_claim(&breaker, &rules, T0 + 500));
}

/* ---- cool-down, flag ---- */

static void
retry_after_is_obeyed_within_bounds(void **state)
{
	(void)state;
	PLAY({ 0, BUSY, 700, 0, 700 }, { 700, NONE, 0, 0, 0 },
	    { 800, BUSY, 90000, 0, 1000 });
	/* a shorter wish does not shorten a rest under way, a longer one prolongs it */
	PLAY({ 0, BUSY, 700, 0, 700 }, { 10, BUSY, 20, 0, 690 },
	    { 10, BUSY, 800, 0, 800 });
}

static void
without_it_rests_double_up_to_the_longest(void **state)
{
	(void)state;
	PLAY({ 0, BUSY, 0, 0, 50 }, { 1000, BUSY, 0, 0, 100 },
	    { 2000, BUSY, 0, 0, 200 }, { 3000, BUSY, 0, 0, 400 },
	    { 4000, BUSY, 0, 0, 500 }, { 5000, BUSY, 0, 0, 500 }, { 6000, OK, 0, 0, 0 },
	    { 7000, BUSY, 0, 0, 50 });
}

static void
many_answers_to_one_overload_count_once(void **state)
{
	(void)state;
	PLAY({ 0, BUSY, 0, 0, 50 }, { 1, BUSY, 0, 0, 49 }, { 2, BUSY, 0, 0, 48 },
	    { 50, BUSY, 0, 0, 100 });
}

static void
a_success_does_not_end_a_rest(void **state)
{
	(void)state;
	PLAY({ 0, BUSY, 700, 0, 700 }, { 100, OK, 0, 0, 600 });
}

static void
overload_is_not_a_failure_of_the_circuit(void **state)
{
	(void)state;
	PLAY({ 0, BUSY, 10, 0, 10 }, { 1, BUSY, 10, 0, 10 }, { 2, BUSY, 10, 0, 10 },
	    { 3, BUSY, 10, 0, 10 });
}

/* Retry-After: 0, or a date that has passed, names no rest: ours is taken. */
static void
no_wait_wished_is_none_named(void **state)
{
	struct dr_breaker breaker = { 0 };

	(void)state;
	dr_breaker_on(&breaker, &rules, DR_OUTCOME_OVERLOADED, 0, T0, T0, 0);
	assert_int_equal(dr_breaker_cools_for(&breaker, T0), 50);
}

static void
chance_spreads_a_rest_over_its_upper_half(void **state)
{
	static const struct {
		uint32_t random;
		uint64_t rest;
	} rows[] = { { 0, 50 }, { 1, 51 }, { 50, 100 }, { 51, 50 },
		{ UINT32_MAX, 50 + UINT32_MAX % 51 } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_breaker breaker = { 0 };

		dr_breaker_on(&breaker, &rules, DR_OUTCOME_OVERLOADED, -1, T0, T0,
		    rows[i].random);
		assert_int_equal(dr_breaker_cools_for(&breaker, T0), rows[i].rest);
	}
}

static void
a_bad_credential_stays_flagged(void **state)
{
	struct dr_breaker breaker = { 0 };

	(void)state;
	dr_breaker_on(&breaker, &rules, DR_OUTCOME_AUTH, -1, T0, T0, 0);
	assert_true(breaker.flagged);
	dr_breaker_on(&breaker, &rules, DR_OUTCOME_OK, -1, T0 + 100000, T0 + 100000, 0);
	assert_true(breaker.flagged);
	assert_false(dr_breaker_blocks(&breaker, T0));
}

/* ---- what others found out ---- */

/* A breaker as it is, what Redis says at T0, and what it comes to. */
static void
what_others_found_is_taken_over(void **state)
{
	static const struct {
		const char *rule;
		struct dr_breaker mine;
		struct dr_breaker_shared theirs;
		uint64_t opens, cools;
		bool open, flagged;
		unsigned steps;
	} rows[] = {
		{ "no trouble anywhere", { 0 }, { 0 }, 0, 0, false, false, 0 },
		{ "their circuit", { 0 }, { .open = true, .turn_ms = 300 }, 300, 0,
		    true, false, 0 },
		{ "their half-open circuit", { 0 }, { .open = true }, 0, 0, true, false,
		    0 },
		{ "Redis' word on the turn goes before ours",
		    { .open = true, .turn_ms = T0 + 400 },
		    { .open = true, .turn_ms = 300 }, 300, 0, true, false, 0 },
		{ "also where a turn was given up",
		    { .open = true, .turn_ms = T0 + 400 }, { .open = true }, 0, 0, true,
		    false, 0 },
		{ "closed by somebody",
		    { .open = true, .trouble_seen = true, .turn_ms = T0 + 400 }, { 0 },
		    0, 0, false, false, 0 },
		{ "never heard of there: ours stays",
		    { .open = true, .turn_ms = T0 + 400 }, { 0 }, 400, 0, true, false,
		    0 },
		{ "a doubt is no circuit", { 0 }, { .doubted = true, .turn_ms = 300 },
		    0, 0, false, false, 0 },
		{ "a circuit that closed, and a doubt since",
		    { .open = true, .trouble_seen = true, .turn_ms = T0 + 400 },
		    { .doubted = true, .turn_ms = 300 }, 0, 0, false, false, 0 },
		{ "a doubt that became a circuit",
		    { .doubted = true, .trouble_seen = true, .turn_ms = T0 + 400 },
		    { .open = true, .turn_ms = 300 }, 300, 0, true, false, 0 },
		{ "a rest", { 0 }, { .cool_ms = 90, .cool_steps = 2 }, 0, 90, false,
		    false, 2 },
		{ "a longer rest", { .cool_until_ms = T0 + 10 }, { .cool_ms = 111 }, 0,
		    111, false, false, 0 },
		{ "the same, a little longer for the way to Redis and back",
		    { .cool_until_ms = T0 + 10 }, { .cool_ms = 110 }, 0, 10, false,
		    false, 0 },
		{ "also when it is just over", { .cool_until_ms = T0 - 1 },
		    { .cool_ms = 3 }, 0, 0, false, false, 0 },
		{ "a shorter one", { .cool_until_ms = T0 + 100 }, { .cool_ms = 90 }, 0,
		    100, false, false, 0 },
		{ "rests in a row, ended by somebody",
		    { .cool_steps = 3, .steps_seen = true }, { 0 }, 0, 0, false, false,
		    0 },
		{ "rests in a row that they never heard of", { .cool_steps = 3 }, { 0 },
		    0, 0, false, false, 3 },
		{ "their flag", { 0 }, { .flagged = true }, 0, 0, false, true, 0 },
		{ "our flag, never heard of there", { .flagged = true }, { 0 }, 0, 0,
		    false, true, 0 },
		{ "a flag that was lifted", { .flagged = true, .flag_seen = true },
		    { 0 }, 0, 0, false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_breaker breaker = rows[i].mine;

		dr_breaker_adopt(&breaker, &rows[i].theirs, T0);
		if (dr_breaker_opens_in(&breaker, T0) != rows[i].opens ||
		    dr_breaker_cools_for(&breaker, T0) != rows[i].cools ||
		    breaker.open != rows[i].open ||
		    breaker.doubted != rows[i].theirs.doubted ||
		    breaker.flagged != rows[i].flagged ||
		    breaker.cool_steps != rows[i].steps)
			fail_msg("%s", rows[i].rule);
	}
}

/* It comes late, now more and now less: what is known already began when it did. */
static void
the_beginning_of_trouble_is_taken_over_once(void **state)
{
	static const struct dr_breaker_shared open = { .open = true, .since_ms = 300 };
	static const struct dr_breaker_shared doubt = { .doubted = true,
		.since_ms = -300 };
	static const struct dr_breaker_shared ever = { .open = true,
		.since_ms = -INT64_C(1700000000000) };
	struct dr_breaker breaker = { 0 };

	(void)state;
	dr_breaker_adopt(&breaker, &doubt, T0);
	assert_int_equal(breaker.since_ms, T0 - 300);
	dr_breaker_adopt(&breaker, &doubt, T0 + 50);
	assert_int_equal(breaker.since_ms, T0 - 300);
	dr_breaker_adopt(&breaker, &doubt, T0 - 1);
	assert_int_equal(breaker.since_ms, T0 - 301);
	dr_breaker_adopt(&breaker, &open, T0);
	assert_int_equal(breaker.since_ms, T0 + 300);
	dr_breaker_adopt(&breaker, &ever, T0);
	assert_int_equal(breaker.since_ms, 0);
}

static void
a_verdict_goes_before_ours_unless_ours_has_opened_since(void **state)
{
	static const struct {
		struct dr_breaker mine;
		struct dr_breaker_shared verdict;
		bool doubted, open;
	} rows[] = {
		{ { 0 }, { 0 }, false, false },
		{ { 0 }, { .doubted = true }, true, false },
		{ { 0 }, { .open = true }, false, true },
		{ { .doubted = true }, { 0 }, true, false },
		{ { .doubted = true }, { .open = true }, false, true },
		{ { .open = true }, { .doubted = true }, false, true },
		{ { .open = true }, { .open = true }, false, true },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_breaker breaker = rows[i].mine;

		dr_breaker_judged(&breaker, &rows[i].verdict, T0);
		assert_int_equal(breaker.doubted, rows[i].doubted);
		assert_int_equal(breaker.open, rows[i].open);
	}
}

static void
only_the_end_of_trouble_is_worth_telling(void **state)
{
	static const struct {
		struct dr_breaker before, after;
		bool well;
	} rows[] = {
		{ { 0 }, { 0 }, false },
		{ { .failures = 2 }, { 0 }, true },
		{ { .failures_seen = 2 }, { 0 }, true },
		{ { .open = true }, { 0 }, true },
		{ { .doubted = true }, { 0 }, true },
		{ { .doubted = true, .failures = 3 }, { .doubted = true }, false },
		{ { .open = true }, { .open = true }, false },
		{ { .failures = 2 }, { .open = true }, false },
		{ { .cool_steps = 1 }, { 0 }, true },
		{ { .cool_steps = 1 }, { .cool_steps = 2 }, false },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		assert_int_equal(
		    dr_breaker_got_well(&rows[i].before, &rows[i].after), rows[i].well);
}

static void
a_turn_that_is_another_process_is_waited_for(void **state)
{
	struct dr_breaker breaker = { 0 };

	(void)state;
	dr_breaker_adopt(
	    &breaker, &(struct dr_breaker_shared){ .open = true, .turn_ms = 500 }, T0);
	assert_true(dr_breaker_claim(&breaker, &rules, T0 + 500));
	dr_breaker_yield(&breaker, 120, T0 + 500);
	assert_int_equal(dr_breaker_opens_in(&breaker, T0 + 500), 120);
	assert_false(dr_breaker_blocks(&breaker, T0 + 620));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_in_the_window_open_the_circuit),
		cmocka_unit_test(a_success_or_the_callers_own_fault_forgets_failures),
		cmocka_unit_test(what_says_nothing_changes_nothing),
		cmocka_unit_test(failures_while_open_do_not_prolong_it),
		cmocka_unit_test(an_answer_begun_before_does_not_close_it_early),
		cmocka_unit_test(half_open_lets_one_probe_through),
		cmocka_unit_test(a_closed_circuit_needs_no_probe),
		cmocka_unit_test(retry_after_is_obeyed_within_bounds),
		cmocka_unit_test(without_it_rests_double_up_to_the_longest),
		cmocka_unit_test(many_answers_to_one_overload_count_once),
		cmocka_unit_test(a_success_does_not_end_a_rest),
		cmocka_unit_test(overload_is_not_a_failure_of_the_circuit),
		cmocka_unit_test(no_wait_wished_is_none_named),
		cmocka_unit_test(chance_spreads_a_rest_over_its_upper_half),
		cmocka_unit_test(a_bad_credential_stays_flagged),
		cmocka_unit_test(what_others_found_is_taken_over),
		cmocka_unit_test(the_beginning_of_trouble_is_taken_over_once),
		cmocka_unit_test(
		    a_verdict_goes_before_ours_unless_ours_has_opened_since),
		cmocka_unit_test(only_the_end_of_trouble_is_worth_telling),
		cmocka_unit_test(a_turn_that_is_another_process_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
