/*
 * deposits_scan - the part of the duty deposits that looks through blocks for
 * transfers: new ones, and a second time those that became final.
 *
 * A range counts as looked through only once every transfer in it stands in Redis: the
 * cursor moves last, so that whoever dies in between begins the range again.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "operator/deposits_priv.h"
#include "scripts/scripts.h"

#define RECEIPTS 50 /* in one batch */

static void ask_range(struct follow *f);

static int64_t
cursor(const struct follow *f)
{
	return f->final_pass ? f->final_next : f->next;
}

/* ---- the cursor ---- */

static void
on_advanced(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	if (dr_reply_int(reply, 0) != 1) {
		dr_follow_fail(f, "another watcher moved the cursor");
		return;
	}
	if (f->final_pass)
		f->final_next = f->to + 1;
	else
		f->next = f->to + 1;
	f->span = dr_scan_grow(f->span, f->watcher->config->settings->chain_range);
	ask_range(f);
}

static void
advance(struct follow *f)
{
	char state[FOLLOW_KEY_SIZE], checkpoints[FOLLOW_KEY_SIZE], old[24], next[24],
	    point[112] = "", below[24] = "";
	const char *words[] = { state, checkpoints,
		f->final_pass ? "final_next" : "next", old, next, point, "", below };

	dr_follow_key(f, state, "state", "");
	dr_follow_key(f, checkpoints, "checkpoints", "");
	snprintf(old, sizeof old, "%" PRId64, cursor(f));
	snprintf(next, sizeof next, "%" PRId64, f->to + 1);
	if (!f->final_pass)
		snprintf(point, sizeof point, "%" PRId64 " %s", f->last.number,
		    f->last.hash);
	f->call = (struct dr_store_call){ .done = on_advanced };
	dr_follow_eval(
	    f, &dr_script_deposit_advance, 2, words, DR_N_ELEMENTS(words), &f->call);
}

/* ---- into Redis ---- */

static void
on_seen(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);
	struct follow *f = item->follow;

	(void)reply;
	DR_CHECK(f, FOLLOW_MAGIC);
	f->store_failed = f->store_failed || err != DR_OK;
	if (--f->n_open > 0)
		return;
	if (f->store_failed)
		dr_follow_store_failed(f, DR_ERR_STORE_DOWN);
	else
		advance(f);
}

void
dr_follow_seen(struct follow *f, struct follow_item *item,
    const struct dr_scan_log *log, struct dr_store_call *call)
{
	char keys[5][FOLLOW_KEY_SIZE], units[24], amount[24], block[24], index[24];
	int64_t nano = dr_scan_nano(&log->transfer);
	const char *why = nano < 0                       ? "above 2^53"
			  : nano < f->chain->min_deposit ? "below min_deposit"
							 : "";
	const char *words[] = { keys[0], keys[1], keys[2], keys[3], keys[4], item->id,
		log->transfer.from, units, amount, block, log->block.hash, index,
		item->account, why };

	dr_follow_key(f, keys[0], "tx:", item->id);
	dr_follow_key(f, keys[1], "open", "");
	dr_follow_key(f, keys[2], "all", "");
	dr_follow_key(f, keys[3], "senders", "");
	dr_follow_key(f, keys[4], "unclaimed:", log->transfer.from);
	snprintf(units, sizeof units, "%" PRId64, log->transfer.units);
	snprintf(amount, sizeof amount, "%" PRId64, nano);
	snprintf(block, sizeof block, "%" PRId64, log->block.number);
	snprintf(index, sizeof index, "%" PRId64, log->log_index);
	dr_follow_eval(
	    f, &dr_script_deposit_seen, 5, words, DR_N_ELEMENTS(words), call);
}

static void
write_seen(struct follow *f)
{
	f->n_open = f->n_items;
	f->store_failed = false;
	f->pending = true; /* it may be; the next rounds come soon */
	for (size_t i = 0; i < f->n_items; i++) {
		f->items[i].call = (struct dr_store_call){ .done = on_seen };
		dr_follow_seen(f, &f->items[i], &f->items[i].log, &f->items[i].call);
	}
}

static void
on_resolved(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);
	struct follow *f = item->follow;

	DR_CHECK(f, FOLLOW_MAGIC);
	f->store_failed = f->store_failed || err != DR_OK;
	if (err == DR_OK)
		snprintf(item->account, sizeof item->account, "%s",
		    dr_reply_string(reply, NULL));
	if (--f->n_open > 0)
		return;
	if (f->store_failed)
		dr_follow_store_failed(f, DR_ERR_STORE_DOWN);
	else
		write_seen(f);
}

static void
resolve_all(struct follow *f)
{
	f->n_open = f->n_items;
	f->store_failed = false;
	for (size_t i = 0; i < f->n_items; i++) {
		f->items[i].call = (struct dr_store_call){ .done = on_resolved };
		dr_follow_resolve(f, f->items[i].log.transfer.from, &f->items[i].call);
	}
}

