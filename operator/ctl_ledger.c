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
	const char *request_id;
	struct ctl_table *found; /* owned; NULL: nothing yet */
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
	dr_clock_format(strtoll(id, NULL, 10), when);
	table = ctl_table_new(columns);
	ctl_table_cell(table, search->request_id);
	ctl_table_cell(table, when);
	for (size_t i = 2; columns[i] != NULL; i++)
		ctl_table_cell(table, ctl_field(fields, columns[i]));
	search->found = table;
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

/* The receipt, where there is one; *shown says so. */
static int
show_receipt(struct ctl *ctl, const char *account, const char *id, bool *shown)
{
	char key[CTL_KEY_SIZE], name[CTL_KEY_SIZE - 32];
	struct ctl_reply receipt;

	snprintf(name, sizeof name, "receipt:%s", id);
	ctl_account_key(account, name, key);
	if (!ctl_command(ctl, &receipt, (const char *[]){ "GET", key, NULL }))
		return CTL_FAILED;
	*shown = receipt.text[0] != '\0';
	if (*shown && ctl->json)
		puts(receipt.text);
	else if (*shown)
		print_receipt(receipt.text);
	ctl_reply_free(&receipt);
	return CTL_OK;
}

static int
trace(struct ctl *ctl, int argc, char **argv)
{
	char account[DR_ACCOUNT_LEN + 1], key[CTL_KEY_SIZE];
	struct search search = { 0 };
	const char *id;
	size_t n;
	bool shown = false;
	int status;

	if (!ctl_options(argc, argv, NULL, &id, 1, 1, &n, "trace REQUEST-ID"))
		return CTL_USAGE;
	if (!dr_request_id_account(id, account))
		return ctl_fail(CTL_USAGE,
		    "REQUEST-ID: \"%s\" is not the id of a request (req_...)", id);
	status = show_receipt(ctl, account, id, &shown);
	if (status != CTL_OK || shown)
		return status;
	search.request_id = id;
	ctl_account_key(account, "requests", key);
	if (!ctl_each_row(ctl, key, "-", "+", match_request, &search))
		return CTL_FAILED;
	if (search.found == NULL)
		return ctl_fail(
		    CTL_FAILED, "REQUEST-ID: nothing is known of \"%s\"", id);
	/* a settlement writes both: it may have come between the two looks */
	status = show_receipt(ctl, account, id, &shown);
	if (status == CTL_OK && !shown)
		ctl_table_print(ctl, &search.found,
		    true); /* a model's name is a caller's: escaped there */
	else
		ctl_table_free(&search.found);
	return status;
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
