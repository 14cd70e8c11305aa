/*
 * deposits_review - the part of the duty deposits that looks at receipts again: of
 * those that wait for confirmations, and of all that are not final yet.
 *
 * Money moves first, on the account's slot, once per generation of a deposit; its own
 * status is set after. Whoever dies in between is followed by somebody who does both
 * again, the first to no effect. A credited one is credited again, to no effect, each
 * time its receipt is found: so a Redis that lost the credit gets it back.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "operator/deposits_priv.h"
#include "scripts/scripts.h"

#define BATCH          50
#define MISSING_ROUNDS 3 /* in a row before a deposit is given up */

static void ask_batch(struct follow *f);

static bool
is(const struct follow_item *item, const char *status)
{
	return strcmp(item->status, status) == 0;
}

/* ---- what Redis has ---- */

static const char *
field(const struct dr_reply *row, const char *name)
{
	for (size_t i = 1; i + 1 < dr_reply_count(row); i += 2)
		if (strcmp(dr_reply_string(dr_reply_at(row, i), NULL), name) == 0)
			return dr_reply_string(dr_reply_at(row, i + 1), NULL);
	return "";
}

static bool
take_row(struct follow_item *item, const struct dr_reply *row)
{
	const char *id = dr_reply_string(dr_reply_at(row, 0), NULL);
	const char *colon = strchr(id, ':');
	char tx[DR_ETH_HASH_TEXT];

	if (colon == NULL || colon - id != DR_ETH_HASH_TEXT - 1)
		return false;
	snprintf(tx, sizeof tx, "%s", id);
	snprintf(item->id, sizeof item->id, "%s", id);
	item->position = strtoul(colon + 1, NULL, 10);
	snprintf(item->status, sizeof item->status, "%s", field(row, "status"));
	snprintf(
	    item->generation, sizeof item->generation, "%s", field(row, "generation"));
	snprintf(item->account, sizeof item->account, "%s", field(row, "account"));
	item->nano = strtoll(field(row, "nano"), NULL, 10);
	item->log.block.number = strtoll(field(row, "block"), NULL, 10);
	item->log.log_index = strtoll(field(row, "log_index"), NULL, 10);
	item->log.transfer.units = strtoll(field(row, "units"), NULL, 10);
	return dr_eth_hash(tx, item->log.tx) &&
	       dr_eth_hash(field(row, "block_hash"), item->log.block.hash) &&
	       dr_eth_address(field(row, "from"), item->log.transfer.from);
}

void
dr_follow_take_open(struct follow *f, const struct dr_reply *rows)
{
	size_t n = dr_reply_count(rows);

	free(f->reviews);
	f->reviews = dr_calloc(n + 1, sizeof *f->reviews);
	f->n_reviews = 0;
	for (size_t i = 0; i < n; i++) {
		struct follow_item *item = &f->reviews[f->n_reviews];

		item->follow = f;
		if (!take_row(item, dr_reply_at(rows, i))) {
			dr_log_error(watcher,
			    "deposits: %s: Redis holds a deposit that cannot be read: %.90s",
			    f->chain->name,
			    dr_reply_string(
				dr_reply_at(dr_reply_at(rows, i), 0), NULL));
			continue;
		}
		f->pending = f->pending || is(item, "pending");
		if (!is(item, "pending") || dr_scan_confirmed(f->chain, item->nano,
						item->log.block.number, &f->heads))
			f->n_reviews++;
		else
			*item = (struct follow_item){ 0 };
	}
}

/* ---- the end of an item ---- */

static void
item_over(struct follow_item *item, enum dr_error err)
{
	struct follow *f = item->follow;

	f->store_failed = f->store_failed || err != DR_OK;
	if (--f->n_open > 0)
		return;
	if (f->store_failed) {
		dr_follow_store_failed(f, DR_ERR_STORE_DOWN);
		return;
	}
	f->at += f->chunk;
	ask_batch(f);
}

static void
on_marked(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	(void)reply;
	item_over(DR_CONTAINER_OF(call, struct follow_item, call), err);
}

static void
mark(struct follow_item *item, const char *what,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *))
{
	struct follow *f = item->follow;
	char keys[4][FOLLOW_KEY_SIZE], node[24];
	const char *words[] = { keys[0], keys[1], keys[2], keys[3], item->id,
		item->log.transfer.from, item->status, item->generation, what, node };

	dr_follow_key(f, keys[0], "tx:", item->id);
	dr_follow_key(f, keys[1], "open", "");
	dr_follow_key(f, keys[2], "senders", "");
	dr_follow_key(f, keys[3], "unclaimed:", item->log.transfer.from);
	snprintf(node, sizeof node, "%zu", dr_rpc_node(f->rpc));
	item->call = (struct dr_store_call){ .done = done };
	dr_follow_eval(
	    f, &dr_script_deposit_mark, 4, words, DR_N_ELEMENTS(words), &item->call);
}

/* ---- credited, or taken back ---- */

/* The account is not there, or too rich: told each round, until somebody looks. */
static bool
refused(struct follow_item *item, const struct dr_reply *reply)
{
	const char *why = dr_reply_string(reply, NULL);

	if (dr_reply_type(reply) == DR_REPLY_ARRAY)
		return false;
	dr_log_error(watcher, "deposits: %s: %s cannot be booked to account %s: %s",
	    item->follow->chain->name, item->id, item->account,
	    strcmp(why, "RANGE") == 0 ? "its balance would be above 2^53"
				      : "there is no such account");
	return true;
}

