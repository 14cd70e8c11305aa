/*
 * deposits_heads - the part of the duty deposits that asks a node who it is and how far
 * it has come, and finds out about re-organisations.
 *
 * Checkpoints are the last blocks of the ranges that were looked through. Where the
 * node has another block than the newest of them, everything above the newest one that
 * it has too is looked through again; a node that merely lacks blocks is behind, and
 * changes nothing.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "operator/deposits_priv.h"
#include "scripts/scripts.h"

/* ---- re-organisations ---- */

static void
on_rewound(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK)
		dr_follow_store_failed(f, err);
	else if (dr_reply_int(reply, 0) != 1)
		dr_follow_fail(f, "another watcher moved the cursor");
	else
		dr_follow_scan(f, false);
}

static void
rewind_to(struct follow *f, int64_t ancestor)
{
	char state[FOLLOW_KEY_SIZE], checkpoints[FOLLOW_KEY_SIZE], old[24], next[24],
	    above[24];
	const char *words[] = { state, checkpoints, "next", old, next, "", above, "" };

	dr_log_warn(watcher,
	    "deposits: %s: the chain was re-organised above block %" PRId64,
	    f->chain->name, ancestor);
	dr_follow_key(f, state, "state", "");
	dr_follow_key(f, checkpoints, "checkpoints", "");
	snprintf(old, sizeof old, "%" PRId64, f->next);
	f->next = ancestor + 1;
	snprintf(next, sizeof next, "%" PRId64, f->next);
	snprintf(above, sizeof above, "%" PRId64, ancestor);
	f->call = (struct dr_store_call){ .done = on_rewound };
	dr_follow_eval(
	    f, &dr_script_deposit_advance, 2, words, DR_N_ELEMENTS(words), &f->call);
}

static void
on_walk(void *arg, const char *why)
{
	struct follow *f = arg;
	char hashes[FOLLOW_CHECKPOINTS][DR_ETH_HASH_TEXT];
	struct dr_scan_block block;
	size_t at = 0;

	DR_CHECK(f, FOLLOW_MAGIC);
	for (size_t i = 0; why == NULL && i < f->n_checkpoints; i++) {
		hashes[i][0] = '\0';
		why = dr_rpc_error(f->rpc, i);
		if (why != NULL || dr_rpc_result(f->rpc, i) == NULL)
			continue;
		why = dr_scan_block(dr_rpc_result(f->rpc, i), &block);
		if (why == NULL && block.number != f->checkpoints[i].number)
			why = "block: number is not what was asked for";
		memcpy(hashes[i], block.hash, sizeof hashes[i]);
	}
	if (why == NULL)
		why = dr_scan_ancestor(f->checkpoints,
		    (const char(*)[DR_ETH_HASH_TEXT])hashes, f->n_checkpoints, &at);
	if (why != NULL)
		dr_follow_fail(f, why);
	else if (at == 0)
		dr_follow_scan(f, false);
	else if (at < f->n_checkpoints)
		rewind_to(f, f->checkpoints[at].number);
	else /* what is final stays; at the worst everything is looked through again */
		rewind_to(f, (f->final_next < f->next ? f->final_next : f->next) - 1);
}

static void
walk(struct follow *f)
{
	dr_rpc_begin(f->rpc);
	for (size_t i = 0; i < f->n_checkpoints; i++)
		dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"0x%" PRIx64 "\",false]",
		    (uint64_t)f->checkpoints[i].number);
	dr_rpc_send(f->rpc, f->watcher->config->settings, on_walk, f);
}

/* ---- heads ---- */

/* A tag that the node does not know leaves -1: nothing is safe or final. */
static const char *
take_tag(struct follow *f, size_t call, int64_t *out)
{
	struct dr_scan_block block;
	const char *why;

	*out = -1;
	if (dr_rpc_error(f->rpc, call) != NULL || dr_rpc_result(f->rpc, call) == NULL)
		return NULL;
	why = dr_scan_block(dr_rpc_result(f->rpc, call), &block);
	if (why == NULL)
		*out = block.number;
	return why;
}

