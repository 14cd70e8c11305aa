/*
 * ctl_used - see the header; and the verb `usage`. Trimmed rows count too: their sums
 * stand in the opening.
 */
#include "operator/ctl_used.h"

#include <stdio.h>
#include <string.h>

#include "operator/ctl_key.h"

/* WHAT of a sum: the fields of a row that it adds up, and its column. */
static const struct {
	const char *name, *field, *field_too, *column;
} what[] = {
	{ "requests", NULL, NULL, "#requests" },
	{ "in", "in", NULL, "#input_tokens" },
	{ "out", "out", NULL, "#output_tokens" },
	{ "cw", "cw5", "cw1", "#cache_creation_input_tokens" },
	{ "cr", "cr", NULL, "#cache_read_input_tokens" },
	{ "nano", "nano", NULL, "#cost_nano_usd" },
};

void
ctl_used_add(struct ctl_sums *sums, const char *id, const struct ctl_reply *fields)
{
	/* a late row books the rest of a request that an abandoned one has counted */
	bool late = strncmp(ctl_field(fields, "flags"), "late", 4) == 0;
	char name[128];

	(void)id;
	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++) {
		int64_t n = what[i].field != NULL
				? ctl_field_number(fields, what[i].field)
				: !late;

		if (what[i].field_too != NULL)
			n += ctl_field_number(fields, what[i].field_too);
		snprintf(name, sizeof name, "used:%s:%s", ctl_field(fields, "key"),
		    what[i].name);
		ctl_sums_add(sums, name, strcmp(what[i].name, "nano") == 0 ? -n : n);
	}
}

/* ---- usage ---- */

struct totals {
	const char *key; /* NULL: all */
	int64_t n[DR_N_ELEMENTS(what)];
};

static void
add_to_totals(void *arg, const char *name, int64_t n)
{
	struct totals *t = arg;
	const char *key = name + strlen("used:"), *colon = strchr(key, ':');

	if (colon == NULL ||
	    (t->key != NULL && (strlen(t->key) != (size_t)(colon - key) ||
				   strncmp(key, t->key, strlen(t->key)) != 0)))
		return;
	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++)
		if (strcmp(colon + 1, what[i].name) == 0)
			t->n[i] += n;
}

/* Whatever it is called, it must be one of this account's: the sum of a key that was
 * misspelt would be 0, too. */
static bool
take_key(struct ctl *ctl, const char *text, const char *account,
    struct ctl_key_name *name, int *status)
{
	char key[CTL_KEY_SIZE], field[DR_KEY_ID_LEN + 8];
	struct ctl_reply reply;
	bool found;

	if (strlen(text) == DR_KEY_ID_LEN) {
		snprintf(name->account, sizeof name->account, "%s", account);
		snprintf(name->id, sizeof name->id, "%s", text);
	} else if (!ctl_key_name(ctl, text, name, status)) {
		return false;
	}
	*status = CTL_FAILED;
	ctl_account_key(account, "account", key);
	snprintf(field, sizeof field, "%s.status", name->id);
	if (!ctl_command(ctl, &reply, (const char *[]){ "HEXISTS", key, field, NULL }))
		return false;
	found = reply.number == 1 && strcmp(name->account, account) == 0;
	ctl_reply_free(&reply);
	if (!found)
		ctl_fail(
		    CTL_FAILED, "--key: \"%s\" is no key of %s", name->id, account);
	return found;
}

static void
print_totals(struct ctl *ctl, const struct totals *t)
{
	const char *columns[DR_N_ELEMENTS(what) + 2];
	struct ctl_table *table;
	size_t n = DR_N_ELEMENTS(what);

	for (size_t i = 0; i < n; i++)
		columns[i] = what[i].column;
	columns[n] = "cost_usd";
	columns[n + 1] = NULL;
	table = ctl_table_new(columns);
	for (size_t i = 0; i < n; i++)
		ctl_table_number(table, t->n[i]);
	ctl_table_usd(table, t->n[n - 1]);
	ctl_table_print(ctl, &table, true);
}

int
ctl_usage(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *key = NULL;
	struct ctl_option options[] = { { "--key", &key, 1, 0 }, { NULL, NULL, 0, 0 } };
	struct ctl_key_name name;
	struct totals totals = { 0 };
	struct ctl_sums *sums;
	int status;
	size_t n;
	bool ok;

	if (!ctl_options(
		argc, argv, options, &account, 1, 1, &n, "usage ACCOUNT [--key K]"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	if (key != NULL && !take_key(ctl, key, account, &name, &status))
		return status;
	totals.key = key != NULL ? name.id : NULL;
	sums = ctl_sums_new();
	ok = ctl_books_sum(ctl, account, "used:", ctl_used_add, sums);
	ctl_sums_each(sums, add_to_totals, &totals);
	ctl_sums_free(&sums);
	if (ok)
		print_totals(ctl, &totals);
	return ok ? CTL_OK : CTL_FAILED;
}
