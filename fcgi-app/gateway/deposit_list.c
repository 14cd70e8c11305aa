/*
 * deposit_list - see the header. The account's wallets first, then each chain's part of
 * the list, merged by when they were first seen. The keys are those of the duty
 * deposits of derouter-watcher (operator/README.md).
 */
#include "gateway/deposit_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/schema.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define KEY_SIZE     128
#define MOST_WALLETS 200 /* of an account; more are left out */

static bool ask(struct dr_deposits_read *read);

/* ---- one row ---- */

static const char *
field(const struct dr_reply *row, const char *name)
{
	for (size_t i = 0; i + 1 < dr_reply_count(row); i += 2)
		if (strcmp(dr_reply_string(dr_reply_at(row, i), NULL), name) == 0)
			return dr_reply_string(dr_reply_at(row, i + 1), NULL);
	return "";
}

static int64_t
number(const struct dr_reply *row, const char *name)
{
	return strtoll(field(row, name), NULL, 10);
}

/* { id, first seen, { field, value ... } } */
static void
take_row(struct dr_deposit *d, const struct dr_chain *chain, int64_t head,
    const struct dr_reply *reply)
{
	const char *id = dr_reply_string(dr_reply_at(reply, 0), NULL);
	const struct dr_reply *row = dr_reply_at(reply, 2);

	*d = (struct dr_deposit){ .chain = chain };
	snprintf(d->id, sizeof d->id, "%" PRId64 ":%s", chain->id, id);
	snprintf(d->tx, sizeof d->tx, "%.*s", (int)strcspn(id, ":"), id);
	snprintf(d->from, sizeof d->from, "%s", field(row, "from"));
	snprintf(d->status, sizeof d->status, "%s", field(row, "status"));
	d->final = field(row, "final")[0] != '\0';
	d->below_min = strcmp(d->status, "unclaimed") == 0 &&
		       strcmp(field(row, "why"), "below min_deposit") == 0;
	d->nano = number(row, "nano");
	d->block = number(row, "block");
	d->seen_ms = dr_reply_int(dr_reply_at(reply, 1), 0);
	d->credited_ms = number(row, "credited");
	/* the head is that of the watcher's last whole round, which may be an older one
	 * than the block: that is there all the same */
	if (strcmp(d->status, "orphaned") != 0 && strcmp(d->status, "reversed") != 0)
		d->confirmations = head > d->block ? head - d->block + 1 : 1;
}

/* ---- the chains, one after the other ---- */

static int
newest_first(const void *a, const void *b)
{
	const struct dr_deposit *x = a, *y = b;

	if (x->seen_ms != y->seen_ms)
		return x->seen_ms < y->seen_ms ? 1 : -1;
	return strcmp(y->id, x->id);
}

static void
on_rows(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_deposits_read *read =
	    DR_CONTAINER_OF(call, struct dr_deposits_read, call);
	size_t n = err == DR_OK ? dr_reply_count(reply) : 0;
	int64_t head = n > 0 ? dr_reply_int(dr_reply_at(reply, 0), -1) : -1;

	if (err != DR_OK) {
		read->done(read, err);
		return;
	}
	read->rows =
	    dr_realloc(read->rows, (read->n_rows + n + 1) * sizeof *read->rows);
	for (size_t i = 1; i < n; i++)
		take_row(&read->rows[read->n_rows++], &read->chains->all[read->at],
		    head, dr_reply_at(reply, i));
	read->at++;
	if (ask(read))
		return;
	qsort(read->rows, read->n_rows, sizeof *read->rows, newest_first);
	if (read->n_rows > read->limit + 1)
		read->n_rows = read->limit + 1;
	read->done(read, DR_OK);
}

