/*
 * Routing of conversations: each has a home, the load stays even, and who is no
 * candidate is nobody's home.
 */
#include "routing_fixture.h"

#include "gateway/affinity.h"

#define CONVERSATIONS 1000
#define TURNS         10

static const struct spec five[MOST] = { { .name = "a",
					    .set = { "max_concurrency", "1000" } },
	{ .name = "b", .set = { "max_concurrency", "1000" } },
	{ .name = "c", .set = { "max_concurrency", "1000" } },
	{ .name = "d", .set = { "max_concurrency", "1000" } },
	{ .name = "e", .set = { "max_concurrency", "1000" } } };

static size_t
chosen(struct bench *bench, uint64_t conversation)
{
	struct dr_provider *out;

	bench->query.affinity = dr_affinity_mix(conversation, 7) | 1;
	bench->query.random = dr_affinity_mix(conversation, 11);
	assert_int_equal(dr_route(&bench->query, &out, NULL), DR_OK);
	for (size_t i = 0; i < bench->query.n_providers; i++)
		if (bench->providers[i] == out)
			return i;
	fail();
	return 0;
}

/* As many run at a time as there are clients; the oldest ends before another begins. */
static void
conversations_stay_and_the_load_is_even(void **state)
{
	unsigned count[5] = { 0 }, strayed = 0, home[CONVERSATIONS];
	size_t running[100] = { 0 };
	struct bench bench;

	(void)state;
	bench_init(&bench, five);
	for (unsigned i = 0; i < CONVERSATIONS * TURNS; i++) {
		unsigned conversation = i % CONVERSATIONS;
		size_t at;

		if (i >= 100)
			bench.providers[running[i % 100]]->running--;
		at = chosen(&bench, conversation);
		bench.providers[at]->running++;
		running[i % 100] = at;
		if (i < CONVERSATIONS)
			home[conversation] = (unsigned)at;
		strayed += home[conversation] != at;
		count[at]++;
	}
	print_message("strayed %u of %u; load %u %u %u %u %u\n", strayed,
	    CONVERSATIONS * TURNS, count[0], count[1], count[2], count[3], count[4]);
	assert_true(strayed <= CONVERSATIONS * TURNS * 5 / 100);
	for (size_t i = 0; i < 5; i++)
		assert_in_range(count[i], 1500, 2500); /* 2000, within a quarter */
	bench_fini(&bench);
}

/*
 * One of five answers four times as late, so four times as many wait there for each
 * that it is sent: the others take over, but it is not left alone.
 */
static void
a_slow_home_has_fewer_wait_under_load_and_keeps_its_own_when_idle(void **state)
{
	unsigned count[5] = { 0 }, alone[5] = { 0 }, slow = 0;
	struct bench bench;
	struct {
		size_t at;
		unsigned until;
	} runs[100] = { { 0, 0 } };

	(void)state;
	bench_init(&bench, five);
	bench.query.stream = true;
	for (size_t i = 0; i < 5; i++) {
		bench.providers[i]->first_token_ms = i == 2 ? 1600 : 400;
		/* its whole answers are quick: that says nothing of its streams */
		bench.providers[i]->answer_ms = i == 2 ? 400 : 1600;
	}
	for (uint64_t c = 0; c < 1000; c++) /* one after another */
		alone[chosen(&bench, c)]++;
	for (unsigned now = 0; now < 20000; now++) {
		unsigned slot = now % 100;

		if (runs[slot].until > now)
			continue; /* still waits: this client sends nothing new */
		if (runs[slot].until > 0)
			bench.providers[runs[slot].at]->running--;
		runs[slot].at = chosen(&bench, now % CONVERSATIONS);
		runs[slot].until = now + (runs[slot].at == 2 ? 400 : 100);
		bench.providers[runs[slot].at]->running++;
		count[runs[slot].at]++;
		if (bench.providers[2]->running > slow)
			slow = bench.providers[2]->running;
	}
	print_message("load %u %u %u %u %u; most waiting at the slow one %u\n",
	    count[0], count[1], count[2], count[3], count[4], slow);
	assert_in_range(alone[2], 150, 250); /* all of its own */
	assert_in_range(slow, 5, 15);        /* of 100: an even share were 20 */
	assert_true(count[2] > 100);
	for (size_t i = 0; i < 5; i++)
		if (i != 2)
			assert_true(count[i] > 2 * count[2]);
	bench_fini(&bench);
}