/* Is this the token, on the chain, that the file says? Each node is asked, each time:
 * the answers cost nothing beside the others of the batch. */
static const char *
check_node(struct follow *f)
{
	struct json_object *code = dr_rpc_result(f->rpc, 4);
	struct json_object *decimals = dr_rpc_result(f->rpc, 5);
	int64_t id, n;
	bool fits;

	for (size_t i = 0; i < 6; i++)
		if (i != 2 && i != 3 && dr_rpc_error(f->rpc, i) != NULL)
			return dr_rpc_error(f->rpc, i);
	if (dr_scan_quantity(dr_rpc_result(f->rpc, 0), &id) != NULL)
		return "eth_chainId: not a quantity";
	if (id != f->chain->id)
		return "eth_chainId: the node is on another chain: nothing is credited";
	if (dr_scan_quantity(dr_rpc_result(f->rpc, 1), &f->heads.head) != NULL)
		return "eth_blockNumber: not a quantity";
	if (!json_object_is_type(code, json_type_string) ||
	    strlen(json_object_get_string(code)) < 4)
		return "eth_getCode: there is no contract at the address of usdc";
	if (!json_object_is_type(decimals, json_type_string) ||
	    !dr_eth_word(json_object_get_string(decimals), &n, &fits) || n != 6)
		return "decimals(): the token at the address of usdc has not six";
	return NULL;
}

static void
begin_following(struct follow *f)
{
	int64_t old = f->heads.head - f->chain->start_block;
	int64_t most = f->watcher->config->settings->deposits_replay_above;
	char key[FOLLOW_KEY_SIZE], start[24];
	struct dr_arg words[] = { { "HSET", 4 }, { key, 0 }, { "next", 4 },
		{ start, 0 }, { "final_next", 10 }, { start, 0 } };

	if (old > most && !f->watcher->replay) {
		dr_follow_fail(f,
		    "nothing is known of this chain, but its start_block is old: Redis may be lost; "
		    "restore it, or start with --replay");
		return;
	}
	dr_follow_key(f, key, "state", "");
	snprintf(start, sizeof start, "%" PRId64, f->chain->start_block);
	words[1].len = strlen(key);
	words[3].len = words[5].len = strlen(start);
	f->next = f->final_next = f->chain->start_block;
	dr_store_command(f->watcher->store, key, words, 6, NULL);
	dr_follow_scan(f, false);
}

static void
on_heads(void *arg, const char *why)
{
	struct follow *f = arg;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (why == NULL)
		why = check_node(f);
	if (why == NULL)
		why = take_tag(f, 2, &f->heads.safe);
	if (why == NULL)
		why = take_tag(f, 3, &f->heads.finalized);
	if (why != NULL) {
		dr_follow_fail(f, why);
		return;
	}
	if (f->heads.finalized > f->heads.head)
		f->heads.finalized = f->heads.head;
	if (f->next < 0)
		begin_following(f);
	else if (f->n_checkpoints > 0)
		walk(f);
	else
		dr_follow_scan(f, false);
}

void
dr_follow_heads(struct follow *f)
{
	dr_rpc_begin(f->rpc);
	dr_rpc_call(f->rpc, "eth_chainId", "[]");
	dr_rpc_call(f->rpc, "eth_blockNumber", "[]");
	dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"safe\",false]");
	dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"finalized\",false]");
	dr_rpc_call(f->rpc, "eth_getCode", "[\"%s\",\"latest\"]", f->chain->usdc);
	dr_rpc_call(f->rpc, "eth_call",
	    "[{\"to\":\"%s\",\"data\":\"" DR_ERC20_CALL_DECIMALS "\"},\"latest\"]",
	    f->chain->usdc);
	dr_rpc_send(f->rpc, f->watcher->config->settings, on_heads, f);
}
