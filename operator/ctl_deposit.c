/*
 * ctl_deposit - deposit list | show | assign | rescan | chains: USDC deposits and the
 * chains that the watcher follows.
 *
 * Nothing here moves money: an assigned deposit becomes pending, and the watcher
 * credits it once it has looked at its receipt again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "operator/ctl.h"
#include "scripts/scripts.h"

#define PAGE    500
#define KEY     192
#define MOST_ID 128

static const char *const columns[] = { "id", "status", "account", "usd", "from",
	"#block", "final", "why", "#seen_ms", NULL };

static const char *const statuses[] = { "pending", "credited", "unclaimed", "orphaned",
	"reversed" };

struct deposit_id {
	const struct dr_chain *chain;
	char rest[MOST_ID]; /* HASH:POS */
};

static void
dep_key(int64_t chain, const char *what, const char *more, char out[KEY])
{
	snprintf(out, KEY, "{dep:%" PRId64 "}:%s%s", chain, what, more);
}

/* Configured, enabled or not; NULL: not configured. */
static const struct dr_chain *
find_chain(const struct ctl *ctl, int64_t id)
{
	const struct dr_chains *chains = ctl->config->chains;

	for (size_t i = 0; i < chains->n; i++)
		if (chains->all[i].id == id)
			return &chains->all[i];
	return NULL;
}

/* CHAIN:HASH:POS of a chain that is configured, enabled or not. False: said so. */
static bool
read_id(struct ctl *ctl, const char *text, struct deposit_id *id)
{
	char *end;
	int64_t chain = strtoll(text, &end, 10);

	id->chain = find_chain(ctl, chain);
	if (*end != ':' || end == text || strlen(end) > MOST_ID ||
	    strncmp(end + 1, "0x", 2) != 0) {
		ctl_fail(CTL_USAGE, "DEPOSIT: \"%s\" is not CHAIN:HASH:POSITION", text);
		return false;
	}
	if (id->chain == NULL) {
		ctl_fail(
		    CTL_USAGE, "DEPOSIT: no chain %" PRId64 " in chains_file", chain);
		return false;
	}
	snprintf(id->rest, sizeof id->rest, "%s", end + 1);
	return true;
}

static bool
read_row(struct ctl *ctl, int64_t chain, const char *id, struct ctl_reply *row)
{
	char key[KEY];
	const char *words[] = { "HGETALL", key, NULL };

	dep_key(chain, "tx:", id, key);
	return ctl_command(ctl, row, words);
}

static void
add_amount(struct ctl_table *table, const struct ctl_reply *row)
{
	int64_t nano = strtoll(ctl_field(row, "nano"), NULL, 10);

	if (nano < 0)
		ctl_table_cell(table, "more than 2^53");
	else
		ctl_table_usd(table, nano);
}

static void
add_row(
    struct ctl_table *table, int64_t chain, const char *id, const struct ctl_reply *row)
{
	char whole[MOST_ID + 24];

	snprintf(whole, sizeof whole, "%" PRId64 ":%s", chain, id);
	ctl_table_cell(table, whole);
	ctl_table_cell(table, ctl_field(row, "status"));
	ctl_table_cell(table, ctl_field(row, "account"));
	add_amount(table, row);
	ctl_table_cell(table, ctl_field(row, "from"));
	ctl_table_number(table, strtoll(ctl_field(row, "block"), NULL, 10));
	ctl_table_cell(table, ctl_field(row, "final")[0] != '\0' ? "yes" : "no");
	ctl_table_cell(table, ctl_field(row, "why"));
	ctl_table_number(table, strtoll(ctl_field(row, "seen"), NULL, 10));
}

/* ---- list ---- */

static bool
wanted(const struct ctl_reply *row, const char *status, const char *account)
{
	return (status == NULL || strcmp(ctl_field(row, "status"), status) == 0) &&
	       (account == NULL || strcmp(ctl_field(row, "account"), account) == 0);
}

