/*
 * Metrics of several processes through a real redis-server: they add up, only ever
 * grow, and a process that ends, dies or was only slow is counted once.
 */
#include "store_fixture.h"

#include "gateway/metrics.h"

static struct redis redis;
static struct dr_store *store;
static struct dr_settings settings = { .metrics_interval = 600000,
	.metrics_dead = 3600000 };

/* A process: what it counts, and a gauge. */
struct process {
	struct dr_metrics *metrics;
	uint64_t gauge;
};

static struct process a, b;

static void
collect(void *arg)
{
	struct process *p = arg;

	dr_metrics_gauge(p->metrics, DR_METRIC_RUNNING, p->gauge, NULL, NULL);
}

static void
begin(struct process *p)
{
	p->gauge = 0;
	p->metrics = dr_metrics_new(loop, store, &settings, collect, p);
}

static int
redis_setup(void **state)
{
	(void)state;
	redis_dir(&redis);
	redis_start(&redis, false, "");
	return 0;
}

static int
redis_teardown(void **state)
{
	(void)state;
	redis_remove(&redis);
	return 0;
}

static int
setup(void **state)
{
	loop_setup(state);
	store = store_up(redis.unix_at, 1000);
	ask(store, "FLUSHALL");
	begin(&a);
	begin(&b);
	return 0;
}

static int
teardown(void **state)
{
	dr_metrics_free(&a.metrics);
	dr_metrics_free(&b.metrics);
	dr_store_free(&store);
	return loop_teardown(state);
}

static void
charge(struct process *p, uint64_t n)
{
	dr_metrics_count(p->metrics, DR_METRIC_CHARGE, n, "m", NULL, NULL);
}

static void
write_out(struct process *p, bool last)
{
	dr_metrics_write(p->metrics, last);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
}

/* The only one that has written did so in 1970. */
static void
make_look_dead(void)
{
	struct answer answer =
	    ask(store, "EVAL return(redis.call('ZADD','{m}:index',1,redis.call("
		       "'ZRANGE','{m}:index',0,0)[1])) 0");

	assert_int_equal(answer.err, DR_OK);
}

/* ---- reading ---- */

static struct {
	unsigned n;
	enum dr_error err;
} told;

static void
on_read(struct dr_metrics_read *read, enum dr_error err)
{
	(void)read;
	told.n++;
	told.err = err;
}

static char page[1 << 20];

static void
read_by(struct process *p)
{
	struct dr_metrics_read read = { .done = NULL };
	unsigned before = told.n;

	dr_metrics_read(p->metrics, &read, on_read);
	assert_int_equal(told.n, before);
	TURN_UNTIL(told.n == before + 1);
	assert_int_equal(told.err, DR_OK);
	snprintf(page, sizeof page, "%s", read.text.data);
	dr_metrics_read_fini(&read);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
}

/* The value of a series on the page; -1: it is not there. */
static int64_t
value(const char *series)
{
	size_t n = strlen(series);

	for (const char *at = page; (at = strstr(at, series)) != NULL; at++)
		if ((at == page || at[-1] == '\n') && at[n] == ' ')
			return strtoll(at + n, NULL, 10);
	return -1;
}

#define CHARGED  "derouter_charge_nano_usd_total{model=\"m\"}"
#define IS(n, s) assert_int_equal(value(s), n)

/* ---- tests ---- */

static void
processes_add_up(void **state)
{
	(void)state;
	charge(&a, 5);
	charge(&b, 7);
	a.gauge = 2;
	b.gauge = 3;
	dr_metrics_observe(a.metrics, DR_METRIC_STORE, 200);
	dr_metrics_observe(b.metrics, DR_METRIC_STORE, 700);
	write_out(&b, false);
	read_by(&a);
	IS(12, CHARGED);
	IS(5, "derouter_requests_running");
	IS(1, "derouter_store_seconds_bucket{le=\"0.00025\"}");
	IS(2, "derouter_store_seconds_bucket{le=\"0.001\"}");
	IS(2, "derouter_store_seconds_count");
	assert_non_null(strstr(page, "derouter_store_seconds_sum 0.000900\n"));
	charge(&a, 1);
	a.gauge = 0;
	read_by(&b); /* what a has not written is not known yet */
	IS(12, CHARGED);
	write_out(&a, false);
	read_by(&b);
	IS(13, CHARGED);
	IS(3, "derouter_requests_running");
}

/* A write carries what has changed, and only that. */
static void
nothing_new_costs_nothing(void **state)
{
	uint64_t replies;

	(void)state;
	charge(&a, 5);
	write_out(&a, false);
	assert_int_equal(ask(store, "HLEN {m}:total").number, 0);
	replies = dr_store_replies(store);
	for (unsigned i = 0; i < 100000; i++)
		charge(&a, 1);
	dr_loop_turn(loop);
	assert_true(dr_store_replies(store) <= replies + 1);
	read_by(&a);
	IS(100005, CHARGED);
}

