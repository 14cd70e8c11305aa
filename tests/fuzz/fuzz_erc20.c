/*
 * Any bytes as what a chain's node says of a log, a field per line (contract, data,
 * topics): what is taken for a transfer is one, every text that is accepted comes out
 * in its one form, and that form is accepted again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dr_assert.h"
#include "base/mem.h"
#include "ethereum/erc20.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define TOKEN      "0x036cbd53842c5426634e7929541ec2318f3dcf7e"
#define TREASURY   "0x00000000000000000000000000000000c0ffee01"
#define MAX_FIELDS 8

static bool
is_hex(const char *text, size_t digits)
{
	return strlen(text) == digits + 2 && strncmp(text, "0x", 2) == 0 &&
	       strspn(text + 2, "0123456789abcdef") == digits;
}

static void
check_text(const char *text)
{
	char hash[DR_ETH_HASH_TEXT], address[DR_ETH_ADDRESS_TEXT],
	    again[DR_ETH_HASH_TEXT];
	int64_t n;
	bool fits;

	if (dr_eth_quantity(text, &n))
		DR_ASSERT(n >= 0 && strlen(text) <= 18);
	if (dr_eth_hash(text, hash)) {
		DR_ASSERT(is_hex(hash, 64) && dr_eth_hash(hash, again));
		DR_ASSERT(strcmp(hash, again) == 0);
		DR_ASSERT(dr_eth_word(text, &n, &fits) && n >= 0);
		DR_ASSERT(fits || n == INT64_MAX);
	} else {
		DR_ASSERT(!dr_eth_word(text, &n, &fits));
	}
	if (dr_eth_address(text, address)) {
		DR_ASSERT(is_hex(address, 40));
		dr_eth_address_topic(address, hash);
		DR_ASSERT(is_hex(hash, 64) && dr_eth_topic_address(hash, again));
		DR_ASSERT(strcmp(address, again) == 0);
	}
	if (dr_eth_topic_address(text, address))
		DR_ASSERT(is_hex(address, 40) && dr_eth_hash(text, hash));
}

static void
check_log(const char *const *fields, size_t n)
{
	struct dr_erc20_log log = { n > 0 ? fields[0] : NULL, fields + 2,
		n > 2 ? n - 2 : 0, n > 1 ? fields[1] : NULL };
	struct dr_erc20_transfer transfer = { .units = -1 };

	if (dr_erc20_read(&log, TOKEN, TREASURY, &transfer) != DR_ERC20_OK)
		return;
	DR_ASSERT(log.n_topics == 3 && is_hex(transfer.from, 40));
	DR_ASSERT(strcmp(transfer.to, TREASURY) == 0 && transfer.units >= 0);
	DR_ASSERT(transfer.fits || transfer.units == INT64_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *fields[MAX_FIELDS + 2] = { NULL };
	char *text = dr_malloc(size + 1), *at = text;
	size_t n = 0;

	memcpy(text, bytes, size);
	text[size] = '\0';
	while (at != NULL && n < MAX_FIELDS) {
		char *end = strchr(at, '\n');

		if (end != NULL)
			*end++ = '\0';
		check_text(at);
		fields[n++] = at;
		at = end;
	}
	check_log(fields, n);
	free(text);
	return 0;
}
