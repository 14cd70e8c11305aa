/*
 * Moments as text: the real calendar, every zone, and nothing that is bent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/dr_assert.h"
#include "base/rfc3339.h"

#define REFUSED INT64_MIN

static const struct {
	const char *text;
	int64_t ms;
} rows[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1970-01-01T00:00:00.001Z", 1 },
	{ "2026-11-26T14:05:15Z", INT64_C(1795701915000) },
	{ "2026-11-26T14:05:15.1Z", INT64_C(1795701915100) },
	{ "2026-11-26T14:05:15.12345Z", INT64_C(1795701915123) },
	{ "2026-11-26T14:05:15.999999999Z", INT64_C(1795701915999) },
	{ "2026-11-26T15:35:15+01:30", INT64_C(1795701915000) },
	{ "2026-11-26T00:05:15-14:00", INT64_C(1795701915000) },
	{ "2026-11-26T14:05:15-00:00", INT64_C(1795701915000) },
	{ "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) },
	{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
	{ "2000-02-29T00:00:00Z", INT64_C(951782400000) },
	/* no such day or time */
	{ "2026-02-29T00:00:00Z", REFUSED },
	{ "2026-02-30T00:00:00Z", REFUSED },
	{ "2024-02-30T00:00:00Z", REFUSED },
	{ "2100-02-29T00:00:00Z", REFUSED },
	{ "2026-04-31T00:00:00Z", REFUSED },
	{ "2026-00-01T00:00:00Z", REFUSED },
	{ "2026-13-01T00:00:00Z", REFUSED },
	{ "2026-01-00T00:00:00Z", REFUSED },
	{ "2026-01-32T00:00:00Z", REFUSED },
	{ "2026-01-01T24:00:00Z", REFUSED },
	{ "2026-01-01T00:60:00Z", REFUSED },
	{ "2016-12-31T23:59:60Z", REFUSED },
	{ "1969-12-31T23:59:59Z", REFUSED },
	{ "0000-01-01T00:00:00Z", REFUSED },
	{ "2026-01-01T00:00:00+24:00", REFUSED },
	{ "2026-01-01T00:00:00+00:60", REFUSED },
	/* not of the form */
	{ "", REFUSED },
	{ "2026-01-01", REFUSED },
	{ "2026-01-01T00:00:00", REFUSED },
	{ "2026-01-01t00:00:00Z", REFUSED },
	{ "2026-01-01 00:00:00Z", REFUSED },
	{ "2026-01-01T00:00:00z", REFUSED },
	{ "2026-01-01T00:00Z", REFUSED },
	{ "2026-1-01T00:00:00Z", REFUSED },
	{ "20260101T000000Z", REFUSED },
	{ "+2026-01-01T00:00:00Z", REFUSED },
	{ "12026-01-01T00:00:00Z", REFUSED },
	{ "2026-01-01T00:00:00.Z", REFUSED },
	{ "2026-01-01T00:00:00,5Z", REFUSED },
	{ "2026-01-01T00:00:00.1234567890Z", REFUSED },
	{ "2026-01-01T00:00:00Z ", REFUSED },
	{ " 2026-01-01T00:00:00Z", REFUSED },
	{ "2026-01-01T00:00:00ZZ", REFUSED },
	{ "2026-01-01T00:00:00+0100", REFUSED },
	{ "2026-01-01T00:00:00+01", REFUSED },
	{ "2026-01-01T00:00:00UTC", REFUSED },
	{ "2026-01-01T-1:00:00Z", REFUSED },
};

static void
moments_are_read_exactly_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		int64_t ms = REFUSED;

		assert_int_equal(
		    dr_rfc3339_parse(rows[i].text, strlen(rows[i].text), &ms),
		    rows[i].ms != REFUSED);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void
no_cut_is_taken_for_whole(void **state)
{
	static const char text[] = "2026-11-26T15:35:15.250+01:30";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char cut[sizeof text];
		int64_t ms;

		memcpy(cut, text, n);
		assert_false(dr_rfc3339_parse(cut, n, &ms));
	}
}

/* Every day of 1970 to 2400, against libc; and each is read back as it is written. */
static void
every_day_is_the_calendars(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 430 * 365 + 104; day++) {
		int64_t ms = day * 86400000 + day % 86400000, back = -1;
		char text[DR_CLOCK_TEXT];

		dr_clock_format(ms, text);
		assert_true(dr_rfc3339_parse(text, strlen(text), &back));
		assert_int_equal(back, ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_read_exactly_or_not_at_all),
		cmocka_unit_test(no_cut_is_taken_for_whole),
		cmocka_unit_test(every_day_is_the_calendars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
