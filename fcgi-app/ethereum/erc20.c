/*
 * erc20 - see the header. Reads text that a node may have made up: every digit is
 * looked at, nothing is guessed.
 */
#include "ethereum/erc20.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define WORD_DIGITS    64
#define ADDRESS_DIGITS 40

/* "0x" and exactly n digits, copied in lower case. */
static bool
copy_digits(const char *text, size_t n, char *out)
{
	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return false;
	memcpy(out, "0x", 2);
	for (size_t i = 2; i < n + 2; i++) {
		if (dr_hex_digit(text[i]) < 0)
			return false;
		out[i] = "0123456789abcdef"[dr_hex_digit(text[i])];
	}
	out[n + 2] = '\0';
	return text[n + 2] == '\0';
}

bool
dr_eth_quantity(const char *text, int64_t *out)
{
	uint64_t n = 0;
	size_t len = 0;

	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return false;
	for (text += 2; text[len] != '\0'; len++) {
		if (dr_hex_digit(text[len]) < 0 || n > (uint64_t)INT64_MAX >> 4)
			return false;
		n = n << 4 | (uint64_t)dr_hex_digit(text[len]);
	}
	if (len == 0 || (len > 1 && text[0] == '0'))
		return false;
	*out = (int64_t)n;
	return true;
}

bool
dr_eth_hash(const char *text, char out[DR_ETH_HASH_TEXT])
{
	return copy_digits(text, WORD_DIGITS, out);
}

bool
dr_eth_address(const char *text, char out[DR_ETH_ADDRESS_TEXT])
{
	return copy_digits(text, ADDRESS_DIGITS, out);
}

bool
dr_eth_topic_address(const char *topic, char out[DR_ETH_ADDRESS_TEXT])
{
	char word[DR_ETH_HASH_TEXT];

	if (!dr_eth_hash(topic, word))
		return false;
	for (size_t i = 2; i < 2 + WORD_DIGITS - ADDRESS_DIGITS; i++)
		if (word[i] != '0')
			return false;
	snprintf(
	    out, DR_ETH_ADDRESS_TEXT, "0x%s", word + 2 + WORD_DIGITS - ADDRESS_DIGITS);
	return true;
}

void
dr_eth_address_topic(const char *address, char out[DR_ETH_HASH_TEXT])
{
	snprintf(out, DR_ETH_HASH_TEXT, "0x%024d%.40s", 0, address + 2);
}

bool
dr_eth_word(const char *text, int64_t *out, bool *fits)
{
	char word[DR_ETH_HASH_TEXT];
	uint64_t n = 0;

	if (!dr_eth_hash(text, word))
		return false;
	*fits = true;
	for (size_t i = 2; i < WORD_DIGITS + 2 && *fits; i++) {
		*fits = n <= (uint64_t)INT64_MAX >> 4;
		n = n << 4 | (uint64_t)dr_hex_digit(word[i]);
	}
	*out = *fits ? (int64_t)n : INT64_MAX;
	return true;
}

enum dr_erc20_result
dr_erc20_read(const struct dr_erc20_log *log, const char *token, const char *treasury,
    struct dr_erc20_transfer *out)
{
	char address[DR_ETH_ADDRESS_TEXT], event[DR_ETH_HASH_TEXT];

	if (!dr_eth_address(log->address, address))
		return DR_ERC20_MALFORMED;
	if (strcmp(address, token) != 0 || log->n_topics == 0)
		return DR_ERC20_OTHER;
	if (!dr_eth_hash(log->topics[0], event))
		return DR_ERC20_MALFORMED;
	if (strcmp(event, DR_ERC20_TRANSFER) != 0)
		return DR_ERC20_OTHER;
	if (log->n_topics != 3 || !dr_eth_topic_address(log->topics[1], out->from) ||
	    !dr_eth_topic_address(log->topics[2], out->to) ||
	    !dr_eth_word(log->data, &out->units, &out->fits))
		return DR_ERC20_MALFORMED;
	/* anybody may move nothing in anybody's name: transferFrom() of zero asks no
	 * allowance */
	return strcmp(out->to, treasury) == 0 && out->units != 0 ? DR_ERC20_OK
								 : DR_ERC20_OTHER;
}
