/*
 * Keccak-256 against what viem makes of the same bytes, around the ends of its blocks
 * of 136 bytes; and that it does not matter how the bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/dr_assert.h"
#include "base/hex.h"
#include "ethereum/keccak.h"

static void
assert_hash(const uint8_t hash[DR_KECCAK_BYTES], const char *expected)
{
	char text[2 * DR_KECCAK_BYTES + 1] = "";

	dr_hex_write(hash, DR_KECCAK_BYTES, text);
	assert_string_equal(text, expected);
}

/* The bytes are (7 * i + n) % 256. */
static const struct {
	size_t n;
	const char *hash;
} rows[] = {
	{ 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" },
	{ 1, "5fe7f977e71dba2ea1a68e21057beebb9be2ac30c6410aa38d4f3fbe41dcffd2" },
	{ 3, "7d228cdb40e661b0731cd20c876de675137701233a19b450a36e53a053407a22" },
	{ 55, "546a7fe6ccfdaf2fb18c8725219ad2041f386774722f4f2dcb3b2793bfa58b7e" },
	{ 134, "8884d266ac61dea6a59234e679bb56fd1bf116a05634f2e8de1b7224302bc122" },
	{ 135, "8ab570337c9a3a773c3605160ca58e3f0546d92d217c908669cc4f35a31933bc" },
	{ 136, "16b30a6be318a7acbcba7a2194789f628abf68dfbbf55a4d840f22f6a4d29efd" },
	{ 137, "6a7e8293441d51be41bf4994995b35981f90c07866c7fd0465f405e2b7a8f8dd" },
	{ 271, "bb02bca6be57f42d131406260c6f1a81fd9922af8bd1c96d78f454b19ae10add" },
	{ 272, "443464c0c3ac8036d14a6f8647fc93b592d514adefbe88683cbbda3b4b2c4553" },
	{ 273, "73d5960773e36742ead7c872d84d535f35e75b9517ccb1023491276013f88890" },
	{ 1000, "5cab097db1a529f5b1a15428cc494df950671bc3824340aad89941fa68e151bc" },
};

static void
hashes_are_those_of_ethereum(void **state)
{
	uint8_t bytes[1000], hash[DR_KECCAK_BYTES];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		for (size_t j = 0; j < rows[i].n; j++)
			bytes[j] = (uint8_t)(7 * j + rows[i].n);
		dr_keccak256(bytes, rows[i].n, hash);
		assert_hash(hash, rows[i].hash);
	}
}

static void
events_have_the_topics_that_chains_use(void **state)
{
	static const char transfer[] = "Transfer(address,address,uint256)";
	uint8_t hash[DR_KECCAK_BYTES];

	(void)state;
	dr_keccak256(transfer, strlen(transfer), hash);
	assert_hash(
	    hash, "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

static void
cuts_do_not_matter(void **state)
{
	uint8_t bytes[300], whole[DR_KECCAK_BYTES], hash[DR_KECCAK_BYTES];
	struct dr_keccak keccak;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	dr_keccak256(bytes, sizeof bytes, whole);
	for (size_t cut = 0; cut <= sizeof bytes; cut++) {
		dr_keccak_init(&keccak);
		dr_keccak_add(&keccak, bytes, cut);
		dr_keccak_add(&keccak, bytes + cut, sizeof bytes - cut);
		dr_keccak_end(&keccak, hash);
		assert_memory_equal(hash, whole, sizeof hash);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_ethereum),
		cmocka_unit_test(events_have_the_topics_that_chains_use),
		cmocka_unit_test(cuts_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
