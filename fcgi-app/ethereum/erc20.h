/*
 * erc20 - what an Ethereum node says, as numbers: quantities, hashes, addresses and
 * the event Transfer(address,address,uint256) of a token.
 *
 * Pure: no I/O, no memory of its own. Everything that is not exactly of the form that
 * the JSON-RPC specification gives is refused; hexadecimal digits may be of any case
 * and come out in lower case, so that equal things compare equal byte for byte.
 */
#ifndef DR_ERC20_H
#define DR_ERC20_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_ETH_HASH_TEXT    67 /* "0x", 64 digits, NUL */
#define DR_ETH_ADDRESS_TEXT 43 /* "0x", 40 digits, NUL */

/* keccak256("Transfer(address,address,uint256)"), the first topic of the event. */
#define DR_ERC20_TRANSFER                                                              \
	"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

/* decimals() */
#define DR_ERC20_CALL_DECIMALS "0x313ce567"

/* A quantity: "0x0", "0x1f"; no leading zeros, at most 2^63 - 1. */
bool dr_eth_quantity(const char *text, int64_t *out);
/* 32 bytes, in lower case. NULL is no text. */
bool dr_eth_hash(const char *text, char out[DR_ETH_HASH_TEXT]);
/* 20 bytes, in lower case. */
bool dr_eth_address(const char *text, char out[DR_ETH_ADDRESS_TEXT]);
/* The address in a topic: twelve zero bytes before it, or false. */
bool dr_eth_topic_address(const char *topic, char out[DR_ETH_ADDRESS_TEXT]);
/* The topic of an address, which is in lower case. */
void dr_eth_address_topic(const char *address, char out[DR_ETH_HASH_TEXT]);

/* A 256-bit word. True: it is one; *fits false where it is above INT64_MAX, *out then
 * being INT64_MAX. */
bool dr_eth_word(const char *text, int64_t *out, bool *fits);

struct dr_erc20_log {
	const char *address; /* of the contract that tells it */
	const char *const *topics;
	size_t n_topics;
	const char *data;
};

struct dr_erc20_transfer {
	char from[DR_ETH_ADDRESS_TEXT], to[DR_ETH_ADDRESS_TEXT];
	int64_t units; /* the token's smallest; INT64_MAX where `fits` is false */
	bool fits;
};

enum dr_erc20_result {
	DR_ERC20_OK,
	DR_ERC20_OTHER,    /* another contract, event or receiver, or nothing paid */
	DR_ERC20_MALFORMED /* it claims to be ours, but its form is wrong */
};

/*
 * Is the log a transfer of `token` to `treasury` (both in lower case)? The event has
 * two indexed addresses: three topics and one word, no more.
 */
enum dr_erc20_result dr_erc20_read(const struct dr_erc20_log *log, const char *token,
    const char *treasury, struct dr_erc20_transfer *out);

#endif