/* Newest first, a page at a time. */
static bool
list_chain(struct ctl *ctl, int64_t chain, const char *status, const char *account,
    struct ctl_table *table)
{
	char key[KEY], first[24], last[24];
	const char *words[] = { "ZREVRANGE", key, first, last, NULL };
	struct ctl_reply page = { 0 }, row;
	size_t n;

	dep_key(chain, "all", "", key);
	for (int64_t at = 0;; at += PAGE) {
		snprintf(first, sizeof first, "%" PRId64, at);
		snprintf(last, sizeof last, "%" PRId64, at + PAGE - 1);
		if (!ctl_command(ctl, &page, words))
			return false;
		n = page.n;
		for (size_t i = 0; i < n; i++) {
			if (!read_row(ctl, chain, page.items[i].text, &row)) {
				ctl_reply_free(&page);
				return false;
			}
			if (wanted(&row, status, account))
				add_row(table, chain, page.items[i].text, &row);
			ctl_reply_free(&row);
		}
		ctl_reply_free(&page);
		if (n < PAGE)
			return true;
	}
}

static bool
status_known(const char *status)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(statuses); i++)
		if (status == NULL || strcmp(status, statuses[i]) == 0)
			return true;
	ctl_fail(CTL_USAGE,
	    "--status: \"%s\" is none of pending, credited, unclaimed, orphaned, reversed",
	    status);
	return false;
}

static int
deposit_list(struct ctl *ctl, int argc, char **argv)
{
	const char *status = NULL, *account = NULL, *word;
	struct ctl_option options[] = { { "--status", &status, 1, 0 },
		{ "--account", &account, 1, 0 }, { NULL, NULL, 0, 0 } };
	const struct dr_chains *chains = ctl->config->chains;
	struct ctl_table *table;
	bool ok = true;
	size_t n;

	if (!ctl_options(argc, argv, options, &word, 0, 0, &n,
		"deposit list [--status STATUS] [--account ACCOUNT]") ||
	    !status_known(status))
		return CTL_USAGE;
	table = ctl_table_new(columns);
	for (size_t i = 0; ok && i < chains->n; i++)
		ok = list_chain(ctl, chains->all[i].id, status, account, table);
	if (!ok) {
		ctl_table_free(&table);
		return CTL_FAILED;
	}
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

static const char *const show_columns[] = { "id", "status", "account", "usd", "units",
	"from", "tx", "#block", "block_hash", "final", "why", "claimed_by", "reason",
	"claimed", "seen", "credited", "reversed", "#generation", NULL };

/* A moment of the row; "" where it has not come. */
static void
add_time(struct ctl_table *table, const struct ctl_reply *row, const char *field)
{
	char when[DR_CLOCK_TEXT] = "";
	int64_t ms = strtoll(ctl_field(row, field), NULL, 10);

	if (ms > 0)
		dr_clock_format_s(ms, when);
	ctl_table_cell(table, when);
}

/* All that is known of one. */
static void
add_whole(struct ctl_table *table, const struct deposit_id *id, const char *whole,
    const struct ctl_reply *row)
{
	static const char *const texts[] = { "why", "claimed_by", "reason", NULL };
	static const char *const times[] = { "claimed", "seen", "credited", "reversed",
		NULL };
	char tx[MOST_ID];

	snprintf(tx, sizeof tx, "%.*s", (int)strcspn(id->rest, ":"), id->rest);
	ctl_table_cell(table, whole);
	ctl_table_cell(table, ctl_field(row, "status"));
	ctl_table_cell(table, ctl_field(row, "account"));
	add_amount(table, row);
	ctl_table_cell(table, ctl_field(row, "units"));
	ctl_table_cell(table, ctl_field(row, "from"));
	ctl_table_cell(table, tx);
	ctl_table_number(table, strtoll(ctl_field(row, "block"), NULL, 10));
	ctl_table_cell(table, ctl_field(row, "block_hash"));
	ctl_table_cell(table, ctl_field(row, "final")[0] != '\0' ? "yes" : "no");
	for (size_t i = 0; texts[i] != NULL; i++)
		ctl_table_cell(table, ctl_field(row, texts[i]));
	for (size_t i = 0; times[i] != NULL; i++)
		add_time(table, row, times[i]);
	ctl_table_number(table, strtoll(ctl_field(row, "generation"), NULL, 10));
}

static int
deposit_show(struct ctl *ctl, int argc, char **argv)
{
	const char *word;
	struct deposit_id id;
	struct ctl_table *table;
	struct ctl_reply row;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &word, 1, 1, &n, "deposit show DEPOSIT") ||
	    !read_id(ctl, word, &id))
		return CTL_USAGE;
	if (!read_row(ctl, id.chain->id, id.rest, &row))
		return CTL_FAILED;
	if (row.n == 0) {
		ctl_reply_free(&row);
		return ctl_fail(CTL_FAILED, "DEPOSIT: there is no \"%s\"", word);
	}
	table = ctl_table_new(show_columns);
	add_whole(table, &id, word, &row);
	ctl_reply_free(&row);
	ctl_table_print(ctl, &table, true);
	return CTL_OK;
}

