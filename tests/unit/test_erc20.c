/*
 * What a chain's node says: quantities, hashes, addresses, transfers; and that nothing
 * that is cut or bent is taken for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/dr_assert.h"
#include "ethereum/erc20.h"

#define TOKEN    "0x036cbd53842c5426634e7929541ec2318f3dcf7e"
#define TREASURY "0x00000000000000000000000000000000c0ffee01"
#define FROM     "0x00000000000000000000000000000000000abc01"
#define ZEROS    "000000000000000000000000"
#define WORD_0   "0x0000000000000000000000000000000000000000000000000000000000000000"
#define WORD_1   "0x0000000000000000000000000000000000000000000000000000000000000001"

static void
quantities_have_one_form(void **state)
{
	static const struct {
		const char *text;
		int64_t n; /* -1: refused */
	} rows[] = { { "0x0", 0 }, { "0x1f", 31 }, { "0xABCDEF", 0xabcdef },
		{ "0x7fffffffffffffff", INT64_MAX }, { "0x8000000000000000", -1 },
		{ "0x", -1 }, { "", -1 }, { "0", -1 }, { "0x00", -1 }, { "0x01", -1 },
		{ "1f", -1 }, { "0X1", -1 }, { "0x1g", -1 }, { "0x1 ", -1 },
		{ "-0x1", -1 }, { "0x-1", -1 }, { NULL, -1 } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		int64_t n = -1;

		assert_int_equal(dr_eth_quantity(rows[i].text, &n), rows[i].n >= 0);
		assert_int_equal(n, rows[i].n);
	}
}

static void
addresses_and_hashes_come_out_in_lower_case(void **state)
{
	char address[DR_ETH_ADDRESS_TEXT], hash[DR_ETH_HASH_TEXT],
	    back[DR_ETH_ADDRESS_TEXT];

	(void)state;
	assert_true(
	    dr_eth_address("0x036CbD53842c5426634e7929541eC2318f3dCF7e", address));
	assert_string_equal(address, TOKEN);
	dr_eth_address_topic(address, hash);
	assert_string_equal(
	    hash, "0x" ZEROS "036cbd53842c5426634e7929541ec2318f3dcf7e");
	assert_true(dr_eth_topic_address(hash, back));
	assert_string_equal(back, TOKEN);
	hash[2 + 23] = '1'; /* not an address any more */
	assert_false(dr_eth_topic_address(hash, back));
	assert_false(dr_eth_address(TOKEN "0", address));
	assert_false(dr_eth_hash(TOKEN, hash));
	assert_false(dr_eth_hash(NULL, hash));
}

static void
words_above_the_largest_number_are_told(void **state)
{
	int64_t n;
	bool fits;

	(void)state;
	assert_true(dr_eth_word(WORD_1, &n, &fits));
	assert_true(fits && n == 1);
	assert_true(
	    dr_eth_word("0x0000000000000000000000000000000000000000000000007ffffff"
			"fffffffff",
		&n, &fits));
	assert_true(fits && n == INT64_MAX);
	assert_true(
	    dr_eth_word("0x0000000000000000000000000000000000000000000000008000000"
			"000000000",
		&n, &fits));
	assert_true(!fits && n == INT64_MAX);
	assert_true(
	    dr_eth_word("0xfffffffffffffffffffffffffffffffffffffffffffffffffffffff"
			"fffffffff",
		&n, &fits));
	assert_false(fits);
}

static void
a_transfer_to_the_treasury_is_read_and_nothing_else(void **state)
{
	static const char from[] =
	    "0x" ZEROS "00000000000000000000000000000000000abc01";
	static const char to[] = "0x" ZEROS "00000000000000000000000000000000C0FFEE01";
	static const struct {
		const char *address, *topics[4];
		size_t n;
		const char *data;
		enum dr_erc20_result result;
	} rows[] = {
		{ TOKEN, { DR_ERC20_TRANSFER, from, to }, 3, WORD_1, DR_ERC20_OK },
		{ TREASURY, { DR_ERC20_TRANSFER, from, to }, 3, WORD_1,
		    DR_ERC20_OTHER },
		{ TOKEN, { to, from, to }, 3, WORD_1, DR_ERC20_OTHER },
		{ TOKEN, { DR_ERC20_TRANSFER, to, from }, 3, WORD_1, DR_ERC20_OTHER },
		{ TOKEN, { DR_ERC20_TRANSFER, from, to }, 3, WORD_0, DR_ERC20_OTHER },
		{ TOKEN, { NULL }, 0, WORD_1, DR_ERC20_OTHER },
		{ TOKEN, { DR_ERC20_TRANSFER, from }, 2, WORD_1, DR_ERC20_MALFORMED },
		{ TOKEN, { DR_ERC20_TRANSFER, from, to, to }, 4, WORD_1,
		    DR_ERC20_MALFORMED },
		{ TOKEN, { DR_ERC20_TRANSFER, from, to }, 3, "0x", DR_ERC20_MALFORMED },
		{ TOKEN, { DR_ERC20_TRANSFER, from, to }, 3, WORD_1 "00",
		    DR_ERC20_MALFORMED },
		{ "0x1", { DR_ERC20_TRANSFER, from, to }, 3, WORD_1,
		    DR_ERC20_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_erc20_log log = { rows[i].address, rows[i].topics, rows[i].n,
			rows[i].data };
		struct dr_erc20_transfer t;

		assert_int_equal(
		    dr_erc20_read(&log, TOKEN, TREASURY, &t), rows[i].result);
		if (rows[i].result != DR_ERC20_OK)
			continue;
		assert_string_equal(t.from, FROM);
		assert_string_equal(t.to, TREASURY);
		assert_true(t.fits && t.units == 1);
	}
}

static void
no_cut_of_a_word_is_taken_for_whole(void **state)
{
	char cut[DR_ETH_HASH_TEXT], hash[DR_ETH_HASH_TEXT];

	(void)state;
	for (size_t n = 0; n < sizeof WORD_1 - 1; n++) {
		memcpy(cut, WORD_1, n);
		cut[n] = '\0';
		assert_false(dr_eth_hash(cut, hash));
		assert_int_equal(
		    dr_eth_address(cut, hash), n == DR_ETH_ADDRESS_TEXT - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantities_have_one_form),
		cmocka_unit_test(addresses_and_hashes_come_out_in_lower_case),
		cmocka_unit_test(words_above_the_largest_number_are_told),
		cmocka_unit_test(a_transfer_to_the_treasury_is_read_and_nothing_else),
		cmocka_unit_test(no_cut_of_a_word_is_taken_for_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