static void
one_that_ends_is_in_the_total_at_once(void **state)
{
	(void)state;
	charge(&a, 5);
	a.gauge = 9;
	write_out(&a, false);
	charge(&a, 1);
	write_out(&a, true);
	assert_int_equal(ask(store, "ZCARD {m}:index").number, 0);
	read_by(&b);
	IS(6, CHARGED);
	IS(0, "derouter_requests_running");
}

static void
one_that_died_is_folded_once_by_whoever_writes_next(void **state)
{
	(void)state;
	charge(&a, 5);
	a.gauge = 9;
	write_out(&a, false);
	dr_metrics_free(&a.metrics); /* kill -9: no last word */
	charge(&b, 1);
	make_look_dead(); /* an hour later */
	for (unsigned i = 0; i < 3; i++) {
		write_out(&b, false);
		read_by(&b);
		IS(6, CHARGED);
	}
	assert_int_equal(ask(store, "ZCARD {m}:index").number, 1);
	/* nothing of it is left behind */
	assert_int_equal(
	    ask(store, "EVAL return(#redis.call('KEYS','{m}:c:*')) 0").number, 1);
	assert_int_equal(
	    ask(store, "EVAL return(#redis.call('KEYS','{m}:g:*')) 0").number, 1);
	IS(0, "derouter_requests_running");
	begin(&a);
	charge(&a, 10);
	write_out(&a, false);
	read_by(&b);
	IS(16, CHARGED);
}

/* Stopped for an hour, then it goes on: what was folded is not counted again. */
static void
one_that_was_only_slow_goes_on_after_what_was_folded(void **state)
{
	(void)state;
	charge(&a, 5);
	dr_metrics_observe(a.metrics, DR_METRIC_STORE, 200);
	write_out(&a, false);
	make_look_dead();
	write_out(&b, false); /* folds it */
	assert_int_equal(ask(store, "ZCARD {m}:index").number, 1);
	charge(&a, 2);
	write_out(&a, false);
	assert_int_equal(logged("taken for dead"), 1);
	read_by(&b);
	IS(7, CHARGED);
	IS(1, "derouter_store_seconds_count");
	charge(&a, 2);
	dr_metrics_observe(a.metrics, DR_METRIC_STORE, 200);
	write_out(&a, false);
	read_by(&b);
	IS(9, CHARGED);
	IS(2, "derouter_store_seconds_count");
	write_out(&a, true);
	read_by(&b);
	IS(9, CHARGED);
}

static void
too_many_labels_become_other(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DR_MAX_SERIES + 50; i++) {
		char model[32];

		snprintf(model, sizeof model, "model-%u", i);
		dr_metrics_count(a.metrics, DR_METRIC_CHARGE, 1, model, NULL, NULL);
		dr_metrics_count(a.metrics, DR_METRIC_TOKENS, 1, model, "input", NULL);
	}
	read_by(&a);
	assert_true(value("derouter_charge_nano_usd_total{model=\"other\"}") > 500);
	assert_true(
	    value("derouter_tokens_total{model=\"other\",kind=\"other\"}") > 500);
	assert_true(value("derouter_series_merged_total") > 1000);
	IS(1, "derouter_charge_nano_usd_total{model=\"model-0\"}");
}

static void
counts_survive_an_outage(void **state)
{
	(void)state;
	charge(&a, 5);
	write_out(&a, false);
	redis_kill(&redis);
	charge(&a, 1);
	dr_metrics_write(a.metrics, false);
	TURN_UNTIL(!dr_store_is_up(store));
	charge(&a, 1);
	redis_start(&redis, false, "");
	TURN_UNTIL(dr_store_is_up(store));
	write_out(&a, false); /* Redis has forgotten it: it goes on under a new name */
	read_by(&a);
	assert_true(value(CHARGED) >= 2);
	charge(&a, 3);
	read_by(&a);
	assert_true(value(CHARGED) >= 5);
}

static void
a_reading_that_is_given_up_says_nothing(void **state)
{
	struct dr_metrics_read read = { .done = NULL };
	unsigned before = told.n;

	(void)state;
	dr_metrics_read(a.metrics, &read, on_read);
	dr_metrics_read_fini(&read);
	TURN_UNTIL(dr_store_in_flight(store) == 0);
	assert_int_equal(told.n, before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(processes_add_up),
		TEST(nothing_new_costs_nothing),
		TEST(one_that_ends_is_in_the_total_at_once),
		TEST(one_that_died_is_folded_once_by_whoever_writes_next),
		TEST(one_that_was_only_slow_goes_on_after_what_was_folded),
		TEST(too_many_labels_become_other),
		TEST(a_reading_that_is_given_up_says_nothing),
		TEST(counts_survive_an_outage),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
