/*
 * ctl_account - account add | list | show | credit | adjust; set is in ctl_zone.c,
 * suspend and resume are in ctl_account_state.c.
 *
 * `accounts` is a sorted set of all ids by the time of their making; everything else of
 * an account stands on its own slot, {a:ACCT}.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/api_key.h"
#include "operator/ctl.h"
#include "operator/ctl_zone.h"
#include "scripts/scripts.h"

#define REPLICA_MS "2000" /* below the time-out of calls */

static void
account_tag(const char *account, char tag[CTL_KEY_SIZE])
{
	snprintf(tag, CTL_KEY_SIZE, "{a:%s}", account);
}

bool
ctl_account_exists(struct ctl *ctl, const char *account)
{
	char key[CTL_KEY_SIZE];
	struct ctl_reply reply;
	bool exists = false;

	ctl_account_key(account, "account", key);
	if (dr_account_id_ok(account)) {
		if (!ctl_command(ctl, &reply, (const char *[]){ "EXISTS", key, NULL }))
			return false;
		exists = reply.number == 1;
		ctl_reply_free(&reply);
	}
	if (!exists)
		ctl_fail(CTL_FAILED, "ACCOUNT: there is no account \"%s\"", account);
	return exists;
}

/* Replication is asynchronous: where there is a replica, credit is told once it stands
 * on one. */
static void
wait_for_replica(struct ctl *ctl)
{
	struct ctl_reply reply;
	const char *line;
	bool alone;

	if (!ctl_command(ctl, &reply, (const char *[]){ "INFO", "replication", NULL }))
		return;
	line = strstr(reply.text, "connected_slaves:");
	alone =
	    line == NULL || strtol(line + strlen("connected_slaves:"), NULL, 10) == 0;
	ctl_reply_free(&reply);
	if (alone || !ctl_command(ctl, &reply,
			 (const char *[]){ "WAIT", "1", REPLICA_MS, NULL }))
		return;
	if (reply.number == 0)
		ctl_fail(
		    CTL_OK, "booked, but no replica of Redis has confirmed it yet");
	ctl_reply_free(&reply);
}

