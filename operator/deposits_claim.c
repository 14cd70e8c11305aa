/*
 * deposits_claim - the part of the duty deposits that says whose a transfer is: a
 * sender whose address is an account's proved wallet pays for that account. Transfers
 * that came before the wallet was proved are claimed when it is.
 *
 * A claim moves no money: it makes the deposit pending, and the review looks at its
 * receipt first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "operator/deposits_priv.h"
#include "scripts/scripts.h"

static void next_sender(struct follow *f);

void
dr_follow_resolve(struct follow *f, const char *from, struct dr_store_call *call)
{
	char key[FOLLOW_KEY_SIZE], chain[24];
	struct dr_arg words[] = { { key, 0 }, { chain, 0 } };

	snprintf(key, sizeof key, "wallet:{%s}", from);
	snprintf(chain, sizeof chain, "%lld", (long long)f->chain->id);
	words[0].len = strlen(key);
	words[1].len = strlen(chain);
	dr_store_eval(
	    f->watcher->store, key, &dr_script_wallet_owner, 1, words, 2, call);
}

static void
on_claimed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow_item *item = DR_CONTAINER_OF(call, struct follow_item, call);
	struct follow *f = item->follow;

	DR_CHECK(f, FOLLOW_MAGIC);
	f->store_failed = f->store_failed || err != DR_OK;
	if (err == DR_OK && strcmp(dr_reply_string(reply, NULL), "OK") == 0) {
		f->pending = true;
		dr_log_info(watcher, "deposits: %s: %s claimed by account %s",
		    f->chain->name, item->id, item->account);
	}
	if (--f->n_open > 0)
		return;
	if (f->store_failed)
		dr_follow_store_failed(f, DR_ERR_STORE_DOWN);
	else
		next_sender(f);
}

static void
claim(struct follow *f, struct follow_item *item, const char *from)
{
	char keys[4][FOLLOW_KEY_SIZE];
	const char *words[] = { keys[0], keys[1], keys[2], keys[3], item->id, from,
		item->account, "wallet", "the sender's wallet was proved" };

	dr_follow_key(f, keys[0], "tx:", item->id);
	dr_follow_key(f, keys[1], "open", "");
	dr_follow_key(f, keys[2], "senders", "");
	dr_follow_key(f, keys[3], "unclaimed:", from);
	item->follow = f;
	item->call = (struct dr_store_call){ .done = on_claimed };
	dr_follow_eval(
	    f, &dr_script_deposit_claim, 4, words, DR_N_ELEMENTS(words), &item->call);
}

static void
on_unclaimed(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);
	char account[FOLLOW_ACCOUNT];
	size_t n = dr_reply_count(reply);

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	snprintf(account, sizeof account, "%s", f->items[0].account);
	free(f->items);
	f->items = dr_calloc(n + 1, sizeof *f->items);
	f->n_items = f->n_open = n;
	f->store_failed = false;
	for (size_t i = 0; i < n; i++) {
		snprintf(f->items[i].id, sizeof f->items[i].id, "%s",
		    dr_reply_string(dr_reply_at(reply, i), NULL));
		snprintf(
		    f->items[i].account, sizeof f->items[i].account, "%s", account);
		claim(f, &f->items[i], f->senders[f->at - 1]);
	}
	if (n == 0)
		next_sender(f);
}

static void
on_owner(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);
	const char *account = dr_reply_string(reply, NULL);
	char key[FOLLOW_KEY_SIZE];
	struct dr_arg words[] = { { "SMEMBERS", 8 }, { key, 0 } };

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	if (account[0] == '\0') {
		next_sender(f);
		return;
	}
	free(f->items);
	f->items = dr_calloc(1, sizeof *f->items);
	f->n_items = 0;
	snprintf(f->items[0].account, sizeof f->items[0].account, "%s", account);
	dr_follow_key(f, key, "unclaimed:", f->senders[f->at - 1]);
	words[1].len = strlen(key);
	f->call = (struct dr_store_call){ .done = on_unclaimed };
	dr_store_command(f->watcher->store, key, words, 2, &f->call);
}

static void
next_sender(struct follow *f)
{
	if (f->at == f->n_senders) {
		dr_follow_claimed(f);
		return;
	}
	f->call = (struct dr_store_call){ .done = on_owner };
	dr_follow_resolve(f, f->senders[f->at++], &f->call);
}

void
dr_follow_claim(struct follow *f)
{
	f->at = 0;
	next_sender(f);
}
