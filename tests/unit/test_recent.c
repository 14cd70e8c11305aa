/*
 * recent: acknowledged settlements stay for their time, in bounded memory, in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "gateway/recent.h"

struct counted {
	unsigned n;
	char first, last;
};

static bool
count(void *arg, const char *payload, size_t len)
{
	struct counted *counted = arg;

	assert_true(len >= 1);
	if (counted->n++ == 0)
		counted->first = payload[0];
	counted->last = payload[len - 1];
	return true;
}

static void
what_was_acknowledged_is_kept_for_its_time(void **state)
{
	struct dr_recent recent;
	struct counted counted = { 0 };

	(void)state;
	dr_recent_init(&recent);
	for (uint64_t second = 0; second < 150; second++) {
		char payload = (char)second;

		dr_recent_add(&recent, &payload, 1, second * 1000, 60000);
	}
	assert_true(dr_recent_each(&recent, count, &counted));
	assert_int_equal(counted.n, recent.n);
	assert_in_range(counted.n, 60, 120);
	assert_int_equal(counted.last, (char)149);
	assert_int_equal(counted.first, (char)(150 - counted.n));
	dr_recent_fini(&recent);
}

static void
and_never_more_of_it_than_the_ceiling(void **state)
{
	struct dr_recent recent;
	struct counted counted = { 0 };
	char payload[1000] = "";

	(void)state;
	dr_recent_init(&recent);
	for (int i = 0; i < 20000; i++) {
		memset(payload, i, sizeof payload);
		dr_recent_add(&recent, payload, sizeof payload, 5, 60000);
		assert_true(recent.older.len + recent.newer.len <= DR_MAX_RECENT_BYTES);
	}
	assert_true(dr_recent_each(&recent, count, &counted));
	assert_in_range(counted.n, 4000, 8400);
	assert_int_equal(counted.last, (char)19999);
	dr_recent_fini(&recent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_is_kept_for_its_time),
		cmocka_unit_test(and_never_more_of_it_than_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
