/*
 * Rules of base/money: text to nano-USD and back, exactly or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/money.h"

static void
decimal_texts_become_whole_nano_dollars(void **state)
{
	static const struct {
		const char *text;
		int64_t nano;
	} rows[] = {
		{ "0", 0 },
		{ "0.0", 0 },
		{ "25", 25 * DR_NANO_PER_USD },
		{ "25.00", 25 * DR_NANO_PER_USD },
		{ "007.5", 7500000000 },
		{ "0.000000001", 1 },
		{ "0.1", 100000000 },
		{ "1.000000000", DR_NANO_PER_USD },
		{ "9007199.254740991", DR_MONEY_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t nano = -1;

		assert_true(dr_money_parse(rows[i].text, &nano));
		assert_int_equal(nano, rows[i].nano);
	}
}

static void
what_is_not_a_plain_amount_is_refused_and_changes_nothing(void **state)
{
	static const char *const rows[] = { "", ".", ".5", "5.", "-1", "+1", " 1", "1 ",
		"1e3", "1,5", "0x10", "1.0000000001", "1.0000000000",
		"9007199.254740992", "9007200", "99999999999999999999999999", "NaN",
		"inf", "1.2.3", "1.-2", "$1", "\xd9\xa1" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t nano = 42;

		assert_false(dr_money_parse(rows[i], &nano));
		assert_int_equal(nano, 42);
	}
}

static void
amounts_are_written_without_trailing_zeros(void **state)
{
	static const struct {
		int64_t nano;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 10 * DR_NANO_PER_USD, "10" },
		{ 100 * DR_NANO_PER_USD, "100" },
		{ 500000000, "0.5" },
		{ -3250000000, "-3.25" },
		{ 1, "0.000000001" },
		{ -1, "-0.000000001" },
		{ 1000000010, "1.00000001" },
		{ DR_MONEY_MAX, "9007199.254740991" },
		{ -DR_MONEY_MAX, "-9007199.254740991" },
		{ INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN, "-9223372036.854775808" },
	};
	char text[DR_MONEY_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		dr_money_format(rows[i].nano, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* A simple generator: the same amounts in every run. */
static int64_t
next_amount(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)(*seed >> 11) >> (*seed % 50);
}

static void
every_amount_survives_being_written_and_read(void **state)
{
	uint64_t seed = 20261123;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t nano = next_amount(&seed), back = -1;
		char text[DR_MONEY_TEXT];

		assert_in_range(nano, 0, DR_MONEY_MAX);
		dr_money_format(nano, text);
		assert_true(dr_money_parse(text, &back));
		assert_int_equal(back, nano);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimal_texts_become_whole_nano_dollars),
		cmocka_unit_test(
		    what_is_not_a_plain_amount_is_refused_and_changes_nothing),
		cmocka_unit_test(amounts_are_written_without_trailing_zeros),
		cmocka_unit_test(every_amount_survives_being_written_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