/* False: no chain is left. */
static bool
ask(struct dr_deposits_read *read)
{
	size_t n_keys = 2 + read->n_wallets, n = n_keys + 5;
	char(*keys)[KEY_SIZE], tag[KEY_SIZE / 4], most[24], chain[24];
	const char *words[] = { read->account, most, read->before, read->before_id,
		chain };
	struct dr_arg *args;

	if (read->at == read->chains->n)
		return false;
	keys = dr_calloc(n_keys, sizeof *keys);
	args = dr_calloc(n, sizeof *args);
	snprintf(chain, sizeof chain, "%" PRId64 ":", read->chains->all[read->at].id);
	snprintf(tag, sizeof tag, "{dep:%" PRId64 "}", read->chains->all[read->at].id);
	snprintf(most, sizeof most, "%zu", read->limit + 1);
	snprintf(keys[0], KEY_SIZE, "%s:health", tag);
	snprintf(keys[1], KEY_SIZE, "%s:by:%s", tag, read->account);
	for (size_t i = 0; i < read->n_wallets; i++)
		snprintf(keys[2 + i], KEY_SIZE, "%s:from:%.64s", tag, read->wallets[i]);
	for (size_t i = 0; i < n; i++) {
		const char *word = i < n_keys ? keys[i] : words[i - n_keys];

		args[i] = (struct dr_arg){ word, strlen(word) };
	}
	read->call = (struct dr_store_call){ .done = on_rows };
	dr_store_eval(
	    read->store, tag, &dr_script_deposit_list, n_keys, args, n, &read->call);
	free(args);
	free(keys);
	return true;
}

/* ---- the wallets ---- */

static void
on_wallets(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_deposits_read *read =
	    DR_CONTAINER_OF(call, struct dr_deposits_read, call);
	size_t n = dr_reply_count(reply);

	if (err != DR_OK) {
		read->done(read, err);
		return;
	}
	read->wallets = dr_calloc(n + 1, sizeof *read->wallets);
	for (size_t i = 0; i < n && i < MOST_WALLETS; i++)
		read->wallets[read->n_wallets++] =
		    dr_strdup(dr_reply_string(dr_reply_at(reply, i), NULL));
	if (!ask(read))
		read->done(read, DR_OK);
}

void
dr_deposits_read(struct dr_store *store, const struct dr_chains *chains,
    const char *account, size_t limit, int64_t before_ms, const char *before_id,
    struct dr_deposits_read *read,
    void (*done)(struct dr_deposits_read *, enum dr_error))
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[] = { { "HKEYS", 5 }, { key, 0 } };

	*read = (struct dr_deposits_read){
		.store = store, .chains = chains, .limit = limit, .done = done
	};
	snprintf(read->account, sizeof read->account, "%s", account);
	snprintf(read->before, sizeof read->before, "+inf");
	if (before_ms > 0) {
		snprintf(read->before, sizeof read->before, "%" PRId64, before_ms);
		snprintf(read->before_id, sizeof read->before_id, "%s", before_id);
	}
	dr_schema_tag(tag, account);
	argv[1].len = dr_schema_key(key, account, DR_SCHEMA_WALLETS, NULL);
	read->call = (struct dr_store_call){ .done = on_wallets };
	dr_store_command(store, tag, argv, 2, &read->call);
}

void
dr_deposits_read_fini(struct dr_deposits_read *read)
{
	dr_store_cancel(&read->call);
	for (size_t i = 0; i < read->n_wallets; i++)
		free(read->wallets[i]);
	free(read->wallets);
	free(read->rows);
	read->wallets = NULL;
	read->rows = NULL;
	read->n_wallets = read->n_rows = 0;
}

/* ---- one is on its way ---- */

void
dr_deposits_notify(
    struct dr_store *store, int64_t chain, int64_t now_ms, struct dr_store_call *call)
{
	char key[KEY_SIZE], now[24];
	const char *words[] = { "HSET", key, "notify", now };
	struct dr_arg argv[DR_N_ELEMENTS(words)];

	snprintf(key, sizeof key, "{dep:%" PRId64 "}:state", chain);
	snprintf(now, sizeof now, "%" PRId64, now_ms);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		argv[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	dr_store_command(store, key, argv, DR_N_ELEMENTS(words), call);
}

void
dr_deposits_notify_count(
    struct dr_store *store, const char *account, struct dr_store_call *call)
{
	struct dr_script_args args;

	dr_args_begin(&args, account);
	dr_args_key(&args, "notify", NULL);
	dr_args_number(&args, DR_NOTIFY_MOST);
	dr_args_number(&args, DR_NOTIFY_WINDOW_MS);
	dr_args_eval(&args, store, &dr_script_rate, call);
}
