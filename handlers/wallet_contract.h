/*
 * wallet_contract - is this signature that of a wallet which is a contract? Such a
 * wallet has no key of its own: its contract says, by isValidSignature(bytes32,bytes)
 * of ERC-1271, asked of the chain's nodes one after the other.
 *
 * A signature in the form of ERC-6492 is for a contract that does not exist yet; it
 * would have to be deployed to be asked, so it is refused by name.
 */
#ifndef DR_WALLET_CONTRACT_H
#define DR_WALLET_CONTRACT_H

#include <stdint.h>

#include "config/config.h"
#include "io/http_client.h"
#include "io/loop.h"

#define WALLET_CONTRACT_MAX_SIGNATURE 4096 /* bytes */

struct wallet_contract; /* one question */

struct wallet_contract_query {
	struct dr_loop *loop;
	struct dr_http *http;
	const struct dr_config *config;
	int64_t chain_id;
	const char *address; /* lower case */
	const char *message;
	size_t len;
	const char *signature; /* "0x" and digits */
};

enum wallet_contract_result {
	WALLET_CONTRACT_VALID,
	WALLET_CONTRACT_INVALID, /* `why` says it for the log */
	WALLET_CONTRACT_UNKNOWN  /* no node could be asked */
};

/*
 * Borrows what the query points at during the call. `done` runs once, from the loop,
 * never inside. NULL: refused without a question; `why` says it for the log.
 */
struct wallet_contract *wallet_contract_ask(const struct wallet_contract_query *query,
    void (*done)(void *arg, enum wallet_contract_result result, const char *why),
    void *arg, char *why, size_t why_size);
/* Cancels; NULL is fine. `done` may call it. */
void wallet_contract_free(struct wallet_contract **ask);

#endif
