/*
 * chains - the chains on which USDC deposits are taken, read from chains.json.
 *
 * Addresses are in lower case. The addresses of nodes may hold a key: they are read
 * from the file, or from where the file points, only when dr_chain_url() is asked,
 * and never logged.
 */
#ifndef DR_CHAINS_H
#define DR_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "config/settings.h"

#define DR_CHAIN_ADDRESS_TEXT 43
#define DR_CHAIN_MAX_RPC      8
#define DR_CHAIN_MAX_NAME     32

enum dr_chain_policy { DR_CHAIN_BLOCKS, DR_CHAIN_SAFE, DR_CHAIN_FINALIZED };

struct dr_chain {
	int64_t id; /* as eth_chainId says */
	char name[DR_CHAIN_MAX_NAME + 1];
	char usdc[DR_CHAIN_ADDRESS_TEXT], treasury[DR_CHAIN_ADDRESS_TEXT];
	enum dr_chain_policy policy;
	int64_t confirmations; /* with DR_CHAIN_BLOCKS; the block itself is one */
	int64_t
	    finalized_above; /* nano-USD: deposits above wait for finality; 0: none */
	int64_t start_block; /* deposits before it are not ours */
	int64_t min_deposit; /* nano-USD; less is recorded, not credited */
	char *explorer;      /* owned: "https://basescan.org/tx/"; "" none */
	char *rpc[DR_CHAIN_MAX_RPC]; /* owned: a URL, "env:NAME" or "file:PATH" */
	size_t n_rpc;                /* >= 1 */
	bool enabled;
};

struct dr_chains {
	unsigned magic;
#define DR_CHAINS_MAGIC 0xc4a10501
	struct dr_chain *all; /* owned; in the file's order */
	size_t n;
};

/* `path` "": no chains. NULL: every mistake was told with file, line and field. */
struct dr_chains *dr_chains_load(
    const char *path, dr_report *report, void *report_arg) DR_MUSTCHECK;
void dr_chains_free(struct dr_chains **chains); /* NULL is fine */

/* NULL where there is none that is enabled. */
const struct dr_chain *dr_chains_find(const struct dr_chains *chains, int64_t id);

/*
 * The URL of endpoint i; the caller wipes and frees it. NULL: it cannot be read or is
 * neither https nor http to a loopback address; one line in err, without the URL.
 */
char *dr_chain_url(
    const struct dr_chain *chain, size_t i, char *err, size_t err_size) DR_MUSTCHECK;

#endif