/* ---- receipts ---- */

static void ask_receipts(struct follow *f);

static void
on_receipts(void *arg, const char *why)
{
	struct follow *f = arg;

	DR_CHECK(f, FOLLOW_MAGIC);
	for (size_t i = 0; why == NULL && i < f->chunk; i++) {
		struct follow_item *item = &f->items[f->at + i];

		why = dr_rpc_error(f->rpc, i);
		if (why == NULL && dr_rpc_result(f->rpc, i) == NULL)
			why = "receipt: none for a log that the node gave";
		if (why == NULL)
			why = dr_scan_position(dr_rpc_result(f->rpc, i), f->chain,
			    &item->log, &item->position);
		if (why == NULL)
			snprintf(item->id, sizeof item->id, "%s:%zu", item->log.tx,
			    item->position);
	}
	if (why != NULL) {
		dr_follow_fail(f, why);
		return;
	}
	f->at += f->chunk;
	ask_receipts(f);
}

static void
ask_receipts(struct follow *f)
{
	size_t left = f->n_items - f->at;

	if (left == 0) {
		resolve_all(f);
		return;
	}
	f->chunk = left < RECEIPTS ? left : RECEIPTS;
	dr_rpc_begin(f->rpc);
	for (size_t i = 0; i < f->chunk; i++)
		dr_rpc_call(f->rpc, "eth_getTransactionReceipt", "[\"%s\"]",
		    f->items[f->at + i].log.tx);
	dr_rpc_send(f->rpc, f->watcher->config->settings, on_receipts, f);
}

/* ---- logs ---- */

static const char *
take_logs(struct follow *f, struct json_object *list)
{
	const char *why;
	size_t n;

	if (!json_object_is_type(list, json_type_array))
		return "eth_getLogs: result is no array";
	n = json_object_array_length(list);
	free(f->items);
	f->items = dr_calloc(n + 1, sizeof *f->items);
	f->n_items = f->at = 0;
	for (size_t i = 0; i < n; i++) {
		struct follow_item *item = &f->items[f->n_items];
		bool ours;

		why = dr_scan_log(json_object_array_get_idx(list, i), f->chain, f->from,
		    f->to, &item->log, &ours);
		if (why != NULL)
			return why;
		if (item->log.block.number == f->to &&
		    strcmp(item->log.block.hash, f->last.hash) != 0)
			return "log: blockHash is not the block's (moved meanwhile)";
		item->follow = f;
		f->n_items += ours;
	}
	return NULL;
}

static void
on_range(void *arg, const char *why)
{
	struct follow *f = arg;
	struct dr_scan_block again;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (why == NULL && dr_rpc_error(f->rpc, 1) != NULL && f->to > f->from) {
		f->span = dr_scan_halve(f->to - f->from + 1);
		ask_range(f);
		return;
	}
	for (size_t i = 0; why == NULL && i < 3; i++)
		why = dr_rpc_error(f->rpc, i);
	if (why == NULL)
		why = dr_scan_block(dr_rpc_result(f->rpc, 0), &f->last);
	if (why == NULL)
		why = dr_scan_block(dr_rpc_result(f->rpc, 2), &again);
	if (why == NULL && (f->last.number != f->to || again.number != f->to))
		why = "block: number is not what was asked for";
	if (why == NULL && strcmp(f->last.hash, again.hash) != 0)
		why = "block: hash changed between two calls";
	if (why == NULL)
		why = take_logs(f, dr_rpc_result(f->rpc, 1));
	if (why != NULL)
		dr_follow_fail(f, why);
	else if (f->n_items > 0)
		ask_receipts(f);
	else
		advance(f);
}

static void
ask_range(struct follow *f)
{
	char topic[DR_ETH_HASH_TEXT];
	int64_t end = f->final_pass ? f->heads.finalized : f->heads.head;

	f->from = cursor(f);
	if (f->from > end) {
		dr_follow_scanned(f);
		return;
	}
	f->to = end - f->from < f->span ? end : f->from + f->span - 1;
	dr_eth_address_topic(f->chain->treasury, topic);
	dr_rpc_begin(f->rpc);
	dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"0x%" PRIx64 "\",false]",
	    (uint64_t)f->to);
	dr_rpc_call(f->rpc, "eth_getLogs",
	    "[{\"fromBlock\":\"0x%" PRIx64 "\",\"toBlock\":\"0x%" PRIx64
	    "\",\"address\":\"%s\",\"topics\":[\"" DR_ERC20_TRANSFER
	    "\",null,\"%s\"]}]",
	    (uint64_t)f->from, (uint64_t)f->to, f->chain->usdc, topic);
	dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"0x%" PRIx64 "\",false]",
	    (uint64_t)f->to);
	dr_rpc_send(f->rpc, f->watcher->config->settings, on_range, f);
}

void
dr_follow_scan(struct follow *f, bool final_pass)
{
	f->final_pass = final_pass;
	ask_range(f);
}