/* ---- assign ---- */

static int
assign(struct ctl *ctl, const struct deposit_id *id, const char *from,
    const char *account, const char *reason)
{
	char tag[KEY], keys[4][KEY];
	const char *words[] = { keys[0], keys[1], keys[2], keys[3], id->rest, from,
		account, "operator", reason, NULL };
	struct ctl_reply reply;
	int status = CTL_OK;

	dep_key(id->chain->id, "", "", tag);
	dep_key(id->chain->id, "tx:", id->rest, keys[0]);
	dep_key(id->chain->id, "open", "", keys[1]);
	dep_key(id->chain->id, "senders", "", keys[2]);
	dep_key(id->chain->id, "unclaimed:", from, keys[3]);
	if (!ctl_script(ctl, &reply, tag, &dr_script_deposit_claim, 4, words))
		return CTL_FAILED;
	if (strcmp(reply.text, "OK") == 0)
		printf(
		    "assigned to account %s; the watcher credits it once it has looked "
		    "at its receipt\n",
		    account);
	else if (strcmp(reply.text, "BIG") == 0)
		status = ctl_fail(
		    CTL_FAILED, "DEPOSIT: above 2^53 nano-USD, which no balance holds");
	else
		status = ctl_fail(
		    CTL_FAILED, "DEPOSIT: it is %s, not unclaimed", reply.text);
	ctl_reply_free(&reply);
	return status;
}

static int
deposit_assign(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2], *reason = NULL;
	struct ctl_option options[] = { { "--reason", &reason, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	struct deposit_id id;
	struct ctl_reply row;
	int status;
	size_t n;

	if (!ctl_options(argc, argv, options, words, 2, 2, &n,
		"deposit assign DEPOSIT ACCOUNT --reason TEXT") ||
	    !read_id(ctl, words[0], &id))
		return CTL_USAGE;
	if (reason == NULL || reason[0] == '\0')
		return ctl_fail(CTL_USAGE, "--reason: say why, for the books");
	if (!ctl_text("--reason", reason, CTL_MAX_REASON))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, words[1]) ||
	    !read_row(ctl, id.chain->id, id.rest, &row))
		return CTL_FAILED;
	if (row.n == 0)
		status = ctl_fail(CTL_FAILED, "DEPOSIT: there is no \"%s\"", words[0]);
	else
		status = assign(ctl, &id, ctl_field(&row, "from"), words[1], reason);
	ctl_reply_free(&row);
	return status;
}

/* ---- chains ---- */