static int
account_add(struct ctl *ctl, int argc, char **argv)
{
	const char *name = "", *credit = NULL, *word;
	struct ctl_option options[] = { { "--name", &name, 1, 0 },
		{ "--credit", &credit, 1, 0 }, { NULL, NULL, 0, 0 } };
	char id[DR_ACCOUNT_LEN + 1], account[CTL_KEY_SIZE], ledger[CTL_KEY_SIZE],
	    tag[CTL_KEY_SIZE];
	char nano[24], now[24];
	int64_t amount = 0;
	struct ctl_reply reply;
	size_t n;

	if (!ctl_options(argc, argv, options, &word, 0, 0, &n,
		"account add [--name N] [--credit 25.00]") ||
	    !ctl_money("--credit", credit, &amount) ||
	    !ctl_text("--name", name, CTL_MAX_NAME))
		return CTL_USAGE;
	dr_random_id(id, DR_ACCOUNT_LEN);
	ctl_account_key(id, "account", account);
	ctl_account_key(id, "ledger", ledger);
	account_tag(id, tag);
	snprintf(nano, sizeof nano, "%" PRId64, amount);
	snprintf(now, sizeof now, "%" PRId64, dr_clock_wall_ms());
	/* the directory first: an account that nobody can list would be worse than a
	 * name without one */
	if (!ctl_command(
		ctl, &reply, (const char *[]){ "ZADD", "accounts", now, id, NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	if (!ctl_script(ctl, &reply, tag, &dr_script_account_add, 2,
		(const char *[]){ account, ledger, name, nano, NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	if (amount != 0)
		wait_for_replica(ctl);
	if (ctl->json)
		printf("{\"account\":\"%s\"}\n", id);
	else
		puts(id);
	return CTL_OK;
}

static const char *const account_columns[] = { "account", "name", "status",
	"balance_usd", "held_usd", "#running", "created", "#balance_nano_usd",
	"#held_nano_usd", NULL };

static const char *const show_columns[] = { "account", "name", "status", "balance_usd",
	"held_usd", "#running", "created", "#balance_nano_usd", "#held_nano_usd",
	"suspend_reason", NULL };

/* One row; false where the account is not there (any more). */
static bool
add_account_row(struct ctl *ctl, struct ctl_table *table, const char *id)
{
	char key[CTL_KEY_SIZE], when[DR_CLOCK_TEXT];
	struct ctl_reply r;

	ctl_account_key(id, "account", key);
	if (!ctl_command(ctl, &r,
		(const char *[]){ "HMGET", key, "name", "status", "balance", "held",
		    "running", "created", NULL }))
		return false;
	if (r.items[1].text[0] == '\0') {
		ctl_reply_free(&r);
		return false;
	}
	dr_clock_format_s(r.items[5].number, when);
	ctl_table_cell(table, id);
	ctl_table_cell(table, r.items[0].text);
	ctl_table_cell(table, r.items[1].text);
	ctl_table_usd(table, r.items[2].number);
	ctl_table_usd(table, r.items[3].number);
	ctl_table_number(table, r.items[4].number);
	ctl_table_cell(table, when);
	ctl_table_number(table, r.items[2].number);
	ctl_table_number(table, r.items[3].number);
	ctl_reply_free(&r);
	return true;
}

static int
account_list(struct ctl *ctl, int argc, char **argv)
{
	const char *word;
	struct ctl_reply all;
	struct ctl_table *table;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &word, 0, 0, &n, "account list"))
		return CTL_USAGE;
	if (!ctl_command(
		ctl, &all, (const char *[]){ "ZRANGE", "accounts", "0", "-1", NULL }))
		return CTL_FAILED;
	table = ctl_table_new(account_columns);
	for (size_t i = 0; i < all.n; i++)
		(void)add_account_row(ctl, table, all.items[i].text);
	ctl_reply_free(&all);
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

static int
account_show(struct ctl *ctl, int argc, char **argv)
{
	const char *id;
	char key[CTL_KEY_SIZE];
	struct ctl_reply reason;
	struct ctl_table *table;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &id, 1, 1, &n, "account show ACCOUNT"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, id))
		return CTL_FAILED;
	table = ctl_table_new(show_columns);
	ctl_account_key(id, "account", key);
	if (!add_account_row(ctl, table, id) ||
	    !ctl_command(ctl, &reason,
		(const char *[]){ "HGET", key, "suspend_reason", NULL })) {
		ctl_table_free(&table);
		return CTL_FAILED;
	}
	ctl_table_cell(table, reason.text);
	ctl_reply_free(&reason);
	ctl_table_print(ctl, &table, true);
	return CTL_OK;
}

static int
print_balance(struct ctl *ctl, const struct ctl_reply *reply)
{
	char usd[DR_MONEY_TEXT];

	if (strcmp(reply->text, "RANGE") == 0)
		return ctl_fail(CTL_FAILED,
		    "AMOUNT: the balance would leave what can be counted exactly");
	dr_money_format(reply->number, usd);
	if (ctl->json)
		printf("{\"balance_usd\":\"%s\",\"balance_nano_usd\":%" PRId64 "}\n",
		    usd, reply->number);
	else
		printf("balance %s\n", usd);
	return CTL_OK;
}

/* One row of the ledger, of this type. */
static int
move_balance(struct ctl *ctl, const char *account, int64_t amount, const char *type,
    const char *reason)
{
	char key[CTL_KEY_SIZE], ledger[CTL_KEY_SIZE], tag[CTL_KEY_SIZE], nano[24];
	struct ctl_reply reply;
	int status;

	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	ctl_account_key(account, "account", key);
	ctl_account_key(account, "ledger", ledger);
	account_tag(account, tag);
	snprintf(nano, sizeof nano, "%" PRId64, amount);
	if (!ctl_script(ctl, &reply, tag, &dr_script_credit, 2,
		(const char *[]){ key, ledger, nano, type, reason, NULL }))
		return ctl_fail(CTL_FAILED,
		    "it may have been booked all the same: `ledger %s` tells", account);
	if (strcmp(reply.text, "RANGE") != 0)
		wait_for_replica(ctl);
	status = print_balance(ctl, &reply);
	ctl_reply_free(&reply);
	return status;
}

static int
account_credit(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2], *reason = "credited by the operator";
	struct ctl_option options[] = { { "--reason", &reason, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	int64_t amount = 0;
	size_t n;

	if (!ctl_options(argc, argv, options, words, 2, 2, &n,
		"account credit ACCOUNT AMOUNT [--reason R]"))
		return CTL_USAGE;
	if (words[1][0] == '-')
		return ctl_fail(CTL_USAGE,
		    "AMOUNT: \"%s\" takes away: that is `account adjust`", words[1]);
	if (!ctl_money("AMOUNT", words[1], &amount) ||
	    !ctl_text("--reason", reason, CTL_MAX_REASON))
		return CTL_USAGE;
	if (amount == 0)
		return ctl_fail(CTL_USAGE, "AMOUNT: 0 changes nothing");
	return move_balance(ctl, words[0], amount, "credit", reason);
}

/* A correction, either way: never without saying why. */
static int
account_adjust(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2], *reason = NULL;
	struct ctl_option options[] = { { "--reason", &reason, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	int64_t amount = 0;
	bool negative;
	size_t n;

	/* "-5.00" is an amount, not an option */
	if (!ctl_options(argc, argv, options, words, 2, 2, &n,
		"account adjust ACCOUNT AMOUNT --reason R"))
		return CTL_USAGE;
	negative = words[1][0] == '-';
	if (!ctl_money("AMOUNT", words[1] + negative, &amount))
		return CTL_USAGE;
	if (amount == 0)
		return ctl_fail(CTL_USAGE, "AMOUNT: 0 changes nothing");
	if (reason == NULL || reason[0] == '\0')
		return ctl_fail(CTL_USAGE, "--reason: is missing");
	if (!ctl_text("--reason", reason, CTL_MAX_REASON))
		return CTL_USAGE;
	return move_balance(
	    ctl, words[0], negative ? -amount : amount, "adjustment", reason);
}

const struct ctl_verb ctl_account_verbs[] = {
	{ "account", "add", "[--name N] [--credit 25.00]", true, account_add },
	{ "account", "list", "", true, account_list },
	{ "account", "show", "ACCOUNT", true, account_show },
	{ "account", "credit", "ACCOUNT AMOUNT [--reason R]", true, account_credit },
	{ "account", "adjust", "ACCOUNT AMOUNT --reason R", true, account_adjust },
	{ "account", "suspend", "ACCOUNT [--reason TEXT]", true, ctl_account_suspend },
	{ "account", "resume", "ACCOUNT", true, ctl_account_resume },
	{ "account", "set", "ACCOUNT --tz Europe/Berlin|+05:30|UTC", true,
	    ctl_account_set },
	{ NULL, NULL, NULL, false, NULL },
};
