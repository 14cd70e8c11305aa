/*
 * Who signed a text: one signature per signer and text, read strictly. The good ones
 * are viem's, by the key 0x0101..01; siwe_vectors has many more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "base/dr_assert.h"
#include "ethereum/personal_sign.h"

#define SIGNER "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"

/* of "hello" */
#define R "f186a035b50de31ac4d913b550ae6fe2fe9e7225c635f108c71e9135de228a2a"
#define S "567dd55d0a4d2115d30c9226903b0feef967ae4d2daf2c07c7fb70676600c15d"
/* the curve's order without S: the twin, with the other v */
#define TWIN  "a9822aa2f5b2deea2cf36dd96fc4f00fc1472e9981997433f7d6ee256a357fe4"
#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define FIVE  "0000000000000000000000000000000000000000000000000000000000000005"

static const struct {
	const char *message, *signature;
	enum dr_signature said;
} rows[] = {
	{ "hello", "0x" R S "1b", DR_SIGNATURE_OK },
	{ "hello", "0x" R S "00", DR_SIGNATURE_OK },
	{ "hello",
	    "0xF186A035B50DE31AC4D913B550AE6FE2FE9E7225C635F108C71E9135DE228A2A" S "1B",
	    DR_SIGNATURE_OK },
	{ "",
	    "0x008f5fb3ee6d29e767bfb729dc8764c5178f4e8a872450f6a33f62442f9ecd88"
	    "3c3d1dc059a5a809bde6ed6299b99b3d5c4f0ed46d79ba01658ad7b7ef8f61151c",
	    DR_SIGNATURE_OK },
	/* another key than ours */
	{ "hello", "0x" R S "1c", DR_SIGNATURE_OTHER_SIGNER },
	{ "hello", "0x" R S "01", DR_SIGNATURE_OTHER_SIGNER },
	{ "hello ", "0x" R S "1b", DR_SIGNATURE_OTHER_SIGNER },
	{ "hell", "0x" R S "1b", DR_SIGNATURE_OTHER_SIGNER },
	/* the curve takes the twin */
	{ "hello", "0x" R TWIN "1c", DR_SIGNATURE_HIGH_S },
	{ "hello", "0x" R TWIN "01", DR_SIGNATURE_HIGH_S },
	/* lengths */
	{ "hello", "0x" R S, DR_SIGNATURE_LENGTH },
	{ "hello", "0x" R S "1b00", DR_SIGNATURE_LENGTH },
	{ "hello", "0x" R S "1b0", DR_SIGNATURE_LENGTH },
	{ "hello", "0x" R S "1b\n", DR_SIGNATURE_LENGTH },
	{ "hello", "0x", DR_SIGNATURE_LENGTH },
	/* texts */
	{ "hello", "", DR_SIGNATURE_PREFIX }, { "hello", "0", DR_SIGNATURE_PREFIX },
	{ "hello", R S "1b", DR_SIGNATURE_PREFIX },
	{ "hello", R S "1b00", DR_SIGNATURE_PREFIX },
	{ "hello", "0X" R S "1b", DR_SIGNATURE_PREFIX },
	{ "hello", " 0x" R S "1b", DR_SIGNATURE_PREFIX },
	{ "hello", "0x" R S "1g", DR_SIGNATURE_DIGITS },
	{ "hello", "0x" R S " 1", DR_SIGNATURE_DIGITS },
	/* v */
	{ "hello", "0x" R S "02", DR_SIGNATURE_V },
	{ "hello", "0x" R S "03", DR_SIGNATURE_V },
	{ "hello", "0x" R S "1a", DR_SIGNATURE_V },
	{ "hello", "0x" R S "1d", DR_SIGNATURE_V },
	{ "hello", "0x" R S "1e", DR_SIGNATURE_V },
	{ "hello", "0x" R S "25", DR_SIGNATURE_V },
	{ "hello", "0x" R S "ff", DR_SIGNATURE_V },
	/* r and s */
	{ "hello", "0x" ORDER S "1b", DR_SIGNATURE_RANGE },
	{ "hello", "0x" R ORDER "1b", DR_SIGNATURE_RANGE },
	{ "hello", "0x" ZERO S "1b", DR_SIGNATURE_NO_SIGNER },
	{ "hello", "0x" R ZERO "1b", DR_SIGNATURE_NO_SIGNER },
	{ "hello", "0x" FIVE S "1b", DR_SIGNATURE_NO_SIGNER }, /* no point has x = 5 */
};

static void
one_signature_of_one_signer_is_taken(void **state)
{
	bool seen[DR_N_SIGNATURE_RESULTS] = { false };
	uint8_t address[DR_ADDRESS_BYTES];

	(void)state;
	assert_true(dr_address_parse(SIGNER, DR_ADDRESS_CHARS, address));
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		enum dr_signature said = dr_personal_sign_check(rows[i].message,
		    strlen(rows[i].message), rows[i].signature, address);

		assert_string_equal(
		    dr_signature_text(said), dr_signature_text(rows[i].said));
		seen[said] = true;
	}
	for (int said = 0; said < DR_N_SIGNATURE_RESULTS; said++)
		assert_true(seen[said]);
}

static void
the_signer_is_told(void **state)
{
	uint8_t signer[DR_ADDRESS_BYTES];
	char text[DR_ADDRESS_TEXT];

	(void)state;
	assert_int_equal(
	    dr_personal_sign_recover("hello", 5, rows[0].signature, signer),
	    DR_SIGNATURE_OK);
	dr_address_print(signer, text);
	assert_string_equal(text, SIGNER);
}

static void
no_cut_and_no_other_digit_is_taken(void **state)
{
	const char *whole = rows[0].signature;
	uint8_t address[DR_ADDRESS_BYTES];
	char text[DR_SIGNATURE_CHARS + 1];

	(void)state;
	assert_true(dr_address_parse(SIGNER, DR_ADDRESS_CHARS, address));
	for (size_t at = 0; at < DR_SIGNATURE_CHARS; at++) {
		memcpy(text, whole, sizeof text);
		text[at] = '\0';
		assert_int_not_equal(
		    dr_personal_sign_check("hello", 5, text, address), DR_SIGNATURE_OK);
		text[at] = whole[at] == '7' ? '6' : '7';
		assert_int_not_equal(
		    dr_personal_sign_check("hello", 5, text, address), DR_SIGNATURE_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_signature_of_one_signer_is_taken),
		cmocka_unit_test(the_signer_is_told),
		cmocka_unit_test(no_cut_and_no_other_digit_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
