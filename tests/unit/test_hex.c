/*
 * Hexadecimal digits: all of them and no other byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/hex.h"

static void
only_the_digits_are_digits(void **state)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	(void)state;
	for (int c = -128; c < 256; c++) {
		const char *at =
		    c == 0 ? NULL : memchr(digits, (char)c, sizeof digits - 1);

		assert_int_equal(
		    dr_hex_digit((char)c), at == NULL ? -1 : (at - digits) % 16);
	}
}

static void
bytes_go_there_and_back(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513];

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	dr_hex_write(bytes, sizeof bytes, text);
	text[512] = '\0';
	assert_memory_equal(text, "000102", 6);
	assert_memory_equal(text + 506, "fdfeff", 6);
	assert_true(dr_hex_read(text, sizeof back, back));
	assert_memory_equal(bytes, back, sizeof bytes);
	for (size_t i = 0; i < 512; i++) {
		char kept = text[i];

		text[i] = i % 2 != 0 ? 'g' : '\0';
		assert_false(dr_hex_read(text, sizeof back, back));
		text[i] = kept;
	}
	assert_true(dr_hex_read("Ff", 1, back) && back[0] == 0xff);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_digits_are_digits),
		cmocka_unit_test(bytes_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
