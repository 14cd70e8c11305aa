/*
 * ctl_ledger - trace REQUEST-ID | usage ACCOUNT [--key K], and the table of the verbs
 * about the ledger (ctl_ledger_print.c, ctl_ledger_verify.c, ctl_ledger_trim.c).
 *
 * All read what admission and settlement wrote: receipts, the account's last requests,
 * and the ledger, whose rows are read in pages so that a long one costs little memory.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/api_key.h"
#include "operator/ctl_ledger.h"
#include "operator/ctl_used.h"

/* ---- trace ---- */

struct search {
	struct ctl *ctl;
	const char *request_id;
	bool found;
};

static bool
match_request(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct search *search = arg;
	static const char *const columns[] = { "id", "time", "key", "model", "status",
		"error", NULL };
	char when[DR_CLOCK_TEXT];
	struct ctl_table *table;

	if (strcmp(ctl_field(fields, "req"), search->request_id) != 0)
		return true;
	search->found = true;
	dr_clock_format(strtoll(id, NULL, 10), when);
	table = ctl_table_new(columns);
	ctl_table_cell(table, search->request_id);
	ctl_table_cell(table, when);
	for (size_t i = 2; columns[i] != NULL; i++)
		ctl_table_cell(table, ctl_field(fields, columns[i]));
	ctl_table_print(search->ctl, &table,
	    true); /* a model's name is a caller's: escaped there */
	return false;
}

/* "charge_nano_usd 7596000" is hard to read: the dollars stand beside it. */
static void
print_member(const char *name, struct json_object *value)
{
	const char *text =
	    json_object_get_string(value); /* an object or a list as JSON */
	size_t len = strlen(name);
	char usd[DR_MONEY_TEXT];

	printf("%-18s ", name);
	for (const char *p = text != NULL ? text : "-"; *p != '\0'; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
	if (len > 9 && strcmp(name + len - 9, "_nano_usd") == 0) {
		dr_money_format(json_object_get_int64(value), usd);
		printf("  ($%s)", usd);
	}
	putchar('\n');
}

/* A line for each member, for each attempt, and for each count of tokens. */
static void
print_receipt(const char *text)
{
	struct json_object *receipt = json_tokener_parse(text);

	if (!json_object_is_type(receipt, json_type_object)) {
		puts(text);
		json_object_put(receipt);
		return;
	}
	json_object_object_foreach (receipt, name, value) {
		if (json_object_is_type(value, json_type_array)) {
			for (size_t i = 0; i < json_object_array_length(value); i++)
				print_member(name, json_object_array_get_idx(value, i));
		} else if (json_object_is_type(value, json_type_object)) {
			json_object_object_foreach (value, inner, count) {
				print_member(inner, count);
			}
		} else {
			print_member(name, value);
		}
	}
	json_object_put(receipt);
}

static int
trace(struct ctl *ctl, int argc, char **argv)
{
	char account[DR_ACCOUNT_LEN + 1], key[CTL_KEY_SIZE], name[CTL_KEY_SIZE - 32];
	struct search search = { .ctl = ctl };
	struct ctl_reply receipt;
	const char *id;
	size_t n;
	bool has_receipt;

	if (!ctl_options(argc, argv, NULL, &id, 1, 1, &n, "trace REQUEST-ID"))
		return CTL_USAGE;
	if (!dr_request_id_account(id, account))
		return ctl_fail(CTL_USAGE,
		    "REQUEST-ID: \"%s\" is not the id of a request (req_...)", id);
	snprintf(name, sizeof name, "receipt:%s", id);
	ctl_account_key(account, name, key);
	if (!ctl_command(ctl, &receipt, (const char *[]){ "GET", key, NULL }))
		return CTL_FAILED;
	has_receipt = receipt.text[0] != '\0';
	if (has_receipt && ctl->json)
		puts(receipt.text);
	else if (has_receipt)
		print_receipt(receipt.text);
	ctl_reply_free(&receipt);
	if (has_receipt)
		return CTL_OK;
	search.request_id = id;
	ctl_account_key(account, "requests", key);
	if (!ctl_each_row(ctl, key, "-", "+", match_request, &search))
		return CTL_FAILED;
	return search.found
		   ? CTL_OK
		   : ctl_fail(CTL_FAILED, "REQUEST-ID: nothing is known of \"%s\"", id);
}

const struct ctl_verb ctl_ledger_verbs[] = {
	{ "trace", "", "REQUEST-ID", true, trace },
	{ "ledger", "verify", "[ACCOUNT] [--receipts]", true, ctl_ledger_verify },
	{ "ledger", "trim", "ACCOUNT --before 2026-11-01 --export FILE", true,
	    ctl_ledger_trim },
	{ "ledger", "", "ACCOUNT [--csv] [--since DATE|ID] [--until DATE|ID]", true,
	    ctl_ledger_print },
	{ "usage", "", "ACCOUNT [--key K]", true, ctl_usage },
	{ NULL, NULL, NULL, false, NULL },
};