static void
a_home_that_is_no_candidate_is_left_and_found_again(void **state)
{
	struct bench bench;
	unsigned moved = 0, came_back = 0;

	(void)state;
	bench_init(&bench, five);
	for (uint64_t c = 0; c < 500; c++) {
		size_t before = chosen(&bench, c), during, again;

		bench.providers[2]->breaker.cool_until_ms = bench.query.now_ms + 1000;
		during = chosen(&bench, c);
		bench.providers[2]->breaker.cool_until_ms = 0;
		again = chosen(&bench, c);
		assert_int_not_equal(during, 2);
		assert_true(before == 2 || during == before); /* others stay put */
		moved += before == 2;
		came_back += before == 2 && again == 2;
	}
	assert_in_range(moved, 60, 140);
	assert_int_equal(came_back, moved);
	bench_fini(&bench);
}

static void
a_heavier_one_is_home_to_more(void **state)
{
	static const struct spec specs[MOST] = { { .name = "a",
						     .set = { "weight", "1" } },
		{ .name = "b", .set = { "weight", "3" } } };
	unsigned count[2] = { 0 };
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	for (uint64_t c = 0; c < 4000; c++)
		count[chosen(&bench, c)]++;
	assert_in_range(count[1], 2700, 3300);
	bench_fini(&bench);
}

/* The hundredth conversation of one home is not served there while it is that busy. */
static void
a_home_takes_a_quarter_more_than_its_share_and_then_the_next_one(void **state)
{
	struct bench bench;
	size_t at;

	(void)state;
	bench_init(&bench, five);
	at = chosen(&bench, 1);
	for (size_t i = 0; i < 5; i++)
		bench.providers[i]->running = 20;
	assert_int_equal(chosen(&bench, 1), at);
	bench.providers[at]->running = 40;
	assert_int_not_equal(chosen(&bench, 1), at);
	bench_fini(&bench);
}

static void
the_slower_one_gets_less_and_is_never_starved(void **state)
{
	static const struct spec specs[MOST] = {
		{ .name = "a", .set = { "max_concurrency", "1000" } },
		{ .name = "b", .set = { "max_concurrency", "1000" } },
		{ .name = "c", .set = { "max_concurrency", "1000" } }
	};
	unsigned count[3] = { 0 };
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	for (size_t i = 0; i < 3; i++)
		bench.providers[i]->running = 10;
	for (size_t i = 0; i < 3; i++) {
		dr_provider_note_first(
		    bench.providers[i], false, i == 2 ? 100000 : 100);
		dr_provider_note_first(bench.providers[i], true, i == 2 ? 100 : 100000);
	}
	for (uint64_t i = 0; i < 3000; i++) {
		struct dr_provider *out;

		bench.query.random = dr_affinity_mix(i, 3);
		assert_int_equal(dr_route(&bench.query, &out, NULL), DR_OK);
		for (size_t p = 0; p < 3; p++)
			count[p] += out == bench.providers[p];
	}
	assert_true(count[2] < count[0] / 2);
	/* four times as busy, and the slow one is the freer: at most so much it counts
	 */
	bench.providers[0]->running = bench.providers[1]->running = 50;
	count[2] = 0;
	for (uint64_t i = 0; i < 1000; i++) {
		struct dr_provider *out;

		bench.query.random = dr_affinity_mix(i, 5);
		assert_int_equal(dr_route(&bench.query, &out, NULL), DR_OK);
		count[2] += out == bench.providers[2];
	}
	assert_true(count[2] > 500);
	bench_fini(&bench);
}

static void
what_belongs_to_an_organisation_stays_there(void **state)
{
	static const struct spec specs[MOST] = { { .name = "a", .set = { "org", "x" } },
		{ .name = "b", .set = { "org", "y" }, .cools_ms = 10 },
		{ .name = "c", .set = { "max_concurrency", "1000" } } };
	static const struct {
		const char *org, *name;
		enum dr_error err;
	} rows[] = { { "x", "a", DR_OK }, { "y", NULL, DR_ERR_OVERLOADED },
		{ "c", "c", DR_OK }, /* without one it is its own */
		{ "gone", NULL, DR_ERR_OFFLINE } };
	struct dr_provider *out;
	struct bench bench;

	(void)state;
	bench_init(&bench, specs);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		bench.query.org = rows[i].org;
		assert_int_equal(dr_route(&bench.query, &out, NULL), rows[i].err);
		if (rows[i].name != NULL)
			assert_string_equal(out->record->name, rows[i].name);
	}
	bench_fini(&bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_stay_and_the_load_is_even),
		cmocka_unit_test(
		    a_slow_home_has_fewer_wait_under_load_and_keeps_its_own_when_idle),
		cmocka_unit_test(a_home_that_is_no_candidate_is_left_and_found_again),
		cmocka_unit_test(a_heavier_one_is_home_to_more),
		cmocka_unit_test(
		    a_home_takes_a_quarter_more_than_its_share_and_then_the_next_one),
		cmocka_unit_test(the_slower_one_gets_less_and_is_never_starved),
		cmocka_unit_test(what_belongs_to_an_organisation_stays_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