static void
on_credited(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);
	struct follow *f = item->follow;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK || refused(item, reply)) {
		item_over(item, err);
		return;
	}
	if (dr_reply_int(dr_reply_at(reply, 1), 0) == 1)
		dr_log_info(watcher,
		    "deposits: %s: %s credited to account %s: %" PRId64 " nano-USD",
		    f->chain->name, item->id, item->account, item->nano);
	mark(item,
	    is(item, "pending")                            ? "credited"
	    : item->log.block.number <= f->heads.finalized ? "final"
							   : "good",
	    on_marked);
}

static void
on_reversed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);

	DR_CHECK(item->follow, FOLLOW_MAGIC);
	if (err != DR_OK || refused(item, reply)) {
		item_over(item, err);
		return;
	}
	dr_log_warn(watcher,
	    "deposits: %s: %s is gone from the chain: taken back from account %s",
	    item->follow->chain->name, item->id, item->account);
	mark(item, "reversed", on_marked);
}

static void
book(struct follow_item *item, bool credit)
{
	struct follow *f = item->follow;
	char id[FOLLOW_ID_SIZE + 24], nano[24], reason[160];
	const char *credit_words[] = { id, item->generation, nano, reason };
	const char *reverse_words[] = { id, item->generation, reason };

	snprintf(id, sizeof id, "%" PRId64 ":%s", f->chain->id, item->id);
	snprintf(nano, sizeof nano, "%" PRId64, item->nano);
	snprintf(reason, sizeof reason, "%s: USDC on %s, transaction %s",
	    credit ? "deposit" : "gone from the chain", f->chain->name, item->log.tx);
	item->call =
	    (struct dr_store_call){ .done = credit ? on_credited : on_reversed };
	if (credit)
		dr_follow_eval_account(f, item->account, &dr_script_deposit_credit,
		    credit_words, DR_N_ELEMENTS(credit_words), &item->call);
	else
		dr_follow_eval_account(f, item->account, &dr_script_deposit_reverse,
		    reverse_words, DR_N_ELEMENTS(reverse_words), &item->call);
}

static void
on_missing(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);
	struct follow *f = item->follow;
	int64_t nodes = dr_rpc_nodes(f->rpc) > 1 ? 2 : 1;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK || dr_reply_int(dr_reply_at(reply, 0), 0) < MISSING_ROUNDS ||
	    dr_reply_int(dr_reply_at(reply, 1), 0) < nodes)
		item_over(item, err);
	else if (is(item, "credited"))
		book(item, false);
	else
		mark(item, "orphaned", on_marked);
}

/* ---- verdicts ---- */

static void
act(struct follow_item *item, const struct dr_scan_log *now)
{
	struct follow *f = item->follow;

	switch (item->verdict) {
	case DR_SCAN_THERE:
		if (is(item, "unclaimed"))
			mark(item,
			    item->log.block.number <= f->heads.finalized ? "final"
									 : "good",
			    on_marked);
		else
			book(item, true);
		break;
	case DR_SCAN_MOVED:
		item->call = (struct dr_store_call){ .done = on_marked };
		dr_follow_seen(f, item, now, &item->call);
		f->pending = true;
		break;
	case DR_SCAN_GONE:
		f->rotate = f->pending = true; /* what does another node say, soon? */
		mark(item, "missing", on_missing);
		break;
	}
}

static void
on_batch(void *arg, const char *why)
{
	struct follow *f = arg;
	struct dr_scan_log now[BATCH];

	DR_CHECK(f, FOLLOW_MAGIC);
	for (size_t i = 0; why == NULL && i < f->chunk; i++) {
		struct follow_item *item = &f->reviews[f->at + i];

		why = dr_rpc_error(f->rpc, 2 * i);
		if (why == NULL)
			why = dr_rpc_error(f->rpc, 2 * i + 1);
		if (why == NULL)
			why = dr_scan_review(dr_rpc_result(f->rpc, 2 * i),
			    dr_rpc_result(f->rpc, 2 * i + 1), f->chain, &item->log,
			    item->position, &item->verdict, &now[i]);
	}
	if (why != NULL) {
		dr_follow_fail(f, why);
		return;
	}
	f->n_open = f->chunk;
	f->store_failed = false;
	for (size_t i = 0; i < f->chunk; i++)
		act(&f->reviews[f->at + i], &now[i]);
}

static void
ask_batch(struct follow *f)
{
	size_t left = f->n_reviews - f->at;

	if (left == 0) {
		dr_follow_reviewed(f);
		return;
	}
	f->chunk = left < BATCH ? left : BATCH;
	dr_rpc_begin(f->rpc);
	for (size_t i = 0; i < f->chunk; i++) {
		const struct dr_scan_log *log = &f->reviews[f->at + i].log;

		dr_rpc_call(f->rpc, "eth_getTransactionReceipt", "[\"%s\"]", log->tx);
		dr_rpc_call(f->rpc, "eth_getBlockByNumber", "[\"0x%" PRIx64 "\",false]",
		    (uint64_t)log->block.number);
	}
	dr_rpc_send(f->rpc, f->watcher->config->settings, on_batch, f);
}

void
dr_follow_review(struct follow *f)
{
	f->at = 0;
	ask_batch(f);
}
