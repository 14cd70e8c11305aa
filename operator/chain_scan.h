/*
 * chain_scan - what a node's answers say about deposits, and what follows from it.
 *
 * Pure: no I/O, no clock. Readers give NULL, or what is wrong as text that names the
 * field; such an answer is then an error of the node and decides nothing.
 */
#ifndef DR_CHAIN_SCAN_H
#define DR_CHAIN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/chains.h"
#include "ethereum/erc20.h"

struct json_object;

#define DR_NANO_PER_UNIT 1000 /* USDC has six decimals, money here nine */

struct dr_scan_block {
	int64_t number;
	char hash[DR_ETH_HASH_TEXT];
};

/* A transfer to the treasury, as eth_getLogs tells it. */
struct dr_scan_log {
	char tx[DR_ETH_HASH_TEXT];
	struct dr_scan_block block;
	int64_t log_index; /* counts per block: moves when the transaction moves */
	struct dr_erc20_transfer transfer;
};

const char *dr_scan_quantity(struct json_object *value, int64_t *out);
const char *dr_scan_block(struct json_object *value, struct dr_scan_block *out);

/* One element of eth_getLogs over from..to; *ours false where it is no deposit. */
const char *dr_scan_log(struct json_object *value, const struct dr_chain *chain,
    int64_t from, int64_t to, struct dr_scan_log *out, bool *ours);

/* Where among the logs of its receipt does `log` stand? Everything else must agree. */
const char *dr_scan_position(struct json_object *receipt, const struct dr_chain *chain,
    const struct dr_scan_log *log, size_t *position);

enum dr_scan_verdict {
	DR_SCAN_THERE, /* where it was seen, on the canonical chain */
	DR_SCAN_MOVED, /* in another block: *now says which */
	DR_SCAN_GONE   /* no receipt, or one without this transfer */
};

/*
 * Is a deposit still there? `block` is the node's block of the number where it was
 * seen, `receipt` what it has for the transaction now.
 */
const char *dr_scan_review(struct json_object *receipt, struct json_object *block,
    const struct dr_chain *chain, const struct dr_scan_log *seen, size_t position,
    enum dr_scan_verdict *verdict, struct dr_scan_log *now);

/* Nano-USD of a transfer; -1: more than 2^53. */
int64_t dr_scan_nano(const struct dr_erc20_transfer *transfer);

/* Heads of a chain; -1: not known. */
struct dr_scan_heads {
	int64_t head, safe, finalized;
};

/* May a deposit of `nano` in this block be credited? */
bool dr_scan_confirmed(const struct dr_chain *chain, int64_t nano, int64_t block,
    const struct dr_scan_heads *heads);

/*
 * Checkpoints, newest first, against the node's hashes of the same blocks ("": it has
 * no such block). NULL: *at is the first that agrees, n where none does. Text: the node
 * is behind; nothing has been re-organised as far as it shows.
 */
const char *dr_scan_ancestor(const struct dr_scan_block *checkpoints,
    const char (*hashes)[DR_ETH_HASH_TEXT], size_t n, size_t *at);

/* Range to ask for: halved when a node refuses, grown slowly when it does not. */
int64_t dr_scan_halve(int64_t span);
int64_t dr_scan_grow(int64_t span, int64_t most);

#endif
