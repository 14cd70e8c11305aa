/*
 * Addresses as bytes and as text with a checksum; the first eight are EIP-55's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/dr_assert.h"
#include "ethereum/address.h"

static const char *const good[] = {
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
	"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	"0x52908400098527886E0F7030069857D2E4169EE7",
	"0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77",
	"0x27b1fdb04752bbc536007a920d24acb045561c26",
	"0x0000000000000000000000000000000000000000",
	"0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF",
	"0x5a5A5a5a5A5a5a5a5a5A5a5A5A5a5a5A5A5A5A5A",
};

/* The text with its letters made small or capital; "0x" stays. */
static void
in_case(const char *text, int (*to)(int), char out[DR_ADDRESS_TEXT])
{
	memcpy(out, text, DR_ADDRESS_TEXT);
	for (size_t i = 2; i < DR_ADDRESS_CHARS; i++)
		out[i] = (char)to((unsigned char)out[i]);
}

static void
any_case_is_read_and_the_checksum_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(good); i++) {
		uint8_t address[DR_ADDRESS_BYTES], same[DR_ADDRESS_BYTES];
		char text[DR_ADDRESS_TEXT];

		assert_true(dr_address_parse(good[i], DR_ADDRESS_CHARS, address));
		dr_address_print(address, text);
		assert_string_equal(text, good[i]);
		in_case(good[i], tolower, text);
		assert_true(dr_address_parse(text, DR_ADDRESS_CHARS, same));
		assert_memory_equal(address, same, sizeof same);
		in_case(good[i], toupper, text);
		assert_true(dr_address_parse(text, DR_ADDRESS_CHARS, same));
		assert_memory_equal(address, same, sizeof same);
	}
}

static void
a_letter_in_the_wrong_case_fails_the_checksum(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(good); i++) {
		assert_true(dr_address_is_checksummed(good[i], DR_ADDRESS_CHARS));
		for (size_t at = 2; at < DR_ADDRESS_CHARS; at++) {
			char text[DR_ADDRESS_TEXT];

			memcpy(text, good[i], sizeof text);
			text[at] ^= 0x20;
			if (isalpha((unsigned char)good[i][at]))
				assert_false(
				    dr_address_is_checksummed(text, DR_ADDRESS_CHARS));
		}
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	uint8_t address[DR_ADDRESS_BYTES];

	(void)state;
	for (size_t n = 0; n < DR_ADDRESS_CHARS; n++)
		assert_false(dr_address_parse(good[0], n, address));
	assert_false(dr_address_parse(
	    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0", 43, address));
	assert_false(dr_address_parse(
	    "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 42, address));
	assert_false(dr_address_parse(
	    "005aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 42, address));
	for (size_t at = 0; at < DR_ADDRESS_CHARS; at++) {
		char text[DR_ADDRESS_TEXT];

		memcpy(text, good[0], sizeof text);
		text[at] = at % 2 != 0 ? ' ' : 'g';
		assert_false(dr_address_parse(text, DR_ADDRESS_CHARS, address));
		assert_false(dr_address_is_checksummed(text, DR_ADDRESS_CHARS));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_case_is_read_and_the_checksum_written),
		cmocka_unit_test(a_letter_in_the_wrong_case_fails_the_checksum),
		cmocka_unit_test(what_is_no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