static int64_t
chain_named(struct ctl *ctl, const char *text)
{
	int64_t id;

	if (!ctl_number("CHAIN", text, 1, INT64_MAX / 2, &id))
		return -1;
	if (find_chain(ctl, id) != NULL)
		return id;
	ctl_fail(CTL_USAGE, "CHAIN: no chain %s in chains_file", text);
	return -1;
}

static int
deposit_rescan(struct ctl *ctl, int argc, char **argv)
{
	const char *word, *from = NULL;
	struct ctl_option options[] = { { "--from", &from, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	char key[KEY], block[24];
	const char *words[] = { "HSET", key, "next", block, "final_next", block, NULL };
	struct ctl_reply reply;
	int64_t chain, n_from = -1;
	size_t n;

	if (!ctl_options(argc, argv, options, &word, 1, 1, &n,
		"deposit rescan CHAIN --from BLOCK"))
		return CTL_USAGE;
	if (from == NULL)
		return ctl_fail(CTL_USAGE, "--from: wants the first block");
	chain = chain_named(ctl, word);
	if (chain < 0 || !ctl_number("--from", from, 0, INT64_MAX / 2, &n_from))
		return CTL_USAGE;
	dep_key(chain, "state", "", key);
	snprintf(block, sizeof block, "%" PRId64, n_from);
	if (!ctl_command(ctl, &reply, words))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	printf("the watcher looks through chain %" PRId64 " again from block %s\n",
	    chain, block);
	return CTL_OK;
}

static const char *const chain_columns[] = { "#chain", "name", "enabled", "#head",
	"#finalized", "#next", "#ok_ms_ago", "error", NULL };

static int
deposit_chains(struct ctl *ctl, int argc, char **argv)
{
	const struct dr_chains *chains = ctl->config->chains;
	const char *word;
	struct ctl_table *table;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &word, 0, 0, &n, "deposit chains"))
		return CTL_USAGE;
	table = ctl_table_new(chain_columns);
	for (size_t i = 0; i < chains->n; i++) {
		const struct dr_chain *chain = &chains->all[i];
		char health_key[KEY], state_key[KEY];
		const char *health_words[] = { "HGETALL", health_key, NULL };
		const char *state_words[] = { "HGET", state_key, "next", NULL };
		struct ctl_reply health, next;
		int64_t ok_ms;

		dep_key(chain->id, "health", "", health_key);
		dep_key(chain->id, "state", "", state_key);
		if (!ctl_command(ctl, &health, health_words) ||
		    !ctl_command(ctl, &next, state_words)) {
			ctl_table_free(&table);
			return CTL_FAILED;
		}
		ok_ms = strtoll(ctl_field(&health, "ok_ms"), NULL, 10);
		ctl_table_number(table, chain->id);
		ctl_table_cell(table, chain->name);
		ctl_table_cell(table, chain->enabled ? "yes" : "no");
		ctl_table_number(table, strtoll(ctl_field(&health, "head"), NULL, 10));
		ctl_table_number(
		    table, strtoll(ctl_field(&health, "finalized"), NULL, 10));
		ctl_table_number(table, next.number);
		ctl_table_number(table, ok_ms > 0 ? dr_clock_wall_ms() - ok_ms : -1);
		ctl_table_cell(table, ctl_field(&health, "error"));
		ctl_reply_free(&health);
		ctl_reply_free(&next);
	}
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

const struct ctl_verb ctl_deposit_verbs[] = {
	{ "deposit", "list", "[--status STATUS] [--account ACCOUNT]", true,
	    deposit_list },
	{ "deposit", "show", "CHAIN:HASH:POSITION", true, deposit_show },
	{ "deposit", "assign", "CHAIN:HASH:POSITION ACCOUNT --reason TEXT", true,
	    deposit_assign },
	{ "deposit", "rescan", "CHAIN --from BLOCK", true, deposit_rescan },
	{ "deposit", "chains", "", true, deposit_chains },
	{ NULL, NULL, NULL, false, NULL },
};
